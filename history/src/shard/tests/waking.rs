//! Timers of loaded and of sleeping runs fire when they are due, never before.

use super::toy::{Answer, Question};
use super::world::{World, add, at, config, seconds};
use crate::id::{NamespaceId, Time};
use crate::log::WakeUp;
use crate::shard::{Config, Load, Loaded};

fn value(world: &mut World, id: &str) -> i64 {
    match world.call(id, Question::Get) {
        Ok(Answer::Value(_, value)) => value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_timer_never_fires_early() {
    let mut world = World::new();
    world.start("a");
    let due = Time(world.now.0 + 1_000_000_001);
    world.call("a", Question::Timer(due)).unwrap();
    assert!(world.shard.next_tick() <= Some(due));
    world.now = Time(due.0 - 1);
    world.rest();
    assert_eq!(value(&mut world, "a"), 0);
    world.now = due;
    world.rest();
    assert_eq!(value(&mut world, "a"), 1000);
}

#[test]
fn a_sleeping_run_is_loaded_when_its_time_has_come() {
    let mut world = World::new();
    let run = world.start("a");
    world.call("a", Question::Timer(at(1100))).unwrap();
    world.pass(seconds(20));
    let stats = world.shard.stats();
    assert_eq!((stats.cached_runs, stats.wake_ups), (0, 1));
    world.now = at(1100);
    assert_eq!(world.shard.next_tick(), Some(at(1100)));
    world.rest();
    assert_eq!(world.table.runs[&run].state().value, 1000);
}

#[test]
fn a_wake_up_behind_the_horizon_is_read_in_time() {
    let mut world = World::new();
    world.start("a");
    world.call("a", Question::Timer(at(100_000))).unwrap();
    world.pass(seconds(20));
    assert_eq!(world.shard.stats().wake_ups, 0);
    while world.now < at(99_999) {
        let next = world.shard.next_tick().unwrap();
        world.now = world.now.max(next).min(at(99_999));
        world.rest();
    }
    assert_eq!(world.shard.stats().wake_ups, 1);
    world.pass(seconds(1));
    assert_eq!(value(&mut world, "a"), 1000);
}

#[test]
fn a_run_that_sleeps_while_wake_ups_are_read_is_not_lost() {
    let mut world = World::new();
    let run = world.start("a");
    world.call("a", Question::Timer(at(1900))).unwrap();
    world.now = at(1301);
    world.tick(0);
    assert!(
        matches!(world.loads[0], Load::WakeUps { .. }),
        "{:?}",
        world.loads
    );
    let (load, stale) = world.table.answer(&world.loads[0]);
    world.commit_all();
    assert_eq!(world.table.runs[&run].wake_at, Some(at(1900)));
    assert_eq!(world.shard.stats().cached_runs, 0);
    world.loads.clear();
    world.loaded(load, stale);
    world.now = at(1900);
    world.rest();
    assert_eq!(world.table.runs[&run].state().value, 1000);
}

#[test]
fn wake_ups_in_memory_are_bounded_and_all_come() {
    let mut world = World::with(Config {
        wake_ups_max: 10,
        page_max: 7,
        loads_max: 3,
        cached_runs_max: 5,
        ..config()
    });
    for n in 0..40 {
        world.start(&n.to_string());
        world
            .call(&n.to_string(), Question::Timer(at(1100 + n % 7)))
            .unwrap();
    }
    world.pass(seconds(20));
    assert!(
        world.shard.stats().wake_ups <= 10,
        "{:?}",
        world.shard.stats()
    );
    world.take_over();
    assert!(
        world.shard.stats().wake_ups <= 20,
        "{:?}",
        world.shard.stats()
    );
    for second in 1101..1120 {
        world.now = at(second);
        world.rest();
    }
    let fired = |(_, kept): (_, &super::world::Kept)| kept.state().value == 1000;
    assert!(world.table.runs.iter().all(fired));
}

#[test]
fn so_many_wake_ups_are_read_at_one_time() {
    let mut world = World::with(Config {
        loads_max: 3,
        ..config()
    });
    for n in 0..10 {
        let id = n.to_string();
        world.start(&id);
        world.call(&id, Question::Timer(at(1100))).unwrap();
    }
    world.pass(seconds(20));
    assert_eq!(world.shard.stats().cached_runs, 0);
    world.now = at(1100);
    world.tick(0);
    assert_eq!(world.loads.len(), 3);
    world.load_one();
    world.tick(0);
    assert_eq!(world.loads.len(), 3, "for one that came another is read");
    world.rest();
    let fired = |(_, kept): (_, &super::world::Kept)| kept.state().value == 1000;
    assert!(world.table.runs.iter().all(fired));
}

#[test]
fn a_full_cache_waits_for_room_before_it_wakes_more() {
    let mut world = World::with(Config {
        cached_runs_max: 4,
        ..config()
    });
    for n in 0..30 {
        world.start(&n.to_string());
        world
            .call(&n.to_string(), Question::Timer(at(1100)))
            .unwrap();
    }
    world.take_over();
    world.now = at(1100);
    let mut most = 0;
    for _ in 0..2_000 {
        world.tick(1_000_000);
        while world.load_one() {}
        most = most.max(world.shard.stats().cached_runs);
        world.take(2);
        world.commit();
    }
    let fired = |(_, kept): (_, &super::world::Kept)| kept.state().value == 1000;
    assert!(world.table.runs.iter().all(fired));
    assert!(most <= 12, "{most} runs were in memory at once");
}

#[test]
fn a_full_cache_that_always_commits_wakes_whoever_is_due() {
    let mut world = World::with(Config {
        cached_runs_max: 2,
        ..config()
    });
    let asleep = world.start("asleep");
    world.call("asleep", Question::Timer(at(1100))).unwrap();
    world.pass(seconds(20));
    for id in ["a", "b"] {
        world.start(id);
    }
    world.now = at(1100);
    for n in 0..50 {
        // Before one is durable the next waits: there is no moment at which nothing is on its way.
        world.ask("a", add(1, &format!("a {n}")));
        world.tick(0);
        while world.load_one() {}
        world.take(1);
        world.ask("b", add(1, &format!("b {n}")));
        world.commit();
    }
    assert!(world.shard.stats().queued_items > 0);
    assert_eq!(world.table.runs[&asleep].state().value, 1000);
}

#[test]
fn recovery_wakes_whoever_was_active() {
    let mut world = World::new();
    let run = world.start("a");
    world.call("a", Question::Timer(at(1001))).unwrap();
    world.ask("a", add(1, "lost"));
    world.take_over();
    world.now = at(1001);
    world.rest();
    assert_eq!(world.table.runs[&run].state().value, 1000);
}

#[test]
fn a_wake_up_whose_load_fails_is_tried_again() {
    let mut world = World::new();
    let run = world.start("a");
    world.call("a", Question::Timer(at(1100))).unwrap();
    world.pass(seconds(20));
    world.now = at(1100);
    world.tick(0);
    assert!(world.fail_load());
    world.rest();
    assert_eq!(world.table.runs[&run].state().value, 0);
    assert_eq!(world.shard.next_tick(), Some(at(1101)));
    world.pass(seconds(1));
    assert_eq!(world.table.runs[&run].state().value, 1000);
}

#[test]
fn reading_wake_ups_is_tried_again() {
    let mut world = World::new();
    world.start("a");
    world.drop_shard();
    assert!(world.fail_load());
    assert!(world.shard.next_tick() > Some(world.now));
    world.pass(seconds(1));
    assert_eq!(world.shard.stats().cached_runs, 1, "it was hot");
}

#[test]
fn a_wake_up_that_changes_nothing_does_not_spin() {
    let mut world = World::new();
    world.start("a");
    // The alarm is volatile: with it goes the reason to wake.
    world.call("a", Question::Alarm(world.now)).unwrap();
    world.rest();
    assert!(world.shard.next_tick() > Some(world.now));
}

#[test]
fn a_read_of_wake_ups_knows_less_than_memory() {
    let mut world = World::new();
    let run = world.start("a");
    world.call("a", Question::Timer(at(5000))).unwrap();
    world.now = at(1301);
    world.tick(0);
    let load = world.loads.pop_front().unwrap();
    // What a read saw that began while the run was hot.
    let stale = vec![WakeUp {
        time: Time(0),
        run,
        workflow_id: "a".to_owned(),
        namespace: NamespaceId([1; 16]),
    }];
    world.commit_all();
    assert_eq!(world.table.runs[&run].wake_at, Some(at(5000)));
    let (load, _) = world.table.answer(&load);
    world.loaded(load, Loaded::WakeUps(stale));
    assert_eq!(world.shard.stats().wake_ups, 0);
    world.call("a", add(1, "x")).unwrap();
    assert_eq!(world.table.runs[&run].wake_at, Some(Time(0)));
}

#[test]
fn what_is_due_happens_before_a_question_that_loads_the_run() {
    let mut world = World::new();
    world.start("a");
    world.call("a", Question::Timer(at(1100))).unwrap();
    world.pass(seconds(20));
    world.now = at(1100);
    let ticket = world.ask("a", Question::Get);
    world.rest();
    assert!(matches!(
        world.result(ticket),
        Some(Ok(Answer::Value(_, 1000)))
    ));
}
