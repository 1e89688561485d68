//! The limits of a run, at the reference's defaults; those with a dynamic-config key can be turned.

use std::time::Duration;

/// What a run may hold, and how long things may take. Read by *ask* only: what was computed from it is in the record.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// `limit.blobSize.error`, bytes.
    pub blob_bytes_max: usize,
    /// `limit.memoSize.error`, bytes.
    pub memo_bytes_max: usize,
    /// `limit.historySize.error`, bytes.
    pub history_bytes_max: u64,
    /// `limit.historySize.suggestContinueAsNew`, bytes.
    pub history_bytes_suggest: u64,
    /// `limit.historyCount.error`, events.
    pub history_events_max: i64,
    /// `limit.historyCount.suggestContinueAsNew`, events.
    pub history_events_suggest: i64,
    /// `limit.numPendingActivities.error`.
    pub pending_activities_max: usize,
    /// `history.maximumSignalsPerExecution`.
    pub signals_max: u64,
    /// `history.maximumBufferedEventsBatch`, events.
    pub buffered_events_max: usize,
    /// `history.maximumBufferedEventsSizeInBytes`, bytes.
    pub buffered_bytes_max: usize,
    /// `history.MaxBufferedQueryCount`.
    pub buffered_queries_max: usize,
    /// `limit.maxIDLength`, bytes.
    pub id_bytes_max: usize,
    /// `history.defaultWorkflowTaskTimeout`.
    pub workflow_task_timeout: Duration,
    /// The longest workflow task timeout that a start may ask for.
    pub workflow_task_timeout_max: Duration,
    /// `history.workflowTaskRetryMaxInterval`.
    pub workflow_task_retry_interval_max: Duration,
    /// `history.workflowTaskHeartbeatTimeout`.
    pub workflow_task_heartbeat_timeout: Duration,
    /// `history.workflowIdReuseMinimalInterval`.
    pub continue_as_new_interval_min: Duration,
    /// `system.enableActivityEagerExecution`.
    pub eager_activities: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            blob_bytes_max: 2 << 20,
            memo_bytes_max: 2 << 20,
            history_bytes_max: 50 << 20,
            history_bytes_suggest: 4 << 20,
            history_events_max: 51_200,
            history_events_suggest: 4_096,
            pending_activities_max: 2_000,
            signals_max: 10_000,
            buffered_events_max: 100,
            buffered_bytes_max: 2 << 20,
            buffered_queries_max: 1,
            id_bytes_max: 1_000,
            workflow_task_timeout: Duration::from_secs(10),
            workflow_task_timeout_max: Duration::from_secs(120),
            workflow_task_retry_interval_max: Duration::from_secs(600),
            workflow_task_heartbeat_timeout: Duration::from_secs(30 * 60),
            continue_as_new_interval_min: Duration::from_secs(1),
            eager_activities: true,
        }
    }
}
