//! The database of the cluster: the store in memory, with a clock that is right.
//!
//! A call is carried out at one moment (two, for the two reads of a load by id). What goes wrong with it was decided when it left;
//! how long things take is the world's business.

use std::collections::BTreeMap;

use cairn_history::execution::Workflow;
use cairn_history::id::{Epoch, ShardId, Time};
use cairn_history::log::model::{Model, Options};
use cairn_history::log::{Cause, Failure, Fragment, ReadError, ShardBatch, Store, Stored};
use cairn_history::placement::Node;
use cairn_history::shard::{Load, Loaded, is_readable};
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::history::v1::{History, HistoryEvent};
use futures::FutureExt;

use crate::event::{Op, Said, Stamp, StoreCall};
use crate::ledger::Ledger;
use crate::plan::{Fault, Plan};

#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) model: Model,
    /// Who owns what, for the judge.
    owners: BTreeMap<ShardId, (Epoch, Stamp)>,
    /// Who owned what before: some may still believe it.
    before: BTreeMap<ShardId, Stamp>,
    clock: Time,
    /// Nothing can be written until then.
    pub(crate) full_until: Time,
    /// Nothing answers until then.
    pub(crate) down_until: Time,
    pub(crate) slow_until: Time,
    /// The last of the calls that it keeps waiting is carried out then.
    pub(crate) busy_until: Time,
    /// Batches that came too late: their epoch had passed.
    pub(crate) rejected: u64,
    pub(crate) takeovers: u64,
}

/// A call that was carried out, or is to go on a little later.
pub(crate) enum Done {
    Said(Said),
    Later(Op),
}

fn cause(why: &'static str) -> Cause {
    why.into()
}

impl Database {
    pub(crate) fn new(plan: &Plan) -> Self {
        let options = Options {
            shards: plan.shards,
            writers: plan.writers,
            reads_need_proof: plan.proof,
        };
        Self {
            model: Model::with(options),
            owners: BTreeMap::new(),
            before: BTreeMap::new(),
            clock: Time(0),
            full_until: Time(0),
            down_until: Time(0),
            slow_until: Time(0),
            busy_until: Time(0),
            rejected: 0,
            takeovers: 0,
        }
    }

    pub(crate) fn carry_out(
        &mut self,
        call: &StoreCall,
        fault: Option<Fault>,
        now: Time,
        ledger: &mut Ledger,
    ) -> Done {
        let down = now < self.down_until;
        let full = now < self.full_until;
        let said = match &call.op {
            Op::Commit { batches } => {
                Said::Committed(self.commit(batches, fault, down, full, now, ledger))
            }
            Op::TakeOver { shard, expected } if !down && !full => {
                Said::Taken(self.take_over(call.node, *shard, *expected))
            }
            Op::TakeOver { .. } => Said::Taken(None),
            Op::Release { shard, epoch } => {
                if !down && !full {
                    written(self.model.release(*shard, *epoch));
                }
                Said::Released
            }
            Op::Beat { .. } if down || full => Said::View(None),
            Op::Beat { leaving } => {
                self.model.pass(now.since(self.clock));
                self.clock = now;
                let node = Node {
                    id: call.node.name(),
                    leaving: *leaving,
                    ..Node::default()
                };
                Said::View(Some(Box::new(written(self.model.beat(&node)))))
            }
            Op::Load { load, .. } if down || fault == Some(Fault::ReadFails) => {
                let error = ReadError::Unavailable(cause("the database does not answer"));
                Said::Loaded(number(load), Box::new(Loaded::Failed(error)))
            }
            Op::Load { shard, load, found } => {
                if let (
                    Load::Id {
                        key,
                        start_request_id,
                        ..
                    },
                    None,
                ) = (load, found)
                {
                    let found = self.model.find(key, start_request_id.as_deref());
                    return Done::Later(Op::Load {
                        shard: *shard,
                        load: load.clone(),
                        found: Some(Box::new(at_once(found))),
                    });
                }
                let found = found.as_deref().cloned().unwrap_or_default();
                Said::Loaded(number(load), Box::new(self.load(*shard, load, found)))
            }
            Op::Page { .. } | Op::Records { .. } | Op::ParkedQueues { .. }
                if down || fault == Some(Fault::ReadFails) =>
            {
                match &call.op {
                    Op::Page { .. } => Said::Page(None),
                    Op::Records { .. } => Said::Records(None),
                    _ => Said::ParkedQueues(None),
                }
            }
            Op::Page { run, range } => {
                let page = at_once(self.model.page(*run, range.start, range.end, usize::MAX));
                let mut events = decoded(&page);
                events.retain(|event| range.contains(&event.event_id));
                Said::Page(Some(events))
            }
            Op::Records { run } => Said::Records(Some(at_once(self.model.records(*run)))),
            Op::ParkedQueues { shard } => {
                let queues = at_once(self.model.parked_queues(*shard));
                Said::ParkedQueues(Some(queues.into_iter().map(|(queue, ..)| queue).collect()))
            }
        };
        Done::Said(said)
    }

