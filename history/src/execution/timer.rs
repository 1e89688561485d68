//! Timers.
//!
//! | in      | event    | becomes | owes                                   |
//! |---------|----------|---------|----------------------------------------|
//! | –       | Started  | pending | fire at `fire_at`, never before         |
//! | pending | Fired    | gone    | a workflow task                        |
//! | pending | Canceled | gone    | –                                      |
//! | fired, but buffered | Canceled | gone, and the fired event with it | – |

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    TimerCanceledEventAttributes, TimerFiredEventAttributes, TimerStartedEventAttributes,
};
use serde::{Deserialize, Serialize};

use super::command::{Bad, Signed, too_long};
use super::transition::Draft;
use super::wire;
use super::workflow_task::Completing;
use crate::id::Time;
use crate::planted::{Fault, planted};

/// The pending timers, by the event that started them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    #[serde(with = "wire::shared_map")]
    pending: BTreeMap<i64, Arc<Pending>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pending {
    id: String,
    fire_at: Time,
}

impl Part {
    pub(crate) fn started(
        &mut self,
        event_id: i64,
        time: Time,
        it: &TimerStartedEventAttributes,
    ) -> bool {
        let mut fire_at = time.after(wire::span(it.start_to_fire_timeout.as_ref()));
        if planted(Fault::TimerRoundedDown) {
            fire_at.0 -= fire_at.0 % 1_000_000_000;
        }
        let pending = Pending {
            id: it.timer_id.clone(),
            fire_at,
        };
        self.pending.insert(event_id, Arc::new(pending)).is_none()
    }

    pub(crate) fn gone(&mut self, started_event_id: i64) -> bool {
        self.pending.remove(&started_event_id).is_some()
    }

    /// The event that started a pending timer.
    fn by_id(&self, timer_id: &str) -> Option<i64> {
        self.pending
            .iter()
            .find(|(_, pending)| pending.id == timer_id)
            .map(|(started_event_id, _)| *started_event_id)
    }

    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.pending.values().map(|pending| pending.fire_at).min()
    }
}

/// Fires every timer that is due, in the order in which they were due.
pub(crate) fn fire(draft: &mut Draft<'_>) {
    let mut due: Vec<_> = draft
        .state
        .timers
        .pending
        .iter()
        .filter(|(_, pending)| pending.fire_at <= draft.now)
        .map(|(started, pending)| (pending.fire_at, *started, pending.id.clone()))
        .collect();
    due.sort_unstable();
    for (_, started_event_id, timer_id) in due {
        draft.happen(Attributes::TimerFiredEventAttributes(
            TimerFiredEventAttributes {
                timer_id,
                started_event_id,
            },
        ));
        draft.want_task();
    }
}

/// The command `StartTimer`.
pub(crate) fn start(
    it: &mut Completing<'_, '_>,
    timer_id: &str,
    asked: Option<Signed>,
) -> Result<(), Bad> {
    let bad = |text: String| Bad::Task(Cause::BadStartTimerAttributes, text);
    if timer_id.is_empty() {
        return Err(bad("TimerId is not set on StartTimerCommand.".to_owned()));
    }
    if timer_id.len() > it.draft.limits.id_bytes_max {
        return Err(bad(too_long(
            "TimerId on StartTimerCommand",
            "TimerId",
            timer_id,
            it.draft.limits,
        )));
    }
    let delay = Signed::checked(asked).map_err(|why| {
        bad(format!(
            "An invalid StartToFireTimeout is set on StartTimerCommand: {why}. TimerId={timer_id}"
        ))
    })?;
    if it.draft.state.timers.by_id(timer_id).is_some() {
        return Err(Bad::Task(
            Cause::StartTimerDuplicateId,
            format!(
                "invalid history builder state for action: add-timer-started-event, TimerID: \
                 {timer_id}"
            ),
        ));
    }
    it.write(Attributes::TimerStartedEventAttributes(
        TimerStartedEventAttributes {
            timer_id: timer_id.to_owned(),
            start_to_fire_timeout: asked.is_some().then(|| wire::duration(delay)),
            workflow_task_completed_event_id: it.completed_event_id,
        },
    ));
    Ok(())
}

/// The command `CancelTimer`.
pub(crate) fn cancel(it: &mut Completing<'_, '_>, timer_id: &str) -> Result<(), Bad> {
    let bad = |text: String| Bad::Task(Cause::BadCancelTimerAttributes, text);
    if timer_id.is_empty() {
        return Err(bad("TimerId is not set on CancelTimerCommand.".to_owned()));
    }
    if timer_id.len() > it.draft.limits.id_bytes_max {
        return Err(bad(too_long(
            "TimerId on CancelTimerCommand",
            "TimerId",
            timer_id,
            it.draft.limits,
        )));
    }
    let state = &it.draft.state;
    let pending = state.timers.by_id(timer_id);
    let started_event_id = pending
        .or_else(|| state.buffer.has_fired(timer_id))
        .ok_or_else(|| {
            bad(format!(
                "invalid history builder state for action: add-timer-canceled-event, TimerID: \
                 {timer_id}"
            ))
        })?;
    if pending.is_none() {
        it.unseen -= 1; // The fired event is taken back.
    }
    it.write(Attributes::TimerCanceledEventAttributes(
        TimerCanceledEventAttributes {
            timer_id: timer_id.to_owned(),
            started_event_id,
            workflow_task_completed_event_id: it.completed_event_id,
            identity: it.question.identity.clone(),
        },
    ));
    Ok(())
}
