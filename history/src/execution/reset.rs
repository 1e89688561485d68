//! A run goes on from an earlier point, under a new name: *reset*.
//!
//! The new run begins with the records of the base up to the end of one of them, which must leave a workflow task scheduled or started; a record that was written when such a task
//! ended is cut behind its Started. That task fails with
//! cause `RESET_WORKFLOW`; what had been sent to the base later, and to the runs that continued it, is sent again: signals, updates that had been accepted, changed options;
//! not requests to cancel. A fresh workflow task follows. The current run of the id ends for it. Activities that are pending at the point begin again, timers stay. Children that
//! had been asked for before the point are the new run's now, with what the base heard of them since; those asked for behind it are left to themselves.
//!
//! | run     | change or event          | becomes                                                   |
//! |---------|--------------------------|-----------------------------------------------------------|
//! | new     | `ResetFrom`              | a run of its own: start time, deadlines, activities anew  |
//! | new     | Failed (reset), what is applied again, Scheduled | as any run                        |
//! | base    | `ResetTo`                | the same; it shows which run goes on                      |
//! | current | Terminated               | closed                                                    |
//!
//! Deliberately absent: reading the base (`procedure` says in which order). Whoever asks brings its records; what came to the current run since is asked of the shard.

mod procedure;

use std::sync::Arc;

use bytes::Bytes;
use cairn_proto::cairn::record::v1::{self as record, Changes, change::Change};
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::enums::v1::{
    UpdateAdmittedEventOrigin as Origin, WorkflowTaskFailedCause as Cause,
};
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{Failure, ResetWorkflowFailureInfo};
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    History, HistoryEvent, WorkflowExecutionSignaledEventAttributes,
    WorkflowExecutionUpdateAdmittedEventAttributes, WorkflowTaskFailedEventAttributes,
};
use cairn_proto::temporal::api::update::v1::Request;
use serde::{Deserialize, Serialize};

pub use procedure::{Asked, Next, Procedure};

use super::state::State;
use super::terminate::{self, SERVER_IDENTITY};
use super::transition::{Draft, Extra};
use super::workflow_task::{NOBODY, schedule_now, show, start_now};
use super::{
    Answer, Outcome, Refusal, Reset, Run, Successor, Volatile, Workflow, answer_now, answer_step,
    options, query, update, wire,
};
use crate::id::{RunId, Time};
use crate::kind::{Context, Kind, Stop, Unavailable};
use crate::log::Record;
use crate::planted::{Fault, planted};

/// Who ends the current run.
const RESETTER_IDENTITY: &str = "history-resetter";

/// What resets have to do with a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// It came of a reset, asked for by this request.
    pub(crate) request_id: Option<String>,
    /// It was reset: this run goes on.
    pub(crate) to: Option<RunId>,
}

impl Part {
    pub(crate) fn reset_to(&mut self, run: &[u8]) -> bool {
        self.to = run.try_into().ok().map(RunId);
        self.to.is_some()
    }
}

/// What is not sent again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    pub no_signals: bool,
    pub no_updates: bool,
    /// Nothing at all.
    pub nothing: bool,
}

/// The beginning of a run, as the beginning of another one.
#[derive(Clone, Debug)]
pub struct Fork {
    records: Vec<Record>,
    state: State,
    /// Whose the records are, if the base had them of another run.
    owner: Option<RunId>,
}

impl Fork {
    /// What `records` are up to event `last`, for the run `run`; and the events behind that.
    fn new(
        run: RunId,
        mut records: Vec<Record>,
        last: i64,
    ) -> Result<(Self, Vec<HistoryEvent>), Refusal> {
        let ends = |record: &Record| {
            record.event_count > 0
                && record.first_event_id + i64::from(record.event_count) - 1 == last
        };
        let (end, rest) = match records.iter().position(ends) {
            Some(end) => (end, Vec::new()),
            None => cut_one(&mut records, last).ok_or_else(|| {
                Refusal::Invalid(format!(
                    "StateRebuilder unable to Rebuild mutable state to event ID: {last}, version: \
                     0, this event must be at the boundary"
                ))
            })?,
        };
        let later = records.split_off(end + 1);
        forget_buffered(&mut records)?;
        let owner = later.iter().find_map(came_from);
        let state = fold(run, &records)?;
        if !state.is_open() || state.task.current.is_none() {
            return Err(Refusal::Invalid(format!(
                "Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, \
                 WorkflowTaskStarted + 1]: {}",
                last + 1
            )));
        }
        let later = later.iter().map(|record| events(&record.events));
        let later = [Ok(rest)].into_iter().chain(later);
        let later = later.collect::<Result<Vec<_>, _>>()?.concat();
        let fork = Self {
            records,
            state,
            owner,
        };
        Ok((fork, later))
    }
}

