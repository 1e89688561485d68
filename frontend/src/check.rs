//! What a request may say: one function per kind of field, each with the reference's code and sentence.
//!
//! Fields are also brought into their normal form here (durations capped, a task queue's kind filled in), so that history
//! never sees a request that it would have to refuse for its shape.

use std::time::Duration as StdDuration;

use cairn_proto::prost::Message;
use cairn_proto::prost_types::Duration;
use cairn_proto::temporal::api::common::v1::{
    Memo, Payloads, Priority, RetryPolicy, WorkerVersionCapabilities, WorkerVersionStamp,
    WorkflowExecution,
};
use cairn_proto::temporal::api::deployment::v1::WorkerDeploymentOptions;
use cairn_proto::temporal::api::enums::v1::{TaskQueueKind, TimeoutType, WorkerVersioningMode};
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;

use crate::config::Config;
use crate::error::Error;

pub(crate) mod callback;
pub(crate) mod cron;
pub(crate) mod failure;
pub(crate) mod link;
pub(crate) mod search_attribute;

type Checked = Result<(), Error>;

const SECOND: i64 = 1_000_000_000;
/// The longest duration that means anything: longer ones are cut to it.
const LONGEST: i64 = 100 * 365 * 24 * 3600;
const FAIRNESS_KEY: usize = 64;

/// The execution that a request is about.
pub(crate) fn execution(execution: Option<&WorkflowExecution>) -> Checked {
    let execution = execution.ok_or_else(|| Error::invalid("Execution is not set on request."))?;
    if execution.workflow_id.is_empty() {
        return Err(Error::invalid("WorkflowId is not set on request."));
    }
    if !execution.run_id.is_empty() && uuid::Uuid::parse_str(&execution.run_id).is_err() {
        return Err(Error::invalid("Invalid RunId."));
    }
    Ok(())
}

/// The workflow id of a run to be started.
pub(crate) fn workflow_id(config: &Config, id: &str) -> Checked {
    if id.is_empty() {
        return Err(Error::invalid("WorkflowId is not set on request."));
    }
    not_longer("WorkflowId", id, config)
}

/// `… exceeds maximum allowed length (1001/1000)`
pub(crate) fn not_longer(field: &str, value: &str, config: &Config) -> Checked {
    let (length, limit) = (value.len(), config.max_id_length);
    if length > limit {
        return Err(Error::invalid(format!(
            "{field} exceeds maximum allowed length ({length}/{limit})"
        )));
    }
    Ok(())
}

/// `… length exceeds limit.`
pub(crate) fn within_limit(field: &str, value: &str, config: &Config) -> Checked {
    if value.len() > config.max_id_length {
        return Err(Error::invalid(format!("{field} length exceeds limit.")));
    }
    Ok(())
}

/// The one who calls.
pub(crate) fn identity(config: &Config, identity: &str) -> Checked {
    within_limit("Identity", identity, config)
}

/// What may come of a duration: negative ones are refused, absurd ones cut.
pub(crate) fn duration(duration: Option<&mut Duration>) -> Result<StdDuration, &'static str> {
    let Some(duration) = duration else {
        return Ok(StdDuration::ZERO);
    };
    let (seconds, nanos) = (duration.seconds, i64::from(duration.nanos));
    if (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0) {
        return Err("duration has seconds and nanos with different signs");
    }
    if seconds < 0 || nanos < 0 {
        return Err("negative duration");
    }
    let seconds = seconds.saturating_add(nanos / SECOND);
    let nanos = nanos % SECOND;
    let (seconds, nanos) = if seconds >= LONGEST {
        (LONGEST, 0)
    } else {
        (seconds, nanos)
    };
    duration.seconds = seconds;
    duration.nanos = i32::try_from(nanos).unwrap_or(0);
    Ok(StdDuration::new(
        u64::try_from(seconds).unwrap_or(0),
        u32::try_from(nanos).unwrap_or(0),
    ))
}

/// One of the timeouts of a start: `An invalid … is set on request. cause: …`
pub(crate) fn timeout(field: &str, value: Option<&mut Duration>) -> Checked {
    duration(value).map(drop).map_err(|cause| {
        Error::invalid(format!(
            "An invalid {field} is set on request. cause: {cause}"
        ))
    })
}

