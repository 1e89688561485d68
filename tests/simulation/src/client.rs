//! Clients: one question after the other, repeated under the same request id until it is answered or given up.

use std::collections::VecDeque;
use std::time::Duration;

use cairn_history::execution::{Answer, Question, RequestCancel, Signal, Start, Terminate};
use cairn_history::id::{Key, RunId};
use cairn_history::search_attribute::Registry;
use cairn_proto::temporal::api::enums::v1::{WorkflowIdConflictPolicy, WorkflowIdReusePolicy};

use crate::event::{Body, Call, CallId, Envelope, Event, Place, Reply};
use crate::judge::{Kind, Outcome};
use crate::reads::{self, Seen};
use crate::shape::{QUEUE, Shape, payloads};
use crate::worker::{NAMESPACE, is_unclear};
use crate::world::World;

mod operate;
mod reset;
mod update;

use update::Updating;
pub(crate) use update::said;

/// What a payload may have here: small, so that it is cheap to have more.
pub(crate) const BLOB_BYTES_MAX: usize = 300;
const RPC: Duration = Duration::from_secs(8);

#[derive(Debug, Default)]
pub(crate) struct Client {
    doing: Option<Doing>,
    nth: u64,
    /// What it has started, for questions about a run.
    known: Vec<(Key, RunId)>,
    /// Those of them that want to be updated, and the updates that it has sent.
    updated: Vec<(Key, RunId)>,
    updates: Vec<Updating>,
    /// Where runs can be reset to, as their histories told: the last events to keep.
    points: VecDeque<(Key, RunId, i64)>,
}

#[derive(Clone, Debug)]
struct Doing {
    call: Call,
    op: usize,
    id: CallId,
    tries: u32,
    /// What the answer must show.
    seen: Option<Seen>,
    /// An update is asked for anew each time.
    updating: Option<Updating>,
}

/// What a client has thought of.
struct Drawn {
    call: Call,
    kind: Kind,
    updating: Option<Updating>,
}

impl From<(Call, Kind)> for Drawn {
    fn from((call, kind): (Call, Kind)) -> Self {
        Self {
            call,
            kind,
            updating: None,
        }
    }
}

impl World {
    /// The client asks the next question, or the last one again.
    pub(crate) fn client_steps(&mut self, index: usize) {
        if let Some(doing) = self.clients[index].doing.clone() {
            return self.client_asks(index, doing);
        }
        let drawn = if self.healed {
            match self.let_go_on(index) {
                Some(drawn) => drawn,
                None => return,
            }
        } else {
            self.clients[index].nth += 1;
            self.draw(index)
        };
        let Drawn {
            call,
            kind,
            updating,
        } = drawn;
        let op = self.ops.begin(kind);
        let id = CallId(0);
        self.client_asks(
            index,
            Doing {
                call,
                op,
                id,
                tries: 0,
                seen: None,
                updating,
            },
        );
    }

    fn client_asks(&mut self, index: usize, mut doing: Doing) {
        doing.tries += 1;
        doing.id = self.call_id();
        if let Some(updating) = doing.updating.as_ref().filter(|_| doing.tries > 1) {
            doing.call = updating.call(self.random.chance(500));
        }
        doing.seen = reads::asked(&doing.call, &self.ledger);
        let from = Place::Client(index);
        let to = Place::Node(self.random.index(self.nodes.len()));
        let body = Body::Call {
            call: Box::new(doing.call.clone()),
            passed_on: false,
        };
        self.send(Envelope {
            from,
            to,
            id: doing.id,
            body,
        });
        self.heap
            .put(self.now.after(RPC), Event::Expire(from, doing.id));
        self.clients[index].doing = Some(doing);
    }

