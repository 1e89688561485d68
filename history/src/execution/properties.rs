//! What a run shows of itself: memo, search attributes, and which builds have worked on it.
//!
//! Deliberately absent: which search attributes there are and what they may be (`search_attribute`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cairn_proto::cairn::record::v1::{self as record, change::Change};
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::{Memo, Payload, SearchAttributes, WorkerVersionStamp};
use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    UpsertWorkflowSearchAttributesEventAttributes, WorkflowExecutionStartedEventAttributes,
    WorkflowPropertiesModifiedEventAttributes, WorkflowTaskCompletedEventAttributes,
};
use cairn_proto::temporal::api::workflow::v1::{ResetPointInfo, ResetPoints};
use serde::{Deserialize, Serialize};

use super::Limits;
use super::command::Bad;
use super::transition::Draft;
use super::wire;
use super::workflow_task::Completing;
use crate::id::{RunId, Time};
use crate::search_attribute::{self, BINARY_CHECKSUMS, BUILD_IDS, Registry, is_nothing};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    #[serde(with = "wire::message")]
    pub(crate) memo: Memo,
    #[serde(with = "wire::message")]
    pub(crate) search_attributes: SearchAttributes,
    /// The types of those whose metadata says something else.
    pub(crate) types: BTreeMap<String, i32>,
    /// The same as the run began: another attempt begins so too.
    pub(crate) begun_types: BTreeMap<String, i32>,
    /// Where each build first completed a workflow task: a reset may go back to there.
    #[serde(with = "wire::message")]
    pub(crate) points: ResetPoints,
    #[serde(with = "wire::optional")]
    pub(crate) worker_version: Option<WorkerVersionStamp>,
}

/// The most builds that are remembered.
const POINTS_MAX: usize = 20;
const UNVERSIONED: &str = "unversioned";

impl Part {
    pub(crate) fn new(
        opened: &record::Opened,
        started: &WorkflowExecutionStartedEventAttributes,
    ) -> Self {
        let types = sorted(&opened.search_attribute_types);
        let mut part = Self {
            begun_types: types.clone(),
            types,
            ..Self::default()
        };
        if let Some(memo) = &started.memo {
            merge(&mut part.memo.fields, &memo.fields);
        }
        if let Some(points) = &started.prev_auto_reset_points {
            part.points.clone_from(points);
        }
        if let Some(attributes) = &started.search_attributes {
            merge(
                &mut part.search_attributes.indexed_fields,
                &attributes.indexed_fields,
            );
        }
        part
    }

    /// A workflow task was completed: by a build that is new to the run?
    pub(crate) fn built(
        part: &mut Arc<Self>,
        run: RunId,
        event_id: i64,
        time: Time,
        it: &WorkflowTaskCompletedEventAttributes,
    ) {
        let (version, checksum) = (&it.worker_version, &it.binary_checksum);
        let build_id = version.as_ref().map_or("", |it| &it.build_id);
        let known = part
            .points
            .points
            .iter()
            .any(|point| same_build(point, build_id, checksum));
        let build_ids = part.build_ids(build_id);
        if known && part.worker_version == *version && build_ids.is_none() {
            return;
        }
        let part = Arc::make_mut(part);
        part.worker_version.clone_from(version);
        if let Some(ids) = build_ids {
            part.set(BUILD_IDS, &ids);
        }
        if known {
            return;
        }
        if part.points.points.len() >= POINTS_MAX {
            part.points.points.remove(0);
        }
        part.points.points.push(ResetPointInfo {
            build_id: build_id.to_owned(),
            binary_checksum: checksum.clone(),
            run_id: run.to_string(),
            first_workflow_task_completed_id: event_id,
            create_time: Some(wire::timestamp(time)),
            expire_time: None,
            resettable: true,
        });
        if !checksum.is_empty() {
            let points = part.points.points.iter();
            let checksums: Vec<_> = points
                .map(|point| point.binary_checksum.clone())
                .filter(|checksum| !checksum.is_empty())
                .collect();
            part.set(BINARY_CHECKSUMS, &checksums);
        }
    }

    /// No version is asked for any more: the run is as it would be without.
    pub(crate) fn unversioned(part: &mut Arc<Self>) {
        if let Some(ids) = part.build_ids("") {
            Arc::make_mut(part).set(BUILD_IDS, &ids);
        }
    }

