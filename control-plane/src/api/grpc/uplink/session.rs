//! One stream, as a sequence of answers: each asked for when the one before was sent.

use super::{Refused, UplinkParts};
use crate::ingest::sessions::{Order, Place};
use crate::ingest::{Outcome, SubmitError};
use crate::targets::Seat;
use environment::RandomnessExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, Stream, StreamExt, unfold};
use model::AgentId;
use pki::Peer;
use proto::v1;
use proto::v1::agent_frame::Frame as Said;
use proto::v1::server_frame::Frame as Answer;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use store::fleet::Contact;
use tonic::{Status, Streaming};

/// How long an agent has for its first frame.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How often an agent says that it lives when it has nothing else to say.
const BEAT: Duration = Duration::from_secs(30);

/// How long a stream may be silent: three beats, and room for a slow network.
const SILENCE_MAX: Duration = Duration::from_secs(100);

/// Bytes of batches that may be on the way without acknowledgement. Enough for a fast network with a commit of a
/// tenth of a second; ten agents at this bound still wait in 20 MiB.
const WINDOW_BYTES: usize = 2 * 1024 * 1024;

/// Batches without acknowledgement, however small: each holds a place in the queue.
const WINDOW_BATCHES: usize = 32;

/// Bytes of a process's random name.
const INSTANCE_BYTES_MAX: usize = 64;

/// Bytes of what an agent is given to show the next time.
const NONCE_BYTES: usize = 16;

/// Complaints of one beat, and letters of each.
const COMPLAINTS_MAX: usize = 32;
const COMPLAINT_LETTERS_MAX: usize = 500;

/// When agents come back after a drain, milliseconds: spread, so that they do not come all at once.
const RECONNECT_MIN_MILLIS: u32 = 1_000;
const RECONNECT_MAX_MILLIS: u32 = 15_000;

/// What came of something that ingest was asked: how many bytes are no longer on the way, and the answer.
type Done = (usize, Result<Outcome, SubmitError>);

/// One stream.
pub(super) struct Session {
    parts: Arc<UplinkParts>,
    peer: Peer,
    said: Streaming<v1::AgentFrame>,
    open: Option<Open>,
    ready: VecDeque<Answer>,
    is_over: bool,
}

/// What a stream has after its welcome.
struct Open {
    agent: AgentId,
    site: Arc<str>,
    place: Place,
    /// For an agent that can read targets.
    seat: Option<Seat>,
    pending: FuturesOrdered<BoxFuture<'static, Done>>,
    pending_bytes: usize,
}

/// What happened next.
enum Event {
    Order(Order),
    Targets,
    Done(Done),
    Said(Result<Option<v1::AgentFrame>, Status>),
    Silence,
}

impl Session {
    pub(super) fn new(
        parts: Arc<UplinkParts>,
        peer: Peer,
        said: Streaming<v1::AgentFrame>,
    ) -> Self {
        Self { parts, peer, said, open: None, ready: VecDeque::new(), is_over: false }
    }

    /// The answers, until the stream ends.
    pub(super) fn frames(self) -> impl Stream<Item = Result<v1::ServerFrame, Status>> + Send {
        unfold(self, |mut session| async move {
            loop {
                if let Some(frame) = session.ready.pop_front() {
                    return Some((Ok(v1::ServerFrame { frame: Some(frame) }), session));
                }
                if session.is_over {
                    return None;
                }
                // Boxed: the steps of a stream are large, an idle stream should not be.
                Box::pin(session.step()).await;
            }
        })
    }

    async fn step(&mut self) {
        let Some(open) = &mut self.open else {
            if let Err(refused) = self.begin().await {
                self.refuse(refused.code, refused.detail);
            }
            return;
        };
        match open.next(&mut self.said).await {
            Event::Order(order) => self.obey(order),
            Event::Targets => {
                if let Some(seat) = &open.seat {
                    self.ready.extend(seat.frames());
                }
            }
            Event::Done((bytes, done)) => {
                open.pending_bytes = open.pending_bytes.saturating_sub(bytes);
                self.answer(done);
            }
            Event::Said(Ok(Some(frame))) => self.hear(frame).await,
            Event::Said(Ok(None)) => self.finish().await,
            // The connection is gone, or what came is no frame: there is nobody to tell.
            Event::Said(Err(_)) | Event::Silence => self.is_over = true,
        }
    }

