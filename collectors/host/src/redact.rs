//! Masks secrets in command lines, URLs and configuration values, before anything leaves the host.
//!
//! A command line is seen by everybody who may open the console, so what looks like a secret is masked even where
//! that hides something harmless. Masked are: values of options and variables with a telling name, passwords in
//! URLs, values of telling headers, and text in the shape of a known token.
//!
//! Invariant: what was masked once is not changed by masking again.
//!
//! Deliberately not here: finding secrets that have neither a telling name nor a known shape.

/// What stands where a secret stood.
const MASK: &str = "***";

/// Text is masked up to this length and cut behind it, so that a hostile command line costs little.
const TEXT_LENGTH_MAX: usize = 128 * 1024;

/// Parts of a name that tell that its value is secret, lower case, without separators.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "accountkey",
    "sharedaccesskey",
    "privatekey",
    "credential",
    "authorization",
    "cookie",
    "connectionstring",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "licensekey",
    "sessionkey",
    "authkey",
    "xapikey",
    "presharedkey",
];

/// Names that are secret only as a whole, or after a separator: they are too short to be looked for inside words.
const SECRET_WORDS: &[&str] =
    &["pass", "pwd", "psk", "pw", "auth", "sas", "dsn", "bearer", "otp", "pin"];

/// Endings of names whose value only says where a secret lies, or how one is treated.
const HARMLESS_ENDINGS: &[&str] = &[
    "file",
    "path",
    "dir",
    "directory",
    "name",
    "id",
    "url",
    "uri",
    "endpoint",
    "ttl",
    "required",
    "length",
    "type",
    "mode",
    "method",
    "timeout",
    "issuer",
    "env",
    "fd",
    "expiry",
    "enabled",
];

/// How tokens of well-known services begin.
const TOKEN_STARTS: &[&str] = &[
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxs-",
    "xapp-",
    "sk-",
    "sk_live_",
    "rk_live_",
    "hvs.",
    "hvb.",
    "npm_",
    "pypi-",
    "dop_v1_",
    "SG.",
    "AIza",
    "ya29.",
    "AKIA",
    "ASIA",
    "eyJ",
    "dj_",
    "dh_pat_",
    "dh_svc_",
    "shpat_",
    "lin_api_",
];

/// The shortest text that is taken for a token by its beginning.
const TOKEN_LENGTH_MIN: usize = 16;

/// Options that take a secret in programs that are met on every second host: program, option.
const SECRET_OPTIONS: &[(&str, &str)] = &[
    ("mysql", "-p"),
    ("mysqldump", "-p"),
    ("mysqladmin", "-p"),
    ("mysqlimport", "-p"),
    ("mysqlcheck", "-p"),
    ("mariadb", "-p"),
    ("mariadb-dump", "-p"),
    ("mariadb-admin", "-p"),
    ("mongo", "-p"),
    ("mongosh", "-p"),
    ("mongodump", "-p"),
    ("sshpass", "-p"),
    ("redis-cli", "-a"),
    ("ldapsearch", "-w"),
    ("ldapmodify", "-w"),
    ("ldapadd", "-w"),
    ("curl", "-u"),
    ("curl", "--user"),
    ("curl", "--proxy-user"),
    ("smbclient", "-U"),
    ("ipmitool", "-P"),
    ("snmpwalk", "-c"),
    ("snmpget", "-c"),
    ("snmpwalk", "-A"),
    ("snmpwalk", "-X"),
    ("sqlcmd", "-P"),
    ("docker", "-p"),
    ("7z", "-p"),
    ("unzip", "-P"),
];

/// Options of the programs above that need their value attached; detached they are a switch.
const ATTACHED_ONLY: &[&str] = &[
    "mysql",
    "mysqldump",
    "mysqladmin",
    "mysqlimport",
    "mysqlcheck",
    "mariadb",
    "mariadb-dump",
    "mariadb-admin",
    "7z",
    "docker",
];

/// The text with its secrets masked. Words are told apart by white space outside of quotation marks.
pub(crate) fn redact(text: &str) -> String {
    let text = cut(text, TEXT_LENGTH_MAX);
    let mut state = State::default();
    let mut out = String::with_capacity(text.len());
    for (gap, word) in (Words { rest: text }) {
        out.push_str(gap);
        state.push(word, false, &mut out);
    }
    out
}