    fn set(&mut self, name: &str, words: &[String]) {
        let fields = &mut self.search_attributes.indexed_fields;
        fields.insert(name.to_owned(), keyword_list(words));
    }

    /// The search attribute with this build, if it is not there yet.
    fn build_ids(&self, build_id: &str) -> Option<Vec<String>> {
        let payload = self.search_attributes.indexed_fields.get(BUILD_IDS);
        let mut ids: Vec<String> = payload
            .and_then(|payload| serde_json::from_slice(&payload.data).ok())
            .unwrap_or_default();
        let before = ids.len();
        if !ids.iter().any(|id| id == UNVERSIONED) {
            ids.insert(0, UNVERSIONED.to_owned());
        }
        let id = format!("{UNVERSIONED}:{build_id}");
        if !build_id.is_empty() && !ids.contains(&id) {
            ids.push(id);
        }
        (ids.len() > before).then_some(ids)
    }

    /// The builds that the next run of the chain hears of; what is older than a run's retention is gone by then.
    pub(crate) fn points_for(&self, draft: &Draft<'_>) -> ResetPoints {
        let mut part = self.clone();
        part.expire_points(draft.now.after(draft.state.origin.retention));
        part.points
    }

    /// The run gives over to another one: nobody resets to its points once it is deleted.
    pub(crate) fn expire_points(&mut self, time: Time) {
        for point in &mut self.points.points {
            point.expire_time.get_or_insert(wire::timestamp(time));
        }
    }

    pub(crate) fn search_attributes_upserted(
        &mut self,
        it: &UpsertWorkflowSearchAttributesEventAttributes,
    ) {
        if let Some(attributes) = &it.search_attributes {
            self.types
                .retain(|name, _| !attributes.indexed_fields.contains_key(name));
            merge(
                &mut self.search_attributes.indexed_fields,
                &attributes.indexed_fields,
            );
        }
    }

    pub(crate) fn typed(&mut self, it: &record::SearchAttributeTypes) {
        self.types.extend(sorted(&it.types));
    }

    pub(crate) fn modified(&mut self, it: &WorkflowPropertiesModifiedEventAttributes) {
        if let Some(memo) = &it.upserted_memo {
            merge(&mut self.memo.fields, &memo.fields);
        }
    }
}

