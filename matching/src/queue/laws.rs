//! Laws of task queues under any order of inputs, against a model that only keeps books.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{
    Given, Leave, Left, Name, Offer, Out, PollId, Poller, Queues, Task, TaskId, Time, Word, Work,
};

#[derive(Clone, Debug)]
enum Input {
    Offer {
        task: u8,
        priority: u8,
        shard: u32,
    },
    Withdraw {
        task: u8,
    },
    Raise {
        shard: u32,
    },
    Poll,
    /// Of the polls there are, one in order.
    Expire(usize),
    Cancel(usize),
    Started(usize),
    Refused(usize),
    Retry(usize),
    Wait {
        millis: u64,
    },
}

fn input() -> impl Strategy<Value = Input> {
    let nth = 0_usize..8;
    prop_oneof![
        4 => (0_u8..12, 1_u8..=5, 0_u32..2)
            .prop_map(|(task, priority, _)| Input::Offer { task, priority, shard: u32::from(task % 2) }),
        1 => (0_u8..12).prop_map(|task| Input::Withdraw { task }),
        1 => (0_u32..2).prop_map(|shard| Input::Raise { shard }),
        4 => Just(Input::Poll),
        1 => nth.clone().prop_map(Input::Expire),
        1 => nth.clone().prop_map(Input::Cancel),
        2 => nth.clone().prop_map(Input::Started),
        1 => nth.clone().prop_map(Input::Refused),
        1 => nth.prop_map(Input::Retry),
        1 => (0_u64..2000).prop_map(|millis| Input::Wait { millis }),
    ]
}

/// The books: which tasks must still come, and who has what.
#[derive(Default)]
struct Books {
    queues: Queues,
    now: Time,
    epochs: [u64; 2],
    /// Offered, and neither started, refused, withdrawn nor voided since.
    live: BTreeSet<u8>,
    polls: BTreeMap<PollId, Option<u8>>,
    /// Offered again while a poll had it.
    again: BTreeSet<u8>,
}

impl Books {
    fn word(&self, shard: u32) -> Word {
        Word {
            shard,
            epoch: self.epochs[shard as usize],
            number: 1,
        }
    }

    fn put(&mut self, input: &Input) {
        let mut out = Out::default();
        match *input {
            Input::Offer {
                task,
                priority,
                shard,
            } => {
                let offer = Offer {
                    task: Arc::new(Task {
                        id: id(task),
                        workflow_id: task.to_string(),
                    }),
                    by: self.word(shard),
                    priority,
                    time: self.now,
                };
                self.queues
                    .offer(name(), offer, self.now, &mut out)
                    .unwrap();
                self.live.insert(task);
                if self.holder(task).is_some() {
                    self.again.insert(task);
                }
            }
            Input::Withdraw { task } => {
                let shard = u32::from(task % 2);
                let by = self.word(shard);
                self.queues.withdraw(&name(), by, id(task));
                self.void(|other| other == task);
            }
            Input::Raise { shard } => {
                self.epochs[shard as usize] += 1;
                self.queues.raise(shard, self.epochs[shard as usize]);
                self.void(|task| u32::from(task % 2) == shard);
            }
            Input::Poll => {
                let poll = self
                    .queues
                    .poll(name(), Poller::default(), self.now, &mut out);
                self.polls.insert(poll, None);
            }
            Input::Expire(nth) => {
                if let Some(poll) = self.nth(nth) {
                    let left = self.queues.leave(poll, Leave::Expired, self.now, &mut out);
                    assert_eq!(left == Left::Paired, self.polls[&poll].is_some());
                    if left == Left::Gone {
                        self.polls.remove(&poll);
                    }
                }
            }
            Input::Cancel(nth) => {
                if let Some(poll) = self.nth(nth) {
                    self.queues
                        .leave(poll, Leave::Cancelled, self.now, &mut out);
                    if let Some(task) = self.polls.remove(&poll).flatten() {
                        self.again.remove(&task);
                    }
                }
            }
            Input::Started(nth) => {
                if let Some((poll, task)) = self.holding(nth) {
                    self.queues.started(poll, self.now);
                    self.polls.remove(&poll);
                    self.live.remove(&task);
                    self.again.remove(&task);
                }
            }
            Input::Refused(nth) => {
                if let Some((poll, task)) = self.holding(nth) {
                    self.queues.refused(poll, self.now, &mut out);
                    self.polls.insert(poll, None);
                    if !self.again.remove(&task) {
                        self.live.remove(&task);
                    }
                }
            }
            Input::Retry(nth) => {
                if let Some((poll, task)) = self.holding(nth) {
                    self.queues.retry(poll, self.now, &mut out);
                    self.polls.insert(poll, None);
                    self.again.remove(&task);
                }
            }
            Input::Wait { millis } => {
                self.now = self.now.after(Duration::from_millis(millis));
                self.queues.tick(self.now, &mut out);
            }
        }
        self.read(out);
    }

