//! A worker answers a workflow task with commands: all of them are written, or the workflow task has failed.
//!
//! The commands are asked in order on one draft. One bad command drops the draft; what is then written is the failure.

use cairn_proto::cairn::record::v1::{self as record, change::Change};
use cairn_proto::temporal::api::enums::v1::{CommandType, WorkflowTaskFailedCause as Cause};
use cairn_proto::temporal::api::history::v1::history_event::Attributes as Event;
use cairn_proto::temporal::api::history::v1::{HistoryEvent, WorkflowTaskCompletedEventAttributes};

use super::start::{Worker, scheduled_event, started_event};
use super::{reject, speculative, start_now, started_answer, timeout};
use crate::execution::command::{Attributes, Bad, Command};
use crate::execution::state::State;
use crate::execution::transition::{Draft, Extra};
use crate::execution::update::Ignored;
use crate::execution::{
    Answer, CompleteWorkflowTask, Outcome, Refusal, Run, Step, Successor, Volatile,
    WorkflowTaskCompleted, WorkflowTaskToken, activity, child, close, continue_as_new, external,
    marker, properties, query, refuse, timer, update, wire,
};
use crate::kind::{Answered, Context, Stop};

/// What the next workflow task is started with when it goes back with the answer.
const INLINE_REQUEST_ID: &str = "request-from-RespondWorkflowTaskCompleted";

/// A worker that holds a task of a paused run can only end it.
const MORE_TIME: &str = "Workflow is paused and force create new workflow task is not allowed.";

/// A workflow task on its way to completion.
pub(crate) struct Completing<'q, 'c> {
    pub(crate) draft: Draft<'c>,
    pub(crate) question: &'q CompleteWorkflowTask,
    pub(crate) context: &'q mut Context<'c>,
    /// Events that were asked for with `Stop::Needs`.
    pub(crate) events: &'q [HistoryEvent],
    pub(crate) run: crate::id::RunId,
    pub(crate) completed_event_id: i64,
    /// Of the command that is being handled, for its event.
    extra: Extra,
    /// How many events wait that this worker had not seen when it answered.
    pub(crate) unseen: usize,
    pub(crate) successor: Option<Successor>,
    /// Activities that the worker would like to have at once: scheduled event ids, with the place of the command.
    pub(crate) eager: Vec<(i64, usize)>,
    /// The place of the command that is being handled.
    pub(crate) index: usize,
    /// What it says of updates.
    pub(crate) updates: update::Answering<'q>,
}

impl Completing<'_, '_> {
    /// Writes the event of a command.
    pub(crate) fn write(&mut self, event: Event) -> i64 {
        let extra = std::mem::take(&mut self.extra);
        self.draft.write_with(event, extra)
    }

    /// A run may not close over events that its worker has not seen.
    pub(crate) fn may_close(&self) -> Result<(), Bad> {
        if self.unseen > 0 {
            return Err(Bad::Task(Cause::UnhandledCommand, String::new()));
        }
        Ok(())
    }
}

pub(crate) fn complete(
    events: &[HistoryEvent],
    run: Run<'_>,
    question: &CompleteWorkflowTask,
    context: &mut Context<'_>,
) -> Outcome {
    let state = run.state;
    if !state.is_open() || !holds(state, question.token) {
        return refuse(Refusal::NoSuchTask("Workflow task not found.".to_owned()));
    }
    if state.is_paused() && question.force_create_new_workflow_task {
        return refuse(Refusal::Precondition(MORE_TIME.to_owned()));
    }
    if let Err(text) = in_sequence(&question.commands).and_then(|()| known(&question.commands)) {
        return refuse(Refusal::Invalid(text));
    }
    if is_heartbeat(question) && timeout::heartbeats_too_long(state, context) {
        return timeout::end_heartbeats(run, context);
    }
    let mut completing = begin(events, &run, question, context);
    match command_loop(&mut completing) {
        Ok(()) => end(completing, run),
        Err(Bad::Needs(ids)) => Err(Stop::Needs(ids)),
        Err(Bad::Refused(refusal)) => refuse(refusal),
        Err(Bad::Task(cause, text)) => reject::task(run, question, cause, &text, context),
        Err(Bad::Run(cause, text)) => reject::whole_run(run, question, cause, &text, context),
    }
}

/// Is this the workflow task that the worker has in hand?
pub(super) fn holds(state: &State, token: WorkflowTaskToken) -> bool {
    state.task.started_task().is_some_and(|(task, started)| {
        task.scheduled_event_id == token.scheduled_event_id
            && state.task.attempt == token.attempt
            && [0, started.event_id].contains(&token.started_event_id)
            && [0, started.time.0].contains(&token.started_time.0)
    })
}

/// A close must be the last command.
fn in_sequence(commands: &[Command]) -> Result<(), String> {
    let Some((_, but_last)) = commands.split_last() else {
        return Ok(());
    };
    let Some(close) = but_last.iter().find(|it| closes(it.attributes.kind())) else {
        return Ok(());
    };
    let names: Vec<_> = commands.iter().map(|it| it.attributes.name()).collect();
    Err(format!(
        "invalid command sequence: [{}], command {} must be the last command.",
        names.join(", "),
        close.attributes.name()
    ))
}

