//! One run of a workflow as a pure state machine: ask, apply, owe. One file (or folder) per feature.
//!
//! Deliberately absent: I/O, clocks, randomness, requests of the wire. Events are proto (they are the published language);
//! questions, refusals and state are our own types.

#![expect(
    clippy::disallowed_types,
    reason = "published messages hold hash maps; nothing here depends on their order"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "a run is handed over whole: it carries the one mutable borrow of its volatile part"
)]
#![expect(
    clippy::unnecessary_wraps,
    reason = "a way out is an outcome, also where it is always a step"
)]
#![expect(
    deprecated,
    reason = "what older workers and clients send is kept as it came"
)]

use std::collections::BTreeMap;

use cairn_proto::cairn::effect::v1::{Message, Outcome as Came};
use cairn_proto::cairn::record::v1::{Changes, change::Change};
use cairn_proto::prost::Message as _;
use cairn_proto::temporal::api::common::v1::{Payloads, Priority};
use cairn_proto::temporal::api::history::v1::{History, HistoryEvent};

use crate::id::{Key, RunId, Ticket, Time};
use crate::kind::{
    Answered, Context, Heartbeat, Illegal, Kind, Offer, Queue, Stop, Task, Unavailable, Work,
};
use crate::log::{Record, Row};
use crate::planted::{Fault, planted};
use crate::search_attribute::Term;

mod activity;
mod attach;
mod buffer;
mod callback;
mod cancel;
mod child;
mod close;
pub mod command;
mod continue_as_new;
pub mod cron;
mod delete;
mod describe;
mod effect;
mod external;
mod inbox;
mod limits;
mod marker;
mod options;
mod pause;
mod properties;
mod query;
mod question;
pub mod reset;
mod retry;
mod signal;
mod start;
mod state;
mod successor;
mod terminate;
#[cfg(test)]
mod tests;
mod timer;
mod transition;
pub mod update;
mod wire;
mod workflow_task;

pub use child::Parent;
pub use effect::{Effect, started_by};
pub use limits::Limits;
pub use options::check_paths;
pub use question::*;
pub use state::State;

/// The kind of run that workflows are.
#[derive(Debug)]
pub struct Workflow;

type Asked<'a> = crate::kind::Asked<'a, Workflow>;
type Run<'a> = crate::kind::Run<'a, Workflow>;
type Outcome = crate::kind::Outcome<Workflow>;
type Step = crate::kind::Step<Workflow>;
type Successor = crate::kind::Successor<Workflow>;
type Transition = crate::kind::Transition<Workflow>;

/// What a loaded run knows and never records.
#[derive(Debug, Default)]
pub struct Volatile {
    queries: BTreeMap<String, query::Waiting>,
    heartbeats: BTreeMap<i64, activity::Beat>,
    updates: update::Registry,
    /// A workflow task for updates alone.
    speculative: Option<workflow_task::Task>,
    /// No worker polls the sticky queue.
    sticky_unavailable: bool,
    /// Since when the run has been in memory: no heartbeat is missed before.
    since: Option<Time>,
    /// The last time at which what is owed was looked at.
    looked: Option<Time>,
}

impl Volatile {
    fn is_awake_at(&self, time: Time) -> bool {
        self.looked.is_some_and(|looked| looked >= time)
    }

    /// The last sign of life of an attempt that was started at `started`.
    fn last_beat(&self, scheduled_event_id: i64, started: Time) -> Time {
        let beat = self
            .heartbeats
            .get(&scheduled_event_id)
            .and_then(|beat| beat.time);
        [beat, self.since]
            .into_iter()
            .flatten()
            .fold(started, Time::max)
    }

    /// What an activity said is forgotten, wherever it is.
    fn forget(&mut self, scheduled_event_id: i64) -> Heartbeat {
        self.heartbeats.remove(&scheduled_event_id);
        Heartbeat {
            scheduled_event_id,
            details: bytes::Bytes::new(),
        }
    }

