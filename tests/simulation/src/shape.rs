//! The workflows of the simulation: programs whose next commands follow from the events so far, and nothing else.
//!
//! A worker replays them; a history that does not lead to the commands that it shows is a violation (I-19).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use cairn_proto::prost_types;
use cairn_proto::temporal::api::command::v1::command::Attributes as Wanted;
use cairn_proto::temporal::api::command::v1::{self as command, Command};
use cairn_proto::temporal::api::common::v1::{
    ActivityType, Memo, Payload, Payloads, RetryPolicy, WorkflowExecution, WorkflowType,
};
use cairn_proto::temporal::api::enums::v1::{CommandType, ParentClosePolicy};
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{ApplicationFailureInfo, Failure};
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes as Event;
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;

use crate::random::Random;

pub(crate) const QUEUE: &str = "queue";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Activities one after the other; the second of them fails at first.
    Sequence(u64),
    /// Activities side by side.
    FanOut(u64),
    /// Timers one after the other.
    Timers(u64),
    /// Waits for signals, not for ever.
    Collect(u64),
    /// An activity that beats and can be canceled.
    Beating,
    /// Continues as new.
    Chain(u64),
    /// An activity against a timer.
    Race,
    /// Undoes what it did.
    Saga,
    /// Markers, a memo, an activity.
    Marks,
    /// Fails twice and is retried by the server.
    Stubborn,
    /// Sleeps for long.
    Sleeper,
    /// Runs into its timeout.
    Endless,
    /// Starts a child and waits for its end; with an even number it asks the child to cancel.
    Parent(u64),
    /// Starts children of each parent-close policy and closes over them.
    Leaver,
    /// Starts a relay and signals it, one signal after the other, as anybody's workflow.
    Caller,
    /// Goes on as new behind each signal.
    Relay(u64),
}

