//! What one run did to another, as the histories of both show it.
//!
//! | rule | what is compared |
//! |---|---|
//! | I-15 | a child is begun once for the event that asked for it, and its parent hears of the end that its chain had |
//! | I-16 | a signal or request to cancel is heard once in a chain, by whom it was meant for, and only if an event asks for it; each event that asks is answered once |
//!
//! A message goes to whoever has the id when it arrives. One that comes again behind the end of a chain, late, is new to the chain that
//! somebody else has begun since. A run that came of a reset begins a chain: what its base heard behind the point it may hear again. What a
//! run and those that came of it by resets have sent is counted together, and what it has of its base is its base's. A child is begun again
//! where a reset forgets that it was, if it is no longer kept.
//!
//! Deliberately absent: whether it happens in time (`judge`).

use std::collections::{BTreeMap, BTreeSet};

use cairn_history::id::RunId;
use cairn_proto::temporal::api::common::v1::WorkflowExecution;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use crate::ledger::{Kept, Ledger};

/// What all histories say.
#[derive(Default)]
struct Said {
    /// Signals that a run asked for, by the workflow that was meant, and those that it was told to have arrived.
    asked: BTreeMap<(RunId, String), usize>,
    told: BTreeMap<(RunId, String), BTreeSet<(RunId, i64)>>,
    /// Signals that arrived, by sender, receiver and where its chain began; and each by that and its request id.
    heard: BTreeMap<(RunId, String, RunId), usize>,
    requests: BTreeMap<(RunId, String), usize>,
    /// Requests to cancel by the beginning of the chain, sender and event.
    cancels: BTreeMap<(RunId, RunId, i64), usize>,
    /// Children that were asked for, and the runs that were begun for that.
    wanted: BTreeMap<(RunId, i64), String>,
    begun: BTreeMap<(RunId, i64), BTreeSet<RunId>>,
    wrong: Vec<(&'static str, String)>,
}

pub(crate) fn judge(ledger: &mut Ledger) {
    let mut said = Said::default();
    for (run, kept) in &ledger.runs {
        said.read(ledger, *run, kept);
    }
    said.signals();
    said.children(ledger);
    for (rule, what) in said.wrong {
        ledger.violated(rule, what);
    }
}

fn run_of(execution: Option<&WorkflowExecution>) -> RunId {
    let run = execution.and_then(|it| it.run_id.parse().ok());
    run.unwrap_or_default()
}

fn id_of(execution: Option<&WorkflowExecution>) -> String {
    execution.map_or_else(String::new, |it| it.workflow_id.clone())
}

impl Said {
    fn read(&mut self, ledger: &Ledger, run: RunId, kept: &Kept) {
        let of_base = kept.reset.as_ref().map_or(0, |reset| reset.point);
        let chain = ledger.chain(run);
        let mut answered = BTreeSet::new();
        for (index, event) in kept.events.iter().enumerate() {
            let Some(attributes) = &event.attributes else {
                continue;
            };
            if index >= of_base {
                self.event(ledger, run, (kept, chain), event.event_id, attributes);
            }
            if let Some(once) = answers(attributes)
                && !answered.insert(once)
            {
                let (initiated, what) = once;
                let text = format!("{run}: event {initiated} has two answers ({what})");
                self.wrong.push(("I-16", text));
            }
        }
    }

    fn event(
        &mut self,
        ledger: &Ledger,
        run: RunId,
        (kept, chain): (&Kept, RunId),
        id: i64,
        attributes: &Attributes,
    ) {
        match attributes {
            Attributes::WorkflowExecutionStartedEventAttributes(it)
                if it.parent_workflow_execution.is_some()
                    && it.continued_execution_run_id.is_empty() =>
            {
                let parent = run_of(it.parent_workflow_execution.as_ref());
                let initiated = it.parent_initiated_event_id;
                self.begun
                    .entry((parent, initiated))
                    .or_default()
                    .insert(run);
            }
            Attributes::WorkflowExecutionSignaledEventAttributes(it)
                if it.external_workflow_execution.is_some() =>
            {
                let sender = ledger.root(run_of(it.external_workflow_execution.as_ref()));
                let receiver = kept.row.workflow_id.clone();
                *self.heard.entry((sender, receiver, chain)).or_default() += 1;
                let request = (chain, it.request_id.clone());
                *self.requests.entry(request).or_default() += 1;
            }
            Attributes::WorkflowExecutionCancelRequestedEventAttributes(it)
                if it.external_initiated_event_id > 0 =>
            {
                let sender = run_of(it.external_workflow_execution.as_ref());
                let asked = (chain, sender, it.external_initiated_event_id);
                *self.cancels.entry(asked).or_default() += 1;
            }
            Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(it) => {
                let target = id_of(it.workflow_execution.as_ref());
                *self.asked.entry((ledger.root(run), target)).or_default() += 1;
            }
            Attributes::ExternalWorkflowExecutionSignaledEventAttributes(it) => {
                let target = id_of(it.workflow_execution.as_ref());
                let once = (
                    ledger.writer(run, it.initiated_event_id),
                    it.initiated_event_id,
                );
                let told = self.told.entry((ledger.root(run), target)).or_default();
                told.insert(once);
            }
            Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(it) => {
                self.wanted.insert((run, id), it.workflow_id.clone());
            }
            _ => {}
        }
    }

