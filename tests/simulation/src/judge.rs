//! What the clients and workers were told, and whether the log bears it out.
//!
//! | rule | what is compared |
//! |---|---|
//! | I-1 | every acknowledged start, signal, cancel, terminate and completion is in a history |
//! | I-5 | the result of an activity is one that a worker was told is taken |
//! | I-8 | one request, one effect, one run |
//! | refusal | what was refused at the first try is not there |
//! | I-12 | signals of one client to one run are in the order in which they were acknowledged |
//! | I-1, I-8, refusal | the same of updates and resets: see `updates`, `resets` |
//! | I-15, I-16 | what one run did to another, and which one follows which: see `across`, `chains` |
//! | L-1, L-2, L-5 | behind the heal whatever is owed happens in time, and every run ends |
//!
//! Deliberately absent: what follows from the log alone (`ledger`), and what a read must show (`reads`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cairn_history::execution::reset::Keep;
use cairn_history::execution::{Effect, Stage, Volatile, Workflow};
use cairn_history::id::{Key, RunId, Time};
use cairn_history::kind::{Kind as _, Work};
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use crate::across;
use crate::chains;
use crate::ledger::{Kept, Ledger};
use crate::resets;
use crate::shape::text;
use crate::updates;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Start {
        key: Key,
        request_id: String,
    },
    Signal {
        client: usize,
        nth: u64,
        request_id: String,
    },
    Cancel,
    Terminate {
        run: Option<RunId>,
    },
    Update {
        workflow_id: String,
        id: String,
    },
    Reset {
        request_id: String,
        keep: Keep,
    },
    /// An operator pauses activities.
    Pause {
        run: Option<RunId>,
        request_id: String,
    },
    /// Whatever else he does to them.
    Operate,
    Read,
    CompleteTask {
        run: RunId,
        scheduled: i64,
    },
    CompleteActivity {
        run: RunId,
        scheduled: i64,
        result: String,
    },
    /// Of a transient attempt nothing is written.
    FailTask,
    /// The answer to a workflow task that does nothing: of one that was there for updates alone nothing is written.
    SayNothing,
    FailActivity,
    CancelActivity,
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing yet.
    Open,
    InDoubt,
    Refused,
    Acked,
    Started {
        run: RunId,
        fresh: bool,
    },
    Signaled {
        run: RunId,
    },
    Reset {
        run: RunId,
    },
    Updated {
        run: RunId,
        stage: Stage,
        said: Option<Result<String, String>>,
    },
}

#[derive(Clone, Debug)]
struct Op {
    kind: Kind,
    outcome: Outcome,
}

/// Every question of a client, and every answer of a worker.
#[derive(Debug, Default)]
pub(crate) struct Ops {
    all: Vec<Op>,
}

impl Ops {
    pub(crate) fn begin(&mut self, kind: Kind) -> usize {
        self.all.push(Op {
            kind,
            outcome: Outcome::Open,
        });
        self.all.len() - 1
    }

    pub(crate) fn end(&mut self, op: usize, outcome: Outcome) {
        if let Some(op) = self
            .all
            .get_mut(op)
            .filter(|op| op.outcome == Outcome::Open)
        {
            op.outcome = outcome;
        }
    }

