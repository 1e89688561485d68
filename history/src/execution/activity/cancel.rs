//! The command `RequestCancelActivityTask`: an attempt that runs hears of it at its next heartbeat, another is canceled at once.

use cairn_proto::temporal::api::common::v1::{Payload, Payloads};
use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    ActivityTaskCancelRequestedEventAttributes, ActivityTaskCanceledEventAttributes,
};

use super::retry::close;
use crate::execution::command::Bad;
use crate::execution::workflow_task::Completing;

/// What the details of an activity say that was canceled before anybody had started it.
const NOT_STARTED: &str = "ACTIVITY_ID_NOT_STARTED";

pub(crate) fn request_cancel(
    it: &mut Completing<'_, '_>,
    scheduled_event_id: i64,
) -> Result<(), Bad> {
    let bad = |text: String| Bad::Task(Cause::BadRequestCancelActivityAttributes, text);
    if scheduled_event_id <= 0 {
        return Err(bad(
            "ScheduledEventId is not set on RequestCancelActivityTaskCommand.".to_owned(),
        ));
    }
    let state = &it.draft.state;
    let activity = state.activities.get(scheduled_event_id).cloned();
    let again = activity
        .as_ref()
        .is_some_and(|activity| activity.cancel_requested_event_id.is_some());
    // Of one that has closed, but unseen by the worker, nothing is left to cancel.
    let known = activity.is_some() || state.buffer.has_closed(scheduled_event_id);
    if !known || again {
        return Err(bad(format!(
            "invalid history builder state for action: add-activitytask-cancel-requested-event, \
             ScheduledEventID: {scheduled_event_id}"
        )));
    }
    let cancel_requested_event_id =
        it.write(Attributes::ActivityTaskCancelRequestedEventAttributes(
            ActivityTaskCancelRequestedEventAttributes {
                scheduled_event_id,
                workflow_task_completed_event_id: it.completed_event_id,
            },
        ));
    let Some(activity) = activity.filter(|activity| activity.started.is_none()) else {
        return Ok(());
    };
    let identity = it.question.identity.clone();
    close(&mut it.draft, &activity, None, |started_event_id| {
        Attributes::ActivityTaskCanceledEventAttributes(ActivityTaskCanceledEventAttributes {
            details: Some(not_started()),
            latest_cancel_requested_event_id: cancel_requested_event_id,
            scheduled_event_id,
            started_event_id,
            identity,
            ..Default::default()
        })
    });
    Ok(())
}

fn not_started() -> Payloads {
    Payloads {
        payloads: vec![Payload {
            metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
            data: format!("\"{NOT_STARTED}\"").into_bytes(),
            ..Default::default()
        }],
    }
}
