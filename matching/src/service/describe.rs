//! `DescribeTaskQueue`: pollers, how full a queue is and how fast it moves.
//!
//! Deliberately absent: versions and stored limits, which are rows that the frontend reads, and a limit of our own on how
//! fast a queue may go: there is none, so the number shown for it is the one that workers without a limit show.

#![expect(deprecated, reason = "clients still read the older fields")]

use std::collections::BTreeMap;

use cairn_proto::cairn::matching::v1::DescribeTaskQueueRequest;
use cairn_proto::prost_types::{Duration as WireDuration, Timestamp};
use cairn_proto::temporal::api::enums::v1::{
    DescribeTaskQueueMode, RateLimitSource, TaskQueueKind, TaskQueueType,
};
use cairn_proto::temporal::api::taskqueue::v1 as taskqueue;
use cairn_proto::temporal::api::workflowservice::v1 as public;
use tonic::Status;

use super::{Inner, wire};
use crate::queue::{Description, Name, Seen, Stats, Work};

/// What is shown where nobody has set a limit.
const UNLIMITED: f64 = 100_000.0;
/// Task ids are a notion of other servers; people's tools expect the block.
const TASK_ID_BLOCK: taskqueue::TaskIdBlock = taskqueue::TaskIdBlock {
    start_id: 1,
    end_id: 100_000,
};
/// 0001-01-01: how the protocol's servers write "never" here.
const NEVER: Timestamp = Timestamp {
    seconds: -62_135_596_800,
    nanos: 0,
};

pub(super) fn describe(
    inner: &Inner,
    request: DescribeTaskQueueRequest,
) -> Result<public::DescribeTaskQueueResponse, Status> {
    let namespace = wire::namespace(&request.namespace_id)?;
    let asked = request.request.unwrap_or_default();
    let queue = asked.task_queue.as_ref();
    let sticky = queue.is_some_and(|queue| queue.kind() == TaskQueueKind::Sticky);
    if sticky && asked.report_stats {
        return Err(Status::invalid_argument(
            "DescribeTaskQueue stats are only supported for the root partition",
        ));
    }
    let look = |kind: TaskQueueType| {
        let work = work(kind)?;
        let name = wire::polled(namespace, queue, work);
        Some(name.and_then(|name| inner.description(&name)))
    };
    if asked.api_mode() == DescribeTaskQueueMode::Enhanced {
        return enhanced(asked.task_queue_types().collect(), look);
    }
    let seen = look(asked.task_queue_type())
        .transpose()?
        .unwrap_or_default();
    Ok(plain(&asked, seen))
}

impl Inner {
    fn description(&self, name: &Name) -> Result<Description, Status> {
        if !self.is_mine(&name.namespace, &name.name) {
            return Err(wire::moved());
        }
        let stripe = self.stripe(&name.namespace, &name.name);
        let now = self.now();
        Ok(stripe.look(|state| state.queues.describe(name, now)))
    }
}

fn work(kind: TaskQueueType) -> Option<Work> {
    match kind {
        TaskQueueType::Unspecified | TaskQueueType::Workflow => Some(Work::Workflow),
        TaskQueueType::Activity => Some(Work::Activity),
        TaskQueueType::Nexus => None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the wire shows rates as f32"
)]
fn plain(
    asked: &public::DescribeTaskQueueRequest,
    seen: Description,
) -> public::DescribeTaskQueueResponse {
    let rate = seen.limit.unwrap_or(UNLIMITED);
    let source = match seen.limit {
        Some(_) => RateLimitSource::Worker,
        None => RateLimitSource::System,
    };
    let status = taskqueue::TaskQueueStatus {
        backlog_count_hint: wire::count(seen.stats.backlog_count),
        rate_per_second: rate,
        task_id_block: Some(TASK_ID_BLOCK),
        ..taskqueue::TaskQueueStatus::default()
    };
    let by_priority = if asked.report_stats {
        seen.by_priority
    } else {
        BTreeMap::new()
    };
    public::DescribeTaskQueueResponse {
        pollers: pollers(seen.pollers),
        stats: asked.report_stats.then(|| stats(seen.stats)),
        stats_by_priority_key: by_priority
            .into_iter()
            .map(|(priority, of)| (i32::from(priority), stats(of)))
            .collect(),
        versioning_info: Some(unversioned()),
        effective_rate_limit: Some(public::describe_task_queue_response::EffectiveRateLimit {
            requests_per_second: rate as f32,
            rate_limit_source: source.into(),
        }),
        task_queue_status: asked.include_task_queue_status.then_some(status),
        ..public::DescribeTaskQueueResponse::default()
    }
}

/// The older form: everything under the one version there is, the empty one.
fn enhanced(
    mut kinds: Vec<TaskQueueType>,
    look: impl Fn(TaskQueueType) -> Option<Result<Description, Status>>,
) -> Result<public::DescribeTaskQueueResponse, Status> {
    if kinds.is_empty() {
        kinds = vec![TaskQueueType::Workflow, TaskQueueType::Activity];
    }
    let mut info = taskqueue::TaskQueueVersionInfo::default();
    for kind in kinds {
        let seen = look(kind).transpose()?.unwrap_or_default();
        let of_kind = taskqueue::TaskQueueTypeInfo {
            pollers: pollers(seen.pollers),
            stats: Some(stats(seen.stats)),
        };
        info.types_info.insert(kind.into(), of_kind);
    }
    Ok(public::DescribeTaskQueueResponse {
        versions_info: [(String::new(), info)].into(),
        ..public::DescribeTaskQueueResponse::default()
    })
}

fn unversioned() -> taskqueue::TaskQueueVersioningInfo {
    taskqueue::TaskQueueVersioningInfo {
        current_version: "__unversioned__".to_owned(),
        update_time: Some(NEVER),
        ..taskqueue::TaskQueueVersioningInfo::default()
    }
}

fn pollers(seen: Vec<(String, Seen)>) -> Vec<taskqueue::PollerInfo> {
    let info = |(identity, seen): (String, Seen)| taskqueue::PollerInfo {
        last_access_time: Some(wire::timestamp(seen.last)),
        identity,
        rate_per_second: seen.max_tasks_per_second.unwrap_or(UNLIMITED),
        worker_version_capabilities: seen.capabilities,
        deployment_options: seen.deployment,
    };
    seen.into_iter().map(info).collect()
}

fn stats(stats: Stats) -> taskqueue::TaskQueueStats {
    let age = stats.backlog_age;
    taskqueue::TaskQueueStats {
        approximate_backlog_count: wire::count(stats.backlog_count),
        approximate_backlog_age: Some(WireDuration {
            seconds: i64::try_from(age.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(age.subsec_nanos()).expect("less than a second"),
        }),
        tasks_add_rate: stats.added_per_second,
        tasks_dispatch_rate: stats.dispatched_per_second,
        rate_limiting_active: stats.limited,
    }
}