impl Shape {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let n = 1 + random.below(3);
        match random.below(18) {
            0 => Self::Sequence(n),
            1 => Self::FanOut(n * 2),
            2 => Self::Timers(n),
            3 => Self::Collect(n),
            4 => Self::Beating,
            5 => Self::Chain(n),
            6 => Self::Race,
            7 => Self::Saga,
            8 => Self::Marks,
            9 => Self::Stubborn,
            10 => Self::Sleeper,
            11 => Self::Endless,
            12 | 13 => Self::Parent(n),
            14 => Self::Leaver,
            _ => Self::Caller,
        }
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Sequence(n) => format!("sequence-{n}"),
            Self::FanOut(n) => format!("fan-out-{n}"),
            Self::Timers(n) => format!("timers-{n}"),
            Self::Collect(n) => format!("collect-{n}"),
            Self::Beating => "beating".to_owned(),
            Self::Chain(n) => format!("chain-{n}"),
            Self::Race => "race".to_owned(),
            Self::Saga => "saga".to_owned(),
            Self::Marks => "marks".to_owned(),
            Self::Stubborn => "stubborn".to_owned(),
            Self::Sleeper => "sleeper".to_owned(),
            Self::Endless => "endless".to_owned(),
            Self::Parent(n) => format!("parent-{n}"),
            Self::Leaver => "leaver".to_owned(),
            Self::Caller => "caller".to_owned(),
            Self::Relay(n) => format!("relay-{n}"),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let (kind, n) = name.rsplit_once('-').unwrap_or((name, ""));
        let n = || n.parse().ok();
        Some(match kind {
            "sequence" => Self::Sequence(n()?),
            "fan-out" => Self::FanOut(n()?),
            "timers" => Self::Timers(n()?),
            "collect" => Self::Collect(n()?),
            "chain" => Self::Chain(n()?),
            "parent" => Self::Parent(n()?),
            "relay" => Self::Relay(n()?),
            _ => match name {
                "beating" => Self::Beating,
                "race" => Self::Race,
                "saga" => Self::Saga,
                "marks" => Self::Marks,
                "stubborn" => Self::Stubborn,
                "sleeper" => Self::Sleeper,
                "endless" => Self::Endless,
                "leaver" => Self::Leaver,
                "caller" => Self::Caller,
                _ => return None,
            },
        })
    }

    pub(crate) fn retry_policy(self) -> Option<RetryPolicy> {
        (self == Self::Stubborn).then(|| RetryPolicy {
            initial_interval: Some(seconds(2)),
            backoff_coefficient: 2.0,
            maximum_attempts: 5,
            ..RetryPolicy::default()
        })
    }

    pub(crate) fn run_timeout(self) -> Option<Duration> {
        (self == Self::Endless).then(|| Duration::from_secs(50))
    }

    /// What the workflow wants now.
    fn step(self, facts: &Facts) -> Vec<Command> {
        let done = facts.count(End::Completed);
        if facts.cancel_requested && !matches!(self, Self::Beating) {
            return vec![canceled()];
        }
        match self {
            Self::Sequence(n) if done == n => vec![completed(&facts.results())],
            Self::Sequence(_) if facts.count(End::Failed) > 0 => vec![failed("an activity failed")],
            Self::Sequence(_) => facts.fresh(&format!("a{done}"), |id| {
                activity(id, if done == 1 { "flaky" } else { "work" })
            }),
            Self::FanOut(n) if facts.activities.is_empty() => {
                (0..n).map(|i| activity(&format!("a{i}"), "work")).collect()
            }
            Self::FanOut(n) if done == n => vec![completed(&facts.results())],
            Self::FanOut(_) if facts.count(End::Failed) > 0 => vec![failed("an activity failed")],
            Self::FanOut(_) => Vec::new(),
            Self::Timers(n) if facts.fired() == n => vec![completed("timers")],
            Self::Timers(_) => {
                let fired = facts.fired();
                facts.fresh_timer(
                    &format!("t{fired}"),
                    Duration::from_millis(700 + 2_500 * fired),
                )
            }
            Self::Collect(n) if facts.signals.len() as u64 >= n => {
                vec![completed(&facts.signals.join(","))]
            }
            Self::Collect(_) if facts.fired() > 0 => vec![completed("nobody came")],
            Self::Beating => beating(facts),
            Self::Chain(n) if facts.fired() == 1 && n > 0 => vec![again(Self::Chain(n - 1))],
            Self::Chain(_) if facts.fired() == 1 => vec![completed("chain")],
            Self::Chain(_) => facts.fresh_timer("link", Duration::from_secs(2)),
            Self::Race => race(facts),
            Self::Saga => saga(facts),
            Self::Marks if facts.activities.is_empty() => {
                vec![mark("begin"), memo(), activity("a0", "work")]
            }
            Self::Marks if facts.count(End::Open) > 0 => Vec::new(),
            Self::Marks => vec![mark("end"), completed("marks")],
            Self::Stubborn if facts.attempt < 3 => vec![failed("not yet")],
            Self::Stubborn => vec![completed("at last")],
            Self::Sleeper if facts.fired() == 1 => {
                vec![completed(&format!("{} signals", facts.signals.len()))]
            }
            Self::Sleeper => facts.fresh_timer("night", facts.long),
            Self::Parent(n) => parent(n, facts),
            Self::Leaver => leaver(facts),
            Self::Caller => caller(facts),
            Self::Relay(_) if facts.fired() > 0 => vec![completed("nobody called")],
            Self::Relay(0) if !facts.signals.is_empty() => vec![completed("relayed")],
            Self::Relay(n) if !facts.signals.is_empty() => vec![again(Self::Relay(n - 1))],
            Self::Collect(_) | Self::Relay(_) => {
                facts.fresh_timer("patience", Duration::from_secs(100))
            }
            Self::Endless => {
                let fired = facts.fired();
                facts.fresh_timer(&format!("t{fired}"), Duration::from_secs(20))
            }
        }
    }
}

fn beating(facts: &Facts) -> Vec<Command> {
    let Some((scheduled, act)) = facts.activities.iter().next() else {
        return vec![activity("beat", "beat")];
    };
    match act.end {
        End::Open if facts.cancel_requested && !act.cancel_requested => {
            vec![cancel_activity(*scheduled)]
        }
        End::Open => Vec::new(),
        End::Canceled => vec![canceled()],
        End::Completed | End::Failed => vec![completed("beating")],
    }
}

fn parent(n: u64, facts: &Facts) -> Vec<Command> {
    let id = format!("{}.child", facts.workflow_id);
    let Some(kin) = facts.children.get(&id) else {
        let shape = if n == 3 {
            Shape::Chain(1)
        } else {
            Shape::Timers(1)
        };
        return vec![child(&id, shape, ParentClosePolicy::Terminate)];
    };
    match kin {
        Kin::Started if n == 2 && !facts.asked.contains(&id) => vec![cancel_external(&id)],
        Kin::Asked | Kin::Started => Vec::new(),
        Kin::Ended(how) => vec![completed(how)],
    }
}

