//! Walking: everything below some identifiers, many variables at a time.
//!
//! Invariants: every answer brings each column forward or ends it, so that no agent can keep a walk going round; what
//! comes twice or backwards ends its column as malformed. How many variables are asked for at once is learned per
//! device: more while answers come, halved when they are too big, garbage or lost again and again, and never again raised to a
//! number that was lost.
//!
//! Deliberately not here: what the variables mean (`table`, `scopes`).

use crate::message::{NO_SUCH_NAME, Operation, Pdu, TOO_BIG, Version};
use crate::oid;
use crate::session::{Failure, Session};
use crate::value::ValueRef;
use std::cmp::Ordering;

/// The most variables that are asked for at once: some 6,000 octets of answer; beyond that nothing is gained.
pub const VARIABLES_MAX: u32 = 160;

/// Variables that are asked for at once of a device that is not known yet.
const VARIABLES_FIRST: u32 = 40;

/// The largest answer after which still more is asked for: five fragments of an Ethernet.
const ANSWER_OCTETS_MAX: usize = 7_000;

/// Columns that are asked for in one request; more are walked in groups.
pub const COLUMNS_MAX: usize = 16;

/// The most requests of one walk: with one variable each, still as many as a table may have.
const REQUESTS_MAX: u64 = 500_000;

/// How many variables a device can be asked for at once, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// No more than this: as a person has decided, or because more was lost or too big.
    pub ceiling: u32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { ceiling: VARIABLES_MAX }
    }
}

impl Tuning {
    /// Never more than this at once, as a person has decided.
    #[must_use]
    pub fn limited_to(self, most: u32) -> Self {
        Self { ceiling: self.ceiling.min(most.max(1)) }
    }
}

/// How many variables one walk asks for at once.
///
/// Each walk begins small and asks for half as much again after each whole answer, so that what it reads in vain
/// behind the end of a short table stays a part of what it came for.
#[derive(Debug)]
struct Pace<'t> {
    now: u32,
    tuning: &'t mut Tuning,
}

impl<'t> Pace<'t> {
    fn new(tuning: &'t mut Tuning) -> Self {
        Self { now: VARIABLES_FIRST.min(tuning.ceiling).max(1), tuning }
    }

    fn answered(&mut self, octets: usize) {
        if octets < ANSWER_OCTETS_MAX {
            let more = self.now.saturating_add(self.now.div_ceil(2));
            self.now = more.min(self.tuning.ceiling);
        }
    }

    /// Whether it helped: one variable cannot become fewer.
    fn lost(&mut self) -> bool {
        if self.now <= 1 {
            return false;
        }
        self.now = (self.now / 2).max(1);
        self.tuning.ceiling = self.now;
        true
    }
}

/// Why a walk ended.
#[derive(Debug)]
pub enum End {
    /// All of it was seen.
    Complete,
    /// The agent answers out of order or with errors: what came before is what there is to have.
    Malformed(&'static str),
    /// As many variables as are allowed.
    Limit,
    /// The agent no longer answered.
    Failed(Failure),
}

impl End {
    /// Whether all of it was seen.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }
}

/// What takes the variables: the number of the root, what follows it in the identifier, and the value. It says
/// whether there is room for more.
pub type Take<'t> = dyn FnMut(usize, &[u8], ValueRef<'_>) -> bool + Send + 't;

#[derive(Debug)]
struct Column {
    number: usize,
    root: Vec<u8>,
    at: Vec<u8>,
    is_done: bool,
}

/// What one answer did.
#[derive(Debug, Default)]
struct Outcome {
    error: i64,
    has_advanced: bool,
    is_full: bool,
    is_backwards: bool,
    is_cut: bool,
    octets: usize,
}