    fn refuse(&mut self, code: &str, detail: String) {
        tracing::info!(peer = %self.peer.address, code, detail, "an agent's stream is refused");
        self.ready.push_back(Answer::Refusal(v1::Refusal { code: code.to_owned(), detail }));
        self.is_over = true;
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Revoked => self.refuse("AGENT_REVOKED", "the agent was revoked".to_owned()),
            Order::Replaced => self.is_over = true,
            Order::Drain => {
                self.ready.push_back(Answer::Drain(v1::Drain {
                    reconnect_min_millis: RECONNECT_MIN_MILLIS,
                    reconnect_max_millis: RECONNECT_MAX_MILLIS,
                }));
                self.is_over = true;
            }
        }
    }

    fn answer(&mut self, done: Result<Outcome, SubmitError>) {
        match done {
            Ok(outcome) => {
                if let Some(acknowledgement) = outcome.acknowledgement {
                    self.ready.push_back(Answer::Acknowledgement(acknowledgement));
                }
                if !outcome.need_full.is_empty() {
                    let scopes = outcome.need_full.iter();
                    let scopes = scopes
                        .map(|(source, scope)| proto::convert::scope_to(source, scope))
                        .collect();
                    self.ready.push_back(Answer::NeedFull(v1::NeedFull { scopes }));
                }
            }
            Err(SubmitError::Refused { code, detail }) => self.refuse(code, detail),
            Err(error @ SubmitError::Unavailable { .. }) => {
                self.refuse("UNAVAILABLE", error.to_string());
            }
        }
    }

    /// What was taken is still acknowledged after the agent has said its last word.
    async fn finish(&mut self) {
        self.is_over = true;
        let Some(open) = &mut self.open else { return };
        let mut pending = std::mem::take(&mut open.pending);
        while let Some((_, done)) = pending.next().await {
            self.answer(done);
        }
    }

    async fn hear(&mut self, frame: v1::AgentFrame) {
        let Some(open) = &mut self.open else { return };
        match frame.frame {
            Some(Said::Batch(batch)) => open.take(&self.parts, batch),
            Some(Said::Beat(beat)) => {
                let contact = Contact {
                    at: self.parts.now(),
                    address: self.peer.address.to_string(),
                    version: String::new(),
                    complaints: Some(shortened(&beat.complaints)),
                };
                self.parts.admission.contact(open.agent, contact).await;
                if !beat.confirmations.is_empty() {
                    let (ingest, agent) = (self.parts.ingest.clone(), open.agent);
                    let ask = async move { (0, ingest.confirm(agent, &beat).await) };
                    open.pending.push_back(Box::pin(ask));
                }
            }
            Some(Said::TargetBeat(beat)) => open.beat(&self.parts, beat, &mut self.ready),
            Some(Said::Goodbye(_)) => {
                if let Some(seat) = &open.seat {
                    seat.goodbye();
                }
                self.finish().await;
            }
            Some(Said::Hello(_)) => {
                self.refuse("PROTOCOL_VIOLATED", "a stream begins with one hello".to_owned());
            }
            // A frame of a newer agent that this version does not know: the agent was told which version is spoken.
            None => {
                self.refuse("PROTOCOL_VIOLATED", "the frame holds nothing that is known".to_owned())
            }
        }
    }

    /// The first frame, and the welcome.
    async fn begin(&mut self) -> Result<(), Refused> {
        let first = tokio::time::timeout(HELLO_TIMEOUT, self.said.message()).await;
        let hello = match first {
            Ok(Ok(Some(v1::AgentFrame { frame: Some(Said::Hello(hello)) }))) => hello,
            Ok(Ok(Some(_))) => return Err(violated("the first frame has to be a hello")),
            Ok(Ok(None) | Err(_)) => return Err(violated("the stream ended before its hello")),
            Err(_) => return Err(violated("no hello came in time")),
        };
        let protocol = negotiated(&hello)?;
        if hello.instance.len() > INSTANCE_BYTES_MAX || hello.nonce.len() > INSTANCE_BYTES_MAX {
            return Err(violated("the hello's instance or nonce is too long"));
        }
        let admitted = self.parts.admission.admit(&self.peer).await?;
        let agent = admitted.agent;
        let (newest, earlier) = admitted.nonces.split_at(admitted.nonces.len().min(NONCE_BYTES));
        let is_successor = !newest.is_empty() && newest == hello.nonce;
        let Ok(place) = self.parts.sessions.enter(agent, &hello.instance, is_successor) else {
            let from = self.peer.address;
            let detail = format!(
                "a second process at {from} shows the identity of this agent while the first one is connected: its \
                 state was copied; enroll the copy with a join token of its own"
            );
            self.parts.admission.duplicate(agent, detail.clone()).await;
            return Err(Refused { code: "AGENT_DUPLICATE", detail });
        };
        // A revocation between the two steps above found no session to cut: whoever is revoked by now does not stay.
        self.parts.admission.admit(&self.peer).await?;
        // An agent that stopped before it stored its last nonce shows the one before; anything else was copied or
        // restored. It may go on, because nobody else is connected, but a person should know.
        if !newest.is_empty() && !is_successor && earlier != hello.nonce {
            let detail = format!(
                "the agent at {} does not know what it was told last: its state was copied or restored",
                self.peer.address
            );
            self.parts.admission.duplicate(agent, detail).await;
        }
        let next = (self.parts.randomness.u64(), self.parts.randomness.u64());
        let next_nonce = [next.0.to_le_bytes(), next.1.to_le_bytes()].concat();
        let nonces = [next_nonce.as_slice(), newest].concat();
        self.parts.admission.nonces_set(agent, nonces).await;
        let contact = Contact {
            at: self.parts.now(),
            address: self.peer.address.to_string(),
            version: hello.agent_version.chars().take(INSTANCE_BYTES_MAX).collect(),
            complaints: None,
        };
        self.parts.admission.contact(agent, contact).await;
        let committed = self.parts.ingest.committed(agent, hello.epoch).await;
        let committed = committed
            .map_err(|error| Refused { code: "UNAVAILABLE", detail: error.to_string() })?;
        self.ready.push_back(Answer::Welcome(v1::Welcome {
            protocol,
            server_time: self.parts.now().millis(),
            committed,
            next_nonce,
            window_bytes: u64::try_from(WINDOW_BYTES).unwrap_or(u64::MAX),
            beat_seconds: u32::try_from(BEAT.as_secs()).unwrap_or(u32::MAX),
        }));
        let targets = self.parts.targets.as_ref();
        self.open = Some(Open {
            agent,
            seat: targets.and_then(|targets| targets.join(agent, &admitted.site, &hello)),
            site: admitted.site.into(),
            place,
            pending: FuturesOrdered::new(),
            pending_bytes: 0,
        });
        Ok(())
    }
}

