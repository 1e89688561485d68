//! The world of one seed: everything there is, the time, and what happens next.
//!
//! One thread, one heap of events, one stream of chance. Deliberately absent: what each part does with an event (`node`, `client`,
//! `worker`, `database`) and what is right (`ledger`, `judge`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cairn_history::execution::Limits;
use cairn_history::id::{RunId, Time};

use crate::auditor;
use crate::client::Client;
use crate::clock::Clock;
use crate::database::{Database, Done};
use crate::event::{Body, CallId, Envelope, Event, Heap, Op, Place, Stamp, StoreCall};
use crate::glance::Glances;
use crate::judge::{self, Ops};
use crate::ledger::{Ledger, Violation};
use crate::node::Node;
use crate::plan::{Fault, Mode, Plan};
use crate::random::Random;
use crate::worker::Worker;

/// 1 January 2026.
pub(crate) const BEGIN: Time = Time(1_767_225_600_000_000_000);
/// What is owed must happen so soon behind the heal, on top of a lease.
const PATIENCE: Duration = Duration::from_secs(20);
/// So soon a broken connection is known to be one.
const BROKEN: Duration = Duration::from_secs(8);
/// No seed is worth more events than this.
const EVENTS_MAX: u64 = 3_000_000;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) now: Time,
    pub(crate) heap: Heap,
    pub(crate) random: Random,
    pub(crate) nodes: Vec<Node>,
    pub(crate) clients: Vec<Client>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) database: Database,
    pub(crate) ledger: Ledger,
    pub(crate) ops: Ops,
    pub(crate) counts: Counts,
    pub(crate) limits: Arc<Limits>,
    pub(crate) healed: bool,
    healed_at: Time,
    pub(crate) calls: u64,
    pub(crate) glances: Glances,
    /// Calls without an answer so far: who asked which node.
    asked: BTreeMap<CallId, (Place, usize)>,
    /// Who does not hear whom, until when.
    deaf: BTreeMap<(Place, Place), Time>,
    /// Nodes that do not reach the database.
    cut_off: BTreeMap<usize, Time>,
    trace: u64,
    events: u64,
    ended: bool,
    print: bool,
}

/// What happened in a seed, for the report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) faults: BTreeMap<Fault, u64>,
    pub(crate) unknown: u64,
    pub(crate) messages: u64,
}

/// How a seed ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) violations: Vec<Violation>,
    pub(crate) counts: Counts,
    pub(crate) trace: u64,
    pub(crate) events: u64,
    pub(crate) simulated: Duration,
    pub(crate) takeovers: u64,
    pub(crate) rejected: u64,
    pub(crate) runs: usize,
    pub(crate) records: u64,
    pub(crate) commits: u64,
    pub(crate) ops: usize,
    pub(crate) acked: usize,
}

/// Plays a seed to its end.
pub(crate) fn play(plan: Plan, print: bool) -> Ended {
    let mut world = World::new(plan, print);
    world.run();
    if print {
        world.ledger.print();
    }
    let simulated = world.now.since(BEGIN);
    Ended {
        trace: world.trace,
        events: world.events,
        simulated,
        takeovers: world.database.takeovers,
        rejected: world.database.rejected,
        runs: world.ledger.runs.len(),
        records: world.ledger.records,
        commits: world.ledger.commits,
        ops: world.ops.len(),
        acked: world.ops.acked(),
        violations: world.ledger.violations,
        counts: world.counts,
    }
}

