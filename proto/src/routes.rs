//! The public services on a router. Here and not where they are implemented, so that their hundred and more methods are compiled
//! with this crate, which seldom changes.
//!
//! Both take and send gzip: official clients send it without asking.

use std::sync::Arc;

use tonic::codec::CompressionEncoding::Gzip;
use tonic::service::RoutesBuilder;

use crate::operatorservice::operator_service_server::{OperatorService, OperatorServiceServer};
use crate::workflowservice::workflow_service_server::{WorkflowService, WorkflowServiceServer};
use crate::{operatorservice, workflowservice};

/// Adds the workflow service; larger messages than `bytes_max` are refused.
pub fn workflow(routes: &mut RoutesBuilder, service: Arc<dyn WorkflowService>, bytes_max: usize) {
    routes.add_service(
        WorkflowServiceServer::new(workflowservice::Shared(service))
            .max_decoding_message_size(bytes_max)
            .accept_compressed(Gzip)
            .send_compressed(Gzip),
    );
}

/// Adds the operator service; larger messages than `bytes_max` are refused.
pub fn operator(routes: &mut RoutesBuilder, service: Arc<dyn OperatorService>, bytes_max: usize) {
    routes.add_service(
        OperatorServiceServer::new(operatorservice::Shared(service))
            .max_decoding_message_size(bytes_max)
            .accept_compressed(Gzip)
            .send_compressed(Gzip),
    );
}
