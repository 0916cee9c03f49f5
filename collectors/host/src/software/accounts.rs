//! The scope `accounts`: users, groups, password states, sudo rights and authorized keys.
//!
//! Of passwords only the state and the method are told, of keys only fingerprints. Accounts of directory services
//! (LDAP, SSSD) are not in these files and belong to those services.

mod keys;
mod passwd;
mod sudoers;

use crate::files::{self, Refusal, StatGuard};
use collector::{Guard, Run, Target};
use model::classes::{user_account, user_group};
use model::observation::part_key;
use model::run::CoverageReason;
use model::{Coverage, Observation, RelationTarget, Timestamp, relationships};
use passwd::{Group, Shadow, User};
use std::collections::{BTreeMap, BTreeSet};
use sudoers::{Holder, Sudoers};

/// The largest account file that is read: 60,000 users with long names.
const FILE_BYTES_MAX: usize = 8 << 20;

/// Where keys lie in a home, as sshd's defaults are.
const KEY_FILES: [&str; 2] = [".ssh/authorized_keys", ".ssh/authorized_keys2"];

const SECONDS_PER_DAY: i64 = 24 * 3600;

/// Shells that let nobody in.
const CLOSED_SHELLS: &[&str] = &["nologin", "false", "sync", "shutdown", "halt"];

/// Names of the users by their numbers.
pub(super) fn names_by_number(target: &Target) -> BTreeMap<u32, String> {
    let text = files::read_to_string_limited(&target.path("/etc/passwd"), FILE_BYTES_MAX);
    let users = passwd::users(&text.unwrap_or_default());
    let mut names = BTreeMap::new();
    for user in users {
        // The first one of a number is the one that the system shows.
        names.entry(user.uid).or_insert(user.name);
    }
    names
}

/// The guard of the scope.
pub(super) fn guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    for path in ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/sudoers"] {
        guard.path(&target.path(path));
    }
    guard.directory(target, &target.path("/etc/sudoers.d"));
    let text = files::read_to_string_limited(&target.path("/etc/passwd"), FILE_BYTES_MAX);
    let mut seen = BTreeSet::new();
    for user in passwd::users(&text.unwrap_or_default()) {
        // Dozens of system accounts share a home.
        if has_home(&user) && seen.insert(user.home.clone()) {
            for file in KEY_FILES {
                guard.path(&target.path(&format!("{}/{file}", user.home)));
            }
        }
    }
    guard.finish()
}

/// What the scope is read from.
struct Sources {
    shadows: Option<BTreeMap<String, Shadow>>,
    sudoers: Option<Sudoers>,
    denied: BTreeSet<&'static str>,
}

/// Looks at the scope.
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Coverage {
    let text = match files::read_to_string_limited(&target.path("/etc/passwd"), FILE_BYTES_MAX) {
        Ok(text) => text,
        Err(error) if files::refusal(&error) == Refusal::NotFound => {
            return Coverage::not_present("the target has no /etc/passwd");
        }
        Err(error) => {
            let reason = CoverageReason::PermissionDenied;
            return Coverage::not_looked_at(reason, format!("/etc/passwd: {error}"));
        }
    };
    let users = passwd::users(&text);
    let groups = files::read_to_string_limited(&target.path("/etc/group"), FILE_BYTES_MAX);
    let groups = passwd::groups(&groups.unwrap_or_default());
    let mut sources = Sources { shadows: None, sudoers: None, denied: BTreeSet::new() };
    sources.read(target, run);
    let by_name = memberships(&users, &groups);
    for user in &users {
        let memberships = by_name.get(user.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let seen = observe_user(target, user, memberships, &mut sources);
        run.saw(seen);
    }
    for group in &groups {
        run.saw(observe_group(group, sources.sudoers.as_ref()));
    }
    if sources.denied.is_empty() {
        return Coverage::complete();
    }
    let what: Vec<&str> = sources.denied.into_iter().collect();
    Coverage::partial(
        CoverageReason::PermissionDenied,
        format!(
            "{} may not be read; run the agent as root or install the package",
            what.join(" and ")
        ),
    )
}

impl Sources {
    fn read(&mut self, target: &Target, run: &mut Run<'_>) {
        match files::read_to_string_limited(&target.path("/etc/shadow"), FILE_BYTES_MAX) {
            Ok(text) => self.shadows = Some(passwd::shadows(&text)),
            Err(error) if files::refusal(&error) == Refusal::PermissionDenied => {
                self.denied.insert("password states in /etc/shadow");
            }
            Err(_) => {}
        }
        match Sudoers::read(target) {
            Ok(sudoers) => {
                for file in &sudoers.unread {
                    run.failed(file, "cannot be read");
                }
                self.sudoers = Some(sudoers);
            }
            Err(error) => match files::refusal(&error) {
                // Without sudo nobody may use it.
                Refusal::NotFound => self.sudoers = Some(Sudoers::default()),
                Refusal::PermissionDenied => {
                    self.denied.insert("sudo rights in /etc/sudoers");
                }
                Refusal::Other => run.failed("/etc/sudoers", error),
            },
        }
    }
}

/// The groups of each user by name, the main one first.
fn memberships<'a>(users: &'a [User], groups: &'a [Group]) -> BTreeMap<&'a str, Vec<&'a Group>> {
    let by_gid: BTreeMap<u32, &Group> =
        groups.iter().rev().map(|group| (group.gid, group)).collect();
    let mut by_name: BTreeMap<&str, Vec<&Group>> = BTreeMap::new();
    for user in users {
        if let Some(group) = by_gid.get(&user.gid) {
            by_name.entry(&user.name).or_default().push(group);
        }
    }
    for group in groups {
        for member in &group.members {
            let of = by_name.entry(member).or_default();
            if !of.iter().any(|other| other.name == group.name) {
                of.push(group);
            }
        }
    }
    by_name
}

