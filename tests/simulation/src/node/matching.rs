//! The matching service of a node: polls that wait, offers of shards, and starts asked of history.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_history::execution::{Question, Refusal, StartTask};
use cairn_history::id::{Key, NamespaceId, RunId, ShardId, Time};
use cairn_history::kind::{Offer, Queue, Unavailable, Work};
use cairn_history::placement;
use cairn_matching::queue::{
    self, Given, Leave, Left, Name, Out, PollId, Poller, Queues, Task, TaskId,
};

use super::history::Asking;
use super::route::POLL;
use super::{Batch, Pending};
use crate::event::{Call, CallId, Event, Place, Reply, Stamp};
use crate::world::World;

/// How long a shard waits for matching.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Poll {
    to: Place,
    id: CallId,
    name: Name,
    identity: String,
    /// The same for all tries of this poll.
    request_id: String,
    task: Option<Arc<Task>>,
}

/// The name by which matching knows a queue.
fn queue_name(queue: &Queue) -> Name {
    Name {
        namespace: queue.namespace.0,
        name: queue.name.clone(),
        work: match queue.work {
            Work::Workflow => queue::Work::Workflow,
            Work::Activity => queue::Work::Activity,
        },
        sticky: queue.sticky_of.is_some(),
    }
}

impl World {
    pub(super) fn home_of(&mut self, node: usize, name: &Name) -> Option<Stamp> {
        let own = &mut self.nodes[node];
        if let Some(home) = own.homes.get(name) {
            return *home;
        }
        let place = placement::Place::Queue(NamespaceId(name.namespace), &name.name);
        let home = own.view.home(place);
        let home = home.and_then(|home| Stamp::of_name(&home.id));
        own.homes.insert(name.clone(), home);
        home
    }

    /// One input of the queues of a node, and all that it leads to.
    fn queues<T>(
        &mut self,
        node: usize,
        input: impl FnOnce(&mut Queues, queue::Time, &mut Out) -> T,
    ) -> T {
        let own = &mut self.nodes[node];
        let now = queue::Time(own.clock.read(self.now).0);
        let mut out = Out::default();
        let result = input(&mut own.queues, now, &mut out);
        for pairing in out.pairings {
            self.given(node, pairing.poll, pairing.given);
        }
        self.arm_queues(node);
        result
    }

    fn arm_queues(&mut self, node: usize) {
        let now = self.now;
        let own = &mut self.nodes[node];
        let Some(next) = own.queues.next_wake().map(|time| Time(time.0)) else {
            return;
        };
        if own.queues_armed.is_none_or(|armed| next < armed) {
            own.queues_armed = Some(next);
            let wait = own.clock.until(now, next);
            self.heap.put(now.after(wait), Event::Queues(own.stamp));
        }
    }

    pub(crate) fn tick_queues(&mut self, node: usize) {
        self.nodes[node].queues_armed = None;
        self.queues(node, cairn_matching::queue::Queues::tick);
    }

    pub(super) fn poll(
        &mut self,
        node: usize,
        to: Place,
        id: CallId,
        name: Name,
        identity: String,
    ) {
        let poller = Poller {
            identity: identity.clone(),
            worker_instance_key: identity.clone(),
            ..Poller::default()
        };
        let own = &mut self.nodes[node];
        let now = queue::Time(own.clock.read(self.now).0);
        let mut out = Out::default();
        let poll = own.queues.poll(name.clone(), poller, now, &mut out);
        let request_id = format!("poll {}", id.0);
        own.polls.insert(
            poll,
            Poll {
                to,
                id,
                name,
                identity,
                request_id,
                task: None,
            },
        );
        let stamp = own.stamp;
        for pairing in out.pairings {
            self.given(node, pairing.poll, pairing.given);
        }
        self.heap
            .put(self.now.after(POLL), Event::PollOver(stamp, poll));
        self.arm_queues(node);
    }

    pub(crate) fn poll_over(&mut self, node: usize, poll: PollId) {
        if !self.nodes[node].polls.contains_key(&poll) {
            return;
        }
        let left = self.queues(node, |queues, now, out| {
            queues.leave(poll, Leave::Expired, now, out)
        });
        if left == Left::Gone {
            self.end_poll(node, poll, Reply::Empty);
        }
    }