    pub(crate) fn client_hears(&mut self, index: usize, id: CallId, reply: &Reply) {
        if self.glanced(id, reply) {
            return;
        }
        let Some(mut doing) = self.clients[index]
            .doing
            .clone()
            .filter(|doing| doing.id == id)
        else {
            return;
        };
        let is_early = doing.updating.as_mut().is_some_and(|it| !it.hears(reply));
        if is_early {
            self.ops.told(doing.op, heard(reply));
        }
        if is_early || is_unclear(reply) {
            // Whoever waits for an update behind the heal wants to know.
            let waits = self.healed && doing.updating.is_some();
            let gives_up =
                (doing.tries > 20 && !waits) || (!self.healed && self.random.chance(120));
            if !gives_up {
                let wait = self
                    .random
                    .around(Duration::from_millis(300) * doing.tries.min(8));
                self.heap.put(self.now.after(wait), Event::Client(index));
                // An answer that comes while it waits is not heard any more.
                self.clients[index].doing = Some(Doing {
                    id: CallId(0),
                    ..doing
                });
                return;
            }
            self.ops.end(doing.op, Outcome::InDoubt);
        } else {
            self.client_learns(index, &doing, reply);
        }
        self.clients[index].doing = None;
        let wait = self.random.around(self.plan.think);
        self.heap.put(self.now.after(wait), Event::Client(index));
    }

    fn client_learns(&mut self, index: usize, doing: &Doing, reply: &Reply) {
        reads::heard(doing.seen.as_ref(), reply, &mut self.ledger);
        match reply {
            Reply::Answered {
                answer: Answer::Started(started),
                ..
            } => {
                if let Call::Ask { key, question, .. } = &doing.call {
                    let client = &mut self.clients[index];
                    client.known.push((key.clone(), started.run));
                    if wants_updates(question) {
                        client.updated.push((key.clone(), started.run));
                    }
                }
            }
            Reply::History { run, open, events } => {
                if let Call::Read { key, .. } = &doing.call {
                    self.clients[index].sees_points(key, *run, events);
                }
                self.clients[index]
                    .known
                    .retain(|(_, known)| known != run || *open);
            }
            _ => {}
        }
        // Refused behind a try without answer: perhaps it was that one which did it.
        let outcome = match heard(reply) {
            Outcome::Refused if doing.tries > 1 => Outcome::InDoubt,
            heard => heard,
        };
        self.ops.end(doing.op, outcome);
    }

    fn draw(&mut self, index: usize) -> Drawn {
        let nth = self.clients[index].nth;
        let id = self.random.below(self.plan.ids);
        let mut key = Key {
            namespace: NAMESPACE,
            workflow_id: format!("w{id}"),
        };
        let known = self.clients[index].known.clone();
        let mut run = None;
        if !known.is_empty() && self.random.chance(500) {
            let (its, known) = self.random.pick(&known).clone();
            key = its;
            run = Some(known);
        }
        let request_id = format!("c{index}-{nth}");
        match self.random.below(100) {
            0..40 => self.draw_start(key, request_id).into(),
            40..62 => {
                let mut signal = signal(format!("c{index}"), &request_id);
                if self.random.chance(60) {
                    signal.input = Some(payloads(&format!(
                        "{request_id} {}",
                        "x".repeat(BLOB_BYTES_MAX)
                    )));
                }
                let kind = Kind::Signal {
                    client: index,
                    nth,
                    request_id,
                };
                (ask(key, run, None, Question::Signal(signal)), kind).into()
            }
            62..66 => {
                let cancel = RequestCancel {
                    reason: String::new(),
                    identity: String::new(),
                    request_id: request_id.clone(),
                    links: Vec::new(),
                    first_run: None,
                };
                (
                    ask(key, run, None, Question::RequestCancel(cancel)),
                    Kind::Cancel,
                )
                    .into()
            }
            66..68 => {
                let terminate = Terminate {
                    reason: request_id,
                    details: None,
                    identity: String::new(),
                    links: Vec::new(),
                    first_run: None,
                };
                (
                    ask(key, run, None, Question::Terminate(terminate)),
                    Kind::Terminate { run },
                )
                    .into()
            }
            68..72 => (ask(key, run, None, Question::Describe), Kind::Read).into(),
            72..84 => {
                let (updating, kind) = self.draw_update(index, key, run);
                self.clients[index].updates.push(updating.clone());
                Drawn {
                    call: updating.call(false),
                    kind,
                    updating: Some(updating),
                }
            }
            84..89 if !self.clients[index].points.is_empty() => {
                self.draw_reset(index, request_id).into()
            }
            89..93 if run.is_some() => self.draw_operation(key, run, request_id),
            _ => (Call::Read { key, run }, Kind::Read).into(),
        }
    }

