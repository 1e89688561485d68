//! Workers: they poll, replay, answer, beat, fail now and then, die, and come back under another name.
//!
//! A worker knows nothing but what it was sent. Deliberately absent: what a workflow does (`shape`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cairn_history::execution::update::{Body as Said, Message};
use cairn_history::execution::{
    ActivityToken, Answer, CancelActivity, CompleteActivity, CompleteWorkflowTask, FailActivity,
    FailWorkflowTask, HeartbeatActivity, Question, Refusal, TaskStarted,
};
use cairn_history::id::{Key, NamespaceId, RunId};
use cairn_history::search_attribute::Registry;
use cairn_matching::queue::{Name, Work};
use cairn_proto::prost::Message as _;
use cairn_proto::temporal::api::command::v1::Command;
use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause;
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::protocol::v1 as protocol;
use cairn_proto::temporal::api::update::v1::Request;
use cairn_proto::temporal::api::workflowservice::v1::PollActivityTaskQueueResponse;

use crate::event::{Body, Call, CallId, Envelope, Event, Place, Reply, Stamp};
use crate::judge::{Kind, Outcome};
use crate::plan::Fault;
use crate::shape::{QUEUE, Replay, failure, payloads};
use crate::world::World;

pub(crate) const NAMESPACE: NamespaceId = NamespaceId([7; 16]);
/// How long a workflow task waits for the worker that has the run in its cache.
pub(crate) const STICKY: Duration = Duration::from_secs(5);
const RPC: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_secs(70);
/// How often an answer is tried.
const TRIES: u32 = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Workflow,
    Sticky,
    Activity,
}

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) stamp: Stamp,
    pub(crate) up: bool,
    polls: BTreeMap<CallId, Slot>,
    busy: BTreeMap<Slot, usize>,
    cache: BTreeMap<RunId, Replay>,
    chores: BTreeMap<u64, Chore>,
    waiting: BTreeMap<CallId, u64>,
    next: u64,
    polls_due: bool,
}

/// Something in hand, for one slot.
#[derive(Clone, Debug)]
struct Chore {
    slot: Slot,
    key: Key,
    run: RunId,
    todo: Todo,
    tries: u32,
    /// The operation in the log of the judge, once it was asked.
    op: Option<usize>,
}

#[derive(Clone, Debug)]
enum Todo {
    /// Replays and answers.
    Workflow {
        task: Box<TaskStarted>,
        events: Vec<HistoryEvent>,
    },
    Activity {
        task: Box<PollActivityTaskQueueResponse>,
        token: ActivityToken,
        beats: u32,
    },
    /// An answer that is on its way, perhaps again.
    Answer { question: Box<Question> },
    /// A heartbeat is on its way.
    Beat {
        task: Box<PollActivityTaskQueueResponse>,
        token: ActivityToken,
        beats: u32,
    },
    /// The whole history, which the sticky task did not bring.
    Fetch { task: Box<TaskStarted> },
}

fn rejects(message: &Message) -> bool {
    matches!(message.body, Said::Rejection { .. })
}

/// The updates that came with a workflow task.
fn requests(messages: &[protocol::Message]) -> Vec<Request> {
    let bodies = messages.iter().filter_map(|message| message.body.as_ref());
    let decoded = bodies.map(|body| Request::decode(body.value.as_slice()));
    decoded
        .map(|request| request.expect("what a node sends can be read"))
        .collect()
}

/// The input of an activity comes with its scheduled event.
pub(crate) fn fill(task: &mut PollActivityTaskQueueResponse, events: &[HistoryEvent]) {
    if let Some(Attributes::ActivityTaskScheduledEventAttributes(it)) =
        events.first().and_then(|event| event.attributes.as_ref())
    {
        task.input.clone_from(&it.input);
    }
}

impl Worker {
    pub(crate) fn new(stamp: Stamp) -> Self {
        Self {
            stamp,
            up: true,
            polls: BTreeMap::new(),
            busy: BTreeMap::new(),
            cache: BTreeMap::new(),
            chores: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next: 0,
            polls_due: false,
        }
    }