    /// Something was heard on the way to the end of an operation.
    pub(crate) fn told(&mut self, op: usize, outcome: Outcome) {
        if let Some(op) = self.all.get(op) {
            let kind = op.kind.clone();
            self.all.push(Op { kind, outcome });
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&Kind, &Outcome)> {
        self.all.iter().map(|op| (&op.kind, &op.outcome))
    }

    /// The resets behind which nothing of the base was to come again.
    fn empty_resets(&self) -> BTreeSet<&str> {
        let bare = self.all.iter().filter_map(|op| match &op.kind {
            Kind::Reset { request_id, keep } if keep.nothing => Some(request_id.as_str()),
            _ => None,
        });
        bare.collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn acked(&self) -> usize {
        let silent = [Outcome::Open, Outcome::InDoubt, Outcome::Refused];
        self.all
            .iter()
            .filter(|op| !silent.contains(&op.outcome))
            .count()
    }
}

/// What the histories show, gathered once.
#[derive(Default)]
struct Shown {
    /// Which runs a start request began.
    begun: BTreeMap<String, BTreeSet<RunId>>,
    /// Signals of each run in order, by request id.
    signals: BTreeMap<RunId, Vec<String>>,
    /// The request ids of those that came to a run, or to the base of which it has its beginning; of those that a reset has sent to it
    /// again, and of those that came behind that.
    requests: BTreeMap<RunId, Vec<String>>,
    again: BTreeMap<RunId, BTreeSet<String>>,
    since: BTreeMap<RunId, Vec<String>>,
    results: BTreeMap<(RunId, i64), String>,
    completed_tasks: BTreeSet<(RunId, i64)>,
}

/// Compares what was told with what is stored.
///
/// `heard_once`: no call came twice, so that a refusal cannot be that of a repetition.
pub(crate) fn judge(ops: &Ops, ledger: &mut Ledger, heard_once: bool) {
    let shown = shown(ledger);
    starts(ops, &shown, ledger);
    signals(ops, &shown, ledger);
    answers(ops, &shown, ledger);
    across::judge(ledger);
    chains::judge(ops, ledger);
    resets::judge(ops, ledger);
    updates::judge(ops, ledger, heard_once);
    if heard_once {
        refusals(ops, &shown, ledger);
    }
}

impl Shown {
    fn signaled(&mut self, run: RunId, kept: &Kept, event_id: i64, request_id: &str) {
        let request_id = request_id.to_owned();
        let reset = kept.reset.as_ref();
        let again = reset.is_some_and(|reset| {
            let again = resets::reapplied(kept, reset);
            again.iter().any(|event| event.event_id == event_id)
        });
        if again {
            self.again.entry(run).or_default().insert(request_id);
            return;
        }
        let copied = usize::try_from(event_id).unwrap_or_default();
        if reset.is_some_and(|reset| copied > reset.point) {
            let since = self.since.entry(run).or_default();
            since.push(request_id.clone());
        }
        self.requests.entry(run).or_default().push(request_id);
    }
}

fn shown(ledger: &Ledger) -> Shown {
    let mut shown = Shown::default();
    for (run, kept) in &ledger.runs {
        shown
            .begun
            .entry(kept.row.start_request_id.clone())
            .or_default()
            .insert(*run);
        for event in &kept.events {
            match &event.attributes {
                Some(Attributes::WorkflowExecutionSignaledEventAttributes(it)) => {
                    shown
                        .signals
                        .entry(*run)
                        .or_default()
                        .push(text(it.input.as_ref()));
                    shown.signaled(*run, kept, event.event_id, &it.request_id);
                }
                Some(Attributes::ActivityTaskCompletedEventAttributes(it)) => {
                    shown
                        .results
                        .insert((*run, it.scheduled_event_id), text(it.result.as_ref()));
                }
                Some(Attributes::WorkflowTaskCompletedEventAttributes(it)) => {
                    shown.completed_tasks.insert((*run, it.scheduled_event_id));
                }
                _ => {}
            }
        }
    }
    shown
}

fn starts(ops: &Ops, shown: &Shown, ledger: &mut Ledger) {
    let mut told: BTreeMap<&str, RunId> = BTreeMap::new();
    for op in &ops.all {
        let (Kind::Start { key, request_id }, Outcome::Started { run, fresh }) =
            (&op.kind, &op.outcome)
        else {
            continue;
        };
        let Some(kept) = ledger.runs.get(run) else {
            ledger.violated(
                "I-1",
                format!(
                    "start {request_id} of {} was told {run}, which is not there",
                    key.workflow_id
                ),
            );
            continue;
        };
        if kept.row.key() != *key {
            ledger.violated(
                "I-1",
                format!("start {request_id} was told {run}, a run of another id"),
            );
        } else if *fresh && kept.row.start_request_id != *request_id {
            ledger.violated(
                "I-8",
                format!(
                    "start {request_id} was told that it began {run}, which {} began",
                    kept.row.start_request_id
                ),
            );
        }
        let before = told.insert(request_id, *run).filter(|before| before != run);
        if before.is_some_and(|before| {
            ledger
                .runs
                .get(&before)
                .is_none_or(|kept| kept.deleted.is_none())
        }) {
            ledger.violated("I-8", format!("start {request_id} was told two runs"));
        }
    }
    for (request_id, runs) in &shown.begun {
        // A request is known for as long as its run is kept; runs of a chain share it.
        let forgotten = runs.iter().any(|run| ledger.runs[run].deleted.is_some());
        if runs.len() > 1 && !forgotten && !are_a_chain(runs, ledger) {
            ledger.violated(
                "I-8",
                format!("start {request_id} began {} runs", runs.len()),
            );
        }
    }
}

fn are_a_chain(runs: &BTreeSet<RunId>, ledger: &Ledger) -> bool {
    let firsts: BTreeSet<_> = runs
        .iter()
        .filter_map(|run| ledger.runs.get(run))
        .map(|kept| kept.row.first_run)
        .collect();
    firsts.len() == 1
}

fn signals(ops: &Ops, shown: &Shown, ledger: &mut Ledger) {
    let none = Vec::new();
    let mut order: BTreeMap<(usize, RunId), Vec<(u64, &str)>> = BTreeMap::new();
    for op in &ops.all {
        let (
            Kind::Signal {
                client,
                nth,
                request_id,
            },
            Outcome::Signaled { run },
        ) = (&op.kind, &op.outcome)
        else {
            continue;
        };
        let there = shown.signals.get(run).unwrap_or(&none);
        let buffered = ledger
            .runs
            .get(run)
            .is_some_and(|kept| holds_signal(kept, request_id));
        if !there.contains(request_id) && !buffered {
            ledger.violated(
                "I-1",
                format!("signal {request_id} to {run} was acknowledged and is not there"),
            );
        }
        order
            .entry((*client, *run))
            .or_default()
            .push((*nth, request_id));
    }
    for ((_, run), asked) in order {
        let there = shown.signals.get(&run).unwrap_or(&none);
        let places: Vec<_> = asked
            .iter()
            .filter_map(|(_, id)| there.iter().position(|signal| signal == id))
            .collect();
        if !places.is_sorted() {
            ledger.violated(
                "I-12",
                format!("signals to {run} are out of order: {asked:?}"),
            );
        }
    }
    for (run, there) in &shown.requests {
        let once: BTreeSet<_> = there.iter().collect();
        // A request that was heard before the point, and once more by the run that continued the base, is sent again like any other.
        let again = shown.again.get(run);
        let since = shown.since.get(run).unwrap_or(&none);
        let known = again.is_some_and(|again| since.iter().any(|id| again.contains(id)));
        if once.len() < there.len() || known {
            let what = format!("a signal to {run} happened twice: {there:?}, again {again:?}");
            ledger.violated("I-8", what);
        }
    }
}

/// A refusal writes nothing.
fn refusals(ops: &Ops, shown: &Shown, ledger: &mut Ledger) {
    let written: BTreeSet<&str> = shown
        .signals
        .values()
        .flatten()
        .filter_map(|input| input.split(' ').next())
        .collect();
    for op in ops.all.iter().filter(|op| op.outcome == Outcome::Refused) {
        if let Kind::Signal { request_id, .. } = &op.kind
            && written.contains(request_id.as_str())
        {
            ledger.violated(
                "refusal",
                format!("signal {request_id} was refused and is there"),
            );
        }
    }
}

/// Does the signal wait in the buffer of an open run?
fn holds_signal(kept: &Kept, request_id: &str) -> bool {
    let is_it = |attributes: &Attributes| match attributes {
        Attributes::WorkflowExecutionSignaledEventAttributes(it) => {
            text(it.input.as_ref()) == request_id
        }
        _ => false,
    };
    kept.row.is_open()
        && kept
            .buffered
            .iter()
            .filter_map(|event| event.attributes.as_ref())
            .any(is_it)
}

/// Does the end of an activity wait there?
fn holds_result(kept: &Kept, scheduled: i64) -> bool {
    let is_it = |attributes: &Attributes| match attributes {
        Attributes::ActivityTaskCompletedEventAttributes(it) => it.scheduled_event_id == scheduled,
        _ => false,
    };
    kept.row.is_open()
        && kept
            .buffered
            .iter()
            .filter_map(|event| event.attributes.as_ref())
            .any(is_it)
}

fn answers(ops: &Ops, shown: &Shown, ledger: &mut Ledger) {
    for op in ops.all.iter().filter(|op| op.outcome == Outcome::Acked) {
        match &op.kind {
            Kind::CompleteActivity {
                run,
                scheduled,
                result,
            } => {
                let open = ledger.runs.get(run).is_some_and(|kept| kept.row.is_open());
                match shown.results.get(&(*run, *scheduled)) {
                    Some(there) if there == result => {}
                    Some(there) => ledger.violated(
                        "I-5",
                        format!(
                            "{run}: activity {scheduled} has {there:?}, {result:?} was acknowledged"
                        ),
                    ),
                    // It may wait in the buffer of an open run.
                    None if open
                        && !ledger
                            .runs
                            .get(run)
                            .is_some_and(|kept| holds_result(kept, *scheduled)) =>
                    {
                        ledger.violated(
                            "I-1",
                            format!("{run}: the completion of activity {scheduled} is lost"),
                        );
                    }
                    None => {}
                }
            }
            Kind::CompleteTask { run, scheduled } => {
                let known = ledger.runs.get(run);
                let later = known.is_some_and(|kept| {
                    !kept.row.is_open()
                        || cairn_history::execution::Workflow::next_event_id(&kept.state)
                            > *scheduled
                });
                if known.is_none() || !later {
                    ledger.violated(
                        "I-1",
                        format!("{run}: the answer to workflow task {scheduled} is lost"),
                    );
                }
            }
            Kind::Pause {
                run: Some(run),
                request_id,
            } if ledger
                .runs
                .get(run)
                .is_none_or(|kept| !kept.pauses.contains(request_id)) =>
            {
                let what = format!("{run}: the pause {request_id} was acknowledged and is lost");
                ledger.violated("I-1", what);
            }
            Kind::Terminate { run: Some(run) }
                if ledger.runs.get(run).is_some_and(|kept| kept.row.is_open()) =>
            {
                ledger.violated("I-1", format!("{run} was terminated and is open"));
            }
            _ => {}
        }
    }
}

/// What is late, `patience` behind the heal.
pub(crate) fn late(ledger: &mut Ledger, now: Time, patience: Duration) {
    let mut late = Vec::new();
    for (run, kept) in &ledger.runs {
        if !kept.row.is_open() || ledger.quarantined.contains(run) {
            continue;
        }
        let owed = Workflow::owe(&kept.state, &Volatile::default(), now);
        // An attempt that is due is offered, and then it is the workers' turn.
        let due = Workflow::next_wake(&kept.state, &Volatile::default());
        let due = due.filter(|due| owed.iter().all(|offer| offer.time != *due));
        if due.is_some_and(|due| now.since(due) > patience) {
            late.push((
                "L-2",
                format!(
                    "{run} ({}) was due {:?} ago",
                    kept.row.workflow_type,
                    now.since(due.unwrap_or_default())
                ),
            ));
        }
        for offer in owed {
            let waits = now.since(offer.time);
            if waits > patience && offer.task.work == Work::Workflow {
                late.push((
                    "L-1",
                    format!(
                        "{run} ({}): {:?} waits for {waits:?} on {}",
                        kept.row.workflow_type, offer.task, offer.queue.name
                    ),
                ));
            }
        }
    }
    for (rule, what) in late {
        ledger.violated(rule, what);
    }
}

/// Is what a run owes owed to one that was set aside?
fn is_cut_off(ledger: &Ledger, kept: &Kept, effect: &Effect) -> bool {
    let Ok(message) = Workflow::message(&kept.state, effect, &kept.events) else {
        return false;
    };
    let aside = ledger.quarantined.iter();
    let mut aside = aside.filter_map(|run| ledger.runs.get(run));
    aside.any(|other| other.row.workflow_id == message.workflow_id)
}

/// The runs that were set aside, and the open ones that wait for one of them: to reach it, or for it to end as their child.
fn held(ops: &Ops, ledger: &Ledger) -> BTreeSet<RunId> {
    let empty = ops.empty_resets();
    let mut held = ledger.quarantined.clone();
    let open = ledger.runs.iter().filter(|(_, kept)| kept.row.is_open());
    let in_vain = open.filter(|(run, kept)| waits_in_vain(&empty, ledger, **run, kept));
    held.extend(in_vain.map(|(run, _)| *run));
    loop {
        let parents: BTreeSet<RunId> = held.iter().filter_map(|run| parent(ledger, *run)).collect();
        let open = ledger.runs.iter().filter(|(_, kept)| kept.row.is_open());
        let waiting = open.filter(|(run, kept)| {
            let effects = Workflow::effects(&kept.state);
            let cut_off = |effect| is_cut_off(ledger, kept, effect);
            parents.contains(run) || effects.iter().any(cut_off)
        });
        let before = held.len();
        let waiting: Vec<RunId> = waiting.map(|(run, _)| *run).collect();
        held.extend(waiting);
        if held.len() == before {
            return held;
        }
    }
}

/// Does a run wait for a child of which nobody tells it any more? So it is behind the reset of a base that had closed before, or that waited in vain itself: what became of
/// a child since its parent closed, or went on elsewhere, is told to the closed one, or to the other. And so it is where nothing was to come again. The reference does the
/// same (`reapplied/child_closed_with_its_parent`, `reapplied/child_closed_behind_without_anything`).
fn waits_in_vain(empty: &BTreeSet<&str>, ledger: &Ledger, run: RunId, kept: &Kept) -> bool {
    let Some(reset) = &kept.reset else {
        return false;
    };
    let Some(base) = ledger.runs.get(&reset.base) else {
        return false;
    };
    let had_closed = base.closed.is_some_and(|closed| closed < kept.began);
    let is_empty = empty.contains(reset.request_id.as_str());
    if !had_closed && !is_empty && !waits_in_vain(empty, ledger, reset.base, base) {
        return false;
    }
    let children = ledger.runs.iter().filter(|(child, _)| {
        let parent = parent(ledger, **child).filter(|parent| *parent != run);
        parent.is_some_and(|parent| ledger.root(parent) == ledger.root(run))
    });
    children
        .filter(|(_, child)| child.row.first_run == child.row.run)
        .any(|(_, first)| {
            let chain = ledger.runs.values();
            let chain = chain.filter(|it| it.row.first_run == first.row.run);
            let last = chain.max_by_key(|it| it.row.nth);
            last.is_some_and(|last| last.closed.is_some())
        })
}

/// The run that has asked for this one as its child.
fn parent(ledger: &Ledger, run: RunId) -> Option<RunId> {
    match &ledger.runs.get(&run)?.events.first()?.attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(it)) => {
            it.parent_workflow_execution.as_ref()?.run_id.parse().ok()
        }
        _ => None,
    }
}

