//! The start of a run: which run answers for an id, and the first events of a new one.
//!
//! | run of the id | policy                        | becomes                                        |
//! |---------------|-------------------------------|------------------------------------------------|
//! | any, begun by this request | any              | the same answer again                          |
//! | none          | any                           | a new run                                      |
//! | open          | fail                          | refused                                        |
//! | open          | use existing                  | that run (signaled, if a signal came along)    |
//! | open          | terminate existing            | terminated, and a new run in the same commit   |
//! | closed        | by reuse policy               | a new run, or refused                          |

use std::time::Duration;

use cairn_proto::cairn::record::v1::Opened;
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::{Payload, Payloads, SearchAttributes, WorkflowType};
use cairn_proto::temporal::api::enums::v1::{
    ContinueAsNewInitiator as Initiator, WorkflowExecutionStatus as Status,
    WorkflowIdConflictPolicy as Conflict, WorkflowIdReusePolicy as Reuse,
};
use cairn_proto::temporal::api::history::v1::WorkflowExecutionStartedEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use super::command::Signed;
use super::retry::Policy;
use super::state::State;
use super::transition::{Draft, Extra};
use super::workflow_task::{
    Worker, normal_queue, schedule_despite_backoff, start_now, started_answer,
};
use super::{
    Answer, Asked, Limits, Outcome, Refusal, Run, Start, Started, Step, Successor, TaskStarted,
    Volatile, answer_step, attach, callback, check_priority, cron, options, payload_size,
    properties, query, refuse, signal, terminate, wire,
};
use crate::id::{RunId, Time};
use crate::kind::{Answered, Context, Stop};
use crate::planted::{Fault, planted};

mod origin;
mod policies;

pub(crate) use origin::Origin;
pub(crate) use policies::Policies;
use policies::policies;

pub(crate) fn start(asked: Asked<'_>, question: &Start, context: &mut Context<'_>) -> Outcome {
    let policies = match check(question, context.limits) {
        Ok(policies) => policies,
        Err(refusal) => return refuse(refusal),
    };
    // A run that was reset has the request that began it in common with the one it came from.
    let began = |run: &Run<'_>| run.state.origin.request_id == question.request_id;
    if let Some(row) = asked.repeated
        && asked
            .run
            .as_ref()
            .is_none_or(|run| run.id != row.run && !began(run))
    {
        return Ok(answer_step(
            None,
            context.ticket,
            Answer::Started(Started {
                run: row.run,
                first_run: row.first_run,
                started: question.signal.is_none(),
                status: row.status,
                attached: false,
                eager_task: None,
            }),
        ));
    }
    let Some(run) = asked.run else {
        return begin(question, context);
    };
    let is_too_late = planted(Fault::DedupeAfterClosed) && !run.state.is_open();
    let is_repeated = run.state.origin.request_id == question.request_id && !is_too_late;
    if !question.request_id.is_empty() && is_repeated {
        return again(run, question, context);
    }
    if run.state.attached.knows(&question.request_id) {
        return attach::attach(&run, question, existing(&run, false), context);
    }
    if run.state.is_open() {
        on_open(run, question, policies, context)
    } else {
        on_closed(&run, policies)
            .map_err(Stop::Refused)
            .and_then(|()| begin(question, context))
    }
}

pub(crate) fn check(question: &Start, limits: &Limits) -> Result<Policies, Refusal> {
    let policies = policies(question)?;
    if let Some(policy) = &question.retry_policy {
        Policy::checked(Some(policy)).map_err(Refusal::Invalid)?;
    }
    if let Some(priority) = &question.priority {
        check_priority(priority).map_err(Refusal::Invalid)?;
    }
    options::check_override(question.versioning_override.as_ref(), &question.task_queue)?;
    if payload_size(question.input.as_ref()) > limits.blob_bytes_max {
        return Err(Refusal::Invalid("Blob data size exceeds limit.".to_owned()));
    }
    let memo_bytes = question.memo.as_ref().map_or(0, Message::encoded_len);
    if memo_bytes > limits.memo_bytes_max {
        return Err(Refusal::Invalid("Memo size exceeds limit.".to_owned()));
    }
    match &question.signal {
        Some(signal) => signal::check_size(signal, limits).map(|()| policies),
        None => Ok(policies),
    }
}

