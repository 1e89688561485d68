//! Scripts: what goes into a queue, and what comes of it.
//!
//! One line is one input and, behind `=>`, everything it led to. Tasks, polls and queries have one-letter names of their
//! own; `at 5` sets the time to 5 seconds.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Extras, Given, Leave, Left, Name, Offer, Out, PollId, Poller, Queues, Refusal, Task, TaskId,
    Time, Word, Work,
};

const NAMESPACE: [u8; 16] = [7; 16];

struct Script {
    queues: Queues,
    now: Time,
    name: Name,
    polls: BTreeMap<String, PollId>,
    queries: BTreeMap<u128, String>,
}

/// Runs a script on the sticky or normal queue of a kind of work and compares all that it leads to.
fn check(work: Work, sticky: bool, script: &str) {
    let mut run = Script {
        queues: Queues::default(),
        now: Time(0),
        name: Name {
            namespace: NAMESPACE,
            name: "q".to_owned(),
            work,
            sticky,
        },
        polls: BTreeMap::new(),
        queries: BTreeMap::new(),
    };
    let mut seen = String::new();
    let lines = script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.collect();
    for line in &lines {
        let input = line.split("=>").next().unwrap().trim();
        let led = run.step(input);
        if led.is_empty() {
            writeln!(seen, "{input}").unwrap();
        } else {
            writeln!(seen, "{input} => {}", led.join(", ")).unwrap();
        }
    }
    assert_eq!(seen.trim(), lines.join("\n"));
}

fn workflow(script: &str) {
    check(Work::Workflow, false, script);
}

impl Script {
    fn step(&mut self, input: &str) -> Vec<String> {
        let words: Vec<&str> = input.split_whitespace().collect();
        let mut out = Out::default();
        let mut said = Vec::new();
        let now = self.now;
        match words[..] {
            ["at", seconds] => {
                let seconds: f64 = seconds.parse().unwrap();
                self.now = Time(0).after(Duration::from_secs_f64(seconds));
                self.queues.tick(self.now, &mut out);
            }
            ["offer", task, ref more @ ..] => {
                let offer = self.offered(task, more);
                match self.queues.offer(self.name.clone(), offer, now, &mut out) {
                    Ok(_) => {}
                    Err(Refusal::StaleEpoch) => said.push("stale".to_owned()),
                    Err(Refusal::StickyWorkerUnavailable) => said.push("unavailable".to_owned()),
                }
            }
            ["withdraw", task, ref more @ ..] => {
                let Offer { by, .. } = self.offered(task, more);
                self.queues.withdraw(&self.name, by, task_id(task));
            }
            ["epoch", shard, epoch] => {
                let (shard, epoch) = (shard.parse().unwrap(), epoch.parse().unwrap());
                self.queues.raise(shard, epoch);
            }
            ["poll", poll, ref more @ ..] => {
                let poller = Poller {
                    identity: poll.to_owned(),
                    worker_instance_key: format!("worker of {poll}"),
                    max_tasks_per_second: more.first().map(|rate| rate.parse().unwrap()),
                    ..Poller::default()
                };
                let id = self.queues.poll(self.name.clone(), poller, now, &mut out);
                self.polls.insert(poll.to_owned(), id);
            }
            ["expire", poll] => {
                let left = self.leave(poll, Leave::Expired, &mut out);
                said.extend((left == Left::Paired).then(|| "too late".to_owned()));
            }
            ["cancel", poll] => {
                self.leave(poll, Leave::Cancelled, &mut out);
            }
            ["started", poll] => {
                let extras = self.queues.started(self.polls[poll], now);
                said.extend(told(extras));
            }
            ["refused", poll] => self.queues.refused(self.polls[poll], now, &mut out),
            ["retry", poll] => self.queues.retry(self.polls[poll], now, &mut out),
            ["query", query] => {
                let id = u128::from(query.as_bytes()[0]);
                self.queries.insert(id, query.to_owned());
                if self
                    .queues
                    .query(self.name.clone(), id, now, &mut out)
                    .is_err()
                {
                    said.push("unavailable".to_owned());
                }
            }
            ["taken", poll] => {
                said.extend(told(self.queues.query_taken(self.polls[poll], now)));
            }
            ["gone", poll] => {
                let worker = format!("worker of {poll}");
                self.queues.worker_gone(NAMESPACE, &worker, now, &mut out);
            }
            ["forget"] => self.queues.forget_sticky(&self.name, &mut out),
            ["close"] => self.queues.close(&mut out),
            ["move"] => self.queues.give_up(|_| true, &mut out),
            ["backlog"] => said.push(self.queues.backlog().to_string()),
            ["queues"] => said.push(self.queues.len().to_string()),
            ["wake"] => said.push(match self.queues.next_wake() {
                Some(wake) => format!("{:?}", wake.since(Time(0))),
                None => "never".to_owned(),
            }),
            ["describe"] => said.extend(self.describe()),
            _ => panic!("no such input: {input}"),
        }
        self.tell(out, said)
    }

