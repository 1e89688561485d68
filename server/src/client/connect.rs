//! A connection to a server, with the headers that each request carries.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, anyhow};
use cairn_proto::operatorservice::operator_service_client::OperatorServiceClient;
use cairn_proto::temporal::api::common::v1::WorkflowExecution;
use cairn_proto::workflowservice::workflow_service_client::WorkflowServiceClient;
use prost::{Message, Name};
use serde_json::Value;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};
use tonic_health::pb::health_client::HealthClient;

use super::options::{Connection, Options, Tls};
use super::output::Printer;
use super::{json, time};

/// Histories can be long; the official clients take as much.
const ANSWER_BYTES_MAX: usize = 128 * 1024 * 1024;

type Wire = InterceptedService<Channel, Headers>;

/// A server, and how its answers are shown.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) namespace: String,
    pub(crate) identity: String,
    pub(crate) workflows: WorkflowServiceClient<Wire>,
    pub(crate) operator: OperatorServiceClient<Wire>,
    pub(crate) health: HealthClient<Wire>,
    pub(crate) printer: Printer,
    pub(crate) time_format: time::Format,
    shorthand: bool,
}

impl Client {
    /// Connects, does something, and ends it when it takes longer than it may.
    pub(crate) async fn with<T, F>(
        options: &Options,
        command: impl FnOnce(Self) -> F,
    ) -> anyhow::Result<T>
    where
        F: Future<Output = anyhow::Result<T>>,
    {
        let work = async { command(Self::connect(options).await?).await };
        match options.command_timeout() {
            None => work.await,
            Some(timeout) => tokio::time::timeout(timeout, work)
                .await
                .map_err(|_| anyhow!("the command took longer than {timeout:?}"))?,
        }
    }

    async fn connect(options: &Options) -> anyhow::Result<Self> {
        let connection = options.connection()?;
        let headers = Headers::of(&connection)?;
        let channel = channel(&connection).await?;
        let wire = || InterceptedService::new(channel.clone(), headers.clone());
        Ok(Self {
            workflows: WorkflowServiceClient::new(wire())
                .max_decoding_message_size(ANSWER_BYTES_MAX)
                .accept_compressed(Gzip),
            operator: OperatorServiceClient::new(wire()),
            health: HealthClient::new(wire()),
            namespace: connection.namespace,
            identity: connection.identity,
            printer: options.printer(),
            time_format: options.time_format(),
            shorthand: options.shorthand(),
        })
    }

    /// A message as JSON, with payloads in shorthand unless that was not wanted.
    pub(crate) fn json<M: Message + Name>(&self, message: &M) -> anyhow::Result<Value> {
        if self.shorthand {
            json::short(message)
        } else {
            Ok(serde_json::to_value(json::raw(message)?)?)
        }
    }
}

/// Names a run; an empty run id is the current one.
pub(crate) fn execution(workflow_id: &str, run_id: Option<&str>) -> WorkflowExecution {
    WorkflowExecution {
        workflow_id: workflow_id.to_owned(),
        run_id: run_id.unwrap_or_default().to_owned(),
    }
}

/// The headers of every request.
#[derive(Clone, Debug)]
pub(crate) struct Headers(MetadataMap);

impl Headers {
    fn of(connection: &Connection) -> anyhow::Result<Self> {
        let mut map = MetadataMap::new();
        let bearer = connection
            .api_key
            .as_ref()
            .map(|key| ("authorization".to_owned(), format!("Bearer {key}")));
        let own = [
            ("client-name".to_owned(), "cairn-cli".to_owned()),
            (
                "client-version".to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            ),
            (
                "temporal-namespace".to_owned(),
                connection.namespace.clone(),
            ),
        ];
        for (name, value) in own
            .into_iter()
            .chain(bearer)
            .chain(connection.headers.clone())
        {
            let key: AsciiMetadataKey = name
                .parse()
                .with_context(|| format!("{name:?} is not the name of a header"))?;
            let value: AsciiMetadataValue = value
                .parse()
                .with_context(|| format!("the value of the header {name} is not plain text"))?;
            map.insert(key, value);
        }
        Ok(Self(map))
    }
}

impl Interceptor for Headers {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .as_mut()
            .extend(self.0.clone().into_headers());
        Ok(request)
    }
}

async fn channel(connection: &Connection) -> anyhow::Result<Channel> {
    let Connection { address, tls, .. } = connection;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
        .with_context(|| format!("{address:?} is not HOST:PORT"))?
        .connect_timeout(connection.connect_timeout)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(15));
    if let Some(tls) = tls {
        endpoint = endpoint.tls_config(tls_config(tls)?)?;
    }
    endpoint
        .connect()
        .await
        .with_context(|| format!("no server answers at {address}"))
}

fn tls_config(tls: &Tls) -> anyhow::Result<ClientTlsConfig> {
    let mut config = ClientTlsConfig::new();
    config = match &tls.ca {
        Some(ca) => config.ca_certificate(Certificate::from_pem(ca)),
        None => config.with_native_roots(),
    };
    config = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => config.identity(Identity::from_pem(cert, key)),
        (None, None) => config,
        _ => anyhow::bail!("a client certificate needs its key, and a key its certificate"),
    };
    Ok(match &tls.server_name {
        Some(name) => config.domain_name(name),
        None => config,
    })
}