fn leaver(facts: &Facts) -> Vec<Command> {
    let children = [
        ("t", Shape::Sleeper, ParentClosePolicy::Terminate),
        ("a", Shape::Timers(1), ParentClosePolicy::Abandon),
        ("c", Shape::Collect(9), ParentClosePolicy::RequestCancel),
    ];
    if facts.children.is_empty() {
        let started = children.iter().map(|(suffix, shape, policy)| {
            let id = format!("{}.{suffix}", facts.workflow_id);
            child(&id, *shape, *policy)
        });
        return started.collect();
    }
    if facts.children.values().any(|kin| *kin == Kin::Asked) {
        return Vec::new();
    }
    vec![completed("gone")]
}

fn caller(facts: &Facts) -> Vec<Command> {
    let id = format!("{}.relay", facts.workflow_id);
    match facts.children.get(&id) {
        None => vec![child(&id, Shape::Relay(2), ParentClosePolicy::Terminate)],
        Some(Kin::Ended(how)) => vec![completed(how)],
        Some(Kin::Started) if facts.calls == facts.called && facts.calls < 3 => {
            vec![call(
                &id,
                &format!("call {} of {}", facts.calls, facts.run_id),
            )]
        }
        Some(Kin::Asked | Kin::Started) => Vec::new(),
    }
}

fn race(facts: &Facts) -> Vec<Command> {
    let (Some((scheduled, act)), Some((id, fired))) =
        (facts.activities.iter().next(), facts.timers.iter().next())
    else {
        return vec![
            activity("slow", "slow"),
            timer("limit", Duration::from_secs(4)),
        ];
    };
    match (act.end, *fired) {
        (End::Open, false) => Vec::new(),
        (End::Open, true) => vec![cancel_activity(*scheduled), completed("timer")],
        (_, false) => vec![cancel_timer(id), completed("activity")],
        (_, true) => vec![completed("both")],
    }
}

fn saga(facts: &Facts) -> Vec<Command> {
    let has = |id: &str| facts.activities.values().find(|act| act.id == id);
    for (id, kind) in [("do0", "work"), ("do1", "work"), ("do2", "doomed")] {
        match has(id) {
            None => return vec![activity(id, kind)],
            Some(act) if act.end == End::Open => return Vec::new(),
            Some(act) if act.end == End::Failed => break,
            Some(_) => {}
        }
    }
    for id in ["undo1", "undo0"] {
        match has(id) {
            None => return vec![activity(id, "work")],
            Some(act) if act.end == End::Open => return Vec::new(),
            Some(_) => {}
        }
    }
    vec![failed("undone")]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Completed,
    Failed,
    Canceled,
}

#[derive(Clone, Debug)]
struct Act {
    id: String,
    end: End,
    cancel_requested: bool,
    result: String,
}

/// What is known of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kin {
    Asked,
    Started,
    Ended(String),
}

/// What the events say.
#[derive(Clone, Debug)]
struct Facts {
    workflow_id: String,
    run_id: String,
    /// By workflow id, and the ids by the events that asked for them.
    children: BTreeMap<String, Kin>,
    initiated: BTreeMap<i64, String>,
    /// Whom it has asked to cancel.
    asked: BTreeSet<String>,
    /// Signals to others, and those of which it knows what came.
    calls: u64,
    called: u64,
    attempt: i32,
    long: Duration,
    activities: BTreeMap<i64, Act>,
    timers: BTreeMap<String, bool>,
    signals: Vec<String>,
    cancel_requested: bool,
}

impl Facts {
    fn count(&self, end: End) -> u64 {
        self.activities
            .values()
            .filter(|act| act.end == end)
            .count() as u64
    }

    fn fired(&self) -> u64 {
        self.timers.values().filter(|fired| **fired).count() as u64
    }

    fn results(&self) -> String {
        let results: Vec<_> = self
            .activities
            .values()
            .map(|act| act.result.as_str())
            .collect();
        results.join(",")
    }

    fn fresh(&self, id: &str, command: impl FnOnce(&str) -> Command) -> Vec<Command> {
        let known = self.activities.values().any(|act| act.id == id);
        (!known).then(|| command(id)).into_iter().collect()
    }

    fn fresh_timer(&self, id: &str, delay: Duration) -> Vec<Command> {
        let known = self.timers.contains_key(id);
        (!known).then(|| timer(id, delay)).into_iter().collect()
    }

