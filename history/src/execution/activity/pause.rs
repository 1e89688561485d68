//! An activity is paused: an attempt that runs goes on and hears of it at its next heartbeat, no other one begins.

use std::sync::Arc;

use cairn_proto::cairn::record::v1::{self as record, change::Change};
use cairn_proto::temporal::api::workflow::v1::pending_activity_info::PauseInfo;
use cairn_proto::temporal::api::workflow::v1::pending_activity_info::pause_info::{
    Manual, PausedBy,
};

use super::operate::Operating;
use super::{Activity, Part, Paused};
use crate::execution::{Refusal, wire};
use crate::id::Time;

/// The same request may come again; another one comes too late.
pub(super) fn pause(
    it: &mut Operating<'_, '_>,
    activity: &Activity,
    reason: &str,
    request_id: &str,
) -> Result<(), Refusal> {
    match &activity.paused {
        Some(paused) if paused.request_id == request_id => return Ok(()),
        Some(_) => {
            let text = "activity is already paused";
            return Err(Refusal::Precondition(text.to_owned()));
        }
        None => {}
    }
    it.draft
        .change(Change::ActivityPaused(record::ActivityPaused {
            scheduled_event_id: activity.scheduled_event_id,
            identity: it.identity.to_owned(),
            reason: reason.to_owned(),
            request_id: request_id.to_owned(),
        }));
    Ok(())
}

impl Part {
    pub(crate) fn paused(&mut self, time: Time, it: &record::ActivityPaused) -> bool {
        let Some(activity) = self.pending.get_mut(&it.scheduled_event_id) else {
            return false;
        };
        let paused = Paused {
            time,
            identity: it.identity.clone(),
            reason: it.reason.clone(),
            request_id: it.request_id.clone(),
        };
        let first = Arc::make_mut(activity).paused.replace(paused).is_none();
        self.count_paused();
        first
    }

    /// The types of what is paused now, each once.
    pub(super) fn count_paused(&mut self) {
        let mut types: Vec<String> = Vec::new();
        for activity in self.pending.values().filter(|it| it.paused.is_some()) {
            if !types.contains(&activity.type_name) {
                types.push(activity.type_name.clone());
            }
        }
        self.paused_types = types;
    }
}

impl Paused {
    pub(crate) fn described(&self) -> PauseInfo {
        PauseInfo {
            pause_time: Some(wire::timestamp(self.time)),
            paused_by: Some(PausedBy::Manual(Manual {
                identity: self.identity.clone(),
                reason: self.reason.clone(),
            })),
        }
    }
}
