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
    /// Completion callbacks of one run (`callback.maxPerExecution`).
    pub callbacks: usize,
    /// Bytes of the address of a callback (`frontend.callbackURLMaxLength`).
    pub callback_url_size: usize,
    /// Bytes of all headers of a callback (`frontend.callbackHeaderMaxLength`).
    pub callback_header_size: usize,
    /// Whom the server may call (`callback.allowedAddresses`): nobody, unless an operator says so.
    pub callback_addresses: Vec<Allowed>,
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
            callbacks: 2000,
            callback_url_size: 1000,
            callback_header_size: 8192,
            callback_addresses: Vec::new(),
            build_id_size: 255,
            visibility_page: 1000,
            eager_workflow_start: true,
            worker_heartbeats: false,
            complete_polls_on_shutdown: false,
            poller_autoscaling: true,
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
            "callback.maxperexecution" => number(&mut self.callbacks, value),
            "frontend.callbackurlmaxlength" => number(&mut self.callback_url_size, value),
            "frontend.callbackheadermaxlength" => number(&mut self.callback_header_size, value),
            "callback.allowedaddresses" => Allowed::list(value)
                .map(|list| self.callback_addresses = list)
                .is_some(),
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

/// Hosts that may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// With its port; a star stands for anything.
    pub pattern: String,
    /// Without TLS, too.
    pub insecure: bool,
}

impl Allowed {
    /// `[{"Pattern": …, "AllowInsecure": …}]`; names in any case, and an entry without a pattern is none.
    fn list(value: &Value) -> Option<Vec<Self>> {
        let field = |entry: &Value, name: &str| {
            let mut fields = entry.as_object()?.iter();
            let found = fields.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
            Some(found.1.clone())
        };
        let allowed = |entry: &Value| {
            let pattern = field(entry, "Pattern")?.as_str()?.to_owned();
            let insecure = field(entry, "AllowInsecure").and_then(|it| it.as_bool());
            (!pattern.is_empty()).then_some(Self {
                pattern,
                insecure: insecure.unwrap_or(false),
            })
        };
        Some(value.as_array()?.iter().filter_map(allowed).collect())
    }

    pub(crate) fn covers(&self, host: &str) -> bool {
        let mut parts = self.pattern.split('*');
        let Some(rest) = parts.next().and_then(|first| host.strip_prefix(first)) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return rest.is_empty(); // No star.
        };
        let middle = parts.try_fold(rest, |rest, part| Some(rest.split_once(part)?.1));
        middle.is_some_and(|rest| rest.ends_with(last))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let covers = |pattern: &str, host: &str| {
            let pattern = pattern.to_owned();
            let insecure = false;
            Allowed { pattern, insecure }.covers(host)
        };
        assert!(covers("*", "a.b:1"));
        assert!(covers("localhost:*", "localhost:80"));
        assert!(!covers("localhost:*", "localhost"));
        assert!(covers("a.*.org", "a.b.c.org"));
        assert!(!covers("a.*.org", "a.org"));
        assert!(covers("a*b*c", "a-b-c"));
        assert!(!covers("a*b*c", "a-c-b"));
        assert!(covers("b", "b"));
        assert!(!covers("b", "bb"));
        assert!(!covers("b", "ab"));
    }

    #[test]
    fn who_may_be_called_is_a_list() {
        let mut config = Config::default();
        let list =
            serde_json::json!([{"pattern": "a", "allowInsecure": true}, {"Pattern": ""}, "x"]);
        assert!(config.set("callback.allowedAddresses", &list));
        let allowed = Allowed {
            pattern: "a".to_owned(),
            insecure: true,
        };
        assert_eq!(config.callback_addresses, [allowed]);
        assert!(!config.set("callback.allowedAddresses", &Value::from("a")));
    }
}