    fn identity(&self) -> String {
        format!("worker {} {}", self.stamp.index, self.stamp.generation)
    }

    fn sticky(&self) -> String {
        format!("sticky of {}", self.identity())
    }

    fn name(&self, slot: Slot) -> Name {
        let (name, work) = match slot {
            Slot::Workflow => (QUEUE.to_owned(), Work::Workflow),
            Slot::Sticky => (self.sticky(), Work::Workflow),
            Slot::Activity => (QUEUE.to_owned(), Work::Activity),
        };
        Name {
            namespace: NAMESPACE.0,
            name,
            work,
            sticky: slot == Slot::Sticky,
        }
    }
}

impl World {
    /// Fills free slots with polls.
    pub(crate) fn worker_polls(&mut self, index: usize) {
        self.workers[index].polls_due = false;
        for (slot, most) in [(Slot::Workflow, 3), (Slot::Sticky, 2), (Slot::Activity, 4)] {
            loop {
                let worker = &self.workers[index];
                let polls = worker.polls.values().filter(|it| **it == slot).count();
                if polls + worker.busy.get(&slot).copied().unwrap_or(0) >= most || polls >= 2 {
                    break;
                }
                let call = Call::Poll {
                    name: worker.name(slot),
                    identity: worker.identity(),
                };
                let id = self.worker_calls(index, call, POLL);
                self.workers[index].polls.insert(id, slot);
            }
        }
    }

    fn worker_calls(&mut self, index: usize, call: Call, patience: Duration) -> CallId {
        let id = self.call_id();
        let to = Place::Node(self.random.index(self.nodes.len()));
        let from = Place::Worker(index);
        let body = Body::Call {
            call: Box::new(call),
            passed_on: false,
        };
        self.send(Envelope { from, to, id, body });
        self.heap
            .put(self.now.after(patience), Event::Expire(from, id));
        id
    }

    /// Polls again in a moment.
    fn poll_soon(&mut self, index: usize, wait: Duration) {
        let worker = &mut self.workers[index];
        if !worker.polls_due {
            worker.polls_due = true;
            let stamp = worker.stamp;
            self.heap.put(self.now.after(wait), Event::Polls(stamp));
        }
    }

    pub(crate) fn worker_expires(&mut self, index: usize, id: CallId) {
        let worker = &self.workers[index];
        if worker.polls.contains_key(&id) || worker.waiting.contains_key(&id) {
            self.worker_hears(index, id, Reply::NotHere);
        }
    }

    pub(crate) fn worker_hears(&mut self, index: usize, id: CallId, reply: Reply) {
        let worker = &mut self.workers[index];
        if let Some(slot) = worker.polls.remove(&id) {
            return self.polled(index, slot, reply);
        }
        if let Some(chore) = worker.waiting.remove(&id) {
            self.chore_answered(index, chore, reply);
        }
    }

    fn polled(&mut self, index: usize, slot: Slot, reply: Reply) {
        let (key, run, todo) = match reply {
            Reply::WorkflowTask { key, task, events } => {
                (key, task.run, Todo::Workflow { task, events })
            }
            Reply::ActivityTask {
                key,
                run,
                task,
                scheduled_event_id,
                attempt,
            } => {
                let token = ActivityToken::Attempt {
                    scheduled_event_id,
                    attempt,
                };
                (
                    key,
                    run,
                    Todo::Activity {
                        task,
                        token,
                        beats: 0,
                    },
                )
            }
            Reply::Empty => return self.poll_soon(index, Duration::ZERO),
            _ => return self.poll_soon(index, Duration::from_millis(500)),
        };
        *self.workers[index].busy.entry(slot).or_default() += 1;
        let wait = self.work_time(&todo);
        self.take_up(
            index,
            Chore {
                slot,
                key,
                run,
                todo,
                tries: 0,
                op: None,
            },
            wait,
        );
        self.poll_soon(index, Duration::ZERO);
    }

