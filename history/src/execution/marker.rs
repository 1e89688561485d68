//! The command `RecordMarker`: kept as it came, for the worker's own replay.

use std::collections::HashMap;

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::{Header, Payloads};
use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::history::v1::MarkerRecordedEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use super::command::{Bad, too_long};
use super::workflow_task::Completing;

pub(crate) fn record(
    it: &mut Completing<'_, '_>,
    name: &str,
    details: &HashMap<String, Payloads>,
    header: Option<&Header>,
    failure: Option<&Failure>,
) -> Result<(), Bad> {
    let bad = |text: &str| Bad::Task(Cause::BadRecordMarkerAttributes, text.to_owned());
    if name.is_empty() {
        return Err(bad("MarkerName is not set on RecordMarkerCommand."));
    }
    if name.len() > it.draft.limits.id_bytes_max {
        let text = too_long(
            "MarkerName on RecordMarkerCommand",
            "MarkerName",
            name,
            it.draft.limits,
        );
        return Err(bad(&text));
    }
    let size: usize = details
        .iter()
        .map(|(key, value)| key.len() + value.encoded_len())
        .sum();
    if size > it.draft.limits.blob_bytes_max {
        return Err(Bad::Run(
            Cause::BadRecordMarkerAttributes,
            "RecordMarkerCommandAttributes.Details exceeds size limit.".to_owned(),
        ));
    }
    it.write(Attributes::MarkerRecordedEventAttributes(
        MarkerRecordedEventAttributes {
            marker_name: name.to_owned(),
            details: details.clone(),
            workflow_task_completed_event_id: it.completed_event_id,
            header: header.cloned(),
            failure: failure.cloned(),
        },
    ));
    Ok(())
}
