//! What a start may do to the runs that its id has already, and which combinations of policies mean nothing.
//!
//! Deliberately absent: doing it.

use cairn_proto::temporal::api::enums::v1::{
    WorkflowIdConflictPolicy as Conflict, WorkflowIdReusePolicy as Reuse,
};

use super::super::{Refusal, Start};

/// What a start may do to the runs that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policies {
    pub(crate) reuse: Reuse,
    pub(crate) conflict: Conflict,
}

pub(super) fn policies(question: &Start) -> Result<Policies, Refusal> {
    let reuse = Reuse::try_from(question.reuse_policy).unwrap_or_default();
    let conflict = Conflict::try_from(question.conflict_policy).unwrap_or_default();
    let with_signal = question.signal.is_some();
    if reuse == Reuse::TerminateIfRunning {
        if conflict != Conflict::Unspecified {
            return Err(Refusal::Invalid(
                "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING \
                 cannot be used together with a WorkflowIDConflictPolicy"
                    .to_owned(),
            ));
        }
        return Ok(Policies {
            reuse: Reuse::AllowDuplicate,
            conflict: Conflict::TerminateExisting,
        });
    }
    if reuse == Reuse::RejectDuplicate && conflict == Conflict::TerminateExisting {
        return Err(Refusal::Invalid(
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be \
             used together with WorkflowIdConflictPolicy \
             WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING"
                .to_owned(),
        ));
    }
    if with_signal && conflict == Conflict::Fail {
        return Err(Refusal::Invalid(
            "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported \
             for this operation."
                .to_owned(),
        ));
    }
    Ok(Policies {
        reuse: match reuse {
            Reuse::Unspecified => Reuse::AllowDuplicate,
            reuse => reuse,
        },
        conflict: match conflict {
            Conflict::Unspecified if with_signal => Conflict::UseExisting,
            Conflict::Unspecified => Conflict::Fail,
            conflict => conflict,
        },
    })
}
