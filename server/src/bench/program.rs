//! What the measured workflows do: from the events of a workflow task to its commands. Pure, so the client costs little.
//!
//! Deliberately absent: replay. The worker counts what it has seen; a run it does not know begins again at event 1.

use std::time::{Duration, SystemTime};

use cairn_proto::temporal::api::command::v1::command::Attributes as Asked;
use cairn_proto::temporal::api::command::v1::{
    Command, CompleteWorkflowExecutionCommandAttributes, RecordMarkerCommandAttributes,
    ScheduleActivityTaskCommandAttributes, StartTimerCommandAttributes,
};
use cairn_proto::temporal::api::common::v1::ActivityType;
use cairn_proto::temporal::api::enums::v1::{CommandType, TaskQueueKind};
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use super::client::queue;

/// The signal after which a signalled workflow completes.
pub(crate) const FINISH: &str = "finish";
/// The signal that is counted.
pub(crate) const SIGNAL: &str = "bench";
/// Markers in one workflow task: far below the size of a message.
const MARKERS_PER_TASK: u64 = 1_000;
const ACTIVITY: Duration = Duration::from_mins(1);

/// The workflow of one scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// Completes at once.
    Noop,
    /// Schedules activities and completes when all have.
    Activities { count: u32, eager: bool },
    /// Takes signals and completes with the last.
    Signals,
    /// Sleeps until then and completes.
    Sleep { until: SystemTime },
    /// Fills its history with markers and completes.
    Markers { count: u64 },
}

/// What the worker remembers of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    activities_completed: u32,
    markers_recorded: u64,
    asleep: bool,
    woke: bool,
    finished: bool,
}

/// The answer to one workflow task.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Decision {
    pub(crate) commands: Vec<Command>,
    /// Another workflow task is wanted at once.
    pub(crate) another: bool,
    pub(crate) milestone: Option<Milestone>,
}

/// What a starter waits for; reached when the server has accepted the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Milestone {
    Asleep,
    Completed,
}

impl Program {
    pub(crate) fn has_activities(self) -> bool {
        matches!(self, Self::Activities { .. })
    }
}

impl Progress {
    /// Takes the new events in and answers.
    pub(crate) fn decide(
        &mut self,
        program: Program,
        events: &[HistoryEvent],
        task_queue: &str,
        now: SystemTime,
    ) -> Decision {
        if events.first().is_some_and(|event| event.event_id == 1) {
            *self = Self::default();
        }
        let begins = *self == Self::default() && starts(events);
        for event in events {
            self.see(event);
        }
        match program {
            Program::Noop => complete(),
            Program::Activities { count, eager } if begins => Decision {
                commands: (self.activities_completed..count)
                    .map(|number| activity(number, eager, task_queue))
                    .collect(),
                ..Decision::default()
            },
            Program::Activities { count, .. } if self.activities_completed >= count => complete(),
            Program::Signals if self.finished => complete(),
            Program::Activities { .. } | Program::Signals => Decision::default(),
            Program::Sleep { .. } if self.woke => complete(),
            Program::Sleep { .. } if self.asleep => Decision::default(),
            Program::Sleep { until } => Decision {
                commands: vec![timer(until.duration_since(now).unwrap_or_default())],
                another: false,
                milestone: Some(Milestone::Asleep),
            },
            Program::Markers { count } if self.markers_recorded >= count => complete(),
            Program::Markers { count } => Decision {
                commands: (self.markers_recorded..count)
                    .take(usize::try_from(MARKERS_PER_TASK).unwrap_or(usize::MAX))
                    .map(|_| marker())
                    .collect(),
                another: true,
                milestone: None,
            },
        }
    }

    fn see(&mut self, event: &HistoryEvent) {
        match &event.attributes {
            Some(Attributes::ActivityTaskCompletedEventAttributes(_)) => {
                self.activities_completed += 1;
            }
            Some(Attributes::MarkerRecordedEventAttributes(_)) => self.markers_recorded += 1,
            Some(Attributes::TimerStartedEventAttributes(_)) => self.asleep = true,
            Some(Attributes::TimerFiredEventAttributes(_)) => self.woke = true,
            Some(Attributes::WorkflowExecutionSignaledEventAttributes(signal)) => {
                self.finished |= signal.signal_name == FINISH;
            }
            _ => {}
        }
    }
}

/// The first workflow task: nothing has been completed yet.
fn starts(events: &[HistoryEvent]) -> bool {
    !events.iter().any(|event| {
        matches!(
            event.attributes,
            Some(Attributes::WorkflowTaskCompletedEventAttributes(_))
        )
    })
}

fn complete() -> Decision {
    Decision {
        commands: vec![command(
            CommandType::CompleteWorkflowExecution,
            Asked::CompleteWorkflowExecutionCommandAttributes(
                CompleteWorkflowExecutionCommandAttributes::default(),
            ),
        )],
        another: false,
        milestone: Some(Milestone::Completed),
    }
}

fn activity(number: u32, eager: bool, task_queue: &str) -> Command {
    let asked = ScheduleActivityTaskCommandAttributes {
        activity_id: number.to_string(),
        activity_type: Some(ActivityType {
            name: "bench".to_owned(),
        }),
        task_queue: Some(queue(task_queue, TaskQueueKind::Normal)),
        schedule_to_close_timeout: ACTIVITY.try_into().ok(),
        start_to_close_timeout: ACTIVITY.try_into().ok(),
        request_eager_execution: eager,
        ..Default::default()
    };
    command(
        CommandType::ScheduleActivityTask,
        Asked::ScheduleActivityTaskCommandAttributes(asked),
    )
}

