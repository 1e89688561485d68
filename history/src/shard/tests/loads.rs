//! Questions that must wait for the store keep their order, and what memory knows counts.

use super::toy::{Answer, Question, Refusal};
use super::world::{World, add, config, seconds};
use crate::id::RunId;
use crate::kind::Unavailable;
use crate::log::{Found, ReadError};
use crate::shard::{Config, Load, Loaded};

/// A world whose only run `a` has left memory.
fn asleep() -> World {
    let mut world = World::new();
    world.start("a");
    world.pass(seconds(20));
    assert_eq!(world.shard.stats().entries, 0);
    world
}

#[test]
fn questions_queue_up_behind_one_load() {
    let mut world = asleep();
    let tickets: Vec<_> = (1..=3)
        .map(|n| world.ask("a", add(n, &n.to_string())))
        .collect();
    assert_eq!((world.loads.len(), world.shard.stats().waiting), (1, 3));
    world.rest();
    let values: Vec<_> = tickets
        .iter()
        .map(|it| world.result(*it).cloned())
        .collect();
    assert!(
        matches!(
            values[..],
            [
                Some(Ok(Answer::Value(_, 1))),
                Some(Ok(Answer::Value(_, 3))),
                Some(Ok(Answer::Value(_, 6))),
            ]
        ),
        "{values:?}"
    );
}

#[test]
fn what_an_earlier_owner_asked_for_is_nobodys() {
    let mut world = asleep();
    world.ask("a", Question::Get);
    let (stale, _) = world.table.answer(&world.loads[0]);
    world.drop_shard();
    let ticket = world.ask("a", Question::Get);
    for number in stale.saturating_sub(8)..stale + 8 {
        let found = Found::default();
        let stored = None;
        world.loaded(number, Loaded::Id { found, stored });
    }
    world.rest();
    assert!(matches!(
        world.result(ticket),
        Some(Ok(Answer::Value(_, 0)))
    ));
}

#[test]
fn an_id_without_runs_is_known_to_have_none() {
    let mut world = World::new();
    assert_eq!(world.call("a", Question::Get), Err(Refusal::NotFound));
    assert_eq!(world.shard.stats().entries, 0);
    world.start("a");
    assert_eq!(world.loads.len(), 0);
}

#[test]
fn a_run_of_another_id_is_not_found_under_this_one() {
    let mut world = World::new();
    let run = world.start("a");
    world.start("b");
    world.pass(seconds(20));
    let ticket = world.ask_run("b", Some(run), Question::Get);
    world.rest();
    assert_eq!(world.result(ticket), Some(&Err(Refusal::NotFound)));
}

#[test]
fn an_older_run_is_loaded_beside_the_current_one() {
    let mut world = World::new();
    let first = world.start("a");
    world.call("a", add(4, "x")).unwrap();
    world.call("a", Question::Next).unwrap();
    world.take_over();
    let old = world.ask_run("a", Some(first), Question::Get);
    let new = world.ask("a", add(1, "y"));
    world.rest();
    assert_eq!(world.result(old), Some(&Ok(Answer::Value(first, 4))));
    assert!(matches!(world.result(new), Some(Ok(Answer::Value(_, 1)))));
}

#[test]
fn a_repeated_start_is_found_over_all_kept_runs() {
    let mut world = World::new();
    let first = world.start("a");
    world.call("a", Question::Close).unwrap();
    let again = Question::Start {
        request: "start a".to_owned(),
        terminate: false,
    };
    assert_eq!(world.call("a", again.clone()), Ok(Answer::Run(first)));
    let other = Question::Start {
        request: "other".to_owned(),
        terminate: false,
    };
    let second = world.call("a", other).unwrap();
    assert_ne!(second, Answer::Run(first));
    world.pass(seconds(20));
    assert_eq!(world.call("a", again.clone()), Ok(Answer::Run(first)));
    world.take_over();
    assert_eq!(world.call("a", again.clone()), Ok(Answer::Run(first)));
    // Also when the current run, and no other, is in memory.
    world.take_over();
    world.call("a", Question::Get).unwrap();
    assert_eq!(world.call("a", again), Ok(Answer::Run(first)));
}

