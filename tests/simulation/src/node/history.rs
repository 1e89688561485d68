//! The shards of a node: questions, loads, alarms, and what comes out.

use std::time::Duration;

use cairn_history::execution::{Answer, Question, Workflow};
use cairn_history::id::{Epoch, Key, RunId, ShardId, Ticket, Time};
use cairn_history::shard::{Config, Load, Loaded, Output, Released, Shard, Target};
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::history::v1::{History, HistoryEvent};

use super::{Asker, Batch, Owned, Purpose, Slot, Then};
use crate::event::{CallId, Event, Op, Place, Reply};
use crate::random::Seeded;
use crate::world::World;

/// What is due but must wait is not asked for more often than this.
const NAP: Duration = Duration::from_millis(1);

pub(crate) struct Asking {
    pub(crate) key: Key,
    pub(crate) run: Option<RunId>,
    pub(crate) start_request_id: Option<String>,
    pub(crate) question: Question,
}

impl World {
    /// One input of a shard, and all that it leads to.
    pub(super) fn step<T>(
        &mut self,
        node: usize,
        shard: ShardId,
        input: impl FnOnce(&mut Owned, Time, &mut Vec<Output<Workflow>>) -> T,
    ) -> Option<T> {
        let now = self.now;
        let own = &mut self.nodes[node];
        let local = own.clock.read(now);
        let owned = own.owned(shard)?;
        let mut out = Vec::new();
        let result = input(owned, local, &mut out);
        for output in out {
            self.carry(node, shard, output);
        }
        self.arm(node, shard);
        Some(result)
    }

    fn carry(&mut self, node: usize, shard: ShardId, output: Output<Workflow>) {
        match output {
            Output::Answer(ticket, released) => self.answer(node, shard, ticket, released),
            Output::Dirty => self.ring(node, shard),
            Output::Offer { offered, withdrawn } => {
                if let Some(owned) = self.nodes[node].owned(shard) {
                    owned.batches += 1;
                    owned.offers.push_back(Batch {
                        number: owned.batches,
                        offered,
                        withdrawn,
                    });
                }
                self.offer(node, shard);
            }
            Output::Send {
                run,
                effect,
                message,
            } => self.send_effect(node, shard, run, effect, message),
            Output::Load(load) => self.load(node, shard, load),
            Output::Moved(_) => {}
            Output::Quarantined(run, why) => self.quarantined(run, &why),
        }
    }

    fn load(&mut self, node: usize, shard: ShardId, load: Load) {
        let Some(epoch) = self.nodes[node].owned(shard).map(|owned| owned.epoch) else {
            return;
        };
        let op = Op::Load {
            shard,
            load,
            found: None,
        };
        self.call_store(node, Purpose::Load { shard, epoch }, op);
    }

    pub(super) fn loaded(
        &mut self,
        node: usize,
        shard: ShardId,
        epoch: Epoch,
        load: u64,
        loaded: Loaded,
    ) {
        let limits = std::sync::Arc::clone(&self.limits);
        self.step(node, shard, |owned, now, out| {
            if owned.epoch == epoch {
                owned.shard.loaded(load, loaded, now, &limits, out);
            }
        });
    }

    /// When the shard wants to be looked at next.
    fn arm(&mut self, node: usize, shard: ShardId) {
        let now = self.now;
        let own = &mut self.nodes[node];
        let stamp = own.stamp;
        let Some(owned) = own.owned(shard) else {
            return;
        };
        let Some(next) = owned.shard.next_tick() else {
            return;
        };
        if owned.armed.is_some_and(|(armed, _)| armed <= next) {
            return;
        }
        let rings = now.after(own.clock.until(now, next).max(NAP));
        if let Some(owned) = own.owned(shard) {
            owned.armed = Some((next, rings));
        }
        self.heap.put(rings, Event::Alarm(stamp, shard));
    }

    /// The time of an alarm has come; one that was set anew since is not meant.
    pub(crate) fn alarm(&mut self, node: usize, shard: ShardId) {
        let owned = self.nodes[node].owned(shard);
        let armed = owned.and_then(|owned| owned.armed);
        if armed.is_some_and(|(_, rings)| rings <= self.now) {
            self.tick(node, shard);
        }
    }

    fn tick(&mut self, node: usize, shard: ShardId) {
        let limits = std::sync::Arc::clone(&self.limits);
        self.step(node, shard, |owned, now, out| {
            owned.armed = None;
            owned.shard.tick(now, &limits, out);
        });
    }

    /// All alarms anew: the clock was set.
    pub(crate) fn arm_again(&mut self, node: usize) {
        for shard in self.nodes[node].shards() {
            if let Some(owned) = self.nodes[node].owned(shard) {
                owned.armed = None;
            }
            self.arm(node, shard);
        }
    }

