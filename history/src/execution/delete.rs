//! Somebody deletes a run: an open one ends first. That it is to go is written with its end; once it has closed it goes.
//!
//! Deliberately absent: going. The shard deletes whatever has closed and outlived its time, also after a crash.

use cairn_proto::cairn::record::v1::{self as record, change::Change};

use super::transition::Draft;
use super::{Answer, Outcome, Run, answer_now, answer_step, query, terminate};
use crate::kind::{Context, Stop};

const REASON: &str = "Delete workflow execution";

pub(crate) fn delete(run: Run<'_>, context: &mut Context<'_>) -> Outcome {
    if run.state.delete_requested {
        return answer_now(context.ticket, Answer::AlreadyDone);
    }
    let mut draft = Draft::ending(run.state, context);
    if run.state.is_open() {
        terminate::by_server(&mut draft, REASON);
    }
    draft.change(Change::DeleteRequested(record::DeleteRequested {}));
    let transition = draft.finish().map_err(Stop::Refused)?;
    let mut step = answer_step(transition, context.ticket, Answer::Done);
    if let Some(transition) = &step.transition {
        let released = query::released(run.volatile, &transition.state, run.id);
        step.answers.extend(released);
    }
    Ok(step)
}
