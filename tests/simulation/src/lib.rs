//! A cluster under a seed: nodes, database, network, clocks, clients and workers in one thread, thousands of faults a minute.
//!
//! The state machines are the real ones (`history`'s executions and shards, `matching`'s queues), the store is the model that passes the
//! conformance suite of the others; only the shells are written anew here. Deliberately absent: wall clocks, threads within a seed,
//! chance from anywhere but the seed.

#![expect(clippy::print_stdout, reason = "this is a command")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;

mod across;
mod auditor;
mod chains;
mod client;
mod clock;
mod database;
mod event;
mod glance;
mod judge;
mod ledger;
mod node;
mod plan;
mod random;
mod reads;
mod resets;
mod shape;
mod updates;
mod worker;
mod world;

use plan::{Fault, Mode, Plan};
use world::{Ended, play};

/// Plays seeds until one fails or all are through.
#[derive(Debug, Parser)]
struct Args {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// Only this seed, with what happened if it fails.
    #[arg(long)]
    seed: Option<u64>,
    /// Stop after so many seconds, whatever is left.
    #[arg(long)]
    seconds: Option<u64>,
    /// Threads, each with seeds of its own.
    #[arg(long, default_value_t = 2)]
    jobs: u64,
    /// safety or liveness; without, as the seed says.
    #[arg(long)]
    mode: Option<String>,
    /// Print every event.
    #[arg(long)]
    print: bool,
    /// Kinds of faults that shall not happen, separated by commas.
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
    #[arg(long)]
    nodes: Option<usize>,
    #[arg(long)]
    clients: Option<usize>,
    #[arg(long)]
    workers: Option<usize>,
    /// Seconds until the heal.
    #[arg(long)]
    storm: Option<f64>,
    /// Do not look for a smaller failure.
    #[arg(long)]
    no_shrink: bool,
    /// Go on behind a failing seed, and count.
    #[arg(long)]
    keep_going: bool,
}

/// The command line.
pub fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Behind so many seeds a long run says how far it is.
const PROGRESS: u64 = 10_000;

/// What all seeds came to.
#[derive(Debug, Default)]
struct Sum {
    seeds: u64,
    failed: Vec<u64>,
    simulated: Duration,
    takeovers: u64,
    with_takeover: u64,
    rejected: u64,
    runs: usize,
    records: u64,
    commits: u64,
    ops: usize,
    acked: usize,
    events: u64,
    messages: u64,
    faults: BTreeMap<Fault, u64>,
    traces: u64,
}

impl Sum {
    fn add(&mut self, ended: &Ended, nodes: usize) {
        self.seeds += 1;
        self.simulated += ended.simulated;
        // The first owner of a shard takes it too.
        self.takeovers += ended.takeovers;
        self.with_takeover += u64::from(ended.takeovers > 5 || (nodes == 1 && ended.takeovers > 1));
        self.rejected += ended.rejected;
        self.runs += ended.runs;
        self.records += ended.records;
        self.commits += ended.commits;
        self.ops += ended.ops;
        self.acked += ended.acked;
        self.events += ended.events;
        self.messages += ended.counts.messages;
        for (fault, count) in &ended.counts.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        self.traces ^= ended.trace;
    }

