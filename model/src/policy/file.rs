//! Policies in TOML: what is written becomes what is applied, or every problem is told with its line.

use super::{AbsentRule, EVERY, FlapLimit, Policies, Policy, SourcePattern, Strategy, Trust};
use crate::catalog::AttributeDefinition;
use crate::problems::{Problem, Problems, sentence};
use crate::value::Kind;
use crate::{Catalog, Name, Nature};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;

/// Bytes of a file: room for all entries with many comments.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// Entries in a file: more than all attributes of the catalog.
pub const ENTRIES_MAX: usize = 5_000;

/// Sources in a list or in a table of trust.
const SOURCES_MAX: usize = 256;

/// Letters of a source; ids of agents and names of collectors stay below it.
const SOURCE_BYTES_MAX: usize = 256;

/// The shortest and the longest time: below a minute clocks differ, beyond ten years nothing is kept.
const SECONDS: RangeInclusive<u64> = 60..=3650 * 24 * 3600;

const SHIPPED: &str = include_str!("../../data/policies.toml");

/// Why a file of policies was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file of attribute policies is not acceptable: {}", sentence(.problems))]
pub struct InvalidPolicies {
    /// At least one, in the order of lines.
    pub problems: Vec<Problem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    trust: BTreeMap<Spanned<String>, Spanned<i64>>,
    #[serde(default)]
    default: Settings,
    #[serde(default)]
    policy: Vec<Entry>,
}

/// The tables of a file of rules that speak of values. The others belong to identity, and whoever reads that names
/// what nobody knows.
#[derive(Deserialize)]
struct InRules {
    #[serde(default)]
    trust: BTreeMap<Spanned<String>, Spanned<i64>>,
    #[serde(default)]
    policy_default: Settings,
    #[serde(default)]
    policy: Vec<Entry>,
}

/// In which form a file says it.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// A file of policies alone.
    Alone,
    /// A file of rules, in which `[default]` belongs to identity.
    InRules,
}

impl Form {
    fn read(self, text: &str) -> Result<File, toml::de::Error> {
        match self {
            Self::Alone => toml::from_str(text),
            Self::InRules => {
                let InRules { trust, policy_default, policy } = toml::from_str(text)?;
                Ok(File { trust, default: policy_default, policy })
            }
        }
    }
}

/// What the table of defaults has.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    strategy: Option<Spanned<String>>,
    half_life: Option<Spanned<String>>,
    corroboration: Option<Spanned<i64>>,
    absent: Option<Spanned<String>>,
    flap_returns_max: Option<Spanned<i64>>,
    flap_within: Option<Spanned<String>>,
    lock_max: Option<Spanned<String>>,
}

/// An entry. serde cannot both flatten and refuse unknown fields, so the fields stand here a second time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    class: Spanned<String>,
    attribute: Spanned<String>,
    strategy: Spanned<String>,
    sources: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    trust: BTreeMap<Spanned<String>, Spanned<i64>>,
    quorum: Option<Spanned<i64>>,
    half_life: Option<Spanned<String>>,
    corroboration: Option<Spanned<i64>>,
    absent: Option<Spanned<String>>,
    flap_returns_max: Option<Spanned<i64>>,
    flap_within: Option<Spanned<String>>,
    lock_max: Option<Spanned<String>>,
}

/// What was written and is checked, before entries take what they leave out from the defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Raw {
    trust: Trust,
    trust_default: Option<u8>,
    default: RawPolicy,
    entries: BTreeMap<(Name, Name), RawPolicy>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct RawPolicy {
    strategy: Option<Strategy>,
    sources: Vec<SourcePattern>,
    trust: Trust,
    quorum: Option<u8>,
    /// The outer nothing: not said; the inner: never.
    half_life: Option<Option<Duration>>,
    corroboration: Option<u8>,
    absent: Option<AbsentRule>,
    flap_returns_max: Option<u32>,
    flap_within: Option<Duration>,
    lock_max: Option<Duration>,
}

/// The policies that are part of the program.
pub(super) fn shipped(catalog: &Catalog) -> Result<Policies, InvalidPolicies> {
    overridden(&Raw::default(), catalog, (SHIPPED, Form::Alone))
}

/// What was written before, overridden by a file.
pub(super) fn overridden(
    before: &Raw,
    catalog: &Catalog,
    (text, form): (&str, Form),
) -> Result<Policies, InvalidPolicies> {
    let mut reader = Reader { catalog, problems: Problems::of(text) };
    let raw = reader.file(before, text, form);
    match raw {
        Some(raw) if reader.problems.is_empty() => Ok(applied(raw)),
        _ => Err(InvalidPolicies { problems: reader.problems.into_list() }),
    }
}

