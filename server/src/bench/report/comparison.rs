//! Two servers next to each other: one row for each figure, median and spread of both, and the ratio.
//!
//! Deliberately absent: a ratio of what only tells what was done.

use std::fmt::Write as _;

use comfy_table::Table;

use super::{number, table};
use crate::bench::scenario::{Outcome, whole};
use crate::bench::stats::{Spread, ratio};
use crate::bench::versus::{Document, Pass, Side};

/// Whether more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Better {
    Higher,
    Lower,
    /// It only tells what was done.
    Neither,
}

/// Both servers next to each other.
pub(crate) fn versus(document: &Document) -> String {
    let mut text = machine(document);
    let mut table = table(&["", "", "ours", "reference", "ratio"]);
    let first = document.ours.passes.first();
    let cases = first
        .map(|pass| pass.outcomes.as_slice())
        .unwrap_or_default();
    for (nth, case) in cases.iter().enumerate() {
        let mut name = case.case.clone();
        for (label, better, pick) in metrics(case) {
            let spread = |side: &Side| {
                let outcomes = side.passes.iter().filter_map(|pass| pass.outcomes.get(nth));
                Spread::of(outcomes.filter_map(&pick))
            };
            add(
                &mut table,
                &mut name,
                &label,
                better,
                &document.ours,
                &document.reference,
                spread,
            );
        }
    }
    let mut name = "process".to_owned();
    let lower = Better::Lower;
    let lives: [(&str, OfPass); 5] = [
        ("cold start ms", |pass| pass.cold_start_ms),
        ("idle RSS MiB", |pass| mib(pass.idle_rss_kib)),
        ("idle CPU %", |pass| pass.idle_cpu_percent),
        ("peak RSS MiB", |pass| mib(pass.peak_rss_kib)),
        ("written MB, whole life", |pass| {
            whole(pass.written_bytes) / 1e6
        }),
    ];
    for (label, pick) in lives {
        let spread = |side: &Side| Spread::of(side.passes.iter().map(pick));
        add(
            &mut table,
            &mut name,
            label,
            lower,
            &document.ours,
            &document.reference,
            spread,
        );
    }
    let _ = write!(
        text,
        "{table}\nMedian of {} rounds (lowest–highest). ratio: how many times better ours is.",
        document.machine.rounds
    );
    let _ = write!(
        text,
        "\nThe client shares the machine and its cost is the same beside both, so workflows/s understates the cheaper server: compare CPU."
    );
    failures(&mut text, document);
    text
}

fn failures(text: &mut String, document: &Document) {
    for (name, side) in [("ours", &document.ours), ("reference", &document.reference)] {
        for (nth, pass) in side.passes.iter().enumerate() {
            for outcome in &pass.outcomes {
                let broken = outcome
                    .verified
                    .as_ref()
                    .filter(|verified| !verified.holds());
                if let Some(verified) = broken {
                    let _ = write!(
                        text,
                        "\n{name}, round {}, {}: NOT IN HISTORY: {verified:?}",
                        nth + 1,
                        outcome.case
                    );
                }
                for (what, times) in &outcome.failures {
                    let _ = write!(
                        text,
                        "\n{name}, round {}, {}: failed {times} times: {what}",
                        nth + 1,
                        outcome.case
                    );
                }
            }
        }
    }
}

type OfPass = fn(&Pass) -> f64;
type Pick = Box<dyn Fn(&Outcome) -> Option<f64>>;

/// The rows of a case, of which `sample` is one outcome.
fn metrics(sample: &Outcome) -> Vec<(String, Better, Pick)> {
    let mut metrics: Vec<(String, Better, Pick)> = Vec::new();
    let speed: Pick = Box::new(|outcome| Some(outcome.per_second));
    metrics.push((format!("{}/s", sample.unit), Better::Higher, speed));
    if sample.latency.is_some() {
        metrics.push((
            "p50 ms".to_owned(),
            Better::Lower,
            Box::new(|o| Some(o.latency?.p50_ms)),
        ));
        metrics.push((
            "p99 ms".to_owned(),
            Better::Lower,
            Box::new(|o| Some(o.latency?.p99_ms)),
        ));
    }
    metrics.push((
        "server CPU ms each".to_owned(),
        Better::Lower,
        Box::new(|o| Some(o.server?.cpu_ms_each)),
    ));
    metrics.push((
        "client CPU ms each".to_owned(),
        Better::Lower,
        Box::new(|o| Some(o.client_cpu_ms_each)),
    ));
    metrics.push((
        "written KB each".to_owned(),
        Better::Lower,
        Box::new(|o| Some(o.server?.written_bytes_each / 1e3)),
    ));
    for name in sample.more.keys().copied() {
        let better = match name {
            "events" | "asked_per_second" | "workflow_tasks" | "latest_start_ms"
            | "rss_before_kib" | "rss_after_kib" | "woken" => Better::Neither,
            _ if name.ends_with("per_second") => Better::Higher,
            _ => Better::Lower,
        };
        let pick: Pick = Box::new(move |outcome| outcome.more.get(name).copied());
        metrics.push((name.replace('_', " "), better, pick));
    }
    metrics
}

fn add(
    table: &mut Table,
    name: &mut String,
    label: &str,
    better: Better,
    ours: &Side,
    reference: &Side,
    spread: impl Fn(&Side) -> Option<Spread>,
) {
    let (ours, reference) = (spread(ours), spread(reference));
    let times = ours
        .zip(reference)
        .and_then(|(ours, reference)| match better {
            Better::Higher => ratio(ours.median, reference.median),
            Better::Lower => ratio(reference.median, ours.median),
            Better::Neither => None,
        });
    table.add_row([
        std::mem::take(name),
        label.to_owned(),
        ours.map_or_else(String::new, spelled),
        reference.map_or_else(String::new, spelled),
        times.map_or_else(String::new, |times| format!("{}×", number(times))),
    ]);
}

fn machine(document: &Document) -> String {
    let machine = &document.machine;
    let mut text = format!(
        "{} CPUs, load average {} before, {} syncs/s of 4 KiB, {} s for each case\n",
        machine.cpus,
        machine.load_before.map_or_else(String::new, number),
        number(machine.syncs_per_second),
        machine.seconds
    );
    for (name, side) in [("ours", &document.ours), ("reference", &document.reference)] {
        let file = side.passes.iter().find_map(|pass| pass.file.as_ref());
        let _ = writeln!(
            text,
            "{name}: {} version {}{}; options: {}",
            side.path.display(),
            side.version,
            file.map_or_else(String::new, |file| format!(
                ", file has journal_mode={} page_size={}",
                file.journal_mode, file.page_size
            )),
            if side.options.is_empty() {
                "none, so synchronous is the server's own choice".to_owned()
            } else {
                side.options.join(" ")
            }
        );
    }
    for warning in &document.warnings {
        let _ = writeln!(text, "WARNING: {warning}");
    }
    text
}

fn spelled(spread: Spread) -> String {
    format!(
        "{} ({}–{})",
        number(spread.median),
        number(spread.min),
        number(spread.max)
    )
}

fn mib(value: u64) -> f64 {
    whole(value) / 1024.0
}