    /// An activity has closed; its register, if there is one, is emptied.
    fn forget_register(&mut self, scheduled_event_id: i64) -> Option<Heartbeat> {
        let beat = self.heartbeats.remove(&scheduled_event_id)?;
        beat.details.map(|_| Heartbeat {
            scheduled_event_id,
            details: bytes::Bytes::new(),
        })
    }
}

impl Kind for Workflow {
    type State = State;
    type Volatile = Volatile;
    type Question = Question;
    type Answer = Answer;
    type Refusal = Refusal;
    type Effect = Effect;
    type Message = Message;
    type Outcome = Came;

    fn ask(asked: Asked<'_>, question: &Question, context: &mut Context<'_>) -> Outcome {
        let mut over = None;
        let mut step = as_seen(asked, &mut over, context, |asked, context| {
            ask(asked, question, context)
        })?;
        if let Some(why) = over {
            let refusal = match question {
                // Matching hears that there is no such task any more.
                Question::StartWorkflowTask(_) | Question::StartActivity(_) => {
                    Refusal::NoSuchTask(why)
                }
                _ => Refusal::HistoryLimit(why),
            };
            let answered = Answered {
                result: Err(refusal),
                reads: None,
            };
            step.answers.push((context.ticket, answered));
        }
        Ok(step)
    }

    fn wake(asked: Asked<'_>, context: &mut Context<'_>) -> Outcome {
        let Some(run) = asked.run else {
            return refuse(no_such_workflow(context));
        };
        run.volatile.since.get_or_insert(context.now);
        run.volatile.looked = Some(context.now);
        if !run.state.is_open() {
            return callback::wake(&run, context);
        }
        let asked = Asked {
            run: Some(run),
            ..asked
        };
        as_seen(asked, &mut None, context, |asked, context| {
            let Some(run) = asked.run else {
                return Ok(step_of(None));
            };
            if close::deadline(run.state).is_some_and(|time| time <= context.now) {
                end_by_time(run, asked.events, context)
            } else {
                what_is_due(run, context)
            }
        })
    }

    fn apply(state: Option<State>, run: RunId, record: &Record) -> Result<State, Illegal> {
        let illegal = |_| Illegal("a record that cannot be decoded".to_owned());
        let events = History::decode(record.events.clone())
            .map_err(illegal)?
            .events;
        let changes = Changes::decode(record.changes.clone())
            .map_err(illegal)?
            .changes;
        let mut changes = changes.into_iter().peekable();
        let mut events = events.into_iter();
        let mut applied = 0;
        let mut state = if let Some(state) = state {
            state
        } else {
            let opened = changes.next().and_then(|it| it.change);
            let (Some(Change::Opened(opened)), Some(event)) = (opened, events.next()) else {
                return Err(Illegal("a run that does not begin with a start".to_owned()));
            };
            applied = 1;
            State::open(run, &opened, &event)?
        };
        loop {
            while let Some(change) = changes.next_if(|it| it.position <= applied) {
                let change = change
                    .change
                    .ok_or_else(|| Illegal("a change of an unknown kind".to_owned()))?;
                if planted(Fault::BufferedEventDropped) && matches!(change, Change::Buffered(_)) {
                    continue;
                }
                state.change(&change, record.time)?;
            }
            let Some(event) = events.next() else {
                break;
            };
            state.event(&event)?;
            applied += 1;
        }
        if changes.next().is_some() {
            return Err(Illegal("a change behind the end of its record".to_owned()));
        }
        state.transitions += 1;
        Ok(state)
    }

    fn owe(state: &State, volatile: &Volatile, now: Time) -> Vec<Offer> {
        if !state.is_open() {
            return Vec::new();
        }
        owed_workflow_task(&workflow_task::seen(state, volatile), volatile)
            .into_iter()
            .chain(activity::owed(state, now))
            .collect()
    }

    fn effects(state: &State) -> Vec<Effect> {
        effect::effects(state)
    }

    fn message(
        state: &State,
        effect: &Effect,
        events: &[HistoryEvent],
    ) -> Result<Message, Stop<Refusal>> {
        effect::message(state, *effect, events)
    }