/// A retry policy of a workflow, filled in with the defaults.
pub(crate) fn retry_policy(policy: Option<&mut RetryPolicy>) -> Checked {
    let Some(policy) = policy else {
        return Ok(());
    };
    fill_in(policy);
    if policy.maximum_attempts == 1 {
        return Ok(());
    }
    let initial = duration(policy.initial_interval.as_mut()).map_err(|cause| {
        Error::invalid(format!(
            "invalid InitialInterval set on retry policy: {cause}"
        ))
    })?;
    if policy.backoff_coefficient < 1.0 {
        return Err(Error::invalid(
            "BackoffCoefficient cannot be less than 1 on retry policy.",
        ));
    }
    let maximum = duration(policy.maximum_interval.as_mut()).map_err(|cause| {
        Error::invalid(format!(
            "invalid MaximumInterval set on retry policy: {cause}"
        ))
    })?;
    if !maximum.is_zero() && maximum < initial {
        return Err(Error::invalid(
            "MaximumInterval cannot be less than InitialInterval on retry policy.",
        ));
    }
    if policy.maximum_attempts < 0 {
        return Err(Error::invalid(
            "MaximumAttempts cannot be negative on retry policy.",
        ));
    }
    for kind in &policy.non_retryable_error_types {
        if let Some(name) = kind.strip_prefix("TemporalTimeout:")
            && !is_timeout_type(name)
        {
            return Err(Error::invalid(format!(
                "Invalid timeout type value: {name}."
            )));
        }
    }
    Ok(())
}

pub(crate) fn fill_in(policy: &mut RetryPolicy) {
    let unset = |duration: &Option<Duration>| {
        duration
            .as_ref()
            .is_none_or(|duration| duration.seconds == 0 && duration.nanos == 0)
    };
    if unset(&policy.initial_interval) {
        policy.initial_interval = Some(Duration {
            seconds: 1,
            nanos: 0,
        });
    }
    if unset(&policy.maximum_interval)
        && let Some(initial) = &policy.initial_interval
    {
        // The reference's nanoseconds overflow: a hundred times three years is refused as negative.
        let maximum = initial
            .seconds
            .saturating_mul(SECOND)
            .saturating_add(i64::from(initial.nanos))
            .wrapping_mul(100);
        policy.maximum_interval = Some(Duration {
            seconds: maximum / SECOND,
            nanos: i32::try_from(maximum % SECOND).unwrap_or(0),
        });
    }
    if policy.backoff_coefficient == 0.0 {
        policy.backoff_coefficient = 2.0;
    }
}

fn is_timeout_type(name: &str) -> bool {
    let full =
        TimeoutType::from_str_name(name).is_some_and(|kind| kind != TimeoutType::Unspecified);
    full || matches!(
        name,
        "StartToClose" | "ScheduleToStart" | "ScheduleToClose" | "Heartbeat"
    )
}

/// A task queue that is polled or described. Its kind is filled in.
pub(crate) fn task_queue(config: &Config, queue: Option<&mut TaskQueue>) -> Checked {
    let queue = named(queue)?;
    if queue.name.len() <= config.max_id_length && queue.name.starts_with("/_sys/") {
        return Err(Error::invalid(
            "task queue name cannot start with reserved prefix /_sys/",
        ));
    }
    task_queue_names(config, queue)
}

/// A task queue, or a partition of one, by its name.
pub(crate) fn partition(config: &Config, queue: Option<&mut TaskQueue>) -> Checked {
    let queue = named(queue)?;
    if let Some(rest) = queue.name.strip_prefix("/_sys/") {
        let number = rest.rsplit_once('/').filter(|(name, _)| !name.is_empty());
        if number.is_none_or(|(_, number)| number.parse::<u32>().is_err()) {
            return Err(Error::invalid(format!(
                "invalid task queue partition name {}",
                queue.name
            )));
        }
    }
    task_queue_names(config, queue)
}

/// A task queue on which a user's workflow is to run.
pub(crate) fn own_task_queue(config: &Config, queue: Option<&mut TaskQueue>) -> Checked {
    const INTERNAL: &str = "temporal-sys-per-ns-tq";
    let is_internal = queue.as_ref().is_some_and(|queue| queue.name == INTERNAL);
    task_queue(config, queue)?;
    if is_internal {
        return Err(Error::invalid(format!(
            "cannot use internal per-namespace task queue:{INTERNAL}"
        )));
    }
    Ok(())
}

fn named(queue: Option<&mut TaskQueue>) -> Result<&mut TaskQueue, Error> {
    let queue = queue.ok_or_else(|| Error::invalid("taskQueue is not set"))?;
    if queue.name.is_empty() {
        return Err(Error::invalid("missing task queue name"));
    }
    Ok(queue)
}

