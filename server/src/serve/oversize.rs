//! Says that a request is too large in the words that official clients look for.
//!
//! Clients drop a too large task only when the code is `RESOURCE_EXHAUSTED` and the message begins so; with any other they
//! try again for ever.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic::{Code, Status};

/// Puts [`Service`] around the routes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layer {
    pub(super) bytes_max: usize,
}

/// Translates tonic's refusal of a large message.
#[derive(Clone, Debug)]
pub(super) struct Service<S> {
    inner: S,
    bytes_max: usize,
}

impl<S> tower::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Service<S> {
        Service {
            inner,
            bytes_max: self.bytes_max,
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
        let answer = self.inner.call(request);
        let bytes_max = self.bytes_max;
        Box::pin(async move {
            let response = answer.await?;
            Ok(translated(&response, bytes_max).unwrap_or(response))
        })
    }
}

/// The refusal in the words that are understood, if the response is one.
fn translated(response: &Response<Body>, bytes_max: usize) -> Option<Response<Body>> {
    // Nearly every response ends here: a status among the headers means that there is no body.
    response.headers().get(Status::GRPC_STATUS)?;
    let status = Status::from_header_map(response.headers())?;
    let found = match status.code() {
        Code::OutOfRange => status
            .message()
            .strip_prefix("Error, decoded message length too large: found ")?
            .split(' ')
            .next()?,
        Code::ResourceExhausted => {
            status
                .message()
                .strip_prefix("Error decompressing: size limit")?;
            "compressed"
        }
        _ => return None,
    };
    let message = format!("grpc: received message larger than max ({found} vs. {bytes_max})");
    Some(Status::resource_exhausted(message).into_http())
}
