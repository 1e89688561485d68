//! Runs that nobody touches leave memory and come back as they were.

use super::toy::{Answer, Question, Refusal};
use super::world::{World, add, at, config, seconds};
use crate::id::Time;
use crate::log::Write;
use crate::shard::Config;

/// The write of the next item.
fn next_write(world: &mut World) -> Write {
    let mut taken = world.shard.take(1, 1).unwrap();
    let write = taken.batch.items[0].remove(0);
    world.shard.rolled_back();
    write
}

fn wake_at(write: &Write) -> Option<Time> {
    match write {
        Write::Append { wake_at, .. } | Write::Checkpoint { wake_at, .. } => *wake_at,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_quiet_run_is_checkpointed_and_forgotten() {
    let mut world = World::new();
    let run = world.start("a");
    world.call("a", Question::Timer(at(5000))).unwrap();
    assert_eq!(world.table.runs[&run].wake_at, Some(Time(0)));
    world.pass(seconds(4));
    assert_eq!(world.shard.stats().cached_runs, 1);
    world.pass(seconds(2));
    let stats = world.shard.stats();
    assert_eq!(
        (stats.entries, stats.cached_runs, stats.cached_bytes),
        (0, 0, 0)
    );
    assert_eq!(world.table.runs[&run].wake_at, Some(at(5000)));
    assert_eq!(world.call("a", add(1, "x")), Ok(Answer::Value(run, 1)));
    assert_eq!(world.table.runs[&run].wake_at, Some(Time(0)));
}

#[test]
fn a_closed_run_leaves_sooner() {
    let mut world = World::new();
    world.start("open");
    world.start("closed");
    world.call("closed", Question::Close).unwrap();
    world.pass(seconds(2));
    assert_eq!(world.shard.stats().cached_runs, 1);
    assert_eq!(world.call("closed", add(1, "x")), Err(Refusal::Closed));
}

#[test]
fn a_look_at_a_sleeping_run_leaves_it_asleep() {
    let mut world = World::new();
    world.start("a");
    world.call("a", Question::Timer(at(1100))).unwrap();
    world.pass(seconds(20));
    world.call("a", Question::Get).unwrap();
    world.now = world.now.after(seconds(6));
    world.tick(0);
    assert_eq!(
        world.take(1),
        None,
        "the table says the right thing already"
    );
    assert_eq!(world.shard.stats().entries, 0);
}

#[test]
fn the_transition_behind_a_queued_checkpoint_makes_the_run_hot_again() {
    let mut world = World::new();
    let run = world.start("a");
    world.call("a", Question::Timer(at(5000))).unwrap();
    world.now = world.now.after(seconds(6));
    world.tick(0);
    let checkpoint = next_write(&mut world);
    assert_eq!(wake_at(&checkpoint), Some(at(5000)));
    world.take(1);
    world.ask("a", add(1, "x"));
    world.ask("a", add(1, "y"));
    world.take(1);
    world.commit();
    world.commit();
    assert_eq!(world.table.runs[&run].wake_at, Some(Time(0)));
    assert_eq!(
        wake_at(&next_write(&mut world)),
        None,
        "only the first one says so"
    );
    world.commit_all();
    assert_eq!(
        world.shard.stats().cached_runs,
        1,
        "it was touched and stays"
    );
}

#[test]
fn a_checkpoint_does_not_overtake_what_was_queued_before_it() {
    let mut world = World::new();
    let run = world.start("a");
    world.ask("a", Question::Timer(at(5000)));
    world.now = world.now.after(seconds(6));
    world.tick(0);
    assert_eq!(world.take(9), Some(3));
    assert_eq!(
        world.shard.stats().cached_runs,
        1,
        "not before everything is durable"
    );
    world.commit();
    assert_eq!(world.table.runs[&run].wake_at, Some(at(5000)));
    assert_eq!(world.shard.stats().cached_runs, 0);
}

#[test]
fn what_comes_back_is_what_left() {
    let mut world = World::new();
    let run = world.start("a");
    for n in (0..200).filter(|n| *n != 13) {
        world.ask("a", add(n, &n.to_string()));
    }
    world.call("a", Question::Beat("half")).unwrap();
    world.rest();
    let state = |world: &World| {
        let entry = world.shard.entries.values().next().unwrap();
        let cached = &entry.runs[0];
        (
            cached.state.clone(),
            cached.seq,
            cached.chain,
            cached.time,
            cached.nth,
        )
    };
    let before = state(&world);
    world.pass(seconds(20));
    assert!(world.table.runs[&run].snapshot.is_some());
    world.call("a", Question::Get).unwrap();
    assert_eq!(state(&world), before);
    let entry = world.shard.entries.values().next().unwrap();
    assert_eq!(&entry.runs[0].volatile.beats[0].details[..], b"half");
    world.call("a", add(1, "z")).unwrap();
    world.take_over();
    assert_eq!(
        world.call("a", Question::Get),
        Ok(Answer::Value(run, 19_888))
    );
}

#[test]
fn time_does_not_go_back_behind_a_snapshot() {
    let mut world = World::with(Config {
        snapshot_records: 1,
        ..config()
    });
    let run = world.start("a");
    world.call("a", Question::Timer(at(9000))).unwrap();
    world.pass(seconds(20));
    let last = world.table.runs[&run].records[1].time;
    world.now = at(10);
    world.take_over();
    world.call("a", add(1, "x")).unwrap();
    assert!(world.table.runs[&run].records[2].time >= last);
}

#[test]
fn who_waits_in_a_run_keeps_it_loaded() {
    let mut world = World::new();
    world.start("a");
    let ticket = world.ask("a", Question::Wait);
    world.pass(seconds(60));
    assert_eq!(world.shard.stats().cached_runs, 1);
    world.shard.forget(ticket);
    world.pass(seconds(60));
    assert_eq!(world.shard.stats().entries, 0);
}

#[test]
fn a_run_that_knows_what_the_log_does_not_stays_loaded() {
    let mut world = World::new();
    world.start("a");
    world.call("a", Question::Alarm(at(2000))).unwrap();
    world.pass(seconds(60));
    assert_eq!(world.shard.stats().cached_runs, 1);
    world.now = at(2000);
    world.rest();
    world.pass(seconds(20));
    assert_eq!(world.shard.stats().entries, 0);
}

#[test]
fn too_many_runs_push_the_least_recently_used_out() {
    let mut world = World::with(Config {
        cached_runs_max: 10,
        ..config()
    });
    let mut runs = Vec::new();
    for n in 0..10 {
        runs.push(world.start(&n.to_string()));
        world.now = world.now.after(seconds(0)).max(Time(world.now.0 + 1));
    }
    world.call("0", Question::Get).unwrap();
    for n in 10..15 {
        runs.push(world.start(&n.to_string()));
        world.now = Time(world.now.0 + 1);
    }
    assert_eq!(world.shard.stats().cached_runs, 10);
    let loaded: Vec<usize> = (0..15)
        .filter(|n| world.shard.loaded.contains_key(&runs[*n]))
        .collect();
    assert_eq!(loaded, [0, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    for n in 0..15 {
        world.call(&n.to_string(), add(1, "x")).unwrap();
    }
}

#[test]
fn so_many_bytes_stay_and_no_more() {
    let loaded = |cached_bytes_max| {
        let mut world = World::with(Config {
            cached_bytes_max,
            ..config()
        });
        for id in ["a", "b", "c"] {
            world.start(id);
        }
        let stats = world.shard.stats();
        (stats.cached_runs, stats.cached_bytes)
    };
    let (runs, bytes) = loaded(usize::MAX);
    assert_eq!(runs, 3);
    assert!(bytes > 3 * (8 << 10), "a run weighs more than its tail");
    assert_eq!(loaded(bytes).0, 3);
    assert_eq!(loaded(bytes - 1).0, 2);
}

/// Is there a snapshot of a run behind its start, two more records and a rest, once it was read again if `reread`?
fn has_snapshot(config: Config, reread: bool) -> bool {
    let mut world = World::with(config);
    let run = world.start("a");
    world.call("a", add(1, "x")).unwrap();
    if reread {
        world.take_over();
    }
    world.call("a", add(1, "y")).unwrap();
    world.pass(seconds(20));
    world.table.runs[&run].snapshot.is_some()
}

#[test]
fn a_snapshot_is_written_behind_so_many_records() {
    for reread in [false, true] {
        let behind = |snapshot_records| Config {
            snapshot_records,
            snapshot_bytes: usize::MAX,
            ..config()
        };
        assert!(has_snapshot(behind(3), reread));
        assert!(!has_snapshot(behind(4), reread));
    }
}

#[test]
fn a_snapshot_is_written_behind_so_many_bytes() {
    let mut world = World::new();
    let run = world.start("a");
    world.call("a", add(1, "x")).unwrap();
    world.call("a", add(1, "y")).unwrap();
    let records = world.table.runs[&run].records.iter();
    let bytes: usize = records.map(|it| it.events.len() + it.changes.len()).sum();
    for reread in [false, true] {
        let behind = |snapshot_bytes| Config {
            snapshot_records: u64::MAX,
            snapshot_bytes,
            ..config()
        };
        assert!(has_snapshot(behind(bytes), reread));
        assert!(!has_snapshot(behind(bytes + 1), reread));
    }
}

#[test]
fn sleeping_runs_cost_rows_not_memory() {
    let mut world = World::new();
    world.shard.config.wake_ups_max = 100;
    for n in 0..300 {
        world.start(&n.to_string());
        world.ask(&n.to_string(), Question::Timer(at(100_000)));
        world.commit_all();
    }
    world.pass(seconds(20));
    let stats = world.shard.stats();
    assert_eq!(
        (stats.entries, stats.cached_bytes, stats.wake_ups),
        (0, 0, 0)
    );
    assert!(world.shard.cache.next().is_none());
    assert!(world.shard.loaded.is_empty());
}

#[test]
fn a_closed_run_leaves_without_a_checkpoint_and_is_deleted_in_time() {
    let mut world = World::new();
    let run = world.start("a");
    world.call("a", Question::Close).unwrap();
    let closed = world.now;
    world.now = world.now.after(seconds(6));
    world.tick(0);
    assert_eq!(world.take(1), None);
    assert_eq!(world.shard.stats().entries, 0);
    world.now = Time(closed.after(seconds(100)).0 - 1);
    world.rest();
    assert!(world.table.runs.contains_key(&run));
    world.pass(seconds(1));
    assert!(world.table.runs.is_empty());
    assert_eq!(world.shard.stats().entries, 0);
    world.start("a");
}

#[test]
fn a_start_behind_a_deletion_sees_that_it_is_gone() {
    let mut world = World::new();
    let first = world.start("a");
    world.call("a", Question::Close).unwrap();
    world.now = world.now.after(seconds(101));
    world.tick(0);
    while world.load_one() {}
    let again = world.ask(
        "a",
        Question::Start {
            request: "start a".to_owned(),
            terminate: false,
        },
    );
    assert!(world.loads.is_empty(), "the table still has the run");
    world.rest();
    let Some(Ok(Answer::Run(second))) = world.result(again) else {
        panic!("not started");
    };
    assert_ne!(*second, first);
}
