//! The limits of a run, at the reference's defaults; those with a dynamic-config key can be turned.

use std::time::Duration;

/// What a run may hold, and how long things may take. Read by *ask* only: what was computed from it is in the record.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// `limit.blobSize.error`, bytes.
    pub blob_bytes_max: usize,
    /// `limit.blobSize.warn`, bytes: what is left of a failure that is too large.
    pub blob_bytes_warn: usize,
    /// `limit.memoSize.error`, bytes.
    pub memo_bytes_max: usize,
    /// `system.transactionSizeLimit`, bytes: what the failure of a workflow task may say.
    pub transaction_bytes_max: usize,
    /// `frontend.searchAttributesSizeOfValueLimit`, bytes.
    pub search_attribute_value_bytes_max: usize,
    /// `frontend.searchAttributesTotalSizeLimit`, bytes.
    pub search_attributes_bytes_max: usize,
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
    /// `limit.numPendingChildExecutions.error`.
    pub pending_children_max: usize,
    /// `limit.numPendingSignals.error`.
    pub pending_signals_max: usize,
    /// `limit.numPendingCancelRequests.error`.
    pub pending_cancels_max: usize,
    /// `history.maximumSignalsPerExecution`.
    pub signals_max: u64,
    /// `history.maximumBufferedEventsBatch`, events.
    pub buffered_events_max: usize,
    /// `history.maximumBufferedEventsSizeInBytes`, bytes.
    pub buffered_bytes_max: usize,
    /// `history.MaxBufferedQueryCount`.
    pub buffered_queries_max: usize,
    /// `history.maxInFlightUpdates`.
    pub updates_in_flight_max: usize,
    /// `history.maxInFlightUpdatePayloads`, bytes.
    pub updates_bytes_max: usize,
    /// `history.maxTotalUpdates`.
    pub updates_max: usize,
    /// `callback.maxPerExecution`.
    pub callbacks_max: usize,
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
            blob_bytes_warn: 512 << 10,
            memo_bytes_max: 2 << 20,
            transaction_bytes_max: 4 << 20,
            search_attribute_value_bytes_max: 2 << 10,
            search_attributes_bytes_max: 40 << 10,
            history_bytes_max: 50 << 20,
            history_bytes_suggest: 4 << 20,
            history_events_max: 51_200,
            history_events_suggest: 4_096,
            pending_activities_max: 2_000,
            pending_children_max: 2_000,
            pending_signals_max: 2_000,
            pending_cancels_max: 2_000,
            signals_max: 10_000,
            buffered_events_max: 100,
            buffered_bytes_max: 2 << 20,
            buffered_queries_max: 1,
            updates_in_flight_max: 10,
            updates_bytes_max: 20 << 20,
            updates_max: 2_000,
            callbacks_max: 2_000,
            id_bytes_max: 1_000,
            workflow_task_timeout: Duration::from_secs(10),
            workflow_task_timeout_max: Duration::from_mins(2),
            workflow_task_retry_interval_max: Duration::from_mins(10),
            workflow_task_heartbeat_timeout: Duration::from_mins(30),
            continue_as_new_interval_min: Duration::from_secs(1),
            eager_activities: true,
        }
    }
}

impl Limits {
    /// Sets the number that a dynamic-configuration key names. `false`: no limit of a run has that key.
    pub fn set_number(&mut self, key: &str, value: u64) -> bool {
        let size = usize::try_from(value).unwrap_or(usize::MAX);
        let count = i64::try_from(value).unwrap_or(i64::MAX);
        match key.to_ascii_lowercase().as_str() {
            "limit.blobsize.error" => self.blob_bytes_max = size,
            "limit.blobsize.warn" => self.blob_bytes_warn = size,
            "limit.memosize.error" => self.memo_bytes_max = size,
            "system.transactionsizelimit" => self.transaction_bytes_max = size,
            "frontend.searchattributessizeofvaluelimit" => {
                self.search_attribute_value_bytes_max = size;
            }
            "frontend.searchattributestotalsizelimit" => self.search_attributes_bytes_max = size,
            "limit.historysize.error" => self.history_bytes_max = value,
            "limit.historysize.suggestcontinueasnew" => self.history_bytes_suggest = value,
            "limit.historycount.error" => self.history_events_max = count,
            "limit.historycount.suggestcontinueasnew" => self.history_events_suggest = count,
            "limit.numpendingactivities.error" => self.pending_activities_max = size,
            "limit.numpendingchildexecutions.error" => self.pending_children_max = size,
            "limit.numpendingsignals.error" => self.pending_signals_max = size,
            "limit.numpendingcancelrequests.error" => self.pending_cancels_max = size,
            "history.maximumsignalsperexecution" => self.signals_max = value,
            "history.maximumbufferedeventsbatch" => self.buffered_events_max = size,
            "history.maximumbufferedeventssizeinbytes" => self.buffered_bytes_max = size,
            "history.maxbufferedquerycount" => self.buffered_queries_max = size,
            "history.maxinflightupdates" => self.updates_in_flight_max = size,
            "history.maxinflightupdatepayloads" => self.updates_bytes_max = size,
            "history.maxtotalupdates" => self.updates_max = size,
            "callback.maxperexecution" => self.callbacks_max = size,
            "limit.maxidlength" => self.id_bytes_max = size,
            _ => return false,
        }
        true
    }

