//! Resets: what those who asked were told, and how the runs that came of it begin.
//!
//! | rule | what is compared |
//! |---|---|
//! | I-1 | a run that somebody was told goes on is there, and came of his request; what had come to the base behind the point, and to the runs that continued it, has come to it again |
//! | I-8 | one request, one run, as long as no other run of the id came between |
//! | I-15 | a run begins with the events of its base up to the point, and with the end of the task there |
//!
//! Deliberately absent: what the run does from there on; to every other rule it is a run of its own.

use std::collections::{BTreeMap, BTreeSet};

use cairn_history::execution::reset::{Keep, continued_by};
use cairn_history::id::RunId;
use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use crate::judge::{Kind, Ops, Outcome};
use crate::ledger::{Kept, Ledger, ResetFrom};
use crate::shape::text;

pub(crate) fn judge(ops: &Ops, ledger: &mut Ledger) {
    let mut wrong = Vec::new();
    let mut asked: BTreeMap<&str, Keep> = BTreeMap::new();
    for (kind, outcome) in ops.all() {
        let Kind::Reset { request_id, keep } = kind else {
            continue;
        };
        asked.insert(request_id, *keep);
        let Outcome::Reset { run } = outcome else {
            continue;
        };
        let there = ledger.runs.get(run).and_then(|kept| kept.reset.as_ref());
        if there.is_none_or(|there| there.request_id != *request_id) {
            wrong.push(("I-1", format!("reset {request_id} was told {run}")));
        }
    }
    let mut begun: BTreeMap<&str, Vec<&Kept>> = BTreeMap::new();
    for (run, kept) in &ledger.runs {
        let Some(reset) = &kept.reset else {
            continue;
        };
        begun.entry(&reset.request_id).or_default().push(kept);
        let keep = asked.get(reset.request_id.as_str()).copied();
        if let Some((rule, what)) = began(ledger, *run, kept, reset, keep.unwrap_or_default()) {
            wrong.push((rule, format!("{run}: {what}")));
        }
    }
    for (request_id, runs) in &mut begun {
        runs.sort_by_key(|kept| kept.row.nth);
        let again = runs
            .windows(2)
            .any(|pair| pair[0].row.nth + 1 == pair[1].row.nth);
        if again {
            wrong.push(("I-8", format!("reset {request_id} began two runs")));
        }
    }
    for (rule, what) in wrong {
        ledger.violated(rule, what);
    }
}

/// What is wrong with the beginning of a run.
fn began(
    ledger: &Ledger,
    run: RunId,
    kept: &Kept,
    reset: &ResetFrom,
    keep: Keep,
) -> Option<(&'static str, String)> {
    let base = ledger.runs.get(&reset.base)?;
    let (before, behind) = kept.events.split_at_checked(reset.point)?;
    if base.events.get(..reset.point) != Some(before) {
        return Some(("I-15", format!("it begins otherwise than {}", reset.base)));
    }
    let failed = behind
        .iter()
        .take(2)
        .find_map(|event| match &event.attributes {
            Some(Attributes::WorkflowTaskFailedEventAttributes(it)) => Some(it),
            _ => None,
        });
    let is_of_reset = failed.is_some_and(|it| {
        it.cause() == Cause::ResetWorkflow
            && it.base_run_id == reset.base.to_string()
            && it.new_run_id == run.to_string()
    });
    if !is_of_reset {
        return Some(("I-15", "the task at the point has no end".to_owned()));
    }
    let there: Vec<_> = reapplied(kept, reset).iter().filter_map(sent).collect();
    let expected = expected(ledger, base, reset, keep)?;
    (there != expected).then(|| {
        let what = format!("{there:?} came again, not {expected:?}");
        ("I-1", what)
    })
}

/// The events that the reset itself has written, behind the end of the task at the point.
pub(crate) fn reapplied<'k>(kept: &'k Kept, reset: &ResetFrom) -> &'k [HistoryEvent] {
    let behind = kept.events.get(reset.point..).unwrap_or_default();
    let is_scheduled = |event: &HistoryEvent| {
        matches!(
            event.attributes,
            Some(Attributes::WorkflowTaskScheduledEventAttributes(_))
        )
    };
    let end = behind.iter().position(is_scheduled);
    &behind[..end.unwrap_or(behind.len())]
}

/// What came from outside with an event.
fn sent(event: &HistoryEvent) -> Option<String> {
    match &event.attributes {
        Some(Attributes::WorkflowExecutionSignaledEventAttributes(it)) => {
            Some(format!("signal {}", text(it.input.as_ref())))
        }
        Some(Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(it)) => {
            let request = it.request.clone().unwrap_or_default();
            Some(format!(
                "update {}",
                request.meta.unwrap_or_default().update_id
            ))
        }
        Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(it)) => {
            Some(format!("update {}", it.protocol_instance_id))
        }
        _ => None,
    }
}

/// What must come again. `None`: nobody can tell, as runs that continued the base are gone.
fn expected(ledger: &Ledger, base: &Kept, reset: &ResetFrom, keep: Keep) -> Option<Vec<String>> {
    let (before, behind) = base.events.split_at_checked(reset.point)?;
    let mut known: BTreeSet<String> = before.iter().filter_map(sent).collect();
    let mut expected = Vec::new();
    let mut events = behind;
    let mut at = base;
    loop {
        for it in events.iter().filter_map(sent) {
            let is_update = it.starts_with("update");
            let left_out =
                keep.nothing || (is_update && keep.no_updates) || (!is_update && keep.no_signals);
            // Of two updates with one id the first counts.
            if !left_out && (!is_update || known.insert(it.clone())) {
                expected.push(it);
            }
        }
        let Some(next) = continued_by(&at.events) else {
            return Some(expected);
        };
        at = ledger
            .runs
            .get(&next)
            .filter(|kept| kept.deleted.is_none())?;
        events = &at.events;
    }
}