    fn signals(&mut self) {
        let twice = self.requests.iter().filter(|(_, count)| **count > 1);
        for ((_, request_id), count) in twice {
            let what = format!("the signal {request_id} of another run was heard {count} times");
            self.wrong.push(("I-16", what));
        }
        let twice = self.cancels.iter().filter(|(_, count)| **count > 1);
        for ((_, sender, event), count) in twice {
            let what = format!("event {event} of {sender} asked to cancel {count} times");
            self.wrong.push(("I-16", what));
        }
        for ((sender, receiver, _), heard) in &self.heard {
            let key = (*sender, receiver.clone());
            let asked = self.asked.get(&key).copied().unwrap_or_default();
            if *heard > asked {
                let what = format!(
                    "{receiver} heard {heard} signals of {sender}, which asked for {asked}"
                );
                self.wrong.push(("I-16", what));
            }
        }
    }

    fn children(&mut self, ledger: &Ledger) {
        for ((parent, initiated), runs) in &self.begun {
            let what = format!("event {initiated} of {parent}");
            if runs.len() > 1 && !begun_again(ledger, (*parent, *initiated), runs) {
                self.wrong
                    .push(("I-15", format!("{what} began the children {runs:?}")));
            }
            if ledger.runs.contains_key(parent) && !self.wanted.contains_key(&(*parent, *initiated))
            {
                self.wrong.push((
                    "I-15",
                    format!("{what} asks for no child, and {runs:?} is one"),
                ));
            }
        }
        for (run, kept) in &ledger.runs {
            for event in &kept.events {
                let Some((child, closed)) = event.attributes.as_ref().and_then(ended) else {
                    continue;
                };
                let there = ledger.runs.get(&child);
                if there.is_some_and(|child| child.row.status != closed) {
                    let what = format!("{run} was told another end of {child} than it had");
                    self.wrong.push(("I-15", what));
                }
            }
        }
        for ((sender, receiver), told) in &self.told {
            let of_both = self
                .heard
                .iter()
                .filter(|((from, to, _), _)| (from, to) == (sender, receiver));
            let heard: usize = of_both.map(|(_, count)| count).sum();
            let buffered = ledger
                .runs
                .values()
                .filter(|kept| kept.row.workflow_id == *receiver && kept.row.is_open())
                .flat_map(|kept| &kept.buffered)
                .count();
            let told = told.len();
            if told > heard + buffered {
                let what = format!(
                    "{sender} was told that {told} signals arrived at {receiver}, which heard {heard}"
                );
                self.wrong.push(("I-16", what));
            }
        }
    }
}

/// A reset to before its base heard of a child asks for it again, and a start is known again as long as the run is kept that it began.
/// Then each of these was deleted before the next began, which a run asked for that came of a reset.
fn begun_again(ledger: &Ledger, (parent, initiated): (RunId, i64), runs: &BTreeSet<RunId>) -> bool {
    let mut began: Vec<&Kept> = runs.iter().map(|run| &*ledger.runs[run]).collect();
    began.sort_by_key(|kept| kept.began);
    let was_reset = |before| {
        let mut resets = ledger.runs.iter().filter(|(_, kept)| kept.reset.is_some());
        resets.any(|(run, kept)| kept.began <= before && ledger.writer(*run, initiated) == parent)
    };
    began.windows(2).all(|pair| {
        let deleted = pair[0]
            .deleted
            .is_some_and(|deleted| deleted <= pair[1].began);
        deleted && was_reset(pair[1].began)
    })
}

/// Which event is answered by this one, and in which way: a start of a child twice, by its beginning and its end.
fn answers(attributes: &Attributes) -> Option<(i64, &'static str)> {
    Some(match attributes {
        Attributes::ExternalWorkflowExecutionSignaledEventAttributes(it) => {
            (it.initiated_event_id, "signal")
        }
        Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(it) => {
            (it.initiated_event_id, "signal")
        }
        Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(it) => {
            (it.initiated_event_id, "cancel")
        }
        Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(it) => {
            (it.initiated_event_id, "cancel")
        }
        Attributes::ChildWorkflowExecutionStartedEventAttributes(it) => {
            (it.initiated_event_id, "start")
        }
        Attributes::StartChildWorkflowExecutionFailedEventAttributes(it) => {
            (it.initiated_event_id, "start")
        }
        Attributes::ChildWorkflowExecutionCompletedEventAttributes(it) => {
            (it.initiated_event_id, "end")
        }
        Attributes::ChildWorkflowExecutionFailedEventAttributes(it) => {
            (it.initiated_event_id, "end")
        }
        Attributes::ChildWorkflowExecutionCanceledEventAttributes(it) => {
            (it.initiated_event_id, "end")
        }
        Attributes::ChildWorkflowExecutionTimedOutEventAttributes(it) => {
            (it.initiated_event_id, "end")
        }
        Attributes::ChildWorkflowExecutionTerminatedEventAttributes(it) => {
            (it.initiated_event_id, "end")
        }
        _ => return None,
    })
}

/// The run of a child that has ended, and the status that its parent was told.
fn ended(attributes: &Attributes) -> Option<(RunId, i32)> {
    use cairn_proto::temporal::api::enums::v1::WorkflowExecutionStatus as Status;
    let (execution, status) = match attributes {
        Attributes::ChildWorkflowExecutionCompletedEventAttributes(it) => {
            (&it.workflow_execution, Status::Completed)
        }
        Attributes::ChildWorkflowExecutionFailedEventAttributes(it) => {
            (&it.workflow_execution, Status::Failed)
        }
        Attributes::ChildWorkflowExecutionCanceledEventAttributes(it) => {
            (&it.workflow_execution, Status::Canceled)
        }
        Attributes::ChildWorkflowExecutionTimedOutEventAttributes(it) => {
            (&it.workflow_execution, Status::TimedOut)
        }
        Attributes::ChildWorkflowExecutionTerminatedEventAttributes(it) => {
            (&it.workflow_execution, Status::Terminated)
        }
        _ => return None,
    };
    Some((run_of(execution.as_ref()), status.into()))
}
