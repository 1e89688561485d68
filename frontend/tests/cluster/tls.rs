//! Nodes that show each other certificates: their cluster lives, and nobody else is heard.

use std::sync::Arc;

use cairn_frontend::engine::Tls;
use cairn_proto::cairn::cluster::v1::LookRequest;
use cairn_proto::cairn::cluster::v1::cluster_service_client::ClusterServiceClient;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::Process;
use super::memory::database;

/// An authority, as PEM and with its key.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    /// What one more node has.
    fn node(&self) -> Tls {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Tls {
            ca: self.pem.clone().into_bytes(),
            certificate: certificate.pem().into_bytes(),
            key: key.serialize_pem().into_bytes(),
        }
    }
}

async fn is_heard(address: &str, tls: Option<ClientTlsConfig>) -> bool {
    let endpoint = match tls {
        Some(tls) => Endpoint::from_shared(format!("https://{address}"))
            .unwrap()
            .tls_config(tls)
            .unwrap(),
        None => Endpoint::from_shared(format!("http://{address}")).unwrap(),
    };
    let mut client = ClusterServiceClient::new(endpoint.connect_lazy());
    client.look(LookRequest::default()).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_lives_behind_certificates() {
    let authority = Authority::new();
    let (model, time) = database();
    super::live(|| Arc::new(model.beside()), || Some(authority.node())).await;
    time.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_certificate_is_not_heard() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (model, time) = database();
    let tls = Some(authority.node());
    let process = Process::start("one", Arc::new(model.beside()), tls).await;
    let trusting = |tls: &Tls| {
        let ca = Certificate::from_pem(&authority.pem);
        let identity = Identity::from_pem(&tls.certificate, &tls.key);
        ClientTlsConfig::new().ca_certificate(ca).identity(identity)
    };
    let anonymous = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&authority.pem));

    assert!(is_heard(&process.address, Some(trusting(&authority.node()))).await);
    assert!(!is_heard(&process.address, Some(trusting(&stranger.node()))).await);
    assert!(!is_heard(&process.address, Some(anonymous)).await);
    assert!(!is_heard(&process.address, None).await);

    process.engine.close().await;
    time.abort();
}