impl World {
    fn new(plan: Plan, print: bool) -> Self {
        let mut random = Random::new(plan.seed ^ 0x0077_6f72_6c64);
        let mut counts = Counts::default();
        let clocks = (0..plan.nodes).map(|_| clock(&plan, &mut random, &mut counts));
        let clocks: Vec<_> = clocks.collect();
        let stamp = |index| Stamp {
            index,
            generation: 0,
        };
        let nodes = clocks.into_iter().enumerate();
        let mut world = Self {
            nodes: nodes
                .map(|(index, clock)| Node::new(stamp(index), clock, plan.writers))
                .collect(),
            clients: (0..plan.clients).map(|_| Client::default()).collect(),
            workers: (0..plan.workers)
                .map(|index| Worker::new(stamp(index)))
                .collect(),
            database: Database::new(&plan),
            now: BEGIN,
            heap: Heap::default(),
            ledger: Ledger::default(),
            ops: Ops::default(),
            counts,
            limits: Arc::new(Limits {
                blob_bytes_max: crate::client::BLOB_BYTES_MAX,
                ..Limits::default()
            }),
            healed: false,
            healed_at: BEGIN,
            calls: 0,
            glances: Glances::new(),
            asked: BTreeMap::new(),
            deaf: BTreeMap::new(),
            cut_off: BTreeMap::new(),
            trace: 0xcbf2_9ce4_8422_2325,
            events: 0,
            ended: false,
            random,
            plan,
            print,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for index in 0..self.nodes.len() {
            let stamp = self.nodes[index].stamp;
            let wait = self.random.between(Duration::ZERO, self.plan.beat);
            self.heap.put(self.now.after(wait), Event::Beat(stamp));
        }
        for index in 0..self.clients.len() {
            let wait = self.random.around(self.plan.think);
            self.heap.put(self.now.after(wait), Event::Client(index));
        }
        for index in 0..self.workers.len() {
            let stamp = self.workers[index].stamp;
            self.heap.put(self.now, Event::Polls(stamp));
        }
        let wait = self.random.around(self.plan.calm);
        self.heap.put(self.now.after(wait), Event::Strike);
        self.heap.put(BEGIN.after(self.plan.storm), Event::Heal);
    }

    fn run(&mut self) {
        while !self.ended
            && self.ledger.violations.is_empty()
            && let Some((time, event)) = self.heap.pop()
        {
            self.now = self.now.max(time);
            self.events += 1;
            if self.events > EVENTS_MAX {
                self.ledger
                    .violated("L-5", "the world does not come to rest".to_owned());
                break;
            }
            if let Some(until) = self.paused(&event) {
                self.heap.put(until, event);
                continue;
            }
            self.note(&event);
            if let Event::Expire(_, id) = &event {
                self.asked.remove(id);
            }
            self.happen(event);
        }
        let heard_once = !self.plan.faults.contains(&Fault::MessageTwice);
        judge::judge(&self.ops, &mut self.ledger, heard_once);
        auditor::audit(&self.database.model, &mut self.ledger);
    }

    /// The trace: the same seed must leave the same one.
    fn note(&mut self, event: &Event) {
        let mut word = self.now.0.unsigned_abs() ^ self.random.clone().next();
        if let Event::Deliver(envelope) = event {
            word ^= envelope.id.0 << 7;
        }
        self.trace = (self.trace ^ word)
            .wrapping_mul(0x0100_0000_01b3)
            .rotate_left(5);
        if self.print {
            let text: String = format!("{event:?}").chars().take(400).collect();
            println!("{:>14.6} {text}", self.now.since(BEGIN).as_secs_f64());
        }
    }

    fn paused(&self, event: &Event) -> Option<Time> {
        let node = match event {
            Event::Deliver(envelope) => match envelope.to {
                Place::Node(node) => node,
                Place::Client(_) | Place::Worker(_) => return None,
            },
            Event::Expire(Place::Node(node), _) => *node,
            Event::Return(call, _) => call.node.index,
            Event::Alarm(stamp, _)
            | Event::Write(stamp, _)
            | Event::Beat(stamp)
            | Event::Queues(stamp)
            | Event::Patience(stamp, _)
            | Event::PollOver(stamp, _) => stamp.index,
            _ => return None,
        };
        self.nodes[node]
            .paused_until
            .filter(|until| *until > self.now)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver(envelope) => self.deliver(*envelope),
            Event::Reach(call, fault) => self.reach(*call, fault),
            Event::Return(call, said) if self.lives(call.node) => self.store_said(&call, *said),
            Event::Alarm(stamp, shard) if self.lives(stamp) => self.alarm(stamp.index, shard),
            Event::Write(stamp, writer) if self.lives(stamp) => self.write(stamp.index, writer),
            Event::Beat(stamp) if self.lives(stamp) => self.beat(stamp.index),
            Event::Patience(stamp, waiting) if self.lives(stamp) => {
                self.stop_waiting(stamp.index, &waiting);
            }
            Event::Queues(stamp) if self.lives(stamp) => self.tick_queues(stamp.index),
            Event::PollOver(stamp, poll) if self.lives(stamp) => self.poll_over(stamp.index, poll),
            Event::Expire(Place::Node(index), id) if self.nodes[index].up => {
                self.node_expires(index, id);
            }
            Event::Expire(Place::Worker(index), id) if self.workers[index].up => {
                self.worker_expires(index, id);
            }
            Event::Expire(Place::Client(index), id) => {
                self.client_hears(index, id, &crate::event::Reply::NotHere);
            }
            Event::Client(index) => self.client_steps(index),
            Event::Chore(stamp, number) if self.works(stamp) => self.chore(stamp.index, number),
            Event::Polls(stamp) if self.works(stamp) => self.worker_polls(stamp.index),
            Event::Strike => self.strike(),
            Event::Restart(index) => self.restart(index),
            Event::WorkerBack(index) => self.worker_comes_back(index),
            Event::Leave(stamp) if self.lives(stamp) => self.kill(stamp.index),
            Event::Heal => self.heal(),
            Event::Judge => self.look(),
            _ => {} // For a life that is over.
        }
    }

