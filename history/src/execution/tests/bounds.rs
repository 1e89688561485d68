//! Each limit of a run: how much passes exactly, and what is said of more.

use super::world::World;

/// More than any script here needs.
const PLENTY: u64 = 5_000;

/// What a script comes to under a limit: what was printed, and all of it.
fn played(script: &str, key: &str, limit: u64) -> (String, String) {
    let mut world = World::new();
    world.whole = Some(String::new());
    for line in script.split(';').map(str::trim) {
        match line {
            "LIMIT" => world.line(&format!("limit {key}={limit}")),
            _ => world.line(line),
        }
    }
    (world.out, world.whole.unwrap_or_default())
}

/// The least limit under which a script goes as with plenty, and what differs under the next smaller.
fn bound(key: &str, script: &str) -> String {
    let free = played(script, key, PLENTY);
    let passes = |limit| played(script, key, limit) == free;
    let (mut fails, mut least) = (0, PLENTY);
    assert!(!passes(fails), "{key} bounds {script}");
    while fails + 1 < least {
        let middle = u64::midpoint(fails, least);
        if passes(middle) {
            least = middle;
        } else {
            fails = middle;
        }
    }
    let (told, all) = played(script, key, fails);
    let new = |now: &str, before: &str| {
        let lines = now
            .lines()
            .filter(|line| !before.lines().any(|it| it == *line));
        let lines: Vec<_> = lines.map(|line| format!("\n    {line}")).collect();
        lines.concat()
    };
    let mut differs = new(&told, &free.0);
    if differs.is_empty() {
        differs = new(&all, &free.1);
    }
    format!("{key} = {least} for: {script}\n  {fails} gives:{differs}\n")
}

const BOUNDS: [(&str, &str); 25] = [
    (
        "limit.blobSize.error",
        "start; LIMIT; poll; complete: activity a",
    ),
    (
        "limit.blobSize.error",
        "start; LIMIT; poll; complete: marker m",
    ),
    (
        "limit.blobSize.error",
        "start; LIMIT; poll; complete: again",
    ),
    (
        "limit.blobSize.error",
        "start; LIMIT; poll; complete: finish",
    ),
    (
        "limit.blobSize.error",
        "start; poll; complete: activity a; begin a; LIMIT; done a",
    ),
    (
        "limit.blobSize.error",
        "start; poll; complete: activity a; begin a; LIMIT; beat a details",
    ),
    (
        "limit.memoSize.error",
        "start; LIMIT; poll; complete: memo a",
    ),
    (
        "limit.memoSize.error",
        "start; LIMIT; poll; complete: again",
    ),
    (
        "frontend.searchAttributesSizeOfValueLimit",
        "start; LIMIT; poll; complete: upsert BatcherUser:\"me\"",
    ),
    (
        "frontend.searchAttributesSizeOfValueLimit",
        "start; LIMIT; poll; complete: again",
    ),
    (
        "frontend.searchAttributesTotalSizeLimit",
        "start; LIMIT; poll; complete: upsert BatcherUser:\"me\"",
    ),
    (
        "limit.numPendingActivities.error",
        "start; LIMIT; poll; complete: activity a, activity b, activity c",
    ),
    (
        "history.maximumSignalsPerExecution",
        "start; LIMIT; signal s; signal t; signal u",
    ),
    (
        "history.maximumBufferedEventsBatch",
        "start; poll; LIMIT; signal s; signal t; signal u; complete: finish",
    ),
    (
        "history.maximumBufferedEventsSizeInBytes",
        "start; poll; LIMIT; signal s; signal t; signal u; complete: finish",
    ),
    (
        "history.maxBufferedQueryCount",
        "start; LIMIT; query a; query b; query c",
    ),
    (
        "limit.maxIDLength",
        "start; LIMIT; poll; complete: activity abc",
    ),
    (
        "limit.maxIDLength",
        "start; LIMIT; poll; complete: timer abc 1s",
    ),
    (
        "limit.maxIDLength",
        "start; LIMIT; poll; complete: marker abc",
    ),
    (
        "limit.maxIDLength",
        "start; poll; complete: timer abc 1s; signal s; LIMIT; poll; complete: cancel-timer abc",
    ),
    ("limit.maxIDLength", "start; LIMIT; poll; complete: again"),
    (
        "limit.historyCount.error",
        "start; LIMIT; poll; complete: timer t 1s; advance 1s; poll; complete",
    ),
    (
        "limit.historySize.error",
        "start; LIMIT; poll; complete: timer t 1s; advance 1s; poll; complete",
    ),
    (
        "limit.historyCount.suggestContinueAsNew",
        "start; signal s; LIMIT; poll",
    ),
    (
        "limit.historySize.suggestContinueAsNew",
        "start; signal s; LIMIT; poll",
    ),
];

#[test]
fn so_much_and_no_more() {
    let bounds: Vec<_> = BOUNDS.map(|(key, script)| bound(key, script)).into();
    insta::assert_snapshot!(bounds.concat());
}
