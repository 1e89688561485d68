//! A worker says how an activity ended: by token, or by the activity's id.

use std::sync::Arc;

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::WorkerVersionStamp;
use cairn_proto::temporal::api::enums::v1::RetryState;
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    ActivityTaskCanceledEventAttributes, ActivityTaskCompletedEventAttributes,
    ActivityTaskFailedEventAttributes,
};

use super::Activity;
use super::heartbeat::record;
use super::retry::{close, oversize, retry, server_failure};
use crate::execution::state::State;
use crate::execution::transition::Draft;
use crate::execution::{
    ActivityToken, Answer, CancelActivity, CompleteActivity, FailActivity, Outcome, Refusal, Run,
    answer_step, payload_size, refuse,
};
use crate::kind::{Context, Heartbeat, Stop};

const GONE: &str =
    "invalid activityID or activity already timed out or invoking workflow is completed";

/// The activity that is meant, if the attempt in hand is still the one that runs.
pub(super) fn find(state: &State, token: &ActivityToken) -> Result<Arc<Activity>, Refusal> {
    if !state.is_open() {
        return Err(Refusal::Completed);
    }
    let found = match token {
        ActivityToken::Attempt {
            scheduled_event_id,
            attempt,
        } => state
            .activities
            .get(*scheduled_event_id)
            .filter(|it| it.started.is_some() && it.attempt == *attempt),
        ActivityToken::Id(id) => state.activities.by_id(id),
    };
    found.cloned().ok_or_else(|| {
        Refusal::NoSuchActivity(match token {
            ActivityToken::Attempt { .. } => GONE.to_owned(),
            ActivityToken::Id(id) => format!(
                "cannot find pending activity with ActivityID {id}, check workflow execution \
                 history for more details"
            ),
        })
    })
}

fn find_started(state: &State, token: &ActivityToken) -> Result<Arc<Activity>, Refusal> {
    find(state, token).and_then(|it| {
        if it.started.is_some() {
            Ok(it)
        } else {
            Err(Refusal::NoSuchActivity(GONE.to_owned()))
        }
    })
}

pub(crate) fn complete(
    run: Run<'_>,
    token: &ActivityToken,
    question: &CompleteActivity,
    context: &mut Context<'_>,
) -> Outcome {
    let activity = match find(run.state, token) {
        Ok(activity) => activity,
        Err(refusal) => return refuse(refusal),
    };
    if payload_size(question.result.as_ref()) > context.limits.blob_bytes_max {
        let ended = Ended::by_server("Complete result exceeds size limit.", &question.identity);
        return end_failed(run, &activity, ended, context);
    }
    let mut draft = Draft::new(run.state, context.now, context.limits);
    let activity = started_anyway(&mut draft, activity, &question.identity);
    let version = question.worker_version.as_ref();
    close(&mut draft, &activity, version, |started_event_id| {
        Attributes::ActivityTaskCompletedEventAttributes(ActivityTaskCompletedEventAttributes {
            result: question.result.clone(),
            scheduled_event_id: activity.scheduled_event_id,
            started_event_id,
            identity: question.identity.clone(),
            ..Default::default()
        })
    });
    finish(run, draft, &activity, Answer::Done, context)
}

/// Who completes by id may be ahead of the worker: the attempt counts as started by the one who completes.
fn started_anyway(draft: &mut Draft<'_>, activity: Arc<Activity>, identity: &str) -> Arc<Activity> {
    if activity.started.is_some() {
        return activity;
    }
    let mut activity = Arc::unwrap_or_clone(activity);
    activity.started = Some(super::Started {
        time: draft.now,
        request_id: String::new(),
        identity: identity.to_owned(),
    });
    Arc::new(activity)
}

pub(crate) fn fail(
    run: Run<'_>,
    token: &ActivityToken,
    question: &FailActivity,
    context: &mut Context<'_>,
) -> Outcome {
    let activity = match find_started(run.state, token) {
        Ok(activity) => activity,
        Err(refusal) => return refuse(refusal),
    };
    let bytes_max = context.limits.blob_bytes_max;
    let mut ended = Ended {
        failure: question.failure.clone(),
        failures: Vec::new(),
        identity: &question.identity,
        worker_version: question.worker_version.as_ref(),
        beat: None,
    };
    if let Some(details) = &question.last_heartbeat_details {
        if details.encoded_len() > bytes_max {
            let failure = server_failure("Heartbeat details exceed size limit.");
            ended.failures.push(failure);
        } else {
            let beat = record(run.volatile, &activity, Some(details.clone()), context.now);
            ended.beat = Some(beat);
        }
    }
    if let Some(failure) = &question.failure
        && failure.encoded_len() > bytes_max
    {
        let bytes_warn = context.limits.blob_bytes_warn;
        let cut = oversize(failure, "Failure exceeds size limit.", bytes_warn);
        ended.failures.push(cut.clone());
        ended.failure = Some(cut);
    }
    end_failed(run, &activity, ended, context)
}

