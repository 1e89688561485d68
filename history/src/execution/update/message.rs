//! What a worker says of updates, destructured from the wire.

use cairn_proto::prost::Message as _;
use cairn_proto::prost_types::Any;
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::protocol::v1 as wire;
use cairn_proto::temporal::api::update::v1::{
    Acceptance, Meta, Outcome, Rejection, Request, Response,
};

/// The protocol that updates speak.
const PROTOCOL: &str = "temporal.api.update.v1";

/// One message, about one update.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    /// The update.
    pub instance: String,
    /// `temporal.api.update.v1.Acceptance`.
    pub type_name: String,
    pub bytes: usize,
    pub body: Body,
}

/// What a message says; the rules judge what is missing.
#[derive(Clone, Debug)]
pub enum Body {
    Acceptance {
        sequencing_event_id: i64,
        request: Option<Request>,
    },
    Rejection {
        request: Option<Request>,
        failure: Option<Failure>,
    },
    Response {
        meta: Option<Meta>,
        outcome: Option<Outcome>,
    },
    /// Nobody can say what it is about: the request is refused.
    Nameless(String),
    /// Something else, or not readable: the workflow task fails.
    Bad(String),
}

impl Message {
    pub(crate) fn rejects(&self) -> bool {
        matches!(self.body, Body::Rejection { .. })
    }
}

impl From<wire::Message> for Message {
    fn from(message: wire::Message) -> Self {
        let wire::Message {
            id,
            protocol_instance_id,
            body,
            sequencing_id: _, // of messages to workers
        } = message;
        Self {
            id,
            instance: protocol_instance_id,
            bytes: body.as_ref().map_or(0, |body| body.value.len()),
            type_name: body.as_ref().map_or("", type_name).to_owned(),
            body: destructure(body.as_ref()),
        }
    }
}

fn type_name(body: &Any) -> &str {
    body.type_url.rsplit('/').next().unwrap_or_default()
}

fn destructure(body: Option<&Any>) -> Body {
    let Some(body) = body else {
        return Body::Nameless("nil message body".to_owned());
    };
    let name = type_name(body);
    if name.is_empty() {
        return Body::Nameless("no message name specified".to_owned());
    }
    match name.rsplit_once('.') {
        None => Body::Nameless(format!(
            "failed to extract protocol type: no . found in {name:?}"
        )),
        Some((PROTOCOL, kind)) => of_kind(kind, &body.value).unwrap_or_else(Body::Bad),
        Some((other, _)) => Body::Bad(format!("unsupported protocol type {other}")),
    }
}

fn of_kind(kind: &str, value: &[u8]) -> Result<Body, String> {
    // The space is the reference's.
    let unreadable = |_| {
        "unable to unmarshal request: proto:\u{a0}cannot parse invalid wire-format data".to_owned()
    };
    match kind {
        "Acceptance" => {
            let it = Acceptance::decode(value).map_err(unreadable)?;
            Ok(Body::Acceptance {
                sequencing_event_id: it.accepted_request_sequencing_event_id,
                request: it.accepted_request,
            })
        }
        "Rejection" => {
            let it = Rejection::decode(value).map_err(unreadable)?;
            Ok(Body::Rejection {
                request: it.rejected_request,
                failure: it.failure,
            })
        }
        "Response" => {
            let it = Response::decode(value).map_err(unreadable)?;
            Ok(Body::Response {
                meta: it.meta,
                outcome: it.outcome,
            })
        }
        "Request" | "Input" | "Meta" | "Outcome" | "UpdateRef" | "WaitPolicy" => {
            Err(format!("Message type *update.{kind} not supported"))
        }
        _ => Err("unable to unmarshal request: proto:\u{a0}not found".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(type_url: &str, value: &[u8]) -> String {
        let body = Any {
            type_url: type_url.to_owned(),
            value: value.to_vec(),
        };
        match destructure(Some(&body)) {
            Body::Bad(text) | Body::Nameless(text) => text,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_message_about_an_update_is_named() {
        assert!(matches!(destructure(None), Body::Nameless(_)));
        assert_eq!(bad("", b""), "no message name specified");
        assert_eq!(
            bad("type.googleapis.com/Odd", b""),
            r#"failed to extract protocol type: no . found in "Odd""#
        );
        assert_eq!(
            bad("x/temporal.api.common.v1.Payloads", b""),
            "unsupported protocol type temporal.api.common.v1"
        );
        assert_eq!(
            bad("temporal.api.update.v1.Request", b""),
            "Message type *update.Request not supported"
        );
        assert!(bad("temporal.api.update.v1.Rejection", b"\xff").ends_with("wire-format data"));
        assert!(bad("temporal.api.update.v1.Odd", b"").ends_with("not found"));
    }
}
