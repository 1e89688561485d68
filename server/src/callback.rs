//! Completion callbacks over HTTP, as Nexus has them: how a run ended, told to the address that asked for it.
//!
//! A result is its payload as an HTTP body, a failure the JSON of a Nexus failure. Deliberately absent: when a call is made and
//! when again (the history service says so), and receiving such calls.

use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cairn_history::service::Caller;
use cairn_proto::cairn::effect::v1::{Call, call::End};
use cairn_proto::prost_types::Timestamp;
use cairn_proto::temporal::api::common::v1::{Callback, Payload, callback, link};
use cairn_proto::temporal::api::enums::v1::EventType;
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{ApplicationFailureInfo, Failure};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::uri::Scheme;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp as Moment;
use prost::Message;
use serde::Serialize;

use crate::client::json;

/// `callback.request.timeout` at its default.
const PATIENCE: Duration = Duration::from_secs(10);
const JSON: &str = "application/json";

/// Makes calls, on connections that it keeps.
#[derive(Debug)]
pub(crate) struct HttpCaller {
    plain: Client<HttpConnector, Full<Bytes>>,
    /// Made for the first call that needs it: a machine without certificates runs a server all the same.
    secure: OnceLock<Result<Secure, String>>,
}

type Secure = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

impl HttpCaller {
    pub(crate) fn new() -> Self {
        Self {
            plain: Client::builder(TokioExecutor::new()).build_http(),
            secure: OnceLock::new(),
        }
    }

    fn secure(&self) -> Result<&Secure, String> {
        let made = self.secure.get_or_init(|| {
            let roots = HttpsConnectorBuilder::new().with_native_roots();
            let roots = roots.map_err(|error| error.to_string())?;
            let connector = roots.https_only().enable_http1().build();
            Ok(Client::builder(TokioExecutor::new()).build(connector))
        });
        made.as_ref().map_err(Clone::clone)
    }
}

#[async_trait]
impl Caller for HttpCaller {
    async fn call(&self, call: Call) -> Result<(), Failure> {
        let Some(Callback {
            variant: Some(callback::Variant::Nexus(nexus)),
            ..
        }) = &call.callback
        else {
            return Err(never("unknown callback variant".to_owned()));
        };
        if nexus.url.starts_with("temporal://") {
            // An operation of a workflow of ours would be meant; there are none.
            let text = "handler error (BAD_REQUEST): invalid callback token";
            return Err(never(text.to_owned()));
        }
        let request = request(&call, nexus).map_err(never)?;
        let answer = if request.uri().scheme() == Some(&Scheme::HTTPS) {
            self.secure().map_err(later)?.request(request)
        } else {
            self.plain.request(request)
        };
        let answered = tokio::time::timeout(PATIENCE, answer).await;
        match answered {
            Ok(Ok(answer)) => match unheard(answer.status(), answer.extensions()) {
                None => Ok(()),
                Some(failure) => Err(failure),
            },
            Ok(Err(error)) => Err(later(format!(
                "Post {:?}: {}",
                nexus.url,
                cause(&error, &nexus.url)
            ))),
            Err(_) => Err(later(format!(
                "Post {:?}: context deadline exceeded",
                nexus.url
            ))),
        }
    }
}

/// Why an answer means that nobody has heard, as Nexus says; none: somebody has.
fn unheard(status: StatusCode, extensions: &http::Extensions) -> Option<Failure> {
    let (kind, again) = match status.as_u16() {
        200..=299 => return None,
        400 => ("BAD_REQUEST", false),
        401 => ("UNAUTHENTICATED", false),
        403 => ("UNAUTHORIZED", false),
        404 => ("NOT_FOUND", false),
        408 => ("REQUEST_TIMEOUT", true),
        409 => ("CONFLICT", false),
        429 => ("RESOURCE_EXHAUSTED", true),
        500 => ("INTERNAL", true),
        501 => ("NOT_IMPLEMENTED", false),
        503 => ("UNAVAILABLE", true),
        520 => ("UPSTREAM_TIMEOUT", true),
        code => {
            let said = extensions.get::<hyper::ext::ReasonPhrase>();
            let said = said.map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned());
            let said = said.or_else(|| status.canonical_reason().map(str::to_owned));
            let text = format!("{code} {}", said.unwrap_or_default());
            return Some(later(format!("unexpected response status: {text:?}")));
        }
    };
    let text = format!("handler error ({kind})");
    Some(if again { later(text) } else { never(text) })
}

