//! A paused activity may go on: what waits is due, also before its time.

use std::sync::Arc;

use cairn_proto::cairn::record::v1::{self as record, change::Change};

use super::operate::Operating;
use super::{Activity, Part};
use crate::execution::UnpauseActivity;
use crate::id::Time;

/// Of one that is not paused nothing is changed.
pub(super) fn unpause(
    it: &mut Operating<'_, '_>,
    activity: &Activity,
    asked: &UnpauseActivity,
    due: Time,
) {
    if activity.paused.is_none() {
        return;
    }
    if asked.reset_heartbeat {
        it.forgotten.push(activity.scheduled_event_id);
    }
    let runs = activity.started.is_some();
    it.draft
        .change(Change::ActivityUnpaused(record::ActivityUnpaused {
            scheduled_event_id: activity.scheduled_event_id,
            reset_attempts: asked.reset_attempts,
            scheduled_time: if runs { 0 } else { due.0 },
        }));
}

impl Part {
    pub(crate) fn unpaused(&mut self, it: &record::ActivityUnpaused) -> bool {
        let Some(activity) = self.pending.get_mut(&it.scheduled_event_id) else {
            return false;
        };
        let activity = Arc::make_mut(activity);
        if it.reset_attempts {
            activity.attempt = 1;
        }
        if it.scheduled_time != 0 {
            activity.reschedule(Time(it.scheduled_time));
        }
        let was = activity.paused.take().is_some();
        self.count_paused();
        was
    }
}
