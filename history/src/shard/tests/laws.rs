//! Random stories: questions, takes, commits, rollbacks, refusals, failed loads, time and crashes in any order.
//!
//! Checked all along (in `world`): nothing is told that is not durable, no record is missing, at most one open run of an id, and
//! the table leads to whatever is owed. Checked here: what was acknowledged is there at the end, reads see what was acknowledged
//! before them, everybody is answered once, and no timer and no offer is lost.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::toy::{Answer, Question, Toy, Volatile};
use super::world::{World, add, config, seconds};
use crate::id::{RunId, Ticket, Time};
use crate::kind::Kind;
use crate::shard::Config;

#[derive(Clone, Debug)]
enum Act {
    Ask(u8, u8, u8),
    Take(u8),
    Commit,
    RollBack,
    Refuse(u8),
    Load,
    FailLoad,
    Pass(u16),
    Forget(u8),
    Crash(bool),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        12 => (0..4_u8, 0..14_u8, any::<u8>()).prop_map(|(id, what, n)| Act::Ask(id, what, n)),
        4 => (1..5_u8).prop_map(Act::Take),
        5 => Just(Act::Commit),
        1 => Just(Act::RollBack),
        1 => any::<u8>().prop_map(Act::Refuse),
        6 => Just(Act::Load),
        1 => Just(Act::FailLoad),
        4 => (0..8_000_u16).prop_map(Act::Pass),
        1 => any::<u8>().prop_map(Act::Forget),
        1 => any::<bool>().prop_map(Act::Crash),
    ];
    prop::collection::vec(act, 1..200)
}

/// What the clients know.
#[derive(Debug, Default)]
struct Clients {
    /// Additions that were asked for: id, n, request.
    additions: BTreeMap<Ticket, (String, i64, String)>,
    /// Reads, with the value of the run that was acknowledged before them.
    reads: BTreeMap<Ticket, BTreeMap<RunId, i64>>,
    acked: BTreeMap<RunId, i64>,
    starts: BTreeMap<Ticket, (String, String)>,
    started: BTreeMap<(String, String), RunId>,
    waits: BTreeSet<Ticket>,
    forgotten: BTreeSet<Ticket>,
    heard: usize,
}

fn question(what: u8, n: u8, now: Time) -> Question {
    let request = format!("{}", n % 8);
    match what {
        0 | 1 => Question::Start {
            request,
            terminate: n > 200,
        },
        // The number follows from the request, so that a repetition is one.
        2..=5 => add(i64::from(n % 16) + 1, &format!("add {}", n % 16)),
        6 => Question::Get,
        7 => Question::Wait,
        8 => Question::Offer {
            queue: "q",
            priority: n % 5 + 1,
        },
        9 => Question::Take(i64::from(n % 8) + 2),
        10 => Question::Timer(now.after(seconds(u64::from(n)))),
        11 if n < 80 => Question::Close,
        11 => Question::Next,
        12 => Question::Fill(usize::from(n % 40)),
        _ => Question::Recall(i64::from(n % 20) + 1),
    }
}

impl Clients {
    fn ask(&mut self, world: &mut World, id: u8, question: Question) {
        let id = id.to_string();
        let before = self.acked.clone();
        let asked = question.clone();
        let ticket = world.ask(&id, question);
        match asked {
            Question::Add { n, request } => {
                self.additions.insert(ticket, (id, n, request));
            }
            Question::Get => {
                self.reads.insert(ticket, before);
            }
            Question::Start { request, .. } => {
                self.starts.insert(ticket, (id, request));
            }
            Question::Wait => {
                self.waits.insert(ticket);
            }
            _ => {}
        }
    }

    /// Judges the answers that came since.
    fn hear(&mut self, world: &World) {
        if world.answers.len() == self.heard {
            return;
        }
        self.heard = world.answers.len();
        for (ticket, released) in &world.answers {
            if let Ok(Answer::Value(run, value)) = released.result {
                if let Some(before) = self.reads.remove(ticket) {
                    let known = before.get(&run).copied().unwrap_or(0);
                    assert!(
                        value >= known,
                        "read {value} of {run} behind an ack of {known}"
                    );
                }
                let acked = self.acked.entry(run).or_default();
                *acked = value.max(*acked);
            }
            if let (Ok(Answer::Run(run)), Some(start)) =
                (&released.result, self.starts.remove(ticket))
            {
                let kept = world.table.begun.contains(run);
                let first = self.started.insert(start, *run);
                assert!(first.is_none_or(|first| first == *run || !world.table.runs.contains_key(&first)));
                assert!(kept, "a start was acknowledged and is not there");
            }
        }
    }