    /// Every pairing must be possible by the books.
    fn read(&mut self, out: Out) {
        for pairing in out.pairings {
            let Given::Task(task) = pairing.given else {
                panic!("nobody asked or shut down");
            };
            let task = task.id.run[0];
            assert!(self.live.contains(&task), "{task} is not owed");
            assert_eq!(self.holder(task), None, "{task} has a poll");
            let held = self.polls.get_mut(&pairing.poll);
            let held = held.expect("a poll that left gets nothing");
            assert_eq!(held.replace(task), None, "the poll has a task");
        }
        let waiting = self
            .live
            .iter()
            .filter(|task| self.holder(**task).is_none());
        assert_eq!(self.queues.backlog(), waiting.count());
    }

    fn void(&mut self, falls: impl Fn(u8) -> bool) {
        self.live.retain(|task| !falls(*task));
        self.again.retain(|task| !falls(*task));
    }

    fn holder(&self, task: u8) -> Option<PollId> {
        let mut polls = self.polls.iter();
        polls
            .find(|(_, held)| **held == Some(task))
            .map(|(poll, _)| *poll)
    }

    fn nth(&self, nth: usize) -> Option<PollId> {
        self.polls.keys().nth(nth).copied()
    }

    fn holding(&self, nth: usize) -> Option<(PollId, u8)> {
        let mut holding = self
            .polls
            .iter()
            .filter_map(|(poll, held)| Some((*poll, (*held)?)));
        holding.nth(nth)
    }
}

fn name() -> Name {
    Name {
        namespace: [1; 16],
        name: "q".to_owned(),
        work: Work::Workflow,
        sticky: false,
    }
}

fn id(task: u8) -> TaskId {
    TaskId {
        run: [task; 16],
        scheduled_event_id: 2,
        attempt: 1,
    }
}

proptest! {
    /// A task has at most one poll, a poll that left gets nothing, and what is owed comes in the end, whatever happens.
    #[test]
    fn no_task_is_lost_or_given_twice(inputs in prop::collection::vec(input(), 0..120)) {
        let mut books = Books::default();
        for input in &inputs {
            books.put(input);
        }
        while let Some(poll) = books.nth(0) {
            let nth = usize::from(books.polls[&poll].is_none());
            books.put(if nth == 0 { &Input::Started(0) } else { &Input::Cancel(0) });
        }
        // Delays are at most a second.
        books.put(&Input::Wait { millis: 2000 });
        for _ in 0..books.live.len() {
            books.put(&Input::Poll);
            books.put(&Input::Started(0));
        }
        prop_assert!(books.live.is_empty());
        prop_assert_eq!(books.queues.backlog(), 0);
        prop_assert_eq!(books.queues.next_wake(), None);
    }

    /// What waits comes by priority, then time, then arrival.
    #[test]
    fn offers_come_in_order(offers in prop::collection::vec((1_u8..=5, 0_i64..4), 1..40)) {
        let mut queues = Queues::default();
        let mut expected = Vec::new();
        for (nth, (priority, time)) in offers.into_iter().enumerate() {
            let task = u8::try_from(nth).unwrap();
            let offer = Offer {
                task: Arc::new(Task { id: id(task), workflow_id: String::new() }),
                by: Word { shard: 1, epoch: 1, number: 1 },
                priority,
                time: Time(time),
            };
            queues.offer(name(), offer, Time(9), &mut Out::default()).unwrap();
            expected.push((priority, time, task));
        }
        expected.sort_unstable();
        for (_, _, task) in expected {
            let mut out = Out::default();
            queues.poll(name(), Poller::default(), Time(9), &mut out);
            let given = out.pairings.pop().map(|pairing| pairing.given);
            let Some(Given::Task(given)) = given else {
                panic!("nothing was given");
            };
            prop_assert_eq!(given.id, id(task));
        }
    }
}
