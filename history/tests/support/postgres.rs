//! A private PostgreSQL server: a cluster in a temporary folder, on a free port, that ends with its value.
//!
//! Takes the binaries from `CAIRN_POSTGRES_BIN`, else the newest under `/usr/lib/postgresql`, else those in the path.
//! PostgreSQL refuses to run as root, so root starts it as the user `postgres`.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    port: u16,
}

impl Cluster {
    /// Creates and starts a server with these settings on top of its defaults. Panics if that is not possible.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("cairn-postgres-")
            .tempdir()
            .unwrap();
        if is_root() {
            give_away(folder.path());
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let cluster = Self { folder, port };
        let data = cluster.data();
        succeed(program("initdb").arg("--pgdata").arg(&data).args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]));
        let mut text = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n"
        );
        for (name, value) in settings {
            writeln!(text, "{name} = '{value}'").unwrap();
        }
        let configuration = data.join("postgresql.auto.conf");
        std::fs::write(configuration, text).unwrap();
        cluster.run();
        cluster
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn control(&self, arguments: &[&str]) {
        let log = self.folder.path().join("log");
        succeed(
            program("pg_ctl")
                .arg("--pgdata")
                .arg(self.data())
                .arg("--log")
                .arg(log)
                .arg("--wait")
                .args(arguments),
        );
    }

    /// Starts it after [`Cluster::stop`].
    pub(crate) fn run(&self) {
        self.control(&["start"]);
    }

    /// Stops it as if it had crashed.
    pub(crate) fn stop(&self) {
        self.control(&["stop", "--mode=immediate"]);
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may have been stopped already.
        let mut stop = program("pg_ctl");
        stop.arg("--pgdata").arg(self.data());
        stop.args(["--wait", "--mode=immediate", "stop"]);
        drop(stop.stdout(Stdio::null()).stderr(Stdio::null()).status());
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn give_away(folder: &Path) {
    succeed(Command::new("chown").arg("postgres").arg(folder));
}

fn program(name: &str) -> Command {
    let path = binaries().join(name);
    if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(path);
        // The folder of the test may be closed to that user.
        command.current_dir("/");
        return command;
    }
    Command::new(path)
}

fn binaries() -> PathBuf {
    if let Some(folder) = std::env::var_os("CAIRN_POSTGRES_BIN") {
        return folder.into();
    }
    let version = |path: &PathBuf| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let newest = installed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .max_by_key(version);
    newest.map(|path| path.join("bin")).unwrap_or_default()
}

fn succeed(command: &mut Command) {
    let shown = format!("{command:?}");
    // pg_ctl leaves a server behind that would keep a pipe open.
    let ended = command.stdout(Stdio::null()).status();
    match ended {
        Ok(status) => assert!(status.success(), "{shown}: {status}"),
        Err(error) => panic!("{shown}: {error} (is PostgreSQL installed?)"),
    }
}
