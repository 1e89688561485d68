//! The workflows of the simulation: programs whose next commands follow from the events so far, and nothing else.
//!
//! A worker replays them; a history that does not lead to the commands that it shows is a violation (I-19).

use std::time::Duration;

use cairn_proto::temporal::api::command::v1::Command;
use cairn_proto::temporal::api::common::v1::RetryPolicy;

use crate::random::Random;

mod command;
mod facts;
mod family;
mod replay;
mod updated;

use command::{
    activity, again, cancel_activity, cancel_timer, canceled, completed, failed, mark, memo,
    seconds, timer,
};
pub(crate) use command::{failure, payloads, text};
use facts::{End, Facts};
use family::{caller, leaver, parent};
pub(crate) use replay::Replay;
use updated::updated;
pub(crate) use updated::{HANDLERS, REFUSED};

pub(crate) const QUEUE: &str = "queue";

/// Schedules, and how long it is at most from one time to the next.
const CRON: [(&str, Duration); 3] = [
    ("@every 9s", Duration::from_secs(9)),
    ("@every 20s", Duration::from_secs(20)),
    ("* * * * *", Duration::from_mins(1)),
];

/// From one time of a schedule to the next.
pub(crate) fn interval(schedule: &str) -> Duration {
    let known = CRON.iter().find(|(text, _)| *text == schedule);
    known.map_or(Duration::ZERO, |(_, interval)| *interval)
}

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
    /// Answers updates, and ends behind so many.
    Updated(u64),
    /// Begins again and again by a schedule, until the time of the chain is over; the first kind fails each time.
    Cron(u64),
}

impl Shape {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let n = 1 + random.below(3);
        match random.below(23) {
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
            15..18 => Self::Caller,
            18..21 => Self::Updated(n),
            _ => Self::Cron(n),
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
            Self::Updated(n) => format!("updated-{n}"),
            Self::Cron(n) => format!("cron-{n}"),
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
            "updated" => Self::Updated(n()?),
            "cron" => Self::Cron(n()?),
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

    pub(crate) fn cron_schedule(self) -> &'static str {
        match self {
            Self::Cron(n) => CRON[usize::try_from(n).unwrap_or_default() % CRON.len()].0,
            _ => "",
        }
    }

    pub(crate) fn execution_timeout(self) -> Option<Duration> {
        matches!(self, Self::Cron(_)).then(|| Duration::from_secs(75))
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
            Self::Updated(n) => updated(n, facts),
            Self::Cron(_) if facts.fired() == 0 => {
                facts.fresh_timer("tick", Duration::from_secs(1))
            }
            Self::Cron(1) => vec![failed("not today")],
            Self::Cron(_) => vec![completed("cron")],
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
