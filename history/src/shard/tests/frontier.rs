//! Heads run ahead of the disk; what leaves the shard does not.

use super::toy::{Answer, Question, Refusal};
use super::world::{World, add, config};
use crate::kind::Unavailable;
use crate::shard::Config;

#[test]
fn many_transitions_of_a_run_are_in_flight_and_answered_in_order() {
    let mut world = World::new();
    let run = world.start("a");
    let tickets: Vec<_> = (1..=9)
        .map(|n| world.ask("a", add(n, &n.to_string())))
        .collect();
    assert!(tickets.iter().all(|ticket| world.result(*ticket).is_none()));
    assert_eq!(
        (world.take(3), world.take(4), world.take(9)),
        (Some(4), Some(8), Some(10))
    );
    world.commit();
    let answered = |world: &World| {
        tickets
            .iter()
            .filter(|it| world.result(**it).is_some())
            .count()
    };
    assert_eq!(answered(&world), 3);
    world.commit();
    assert_eq!(answered(&world), 7);
    world.commit();
    assert_eq!(world.result(tickets[8]), Some(&Ok(Answer::Value(run, 45))));
    assert_eq!(world.take(9), None);
}

#[test]
fn a_batch_is_bounded_by_bytes_but_never_empty() {
    let mut world = World::new();
    world.start("a");
    for n in 1..=9 {
        world.ask("a", add(n, &n.to_string()));
    }
    let taken = world.shard.take(9, 1).unwrap();
    assert_eq!((taken.batch.items.len(), taken.through), (1, 2));
}

#[test]
fn a_duplicate_is_not_answered_before_the_first_is_durable() {
    let mut world = World::new();
    let run = world.start("a");
    world.ask("a", add(5, "same"));
    let again = world.ask("a", add(5, "same"));
    world.take(9);
    assert_eq!(world.result(again), None);
    world.commit();
    assert_eq!(world.result(again), Some(&Ok(Answer::Value(run, 5))));
}

#[test]
fn a_refusal_waits_for_the_head_it_was_computed_from() {
    let mut world = World::new();
    world.start("a");
    world.start("b");
    world.ask("a", Question::Close);
    let late = world.ask("a", add(1, "late"));
    let other = world.ask("b", Question::Get);
    assert_eq!(world.result(late), None);
    assert!(world.result(other).is_some(), "nothing of b is in flight");
    world.commit_all();
    assert_eq!(world.result(late), Some(&Err(Refusal::Closed)));
}

#[test]
fn a_start_is_refused_only_when_the_run_that_forbids_it_is_durable() {
    let mut world = World::new();
    let start = |request: &str| Question::Start {
        request: request.to_owned(),
        terminate: false,
    };
    let first = world.ask("a", start("1"));
    while world.load_one() {}
    let second = world.ask("a", start("2"));
    let again = world.ask("a", start("1"));
    assert!(
        [first, second, again]
            .iter()
            .all(|it| world.result(*it).is_none())
    );
    world.commit_all();
    let Some(Ok(Answer::Run(run))) = world.result(first).cloned() else {
        panic!("not started");
    };
    assert_eq!(world.result(second), Some(&Err(Refusal::Running(run))));
    assert_eq!(world.result(again), Some(&Ok(Answer::Run(run))));
}

#[test]
fn answers_of_one_step_leave_together() {
    let mut world = World::new();
    let run = world.start("a");
    let waits = world.ask("a", Question::Wait);
    world.rest();
    assert_eq!(world.result(waits), None);
    let adds = world.ask("a", add(3, "x"));
    assert_eq!(world.result(waits), None);
    world.commit_all();
    for ticket in [waits, adds] {
        assert_eq!(world.result(ticket), Some(&Ok(Answer::Value(run, 3))));
    }
    world.shard.forget(waits);
}

#[test]
fn a_read_needs_a_proof_that_began_after_it() {
    let mut world = World::with(Config {
        reads_need_proof: true,
        ..config()
    });
    world.start("a");
    let read = world.ask("a", Question::Get);
    let shared = world.ask("a", Question::Get);
    assert_eq!(world.result(read), None);
    let proof = world.shard.take(9, 9).unwrap();
    assert!(proof.batch.items.is_empty());
    let late = world.ask("a", Question::Get);
    let mut out = Vec::new();
    world.shard.committed(proof.through, world.now, &mut out);
    assert_eq!(out.len(), 2, "{read:?} and {shared:?}, not {late:?}");
    world.commit_all();
    assert!(world.result(late).is_some());
    assert_eq!(world.take(9), None);
}

#[test]
fn a_commit_under_way_proves_nothing_about_a_later_read() {
    let mut world = World::with(Config {
        reads_need_proof: true,
        ..config()
    });
    let run = world.start("a");
    world.ask("a", add(1, "x"));
    world.take(9);
    let read = world.ask("a", Question::Get);
    world.commit();
    assert_eq!(world.result(read), None);
    world.commit_all();
    assert_eq!(world.result(read), Some(&Ok(Answer::Value(run, 1))));
}