/// Entries take what they leave out from the defaults.
fn applied(raw: Raw) -> Policies {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let flap = FlapLimit { returns_max: 3, within: DAY };
    let base = Policy {
        strategy: Strategy::Trusted,
        sources: Vec::new(),
        trust: Trust::default(),
        half_life: Some(DAY.saturating_mul(7)),
        corroboration: 10,
        quorum: 2,
        absent: AbsentRule::TrustedAsMuch,
        flap,
        lock_max: DAY.saturating_mul(365),
    };
    let default = completed(&raw.default, &base);
    let mut entries: BTreeMap<Name, BTreeMap<Name, Policy>> = BTreeMap::new();
    for ((class, attribute), written) in &raw.entries {
        let policy = completed(written, &default);
        entries.entry(class.clone()).or_default().insert(attribute.clone(), policy);
    }
    let mut policies = Policies {
        trust: raw.trust.clone(),
        trust_default: raw.trust_default.unwrap_or(50),
        default,
        entries,
        raw,
        version: String::new(),
    };
    policies.version = version_of(&policies);
    policies
}

fn completed(written: &RawPolicy, default: &Policy) -> Policy {
    Policy {
        strategy: written.strategy.unwrap_or(default.strategy),
        sources: written.sources.clone(),
        trust: written.trust.clone(),
        half_life: written.half_life.unwrap_or(default.half_life),
        corroboration: written.corroboration.unwrap_or(default.corroboration),
        quorum: written.quorum.unwrap_or(default.quorum),
        absent: written.absent.unwrap_or(default.absent),
        flap: FlapLimit {
            returns_max: written.flap_returns_max.unwrap_or(default.flap.returns_max),
            within: written.flap_within.unwrap_or(default.flap.within),
        },
        lock_max: written.lock_max.unwrap_or(default.lock_max),
    }
}

fn version_of(policies: &Policies) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut part = |text: &str| {
        hasher.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    // A plain value of named fields and ordered tables always has a JSON form, and always the same.
    let text = |value: serde_json::Result<String>| value.unwrap_or_default();
    part(&text(serde_json::to_string(&(&policies.trust, policies.trust_default))));
    for (class, attribute, policy) in policies.entries() {
        part(class);
        part(attribute);
        part(&text(serde_json::to_string(policy)));
    }
    hasher.finalize().to_hex().chars().take(16).collect()
}

/// Collects problems while what is written becomes what is applied. Nothing is used when there was a problem, so each
/// step goes on with whatever it has.
struct Reader<'a> {
    catalog: &'a Catalog,
    problems: Problems<'a>,
}

