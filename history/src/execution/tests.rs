//! Scripts in, histories out: `check` plays client, worker, clock and shard, and prints what a run wrote.

mod across;
mod activities;
mod attributes;
mod bounds;
mod callbacks;
mod closes;
mod laws;
mod operations;
mod options;
mod pauses;
mod queries;
mod reapplied;
mod refusals;
mod resets;
mod signals;
mod starts;
mod tasks;
mod timers;
mod updates;
mod whole;
mod world;

use world::World;

/// Plays a script and compares what it printed. Indented events share the commit of the line above.
#[track_caller]
fn check(script: &str, expected: &str) {
    compare(script, &World::play(script), expected);
}

#[track_caller]
fn compare(script: &str, printed: &str, expected: &str) {
    let lines: Vec<_> = expected
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let margin = lines
        .iter()
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let expected: Vec<_> = lines.iter().map(|line| line[margin..].trim_end()).collect();
    let expected = expected.join("\n");
    assert!(
        printed == expected,
        "script: {script}\n--- expected\n{expected}\n--- printed\n{printed}\n---"
    );
}
