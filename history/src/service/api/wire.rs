//! Small conversions between the wire and our own types, each with an error that names the field.

use std::time::Duration;

use cairn_proto::cairn::token::v1 as token;
use cairn_proto::prost::Message;
use cairn_proto::prost_types;
use cairn_proto::temporal::api::common::v1::link::workflow_event::Reference;
use cairn_proto::temporal::api::common::v1::{Link, WorkflowExecution, link};
use cairn_proto::temporal::api::enums::v1::EventType;
use tonic::Status;

use crate::execution::WorkflowTaskToken;
use crate::id::{Key, NamespaceId, RunId, Time};
use crate::service::Reply;

pub(super) fn required<T>(field: Option<T>, name: &'static str) -> Result<T, Status> {
    field.ok_or_else(|| Status::invalid_argument(format!("{name} is not set on request.")))
}

pub(super) fn namespace(id: &[u8]) -> Result<NamespaceId, Status> {
    id.try_into()
        .map(NamespaceId)
        .map_err(|_| Status::invalid_argument("namespace id is not a UUID"))
}

/// The run id of a request; empty means the current run.
pub(super) fn run(id: &str) -> Result<Option<RunId>, Status> {
    if id.is_empty() {
        return Ok(None);
    }
    id.parse()
        .map(Some)
        .map_err(|_| Status::invalid_argument("Invalid RunId."))
}

/// The first run of a chain; empty means any chain. What is no run id is the first of none.
pub(super) fn first_run(id: &str) -> Option<RunId> {
    (!id.is_empty()).then(|| id.parse().unwrap_or(RunId([0; 16])))
}

pub(super) fn run_bytes(id: &[u8]) -> Result<Option<RunId>, Status> {
    if id.is_empty() {
        return Ok(None);
    }
    id.try_into()
        .map(|id| Some(RunId(id)))
        .map_err(|_| Status::invalid_argument("Invalid RunId."))
}

/// Which run an execution names.
pub(super) fn target(
    namespace_id: &[u8],
    execution: Option<WorkflowExecution>,
) -> Result<(Key, Option<RunId>), Status> {
    let WorkflowExecution {
        workflow_id,
        run_id,
    } = required(execution, "Execution")?;
    let run = run(&run_id)?;
    Ok((
        Key {
            namespace: namespace(namespace_id)?,
            workflow_id,
        },
        run,
    ))
}

pub(super) fn token_target(token: &token::Task) -> Result<(Key, Option<RunId>), Status> {
    let key = Key {
        namespace: namespace(&token.namespace_id)?,
        workflow_id: token.workflow_id.clone(),
    };
    Ok((key, run_bytes(&token.run_id)?))
}

pub(super) fn workflow_task_token(token: &token::Task) -> WorkflowTaskToken {
    WorkflowTaskToken {
        scheduled_event_id: token.scheduled_event_id,
        started_event_id: token.started_event_id,
        started_time: Time(token.started_time),
        attempt: token.attempt,
    }
}

/// A duration that the frontend has checked; what is not there is zero.
pub(super) fn duration(field: Option<prost_types::Duration>) -> Duration {
    field.map_or(Duration::ZERO, span)
}

/// The same of one that is there.
pub(super) fn span(field: prost_types::Duration) -> Duration {
    let prost_types::Duration { seconds, nanos } = field;
    let seconds = u64::try_from(seconds).unwrap_or(0);
    Duration::new(seconds, u32::try_from(nanos).unwrap_or(0).min(999_999_999))
}

pub(super) fn time(field: Option<prost_types::Timestamp>) -> Option<Time> {
    field.map(|at| {
        Time(
            at.seconds
                .saturating_mul(1_000_000_000)
                .saturating_add(i64::from(at.nanos)),
        )
    })
}

pub(super) fn task_token(key: &Key, run: RunId, task: WorkflowTaskToken) -> Vec<u8> {
    token::Task {
        namespace_id: key.namespace.0.to_vec(),
        workflow_id: key.workflow_id.clone(),
        run_id: run.0.to_vec(),
        scheduled_event_id: task.scheduled_event_id,
        started_event_id: task.started_event_id,
        started_time: task.started_time.0,
        attempt: task.attempt,
        activity_id: String::new(),
    }
    .encode_to_vec()
}

/// A link to an event of a run, as answers carry it.
pub(super) fn link(namespace: &str, workflow_id: &str, run: RunId, reference: Reference) -> Link {
    Link {
        variant: Some(link::Variant::WorkflowEvent(link::WorkflowEvent {
            namespace: namespace.to_owned(),
            workflow_id: workflow_id.to_owned(),
            run_id: run.to_string(),
            reference: Some(reference),
        })),
    }
}

pub(super) fn event_reference(event_id: i64, event_type: EventType) -> Reference {
    Reference::EventRef(link::workflow_event::EventReference {
        event_id,
        event_type: event_type.into(),
    })
}

/// How answers point to an event that may still wait in a buffer: by the request that made it.
pub(super) fn request_reference(request_id: &str, event_type: EventType) -> Reference {
    Reference::RequestIdRef(link::workflow_event::RequestIdReference {
        request_id: request_id.to_owned(),
        event_type: event_type.into(),
    })
}

/// An answer of another question: our bug, and no reason to panic.
pub(super) fn unexpected(reply: &Reply) -> Status {
    tracing::error!(answer = ?reply.answer, "a run answered another question");
    Status::internal("a run answered another question")
}