/// The request that began this run comes again.
fn again(run: Run<'_>, question: &Start, context: &Context<'_>) -> Outcome {
    let first_task = question.eager
        && run.state.task.attempt == 1
        && run
            .state
            .task
            .started_task()
            .is_some_and(|(_, started)| started.request_id == question.request_id);
    let (eager_task, reads) = if first_task {
        eager_task(run.id, run.state, run.volatile)
    } else {
        (None, None)
    };
    Ok(Step {
        transition: None,
        successor: None,
        answers: vec![(
            context.ticket,
            Answered {
                result: Ok(Answer::Started(Started {
                    eager_task,
                    ..existing(&run, question.signal.is_none())
                })),
                reads,
            },
        )],
        heartbeats: Vec::new(),
    })
}

pub(crate) fn existing(run: &Run<'_>, started: bool) -> Started {
    Started {
        run: run.id,
        first_run: run.state.origin.first_run,
        started,
        status: run
            .state
            .closed
            .as_ref()
            .map_or(Status::Running.into(), |closed| closed.status),
        attached: false,
        eager_task: None,
    }
}

fn on_open(
    run: Run<'_>,
    question: &Start,
    policies: Policies,
    context: &mut Context<'_>,
) -> Outcome {
    match policies.conflict {
        Conflict::TerminateExisting => terminate_and_begin(run, question, context),
        Conflict::UseExisting => {
            if let Some(signal) = &question.signal {
                return signal_existing(run, signal, context);
            }
            if question.attach.is_some() {
                return attach::attach(&run, question, existing(&run, false), context);
            }
            let answer = Answer::Started(existing(&run, false));
            Ok(answer_step(None, context.ticket, answer))
        }
        Conflict::Fail | Conflict::Unspecified => refuse(already_running(&run)),
    }
}

pub(crate) fn already_running(run: &Run<'_>) -> Refusal {
    already_started(
        run,
        format!(
            "Workflow execution is already running. WorkflowId: {}, RunId: {}.",
            run.state.origin.workflow_id, run.id
        ),
    )
}

fn already_started(run: &Run<'_>, message: String) -> Refusal {
    Refusal::AlreadyStarted {
        message,
        request_id: run.state.origin.request_id.clone(),
        run: run.id,
        first_run: run.state.origin.first_run,
    }
}

fn signal_existing(run: Run<'_>, question: &super::Signal, context: &mut Context<'_>) -> Outcome {
    let answer = Answer::Started(existing(&run, false));
    if run.state.signals.has_seen(&question.request_id) {
        return Ok(answer_step(None, context.ticket, answer));
    }
    if let Err(refusal) = signal::check(run.state, question, context.limits) {
        return refuse(refusal);
    }
    let mut draft = Draft::new(run.state, context.now, context.limits);
    signal::add(&mut draft, question);
    schedule_despite_backoff(&mut draft);
    let transition = draft.finish().map_err(Stop::Refused)?;
    Ok(answer_step(transition, context.ticket, answer))
}

pub(crate) fn terminate_and_begin(
    run: Run<'_>,
    question: &Start,
    context: &mut Context<'_>,
) -> Outcome {
    let mut step = begin(question, context)?;
    let Some(successor) = &step.successor else {
        return Ok(step);
    };
    let mut draft = Draft::ending(run.state, context);
    let details = text_payload(&format!("terminated by new runID: {}", successor.run));
    terminate::by(
        &mut draft,
        "TerminateIfRunning WorkflowIdReusePolicy",
        Some(details),
        terminate::SERVER_IDENTITY,
        Extra::default(),
    );
    step.transition = draft.finish().map_err(Stop::Refused)?;
    if let Some(transition) = &step.transition {
        step.answers
            .extend(query::released(run.volatile, &transition.state, run.id));
    }
    Ok(step)
}

