//! A workflow that is updated: what it makes of each update is told by the name of its handler.
//!
//! | handler | the worker | the workflow                              |
//! |---------|------------|-------------------------------------------|
//! | now     | accepts    | completes it at once                      |
//! | fail    | accepts    | completes it at once, with a failure      |
//! | work    | accepts    | completes it behind an activity           |
//! | wait    | accepts    | completes it behind a timer               |
//! | refuse  | rejects    | –                                         |
//!
//! The other workflows have no handlers: their workers reject every update.

use std::time::Duration;

use cairn_history::execution::update::{Body, Message};
use cairn_proto::temporal::api::command::v1::Command;
use cairn_proto::temporal::api::command::v1::command::Attributes as Wanted;
use cairn_proto::temporal::api::update::v1::{Outcome, Request, outcome};

use super::Shape;
use super::command::{activity, completed, failure, message, payloads, timer};
use super::facts::{End, Facts};

pub(crate) const HANDLERS: [&str; 5] = ["now", "fail", "work", "wait", "refuse"];

/// How long it stays without having been updated as often as it wants.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the failure of a rejection says.
pub(crate) const REFUSED: &str = "refused by the worker";

/// How far an update has come in the workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    New,
    Accepted,
    Completed,
}

#[derive(Clone, Debug)]
pub(super) struct Update {
    pub(super) request: Request,
    pub(super) stage: Stage,
}

impl Update {
    pub(super) fn new(request: &Request) -> Self {
        Self {
            request: request.clone(),
            stage: Stage::New,
        }
    }

    pub(super) fn id(&self) -> &str {
        id_of(&self.request)
    }

    fn handler(&self) -> &str {
        self.request
            .input
            .as_ref()
            .map_or("", |input| input.name.as_str())
    }
}

pub(super) fn id_of(request: &Request) -> &str {
    request
        .meta
        .as_ref()
        .map_or("", |meta| meta.update_id.as_str())
}

/// What the workflow wants now: it ends behind `n` updates, whatever else is under way.
pub(super) fn updated(n: u64, facts: &Facts) -> Vec<Command> {
    let mut over = 0;
    let mut commands = Vec::new();
    for update in &facts.updates {
        over += u64::from(update.stage == Stage::Completed);
        let next = next(update, facts);
        over += u64::from(next.last().is_some_and(is_response));
        commands.extend(next);
    }
    if over >= n || facts.has_fired("patience") {
        commands.push(completed("updated"));
    } else {
        commands.extend(facts.fresh_timer("patience", PATIENCE));
    }
    commands
}

fn next(update: &Update, facts: &Facts) -> Vec<Command> {
    let id = update.id();
    let (accept, respond) = (
        message(&format!("{id}/accept")),
        message(&format!("{id}/respond")),
    );
    match (update.stage, update.handler()) {
        (Stage::New, "now" | "fail") => vec![accept, respond],
        (Stage::New, "work") => vec![accept, activity(&format!("act {id}"), "work")],
        (Stage::New, "wait") => vec![accept, timer(&format!("wait {id}"), Duration::from_secs(3))],
        (Stage::Accepted, "work") if facts.ended(&format!("act {id}")) => vec![respond],
        (Stage::Accepted, "wait") if facts.has_fired(&format!("wait {id}")) => vec![respond],
        _ => Vec::new(),
    }
}

fn is_response(command: &Command) -> bool {
    said_by(command).is_some_and(|id| id.ends_with("/respond"))
}

/// The message that a command points to.
pub(super) fn said_by(command: &Command) -> Option<&str> {
    match &command.attributes {
        Some(Wanted::ProtocolMessageCommandAttributes(it)) => Some(&it.message_id),
        _ => None,
    }
}

impl Shape {
    fn has_handler(self, update: &Update) -> bool {
        matches!(self, Self::Updated(_)) && update.handler() != "refuse"
    }
}

/// What a worker says of updates beside its commands. `by`: who, and at which task.
pub(super) fn messages(
    shape: Shape,
    facts: &Facts,
    commands: &[Command],
    by: &str,
    sequencing_event_id: i64,
) -> Vec<Message> {
    let mut messages = Vec::new();
    for update in &facts.updates {
        let said = |what: &str| {
            let id = format!("{}/{what}", update.id());
            let points = |command| said_by(command) == Some(id.as_str());
            commands.iter().any(points).then_some(id)
        };
        if let Some(id) = said("accept") {
            let body = Body::Acceptance {
                sequencing_event_id,
                request: Some(update.request.clone()),
            };
            messages.push(message_of(update, id, body));
        }
        if let Some(id) = said("respond") {
            let body = Body::Response {
                meta: update.request.meta.clone(),
                outcome: Some(outcome_of(update, by)),
            };
            messages.push(message_of(update, id, body));
        }
        if update.stage == Stage::New && !shape.has_handler(update) {
            let body = Body::Rejection {
                request: Some(update.request.clone()),
                failure: Some(failure(REFUSED, true)),
            };
            messages.push(message_of(update, format!("{}/reject", update.id()), body));
        }
    }
    messages
}

fn message_of(update: &Update, id: String, body: Body) -> Message {
    Message {
        id,
        instance: update.id().to_owned(),
        type_name: String::new(),
        bytes: 0,
        body,
    }
}

fn outcome_of(update: &Update, by: &str) -> Outcome {
    let text = format!("{} by {by}", update.id());
    let value = if update.handler() == "fail" {
        outcome::Value::Failure(failure(&text, true))
    } else {
        outcome::Value::Success(payloads(&text))
    };
    Outcome { value: Some(value) }
}

impl Facts {
    pub(super) fn update(&mut self, id: &str) -> Option<&mut Update> {
        self.updates.iter_mut().find(|update| update.id() == id)
    }

    pub(super) fn knows(&self, update: &str) -> bool {
        self.updates.iter().any(|it| it.id() == update)
    }

    /// An update reaches the workflow, unless it has before.
    pub(super) fn reached_by(&mut self, request: &Request) {
        if !self.knows(id_of(request)) {
            self.updates.push(Update::new(request));
        }
    }

    fn ended(&self, activity: &str) -> bool {
        let mut activities = self.activities.values();
        activities.any(|act| act.id == activity && act.end != End::Open)
    }
}
