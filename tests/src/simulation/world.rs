//! The course of a run: what happens next is drawn, done, and its consequences carried on.

use std::{sync::Arc, time::Duration};

use environment::{
    Clock, Fault, FaultOn, NetworkFaults, RandomnessExt, SeededRandomness, SimulatedClock,
    SimulatedNetwork,
};
use spool::{Entry, Priority};

use super::{
    agent::Agent,
    oracle::{ChainKey, Oracle, Report, Violation},
    server::Server,
};

/// Agents at most.
const AGENTS_MAX: u64 = 3;
/// Drawn events of a run.
const STEPS: u64 = 150;
/// Steps without faults in which everything must have arrived.
const CALM_STEPS_MAX: usize = 20_000;
/// Flipped bytes of a run at most: each may cost a record, but not all that tells the epoch at once.
const FLIPS_MAX: u64 = 3;
/// The place of the control plane in the network; agents have the places from 1 on.
const SERVER: u32 = 0;

#[derive(Debug, Clone)]
enum Message {
    Batch { key: ChainKey, entries: Vec<Entry> },
    Acknowledgement { key: ChainKey, through: u64 },
}

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    seed: u64,
    randomness: Arc<SeededRandomness>,
    clock: Arc<SimulatedClock>,
    network: SimulatedNetwork<Message>,
    agents: Vec<Agent>,
    server: Server,
    oracle: Oracle,
    may_flip: bool,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let randomness = Arc::new(SeededRandomness::new(seed));
        let faults = NetworkFaults {
            loss_permille: randomness.below(300),
            duplicate_permille: randomness.below(300),
            delay_min: Duration::from_millis(1),
            delay_max: Duration::from_millis(2 + randomness.below(100)),
        };
        let network = SimulatedNetwork::new(Arc::<SeededRandomness>::clone(&randomness), faults);
        let may_flip = randomness.chance(1, 3);
        Self {
            seed,
            randomness,
            clock: Arc::default(),
            network,
            agents: Vec::new(),
            server: Server::default(),
            oracle: Oracle::default(),
            may_flip,
        }
    }

    fn violation(&self, description: String) -> Violation {
        Violation { seed: self.seed, description }
    }

    /// The part with faults.
    pub(super) fn rage(&mut self) -> Result<(), Violation> {
        let count = 1 + self.randomness.below(AGENTS_MAX);
        for number in (1..).take(usize::try_from(count).unwrap_or(1)) {
            let (clock, randomness) = (Arc::clone(&self.clock), Arc::clone(&self.randomness));
            let seed = self.randomness.u64();
            let agent = Agent::new(number, seed, clock, randomness);
            self.agents.push(agent.map_err(|error| self.violation(error))?);
        }
        for _ in 0..STEPS * count {
            self.step().map_err(|error| self.violation(error))?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), String> {
        let count = u64::try_from(self.agents.len()).unwrap_or(1);
        let index = usize::try_from(self.randomness.below(count)).unwrap_or(0);
        match self.randomness.below(100) {
            0..45 => self.append(index)?,
            45..65 => self.send(index)?,
            65..85 => self.pass_time(Duration::from_millis(20))?,
            85..92 => self.commit(),
            92 => self.crash_server(),
            93 => self.restart(index, false, None)?,
            94 => self.restart(index, true, None)?,
            95..97 => self.plan_power_failure(index),
            97 => self.partition(),
            _ => self.trouble(index),
        }
        self.restart_if_off(index)
    }

    fn append(&mut self, index: usize) -> Result<(), String> {
        let class = Priority::from_number(u8::try_from(self.randomness.below(4)).unwrap_or(0));
        let Some((agent, class)) = self.agents.get_mut(index).zip(class) else { return Ok(()) };
        agent.append(class, &mut self.oracle)
    }

    fn send(&mut self, index: usize) -> Result<(), String> {
        let now = self.clock.monotonic();
        let Some(agent) = self.agents.get_mut(index) else { return Ok(()) };
        let number = agent.number;
        for (class, epoch, entries) in agent.send(now)? {
            let message = Message::Batch { key: (number, epoch, class), entries };
            self.network.send(now, number, SERVER, &message);
        }
        Ok(())
    }

    /// Lets time pass and delivers what arrives meanwhile.
    fn pass_time(&mut self, duration: Duration) -> Result<(), String> {
        self.clock.advance(duration);
        let now = self.clock.monotonic();
        while let Some((_, message)) = self.network.receive(now) {
            match message {
                Message::Batch { key, entries } => self.server.receive(key, entries),
                Message::Acknowledgement { key: (number, epoch, class), through } => {
                    let place = self.agents.iter_mut().find(|agent| agent.number == number);
                    if let Some(agent) = place {
                        agent.acknowledge(class, epoch, through)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn commit(&mut self) {
        let now = self.clock.monotonic();
        for (key, through) in self.server.commit() {
            let message = Message::Acknowledgement { key, through };
            self.network.send(now, SERVER, key.0, &message);
        }
    }

    fn crash_server(&mut self) {
        self.server.crash();
        self.network.drop_to(SERVER);
        self.oracle.report.server_crashes += 1;
    }

    fn restart(
        &mut self,
        index: usize,
        with_power_cut: bool,
        power_fails_after: Option<u64>,
    ) -> Result<(), String> {
        let Some(agent) = self.agents.get_mut(index) else { return Ok(()) };
        self.network.drop_to(agent.number);
        if with_power_cut {
            self.oracle.report.power_cuts += 1;
        } else {
            self.oracle.report.agent_kills += 1;
        }
        agent.restart(with_power_cut, power_fails_after)
    }

    fn plan_power_failure(&mut self, index: usize) {
        let operations = self.randomness.below(40);
        if let Some(agent) = self.agents.get_mut(index) {
            agent.disk.fail_power_after(operations);
        }
    }

    /// What stopped in the middle of a change was the power or only the process, and it can stop again while the spool
    /// opens.
    fn restart_if_off(&mut self, index: usize) -> Result<(), String> {
        if self.agents.get(index).is_some_and(|agent| agent.disk.is_off()) {
            let with_power_cut = self.randomness.chance(1, 2);
            let stops_again = self.randomness.chance(1, 3);
            let operations = self.randomness.below(20);
            self.restart(index, with_power_cut, stops_again.then_some(operations))?;
        }
        Ok(())
    }

    fn partition(&mut self) {
        let count = u64::try_from(self.agents.len()).unwrap_or(0);
        let place = u32::try_from(self.randomness.below(count + 1)).unwrap_or(SERVER);
        let is_cut_off = self.randomness.chance(1, 2);
        self.network.partition(place, is_cut_off);
    }

    fn trouble(&mut self, index: usize) {
        let randomness = Arc::clone(&self.randomness);
        let Some(agent) = self.agents.get_mut(index) else { return };
        let disk = &agent.disk;
        match randomness.below(14) {
            0 => {
                let room = usize::try_from(randomness.below(30_000)).unwrap_or(0);
                disk.set_capacity(Some(disk.used_bytes() + room));
            }
            1 => disk.set_read_only(true),
            2 => disk.set_short_writes(true),
            3 => disk.fail(FaultOn::SyncData, Fault::InputOutput, 1),
            4 => disk.fail(FaultOn::Write, Fault::InputOutput, 1),
            5 => disk.fail(FaultOn::Rename, Fault::StorageFull, 1),
            6..10 if self.may_flip && self.oracle.report.flips < FLIPS_MAX => {
                self.oracle.report.flips += u64::from(agent.flip());
            }
            _ => disk.heal(),
        }
    }

    /// The part without faults: everything that waits must arrive.
    pub(super) fn calm_down(&mut self) -> Result<(), Violation> {
        self.network.set_faults(NetworkFaults::default());
        for place in 0..=u32::try_from(AGENTS_MAX).unwrap_or(0) {
            self.network.partition(place, false);
        }
        for index in 0..self.agents.len() {
            if let Some(agent) = self.agents.get(index) {
                agent.disk.heal();
            }
            self.restart(index, true, None).map_err(|error| self.violation(error))?;
        }
        for _ in 0..CALM_STEPS_MAX {
            if self.has_all_arrived() {
                return Ok(());
            }
            for index in 0..self.agents.len() {
                self.send(index).map_err(|error| self.violation(error))?;
            }
            self.pass_time(Duration::from_millis(20)).map_err(|error| self.violation(error))?;
            self.commit();
        }
        Err(self.violation("records are stuck although nothing fails any more".to_owned()))
    }

    fn has_all_arrived(&self) -> bool {
        self.agents.iter().all(|agent| {
            Priority::ALL.into_iter().all(|class| {
                let durable = agent.log.durable(class);
                let key = (agent.number, agent.log.epoch(), class);
                agent.log.committed(class) == durable && self.server.committed(key) == durable
            })
        })
    }

    /// The verdict.
    pub(super) fn judge(self) -> Result<Report, Violation> {
        let Self { seed, server, mut oracle, .. } = self;
        oracle.report.repeats_dropped = server.repeats_dropped;
        oracle.report.out_of_order = server.out_of_order;
        oracle.judge(&server).map_err(|description| Violation { seed, description })
    }
}