fn task_queue_names(config: &Config, queue: &mut TaskQueue) -> Checked {
    if TaskQueueKind::try_from(queue.kind).is_ok_and(|kind| kind == TaskQueueKind::Unspecified) {
        queue.kind = TaskQueueKind::Normal.into();
    }
    let sticky = queue.kind == i32::from(TaskQueueKind::Sticky);
    let too_long = |name: &str| name.len() > config.max_id_length;
    if too_long(&queue.name) || (sticky && too_long(&queue.normal_name)) {
        return Err(Error::invalid("taskQueue length exceeds limit"));
    }
    Ok(())
}

/// A priority: levels above the last are cut by who uses them.
pub(crate) fn priority(priority: Option<&Priority>) -> Checked {
    let Some(priority) = priority else {
        return Ok(());
    };
    if priority.priority_key < 0 {
        return Err(Error::invalid("priority key can't be negative"));
    }
    if priority.fairness_key.len() > FAIRNESS_KEY {
        return Err(Error::invalid("fairness key length exceeds limit"));
    }
    if priority.fairness_weight < 0.0 {
        return Err(Error::invalid("must be greater than zero"));
    }
    Ok(())
}

/// Payloads of one field.
pub(crate) fn payloads(config: &Config, payloads: Option<&Payloads>) -> Checked {
    if too_large(config, payloads) {
        return Err(Error::invalid("Blob data size exceeds limit."));
    }
    Ok(())
}

/// Is a field of an answer too large to be recorded?
pub(crate) fn too_large(config: &Config, field: Option<&impl Message>) -> bool {
    field.is_some_and(|field| field.encoded_len() > config.blob_size)
}

/// A memo.
pub(crate) fn memo(config: &Config, memo: Option<&Memo>) -> Checked {
    if memo.is_some_and(|memo| memo.encoded_len() > config.memo_size) {
        return Err(Error::invalid("Memo size exceeds limit."));
    }
    Ok(())
}

/// What a worker says about its version, whether in the old way or the new.
#[derive(Debug, Default)]
pub(crate) struct Version<'a> {
    pub(crate) build_id: &'a str,
    pub(crate) use_versioning: bool,
    pub(crate) options: Option<&'a WorkerDeploymentOptions>,
}

impl<'a> Version<'a> {
    pub(crate) fn polling(
        capabilities: Option<&'a WorkerVersionCapabilities>,
        options: Option<&'a WorkerDeploymentOptions>,
    ) -> Self {
        Self {
            build_id: capabilities.map_or("", |capabilities| &capabilities.build_id),
            use_versioning: capabilities.is_some_and(|capabilities| capabilities.use_versioning),
            options,
        }
    }

    pub(crate) fn answering(
        stamp: Option<&'a WorkerVersionStamp>,
        options: Option<&'a WorkerDeploymentOptions>,
    ) -> Self {
        Self {
            build_id: stamp.map_or("", |stamp| &stamp.build_id),
            use_versioning: stamp.is_some_and(|stamp| stamp.use_versioning),
            options,
        }
    }

    pub(crate) fn check(&self, config: &Config, queue: Option<&TaskQueue>) -> Checked {
        if self.use_versioning && self.build_id.is_empty() {
            return Err(Error::invalid(
                "WorkerVersionStamp must be present if UseVersioning is true.",
            ));
        }
        let versioned = |options: &WorkerDeploymentOptions| {
            options.worker_versioning_mode == i32::from(WorkerVersioningMode::Versioned)
        };
        if let Some(options) = self.options
            && versioned(options)
            && (options.deployment_name.is_empty() || options.build_id.is_empty())
        {
            return Err(Error::invalid(
                "Deployment name and build id must be set together.",
            ));
        }
        let sticky = |queue: &TaskQueue| queue.kind == i32::from(TaskQueueKind::Sticky);
        if (self.use_versioning || self.options.is_some_and(versioned))
            && queue.is_some_and(|queue| sticky(queue) && queue.normal_name.is_empty())
        {
            return Err(Error::invalid(
                "NormalName must be set on sticky queue when UseVersioning is true or DeploymentOptions are set.",
            ));
        }
        if self.build_id.len() > config.build_id_size {
            return Err(Error::invalid(
                "Build ID exceeds configured limit.workerBuildIdSize, use a shorter build ID.",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
