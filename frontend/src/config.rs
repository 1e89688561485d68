//! What an operator can turn, with the reference's defaults. The keys are those of its dynamic configuration.

use serde_json::Value;

/// Settings of the frontend.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Bytes that an id or a name may have (`limit.maxIDLength`).
    pub max_id_length: usize,
    /// Bytes of one payload field (`limit.blobSize.error`).
    pub blob_size: usize,
    /// Bytes above which a failure that is too large is cut (`limit.blobSize.warn`).
    pub blob_size_warn: usize,
    /// Bytes of a memo (`limit.memoSize.error`).
    pub memo_size: usize,
    /// Search attributes of one run (`frontend.searchAttributesNumberOfKeysLimit`).
    pub search_attribute_keys: usize,
    /// Bytes of one search attribute (`frontend.searchAttributesSizeOfValueLimit`).
    pub search_attribute_value_size: usize,
    /// Bytes of all search attributes of one run (`frontend.searchAttributesTotalSizeLimit`).
    pub search_attribute_total_size: usize,
    /// Links of one request (`frontend.maxLinksPerRequest`).
    pub links: usize,
    /// Bytes of a link (`frontend.linkMaxSize`).
    pub link_size: usize,
    /// Bytes of a build id (`limit.workerBuildIdSize`).
    pub build_id_size: usize,
    /// Rows of a list page (`frontend.visibilityMaxPageSize`).
    pub visibility_page: usize,
    /// The first workflow task may be in the answer to a start (`system.enableEagerWorkflowStart`).
    pub eager_workflow_start: bool,
    /// Workers are told to send heartbeats; each process then polls a Nexus queue as well (`frontend.WorkerHeartbeatsEnabled`).
    pub worker_heartbeats: bool,
    /// A worker that shuts down may leave its polls to the server (`frontend.enableCancelWorkerPollsOnShutdown`).
    pub complete_polls_on_shutdown: bool,
    /// Poll answers carry scaling decisions.
    pub poller_autoscaling: bool,
    /// Workflows may be paused (`frontend.WorkflowPauseEnabled`).
    pub workflow_pause: bool,
    /// Clients outside the supported versions are refused (`frontend.enableServerVersionCheck`).
    pub version_check: bool,
    /// Hours for which a namespace keeps closed runs at least.
    pub minimum_retention_hours: u64,
    /// What `GetClusterInfo` calls the database: `sqlite` or `postgresql`.
    pub store_name: String,
    /// Where this server is reached, for `ListClusters` and `ListTaskQueuePartitions`.
    pub address: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_id_length: 1000,
            blob_size: 2 * 1024 * 1024,
            blob_size_warn: 512 * 1024,
            memo_size: 2 * 1024 * 1024,
            search_attribute_keys: 100,
            search_attribute_value_size: 2 * 1024,
            search_attribute_total_size: 40 * 1024,
            links: 10,
            link_size: 4000,
            build_id_size: 255,
            visibility_page: 1000,
            eager_workflow_start: true,
            worker_heartbeats: false,
            complete_polls_on_shutdown: false,
            poller_autoscaling: false,
            workflow_pause: false,
            version_check: true,
            minimum_retention_hours: 1,
            store_name: "sqlite".to_owned(),
            address: "127.0.0.1:7233".to_owned(),
        }
    }
}

impl Config {
    /// Sets what a dynamic-configuration key names. `false`: the key is not ours, or the value is not of its type.
    pub fn set(&mut self, key: &str, value: &Value) -> bool {
        match key.to_ascii_lowercase().as_str() {
            "limit.maxidlength" => number(&mut self.max_id_length, value),
            "limit.blobsize.error" => number(&mut self.blob_size, value),
            "limit.blobsize.warn" => number(&mut self.blob_size_warn, value),
            "limit.memosize.error" => number(&mut self.memo_size, value),
            "frontend.searchattributesnumberofkeyslimit" => {
                number(&mut self.search_attribute_keys, value)
            }
            "frontend.searchattributessizeofvaluelimit" => {
                number(&mut self.search_attribute_value_size, value)
            }
            "frontend.searchattributestotalsizelimit" => {
                number(&mut self.search_attribute_total_size, value)
            }
            "frontend.maxlinksperrequest" => number(&mut self.links, value),
            "frontend.linkmaxsize" => number(&mut self.link_size, value),
            "limit.workerbuildidsize" => number(&mut self.build_id_size, value),
            "frontend.visibilitymaxpagesize" => number(&mut self.visibility_page, value),
            "system.enableeagerworkflowstart" => flag(&mut self.eager_workflow_start, value),
            "frontend.workerheartbeatsenabled" => flag(&mut self.worker_heartbeats, value),
            "frontend.enablecancelworkerpollsonshutdown" => {
                flag(&mut self.complete_polls_on_shutdown, value)
            }
            "frontend.workflowpauseenabled" => flag(&mut self.workflow_pause, value),
            "frontend.enableserverversioncheck" => flag(&mut self.version_check, value),
            _ => false,
        }
    }
}

fn number(setting: &mut usize, value: &Value) -> bool {
    let read = value
        .as_u64()
        .and_then(|number| usize::try_from(number).ok());
    read.map(|read| *setting = read).is_some()
}

fn flag(setting: &mut bool, value: &Value) -> bool {
    value.as_bool().map(|read| *setting = read).is_some()
}