/// Walks everything below the roots, in their encoded form.
pub async fn walk(
    session: &mut Session,
    tuning: &mut Tuning,
    roots: &[Vec<u8>],
    take: &mut Take<'_>,
) -> End {
    let mut columns = columns_of(roots);
    let mut pace = Pace::new(tuning);
    let mut trouble = None;
    let mut misses = 0;
    for _ in 0..REQUESTS_MAX {
        let open: Vec<usize> = open_columns(&columns, pace.now);
        if open.is_empty() {
            return trouble.map_or(End::Complete, End::Malformed);
        }
        let names: Vec<Vec<u8>> =
            open.iter().filter_map(|at| columns.get(*at)).map(|column| column.at.clone()).collect();
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let count = u32::try_from(names.len()).unwrap_or(1).max(1);
        let max_repetitions = (pace.now / count).max(1);
        let operation = match session.access().version() {
            Version::V1 => Operation::GetNext,
            Version::V2c | Version::V3 => Operation::GetBulk { max_repetitions },
        };
        let asked = session
            .attempt(misses, operation, &names, &mut |pdu| absorb(pdu, &mut columns, &open, take))
            .await;
        let outcome = match asked {
            Ok(outcome) => outcome,
            Err(failure @ (Failure::Silent(_) | Failure::Garbage(_))) => {
                misses += 1;
                if misses > session.timing().retries {
                    return End::Failed(failure);
                }
                // A single loss is chance; after two, a long answer is lost more easily than a short one.
                if misses >= session.timing().retries.min(2) {
                    pace.lost();
                }
                continue;
            }
            Err(failure) => return End::Failed(failure),
        };
        misses = 0;
        if outcome.is_full {
            return End::Limit;
        }
        match judge(&outcome, &mut pace) {
            Verdict::On => {}
            Verdict::Again => continue,
            Verdict::Stop(why) => return End::Malformed(why),
        }
        if outcome.is_backwards {
            trouble = Some("its answers go backwards");
        }
    }
    End::Limit
}

fn columns_of(roots: &[Vec<u8>]) -> Vec<Column> {
    let column = |(number, root): (usize, &Vec<u8>)| Column {
        number,
        root: root.clone(),
        at: root.clone(),
        is_done: false,
    };
    roots.iter().enumerate().map(column).collect()
}

/// The columns to ask for together: no more than variables may be asked for.
fn open_columns(columns: &[Column], variables: u32) -> Vec<usize> {
    let most = usize::try_from(variables).unwrap_or(1).clamp(1, COLUMNS_MAX);
    let open = columns.iter().enumerate().filter(|(_, column)| !column.is_done);
    open.map(|(at, _)| at).take(most).collect()
}

