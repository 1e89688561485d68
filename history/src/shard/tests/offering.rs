//! What runs owe is offered, again after every loss of memory, in bounded numbers and in order.

use super::toy::{Answer, Question};
use super::world::{World, add, at, config, seconds};
use crate::id::{RunId, Time};
use crate::log::Parked;
use crate::shard::{Config, Load};

fn offer(priority: u8) -> Question {
    Question::Offer {
        queue: "q",
        priority,
    }
}

#[test]
fn an_offer_runs_ahead_of_the_commit_and_is_withdrawn_when_taken() {
    let mut world = World::new();
    let run = world.start("a");
    world.ask("a", offer(3));
    assert!(world.offered.contains_key(&(run, 2)));
    world.ask("a", Question::Take(2));
    assert!(world.offered.is_empty());
    assert_eq!(world.shard.stats().offered, 0);
}

#[test]
fn a_run_that_closes_owes_nothing() {
    let mut world = World::new();
    world.start("a");
    world.call("a", offer(3)).unwrap();
    world.call("a", Question::Close).unwrap();
    assert!(world.offered.is_empty());
}

#[test]
fn offers_are_made_again_after_a_takeover() {
    let mut world = World::new();
    let hot = world.start("hot");
    world.call("hot", offer(3)).unwrap();
    world.take_over();
    assert!(world.offered.contains_key(&(hot, 2)));
    world.pass(seconds(20));
    assert_eq!(world.shard.stats().entries, 0);
    assert_eq!(world.table.parked.len(), 1);
    assert!(
        world.offered.contains_key(&(hot, 2)),
        "matching still holds it"
    );
    world.take_over();
    assert!(
        world.offered.contains_key(&(hot, 2)),
        "found by what was parked"
    );
    world.call("hot", Question::Take(2)).unwrap();
    assert!(world.offered.is_empty());
}

#[test]
fn an_offer_that_matching_holds_is_not_made_twice_when_its_run_comes_back() {
    let mut world = World::new();
    let run = world.start("a");
    world.call("a", offer(3)).unwrap();
    world.pass(seconds(20));
    world.call("a", Question::Get).unwrap();
    assert_eq!(world.offered.len(), 1);
    let mut out = Vec::new();
    let named = super::toy::queue("q");
    world.shard.offer_again(|queue| *queue != named, &mut out);
    assert_eq!(out.len(), 0);
    world.shard.offer_again(|queue| *queue == named, &mut out);
    assert_eq!(out.len(), 1);
    world.call("a", Question::Take(2)).unwrap();
    assert!(!world.offered.contains_key(&(run, 2)));
}

#[test]
fn what_is_beyond_the_bound_comes_in_order_as_room_is_made() {
    let mut world = World::with(Config {
        offered_max: 4,
        page_max: 3,
        ..config()
    });
    let mut runs = Vec::new();
    for n in 0..20_u8 {
        let id = n.to_string();
        runs.push(world.start(&id));
        world
            .call(&id, offer(if n % 2 == 0 { 3 } else { 2 }))
            .unwrap();
        world.pass(seconds(1));
    }
    assert_eq!(world.offered.len(), 4);
    world.pass(seconds(20));
    assert_eq!(world.shard.stats().cached_runs, 0);
    assert_eq!((world.offered.len(), world.table.parked.len()), (4, 20));
    let mut taken = Vec::new();
    while let Some((run, task)) = world.offered.keys().next().copied() {
        assert!(world.offered.len() <= 4);
        let n = runs.iter().position(|other| *other == run).unwrap();
        world.call(&n.to_string(), Question::Take(task)).unwrap();
        taken.push(n);
        world.pass(seconds(7));
    }
    assert_eq!(taken.len(), 20);
    // Behind the first four, which were told at once: priority 2 before priority 3.
    let first_low = taken[4..].iter().position(|n| n % 2 == 0).unwrap();
    assert!(
        taken[4..][first_low..]
            .iter()
            .filter(|n| **n % 2 == 1)
            .count()
            <= 3,
        "{taken:?}"
    );
    world.pass(seconds(20));
    assert_eq!(world.table.parked.len(), 0);
    assert_eq!(world.shard.stats().overflow, 0);
}

#[test]
fn loaded_runs_wait_for_room_in_memory() {
    let mut world = World::with(Config {
        offered_max: 2,
        ..config()
    });
    for n in 0..6 {
        let id = n.to_string();
        world.start(&id);
        world.call(&id, offer(3)).unwrap();
    }
    assert_eq!((world.offered.len(), world.shard.stats().overflow), (2, 4));
    for n in 0..6 {
        world.call(&n.to_string(), Question::Take(2)).unwrap();
    }
    assert_eq!((world.offered.len(), world.shard.stats().overflow), (0, 0));
}

#[test]
fn a_parked_row_that_is_not_owed_goes_when_it_is_found() {
    let mut world = World::new();
    let run = world.start("a");
    world.call("a", offer(3)).unwrap();
    world.pass(seconds(20));
    let stale = Parked {
        queue: super::toy::queue("q"),
        priority: 1,
        pass: 0,
        time: at(1),
        run,
    };
    let nobodys = Parked {
        run: RunId([9; 16]),
        ..stale.clone()
    };
    world.table.parked.extend([stale.clone(), nobodys.clone()]);
    world.take_over();
    assert!(!world.table.parked.contains(&stale));
    assert_eq!(
        world.table.parked.len(),
        2,
        "a row without a run goes with the run"
    );
    assert_eq!(world.offered.len(), 1);
}