    /// A question reaches the owner of its shard. `false`: this is not the owner.
    pub(super) fn ask(&mut self, node: usize, asker: Asker, asking: Asking) -> bool {
        let shard = asking.key.shard(self.plan.shards);
        let ticket = self.nodes[node].ticket();
        let limits = std::sync::Arc::clone(&self.limits);
        let target = Target {
            key: asking.key,
            run: asking.run,
            start_request_id: asking.start_request_id,
        };
        let since = self.now;
        self.may_wait(node, ticket, &target, &asking.question);
        let taken = self.step(node, shard, |owned, now, out| {
            if owned.releasing {
                return false;
            }
            owned.asked.insert(ticket, (asker, since));
            owned
                .shard
                .ask(ticket, target, asking.question, now, &limits, out);
            true
        });
        taken.unwrap_or(false)
    }

    fn answer(
        &mut self,
        node: usize,
        shard: ShardId,
        ticket: Ticket,
        released: Released<Workflow>,
    ) {
        let Some(owned) = self.nodes[node].owned(shard) else {
            return;
        };
        let Some((asker, _)) = owned.asked.remove(&ticket) else {
            return;
        };
        let (to, id, reads) = match asker {
            Asker::Nobody => return,
            Asker::Reset(number) => return self.reset_hears(node, number, released.result),
            Asker::Stopper(waiter) => return self.stopped(node, shard, waiter, released),
            Asker::Caller { to, id } => (to, id, None),
            Asker::Reader { to, id, run } => (to, id, Some(run)),
        };
        let answer = match released.result {
            Ok(answer) => answer,
            Err(refusal) => return self.reply(node, to, id, Reply::Refused(refusal)),
        };
        if let (Some(_), Answer::Position(position)) = (reads, &answer) {
            let then = Then::History {
                run: position.run,
                open: position.open,
            };
            return self.read_events(node, to, id, position.run, 1..position.next_event_id, then);
        }
        let Some(slice) = released.events else {
            let events = Vec::new();
            return self.reply(node, to, id, Reply::Answered { answer, events });
        };
        let events = decoded(&slice.fragments.concat());
        match slice.missing {
            None => self.reply(node, to, id, Reply::Answered { answer, events }),
            Some(missing) => {
                let then = Then::Answer(answer, events);
                self.read_events(node, to, id, slice.run, missing, then);
            }
        }
    }

    fn read_events(
        &mut self,
        node: usize,
        to: Place,
        id: CallId,
        run: RunId,
        range: std::ops::Range<i64>,
        then: Then,
    ) {
        let purpose = Purpose::Events {
            to,
            id,
            then: Box::new(then),
        };
        self.call_store(node, purpose, Op::Page { run, range });
    }

    pub(super) fn read(
        &mut self,
        node: usize,
        to: Place,
        id: CallId,
        then: Then,
        read: Option<Vec<HistoryEvent>>,
    ) {
        let Some(mut read) = read else {
            return self.reply(node, to, id, Reply::NotHere);
        };
        let reply = match then {
            Then::Answer(answer, events) => {
                read.extend(events);
                Reply::Answered {
                    answer,
                    events: read,
                }
            }
            Then::History { run, open } => Reply::History {
                run,
                events: read,
                open,
            },
        };
        self.reply(node, to, id, reply);
    }

    /// The shard is this node's under this epoch: it begins to find out what it owes.
    pub(super) fn own(&mut self, node: usize, shard: ShardId, epoch: Epoch) {
        let config = self.shard_config();
        let entropy = Seeded(self.random.fork());
        let owned = Owned {
            shard: Shard::new(shard, epoch, config, Box::new(entropy)),
            epoch,
            asked: std::collections::BTreeMap::new(),
            offers: std::collections::VecDeque::new(),
            batches: 0,
            offering: std::collections::BTreeMap::new(),
            told: std::collections::BTreeMap::new(),
            armed: None,
            releasing: false,
        };
        self.nodes[node]
            .slots
            .insert(shard, Slot::Here(Box::new(owned)));
        self.tick(node, shard);
        let purpose = Purpose::Queues { shard, epoch };
        self.call_store(node, purpose, Op::ParkedQueues { shard });
    }

    /// Whatever is in memory of a shard is forgotten; who waits is told.
    pub(super) fn forget(&mut self, node: usize, shard: ShardId) {
        self.step(node, shard, |owned, _, out| owned.shard.drop_all(out));
        self.nodes[node].slots.remove(&shard);
    }

    fn shard_config(&self) -> Config {
        let config = Config {
            reads_need_proof: self.plan.proof,
            ..Config::default()
        };
        if !self.plan.tight {
            return config;
        }
        Config {
            quiet: Duration::from_secs(2),
            cached_runs_max: 3,
            tail_bytes_max: 200,
            waiting_max: 40,
            offered_max: 4,
            wake_ups_max: 3,
            horizon: Duration::from_mins(1),
            loads_max: 2,
            page_max: 2,
            snapshot_records: 5,
            ..config
        }
    }
}

fn decoded(bytes: &[u8]) -> Vec<HistoryEvent> {
    History::decode(bytes)
        .expect("what a shard gives can be read")
        .events
}
