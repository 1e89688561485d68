//! A toy kind: a counter with a timer, tasks, waiting askers and successors. Small enough to see through, and it uses all that
//! a shard offers a kind.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use serde::{Deserialize, Serialize};

use crate::id::{Key, NamespaceId, RunId, Ticket, Time};
use crate::kind::{
    Answered, Asked, Context, Heartbeat, Illegal, Kind, Offer, Outcome, Queue, Step, Stop,
    Successor, Task, Transition, Unavailable, Work,
};
use crate::log::{Record, Row};
use crate::search_attribute::Term;

pub(super) const RETENTION: Duration = Duration::from_secs(100);

#[derive(Debug)]
pub(super) struct Toy;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    run: RunId,
    namespace: NamespaceId,
    workflow_id: String,
    request: String,
    pub(super) value: i64,
    next_event: i64,
    closed: Option<Time>,
    timer: Option<Time>,
    tasks: BTreeMap<i64, (String, u8, Time)>,
    /// What is owed to others, by the event that asked for it.
    pub(super) owed: BTreeSet<i64>,
    pub(super) seen: BTreeSet<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Change {
    Begin(NamespaceId, String, String),
    Add(i64, String),
    Timer(Option<Time>),
    Task(i64, String, u8, Time),
    Took(i64),
    Owe(i64),
    Told(i64),
    Close(Time),
    /// A record that no state can take.
    Nonsense,
}