#[test]
fn a_read_that_knows_less_than_memory_does_not_forget_the_current_run() {
    let mut world = World::new();
    let start = |request: &str| Question::Start {
        request: request.to_owned(),
        terminate: false,
    };
    world.ask("a", start("one"));
    while world.load_one() {}
    // The run is in memory and not in the table, where another one is looked for.
    world.ask_run("a", Some(RunId([9; 16])), Question::Get);
    while world.load_one() {}
    let second = world.ask("a", start("two"));
    world.rest();
    assert!(world.result(second).unwrap().is_err());
}

#[test]
fn events_that_a_question_needs_come_from_memory_or_the_store() {
    let mut world = World::new();
    world.start("a");
    world.ask("a", Question::Fill(10));
    let now = world.ask("a", Question::Recall(7));
    assert_eq!(world.loads.len(), 0, "not durable, so certainly in memory");
    world.commit_all();
    assert_eq!(world.result(now), Some(&Ok(Answer::Recalled(70))));
    let mut world = World::with(Config {
        tail_bytes_max: 0,
        ..config()
    });
    world.start("a");
    world.call("a", Question::Fill(10)).unwrap();
    world.call("a", Question::Fill(1)).unwrap();
    let then = world.ask("a", Question::Recall(7));
    let behind = world.ask("a", Question::Get);
    assert!(matches!(world.loads[0], Load::Events { .. }));
    assert_eq!(world.result(behind), None);
    world.rest();
    assert_eq!(world.result(then), Some(&Ok(Answer::Recalled(70))));
    assert!(world.result(behind).is_some());
    let nowhere = world.call("a", Question::Recall(99));
    assert_eq!(nowhere, Err(Refusal::Unavailable(Unavailable::Store)));
}

#[test]
fn answers_carry_events_from_memory_and_name_what_is_missing() {
    for tail_bytes_max in [0, 30, 1 << 20] {
        let mut world = World::with(Config {
            tail_bytes_max,
            ..config()
        });
        world.start("a");
        for count in [5, 1, 0, 9] {
            world.call("a", Question::Fill(count)).unwrap();
        }
        for range in [1..17, 3..5, 6..7, 8..16, 16..17, 4..4] {
            let ticket = world.ask("a", Question::History(range.clone()));
            let slice = world.answers.remove(&ticket).unwrap().events.unwrap();
            assert_eq!(world.ids(&slice), range.collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_read_that_fails_fails_who_waits_and_nobody_else() {
    let mut world = asleep();
    let first = world.ask("a", Question::Get);
    let second = world.ask("a", Question::Get);
    world.fail_load();
    let store = Err(Refusal::Unavailable(Unavailable::Store));
    assert_eq!(
        [world.result(first), world.result(second)],
        [Some(&store); 2]
    );
    assert_eq!(world.shard.stats().entries, 0);
    world.call("a", Question::Get).unwrap();
}

#[test]
fn who_has_gone_is_not_asked_for() {
    let mut world = asleep();
    let first = world.ask("a", add(1, "x"));
    let gone = world.ask("a", add(2, "y"));
    let last = world.ask("a", add(4, "z"));
    world.shard.forget(gone);
    world.shard.forget(first);
    world.rest();
    assert_eq!(world.result(gone), None);
    assert!(matches!(world.result(last), Some(Ok(Answer::Value(_, 5)))));
    assert_eq!(world.shard.stats().waiting, 0);
}

#[test]
fn too_many_that_wait_are_turned_away() {
    let mut world = asleep();
    world.shard.config.waiting_max = 2;
    let tickets: Vec<_> = (0..3).map(|_| world.ask("a", Question::Get)).collect();
    let busy = Err(Refusal::Unavailable(Unavailable::Busy));
    assert_eq!(world.result(tickets[2]), Some(&busy));
    world.rest();
    assert!(world.result(tickets[1]).is_some_and(Result::is_ok));
}

#[test]
fn a_load_that_nobody_began_is_nobodys() {
    let mut world = World::new();
    world.loaded(99, Loaded::Failed(ReadError::Corrupt("?".to_owned())));
    world.loaded(99, Loaded::Run(None));
    assert_eq!(world.shard.stats().entries, 0);
}