    pub(crate) fn lives(&self, stamp: Stamp) -> bool {
        self.nodes[stamp.index].up && self.nodes[stamp.index].stamp == stamp
    }

    fn works(&self, stamp: Stamp) -> bool {
        self.workers[stamp.index].up && self.workers[stamp.index].stamp == stamp
    }

    /// Since when a node has been able to reach the database.
    pub(crate) fn reached(&self, node: usize) -> Time {
        self.cut_off.get(&node).copied().unwrap_or_default()
    }

    pub(crate) fn call_id(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }

    /// Does this fault strike now, so often in a thousand of what the plan gives it?
    pub(crate) fn strikes(&mut self, fault: Fault, per_mille: u64) -> bool {
        if self.healed || !self.plan.faults.contains(&fault) {
            return false;
        }
        let strikes = self.random.chance(self.plan.rate * per_mille / 30);
        if strikes {
            *self.counts.faults.entry(fault).or_default() += 1;
        }
        strikes
    }

    /// A message leaves.
    pub(crate) fn send(&mut self, envelope: Envelope) {
        if envelope.from == envelope.to {
            self.heap.put(self.now, Event::Deliver(Box::new(envelope)));
            return;
        }
        self.counts.messages += 1;
        if let (Body::Call { .. }, Place::Node(node)) = (&envelope.body, envelope.to) {
            self.asked.insert(envelope.id, (envelope.from, node));
        }
        if self.strikes(Fault::MessageLost, 30) {
            return self.lost(&envelope);
        }
        // A reply has one call that waits for it; a call that comes twice is a call.
        if matches!(envelope.body, Body::Call { .. }) && self.strikes(Fault::MessageTwice, 30) {
            let wait = self.random.around(Duration::from_millis(60));
            self.heap.put(
                self.now.after(wait),
                Event::Deliver(Box::new(envelope.clone())),
            );
        }
        let mut wait = self
            .random
            .between(Duration::from_micros(100), Duration::from_millis(3));
        if self.strikes(Fault::MessageSlow, 60) {
            wait = self.random.around(Duration::from_millis(1_500));
        }
        self.heap
            .put(self.now.after(wait), Event::Deliver(Box::new(envelope)));
    }

    fn deliver(&mut self, envelope: Envelope) {
        let way = (envelope.from, envelope.to);
        if self.deaf.get(&way).is_some_and(|until| *until > self.now) {
            return self.lost(&envelope);
        }
        if let Body::Reply(_) = envelope.body {
            self.asked.remove(&envelope.id);
        }
        match envelope.to {
            Place::Node(index) if self.nodes[index].up => self.node_hears(index, envelope),
            // Nobody listens there.
            Place::Node(_) => self
                .heap
                .put(self.now, Event::Expire(envelope.from, envelope.id)),
            Place::Client(index) => {
                if let Body::Reply(reply) = envelope.body {
                    self.client_hears(index, envelope.id, &reply);
                }
            }
            Place::Worker(index) if self.workers[index].up => {
                if let Body::Reply(reply) = envelope.body {
                    self.worker_hears(index, envelope.id, *reply);
                }
            }
            Place::Worker(_) => {}
        }
    }