/// A command of a type that nobody knows spoils all of them.
fn known(commands: &[Command]) -> Result<(), String> {
    let mut attributes = commands.iter().map(|it| &it.attributes);
    attributes
        .find(|it| matches!(it, Attributes::Unknown { .. }))
        .map_or(Ok(()), |it| Err(unknown(it)))
}

fn unknown(attributes: &Attributes) -> String {
    format!("unknown command type: {}", attributes.name())
}

fn closes(kind: CommandType) -> bool {
    matches!(
        kind,
        CommandType::CompleteWorkflowExecution
            | CommandType::FailWorkflowExecution
            | CommandType::CancelWorkflowExecution
            | CommandType::ContinueAsNewWorkflowExecution
    )
}

/// Local activities are running: the worker only wants more time.
fn is_heartbeat(question: &CompleteWorkflowTask) -> bool {
    question.force_create_new_workflow_task
        && question.commands.is_empty()
        && question.messages.is_empty()
}

/// What becomes of the updates that the worker had and says nothing of.
fn ignored(question: &CompleteWorkflowTask) -> Ignored {
    if question.force_create_new_workflow_task && !question.return_new_workflow_task {
        Ignored::SentAgain
    } else if is_heartbeat(question) {
        Ignored::Kept
    } else {
        Ignored::Rejected
    }
}

fn begin<'q, 'c>(
    events: &'q [HistoryEvent],
    run: &Run<'_>,
    question: &'q CompleteWorkflowTask,
    context: &'q mut Context<'c>,
) -> Completing<'q, 'c> {
    let version = question.worker_version.as_ref();
    let mut draft = Draft::by(run.state, &question.identity, version, context);
    if let Some((task, started)) = run.state.task.started_task()
        && run.state.task.is_transient()
    {
        draft.write_at(scheduled_event(run.state, task), task.scheduled_time);
        draft.write_at(
            started_event(task, started, &question.identity, version),
            started.time,
        );
    }
    let started_event_id = run
        .state
        .task
        .started_task()
        .map_or(0, |(_, started)| started.event_id);
    let completed_event_id = draft.write(Event::WorkflowTaskCompletedEventAttributes(
        WorkflowTaskCompletedEventAttributes {
            scheduled_event_id: question.token.scheduled_event_id,
            started_event_id,
            identity: question.identity.clone(),
            binary_checksum: question.binary_checksum.clone(),
            worker_version: question.worker_version.clone(),
            sdk_metadata: question.sdk_metadata.clone(),
            metering_metadata: question.metering_metadata,
            ..Default::default()
        },
    ));
    stick(&mut draft, question);
    draft.hold();
    Completing {
        unseen: draft.state.buffer.len(),
        draft,
        question,
        context,
        events,
        run: run.id,
        completed_event_id,
        extra: Extra::default(),
        successor: None,
        eager: Vec::new(),
        index: 0,
        updates: update::Answering::new(&question.messages, &run.volatile.updates),
    }
}

fn stick(draft: &mut Draft<'_>, question: &CompleteWorkflowTask) {
    let wanted = question
        .sticky
        .as_ref()
        .map(|(queue, schedule_to_start)| super::Sticky {
            queue: queue.clone(),
            schedule_to_start: *schedule_to_start,
        });
    if draft.state.task.sticky != wanted {
        draft.change(Change::Sticky(match wanted {
            Some(it) => record::Sticky {
                queue: it.queue,
                schedule_to_start_timeout: Some(wire::duration(it.schedule_to_start)),
            },
            None => record::Sticky::default(),
        }));
    }
}

fn command_loop(it: &mut Completing<'_, '_>) -> Result<(), Bad> {
    let question = it.question;
    for (index, command) in question.commands.iter().enumerate() {
        it.index = index;
        it.extra = Extra {
            user_metadata: command.user_metadata.clone(),
            links: Vec::new(),
            event_group_markers: command.event_group_markers.clone(),
        };
        handle(it, &command.attributes)?;
    }
    update::leftovers(it)?;
    if ignored(question) == Ignored::Rejected {
        update::unmentioned(it);
    }
    Ok(())
}

fn handle(it: &mut Completing<'_, '_>, attributes: &Attributes) -> Result<(), Bad> {
    match attributes {
        Attributes::ScheduleActivity(command) => activity::schedule(it, command),
        Attributes::RequestCancelActivity { scheduled_event_id } => {
            activity::request_cancel(it, *scheduled_event_id)
        }
        Attributes::StartTimer { timer_id, delay } => timer::start(it, timer_id, *delay),
        Attributes::CancelTimer { timer_id } => timer::cancel(it, timer_id),
        Attributes::CompleteWorkflow { result } => close::complete(it, result.as_ref()),
        Attributes::FailWorkflow { failure } => close::fail(it, failure.as_ref()),
        Attributes::CancelWorkflow { details } => close::cancel(it, details.as_ref()),
        Attributes::ContinueAsNew(command) => continue_as_new::ask(it, command),
        Attributes::RecordMarker {
            name,
            details,
            header,
            failure,
        } => marker::record(it, name, details, header.as_ref(), failure.as_ref()),
        Attributes::UpsertSearchAttributes { search_attributes } => {
            properties::upsert(it, search_attributes.as_ref())
        }
        Attributes::ModifyProperties { upserted_memo } => {
            properties::modify(it, upserted_memo.as_ref())
        }
        Attributes::ProtocolMessage { message_id } => update::by_command(it, message_id),
        Attributes::StartChild(command) => child::start(it, command),
        Attributes::SignalExternal(command) => external::signal(it, command),
        Attributes::RequestCancelExternal(command) => external::request_cancel(it, command),
        Attributes::Unknown { .. } => Err(Bad::Refused(Refusal::Invalid(unknown(attributes)))),
        Attributes::Missing { command_type } => Err(Bad::missing(*command_type)),
        Attributes::NotBuilt { command_type } => Err(Bad::not_built(*command_type)),
    }
}