    fn leave(&mut self, poll: &str, how: Leave, out: &mut Out) -> Left {
        self.queues.leave(self.polls[poll], how, self.now, out)
    }

    fn offered(&self, task: &str, more: &[&str]) -> Offer {
        let mut offer = Offer {
            task: Arc::new(Task {
                id: task_id(task),
                workflow_id: task.to_owned(),
            }),
            by: Word {
                shard: 1,
                epoch: 1,
                number: 1,
            },
            priority: 3,
            time: self.now,
        };
        for word in more {
            let (what, value) = word.split_at(1);
            match what {
                "p" => offer.priority = value.parse().unwrap(),
                "t" => offer.time = Time(value.parse().unwrap()),
                "s" => offer.by.shard = value.parse().unwrap(),
                "e" => offer.by.epoch = value.parse().unwrap(),
                "n" => offer.by.number = value.parse().unwrap(),
                _ => panic!("no such word: {word}"),
            }
        }
        offer
    }

    fn tell(&self, out: Out, mut said: Vec<String>) -> Vec<String> {
        for pairing in out.pairings {
            let polls = self.polls.iter();
            let name = polls
                .filter(|(_, id)| **id == pairing.poll)
                .map(|(name, _)| name);
            let name = { name }.next_back().unwrap();
            said.push(match pairing.given {
                Given::Task(task) => format!("{name} gets {}", task.workflow_id),
                Given::Query(query) => format!("{name} gets {}", self.queries[&query.id()]),
                Given::End => format!("{name} ends"),
                Given::Moved => format!("{name} moves"),
            });
        }
        let forsaken = out.forsaken.into_iter();
        said.extend(forsaken.map(|query| format!("{} forsaken", self.queries[&query.id()])));
        said
    }

    fn describe(&self) -> Vec<String> {
        let seen = self.queues.describe(&self.name, self.now);
        let mut said = Vec::new();
        for (identity, poller) in &seen.pollers {
            said.push(format!("{identity} at {:?}", poller.last.since(Time(0))));
        }
        for (priority, stats) in &seen.by_priority {
            said.push(format!(
                "p{priority}: {} for {:?} +{:.1} -{:.1}",
                stats.backlog_count,
                stats.backlog_age,
                stats.added_per_second,
                stats.dispatched_per_second
            ));
        }
        said.extend(seen.limit.map(|limit| format!("limit {limit}")));
        said.extend(seen.stats.limited.then(|| "limited".to_owned()));
        said
    }
}

fn told(extras: Extras) -> Vec<String> {
    let mut said = vec![if extras.sync { "sync" } else { "async" }.to_owned()];
    if extras.poll_delta != 0 {
        said.push(format!("{:+} polls", extras.poll_delta));
    }
    said
}

fn task_id(task: &str) -> TaskId {
    TaskId {
        run: [task.as_bytes()[0]; 16],
        scheduled_event_id: 5,
        attempt: 1,
    }
}

#[test]
fn an_offer_goes_to_the_poll_that_has_waited_longest() {
    workflow(
        "poll A
         poll B
         offer a => A gets a
         offer b => B gets b
         offer c
         poll C => C gets c",
    );
}

#[test]
fn offers_wait_in_order_of_priority_then_time_then_arrival() {
    workflow(
        "offer a t5
         offer b t5
         offer c t4
         offer d t9 p1
         offer e t1 p5
         poll A => A gets d
         poll B => B gets c
         poll C => C gets a
         poll D => D gets b
         poll E => E gets e",
    );
}