    fn end(&mut self, scheduled: i64, end: End, result: String) {
        if let Some(act) = self.activities.get_mut(&scheduled) {
            act.end = end;
            act.result = result;
        }
    }

    fn kin(&mut self, initiated: i64, kin: Kin) {
        if let Some(id) = self.initiated.get(&initiated) {
            self.children.insert(id.clone(), kin);
        }
    }

    /// What has to do with other workflows.
    fn hear(&mut self, event: &HistoryEvent) {
        let ended = |how: &str| Kin::Ended(how.to_owned());
        match &event.attributes {
            Some(Event::StartChildWorkflowExecutionInitiatedEventAttributes(it)) => {
                self.initiated
                    .insert(event.event_id, it.workflow_id.clone());
                self.kin(event.event_id, Kin::Asked);
            }
            Some(Event::ChildWorkflowExecutionStartedEventAttributes(it)) => {
                self.kin(it.initiated_event_id, Kin::Started);
            }
            Some(Event::StartChildWorkflowExecutionFailedEventAttributes(it)) => {
                self.kin(it.initiated_event_id, ended("no child"));
            }
            Some(Event::ChildWorkflowExecutionCompletedEventAttributes(it)) => {
                self.kin(it.initiated_event_id, ended("a child completed"));
            }
            Some(Event::ChildWorkflowExecutionFailedEventAttributes(it)) => {
                self.kin(it.initiated_event_id, ended("a child failed"));
            }
            Some(Event::ChildWorkflowExecutionCanceledEventAttributes(it)) => {
                self.kin(it.initiated_event_id, ended("a child was canceled"));
            }
            Some(Event::ChildWorkflowExecutionTimedOutEventAttributes(it)) => {
                self.kin(it.initiated_event_id, ended("a child timed out"));
            }
            Some(Event::ChildWorkflowExecutionTerminatedEventAttributes(it)) => {
                self.kin(it.initiated_event_id, ended("a child was terminated"));
            }
            Some(Event::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(it)) => {
                let target = it.workflow_execution.clone().unwrap_or_default();
                self.asked.insert(target.workflow_id);
            }
            Some(Event::SignalExternalWorkflowExecutionInitiatedEventAttributes(_)) => {
                self.calls += 1;
            }
            Some(
                Event::ExternalWorkflowExecutionSignaledEventAttributes(_)
                | Event::SignalExternalWorkflowExecutionFailedEventAttributes(_),
            ) => self.called += 1,
            _ => {}
        }
    }

    fn feed(&mut self, event: &HistoryEvent) {
        self.hear(event);
        match &event.attributes {
            Some(Event::ActivityTaskScheduledEventAttributes(it)) => {
                let act = Act {
                    id: it.activity_id.clone(),
                    end: End::Open,
                    cancel_requested: false,
                    result: String::new(),
                };
                self.activities.insert(event.event_id, act);
            }
            Some(Event::ActivityTaskCompletedEventAttributes(it)) => {
                self.end(
                    it.scheduled_event_id,
                    End::Completed,
                    text(it.result.as_ref()),
                );
            }
            Some(Event::ActivityTaskFailedEventAttributes(it)) => {
                self.end(it.scheduled_event_id, End::Failed, String::new());
            }
            Some(Event::ActivityTaskTimedOutEventAttributes(it)) => {
                self.end(it.scheduled_event_id, End::Failed, String::new());
            }
            Some(Event::ActivityTaskCanceledEventAttributes(it)) => {
                self.end(it.scheduled_event_id, End::Canceled, String::new());
            }
            Some(Event::ActivityTaskCancelRequestedEventAttributes(it)) => {
                if let Some(act) = self.activities.get_mut(&it.scheduled_event_id) {
                    act.cancel_requested = true;
                }
            }
            Some(Event::TimerStartedEventAttributes(it)) => {
                self.timers.insert(it.timer_id.clone(), false);
            }
            Some(Event::TimerFiredEventAttributes(it)) => {
                self.timers.insert(it.timer_id.clone(), true);
            }
            Some(Event::WorkflowExecutionSignaledEventAttributes(it)) => {
                self.signals.push(text(it.input.as_ref()));
            }
            Some(Event::WorkflowExecutionCancelRequestedEventAttributes(_)) => {
                self.cancel_requested = true;
            }
            _ => {}
        }
    }
}