    fn print(&self, took: Duration) {
        let seconds = took.as_secs_f64().max(1e-9);
        println!(
            "seeds {} in {:.1} s: {:.1} per second on all threads",
            self.seeds,
            seconds,
            per(self.seeds, seconds)
        );
        println!(
            "simulated {:.2} years; takeovers {} (seeds with some {}), stale commits rejected {}",
            self.simulated.as_secs_f64() / 31_557_600.0,
            self.takeovers,
            self.with_takeover,
            self.rejected
        );
        println!(
            "operations {} (acknowledged {}), runs {}, records {}, commits {}, messages {}, events {}",
            self.ops, self.acked, self.runs, self.records, self.commits, self.messages, self.events
        );
        let total: u64 = self.faults.values().sum();
        println!("faults {total}: {:.0} a minute", per(total, seconds) * 60.0);
        for (fault, count) in &self.faults {
            println!("    {fault} {count}");
        }
        println!("trace {:016x}", self.traces);
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn per(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

fn run(args: &Args) -> anyhow::Result<bool> {
    if let Some(seed) = args.seed {
        return one(args, seed);
    }
    let began = Instant::now();
    let sum = Mutex::new(Sum::default());
    let next = AtomicU64::new(args.first);
    let stop = AtomicBool::new(false);
    let end = args.first.saturating_add(args.seeds);
    plan(args, args.first)?; // Bad arguments are told before any thread begins.
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(|| {
                let out_of_time = || {
                    args.seconds
                        .is_some_and(|most| began.elapsed().as_secs() >= most)
                };
                while !stop.load(Ordering::Relaxed) && !out_of_time() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    if !seed_holds(args, seed, &sum) && !args.keep_going {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let sum = sum
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    sum.print(began.elapsed());
    println!(
        "violations in {} seeds {:?}",
        sum.failed.len(),
        &sum.failed[..sum.failed.len().min(20)]
    );
    if let (Some(seed), false) = (sum.failed.first(), args.no_shrink) {
        one(args, *seed)?;
    }
    Ok(sum.failed.is_empty())
}

/// Plays a seed; one in a hundred twice, which must be the same.
fn seed_holds(args: &Args, seed: u64, sum: &Mutex<Sum>) -> bool {
    let Ok(plan) = plan(args, seed) else {
        return false;
    };
    let ended = guarded(&plan, false);
    let again = seed.is_multiple_of(100).then(|| guarded(&plan, false));
    let same = again.is_none_or(|again| again.trace == ended.trace);
    let mut sum = sum
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    sum.add(&ended, plan.nodes);
    let holds = ended.violations.is_empty() && same;
    if sum.seeds.is_multiple_of(PROGRESS) {
        println!("{} seeds so far, from {}", sum.seeds, args.first);
    }
    if !holds {
        sum.failed.push(seed);
        println!(
            "seed {seed}: {}",
            ended
                .violations
                .first()
                .map_or("another trace", |first| first.rule)
        );
    }
    holds
}

/// A panic is a violation like any other.
fn guarded(plan: &Plan, print: bool) -> Ended {
    let one = std::panic::AssertUnwindSafe(|| play(plan.clone(), print));
    std::panic::catch_unwind(one).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Ended::panicked(text.unwrap_or_default())
    })
}

fn plan(args: &Args, seed: u64) -> anyhow::Result<Plan> {
    let mode = match args.mode.as_deref() {
        None => None,
        Some("safety") => Some(Mode::Safety),
        Some("liveness") => Some(Mode::Liveness),
        Some(other) => anyhow::bail!("--mode is safety or liveness, not {other}"),
    };
    let mut plan = Plan::new(seed, mode);
    for name in &args.without {
        let Some(fault) = Fault::parse(name) else {
            let known: Vec<_> = Fault::ALL.iter().map(ToString::to_string).collect();
            anyhow::bail!(
                "--without: there is no fault {name}; there are {}",
                known.join(", ")
            );
        };
        plan.faults.remove(&fault);
    }
    plan.nodes = args.nodes.unwrap_or(plan.nodes).max(1);
    plan.clients = args.clients.unwrap_or(plan.clients).max(1);
    plan.workers = args.workers.unwrap_or(plan.workers).max(1);
    if let Some(storm) = args.storm {
        plan.storm = Duration::try_from_secs_f64(storm)?;
    }
    Ok(plan)
}

/// One seed, told at length; a failure is made as small as it goes.
fn one(args: &Args, seed: u64) -> anyhow::Result<bool> {
    let plan = plan(args, seed)?;
    println!("{plan:?}");
    let ended = guarded(&plan, args.print);
    let Some(first) = ended.violations.first() else {
        println!(
            "seed {seed} holds; trace {:016x}, {} events, {:?} simulated",
            ended.trace, ended.events, ended.simulated
        );
        return Ok(true);
    };
    println!("seed {seed}: {}: {}", first.rule, first.what);
    for other in ended.violations.iter().skip(1).take(5) {
        println!("    also {}: {}", other.rule, other.what);
    }
    if !args.no_shrink {
        let small = shrink(&plan, first.rule);
        println!("again, smaller: {}", command(&small));
    }
    Ok(false)
}

/// Takes away whatever the failure does not need.
fn shrink(plan: &Plan, rule: &str) -> Plan {
    let fails = |plan: &Plan| {
        guarded(plan, false)
            .violations
            .first()
            .is_some_and(|first| first.rule == rule)
    };
    let mut small = plan.clone();
    for fault in plan.faults.clone() {
        let mut less = small.clone();
        less.faults.remove(&fault);
        if fails(&less) {
            small = less;
        }
    }
    for count in 1..plan.clients {
        let less = Plan {
            clients: count,
            ..small.clone()
        };
        if fails(&less) {
            small = less;
            break;
        }
    }
    for count in 1..plan.workers {
        let less = Plan {
            workers: count,
            ..small.clone()
        };
        if fails(&less) {
            small = less;
            break;
        }
    }
    for _ in 0..8 {
        let less = Plan {
            storm: small.storm * 3 / 4,
            ..small.clone()
        };
        if !fails(&less) {
            break;
        }
        small = less;
    }
    small
}

/// What plays this plan again.
fn command(plan: &Plan) -> String {
    let all = Plan::new(plan.seed, Some(plan.mode));
    let mode = match plan.mode {
        Mode::Safety => "safety",
        Mode::Liveness => "liveness",
    };
    let without: Vec<_> = all
        .faults
        .difference(&plan.faults)
        .map(ToString::to_string)
        .collect();
    let without = if without.is_empty() {
        String::new()
    } else {
        format!(" --without {}", without.join(","))
    };
    format!(
        "cargo run --profile simulation -p cairn-simulation --example simulate -- --seed {} --mode {mode} --nodes {} --clients {} --workers {} --storm {}{without} --print",
        plan.seed,
        plan.nodes,
        plan.clients,
        plan.workers,
        plan.storm.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slice of what the command does, in every build.
    #[test]
    fn the_first_seeds_hold() {
        for seed in 1..=40 {
            let ended = play(Plan::new(seed, None), false);
            assert_eq!(ended.violations, [], "seed {seed}");
        }
    }

    #[test]
    fn a_seed_is_the_same_every_time() {
        let trace = |seed| play(Plan::new(seed, None), false).trace;
        assert_eq!(trace(7), trace(7));
        assert_ne!(trace(7), trace(8));
    }
}
