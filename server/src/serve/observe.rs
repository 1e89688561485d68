//! Counts and times every call, and catches what panics: one wrong call must not end a connection or the server.
//!
//! A panic is answered INTERNAL. Errors that come only after a body (none of our calls stream) are not counted.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::FutureExt;
use http::{Request, Response};
use metrics::{Label, counter, gauge, histogram};
use tonic::body::Body;
use tonic::{Code, Status};

/// Puts [`Service`] around the routes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layer;

/// Watches the calls that go through it.
#[derive(Clone, Debug)]
pub(super) struct Service<S> {
    inner: S,
}

impl<S> tower::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Service<S> {
        Service { inner }
    }
}

impl<S> tower::Service<Request<Body>> for Service<S>
where
    S: tower::Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let call = Call::begin(&request);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = match AssertUnwindSafe(answer).catch_unwind().await {
                Ok(answered) => answered?,
                Err(panic) => call.panicked(&*panic),
            };
            call.answered(&response);
            Ok(response)
        })
    }
}

/// A call in flight; counted as pending until it is dropped, also when the client went away.
struct Call {
    labels: Vec<Label>,
    begun: Instant,
}

impl Call {
    fn begin(request: &Request<Body>) -> Self {
        let operation = request.uri().path().rsplit('/').next().unwrap_or_default();
        let namespace = request
            .headers()
            .get("temporal-namespace")
            .and_then(|value| value.to_str().ok())
            .unwrap_or("_unknown_");
        let labels = vec![
            Label::new("operation", operation.to_owned()),
            Label::new("namespace", namespace.to_owned()),
            Label::new("service_name", "frontend"),
        ];
        counter!("service_requests", labels.clone()).increment(1);
        gauge!("service_pending_requests", labels.clone()).increment(1);
        Self {
            labels,
            begun: Instant::now(),
        }
    }

    fn panicked(&self, panic: &(dyn Any + Send)) -> Response<Body> {
        let said = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        counter!("service_panics", self.labels.clone()).increment(1);
        tracing::error!(
            panic = said,
            operation = self.labels[0].value(),
            "a call panicked"
        );
        Status::internal("internal error").into_http()
    }

    fn answered(&self, response: &Response<Body>) {
        histogram!("service_latency", self.labels.clone()).record(self.begun.elapsed());
        if let Some(name) =
            Status::from_header_map(response.headers()).and_then(|s| error(s.code()))
        {
            counter!("service_errors", self.labels.clone()).increment(1);
            counter!(name, self.labels.clone()).increment(1);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        gauge!("service_pending_requests", self.labels.clone()).decrement(1);
    }
}

/// The counter of a kind of error.
fn error(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::Ok => return None,
        Code::Cancelled => "service_errors_context_cancelled",
        Code::DeadlineExceeded => "service_errors_context_timeout",
        Code::InvalidArgument | Code::OutOfRange => "service_errors_invalid_argument",
        Code::NotFound => "service_errors_entity_not_found",
        Code::AlreadyExists => "service_errors_execution_already_started",
        Code::PermissionDenied | Code::Unauthenticated => "service_errors_unauthorized",
        Code::ResourceExhausted => "service_errors_resource_exhausted",
        Code::FailedPrecondition => "service_errors_failed_precondition",
        Code::Aborted => "service_errors_aborted",
        Code::Unimplemented => "service_errors_unimplemented",
        Code::Unavailable => "service_errors_unavailable",
        Code::DataLoss => "service_errors_data_loss",
        Code::Internal | Code::Unknown => "service_errors_internal",
    })
}

#[cfg(test)]
mod tests {
    use tower::{Layer as _, Service as _, service_fn};

    use super::*;

    #[tokio::test]
    async fn a_call_that_panics_is_answered_internal() {
        let mut service = Layer.layer(service_fn(async |_: Request<Body>| {
            if true {
                panic!("a bug");
            }
            Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
        }));
        let request = Request::new(Body::empty());
        let response = service.call(request).await.unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("bug"));
    }
}
