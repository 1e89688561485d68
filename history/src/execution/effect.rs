//! What runs do to one another: which messages a run owes, what they say, what came of them, and what one that arrives does.
//!
//! | owed by         | effect      | until                                        |
//! |-----------------|-------------|----------------------------------------------|
//! | an open run     | `Initiated` | an event says what came of the signal, the request to cancel or the start of a child |
//! | a new child     | `Begun`     | its parent knows of it                       |
//! | a closed run    | `ParentClosed` | that child knows of it                    |
//! | a closed child  | `ChildClosed` | its parent knows of it                     |
//! | a closed run    | `Called`    | whoever asked to be called has heard it, or never will |
//!
//! Owed is what the state says, so a message that was lost, or whose answer was, is made again; its receiver knows it by the run
//! and the event that it comes from. Deliberately absent: the way from one run to another (`shard`, and the shell around it).

use cairn_proto::cairn::effect::v1::message::What;
use cairn_proto::cairn::effect::v1::outcome::Outcome as Came;
use cairn_proto::cairn::effect::v1::{self as wire, Message};
use cairn_proto::cairn::record::v1::change::Change;
use cairn_proto::cairn::record::v1::{Delivered, delivered};
use cairn_proto::temporal::api::common::v1::WorkflowExecution;
use cairn_proto::temporal::api::history::v1::HistoryEvent;

use super::state::State;
use super::transition::Draft;
use super::{
    Answer, Asked, Outcome, Refusal, Run, Step, Transition, answer_step, callback, child, external,
    query, refuse, step_of,
};
use crate::id::RunId;
use crate::kind::{Context, Stop};

/// Which of the things that a run owes to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// What this event asks for.
    Initiated(i64),
    /// This child asks its parent whether it may begin.
    Begun,
    /// The child of this event must hear that its parent has closed.
    ParentClosed(i64),
    /// The parent must hear that this child has closed.
    ChildClosed,
    /// This completion callback must be made.
    Called(u32),
}

/// All that a run owes to others.
pub(crate) fn effects(state: &State) -> Vec<Effect> {
    let mut effects = Vec::new();
    if let Some(closed) = &state.closed {
        effects.extend(state.callbacks.owed());
        if state.reset.to.is_some() {
            return effects; // The run that goes on owes it.
        }
        effects.extend(state.children.bereaved().map(Effect::ParentClosed));
        if state.origin.parent.is_some() && !closed.followed && !state.as_child.parent_told {
            effects.push(Effect::ChildClosed);
        }
    } else {
        effects.extend(state.externals.initiated().map(Effect::Initiated));
        effects.extend(state.children.unstarted().map(Effect::Initiated));
        if state.as_child.waits {
            effects.push(Effect::Begun);
        }
    }
    effects
}

/// What is sent for an effect.
pub(crate) fn message(
    state: &State,
    effect: Effect,
    events: &[HistoryEvent],
) -> Result<Message, Stop<Refusal>> {
    let needed = |id: i64| {
        let found = events.iter().find(|event| event.event_id == id);
        found.ok_or_else(|| Stop::Needs(vec![id]))
    };
    let message = match effect {
        Effect::Initiated(id) => {
            let initiated = needed(id)?;
            external::message(state, initiated).or_else(|| child::start_message(state, initiated))
        }
        Effect::Begun => child::begun_message(state),
        Effect::ParentClosed(id) => child::parent_closed_message(state, id),
        Effect::ChildClosed => child::closed_message(state, needed(state.next_event_id - 1)?),
        Effect::Called(index) => callback::message(state, index, needed(state.next_event_id - 1)?),
    };
    message.ok_or_else(|| Stop::Refused(Refusal::Invalid("nothing is owed".to_owned())))
}

/// A message to somebody in the same namespace.
pub(crate) fn addressed(state: &State, workflow_id: &str, run: Vec<u8>, what: What) -> Message {
    sent_by(state, state.origin.run, workflow_id, run, what)
}

/// The same as of another run of the id: a reset has taken over what that began.
pub(crate) fn sent_by(
    state: &State,
    sender: RunId,
    workflow_id: &str,
    run: Vec<u8>,
    what: What,
) -> Message {
    Message {
        namespace_id: state.origin.namespace.0.to_vec(),
        workflow_id: workflow_id.to_owned(),
        run_id: run,
        sender: Some(wire::Run {
            workflow_id: state.origin.workflow_id.clone(),
            run_id: sender.0.to_vec(),
        }),
        what: Some(what),
    }
}