    /// Every acknowledged addition is in the log of a run of its id, once.
    fn check(&self, world: &World) {
        for (ticket, (id, _, request)) in &self.additions {
            let Some(Ok(Answer::Value(run, _))) = world.result(*ticket) else {
                continue;
            };
            let Some(kept) = world.table.runs.get(run) else {
                continue;
            };
            assert_eq!(kept.row.workflow_id, *id);
            assert!(
                kept.state().seen.contains(request),
                "{request} of {run} is lost"
            );
        }
        for (run, value) in &self.acked {
            if let Some(kept) = world.table.runs.get(run) {
                assert!(
                    kept.state().value >= *value,
                    "{run} lost what was acknowledged"
                );
            }
        }
        for ticket in (1..=world.tickets).map(Ticket) {
            let answered = world.answers.contains_key(&ticket) || self.forgotten.contains(&ticket);
            assert!(answered || self.waits.contains(&ticket), "{ticket:?} hangs");
        }
    }
}

fn act(world: &mut World, clients: &mut Clients, act: &Act) {
    match *act {
        Act::Ask(id, what, n) => {
            let question = question(what, n, world.now);
            clients.ask(world, id, question);
        }
        Act::Take(items) => {
            world.take(usize::from(items));
        }
        Act::Commit => world.commit(),
        Act::RollBack => world.rolled_back(),
        Act::Refuse(n) => {
            let first = world.shard.head.durable() + 1;
            let queued = world.shard.stats().queued_items as u64;
            if queued > 0 {
                world.refused(first + u64::from(n) % queued);
            }
        }
        Act::Load => {
            world.load_one();
        }
        Act::FailLoad => {
            world.fail_load();
        }
        Act::Pass(millis) => {
            world.now = world
                .now
                .after(std::time::Duration::from_millis(millis.into()));
            world.tick(0);
        }
        Act::Forget(back) => {
            let ticket = Ticket(world.tickets.saturating_sub(u64::from(back % 8)));
            clients.forgotten.insert(ticket);
            world.shard.forget(ticket);
        }
        Act::Crash(written) => {
            // The outcome of the oldest commit is unknown.
            if let Some(taken) = world.takes.pop_front().filter(|_| written) {
                assert!(world.table.commit(&taken.batch));
            }
            world.drop_shard();
        }
    }
    clients.hear(world);
}

/// Nothing more is asked and nothing fails: everything owed must happen.
fn come_to_rest(world: &mut World) {
    for _ in 0..40 {
        world.pass(seconds(10));
    }
    let stats = world.shard.stats();
    assert_eq!((stats.queued_items, stats.waiting), (0, 0), "{stats:?}");
    let mut owed = BTreeSet::new();
    for (run, kept) in &world.table.runs {
        if world.quarantined.contains(run) {
            continue;
        }
        let fold = kept.state();
        let late = Toy::next_wake(&fold, &Volatile::default()).filter(|time| *time <= world.now);
        assert_eq!(late, None, "{run} was not woken");
        let offers = Toy::owe(&fold, &Volatile::default(), world.now);
        owed.extend(
            offers
                .iter()
                .map(|offer| (*run, offer.task.scheduled_event_id)),
        );
    }
    let offered: BTreeSet<_> = world.offered.keys().copied().collect();
    assert!(offered.is_subset(&owed), "offered and not owed");
    let room = world.config.offered_max.min(owed.len());
    assert!(
        offered.len() >= room.div_ceil(2),
        "{} of {} are offered",
        offered.len(),
        owed.len()
    );
}

fn play(config: Config, script: Vec<Act>) {
    let mut world = World::with(config);
    let mut clients = Clients::default();
    for next in script {
        act(&mut world, &mut clients, &next);
    }
    world.take(usize::MAX);
    world.rest();
    clients.hear(&world);
    clients.check(&world);
    come_to_rest(&mut world);
    world.take_over();
    come_to_rest(&mut world);
    clients.check(&world);
}

