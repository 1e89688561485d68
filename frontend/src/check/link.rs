//! Links of a request.

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::Link;
use cairn_proto::temporal::api::common::v1::link::{self, Variant};
use cairn_proto::temporal::api::enums::v1::EventType;

use crate::config::Config;
use crate::error::Error;

/// Not too many, none too large, and none without what it is about.
pub(crate) fn links(config: &Config, links: &[Link]) -> Result<(), Error> {
    if links.len() > config.links {
        return Err(Error::invalid(format!(
            "cannot attach more than {} links per request, got {}",
            config.links,
            links.len()
        )));
    }
    links.iter().try_for_each(|link| one(config, link))
}

fn one(config: &Config, link: &Link) -> Result<(), Error> {
    let size = link.encoded_len();
    if size > config.link_size {
        return Err(Error::invalid(format!(
            "link exceeds allowed size of {}, got {size}",
            config.link_size
        )));
    }
    match &link.variant {
        Some(Variant::WorkflowEvent(event)) => {
            filled(
                "workflow event",
                [
                    ("namespace", &event.namespace),
                    ("workflow ID", &event.workflow_id),
                    ("run ID", &event.run_id),
                ],
            )?;
            let untyped = matches!(
                &event.reference,
                Some(link::workflow_event::Reference::EventRef(reference))
                    if reference.event_type == i32::from(EventType::Unspecified) && reference.event_id != 0
            );
            if untyped {
                return Err(Error::invalid(
                    "workflow event link ref cannot have an unspecified event type and a non-zero event ID",
                ));
            }
            Ok(())
        }
        Some(Variant::BatchJob(job)) if job.job_id.is_empty() => Err(Error::invalid(
            "batch job link must not have an empty job ID",
        )),
        Some(Variant::BatchJob(_)) => Ok(()),
        Some(Variant::NexusOperation(operation)) => filled(
            "nexus operation",
            [
                ("namespace", &operation.namespace),
                ("operation ID", &operation.operation_id),
                ("run ID", &operation.run_id),
            ],
        ),
        Some(Variant::Activity(activity)) => filled(
            "activity",
            [
                ("namespace", &activity.namespace),
                ("activity ID", &activity.activity_id),
                ("run ID", &activity.run_id),
            ],
        ),
        Some(Variant::Workflow(workflow)) => filled(
            "workflow",
            [
                ("namespace", &workflow.namespace),
                ("workflow ID", &workflow.workflow_id),
                ("run ID", &workflow.run_id),
            ],
        ),
        Some(Variant::Callback(_)) | None => Err(Error::invalid("unsupported link variant")),
    }
}

fn filled(kind: &str, fields: [(&str, &String); 3]) -> Result<(), Error> {
    match fields.iter().find(|(_, value)| value.is_empty()) {
        Some((field, _)) => Err(Error::invalid(format!(
            "{kind} link must not have an empty {field} field"
        ))),
        None => Ok(()),
    }
}
