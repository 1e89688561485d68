//! A worker says how an activity ended: by token, or by the activity's id.

use std::sync::Arc;

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::enums::v1::RetryState;
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
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
        let failure = server_failure("Complete result exceeds size limit.");
        return end_failed(
            run,
            &activity,
            failure,
            Vec::new(),
            &question.identity,
            None,
            context,
        );
    }
    let mut draft = Draft::new(run.state, context.now, context.limits);
    let activity = started_anyway(&mut draft, activity, &question.identity);
    close(&mut draft, &activity, |started_event_id| {
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
    if !matches!(
        question.failure.failure_info,
        // The edge puts a server failure in place of a result that is too large.
        Some(FailureInfo::ApplicationFailureInfo(_) | FailureInfo::ServerFailureInfo(_))
    ) {
        return refuse(Refusal::Invalid(
            "Failure must have ApplicationFailureInfo.".to_owned(),
        ));
    }
    let mut failure = question.failure.clone();
    let mut failures = Vec::new();
    if failure.encoded_len() > context.limits.blob_bytes_max {
        failure = oversize(
            &question.failure,
            "Failure exceeds size limit.",
            context.limits.blob_bytes_max / 4,
        );
        failures.push(failure.clone());
    }
    let beat = question
        .last_heartbeat_details
        .as_ref()
        .map(|details| record(run.volatile, &activity, Some(details.clone()), context.now));
    end_failed(
        run,
        &activity,
        failure,
        failures,
        &question.identity,
        beat,
        context,
    )
}

/// The attempt has failed: another one, or the activity has.
fn end_failed(
    run: Run<'_>,
    activity: &Activity,
    failure: Failure,
    failures: Vec<Failure>,
    identity: &str,
    beat: Option<Heartbeat>,
    context: &mut Context<'_>,
) -> Outcome {
    let mut draft = Draft::new(run.state, context.now, context.limits);
    let answer = if failures.is_empty() {
        Answer::Done
    } else {
        Answer::Failures(failures)
    };
    match retry(&mut draft, activity, &failure) {
        Ok(()) => {
            let transition = draft.finish().map_err(Stop::Refused)?;
            let mut step = answer_step(transition, context.ticket, answer);
            step.heartbeat = beat;
            Ok(step)
        }
        Err(retry_state) => {
            close_failed(&mut draft, activity, failure, retry_state, identity);
            finish(run, draft, activity, answer, context)
        }
    }
}

pub(super) fn close_failed(
    draft: &mut Draft<'_>,
    activity: &Activity,
    failure: Failure,
    retry_state: RetryState,
    identity: &str,
) {
    close(draft, activity, |started_event_id| {
        Attributes::ActivityTaskFailedEventAttributes(ActivityTaskFailedEventAttributes {
            failure: Some(failure),
            scheduled_event_id: activity.scheduled_event_id,
            started_event_id,
            identity: identity.to_owned(),
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
    let Some(cancel_requested_event_id) = activity.cancel_requested_event_id else {
        return refuse(Refusal::Invalid(
            "unable to mark activity as canceled without activity being request canceled first"
                .to_owned(),
        ));
    };
    if payload_size(question.details.as_ref()) > context.limits.blob_bytes_max {
        let failure = server_failure("Cancel details exceed size limit.");
        return end_failed(
            run,
            &activity,
            failure,
            Vec::new(),
            &question.identity,
            None,
            context,
        );
    }
    let mut draft = Draft::new(run.state, context.now, context.limits);
    close(&mut draft, &activity, |started_event_id| {
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
    step.heartbeat = run.volatile.forget_register(activity.scheduled_event_id);
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
    let failure = server_failure(message);
    close_failed(
        &mut draft,
        activity,
        failure,
        RetryState::NonRetryableFailure,
        identity,
    );
    finish(run, draft, activity, answer, context)
}