    fn work_time(&mut self, todo: &Todo) -> Duration {
        if self.strikes(Fault::WorkerStall, 20) {
            return Duration::from_secs(25);
        }
        let mean = match todo {
            Todo::Activity { task, .. } => {
                match task.activity_type.as_ref().map(|it| it.name.as_str()) {
                    Some("slow") => Duration::from_secs(4),
                    _ => Duration::from_millis(300),
                }
            }
            _ => Duration::from_millis(8),
        };
        self.random.around(mean)
    }

    fn take_up(&mut self, index: usize, chore: Chore, wait: Duration) {
        let worker = &mut self.workers[index];
        worker.next += 1;
        let number = worker.next;
        worker.chores.insert(number, chore);
        let stamp = worker.stamp;
        self.heap
            .put(self.now.after(wait), Event::Chore(stamp, number));
    }

    fn done(&mut self, index: usize, slot: Slot) {
        let busy = self.workers[index].busy.entry(slot).or_default();
        *busy = busy.saturating_sub(1);
        self.poll_soon(index, Duration::ZERO);
    }

    /// The time that a piece of work takes is over.
    pub(crate) fn chore(&mut self, index: usize, number: u64) {
        let Some(chore) = self.workers[index].chores.get(&number).cloned() else {
            return;
        };
        match chore.todo.clone() {
            Todo::Workflow { task, events } => self.replay(index, number, &chore, task, &events),
            Todo::Activity { task, token, beats } => self.act(index, number, task, token, beats),
            Todo::Answer { question } => self.send_answer(index, number, *question),
            Todo::Beat { token, .. } => {
                let beat = HeartbeatActivity {
                    details: Some(payloads("beat")),
                    identity: self.workers[index].identity(),
                };
                self.send_answer(index, number, Question::Heartbeat(token, beat));
            }
            Todo::Fetch { .. } => {
                let call = Call::Read {
                    key: chore.key,
                    run: Some(chore.run),
                };
                let id = self.worker_calls(index, call, RPC);
                self.workers[index].waiting.insert(id, number);
            }
        }
    }

    fn send_answer(&mut self, index: usize, number: u64, question: Question) {
        let Some(chore) = self.workers[index].chores.get(&number) else {
            return;
        };
        let call = Call::Ask {
            key: chore.key.clone(),
            run: Some(chore.run),
            start_request_id: None,
            question,
        };
        let id = self.worker_calls(index, call, RPC);
        self.workers[index].waiting.insert(id, number);
    }

    /// Replays what is known of a run and answers its workflow task.
    fn replay(
        &mut self,
        index: usize,
        number: u64,
        chore: &Chore,
        task: Box<TaskStarted>,
        events: &[HistoryEvent],
    ) {
        let cached = self.workers[index].cache.remove(&chore.run);
        let first = events.first().map_or(0, |event| event.event_id);
        let replay = match cached {
            Some(replay) if replay.last + 1 >= first => Some(replay),
            _ if first == 1 => Replay::new(&events[0], self.plan.long),
            _ => None,
        };
        let Some(mut replay) = replay else {
            let todo = Todo::Fetch { task };
            self.go_on(index, number, todo, Duration::ZERO);
            return;
        };
        // What is not in history yet may come again under the same ids.
        let fed = replay.feed(events).and_then(|()| {
            if task.response.attempt <= 1 {
                self.workers[index].cache.insert(chore.run, replay.clone());
            }
            replay.feed(&task.suffix)
        });
        if let Err(why) = fed {
            let what = format!("{}: {why}", chore.run);
            self.ledger.violated("I-19", what);
        }
        let requests = requests(&task.response.messages);
        let (commands, messages) = replay.decide(&requests, &self.workers[index].identity());
        let says_nothing = commands.is_empty() && messages.iter().all(rejects);
        let question = self.task_answer(index, &task, commands, messages);
        let kind = match &question {
            Question::FailWorkflowTask(_) => Kind::FailTask,
            _ if says_nothing => Kind::SayNothing,
            _ => Kind::CompleteTask {
                run: chore.run,
                scheduled: task.token.scheduled_event_id,
            },
        };
        self.answer_with(index, number, question, &kind);
    }

