//! I-13: a read shows what is stored, not less and not more, through whatever node it is asked.
//!
//! Whatever was committed when a read was asked, somebody may have seen: an answer that is older comes from a node that does not know
//! that another owns the shard by now. And nobody may see what is not committed when the answer is heard. Deliberately absent: reads
//! of workers, which must show what their task says.

use cairn_history::execution::{Answer, Question};
use cairn_history::id::{Key, RunId};

use crate::event::{Call, Reply};
use crate::ledger::{Kept, Ledger};
use crate::worker::is_unclear;

/// How far a run has come.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    run: RunId,
    /// The how many-th of its id it is.
    nth: u64,
    events: usize,
    open: bool,
}

/// A read, and what is committed of the run that it is about. `None`: it reads nothing that is known to be there.
pub(crate) fn asked(call: &Call, ledger: &Ledger) -> Option<Seen> {
    let (key, run) = read(call)?;
    let run = run.or_else(|| ledger.open.get(key).copied())?;
    let kept = ledger
        .runs
        .get(&run)
        .filter(|kept| kept.deleted.is_none())?;
    Some(seen(run, kept))
}

/// What this call reads.
fn read(call: &Call) -> Option<(&Key, Option<RunId>)> {
    match call {
        Call::Read { key, run }
        | Call::Ask {
            key,
            run,
            question: Question::Describe,
            ..
        } => Some((key, *run)),
        _ => None,
    }
}

fn seen(run: RunId, kept: &Kept) -> Seen {
    Seen {
        run,
        nth: kept.row.nth,
        events: kept.events.len(),
        open: kept.row.is_open(),
    }
}

/// The run that an answer is about, how many events it has and whether it is open.
fn shown(reply: &Reply) -> Option<(RunId, usize, bool)> {
    match reply {
        Reply::History { run, events, open } => Some((*run, events.len(), *open)),
        Reply::Answered {
            answer: Answer::Described(described),
            ..
        } => {
            let info = described.workflow_execution_info.as_ref()?;
            let run = info.execution.as_ref()?.run_id.parse().ok()?;
            let events = usize::try_from(info.history_length).ok()?;
            Some((run, events, info.close_time.is_none()))
        }
        _ => None,
    }
}

/// Judges what a read is told.
pub(crate) fn heard(asked: Option<&Seen>, reply: &Reply, ledger: &mut Ledger) {
    if is_unclear(reply) {
        return;
    }
    let wrong = match (shown(reply), asked) {
        (Some(shown), asked) => ahead(shown, ledger).or_else(|| behind(shown, asked?, ledger)),
        (None, Some(asked)) if matches!(reply, Reply::Refused(_)) => missing(asked, ledger),
        (None, _) => None,
    };
    if let Some(wrong) = wrong {
        ledger.violated("I-13", wrong);
    }
}

fn ahead((run, events, open): (RunId, usize, bool), ledger: &Ledger) -> Option<String> {
    let Some(kept) = ledger.runs.get(&run) else {
        return Some(format!("{run} was shown and is not there"));
    };
    let there = kept.events.len();
    if events > there {
        return Some(format!("{run} has {there} events and showed {events}"));
    }
    (!open && kept.row.is_open()).then(|| format!("{run} is open and was shown closed"))
}

fn behind(
    (run, events, open): (RunId, usize, bool),
    asked: &Seen,
    ledger: &Ledger,
) -> Option<String> {
    if !is_there(asked.run, ledger) {
        return None; // Its time was over meanwhile.
    }
    if run != asked.run {
        let nth = ledger.runs.get(&run).map_or(0, |kept| kept.row.nth);
        let before = nth < asked.nth;
        return before.then(|| format!("{run} was shown where {} had followed it", asked.run));
    }
    if events < asked.events {
        let more = asked.events;
        return Some(format!("{run} had {more} events and showed {events}"));
    }
    (open && !asked.open).then(|| format!("{run} was closed and was shown open"))
}

fn missing(asked: &Seen, ledger: &Ledger) -> Option<String> {
    let run = asked.run;
    is_there(run, ledger).then(|| format!("{run} was there and was not found"))
}

/// Is it still to be found?
fn is_there(run: RunId, ledger: &Ledger) -> bool {
    let kept = ledger
        .runs
        .get(&run)
        .is_some_and(|kept| kept.deleted.is_none());
    kept && !ledger.quarantined.contains(&run)
}
