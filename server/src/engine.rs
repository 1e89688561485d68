//! The engine behind the listener: the seam at which frontend, history and matching are put together.
//!
//! Nothing is put together yet: every RPC answers UNIMPLEMENTED.

use std::sync::Arc;

use cairn_proto::operatorservice::operator_service_server::OperatorService;
use cairn_proto::workflowservice::workflow_service_server::WorkflowService;

use crate::config::Config;

/// Answers RPCs; has no listener of its own.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) workflow: Arc<Frontend>,
    pub(crate) operator: Arc<Frontend>,
}

/// What answers the two public services.
#[derive(Debug)]
pub(crate) struct Frontend;

#[tonic::async_trait]
impl WorkflowService for Frontend {}

#[tonic::async_trait]
impl OperatorService for Frontend {}

impl Engine {
    /// Opens the store that the configuration names and takes its shards.
    #[expect(clippy::unused_async, reason = "opening a store waits")]
    pub(crate) async fn open(_config: &Config) -> anyhow::Result<Self> {
        let frontend = Arc::new(Frontend);
        Ok(Self {
            workflow: frontend.clone(),
            operator: frontend,
        })
    }

    /// Ends waiting polls with empty answers and refuses new ones; calls in flight go on.
    #[expect(clippy::unused_async, reason = "draining waits for polls")]
    pub(crate) async fn drain(&self) {}

    /// Commits what waits and closes the store. Nothing is asked of the engine any more.
    #[expect(clippy::unused_async, reason = "closing waits for the writer")]
    pub(crate) async fn close(&self) -> anyhow::Result<()> {
        Ok(())
    }
}