#[test]
fn a_task_is_held_by_one_poll_at_a_time() {
    workflow(
        "poll A
         poll B
         offer a => A gets a
         offer a
         started A => sync
         expire B
         backlog => 0",
    );
}

#[test]
fn a_refused_task_is_over_and_its_poll_waits_on_at_its_old_place() {
    workflow(
        "poll A
         poll B
         offer a => A gets a
         refused A
         offer b => A gets b
         started A => sync
         backlog => 0",
    );
}

#[test]
fn a_task_that_was_offered_again_while_it_was_refused_is_not_lost() {
    workflow(
        "poll A
         offer a => A gets a
         offer a
         refused A => A gets a
         refused A
         backlog => 0",
    );
}

#[test]
fn a_cancelled_poll_gives_its_task_to_the_next() {
    workflow(
        "poll A
         poll B
         offer a => A gets a
         cancel A => B gets a
         cancel B
         backlog => 1
         poll C => C gets a",
    );
}

#[test]
fn a_cancelled_poll_gets_nothing() {
    workflow(
        "poll A
         cancel A
         offer a
         backlog => 1",
    );
}

#[test]
fn a_poll_that_was_paired_in_the_last_moment_does_not_expire() {
    workflow(
        "poll A
         offer a => A gets a
         expire A => too late
         started A => sync",
    );
}

#[test]
fn a_start_with_unknown_outcome_is_tried_again_later_by_the_same_poll() {
    workflow(
        "poll A
         poll B
         offer a => A gets a
         retry A
         backlog => 1
         wake => 20ms
         offer b => A gets b
         refused A
         at 0.021 => A gets a
         retry A
         wake => 61ms
         cancel A
         at 0.07 => B gets a
         started B => async",
    );
}

#[test]
fn a_start_that_fails_is_tried_for_ever() {
    let mut script = "poll A\noffer a => A gets a\n".to_owned();
    for second in 1..=100 {
        write!(script, "retry A\nat {second} => A gets a\n").unwrap();
    }
    script += "started A => async, -1 polls\nbacklog => 0\nwake => never";
    workflow(&script);
}

#[test]
fn a_retry_that_is_offered_again_does_not_wait() {
    workflow(
        "poll A
         offer a => A gets a
         retry A
         offer a => A gets a
         wake => never",
    );
}

#[test]
fn a_withdrawn_task_goes_nowhere() {
    workflow(
        "offer a
         offer b
         withdraw a
         poll A => A gets b
         withdraw b
         retry A
         backlog => 0
         wake => never",
    );
}

#[test]
fn a_withdrawal_that_comes_late_leaves_what_was_offered_since() {
    workflow(
        "offer a n1
         withdraw a n2
         offer a n3
         withdraw a n2
         backlog => 1
         poll A => A gets a
         withdraw a n2
         retry A
         backlog => 1
         withdraw a n4
         backlog => 0",
    );
}

#[test]
fn a_higher_epoch_voids_what_the_shard_has_offered() {
    workflow(
        "offer a s1 e1
         offer b s2 e1
         offer c s1 e1
         epoch 1 2
         backlog => 1
         offer c s1 e2
         offer d s1 e1 => stale
         poll A => A gets b
         poll B => B gets c",
    );
}

#[test]
fn a_higher_epoch_does_not_bring_back_what_starts() {
    workflow(
        "poll A
         offer a s1 e1 => A gets a
         epoch 1 2
         cancel A
         backlog => 0
         poll B
         offer b s1 e2 => B gets b
         epoch 1 3
         offer b s1 e3
         refused B => B gets b",
    );
}

#[test]
fn queries_go_before_tasks() {
    workflow(
        "offer a
         query q
         poll A => A gets q
         taken A => async, +1 polls
         poll B => B gets a",
    );
}

#[test]
fn a_query_in_the_hand_of_a_cancelled_poll_goes_to_the_next() {
    workflow(
        "poll A
         query q => A gets q
         query r
         cancel A
         poll B => B gets q
         taken B => async
         cancel B
         poll C => C gets r",
    );
}

