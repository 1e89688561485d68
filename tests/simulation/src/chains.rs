//! Chains: runs that follow one another, whether they go on as new, are tried again, or come by a cron schedule.
//!
//! | rule | what is compared |
//! |---|---|
//! | I-15 | a run that follows is there if, and only if, the end of the one before names it; a run of a schedule that ends of itself has a follower, one that somebody ended has none |
//! | I-6 | a run of a schedule is due when that comes next behind the run before, not sooner and not later, and does not begin before, unless somebody has updated it |
//!
//! Deliberately absent: runs that came of a reset, which begin with another one's first event (`resets`).

use std::collections::BTreeSet;
use std::time::Duration;

use cairn_history::id::{RunId, Time};
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    HistoryEvent, WorkflowExecutionStartedEventAttributes,
};

use crate::judge::{Kind, Ops};
use crate::ledger::{Kept, Ledger, time_of};
use crate::shape::interval;

/// A run of a schedule waits for whole seconds.
const ROUNDED: Duration = Duration::from_secs(1);

/// How a run ended, as far as others follow from it.
struct End {
    /// The run that follows, by name.
    next: String,
    /// By its workflow, and not by somebody or by the time of the chain.
    of_itself: bool,
}

pub(crate) fn judge(ops: &Ops, ledger: &mut Ledger) {
    let mut wrong = Vec::new();
    let updated: BTreeSet<&str> = ops
        .all()
        .filter_map(|(kind, _)| match kind {
            Kind::Update { workflow_id, .. } => Some(workflow_id.as_str()),
            _ => None,
        })
        .collect();
    for (run, kept) in &ledger.runs {
        let mut say = |rule, what: String| wrong.push((rule, format!("{run}: {what}")));
        let started = started(kept);
        let end = end(kept);
        if let Some(end) = &end {
            let next: Option<RunId> = end.next.parse().ok();
            if let Some(next) = next.filter(|next| !ledger.runs.contains_key(next)) {
                say("I-15", format!("{next} follows and is not there"));
            }
            let is_scheduled = started.is_some_and(|it| !it.cron_schedule.is_empty());
            if is_scheduled && next.is_none() && end.of_itself {
                say("I-15", "nothing follows in its schedule".to_owned());
            }
        }
        let Some(started) = started.filter(|_| kept.reset.is_none()) else {
            continue;
        };
        let before: Option<RunId> = started.continued_execution_run_id.parse().ok();
        let before = before.and_then(|before| Some((before, &**ledger.runs.get(&before)?)));
        if let Some((before, its)) = before {
            let names = crate::chains::end(its).map(|end| end.next);
            if names.as_deref() != Some(run.to_string().as_str()) {
                say(
                    "I-15",
                    format!("it follows {before}, which names {names:?}"),
                );
            }
        }
        let is_called = updated.contains(kept.row.workflow_id.as_str());
        let by_time = kept.events.get(1).is_some_and(is_task);
        if by_time && !is_called && !started.cron_schedule.is_empty() && begins_early(kept) {
            say("I-6", "it begins before it is due".to_owned());
        }
        if let Some(what) = is_untimely(kept, started, before.map(|(_, its)| its)) {
            say("I-6", what);
        }
    }
    for (rule, what) in wrong {
        ledger.violated(rule, what);
    }
}

fn started(kept: &Kept) -> Option<&WorkflowExecutionStartedEventAttributes> {
    match kept.events.first()?.attributes.as_ref()? {
        Attributes::WorkflowExecutionStartedEventAttributes(it) => Some(it),
        _ => None,
    }
}

fn end(kept: &Kept) -> Option<End> {
    let (next, of_itself) = match kept.events.last()?.attributes.as_ref()? {
        Attributes::WorkflowExecutionCompletedEventAttributes(it) => {
            (it.new_execution_run_id.clone(), true)
        }
        Attributes::WorkflowExecutionFailedEventAttributes(it) => {
            (it.new_execution_run_id.clone(), true)
        }
        Attributes::WorkflowExecutionTimedOutEventAttributes(it) => {
            (it.new_execution_run_id.clone(), false)
        }
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(it) => {
            (it.new_execution_run_id.clone(), true)
        }
        Attributes::WorkflowExecutionTerminatedEventAttributes(_)
        | Attributes::WorkflowExecutionCanceledEventAttributes(_) => (String::new(), false),
        _ => return None,
    };
    Some(End { next, of_itself })
}

/// When the first workflow task of a run is due.
pub(crate) fn due(kept: &Kept) -> Option<Time> {
    let backoff = started(kept)?
        .first_workflow_task_backoff
        .unwrap_or_default();
    let seconds = u64::try_from(backoff.seconds).ok()?;
    let nanos = u32::try_from(backoff.nanos).ok()?;
    Some(time_of(kept.events.first()?).after(Duration::new(seconds, nanos)))
}

/// What is wrong with the time at which a run of a schedule begins.
fn is_untimely(
    kept: &Kept,
    started: &WorkflowExecutionStartedEventAttributes,
    before: Option<&Kept>,
) -> Option<String> {
    if started.cron_schedule.is_empty() {
        return None;
    }
    let due = due(kept)?;
    let interval = interval(&started.cron_schedule);
    let began = time_of(kept.events.first()?);
    let wait = due.since(began);
    if wait > interval + ROUNDED {
        return Some(format!(
            "it waits {wait:?}, and its schedule comes every {interval:?}"
        ));
    }
    let in_time = |before: &&Kept| {
        let follows =
            self::started(before).is_some_and(|it| !it.continued_execution_run_id.is_empty());
        follows && before.reset.is_none() && !begins_early(before)
    };
    let last = self::due(before.filter(in_time)?)?;
    // A minute may come sooner behind a run that was begun at some other time.
    let apart = if started.cron_schedule.starts_with('@') {
        interval.saturating_sub(ROUNDED)
    } else {
        Duration::ZERO
    };
    let sooner = due <= last || due < last.after(apart);
    sooner.then(|| format!("it is due {:?} behind the one before", due.since(last)))
}

fn is_task(event: &HistoryEvent) -> bool {
    matches!(
        event.attributes,
        Some(Attributes::WorkflowTaskScheduledEventAttributes(_))
    )
}

/// Has the first workflow task come before it was due? An update or a signal may bring it.
fn begins_early(kept: &Kept) -> bool {
    let first = kept.events.iter().find(|event| is_task(event));
    first
        .zip(due(kept))
        .is_some_and(|(first, due)| time_of(first) < due)
}