/// A replay of one run, as far as its events are known.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    shape: Shape,
    facts: Facts,
    /// What was known when each workflow task was started, until it is over.
    started: BTreeMap<i64, Facts>,
    /// Commands of the last completed task whose events are still to come.
    expected: VecDeque<String>,
    pub(crate) last: i64,
}

impl Replay {
    pub(crate) fn new(first: &HistoryEvent, long: Duration) -> Option<Self> {
        let Some(Event::WorkflowExecutionStartedEventAttributes(it)) = &first.attributes else {
            return None;
        };
        let shape = Shape::parse(&it.workflow_type.as_ref()?.name)?;
        let facts = Facts {
            workflow_id: it.workflow_id.clone(),
            run_id: it.original_execution_run_id.clone(),
            children: BTreeMap::new(),
            initiated: BTreeMap::new(),
            asked: BTreeSet::new(),
            calls: 0,
            called: 0,
            attempt: it.attempt,
            long,
            activities: BTreeMap::new(),
            timers: BTreeMap::new(),
            signals: Vec::new(),
            cancel_requested: false,
        };
        Some(Self {
            shape,
            facts,
            started: BTreeMap::new(),
            expected: VecDeque::new(),
            last: 0,
        })
    }

    /// Takes in what comes next. An error is a history that this program cannot have made.
    pub(crate) fn feed(&mut self, events: &[HistoryEvent]) -> Result<(), String> {
        let known = self.last;
        for event in events.iter().filter(|event| event.event_id > known) {
            if event.event_id != self.last + 1 {
                return Err(format!("event {} follows {}", event.event_id, self.last));
            }
            self.last = event.event_id;
            self.next(event)?;
        }
        Ok(())
    }

    fn next(&mut self, event: &HistoryEvent) -> Result<(), String> {
        if let Some(shown) = shown(event) {
            match self.expected.pop_front() {
                Some(expected) if expected == shown => {}
                expected => {
                    return Err(format!(
                        "event {}: {shown} where {expected:?} was wanted",
                        event.event_id
                    ));
                }
            }
        } else if let Some(missing) = self.expected.front() {
            return Err(format!(
                "event {}: {missing} is missing before it",
                event.event_id
            ));
        }
        match &event.attributes {
            Some(Event::WorkflowTaskStartedEventAttributes(_)) => {
                self.started.insert(event.event_id, self.facts.clone());
            }
            Some(Event::WorkflowTaskCompletedEventAttributes(it)) => {
                let facts = self.started.remove(&it.started_event_id);
                let facts = facts
                    .ok_or_else(|| format!("event {}: completed, never started", event.event_id))?;
                self.expected = self.shape.step(&facts).iter().map(named).collect();
                self.started.clear();
            }
            _ => self.facts.feed(event),
        }
        Ok(())
    }

    /// The commands of the task that was started last.
    pub(crate) fn decide(&self) -> Vec<Command> {
        self.shape.step(&self.facts)
    }
}

/// What a command will look like in history.
fn named(command: &Command) -> String {
    match &command.attributes {
        Some(Wanted::ScheduleActivityTaskCommandAttributes(it)) => {
            format!("activity {}", it.activity_id)
        }
        Some(Wanted::StartTimerCommandAttributes(it)) => format!("timer {}", it.timer_id),
        Some(Wanted::CancelTimerCommandAttributes(it)) => format!("no timer {}", it.timer_id),
        Some(Wanted::RequestCancelActivityTaskCommandAttributes(it)) => {
            format!("no activity {}", it.scheduled_event_id)
        }
        Some(Wanted::CompleteWorkflowExecutionCommandAttributes(_)) => "completed".to_owned(),
        Some(Wanted::FailWorkflowExecutionCommandAttributes(_)) => "failed".to_owned(),
        Some(Wanted::CancelWorkflowExecutionCommandAttributes(_)) => "canceled".to_owned(),
        Some(Wanted::ContinueAsNewWorkflowExecutionCommandAttributes(_)) => "again".to_owned(),
        Some(Wanted::RecordMarkerCommandAttributes(it)) => format!("marker {}", it.marker_name),
        Some(Wanted::ModifyWorkflowPropertiesCommandAttributes(_)) => "memo".to_owned(),
        Some(Wanted::StartChildWorkflowExecutionCommandAttributes(it)) => {
            format!("child {}", it.workflow_id)
        }
        Some(Wanted::SignalExternalWorkflowExecutionCommandAttributes(it)) => {
            format!("call {}", text(it.input.as_ref()))
        }
        Some(Wanted::RequestCancelExternalWorkflowExecutionCommandAttributes(it)) => {
            format!("cancel {}", it.workflow_id)
        }
        other => format!("{other:?}"),
    }
}