    /// A connection that loses messages breaks: whoever waits for an answer on it hears of that in a while.
    fn lost(&mut self, envelope: &Envelope) {
        let waits = match envelope.body {
            Body::Call { .. } => envelope.from,
            Body::Reply(_) => envelope.to,
        };
        self.heap
            .put(self.now.after(BROKEN), Event::Expire(waits, envelope.id));
    }

    /// A call to the database leaves a node; what will go wrong with it is decided here.
    pub(crate) fn send_to_store(&mut self, call: StoreCall) {
        let mut wait = self
            .random
            .between(Duration::from_micros(50), Duration::from_millis(2));
        if self.now < self.database.slow_until {
            wait = self.random.around(Duration::from_millis(400));
            let busy_until = self.now.after(wait);
            self.database.busy_until = self.database.busy_until.max(busy_until);
        }
        let cut_off = self
            .cut_off
            .get(&call.node.index)
            .is_some_and(|until| *until > self.now);
        let fault = match &call.op {
            Op::Commit { .. } if cut_off => Some(Fault::CommitUnknownUndone),
            Op::Commit { .. } => [
                (Fault::CommitRefused, 20),
                (Fault::CommitRolledBack, 60),
                (Fault::CommitUnknownDone, 30),
                (Fault::CommitUnknownUndone, 30),
                (Fault::CommitLate, 30),
            ]
            .into_iter()
            .find(|(fault, chance)| self.strikes(*fault, *chance))
            .map(|(fault, _)| fault),
            Op::Load { .. } | Op::Page { .. } | Op::Records { .. } | Op::ParkedQueues { .. }
                if cut_off =>
            {
                Some(Fault::ReadFails)
            }
            Op::Load { .. } | Op::Page { .. } | Op::Records { .. } | Op::ParkedQueues { .. } => {
                self.strikes(Fault::ReadFails, 30)
                    .then_some(Fault::ReadFails)
            }
            Op::TakeOver { .. } | Op::Release { .. } | Op::Beat { .. } if cut_off => {
                return self.unheard(call);
            }
            Op::TakeOver { .. } | Op::Release { .. } | Op::Beat { .. } => None,
        };
        if fault == Some(Fault::CommitLate) {
            // The caller gives up; the commit is carried out later, perhaps behind a takeover.
            let late = self.random.around(Duration::from_secs(4));
            let unknown = cairn_history::log::Failure::Unknown("no answer".into());
            let said = crate::event::Said::Committed(Err(unknown));
            let gives_up = self.now.after(Duration::from_secs(1));
            self.heap.put(
                gives_up,
                Event::Return(Box::new(call.clone()), Box::new(said)),
            );
            self.heap.put(
                self.now.after(wait + late),
                Event::Reach(Box::new(call), fault),
            );
            return;
        }
        self.heap
            .put(self.now.after(wait), Event::Reach(Box::new(call), fault));
    }

    /// Nobody hears a call: after a while that is known.
    fn unheard(&mut self, call: StoreCall) {
        use crate::event::Said;
        let said = match &call.op {
            Op::TakeOver { .. } => Said::Taken(None),
            Op::Beat { .. } => Said::View(None),
            _ => Said::Released,
        };
        let wait = Duration::from_secs(1);
        self.heap.put(
            self.now.after(wait),
            Event::Return(Box::new(call), Box::new(said)),
        );
    }

