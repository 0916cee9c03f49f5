//! Folding processes into programs: what is left of a command line when numbers, random parts, places of temporary
//! files and secrets are taken out.
//!
//! Identity depends on it, so it must give the same for the next start of the same program, and it never changes
//! what two programs that a person would tell apart have in common. `#` stands for a number, `~` for a random part,
//! `*` for what was cut.

/// Longest arguments that are kept; class paths of Java run to tens of thousands. A digest stands for the rest.
const ARGUMENTS_LENGTH_MAX: usize = 1024;

/// The most arguments of one process that are looked at.
const ARGUMENTS_MAX: usize = 4096;

/// Words shorter than this are never taken for random ones.
const RANDOM_LENGTH_MIN: usize = 16;

/// Hexadecimal words shorter than this are never taken for random ones.
const HEX_LENGTH_MIN: usize = 8;

/// Words that a rewritten title keeps at most; the rest changes from moment to moment.
const TITLE_WORDS_MAX: usize = 4;

/// Folders whose contents are made for one start.
const PASSING_FOLDERS: &[&str] =
    &["/tmp/", "/var/tmp/", "/run/", "/var/run/", "/dev/shm/", "/dev/fd/"];

/// Programs that run a text: what they run says more than their own name.
const INTERPRETERS: &[&str] = &[
    "python", "perl", "ruby", "node", "nodejs", "bash", "sh", "dash", "zsh", "java", "php", "lua",
    "tclsh",
];

/// What makes processes the same program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Program {
    /// Path of the executable, or the kind of kernel thread in brackets.
    pub(super) executable: String,
    /// Folded arguments.
    pub(super) arguments: String,
    /// What a person calls it.
    pub(super) name: String,
}

/// The arguments of `/proc/PID/cmdline`: text with NUL after each.
pub(super) fn split_arguments(line: &str) -> Vec<&str> {
    line.trim_end_matches('\0').split('\0').take(ARGUMENTS_MAX).collect()
}

/// The program of a kernel thread: `kworker/0:1-events` is `[kworker]`.
pub(super) fn kernel_thread(name: &str) -> Program {
    let end = name
        .char_indices()
        .find(|(place, letter)| {
            let next_is_digit = || {
                name.get(place + 1..)
                    .and_then(|rest| rest.bytes().next())
                    .is_some_and(|b| b.is_ascii_digit())
            };
            matches!(letter, '/' | ':') || (matches!(letter, '-' | '_') && next_is_digit())
        })
        .map_or(name.len(), |(place, _)| place);
    let kind = name.get(..end).unwrap_or(name);
    // The digit of `jbd2/vda1-8` belongs to the kind, that of `loop0` does not.
    let is_whole = kind.len() == name.len();
    let kind =
        if is_whole { kind.trim_end_matches(|letter: char| letter.is_ascii_digit()) } else { kind };
    let kind = if kind.is_empty() { name } else { kind };
    let bracketed = format!("[{kind}]");
    Program { executable: bracketed.clone(), arguments: String::new(), name: bracketed }
}

/// The program of a process of a user: executable, arguments as the kernel gives them, and the short name.
pub(super) fn program(executable: Option<String>, arguments: &[&str], name: &str) -> Program {
    let first = arguments.first().copied().unwrap_or_default();
    let rest = arguments.get(1..).unwrap_or_default();
    let executable = executable.unwrap_or_else(|| {
        if first.starts_with('/') && !first.contains(' ') {
            first.to_owned()
        } else {
            name.to_owned()
        }
    });
    let base = executable.rsplit('/').next().unwrap_or(&executable);
    let folded = match title(first, rest) {
        Some(title) => title,
        None => fold_arguments(rest),
    };
    let name = match script(base, rest) {
        Some(script) => format!("{base} {script}"),
        None => base.to_owned(),
    };
    Program { arguments: folded, name, executable }
}

