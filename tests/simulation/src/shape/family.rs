//! Workflows that have to do with others: they start children, signal them and ask them to cancel.

use cairn_proto::temporal::api::command::v1::Command;
use cairn_proto::temporal::api::enums::v1::ParentClosePolicy;

use super::Shape;
use super::command::{call, cancel_external, child, completed};
use super::facts::{Facts, Kin};

pub(super) fn parent(n: u64, facts: &Facts) -> Vec<Command> {
    let id = format!("{}.child", facts.workflow_id);
    let Some(kin) = facts.children.get(&id) else {
        let shape = if n == 3 {
            Shape::Chain(1)
        } else {
            Shape::Timers(1)
        };
        return vec![child(&id, shape, ParentClosePolicy::Terminate)];
    };
    match kin {
        Kin::Started if n == 2 && !facts.asked.contains(&id) => vec![cancel_external(&id)],
        Kin::Asked | Kin::Started => Vec::new(),
        Kin::Ended(how) => vec![completed(how)],
    }
}

pub(super) fn leaver(facts: &Facts) -> Vec<Command> {
    let children = [
        ("t", Shape::Sleeper, ParentClosePolicy::Terminate),
        ("a", Shape::Timers(1), ParentClosePolicy::Abandon),
        ("c", Shape::Collect(9), ParentClosePolicy::RequestCancel),
    ];
    if facts.children.is_empty() {
        let started = children.iter().map(|(suffix, shape, policy)| {
            let id = format!("{}.{suffix}", facts.workflow_id);
            child(&id, *shape, *policy)
        });
        return started.collect();
    }
    if facts.children.values().any(|kin| *kin == Kin::Asked) {
        return Vec::new();
    }
    vec![completed("gone")]
}

pub(super) fn caller(facts: &Facts) -> Vec<Command> {
    let id = format!("{}.relay", facts.workflow_id);
    match facts.children.get(&id) {
        None => vec![child(&id, Shape::Relay(2), ParentClosePolicy::Terminate)],
        Some(Kin::Ended(how)) => vec![completed(how)],
        Some(Kin::Started) if facts.calls == facts.called && facts.calls < 3 => {
            vec![call(
                &id,
                &format!("call {} of {}", facts.calls, facts.run_id),
            )]
        }
        Some(Kin::Asked | Kin::Started) => Vec::new(),
    }
}
