//! Calls of clients about workflows.

use cairn_proto::temporal::api::common::v1::Link;
use cairn_proto::temporal::api::enums::v1::{
    WorkflowIdConflictPolicy as Conflict, WorkflowIdReusePolicy as Reuse,
};

use crate::error::Error;
use crate::{Frontend, check};

pub(crate) mod cancel;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod operate;
pub(crate) mod options;
pub(crate) mod pause;
pub(crate) mod query;
pub(crate) mod reset;
pub(crate) mod signal;
pub(crate) mod start;
pub(crate) mod terminate;
pub(crate) mod update;
pub(crate) mod with_start;

/// What is to be done with an id that is or was in use: combinations that contradict themselves are refused, gaps filled.
fn id_policies(reuse: &mut i32, conflict: &mut i32, default: Conflict) -> Result<(), Error> {
    const TERMINATE: &str = "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be \
        used together with a WorkflowIDConflictPolicy";
    const REJECT: &str = "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used \
        together with WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING";
    // What is not known yet is no policy, but it is one that was asked for.
    let asked_reuse = Reuse::try_from(*reuse).unwrap_or(Reuse::Unspecified);
    let asked_conflict = Conflict::try_from(*conflict).unwrap_or(Conflict::Unspecified);
    #[expect(deprecated, reason = "clients still send it")]
    let terminate_if_running = Reuse::TerminateIfRunning;
    let (asked_reuse, asked_conflict) = match (asked_reuse, asked_conflict) {
        (reuse, _) if reuse == terminate_if_running => {
            if *conflict != i32::from(Conflict::Unspecified) {
                return Err(Error::invalid(TERMINATE));
            }
            (Reuse::AllowDuplicate, Conflict::TerminateExisting)
        }
        (Reuse::RejectDuplicate, Conflict::TerminateExisting) => {
            return Err(Error::invalid(REJECT));
        }
        (Reuse::Unspecified, Conflict::Unspecified) => (Reuse::AllowDuplicate, default),
        (reuse, Conflict::Unspecified) => (reuse, default),
        (Reuse::Unspecified, conflict) => (Reuse::AllowDuplicate, conflict),
        both => both,
    };
    *reuse = asked_reuse.into();
    *conflict = asked_conflict.into();
    Ok(())
}

impl Frontend {
    fn check_links(&self, links: &[Link]) -> Result<(), Error> {
        check::link::links(&self.config, links)
    }

    /// A caller that brings no request id cannot repeat its call, but its call can be told from others.
    fn fill_in_request_id(&self, request_id: &mut String) {
        if request_id.is_empty() {
            *request_id = self.fresh_uuid().to_string();
        }
    }
}
