//! Operators: they pause activities, let them go on, begin them again and change their options.
//!
//! Behind the heal whatever is paused is let go on: an activity that nobody unpauses need not end.

use std::time::Duration;

use cairn_history::execution::{
    Activities, ActivityOperation, OperateActivities, Question, ResetActivity, UnpauseActivity,
    UpdateActivityOptions,
};
use cairn_history::id::{Key, RunId};
use cairn_proto::prost_types;
use cairn_proto::temporal::api::activity::v1::ActivityOptions;

use super::{Drawn, ask};
use crate::event::Event;
use crate::judge::Kind;
use crate::world::World;

/// How often somebody looks for what is paused, behind the heal.
const LOOK: Duration = Duration::from_secs(5);

impl World {
    pub(super) fn draw_operation(&mut self, key: Key, run: Option<RunId>, id: String) -> Drawn {
        let activities = match self.random.below(4) {
            0 => Activities::Id((*self.random.pick(&["a0", "a1", "slow", "beat"])).to_owned()),
            1 => Activities::Type((*self.random.pick(&["work", "flaky", "slow"])).to_owned()),
            _ => Activities::All,
        };
        let jitter = if self.random.chance(300) {
            Duration::from_secs(2)
        } else {
            Duration::ZERO
        };
        let (chosen, flag) = (self.random.below(100), self.random.chance(500));
        let (operation, kind) = match chosen {
            0..40 => {
                let operation = ActivityOperation::Pause {
                    reason: String::new(),
                    request_id: id.clone(),
                };
                (
                    operation,
                    Kind::Pause {
                        run,
                        request_id: id,
                    },
                )
            }
            40..60 => (unpause(flag, jitter), Kind::Operate),
            60..80 => {
                let reset = ResetActivity {
                    reset_heartbeat: flag,
                    keep_paused: self.random.chance(500),
                    restore_original_options: self.random.chance(300),
                    jitter,
                };
                (ActivityOperation::Reset(reset), Kind::Operate)
            }
            _ => (other_options(flag), Kind::Operate),
        };
        (operate(key, run, activities, operation), kind).into()
    }

    /// Behind the heal: somebody lets go on what is paused. `None`: nothing is.
    pub(super) fn let_go_on(&mut self, index: usize) -> Option<Drawn> {
        let paused = self.ledger.runs.iter().find(|(run, kept)| {
            let is_open = kept.row.is_open() && !self.ledger.quarantined.contains(run);
            is_open && !kept.paused.is_empty()
        });
        let Some((run, kept)) = paused else {
            let next = self.now.after(LOOK);
            self.heap.put(next, Event::Client(index));
            return None;
        };
        let (key, run) = (kept.row.key(), Some(*run));
        let operation = unpause(false, Duration::ZERO);
        Some((operate(key, run, Activities::All, operation), Kind::Operate).into())
    }
}

fn operate(
    key: Key,
    run: Option<RunId>,
    activities: Activities,
    operation: ActivityOperation,
) -> crate::event::Call {
    let question = OperateActivities {
        activities,
        identity: String::new(),
        operation,
    };
    ask(
        key,
        run,
        None,
        Question::OperateActivities(Box::new(question)),
    )
}

fn unpause(reset_attempts: bool, jitter: Duration) -> ActivityOperation {
    ActivityOperation::Unpause(UnpauseActivity {
        reset_attempts,
        reset_heartbeat: reset_attempts,
        jitter,
    })
}

fn other_options(restore_original: bool) -> ActivityOperation {
    let seconds = |seconds| prost_types::Duration { seconds, nanos: 0 };
    let options = ActivityOptions {
        start_to_close_timeout: Some(seconds(12)),
        ..ActivityOptions::default()
    };
    ActivityOperation::UpdateOptions(Box::new(UpdateActivityOptions {
        options: (!restore_original).then_some(options),
        paths: (!restore_original).then(|| vec!["start_to_close_timeout".to_owned()]),
        restore_original,
    }))
}
