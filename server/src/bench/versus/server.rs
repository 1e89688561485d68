//! A server process of ours: started on a free loopback port, killed when dropped.
//!
//! Deliberately absent: any knowledge of which of the two it is.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use crate::bench::args::Args;
use crate::bench::client::Client;

const READY: Duration = Duration::from_secs(30);
const STOPPED: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);
const LAST_WORDS: usize = 2_000;

/// Limits that a development server sets for its own protection would be all that is measured. Both sides get the same list;
/// keys a server does not know do nothing there.
const UNLIMITED: [&str; 24] = [
    "frontend.rps",
    "frontend.globalRPS",
    "frontend.namespaceRPS",
    "frontend.globalNamespaceRPS",
    "frontend.namespaceRPS.visibility",
    "frontend.globalNamespaceRPS.visibility",
    "frontend.namespaceCount",
    "frontend.persistenceMaxQPS",
    "history.rps",
    "history.namespaceRPS",
    "history.persistenceMaxQPS",
    "history.persistenceNamespaceMaxQPS",
    "history.persistencePerShardNamespaceMaxQPS",
    "history.transferProcessorMaxPollRPS",
    "history.transferProcessorMaxPollHostRPS",
    "history.timerProcessorMaxPollRPS",
    "history.timerProcessorMaxPollHostRPS",
    "history.visibilityProcessorMaxPollRPS",
    "history.visibilityProcessorMaxPollHostRPS",
    "matching.rps",
    "matching.namespaceRPS",
    "matching.persistenceMaxQPS",
    "system.visibilityPersistenceMaxReadQPS",
    "system.visibilityPersistenceMaxWriteQPS",
];
const LIMIT: u32 = 200_000;

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    binary: PathBuf,
    options: Vec<String>,
    file: PathBuf,
    ports: Ports,
    child: Child,
}

impl Server {
    pub(crate) fn start(binary: &Path, options: &[String], file: &Path) -> anyhow::Result<Self> {
        let ports = Ports::free()?;
        Ok(Self {
            binary: binary.to_owned(),
            options: options.to_owned(),
            file: file.to_owned(),
            ports,
            child: spawn(binary, options, file, ports)?,
        })
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.grpc)
    }

    pub(crate) fn metrics(&self) -> String {
        format!("127.0.0.1:{}", self.ports.metrics)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Its version, once it answers for the namespace.
    pub(crate) async fn ready(&mut self, args: &Args) -> anyhow::Result<String> {
        let client = Client::new(&self.address(), 1, &args.namespace)?;
        let began = Instant::now();
        while began.elapsed() < READY && self.is_alive() {
            if let Ok(version) = client.version().await {
                return Ok(version);
            }
            sleep(LOOK).await;
        }
        bail!(
            "{} does not answer: {}",
            self.binary.display(),
            self.last_words()
        )
    }

    /// Ends it in the middle of whatever it is doing and starts it again on the same file and port.
    pub(crate) fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.child = spawn(&self.binary, &self.options, &self.file, self.ports)?;
        Ok(())
    }

    /// Asks it to end, and makes it.
    pub(crate) async fn stop(&mut self) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.is_alive()) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::INT);
        }
        let began = Instant::now();
        while self.is_alive() && began.elapsed() < STOPPED {
            sleep(LOOK).await;
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The end of what it printed.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read(printed(&self.file)).unwrap_or_default();
        let end = &text[text.len().saturating_sub(LAST_WORDS)..];
        format!("it printed: …{}", String::from_utf8_lossy(end))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(binary: &Path, options: &[String], file: &Path, ports: Ports) -> anyhow::Result<Child> {
    let output = File::options()
        .create(true)
        .append(true)
        .open(printed(file))?;
    let limits = UNLIMITED.iter().flat_map(|key| {
        let value = format!("{key}={LIMIT}");
        ["--dynamic-config-value".to_owned(), value]
    });
    Command::new(binary)
        .args(["server", "start-dev", "--headless", "--ip", "127.0.0.1"])
        .args(["--log-level", "error"])
        .args(["--port", &ports.grpc.to_string()])
        .args(["--metrics-port", &ports.metrics.to_string()])
        .arg("--db-filename")
        .arg(file)
        .args(limits)
        .args(options)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .with_context(|| format!("{} cannot be started", binary.display()))
}

fn printed(file: &Path) -> PathBuf {
    file.with_extension("log")
}

/// The same after a restart, so that the client finds the server again.
#[derive(Clone, Copy, Debug)]
struct Ports {
    grpc: u16,
    metrics: u16,
}

impl Ports {
    /// Somebody else may take them before the server does; then the server says so.
    fn free() -> anyhow::Result<Self> {
        let (grpc, metrics) = (
            TcpListener::bind("127.0.0.1:0")?,
            TcpListener::bind("127.0.0.1:0")?,
        );
        Ok(Self {
            grpc: grpc.local_addr()?.port(),
            metrics: metrics.local_addr()?.port(),
        })
    }
}
