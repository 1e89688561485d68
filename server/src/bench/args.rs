//! The command line of `cairn bench`, and what it asks for as a list of cases.
//!
//! Deliberately absent: free combinations that nobody would understand in a table; a case is a scenario and its concurrency.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde::Serialize;

/// What is measured; `clap` shows the documentation of each variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// Workflows that complete in their first workflow task.
    Noop,
    /// Workflows of one activity.
    Activity,
    /// Workflows of 100 activities at once.
    FanOut,
    /// Signals to one workflow at a time, at most `--signals` each.
    Signals,
    /// Signals spread over 200 workflows.
    SignalsMany,
    /// Noop workflows one after the other.
    Latency,
    /// Workflows of one activity one after the other.
    LatencyActivity,
    /// Noop workflows started at a fixed rate, half of what `noop` reached.
    HalfLoad,
    /// Reading one long history, page after page.
    History,
    /// Workflows that sleep on a timer: how fast they start, what memory they take; with --versus or --alone also a kill and a restart.
    Sleeping,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    /// The tables on standard error, one document on standard output.
    Json,
}

/// Settings of the reference's `SQLite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pragmas {
    Default,
    /// `journal_mode=WAL`, `synchronous=NORMAL`: faster, and may lose the last commits in a power failure.
    Wal,
}

/// One row of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) scenario: Scenario,
    pub(crate) concurrency: usize,
    /// The concurrency is part of the name because it was chosen.
    pub(crate) chosen: bool,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.scenario.to_possible_value();
        let name = value.as_ref().map_or("", |value| value.get_name());
        if self.chosen {
            write!(f, "{name} c{}", self.concurrency)
        } else {
            f.write_str(name)
        }
    }
}

/// `cairn bench`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of a command line are bools"
)]
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Frontend to measure.
    #[arg(long, default_value = "127.0.0.1:7233")]
    pub(crate) address: String,
    /// Measure a server that is not on this machine.
    #[arg(long)]
    pub(crate) allow_remote: bool,
    #[arg(long, default_value = "default")]
    pub(crate) namespace: String,
    /// What to measure (repeatable, or separated by commas). Without: noop, activity, fan-out, signals and the latencies.
    #[arg(long = "scenario", value_enum, value_delimiter = ',')]
    pub(crate) scenarios: Vec<Scenario>,
    /// Operations of each scenario; without, as many as fit into the time.
    #[arg(long)]
    pub(crate) count: Option<u64>,
    /// Seconds each scenario may take; with --count 600, else 8.
    #[arg(long, alias = "seconds", value_name = "SECONDS")]
    pub(crate) duration: Option<u64>,
    /// Operations in flight, one case for each value; without, what suits the scenario.
    #[arg(long, value_delimiter = ',')]
    pub(crate) concurrency: Vec<usize>,
    /// Polls in flight on each of the worker's queues.
    #[arg(long, default_value_t = 16)]
    pub(crate) pollers: usize,
    /// Ask for eager start and eager activities.
    #[arg(long)]
    pub(crate) eager: bool,
    /// Every starter waits for the close event in history, as an SDK's client does; without, for the answer to the completion.
    #[arg(long)]
    pub(crate) observe: bool,
    /// Threads of the client's runtime.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
    /// Connections of the client.
    #[arg(long, default_value_t = 4)]
    pub(crate) connections: usize,
    /// Signals one workflow gets before the next one is taken (servers refuse more than 10,000).
    #[arg(long, default_value_t = 9_900)]
    pub(crate) signals: u64,
    /// Events of the history that scenario `history` reads.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) events: u64,
    /// How long a sleeping workflow sleeps, when nothing waits for it to wake.
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    pub(crate) sleep: u64,
    /// Process whose cost is reported next to the speed.
    #[arg(long)]
    pub(crate) server_pid: Option<u32>,
    /// Address of the server's Prometheus page, if it has one that counts commits.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) metrics: Option<String>,
    /// Start this binary and ours in turn and compare them.
    #[arg(long, value_name = "PATH")]
    pub(crate) versus: Option<PathBuf>,
    /// Start our server on a fresh file and measure it alone, sleepers through a kill and a restart.
    #[arg(long, conflicts_with = "versus")]
    pub(crate) alone: bool,
    /// Our side of the comparison; without, this binary itself.
    #[arg(long, value_name = "PATH")]
    pub(crate) ours: Option<PathBuf>,
    /// `SQLite` settings of the reference.
    #[arg(
        long,
        value_enum,
        default_value = "default",
        requires = "versus",
        value_name = "WHICH"
    )]
    pub(crate) reference_pragmas: Pragmas,
    /// Times each side is measured, in alternation.
    #[arg(long, default_value_t = 5, requires = "versus")]
    pub(crate) rounds: usize,
    /// Where the databases are put; must be on a disk.
    #[arg(long, default_value = ".")]
    pub(crate) dir: PathBuf,
    #[arg(short, long, value_enum, default_value = "text")]
    pub(crate) output: Output,
}