/// The title that a program wrote over its arguments, without what changes (`nginx: worker process`).
fn title(first: &str, rest: &[&str]) -> Option<String> {
    if rest.iter().any(|argument| !argument.is_empty()) {
        return None;
    }
    let (_, text) = first.split_once(": ")?;
    let mut kept = String::new();
    for (index, word) in text.split_whitespace().enumerate() {
        let is_plain =
            word.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'));
        if index > 0 {
            kept.push(' ');
        }
        if !is_plain || index >= TITLE_WORDS_MAX {
            kept.push('*');
            break;
        }
        kept.push_str(word);
    }
    Some(kept)
}

/// What an interpreter runs, by its short name.
fn script<'a>(base: &str, arguments: &[&'a str]) -> Option<&'a str> {
    let kind = base.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    if !INTERPRETERS.contains(&kind) {
        return None;
    }
    let mut rest = arguments.iter().copied();
    while let Some(argument) = rest.next() {
        match argument {
            // A text on the command line has no name; a module or an archive has.
            "-c" | "-e" | "--eval" | "-" | "" => return None,
            "-m" | "-jar" => return rest.next().map(last_part),
            "-cp" | "-classpath" | "--class-path" | "-W" | "-X" | "-r" | "--require" => {
                rest.next();
            }
            option if option.starts_with('-') => {}
            // A text that came through a pipe has no name either.
            piped if piped.starts_with("/dev/fd/") || piped.starts_with("/proc/") => return None,
            script => return Some(last_part(script)),
        }
    }
    None
}

fn last_part(path: &str) -> &str {
    let last = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
    crate::redact::cut(last, 64)
}

/// Masks secrets, folds each argument and joins them.
fn fold_arguments(arguments: &[&str]) -> String {
    let masked = crate::redact::redact_arguments(arguments.iter().copied());
    bounded(folded(&masked))
}

/// The text, or its beginning and a digest of the rest.
fn bounded(text: String) -> String {
    if text.len() <= ARGUMENTS_LENGTH_MAX {
        return text;
    }
    let start = crate::redact::cut(&text, ARGUMENTS_LENGTH_MAX);
    let mut digest = crate::files::StatGuard::new();
    digest.bytes(text.get(start.len()..).unwrap_or_default().as_bytes());
    format!("{start}*{:016x}", digest.finish().0)
}

/// The text with numbers, random words and places of temporary files folded.
pub(super) fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '/'
            && let Some(folder) = PASSING_FOLDERS.iter().find(|folder| rest.starts_with(**folder))
        {
            out.push_str(folder);
            out.push('*');
            let end =
                rest.find(|letter: char| letter.is_whitespace() || ",;:\"'=&|)".contains(letter));
            rest = rest.get(end.unwrap_or(rest.len())..).unwrap_or_default();
            continue;
        }
        let is_word =
            |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        if !is_word(first) {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        }
        let end = rest.find(|letter: char| !is_word(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        fold_word(word, &mut out);
        rest = after;
    }
    out
}

fn fold_word(word: &str, out: &mut String) {
    if is_uuid(word) {
        out.push('~');
        return;
    }
    for (index, part) in word.split(['-', '_']).enumerate() {
        if index > 0 {
            let before: usize = word.split(['-', '_']).take(index).map(|part| part.len() + 1).sum();
            out.push(if word.as_bytes().get(before - 1) == Some(&b'_') { '_' } else { '-' });
        }
        if part.is_empty() {
            continue;
        }
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            out.push('#');
        } else if is_random(part) {
            out.push('~');
        } else {
            out.push_str(part);
        }
    }
}

