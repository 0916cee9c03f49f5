//! Who may use sudo (sudoers(5)): user specifications with their aliases, as far as they tell who may act as root.
//!
//! Hosts and commands are told in the file's own words and not evaluated: a rule for another host or for one
//! command is still a right that a person wants to see. `as_root` is true when a rule lets the account run
//! anything at all as root.
//!
//! Deliberately not here: netgroups, rules in LDAP, plugins.

use super::passwd::Group;
use crate::files;
use collector::Target;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// The largest file that is read.
const FILE_BYTES_MAX: usize = 1 << 20;

/// The most files that include each other; sudo itself allows 128 levels.
const FILES_MAX: usize = 256;

/// The most rules that are kept.
const RULES_MAX: usize = 4096;

/// How deep aliases may name aliases.
const ALIAS_DEPTH_MAX: usize = 8;

/// Longest rule that is told.
const RULE_LENGTH_MAX: usize = 500;

/// Everything that the files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sudoers {
    rules: Vec<Rule>,
    aliases: BTreeMap<String, Vec<String>>,
    /// Included files that could not be read.
    pub(super) unread: Vec<String>,
}

/// One user specification.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    users: Vec<String>,
    text: String,
    as_root: bool,
}

/// Whose rights are asked.
pub(super) struct Holder<'a> {
    pub(super) name: &'a str,
    pub(super) uid: u32,
    pub(super) groups: &'a [&'a Group],
}

/// What sudo lets an account do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) as_root: bool,
    pub(super) rules: Vec<String>,
}

impl Sudoers {
    /// Reads `/etc/sudoers` and what it includes.
    pub(super) fn read(target: &Target) -> io::Result<Self> {
        let mut sudoers = Self::default();
        let first = files::read_to_string_limited(&target.path("/etc/sudoers"), FILE_BYTES_MAX)?;
        let mut waiting = sudoers.parse(&first);
        let mut seen = BTreeSet::new();
        while let Some(include) = waiting.pop() {
            if seen.len() >= FILES_MAX || !seen.insert(include.clone()) {
                continue;
            }
            let path =
                if include.starts_with('/') { include.clone() } else { format!("/etc/{include}") };
            if let Some(folder) = path.strip_suffix("/*") {
                let names = files::list_dir(&target.path(folder)).unwrap_or_default();
                // sudo leaves out what package managers and editors leave behind.
                let names =
                    names.into_iter().filter(|name| !name.contains('.') && !name.ends_with('~'));
                waiting.extend(names.map(|name| format!("{folder}/{name}")));
                continue;
            }
            match files::read_to_string_limited(&target.path(&path), FILE_BYTES_MAX) {
                Ok(text) => waiting.extend(sudoers.parse(&text)),
                Err(_) => sudoers.unread.push(path),
            }
        }
        Ok(sudoers)
    }

    /// Adds what a file says; gives the files that it includes, a folder as `folder/*`.
    fn parse(&mut self, text: &str) -> Vec<String> {
        let mut includes = Vec::new();
        for line in joined_lines(text) {
            let line = line.trim();
            let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let rest = rest.trim();
            match word {
                "#include" | "@include" => includes.push(rest.trim_matches('"').to_owned()),
                "#includedir" | "@includedir" => {
                    includes.push(format!("{}/*", rest.trim_matches('"').trim_end_matches('/')));
                }
                "User_Alias" => self.add_aliases(rest),
                "Runas_Alias" | "Host_Alias" | "Cmnd_Alias" | "Cmd_Alias" | "" => {}
                _ if word.starts_with("Defaults") => {}
                // A comment, but not a user by number.
                _ if line.strip_prefix('#').is_some_and(|rest| !starts_with_digit(rest)) => {}
                _ => self.add_rule(line),
            }
        }
        includes
    }

    fn add_aliases(&mut self, text: &str) {
        for alias in text.split(':').take(RULES_MAX) {
            if let Some((name, members)) = alias.split_once('=')
                && self.aliases.len() < RULES_MAX
            {
                self.aliases.insert(name.trim().to_owned(), list(members));
            }
        }
    }