#[test]
fn a_sticky_queue_without_polls_refuses_work() {
    check(
        Work::Workflow,
        true,
        "offer a => unavailable
         query q => unavailable
         poll A
         at 60
         offer a => A gets a
         started A => sync, -1 polls
         at 70
         offer b
         at 70.1
         offer c => unavailable
         query q => unavailable
         backlog => 1
         poll B => B gets b",
    );
}

#[test]
fn a_sticky_worker_that_hangs_up_is_not_waited_for() {
    check(
        Work::Workflow,
        true,
        "poll A
         at 30
         cancel A
         offer a => unavailable",
    );
}

#[test]
fn a_forgotten_sticky_worker_leaves_nothing() {
    check(
        Work::Workflow,
        true,
        "poll A
         poll B
         offer a => A gets a
         query q => B gets q
         query r
         offer b
         forget => r forsaken
         backlog => 0
         retry A => A ends
         taken B => async
         offer c => unavailable",
    );
}

#[test]
fn the_polls_of_a_gone_worker_end_now_and_later() {
    workflow(
        "poll A
         poll B
         gone A => A ends
         poll A => A ends
         offer a => B gets a
         gone B
         refused B => B ends",
    );
}

#[test]
fn a_closed_server_ends_all_polls() {
    workflow(
        "poll A
         offer a => A gets a
         poll B
         close => B ends
         poll C => C ends
         started A => sync",
    );
}

#[test]
fn the_rate_that_a_worker_asks_for_holds_for_the_queue() {
    check(
        Work::Activity,
        false,
        "offer a
         offer b
         offer c
         poll A 2 => A gets a
         poll B => B gets b
         poll C
         wake => 500ms
         at 0.5 => C gets c
         describe => A at 0ns, B at 0ns, C at 0ns, p3: 0 for 0ns +3.0 -0.0, limit 2, limited",
    );
}

#[test]
fn what_was_refused_does_not_count_against_the_rate() {
    check(
        Work::Activity,
        false,
        "offer a
         offer b
         poll A 1 => A gets a
         refused A => A gets b",
    );
}

#[test]
fn a_rate_of_zero_blocks_until_another_worker_asks_for_more() {
    check(
        Work::Activity,
        false,
        "offer a
         poll A 0
         wake => never
         at 100
         poll B 1 => A gets a",
    );
}

#[test]
fn workflow_tasks_know_no_rate() {
    workflow(
        "offer a
         poll A 0 => A gets a",
    );
}

#[test]
fn a_poll_that_waited_long_was_one_too_many() {
    workflow(
        "poll A
         at 1
         offer a => A gets a
         started A => sync, -1 polls",
    );
}

#[test]
fn an_old_backlog_wants_more_polls() {
    workflow(
        "offer a
         offer b
         at 0.3
         poll A => A gets a
         started A => async, +1 polls",
    );
}

#[test]
fn people_see_pollers_backlog_and_rates() {
    workflow(
        "offer a
         offer b p1
         at 2
         poll A => A gets b
         started A => async, +1 polls
         describe => A at 2s, p1: 0 for 0ns +0.5 -0.5, p3: 1 for 2s +0.5 -0.0
         at 40
         describe => A at 2s, p3: 1 for 40s +0.0 -0.0",
    );
}

#[test]
fn pollers_and_idle_queues_are_forgotten() {
    workflow(
        "poll A
         expire A
         at 299
         describe => A at 0ns, p3: 0 for 0ns +0.0 -0.0
         queues => 1
         at 301
         describe => p3: 0 for 0ns +0.0 -0.0
         at 400
         queues => 0",
    );
}

#[test]
fn a_queue_with_offers_is_kept() {
    workflow(
        "offer a
         at 1000
         queues => 1
         poll A => A gets a",
    );
}

#[test]
fn a_queue_that_moves_takes_nothing_along() {
    workflow(
        "offer a
         offer b
         poll p => p gets a
         poll q => q gets b
         poll r
         poll s
         offer c => r gets c
         move => s moves
         queues => 0
         wake => never
         started p => async
         refused q => q moves
         retry r => r moves
         cancel s
         offer a
         offer b
         backlog => 2
         move
         backlog => 0
         offer b
         poll t => t gets b",
    );
}
