//! Refused items, lost epochs and broken logs hurt whom they concern and nobody else.

use super::toy::{Answer, LIVE, Question, Refusal};
use super::world::{World, add, config, seconds};
use crate::kind::Unavailable;
use crate::shard::Config;

fn unavailable(why: Unavailable) -> Result<Answer, Refusal> {
    Err(Refusal::Unavailable(why))
}

#[test]
fn a_refused_item_takes_what_is_behind_it_of_the_same_id() {
    let mut world = World::new();
    let a = world.start("a");
    let b = world.start("b");
    let before = world.ask("a", add(1, "1"));
    let bystander = world.ask("b", add(10, "1"));
    let culprit = world.ask("a", add(2, "2"));
    let waits = world.ask("a", Question::Wait);
    let behind = world.ask("a", add(4, "3"));
    let other = world.ask("b", add(20, "2"));
    world.take(9);
    world.refused(5);
    let refused = unavailable(Unavailable::CommitRefused);
    for ticket in [culprit, waits, behind] {
        assert_eq!(world.result(ticket), Some(&refused));
    }
    assert_eq!(world.result(before), None);
    let anew = world.ask("a", add(8, "4"));
    assert!(
        world.loads.is_empty(),
        "not before the first addition is durable"
    );
    world.rest();
    assert_eq!(world.result(before), Some(&Ok(Answer::Value(a, 1))));
    assert_eq!(world.result(bystander), Some(&Ok(Answer::Value(b, 10))));
    assert_eq!(world.result(other), Some(&Ok(Answer::Value(b, 30))));
    assert_eq!(world.result(anew), Some(&Ok(Answer::Value(a, 9))));
    assert_eq!(world.quarantined, []);
}

#[test]
fn a_read_of_an_earlier_head_survives_a_refusal() {
    let mut world = World::with(Config {
        reads_need_proof: true,
        ..config()
    });
    let a = world.start("a");
    let early = world.ask("a", Question::Get);
    world.take(1);
    let read = world.ask("a", Question::Get);
    world.ask("a", add(1, "x"));
    let late = world.ask("a", Question::Get);
    let number = world.take(9).unwrap();
    world.refused(number);
    world.rest();
    assert_eq!(world.result(early), Some(&Ok(Answer::Value(a, 0))));
    assert_eq!(world.result(read), Some(&Ok(Answer::Value(a, 0))));
    assert_eq!(
        world.result(late),
        Some(&unavailable(Unavailable::CommitRefused))
    );
}

#[test]
fn a_refused_start_leaves_nothing_behind() {
    let mut world = World::new();
    let started = world.ask(
        "a",
        Question::Start {
            request: "1".to_owned(),
            terminate: false,
        },
    );
    world.load_one();
    world.ask(
        "a",
        Question::Offer {
            queue: "q",
            priority: 3,
        },
    );
    assert_eq!(world.offered.len(), 1);
    let number = world.take(1).unwrap();
    world.refused(number);
    world.rest();
    assert_eq!(
        world.result(started),
        Some(&unavailable(Unavailable::CommitRefused))
    );
    assert!(
        world.offered.is_empty(),
        "nothing is owed for what never was"
    );
    assert_eq!(world.shard.stats().entries, 0);
    world.start("a");
}

#[test]
fn a_refused_timer_is_derived_again() {
    let mut world = World::new();
    let run = world.start("a");
    world
        .call("a", Question::Timer(world.now.after(seconds(1))))
        .unwrap();
    world.ask("a", add(1, "x"));
    let number = world.take(1).unwrap();
    world.refused(number);
    world.pass(seconds(1));
    assert_eq!(world.table.runs[&run].state().value, 1000);
}

#[test]
fn a_run_whose_end_in_the_table_is_refused_goes_later() {
    let mut world = World::new();
    let run = world.start("a");
    world.call("a", Question::Close).unwrap();
    // It is in memory when its time has come.
    world.pass(seconds(99));
    world.call("a", Question::Get).unwrap();
    world.tick(1_000_000_000);
    let number = world.take(1).unwrap();
    world.refused(number);
    assert!(world.table.runs.contains_key(&run));
    world.rest();
    assert!(world.table.runs.is_empty(), "nobody came back to delete it");
}

#[test]
fn a_run_whose_items_are_refused_again_is_set_aside() {
    let mut world = World::new();
    let run = world.start("a");
    world.start("b");
    for request in ["1", "2"] {
        world.ask("a", add(1, request));
        let number = loop {
            world.load_one();
            if let Some(number) = world.take(1) {
                break number;
            }
        };
        world.refused(number);
    }
    world.rest();
    assert_eq!(world.quarantined, [run]);
    assert_eq!(
        world.call("a", Question::Get),
        unavailable(Unavailable::Quarantined)
    );
    world.call("b", add(1, "x")).unwrap();
}

#[test]
fn a_log_that_cannot_be_folded_is_set_aside_once() {
    let mut world = World::new();
    let run = world.start("a");
    world.start("b");
    world.call("a", Question::Break).unwrap();
    LIVE.set(false);
    world.drop_shard();
    world.rest_without_checks();
    let quarantined = unavailable(Unavailable::Quarantined);
    for _ in 0..2 {
        let ticket = world.ask("a", Question::Get);
        world.rest_without_checks();
        assert_eq!(world.result(ticket), Some(&quarantined));
    }
    assert_eq!(world.quarantined, [run]);
    let ticket = world.ask("b", Question::Get);
    assert!(world.result(ticket).is_some_and(Result::is_ok));
    LIVE.set(true);
}

#[test]
fn a_rewritten_log_is_noticed() {
    let mut world = World::new();
    let run = world.start("a");
    world.call("a", add(1, "x")).unwrap();
    world.table.runs.get_mut(&run).unwrap().records[1].time.0 += 1;
    world.take_over();
    assert_eq!(world.quarantined, [run]);
}

#[test]
fn everybody_is_told_when_the_shard_is_lost() {
    let mut world = World::new();
    let run = world.start("a");
    world.start("b");
    world.pass(seconds(20));
    world.call("a", Question::Get).unwrap();
    let bound = world.ask("a", add(1, "x"));
    let waits = world.ask("a", Question::Wait);
    let load = world.ask("b", Question::Get);
    world.take(9);
    let mut out = Vec::new();
    world.shard.drop_all(&mut out);
    let late = world.ask("a", Question::Get);
    assert_eq!(
        world.result(late),
        Some(&unavailable(Unavailable::ShardMoved))
    );
    assert_eq!(out.len(), 3, "{bound:?} {waits:?} {load:?}");
    world.shard.rolled_back();
    assert!(world.shard.take(9, 9).is_none());
    assert_eq!(world.shard.next_tick(), None);
    world.take_over();
    assert_eq!(world.call("a", Question::Get), Ok(Answer::Value(run, 0)));
}

#[test]
fn a_refusal_while_an_older_run_is_read_begins_the_read_anew() {
    let mut world = World::new();
    let first = world.start("a");
    world.call("a", Question::Next).unwrap();
    world.take_over();
    world.ask("a", add(1, "x"));
    let number = world.take(1).unwrap();
    let old = world.ask_run("a", Some(first), Question::Get);
    let stale = world.loads.pop_front().unwrap();
    world.refused(number);
    let (load, loaded) = world.table.answer(&stale);
    world.loaded(load, loaded);
    world.rest();
    assert_eq!(world.result(old), Some(&Ok(Answer::Value(first, 0))));
}
