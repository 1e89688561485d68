//! Calls from node to node and to the database, and who answers them.

use std::time::Duration;

use cairn_history::execution::Answer;
use cairn_history::id::ShardId;
use cairn_history::log::Failure;

use cairn_matching::queue::Word;

use super::history::Asking;
use super::{Asker, Pending, Purpose};
use crate::event::{Body, Call, CallId, Envelope, Event, Op, Place, Reply, Said, Stamp, StoreCall};
use crate::world::World;

/// How long a node waits for another.
const PATIENCE: Duration = Duration::from_secs(3);
/// A poll that was passed on waits as long as a poll does, and a little more.
pub(super) const POLL: Duration = Duration::from_mins(1);

impl World {
    /// A call or a reply reaches a node.
    pub(crate) fn node_hears(&mut self, node: usize, envelope: Envelope) {
        let Envelope { from, id, body, .. } = envelope;
        match body {
            Body::Call { call, passed_on } => self.called(node, from, id, *call, passed_on),
            Body::Reply(reply) => self.node_answered(node, id, *reply),
        }
    }

    fn called(&mut self, node: usize, from: Place, id: CallId, call: Call, passed_on: bool) {
        match call {
            Call::Ask {
                key,
                run,
                start_request_id,
                question,
            } => {
                let shard = key.shard(self.plan.shards);
                if self.nodes[node].owned(shard).is_some() {
                    let asking = Asking {
                        key,
                        run,
                        start_request_id,
                        question,
                    };
                    if !self.ask(node, Asker::Caller { to: from, id }, asking) {
                        self.reply(node, from, id, Reply::NotHere);
                    }
                } else {
                    let call = Call::Ask {
                        key,
                        run,
                        start_request_id,
                        question,
                    };
                    self.pass_on(node, from, id, shard, call, passed_on);
                }
            }
            Call::Read { key, run } => {
                let shard = key.shard(self.plan.shards);
                if self.nodes[node].owned(shard).is_some() {
                    let question = cairn_history::execution::Question::Position;
                    let asking = Asking {
                        key,
                        run,
                        start_request_id: None,
                        question,
                    };
                    if !self.ask(node, Asker::Reader { to: from, id, run }, asking) {
                        self.reply(node, from, id, Reply::NotHere);
                    }
                } else {
                    self.pass_on(node, from, id, shard, Call::Read { key, run }, passed_on);
                }
            }
            Call::Reset(asked) => {
                let shard = asked.key.shard(self.plan.shards);
                if self.nodes[node].owned(shard).is_some() {
                    self.reset(node, from, id, *asked);
                } else {
                    self.pass_on(node, from, id, shard, Call::Reset(asked), passed_on);
                }
            }
            Call::Poll { name, identity } => {
                let home = self.home_of(node, &name);
                match home {
                    Some(home) if home == self.nodes[node].stamp => {
                        self.poll(node, from, id, name, identity);
                    }
                    Some(home) if !passed_on => {
                        let patience = POLL + PATIENCE;
                        let call = Call::Poll { name, identity };
                        self.hand(
                            node,
                            home.index,
                            Pending::PassedOn { to: from, id },
                            call,
                            patience,
                        );
                    }
                    _ => self.reply(node, from, id, Reply::NotHere),
                }
            }
            Call::Offer {
                shard,
                epoch,
                number,
                offered,
                withdrawn,
            } => {
                let by = Word {
                    shard: shard.0,
                    epoch: epoch.0,
                    number,
                };
                self.offered(node, from, id, by, offered, withdrawn);
            }
        }
    }

    fn pass_on(
        &mut self,
        node: usize,
        to: Place,
        id: CallId,
        shard: ShardId,
        call: Call,
        passed_on: bool,
    ) {
        let owner = self.nodes[node].view.owner(shard);
        let owner = owner.and_then(|owner| Stamp::of_name(&owner.id));
        match owner.filter(|owner| !passed_on && owner.index != node) {
            Some(owner) => {
                self.hand(
                    node,
                    owner.index,
                    Pending::PassedOn { to, id },
                    call,
                    PATIENCE,
                );
            }
            None => self.reply(node, to, id, Reply::NotHere),
        }
    }

    /// A call to the owner of a key, from a service of this node.
    pub(super) fn ask_owner(&mut self, node: usize, pending: Pending, asking: Asking) {
        let shard = asking.key.shard(self.plan.shards);
        let owner = self.nodes[node].view.owner(shard);
        let owner = owner.and_then(|owner| Stamp::of_name(&owner.id));
        let to = owner.map_or(node, |owner| owner.index);
        let Asking {
            key,
            run,
            start_request_id,
            question,
        } = asking;
        let call = Call::Ask {
            key,
            run,
            start_request_id,
            question,
        };
        self.hand(node, to, pending, call, PATIENCE);
    }

