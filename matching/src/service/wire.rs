//! From messages to the words of [`crate::queue`] and back.

use std::sync::Arc;
use std::time::Duration;

use cairn_proto::cairn::matching::v1 as internal;
use cairn_proto::elsewhere::Elsewhere;
use cairn_proto::google::rpc;
use cairn_proto::prost::{Message, Name as _};
use cairn_proto::prost_types::{Any, Timestamp};
use cairn_proto::temporal::api::enums::v1::TaskQueueKind;
use cairn_proto::temporal::api::errordetails::v1::NotFoundFailure;
use cairn_proto::temporal::api::taskqueue::v1::{PollerScalingDecision, TaskQueue};
use tonic::{Code, Status};

pub(super) use internal::{Offered, Withdrawn};

use crate::queue::{Extras, Name, Offer, Task, TaskId, Time, Word, Work};

/// How long a poll or query waits if nobody says.
const WAIT: Duration = Duration::from_mins(1);
const PRIORITY_DEFAULT: u8 = 3;
const PRIORITY_LAST: i32 = 5;

pub(super) fn namespace(id: &[u8]) -> Result<[u8; 16], Status> {
    id.try_into()
        .map_err(|_| Status::invalid_argument("Invalid namespace id."))
}

/// `NOT_FOUND` with the detail by which clients tell it from a path that does not exist.
pub(super) fn not_found(message: &str) -> Status {
    let detail = Any {
        type_url: format!("type.googleapis.com/{}", NotFoundFailure::full_name()),
        value: NotFoundFailure::default().encode_to_vec(),
    };
    let status = rpc::Status {
        code: Code::NotFound.into(),
        message: message.to_owned(),
        details: vec![detail],
    };
    Status::with_details(Code::NotFound, message, status.encode_to_vec().into())
}

/// The queue is another node's.
pub(super) fn moved() -> Status {
    Elsewhere::Never.status("the task queue moved; try again")
}

/// The name of the queue that a public request speaks of.
pub(super) fn polled(
    namespace: [u8; 16],
    queue: Option<&TaskQueue>,
    work: Work,
) -> Result<Name, Status> {
    let queue = queue.filter(|queue| !queue.name.is_empty());
    let queue = queue.ok_or_else(|| Status::invalid_argument("taskQueue is not set"))?;
    Ok(Name {
        namespace,
        name: queue.name.clone(),
        work,
        sticky: work == Work::Workflow && queue.kind() == TaskQueueKind::Sticky,
    })
}

pub(super) fn name(queue: internal::Queue) -> Option<Name> {
    let work = match queue.work() {
        internal::Work::Workflow => Work::Workflow,
        internal::Work::Activity => Work::Activity,
        internal::Work::Unspecified => return None,
    };
    Some(Name {
        namespace: queue.namespace_id.as_slice().try_into().ok()?,
        name: queue.name,
        work,
        sticky: !queue.sticky_of.is_empty(),
    })
}

pub(super) fn task_id(task: &internal::Task) -> Option<TaskId> {
    Some(TaskId {
        run: task.run_id.as_slice().try_into().ok()?,
        scheduled_event_id: task.scheduled_event_id,
        attempt: task.attempt,
    })
}

/// The normal queue behind an offer on a sticky one.
pub(super) fn sticky_of(offered: &Offered) -> Option<String> {
    let queue = offered.queue.as_ref()?;
    (!queue.sticky_of.is_empty()).then(|| queue.sticky_of.clone())
}

pub(super) fn offered(by: Word, offered: Offered) -> Option<(Name, Offer)> {
    let name = name(offered.queue?)?;
    let task = offered.task?;
    let offer = Offer {
        task: Arc::new(Task {
            id: task_id(&task)?,
            workflow_id: task.workflow_id,
        }),
        by,
        priority: priority(offered.priority),
        time: Time(offered.time),
    };
    Some((name, offer))
}

/// An offer given back.
pub(super) fn withdrawn(name: &Name, sticky_of: String, offer: &Offer) -> Withdrawn {
    let work = match name.work {
        Work::Workflow => internal::Work::Workflow,
        Work::Activity => internal::Work::Activity,
    };
    let TaskId {
        run,
        scheduled_event_id,
        attempt,
    } = offer.task.id;
    Withdrawn {
        queue: Some(internal::Queue {
            namespace_id: name.namespace.to_vec(),
            name: name.name.clone(),
            work: work.into(),
            sticky_of,
        }),
        task: Some(internal::Task {
            workflow_id: offer.task.workflow_id.clone(),
            run_id: run.to_vec(),
            scheduled_event_id,
            attempt,
        }),
    }
}

/// A deadline is a moment of the server's clock.
pub(super) fn deadline(deadline: Option<Timestamp>, now: Time) -> Time {
    match deadline {
        Some(Timestamp { seconds, nanos }) => Time(
            seconds
                .saturating_mul(1_000_000_000)
                .saturating_add(i64::from(nanos)),
        ),
        None => now.after(WAIT),
    }
}

pub(super) fn timestamp(time: Time) -> Timestamp {
    Timestamp {
        seconds: time.0.div_euclid(1_000_000_000),
        nanos: i32::try_from(time.0.rem_euclid(1_000_000_000)).expect("less than a second"),
    }
}

/// A suggestion to the worker, if there is one; only ever sent together with a task.
pub(super) fn decision(extras: &Extras) -> Option<PollerScalingDecision> {
    (extras.poll_delta != 0).then_some(PollerScalingDecision {
        poll_request_delta_suggestion: extras.poll_delta,
    })
}

pub(super) fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn priority(priority: i32) -> u8 {
    match u8::try_from(priority.min(PRIORITY_LAST)) {
        Ok(0) | Err(_) => PRIORITY_DEFAULT,
        Ok(priority) => priority,
    }
}
