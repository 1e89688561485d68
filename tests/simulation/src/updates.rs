//! Updates: what those who asked were told, and what the histories hold.
//!
//! | rule | what is compared |
//! |---|---|
//! | I-1 | an update that somebody was told was accepted is in the history of that run, and so is the outcome that he was told |
//! | I-8 | no run accepts an update of one id twice, or completes it twice |
//! | refusal | what was rejected, or refused by all, was not accepted |
//!
//! Deliberately absent: that a rejection leaves no trace (`ledger`), and that answers come in time (`client`).

use std::collections::{BTreeMap, BTreeSet};

use cairn_history::execution::Stage;
use cairn_history::id::RunId;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use crate::client::said;
use crate::judge::{Kind, Ops, Outcome};
use crate::ledger::{Kept, Ledger};
use crate::shape::REFUSED;

/// What the server says of an accepted update whose run has closed, and of one that no worker spoke of.
const WITHOUT_OUTCOME: &str =
    "Workflow Update failed because the Workflow completed before the Update completed.";
const UNPROCESSED: &str = "Workflow Update is rejected because it wasn't processed by worker.";

/// What the histories hold of updates, by run and id.
#[derive(Default)]
struct Shown {
    accepted: BTreeSet<(RunId, String)>,
    outcomes: BTreeMap<(RunId, String), Result<String, String>>,
}

pub(crate) fn judge(ops: &Ops, ledger: &mut Ledger, heard_once: bool) {
    let mut wrong = Vec::new();
    let mut shown = Shown::default();
    for (run, kept) in &ledger.runs {
        shown.read(*run, kept, &mut wrong);
    }
    let mut refused: BTreeMap<&str, bool> = BTreeMap::new();
    for (kind, outcome) in ops.all() {
        let Kind::Update { id, .. } = kind else {
            continue;
        };
        *refused.entry(id).or_insert(true) &= *outcome == Outcome::Refused;
        let Outcome::Updated { run, stage, said } = outcome else {
            continue;
        };
        if let Some((rule, what)) = shown.differs(ledger, *run, id, *stage, said.as_ref()) {
            wrong.push((rule, format!("{run}: update {id} {what}")));
        }
    }
    let refused = refused
        .iter()
        .filter(|(_, refused)| **refused && heard_once);
    for (id, _) in refused {
        if shown.accepted.iter().any(|(_, accepted)| accepted == id) {
            wrong.push(("refusal", format!("update {id} was refused and is there")));
        }
    }
    for (rule, what) in wrong {
        ledger.violated(rule, what);
    }
}

impl Shown {
    fn read(&mut self, run: RunId, kept: &Kept, wrong: &mut Vec<(&'static str, String)>) {
        for event in &kept.events {
            let (id, twice) = match &event.attributes {
                Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(it)) => {
                    let id = it.protocol_instance_id.clone();
                    let twice = !self.accepted.insert((run, id.clone()));
                    (id, twice)
                }
                Some(Attributes::WorkflowExecutionUpdateCompletedEventAttributes(it)) => {
                    let id = it.meta.clone().unwrap_or_default().update_id;
                    let said = said(&it.outcome.clone().unwrap_or_default());
                    let before = self.outcomes.insert((run, id.clone()), said);
                    (id, before.is_some())
                }
                _ => continue,
            };
            if twice {
                wrong.push(("I-8", format!("{run}: update {id} happened twice")));
            }
        }
    }

    /// What is wrong with what somebody was told.
    fn differs(
        &self,
        ledger: &Ledger,
        run: RunId,
        id: &str,
        stage: Stage,
        said: Option<&Result<String, String>>,
    ) -> Option<(&'static str, String)> {
        let key = (run, id.to_owned());
        let accepted = self.accepted.contains(&key);
        let there = self.outcomes.get(&key);
        let is_open = ledger.runs.get(&run).is_none_or(|kept| kept.row.is_open());
        match (stage, said) {
            (Stage::Admitted, _) => None,
            (Stage::Completed, Some(Err(text))) if text == REFUSED => {
                accepted.then(|| ("refusal", "was rejected and is there".to_owned()))
            }
            (Stage::Completed, Some(Err(text))) if text.starts_with(UNPROCESSED) => Some((
                "refusal",
                "was given to a worker that speaks of all".to_owned(),
            )),
            (Stage::Completed, Some(Err(text))) if text == WITHOUT_OUTCOME => {
                let is_so = accepted && there.is_none() && !is_open;
                (!is_so).then(|| ("I-1", format!("has {there:?}, and none was told")))
            }
            (Stage::Completed, Some(said)) => {
                (there != Some(said)).then(|| ("I-1", format!("has {there:?}, {said:?} was told")))
            }
            (Stage::Completed, None) => Some(("I-1", "was completed without a word".to_owned())),
            (Stage::Accepted, _) => {
                (!accepted).then(|| ("I-1", "was accepted and is not there".to_owned()))
            }
        }
    }
}