    /// Sets the duration that a key names.
    pub fn set_duration(&mut self, key: &str, value: Duration) -> bool {
        match key.to_ascii_lowercase().as_str() {
            "history.defaultworkflowtasktimeout" => self.workflow_task_timeout = value,
            "history.workflowtaskretrymaxinterval" => self.workflow_task_retry_interval_max = value,
            "history.workflowtaskheartbeattimeout" => self.workflow_task_heartbeat_timeout = value,
            "history.workflowidreuseminimalinterval" => self.continue_as_new_interval_min = value,
            _ => return false,
        }
        true
    }

    /// Sets the switch that a key names.
    pub fn set_flag(&mut self, key: &str, value: bool) -> bool {
        match key.to_ascii_lowercase().as_str() {
            "system.enableactivityeagerexecution" => self.eager_activities = value,
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields that differ from the default.
    fn changed(limits: &Limits) -> Vec<String> {
        let (now, before) = (format!("{limits:#?}"), format!("{:#?}", Limits::default()));
        let lines = now.lines().zip(before.lines());
        let differ = lines.filter(|(now, before)| now != before);
        differ
            .filter_map(|(now, _)| Some(now.trim().split_once(':')?.0.to_owned()))
            .collect()
    }

    #[test]
    fn every_key_sets_the_limit_that_it_names() {
        let numbers = [
            ("limit.blobSize.error", "blob_bytes_max"),
            ("limit.blobSize.warn", "blob_bytes_warn"),
            ("limit.memoSize.error", "memo_bytes_max"),
            ("system.transactionSizeLimit", "transaction_bytes_max"),
            (
                "frontend.searchAttributesSizeOfValueLimit",
                "search_attribute_value_bytes_max",
            ),
            (
                "frontend.searchAttributesTotalSizeLimit",
                "search_attributes_bytes_max",
            ),
            ("limit.historySize.error", "history_bytes_max"),
            (
                "limit.historySize.suggestContinueAsNew",
                "history_bytes_suggest",
            ),
            ("limit.historyCount.error", "history_events_max"),
            (
                "limit.historyCount.suggestContinueAsNew",
                "history_events_suggest",
            ),
            ("limit.numPendingActivities.error", "pending_activities_max"),
            (
                "limit.numPendingChildExecutions.error",
                "pending_children_max",
            ),
            ("limit.numPendingSignals.error", "pending_signals_max"),
            (
                "limit.numPendingCancelRequests.error",
                "pending_cancels_max",
            ),
            ("history.maximumSignalsPerExecution", "signals_max"),
            ("history.maximumBufferedEventsBatch", "buffered_events_max"),
            (
                "history.maximumBufferedEventsSizeInBytes",
                "buffered_bytes_max",
            ),
            ("history.maxBufferedQueryCount", "buffered_queries_max"),
            ("history.maxInFlightUpdates", "updates_in_flight_max"),
            ("history.maxInFlightUpdatePayloads", "updates_bytes_max"),
            ("history.maxTotalUpdates", "updates_max"),
            ("callback.maxPerExecution", "callbacks_max"),
            ("limit.maxIDLength", "id_bytes_max"),
        ];
        for (key, field) in numbers {
            let mut limits = Limits::default();
            assert!(limits.set_number(key, 77), "{key}");
            assert_eq!(changed(&limits), [field], "{key}");
            assert!(
                format!("{limits:?}").contains(&format!("{field}: 77")),
                "{key}"
            );
        }
        let durations = [
            (
                "history.defaultWorkflowTaskTimeout",
                "workflow_task_timeout",
            ),
            (
                "history.workflowTaskRetryMaxInterval",
                "workflow_task_retry_interval_max",
            ),
            (
                "history.workflowTaskHeartbeatTimeout",
                "workflow_task_heartbeat_timeout",
            ),
            (
                "history.workflowIdReuseMinimalInterval",
                "continue_as_new_interval_min",
            ),
        ];
        for (key, field) in durations {
            let mut limits = Limits::default();
            assert!(limits.set_duration(key, Duration::from_secs(77)), "{key}");
            assert_eq!(changed(&limits), [field], "{key}");
            assert!(
                format!("{limits:?}").contains(&format!("{field}: 77s")),
                "{key}"
            );
        }
        let mut limits = Limits::default();
        assert!(limits.set_flag("system.enableActivityEagerExecution", false));
        assert_eq!(changed(&limits), ["eager_activities"]);
        assert!(!limits.set_number("history.defaultWorkflowTaskTimeout", 1));
        assert!(!limits.set_duration("limit.maxIDLength", Duration::ZERO));
        assert!(!limits.set_flag("limit.maxIDLength", true));
    }
}