    fn end_poll(&mut self, node: usize, poll: PollId, reply: Reply) {
        if let Some(Poll { to, id, .. }) = self.nodes[node].polls.remove(&poll) {
            self.reply(node, to, id, reply);
        }
    }

    fn given(&mut self, node: usize, poll: PollId, given: Given) {
        match given {
            Given::Task(task) => self.start(node, poll, &task),
            // Where it belongs now the worker finds out by asking again.
            Given::Moved => self.end_poll(node, poll, Reply::NotHere),
            // Nobody asks queries of matching here.
            Given::End | Given::Query(_) => self.end_poll(node, poll, Reply::Empty),
        }
    }

    /// Asks history to start the task.
    fn start(&mut self, node: usize, poll: PollId, task: &Arc<Task>) {
        let Some(waiting) = self.nodes[node].polls.get_mut(&poll) else {
            return;
        };
        waiting.task = Some(Arc::clone(task));
        let start = StartTask {
            scheduled_event_id: task.id.scheduled_event_id,
            attempt: task.id.attempt,
            request_id: waiting.request_id.clone(),
            identity: waiting.identity.clone(),
            queue: waiting.name.name.clone(),
            sticky: waiting.name.sticky,
            worker_version: None,
        };
        let question = match waiting.name.work {
            queue::Work::Workflow => Question::StartWorkflowTask(start),
            queue::Work::Activity => Question::StartActivity(start),
        };
        let key = Key {
            namespace: NamespaceId(waiting.name.namespace),
            workflow_id: task.workflow_id.clone(),
        };
        let run = Some(RunId(task.id.run));
        self.ask_owner(
            node,
            Pending::Start { poll },
            Asking {
                key,
                run,
                start_request_id: None,
                question,
            },
        );
    }

    pub(super) fn start_answered(&mut self, node: usize, poll: PollId, reply: Reply) {
        let Some(waiting) = self.nodes[node].polls.get(&poll) else {
            return;
        };
        let Some(task) = waiting.task.clone() else {
            return;
        };
        let key = Key {
            namespace: NamespaceId(waiting.name.namespace),
            workflow_id: task.workflow_id.clone(),
        };
        match Self::task_reply(&key, reply) {
            Ok(reply) => {
                self.queues(node, |queues, now, _| queues.started(poll, now));
                self.end_poll(node, poll, reply);
            }
            Err(Reply::Refused(refusal)) if is_over(&refusal) => {
                self.queues(node, |queues, now, out| queues.refused(poll, now, out));
            }
            Err(_) => {
                self.queues(node, |queues, now, out| queues.retry(poll, now, out));
            }
        }
    }

    /// A shard offers what its runs owe.
    pub(super) fn offered(
        &mut self,
        node: usize,
        from: Place,
        id: CallId,
        by: queue::Word,
        offered: Vec<(Key, RunId, Offer)>,
        withdrawn: Vec<(Key, RunId, Offer)>,
    ) {
        for (_, run, offer) in withdrawn {
            let name = queue_name(&offer.queue);
            self.queues(node, |queues, _, _| {
                queues.withdraw(&name, by, task_id(run, &offer));
            });
        }
        let mut unavailable = Vec::new();
        for (key, run, offer) in offered {
            let name = queue_name(&offer.queue);
            let task = Task {
                id: task_id(run, &offer),
                workflow_id: key.workflow_id.clone(),
            };
            let told = queue::Offer {
                task: Arc::new(task),
                by,
                priority: offer.priority,
                time: queue::Time(offer.time.0),
            };
            let taken = self.queues(node, |queues, now, out| queues.offer(name, told, now, out));
            if taken == Err(queue::Refusal::StickyWorkerUnavailable) {
                unavailable.push((key, run));
            }
        }
        self.reply(node, from, id, Reply::Offered { unavailable });
    }

    /// Gives what a shard owes to the homes of the queues, one batch after the other.
    pub(super) fn offer(&mut self, node: usize, shard: ShardId) {
        let Some(owned) = self.nodes[node].owned(shard) else {
            return;
        };
        if !owned.offering.is_empty() {
            return;
        }
        let Some(batch) = owned.offers.pop_front() else {
            return;
        };
        for (home, part) in self.parts(node, shard, batch) {
            self.send_offer(node, shard, home, part);
        }
    }

