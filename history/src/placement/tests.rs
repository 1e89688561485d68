//! Laws of placement, and a cluster in a few lines: whatever comes, goes or dies, every shard ends up with its home, and no epoch
//! has two owners.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const SHARDS: u32 = 32;

fn node(id: u8, beat: Time) -> Node {
    Node {
        id: format!("node-{id}"),
        address: format!("127.0.0.1:{id}"),
        started: Time(1),
        leaving: false,
        beat,
    }
}

fn places() -> impl Iterator<Item = Place<'static>> {
    let shards = (0..200).map(|shard| Place::Shard(ShardId(shard)));
    let names = ["a", "b", "orders", "a sticky queue of worker 7"];
    let queues = (0..50).flat_map(move |namespace| {
        names.map(|name| Place::Queue(NamespaceId([namespace; 16]), name))
    });
    shards.chain(queues)
}

#[test]
fn ranks_stay_what_they_are() {
    // Another value here moves everything in every cluster at the next upgrade.
    let namespace = NamespaceId([7; 16]);
    let ranks = [
        rank("a", Place::Shard(ShardId(0))) % 1_000,
        rank("a", Place::Shard(ShardId(1))) % 1_000,
        rank("b", Place::Shard(ShardId(0))) % 1_000,
        rank("a", Place::Queue(namespace, "q")) % 1_000,
    ];
    assert_eq!(ranks, RANKS);
}

const RANKS: [u64; 4] = [353, 105, 981, 373];

