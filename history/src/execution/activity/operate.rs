//! What an operator does to activities of an open run, whichever are meant: all of it happens, or nothing.
//!
//! History does not hold it. What each operation is has a file of its own: `pause`, `unpause`, `reset`, `options`.

use std::sync::Arc;
use std::time::Duration;

use super::{Activity, options, pause, reset, unpause};
use crate::execution::state::State;
use crate::execution::transition::Draft;
use crate::execution::{
    Activities, ActivityOperation, Answer, OperateActivities, Outcome, Refusal, Run, answer_step,
    refuse,
};
use crate::id::Time;
use crate::kind::{Context, Heartbeat, Stop};

const UNKNOWN: &str =
    "Can't find pending activity with such ID. Invalid activityID or activity already completed";

pub(crate) fn operate(
    run: Run<'_>,
    question: &OperateActivities,
    context: &mut Context<'_>,
) -> Outcome {
    if !run.state.is_open() {
        return refuse(Refusal::Completed);
    }
    if let ActivityOperation::UpdateOptions(asked) = &question.operation
        && let Err(refusal) = options::check(asked)
    {
        return refuse(refusal);
    }
    let meant = meant(run.state, &question.activities);
    if meant.is_empty() {
        return refuse(Refusal::NoSuchActivity(UNKNOWN.to_owned()));
    }
    let mut operating = Operating {
        draft: Draft::new(run.state, context.now, context.limits),
        identity: &question.identity,
        forgotten: Vec::new(),
        answer: Answer::Done,
    };
    for activity in &meant {
        let done = match &question.operation {
            ActivityOperation::Pause { reason, request_id } => {
                pause::pause(&mut operating, activity, reason, request_id)
            }
            ActivityOperation::Unpause(it) => {
                let due = due(it.jitter, context);
                unpause::unpause(&mut operating, activity, it, due);
                Ok(())
            }
            ActivityOperation::Reset(it) => {
                let due = due(it.jitter, context);
                reset::reset(&mut operating, activity, it, due);
                Ok(())
            }
            ActivityOperation::UpdateOptions(it) => options::update(&mut operating, activity, it),
        };
        if let Err(refusal) = done {
            return refuse(refusal);
        }
    }
    let mut draft = operating.draft;
    if draft.state.activities.paused_types != run.state.activities.paused_types {
        draft.show_attributes();
    }
    let transition = draft.finish().map_err(Stop::Refused)?;
    let mut step = answer_step(transition, context.ticket, operating.answer);
    let forgotten = operating.forgotten.into_iter();
    step.heartbeats = forgotten
        .map(|id| run.volatile.forget(id))
        .collect::<Vec<Heartbeat>>();
    Ok(step)
}

/// An operation under way.
pub(super) struct Operating<'d, 'a> {
    pub(super) draft: Draft<'d>,
    pub(super) identity: &'a str,
    /// The activities whose heartbeats are forgotten at once.
    pub(super) forgotten: Vec<i64>,
    pub(super) answer: Answer,
}

fn meant(state: &State, activities: &Activities) -> Vec<Arc<Activity>> {
    state
        .activities
        .pending
        .values()
        .filter(|it| match activities {
            Activities::Id(id) => it.id == *id,
            Activities::Type(name) => it.type_name == *name,
            Activities::All => true,
        })
        .cloned()
        .collect()
}

/// Some time from now on, within the jitter.
fn due(jitter: Duration, context: &mut Context<'_>) -> Time {
    if jitter.is_zero() {
        return context.now;
    }
    let nanos = context.entropy.bits() % jitter.as_nanos();
    let delay = u64::try_from(nanos).unwrap_or(u64::MAX);
    context.now.after(Duration::from_nanos(delay))
}