    fn task_answer(
        &mut self,
        index: usize,
        task: &TaskStarted,
        commands: Vec<Command>,
        messages: Vec<Message>,
    ) -> Question {
        let identity = self.workers[index].identity();
        if self.random.chance(15) {
            return Question::FailWorkflowTask(Box::new(FailWorkflowTask {
                token: task.token,
                cause: WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure.into(),
                failure: Some(failure("a bad day", false)),
                identity,
                binary_checksum: String::new(),
                worker_version: None,
            }));
        }
        let sticky = self.random.chance(700);
        let name = self.workers[index].sticky();
        Question::CompleteWorkflowTask(Box::new(CompleteWorkflowTask {
            token: task.token,
            namespace: "n".to_owned(),
            identity,
            commands: commands.into_iter().map(Into::into).collect(),
            sticky: sticky.then_some((name, STICKY)),
            return_new_workflow_task: self.random.chance(500),
            force_create_new_workflow_task: false,
            query_results: std::collections::HashMap::default(),
            sdk_metadata: None,
            metering_metadata: None,
            binary_checksum: String::new(),
            worker_version: None,
            deployment_options: None,
            messages,
            may_drop_events: true,
            registry: Registry::default(),
        }))
    }

    fn act(
        &mut self,
        index: usize,
        number: u64,
        task: Box<PollActivityTaskQueueResponse>,
        token: ActivityToken,
        beats: u32,
    ) {
        let kind = task
            .activity_type
            .as_ref()
            .map_or("", |it| it.name.as_str())
            .to_owned();
        if kind == "beat" && beats < 6 {
            return self.go_on(
                index,
                number,
                Todo::Beat { task, token, beats },
                Duration::ZERO,
            );
        }
        let Some((run, identity)) = self.workers[index]
            .chores
            .get(&number)
            .map(|chore| (chore.run, self.workers[index].identity()))
        else {
            return;
        };
        let fails =
            kind == "doomed" || (kind == "flaky" && task.attempt < 3) || self.random.chance(30);
        let scheduled = match token {
            ActivityToken::Attempt {
                scheduled_event_id, ..
            } => scheduled_event_id,
            ActivityToken::Id(_) => 0,
        };
        if fails {
            let fail = FailActivity {
                failure: Some(failure("it failed", kind == "doomed")),
                last_heartbeat_details: None,
                identity,
                worker_version: None,
            };
            let question = Question::FailActivity(token, Box::new(fail));
            return self.answer_with(index, number, question, &Kind::FailActivity);
        }
        let result = format!("{} by {identity} nr {number}", task.activity_id);
        let complete = CompleteActivity {
            result: Some(payloads(&result)),
            identity,
            worker_version: None,
        };
        let question = Question::CompleteActivity(token, complete);
        let kind = Kind::CompleteActivity {
            run,
            scheduled,
            result,
        };
        self.answer_with(index, number, question, &kind);
    }

    /// Sends an answer; now and then twice, or once more much later.
    fn answer_with(&mut self, index: usize, number: u64, question: Question, kind: &Kind) {
        let op = self.ops.begin(kind.clone());
        if let Some(chore) = self.workers[index].chores.get_mut(&number) {
            chore.op = Some(op);
        }
        if self.strikes(Fault::CompletedTwice, 100) {
            self.repeat(index, number, &question, kind, Duration::ZERO);
        }
        if self.strikes(Fault::StaleToken, 60) {
            let later = self.random.around(Duration::from_secs(8));
            self.repeat(index, number, &question, kind, later);
        }
        self.go_on(
            index,
            number,
            Todo::Answer {
                question: Box::new(question),
            },
            Duration::ZERO,
        );
    }

    /// The same answer as a chore of its own, which holds no slot.
    fn repeat(
        &mut self,
        index: usize,
        number: u64,
        question: &Question,
        kind: &Kind,
        wait: Duration,
    ) {
        let Some(mut chore) = self.workers[index].chores.get(&number).cloned() else {
            return;
        };
        *self.workers[index].busy.entry(chore.slot).or_default() += 1;
        chore.op = Some(self.ops.begin(kind.clone()));
        chore.todo = Todo::Answer {
            question: Box::new(question.clone()),
        };
        self.take_up(index, chore, wait);
    }