#[test]
fn shards_are_spread_evenly() {
    let nodes: Vec<_> = (0..4).map(|id| node(id, Time(0))).collect();
    let mut counts = BTreeMap::new();
    for shard in 0..4_000 {
        let home = home(&nodes, Place::Shard(ShardId(shard))).unwrap();
        *counts.entry(&home.id).or_insert(0) += 1;
    }
    assert!(
        counts.values().all(|count| (850..1_150).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn a_single_node_takes_its_own_old_epochs_at_once() {
    let now = Time(0).after(LEASE * 10);
    let me = node(1, now);
    let view = View {
        now,
        nodes: vec![me.clone()],
        shards: vec![owned(0, 7, &me.id), owned(1, 3, ""), owned(2, 9, "unknown")],
    };
    let taken = |shard, from| Decision::Take {
        shard: ShardId(shard),
        from: Epoch(from),
    };
    let decided = decide(&me, &view, &BTreeMap::new());
    assert_eq!(decided, [taken(0, 7), taken(1, 3), taken(2, 9)]);
    let held = [(0, 7), (1, 3), (2, 9)].map(|(shard, epoch)| (ShardId(shard), Epoch(epoch)));
    assert_eq!(decide(&me, &view, &held.into()), []);
}

#[test]
fn a_node_is_dead_by_the_clock_of_the_database() {
    let beat = Time(1_000);
    let (me, other) = (node(1, beat.after(LEASE)), node(2, beat));
    let mut view = View {
        now: beat.after(LEASE),
        nodes: vec![me.clone(), other.clone()],
        shards: (0..SHARDS)
            .map(|shard| owned(shard, 1, &other.id))
            .collect(),
    };
    assert_eq!(decide(&me, &view, &BTreeMap::new()), []);
    view.now.0 += 1;
    let decided = decide(&me, &view, &BTreeMap::new());
    assert_eq!(decided.len(), SHARDS as usize, "{decided:?}");
}

#[test]
fn what_was_taken_after_the_view_is_kept() {
    let me = node(1, Time(0));
    let view = View {
        now: Time(0),
        nodes: vec![me.clone()],
        shards: vec![owned(0, 4, "dead"), owned(1, 5, "other")],
    };
    let held = BTreeMap::from([(ShardId(0), Epoch(5)), (ShardId(1), Epoch(4))]);
    let lost = Decision::Lost { shard: ShardId(1) };
    assert_eq!(decide(&me, &view, &held), [lost]);
}

#[test]
fn a_process_that_lost_its_name_holds_nothing() {
    let me = node(1, Time(9));
    let later = Node {
        started: Time(2),
        ..me.clone()
    };
    let view = View {
        now: Time(9),
        nodes: vec![later.clone()],
        shards: vec![owned(0, 4, &me.id), owned(1, 5, &me.id)],
    };
    let held = BTreeMap::from([(ShardId(0), Epoch(4))]);
    let lost = Decision::Lost { shard: ShardId(0) };
    assert_eq!(decide(&me, &view, &held), [lost]);
    assert_eq!(decide(&later, &view, &BTreeMap::new()).len(), 2);
}

fn owned(shard: u32, epoch: u64, owner: &str) -> Ownership {
    Ownership {
        shard: ShardId(shard),
        epoch: Epoch(epoch),
        owner: owner.to_owned(),
    }
}

proptest! {
    #[test]
    fn every_place_has_exactly_one_home_wherever_it_is_asked(ids in prop::collection::btree_set(any::<u8>(), 1..12)) {
        let nodes: Vec<_> = ids.iter().map(|id| node(*id, Time(0))).collect();
        let turned: Vec<_> = nodes.iter().rev().cloned().collect();
        for place in places() {
            let home = home(&nodes, place).unwrap();
            prop_assert_eq!(Some(home), super::home(&turned, place));
        }
    }

    #[test]
    fn only_what_concerns_a_node_moves_with_it(
        ids in prop::collection::btree_set(any::<u8>(), 2..12),
        gone in any::<prop::sample::Index>(),
    ) {
        let all: Vec<_> = ids.iter().map(|id| node(*id, Time(0))).collect();
        let gone = gone.get(&all).id.clone();
        let rest: Vec<_> = all.iter().filter(|node| node.id != gone).cloned().collect();
        for place in places() {
            let before = home(&all, place).unwrap();
            if before.id != gone {
                prop_assert_eq!(Some(before), home(&rest, place));
            }
        }
    }

    #[test]
    fn a_cluster_comes_to_rest(happenings in prop::collection::vec(happening(), 0..60)) {
        let mut cluster = Cluster::new();
        for happening in happenings {
            cluster.happen(happening);
        }
        cluster.rest();
    }
}

/// What happens to a cluster.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// A process comes up under a name, and whoever had it is dead.
    Start(u8),
    /// It goes without goodbye.
    Kill(u8),
    /// It is told to end.
    Leave(u8),
    /// It writes that it lives, and keeps what it reads.
    Look(u8),
    /// It acts by what it last read, however old that is.
    Act(u8),
    /// It drops a shard's memory.
    Forget(u8, u32),
    Pass(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let name = 0..4_u8;
    prop_oneof![
        name.clone().prop_map(Happening::Start),
        name.clone().prop_map(Happening::Kill),
        name.clone().prop_map(Happening::Leave),
        name.clone().prop_map(Happening::Look),
        name.clone().prop_map(Happening::Look),
        name.clone().prop_map(Happening::Act),
        name.clone().prop_map(Happening::Act),
        (name, 0..SHARDS).prop_map(|(name, shard)| Happening::Forget(name, shard)),
        (0..7_000_u64).prop_map(Happening::Pass),
    ]
}

#[derive(Debug)]
struct Process {
    me: Node,
    seen: View,
    held: BTreeMap<ShardId, Epoch>,
}

/// Processes on one table.
#[derive(Debug)]
struct Cluster {
    table: View,
    processes: BTreeMap<u8, Process>,
    /// Every epoch that anybody was ever given.
    given: BTreeSet<(ShardId, Epoch)>,
}

impl Cluster {
    fn new() -> Self {
        Self {
            table: View {
                now: Time(1_000_000_000),
                nodes: Vec::new(),
                shards: (0..SHARDS).map(|shard| owned(shard, 0, "")).collect(),
            },
            processes: BTreeMap::new(),
            given: BTreeSet::new(),
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Start(name) => {
                self.table.now.0 += 1;
                let process = Process {
                    me: Node {
                        started: self.table.now,
                        ..node(name, self.table.now)
                    },
                    seen: View::default(),
                    held: BTreeMap::new(),
                };
                self.processes.insert(name, process);
                self.look(name);
            }
            Happening::Kill(name) => {
                self.processes.remove(&name);
            }
            Happening::Leave(name) => {
                if let Some(process) = self.processes.get_mut(&name) {
                    process.me.leaving = true;
                }
            }
            Happening::Look(name) => self.look(name),
            Happening::Act(name) => self.act(name),
            Happening::Forget(name, shard) => {
                if let Some(process) = self.processes.get_mut(&name) {
                    process.held.remove(&ShardId(shard));
                }
            }
            Happening::Pass(millis) => {
                self.table.now = self.table.now.after(Duration::from_millis(millis));
            }
        }
    }

    fn look(&mut self, name: u8) {
        let Some(process) = self.processes.get_mut(&name) else {
            return;
        };
        process.me.beat = self.table.now;
        self.table.nodes.retain(|node| node.id != process.me.id);
        self.table.nodes.push(process.me.clone());
        process.seen = self.table.clone();
    }

    fn act(&mut self, name: u8) {
        let Some(process) = self.processes.get_mut(&name) else {
            return;
        };
        for decision in decide(&process.me, &process.seen, &process.held) {
            match decision {
                Decision::Take { shard, from } => {
                    let row = &mut self.table.shards[shard.0 as usize];
                    if row.epoch == from {
                        row.epoch.0 += 1;
                        row.owner.clone_from(&process.me.id);
                        assert!(self.given.insert((shard, row.epoch)), "given twice");
                        process.held.insert(shard, row.epoch);
                    }
                }
                Decision::Release { shard, epoch } => {
                    process.held.remove(&shard);
                    let row = &mut self.table.shards[shard.0 as usize];
                    if row.epoch == epoch {
                        row.owner.clear();
                    }
                }
                Decision::Lost { shard } => {
                    let row = &self.table.shards[shard.0 as usize];
                    let held = process.held.remove(&shard).unwrap();
                    assert!(row.epoch > held, "given up for nothing");
                }
            }
        }
    }

    /// Whoever is left goes on in peace.
    fn rest(&mut self) {
        self.table.now = self.table.now.after(LEASE * 2);
        let names: Vec<_> = self.processes.keys().copied().collect();
        for _ in 0..4 {
            for name in &names {
                self.look(*name);
            }
            for name in &names {
                self.act(*name);
            }
        }
        let staying: Vec<_> = self
            .processes
            .values()
            .filter(|it| !it.me.leaving)
            .collect();
        for row in &self.table.shards {
            let holders: Vec<_> = self
                .processes
                .values()
                .filter(|process| process.held.contains_key(&row.shard))
                .collect();
            let home = home(staying.iter().map(|it| &it.me), Place::Shard(row.shard));
            let Some(home) = home else {
                assert!(holders.is_empty(), "held by a process that leaves");
                continue;
            };
            assert_eq!(row.owner, home.id);
            assert_eq!(holders.len(), 1);
            assert_eq!(holders[0].me.id, home.id);
            assert_eq!(holders[0].held[&row.shard], row.epoch);
        }
        let before: Vec<_> = self.table.shards.clone();
        for name in &names {
            self.look(*name);
            self.act(*name);
        }
        assert_eq!(before, self.table.shards, "what is at rest stays at rest");
    }
}
