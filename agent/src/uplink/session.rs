//! One session: Hello and Welcome, then batches and beats against acknowledgements and requests.

use super::connection::end_of;
use super::targets::Talk;
use super::{End, Flow, Uplink};
use crate::board::ConnectionState;
use crate::evidence;
use crate::remote::Command;
use crate::report::chain;
use crate::stop::Stop;
use model::Timestamp;
use proto::limits::{BATCH_BYTES_TARGET, BATCH_ENTRIES_MAX, MESSAGE_BYTES_MAX};
use proto::tonic::Streaming;
use proto::tonic::codec::CompressionEncoding;
use proto::tonic::transport::Channel;
use proto::v1::agent_frame::Frame as Ours;
use proto::v1::server_frame::Frame as Theirs;
use proto::v1::uplink_client::UplinkClient;
use proto::v1::{self, AgentFrame, ScopeName, ServerFrame};
use proto::{PROTOCOL_MAX, PROTOCOL_MIN, convert};
use spool::{Entry, GapReason, PerClass, Priority};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;

/// How long the control plane may take to answer a Hello.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(20);
/// Frames between the session and the transport; the transport has buffers of its own.
const FRAMES_MAX: usize = 2;
/// The beat may not be faster or slower than this, whatever the control plane says.
const BEAT: (u64, u64) = (5, 300);
/// Bytes on the way, whatever the control plane says: the agent does not hold more in memory.
const WINDOW_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How long a goodbye may take; after it the connection is closed without.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);
/// A clock that is off by more is a complaint.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(300);
/// The most rejections of one acknowledgement that are logged with their words.
const REJECTIONS_LOGGED_MAX: usize = 10;
/// The most scopes that one frame can ask for.
const WANTED_MAX: usize = 1024;

/// An open session.
struct Session {
    outbound: mpsc::Sender<AgentFrame>,
    inbound: Streaming<ServerFrame>,
    durable: [watch::Receiver<u64>; 4],
    flow: Flow,
    /// Batches that go first: gaps over what the control plane has lost since it acknowledged it.
    lost: Vec<v1::Batch>,
    beat: Duration,
    targets: Talk,
    /// Whether anything was sent since the last beat was due.
    is_busy: bool,
}

impl Session {
    fn durable(&self) -> PerClass<u64> {
        let [audit, inventory, events, metrics] = &self.durable;
        PerClass([*audit.borrow(), *inventory.borrow(), *events.borrow(), *metrics.borrow()])
    }
}