    /// The chore goes on with something else.
    fn go_on(&mut self, index: usize, number: u64, todo: Todo, wait: Duration) {
        let worker = &mut self.workers[index];
        if let Some(chore) = worker.chores.get_mut(&number) {
            chore.todo = todo;
            let stamp = worker.stamp;
            self.heap
                .put(self.now.after(wait), Event::Chore(stamp, number));
        }
    }

    fn chore_answered(&mut self, index: usize, number: u64, reply: Reply) {
        let Some(chore) = self.workers[index].chores.get_mut(&number) else {
            return;
        };
        let unclear = is_unclear(&reply);
        if unclear && chore.tries < TRIES {
            chore.tries += 1;
            let wait = Duration::from_millis(200) * chore.tries * chore.tries;
            let todo = chore.todo.clone();
            return self.go_on(index, number, todo, wait);
        }
        let chore = chore.clone();
        if let Some(op) = chore.op {
            let outcome = match &reply {
                _ if unclear => Outcome::InDoubt,
                Reply::Refused(_) => Outcome::Refused,
                _ => Outcome::Acked,
            };
            // Refused behind a try without answer: perhaps it was that one which did it.
            let outcome = if outcome == Outcome::Refused && chore.tries > 0 {
                Outcome::InDoubt
            } else {
                outcome
            };
            self.ops.end(op, outcome);
        }
        match (chore.todo.clone(), reply) {
            (Todo::Fetch { task }, Reply::History { events, .. }) => {
                let upto = task.response.started_event_id;
                let events = events
                    .into_iter()
                    .filter(|event| event.event_id <= upto)
                    .collect();
                return self.go_on(
                    index,
                    number,
                    Todo::Workflow { task, events },
                    Duration::ZERO,
                );
            }
            (
                Todo::Beat { task, token, beats },
                Reply::Answered {
                    answer:
                        Answer::Heartbeat {
                            cancel_requested, ..
                        },
                    ..
                },
            ) => {
                if cancel_requested {
                    let identity = self.workers[index].identity();
                    let question = Question::CancelActivity(
                        token,
                        CancelActivity {
                            details: None,
                            identity,
                        },
                    );
                    let kind = Kind::CancelActivity;
                    return self.answer_with(index, number, question, &kind);
                }
                let todo = Todo::Activity {
                    task,
                    token,
                    beats: beats + 1,
                };
                let wait = self.random.around(Duration::from_secs(2));
                return self.go_on(index, number, todo, wait);
            }
            (
                Todo::Answer { .. },
                Reply::Answered {
                    answer: Answer::WorkflowTaskCompleted(completed),
                    events,
                },
            ) => {
                if let Some(task) = completed.workflow_task {
                    *self.workers[index].busy.entry(chore.slot).or_default() += 1;
                    let todo = Todo::Workflow { task, events };
                    let wait = self.work_time(&todo);
                    self.take_up(
                        index,
                        Chore {
                            todo,
                            tries: 0,
                            op: None,
                            ..chore.clone()
                        },
                        wait,
                    );
                }
            }
            _ => {}
        }
        self.workers[index].chores.remove(&number);
        self.done(index, chore.slot);
    }

    /// The worker process is gone with all it had in hand.
    pub(crate) fn worker_dies(&mut self, index: usize) {
        let ops: BTreeSet<usize> = self.workers[index]
            .chores
            .values()
            .filter_map(|chore| chore.op)
            .collect();
        for op in ops {
            self.ops.end(op, Outcome::InDoubt);
        }
        let stamp = self.workers[index].stamp;
        let next = Stamp {
            generation: stamp.generation + 1,
            ..stamp
        };
        self.workers[index] = Worker {
            up: false,
            ..Worker::new(next)
        };
    }

    pub(crate) fn worker_comes_back(&mut self, index: usize) {
        self.workers[index].up = true;
        self.poll_soon(index, Duration::ZERO);
    }
}

/// Nobody can tell whether it happened, or it should be tried again.
pub(crate) fn is_unclear(reply: &Reply) -> bool {
    matches!(
        reply,
        Reply::NotHere | Reply::Refused(Refusal::Unavailable(_) | Refusal::Busy(_))
    )
}