/// The command that an event shows; `None` if it shows none.
fn shown(event: &HistoryEvent) -> Option<String> {
    Some(match &event.attributes {
        Some(Event::StartChildWorkflowExecutionInitiatedEventAttributes(it)) => {
            format!("child {}", it.workflow_id)
        }
        Some(Event::SignalExternalWorkflowExecutionInitiatedEventAttributes(it)) => {
            format!("call {}", text(it.input.as_ref()))
        }
        Some(Event::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(it)) => {
            let target = it.workflow_execution.clone().unwrap_or_default();
            format!("cancel {}", target.workflow_id)
        }
        Some(Event::ActivityTaskScheduledEventAttributes(it)) => {
            format!("activity {}", it.activity_id)
        }
        Some(Event::TimerStartedEventAttributes(it)) => format!("timer {}", it.timer_id),
        Some(Event::TimerCanceledEventAttributes(it)) => format!("no timer {}", it.timer_id),
        Some(Event::ActivityTaskCancelRequestedEventAttributes(it)) => {
            format!("no activity {}", it.scheduled_event_id)
        }
        Some(Event::WorkflowExecutionCompletedEventAttributes(_)) => "completed".to_owned(),
        Some(Event::WorkflowExecutionFailedEventAttributes(_)) => "failed".to_owned(),
        Some(Event::WorkflowExecutionCanceledEventAttributes(_)) => "canceled".to_owned(),
        Some(Event::WorkflowExecutionContinuedAsNewEventAttributes(_)) => "again".to_owned(),
        Some(Event::MarkerRecordedEventAttributes(it)) => format!("marker {}", it.marker_name),
        Some(Event::WorkflowPropertiesModifiedEventAttributes(_)) => "memo".to_owned(),
        _ => return None,
    })
}

fn command(kind: CommandType, attributes: Wanted) -> Command {
    Command {
        command_type: kind.into(),
        attributes: Some(attributes),
        ..Command::default()
    }
}

fn activity(id: &str, kind: &str) -> Command {
    let attributes = command::ScheduleActivityTaskCommandAttributes {
        activity_id: id.to_owned(),
        activity_type: Some(ActivityType {
            name: kind.to_owned(),
        }),
        task_queue: Some(TaskQueue {
            name: QUEUE.to_owned(),
            ..TaskQueue::default()
        }),
        start_to_close_timeout: Some(seconds(20)),
        heartbeat_timeout: (kind == "beat").then(|| seconds(6)),
        retry_policy: Some(RetryPolicy {
            initial_interval: Some(seconds(1)),
            backoff_coefficient: 2.0,
            maximum_interval: Some(seconds(10)),
            ..RetryPolicy::default()
        }),
        ..command::ScheduleActivityTaskCommandAttributes::default()
    };
    command(
        CommandType::ScheduleActivityTask,
        Wanted::ScheduleActivityTaskCommandAttributes(attributes),
    )
}

fn cancel_activity(scheduled_event_id: i64) -> Command {
    let attributes = command::RequestCancelActivityTaskCommandAttributes { scheduled_event_id };
    command(
        CommandType::RequestCancelActivityTask,
        Wanted::RequestCancelActivityTaskCommandAttributes(attributes),
    )
}

fn timer(id: &str, delay: Duration) -> Command {
    let attributes = command::StartTimerCommandAttributes {
        timer_id: id.to_owned(),
        start_to_fire_timeout: Some(wire(delay)),
    };
    command(
        CommandType::StartTimer,
        Wanted::StartTimerCommandAttributes(attributes),
    )
}

fn cancel_timer(id: &str) -> Command {
    let attributes = command::CancelTimerCommandAttributes {
        timer_id: id.to_owned(),
    };
    command(
        CommandType::CancelTimer,
        Wanted::CancelTimerCommandAttributes(attributes),
    )
}

fn completed(result: &str) -> Command {
    let attributes = command::CompleteWorkflowExecutionCommandAttributes {
        result: Some(payloads(result)),
    };
    command(
        CommandType::CompleteWorkflowExecution,
        Wanted::CompleteWorkflowExecutionCommandAttributes(attributes),
    )
}

