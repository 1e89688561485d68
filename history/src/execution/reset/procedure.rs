//! How a reset is carried out: what is read of which run, in which order, and what is asked at last.
//!
//! Sans IO: the service and the simulation do what it says, and tell it what came of that. Between two steps anything may happen to
//! the runs. What is read is durable and does not change: a base that is not the current run has closed. What comes to the current
//! run meanwhile the shard adds; if another run has become the current one, everything is looked at again. Deliberately absent:
//! what a reset makes of all this (`super`).

use std::ops::Range;

use cairn_proto::temporal::api::history::v1::HistoryEvent;

use super::{Fork, Keep, continued_by};
use crate::execution::{Answer, Position, Question, Refusal, Reset, UpdateOptions};
use crate::id::RunId;
use crate::log::Record;

/// How often a workflow may get another current run under our hands.
const ROUNDS_MAX: usize = 5;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `None`: the current run.
    pub base: Option<RunId>,
    /// The last event that is kept.
    pub last: i64,
    pub request_id: String,
    pub reason: String,
    pub keep: Keep,
    /// What the run that goes on is given besides; a refusal counts once it is known that there is such a point.
    pub options: Result<Vec<UpdateOptions>, Refusal>,
}

/// What is to be done next, and told.
#[derive(Debug)]
pub enum Next {
    /// `answered` or `absent`.
    Ask {
        run: Option<RunId>,
        question: Question,
    },
    /// `records`.
    Records { run: RunId },
    /// `events`.
    Events { run: RunId, range: Range<i64> },
    /// It is done, and this run goes on.
    Done(RunId),
}

/// A reset under way.
#[derive(Debug)]
pub struct Procedure {
    asked: Asked,
    rounds: usize,
    step: Step,
}

/// What it waits for.
#[derive(Debug)]
enum Step {
    Current,
    /// `None`: the id has no run.
    Base {
        current: Option<RunId>,
    },
    Records {
        base: Position,
        current: RunId,
    },
    Position(Box<Reading>),
    Events(Box<Reading>, Position),
    Reset {
        base: RunId,
        current: RunId,
    },
    Pointed(RunId),
    Over,
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

impl Procedure {
    pub fn new(asked: Asked) -> (Self, Next) {
        let mut it = Self {
            asked,
            rounds: 0,
            step: Step::Over,
        };
        let next = it.look();
        (it, next)
    }

    /// The current run first. The base is looked at behind it: if it is not the current run it has closed by then, and nothing comes
    /// to it any more. The other way round it might be read while something still comes to it.
    fn look(&mut self) -> Next {
        self.step = Step::Current;
        position(None)
    }

    /// The run that was asked gave this answer.
    pub fn answered(&mut self, answer: Answer) -> Result<Next, Refusal> {
        let step = std::mem::replace(&mut self.step, Step::Over);
        match (step, answer) {
            (Step::Current, Answer::Position(current)) => Ok(self.look_at_base(Some(current.run))),
            (Step::Base { current }, Answer::Position(base)) => self.found(base, current),
            (Step::Position(reading), Answer::Position(at)) => {
                let (run, range) = (at.run, 1..at.next_event_id);
                self.step = Step::Events(reading, at);
                Ok(Next::Events { run, range })
            }
            (Step::Reset { .. }, Answer::Reset(None)) => self.look_again(),
            (Step::Reset { base, current }, Answer::Reset(Some(run))) if base != current => {
                // Also where the same request has begun it before, and may not have come so far.
                self.step = Step::Pointed(run);
                Ok(Next::Ask {
                    run: Some(base),
                    question: Question::ResetTo(run),
                })
            }
            (Step::Reset { .. }, Answer::Reset(Some(run))) | (Step::Pointed(run), _) => {
                Ok(Next::Done(run))
            }
            _ => Err(unexpected()),
        }
    }

    /// There is no such run as was asked. `None`: then there is no reset.
    pub fn absent(&mut self) -> Option<Result<Next, Refusal>> {
        match std::mem::replace(&mut self.step, Step::Over) {
            // Whoever named a base is told of that one.
            Step::Current => Some(Ok(self.look_at_base(None))),
            Step::Position(reading) => Some(self.propose(*reading, None)),
            _ => None,
        }
    }

    fn look_at_base(&mut self, current: Option<RunId>) -> Next {
        self.step = Step::Base { current };
        position(self.asked.base)
    }

    fn look_again(&mut self) -> Result<Next, Refusal> {
        self.rounds += 1;
        if self.rounds < ROUNDS_MAX {
            Ok(self.look())
        } else {
            let why = "the workflow changed meanwhile; try again";
            Err(Refusal::Busy(why.to_owned()))
        }
    }

    fn found(&mut self, base: Position, current: Option<RunId>) -> Result<Next, Refusal> {
        if self.asked.last < 1 || self.asked.last + 1 >= base.next_event_id {
            let why = "Workflow task finish ID must be > 1 && <= workflow last event ID.";
            return Err(Refusal::Invalid(why.to_owned()));
        }
        if let Err(refusal) = &self.asked.options {
            return Err(refusal.clone());
        }
        let Some(current) = current else {
            // It has begun since.
            return self.look_again();
        };
        let run = base.run;
        self.step = Step::Records { base, current };
        Ok(Next::Records { run })
    }

    /// The records of the base are these; `run` is to go on.
    pub fn records(&mut self, run: RunId, mut records: Vec<Record>) -> Result<Next, Refusal> {
        let Step::Records { base, current } = std::mem::replace(&mut self.step, Step::Over) else {
            return Err(unexpected());
        };
        records.retain(|record| record.first_event_id < base.next_event_id);
        let (fork, later) = Fork::new(run, records, self.asked.last)?;
        let reading = Reading {
            base: base.run,
            current,
            run,
            fork,
            of_base: later.len(),
            later,
        };
        self.follow(Box::new(reading), &base)
    }

    /// The events of the run that was named are these.
    pub fn events(&mut self, events: Vec<HistoryEvent>) -> Result<Next, Refusal> {
        let Step::Events(mut reading, at) = std::mem::replace(&mut self.step, Step::Over) else {
            return Err(unexpected());
        };
        reading.later.extend(events);
        self.follow(reading, &at)
    }

    /// Goes on to the run that continued this one. The current run was read up to where it stood, if it is the base or one of them.
    fn follow(&mut self, reading: Box<Reading>, at: &Position) -> Result<Next, Refusal> {
        if at.run == reading.current {
            return self.propose(*reading, Some(at.next_event_id));
        }
        let Some(next) = continued_by(&reading.later) else {
            return self.propose(*reading, None);
        };
        self.step = Step::Position(reading);
        Ok(position(Some(next)))
    }

    fn propose(&mut self, reading: Reading, read_to: Option<i64>) -> Result<Next, Refusal> {
        let Reading {
            base,
            current,
            run,
            fork,
            later,
            of_base,
        } = reading;
        self.step = Step::Reset { base, current };
        let reset = Reset {
            request_id: self.asked.request_id.clone(),
            reason: self.asked.reason.clone(),
            base,
            run,
            fork,
            current,
            later,
            of_base,
            read_to,
            keep: self.asked.keep,
            options: self.asked.options.clone()?,
        };
        Ok(Next::Ask {
            run: None,
            question: Question::Reset(Box::new(reset)),
        })
    }
}

fn position(run: Option<RunId>) -> Next {
    Next::Ask {
        run,
        question: Question::Position,
    }
}

/// Told of something that was not to be done.
fn unexpected() -> Refusal {
    Refusal::Precondition("a run answered another question".to_owned())
}
