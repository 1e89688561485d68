//! What runs owe to other runs: sent when it is durable, again when it is lost, and not forgotten before it is recorded.

use super::toy::{Answer, Question, RETENTION};
use super::world::{World, add, config, seconds};
use crate::id::{RunId, Time};
use crate::shard::Config;

/// A run that owes what its second event asks for.
fn owing(world: &mut World, id: &str) -> RunId {
    let run = world.start(id);
    world.ask(id, Question::Owe);
    run
}

#[test]
fn what_is_owed_is_sent_when_it_is_durable() {
    let mut world = World::new();
    let run = owing(&mut world, "a");
    assert!(world.sent.is_empty());
    world.rest();
    assert!(world.sent.contains(&(run, 1)) || world.sent.contains(&(run, 2)));
    assert_eq!(world.sent.len(), 1);
}

#[test]
fn what_was_recorded_is_not_sent_again() {
    let mut world = World::new();
    let run = owing(&mut world, "a");
    world.rest();
    let (_, effect) = *world.sent.first().unwrap();
    world.deliver(run, effect, true);
    world.rest();
    world.tick(60_000_000_000);
    world.take_over();
    assert!(world.sent.is_empty());
    assert!(world.table.runs[&run].state().owed.is_empty());
}

#[test]
fn what_is_lost_is_sent_again_later_and_later() {
    let mut world = World::new();
    let run = owing(&mut world, "a");
    world.rest();
    let (_, effect) = *world.sent.first().unwrap();
    let mut waits = Vec::new();
    for _ in 0..10 {
        world.lose(run, effect);
        assert!(world.sent.is_empty());
        let lost = world.now;
        while world.sent.is_empty() {
            let next = world.shard.next_tick().unwrap().since(world.now);
            world.tick(u64::try_from(next.as_nanos()).unwrap().max(1));
        }
        waits.push(world.now.since(lost));
    }
    assert!(waits.is_sorted(), "{waits:?}");
    assert!(waits[0] < seconds(1));
    assert_eq!(waits[9], seconds(10));
}

#[test]
fn an_outcome_that_cannot_be_recorded_is_asked_for_again() {
    let mut world = World::new();
    let run = owing(&mut world, "a");
    world.rest();
    let (_, effect) = *world.sent.first().unwrap();
    world.deliver(run, effect, false);
    assert!(world.sent.is_empty());
    world.tick(1_000_000_000);
    assert!(world.sent.contains(&(run, effect)));
}

#[test]
fn an_outcome_of_another_life_is_nobodys() {
    let mut world = World::new();
    let run = owing(&mut world, "a");
    world.rest();
    let (_, effect) = *world.sent.first().unwrap();
    world.deliver(run, effect, true);
    world.deliver(run, effect, true);
    world.lose(run, effect);
    world.rest();
    assert!(world.sent.is_empty());
    assert_eq!(world.table.runs[&run].records.len(), 3);
}

#[test]
fn a_takeover_sends_what_is_owed() {
    let mut world = World::new();
    let run = owing(&mut world, "a");
    world.rest();
    let sent = world.sent.clone();
    world.take_over();
    assert_eq!(world.sent, sent);
    assert_eq!(sent.first().unwrap().0, run);
}

#[test]
fn a_closed_run_that_owes_is_found_and_kept_until_it_is_delivered() {
    let mut world = World::new();
    let run = owing(&mut world, "a");
    world.ask("a", Question::Close);
    world.rest();
    let (_, effect) = *world.sent.first().unwrap();
    assert_eq!(world.table.runs[&run].wake_at, Some(Time(0)));
    world.take_over();
    assert!(world.sent.contains(&(run, effect)));
    let past = u64::try_from(RETENTION.as_nanos()).unwrap() + 5_000_000_000;
    world.tick(past);
    world.rest();
    assert!(world.table.runs.contains_key(&run), "deleted too soon");
    world.deliver(run, effect, true);
    world.rest();
    world.tick(5_000_000_000);
    world.rest();
    assert!(!world.table.runs.contains_key(&run));
}

#[test]
fn a_run_that_owes_does_not_leave_memory() {
    let mut world = World::new();
    let run = owing(&mut world, "a");
    world.rest();
    for _ in 0..5 {
        world.tick(20_000_000_000);
        world.rest();
    }
    assert_eq!(world.shard.stats().cached_runs, 1);
    let (_, effect) = *world.sent.first().unwrap();
    world.deliver(run, effect, true);
    for _ in 0..3 {
        world.tick(20_000_000_000);
        world.rest();
    }
    assert_eq!(world.shard.stats().cached_runs, 0);
}

#[test]
fn events_that_left_memory_are_read_for_a_message() {
    let mut world = World::with(Config {
        tail_bytes_max: 0,
        ..config()
    });
    let run = owing(&mut world, "a");
    world.rest();
    let (_, effect) = *world.sent.first().unwrap();
    world.ask("a", Question::Fill(5));
    world.rest();
    world.lose(run, effect);
    world.tick(1_000_000_000);
    assert!(world.sent.is_empty(), "the event is not read yet");
    let asked = world.ask("a", add(1, "r"));
    world.rest();
    assert!(world.sent.contains(&(run, effect)));
    assert_eq!(world.result(asked), Some(&Ok(Answer::Value(run, 1))));
}

#[test]
fn only_so_many_are_on_their_way() {
    let mut world = World::with(Config {
        sent_max: 2,
        ..config()
    });
    let run = world.start("a");
    for _ in 0..5 {
        world.ask("a", Question::Owe);
    }
    world.rest();
    assert_eq!((world.sent.len(), world.shard.stats().unsent), (2, 3));
    let first = *world.sent.first().unwrap();
    world.deliver(run, first.1, true);
    world.rest();
    assert_eq!((world.sent.len(), world.shard.stats().unsent), (2, 2));
    assert!(!world.sent.contains(&first));
}

#[test]
fn a_refused_commit_takes_what_it_owed_with_it() {
    let mut world = World::new();
    world.start("a");
    world.rest();
    world.ask("a", Question::Owe);
    let number = world.take(9).unwrap();
    world.refused(number);
    world.rest();
    assert!(world.sent.is_empty());
    assert_eq!(world.shard.stats().unsent, 0);
}
