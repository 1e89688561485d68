//! What a run shows of itself: memo and search attributes.
//!
//! Deliberately absent: custom search attributes. Only predefined ones that a worker may write are taken so far.

use std::collections::HashMap;

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::{Memo, Payload, SearchAttributes};
use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    UpsertWorkflowSearchAttributesEventAttributes, WorkflowExecutionStartedEventAttributes,
    WorkflowPropertiesModifiedEventAttributes,
};
use serde::{Deserialize, Serialize};

use super::command::Bad;
use super::wire;
use super::workflow_task::Completing;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    #[serde(with = "wire::message")]
    pub(crate) memo: Memo,
    #[serde(with = "wire::message")]
    pub(crate) search_attributes: SearchAttributes,
}

/// Predefined search attributes that may be written from outside, with their types.
const WRITABLE: [(&str, &str); 5] = [
    ("BatcherNamespace", "Keyword"),
    ("BatcherUser", "Keyword"),
    ("BinaryChecksums", "KeywordList"),
    ("BuildIds", "KeywordList"),
    ("TemporalChangeVersion", "KeywordList"),
];

impl Part {
    pub(crate) fn new(started: &WorkflowExecutionStartedEventAttributes) -> Self {
        let mut part = Self::default();
        if let Some(memo) = &started.memo {
            merge(&mut part.memo.fields, &memo.fields);
        }
        if let Some(attributes) = &started.search_attributes {
            merge(
                &mut part.search_attributes.indexed_fields,
                &attributes.indexed_fields,
            );
        }
        part
    }

    pub(crate) fn search_attributes_upserted(
        &mut self,
        it: &UpsertWorkflowSearchAttributesEventAttributes,
    ) {
        if let Some(attributes) = &it.search_attributes {
            merge(
                &mut self.search_attributes.indexed_fields,
                &attributes.indexed_fields,
            );
        }
    }

    pub(crate) fn modified(&mut self, it: &WorkflowPropertiesModifiedEventAttributes) {
        if let Some(memo) = &it.upserted_memo {
            merge(&mut self.memo.fields, &memo.fields);
        }
    }
}

/// A null or empty value removes its key.
fn merge(into: &mut HashMap<String, Payload>, from: &HashMap<String, Payload>) {
    for (key, value) in from {
        if is_nothing(value) {
            into.remove(key);
        } else {
            into.insert(key.clone(), value.clone());
        }
    }
}

fn is_nothing(payload: &Payload) -> bool {
    payload.data.is_empty()
        || payload
            .metadata
            .get("encoding")
            .is_some_and(|it| it == b"binary/null")
        || (payload.data == b"null" || payload.data == b"[]")
            && payload
                .metadata
                .get("encoding")
                .is_some_and(|it| it == b"json/plain")
}

/// Search attributes with the type that readers need, or what is wrong with them.
pub(crate) fn typed(asked: &SearchAttributes) -> Result<SearchAttributes, String> {
    let mut typed = asked.clone();
    for (name, value) in &mut typed.indexed_fields {
        let Some((_, kind)) = WRITABLE.iter().find(|(writable, _)| writable == name) else {
            return Err(format!(
                "Namespace default has no mapping defined for search attribute {name}"
            ));
        };
        value
            .metadata
            .insert("type".to_owned(), kind.as_bytes().to_vec());
    }
    Ok(typed)
}

/// The command `UpsertWorkflowSearchAttributes`.
pub(crate) fn upsert(
    it: &mut Completing<'_, '_>,
    asked: Option<&SearchAttributes>,
) -> Result<(), Bad> {
    let bad = |text: String| Bad::Task(Cause::BadSearchAttributes, text);
    let asked = asked
        .filter(|it| !it.indexed_fields.is_empty())
        .ok_or_else(|| {
            bad("IndexedFields is not set on UpsertWorkflowSearchAttributesCommand.".to_owned())
        })?;
    let typed = typed(asked).map_err(bad)?;
    it.write(Attributes::UpsertWorkflowSearchAttributesEventAttributes(
        UpsertWorkflowSearchAttributesEventAttributes {
            workflow_task_completed_event_id: it.completed_event_id,
            search_attributes: Some(typed),
        },
    ));
    it.draft.show();
    Ok(())
}

/// The command `ModifyWorkflowProperties`.
pub(crate) fn modify(
    it: &mut Completing<'_, '_>,
    upserted: Option<&HashMap<String, Payload>>,
) -> Result<(), Bad> {
    let upserted = upserted.filter(|it| !it.is_empty()).ok_or_else(|| {
        Bad::Task(
            Cause::BadModifyWorkflowPropertiesAttributes,
            "UpsertedMemo.Fields is not set on ModifyWorkflowPropertiesCommand.".to_owned(),
        )
    })?;
    let mut memo = it.draft.state.properties.memo.clone();
    merge(&mut memo.fields, upserted);
    if memo.encoded_len() > it.draft.limits.memo_bytes_max {
        return Err(Bad::Run(
            Cause::BadModifyWorkflowPropertiesAttributes,
            "ModifyWorkflowPropertiesCommandAttributes. Memo exceeds size limit.".to_owned(),
        ));
    }
    it.write(Attributes::WorkflowPropertiesModifiedEventAttributes(
        WorkflowPropertiesModifiedEventAttributes {
            workflow_task_completed_event_id: it.completed_event_id,
            upserted_memo: Some(Memo {
                fields: upserted.clone(),
            }),
        },
    ));
    it.draft.show();
    Ok(())
}