/// Returns once any class has something new.
async fn news([audit, inventory, events, metrics]: &mut [watch::Receiver<u64>; 4]) {
    // An error means that the spool is gone, which lives as long as this session.
    let news = tokio::select! {
        news = audit.changed() => news,
        news = inventory.changed() => news,
        news = events.changed() => news,
        news = metrics.changed() => news,
    };
    if news.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Uplink {
    /// One session on a fresh connection.
    pub(super) async fn converse(&mut self, channel: Channel, stop: &mut Stop) -> End {
        if self.around.identity.is_expired(self.around.clock.wall()) {
            return self.renew(channel).await.err().unwrap_or(End::Renewed);
        }
        let opened = tokio::select! {
            () = stop.wanted() => return End::Stopped,
            opened = timeout(WELCOME_TIMEOUT, self.open(channel.clone())) => opened,
        };
        let mut session = match opened {
            Ok(Ok(session)) => session,
            Ok(Err(end)) => return end,
            Err(_elapsed) => return End::Lost("the control plane did not answer in time".into()),
        };
        let end = self.exchange(&mut session, channel, stop).await;
        if end == End::Stopped {
            self.say_goodbye(session).await;
        }
        end
    }

    async fn open(&mut self, channel: Channel) -> Result<Session, End> {
        let (outbound, frames) = mpsc::channel(FRAMES_MAX);
        let hello = v1::Hello {
            protocol_min: PROTOCOL_MIN,
            protocol_max: PROTOCOL_MAX,
            agent_version: crate::VERSION.to_owned(),
            evidence: Some(evidence::collect()),
            epoch: self.around.spool.epoch(),
            instance: self.instance.clone(),
            nonce: self.around.store.nonce(),
            remote_collectors: self.around.remote.collectors(),
            remote_capacity: crate::remote::CAPACITY,
        };
        let gone = |_| End::Lost("the connection broke off".into());
        outbound.send(AgentFrame { frame: Some(Ours::Hello(hello)) }).await.map_err(gone)?;
        let mut client = UplinkClient::new(channel)
            .send_compressed(CompressionEncoding::Zstd)
            .accept_compressed(CompressionEncoding::Zstd)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
            .max_decoding_message_size(MESSAGE_BYTES_MAX);
        let response = client.session(ReceiverStream::new(frames)).await;
        let mut inbound = response.map_err(|status| end_of(&status))?.into_inner();
        let welcome = match inbound.message().await {
            Ok(Some(ServerFrame { frame: Some(Theirs::Welcome(welcome)) })) => welcome,
            Ok(Some(ServerFrame { frame: Some(Theirs::Refusal(refusal)) })) => {
                return Err(refused(&refusal));
            }
            Ok(Some(ServerFrame { frame: Some(Theirs::Drain(drain)) })) => {
                return Err(drained(&drain));
            }
            Ok(_) => return Err(End::Lost("the control plane did not welcome this agent".into())),
            Err(status) => return Err(end_of(&status)),
        };
        self.welcomed(&welcome)?;
        let spool = &self.around.spool;
        let committed = PerClass::from_fn(|class| spool.committed(class));
        let lost = lost_gaps(spool.epoch(), &welcome.committed, committed);
        let window = usize::try_from(welcome.window_bytes.min(WINDOW_BYTES_MAX)).unwrap_or(0);
        Ok(Session {
            outbound,
            inbound,
            durable: Priority::ALL.map(|class| spool.watch(class)),
            flow: Flow::new(window, committed),
            lost,
            beat: Duration::from_secs(u64::from(welcome.beat_seconds).clamp(BEAT.0, BEAT.1)),
            targets: Talk::new(&self.around.remote),
            is_busy: true,
        })
    }

    /// Takes note of what the control plane said first.
    fn welcomed(&self, welcome: &v1::Welcome) -> Result<(), End> {
        if !(PROTOCOL_MIN..=PROTOCOL_MAX).contains(&welcome.protocol) {
            let why = format!(
                "the control plane speaks protocol {}, this agent {PROTOCOL_MIN} to {PROTOCOL_MAX}; upgrade one of them",
                welcome.protocol
            );
            return Err(End::Refused(why));
        }
        if !welcome.next_nonce.is_empty() {
            let saved = self.around.store.save_nonce(&welcome.next_nonce);
            saved.map_err(|error| End::Lost(chain(&error)))?;
        }
        for committed in &welcome.committed {
            if let Some(class) = class_of(committed.class) {
                self.forget(class, committed.sequence)?;
            }
        }
        let (now, theirs) = (self.wall(), Timestamp::from_millis(welcome.server_time));
        let ahead = theirs.millis().saturating_sub(now.millis());
        let skew = Duration::from_millis(ahead.unsigned_abs());
        let complaint = (skew > CLOCK_SKEW_MAX).then(|| {
            let way = if ahead > 0 { "behind" } else { "ahead of" };
            format!(
                "the clock of this host is {} s {way} the control plane's; set it by a time service",
                skew.as_secs()
            )
        });
        let board = &self.around.board;
        board.complain("clock", complaint);
        board.update_connection(|connection| {
            connection.clock_ahead_millis = Some(ahead);
            connection.sessions_count += 1;
            connection.last_error = None;
            connection.next_attempt = None;
        });
        self.note(ConnectionState::Connected, None);
        // It may be another control plane, or one set back: it is told what we believe that it knows.
        board.confirm_all();
        tracing::info!("connected to the control plane");
        Ok(())
    }

    /// Everything of a class up to a sequence is durable in the control plane.
    fn forget(&self, class: Priority, through: u64) -> Result<(), End> {
        let spool = &self.around.spool;
        if through <= spool.committed(class) {
            return Ok(());
        }
        spool.acknowledge(class, through).map_err(|error| match error {
            spool::Error::AheadOfSpool { .. } => End::SpoolSetBack(error.to_string()),
            error => End::Lost(chain(&error)),
        })
    }

    async fn exchange(&mut self, session: &mut Session, channel: Channel, stop: &mut Stop) -> End {
        let mut renewal = Instant::now() + self.renewal_due();
        // The first beat comes at once: it carries what the control plane is to be told of every scope.
        let mut beat = Instant::now();
        for batch in std::mem::take(&mut session.lost) {
            tracing::warn!(class = batch.class, "the control plane has lost what it acknowledged");
            let frame = AgentFrame { frame: Some(Ours::Batch(batch)) };
            if session.outbound.send(frame).await.is_err() {
                return End::Lost("the connection broke off".into());
            }
        }
        loop {
            let next = session.flow.next(session.durable(), BATCH_BYTES_TARGET);
            let outbound = session.outbound.clone();
            tokio::select! {
                biased;
                () = stop.wanted() => return End::Stopped,
                frame = session.inbound.message() => {
                    if let Err(end) = self.receive(session, frame) { return end }
                }
                permit = outbound.reserve(), if next.is_some() => {
                    let (Ok(permit), Some(next)) = (permit, next) else {
                        return End::Lost("the connection broke off".into());
                    };
                    if let Err(end) = self.send(session, permit, next) { return end }
                }
                () = sleep_until(beat) => {
                    if let Err(end) = self.beat(session).await { return end }
                    beat = Instant::now() + session.beat;
                }
                () = session.targets.due(&self.around.remote) => {
                    let beat = self.beat_targets(&mut session.targets, &outbound);
                    if let Err(end) = beat.await { return end }
                }
                () = sleep_until(renewal) => match self.renew(channel.clone()).await {
                    Ok(()) => return End::Renewed,
                    Err(end @ End::Refused(_)) => return end,
                    Err(end) => {
                        tracing::warn!(?end, "the certificate could not be renewed; it is tried again");
                        renewal = Instant::now() + self.renewal_retry();
                    }
                },
                () = news(&mut session.durable), if next.is_none() => {}
            }
        }
    }

    fn send(
        &self,
        session: &mut Session,
        permit: mpsc::Permit<'_, AgentFrame>,
        (class, after, bytes): (Priority, u64, usize),
    ) -> Result<(), End> {
        let entries = self.around.spool.read(class, after, BATCH_ENTRIES_MAX, bytes);
        let entries = entries.map_err(|error| {
            self.around.board.complain("spool", Some(chain(&error)));
            End::Lost(chain(&error))
        })?;
        let (Some(through), size) =
            (entries.last().map(Entry::last), entries.iter().map(Entry::payload_bytes).sum())
        else {
            return Ok(());
        };
        let batch = v1::Batch {
            epoch: self.around.spool.epoch(),
            class: u32::from(class.number()),
            entries: entries.into_iter().map(wire_of).collect(),
        };
        permit.send(AgentFrame { frame: Some(Ours::Batch(batch)) });
        session.flow.sent(class, through, size);
        session.is_busy = true;
        Ok(())
    }

    /// Confirms what did not change and says how the agent is; nothing when there is nothing to say and something
    /// else was said since.
    async fn beat(&self, session: &mut Session) -> Result<(), End> {
        let board = &self.around.board;
        let committed = self.around.spool.committed(Priority::Inventory);
        let source = &self.around.source;
        let confirmations: Vec<_> = board
            .take_confirmations(committed)
            .into_iter()
            .map(|(scope, known)| v1::ScopeConfirmation {
                scope: Some(convert::scope_to(source, &scope)),
                looked_at: known.looked_at.millis(),
                digest: convert::digest_to(known.digest),
            })
            .collect();
        let is_busy = std::mem::take(&mut session.is_busy);
        let complaints = board.complaints();
        if is_busy && confirmations.is_empty() && complaints.is_empty() {
            return Ok(());
        }
        let statistics = self.around.spool.statistics();
        let beat = v1::Beat {
            confirmations,
            spool_bytes: statistics.bytes(),
            spool_records: statistics.pending(),
            complaints,
        };
        let frame = AgentFrame { frame: Some(Ours::Beat(beat)) };
        let sent = timeout(session.beat, session.outbound.send(frame)).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Lost("the control plane takes nothing any more".into())),
        }
    }

    fn receive(
        &self,
        session: &mut Session,
        frame: Result<Option<ServerFrame>, tonic::Status>,
    ) -> Result<(), End> {
        let frame = match frame {
            Ok(Some(frame)) => frame,
            Ok(None) => return Err(End::Lost("the control plane ended the session".into())),
            Err(status) => return Err(end_of(&status)),
        };
        match frame.frame {
            Some(Theirs::Acknowledgement(acknowledgement)) => {
                self.acknowledged(session, &acknowledgement)
            }
            Some(Theirs::NeedFull(need)) => {
                self.wanted(need);
                Ok(())
            }
            Some(Theirs::Drain(drain)) => Err(drained(&drain)),
            Some(Theirs::Refusal(refusal)) => Err(refused(&refusal)),
            Some(
                frame @ (Theirs::Desired(_)
                | Theirs::Lease(_)
                | Theirs::LookNow(_)
                | Theirs::Probe(_)),
            ) => {
                session.targets.hear(frame, &self.around.remote);
                Ok(())
            }
            // A second Welcome says nothing new; a frame of a newer control plane is not for us.
            Some(Theirs::Welcome(_)) | None => Ok(()),
        }
    }

    fn acknowledged(
        &self,
        session: &mut Session,
        acknowledgement: &v1::Acknowledgement,
    ) -> Result<(), End> {
        if acknowledgement.epoch != self.around.spool.epoch() {
            return Ok(());
        }
        let Some(class) = class_of(acknowledgement.class) else { return Ok(()) };
        if acknowledgement.sequence > session.flow.sent_through(class) {
            return Err(End::Lost("the control plane acknowledged what was never sent".into()));
        }
        self.forget(class, acknowledgement.sequence)?;
        session.flow.acknowledged(class, acknowledgement.sequence);
        let rejected = &acknowledgement.rejected;
        for rejection in rejected.iter().take(REJECTIONS_LOGGED_MAX) {
            let (code, detail) = (rejection.code.as_str(), rejection.detail.as_str());
            tracing::error!(%class, sequence = rejection.sequence, code, detail, "the control plane cannot use a record");
        }
        if let Some(last) = rejected.last() {
            let count = u64::try_from(rejected.len()).unwrap_or(u64::MAX);
            let why =
                format!("the control plane cannot use a record: {}: {}", last.code, last.detail);
            self.around.board.complain("rejected", Some(why));
            self.around.board.update_connection(|connection| {
                connection.rejected_count = connection.rejected_count.saturating_add(count);
            });
        }
        Ok(())
    }

    fn wanted(&self, need: v1::NeedFull) {
        for name in need.scopes.into_iter().take(WANTED_MAX) {
            let source = &self.around.source;
            if name.collector == source.collector && name.target == source.target {
                // A full queue drops it: the control plane asks again.
                drop(self.around.wanted.try_send(name.scope));
            } else {
                let ScopeName { collector, target, scope } = name;
                self.around.remote.tell(Command::Whole { collector, target, scope });
            }
        }
    }

    async fn say_goodbye(&self, session: Session) {
        let goodbye = v1::Goodbye { reason: "the agent stops".to_owned() };
        let Session { outbound, mut inbound, .. } = session;
        let farewell = async move {
            drop(outbound.send(AgentFrame { frame: Some(Ours::Goodbye(goodbye)) }).await);
            drop(outbound);
            // What the control plane still acknowledges is not waited for: it is told at the next Welcome.
            while let Ok(Some(_)) = inbound.message().await {}
        };
        drop(timeout(GOODBYE_TIMEOUT, farewell).await);
    }
}

