//! The internal port: where it is opened, who may reach it, and under which name.
//!
//! Only a PostgreSQL database has more than one node. What is served there is the engine's business.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::{Context, bail};
use cairn_frontend::engine::{Cluster, Tls};

use super::bind;
use crate::config::{Config, Internal, Url};

/// Opens the port, if the database can have other nodes. The gRPC port is open already.
pub(super) async fn open(config: &Config, grpc_port: u16) -> anyhow::Result<Option<Cluster>> {
    let Url::Postgres(_) = config.database.url else {
        return Ok(None);
    };
    let server = &config.server;
    let tls = tls(&server.internal)?;
    if tls.is_none() && !server.internal.insecure && !server.ip.is_loopback() {
        bail!(
            "whoever reaches the internal port may do everything, and {} can be reached by others: \
             set server.internal.ca, cert and key, or server.internal.insecure = true",
            server.ip
        );
    }
    let listener = bind(server.internal_address(), "internal", "--internal-port").await?;
    let port = listener.local_addr()?.port();
    let address = advertised(&server.internal.address, server.ip, port)?;
    let node = if server.node.is_empty() {
        // No other process can have both at the same time, and this one has them again when it comes back.
        advertised(&server.internal.address, server.ip, grpc_port)?
    } else {
        server.node.clone()
    };
    Ok(Some(Cluster {
        node,
        address,
        listener,
        tls,
    }))
}

/// Where other nodes reach the port.
fn advertised(host: &str, ip: IpAddr, port: u16) -> anyhow::Result<String> {
    if !host.is_empty() {
        return Ok(match host.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, port).to_string(),
            Err(_) => format!("{host}:{port}"),
        });
    }
    if ip.is_unspecified() {
        bail!(
            "server.internal.address must say where other nodes reach this one: {ip} is every address"
        );
    }
    Ok(SocketAddr::new(ip, port).to_string())
}

fn tls(internal: &Internal) -> anyhow::Result<Option<Tls>> {
    let files = [&internal.ca, &internal.cert, &internal.key];
    if files.iter().all(|file| file.as_os_str().is_empty()) {
        return Ok(None);
    }
    Ok(Some(Tls {
        ca: read("server.internal.ca", &internal.ca)?,
        certificate: read("server.internal.cert", &internal.cert)?,
        key: read("server.internal.key", &internal.key)?,
    }))
}

fn read(setting: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    if path.as_os_str().is_empty() {
        bail!("{setting} is not set: authority, certificate and key go together");
    }
    std::fs::read(path).with_context(|| format!("{setting} {} is unreadable", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_says_where_it_is_reached() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let every = IpAddr::from([0, 0, 0, 0]);
        let said = |host: &str, ip| advertised(host, ip, 7).map_err(|error| error.to_string());
        assert_eq!(said("", loopback).unwrap(), "127.0.0.1:7");
        assert_eq!(said("node-1.cairn", every).unwrap(), "node-1.cairn:7");
        assert_eq!(said("fd00::1", every).unwrap(), "[fd00::1]:7");
        assert!(said("", every).unwrap_err().contains("every address"));
    }

    #[tokio::test]
    async fn a_port_that_others_reach_wants_certificates() {
        let mut config = Config::default();
        config.database.url = Url::Postgres("postgres://nowhere".to_owned());
        config.server.ip = [0, 0, 0, 0].into();
        config.server.internal.address = "localhost".to_owned();
        let refused = open(&config, 7).await.unwrap_err().to_string();
        assert!(refused.contains("server.internal.ca"), "{refused}");
        config.server.internal.ca = "ca.pem".into();
        let refused = open(&config, 7).await.unwrap_err().to_string();
        assert!(refused.contains("ca.pem"), "{refused}");
        config.server.internal.ca = "".into();
        config.server.internal.insecure = true;
        let opened = open(&config, 7).await.unwrap().unwrap();
        assert_eq!(opened.node, "localhost:7");
        config.database.url = Url::Memory;
        assert!(open(&config, 7).await.unwrap().is_none());
    }
}