/// The run that the records before this one are of, if it begins another one.
fn came_from(record: &Record) -> Option<RunId> {
    let changes = Changes::decode(record.changes.clone()).ok()?.changes;
    let mut changes = changes.into_iter().filter_map(|it| it.change);
    changes.find_map(|change| match change {
        Change::ResetFrom(it) => it.base_run_id.as_slice().try_into().ok().map(RunId),
        _ => None,
    })
}

/// What waited at the end for its place in history has none, and has not happened: behind the point it is read as an event.
fn forget_buffered(records: &mut [Record]) -> Result<(), Refusal> {
    let changes = records
        .iter()
        .map(|record| Changes::decode(record.changes.clone()));
    let mut changes: Vec<_> = changes.collect::<Result<_, _>>().map_err(|_| damaged())?;
    let mut first = None;
    for (index, of_record) in changes.iter_mut().enumerate().rev() {
        let of_record = &mut of_record.changes;
        let is_flush = |it: &record::Change| matches!(it.change, Some(Change::Flushed(_)));
        let from = of_record.iter().rposition(is_flush).map_or(0, |at| at + 1);
        let waits = |it: &record::Change| matches!(it.change, Some(Change::Buffered(_)));
        if of_record[from..].iter().any(waits) {
            first = Some(index);
            let mut place = 0..;
            of_record.retain(|it| place.next() < Some(from) || !waits(it));
        }
        if from > 0 {
            break;
        }
    }
    let Some(first) = first else {
        return Ok(());
    };
    let mut before = match first {
        0 => [0; 32],
        _ => records[first - 1].chain,
    };
    for (record, changes) in records.iter_mut().zip(changes).skip(first) {
        record.changes = encoded(&changes);
        record.chain = record.chained(&before);
        before = record.chain;
    }
    Ok(())
}

fn encoded(changes: &Changes) -> Bytes {
    if changes.changes.is_empty() {
        return Bytes::new();
    }
    changes.encode_to_vec().into()
}

/// Makes the record end at this event; which one it is, and what it held behind that.
fn cut_one(records: &mut [Record], last: i64) -> Option<(usize, Vec<HistoryEvent>)> {
    let mut before = [0; 32];
    for (index, record) in records.iter_mut().enumerate() {
        if let Some((begin, rest)) = cut(record, last) {
            *record = begin;
            record.chain = record.chained(&before);
            return Some((index, rest));
        }
        before = record.chain;
    }
    None
}

/// A workflow task whose first events were written when it ended (a further attempt, one for an update alone): the record up to its Started, and the events behind that.
fn cut(record: &Record, last: i64) -> Option<(Record, Vec<HistoryEvent>)> {
    let count = u32::try_from(last - record.first_event_id + 1).ok()?;
    if count == 0 || count >= record.event_count {
        return None;
    }
    let mut kept = events(&record.events).ok()?;
    let rest = kept.split_off(usize::try_from(count).ok()?);
    let Some(Attributes::WorkflowTaskStartedEventAttributes(_)) = &kept.last()?.attributes else {
        return None;
    };
    let mut changes = Changes::decode(record.changes.clone()).ok()?;
    changes.changes.retain(|change| change.position < count);
    let begin = Record {
        event_count: count,
        events: History { events: kept }.encode_to_vec().into(),
        changes: encoded(&changes),
        ..record.clone()
    };
    Some((begin, rest))
}

fn fold(run: RunId, records: &[Record]) -> Result<State, Refusal> {
    let mut state = None;
    for record in records {
        let next = Workflow::apply(state.take(), run, record).map_err(|_| damaged())?;
        state = Some(next);
    }
    state.ok_or_else(damaged)
}