/// The arguments, joined by spaces, with their secrets masked. White space inside an argument does not divide it.
#[cfg(target_os = "linux")]
pub(crate) fn redact_arguments<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    let mut state = State::default();
    let mut out = String::new();
    for argument in arguments {
        if !out.is_empty() {
            out.push(' ');
        }
        state.push(cut(argument, TEXT_LENGTH_MAX), true, &mut out);
        if out.len() > TEXT_LENGTH_MAX {
            break;
        }
    }
    out
}

/// The longest beginning of at most `limit` bytes that ends between letters.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Divides text into words, each with the white space before it.
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Words<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let start =
            self.rest.find(|letter: char| !letter.is_whitespace()).unwrap_or(self.rest.len());
        let (gap, rest) = self.rest.split_at(start);
        let mut quote = None;
        let mut end = rest.len();
        for (place, letter) in rest.char_indices() {
            match quote {
                Some(open) if letter == open => quote = None,
                Some(_) => {}
                None if letter == '"' || letter == '\'' => quote = Some(letter),
                None if letter.is_whitespace() => {
                    end = place;
                    break;
                }
                None => {}
            }
        }
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        Some((gap, word))
    }
}

/// What the words before say about the next one.
#[derive(Default)]
struct State {
    program: String,
    words: usize,
    masks_next: bool,
}

impl State {
    /// Appends a word, masked as needed. `is_argument`: the word is one argument, which may hold a command line.
    fn push(&mut self, word: &str, is_argument: bool, out: &mut String) {
        self.words += 1;
        if self.words == 1 {
            let base = word.rsplit('/').next().unwrap_or(word);
            base.clone_into(&mut self.program);
        } else if SECRET_OPTIONS.iter().any(|(program, _)| word.ends_with(program)) {
            // Behind `sudo`, `env`, `timeout 5` and the like.
            let base = word.rsplit('/').next().unwrap_or(word);
            if SECRET_OPTIONS.iter().any(|(program, _)| *program == base) {
                base.clone_into(&mut self.program);
            }
        }
        if std::mem::take(&mut self.masks_next) && !is_option(word) {
            self.masks_next = is_scheme(word);
            out.push_str(if self.masks_next { word } else { MASK });
            return;
        }
        if self.push_option(word, out) {
            return;
        }
        if is_argument && word.contains(char::is_whitespace) && !is_title(word) {
            let name = word.split_once(['=', ':']).map_or("", |(name, _)| name);
            if !name.contains(char::is_whitespace) && is_secret_name(name) {
                push_pairs(word, out);
            } else {
                out.push_str(&redact(word));
            }
            return;
        }
        push_pairs(word, out);
        self.masks_next = is_secret_option(word);
    }

    /// Handles the options that are known for the program; whether the word was one.
    fn push_option(&mut self, word: &str, out: &mut String) -> bool {
        if !word.starts_with('-') {
            return false;
        }
        for (program, option) in SECRET_OPTIONS {
            if *program != self.program {
                continue;
            }
            let needs_attached = ATTACHED_ONLY.contains(program);
            if word == *option && !needs_attached {
                out.push_str(word);
                self.masks_next = true;
                return true;
            }
            let is_short = option.len() == 2;
            if let Some(value) = word.strip_prefix(option)
                && is_short
                && !value.is_empty()
                && !is_ports(value)
            {
                out.push_str(option);
                out.push_str(MASK);
                return true;
            }
        }
        if let Some(value) = word.strip_prefix("-p")
            && has_letters_and_digits(value)
        {
            out.push_str("-p");
            out.push_str(MASK);
            return true;
        }
        false
    }
}

/// Whether a program wrote its state over its arguments (`postgres: app db idle`).
fn is_title(word: &str) -> bool {
    word.split_whitespace().next().is_some_and(|first| first.ends_with(':') && first.len() > 1)
        && !is_secret_name(word.split(':').next().unwrap_or_default())
}

fn is_option(word: &str) -> bool {
    word.starts_with("--") || (word.starts_with('-') && word.len() == 2)
}

/// The word between a header's name and its secret.
fn is_scheme(word: &str) -> bool {
    ["bearer", "basic", "digest", "token", "negotiate"]
        .iter()
        .any(|scheme| word.trim_matches(['"', '\'']).eq_ignore_ascii_case(scheme))
}

