//! A reset, as the service carries it out: reads the base and what followed it, then asks the current run.
//!
//! Between two steps anything may happen to the runs, the shard and the node.

use cairn_history::execution::reset::{Fork, continued_by};
use cairn_history::execution::{Answer, Position, Question, Refusal, Reset};
use cairn_history::id::{Entropy, RunId};
use cairn_history::log::Record;
use cairn_proto::temporal::api::history::v1::HistoryEvent;

use super::history::Asking;
use super::{Asker, Purpose};
use crate::event::{CallId, Op, Place, Reply, Resetting};
use crate::random::Seeded;
use crate::world::World;

/// How often a workflow may get another current run under our hands.
const ROUNDS_MAX: usize = 5;

/// A reset under way.
#[derive(Debug)]
pub(super) struct Underway {
    to: Place,
    id: CallId,
    asked: Resetting,
    rounds: usize,
    step: Step,
}

/// What it waits for.
#[derive(Debug)]
enum Step {
    Current,
    Base { current: Position },
    Records { base: Position, current: Position },
    Next(Box<Reading>),
    Events { reading: Box<Reading>, at: Position },
    Done { base_is_current: bool },
    Pointed(RunId),
}

/// What is known of the runs behind the point.
#[derive(Debug)]
struct Reading {
    base: RunId,
    current: RunId,
    run: RunId,
    fork: Fork,
    later: Vec<HistoryEvent>,
    of_base: usize,
}

impl World {
    pub(super) fn reset(&mut self, node: usize, to: Place, id: CallId, asked: Resetting) {
        let it = Underway {
            to,
            id,
            asked,
            rounds: 0,
            step: Step::Current,
        };
        self.reset_looks(node, it);
    }

    fn reset_looks(&mut self, node: usize, it: Underway) {
        self.reset_asks(node, it, Step::Current, None, Question::Position);
    }

    fn reset_asks(
        &mut self,
        node: usize,
        it: Underway,
        step: Step,
        run: Option<RunId>,
        question: Question,
    ) {
        let (to, id) = (it.to, it.id);
        let asking = Asking {
            key: it.asked.key.clone(),
            run,
            start_request_id: None,
            question,
        };
        let number = self.keep_reset(node, Underway { step, ..it });
        if !self.ask(node, Asker::Reset(number), asking) {
            self.nodes[node].resets.remove(&number);
            self.reply(node, to, id, Reply::NotHere);
        }
    }

    fn reset_reads(&mut self, node: usize, it: Underway, step: Step, op: Op) {
        let number = self.keep_reset(node, Underway { step, ..it });
        self.call_store(node, Purpose::Reset(number), op);
    }

    fn keep_reset(&mut self, node: usize, it: Underway) -> u64 {
        self.calls += 1;
        let number = self.calls;
        self.nodes[node].resets.insert(number, it);
        number
    }

    /// A run has answered.
    pub(super) fn reset_hears(
        &mut self,
        node: usize,
        number: u64,
        result: Result<Answer, Refusal>,
    ) {
        let Some(mut it) = self.nodes[node].resets.remove(&number) else {
            return;
        };
        let (to, id) = (it.to, it.id);
        let step = std::mem::replace(&mut it.step, Step::Current);
        match (step, result) {
            (Step::Current, Ok(Answer::Position(current))) => {
                let base = Some(it.asked.base);
                self.reset_asks(node, it, Step::Base { current }, base, Question::Position);
            }
            (Step::Base { current }, Ok(Answer::Position(base))) => {
                if it.asked.last < 1 || it.asked.last + 1 >= base.next_event_id {
                    let refusal = Refusal::Invalid("no such point".to_owned());
                    return self.reply(node, to, id, Reply::Refused(refusal));
                }
                let op = Op::Records { run: base.run };
                self.reset_reads(node, it, Step::Records { base, current }, op);
            }
            (Step::Next(reading), Ok(Answer::Position(at))) => {
                let op = Op::Page {
                    run: at.run,
                    range: 1..at.next_event_id,
                };
                self.reset_reads(node, it, Step::Events { reading, at }, op);
            }
            (Step::Next(reading), Err(Refusal::NoSuchWorkflow(_))) => {
                self.reset_proposes(node, it, *reading, None);
            }
            (Step::Done { base_is_current }, Ok(Answer::Reset(Some(run)))) => {
                if base_is_current {
                    return self.reply(node, to, id, Reply::Reset(run));
                }
                let base = Some(it.asked.base);
                let question = Question::ResetTo(run);
                self.reset_asks(node, it, Step::Pointed(run), base, question);
            }
            (Step::Done { .. }, Ok(Answer::Reset(None))) if it.rounds < ROUNDS_MAX => {
                it.rounds += 1;
                self.reset_looks(node, it);
            }
            (Step::Pointed(run), Ok(_)) => self.reply(node, to, id, Reply::Reset(run)),
            (_, Err(refusal)) => self.reply(node, to, id, Reply::Refused(refusal)),
            _ => self.reply(node, to, id, Reply::NotHere),
        }
    }

