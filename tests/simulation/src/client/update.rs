//! Clients update workflows: they wait for a stage, look again, and repeat under the same id what they do not know the end of.

use std::time::Duration;

use cairn_history::execution::{Answer, PollUpdate, Question, Refusal, Stage, Update, Updated};
use cairn_history::id::{Key, RunId, Time};
use cairn_proto::temporal::api::update::v1::{Input, Meta, Outcome, Request, outcome};

use super::ask;
use crate::event::{Call, Reply};
use crate::judge::{self, Kind};
use crate::shape::{HANDLERS, payloads, text};
use crate::world::World;

/// Whoever waits for an update hears of it so soon, on top of what anything may take.
const WAIT: Duration = Duration::from_mins(2);

/// An update that a client waits for.
#[derive(Clone, Debug)]
pub(super) struct Updating {
    key: Key,
    /// Once an answer has told it.
    run: Option<RunId>,
    request: Request,
    until: Option<Stage>,
    /// Since when.
    since: Time,
}

impl Updating {
    /// What is asked: again with the whole request, or only how far it is.
    pub(super) fn call(&self, looks: bool) -> Call {
        let question = if looks && self.run.is_some() {
            Question::PollUpdate(PollUpdate {
                update_id: self.id().to_owned(),
                until: self.until,
            })
        } else {
            Question::Update(Box::new(Update {
                request: self.request.clone(),
                until: self.until,
                first_run: None,
            }))
        };
        ask(self.key.clone(), self.run, None, question)
    }

    pub(super) fn id(&self) -> &str {
        let meta = self.request.meta.as_ref();
        meta.map_or("", |meta| meta.update_id.as_str())
    }

    /// Learns from an answer. `false`: it is not what was waited for, and is to be asked again.
    pub(super) fn hears(&mut self, reply: &Reply) -> bool {
        match reply {
            Reply::Answered {
                answer: Answer::Updated(updated),
                ..
            } => {
                self.run = Some(updated.run);
                self.until.is_none_or(|until| updated.stage >= until)
            }
            // What was admitted goes with the memory of a run.
            Reply::Refused(Refusal::NoSuchUpdate(_)) => false,
            _ => true,
        }
    }
}

pub(super) fn outcome(updated: &Updated) -> judge::Outcome {
    judge::Outcome::Updated {
        run: updated.run,
        stage: updated.stage,
        said: updated.outcome.as_ref().map(said),
    }
}

/// An outcome in a word: what a workflow returned, or the text of a failure.
pub(crate) fn said(outcome: &Outcome) -> Result<String, String> {
    match &outcome.value {
        Some(outcome::Value::Success(payloads)) => Ok(text(Some(payloads))),
        Some(outcome::Value::Failure(failure)) => Err(failure.message.clone()),
        None => Err(String::new()),
    }
}

impl World {
    /// A new update, or one of before once more.
    pub(super) fn draw_update(
        &mut self,
        index: usize,
        key: Key,
        run: Option<RunId>,
    ) -> (Updating, Kind) {
        let until = *self.random.pick(&[
            None,
            Some(Stage::Accepted),
            Some(Stage::Completed),
            Some(Stage::Completed),
        ]);
        let sent = &self.clients[index].updates;
        let mut updating = if !sent.is_empty() && self.random.chance(300) {
            self.random.pick(sent).clone()
        } else {
            let updated = self.clients[index].updated.clone();
            let (key, run) = if !updated.is_empty() && self.random.chance(800) {
                let (key, run) = self.random.pick(&updated).clone();
                (key, Some(run).filter(|_| self.random.chance(700)))
            } else {
                (key, run)
            };
            let update_id = format!("u{index}-{}", self.clients[index].nth);
            let handler = *self.random.pick(&HANDLERS);
            Updating {
                key,
                run,
                request: request(update_id, handler),
                until,
                since: self.now,
            }
        };
        updating.until = until;
        updating.since = self.now;
        let kind = Kind::Update {
            workflow_id: updating.key.workflow_id.clone(),
            id: updating.id().to_owned(),
        };
        (updating, kind)
    }

    /// L-5: behind the heal nobody waits for ever for an update.
    pub(crate) fn updates_are_answered(&mut self, healed: Time, patience: Duration) {
        let waits = self.clients.iter().filter_map(|client| {
            let updating = client.doing.as_ref()?.updating.as_ref()?;
            let since = updating.since.max(healed);
            let is_late = self.now.since(since) > patience + WAIT;
            // Whoever waits for a run that was set aside hears nothing of it.
            let aside = self.ledger.quarantined.iter().any(|run| {
                let kept = self.ledger.runs.get(run);
                kept.is_some_and(|kept| kept.row.workflow_id == updating.key.workflow_id)
            });
            (is_late && !aside).then(|| updating.clone())
        });
        for updating in waits.collect::<Vec<_>>() {
            let what = format!(
                "nobody hears of update {} of {}, which is to be {:?}",
                updating.id(),
                updating.key.workflow_id,
                updating.until
            );
            self.ledger.violated("L-5", what);
        }
    }
}

fn request(update_id: String, handler: &str) -> Request {
    Request {
        meta: Some(Meta {
            update_id,
            identity: String::new(),
        }),
        input: Some(Input {
            header: None,
            name: handler.to_owned(),
            args: Some(payloads("input")),
        }),
        ..Request::default()
    }
}