    fn parts(
        &mut self,
        node: usize,
        shard: ShardId,
        batch: Batch,
    ) -> BTreeMap<Option<Stamp>, Batch> {
        let mut parts: BTreeMap<Option<Stamp>, Batch> = BTreeMap::new();
        for offer in batch.offered {
            let home = self.home_of(node, &queue_name(&offer.2.queue));
            if let Some(owned) = self.nodes[node].owned(shard) {
                owned.told.insert(offer.2.queue.clone(), home);
            }
            parts.entry(home).or_default().offered.push(offer);
        }
        for offer in batch.withdrawn {
            let home = self.home_of(node, &queue_name(&offer.2.queue));
            parts.entry(home).or_default().withdrawn.push(offer);
        }
        for part in parts.values_mut() {
            part.number = batch.number;
        }
        parts
    }

    fn send_offer(&mut self, node: usize, shard: ShardId, home: Option<Stamp>, part: Batch) {
        let Some(epoch) = self.nodes[node].owned(shard).map(|owned| owned.epoch) else {
            return;
        };
        let home = home.unwrap_or(self.nodes[node].stamp);
        let Batch {
            number,
            offered,
            withdrawn,
        } = part.clone();
        let call = Call::Offer {
            shard,
            epoch,
            number,
            offered,
            withdrawn,
        };
        let id = self.hand(node, home.index, Pending::Offer { shard }, call, PATIENCE);
        if let Some(owned) = self.nodes[node].owned(shard) {
            owned.offering.insert(id, (home, part));
        }
    }

    /// A part of a batch is with matching, or is not: then it is sent again, to whoever is its home by now.
    pub(super) fn offer_answered(&mut self, node: usize, shard: ShardId, id: CallId, reply: Reply) {
        let Some(owned) = self.nodes[node].owned(shard) else {
            return;
        };
        let Some((_, part)) = owned.offering.remove(&id) else {
            return;
        };
        match reply {
            Reply::Offered { unavailable } => {
                for (key, run) in unavailable {
                    let question = Question::StickyWorkerUnavailable;
                    self.tell(
                        node,
                        Asking {
                            key,
                            run: Some(run),
                            start_request_id: None,
                            question,
                        },
                    );
                }
            }
            _ => {
                for (home, part) in self.parts(node, shard, part) {
                    self.send_offer(node, shard, home, part);
                }
            }
        }
        self.offer(node, shard);
    }

    /// The view has changed: polls on queues that moved end, and what was offered elsewhere is offered again.
    pub(super) fn queues_moved(&mut self, node: usize) {
        let own = &mut self.nodes[node];
        let members: Vec<_> = own.view.members().map(|it| it.id.clone()).collect();
        if own.members == members {
            return;
        }
        own.members = members;
        own.homes.clear();
        let view = own.view.clone();
        let me = own.stamp.name();
        let moved = |name: &Name| {
            let place = placement::Place::Queue(NamespaceId(name.namespace), &name.name);
            view.home(place).is_none_or(|home| home.id != me)
        };
        self.queues(node, |queues, _, out| queues.give_up(moved, out));
        for shard in self.nodes[node].shards() {
            let told: Vec<_> = match self.nodes[node].owned(shard) {
                Some(owned) => owned.told.clone().into_iter().collect(),
                None => continue,
            };
            for (queue, home) in told {
                let now = self.home_of(node, &queue_name(&queue));
                if now == home {
                    continue;
                }
                if let Some(owned) = self.nodes[node].owned(shard) {
                    owned.told.insert(queue.clone(), now);
                }
                self.step(node, shard, |owned, _, out| {
                    owned.shard.offer_again(|its| *its == queue, out);
                });
            }
        }
    }
}

fn task_id(run: RunId, offer: &Offer) -> TaskId {
    TaskId {
        run: run.0,
        scheduled_event_id: offer.task.scheduled_event_id,
        attempt: offer.task.attempt,
    }
}

/// The task is over, as history says; anything else leaves it open.
fn is_over(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::NoSuchWorkflow(_)
            | Refusal::Completed
            | Refusal::NoSuchTask(_)
            | Refusal::NoSuchActivity(_)
            | Refusal::TaskTaken
            | Refusal::AlreadyStarted { .. }
            | Refusal::OtherQueue
            | Refusal::NotReady(_)
            | Refusal::Precondition(_)
            | Refusal::Unavailable(Unavailable::Quarantined)
    )
}
