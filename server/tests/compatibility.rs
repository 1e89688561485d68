//! `COMPATIBILITY.md` tells the truth: it has one row per public RPC, and exactly those marked `not` are answered UNIMPLEMENTED
//! by a running server. How well a built RPC behaves is the business of the differential tests.

use std::collections::BTreeMap;
use std::time::Duration;

use prost_reflect::DescriptorPool;
use support::Server;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Request, Status};

mod support;

const SERVICES: [&str; 2] = [
    "temporal.api.workflowservice.v1.WorkflowService",
    "temporal.api.operatorservice.v1.OperatorService",
];

#[tokio::test]
async fn every_rpc_has_a_row_that_the_running_server_confirms() {
    let rows = rows();
    let server = Server::start();
    let mut wrong = Vec::new();
    for path in methods() {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let implemented = server_knows(&server, &path).await;
        match rows.get(&name).map(String::as_str) {
            None => wrong.push(format!("{name}: no row")),
            Some("not") if implemented => {
                wrong.push(format!("{name}: the row says not, the server answers"));
            }
            Some("done" | "partly") if !implemented => {
                wrong.push(format!("{name}: the row says built, UNIMPLEMENTED"));
            }
            Some("done" | "partly" | "not") => {}
            Some(other) => wrong.push(format!("{name}: unknown state {other}")),
        }
    }
    let known: Vec<_> = methods()
        .iter()
        .filter_map(|path| path.rsplit('/').next().map(str::to_owned))
        .collect();
    wrong.extend(
        rows.keys()
            .filter(|name| !known.contains(name))
            .map(|name| format!("{name}: no such RPC")),
    );
    assert!(
        wrong.is_empty(),
        "COMPATIBILITY.md is wrong:\n{}",
        wrong.join("\n")
    );
}

/// RPC → state, from the tables of the document.
fn rows() -> BTreeMap<String, String> {
    let text = include_str!("../../COMPATIBILITY.md");
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        if let ["", rpc, state, ..] = cells.as_slice()
            && let Some(rpc) = rpc.strip_prefix('`').and_then(|rpc| rpc.strip_suffix('`'))
        {
            assert!(
                rows.insert(rpc.to_owned(), (*state).to_owned()).is_none(),
                "{rpc} has two rows"
            );
        }
    }
    rows
}

fn methods() -> Vec<String> {
    let pool = DescriptorPool::decode(cairn_proto::DESCRIPTORS)
        .expect("the published descriptor is whole");
    pool.services()
        .filter(|service| SERVICES.contains(&service.full_name()))
        .flat_map(|service| {
            service
                .methods()
                .map(|method| format!("/{}/{}", service.full_name(), method.name()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// An empty request is enough to tell a method that is built from one that is not.
async fn server_knows(server: &Server, path: &str) -> bool {
    let mut client = tonic::client::Grpc::new(server.channel().await);
    client.ready().await.expect("the server is up");
    let mut request = Request::new(());
    request.set_timeout(Duration::from_secs(3));
    let path = path.parse().expect("a method's path is a path");
    match client.unary(request, path, Empty).await {
        Ok(_) => true,
        Err(status) => status.code() != Code::Unimplemented,
    }
}

/// Sends an empty message and does not look at the answer.
#[derive(Clone, Copy)]
struct Empty;

impl Codec for Empty {
    type Encode = ();
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Empty {
    type Item = ();
    type Error = Status;

    fn encode(&mut self, (): (), _: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Ok(())
    }
}

impl Decoder for Empty {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        use prost::bytes::Buf;
        source.advance(source.remaining());
        Ok(Some(()))
    }
}