/// Everything has had its time: nothing may be open.
pub(crate) fn stuck(ops: &Ops, ledger: &mut Ledger) {
    let held = held(ops, ledger);
    let open = ledger
        .runs
        .iter()
        .filter(|(run, kept)| kept.row.is_open() && !held.contains(run));
    let open: Vec<_> = open
        .map(|(run, kept)| {
            let events = kept.events.iter();
            let names = events.map(|event| event.event_type().as_str_name());
            let names: Vec<_> = names
                .map(|name| name.trim_start_matches("EVENT_TYPE_"))
                .collect();
            format!(
                "{run} ({}) is stuck behind {}",
                kept.row.workflow_type,
                names.join(" ")
            )
        })
        .collect();
    let owing = ledger.runs.iter().filter(|(run, kept)| {
        let owes = Workflow::effects(&kept.state);
        let mut reachable = owes
            .iter()
            .filter(|effect| !is_cut_off(ledger, kept, effect));
        reachable.next().is_some() && kept.deleted.is_none() && !ledger.quarantined.contains(run)
    });
    let owing: Vec<_> = owing
        .map(|(run, kept)| {
            let effects = Workflow::effects(&kept.state);
            let kind = &kept.row.workflow_type;
            format!("{run} ({kind}) still owes {effects:?} to others")
        })
        .collect();
    for what in open.into_iter().chain(owing) {
        ledger.violated("L-5", what);
    }
}