enum Verdict {
    On,
    Again,
    Stop(&'static str),
}

fn judge(outcome: &Outcome, pace: &mut Pace<'_>) -> Verdict {
    match outcome.error {
        0 => {}
        NO_SUCH_NAME => return Verdict::On,
        TOO_BIG => {
            return if pace.lost() {
                Verdict::Again
            } else {
                Verdict::Stop("even one variable is too big for it")
            };
        }
        // Some agents fail altogether where fewer variables would do.
        _ if pace.lost() => return Verdict::Again,
        _ => return Verdict::Stop("it answers with an error"),
    }
    if outcome.has_advanced {
        if !outcome.is_cut {
            pace.answered(outcome.octets);
        }
        return Verdict::On;
    }
    if pace.lost() { Verdict::Again } else { Verdict::Stop("its answers are empty") }
}

/// Takes one answer: variables come in the order of the columns, again and again.
fn absorb(pdu: &Pdu<'_>, columns: &mut [Column], open: &[usize], take: &mut Take<'_>) -> Outcome {
    let mut outcome = Outcome { error: pdu.error_status, ..Outcome::default() };
    if pdu.error_status == NO_SUCH_NAME {
        // Version 1 says by this that a column has ended; which one, the index tells.
        let index = usize::try_from(pdu.error_index).unwrap_or(0);
        let ended = index.checked_sub(1).and_then(|index| open.get(index)).or(open.first());
        if let Some(column) = ended.and_then(|at| columns.get_mut(*at)) {
            column.is_done = true;
        }
        return outcome;
    }
    if pdu.error_status != 0 {
        return outcome;
    }
    let mut turn = open.iter().cycle();
    for variable in pdu.variables {
        let Ok((name, value)) = variable else {
            outcome.is_cut = true;
            break;
        };
        outcome.octets += name.len() + 8;
        if let ValueRef::Octets(octets) = value {
            outcome.octets += octets.len();
        }
        let Some(column) = turn.next().and_then(|at| columns.get_mut(*at)) else { break };
        if column.is_done {
            continue;
        }
        outcome.has_advanced = true;
        if value == ValueRef::EndOfView {
            column.is_done = true;
            continue;
        }
        if oid::compare(name, &column.at) != Ordering::Greater {
            column.is_done = true;
            outcome.is_backwards = true;
            continue;
        }
        let Some(rest) = oid::below(name, &column.root) else {
            column.is_done = true;
            continue;
        };
        column.at.clear();
        column.at.extend_from_slice(name);
        if !take(column.number, rest, value) {
            outcome.is_full = true;
            break;
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ber::{self, Writer};
    use crate::message::{Message, RESPONSE};

    fn answer(error: (i64, i64), variables: &[(&[u32], i64)]) -> Vec<u8> {
        let mut writer = Writer::new();
        for (name, value) in variables.iter().rev() {
            let mark = writer.mark();
            writer.integer(*value);
            writer.octets(ber::OID, &oid::encoded(name));
            writer.wrap(ber::SEQUENCE, mark);
        }
        writer.wrap(ber::SEQUENCE, 0);
        writer.integer(error.1);
        writer.integer(error.0);
        writer.integer(1);
        writer.wrap(RESPONSE, 0);
        writer.octets(ber::OCTETS, b"x");
        writer.integer(1);
        writer.wrap(ber::SEQUENCE, 0);
        writer.finish()
    }

    /// What an answer to a walk of 1.3.1 and 1.3.2 gives.
    fn absorbed(
        error: (i64, i64),
        variables: &[(&[u32], i64)],
    ) -> (Outcome, Vec<(usize, i64)>, Vec<bool>) {
        let mut columns = columns_of(&[oid::encoded(&[1, 3, 1]), oid::encoded(&[1, 3, 2])]);
        let mut seen = Vec::new();
        let datagram = answer(error, variables);
        let Ok(Message::Community { pdu, .. }) = Message::read(&datagram) else { panic!() };
        let outcome = absorb(&pdu, &mut columns, &[0, 1], &mut |column, _, value| {
            let ValueRef::Integer(value) = value else { panic!() };
            seen.push((column, value));
            seen.len() < 5
        });
        (outcome, seen, columns.iter().map(|column| column.is_done).collect())
    }

    #[test]
    fn variables_belong_to_their_columns_in_turn_until_each_ends() {
        let (outcome, seen, done) = absorbed(
            (0, 0),
            &[(&[1, 3, 1, 1], 11), (&[1, 3, 2, 1], 21), (&[1, 3, 1, 2], 12), (&[1, 3, 3], 0)],
        );
        assert_eq!(seen, [(0, 11), (1, 21), (0, 12)]);
        assert_eq!(done, [false, true]);
        assert!(outcome.has_advanced && !outcome.is_backwards);
    }

    #[test]
    fn an_agent_that_goes_round_is_left() {
        let circle: &[(&[u32], i64)] =
            &[(&[1, 3, 1, 5], 1), (&[1, 3, 2, 5], 2), (&[1, 3, 1, 5], 3), (&[1, 3, 2, 4], 4)];
        let (outcome, seen, done) = absorbed((0, 0), circle);
        assert_eq!((seen.len(), done), (2, vec![true, true]));
        assert!(outcome.is_backwards);
    }

    #[test]
    fn what_is_more_than_there_is_room_for_ends_the_walk() {
        let many: Vec<Vec<u32>> = (0..20).map(|index| vec![1, 3, 1 + index % 2, index]).collect();
        let many: Vec<(&[u32], i64)> = many.iter().map(|name| (name.as_slice(), 0)).collect();
        let (outcome, seen, _) = absorbed((0, 0), &many);
        assert!(outcome.is_full);
        assert_eq!(seen.len(), 5);
    }

    #[test]
    fn an_error_of_version_1_ends_the_column_that_it_names() {
        let (_, _, done) = absorbed((NO_SUCH_NAME, 2), &[]);
        assert_eq!(done, [false, true]);
        let (_, _, done) = absorbed((NO_SUCH_NAME, 99), &[]);
        assert_eq!(done, [true, false]);
    }

    #[test]
    fn a_number_that_was_lost_is_never_tried_again() {
        let mut tuning = Tuning::default();
        let mut pace = Pace::new(&mut tuning);
        pace.answered(1000);
        assert_eq!(pace.now, 60);
        assert!(pace.lost());
        pace.answered(1000);
        assert_eq!(pace.now, 30);
        for _ in 0..20 {
            pace.lost();
        }
        assert_eq!((pace.now, pace.lost()), (1, false));
        assert_eq!(Pace::new(&mut Tuning::default().limited_to(0)).now, 1);
    }

    #[test]
    fn more_is_asked_for_up_to_the_limit_and_never_after_a_long_answer() {
        let mut tuning = Tuning::default();
        let mut pace = Pace::new(&mut tuning);
        pace.answered(ANSWER_OCTETS_MAX);
        assert_eq!(pace.now, VARIABLES_FIRST);
        (0..50).for_each(|_| pace.answered(100));
        assert_eq!(pace.now, VARIABLES_MAX);
    }
}
