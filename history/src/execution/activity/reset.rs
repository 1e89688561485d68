//! An activity begins again: what waits is due as a first attempt, what runs counts as one and hears of it at its next heartbeat.
//!
//! The worker of a later attempt holds a token of that attempt: it is not heard any more.

use std::sync::Arc;

use cairn_proto::cairn::record::v1::{self as record, change::Change};

use super::operate::Operating;
use super::{Activity, Part, options};
use crate::execution::ResetActivity;
use crate::id::Time;

pub(super) fn reset(
    it: &mut Operating<'_, '_>,
    activity: &Activity,
    asked: &ResetActivity,
    due: Time,
) {
    if asked.restore_original_options {
        options::restore(it, activity, None);
    }
    let runs = activity.started.is_some();
    if asked.reset_heartbeat && !runs {
        it.forgotten.push(activity.scheduled_event_id);
    }
    let stays = activity.paused.is_some() && asked.keep_paused;
    it.draft
        .change(Change::ActivityReset(record::ActivityReset {
            scheduled_event_id: activity.scheduled_event_id,
            unpause: activity.paused.is_some() && !asked.keep_paused,
            reset_heartbeat: asked.reset_heartbeat && runs,
            scheduled_time: if runs || stays { 0 } else { due.0 },
        }));
}

impl Part {
    pub(crate) fn reset(&mut self, it: &record::ActivityReset) -> bool {
        let Some(activity) = self.pending.get_mut(&it.scheduled_event_id) else {
            return false;
        };
        let activity = Arc::make_mut(activity);
        activity.attempt = 1;
        if activity.started.is_some() {
            activity.reset = true;
            activity.forgets_heartbeat |= it.reset_heartbeat;
        }
        if it.scheduled_time != 0 {
            activity.reschedule(Time(it.scheduled_time));
        }
        if it.unpause {
            activity.paused = None;
            self.count_paused();
        }
        true
    }
}