pub(crate) fn text_payload(text: &str) -> Payloads {
    Payloads {
        payloads: vec![Payload {
            metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
            data: format!("\"{text}\"").into_bytes(),
            ..Default::default()
        }],
    }
}

pub(crate) fn on_closed(run: &Run<'_>, policies: Policies) -> Result<(), Refusal> {
    let (id, run_id) = (&run.state.origin.workflow_id, run.id);
    let status = run.state.closed.as_ref().map(|closed| closed.status);
    let failed = [
        Status::Failed,
        Status::Canceled,
        Status::Terminated,
        Status::TimedOut,
    ]
    .iter()
    .any(|failed| Some(i32::from(*failed)) == status);
    match policies.reuse {
        Reuse::RejectDuplicate => Err(already_started(
            run,
            format!(
                "Workflow execution already finished. WorkflowId: {id}, RunId: {run_id}. Workflow \
                 Id reuse policy: reject duplicate workflow Id."
            ),
        )),
        Reuse::AllowDuplicateFailedOnly if !failed => Err(already_started(
            run,
            format!(
                "Workflow execution already finished successfully. WorkflowId: {id}, RunId: \
                 {run_id}. Workflow Id reuse policy: allow duplicate workflow Id if last run \
                 failed."
            ),
        )),
        _ => Ok(()),
    }
}

/// A new run.
pub(crate) fn begin(question: &Start, context: &mut Context<'_>) -> Outcome {
    let run = context.entropy.run_id(context.now);
    let eager = question.eager && backoff(question, context.now).is_zero();
    let (search_attributes, types) = match &question.search_attributes {
        Some(asked) => properties::begun_attributes(&question.registry, asked)
            .map_err(|text| Stop::Refused(Refusal::Invalid(text)))?,
        None => Default::default(),
    };
    let opened = Opened {
        namespace_id: context.key.namespace.0.to_vec(),
        start_request_id: question.request_id.clone(),
        retention: Some(wire::duration(question.retention)),
        search_attribute_types: types.into_iter().collect(),
        received: Vec::new(),
    };
    let extra = Extra {
        user_metadata: question.user_metadata.clone(),
        links: question.links.clone(),
        ..Extra::default()
    };
    let mut draft = Draft::open(
        run,
        opened,
        started_event(run, question, search_attributes, eager, context),
        extra,
        context.now,
        context.limits,
    )
    .map_err(Stop::Refused)?;
    callback::name_namespace(&mut draft, &question.namespace_name);
    if let Some(signal) = &question.signal {
        signal::add(&mut draft, signal);
    }
    draft.want_task(); // a child has it later
    if eager {
        start_now(&mut draft, &question.request_id, &question.identity, None);
    }
    let Some(transition) = draft.finish().map_err(Stop::Refused)? else {
        return refuse(Refusal::Invalid("nothing to start".to_owned()));
    };
    let (eager_task, reads) = if eager {
        eager_task(run, &transition.state, &mut Volatile::default())
    } else {
        (None, None)
    };
    Ok(Step {
        transition: None,
        answers: vec![(
            context.ticket,
            Answered {
                result: Ok(Answer::Started(Started {
                    run,
                    first_run: run,
                    started: true,
                    status: Status::Running.into(),
                    attached: false,
                    eager_task,
                })),
                reads,
            },
        )],
        successor: Some(Successor {
            run,
            behind: Vec::new(),
            transition,
            volatile: Volatile::default(),
        }),
        heartbeats: Vec::new(),
    })
}

type Reads = Option<(RunId, std::ops::Range<i64>)>;

fn eager_task(
    run: RunId,
    state: &State,
    volatile: &mut Volatile,
) -> (Option<Box<TaskStarted>>, Reads) {
    match started_answer(run, state, volatile, Worker::default()) {
        Some((task, from, to)) => (Some(Box::new(task)), Some((run, from..to))),
        None => (None, None),
    }
}

