//! Counts and times every call, and catches what panics: one wrong call must not end a connection or the server.
//!
//! Labels come from the wire, so only so many are kept apart: a client cannot fill the memory with names.
//! A panic is answered INTERNAL. Errors that come only after a body (none of our calls stream) are not counted.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::FutureExt;
use http::{Request, Response};
use metrics::{Counter, Gauge, Histogram, Label, counter, gauge, histogram};
use parking_lot::RwLock;
use tonic::body::Body;
use tonic::{Code, Status};

/// Pairs of operation and namespace that are kept apart: some hundred namespaces, each with all that it uses.
const METERS_MAX: usize = 10_000;
/// The label of what is not kept apart.
const OTHER: &str = "_other_";
/// The label of a call that does not say its namespace.
const UNKNOWN: &str = "_unknown_";

/// Puts [`Service`] around the routes.
#[derive(Clone, Default)]
pub(super) struct Layer {
    meters: Arc<RwLock<Meters>>,
}

/// Watches the calls that go through it.
#[derive(Clone)]
pub(super) struct Service<S> {
    inner: S,
    meters: Arc<RwLock<Meters>>,
}

/// Meters by operation and namespace.
#[derive(Default)]
struct Meters {
    known: HashMap<String, HashMap<String, Arc<Meter>>>,
    count: usize,
}

/// What is counted of one operation in one namespace; looked up once per call, not once per number.
struct Meter {
    labels: Vec<Label>,
    requests: Counter,
    errors: Counter,
    pending: Gauge,
    latency: Histogram,
}

impl<S> tower::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Service<S> {
        Service {
            inner,
            meters: Arc::clone(&self.meters),
        }
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
        let call = Call::begin(meter(&self.meters, &request));
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

/// The meter of a request.
fn meter(meters: &RwLock<Meters>, request: &Request<Body>) -> Arc<Meter> {
    let path = request.uri().path();
    let operation = path.rsplit('/').next().unwrap_or_default();
    let namespace = request
        .headers()
        .get("temporal-namespace")
        .and_then(|value| value.to_str().ok())
        .unwrap_or(UNKNOWN);
    if let Some(meter) = meters.read().get(operation, namespace) {
        return meter;
    }
    let mut meters = meters.write();
    if meters.count < METERS_MAX {
        meters.add(operation, namespace)
    } else {
        meters.add(OTHER, OTHER)
    }
}

impl Meters {
    fn get(&self, operation: &str, namespace: &str) -> Option<Arc<Meter>> {
        self.known.get(operation)?.get(namespace).cloned()
    }

    fn add(&mut self, operation: &str, namespace: &str) -> Arc<Meter> {
        // Between looking and locking, somebody else may have added it.
        if let Some(meter) = self.get(operation, namespace) {
            return meter;
        }
        let meter = Arc::new(Meter::new(operation, namespace));
        self.count += 1;
        self.known
            .entry(operation.to_owned())
            .or_default()
            .insert(namespace.to_owned(), Arc::clone(&meter));
        meter
    }
}

impl Meter {
    fn new(operation: &str, namespace: &str) -> Self {
        let labels = vec![
            Label::new("operation", operation.to_owned()),
            Label::new("namespace", namespace.to_owned()),
            Label::new("service_name", "frontend"),
        ];
        Self {
            requests: counter!("service_requests", labels.clone()),
            errors: counter!("service_errors", labels.clone()),
            pending: gauge!("service_pending_requests", labels.clone()),
            latency: histogram!("service_latency", labels.clone()),
            labels,
        }
    }
}

/// A call in flight; counted as pending until it is dropped, also when the client went away.
struct Call {
    meter: Arc<Meter>,
    begun: Instant,
}

impl Call {
    fn begin(meter: Arc<Meter>) -> Self {
        meter.requests.increment(1);
        meter.pending.increment(1);
        Self {
            meter,
            begun: Instant::now(),
        }
    }

    fn panicked(&self, panic: &(dyn Any + Send)) -> Response<Body> {
        let said = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let operation = self.meter.labels[0].value();
        counter!("service_panics", self.meter.labels.clone()).increment(1);
        tracing::error!(panic = said, operation, "a call panicked");
        Status::internal("internal error").into_http()
    }

    fn answered(&self, response: &Response<Body>) {
        self.meter.latency.record(self.begun.elapsed());
        // A status among the headers means an error: a good answer has it behind its body.
        let status = response
            .headers()
            .get(Status::GRPC_STATUS)
            .map(|status| Code::from_bytes(status.as_bytes()));
        if let Some(name) = status.and_then(error) {
            self.meter.errors.increment(1);
            counter!(name, self.meter.labels.clone()).increment(1);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.meter.pending.decrement(1);
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
        let mut service = Layer::default().layer(service_fn(async |request: Request<Body>| {
            assert!(request.headers().contains_key("absent"), "a bug");
            Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
        }));
        let request = Request::new(Body::empty());
        let response = service.call(request).await.unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("bug"));
    }

    #[test]
    fn names_from_the_wire_are_bounded() {
        let layer = Layer::default();
        layer.meters.write().count = METERS_MAX - 1;
        let ask = |path: &str, namespace: &str| {
            let request = Request::get(format!("http://host/service/{path}"))
                .header("temporal-namespace", namespace)
                .body(Body::empty())
                .unwrap();
            let meter = meter(&layer.meters, &request);
            let labels: Vec<_> = meter.labels.iter().map(Label::value).collect();
            labels.join(" ")
        };
        assert_eq!(ask("Start", "one"), "Start one frontend");
        assert_eq!(ask("Start", "two"), "_other_ _other_ frontend");
        assert_eq!(ask("Start", "one"), "Start one frontend");
    }
}