    fn reach(&mut self, call: StoreCall, fault: Option<Fault>) {
        let done = self
            .database
            .carry_out(&call, fault, self.now, &mut self.ledger);
        let wait = self
            .random
            .between(Duration::from_micros(50), Duration::from_millis(3));
        match done {
            Done::Later(op) => {
                let call = StoreCall { op, ..call };
                self.heap
                    .put(self.now.after(wait), Event::Reach(Box::new(call), fault));
            }
            // The caller has been told already.
            Done::Said(_) if fault == Some(Fault::CommitLate) => {}
            Done::Said(said) => self.heap.put(
                self.now.after(wait),
                Event::Return(Box::new(call), Box::new(said)),
            ),
        }
    }

    pub(crate) fn quarantined(&mut self, run: RunId, why: &str) {
        // A plan that has the store refuse commits may set runs aside, and means it.
        if self.plan.faults.contains(&Fault::CommitRefused) && why.contains("refuses") {
            self.ledger.quarantined.insert(run);
        } else {
            self.ledger
                .violated("I-20", format!("{run} was set aside: {why}"));
        }
    }

    /// One act of the fates.
    fn strike(&mut self) {
        if self.healed {
            return;
        }
        let wait = self.random.around(self.plan.calm);
        self.heap.put(self.now.after(wait), Event::Strike);
        let acts: Vec<Fault> = self
            .plan
            .faults
            .iter()
            .copied()
            .filter(|fault| fault.is_an_act())
            .collect();
        if acts.is_empty() {
            return;
        }
        let act = *self.random.pick(&acts);
        let node = self.random.index(self.nodes.len());
        let scale = self.plan.lease;
        let done = match act {
            Fault::Kill => self.nodes[node].up.then(|| self.kill(node)).is_some(),
            Fault::Pause => {
                let until = self.now.after(self.random.between(scale / 20, scale * 3));
                let own = &mut self.nodes[node];
                own.paused_until = own.up.then_some(until);
                own.up
            }
            Fault::HandOver => {
                // It has a while to finish, then it is gone.
                let stamp = self.nodes[node].stamp;
                let fresh = !std::mem::replace(&mut self.nodes[node].leaving, true);
                if fresh {
                    self.heap
                        .put(self.now.after(scale * 2), Event::Leave(stamp));
                }
                fresh
            }
            Fault::Usurp => self.usurp(node),
            Fault::Partition => self.partition(),
            Fault::ClockStep => {
                let seconds = i64::try_from(self.random.below(8)).unwrap_or(0) - 4;
                let now = self.now;
                let clock = &mut self.nodes[node].clock;
                clock.step(now, seconds * 1_000_000_000);
                self.ledger.strays(clock.error(now));
                self.arm_again(node);
                true
            }
            Fault::WorkerDeath => {
                let worker = self.random.index(self.workers.len());
                let lives = self.workers[worker].up;
                if lives {
                    self.worker_dies(worker);
                    let wait = self.random.around(Duration::from_secs(3));
                    self.heap
                        .put(self.now.after(wait), Event::WorkerBack(worker));
                }
                lives
            }
            Fault::StoreSlow => {
                self.database.slow_until = self.now.after(self.random.around(scale));
                true
            }
            Fault::StoreFull => {
                self.database.full_until = self.now.after(self.random.around(scale));
                true
            }
            Fault::StoreDown => {
                self.database.down_until = self.now.after(self.random.around(scale));
                true
            }
            _ => false,
        };
        if done {
            *self.counts.faults.entry(act).or_default() += 1;
        }
    }

    /// Some ways are cut, each in one direction; also the way to the database.
    fn partition(&mut self) -> bool {
        let until = self.now.after(self.random.around(self.plan.lease));
        let node = self.random.index(self.nodes.len());
        if self.random.chance(300) {
            self.cut_off.insert(node, until);
        }
        let both = self.random.chance(500);
        let others: BTreeSet<Place> = (0..self.nodes.len())
            .map(Place::Node)
            .chain((0..self.workers.len()).map(Place::Worker))
            .chain((0..self.clients.len()).map(Place::Client))
            .collect();
        for other in others {
            if other != Place::Node(node) && self.random.chance(500) {
                self.deaf.insert((other, Place::Node(node)), until);
                if both {
                    self.deaf.insert((Place::Node(node), other), until);
                }
            }
        }
        true
    }