/// What the control plane once acknowledged and does not have any more, as one that was set back to a backup: it is
/// gone here too, and the chain must go on without a hole. The whole reports that follow say all it said.
fn lost_gaps(epoch: u64, theirs: &[v1::Committed], ours: PerClass<u64>) -> Vec<v1::Batch> {
    let gap = |class: Priority| {
        let number = u32::from(class.number());
        let known = theirs.iter().find(|committed| committed.class == number);
        let known = known.map_or(0, |committed| committed.sequence);
        let through = *ours.of(class);
        let count = through.checked_sub(known).filter(|count| *count > 0)?;
        let gap = v1::Gap { through, count, reason: GapReason::Superseded.name().to_owned() };
        let content = Some(v1::entry::Content::Gap(gap));
        let entries = vec![v1::Entry { sequence: known.saturating_add(1), content }];
        Some(v1::Batch { epoch, class: number, entries })
    };
    Priority::ALL.into_iter().filter_map(gap).collect()
}

fn class_of(number: u32) -> Option<Priority> {
    Priority::from_number(u8::try_from(number).ok()?)
}

fn refused(refusal: &v1::Refusal) -> End {
    let why = format!("{}: {}", refusal.code, refusal.detail);
    match refusal.code.as_str() {
        // The chain is taken up again behind what the next Welcome says: nothing is wrong with this agent.
        "SEQUENCE_BROKEN" | "UNAVAILABLE" => End::Lost(why),
        _ => End::Refused(why),
    }
}