fn has_home(user: &User) -> bool {
    user.home.starts_with('/') && user.home != "/" && user.home != "/nonexistent"
}

fn observe_user(
    target: &Target,
    user: &User,
    groups: &[&Group],
    sources: &mut Sources,
) -> Observation {
    let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    let shell = user.shell.rsplit('/').next().unwrap_or_default();
    let mut seen = Observation::part(&user_account::CLASS, crate::HOST, &[&user.name])
        .with(&user_account::UID, u64::from(user.uid))
        .with(&user_account::GID, u64::from(user.gid))
        .with_or_absent(&user_account::FULL_NAME, user.full_name.clone())
        .with(&user_account::HOME, &*user.home)
        .with(&user_account::SHELL, &*user.shell)
        .with(&user_account::MAY_LOG_IN, !CLOSED_SHELLS.contains(&shell))
        .with(&user_account::GROUPS, names);
    for group in groups {
        let key = part_key(&user_group::CLASS, crate::HOST, &[&group.name]);
        seen.relate(relationships::BELONGS_TO, RelationTarget::Native(key));
    }
    if let Some(shadow) = sources.shadows.as_ref().and_then(|shadows| shadows.get(&user.name)) {
        seen = seen
            .with(&user_account::PASSWORD_STATE, shadow.state)
            .with_or_absent(&user_account::PASSWORD_METHOD, shadow.method)
            .with_or_absent(&user_account::PASSWORD_CHANGED_AT, shadow.changed_day.map(day))
            .with_or_absent(&user_account::EXPIRES_AT, shadow.expiry_day.map(day));
    }
    if let Some(sudoers) = &sources.sudoers {
        let holder = Holder { name: &user.name, uid: user.uid, groups };
        let rights = sudoers.rights(&holder);
        seen.set(&user_account::MAY_SUDO, rights.as_root);
        seen.set(&user_account::SUDO_RULES, rights.rules);
    }
    if has_home(user)
        && let Some(keys) = authorized_keys(target, user, &mut sources.denied)
    {
        seen.set(&user_account::AUTHORIZED_KEYS, keys);
    }
    seen
}

fn day(number: i64) -> Timestamp {
    Timestamp::from_seconds(number.saturating_mul(SECONDS_PER_DAY))
}

/// The fingerprints of the keys that may log in; `None` when that was not looked at.
fn authorized_keys(
    target: &Target,
    user: &User,
    denied: &mut BTreeSet<&'static str>,
) -> Option<Vec<String>> {
    let mut fingerprints = Vec::new();
    for file in KEY_FILES {
        match files::read_to_string_limited(
            &target.path(&format!("{}/{file}", user.home)),
            keys::FILE_BYTES_MAX,
        ) {
            Ok(text) => fingerprints.extend(keys::fingerprints(&text)),
            Err(error) if files::refusal(&error) == Refusal::NotFound => {}
            Err(error) => {
                if files::refusal(&error) == Refusal::PermissionDenied {
                    denied.insert("authorized keys in the homes");
                }
                return None;
            }
        }
    }
    fingerprints.dedup();
    Some(fingerprints)
}

fn observe_group(group: &Group, sudoers: Option<&Sudoers>) -> Observation {
    let mut seen = Observation::part(&user_group::CLASS, crate::HOST, &[&group.name])
        .with(&user_group::GID, u64::from(group.gid))
        .with(&user_group::MEMBERS, group.members.clone());
    if let Some(sudoers) = sudoers {
        seen.set(&user_group::SUDO_RULES, sudoers.rules_of_group(group));
    }
    seen
}