fn timer(sleep: Duration) -> Command {
    let asked = StartTimerCommandAttributes {
        timer_id: "1".to_owned(),
        start_to_fire_timeout: sleep.max(Duration::from_millis(1)).try_into().ok(),
    };
    command(
        CommandType::StartTimer,
        Asked::StartTimerCommandAttributes(asked),
    )
}

fn marker() -> Command {
    let asked = RecordMarkerCommandAttributes {
        marker_name: "bench".to_owned(),
        ..Default::default()
    };
    command(
        CommandType::RecordMarker,
        Asked::RecordMarkerCommandAttributes(asked),
    )
}

fn command(kind: CommandType, asked: Asked) -> Command {
    Command {
        command_type: kind.into(),
        attributes: Some(asked),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use cairn_proto::temporal::api::history::v1::{
        ActivityTaskCompletedEventAttributes, MarkerRecordedEventAttributes,
        TimerFiredEventAttributes, TimerStartedEventAttributes,
        WorkflowExecutionSignaledEventAttributes, WorkflowExecutionStartedEventAttributes,
        WorkflowTaskCompletedEventAttributes,
    };

    use super::*;

    fn event(name: &str) -> Attributes {
        match name {
            "started" => Attributes::WorkflowExecutionStartedEventAttributes(
                WorkflowExecutionStartedEventAttributes::default(),
            ),
            "task" => Attributes::WorkflowTaskCompletedEventAttributes(
                WorkflowTaskCompletedEventAttributes::default(),
            ),
            "activity" => Attributes::ActivityTaskCompletedEventAttributes(
                ActivityTaskCompletedEventAttributes::default(),
            ),
            "marker" => {
                Attributes::MarkerRecordedEventAttributes(MarkerRecordedEventAttributes::default())
            }
            "asleep" => {
                Attributes::TimerStartedEventAttributes(TimerStartedEventAttributes::default())
            }
            "fired" => Attributes::TimerFiredEventAttributes(TimerFiredEventAttributes::default()),
            signal => Attributes::WorkflowExecutionSignaledEventAttributes(
                WorkflowExecutionSignaledEventAttributes {
                    signal_name: signal.to_owned(),
                    ..Default::default()
                },
            ),
        }
    }

    /// Each task is a line of events; printed are its commands, `…` for another task, `=` and the milestone.
    fn check(program: Program, tasks: &[&str], expect: &[&str]) {
        let mut progress = Progress::default();
        let mut next = 1;
        let answers: Vec<String> = tasks
            .iter()
            .map(|task| {
                let events: Vec<HistoryEvent> = task
                    .split_whitespace()
                    .map(|name| {
                        if name == "started" {
                            next = 1;
                        }
                        next += 1;
                        HistoryEvent {
                            event_id: next - 1,
                            attributes: Some(event(name)),
                            ..Default::default()
                        }
                    })
                    .collect();
                print(&progress.decide(program, &events, "q", SystemTime::UNIX_EPOCH))
            })
            .collect();
        assert_eq!(answers, expect);
    }

    fn print(decision: &Decision) -> String {
        let kinds = decision.commands.iter().map(|command| {
            let kind = CommandType::try_from(command.command_type).unwrap();
            kind.as_str_name().replace("COMMAND_TYPE_", "")
        });
        let kinds: Vec<String> = kinds.collect();
        let another = if decision.another { "…" } else { "" };
        let milestone = decision
            .milestone
            .map(|milestone| format!("={milestone:?}"))
            .unwrap_or_default();
        format!("{}{another}{milestone}", kinds.join(" "))
    }

    const DONE: &str = "COMPLETE_WORKFLOW_EXECUTION=Completed";

    #[test]
    fn a_noop_completes_at_once() {
        check(Program::Noop, &["started"], &[DONE]);
    }

    #[test]
    fn a_fan_out_completes_when_every_activity_has() {
        let two = Program::Activities {
            count: 2,
            eager: false,
        };
        let both = "SCHEDULE_ACTIVITY_TASK SCHEDULE_ACTIVITY_TASK";
        check(
            two,
            &["started", "task activity", "task activity"],
            &[both, "", DONE],
        );
        check(two, &["started", "task activity activity"], &[both, DONE]);
    }

    #[test]
    fn a_lost_worker_begins_again_at_event_1_and_schedules_nothing_twice() {
        let two = Program::Activities {
            count: 2,
            eager: false,
        };
        check(
            two,
            &[
                "started task activity",
                "started task activity task activity",
            ],
            &["", DONE],
        );
    }

    #[test]
    fn signals_are_taken_until_the_last() {
        let tasks = ["started bench", "task bench bench", "task bench finish"];
        check(Program::Signals, &tasks, &["", "", DONE]);
    }

    #[test]
    fn a_sleeper_starts_one_timer_and_completes_when_it_fires() {
        let sleep = Program::Sleep {
            until: SystemTime::UNIX_EPOCH + Duration::from_secs(9),
        };
        let tasks = ["started", "task asleep", "task fired"];
        check(sleep, &tasks, &["START_TIMER=Asleep", "", DONE]);
    }

    #[test]
    fn markers_are_recorded_in_several_tasks() {
        let three = Program::Markers { count: 3 };
        let tasks = ["started", "task marker marker", "task marker"];
        let three_markers = "RECORD_MARKER RECORD_MARKER RECORD_MARKER…";
        check(three, &tasks, &[three_markers, "RECORD_MARKER…", DONE]);
    }
}