/// The form of RFC 9562: 8-4-4-4-12 hexadecimal digits.
fn is_uuid(word: &str) -> bool {
    word.len() == 36
        && word.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Whether a word looks as if nobody had chosen it.
fn is_random(word: &str) -> bool {
    let bytes = word.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = bytes.len() - digits;
    if digits == 0 || letters == 0 {
        return false;
    }
    if bytes.len() >= HEX_LENGTH_MIN && bytes.iter().all(u8::is_ascii_hexdigit) {
        return true;
    }
    let switches = bytes
        .windows(2)
        .filter(|pair| matches!(pair, [a, b] if a.is_ascii_digit() != b.is_ascii_digit()))
        .count();
    bytes.len() >= RANDOM_LENGTH_MIN && digits >= 3 && letters >= 3 && switches >= 5
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_differs_from_start_to_start_is_folded() {
        for (text, expected) in [
            ("--port=8080 --host 127.0.0.1", "--port=# --host #.#.#.#"),
            ("-f /tmp/abc-12/x.conf -v", "-f /tmp/* -v"),
            ("--pid-file=/run/app/app.pid", "--pid-file=/run/*"),
            ("--id 0190a5c8-7e5e-7d3a-8000-0123456789ab", "--id ~"),
            ("--commit 0a1b2c3d4e5f", "--commit ~"),
            ("worker-3 of 10", "worker-# of #"),
            ("a_1_b-2", "a_#_b-#"),
        ] {
            assert_eq!(folded(text), expected);
        }
    }

    #[test]
    fn what_a_person_chose_stays() {
        for text in [
            "-Xmx512m -jar app2.jar",
            "/etc/nginx/nginx.conf",
            "deadbeef",
            "--utf8 sha256",
            "für x",
        ] {
            assert_eq!(folded(text), text);
        }
    }

    #[test]
    fn threads_of_the_kernel_are_folded_by_kind() {
        for (name, expected) in [
            ("kworker/0:1-events", "[kworker]"),
            ("kworker/u8:0", "[kworker]"),
            ("jbd2/vda1-8", "[jbd2]"),
            ("scsi_eh_0", "[scsi_eh]"),
            ("loop0", "[loop]"),
            ("ksoftirqd/1", "[ksoftirqd]"),
            ("xfs-buf/dm-0", "[xfs-buf]"),
            ("rcu_preempt", "[rcu_preempt]"),
            ("irq/25-virtio0", "[irq]"),
            ("1", "[1]"),
        ] {
            assert_eq!(kernel_thread(name).executable, expected);
        }
    }

    #[test]
    fn titles_keep_only_what_lasts() {
        let arguments = |first: &str| program(Some("/usr/bin/x".into()), &[first], "x").arguments;
        assert_eq!(arguments("nginx: worker process"), "worker process");
        assert_eq!(arguments("postgres: app shop 192.0.2.7(51234) idle"), "app shop *");
        assert_eq!(arguments("sshd: alice@pts/0"), "*");
        assert_eq!(arguments("/usr/sbin/sshd"), "");
    }

    #[test]
    fn an_interpreter_is_named_after_what_it_runs() {
        let name = |exe: &str, arguments: &[&str]| program(Some(exe.into()), arguments, "x").name;
        assert_eq!(
            name("/usr/bin/python3.11", &["python3", "-u", "/srv/app/manage.py", "run"]),
            "python3.11 manage.py"
        );
        assert_eq!(
            name("/usr/bin/python3", &["python3", "-m", "http.server"]),
            "python3 http.server"
        );
        assert_eq!(
            name("/usr/bin/java", &["java", "-cp", "a:b", "org.example.Main"]),
            "java org.example.Main"
        );
        assert_eq!(name("/bin/bash", &["bash", "-c", "sleep 5"]), "bash");
        assert_eq!(name("/usr/sbin/nginx", &["nginx", "-g", "x"]), "nginx");
    }

    #[test]
    fn over_long_arguments_are_bounded_and_stay_distinct() {
        let of = |last: &str| {
            let long = "x".repeat(5000) + last;
            program(Some("/bin/x".into()), &["x", &long], "x").arguments
        };
        assert!(of("a").len() < 1100);
        assert_ne!(of("a"), of("b"));
    }

    proptest! {
        #[test]
        fn any_command_line_is_folded_without_panic(line in "\\PC{0,100}", name in "\\PC{0,16}") {
            let arguments = split_arguments(&line);
            program(None, &arguments, &name);
            kernel_thread(&name);
        }

        #[test]
        fn numbers_do_not_tell_programs_apart(a in 0_u32..100_000, b in 0_u32..100_000) {
            prop_assert_eq!(folded(&format!("--port {a} x:{a}")), folded(&format!("--port {b} x:{b}")));
        }
    }
}
