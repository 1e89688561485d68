//! Every namespace there is, in memory. What another node wrote is seen at the next refresh.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use cairn_history::id::NamespaceId;
use cairn_history::log;
use cairn_history::search_attribute::Registry;
use cairn_proto::cairn::record::v1 as record;
use cairn_proto::prost::Message;
use parking_lot::RwLock;

use super::attributes;

/// A namespace.
#[derive(Debug)]
pub(crate) struct Namespace {
    pub(crate) id: NamespaceId,
    pub(crate) name: String,
    pub(crate) record: record::Namespace,
    /// The record as it is stored.
    pub(crate) stored: Bytes,
    /// Its search attributes.
    pub(crate) registry: Registry,
}

impl Namespace {
    pub(crate) fn new(
        id: NamespaceId,
        name: String,
        record: record::Namespace,
        stored: Bytes,
    ) -> Self {
        Self {
            registry: attributes::registry(&name, &record),
            id,
            name,
            record,
            stored,
        }
    }

    /// The id as messages carry it.
    pub(crate) fn id_bytes(&self) -> Vec<u8> {
        self.id.0.to_vec()
    }
}

/// All namespaces, by name and by id.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Counts what this node wrote.
    version: u64,
    by_name: BTreeMap<String, Arc<Namespace>>,
    by_id: BTreeMap<NamespaceId, Arc<Namespace>>,
}

impl Known {
    fn put(&mut self, namespace: Namespace) {
        let namespace = Arc::new(namespace);
        if let Some(before) = self.by_id.insert(namespace.id, Arc::clone(&namespace)) {
            self.by_name.remove(&before.name);
        }
        self.by_name.insert(namespace.name.clone(), namespace);
    }
}

impl Cache {
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Namespace>> {
        self.known.read().by_name.get(name).cloned()
    }

    pub(crate) fn with_id(&self, id: NamespaceId) -> Option<Arc<Namespace>> {
        self.known.read().by_id.get(&id).cloned()
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Namespace>> {
        self.known.read().by_name.values().cloned().collect()
    }

    /// What this node wrote itself is known at once.
    pub(crate) fn put(&self, namespace: Namespace) {
        let mut known = self.known.write();
        known.version += 1;
        known.put(namespace);
    }

    /// To be asked before the store is read.
    pub(crate) fn version(&self) -> u64 {
        self.known.read().version
    }

    /// Replaces everything by what is stored, unless this node has written since `seen`: then what was read may be older
    /// than what is known, and the next refresh will do. A namespace that cannot be read is left out, the others are served.
    pub(crate) fn replace(&self, seen: u64, stored: Vec<log::Namespace>) {
        let mut known = Known {
            version: seen,
            ..Known::default()
        };
        for log::Namespace { id, name, record } in stored {
            match record::Namespace::decode(&*record) {
                Ok(decoded) => known.put(Namespace::new(id, name, decoded, record)),
                Err(error) => {
                    tracing::error!(namespace = name, %error, "failed to read a namespace");
                }
            }
        }
        let mut current = self.known.write();
        if current.version == seen {
            *current = known;
        }
    }
}
