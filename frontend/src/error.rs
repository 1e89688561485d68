//! What is said to a client whose call cannot be served: a code, a sentence and, where SDKs look for one, a detail message.
//!
//! Errors of history and matching arrive as finished statuses and pass through as they are. A message that no client would take is cut.

use std::borrow::Cow;

use cairn_history::log::{Failure, ReadError};
use cairn_proto::google::rpc;
use cairn_proto::prost::Message;
use cairn_proto::prost_types::Any;
use cairn_proto::temporal::api::enums::v1::NamespaceState;
use cairn_proto::temporal::api::errordetails::v1 as detail;
use tonic::{Code, Status};

use crate::cluster::SERVER_VERSION;

/// Why a call is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request must be changed.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    #[error("Namespace {0} is not found.")]
    NamespaceNotFound(String),
    #[error("Namespace {0:?} already exists")]
    NamespaceExists(String),
    #[error("Namespace has invalid state: {}. Must be Registered.", state_name(*.state))]
    NamespaceState { namespace: String, state: i32 },
    #[error(
        "Client version {version} is not supported. Server supports {name} versions: {supported}"
    )]
    ClientVersion {
        name: String,
        version: String,
        supported: &'static str,
    },
    #[error(
        "Server version {SERVER_VERSION} is not supported. Client supports server versions: {0}"
    )]
    ServerVersion(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Denied(&'static str),
    #[error("{0}")]
    Precondition(&'static str),
    /// Not built, or a feature that is off.
    #[error("{0}")]
    Unimplemented(Cow<'static, str>),
    #[error("failed to read the database")]
    Read(#[source] ReadError),
    #[error("failed to write to the database")]
    Write(#[source] Failure),
    /// What another service answered.
    #[error("{0}")]
    Service(Status),
}

impl Error {
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(message.into())
    }

    pub(crate) fn off(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Unimplemented(message.into())
    }

    fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidArgument,
            Self::NamespaceNotFound(_) | Self::NotFound(_) => Code::NotFound,
            Self::NamespaceExists(_) => Code::AlreadyExists,
            Self::NamespaceState { .. }
            | Self::Precondition(_)
            | Self::ClientVersion { .. }
            | Self::ServerVersion(_) => Code::FailedPrecondition,
            Self::Denied(_) => Code::PermissionDenied,
            Self::Unimplemented(_) => Code::Unimplemented,
            Self::Read(_) | Self::Write(_) => Code::Unavailable,
            Self::Service(status) => status.code(),
        }
    }

    fn detail(&self) -> Option<Any> {
        match self {
            Self::NamespaceNotFound(namespace) => Some(packed(
                "NamespaceNotFoundFailure",
                &detail::NamespaceNotFoundFailure {
                    namespace: namespace.clone(),
                },
            )),
            Self::NamespaceExists(_) => Some(packed(
                "NamespaceAlreadyExistsFailure",
                &detail::NamespaceAlreadyExistsFailure {},
            )),
            Self::NamespaceState { namespace, state } => Some(packed(
                "NamespaceInvalidStateFailure",
                &detail::NamespaceInvalidStateFailure {
                    namespace: namespace.clone(),
                    state: *state,
                    allowed_states: vec![NamespaceState::Registered.into()],
                },
            )),
            Self::ClientVersion {
                name,
                version,
                supported,
            } => Some(packed(
                "ClientVersionNotSupportedFailure",
                &detail::ClientVersionNotSupportedFailure {
                    client_version: version.clone(),
                    client_name: name.clone(),
                    supported_versions: (*supported).to_owned(),
                },
            )),
            Self::ServerVersion(supported) => Some(packed(
                "ServerVersionNotSupportedFailure",
                &detail::ServerVersionNotSupportedFailure {
                    server_version: SERVER_VERSION.to_owned(),
                    client_supported_server_versions: supported.clone(),
                },
            )),
            Self::NotFound(_) => Some(packed(
                "NotFoundFailure",
                &detail::NotFoundFailure::default(),
            )),
            Self::Denied(_) => Some(packed(
                "PermissionDeniedFailure",
                &detail::PermissionDeniedFailure::default(),
            )),
            _ => None,
        }
    }
}

fn packed(name: &str, message: &impl Message) -> Any {
    Any {
        type_url: format!("type.googleapis.com/temporal.api.errordetails.v1.{name}"),
        value: message.encode_to_vec(),
    }
}

fn state_name(state: i32) -> String {
    match NamespaceState::try_from(state) {
        Ok(NamespaceState::Registered) => "Registered".to_owned(),
        Ok(NamespaceState::Deprecated) => "Deprecated".to_owned(),
        Ok(NamespaceState::Deleted) => "Deleted".to_owned(),
        Ok(NamespaceState::Unspecified) => "Unspecified".to_owned(),
        Err(_) => state.to_string(),
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let (code, detail) = (error.code(), error.detail());
        match &error {
            Error::Service(status) => return shortened(status.clone()),
            Error::Read(cause) => {
                tracing::error!(error = cause as &dyn std::error::Error, "{error}");
            }
            Error::Write(cause) => {
                tracing::error!(error = cause as &dyn std::error::Error, "{error}");
            }
            _ => {}
        }
        let message = error.to_string();
        let Some(detail) = detail else {
            return shortened(Status::new(code, message));
        };
        let status = rpc::Status {
            code: code.into(),
            message: message.clone(),
            details: vec![detail],
        };
        shortened(Status::with_details(
            code,
            message,
            status.encode_to_vec().into(),
        ))
    }
}

/// The longest message that is sent, bytes: it travels in a trailer, and clients refuse those of 16 KiB.
const MESSAGE_BYTES_MAX: usize = 4_000;
const TRUNCATED: &str = "... <truncated>";

/// A message quotes what was sent, however long that is.
fn shortened(status: Status) -> Status {
    let message = status.message();
    if message.len() <= MESSAGE_BYTES_MAX {
        return status;
    }
    let end = message.floor_char_boundary(MESSAGE_BYTES_MAX - TRUNCATED.len());
    let message = format!("{}{TRUNCATED}", &message[..end]);
    let details = match rpc::Status::decode(status.details()) {
        Ok(packed) if !packed.details.is_empty() => {
            let message = message.clone();
            rpc::Status { message, ..packed }.encode_to_vec()
        }
        _ => Vec::new(),
    };
    Status::with_details_and_metadata(
        status.code(),
        message,
        details.into(),
        status.metadata().clone(),
    )
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Service(status)
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let sent = Status::from(Error::NotFound("ä".repeat(3_000)));
        assert!(sent.message().ends_with("ä... <truncated>"));
        assert_eq!(sent.message().len(), MESSAGE_BYTES_MAX - 1);
        let packed = rpc::Status::decode(sent.details()).unwrap();
        assert_eq!(packed.message, sent.message());
        assert_eq!(packed.details.len(), 1);
    }

    #[test]
    fn a_message_of_the_longest_length_is_whole() {
        let text = "a".repeat(MESSAGE_BYTES_MAX);
        let sent = Status::from(Error::invalid(text.clone()));
        assert_eq!(sent.message(), text);
    }
}