/// Why nothing came back.
fn cause(error: &hyper_util::client::legacy::Error, url: &str) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let refused = deepest
        .downcast_ref::<io::Error>()
        .is_some_and(|it| it.kind() == io::ErrorKind::ConnectionRefused);
    match url.parse::<http::Uri>().ok().filter(|_| refused) {
        Some(uri) => {
            let port = uri.port_u16();
            let port = port.unwrap_or(if uri.scheme_str() == Some("https") {
                443
            } else {
                80
            });
            let host = uri.host().unwrap_or_default();
            format!("dial tcp {host}:{port}: connect: connection refused")
        }
        None => deepest.to_string(),
    }
}

/// A failure behind which the call is made again.
fn later(message: String) -> Failure {
    failed(message, false)
}

/// One behind which it is not.
fn never(message: String) -> Failure {
    failed(message, true)
}

fn failed(message: String, non_retryable: bool) -> Failure {
    let info = ApplicationFailureInfo {
        non_retryable,
        ..ApplicationFailureInfo::default()
    };
    Failure {
        message,
        failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
        ..Failure::default()
    }
}

/// The headers of the callback are sent as they came, also where they contradict ours.
fn request(call: &Call, nexus: &callback::Nexus) -> Result<Request<Full<Bytes>>, String> {
    let state = match &call.end {
        Some(End::Failure(_)) if call.canceled => "canceled",
        Some(End::Failure(_)) => "failed",
        Some(End::Result(_)) | None => "succeeded",
    };
    let (kind, body) = match &call.end {
        None => (None, Bytes::new()),
        Some(End::Result(payload)) => content(payload),
        Some(End::Failure(failure)) => {
            let failure = NexusFailure::new(failure.clone());
            let body = serde_json::to_vec(&failure).map_err(|error| error.to_string())?;
            (Some(JSON.to_owned()), body.into())
        }
    };
    let said = [
        ("user-agent", Some("cairn".to_owned())),
        ("nexus-operation-state", Some(state.to_owned())),
        (
            "nexus-operation-start-time",
            call.start_time.as_ref().map(date),
        ),
        (
            "nexus-operation-close-time",
            call.close_time.as_ref().map(moment),
        ),
        ("nexus-link", call.link.as_ref().map(link_header)),
        (CONTENT_TYPE.as_str(), kind),
    ];
    let mut headers = HeaderMap::new();
    let said = said
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let asked = nexus
        .header
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()));
    for (name, value) in said.chain(asked) {
        let wrong = || format!("invalid header {name:?}");
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        headers.insert(key, HeaderValue::from_str(&value).map_err(|_| wrong())?);
    }
    let mut request = Request::post(&nexus.url)
        .body(Full::new(body))
        .map_err(|error| error.to_string())?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// A payload as an HTTP body: what other programs can read as well, if its metadata say no more than that does.
fn content(payload: &Payload) -> (Option<String>, Bytes) {
    let metadata: BTreeMap<_, _> = payload
        .metadata
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value).into_owned()))
        .collect();
    let encoding = metadata.get("encoding").map_or("", String::as_str);
    let kind = metadata.get("messageType");
    let kind = match (encoding, metadata.len(), kind) {
        ("binary/null", 1, _) => return (None, Bytes::new()),
        ("binary/plain", 1, _) => "application/octet-stream".to_owned(),
        ("json/plain", 1, _) => JSON.to_owned(),
        ("json/protobuf", 2, Some(kind)) => {
            format!("{JSON}; format=protobuf; message-type={kind:?}")
        }
        ("binary/protobuf", 2, Some(kind)) => {
            format!("application/x-protobuf; message-type={kind:?}")
        }
        _ => {
            let whole = payload.encode_to_vec();
            return (
                Some("application/x-temporal-payload".to_owned()),
                whole.into(),
            );
        }
    };
    (Some(kind), payload.data.clone().into())
}

/// A failure in the words of Nexus: what these lack is in the details.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NexusFailure {
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    stack_trace: String,
    metadata: BTreeMap<&'static str, &'static str>,
    details: Details,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Box<NexusFailure>>,
}

impl NexusFailure {
    fn new(mut failure: Failure) -> Self {
        let cause = failure.cause.clone();
        Self {
            message: std::mem::take(&mut failure.message),
            stack_trace: std::mem::take(&mut failure.stack_trace),
            metadata: [("type", "temporal.api.failure.v1.Failure")].into(),
            details: Details(failure),
            cause: cause.map(|cause| Box::new(Self::new(*cause))),
        }
    }
}

struct Details(Failure);

impl Serialize for Details {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let message = json::raw(&self.0).map_err(serde::ser::Error::custom)?;
        message.serialize(serializer)
    }
}