fn tight() -> Config {
    Config {
        cached_runs_max: 2,
        tail_bytes_max: 40,
        offered_max: 3,
        page_max: 2,
        wake_ups_max: 2,
        loads_max: 1,
        waiting_max: 6,
        undurable_bytes_max: 6_000,
        snapshot_records: 3,
        quiet: seconds(2),
        horizon: seconds(20),
        ..config()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_acknowledged_is_lost(script in acts()) {
        play(config(), script);
    }

    #[test]
    fn nothing_acknowledged_is_lost_in_a_tight_place(script in acts(), proof: bool) {
        play(Config { reads_need_proof: proof, ..tight() }, script);
    }
}

/// What random stories found once.
#[test]
fn a_parked_offer_is_not_read_for_ever_while_its_run_comes_and_goes() {
    use Act::{Ask, Commit, Crash, FailLoad, Load, Pass, Take};
    let begin = [Ask(0, 0, 0), Ask(1, 0, 0), Ask(3, 0, 0)];
    let then = [
        Load,
        FailLoad,
        Load,
        Load,
        Ask(0, 0, 0),
        Load,
        Load,
        Take(2),
        Commit,
    ];
    let parked = [Ask(0, 0, 0), Ask(0, 8, 0), Pass(2000), Take(2), Commit];
    let after = [
        Crash(false),
        Load,
        Ask(0, 0, 0),
        Ask(0, 2, 0),
        Ask(0, 0, 0),
        FailLoad,
    ];
    let last = [Ask(1, 0, 0), Ask(0, 0, 0), Pass(2000)];
    let script = [&begin[..], &then, &parked, &after, &last].concat();
    play(tight(), script);
}

#[test]
fn a_run_that_was_refused_is_not_known_by_an_older_read() {
    use Act::{Ask, Commit, Crash, FailLoad, Load, Pass, Refuse, Take};
    let begin = [Crash(false), Ask(2, 2, 0), Ask(0, 2, 0), FailLoad];
    let started = [
        Ask(2, 0, 0),
        Ask(2, 0, 0),
        Ask(3, 0, 0),
        Load,
        Load,
        Ask(0, 2, 0),
    ];
    let durable = [
        Ask(2, 0, 0),
        Load,
        Take(2),
        Commit,
        Take(1),
        Ask(2, 0, 0),
        Take(1),
        Load,
    ];
    let refused = [Pass(2000), Ask(3, 0, 201), Refuse(69), Ask(3, 8, 0)];
    let script = [&begin[..], &started, &durable, &refused].concat();
    let reads_need_proof = true;
    play(
        Config {
            reads_need_proof,
            ..tight()
        },
        script,
    );
}

#[test]
fn a_run_that_is_deleted_in_the_commit_that_began_it_was_there() {
    use Act::{Ask, Load, Pass};
    let script = [
        Ask(0, 0, 0),
        Ask(0, 11, 0),
        Load,
        Pass(5419),
        Ask(0, 0, 0),
        Ask(0, 0, 0),
        Pass(5831),
        Load,
        Pass(7726),
        Ask(0, 0, 0),
        Pass(4705),
        Load,
        Ask(0, 0, 0),
        Ask(0, 0, 0),
        Ask(0, 0, 0),
        Ask(0, 0, 0),
        Ask(0, 0, 0),
        Ask(0, 0, 0),
        Load,
        Load,
        Pass(2268),
        Load,
        Pass(5021),
        Load,
        Pass(4268),
        Load,
        Load,
        Ask(0, 0, 0),
        Ask(0, 0, 0),
        Ask(0, 0, 0),
        Ask(0, 0, 0),
        Pass(3733),
        Pass(2966),
        Ask(0, 0, 0),
        Load,
        Pass(72),
        Pass(6119),
        Pass(1749),
        Ask(0, 0, 0),
        Ask(0, 0, 0),
        Pass(680),
        Ask(1, 0, 0),
        Load,
        Pass(7417),
        Ask(0, 0, 0),
        Ask(0, 0, 0),
        Pass(7876),
        Pass(7312),
        Load,
        Load,
        Ask(0, 0, 0),
        Pass(2300),
        Pass(7014),
        Ask(0, 0, 0),
        Ask(0, 0, 0),
        Load,
        Pass(1327),
        Pass(106),
        Pass(6587),
        Ask(1, 0, 0),
        Pass(4383),
        Pass(3922),
        Ask(0, 0, 0),
        Pass(387),
        Pass(812),
        Ask(0, 0, 0),
    ];
    play(tight(), script.to_vec());
}