/// An attempt that has failed.
struct Ended<'a> {
    failure: Option<Failure>,
    /// What was put in place of what is too large.
    failures: Vec<Failure>,
    identity: &'a str,
    worker_version: Option<&'a WorkerVersionStamp>,
    beat: Option<Heartbeat>,
}

impl<'a> Ended<'a> {
    /// What the worker said cannot be recorded.
    fn by_server(message: &str, identity: &'a str) -> Self {
        Self {
            failure: Some(server_failure(message)),
            failures: Vec::new(),
            identity,
            worker_version: None,
            beat: None,
        }
    }
}

/// The attempt has failed: another one, or the activity has.
fn end_failed(
    run: Run<'_>,
    activity: &Activity,
    mut ended: Ended<'_>,
    context: &mut Context<'_>,
) -> Outcome {
    let mut draft = Draft::new(run.state, context.now, context.limits);
    let failures = std::mem::take(&mut ended.failures);
    let answer = if failures.is_empty() {
        Answer::Done
    } else {
        Answer::Failures(failures)
    };
    match retry(&mut draft, activity, ended.failure.as_ref()) {
        Ok(()) => {
            let transition = draft.finish().map_err(Stop::Refused)?;
            let mut step = answer_step(transition, context.ticket, answer);
            step.heartbeats = if activity.forgets_heartbeat {
                vec![run.volatile.forget(activity.scheduled_event_id)]
            } else {
                ended.beat.into_iter().collect()
            };
            Ok(step)
        }
        Err(retry_state) => {
            close_failed(&mut draft, activity, ended, retry_state);
            finish(run, draft, activity, answer, context)
        }
    }
}

fn close_failed(
    draft: &mut Draft<'_>,
    activity: &Activity,
    ended: Ended<'_>,
    retry_state: RetryState,
) {
    close(draft, activity, ended.worker_version, |started_event_id| {
        Attributes::ActivityTaskFailedEventAttributes(ActivityTaskFailedEventAttributes {
            failure: ended.failure,
            scheduled_event_id: activity.scheduled_event_id,
            started_event_id,
            identity: ended.identity.to_owned(),
            retry_state: retry_state.into(),
            ..Default::default()
        })
    });
}

pub(crate) fn cancel(
    run: Run<'_>,
    token: &ActivityToken,
    question: &CancelActivity,
    context: &mut Context<'_>,
) -> Outcome {
    let activity = match find_started(run.state, token) {
        Ok(activity) => activity,
        Err(refusal) => return refuse(refusal),
    };
    if payload_size(question.details.as_ref()) > context.limits.blob_bytes_max {
        let ended = Ended::by_server("Cancel details exceed size limit.", &question.identity);
        return end_failed(run, &activity, ended, context);
    }
    let Some(cancel_requested_event_id) = activity.cancel_requested_event_id else {
        return refuse(Refusal::Invalid(
            "unable to mark activity as canceled without activity being request canceled first"
                .to_owned(),
        ));
    };
    let mut draft = Draft::new(run.state, context.now, context.limits);
    close(&mut draft, &activity, None, |started_event_id| {
        Attributes::ActivityTaskCanceledEventAttributes(ActivityTaskCanceledEventAttributes {
            details: question.details.clone(),
            latest_cancel_requested_event_id: cancel_requested_event_id,
            scheduled_event_id: activity.scheduled_event_id,
            started_event_id,
            identity: question.identity.clone(),
            ..Default::default()
        })
    });
    finish(run, draft, &activity, Answer::Done, context)
}

/// The activity has closed: its heartbeat register is forgotten in the same commit.
fn finish(
    run: Run<'_>,
    draft: Draft<'_>,
    activity: &Activity,
    answer: Answer,
    context: &Context<'_>,
) -> Outcome {
    let transition = draft.finish().map_err(Stop::Refused)?;
    let mut step = answer_step(transition, context.ticket, answer);
    let forgotten = run.volatile.forget_register(activity.scheduled_event_id);
    step.heartbeats = forgotten.into_iter().collect();
    Ok(step)
}

/// What ends an activity from within its heartbeat.
pub(super) fn fail_by_server(
    run: Run<'_>,
    activity: &Activity,
    message: &str,
    answer: Answer,
    identity: &str,
    context: &mut Context<'_>,
) -> Outcome {
    let mut draft = Draft::new(run.state, context.now, context.limits);
    let ended = Ended::by_server(message, identity);
    close_failed(&mut draft, activity, ended, RetryState::NonRetryableFailure);
    finish(run, draft, activity, answer, context)
}