fn date(timestamp: &Timestamp) -> String {
    at(timestamp)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

fn moment(timestamp: &Timestamp) -> String {
    at(timestamp).to_string()
}

fn at(timestamp: &Timestamp) -> Moment {
    Moment::new(timestamp.seconds, timestamp.nanos).unwrap_or(Moment::UNIX_EPOCH)
}

/// The event that a callback came with, as a link.
fn link_header(link: &link::WorkflowEvent) -> String {
    use link::workflow_event::Reference;
    let name = |kind: i32| match EventType::try_from(kind) {
        Ok(EventType::WorkflowExecutionStarted) => "WorkflowExecutionStarted",
        Ok(EventType::WorkflowExecutionOptionsUpdated) => "WorkflowExecutionOptionsUpdated",
        _ => "Unspecified",
    };
    let query = match &link.reference {
        Some(Reference::EventRef(it)) => format!(
            "eventID={}&eventType={}&referenceType=EventReference",
            it.event_id,
            name(it.event_type)
        ),
        Some(Reference::RequestIdRef(it)) => format!(
            "eventType={}&referenceType=RequestIdReference&requestID={}",
            name(it.event_type),
            escaped(&it.request_id, "-_.~").replace("%20", "+")
        ),
        None => String::new(),
    };
    let segment = |text: &str| escaped(text, "-_.~$&+=:@");
    format!(
        "<temporal:///namespaces/{}/workflows/{}/{}/history?{query}>; type=\"temporal.api.common.v1.Link.WorkflowEvent\"",
        segment(&link.namespace),
        segment(&link.workflow_id),
        segment(&link.run_id),
    )
}

/// Percent signs for every byte that is neither a letter, a digit, nor among `plain`.
fn escaped(text: &str, plain: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || plain.as_bytes().contains(&byte) {
            out.push(byte.into());
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(metadata: &[(&str, &str)], data: &str) -> Payload {
        let metadata = metadata
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        Payload {
            metadata: metadata.collect(),
            data: data.as_bytes().to_vec(),
            ..Payload::default()
        }
    }

    #[test]
    fn a_payload_that_others_can_read_is_a_plain_body() {
        let (kind, body) = content(&payload(&[("encoding", "json/plain")], "{}"));
        assert_eq!((kind.as_deref(), &*body), (Some(JSON), &b"{}"[..]));
        let typed = payload(
            &[("encoding", "json/protobuf"), ("messageType", "a.B")],
            "{}",
        );
        let (kind, _) = content(&typed);
        let kind = kind.unwrap();
        assert_eq!(
            kind,
            "application/json; format=protobuf; message-type=\"a.B\""
        );
    }

    #[test]
    fn a_payload_with_more_metadata_goes_whole() {
        let odd = payload(&[("encoding", "json/plain"), ("more", "x")], "{}");
        let (kind, body) = content(&odd);
        assert_eq!(kind.as_deref(), Some("application/x-temporal-payload"));
        assert_eq!(Payload::decode(body).unwrap(), odd);
    }

    #[test]
    fn links_escape_what_is_no_part_of_a_path() {
        let link = link::WorkflowEvent {
            namespace: "default".to_owned(),
            workflow_id: "a/b c?".to_owned(),
            run_id: "r".to_owned(),
            reference: Some(link::workflow_event::Reference::RequestIdRef(
                link::workflow_event::RequestIdReference {
                    request_id: "one two&".to_owned(),
                    event_type: EventType::WorkflowExecutionOptionsUpdated.into(),
                },
            )),
        };
        let header = link_header(&link);
        assert!(
            header.contains("/workflows/a%2Fb%20c%3F/r/history?"),
            "{header}"
        );
        assert!(header.contains("&requestID=one+two%26>"), "{header}");
    }

    #[test]
    fn only_some_answers_are_worth_another_call() {
        let final_of = |status: u16| {
            let failure = unheard(
                StatusCode::from_u16(status).unwrap(),
                &http::Extensions::new(),
            )
            .unwrap();
            let Some(FailureInfo::ApplicationFailureInfo(info)) = failure.failure_info else {
                panic!("an application failure");
            };
            info.non_retryable
        };
        assert!(unheard(StatusCode::NO_CONTENT, &http::Extensions::new()).is_none());
        assert!([400, 401, 403, 404, 409, 501].into_iter().all(final_of));
        assert!(
            ![302, 408, 429, 500, 502, 503, 520]
                .into_iter()
                .any(final_of)
        );
    }
}
