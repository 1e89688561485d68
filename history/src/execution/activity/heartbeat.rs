//! A worker says that it is still at it: its details go into a register beside the log, its time is volatile.

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::Payloads;

use super::Activity;
use super::respond::{fail_by_server, find};
use crate::execution::transition::Draft;
use crate::execution::{
    ActivityToken, Answer, HeartbeatActivity, Outcome, Refusal, Run, Transition, Volatile,
    answer_step, payload_size, refuse,
};
use crate::id::Time;
use crate::kind::{Context, Heartbeat, Stop};

/// The last heartbeat of an activity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beat {
    /// Since the run was loaded; of any attempt.
    pub(crate) time: Option<Time>,
    pub(crate) details: Option<Payloads>,
}

pub(crate) fn heartbeat(
    run: Run<'_>,
    token: &ActivityToken,
    question: &HeartbeatActivity,
    context: &mut Context<'_>,
) -> Outcome {
    let activity = match find(run.state, token) {
        Ok(activity) => activity,
        Err(refusal) => return refuse(refusal),
    };
    if activity.started.is_none() {
        return refuse(Refusal::NoSuchActivity(
            "invalid activityID or activity already timed out or invoking workflow is completed"
                .to_owned(),
        ));
    }
    if payload_size(question.details.as_ref()) > context.limits.blob_bytes_max {
        let answer = Answer::Heartbeat {
            cancel_requested: true,
            paused: false,
            reset: false,
        };
        let message = "Heartbeat details exceed size limit.";
        return fail_by_server(run, &activity, message, answer, &question.identity, context);
    }
    let beat = record(
        run.volatile,
        &activity,
        question.details.clone(),
        context.now,
    );
    let answer = Answer::Heartbeat {
        cancel_requested: activity.cancel_requested_event_id.is_some(),
        paused: activity.paused.is_some(),
        reset: activity.reset,
    };
    let mut step = answer_step(write_task(&run, context)?, context.ticket, answer);
    // Without details there is nothing that a restart should find again.
    step.heartbeats = question
        .details
        .is_some()
        .then_some(beat)
        .into_iter()
        .collect();
    Ok(step)
}

/// A workflow task that was there for updates alone is written, as by whatever else happens to the run.
fn write_task(run: &Run<'_>, context: &Context<'_>) -> Result<Option<Transition>, Stop<Refusal>> {
    if !run.state.task.is_speculative() {
        return Ok(None);
    }
    let mut draft = Draft::new(run.state, context.now, context.limits);
    draft.keep_task();
    draft.finish().map_err(Stop::Refused)
}

/// Remembers a heartbeat; the register is for the commit.
pub(super) fn record(
    volatile: &mut Volatile,
    activity: &Activity,
    details: Option<Payloads>,
    now: Time,
) -> Heartbeat {
    let encoded = details
        .as_ref()
        .map(Message::encode_to_vec)
        .unwrap_or_default();
    let beat = volatile
        .heartbeats
        .entry(activity.scheduled_event_id)
        .or_default();
    beat.time = Some(now);
    beat.details = details;
    Heartbeat {
        scheduled_event_id: activity.scheduled_event_id,
        details: encoded.into(),
    }
}
