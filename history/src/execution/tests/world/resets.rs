//! Resets in the world of one workflow id: carried out as the service does it, a step at a time.

use std::fmt::Write as _;

use super::print::refused;
use super::{World, option};
use crate::execution::reset::{Asked, Keep, Next, Procedure};
use crate::execution::{Answer, Position, Question};
use crate::id::{Entropy, RunId};

impl World {
    /// Resets to the end of a workflow task. `steps=N`: after so many something else happens before it goes on.
    pub(super) fn reset(&mut self, words: &[&str]) {
        let base = option(words, "of").map(|nth| self.order[nth.parse::<usize>().unwrap() - 1]);
        let (reset, next) = Procedure::new(Asked {
            base,
            last: words[0].parse::<i64>().unwrap() - 1,
            request_id: option(words, "request").unwrap_or("reset").to_owned(),
            reason: "again".to_owned(),
            keep: Keep {
                no_signals: words.contains(&"no-signals"),
                no_updates: words.contains(&"no-updates"),
                nothing: words.contains(&"nothing"),
            },
            options: Ok(Vec::new()),
        });
        self.resetting = Some((reset, next));
        let steps = option(words, "steps").map_or(usize::MAX, |it| it.parse().unwrap());
        self.reset_on(steps);
    }

    /// Goes on with a reset, as the service does.
    pub(super) fn reset_on(&mut self, steps: usize) {
        for _ in 0..steps {
            let Some((mut reset, next)) = self.resetting.take() else {
                return;
            };
            let told = match next {
                Next::Ask { run, question } => match self.asked_for_reset(run, &question) {
                    Some(answer) => reset.answered(answer),
                    None => return,
                },
                Next::Records { run } => {
                    let records = self.runs[&run].records.clone();
                    reset.records(self.entropy.run_id(self.now), records)
                }
                Next::Events { run, range } => {
                    let ids: Vec<i64> = range.collect();
                    reset.events(self.events(run, &ids))
                }
                Next::Done(_) => return,
            };
            match told {
                Ok(next) => self.resetting = Some((reset, next)),
                Err(refusal) => {
                    let _ = writeln!(self.out, "! {}", refused(&refusal));
                }
            }
        }
    }

    /// `None`: refused, which was printed.
    fn asked_for_reset(&mut self, run: Option<RunId>, question: &Question) -> Option<Answer> {
        let run = run.or(self.order.last().copied());
        if matches!(question, Question::Position) {
            let state = self.runs[&run?].state.as_ref()?;
            return Some(Answer::Position(Position {
                run: run?,
                next_event_id: state.next_event_id,
                open: state.is_open(),
                suffix: Vec::new(),
            }));
        }
        self.reset = None;
        self.ask_maybe(run, question);
        self.reset.take()
    }
}