impl Open {
    /// What happens next. Nothing is read while the window is full: that is the back-pressure.
    async fn next(&mut self, said: &mut Streaming<v1::AgentFrame>) -> Event {
        let is_open = self.pending_bytes < WINDOW_BYTES && self.pending.len() < WINDOW_BATCHES;
        tokio::select! {
            biased;
            order = self.place.orders().next() => Event::Order(order),
            () = wanted(&mut self.seat) => Event::Targets,
            Some(done) = self.pending.next(), if !self.pending.is_empty() => Event::Done(done),
            frame = tokio::time::timeout(SILENCE_MAX, said.message()), if is_open => match frame {
                Ok(frame) => Event::Said(frame),
                Err(_) => Event::Silence,
            },
        }
    }

    /// What the agent says of its targets: it may go on reading them, and what did not change is confirmed.
    fn beat(
        &mut self,
        parts: &UplinkParts,
        mut beat: v1::TargetBeat,
        ready: &mut VecDeque<Answer>,
    ) {
        let Some(seat) = &self.seat else { return };
        ready.push_back(Answer::Lease(seat.beat(&mut beat)));
        if !beat.confirmations.is_empty() {
            let (ingest, agent) = (parts.ingest.clone(), self.agent);
            let confirmations =
                v1::Beat { confirmations: beat.confirmations, ..v1::Beat::default() };
            let ask = async move { (0, ingest.confirm(agent, &confirmations).await) };
            self.pending.push_back(Box::pin(ask));
        }
    }

    fn take(&mut self, parts: &UplinkParts, batch: v1::Batch) {
        let bytes = batch
            .entries
            .iter()
            .map(|entry| match &entry.content {
                Some(v1::entry::Content::Record(record)) => record.len(),
                _ => 0,
            })
            .sum();
        self.pending_bytes = self.pending_bytes.saturating_add(bytes);
        let (ingest, agent, site) = (parts.ingest.clone(), self.agent, Arc::clone(&self.site));
        let submit = async move { (bytes, ingest.submit(agent, site, batch).await) };
        self.pending.push_back(Box::pin(submit));
    }
}

/// Returns once there is something to say of targets; never for an agent without.
async fn wanted(seat: &mut Option<Seat>) {
    match seat {
        Some(seat) => seat.wanted().await,
        None => std::future::pending().await,
    }
}

fn violated(detail: &str) -> Refused {
    Refused { code: "PROTOCOL_VIOLATED", detail: detail.to_owned() }
}

/// The newest protocol version that both sides speak.
fn negotiated(hello: &v1::Hello) -> Result<u32, Refused> {
    let newest = hello.protocol_max.min(proto::PROTOCOL_MAX);
    if newest < hello.protocol_min || newest < proto::PROTOCOL_MIN {
        return Err(Refused {
            code: "PROTOCOL_UNSUPPORTED",
            detail: format!(
                "the agent speaks protocol {} to {}, the control plane {} to {}",
                hello.protocol_min,
                hello.protocol_max,
                proto::PROTOCOL_MIN,
                proto::PROTOCOL_MAX
            ),
        });
    }
    Ok(newest)
}

fn shortened(complaints: &[String]) -> Vec<String> {
    let complaints = complaints.iter().take(COMPLAINTS_MAX);
    complaints.map(|complaint| complaint.chars().take(COMPLAINT_LETTERS_MAX).collect()).collect()
}