    fn draw_start(&mut self, key: Key, request_id: String) -> (Call, Kind) {
        let shape = Shape::draw(&mut self.random);
        let conflict = *self.random.pick(&[
            WorkflowIdConflictPolicy::Unspecified,
            WorkflowIdConflictPolicy::Fail,
            WorkflowIdConflictPolicy::UseExisting,
            WorkflowIdConflictPolicy::TerminateExisting,
        ]);
        let signal = self
            .random
            .chance(100)
            .then(|| signal("start".to_owned(), &format!("{request_id}-signal")));
        let conflict = match conflict {
            WorkflowIdConflictPolicy::Fail if signal.is_some() => {
                WorkflowIdConflictPolicy::Unspecified
            }
            other => other,
        };
        let start = Start {
            request_id: request_id.clone(),
            identity: String::new(),
            workflow_type: shape.name(),
            task_queue: QUEUE.to_owned(),
            input: Some(payloads("input")),
            header: None,
            execution_timeout: shape.execution_timeout(),
            run_timeout: shape.run_timeout(),
            task_timeout: Duration::ZERO,
            reuse_policy: WorkflowIdReusePolicy::AllowDuplicate.into(),
            conflict_policy: conflict.into(),
            retry_policy: shape.retry_policy(),
            cron_schedule: shape.cron_schedule().to_owned(),
            continued_failure: None,
            last_completion_result: None,
            start_delay: if self.random.chance(50) {
                Duration::from_secs(5)
            } else {
                Duration::ZERO
            },
            memo: None,
            search_attributes: None,
            registry: Registry::default(),
            user_metadata: None,
            links: Vec::new(),
            callbacks: Vec::new(),
            namespace_name: String::new(),
            attach: None,
            versioning_override: None,
            priority: None,
            retention: self.plan.retention,
            eager: false,
            signal,
            parent: None,
        };
        let kind = Kind::Start {
            key: key.clone(),
            request_id: request_id.clone(),
        };
        (
            ask(
                key,
                None,
                Some(request_id),
                Question::Start(Box::new(start)),
            ),
            kind,
        )
    }
}

/// What an answer comes to, for the judge.
fn heard(reply: &Reply) -> Outcome {
    match reply {
        Reply::Refused(_) => Outcome::Refused,
        Reply::Answered {
            answer: Answer::Started(started),
            ..
        } => Outcome::Started {
            run: started.run,
            fresh: started.started,
        },
        Reply::Answered {
            answer: Answer::Signaled { run, .. },
            ..
        } => Outcome::Signaled { run: *run },
        Reply::Answered {
            answer: Answer::Updated(updated),
            ..
        } => update::outcome(updated),
        Reply::Reset(run) => Outcome::Reset { run: *run },
        _ => Outcome::Acked,
    }
}

fn wants_updates(question: &Question) -> bool {
    match question {
        Question::Start(start) => start.workflow_type.starts_with("updated"),
        _ => false,
    }
}

pub(crate) fn ask(
    key: Key,
    run: Option<RunId>,
    start_request_id: Option<String>,
    question: Question,
) -> Call {
    Call::Ask {
        key,
        run,
        start_request_id,
        question,
    }
}

fn signal(name: String, request_id: &str) -> Signal {
    Signal {
        name,
        input: Some(payloads(request_id)),
        header: None,
        identity: String::new(),
        request_id: request_id.to_owned(),
        links: Vec::new(),
    }
}