/// All commands are good: buffered events are flushed, the next task is scheduled and perhaps started for the same worker.
fn end(mut it: Completing<'_, '_>, run: Run<'_>) -> Outcome {
    let dropped = speculative::may_drop(run.state, it.question);
    let mut eager = Vec::new();
    if dropped {
        it.draft = Draft::without_task(run.state, it.context);
        stick(&mut it.draft, it.question);
    } else if it.draft.state.is_open() {
        eager = activity::start_eager(&mut it);
        it.draft.flush();
        if it.question.force_create_new_workflow_task {
            it.draft.want_task();
        }
    }
    // An update that waits has a task that is written, unless this worker takes it at once.
    let inline = it.question.return_new_workflow_task;
    if !inline && it.updates.leaves_one(&run.volatile.updates) {
        it.draft.want_task();
    }
    settle(&mut it, &run);
    let inline = it.draft.state.task.is_started();
    let (question, context, updates) = (it.question, it.context, it.updates);
    let state = it.draft.state.clone();
    let transition = it.draft.finish().map_err(Stop::Refused)?;
    let head = transition.as_ref().map_or(&state, |it| &it.state);
    let mut answers = run
        .volatile
        .updates
        .answered(updates, head, run.id, ignored(question));
    run.volatile.sticky_unavailable = false;
    let inline = speculate(head, run.volatile, question, context) || inline;
    let head = speculative::seen(head, run.volatile);
    if !is_heartbeat(question) || !head.is_open() {
        // Of a heartbeat the queries wait for the task that really ends.
        let answered = query::answered(run.volatile, question, &head, run.id, context.limits);
        answers.extend(answered);
    }
    for scheduled_event_id in activity::gone(run.state, &head) {
        run.volatile.heartbeats.remove(&scheduled_event_id);
    }
    let mut completed = WorkflowTaskCompleted {
        activity_tasks: eager,
        reset_history_event_id: if dropped {
            run.state.task.previous_started_event_id
        } else {
            0
        },
        ..Default::default()
    };
    let worker = Worker {
        knows: true,
        again: false,
    };
    let mut reads = None;
    if inline && let Some((task, from, to)) = started_answer(run.id, &head, run.volatile, worker) {
        completed.workflow_task = Some(Box::new(task));
        reads = Some((run.id, from..to));
    }
    answers.push((
        context.ticket,
        Answered {
            result: Ok(Answer::WorkflowTaskCompleted(Box::new(completed))),
            reads,
        },
    ));
    Ok(Step {
        transition,
        successor: it.successor,
        answers,
        heartbeats: Vec::new(),
    })
}

/// Schedules the next task, if there is to be one, and starts it if this worker wants it.
fn settle(it: &mut Completing<'_, '_>, run: &Run<'_>) {
    let original_time = run
        .state
        .task
        .current
        .as_ref()
        .map(|task| task.original_time);
    it.draft.settle();
    let has_next = it.draft.state.task.current.is_some();
    if let Some(time) = original_time
        && has_next
        && is_heartbeat(it.question)
    {
        it.draft.change(Change::WorkflowTaskOriginalTime(time.0));
    }
    if has_next && it.question.return_new_workflow_task {
        it.draft.updates_in_flight = run.volatile.updates.pending().len();
        let (identity, version) = (&it.question.identity, it.question.worker_version.as_ref());
        start_now(&mut it.draft, INLINE_REQUEST_ID, identity, version);
    }
}

/// Updates that wait have a speculative task, if this worker takes it at once and there is no other.
fn speculate(
    head: &State,
    volatile: &mut Volatile,
    question: &CompleteWorkflowTask,
    context: &Context<'_>,
) -> bool {
    volatile.speculative = None;
    let wanted = question.return_new_workflow_task && volatile.updates.wants_task();
    if !wanted || !head.is_open() || head.is_paused() || head.task.current.is_some() {
        return false;
    }
    let (now, identity) = (context.now, &question.identity);
    let mut task = speculative::schedule(head, volatile, now);
    let request_id = INLINE_REQUEST_ID;
    let limits = context.limits;
    task.started = Some(speculative::started(
        head, volatile, request_id, identity, now, limits,
    ));
    volatile.speculative = Some(task);
    true
}