/// What a new run has of a memo or of search attributes: nothing was there that a null could remove.
pub(crate) fn begun(fields: &HashMap<String, Payload>) -> Option<HashMap<String, Payload>> {
    let mut begun = HashMap::new();
    merge(&mut begun, fields);
    (!begun.is_empty()).then_some(begun)
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

fn sorted(types: &HashMap<String, i32>) -> BTreeMap<String, i32> {
    types
        .iter()
        .map(|(name, kind)| (name.clone(), *kind))
        .collect()
}

fn same_build(point: &ResetPointInfo, build_id: &str, checksum: &str) -> bool {
    let of_point = &point.binary_checksum;
    point.build_id == build_id && of_point == checksum
}

/// A list of words as a search attribute.
pub(crate) fn keyword_list(words: &[String]) -> Payload {
    Payload {
        metadata: [
            ("encoding".to_owned(), b"json/plain".to_vec()),
            ("type".to_owned(), b"KeywordList".to_vec()),
        ]
        .into(),
        data: serde_json::to_vec(words).unwrap_or_default(),
        ..Default::default()
    }
}

/// A word as a search attribute.
pub(crate) fn keyword(word: &str) -> Payload {
    Payload {
        metadata: [
            ("encoding".to_owned(), b"json/plain".to_vec()),
            ("type".to_owned(), b"Keyword".to_vec()),
        ]
        .into(),
        data: serde_json::to_vec(word).unwrap_or_default(),
        ..Default::default()
    }
}

/// Search attributes that a new run begins with, and the types that their metadata does not say. Nothing was there that a null
/// could remove.
pub(crate) fn begun_attributes(
    registry: &Registry,
    asked: &SearchAttributes,
) -> Result<(Option<SearchAttributes>, BTreeMap<String, i32>), String> {
    let typed = registry.typed(asked)?;
    let fields = begun(&typed.attributes.indexed_fields);
    let attributes = fields.map(|indexed_fields| SearchAttributes { indexed_fields });
    Ok((attributes, typed.others))
}

/// Are search attributes small enough? The text says which is not.
pub(crate) fn check_sizes(asked: &SearchAttributes, limits: &Limits) -> Result<(), String> {
    search_attribute::check_sizes(
        asked,
        limits.search_attribute_value_bytes_max,
        limits.search_attributes_bytes_max,
    )
}

/// The command `UpsertWorkflowSearchAttributes`.
pub(crate) fn upsert(
    it: &mut Completing<'_, '_>,
    asked: Option<&SearchAttributes>,
) -> Result<(), Bad> {
    let bad = |text: String| Bad::Task(Cause::BadSearchAttributes, text);
    let not_set = |what: &str| {
        bad(format!(
            "{what} is not set on UpsertWorkflowSearchAttributesCommand."
        ))
    };
    let asked = asked.ok_or_else(|| not_set("SearchAttributes"))?;
    if asked.indexed_fields.is_empty() {
        return Err(not_set("IndexedFields"));
    }
    let typed = it.question.registry.typed(asked).map_err(bad)?;
    let too_large = |text: String| Bad::Run(Cause::BadSearchAttributes, text);
    let limits = it.draft.limits;
    let fields = asked.indexed_fields.iter();
    let size: usize = fields
        .map(|(key, value)| key.len() + value.data.len())
        .sum();
    if size > limits.blob_bytes_max {
        return Err(too_large(
            "UpsertWorkflowSearchAttributesCommandAttributes exceeds size limit.".to_owned(),
        ));
    }
    check_sizes(asked, limits).map_err(too_large)?;
    it.write(Attributes::UpsertWorkflowSearchAttributesEventAttributes(
        UpsertWorkflowSearchAttributesEventAttributes {
            workflow_task_completed_event_id: it.completed_event_id,
            search_attributes: Some(typed.attributes),
        },
    ));
    if !typed.others.is_empty() {
        it.draft
            .change(Change::SearchAttributeTypes(record::SearchAttributeTypes {
                types: typed.others.into_iter().collect(),
            }));
    }
    it.draft.show_attributes();
    Ok(())
}

/// The command `ModifyWorkflowProperties`.
pub(crate) fn modify(
    it: &mut Completing<'_, '_>,
    upserted: Option<&HashMap<String, Payload>>,
) -> Result<(), Bad> {
    let not_set = |what: &str| {
        Bad::Task(
            Cause::BadModifyWorkflowPropertiesAttributes,
            format!("{what} is not set on ModifyWorkflowPropertiesCommand."),
        )
    };
    let upserted = upserted.ok_or_else(|| not_set("UpsertedMemo"))?;
    if upserted.is_empty() {
        return Err(not_set("UpsertedMemo.Fields"));
    }
    let too_large = |what: &str| {
        Bad::Run(
            Cause::BadModifyWorkflowPropertiesAttributes,
            format!("ModifyWorkflowPropertiesCommandAttributes{what} exceeds size limit."),
        )
    };
    let asked = Memo {
        fields: upserted.clone(),
    };
    if asked.encoded_len() > it.draft.limits.blob_bytes_max {
        return Err(too_large(""));
    }
    let mut memo = it.draft.state.properties.memo.clone();
    merge(&mut memo.fields, upserted);
    if memo.encoded_len() > it.draft.limits.memo_bytes_max {
        return Err(too_large(". Memo"));
    }
    it.write(Attributes::WorkflowPropertiesModifiedEventAttributes(
        WorkflowPropertiesModifiedEventAttributes {
            workflow_task_completed_event_id: it.completed_event_id,
            upserted_memo: Some(asked),
        },
    ));
    it.draft.show();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_are_known_once() {
        let mut part = Part::default();
        let unversioned = || vec![UNVERSIONED.to_owned()];
        let with = |build: &str| vec![UNVERSIONED.to_owned(), format!("{UNVERSIONED}:{build}")];
        assert_eq!(part.build_ids(""), Some(unversioned()));
        assert_eq!(part.build_ids("one"), Some(with("one")));
        part.set(BUILD_IDS, &with("one"));
        assert_eq!(part.build_ids(""), None);
        assert_eq!(part.build_ids("one"), None);
        let mut both = with("one");
        both.push(format!("{UNVERSIONED}:two"));
        assert_eq!(part.build_ids("two"), Some(both));
    }
}