fn drained(drain: &v1::Drain) -> End {
    let millis = |millis| Duration::from_millis(u64::from(millis));
    End::Drained(millis(drain.reconnect_min_millis), millis(drain.reconnect_max_millis))
}

fn wire_of(entry: Entry) -> v1::Entry {
    use v1::entry::Content;
    let sequence = entry.first();
    let content = match entry {
        Entry::Record { payload, .. } => Content::Record(payload),
        Entry::Gap(gap) => Content::Gap(v1::Gap {
            through: gap.to,
            count: gap.count,
            reason: gap.reason.name().to_owned(),
        }),
    };
    v1::Entry { sequence, content: Some(content) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_control_plane_has_lost_becomes_a_gap() {
        let theirs =
            [v1::Committed { class: 1, sequence: 5 }, v1::Committed { class: 2, sequence: 9 }];
        let gaps = lost_gaps(7, &theirs, PerClass([0, 8, 9, 2]));
        assert_eq!(gaps.len(), 2);
        let entry = &gaps[0].entries[0];
        assert_eq!((gaps[0].epoch, gaps[0].class, entry.sequence), (7, 1, 6));
        let Some(v1::entry::Content::Gap(gap)) = &entry.content else { panic!() };
        assert_eq!((gap.through, gap.count), (8, 3));
        assert_eq!((gaps[1].class, gaps[1].entries[0].sequence), (3, 1));
    }
}