fn events(fragment: &Bytes) -> Result<Vec<HistoryEvent>, Refusal> {
    History::decode(fragment.clone())
        .map(|history| history.events)
        .map_err(|_| damaged())
}

fn damaged() -> Refusal {
    Refusal::Unavailable(Unavailable::Quarantined)
}

/// The run that continues another, as the last of these events says.
pub fn continued_by(events: &[HistoryEvent]) -> Option<RunId> {
    match &events.last()?.attributes {
        Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(it)) => {
            it.new_execution_run_id.parse().ok()
        }
        _ => None,
    }
}

pub(crate) fn reset(
    run: Run<'_>,
    question: &Reset,
    events: &[HistoryEvent],
    context: &mut Context<'_>,
) -> Outcome {
    let again = run.state.reset.request_id.as_ref() == Some(&question.request_id);
    if again && !planted(Fault::ResetRepeated) {
        return answer_now(context.ticket, Answer::Reset(Some(run.id)));
    }
    if run.id != question.current {
        return answer_now(context.ticket, Answer::Reset(None));
    }
    let unread = question.read_to.unwrap_or(run.state.next_event_id)..run.state.next_event_id;
    let since: Vec<_> = unread
        .clone()
        .filter_map(|id| events.iter().find(|event| event.event_id == id))
        .collect();
    if since.len() < unread.clone().count() {
        return Err(Stop::Needs(unread.collect()));
    }
    let mut ending = Draft::ending(run.state, context);
    if run.state.is_open() {
        terminate::by(
            &mut ending,
            &question.reason,
            None,
            RESETTER_IDENTITY,
            Extra::default(),
        );
    }
    if question.base == run.id {
        ending.change(reset_to(question.run));
    }
    let ended = ending.finish().map_err(Stop::Refused)?;
    let flushed = ended.iter().flat_map(|ended| &ended.events);
    let flushed = flushed.filter(|_| question.read_to.is_some());
    let from_base = question.base == run.id;
    let later = question.later.iter().enumerate();
    let later = later.map(|(index, event)| (event, index < question.of_base));
    let since = since.into_iter().chain(flushed);
    let later = later.chain(since.map(|event| (event, from_base)));
    let successor = begin(question, later, context)?;
    let mut step = answer_step(ended, context.ticket, Answer::Reset(Some(question.run)));
    if let Some(transition) = &step.transition {
        let released = query::released(run.volatile, &transition.state, run.id);
        step.answers.extend(released);
    }
    step.successor = Some(successor);
    Ok(step)
}

/// The run that goes on.
fn begin<'a>(
    question: &Reset,
    later: impl Iterator<Item = (&'a HistoryEvent, bool)>,
    context: &Context<'_>,
) -> Result<Successor, Stop<Refusal>> {
    let mut draft = Draft::new(&question.fork.state, context.now, context.limits);
    draft.show_attributes();
    let timeout = draft.state.origin.execution_timeout;
    let expiration = timeout
        .filter(|timeout| !timeout.is_zero())
        .map_or(0, |timeout| wire::round(draft.now.after(timeout)).0);
    draft.change(Change::ResetFrom(record::ResetFrom {
        base_run_id: question.fork.owner.unwrap_or(question.base).0.to_vec(),
        request_id: question.request_id.clone(),
        execution_expiration: expiration,
    }));
    fail_task(&mut draft, question);
    for (event, of_base) in later.filter(|_| !question.keep.nothing) {
        apply_again(&mut draft, event, question.keep);
        if of_base {
            hear_again(&mut draft, event);
        }
    }
    for update in &question.options {
        options::merge(&mut draft, update).map_err(Stop::Refused)?;
    }
    schedule_now(&mut draft, true);
    // The run that is reset has nothing to do with it.
    let transition = draft.finish().map_err(|refusal| {
        Stop::Refused(match refusal {
            Refusal::HistoryLimit(why) => Refusal::Invalid(why),
            other => other,
        })
    })?;
    transition
        .map(|transition| Successor {
            run: question.run,
            behind: question.fork.records.clone(),
            transition,
            volatile: Volatile::default(),
        })
        .ok_or_else(|| Stop::Refused(damaged()))
}