    /// The process is gone; another comes in a while.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].up = false;
        // Its connections are reset.
        let theirs: Vec<_> = self
            .asked
            .iter()
            .filter(|(_, (_, to))| *to == node)
            .map(|(id, (from, _))| (*id, *from))
            .collect();
        for (id, from) in theirs {
            self.asked.remove(&id);
            self.heap.put(
                self.now.after(Duration::from_millis(2)),
                Event::Expire(from, id),
            );
        }
        let wait = self
            .random
            .between(Duration::from_millis(100), self.plan.lease * 2);
        self.heap.put(self.now.after(wait), Event::Restart(node));
    }

    fn restart(&mut self, index: usize) {
        let old = self.nodes[index].stamp;
        let stamp = Stamp {
            generation: old.generation + 1,
            ..old
        };
        let clock = if self.healed {
            Clock::new(self.now, 0, 0)
        } else {
            clock_at(self.now, &self.plan, &mut self.random, &mut self.counts)
        };
        self.nodes[index] = Node::new(stamp, clock, self.plan.writers);
        self.heap.put(self.now, Event::Beat(stamp));
    }

    /// From here on nothing goes wrong.
    fn heal(&mut self) {
        if self.plan.mode == Mode::Safety {
            self.ended = true;
            return;
        }
        self.healed = true;
        self.healed_at = self.now;
        auditor::audit(&self.database.model, &mut self.ledger);
        self.deaf.clear();
        self.cut_off.clear();
        let now = self.now;
        for time in [
            &mut self.database.full_until,
            &mut self.database.down_until,
            &mut self.database.slow_until,
        ] {
            *time = now;
        }
        for index in 0..self.nodes.len() {
            let own = &mut self.nodes[index];
            own.paused_until = None;
            // A clock that was ahead would stand still until the world has caught up.
            if own.up && own.clock.is_off(now) {
                self.kill(index);
            }
        }
        self.heap.put(now.after(self.patience()), Event::Judge);
    }

    fn patience(&self) -> Duration {
        PATIENCE + self.plan.lease * 3
    }

    /// Looks whether what is owed happens, until nothing is open.
    fn look(&mut self) {
        let patience = self.patience();
        judge::late(&mut self.ledger, self.now, patience);
        self.updates_are_answered(self.healed_at, patience);
        let open = self.ledger.runs.values().any(|kept| kept.row.is_open());
        let over =
            self.now.since(BEGIN) > self.plan.storm + self.plan.long * 2 + Duration::from_mins(30);
        if over {
            judge::stuck(&self.ops, &mut self.ledger);
        }
        self.ended = over || !open;
        self.heap
            .put(self.now.after(self.plan.beat * 10), Event::Judge);
    }
}

fn clock(plan: &Plan, random: &mut Random, counts: &mut Counts) -> Clock {
    clock_at(BEGIN, plan, random, counts)
}

fn clock_at(now: Time, plan: &Plan, random: &mut Random, counts: &mut Counts) -> Clock {
    let mut strikes = |fault, chance| {
        let strikes = plan.faults.contains(&fault) && random.chance(chance);
        if strikes {
            *counts.faults.entry(fault).or_default() += 1;
        }
        strikes
    };
    let (offset, drift) = (
        strikes(Fault::ClockOffset, 700),
        strikes(Fault::ClockDrift, 700),
    );
    let signed = |random: &mut Random, most: u64| {
        i64::try_from(random.below(most * 2)).unwrap_or(0) - i64::try_from(most).unwrap_or(0)
    };
    let offset = if offset {
        signed(random, 4_000_000_000)
    } else {
        0
    };
    let drift = if drift { signed(random, 500) } else { 0 };
    Clock::new(now, offset, drift)
}

impl Ended {
    pub(crate) fn panicked(text: String) -> Self {
        let violation = Violation {
            time: BEGIN,
            rule: "panic",
            what: text,
        };
        Self {
            violations: vec![violation],
            counts: Counts::default(),
            trace: 0,
            events: 0,
            simulated: Duration::ZERO,
            takeovers: 0,
            rejected: 0,
            runs: 0,
            records: 0,
            commits: 0,
            ops: 0,
            acked: 0,
        }
    }
}
