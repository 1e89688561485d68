//! Clients reset runs, open and closed, to where their histories showed a workflow task.

use cairn_history::execution::reset::Keep;
use cairn_history::id::{Key, RunId};
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use super::Client;
use crate::event::{Call, Resetting};
use crate::judge::Kind;
use crate::world::World;

/// Of how many points a client knows.
const POINTS_MAX: usize = 30;

impl Client {
    /// A workflow task was started, or was about to be.
    pub(super) fn sees_points(&mut self, key: &Key, run: RunId, events: &[HistoryEvent]) {
        for event in events {
            let last = match &event.attributes {
                Some(Attributes::WorkflowTaskCompletedEventAttributes(it)) => it.started_event_id,
                Some(Attributes::WorkflowTaskFailedEventAttributes(it)) => it.started_event_id,
                Some(Attributes::WorkflowTaskTimedOutEventAttributes(it)) => it.scheduled_event_id,
                _ => continue,
            };
            self.points.push_back((key.clone(), run, last));
        }
        while self.points.len() > POINTS_MAX {
            self.points.pop_front();
        }
    }
}

impl World {
    pub(super) fn draw_reset(&mut self, index: usize, request_id: String) -> (Call, Kind) {
        let points = &self.clients[index].points;
        let (key, base, last) = points[self.random.index(points.len())].clone();
        let keep = *self.random.pick(&[
            Keep::default(),
            Keep::default(),
            Keep::default(),
            Keep {
                no_signals: true,
                ..Keep::default()
            },
            Keep {
                no_updates: true,
                ..Keep::default()
            },
            Keep {
                nothing: true,
                ..Keep::default()
            },
        ]);
        let kind = Kind::Reset {
            request_id: request_id.clone(),
            keep,
        };
        let reset = Resetting {
            key,
            base,
            last,
            request_id,
            keep,
        };
        (Call::Reset(Box::new(reset)), kind)
    }
}
