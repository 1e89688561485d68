//! Whether this server answers: for gRPC health checks and for the health pages beside the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;
use tonic_health::{ServingStatus, server::HealthReporter};

/// The names that health is asked for; the empty one is the server as a whole.
const SERVICES: [&str; 3] = [
    "",
    "temporal.api.workflowservice.v1.WorkflowService",
    "temporal.api.operatorservice.v1.OperatorService",
];

/// Says to everyone who asks whether this server takes calls.
#[derive(Clone, Debug)]
pub(super) struct Health {
    reporter: HealthReporter,
    ready: Arc<AtomicBool>,
}

/// Health, not ready yet, and the gRPC service that tells it.
pub(super) fn new() -> (Health, HealthServer<HealthService>) {
    let reporter = HealthReporter::new();
    let service = HealthServer::new(HealthService::from_health_reporter(reporter.clone()));
    let health = Health {
        reporter,
        ready: Arc::new(AtomicBool::new(false)),
    };
    (health, service)
}

impl Health {
    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub(super) async fn ready(&self) {
        self.tell(true, ServingStatus::Serving).await;
    }

    pub(super) async fn not_ready(&self) {
        self.tell(false, ServingStatus::NotServing).await;
    }

    async fn tell(&self, ready: bool, status: ServingStatus) {
        self.ready.store(ready, Ordering::Release);
        for service in SERVICES {
            self.reporter.set_service_status(service, status).await;
        }
    }
}
