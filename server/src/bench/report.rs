//! What is printed: tables for people, one JSON document for machines.
//!
//! Deliberately absent: judgement. A ratio says how many times better ours is; whether that is enough is the reader's business.

mod comparison;

use std::fmt::Write as _;
use std::io::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

pub(crate) use comparison::versus;

use super::args::Output;
use super::scenario::Outcome;
use super::versus::Side;

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

/// One life of our server.
pub(crate) fn alone(side: &Side) -> String {
    let lives = side.passes.iter().map(|pass| {
        format!(
            "{}\ncold start {} ms, idle RSS {}, peak RSS {}",
            single(&side.version, &pass.outcomes),
            number(pass.cold_start_ms),
            bytes(kib(pass.idle_rss_kib)),
            bytes(kib(pass.peak_rss_kib)),
        )
    });
    lives.collect::<Vec<_>>().join("\n")
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

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
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

#[cfg(test)]
mod tests;