impl Reader<'_> {
    fn file(&mut self, before: &Raw, text: &str, form: Form) -> Option<Raw> {
        if text.len() > FILE_BYTES_MAX {
            let said =
                format!("the file has {} bytes, at most {FILE_BYTES_MAX} are read", text.len());
            self.problems.note(0..0, said);
            return None;
        }
        let file = match form.read(text) {
            Ok(file) => file,
            Err(error) => {
                self.problems.note(error.span().unwrap_or(0..0), error.message().to_owned());
                return None;
            }
        };
        if file.policy.len() > ENTRIES_MAX {
            let said = format!("{} policies, at most {ENTRIES_MAX} are allowed", file.policy.len());
            self.problems.note(0..0, said);
            return None;
        }
        let mut raw = before.clone();
        self.trust(&mut raw.trust, &mut Some(&mut raw.trust_default), file.trust);
        self.settings(&mut raw.default, file.default);
        let mut seen: BTreeMap<(Name, Name), ()> = BTreeMap::new();
        for entry in file.policy {
            let place = entry.attribute.span();
            let key: (Name, Name) =
                (entry.class.get_ref().clone().into(), entry.attribute.get_ref().clone().into());
            if seen.insert(key.clone(), ()).is_some() {
                let said =
                    format!("there is a policy for `{}` of `{}` already: keep one", key.1, key.0);
                self.problems.note(place, said);
            }
            let written = self.entry(entry);
            raw.entries.insert(key, written);
        }
        Some(raw)
    }

    /// The table `default` overrides value by value.
    fn settings(&mut self, into: &mut RawPolicy, settings: Settings) {
        if let Some(strategy) = settings.strategy {
            let found = self.strategy(&strategy);
            if matches!(found, Some(Strategy::Trusted | Strategy::Freshest) | None) {
                into.strategy = found.or(into.strategy);
            } else {
                let said = format!(
                    "`{}` does not fit every attribute: as default use trusted or freshest",
                    strategy.get_ref()
                );
                self.problems.note(strategy.span(), said);
            }
        }
        self.common(
            into,
            Common {
                half_life: settings.half_life,
                corroboration: settings.corroboration,
                absent: settings.absent,
                flap_returns_max: settings.flap_returns_max,
                flap_within: settings.flap_within,
                lock_max: settings.lock_max,
            },
        );
    }

    fn entry(&mut self, entry: Entry) -> RawPolicy {
        let mut written =
            RawPolicy { strategy: self.strategy(&entry.strategy), ..RawPolicy::default() };
        self.place(&entry.class, &entry.attribute, written.strategy);
        self.trust(&mut written.trust, &mut None, entry.trust);
        match (written.strategy, entry.sources) {
            (Some(Strategy::Authoritative), Some(sources)) => {
                if sources.get_ref().is_empty() || sources.get_ref().len() > SOURCES_MAX {
                    let said = format!("name 1 to {SOURCES_MAX} sources, the first one first");
                    self.problems.note(sources.span(), said);
                }
                for source in sources.into_inner() {
                    let pattern = self.pattern(&source);
                    written.sources.extend(pattern);
                }
            }
            (Some(Strategy::Authoritative), None) => {
                let said = "an authoritative policy needs `sources`, the first one first".into();
                self.problems.note(entry.strategy.span(), said);
            }
            (Some(_), Some(sources)) => {
                let said = "only an authoritative policy has `sources`: leave it out, or set trust";
                self.problems.note(sources.span(), said.into());
            }
            _ => {}
        }
        match (written.strategy, entry.quorum) {
            (Some(Strategy::Quorum) | None, quorum) => {
                written.quorum = quorum.and_then(|quorum| self.number(&quorum, "quorum", 2..=64));
            }
            (Some(_), Some(quorum)) => {
                self.problems.note(quorum.span(), "only the strategy quorum has `quorum`".into());
            }
            _ => {}
        }
        self.common(
            &mut written,
            Common {
                half_life: entry.half_life,
                corroboration: entry.corroboration,
                absent: entry.absent,
                flap_returns_max: entry.flap_returns_max,
                flap_within: entry.flap_within,
                lock_max: entry.lock_max,
            },
        );
        written
    }

    fn common(&mut self, into: &mut RawPolicy, common: Common) {
        if let Some(text) = common.half_life {
            let is_never = text.get_ref() == "never";
            let found = if is_never { Some(None) } else { self.duration(&text).map(Some) };
            into.half_life = found.or(into.half_life);
        }
        if let Some(number) = common.corroboration {
            into.corroboration =
                self.number(&number, "corroboration", 0..=50).or(into.corroboration);
        }
        if let Some(rule) = common.absent {
            let found = AbsentRule::from_name(rule.get_ref());
            if found.is_none() {
                let known = AbsentRule::ALL.map(AbsentRule::name).join(", ");
                let said = format!("`{}` is no rule for absence: use {known}", rule.get_ref());
                self.problems.note(rule.span(), said);
            }
            into.absent = found.or(into.absent);
        }
        if let Some(number) = common.flap_returns_max {
            let found = self.number(&number, "flap_returns_max", 1..=100).map(u32::from);
            into.flap_returns_max = found.or(into.flap_returns_max);
        }
        if let Some(text) = common.flap_within {
            into.flap_within = self.duration(&text).or(into.flap_within);
        }
        if let Some(text) = common.lock_max {
            into.lock_max = self.duration(&text).or(into.lock_max);
        }
    }

    fn strategy(&mut self, name: &Spanned<String>) -> Option<Strategy> {
        let found = Strategy::from_name(name.get_ref());
        if found.is_none() {
            let known = Strategy::ALL.map(Strategy::name).join(", ");
            let said = if matches!(name.get_ref().as_str(), "manual" | "manual_lock" | "lock") {
                format!("a lock is no strategy, it holds under each of them: use {known}")
            } else {
                format!("`{}` is no strategy: use {known}", name.get_ref())
            };
            self.problems.note(name.span(), said);
        }
        found
    }

    /// Checks class and attribute, and that the strategy fits the attribute's kind wherever the entry holds.
    fn place(
        &mut self,
        class: &Spanned<String>,
        attribute: &Spanned<String>,
        strategy: Option<Strategy>,
    ) {
        let catalog = self.catalog;
        let (class_name, name) = (class.get_ref().as_str(), attribute.get_ref().as_str());
        let is_every = class_name == EVERY;
        if !is_every && catalog.class(class_name).is_none() {
            self.problems.note(class.span(), format!("there is no class `{class_name}`"));
            return;
        }
        let classes = catalog.classes().filter(|class| is_every || class.name == class_name);
        let meant: Vec<&AttributeDefinition> = classes
            .flat_map(|class| &class.attributes)
            .filter(|attribute| name == EVERY || attribute.name == name)
            .collect();
        if is_every && name == EVERY {
            let said = "for every attribute of every class write [default]".into();
            self.problems.note(class.span(), said);
        } else if meant.is_empty() {
            let of = if is_every { "no class".into() } else { format!("class `{class_name}`") };
            let said = match is_every {
                true => format!("{of} has an attribute `{name}`"),
                false => format!("{of} has no attribute `{name}`"),
            };
            self.problems.note(attribute.span(), said);
        } else if meant.iter().all(|attribute| attribute.nature == Nature::Reading) {
            let said = format!("`{name}` is a reading: its newest value always counts");
            self.problems.note(attribute.span(), said);
        }
        let facts = meant.iter().filter(|attribute| attribute.nature == Nature::Fact);
        let misfit =
            facts.filter(|attribute| !strategy.is_none_or(|one| fits(one, attribute.kind)));
        if let (Some(strategy), Some(attribute)) = (strategy, misfit.into_iter().next()) {
            let said = format!(
                "`{}` does not fit `{}`, whose values are {}",
                strategy.name(),
                attribute.name,
                attribute.kind.name()
            );
            self.problems.note(class.span(), said);
        }
    }

    /// Reads a table of trust; the source `default` only where there is a place for it.
    fn trust(
        &mut self,
        into: &mut Trust,
        default: &mut Option<&mut Option<u8>>,
        table: BTreeMap<Spanned<String>, Spanned<i64>>,
    ) {
        if let Some((source, _)) = table.iter().nth(SOURCES_MAX) {
            let said = format!("at most {SOURCES_MAX} sources are allowed in a table of trust");
            self.problems.note(source.span(), said);
            return;
        }
        for (source, percent) in table {
            let found = self.number(&percent, "trust", 0..=100);
            if source.get_ref() == "default" {
                match default {
                    Some(place) => **place = found.or(**place),
                    None => {
                        let said = "`default` stands in the table [trust] for all attributes only";
                        self.problems.note(source.span(), said.into());
                    }
                }
                continue;
            }
            if let (Some(pattern), Some(percent)) = (self.pattern(&source), found) {
                into.set(pattern, percent);
            }
        }
    }

    fn pattern(&mut self, source: &Spanned<String>) -> Option<SourcePattern> {
        let text = source.get_ref().as_str();
        let (collector, target) = match text.split_once(':') {
            Some((collector, target)) => (collector, Some(target)),
            None => (text, None),
        };
        let is_name = !collector.is_empty()
            && collector
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
        let is_good = is_name && text.len() <= SOURCE_BYTES_MAX && target != Some("");
        if !is_good {
            let said = format!(
                "`{text}` is no source: write a collector such as snmp, or collector:target"
            );
            self.problems.note(source.span(), said);
            return None;
        }
        Some(SourcePattern { collector: collector.to_owned(), target: target.map(str::to_owned) })
    }

    fn number(
        &mut self,
        number: &Spanned<i64>,
        what: &str,
        allowed: RangeInclusive<u8>,
    ) -> Option<u8> {
        let found = u8::try_from(*number.get_ref()).ok().filter(|found| allowed.contains(found));
        if found.is_none() {
            let (least, most) = allowed.into_inner();
            let said =
                format!("`{what}` is a number from {least} to {most}, not {}", number.get_ref());
            self.problems.note(number.span(), said);
        }
        found
    }

    /// `90s`, `15m`, `12h`, `7d`.
    fn duration(&mut self, text: &Spanned<String>) -> Option<Duration> {
        let written = text.get_ref().trim();
        let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 24 * 3600)];
        let seconds = units.into_iter().find_map(|(unit, seconds)| {
            let count: u64 = written.strip_suffix(unit)?.parse().ok()?;
            count.checked_mul(seconds)
        });
        let found = seconds.filter(|seconds| SECONDS.contains(seconds)).map(Duration::from_secs);
        if found.is_none() {
            let said = format!("`{written}` is no time: write 1m to 3650d, such as 15m, 12h or 7d");
            self.problems.note(text.span(), said);
        }
        found
    }
}

struct Common {
    half_life: Option<Spanned<String>>,
    corroboration: Option<Spanned<i64>>,
    absent: Option<Spanned<String>>,
    flap_returns_max: Option<Spanned<i64>>,
    flap_within: Option<Spanned<String>>,
    lock_max: Option<Spanned<String>>,
}

/// Whether the values of a kind can be told apart as a strategy needs it.
fn fits(strategy: Strategy, kind: Kind) -> bool {
    match strategy {
        Strategy::Trusted | Strategy::Authoritative | Strategy::Freshest | Strategy::Quorum => true,
        Strategy::Max | Strategy::Min => {
            matches!(kind, Kind::Boolean | Kind::Count | Kind::Float | Kind::Integer | Kind::Time)
        }
        Strategy::MostSpecific => kind == Kind::Text,
        Strategy::Union => matches!(kind, Kind::TextList | Kind::RecordList),
    }
}