    /// The records of the base are read, or could not be.
    pub(super) fn reset_has_records(
        &mut self,
        node: usize,
        number: u64,
        records: Option<Vec<Record>>,
    ) {
        let Some(mut it) = self.nodes[node].resets.remove(&number) else {
            return;
        };
        let step = std::mem::replace(&mut it.step, Step::Current);
        let (Step::Records { base, current }, Some(mut records)) = (step, records) else {
            return self.reply(node, it.to, it.id, Reply::NotHere);
        };
        records.retain(|record| record.first_event_id < base.next_event_id);
        let now = self.nodes[node].clock.read(self.now);
        let run = Seeded(self.random.fork()).run_id(now);
        let (fork, later) = match Fork::new(run, records, it.asked.last) {
            Ok(forked) => forked,
            Err(refusal) => return self.reply(node, it.to, it.id, Reply::Refused(refusal)),
        };
        let reading = Reading {
            base: base.run,
            current: current.run,
            run,
            fork,
            of_base: later.len(),
            later,
        };
        self.follow(node, it, Box::new(reading), &base);
    }

    /// The events of a run that continued the base are read.
    pub(super) fn reset_has_events(
        &mut self,
        node: usize,
        number: u64,
        events: Option<Vec<HistoryEvent>>,
    ) {
        let Some(mut it) = self.nodes[node].resets.remove(&number) else {
            return;
        };
        let step = std::mem::replace(&mut it.step, Step::Current);
        let (Step::Events { mut reading, at }, Some(events)) = (step, events) else {
            return self.reply(node, it.to, it.id, Reply::NotHere);
        };
        reading.later.extend(events);
        self.follow(node, it, reading, &at);
    }

    /// Goes on to the run that continued this one.
    fn follow(&mut self, node: usize, it: Underway, reading: Box<Reading>, at: &Position) {
        if at.run == reading.current {
            return self.reset_proposes(node, it, *reading, Some(at.next_event_id));
        }
        match continued_by(&reading.later) {
            Some(next) => {
                let step = Step::Next(reading);
                self.reset_asks(node, it, step, Some(next), Question::Position);
            }
            None => self.reset_proposes(node, it, *reading, None),
        }
    }

    fn reset_proposes(
        &mut self,
        node: usize,
        it: Underway,
        reading: Reading,
        read_to: Option<i64>,
    ) {
        let Reading {
            base,
            current,
            run,
            fork,
            later,
            of_base,
        } = reading;
        let question = Reset {
            request_id: it.asked.request_id.clone(),
            reason: "simulated".to_owned(),
            base,
            run,
            fork,
            current,
            later,
            of_base,
            read_to,
            keep: it.asked.keep,
            options: Vec::new(),
        };
        let step = Step::Done {
            base_is_current: base == current,
        };
        self.reset_asks(node, it, step, None, Question::Reset(Box::new(question)));
    }
}
