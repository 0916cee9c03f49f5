//! Unit files (systemd.syntax(7)): the assignments that are described, with drop-ins merged.

/// The largest unit file that is read; systemd itself allows 1 MiB a line.
pub(super) const FILE_BYTES_MAX: usize = 256 * 1024;

/// The most values of one list that are kept.
const VALUES_MAX: usize = 512;

/// Longest value that is kept.
const VALUE_LENGTH_MAX: usize = 4096;

/// What a unit file and its drop-ins say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Definition {
    pub(super) description: Option<String>,
    pub(super) commands: Vec<String>,
    pub(super) user: Option<String>,
    pub(super) restart: Option<String>,
    /// Units that it requires, wants, binds to or upholds.
    pub(super) requires: Vec<String>,
    /// What a socket listens on, a timer elapses at, a path watches, a mount mounts.
    pub(super) triggers: Vec<String>,
    /// Whether enabling it would link it or give it another name.
    pub(super) has_install_rules: bool,
    /// Whether enabling it would enable others.
    pub(super) has_also: bool,
}

impl Definition {
    /// Adds what a file says. A drop-in adds to lists, replaces single values, and an empty value clears a list.
    pub(super) fn add(&mut self, text: &str) {
        let mut section = String::new();
        for line in joined_lines(text) {
            let line = line.trim();
            if let Some(name) = line.strip_prefix('[') {
                name.trim_end_matches(']').clone_into(&mut section);
            } else if let Some((name, value)) = line.split_once('=') {
                let value = crate::redact::cut(value.trim(), VALUE_LENGTH_MAX);
                self.assign(&section, name.trim(), value);
            }
        }
    }

    fn assign(&mut self, section: &str, name: &str, value: &str) {
        match (section, name) {
            ("Unit", "Description") => self.description = some(value),
            ("Unit", "Requires" | "Requisite" | "Wants" | "BindsTo" | "Upholds") => {
                extend(&mut self.requires, value.split_whitespace());
            }
            ("Service", "ExecStart") if value.is_empty() => self.commands.clear(),
            ("Service", "ExecStart") => extend(&mut self.commands, [value]),
            ("Service", "User") => self.user = some(value),
            ("Service", "DynamicUser") if is_yes(value) => {
                self.user.get_or_insert_with(|| "dynamic".to_owned());
            }
            ("Service", "Restart") => self.restart = some(value),
            ("Install", "WantedBy" | "RequiredBy" | "UpheldBy" | "Alias") => {
                self.has_install_rules |= !value.is_empty();
            }
            ("Install", "Also") => self.has_also |= !value.is_empty(),
            ("Socket", name) if name.starts_with("Listen") => self.trigger(name, value),
            ("Timer", name) if name.starts_with("On") => self.trigger(name, value),
            ("Timer", "Unit") | ("Path", _) => self.trigger(name, value),
            ("Mount" | "Automount" | "Swap", "What" | "Where" | "Type" | "Options") => {
                self.trigger(name, &crate::redact::redact(value));
            }
            _ => {}
        }
    }

    fn trigger(&mut self, name: &str, value: &str) {
        let of_name = format!("{name}=");
        if value.is_empty() {
            self.triggers.retain(|trigger| !trigger.starts_with(&of_name));
        } else {
            extend(&mut self.triggers, [format!("{of_name}{value}").as_str()]);
        }
    }

    /// The definition for an instance of a template: `%i` and the like are replaced in what a person reads.
    pub(super) fn expand(&mut self, name: &str) {
        let texts = self.description.iter_mut().chain(&mut self.commands).chain(&mut self.triggers);
        for text in texts.chain(&mut self.requires).chain(&mut self.user) {
            if text.contains('%') {
                *text = expanded(text, name);
            }
        }
    }
}

fn some(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

fn is_yes(value: &str) -> bool {
    ["1", "yes", "true", "on", "y", "t"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

fn extend<'a>(list: &mut Vec<String>, values: impl IntoIterator<Item = &'a str>) {
    for value in values {
        if list.len() < VALUES_MAX && !list.iter().any(|other| other == value) {
            list.push(value.to_owned());
        }
    }
}

/// Replaces the specifiers that are about the name (systemd.unit(5)); others stay.
fn expanded(text: &str, name: &str) -> String {
    let (whole, _) = name.rsplit_once('.').unwrap_or((name, ""));
    let (prefix, instance) = whole.split_once('@').unwrap_or((whole, ""));
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            // A template itself has no instance.
            Some('i') if !instance.is_empty() => out.push_str(instance),
            Some('I') if !instance.is_empty() => out.push_str(&unescaped(instance)),
            Some('p') => out.push_str(prefix),
            Some('P') => out.push_str(&unescaped(prefix)),
            Some('n') => out.push_str(name),
            Some('N') => out.push_str(whole),
            Some('%') => out.push('%'),
            Some(other) => {
                out.push('%');
                out.push(other);
            }
            None => out.push('%'),
        }
    }
    out
}

/// Undoes systemd-escape(1): `-` is a slash, `\x2d` is a letter.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = match (first, after) {
            (b'\\', [b'x', high, low, ..]) => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        match code {
            Some(code) => {
                bytes.push(code);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(if *first == b'-' { b'/' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Lines without comments; a backslash at the end joins the next one with a blank.
fn joined_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for raw in text.lines() {
        if raw.trim_start().starts_with(['#', ';']) {
            continue;
        }
        match raw.strip_suffix('\\') {
            Some(start) => {
                line.push_str(start.trim());
                line.push(' ');
            }
            None => {
                line.push_str(raw.trim());
                lines.push(std::mem::take(&mut line));
            }
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn assignments_of_other_sections_and_comments_do_not_count() {
        let mut definition = Definition::default();
        definition.add("# Description=no\n[X-Other]\nDescription=no\n[Unit]\nDescription = Yes \nWants=a.service \\\n# between\n  b.service\n[Service]\nExecStart=/bin/a \\\n  -b\n[Socket]\nListenStream=80\nListenStream=\nListenStream=443\n");
        assert_eq!(definition.description.as_deref(), Some("Yes"));
        assert_eq!(definition.requires, ["a.service", "b.service"]);
        assert_eq!(definition.commands, ["/bin/a -b"]);
        assert_eq!(definition.triggers, ["ListenStream=443"]);
    }

    #[test]
    fn specifiers_of_an_instance_are_replaced() {
        assert_eq!(
            expanded("%i %I %p %n %N %% %h %", "a@x-y\\x2dz.service"),
            "x-y\\x2dz x/y-z a a@x-y\\x2dz.service a@x-y\\x2dz % %h %"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic(text in "[\\[\\]a-zA-Z=%\\\\# \n]{0,200}", name in "\\PC{0,20}") {
            let mut definition = Definition::default();
            definition.add(&format!("[Unit]\nDescription={text}\n{text}"));
            definition.expand(&name);
            unescaped(&text);
        }
    }
}