fn started_event(
    run: RunId,
    question: &Start,
    search_attributes: Option<SearchAttributes>,
    eager_execution_accepted: bool,
    context: &Context<'_>,
) -> Attributes {
    let (run_timeout, task_timeout) = timeouts(question, context.limits);
    let execution_timeout = question.execution_timeout;
    let mut started = WorkflowExecutionStartedEventAttributes {
        workflow_type: Some(WorkflowType {
            name: question.workflow_type.clone(),
        }),
        task_queue: Some(normal_queue(&question.task_queue)),
        input: question.input.clone(),
        workflow_execution_timeout: execution_timeout.map(wire::duration),
        workflow_run_timeout: run_timeout.map(wire::duration),
        workflow_task_timeout: Some(wire::duration(task_timeout)),
        original_execution_run_id: run.to_string(),
        identity: question.identity.clone(),
        first_execution_run_id: run.to_string(),
        retry_policy: question
            .retry_policy
            .as_ref()
            .and_then(|policy| Policy::checked(Some(policy)).ok()),
        attempt: 1,
        workflow_execution_expiration_time: execution_timeout
            .filter(|timeout| !timeout.is_zero())
            .map(|timeout| wire::timestamp(wire::round(context.now.after(timeout)))),
        first_workflow_task_backoff: Some(wire::duration(backoff(question, context.now))),
        cron_schedule: question.cron_schedule.clone(),
        initiator: if question.cron_schedule.is_empty() {
            Initiator::Unspecified.into()
        } else {
            Initiator::CronSchedule.into()
        },
        continued_failure: question.continued_failure.clone(),
        last_completion_result: question.last_completion_result.clone(),
        memo: question.memo.clone(),
        search_attributes,
        header: question.header.clone(),
        workflow_id: context.key.workflow_id.clone(),
        priority: question.priority.clone(),
        versioning_override: options::check_override(
            question.versioning_override.as_ref(),
            &question.task_queue,
        )
        .ok()
        .flatten(),
        completion_callbacks: question.callbacks.clone(),
        eager_execution_accepted,
        ..Default::default()
    };
    if let Some(parent) = &question.parent {
        parent.show(&mut started);
    }
    Attributes::WorkflowExecutionStartedEventAttributes(started)
}

/// How long the first workflow task waits.
fn backoff(question: &Start, now: Time) -> Duration {
    if question.start_delay.is_zero() {
        cron::backoff(&question.cron_schedule, now, now).unwrap_or_default()
    } else {
        question.start_delay
    }
}

/// The run timeout is within the execution timeout, the task timeout within the run timeout.
fn timeouts(question: &Start, limits: &Limits) -> (Option<Duration>, Duration) {
    let run = bounded(question.run_timeout, question.execution_timeout);
    let task = task_timeout(question.task_timeout, run.unwrap_or_default(), limits);
    (run, task)
}

pub(crate) fn task_timeout(asked: Duration, run: Duration, limits: &Limits) -> Duration {
    let asked = if asked.is_zero() {
        limits.workflow_task_timeout
    } else {
        asked.min(limits.workflow_task_timeout_max)
    };
    within(asked, run)
}

/// The smaller of two timeouts of which zero is none.
pub(crate) fn within(timeout: Duration, bound: Duration) -> Duration {
    match (timeout.is_zero(), bound.is_zero()) {
        (true, _) => bound,
        (false, true) => timeout,
        (false, false) => timeout.min(bound),
    }
}

/// The same for timeouts that may be absent: what bounds nothing leaves it so.
pub(crate) fn bounded(timeout: Option<Duration>, bound: Option<Duration>) -> Option<Duration> {
    match bound {
        Some(bound) if !bound.is_zero() => Some(within(timeout.unwrap_or_default(), bound)),
        _ => timeout,
    }
}

/// A timeout of a command where zero inherits.
pub(crate) fn or_inherited(
    asked: Option<Signed>,
    inherited: Duration,
) -> Result<Duration, &'static str> {
    let asked = Signed::checked(asked)?;
    Ok(if asked.is_zero() { inherited } else { asked })
}
