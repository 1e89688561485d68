//! The public services as one HTTP service. Here and not where they are implemented, so that their hundred and more methods are
//! compiled with this crate, which seldom changes.
//!
//! Calls of the two services go to them straight by the first segment of their path: a general router in between costs each of
//! them some allocations. Both take and send gzip: official clients send it without asking.

use std::convert::Infallible;
use std::sync::Arc;

use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::codegen::{BoxFuture, Context, Poll, Service, http};
use tonic::server::NamedService;
use tonic::service::Routes;

use crate::operatorservice::operator_service_server::{OperatorService, OperatorServiceServer};
use crate::workflowservice::workflow_service_server::{WorkflowService, WorkflowServiceServer};
use crate::{operatorservice, workflowservice};

type Workflow = WorkflowServiceServer<workflowservice::Shared>;
type Operator = OperatorServiceServer<operatorservice::Shared>;

/// The public services, and `rest` for every other path.
#[derive(Clone)]
pub struct Public {
    workflow: Workflow,
    operator: Operator,
    rest: Routes,
}

impl Public {
    /// Messages larger than `bytes_max` are refused.
    pub fn new(
        workflow: Arc<dyn WorkflowService>,
        operator: Arc<dyn OperatorService>,
        bytes_max: usize,
        rest: Routes,
    ) -> Self {
        Self {
            workflow: Workflow::new(workflowservice::Shared(workflow))
                .max_decoding_message_size(bytes_max)
                .accept_compressed(Gzip)
                .send_compressed(Gzip),
            operator: Operator::new(operatorservice::Shared(operator))
                .max_decoding_message_size(bytes_max)
                .accept_compressed(Gzip)
                .send_compressed(Gzip),
            rest,
        }
    }
}

impl Service<http::Request<Body>> for Public {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(())) // as all three are, always
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = request.uri().path().split('/').nth(1);
        if service == Some(<Workflow as NamedService>::NAME) {
            self.workflow.call(request)
        } else if service == Some(<Operator as NamedService>::NAME) {
            self.operator.call(request)
        } else {
            Box::pin(self.rest.call(request))
        }
    }
}
