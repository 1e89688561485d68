//! What is printed: tables for people, one JSON document for machines.
//!
//! Deliberately absent: judgement. A ratio says how many times better ours is; whether that is enough is the reader's business.

use std::fmt::Write as _;
use std::io::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use super::args::Output;
use super::scenario::Outcome;
use super::stats::{Spread, ratio};
use super::versus::{Document, Pass, Side};

/// Tells a person what goes on.
pub(crate) fn progress(text: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints `table`, and with JSON `document` too.
pub(crate) fn print(output: Output, table: &str, document: &impl Serialize) -> anyhow::Result<()> {
    match output {
        Output::Text => writeln!(std::io::stdout(), "{table}")?,
        Output::Json => {
            progress(table);
            writeln!(
                std::io::stdout(),
                "{}",
                serde_json::to_string_pretty(document)?
            )?;
        }
    }
    Ok(())
}

/// One outcome in one line.
pub(crate) fn line(outcome: &Outcome) -> String {
    let mut line = format!(
        "    {:<18} {:>10} {}/s",
        outcome.case,
        number(outcome.per_second),
        outcome.unit
    );
    if let Some(latency) = outcome.latency {
        let _ = write!(
            line,
            "  p50 {} p99 {} ms",
            number(latency.p50_ms),
            number(latency.p99_ms)
        );
    }
    if let Some(server) = outcome.server {
        let _ = write!(line, "  server {} ms CPU each", number(server.cpu_ms_each));
    }
    for note in notes(outcome) {
        let _ = write!(line, "\n        {note}");
    }
    line
}

/// The outcomes of one server.
pub(crate) fn single(version: &str, outcomes: &[Outcome]) -> String {
    let mut table = table(&[
        "",
        "count",
        "per s",
        "p50 ms",
        "p90",
        "p99",
        "max",
        "client CPU ms",
        "server CPU ms",
        "written",
        "RSS",
        "peak",
        "threads",
    ]);
    for outcome in outcomes {
        let latency = |pick: fn(super::stats::Latency) -> f64| {
            outcome
                .latency
                .map_or_else(String::new, |latency| number(pick(latency)))
        };
        let server = |pick: fn(super::scenario::PerOperation) -> String| {
            outcome.server.map(pick).unwrap_or_default()
        };
        table.add_row([
            format!("{}, {}", outcome.case, outcome.unit),
            outcome.count.to_string(),
            number(outcome.per_second),
            latency(|l| l.p50_ms),
            latency(|l| l.p90_ms),
            latency(|l| l.p99_ms),
            latency(|l| l.max_ms),
            number(outcome.client_cpu_ms_each),
            server(|s| number(s.cpu_ms_each)),
            server(|s| bytes(s.written_bytes_each)),
            server(|s| bytes(kib(s.rss_kib))),
            server(|s| bytes(kib(s.peak_kib))),
            server(|s| s.threads.to_string()),
        ]);
    }
    let mut text =
        format!("server version {version}\n{table}\nCPU and bytes are for each operation.");
    for outcome in outcomes {
        for note in notes(outcome) {
            let _ = write!(text, "\n{}: {note}", outcome.case);
        }
    }
    text
}

/// What does not fit into a column: its own figures, the closing check, failures.
fn notes(outcome: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    if !outcome.more.is_empty() {
        let more = outcome.more.iter();
        let more: Vec<String> = more
            .map(|(name, value)| format!("{name} {}", number(*value)))
            .collect();
        notes.push(more.join(", "));
    }
    if let Some(verified) = outcome
        .verified
        .as_ref()
        .filter(|verified| !verified.holds())
    {
        notes.push(format!("NOT IN HISTORY: {verified:?}"));
    }
    let failures = outcome.failures.iter();
    notes.extend(failures.map(|(what, times)| format!("failed {times} times: {what}")));
    notes
}

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
    let whole: [(&str, fn(&Pass) -> f64); 5] = [
        ("cold start ms", |pass| pass.cold_start_ms),
        ("idle RSS MiB", |pass| mib(pass.idle_rss_kib)),
        ("idle CPU %", |pass| pass.idle_cpu_percent),
        ("peak RSS MiB", |pass| mib(pass.peak_rss_kib)),
        ("written MB, whole life", |pass| {
            super::scenario::whole(pass.written_bytes) / 1e6
        }),
    ];
    for (label, pick) in whole {
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
            match side.options.is_empty() {
                true => "none, so synchronous is the server's own choice".to_owned(),
                false => side.options.join(" "),
            }
        );
    }
    for warning in &document.warnings {
        let _ = writeln!(text, "WARNING: {warning}");
    }
    text
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn spelled(spread: Spread) -> String {
    format!(
        "{} ({}–{})",
        number(spread.median),
        number(spread.min),
        number(spread.max)
    )
}

/// Three digits are as much as a measurement on a shared machine is worth.
fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn bytes(value: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB"];
    let mut value = value;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", number(value), units[unit])
}

fn kib(value: u64) -> f64 {
    super::scenario::whole(value) * 1024.0
}

fn mib(value: u64) -> f64 {
    super::scenario::whole(value) / 1024.0
}

#[cfg(test)]
mod tests;