    pub(super) fn hand(
        &mut self,
        node: usize,
        to: usize,
        pending: Pending,
        call: Call,
        patience: Duration,
    ) -> CallId {
        let id = self.call_id();
        self.nodes[node].pending.insert(id, pending);
        let body = Body::Call {
            call: Box::new(call),
            passed_on: true,
        };
        let (from, to) = (Place::Node(node), Place::Node(to));
        self.send(Envelope { from, to, id, body });
        self.heap
            .put(self.now.after(patience), Event::Expire(from, id));
        id
    }

    pub(super) fn reply(&mut self, node: usize, to: Place, id: CallId, reply: Reply) {
        let body = Body::Reply(Box::new(reply));
        self.send(Envelope {
            from: Place::Node(node),
            to,
            id,
            body,
        });
    }

    /// Nobody answered in time.
    pub(crate) fn node_expires(&mut self, node: usize, id: CallId) {
        if self.nodes[node].pending.contains_key(&id) {
            self.node_answered(node, id, Reply::NotHere);
        }
    }

    fn node_answered(&mut self, node: usize, id: CallId, reply: Reply) {
        let Some(pending) = self.nodes[node].pending.remove(&id) else {
            return;
        };
        match pending {
            Pending::PassedOn { to, id } => self.reply(node, to, id, reply),
            Pending::Start { poll } => self.start_answered(node, poll, reply),
            Pending::Offer { shard } => self.offer_answered(node, shard, id, reply),
            Pending::Effect {
                shard,
                epoch,
                run,
                effect,
            } => self.effect_answered(node, shard, epoch, run, effect, reply),
        }
    }

    pub(super) fn call_store(&mut self, node: usize, purpose: Purpose, op: Op) {
        self.calls += 1;
        let number = self.calls;
        let own = &mut self.nodes[node];
        own.calls.insert(number, purpose);
        let call = StoreCall {
            node: own.stamp,
            number,
            op,
        };
        self.send_to_store(call);
    }

    /// The outcome of a call to the database.
    pub(crate) fn store_said(&mut self, call: &StoreCall, said: Said) {
        let node = call.node.index;
        let Some(purpose) = self.nodes[node].calls.remove(&call.number) else {
            return;
        };
        match (purpose, said) {
            (Purpose::Commit { writer }, Said::Committed(result)) => {
                if matches!(result, Err(Failure::Unknown(_))) {
                    self.counts.unknown += 1;
                }
                self.committed(node, writer, &result);
            }
            (Purpose::Take { shard }, Said::Taken(epoch)) => self.took(node, shard, epoch),
            (Purpose::Beat, Said::View(Some(view))) => self.saw(node, *view),
            (Purpose::Load { shard, epoch }, Said::Loaded(load, loaded)) => {
                self.loaded(node, shard, epoch, load, *loaded);
            }
            (Purpose::Queues { shard, epoch }, Said::ParkedQueues(Some(queues))) => {
                self.step(node, shard, |owned, now, out| {
                    if owned.epoch == epoch {
                        owned.shard.parked_queues(queues, now, out);
                    }
                });
            }
            (Purpose::Queues { shard, epoch }, _)
                if self.nodes[node]
                    .owned(shard)
                    .is_some_and(|owned| owned.epoch == epoch) =>
            {
                self.call_store(
                    node,
                    Purpose::Queues { shard, epoch },
                    Op::ParkedQueues { shard },
                );
            }
            (Purpose::Reset(number), Said::Records(records)) => {
                self.reset_has_records(node, number, records);
            }
            (Purpose::Reset(number), Said::Page(events)) => {
                self.reset_has_events(node, number, events);
            }
            (Purpose::Events { to, id, then }, Said::Page(read)) => {
                self.read(node, to, id, *then, read);
            }
            _ => {}
        }
    }

    /// The answer of a question that nobody outside waits for.
    pub(super) fn tell(&mut self, node: usize, asking: Asking) {
        self.ask(node, Asker::Nobody, asking);
    }

    pub(super) fn task_reply(key: &cairn_history::id::Key, reply: Reply) -> Result<Reply, Reply> {
        use cairn_history::execution::ActivityToken;
        match reply {
            Reply::Answered {
                answer: Answer::WorkflowTaskStarted(task),
                events,
            } => Ok(Reply::WorkflowTask {
                key: key.clone(),
                task,
                events,
            }),
            Reply::Answered {
                answer: Answer::ActivityStarted(task, token),
                events,
            } => {
                let ActivityToken::Attempt {
                    scheduled_event_id,
                    attempt,
                } = token
                else {
                    return Err(Reply::NotHere);
                };
                let run = task
                    .workflow_execution
                    .as_ref()
                    .and_then(|it| it.run_id.parse().ok());
                let mut task = task;
                crate::worker::fill(&mut task, &events);
                run.map_or(Err(Reply::NotHere), |run| {
                    Ok(Reply::ActivityTask {
                        key: key.clone(),
                        run,
                        task,
                        scheduled_event_id,
                        attempt,
                    })
                })
            }
            other => Err(other),
        }
    }
}