const USUAL: [Scenario; 7] = [
    Scenario::Noop,
    Scenario::Activity,
    Scenario::FanOut,
    Scenario::Signals,
    Scenario::Latency,
    Scenario::LatencyActivity,
    Scenario::HalfLoad,
];
const SECONDS_DEFAULT: u64 = 8;
/// A count without a duration must still end.
const SECONDS_MAX: u64 = 600;

impl Args {
    /// Refuses what would measure the wrong thing.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.threads == 0 || self.connections == 0 || self.pollers == 0 || self.rounds == 0 {
            bail!("--threads, --connections, --pollers and --rounds start at 1");
        }
        if self.concurrency.contains(&0) || self.signals == 0 {
            bail!("--concurrency and --signals start at 1");
        }
        if self.versus.is_none() && !self.allow_remote && !loopback(&self.address)? {
            bail!(
                "{} is not this machine; --allow-remote measures it anyway",
                self.address
            );
        }
        Ok(())
    }

    /// How long one scenario may take.
    pub(crate) fn seconds(&self) -> Duration {
        let default = match self.count {
            Some(_) => SECONDS_MAX,
            None => SECONDS_DEFAULT,
        };
        Duration::from_secs(self.duration.unwrap_or(default).min(SECONDS_MAX))
    }

    /// Every scenario with every concurrency. Those that wait for a restart come last.
    pub(crate) fn cases(&self) -> Vec<Case> {
        let mut scenarios = if self.scenarios.is_empty() {
            USUAL.to_vec()
        } else {
            self.scenarios.clone()
        };
        scenarios.sort_by_key(|scenario| *scenario == Scenario::Sleeping);
        let mut cases: Vec<Case> = Vec::new();
        for scenario in scenarios {
            for case in self.of(scenario) {
                if !cases.contains(&case) {
                    cases.push(case);
                }
            }
        }
        cases
    }

    fn of(&self, scenario: Scenario) -> Vec<Case> {
        let usual = scenario.concurrency();
        if self.concurrency.is_empty() || scenario.is_serial() {
            return vec![Case {
                scenario,
                concurrency: usual,
                chosen: false,
            }];
        }
        let chosen = self.concurrency.iter().map(|concurrency| Case {
            scenario,
            concurrency: *concurrency,
            chosen: true,
        });
        chosen.collect()
    }
}

impl Scenario {
    fn concurrency(self) -> usize {
        match self {
            Self::Noop | Self::Activity | Self::Sleeping => 50,
            Self::Signals | Self::SignalsMany => 20,
            Self::FanOut
            | Self::Latency
            | Self::LatencyActivity
            | Self::HalfLoad
            | Self::History => 1,
        }
    }

    /// Another concurrency would make it another scenario.
    fn is_serial(self) -> bool {
        matches!(
            self,
            Self::Latency | Self::LatencyActivity | Self::HalfLoad | Self::History
        )
    }
}

fn loopback(address: &str) -> anyhow::Result<bool> {
    let host = address
        .trim_start_matches("http://")
        .rsplit_once(':')
        .with_context(|| format!("{address} is not host:port"))?
        .0;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok(host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &str) -> Args {
        Line::parse_from(["bench"].into_iter().chain(line.split_whitespace())).args
    }

    fn names(line: &str) -> Vec<String> {
        args(line).cases().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_chosen_concurrency_makes_a_case_of_its_own_and_sleeping_comes_last() {
        assert_eq!(
            names("--scenario sleeping,noop,latency --concurrency 10,50"),
            [
                "noop c10",
                "noop c50",
                "latency",
                "sleeping c10",
                "sleeping c50"
            ]
        );
        assert_eq!(names("--scenario noop --scenario noop"), ["noop"]);
    }

    #[test]
    fn another_machine_is_measured_only_when_asked_for() {
        assert!(args("--address 10.0.0.1:7233").check().is_err());
        assert!(
            args("--address 10.0.0.1:7233 --allow-remote")
                .check()
                .is_ok()
        );
        for here in ["localhost:1", "127.0.0.1:7233", "http://[::1]:7233"] {
            assert!(args(&format!("--address {here}")).check().is_ok(), "{here}");
        }
        assert!(args("--address nowhere").check().is_err());
    }

    #[test]
    fn every_run_ends() {
        assert_eq!(args("").seconds(), Duration::from_secs(8));
        assert_eq!(args("--count 5").seconds(), Duration::from_mins(10));
        assert_eq!(args("--seconds 100000").seconds(), Duration::from_mins(10));
    }
}