fn failed(message: &str) -> Command {
    let attributes = command::FailWorkflowExecutionCommandAttributes {
        failure: Some(failure(message, false)),
    };
    command(
        CommandType::FailWorkflowExecution,
        Wanted::FailWorkflowExecutionCommandAttributes(attributes),
    )
}

fn canceled() -> Command {
    let attributes = command::CancelWorkflowExecutionCommandAttributes::default();
    command(
        CommandType::CancelWorkflowExecution,
        Wanted::CancelWorkflowExecutionCommandAttributes(attributes),
    )
}

fn again(shape: Shape) -> Command {
    let attributes = command::ContinueAsNewWorkflowExecutionCommandAttributes {
        workflow_type: Some(WorkflowType { name: shape.name() }),
        task_queue: Some(TaskQueue {
            name: QUEUE.to_owned(),
            ..TaskQueue::default()
        }),
        ..command::ContinueAsNewWorkflowExecutionCommandAttributes::default()
    };
    let wanted = Wanted::ContinueAsNewWorkflowExecutionCommandAttributes(attributes);
    command(CommandType::ContinueAsNewWorkflowExecution, wanted)
}

fn child(id: &str, shape: Shape, policy: ParentClosePolicy) -> Command {
    let attributes = command::StartChildWorkflowExecutionCommandAttributes {
        workflow_id: id.to_owned(),
        workflow_type: Some(WorkflowType { name: shape.name() }),
        task_queue: Some(TaskQueue {
            name: QUEUE.to_owned(),
            ..TaskQueue::default()
        }),
        parent_close_policy: policy.into(),
        ..command::StartChildWorkflowExecutionCommandAttributes::default()
    };
    let wanted = Wanted::StartChildWorkflowExecutionCommandAttributes(attributes);
    command(CommandType::StartChildWorkflowExecution, wanted)
}

fn call(id: &str, input: &str) -> Command {
    let attributes = command::SignalExternalWorkflowExecutionCommandAttributes {
        execution: Some(WorkflowExecution {
            workflow_id: id.to_owned(),
            run_id: String::new(),
        }),
        signal_name: "call".to_owned(),
        input: Some(payloads(input)),
        ..command::SignalExternalWorkflowExecutionCommandAttributes::default()
    };
    let wanted = Wanted::SignalExternalWorkflowExecutionCommandAttributes(attributes);
    command(CommandType::SignalExternalWorkflowExecution, wanted)
}

fn cancel_external(id: &str) -> Command {
    let attributes = command::RequestCancelExternalWorkflowExecutionCommandAttributes {
        workflow_id: id.to_owned(),
        child_workflow_only: true,
        ..command::RequestCancelExternalWorkflowExecutionCommandAttributes::default()
    };
    let wanted = Wanted::RequestCancelExternalWorkflowExecutionCommandAttributes(attributes);
    command(CommandType::RequestCancelExternalWorkflowExecution, wanted)
}

fn mark(name: &str) -> Command {
    let attributes = command::RecordMarkerCommandAttributes {
        marker_name: name.to_owned(),
        ..command::RecordMarkerCommandAttributes::default()
    };
    command(
        CommandType::RecordMarker,
        Wanted::RecordMarkerCommandAttributes(attributes),
    )
}

fn memo() -> Command {
    let fields = [("color".to_owned(), payload("red"))].into();
    let attributes = command::ModifyWorkflowPropertiesCommandAttributes {
        upserted_memo: Some(Memo { fields }),
    };
    command(
        CommandType::ModifyWorkflowProperties,
        Wanted::ModifyWorkflowPropertiesCommandAttributes(attributes),
    )
}

pub(crate) fn failure(message: &str, non_retryable: bool) -> Failure {
    let info = ApplicationFailureInfo {
        non_retryable,
        ..ApplicationFailureInfo::default()
    };
    Failure {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
        ..Failure::default()
    }
}

fn payload(text: &str) -> Payload {
    Payload {
        data: text.as_bytes().to_vec(),
        ..Payload::default()
    }
}

pub(crate) fn payloads(text: &str) -> Payloads {
    Payloads {
        payloads: vec![payload(text)],
    }
}

pub(crate) fn text(payloads: Option<&Payloads>) -> String {
    let first = payloads.and_then(|payloads| payloads.payloads.first());
    first
        .map(|payload| String::from_utf8_lossy(&payload.data).into_owned())
        .unwrap_or_default()
}

fn wire(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}
