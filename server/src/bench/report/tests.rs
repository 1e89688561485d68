//! Tables of invented outcomes.

use std::path::PathBuf;

use super::*;
use crate::bench::scenario::PerOperation;
use crate::bench::verify::Verified;
use crate::bench::versus::{Document, Machine, Pass, Side};

fn outcome(per_second: f64, cpu_ms_each: f64) -> Outcome {
    Outcome {
        case: "noop".to_owned(),
        unit: "workflows",
        count: 100,
        per_second,
        server: Some(PerOperation {
            cpu_ms_each,
            ..PerOperation::default()
        }),
        ..Outcome::default()
    }
}

fn side(outcomes: Vec<Outcome>) -> Side {
    let passes = outcomes.into_iter().map(|outcome| Pass {
        idle_rss_kib: 2048,
        outcomes: vec![outcome],
        ..Pass::default()
    });
    Side {
        path: PathBuf::from("/bin/server"),
        version: "1.2.3".to_owned(),
        options: Vec::new(),
        passes: passes.collect(),
    }
}

fn document(ours: Vec<Outcome>, reference: Vec<Outcome>) -> Document {
    Document {
        machine: Machine {
            cpus: 2,
            load_before: Some(0.5),
            syncs_per_second: 8000.0,
            rounds: ours.len(),
            seconds: 8,
        },
        ours: side(ours),
        reference: side(reference),
        warnings: vec!["it rains".to_owned()],
    }
}

fn row<'t>(text: &'t str, label: &str) -> &'t str {
    let found = text.lines().find(|line| line.contains(label));
    found.unwrap_or_else(|| panic!("no {label} in\n{text}"))
}

#[test]
fn a_comparison_shows_median_spread_and_how_many_times_better_ours_is() {
    let text = versus(&document(
        vec![
            outcome(100.0, 1.0),
            outcome(300.0, 0.5),
            outcome(200.0, 2.0),
        ],
        vec![
            outcome(10.0, 30.0),
            outcome(30.0, 30.0),
            outcome(20.0, 30.0),
        ],
    ));
    let speed = row(&text, "workflows/s");
    assert!(speed.contains("200 (100–300)") && speed.contains("20.0 (10.0–30.0)"));
    assert!(speed.contains("10.0×"));
    assert!(row(&text, "server CPU ms each").contains("30.0×"));
    assert!(row(&text, "idle RSS MiB").contains("1.00×"));
    assert!(text.contains("WARNING: it rains") && text.contains("8000 syncs/s"));
}

#[test]
fn what_is_missing_from_history_is_printed_and_is_an_error() {
    let mut broken = outcome(1.0, 1.0);
    broken.verified = Some(Verified {
        acknowledged: 3,
        counted: Some(2),
        ..Verified::default()
    });
    let document = document(vec![broken.clone()], vec![outcome(1.0, 1.0)]);
    assert!(versus(&document).contains("ours, round 1, noop: NOT IN HISTORY"));
    assert!(document.verdict().is_err());
    assert!(single("1.2.3", &[broken]).contains("NOT IN HISTORY"));
}

#[test]
fn a_server_that_cannot_be_looked_at_leaves_empty_cells() {
    let mut unseen = outcome(5.0, 0.0);
    unseen.server = None;
    let text = single("1.2.3", &[unseen]);
    assert!(row(&text, "noop, workflows").contains("5.00"));
}

#[test]
fn numbers_have_three_digits() {
    let spelled: Vec<String> = [0.1234, 1.234, 12.34, 1234.4].map(number).into();
    assert_eq!(spelled, ["0.123", "1.23", "12.3", "1234"]);
    assert_eq!(bytes(1536.0), "1.50 KiB");
}
