//! Does what a reset says is to be done next, and tells it what came.
//!
//! Between two steps anything may happen to the runs, the shard and the node. The order of the steps is the server's own.

use cairn_history::execution::reset::{Asked, Next, Procedure};
use cairn_history::execution::{Answer, Refusal};
use cairn_history::id::{Entropy, Key};
use cairn_history::log::Record;
use cairn_proto::temporal::api::history::v1::HistoryEvent;

use super::history::Asking;
use super::{Asker, Purpose};
use crate::event::{CallId, Op, Place, Reply, Resetting};
use crate::random::Seeded;
use crate::world::World;

/// A reset under way, and who asked for it.
#[derive(Debug)]
pub(super) struct Underway {
    to: Place,
    id: CallId,
    key: Key,
    reset: Procedure,
}

impl World {
    pub(super) fn reset(&mut self, node: usize, to: Place, id: CallId, asked: Resetting) {
        let Resetting {
            key,
            base,
            last,
            request_id,
            keep,
        } = asked;
        let (reset, next) = Procedure::new(Asked {
            base: Some(base),
            last,
            request_id,
            reason: "simulated".to_owned(),
            keep,
            options: Ok(Vec::new()),
        });
        let it = Underway { to, id, key, reset };
        self.reset_goes_on(node, it, Ok(next));
    }

    fn reset_goes_on(&mut self, node: usize, it: Underway, next: Result<Next, Refusal>) {
        let (to, id) = (it.to, it.id);
        match next {
            Ok(Next::Ask { run, question }) => {
                let asking = Asking {
                    key: it.key.clone(),
                    run,
                    start_request_id: None,
                    question,
                };
                let number = self.keep_reset(node, it);
                if !self.ask(node, Asker::Reset(number), asking) {
                    self.nodes[node].resets.remove(&number);
                    self.reply(node, to, id, Reply::NotHere);
                }
            }
            Ok(Next::Records { run }) => self.reset_reads(node, it, Op::Records { run }),
            Ok(Next::Events { run, range }) => {
                self.reset_reads(node, it, Op::Page { run, range });
            }
            Ok(Next::Done(run)) => self.reply(node, to, id, Reply::Reset(run)),
            Err(refusal) => self.reply(node, to, id, Reply::Refused(refusal)),
        }
    }

    fn reset_reads(&mut self, node: usize, it: Underway, op: Op) {
        let number = self.keep_reset(node, it);
        self.call_store(node, Purpose::Reset(number), op);
    }

    fn keep_reset(&mut self, node: usize, it: Underway) -> u64 {
        self.calls += 1;
        let number = self.calls;
        self.nodes[node].resets.insert(number, it);
        number
    }

    /// A run has answered.
    pub(super) fn reset_hears(
        &mut self,
        node: usize,
        number: u64,
        result: Result<Answer, Refusal>,
    ) {
        let Some(mut it) = self.nodes[node].resets.remove(&number) else {
            return;
        };
        let next = match result {
            Ok(answer) => it.reset.answered(answer),
            Err(refusal @ Refusal::NoSuchWorkflow(_)) => it.reset.absent().unwrap_or(Err(refusal)),
            Err(refusal) => Err(refusal),
        };
        self.reset_goes_on(node, it, next);
    }

    /// The records of the base are read, or could not be.
    pub(super) fn reset_has_records(
        &mut self,
        node: usize,
        number: u64,
        records: Option<Vec<Record>>,
    ) {
        let Some(mut it) = self.nodes[node].resets.remove(&number) else {
            return;
        };
        let Some(records) = records else {
            return self.reply(node, it.to, it.id, Reply::NotHere);
        };
        let now = self.nodes[node].clock.read(self.now);
        let run = Seeded(self.random.fork()).run_id(now);
        let next = it.reset.records(run, records);
        self.reset_goes_on(node, it, next);
    }

    /// The events of a run that continued the base are read, or could not be.
    pub(super) fn reset_has_events(
        &mut self,
        node: usize,
        number: u64,
        events: Option<Vec<HistoryEvent>>,
    ) {
        let Some(mut it) = self.nodes[node].resets.remove(&number) else {
            return;
        };
        let Some(events) = events else {
            return self.reply(node, it.to, it.id, Reply::NotHere);
        };
        let next = it.reset.events(events);
        self.reset_goes_on(node, it, next);
    }
}
