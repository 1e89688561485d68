//! A workflow task times out: its worker is gone, its sticky queue is not polled, or it heartbeats for ever.

use cairn_proto::cairn::record::v1::{self as record, change::Change};
use cairn_proto::temporal::api::enums::v1::TimeoutType;
use cairn_proto::temporal::api::history::v1::WorkflowTaskTimedOutEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use super::{Part, next_attempt, speculative};
use crate::execution::state::State;
use crate::execution::transition::Draft;
use crate::execution::{
    Answer, Outcome, Refusal, Run, Step, Volatile, answer, answer_step, refuse,
};
use crate::id::Time;
use crate::kind::{Answered, Context, Stop};
use crate::planted::{Fault, planted};

/// When the current task times out.
pub(crate) fn deadline(part: &Part, volatile: &Volatile) -> Option<Time> {
    let task = part.current.as_ref()?;
    match (&task.started, &task.sticky) {
        (Some(started), _) => Some(started.time.after(task.start_to_close)),
        (None, Some(_)) if planted(Fault::StickyTaskLost) => None,
        (None, Some((_, until))) if !volatile.sticky_unavailable => Some(*until),
        (None, _) if task.speculative => Some(task.scheduled_time.after(speculative::PATIENCE)),
        (None, _) => None,
    }
}

/// Ends the current task, if its time is up as the run was seen.
pub(crate) fn time_out(draft: &mut Draft<'_>, seen: &Part, volatile: &Volatile) {
    if deadline(seen, volatile).is_none_or(|time| time > draft.now) {
        return;
    }
    write_timed_out(draft);
    next_attempt(draft);
}

fn write_timed_out(draft: &mut Draft<'_>) {
    let Some(task) = &draft.state.task.current else {
        return;
    };
    if !task.written {
        draft.change(Change::TransientFailed(record::TransientFailed {
            timed_out: true,
            cause: 0,
        }));
        return;
    }
    let timeout_type = match task.started {
        Some(_) => TimeoutType::StartToClose,
        None => TimeoutType::ScheduleToStart,
    };
    let timed_out = WorkflowTaskTimedOutEventAttributes {
        scheduled_event_id: task.scheduled_event_id,
        started_event_id: task.started.as_ref().map_or(0, |it| it.event_id),
        timeout_type: timeout_type.into(),
    };
    draft.write(Attributes::WorkflowTaskTimedOutEventAttributes(timed_out));
}

/// Has a chain of heartbeats lasted too long?
pub(super) fn heartbeats_too_long(state: &State, context: &Context<'_>) -> bool {
    state.task.current.as_ref().is_some_and(|task| {
        context.now.since(task.original_time) > context.limits.workflow_task_heartbeat_timeout
    })
}

pub(super) fn end_heartbeats(run: Run<'_>, context: &mut Context<'_>) -> Outcome {
    let mut draft = Draft::new(run.state, context.now, context.limits);
    write_timed_out(&mut draft);
    next_attempt(&mut draft);
    Ok(Step {
        transition: draft.finish().map_err(Stop::Refused)?,
        successor: None,
        answers: vec![(
            context.ticket,
            Answered {
                result: Err(Refusal::NoSuchTask(
                    "workflow task heartbeat timeout".to_owned(),
                )),
                reads: None,
            },
        )],
        heartbeats: Vec::new(),
    })
}

/// The worker that had the run in its cache gives it back.
pub(crate) fn reset_sticky(run: Run<'_>, context: &mut Context<'_>) -> Outcome {
    if !run.state.is_open() {
        return refuse(Refusal::Completed);
    }
    if run.state.task.sticky.is_none() {
        return answer(
            context.ticket,
            Answered {
                result: Ok(Answer::Done),
                reads: None,
            },
        );
    }
    let mut draft = Draft::new(run.state, context.now, context.limits);
    draft.change(Change::Sticky(record::Sticky::default()));
    let transition = draft.finish().map_err(Stop::Refused)?;
    Ok(answer_step(transition, context.ticket, Answer::Done))
}