    fn add_rule(&mut self, line: &str) {
        let Some((left, commands)) = line.split_once('=') else { return };
        // Users and hosts are lists with commas, and blanks around those commas; the last blank that follows no
        // comma divides them.
        let left = left.trim().replace(", ", ",").replace(" ,", ",");
        let Some((users, hosts)) = left.rsplit_once(char::is_whitespace) else { return };
        if self.rules.len() >= RULES_MAX {
            return;
        }
        let text = format!("{}={}", hosts.trim(), commands.trim());
        let text = crate::redact::redact(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        self.rules.push(Rule {
            users: list(users),
            as_root: acts_as_root(commands),
            text: crate::redact::cut(&text, RULE_LENGTH_MAX).to_owned(),
        });
    }

    /// What sudo lets an account do.
    pub(super) fn rights(&self, holder: &Holder<'_>) -> Rights {
        let mut rights = Rights::default();
        for rule in &self.rules {
            if self.names(&rule.users, holder, 0) {
                rights.as_root |= rule.as_root;
                rights.rules.push(rule.text.clone());
            }
        }
        rights
    }

    /// The rules that name the group itself.
    pub(super) fn rules_of_group(&self, group: &Group) -> Vec<String> {
        let (by_name, by_number) = (format!("%{}", group.name), format!("%#{}", group.gid));
        let names =
            |users: &[String]| users.iter().any(|user| *user == by_name || *user == by_number);
        let rules = self.rules.iter().filter(|rule| {
            names(&rule.users)
                || rule.users.iter().any(|user| self.aliases.get(user).is_some_and(|of| names(of)))
        });
        rules.map(|rule| rule.text.clone()).collect()
    }

    /// Whether a list of users names the account. The last one that matches decides, as sudo does it.
    fn names(&self, users: &[String], holder: &Holder<'_>, depth: usize) -> bool {
        let mut is_named = false;
        for user in users {
            let (user, is_negated) = match user.strip_prefix('!') {
                Some(user) => (user.trim(), true),
                None => (user.as_str(), false),
            };
            let matches = if user == "ALL" {
                true
            } else if let Some(group) = user.strip_prefix("%#") {
                holder.groups.iter().any(|of| group == of.gid.to_string())
            } else if let Some(group) = user.strip_prefix('%') {
                holder.groups.iter().any(|of| group.trim_matches('"') == of.name)
            } else if let Some(uid) = user.strip_prefix('#') {
                uid == holder.uid.to_string()
            } else if user.trim_matches('"') == holder.name {
                true
            } else {
                depth < ALIAS_DEPTH_MAX
                    && self.aliases.get(user).is_some_and(|of| self.names(of, holder, depth + 1))
            };
            if matches {
                is_named = !is_negated;
            }
        }
        is_named
    }
}

/// Whether a list of commands lets something run as root: each group of users stands in brackets before the
/// commands that it holds for; none means root.
fn acts_as_root(commands: &str) -> bool {
    let mut rest = commands.trim();
    if !rest.starts_with('(') && !rest.is_empty() {
        return true;
    }
    // At most as many as there are opening brackets.
    while let Some((_, after)) = rest.split_once('(') {
        let (users, after) = after.split_once(')').unwrap_or((after, ""));
        let users = users.split(':').next().unwrap_or_default();
        if list(users).iter().any(|user| user == "ALL" || user == "root" || user == "#0") {
            return true;
        }
        rest = after;
    }
    false
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_digit())
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// Lines whose continuations are joined and whose comments are cut.
fn joined_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for raw in text.lines() {
        let raw = match raw.split_once(" #") {
            // `#1000` is a user by number, not a comment.
            Some((before, after)) if !starts_with_digit(after) => before,
            _ => raw,
        };
        match raw.strip_suffix('\\') {
            Some(start) => line.push_str(start),
            None => {
                line.push_str(raw);
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

    fn sudoers(text: &str) -> Sudoers {
        let mut sudoers = Sudoers::default();
        sudoers.parse(text);
        sudoers
    }

    fn rights(text: &str, name: &str, uid: u32, groups: &[&str]) -> Rights {
        let groups: Vec<Group> = groups
            .iter()
            .map(|name| Group { name: (*name).to_owned(), gid: 27, members: Vec::new() })
            .collect();
        let groups: Vec<&Group> = groups.iter().collect();
        sudoers(text).rights(&Holder { name, uid, groups: &groups })
    }

    const DEBIAN: &str = "# comment\nDefaults\tenv_reset\nroot\tALL=(ALL:ALL) ALL\n%sudo\tALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n";

    #[test]
    fn what_debian_ships_gives_rights_to_root_and_the_group() {
        assert!(rights(DEBIAN, "root", 0, &[]).as_root);
        assert!(rights(DEBIAN, "alice", 1000, &["sudo"]).as_root);
        assert_eq!(rights(DEBIAN, "alice", 1000, &["sudo"]).rules, ["ALL=(ALL:ALL) ALL"]);
        assert_eq!(rights(DEBIAN, "bob", 1001, &["users"]), Rights::default());
        assert_eq!(Sudoers::default().parse(DEBIAN), ["/etc/sudoers.d/*"]);
    }

    #[test]
    fn aliases_numbers_negations_and_continuations_are_understood() {
        let text = "User_Alias ADMINS = alice, %wheel : OPS = bob\nADMINS, OPS ALL = \\\n  NOPASSWD: ALL\n#1005 ALL=(www-data) ALL\nALL, !carol ALL=/bin/ls\n";
        assert!(rights(text, "alice", 1, &[]).as_root);
        assert!(rights(text, "bob", 2, &[]).as_root);
        assert!(rights(text, "dave", 3, &["wheel"]).as_root);
        assert!(!rights(text, "carol", 4, &[]).as_root);
        let by_number = rights("#1005 ALL=(www-data) ALL\n", "eve", 1005, &[]);
        assert_eq!((by_number.as_root, by_number.rules.len()), (false, 1));
    }

    #[test]
    fn aliases_that_name_each_other_end() {
        let text = "User_Alias A = B\nUser_Alias B = A\nA ALL=ALL\n";
        assert!(!rights(text, "alice", 1, &[]).as_root);
    }

    #[test]
    fn an_included_folder_is_read_without_leftovers() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("etc/sudoers.d");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(place.path().join("etc/sudoers"), DEBIAN).unwrap();
        std::fs::write(folder.join("alice"), "alice ALL=(ALL) NOPASSWD: ALL\n").unwrap();
        std::fs::write(folder.join("bob.dpkg-old"), "bob ALL=(ALL) ALL\n").unwrap();
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        let sudoers = Sudoers::read(&target).unwrap();
        assert!(sudoers.rights(&Holder { name: "alice", uid: 1, groups: &[] }).as_root);
        assert!(!sudoers.rights(&Holder { name: "bob", uid: 2, groups: &[] }).as_root);
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic(text in "[a-zA-Z#%@!=(),:\\\\ \n]{0,200}") {
            let sudoers = sudoers(&text);
            sudoers.rights(&Holder { name: "a", uid: 0, groups: &[] });
        }
    }
}
