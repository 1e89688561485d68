//! Features that are off by default in the reference too: what it says instead of doing them.

use crate::Frontend;
use crate::error::Error;

/// Answers a call whose feature is off, once its namespace is known to exist.
pub(crate) fn refuse(frontend: &Frontend, namespace: &str, refusal: Error) -> Error {
    match frontend.namespace(namespace) {
        Ok(_) => refusal,
        Err(unknown) => unknown,
    }
}

pub(crate) fn deployments() -> Error {
    Error::off("Deployments are deprecated and no longer supported, use Worker Deployments instead")
}

pub(crate) fn method(name: &str) -> Error {
    Error::off(format!("method {name} not supported"))
}

pub(crate) fn command(name: &str) -> Error {
    Error::off(format!("{name} command is not enabled."))
}

pub(crate) fn nexus_operation() -> Error {
    Error::off("Standalone Nexus operation is disabled")
}

pub(crate) fn version_sets() -> Error {
    Error::Denied(
        "Worker versioning v0.1 (Version Set-based, deprecated) is disabled on this namespace.",
    )
}

pub(crate) fn version_rules() -> Error {
    Error::Denied("Worker versioning v0.2 (Rules-based, deprecated) is disabled on this namespace.")
}

pub(crate) fn archive() -> Error {
    Error::invalid("Cluster is not configured for visibility archival.")
}