#[test]
fn what_was_rolled_back_is_taken_again_in_the_same_order() {
    let mut world = World::new();
    let run = world.start("a");
    let first = world.ask("a", add(1, "x"));
    let second = world.ask("a", add(2, "y"));
    let (one, two) = (
        world.shard.take(1, 9).unwrap(),
        world.shard.take(1, 9).unwrap(),
    );
    world.shard.rolled_back();
    let third = world.ask("a", add(3, "z"));
    let again = world.shard.take(9, usize::MAX).unwrap();
    let before: Vec<_> = one.batch.items.into_iter().chain(two.batch.items).collect();
    assert_eq!(again.batch.items[..2], before);
    assert_eq!(world.result(first), None);
    world.takes.push_back(again);
    world.commit();
    assert_eq!(world.result(second), Some(&Ok(Answer::Value(run, 3))));
    assert_eq!(world.result(third), Some(&Ok(Answer::Value(run, 6))));
}

#[test]
fn too_much_behind_the_disk_turns_questions_away_and_lets_timers_wait() {
    let mut world = World::with(Config {
        undurable_bytes_max: 2_000,
        ..config()
    });
    let run = world.start("a");
    world.call("a", Question::Timer(world.now)).unwrap();
    let mut tickets = Vec::new();
    world.ask("a", Question::Timer(world.now));
    for n in 0..20 {
        tickets.push(world.ask("a", add(1, &n.to_string())));
    }
    let busy = Err(Refusal::Unavailable(Unavailable::Busy));
    assert_eq!(world.result(tickets[19]), Some(&busy));
    world.tick(1);
    assert_eq!(
        world.shard.next_tick().filter(|time| *time <= world.now),
        None
    );
    let full = world.shard.stats().queued_bytes;
    world.commit_all();
    assert!(full < 3_000, "{full}");
    world.rest();
    let Ok(Answer::Value(_, value)) = world.call("a", Question::Get) else {
        panic!("no value");
    };
    assert!(value > 2_000, "both timers of {run} fired: {value}");
}

#[test]
fn a_successor_begins_in_the_item_that_ends_the_run_before() {
    let mut world = World::new();
    let first = world.start("a");
    let next = world.ask("a", Question::Next);
    let add = world.ask("a", add(7, "x"));
    assert_eq!(world.take(1), Some(2));
    world.commit();
    assert!(world.result(next).is_some());
    let runs: Vec<_> = world
        .table
        .runs
        .values()
        .map(|kept| (kept.row.nth, kept.row.is_open()))
        .collect();
    assert_eq!(runs, [(1, false), (2, true)]);
    world.commit_all();
    let Some(Ok(Answer::Value(run, 7))) = world.result(add) else {
        panic!("not added to the successor");
    };
    assert_ne!(*run, first);
}

#[test]
fn a_start_may_end_the_run_that_is_in_its_way() {
    let mut world = World::new();
    let first = world.start("a");
    let question = Question::Start {
        request: "other".to_owned(),
        terminate: true,
    };
    let Ok(Answer::Run(second)) = world.call("a", question) else {
        panic!("not started");
    };
    assert!(world.table.runs[&first].row.close_time.is_some());
    assert_eq!(world.table.runs[&second].row.nth, 2);
    let old = world.ask_run("a", Some(first), Question::Get);
    assert_eq!(world.result(old), Some(&Ok(Answer::Value(first, 0))));
}

#[test]
fn transitions_are_announced_once_they_can_be_read() {
    let mut world = World::new();
    let run = world.start("a");
    world.moved.clear();
    world.ask("a", add(1, "x"));
    world.ask("a", add(1, "y"));
    assert_eq!(world.moved, []);
    world.commit_all();
    assert_eq!(world.moved, [run]);
}

#[test]
fn a_batch_ends_before_so_many_bytes_and_has_one_item_at_least() {
    let mut world = World::new();
    world.start("a");
    for request in ["x", "y", "z"] {
        world.ask("a", add(1, request));
    }
    let mut items = |bytes_max| {
        let taken = world.shard.take(usize::MAX, bytes_max);
        world.shard.rolled_back();
        taken.map_or(0, |taken| taken.batch.items.len())
    };
    // All three weigh the same.
    let least = |wanted, items: &mut dyn FnMut(usize) -> usize| {
        (0..10_000).find(|bytes| items(*bytes) == wanted)
    };
    assert_eq!(items(0), 1);
    let (two, three) = (least(2, &mut items), least(3, &mut items));
    let (two, three) = (
        two.expect("a bound of two"),
        three.expect("a bound of three"),
    );
    assert_eq!(three * 2, two * 3);
}
