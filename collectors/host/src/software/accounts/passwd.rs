//! The account files: passwd(5), group(5), shadow(5). Lines that are not understood are left out.

use std::collections::BTreeMap;

/// The most accounts or groups of a host that are described.
const ENTRIES_MAX: usize = 60_000;

/// The most members of one group that are kept.
const MEMBERS_MAX: usize = 10_000;

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) full_name: Option<String>,
    pub(super) home: String,
    pub(super) shell: String,
}

/// A line of `/etc/group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) gid: u32,
    pub(super) members: Vec<String>,
}

/// What a line of `/etc/shadow` tells without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shadow {
    /// `set`, `locked`, `empty` or `none`.
    pub(super) state: &'static str,
    /// Method of crypt(5).
    pub(super) method: Option<&'static str>,
    /// Day of the last change, since the Unix epoch.
    pub(super) changed_day: Option<i64>,
    /// Day on which the account ends.
    pub(super) expiry_day: Option<i64>,
}

/// Parses `/etc/passwd`.
pub(super) fn users(text: &str) -> Vec<User> {
    text.lines().filter_map(user).take(ENTRIES_MAX).collect()
}

fn user(line: &str) -> Option<User> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| is_name(name))?;
    let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    // The first part is the name; room and telephone follow.
    let full_name = fields.next()?.split(',').next().map(str::trim).filter(|name| !name.is_empty());
    let home = fields.next()?;
    // No shell means /bin/sh.
    let shell = fields.next().filter(|shell| !shell.is_empty()).unwrap_or("/bin/sh");
    Some(User {
        name: name.to_owned(),
        uid,
        gid,
        full_name: full_name.map(str::to_owned),
        home: home.to_owned(),
        shell: shell.to_owned(),
    })
}

/// Lines that begin with `+` or `-` include accounts of NIS, others comments.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(['+', '-', '#'])
}

/// Parses `/etc/group`.
pub(super) fn groups(text: &str) -> Vec<Group> {
    text.lines().filter_map(group).take(ENTRIES_MAX).collect()
}

fn group(line: &str) -> Option<Group> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| is_name(name))?;
    let gid = fields.nth(1)?.parse().ok()?;
    let members = fields.next().unwrap_or_default().split(',').map(str::trim);
    let members = members.filter(|member| !member.is_empty()).take(MEMBERS_MAX);
    Some(Group { name: name.to_owned(), gid, members: members.map(str::to_owned).collect() })
}

/// Parses `/etc/shadow`, by name.
pub(super) fn shadows(text: &str) -> BTreeMap<String, Shadow> {
    text.lines().filter_map(shadow).take(ENTRIES_MAX).collect()
}

fn shadow(line: &str) -> Option<(String, Shadow)> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| is_name(name))?;
    let password = fields.next()?;
    let changed_day = fields.next().and_then(|field| field.parse().ok());
    let expiry_day = fields.nth(4).and_then(|field| field.parse().ok());
    let (state, method) = match password {
        "" => ("empty", None),
        "*" | "x" => ("none", None),
        locked if locked.starts_with('!') => ("locked", method(locked.trim_start_matches('!'))),
        hash => ("set", method(hash)),
    };
    Some((name.to_owned(), Shadow { state, method, changed_day, expiry_day }))
}

/// The method that made a hash, by its beginning (crypt(5)).
fn method(hash: &str) -> Option<&'static str> {
    const METHODS: &[(&str, &str)] = &[
        ("$y$", "yescrypt"),
        ("$gy$", "gost-yescrypt"),
        ("$7$", "scrypt"),
        ("$2", "bcrypt"),
        ("$6$", "sha512crypt"),
        ("$5$", "sha256crypt"),
        ("$1$", "md5crypt"),
        ("$md5", "sunmd5"),
        ("$sha1", "sha1crypt"),
        ("_", "bsdicrypt"),
    ];
    if hash.is_empty() || hash == "*" {
        return None;
    }
    let known = METHODS.iter().find(|(start, _)| hash.starts_with(start)).map(|(_, name)| *name);
    known.or_else(|| (hash.len() == 13).then_some("descrypt"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accounts_are_read_and_other_lines_left_out() {
        let text = "root:x:0:0:root:/root:/bin/bash\n+@nis::::::\n# note\nbad\nweb:x:1001:1001:Web, room 1:/srv/web:\nx:x:nan:0::/:\n";
        let users = users(text);
        assert_eq!(users.len(), 2);
        assert_eq!(users[1].full_name.as_deref(), Some("Web"));
        assert_eq!(users[1].shell, "/bin/sh");
        assert_eq!(groups("adm:x:4:syslog, web\nempty:x:5:\n")[0].members, ["syslog", "web"]);
    }

    #[test]
    fn of_a_password_only_the_state_and_the_method_are_told() {
        let text = "a:$y$j9T$salt$hash:19000:0:99999:7:::\nb:!$6$s$h:19000:0:99999:7::20000:\nc:*:1::::::\nd::1::::::\ne:!:1::::::\n";
        let shadows = shadows(text);
        let of = |name: &str| (shadows[name].state, shadows[name].method);
        assert_eq!(of("a"), ("set", Some("yescrypt")));
        assert_eq!(of("b"), ("locked", Some("sha512crypt")));
        assert_eq!(of("c"), ("none", None));
        assert_eq!(of("d"), ("empty", None));
        assert_eq!(of("e"), ("locked", None));
        assert_eq!(shadows["a"].changed_day, Some(19000));
        assert_eq!(shadows["b"].expiry_day, Some(20000));
        assert!(!format!("{shadows:?}").contains("hash"));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic(text in "\\PC{0,200}") {
            users(&text);
            groups(&text);
            shadows(&text);
        }
    }
}