#[derive(Clone, Debug)]
pub(super) enum Question {
    Start {
        request: String,
        terminate: bool,
    },
    Add {
        n: i64,
        request: String,
    },
    Get,
    History(Range<i64>),
    Wait,
    /// Judged by the `task_id` of an event.
    Recall(i64),
    Fill(usize),
    Offer {
        queue: &'static str,
        priority: u8,
    },
    Take(i64),
    /// Owes something to another run.
    Owe,
    Timer(Time),
    /// Volatile: wake at this time though the log knows of none.
    Alarm(Time),
    Beat(&'static str),
    Close,
    Next,
    Break,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Run(RunId),
    Value(RunId, i64),
    Recalled(i64),
    Done,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Refusal {
    NotFound,
    Running(RunId),
    Closed,
    Unlucky,
    Unavailable(Unavailable),
}

#[derive(Debug, Default)]
pub(super) struct Volatile {
    waiting: Vec<Ticket>,
    alarm: Option<Time>,
    pub(super) beats: Vec<Heartbeat>,
}

impl State {
    fn change(&mut self, change: &Change) -> Result<(), Illegal> {
        match change.clone() {
            Change::Begin(namespace, workflow_id, request) => {
                self.namespace = namespace;
                self.workflow_id = workflow_id;
                self.request = request;
                self.next_event = 1;
            }
            Change::Add(n, request) => {
                self.value += n;
                self.seen.insert(request);
            }
            Change::Timer(timer) => self.timer = timer,
            Change::Task(id, queue, priority, time) => {
                self.tasks.insert(id, (queue, priority, time));
            }
            Change::Took(id) => {
                self.tasks.remove(&id);
            }
            Change::Owe(id) => {
                self.owed.insert(id);
            }
            Change::Told(id) => {
                self.owed.remove(&id);
            }
            Change::Close(time) => {
                self.closed = Some(time);
                self.timer = None;
                self.tasks.clear();
            }
            Change::Nonsense => return Err(Illegal("nonsense".to_owned())),
        }
        Ok(())
    }
}

pub(super) fn queue(name: &str) -> Queue {
    Queue {
        namespace: NamespaceId([1; 16]),
        name: name.to_owned(),
        work: Work::Activity,
        sticky_of: None,
    }
}

/// One transition with `count` events.
fn transition(
    state: Option<&State>,
    run: RunId,
    now: Time,
    changes: &[Change],
    count: usize,
) -> Transition<Toy> {
    let mut state = state.cloned().unwrap_or_default();
    state.run = run;
    let visible = changes
        .iter()
        .any(|change| matches!(change, Change::Begin(..)));
    for change in changes
        .iter()
        .filter(|change| !matches!(change, Change::Nonsense))
    {
        state.change(change).unwrap();
    }
    let first_event_id = state.next_event;
    let events: Vec<HistoryEvent> = (first_event_id..)
        .take(count)
        .map(|event_id| HistoryEvent {
            event_id,
            task_id: event_id * 10,
            ..HistoryEvent::default()
        })
        .collect();
    state.next_event += i64::try_from(count).unwrap();
    Transition {
        state,
        time: now,
        first_event_id,
        events,
        changes: Bytes::from(postcard::to_stdvec(changes).unwrap()),
        visible,
        searchable: false,
    }
}

fn answered(answer: Answer, reads: Option<(RunId, Range<i64>)>) -> Answered<Toy> {
    Answered {
        result: Ok(answer),
        reads,
    }
}

fn step(ticket: Ticket, answer: Answer) -> Step<Toy> {
    Step {
        transition: None,
        successor: None,
        answers: vec![(ticket, answered(answer, None))],
        heartbeats: Vec::new(),
    }
}

fn begin(context: &mut Context<'_>, request: &str) -> Successor<Toy> {
    let run = context.entropy.run_id(context.now);
    let key = context.key;
    let begin = Change::Begin(key.namespace, key.workflow_id.clone(), request.to_owned());
    let transition = transition(None, run, context.now, &[begin], 1);
    Successor {
        run,
        behind: Vec::new(),
        transition,
        volatile: Volatile::default(),
    }
}

fn start(
    asked: &Asked<'_, Toy>,
    request: &str,
    terminate: bool,
    context: &mut Context<'_>,
) -> Outcome<Toy> {
    if let Some(row) = asked.repeated {
        return Ok(step(context.ticket, Answer::Run(row.run)));
    }
    let open = asked.run.as_ref().filter(|run| run.state.closed.is_none());
    let ended = match open {
        Some(run) if !terminate => return Err(Stop::Refused(Refusal::Running(run.id))),
        Some(run) => {
            let close = [Change::Close(context.now)];
            Some(transition(Some(run.state), run.id, context.now, &close, 1))
        }
        None => None,
    };
    let successor = begin(context, request);
    let mut step = step(context.ticket, Answer::Run(successor.run));
    step.transition = ended;
    step.successor = Some(successor);
    Ok(step)
}

impl Kind for Toy {
    type State = State;
    type Volatile = Volatile;
    type Question = Question;
    type Answer = Answer;
    type Refusal = Refusal;
    type Effect = i64;
    type Message = i64;
    type Outcome = bool;

    fn ask(
        asked: Asked<'_, Self>,
        question: &Question,
        context: &mut Context<'_>,
    ) -> Outcome<Self> {
        let (now, ticket) = (context.now, context.ticket);
        if let Question::Start { request, terminate } = question {
            return start(&asked, request, *terminate, context);
        }
        let events = asked.events;
        let Some(run) = asked.run else {
            return Err(Stop::Refused(Refusal::NotFound));
        };
        let (id, state) = (run.id, run.state);
        let mut answer = step(ticket, Answer::Done);
        let (changes, count) = match question {
            Question::Start { .. } => unreachable!("answered above"),
            Question::Get => return Ok(step(ticket, Answer::Value(id, state.value))),
            Question::History(range) => {
                answer.answers[0].1.reads = Some((id, range.clone()));
                return Ok(answer);
            }
            Question::Wait => {
                run.volatile.waiting.push(ticket);
                answer.answers.clear();
                return Ok(answer);
            }
            Question::Alarm(time) => {
                run.volatile.alarm = Some(*time);
                return Ok(answer);
            }
            Question::Beat(details) => {
                answer.heartbeats = vec![Heartbeat {
                    scheduled_event_id: 1,
                    details: Bytes::from_static(details.as_bytes()),
                }];
                return Ok(answer);
            }
            Question::Recall(id) => {
                let event = events.iter().find(|event| event.event_id == *id);
                let Some(event) = event else {
                    return Err(Stop::Needs(vec![*id]));
                };
                return Ok(step(ticket, Answer::Recalled(event.task_id)));
            }
            Question::Add { request, .. } if state.seen.contains(request) => {
                return Ok(step(ticket, Answer::Value(id, state.value)));
            }
            _ if state.closed.is_some() => return Err(Stop::Refused(Refusal::Closed)),
            Question::Add { n: 13, .. } => return Err(Stop::Refused(Refusal::Unlucky)),
            Question::Add { n, request } => (vec![Change::Add(*n, request.clone())], 1),
            Question::Fill(count) => (vec![], *count),
            Question::Offer { queue, priority } => {
                let task = Change::Task(state.next_event, (*queue).to_owned(), *priority, now);
                (vec![task], 1)
            }
            Question::Take(task) if !state.tasks.contains_key(task) => {
                return Err(Stop::Refused(Refusal::NotFound));
            }
            Question::Take(task) => (vec![Change::Took(*task)], 1),
            Question::Owe => (vec![Change::Owe(state.next_event)], 1),
            Question::Timer(time) => (vec![Change::Timer(Some(*time))], 1),
            Question::Close | Question::Next => (vec![Change::Close(now)], 1),
            Question::Break => (vec![Change::Nonsense], 0),
        };
        let moved = transition(Some(state), id, now, &changes, count);
        let value = Answer::Value(id, moved.state.value);
        answer.answers[0].1.result = Ok(value.clone());
        for other in run.volatile.waiting.drain(..) {
            answer.answers.push((other, answered(value.clone(), None)));
        }
        answer.transition = Some(moved);
        if matches!(question, Question::Next) {
            answer.successor = Some(begin(context, ""));
        }
        Ok(answer)
    }

    fn wake(asked: Asked<'_, Self>, context: &mut Context<'_>) -> Outcome<Self> {
        let mut step = step(context.ticket, Answer::Done);
        step.answers.clear();
        let Some(run) = asked.run else {
            return Ok(step);
        };
        if run.volatile.alarm.is_some_and(|time| time <= context.now) {
            run.volatile.alarm = None;
        }
        if run.state.timer.is_some_and(|time| time <= context.now) {
            let fired = [Change::Timer(None), Change::Add(1000, "timer".to_owned())];
            let moved = transition(Some(run.state), run.id, context.now, &fired, 1);
            step.transition = Some(moved);
        }
        Ok(step)
    }

    fn apply(state: Option<State>, run: RunId, record: &Record) -> Result<State, Illegal> {
        let changes: Vec<Change> =
            postcard::from_bytes(&record.changes).map_err(|error| Illegal(error.to_string()))?;
        let mut state = state.unwrap_or_default();
        state.run = run;
        for change in &changes {
            match change {
                // The live side took it, so that only a load finds out.
                Change::Nonsense if LIVE.get() => {}
                change => state.change(change)?,
            }
        }
        if record.first_event_id != state.next_event {
            return Err(Illegal(format!(
                "event {} is not next",
                record.first_event_id
            )));
        }
        state.next_event += i64::from(record.event_count);
        Ok(state)
    }

    fn owe(state: &State, _volatile: &Volatile, _now: Time) -> Vec<Offer> {
        let tasks = state.tasks.iter();
        tasks
            .map(|(id, (name, priority, time))| Offer {
                queue: queue(name),
                task: Task {
                    work: Work::Activity,
                    scheduled_event_id: *id,
                    attempt: 1,
                },
                priority: *priority,
                time: *time,
            })
            .collect()
    }

    fn effects(state: &State) -> Vec<i64> {
        state.owed.iter().copied().collect()
    }

    fn message(
        _state: &State,
        effect: &i64,
        events: &[HistoryEvent],
    ) -> Result<i64, Stop<Refusal>> {
        let event = events.iter().find(|event| event.event_id == *effect);
        event
            .map(|event| event.task_id)
            .ok_or_else(|| Stop::Needs(vec![*effect]))
    }

    /// An outcome that is false cannot be recorded now.
    fn delivered(
        asked: Asked<'_, Self>,
        effect: &i64,
        outcome: &bool,
        context: &mut Context<'_>,
    ) -> Outcome<Self> {
        if !outcome {
            return Err(Stop::Refused(Refusal::Unlucky));
        }
        let mut step = step(context.ticket, Answer::Done);
        step.answers.clear();
        let run = asked.run.filter(|run| run.state.owed.contains(effect));
        step.transition = run.map(|run| {
            let told = [Change::Told(*effect)];
            transition(Some(run.state), run.id, context.now, &told, 0)
        });
        Ok(step)
    }

    fn next_wake(state: &State, volatile: &Volatile) -> Option<Time> {
        match state.closed {
            Some(time) => Some(time.after(RETENTION)),
            None => state.timer.into_iter().chain(volatile.alarm).min(),
        }
    }

    fn is_open(state: &State) -> bool {
        state.closed.is_none()
    }

    fn expired(state: &State, now: Time) -> bool {
        state
            .closed
            .is_some_and(|time| time.after(RETENTION) <= now)
    }

    fn key(state: &State) -> Key {
        Key {
            namespace: state.namespace,
            workflow_id: state.workflow_id.clone(),
        }
    }

    fn next_event_id(state: &State) -> i64 {
        state.next_event
    }

    fn row(state: &State) -> Row {
        Row {
            run: state.run,
            namespace: state.namespace,
            workflow_id: state.workflow_id.clone(),
            start_request_id: state.request.clone(),
            status: i32::from(state.closed.is_none()),
            close_time: state.closed,
            ..Row::default()
        }
    }

    fn terms(_: &State) -> Vec<Term> {
        Vec::new()
    }

    fn encode(state: &State) -> Vec<u8> {
        postcard::to_stdvec(state).unwrap()
    }

    fn decode(snapshot: &[u8]) -> Option<State> {
        postcard::from_bytes(snapshot).ok()
    }

    fn restore_heartbeats(volatile: &mut Volatile, heartbeats: &[Heartbeat]) {
        volatile.beats = heartbeats.to_vec();
    }

    fn unavailable(why: Unavailable) -> Refusal {
        Refusal::Unavailable(why)
    }
}

thread_local! {
    /// While true, nonsense is taken: what a bug of ours would do.
    pub(super) static LIVE: std::cell::Cell<bool> = const { std::cell::Cell::new(true) };
}