    fn commit(
        &mut self,
        batches: &[ShardBatch],
        fault: Option<Fault>,
        down: bool,
        full: bool,
        now: Time,
        ledger: &mut Ledger,
    ) -> Result<cairn_history::log::Committed, Failure> {
        match fault {
            _ if down || full => return Err(Failure::RolledBack(cause("nothing can be written"))),
            Some(Fault::CommitRolledBack) => {
                return Err(Failure::RolledBack(cause("rolled back")));
            }
            Some(Fault::CommitRefused) => return Err(Failure::Refused(cause("refused"))),
            Some(Fault::CommitUnknownUndone) => {
                return Err(Failure::Unknown(cause("the connection was lost")));
            }
            _ => {}
        }
        let committed = self
            .model
            .commit(0, batches)
            .now_or_never()
            .expect("the store in memory answers at once")?;
        self.rejected += committed.lost.len() as u64;
        let kept = batches.iter();
        for batch in kept.filter(|batch| !committed.lost.contains(&batch.shard)) {
            ledger.committed(batch, now);
        }
        if matches!(fault, Some(Fault::CommitUnknownDone | Fault::CommitLate)) {
            return Err(Failure::Unknown(cause("the answer was lost")));
        }
        Ok(committed)
    }

    /// Since when it has been able to answer and to write.
    pub(crate) fn ready(&self) -> Time {
        let times = [
            self.full_until,
            self.down_until,
            self.slow_until,
            self.busy_until,
        ];
        times.into_iter().max().unwrap_or_default()
    }

    /// Did this node take the shard under this epoch, and nobody since?
    pub(crate) fn is_owner(&self, node: Stamp, shard: ShardId, epoch: Epoch) -> bool {
        self.owners.get(&shard) == Some(&(epoch, node))
    }

    /// The last other node that owned the shard.
    pub(crate) fn owner_before(&self, shard: ShardId) -> Option<Stamp> {
        self.before.get(&shard).copied()
    }

    /// Compare and raise: of two takers one wins.
    fn take_over(&mut self, node: Stamp, shard: ShardId, expected: Epoch) -> Option<Epoch> {
        let epoch = written(self.model.take_from(shard, &node.name(), expected))?;
        let before = self.owners.insert(shard, (epoch, node));
        if let Some((_, before)) = before.filter(|(_, before)| *before != node) {
            self.before.insert(shard, before);
        }
        self.takeovers += 1;
        Some(epoch)
    }

    fn load(&self, shard: ShardId, load: &Load, found: cairn_history::log::Found) -> Loaded {
        match load {
            Load::Id { run, .. } => {
                let run = run.or(found.current.as_ref().map(|row| row.run));
                let stored = run.and_then(|run| self.run(run));
                Loaded::Id { found, stored }
            }
            Load::Run { run, .. } => Loaded::Run(self.run(*run)),
            Load::Events { run, ids, .. } => {
                let page = at_once(self.model.page(*run, 1, i64::MAX, usize::MAX));
                let mut events = decoded(&page);
                events.retain(|event| ids.contains(&event.event_id));
                Loaded::Events(events)
            }
            Load::WakeUps {
                horizon,
                after,
                limit,
                ..
            } => Loaded::WakeUps(at_once(
                self.model.wake_ups(shard, *horizon, *after, *limit),
            )),
            Load::Parked {
                queue,
                after,
                limit,
                ..
            } => Loaded::Parked(at_once(self.model.parked(
                shard,
                queue,
                after.as_ref(),
                *limit,
            ))),
        }
    }

    fn run(&self, run: cairn_history::id::RunId) -> Option<Box<Stored>> {
        let mut stored = at_once(self.model.load(run))?;
        let readable = |it| is_readable::<Workflow>(it);
        if !stored.snapshot.as_ref().is_none_or(readable) {
            stored.snapshot = None;
            stored.records = at_once(self.model.records(run));
        }
        Some(Box::new(stored))
    }
}

fn written<T>(write: impl Future<Output = Result<T, Failure>>) -> T {
    let write = write
        .now_or_never()
        .expect("the store in memory answers at once");
    write.expect("nothing is planned to go wrong in the store itself")
}

fn at_once<T>(read: impl Future<Output = Result<T, ReadError>>) -> T {
    let read = read
        .now_or_never()
        .expect("the store in memory answers at once");
    read.expect("the store in memory can be read")
}

fn number(load: &Load) -> u64 {
    match load {
        Load::Id { load, .. }
        | Load::Run { load, .. }
        | Load::Events { load, .. }
        | Load::WakeUps { load, .. }
        | Load::Parked { load, .. } => *load,
    }
}

fn decoded(page: &[Fragment]) -> Vec<HistoryEvent> {
    let events = page.iter().flat_map(|fragment| {
        let history = History::decode(fragment.events.clone());
        history.expect("what was written can be read").events
    });
    events.collect()
}
