//! A server of our own as a process of its own: started on a free port, stopped when dropped.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tonic::transport::{Channel, Endpoint};

#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// An in-memory development server, ready to answer.
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        let mut process = Command::new(env!("CARGO_BIN_EXE_cairn"))
            .args([
                "server",
                "start-dev",
                "--headless",
                "--ip",
                "127.0.0.1",
                "--port",
                &port.to_string(),
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary under test starts");
        // The first line is printed when the listener is open.
        let stdout = process.stdout.take().expect("stdout is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the server says that it is up");
        Self {
            process,
            address: format!("http://127.0.0.1:{port}"),
        }
    }

    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(self.address.clone()).expect("an address");
        endpoint.connect().await.expect("the server listens")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _status = self.process.wait();
    }
}