/// The workflow task at the point is over, started or not. Behind one that failed it is the next attempt.
fn fail_task(draft: &mut Draft<'_>, question: &Reset) {
    show(draft);
    if !draft.state.task.is_started() {
        start_now(draft, NOBODY, SERVER_IDENTITY, None);
    }
    let Some((task, started)) = draft.state.task.started_task() else {
        return;
    };
    let failed = WorkflowTaskFailedEventAttributes {
        scheduled_event_id: task.scheduled_event_id,
        started_event_id: started.event_id,
        cause: Cause::ResetWorkflow.into(),
        failure: Some(Failure {
            message: question.reason.clone(),
            failure_info: Some(FailureInfo::ResetWorkflowFailureInfo(
                ResetWorkflowFailureInfo::default(),
            )),
            ..Default::default()
        }),
        identity: SERVER_IDENTITY.to_owned(),
        base_run_id: question.base.to_string(),
        new_run_id: question.run.to_string(),
        ..Default::default()
    };
    draft.write(Attributes::WorkflowTaskFailedEventAttributes(failed));
}

/// What came from outside comes again; what the run made of it does not.
fn apply_again(draft: &mut Draft<'_>, event: &HistoryEvent, keep: Keep) {
    let again = match &event.attributes {
        Some(Attributes::WorkflowExecutionSignaledEventAttributes(it)) if !keep.no_signals => {
            Attributes::WorkflowExecutionSignaledEventAttributes(
                WorkflowExecutionSignaledEventAttributes {
                    signal_name: it.signal_name.clone(),
                    input: it.input.clone(),
                    identity: it.identity.clone(),
                    header: it.header.clone(),
                    request_id: it.request_id.clone(),
                    ..Default::default()
                },
            )
        }
        Some(Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(it))
            if !keep.no_updates =>
        {
            return admit_again(draft, it.request.as_ref());
        }
        Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(it))
            if !keep.no_updates =>
        {
            return admit_again(draft, it.accepted_request.as_ref());
        }
        Some(updated @ Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(_)) => {
            updated.clone()
        }
        _ => return,
    };
    let extra = Extra {
        links: event.links.clone(),
        ..Extra::default()
    };
    draft.write_with(again, extra);
}

/// `None`: it had been admitted by an event before it was accepted. Of two with one id the first counts.
fn admit_again(draft: &mut Draft<'_>, request: Option<&Request>) {
    let id = |request: &&Request| update::id_of(request).to_owned();
    let known = |request: &&Request| draft.state.updates.find(&id(request)).is_some();
    let Some(request) = request.filter(|request| !known(request)) else {
        return;
    };
    draft.write(Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(
        WorkflowExecutionUpdateAdmittedEventAttributes {
            request: Some(request.clone()),
            origin: Origin::Reapply.into(),
        },
    ));
}

/// What the base has heard of a child that is the new run's now.
fn hear_again(draft: &mut Draft<'_>, event: &HistoryEvent) {
    let Some(attributes) = draft.state.children.heard(event) else {
        return;
    };
    draft.write(attributes);
}

/// From here on the run is one of its own.
pub(crate) fn apply(state: &mut State, it: &record::ResetFrom, time: Time) {
    let origin = Arc::make_mut(&mut state.origin);
    origin.start_time = time;
    origin.backoff = std::time::Duration::ZERO;
    origin.execution_expiration =
        (it.execution_expiration != 0).then_some(Time(it.execution_expiration));
    state.reset = Arc::new(Part {
        request_id: Some(it.request_id.clone()),
        to: None,
    });
    Arc::make_mut(&mut state.signals).came_with_start(0);
    state.activities_mut().restart(time);
    state.paused = None;
    if let Ok(base) = it.base_run_id.as_slice().try_into().map(RunId) {
        Arc::make_mut(&mut state.externals).taken_over(base);
        Arc::make_mut(&mut state.children).taken_over(base);
    }
    state.buffer = Arc::default();
}

/// An older run shows which one goes on from it.
pub(crate) fn point_to(run: Run<'_>, to: RunId, context: &mut Context<'_>) -> Outcome {
    let mut draft = Draft::new(run.state, context.now, context.limits);
    draft.change(reset_to(to));
    let transition = draft.finish().map_err(Stop::Refused)?;
    Ok(answer_step(transition, context.ticket, Answer::Done))
}

fn reset_to(run: RunId) -> Change {
    Change::ResetTo(run.0.to_vec())
}
