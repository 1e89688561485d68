//! The engine behind the listener: which store and which limits the configuration names.
//!
//! How the services are put together is the frontend's business (`cairn_frontend::engine`).

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use cairn_frontend::Frontend;
use cairn_frontend::engine::{Cluster, Engine as Services, Options};
use cairn_history::execution::Limits;
use cairn_history::log::Store;
use cairn_history::log::postgres::{self, Postgres};
use cairn_history::log::sqlite::{self, Place, Sqlite};
use cairn_history::service::SystemClock;
use cairn_history::shard;

use crate::callback::HttpCaller;
use crate::config::{AttributeType, Config, Database, Url, dynamic::Dynamic};
use auditor::Auditor;

mod auditor;

/// Retention of the namespaces that exist from the start.
const RETENTION: Duration = Duration::from_hours(24);

/// Answers RPCs; has no listener of its own.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) workflow: Arc<Frontend>,
    pub(crate) operator: Arc<Frontend>,
    services: Services,
    auditor: Option<Auditor>,
}

impl Engine {
    /// Opens the store that the configuration names and takes its shards, or its part of them as a node of a cluster.
    pub(crate) async fn open(config: &Config, cluster: Option<Cluster>) -> anyhow::Result<Self> {
        let store = open_store(&config.database).await?;
        let address = config.server.grpc_address().to_string();
        let store_name = match config.database.url {
            Url::Memory | Url::Sqlite(_) => "sqlite",
            Url::Postgres(_) => "postgresql",
        };
        let mut frontend = cairn_frontend::Config {
            store_name: store_name.to_owned(),
            address,
            ..cairn_frontend::Config::default()
        };
        let mut limits = Limits::default();
        let mut shard = shard::Config::default();
        apply(&config.dynamic, &mut frontend, &mut limits, &mut shard);
        let history = cairn_history::service::Config {
            limits,
            shard,
            owner: format!("{}/{}", config.server.grpc_address(), std::process::id()),
            member: None,
            caller: Some(Arc::new(HttpCaller::new())),
        };
        let namespaces = config
            .namespaces
            .0
            .iter()
            .map(|name| (name.clone(), RETENTION))
            .collect();
        let options = Options {
            frontend,
            history,
            namespaces,
            search_attributes: config
                .search_attributes
                .iter()
                .map(|(name, AttributeType(kind))| (name.clone(), *kind))
                .collect(),
            cluster,
        };
        let clock = Arc::new(SystemClock::default());
        let services = Services::open(Arc::clone(&store), clock, options).await?;
        let frontend = services.frontend();
        Ok(Self {
            workflow: Arc::clone(&frontend),
            operator: frontend,
            services,
            auditor: Auditor::start(store, &config.audit)?,
        })
    }

    /// Ends waiting polls with empty answers and refuses new ones; calls in flight go on.
    pub(crate) async fn drain(&self) {
        self.services.drain().await;
    }

    /// Commits what waits and closes the store. Nothing is asked of the engine any more.
    pub(crate) async fn close(&self) -> anyhow::Result<()> {
        if let Some(auditor) = &self.auditor {
            auditor.stop();
        }
        self.services.close().await;
        Ok(())
    }
}

async fn open_store(database: &Database) -> anyhow::Result<Arc<dyn Store>> {
    let pragmas = database
        .pragmas
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let place = match &database.url {
        Url::Memory => Place::Memory,
        Url::Sqlite(path) => Place::File(path.clone()),
        Url::Postgres(url) => {
            let options = postgres::Options {
                shards: database.shards,
                ..postgres::Options::default()
            };
            let store = Postgres::connect(url, &options)
                .await
                .context("the PostgreSQL database did not open")?;
            return Ok(Arc::new(store));
        }
    };
    let options = sqlite::Options {
        place,
        shards: database.shards,
        pragmas,
    };
    let store = Sqlite::open(&options)
        .with_context(|| format!("database {} did not open", database.url))?;
    Ok(Arc::new(store))
}

/// Gives each well-known key to the part that honours it; what nobody knows is ignored.
fn apply(
    dynamic: &Dynamic,
    frontend: &mut cairn_frontend::Config,
    limits: &mut Limits,
    shard: &mut shard::Config,
) {
    for (key, value) in dynamic.iter() {
        frontend.set(key, value);
        if let Some(number) = value.as_u64() {
            limits.set_number(key, number);
        } else if let Some(flag) = value.as_bool() {
            limits.set_flag(key, flag);
        } else if let Some(duration) = value
            .as_str()
            .and_then(|text| crate::client::duration::parse(text).ok())
        {
            limits.set_duration(key, duration);
            shard.set_duration(key, duration);
        }
    }
}