/// Numbers as `-p` takes them in programs where it names ports.
fn is_ports(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'/' | b'-'))
}

fn has_letters_and_digits(value: &str) -> bool {
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
    let has_letter = value.bytes().any(|byte| byte.is_ascii_alphabetic());
    has_digit
        && has_letter
        && value.len() >= 6
        && !value.contains(['/', ':', '='])
        && !value.starts_with("ython")
}

/// Whether the word names a secret that the next word holds.
fn is_secret_option(word: &str) -> bool {
    let is_header = word.ends_with(':');
    if !word.starts_with('-') && !is_header {
        return false;
    }
    if word.contains('=') {
        return false;
    }
    let name = word.trim_matches(['-', ':', '"', '\'']);
    is_secret_name(name)
}

/// Whether a name tells that its value is secret.
fn is_secret_name(name: &str) -> bool {
    // A name is short; a long one is some other text.
    if name.is_empty() || name.len() > 80 {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    let is_separator = |letter: char| !letter.is_ascii_alphanumeric();
    let last = lower.rsplit(is_separator).find(|part| !part.is_empty()).unwrap_or("");
    if HARMLESS_ENDINGS.contains(&last) && last != lower {
        return false;
    }
    if lower.split(is_separator).any(|part| SECRET_WORDS.contains(&part)) {
        return true;
    }
    let joined: String = lower.chars().filter(|letter| letter.is_ascii_alphanumeric()).collect();
    SECRET_NAMES.iter().any(|secret| joined.contains(secret)) || joined.ends_with("pass")
}

/// Appends a word whose `name=value` and `name:value` parts are masked, as well as URLs and tokens in it.
fn push_pairs(word: &str, out: &mut String) {
    // Quotation marks around the whole are kept, so that the parts between are seen.
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find([';', '&', '?', ',', '{', '}']).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        if masks_to_end(part) {
            push_part(rest, out);
            return;
        }
        push_part(part, out);
        let mut letters = after.chars();
        if let Some(separator) = letters.next() {
            out.push(separator);
        }
        rest = letters.as_str();
    }
}

/// A secret in an option's value may hold any letter, so it reaches to the end of the word; one in a query string
/// or a connection string ends at the separator.
fn masks_to_end(part: &str) -> bool {
    part.starts_with('-')
        && part.split_once('=').is_some_and(|(name, value)| {
            is_secret_name(name.trim_start_matches('-')) && !value.contains("://")
        })
}

fn push_part(part: &str, out: &mut String) {
    let trimmed = |name: &str| name.trim_matches(['"', '\'', '-', '[', ' ']).to_owned();
    if let Some((name, value)) = part.split_once('=')
        && is_secret_name(&trimmed(name.rsplit(':').next().unwrap_or(name)))
        && !value.is_empty()
    {
        out.push_str(name);
        out.push('=');
        out.push_str(MASK);
        return;
    }
    if let Some((before, rest)) = part.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        push_authority(rest, out);
        return;
    }
    if let Some((name, value)) = part.split_once(':')
        && is_secret_name(&trimmed(name))
        && !value.is_empty()
        && !value.starts_with('/')
    {
        out.push_str(name);
        out.push(':');
        out.push_str(MASK);
        return;
    }
    let (before, value) = match part.rsplit_once('=') {
        Some((name, value)) => (Some(name), value),
        None => (None, part),
    };
    if let Some(name) = before {
        out.push_str(name);
        out.push('=');
    }
    out.push_str(if is_token(value) { MASK } else { value });
}

/// Appends what follows `://`, without the password.
fn push_authority(rest: &str, out: &mut String) {
    let end = rest.find(['/', '?', '#', '"', '\'']).unwrap_or(rest.len());
    // A password may hold a slash that nobody escaped: the last `@` before white space ends it then.
    let (authority, _) = rest.split_at(end);
    let at = authority.rfind('@').or_else(|| {
        let colon = authority.find(':')?;
        let is_port = authority.get(colon + 1..)?.bytes().all(|byte| byte.is_ascii_digit());
        (!is_port).then(|| rest.rfind('@')).flatten()
    });
    let Some((user, host)) = at.and_then(|at| Some((rest.get(..at)?, rest.get(at..)?))) else {
        out.push_str(rest);
        return;
    };
    match user.split_once(':') {
        Some((name, _)) => {
            out.push_str(name);
            out.push(':');
            out.push_str(MASK);
        }
        None if is_token(user) || user.len() >= 20 => out.push_str(MASK),
        None => out.push_str(user),
    }
    out.push_str(host);
}