    fn delivered(
        asked: Asked<'_>,
        effect: &Effect,
        outcome: &Came,
        context: &mut Context<'_>,
    ) -> Outcome {
        as_seen(asked, &mut None, context, |asked, context| {
            effect::delivered(asked, *effect, outcome, context)
        })
    }

    fn next_wake(state: &State, volatile: &Volatile) -> Option<Time> {
        if let Some(closed) = &state.closed {
            let gone = close::gone_at(state, closed);
            return Some(state.callbacks.next_wake().map_or(gone, |at| at.min(gone)));
        }
        [
            close::deadline(state),
            workflow_task::deadline(&workflow_task::seen(state, volatile).task, volatile),
            workflow_task::backoff_end(state),
            state.timers.next_wake(),
            activity::next_deadline(&state.activities, volatile),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn is_open(state: &State) -> bool {
        state.is_open()
    }

    fn expired(state: &State, now: Time) -> bool {
        state
            .closed
            .as_ref()
            .is_some_and(|closed| close::gone_at(state, closed) <= now)
            && effect::effects(state).is_empty()
    }

    fn key(state: &State) -> Key {
        Key {
            namespace: state.origin.namespace,
            workflow_id: state.origin.workflow_id.clone(),
        }
    }

    fn next_event_id(state: &State) -> i64 {
        state.next_event_id
    }

    fn row(state: &State) -> Row {
        describe::row(state)
    }

    fn terms(state: &State) -> Vec<Term> {
        describe::terms(state)
    }

    fn encode(state: &State) -> Vec<u8> {
        state.encode()
    }

    fn decode(snapshot: &[u8]) -> Option<State> {
        State::decode(snapshot)
    }

    fn restore_heartbeats(volatile: &mut Volatile, heartbeats: &[Heartbeat]) {
        for heartbeat in heartbeats {
            if let Ok(details) = Payloads::decode(heartbeat.details.clone())
                && !heartbeat.details.is_empty()
            {
                let beat = volatile
                    .heartbeats
                    .entry(heartbeat.scheduled_event_id)
                    .or_default();
                beat.details = Some(details);
            }
        }
    }

    fn unavailable(why: Unavailable) -> Refusal {
        Refusal::Unavailable(why)
    }
}

/// Does something with a run as it is seen, with its speculative workflow task, and settles what that means to updates. What would
/// bring its history over the limits is not done, but ends it; `over` says so.
fn as_seen(
    asked: Asked<'_>,
    over: &mut Option<String>,
    context: &mut Context<'_>,
    act: impl FnOnce(Asked<'_>, &mut Context<'_>) -> Outcome,
) -> Outcome {
    let Some(run) = asked.run else {
        return act(asked, context);
    };
    run.volatile.since.get_or_insert(context.now);
    let seen = workflow_task::seen(run.state, run.volatile);
    let asked = Asked {
        run: Some(Run {
            id: run.id,
            state: &seen,
            volatile: &mut *run.volatile,
        }),
        ..asked
    };
    let mut step = match act(asked, context) {
        Err(Stop::Refused(Refusal::HistoryLimit(why))) => {
            let run = Run {
                id: run.id,
                state: &seen,
                volatile: &mut *run.volatile,
            };
            let step = terminate::over_the_limit(run, &why, context)?;
            *over = Some(why);
            step
        }
        done => done?,
    };
    update::settle(run, &seen, &mut step, context.now);
    Ok(step)
}

/// Asks a run as it is seen.
fn ask(asked: Asked<'_>, question: &Question, context: &mut Context<'_>) -> Outcome {
    match question {
        Question::Start(question) => return start::start(asked, question, context),
        Question::UpdateWithStart(question) => {
            return update::with_start(asked, question, context);
        }
        Question::Deliver(message) => return effect::receive(asked, message, context),
        _ => {}
    }
    let events = asked.events;
    let Some(run) = asked.run else {
        return refuse(no_such_workflow(context));
    };
    match question {
        Question::Start(_) | Question::UpdateWithStart(_) | Question::Deliver(_) => {
            refuse(no_such_workflow(context))
        }
        Question::Signal(it) => signal::signal(run, it, context),
        Question::RequestCancel(it) => cancel::request(run, it, context),
        Question::Terminate(it) => terminate::terminate(run, it, context),
        Question::UpdateOptions(it) => options::update(run, it, context),
        Question::Pause(it) => pause::pause(run, it, context),
        Question::Unpause(it) => pause::unpause(run, it, context),
        Question::Delete => delete::delete(run, context),
        Question::Reset(it) => reset::reset(run, it, events, context),
        Question::ResetTo(to) => reset::point_to(run, *to, context),
        Question::StartWorkflowTask(it) => workflow_task::start(run, it, context),
        Question::CompleteWorkflowTask(it) => workflow_task::complete(events, run, it, context),
        Question::FailWorkflowTask(it) => workflow_task::fail(run, it, context),
        Question::StartActivity(it) => activity::start(run, it, context),
        Question::CompleteActivity(token, it) => activity::complete(run, token, it, context),
        Question::FailActivity(token, it) => activity::fail(run, token, it, context),
        Question::CancelActivity(token, it) => activity::cancel(run, token, it, context),
        Question::OperateActivities(it) => activity::operate(run, it, context),
        Question::Heartbeat(token, it) => activity::heartbeat(run, token, it, context),
        Question::Query(it) => query::query(run, it, context),
        Question::Update(it) => update::update(events, run, it, context),
        Question::PollUpdate(it) => update::poll(events, run, it, context),
        Question::StopWaiting(it) => update::stop_waiting(events, run, *it, context),
        Question::ForgetQuery(ticket) => {
            run.volatile.forget_query(*ticket);
            answer_now(context.ticket, Answer::Done)
        }
        Question::StickyWorkerUnavailable => {
            run.volatile.sticky_unavailable = true;
            if let Some(task) = &mut run.volatile.speculative
                && task.started.is_none()
            {
                task.sticky = None;
            }
            answer_now(context.ticket, Answer::Done)
        }
        Question::ResetSticky => workflow_task::reset_sticky(run, context),
        Question::Describe => {
            let described = describe::describe(&run, context.now);
            answer_now(context.ticket, Answer::Described(Box::new(described)))
        }
        Question::Position => answer_now(
            context.ticket,
            Answer::Position(Position {
                run: run.id,
                next_event_id: run.state.next_event_id,
                open: run.state.is_open(),
                suffix: workflow_task::pending_suffix(run.state),
            }),
        ),
    }
}

fn what_is_due(run: Run<'_>, context: &mut Context<'_>) -> Result<Step, Stop<Refusal>> {
    let mut draft = transition::Draft::new(run.state, context.now, context.limits);
    workflow_task::time_out(&mut draft, &run.state.task, run.volatile);
    timer::fire(&mut draft);
    let heartbeats = activity::time_out(&mut draft, run.volatile);
    let backoff = run.state.task.backoff_until;
    if backoff.is_some_and(|until| until <= context.now) {
        draft.keep_task();
    }
    workflow_task::end_backoff(&mut draft);
    let transition = draft.finish().map_err(Stop::Refused)?;
    Ok(Step {
        heartbeats,
        ..step_of(transition)
    })
}

fn end_by_time(run: Run<'_>, events: &[HistoryEvent], context: &mut Context<'_>) -> Outcome {
    let mut draft = transition::Draft::ending(run.state, context);
    let successor = match close::time_out(&mut draft, events, context) {
        Ok(successor) => successor,
        Err(command::Bad::Needs(ids)) => return Err(Stop::Needs(ids)),
        Err(command::Bad::Refused(refusal)) => return refuse(refusal),
        Err(command::Bad::Task(_, text) | command::Bad::Run(_, text)) => {
            return refuse(Refusal::Invalid(text));
        }
    };
    let transition = draft.finish().map_err(Stop::Refused)?;
    let mut step = step_of(transition);
    if let Some(transition) = &step.transition {
        step.answers = query::released(run.volatile, &transition.state, run.id);
    }
    step.successor = successor;
    Ok(step)
}

fn owed_workflow_task(state: &State, volatile: &Volatile) -> Option<Offer> {
    let task = state.task.current.as_ref()?;
    if task.started.is_some() {
        return None;
    }
    let sticky = task
        .sticky
        .as_ref()
        .filter(|_| !volatile.sticky_unavailable);
    let normal = &state.origin.task_queue;
    Some(Offer {
        queue: Queue {
            namespace: state.origin.namespace,
            name: sticky.map_or(normal, |(queue, _)| queue).clone(),
            work: Work::Workflow,
            sticky_of: sticky.map(|_| normal.clone()),
        },
        task: Task {
            work: Work::Workflow,
            scheduled_event_id: task.scheduled_event_id,
            attempt: state.task.attempt,
        },
        priority: priority(state.origin.priority.as_ref()),
        time: task.scheduled_time,
    })
}

/// The priority of a task, 1 to 5; unset is the middle.
fn priority(priority: Option<&Priority>) -> u8 {
    match priority.map_or(0, |it| it.priority_key) {
        key if key <= 0 => 3,
        key => u8::try_from(key).unwrap_or(5).min(5),
    }
}

/// A priority as a state keeps it: a state must equal itself, so what is not a number is none.
fn kept(priority: Option<&Priority>) -> Option<Priority> {
    let mut kept = priority.cloned()?;
    if kept.fairness_weight.is_nan() {
        kept.fairness_weight = 0.0;
    }
    Some(kept)
}

/// What a priority leaves unsaid is as that of the workflow it comes from.
fn inherited(of_workflow: Option<&Priority>, own: Option<&Priority>) -> Option<Priority> {
    let (Some(whole), Some(own)) = (of_workflow, own) else {
        return own.or(of_workflow).cloned();
    };
    let mut inherited = own.clone();
    if inherited.priority_key == 0 {
        inherited.priority_key = whole.priority_key;
    }
    if inherited.fairness_key.is_empty() {
        inherited.fairness_key.clone_from(&whole.fairness_key);
    }
    if inherited.fairness_weight == 0.0 {
        inherited.fairness_weight = whole.fairness_weight;
    }
    Some(inherited)
}

fn check_priority(priority: &Priority) -> Result<(), String> {
    if priority.priority_key < 0 {
        return Err("priority key can't be negative".to_owned());
    }
    if priority.fairness_key.len() > 64 {
        return Err("fairness key length exceeds limit".to_owned());
    }
    if priority.fairness_weight < 0.0 {
        return Err("must be greater than zero".to_owned());
    }
    Ok(())
}

fn payload_size(payloads: Option<&Payloads>) -> usize {
    payloads.map_or(0, Payloads::encoded_len)
}

fn no_such_workflow(context: &Context<'_>) -> Refusal {
    Refusal::NoSuchWorkflow(format!(
        "workflow not found for ID: {}",
        context.key.workflow_id
    ))
}

fn refuse(refusal: Refusal) -> Outcome {
    Err(Stop::Refused(refusal))
}

fn step_of(transition: Option<Transition>) -> Step {
    Step {
        transition,
        successor: None,
        answers: Vec::new(),
        heartbeats: Vec::new(),
    }
}

fn step(transition: Option<Transition>, ticket: Ticket, answered: Answered<Workflow>) -> Outcome {
    Ok(Step {
        answers: vec![(ticket, answered)],
        ..step_of(transition)
    })
}

fn answer(ticket: Ticket, answered: Answered<Workflow>) -> Outcome {
    step(None, ticket, answered)
}

fn answer_step(transition: Option<Transition>, ticket: Ticket, answer: Answer) -> Step {
    Step {
        answers: vec![(
            ticket,
            Answered {
                result: Ok(answer),
                reads: None,
            },
        )],
        ..step_of(transition)
    }
}

fn answer_now(ticket: Ticket, answer: Answer) -> Outcome {
    Ok(answer_step(None, ticket, answer))
}
