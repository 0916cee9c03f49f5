//! The two ways of looking: in a child for most scopes, in the process for those that change all the time.

use super::Schedule;
use crate::child::{Child, Frame, Request};
use crate::look::{self, Looked, Order};
use crate::report::chain;
use model::Coverage;
use model::run::CoverageReason;
use spool::{AppendError, Priority};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long a child may take to start; the machine may be busy.
const CHILD_START_LIMIT: Duration = Duration::from_secs(30);

/// How the agent's look differs from the one that is asked for when the agent takes too much memory.
const SPARING_FACTOR: u32 = 4;

impl Schedule {
    fn order(&self, index: usize) -> Option<Order> {
        let slot = self.slots.get(index)?;
        let interval = self.around.config.readings_interval.value;
        let with_readings = slot.readings_at.is_none_or(|at| at.elapsed() >= interval);
        Some(Order {
            scope: slot.declaration.name.to_owned(),
            is_full: slot.is_full || slot.header.is_none(),
            with_readings,
        })
    }

    fn around(&self) -> look::Surroundings<'_> {
        look::Surroundings {
            collector: self.around.collector,
            target: &self.around.target,
            files: &self.files,
            context: &self.around.context,
            clock: &*self.around.clock,
            randomness: &*self.around.randomness,
        }
    }

    /// Hands one record to the spool.
    async fn append(&self, class: Priority, record: Vec<u8>) -> Result<u64, AppendError> {
        let sequence = self.around.spool.append(class, record.into()).await?;
        tracing::trace!(%class, sequence, "accepted");
        self.around.board.complain("spool", None);
        Ok(sequence)
    }

    /// Readings are not worth repeating a look for: what the spool does not take is complained about.
    async fn append_readings(&mut self, index: usize, record: Vec<u8>) {
        match self.append(Priority::Metrics, record).await {
            Ok(_) => {
                if let Some(slot) = self.slots.get_mut(index) {
                    slot.readings_at = Some(Instant::now());
                }
            }
            Err(error) => self.around.board.complain("spool", Some(chain(&error))),
        }
    }

    /// Looks at these scopes in a child, and in further children while one does not get through.
    pub(super) async fn look_in_child(&mut self, indexes: &[usize]) {
        let mut rest = indexes;
        while !rest.is_empty() {
            let done = match self.child_round(rest).await {
                Ok(done) => done,
                Err(error) => {
                    let why = format!("the child that looks failed: {}", chain(&error));
                    self.around.board.complain("child", Some(why.clone()));
                    if let Some(index) = rest.first() {
                        self.not_looked(*index, CoverageReason::Unreachable, why).await;
                    }
                    1
                }
            };
            // One at least: the scope that a child died of is reported, and the next child begins behind it.
            rest = rest.get(done.max(1)..).unwrap_or_default();
        }
    }

    /// One child; how many scopes are done with, whether well or not.
    async fn child_round(&mut self, indexes: &[usize]) -> std::io::Result<usize> {
        let config = Arc::clone(&self.around.config);
        let request = Request {
            collector: self.around.collector.manifest().name.to_owned(),
            state: self.around.state.clone(),
            target: self.around.target.id.clone(),
            site: self.around.target.site.clone(),
            root: self.around.target.root.clone(),
            context: self.around.context.clone(),
            memory_bytes: config.child_memory_bytes.value,
            nice: config.nice.value,
            orders: indexes.iter().filter_map(|index| self.order(*index)).collect(),
        };
        let mut child =
            timeout(CHILD_START_LIMIT, Child::start(&self.around.program, &request)).await??;
        let mut done = 0;
        let mut limit = CHILD_START_LIMIT;
        let mut through = None;
        let mut refusal = None;
        while done < indexes.len() {
            let Some(&index) = indexes.get(done) else { break };
            let frame = match timeout(limit, child.next()).await {
                Ok(Ok(Some(frame))) => frame,
                Ok(ended) => {
                    child.end().await;
                    let why =
                        ended.err().map_or_else(|| "it ended early".to_owned(), |e| chain(&e));
                    let why = format!("the child that looks broke off: {why}");
                    self.not_looked(index, CoverageReason::Malformed, why).await;
                    return Ok(done + 1);
                }
                Err(_elapsed) => {
                    child.end().await;
                    let why = format!("the look took longer than {} s", limit.as_secs());
                    self.not_looked(index, CoverageReason::TimedOut, why).await;
                    return Ok(done + 1);
                }
            };
            match frame {
                Frame::Started(_) => {
                    (through, refusal) = (None, None);
                    limit = self.slots.get(index).map_or(CHILD_START_LIMIT, |slot| slot.time_limit);
                }
                Frame::Part(record) if refusal.is_none() => {
                    match self.append(Priority::Inventory, record).await {
                        Ok(sequence) => through = Some(sequence),
                        Err(error) => refusal = Some(error),
                    }
                }
                Frame::Part(_) => {}
                Frame::Readings(record) => self.append_readings(index, record).await,
                Frame::Ended(summary) => {
                    match &refusal {
                        None => self.settle(index, &summary, through),
                        Some(error) => self.refused(index, error),
                    }
                    done += 1;
                }
            }
        }
        child.end().await;
        self.around.board.complain("child", None);
        Ok(done)
    }

    /// Reports that a scope could not be looked at.
    async fn not_looked(&mut self, index: usize, reason: CoverageReason, why: String) {
        let Some(order) = self.order(index) else { return };
        tracing::warn!(scope = order.scope, why, "a scope could not be looked at");
        match look::unlooked(&self.around(), &order, Coverage::not_looked_at(reason, why)) {
            Ok(looked) => self.accept(index, looked).await,
            Err(error) => self.refused(index, &error),
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.hung(Instant::now());
        }
    }

    /// Hands a look to the spool and takes note of it once it is accepted.
    async fn accept(&mut self, index: usize, looked: Looked) {
        let Looked { parts, readings, summary, .. } = looked;
        let mut through = None;
        for part in parts {
            match self.append(Priority::Inventory, part).await {
                Ok(sequence) => through = Some(sequence),
                Err(error) => return self.refused(index, &error),
            }
        }
        for record in readings {
            self.append_readings(index, record).await;
        }
        self.settle(index, &summary, through);
    }

    /// Looks at these scopes on a thread of this process, one after the other, and on further threads while one
    /// does not get through.
    pub(super) async fn look_in_process(&mut self, indexes: &[usize], is_over_memory: bool) {
        let now = Instant::now();
        let mut rest = Vec::with_capacity(indexes.len());
        for &index in indexes {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            if slot.hanging.as_ref().is_some_and(|hanging| !hanging.is_finished()) {
                slot.hung(now);
                continue;
            }
            slot.hanging = None;
            rest.push(index);
        }
        while !rest.is_empty() {
            let done = self.thread_round(&rest).await;
            rest.drain(..done.clamp(1, rest.len()));
        }
        if is_over_memory {
            for &index in indexes {
                if let Some(slot) = self.slots.get_mut(index) {
                    slot.next_due += slot.interval * SPARING_FACTOR;
                }
            }
        }
    }

    /// One thread; how many scopes are done with, whether well or not. A look that does not end in its time goes on
    /// by itself: a thread cannot be killed, and a file of /proc can hang for as long as the process behind it does.
    async fn thread_round(&mut self, indexes: &[usize]) -> usize {
        let orders: Vec<Order> = indexes.iter().filter_map(|index| self.order(*index)).collect();
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let thread = self.start_thread(orders, sender);
        for (done, &index) in indexes.iter().enumerate() {
            let limit = self.slots.get(index).map_or(CHILD_START_LIMIT, |slot| slot.time_limit);
            match timeout(limit, receiver.recv()).await {
                Ok(Some(Ok(looked))) => self.accept(index, looked).await,
                Ok(Some(Err(error))) => self.refused(index, &error),
                Ok(None) => {
                    let why = "the look broke off; this is a defect, please report it";
                    self.not_looked(index, CoverageReason::Malformed, why.to_owned()).await;
                    return done + 1;
                }
                Err(_elapsed) => {
                    let why = format!("the look took longer than {} s", limit.as_secs());
                    self.not_looked(index, CoverageReason::TimedOut, why).await;
                    if let Some(slot) = self.slots.get_mut(index) {
                        slot.hanging = Some(thread);
                    }
                    return done + 1;
                }
            }
        }
        indexes.len()
    }

    fn start_thread(
        &self,
        orders: Vec<Order>,
        sender: tokio::sync::mpsc::Sender<std::io::Result<Looked>>,
    ) -> tokio::task::JoinHandle<()> {
        let around = self.around.clone();
        let files = self.files.clone();
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let surroundings = look::Surroundings {
                collector: around.collector,
                target: &around.target,
                files: &files,
                context: &around.context,
                clock: &*around.clock,
                randomness: &*around.randomness,
            };
            for order in orders {
                let looked = runtime.block_on(look::look(&surroundings, &order));
                // Nobody listens any more when a look came too late: another thread has the rest.
                if sender.blocking_send(looked).is_err() {
                    return;
                }
            }
        })
    }
}