fn is_token(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    (value.len() >= TOKEN_LENGTH_MIN && TOKEN_STARTS.iter().any(|start| value.starts_with(start)))
        || value.starts_with("-----BEGIN")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hides(text: &str) {
        let masked = redact(text);
        assert!(!masked.contains("hunter2"), "{text} became {masked}");
        assert!(masked.contains(MASK), "{text} became {masked}");
    }

    #[test]
    fn values_of_telling_options_are_masked() {
        for text in [
            "app --password=hunter2",
            "app --password hunter2 --port 80",
            "app --password='hunter2 hunter2'",
            "app --db-password=a;b?hunter2",
            "app --db.passwd=hunter2",
            "app -Dspring.datasource.password=hunter2 -jar x.jar",
            "DB_PASSWORD=hunter2 app",
            "env API_KEY=hunter2 app",
            "app --api-key hunter2",
            "app --auth user:hunter2",
            "app --adminPassword:hunter2",
            "mysql -uroot -phunter2 db",
            "sudo mysqldump -phunter2 db",
            "sshpass -p hunter2 ssh host",
            "redis-cli -a hunter2 ping",
            "curl -u user:hunter2 http://h/",
            "curl -H 'Authorization: Bearer hunter2' http://h/",
            "curl -H Authorization: Bearer hunter2",
            "curl -H \"X-Api-Key: hunter2\"",
            "app {\"password\":\"hunter2\"}",
            "app Server=db;User=sa;Password=hunter2;Encrypt=yes",
            "unknown -phunter2",
        ] {
            hides(text);
        }
    }

    #[test]
    fn passwords_in_addresses_are_masked_and_the_rest_stays() {
        assert_eq!(
            redact("app postgres://web:hunter2@db.example.net:5432/shop"),
            "app postgres://web:***@db.example.net:5432/shop"
        );
        hides("app --dsn postgres://web:hunter2@db/shop");
        hides("app postgres://web:hun/ter2hunter2@db/shop");
        hides("app http://h/p?user=a&token=hunter2&x=1");
        assert_eq!(redact("app http://h:8080/p?x=1"), "app http://h:8080/p?x=1");
        assert_eq!(redact("git clone ssh://git@host/x"), "git clone ssh://git@host/x");
    }

    #[test]
    fn known_tokens_are_masked_without_a_name() {
        for text in [
            "x ghp_0123456789hunter2",
            "x eyJhbGciOiJIUzI1NiJ9.hunter2.x",
            "x=dj_0123456789hunter2",
        ] {
            hides(text);
        }
    }

    #[test]
    fn harmless_text_stays_as_it_is() {
        for text in [
            "/usr/sbin/sshd -D",
            "ssh -p22 host",
            "ssh -p 22 host",
            "docker run -p8080:80 x",
            "mkdir -p /a/b",
            "app --password-file=/run/secret --port=80",
            "app --token-ttl 60",
            "find / -path x -print",
            "java -cp a:b:c Main",
            "/bin/sh -c echo 'a b'  c",
            "postgres: app mydb 192.0.2.1(5432) idle",
            "",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn white_space_inside_an_argument_does_not_end_a_secret() {
        assert_eq!(redact_arguments(["app", "--password=a hunter2", "x"]), "app --password=*** x");
        assert_eq!(
            redact_arguments(["app", "--password", "a hunter2", "x"]),
            "app --password *** x"
        );
        assert_eq!(
            redact_arguments(["sh", "-c", "mysql -phunter2 && PGPASSWORD=hunter2 psql"]),
            "sh -c mysql -p*** && PGPASSWORD=*** psql"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_masked_without_panic_and_a_second_time_changes_nothing(text in "\\PC{0,200}") {
            let once = redact(&text);
            prop_assert_eq!(redact(&once), once);
        }

        #[test]
        fn a_password_never_survives(secret in "[a-zA-Z0-9!#%+/;,&?=]{8,20}") {
            for text in [format!("x --password={secret}"), format!("x --password {secret}")] {
                prop_assert!(!redact(&text).contains(&secret));
            }
        }
    }
}
