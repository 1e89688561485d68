//! What a run shows of itself: memo, search attributes, and which builds have worked on it.
//!
//! Deliberately absent: custom search attributes. Only predefined ones that a worker may write are taken so far.

use std::collections::HashMap;
use std::sync::Arc;

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

mod value;

use value::Kind;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    #[serde(with = "wire::message")]
    pub(crate) memo: Memo,
    #[serde(with = "wire::message")]
    pub(crate) search_attributes: SearchAttributes,
    /// Where each build first completed a workflow task: a reset may go back to there.
    #[serde(with = "wire::message")]
    pub(crate) points: ResetPoints,
    #[serde(with = "wire::optional")]
    pub(crate) worker_version: Option<WorkerVersionStamp>,
}

/// The most builds that are remembered.
const POINTS_MAX: usize = 20;
const BUILD_IDS: &str = "BuildIds";
const BINARY_CHECKSUMS: &str = "BinaryChecksums";
const UNVERSIONED: &str = "unversioned";

/// Predefined search attributes that may be written from outside, with their types.
const WRITABLE: [(&str, Kind); 11] = [
    ("BatcherNamespace", Kind::Keyword),
    ("BatcherUser", Kind::Keyword),
    (BINARY_CHECKSUMS, Kind::KeywordList),
    (BUILD_IDS, Kind::KeywordList),
    ("TemporalChangeVersion", Kind::KeywordList),
    ("TemporalNamespaceDivision", Kind::Keyword),
    ("TemporalPauseInfo", Kind::KeywordList),
    ("TemporalReportedProblems", Kind::KeywordList),
    ("TemporalScheduledById", Kind::Keyword),
    ("TemporalScheduledStartTime", Kind::Datetime),
    ("TemporalSchedulePaused", Kind::Bool),
];

/// What only we say of a run.
const RESERVED: [&str; 22] = [
    "CloseTime",
    "ExecutionDuration",
    "ExecutionStatus",
    "ExecutionTime",
    "HistoryLength",
    "HistorySizeBytes",
    "ParentRunId",
    "ParentWorkflowId",
    "RootRunId",
    "RootWorkflowId",
    "RunId",
    "StartTime",
    "StateTransitionCount",
    "TaskQueue",
    "TemporalExternalPayloadCount",
    "TemporalExternalPayloadSizeBytes",
    "TemporalUsedWorkerDeploymentVersions",
    "TemporalWorkerDeployment",
    "TemporalWorkerDeploymentVersion",
    "TemporalWorkflowVersioningBehavior",
    "WorkflowId",
    "WorkflowType",
];

impl Part {
    pub(crate) fn new(started: &WorkflowExecutionStartedEventAttributes) -> Self {
        let mut part = Self::default();
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

/// Are these search attributes that the namespace has?
pub(crate) fn known(asked: &SearchAttributes) -> Result<(), String> {
    let names = asked.indexed_fields.keys();
    let unknown = names
        .filter(|name| !RESERVED.contains(&name.as_str()) && kind_of(name).is_none())
        .min();
    unknown.map_or(Ok(()), |name| {
        Err(format!(
            "Namespace default has no mapping defined for search attribute {name}"
        ))
    })
}

fn kind_of(name: &str) -> Option<Kind> {
    WRITABLE
        .iter()
        .find(|(writable, _)| *writable == name)
        .map(|(_, kind)| *kind)
}

/// Search attributes with the type that readers need, or what is wrong with them.
pub(crate) fn typed(asked: &SearchAttributes) -> Result<SearchAttributes, String> {
    known(asked)?;
    let mut names: Vec<_> = asked.indexed_fields.keys().collect();
    names.sort_unstable();
    let mut typed = asked.clone();
    for name in names {
        let (Some(kind), Some(payload)) = (kind_of(name), typed.indexed_fields.get_mut(name))
        else {
            return Err(format!("{name} attribute can't be set in SearchAttributes"));
        };
        value::check(name, kind, payload)?;
        let kind_given = payload.metadata.entry("type".to_owned());
        kind_given.or_insert_with(|| kind.name().into());
    }
    Ok(typed)
}

/// Are search attributes small enough? The text says which is not.
pub(crate) fn check_sizes(asked: &SearchAttributes, limits: &Limits) -> Result<(), String> {
    let limit = limits.search_attribute_value_bytes_max;
    let fields = asked.indexed_fields.iter();
    let sizes = fields.map(|(name, value)| (name, value.data.len()));
    if let Some((name, size)) = sizes.filter(|(_, size)| *size > limit).min() {
        return Err(format!(
            "search attribute {name} value size {size} exceeds size limit {limit}"
        ));
    }
    let (size, limit) = (asked.encoded_len(), limits.search_attributes_bytes_max);
    if size > limit {
        return Err(format!(
            "total size of search attributes {size} exceeds size limit {limit}"
        ));
    }
    Ok(())
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
    let typed = typed(asked).map_err(bad)?;
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
    let mut memo = it.draft.state.properties.memo.clone();
    merge(&mut memo.fields, upserted);
    if memo.encoded_len() > it.draft.limits.memo_bytes_max {
        return Err(Bad::Run(
            Cause::BadModifyWorkflowPropertiesAttributes,
            "ModifyWorkflowPropertiesCommandAttributes exceeds size limit.".to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(encoding: &str, data: &str) -> Payload {
        Payload {
            metadata: [("encoding".to_owned(), encoding.as_bytes().to_vec())].into(),
            data: data.as_bytes().to_vec(),
            ..Payload::default()
        }
    }

    #[test]
    fn a_null_removes_and_what_looks_like_one_does_not() {
        let nothing = [
            ("json/plain", "null"),
            ("json/plain", "[]"),
            ("json/plain", ""),
            ("binary/null", ""),
            ("binary/null", "anything"),
        ];
        for (encoding, data) in nothing {
            assert!(is_nothing(&payload(encoding, data)), "{encoding} {data}");
        }
        for (encoding, data) in [
            ("binary/plain", "null"),
            ("binary/plain", "[]"),
            ("json/plain", "0"),
            ("json/plain", "[null]"),
        ] {
            assert!(!is_nothing(&payload(encoding, data)), "{encoding} {data}");
        }
    }

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
