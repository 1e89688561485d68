//! `UpdateNamespace` and `DeprecateNamespace`: what is set is merged into what there is, and merged anew if another node was faster.

use std::collections::HashMap;

use cairn_proto::cairn::record::v1 as record;
use cairn_proto::temporal::api::enums::v1::NamespaceState;
use cairn_proto::temporal::api::namespace::v1::{
    BadBinaries, NamespaceConfig, UpdateNamespaceInfo,
};
use cairn_proto::temporal::api::workflowservice::v1 as pb;

use super::{check_retention, described, existing, one_cluster};
use crate::Frontend;
use crate::deadline::timestamp;
use crate::error::Error;

pub(crate) async fn update(
    frontend: &Frontend,
    request: pb::UpdateNamespaceRequest,
) -> Result<pb::UpdateNamespaceResponse, Error> {
    let name = request.namespace.clone();
    change(frontend, &name, |record| {
        merge(frontend, record, request.clone())
    })
    .await?;
    let described = described(frontend, &*existing(frontend, &name)?);
    Ok(pb::UpdateNamespaceResponse {
        namespace_info: described.namespace_info,
        config: described.config,
        replication_config: described.replication_config,
        ..Default::default()
    })
}

/// Changes a namespace as it is when the change is written.
pub(super) async fn change(
    frontend: &Frontend,
    name: &str,
    change: impl Fn(&mut record::Namespace) -> Result<(), Error>,
) -> Result<(), Error> {
    let _turn = frontend.namespace_updates.lock().await;
    loop {
        frontend.refresh().await?;
        let before = existing(frontend, name)?;
        let mut record = before.record.clone();
        change(&mut record)?;
        if record == before.record {
            return Ok(());
        }
        let put = frontend.put_namespace(before.id, name, record, Some(&before));
        if put.await? {
            return Ok(());
        }
    }
}

fn merge(
    frontend: &Frontend,
    record: &mut record::Namespace,
    request: pb::UpdateNamespaceRequest,
) -> Result<(), Error> {
    let pb::UpdateNamespaceRequest {
        namespace: name,
        update_info,
        config,
        replication_config,
        delete_bad_binary,
        promote_namespace,
        ..
    } = request;
    if let Some(info) = update_info {
        merge_info(record, info)?;
    }
    if let Some(config) = config {
        merge_config(frontend, record, config)?;
    }
    if !delete_bad_binary.is_empty() {
        let known = record.bad_binaries.get_or_insert_default();
        if known.binaries.remove(&delete_bad_binary).is_none() {
            return Err(Error::invalid(format!(
                "Bad binary checksum {delete_bad_binary} doesn't exists."
            )));
        }
    }
    if let Some(replication) = replication_config {
        let clusters = replication
            .clusters
            .iter()
            .map(|cluster| &cluster.cluster_name);
        one_cluster(clusters.chain([&replication.active_cluster_name]))?;
    }
    if promote_namespace {
        return Err(Error::invalid(format!(
            "global namespace is not enabled on this cluster, cannot update global namespace or promote local namespace: {name}"
        )));
    }
    Ok(())
}

/// What is not set stays as it is; data is added to what there is.
fn merge_info(record: &mut record::Namespace, info: UpdateNamespaceInfo) -> Result<(), Error> {
    const UNSPECIFIED: i32 = NamespaceState::Unspecified as i32;
    const REGISTERED: i32 = NamespaceState::Registered as i32;
    const DEPRECATED: i32 = NamespaceState::Deprecated as i32;
    const DELETED: i32 = NamespaceState::Deleted as i32;
    match (record.state, info.state) {
        (_, UNSPECIFIED) => {}
        (from, to) if from == to => {}
        (REGISTERED, DEPRECATED | DELETED) | (DEPRECATED, DELETED) => record.state = info.state,
        _ => return Err(Error::invalid("Invalid namespace state update.")),
    }
    if !info.description.is_empty() {
        record.description = info.description;
    }
    if !info.owner_email.is_empty() {
        record.owner_email = info.owner_email;
    }
    record.data.extend(info.data);
    Ok(())
}

fn merge_config(
    frontend: &Frontend,
    record: &mut record::Namespace,
    config: NamespaceConfig,
) -> Result<(), Error> {
    if let Some(mut retention) = config.workflow_execution_retention_ttl {
        check_retention(frontend, Some(&mut retention))?;
        record.retention = Some(retention);
    }
    if let Some(BadBinaries { binaries }) = config.bad_binaries {
        let now = timestamp(frontend.now());
        let known = record.bad_binaries.get_or_insert_default();
        known
            .binaries
            .extend(binaries.into_iter().map(|(checksum, mut info)| {
                info.create_time = Some(now);
                (checksum, info)
            }));
    }
    merge_aliases(
        &mut record.custom_search_attribute_aliases,
        config.custom_search_attribute_aliases,
    );
    Ok(())
}

fn merge_aliases(known: &mut HashMap<String, String>, changes: HashMap<String, String>) {
    for (field, alias) in changes {
        if alias.is_empty() {
            known.remove(&field);
        } else {
            known.insert(field, alias);
        }
    }
}

pub(crate) async fn deprecate(
    frontend: &Frontend,
    request: pb::DeprecateNamespaceRequest,
) -> Result<pb::DeprecateNamespaceResponse, Error> {
    change(frontend, &request.namespace, |record| {
        record.state = NamespaceState::Deprecated.into();
        Ok(())
    })
    .await?;
    Ok(pb::DeprecateNamespaceResponse {})
}
