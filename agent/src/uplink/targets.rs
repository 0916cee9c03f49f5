//! What a session says and hears of targets: what is to be read, the lease, and how targets fare.
//!
//! Invariant: a lease counts from the moment when the beat that asked for it was sent, so that it ends here before the
//! control plane takes it for ended, however long the answer was on its way.

use super::{End, Uplink};
use crate::remote::{Assembly, Command, Remote};
use proto::v1;
use proto::v1::agent_frame::Frame as Ours;
use proto::v1::server_frame::Frame as Theirs;
use spool::Priority;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

/// How often the lease is asked for while there are targets: thrice in one of 15 seconds.
const BEAT: Duration = Duration::from_secs(5);
/// The least pause between two beats, however much there is to say.
const BEAT_LEAST: Duration = Duration::from_millis(400);
/// Beats without an answer; older ones are not answered any more.
const UNANSWERED_MAX: usize = 16;
/// The longest lease that is believed.
const LEASE_MOST: Duration = Duration::from_secs(300);
/// How long the transport may take a beat.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// What a session knows of targets.
#[derive(Debug)]
pub(super) struct Talk {
    assembly: Assembly,
    /// Whether the control plane gives targets at all: an older one would not understand a beat.
    is_open: bool,
    number: u64,
    sent: VecDeque<(u64, Instant)>,
    last: Instant,
    news: watch::Receiver<u64>,
}

impl Talk {
    pub(super) fn new(remote: &Remote) -> Self {
        remote.board.say_all();
        Self {
            assembly: Assembly::default(),
            is_open: false,
            number: 0,
            sent: VecDeque::new(),
            last: Instant::now(),
            news: remote.board.news(),
        }
    }

    /// Returns once a beat is due. Safe to drop and call again.
    pub(super) async fn due(&mut self, remote: &Remote) {
        if !self.is_open {
            std::future::pending::<()>().await;
        }
        loop {
            if remote.board.is_urgent() {
                return sleep_until(self.last + BEAT_LEAST).await;
            }
            let next = if remote.board.has_targets() { BEAT } else { LEASE_MOST };
            tokio::select! {
                () = sleep_until(self.last + next) => return,
                changed = self.news.changed() => if changed.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// What the control plane says of targets. Nothing is kept of it but in memory.
    pub(super) fn hear(&mut self, frame: Theirs, remote: &Remote) {
        match frame {
            Theirs::Desired(part) => self.desired(part, remote),
            Theirs::Lease(lease) => self.lease(&lease, remote),
            Theirs::LookNow(look) => remote.tell(Command::LookNow(look)),
            Theirs::Probe(probe) => remote.tell(Command::Probe(Box::new(probe))),
            _ => {}
        }
    }

    fn desired(&mut self, part: v1::Desired, remote: &Remote) {
        self.is_open = true;
        if let Some(desired) = self.assembly.take(part, remote.sources()) {
            remote.tell(Command::Desired(Box::new(desired)));
        }
    }

    fn lease(&mut self, lease: &v1::Lease, remote: &Remote) {
        let sent = self.sent.iter().find(|(number, _)| *number == lease.number);
        if let Some((_, at)) = sent.copied() {
            let life = Duration::from_secs(u64::from(lease.seconds)).min(LEASE_MOST);
            remote.tell(Command::Lease(at + life));
            self.sent.retain(|(number, _)| *number > lease.number);
        }
    }
}

impl Uplink {
    /// Says how targets fare, and asks to go on reading them.
    pub(super) async fn beat_targets(
        &self,
        talk: &mut Talk,
        outbound: &mpsc::Sender<v1::AgentFrame>,
    ) -> Result<(), End> {
        talk.number = talk.number.wrapping_add(1);
        talk.last = Instant::now();
        talk.sent.push_back((talk.number, talk.last));
        if talk.sent.len() > UNANSWERED_MAX {
            talk.sent.pop_front();
        }
        let committed = self.around.spool.committed(Priority::Inventory);
        let beat = self.around.remote.board.take_beat(talk.number, committed);
        let frame = v1::AgentFrame { frame: Some(Ours::TargetBeat(beat)) };
        match timeout(SEND_TIMEOUT, outbound.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Lost("the control plane takes nothing any more".into())),
        }
    }
}
