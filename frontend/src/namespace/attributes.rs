//! Custom search attributes of a namespace: added, removed, listed.
//!
//! Each has a column: of each type there are only so many, and a column's name says the type. That is all that columns are here:
//! what runs have is stored under the attribute's own name. Deliberately absent: values and queries.

use std::collections::{BTreeMap, HashMap};

use cairn_history::search_attribute::{Kind, Registry, predefined_kind};
use cairn_proto::cairn::record::v1 as record;
use cairn_proto::temporal::api::common::v1::SearchAttributes;
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::operatorservice::v1 as pb;

use super::update::change;
use crate::Frontend;
use crate::error::Error;
use crate::visibility::attribute;

/// How many columns of a type there are.
fn room(kind: Kind) -> usize {
    match kind {
        Kind::Keyword => 10,
        Kind::Text | Kind::Int | Kind::Double | Kind::Bool | Kind::Datetime | Kind::KeywordList => {
            3
        }
    }
}

/// The columns of a type, in order.
fn columns_of(kind: Kind) -> impl Iterator<Item = String> {
    (1..=room(kind)).map(move |number| format!("{}{number:02}", kind.name()))
}

/// All columns with their types.
pub(crate) fn columns() -> impl Iterator<Item = (String, Kind)> {
    let kinds = Kind::ALL.into_iter();
    kinds.flat_map(|kind| columns_of(kind).map(move |column| (column, kind)))
}

impl Frontend {
    /// Adds search attributes that are not there yet.
    pub(crate) async fn ensure_search_attributes(
        &self,
        namespace: &str,
        attributes: &BTreeMap<String, Kind>,
    ) -> Result<(), tonic::Status> {
        if attributes.is_empty() {
            return Ok(());
        }
        let numbered = attributes
            .iter()
            .map(|(name, kind)| (name.clone(), kind.indexed().into()));
        let request = pb::AddSearchAttributesRequest {
            search_attributes: numbered.collect(),
            namespace: namespace.to_owned(),
        };
        add(self, request).await?;
        Ok(())
    }
}

/// What the aliases of columns make of a namespace.
pub(super) fn registry(namespace: &str, record: &record::Namespace) -> Registry {
    let aliases = &record.custom_search_attribute_aliases;
    let custom = columns().filter_map(|(column, kind)| Some((aliases.get(&column)?.clone(), kind)));
    Registry {
        namespace: namespace.to_owned(),
        custom: custom.collect(),
    }
}

/// The same for events.
pub(crate) fn hide_removed_in(record: &record::Namespace, events: &mut [HistoryEvent]) {
    if record.removed_search_attributes.is_empty() {
        return;
    }
    for event in events {
        if let Some(attributes) = search_attributes_of(event) {
            hide_removed(record, attributes);
        }
    }
}

fn search_attributes_of(event: &mut HistoryEvent) -> Option<&mut SearchAttributes> {
    match event.attributes.as_mut()? {
        Attributes::WorkflowExecutionStartedEventAttributes(it) => it.search_attributes.as_mut(),
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(it) => {
            it.search_attributes.as_mut()
        }
        Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(it) => {
            it.search_attributes.as_mut()
        }
        Attributes::UpsertWorkflowSearchAttributesEventAttributes(it) => {
            it.search_attributes.as_mut()
        }
        _ => None,
    }
}

/// Takes out what the namespace does not have any more.
pub(crate) fn hide_removed(record: &record::Namespace, attributes: &mut SearchAttributes) {
    if record.removed_search_attributes.is_empty() {
        return;
    }
    let fields = &mut attributes.indexed_fields;
    for name in &record.removed_search_attributes {
        fields.remove(name);
    }
}

pub(crate) async fn add(
    frontend: &Frontend,
    request: pb::AddSearchAttributesRequest,
) -> Result<pb::AddSearchAttributesResponse, Error> {
    let pb::AddSearchAttributesRequest {
        search_attributes,
        namespace,
    } = request;
    may_be_named(frontend, &namespace)?;
    if search_attributes.is_empty() {
        return Err(Error::invalid("SearchAttributes are not set on request."));
    }
    let asked: BTreeMap<_, _> = search_attributes.into_iter().collect();
    for (name, kind) in &asked {
        check_name(name)?;
        if *kind != 0 && Kind::numbered(*kind).is_none() {
            return Err(Error::invalid(format!(
                "Unknown search attribute type: {kind}."
            )));
        }
    }
    must_be_named(&namespace)?;
    change(frontend, &namespace, |record| {
        asked
            .iter()
            .try_for_each(|(name, kind)| give_column(record, name, Kind::numbered(*kind)))
    })
    .await?;
    Ok(pb::AddSearchAttributesResponse {})
}

fn check_name(name: &str) -> Result<(), Error> {
    let reserved =
        predefined_kind(name).is_some() || name.starts_with("Temporal") || name == "NamespaceId";
    if reserved {
        return Err(Error::invalid(format!(
            "Search attribute {name} is reserved by system."
        )));
    }
    Ok(())
}

