//! Search attributes that a client sets: known, of their type and not too large. The rules are history's.

use cairn_history::search_attribute::{check_sizes, predefined_kind};
use cairn_proto::cairn::history::v1::SearchAttributeRegistry;
use cairn_proto::temporal::api::command::v1::Command;
use cairn_proto::temporal::api::command::v1::command::Attributes;
use cairn_proto::temporal::api::common::v1::SearchAttributes;

use crate::config::Config;
use crate::error::Error;
use crate::namespace::Namespace;
use crate::namespace::attributes::hide_removed;

/// Checks what a request sets, and says what history must know to judge it: `None` if nothing is set.
pub(crate) fn set(
    config: &Config,
    namespace: &Namespace,
    attributes: Option<&SearchAttributes>,
) -> Result<Option<SearchAttributeRegistry>, Error> {
    let Some(attributes) = attributes else {
        return Ok(None);
    };
    let registry = &namespace.registry;
    registry.known(attributes).map_err(Error::invalid)?;
    let (count, limit) = (
        attributes.indexed_fields.len(),
        config.search_attribute_keys,
    );
    if count > limit {
        return Err(Error::invalid(format!(
            "number of search attributes {count} exceeds limit {limit}"
        )));
    }
    let typed = registry.typed(attributes).map_err(Error::invalid)?;
    check_sizes(
        &typed.attributes,
        config.search_attribute_value_size,
        config.search_attribute_total_size,
    )
    .map_err(Error::invalid)?;
    Ok(Some(registry.into()))
}

/// What history must know to judge commands: `None` if none of them sets search attributes.
pub(crate) fn registry_for(
    namespace: &Namespace,
    commands: &[Command],
) -> Option<SearchAttributeRegistry> {
    commands
        .iter()
        .any(sets)
        .then(|| (&namespace.registry).into())
}

fn sets(command: &Command) -> bool {
    match &command.attributes {
        Some(Attributes::UpsertWorkflowSearchAttributesCommandAttributes(_)) => true,
        Some(Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(it)) => {
            it.search_attributes.is_some()
        }
        Some(Attributes::StartChildWorkflowExecutionCommandAttributes(it)) => {
            it.search_attributes.is_some()
        }
        _ => false,
    }
}

/// What of a run's search attributes is shown: those that there are, each with its type in its metadata.
pub(crate) fn annotate(namespace: &Namespace, attributes: &mut SearchAttributes) {
    hide_removed(&namespace.record, attributes);
    for (name, payload) in &mut attributes.indexed_fields {
        if let Some(kind) = predefined_kind(name) {
            payload
                .metadata
                .entry("type".to_owned())
                .or_insert_with(|| kind.name().into());
        }
    }
}
