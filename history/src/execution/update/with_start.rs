//! Update with start: the update of a run that is begun for it, or of the one that is there.
//!
//! | run of the id | the update, or the start         | becomes                                           |
//! |---------------|----------------------------------|---------------------------------------------------|
//! | any           | the update has ended in it       | its outcome                                       |
//! | open          | the update is known              | waits for it                                      |
//! | open          | use existing, or begun by this start | an update of that run                         |
//! | open          | fail                             | refused                                           |
//! | open          | terminate existing               | terminated, and a new run with the update         |
//! | closed        | begun by this start              | refused: it would not be the same run             |
//! | closed, none  | by reuse policy                  | a new run with the update, or refused             |

use cairn_proto::temporal::api::enums::v1::WorkflowIdConflictPolicy as Conflict;

use super::part::Standing;
use super::{enter, recorded};
use crate::execution::{
    Answer, Asked, Outcome, Refusal, Run, Stage, Started, UpdateWithStart, Updated, answer_now,
    refuse, start,
};
use crate::kind::{Context, Stop};

pub(crate) fn with_start(
    asked: Asked<'_>,
    question: &UpdateWithStart,
    context: &mut Context<'_>,
) -> Outcome {
    let policies = match start::check(&question.start, context.limits) {
        Ok(policies) => policies,
        Err(refusal) => return refuse(of_start(refusal)),
    };
    let Some(run) = asked.run else {
        return begin(question, start::begin(&question.start, context), context);
    };
    let (state, id) = (run.state, question.update.update_id());
    if let Some(Standing::Completed(_)) = state.updates.find(id)
        && let Some(updated) = recorded(state, run.id, id, asked.events)?
    {
        return ended_before(&run, updated, context);
    }
    let request_id = &question.start.request_id;
    let is_repeated = !request_id.is_empty() && state.origin.request_id == *request_id;
    if !state.is_open() {
        if is_repeated || asked.repeated.is_some() {
            return refuse(of_start(Refusal::StartRepeated));
        }
        return match start::on_closed(&run, policies) {
            Ok(()) => begin(question, start::begin(&question.start, context), context),
            Err(refusal) => refuse(of_start(refusal)),
        };
    }
    let is_known = run.volatile.updates.holds(id) || state.updates.find(id).is_some();
    if is_known || is_repeated || policies.conflict == Conflict::UseExisting {
        let started = Started {
            attached: true,
            ..start::existing(&run, false)
        };
        let with_start = Some(Box::new(started));
        return enter(asked.events, run, &question.update, with_start, context);
    }
    if asked.repeated.is_some() {
        return refuse(of_start(Refusal::StartRepeated));
    }
    if policies.conflict == Conflict::TerminateExisting {
        let begun = start::terminate_and_begin(run, &question.start, context);
        return begin(question, begun, context);
    }
    refuse(of_start(start::already_running(&run)))
}

/// The update is over: nothing happens.
fn ended_before(run: &Run<'_>, updated: Updated, context: &Context<'_>) -> Outcome {
    let updated = Updated {
        with_start: Some(Box::new(start::existing(run, false))),
        ..updated
    };
    answer_now(context.ticket, Answer::Updated(Box::new(updated)))
}

/// A run has begun, and its first workflow task will bring the update.
fn begin(question: &UpdateWithStart, begun: Outcome, context: &Context<'_>) -> Outcome {
    let mut step = begun.map_err(|stop| match stop {
        Stop::Refused(refusal) => Stop::Refused(of_start(refusal)),
        needs @ Stop::Needs(_) => needs,
    })?;
    let started = step
        .answers
        .extract_if(.., |(ticket, _)| *ticket == context.ticket);
    let started = started
        .last()
        .and_then(|(_, answered)| answered.result.ok());
    let (Some(successor), Some(Answer::Started(started))) = (&mut step.successor, started) else {
        return refuse(of_start(Refusal::Invalid("nothing to start".to_owned())));
    };
    let update = &question.update;
    let updates = &mut successor.volatile.updates;
    updates.admit(update.request.clone());
    let with_start = Some(Box::new(started));
    let id = update.update_id().to_owned();
    if let Some(until) = update.until {
        updates.wait(id, context.ticket, until, with_start);
    } else {
        let admitted = Updated {
            with_start,
            ..Updated::at(successor.run, &id, Stage::Admitted)
        };
        let admitted = answer_now(context.ticket, Answer::Updated(Box::new(admitted)))?;
        step.answers.extend(admitted.answers);
    }
    Ok(step)
}

fn of_start(refusal: Refusal) -> Refusal {
    Refusal::OfStart(Box::new(refusal))
}