/// One that is there stays as it is, whatever its type.
fn give_column(
    record: &mut record::Namespace,
    name: &str,
    kind: Option<Kind>,
) -> Result<(), Error> {
    let aliases = &mut record.custom_search_attribute_aliases;
    if aliases.values().any(|alias| alias == name) {
        return Ok(());
    }
    let free = kind.and_then(|kind| columns_of(kind).find(|column| !aliases.contains_key(column)));
    let Some(column) = free else {
        let (room, type_name) = kind.map_or((0, "Unspecified"), |kind| (room(kind), kind.name()));
        return Err(Error::invalid(format!(
            "Unable to create search attributes: cannot have more than {room} search attribute of type {type_name}."
        )));
    };
    // Without a name it is none.
    if !name.is_empty() {
        aliases.insert(column, name.to_owned());
        record
            .removed_search_attributes
            .retain(|removed| removed != name);
    }
    Ok(())
}

pub(crate) async fn remove(
    frontend: &Frontend,
    request: pb::RemoveSearchAttributesRequest,
) -> Result<pb::RemoveSearchAttributesResponse, Error> {
    let pb::RemoveSearchAttributesRequest {
        search_attributes: names,
        namespace,
    } = request;
    may_be_named(frontend, &namespace)?;
    if names.is_empty() {
        return Err(Error::invalid("SearchAttributes are not set on request."));
    }
    must_be_named(&namespace)?;
    if let Some(name) = names.iter().find(|name| predefined_kind(name).is_some()) {
        return Err(Error::invalid(format!(
            "Unable to remove non-custom search attributes: {name}."
        )));
    }
    change(frontend, &namespace, |record| {
        for name in &names {
            take_column(record, name);
        }
        Ok(())
    })
    .await?;
    Ok(pb::RemoveSearchAttributesResponse {})
}

fn take_column(record: &mut record::Namespace, name: &str) {
    let aliases = &mut record.custom_search_attribute_aliases;
    let before = aliases.len();
    aliases.retain(|_, alias| alias != name);
    if aliases.len() < before {
        record.removed_search_attributes.push(name.to_owned());
    }
}

#[expect(clippy::unused_async, reason = "every RPC is an async function")]
pub(crate) async fn list(
    frontend: &Frontend,
    request: pb::ListSearchAttributesRequest,
) -> Result<pb::ListSearchAttributesResponse, Error> {
    must_be_named(&request.namespace)?;
    let namespace = frontend.namespace(&request.namespace)?;
    let custom = namespace.registry.custom.iter();
    Ok(pb::ListSearchAttributesResponse {
        custom_attributes: custom
            .map(|(name, kind)| (name.clone(), kind.indexed().into()))
            .collect(),
        system_attributes: attribute::types(),
        storage_schema: HashMap::new(),
    })
}

fn must_be_named(namespace: &str) -> Result<(), Error> {
    if namespace.is_empty() {
        return Err(Error::invalid("Namespace is not set on request."));
    }
    Ok(())
}

/// One that is named must be there, whatever else is wrong.
fn may_be_named(frontend: &Frontend, namespace: &str) -> Result<(), Error> {
    if namespace.is_empty() {
        return Ok(());
    }
    frontend.namespace(namespace).map(|_| ())
}

#[cfg(test)]
mod tests {
    use cairn_proto::temporal::api::common::v1::Payload;

    use super::*;

    fn with(names: &[(&str, Kind)]) -> record::Namespace {
        let mut record = record::Namespace::default();
        for (name, kind) in names {
            give_column(&mut record, name, Some(*kind)).unwrap();
        }
        record
    }

    #[test]
    fn a_column_says_the_type() {
        let record = with(&[("Color", Kind::Keyword), ("Size", Kind::Int)]);
        let aliases = &record.custom_search_attribute_aliases;
        assert_eq!(aliases["Keyword01"], "Color");
        assert_eq!(aliases["Int01"], "Size");
        let registry = registry("shop", &record);
        assert_eq!(registry.namespace, "shop");
        assert_eq!(registry.custom["Color"], Kind::Keyword);
        assert_eq!(registry.custom["Size"], Kind::Int);
    }

    #[test]
    fn one_that_is_there_keeps_its_type() {
        let mut record = with(&[("Color", Kind::Keyword)]);
        give_column(&mut record, "Color", Some(Kind::Int)).unwrap();
        assert_eq!(registry("", &record).custom["Color"], Kind::Keyword);
    }

    #[test]
    fn columns_come_to_an_end_and_are_free_again() {
        let names = ["a", "b", "c"].map(|name| (name, Kind::Bool));
        let mut record = with(&names);
        assert!(give_column(&mut record, "d", Some(Kind::Bool)).is_err());
        assert!(give_column(&mut record, "d", None).is_err());
        take_column(&mut record, "b");
        give_column(&mut record, "d", Some(Kind::Bool)).unwrap();
        assert_eq!(record.custom_search_attribute_aliases["Bool02"], "d");
    }

    #[test]
    fn what_is_removed_is_hidden_until_it_is_back() {
        let mut record = with(&[("a", Kind::Bool), ("b", Kind::Bool)]);
        let shown = |record: &record::Namespace| {
            let fields = ["a", "b"].map(|name| (name.to_owned(), Payload::default()));
            let mut attributes = SearchAttributes {
                indexed_fields: fields.into(),
            };
            hide_removed(record, &mut attributes);
            attributes.indexed_fields.len()
        };
        take_column(&mut record, "a");
        take_column(&mut record, "nobody");
        assert_eq!(shown(&record), 1);
        give_column(&mut record, "a", Some(Kind::Int)).unwrap();
        assert_eq!(shown(&record), 2);
    }

    #[test]
    fn names_of_the_system_are_taken() {
        for name in ["RunId", "BuildIds", "TemporalAnything", "NamespaceId"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        for name in ["", "temporal", "ScheduleId", "runid"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
    }
}