/// A row of a run that closed long ago, as one is left when the run took its task from memory.
fn left_behind(world: &mut World, run: RunId, since: i64) -> Parked {
    let stale = Parked {
        queue: super::toy::queue("q"),
        priority: 5,
        pass: 0,
        time: at(since),
        run,
    };
    world.table.parked.insert(stale.clone());
    stale
}

#[test]
fn a_closed_run_of_an_id_in_use_is_not_loaded_for_a_row_that_it_left_behind() {
    let mut world = World::new();
    let mut closed = Vec::new();
    for n in 0..5 {
        let question = Question::Start {
            request: format!("start {n}"),
            terminate: false,
        };
        let Ok(Answer::Run(run)) = world.call("a", question) else {
            panic!("started");
        };
        world.call("a", Question::Close).unwrap();
        closed.push(run);
    }
    let open = world.start("a");
    world.call("a", offer(3)).unwrap();
    world.pass(seconds(20));
    // Behind the row of the open run, which is therefore in memory when theirs are looked at.
    for (since, run) in (1..).zip(&closed) {
        left_behind(&mut world, *run, since);
    }
    world.take_over();
    assert_eq!(world.table.parked.len(), 1, "the open run owes its task");
    assert!(world.offered.contains_key(&(open, 2)));
    assert_eq!(world.shard.stats().cached_runs, 1);
}

#[test]
fn looks_that_wait_for_room_go_on_when_there_is_some() {
    let mut world = World::with(Config {
        cached_runs_max: 1,
        loads_max: 1,
        page_max: 2,
        quiet: seconds(50),
        ..config()
    });
    for n in 0..20 {
        let id = n.to_string();
        let run = world.start(&id);
        world.call(&id, Question::Close).unwrap();
        left_behind(&mut world, run, n);
    }
    world.start("busy");
    world.take_over();
    assert_eq!(world.shard.stats().cached_runs, 1, "there is no room");
    assert!(world.table.parked.is_empty(), "{:?}", world.table.parked);
}

#[test]
fn a_close_takes_what_was_parked_with_it() {
    let mut world = World::new();
    world.start("a");
    world.call("a", offer(3)).unwrap();
    world.pass(seconds(20));
    world.take_over();
    world.call("a", Question::Close).unwrap();
    assert!(world.table.parked.is_empty());
}

#[test]
fn a_look_that_fails_is_made_again() {
    let mut world = World::new();
    world.start("a");
    world.call("a", offer(3)).unwrap();
    world.pass(seconds(20));
    world.drop_shard();
    while world.fail_load() {}
    assert!(world.offered.is_empty());
    world.pass(seconds(1));
    world.drop_shard();
    world.load_one();
    world.load_one();
    while world.fail_load() {}
    assert!(world.offered.is_empty());
    world.pass(seconds(1));
    assert_eq!(world.offered.len(), 1);
}

#[test]
fn offers_keep_the_time_since_when_they_are_owed() {
    let mut world = World::new();
    let run = world.start("a");
    let since = world.now;
    world.call("a", offer(3)).unwrap();
    world.pass(seconds(20));
    world.now = Time(world.now.0 + 1);
    world.take_over();
    assert_eq!(world.offered[&(run, 2)].time, since);
}

#[test]
fn what_is_parked_while_parked_offers_are_read_is_not_lost() {
    let mut world = World::with(Config {
        offered_max: 1,
        ..config()
    });
    let first = world.start("first");
    world.call("first", offer(3)).unwrap();
    world.start("second");
    world.call("second", offer(3)).unwrap();
    world.pass(seconds(20));
    assert_eq!(world.table.parked.len(), 2);
    world.start("third");
    world.call("third", offer(1)).unwrap();
    world.ask("first", Question::Get);
    while world.load_one() {}
    world.ask("first", Question::Take(2));
    let read = world
        .loads
        .iter()
        .position(|load| matches!(load, Load::Parked { .. }));
    let read = world.loads.remove(read.unwrap()).unwrap();
    let (load, stale) = world.table.answer(&read);
    world.commit_all();
    for _ in 0..2 {
        world.now = world.now.after(seconds(6));
        world.tick(0);
        world.commit_all();
    }
    assert_eq!(world.shard.stats().overflow, 0, "the third one left too");
    world.loaded(load, stale);
    world.rest();
    let mut told = 1;
    while let Some((run, task)) = world.offered.keys().next().copied() {
        assert_ne!(run, first);
        let id = world.table.runs[&run].row.workflow_id.clone();
        world.call(&id, Question::Take(task)).unwrap();
        told += 1;
        world.pass(seconds(7));
    }
    assert_eq!(told, 3);
}

#[test]
fn a_run_that_came_and_went_while_it_was_looked_at_is_not_taken_from_the_older_read() {
    let mut world = World::new();
    let run = world.start("a");
    world.call("a", offer(3)).unwrap();
    world.pass(seconds(20));
    world.drop_shard();
    let look = loop {
        let is_look = |load: &Load| matches!(load, Load::Run { .. });
        match world.loads.iter().position(is_look) {
            Some(look) => break world.loads.remove(look).unwrap(),
            None => assert!(world.load_one(), "the run of the parked offer is looked at"),
        }
    };
    let (load, older) = world.table.answer(&look);
    world.call("a", add(1, "x")).unwrap();
    world.pass(seconds(20));
    assert_eq!(world.shard.stats().cached_runs, 0);
    world.loaded(load, older);
    world.rest();
    assert_eq!(world.call("a", Question::Get), Ok(Answer::Value(run, 1)));
}