/// What came of an effect becomes part of the run that owed it, unless that knows already.
pub(crate) fn delivered(
    asked: Asked<'_>,
    effect: Effect,
    outcome: &wire::Outcome,
    context: &mut Context<'_>,
) -> Outcome {
    let events = asked.events;
    let (Some(run), Some(came)) = (asked.run, &outcome.outcome) else {
        return Ok(step_of(None));
    };
    if !effects(run.state).contains(&effect) {
        return Ok(step_of(None));
    }
    let mut draft = Draft::new(run.state, context.now, context.limits);
    match (effect, came) {
        (Effect::Begun | Effect::ChildClosed, Came::Moved(run)) => {
            told(&mut draft, delivered::Effect::ParentMoved(run.clone()));
        }
        (Effect::ChildClosed, Came::NotFound(_)) if !run.state.as_child.parent_gone => {
            told(&mut draft, delivered::Effect::ParentGone(true));
        }
        (Effect::Initiated(id), _) => {
            external::concluded(&mut draft, id, came);
            child::started(&mut draft, id, came, events)?;
        }
        (Effect::Begun, _) => child::may_begin(&mut draft, came),
        (Effect::ParentClosed(id), _) => {
            told(&mut draft, delivered::Effect::ParentClosed(id));
        }
        (Effect::ChildClosed, _) => told(&mut draft, delivered::Effect::ChildClosed(true)),
        (Effect::Called(index), came) => callback::called(&mut draft, index, came),
    }
    let transition = draft.finish().map_err(Stop::Refused)?;
    Ok(stepped(run, transition))
}

/// No event says that this was delivered.
fn told(draft: &mut Draft<'_>, effect: delivered::Effect) {
    draft.change(Change::Delivered(Delivered {
        effect: Some(effect),
    }));
}

/// A transition that nobody asked for; if it closes the run, whoever waits in it is told.
fn stepped(run: Run<'_>, transition: Option<Transition>) -> Step {
    let mut step = step_of(transition);
    if let Some(transition) = &step.transition
        && run.state.is_open()
        && !transition.state.is_open()
    {
        step.answers = query::released(run.volatile, &transition.state, run.id);
    }
    step
}

/// A message of another run arrives.
pub(crate) fn receive(asked: Asked<'_>, message: &Message, context: &mut Context<'_>) -> Outcome {
    let (Some(what), Some(sender)) = (&message.what, Sender::of(message)) else {
        return refuse(Refusal::Invalid(
            "a message that says nothing, or nobody sent".to_owned(),
        ));
    };
    match what {
        What::Signal(event) => external::signaled(asked.run, &sender, event, context),
        What::Cancel(event) => external::canceled(asked.run, &sender, event, context),
        What::StartChild(start) => child::begin(asked, &sender, start, context),
        What::ChildBegun(it) => child::begun(asked, &sender, it.initiated_event_id, context),
        What::ChildClosed(it) => child::child_closed(asked, &sender, it, context),
        What::ParentClosed(it) => child::parent_closed(asked.run, &sender, it, context),
        What::Call(_) => refuse(Refusal::Invalid("a call is not to a run".to_owned())),
    }
}

/// The request id of the start that a message is, if it is one: runs of the id are looked through for it.
pub fn started_by(message: &Message) -> Option<String> {
    match (&message.what, Sender::of(message)) {
        (Some(What::StartChild(start)), Some(sender)) => child::started_by(&sender, start),
        _ => None,
    }
}

/// The run that a message comes from.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) workflow_id: String,
    pub(crate) run: RunId,
}

impl Sender {
    fn of(message: &Message) -> Option<Self> {
        let sender = message.sender.as_ref()?;
        Some(Self {
            workflow_id: sender.workflow_id.clone(),
            run: RunId(sender.run_id.as_slice().try_into().ok()?),
        })
    }

    /// As events name it.
    pub(crate) fn execution(&self) -> WorkflowExecution {
        WorkflowExecution {
            workflow_id: self.workflow_id.clone(),
            run_id: self.run.to_string(),
        }
    }
}

/// What the sender hears, with what it did to the run.
pub(crate) fn came(
    run: Option<Run<'_>>,
    transition: Option<Transition>,
    came: Came,
    context: &Context<'_>,
) -> Step {
    let outcome = wire::Outcome {
        outcome: Some(came),
    };
    let mut step = match run {
        Some(run) => stepped(run, transition),
        None => step_of(None),
    };
    let answer = answer_step(None, context.ticket, Answer::Delivered(Box::new(outcome)));
    step.answers.extend(answer.answers);
    step
}

/// Nothing happens, and this is why.
pub(crate) fn nothing(why: Came, context: &Context<'_>) -> Outcome {
    Ok(came(None, None, why, context))
}
