//! The wire: messages of `temporal.api.*` with server and client stubs, our internal services (whose generated traits are also
//! how one process calls from role to role) and stored records.
//!
//! Deliberately absent: any meaning. What a message may say and what follows from it is the services' business.

#![allow(
    unreachable_pub,
    missing_debug_implementations,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

pub use prost;
pub use prost_types;
pub use temporalio_protos::google;
pub use temporalio_protos::temporal;

/// Server and client stubs of `temporal.api.workflowservice.v1.WorkflowService`.
pub mod workflowservice {
    tonic::include_proto!("temporal.api.workflowservice.v1");
    mod shared {
        include!(concat!(env!("OUT_DIR"), "/shared_workflow_service.rs"));
    }
    pub use shared::Shared;
}

/// Server and client stubs of `temporal.api.operatorservice.v1.OperatorService`.
pub mod operatorservice {
    tonic::include_proto!("temporal.api.operatorservice.v1");
    mod shared {
        include!(concat!(env!("OUT_DIR"), "/shared_operator_service.rs"));
    }
    pub use shared::Shared;
}

pub mod elsewhere;
pub mod operations;
pub mod routes;

/// Ours: tokens, stored records, internal services.
pub mod cairn {
    pub mod effect {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/cairn/cairn.effect.v1.rs"));
        }
    }
    pub mod token {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/cairn/cairn.token.v1.rs"));
        }
    }
    pub mod record {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/cairn/cairn.record.v1.rs"));
        }
    }
    pub mod cluster {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/cairn/cairn.cluster.v1.rs"));
        }
    }
    pub mod history {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/cairn/cairn.history.v1.rs"));
        }
    }
    pub mod matching {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/cairn/cairn.matching.v1.rs"));
        }
    }
}

/// The descriptors of everything public, for reflection and for JSON.
pub const DESCRIPTORS: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/temporal_descriptors.bin"));
