//! Connections to other nodes, one each, made when first used.

use std::collections::HashMap;
use std::time::Duration;

use cairn_history::placement::View;
use parking_lot::Mutex;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::Tls;

const CONNECT_MAX: Duration = Duration::from_secs(1);
/// A node that hangs is given up after both of these: before the others find it dead, or soon after.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(2);
const KEEPALIVE_MAX: Duration = Duration::from_secs(2);
/// The largest message between nodes: an answer of history, or all that a shard offers at once.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 << 20;

pub(super) struct Peers {
    tls: Option<ClientTlsConfig>,
    channels: Mutex<HashMap<String, Channel>>,
}

impl Peers {
    pub(super) fn new(tls: Option<&Tls>) -> Self {
        let tls = tls.map(|tls| {
            ClientTlsConfig::new()
                .ca_certificate(Certificate::from_pem(&tls.ca))
                .identity(Identity::from_pem(&tls.certificate, &tls.key))
        });
        Self {
            tls,
            channels: Mutex::default(),
        }
    }

    /// The connection to an address; it connects when it is used, and again when it has broken.
    pub(super) fn channel(&self, address: &str) -> Result<Channel, tonic::transport::Error> {
        let mut channels = self.channels.lock();
        if let Some(channel) = channels.get(address) {
            return Ok(channel.clone());
        }
        let channel = self.endpoint(address)?.connect_lazy();
        channels.insert(address.to_owned(), channel.clone());
        Ok(channel)
    }

    fn endpoint(&self, address: &str) -> Result<Endpoint, tonic::transport::Error> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))?
            .connect_timeout(CONNECT_MAX)
            .http2_keep_alive_interval(KEEPALIVE_EVERY)
            .keep_alive_timeout(KEEPALIVE_MAX)
            .keep_alive_while_idle(true)
            .http2_adaptive_window(true)
            .tcp_nodelay(true);
        match &self.tls {
            Some(tls) => endpoint.tls_config(tls.clone()),
            None => Ok(endpoint),
        }
    }

    /// Connections to nodes that are not there any more are forgotten.
    pub(super) fn keep(&self, view: &View) {
        let is_there = |address: &String| view.nodes.iter().any(|node| node.address == *address);
        self.channels.lock().retain(|address, _| is_there(address));
    }
}
