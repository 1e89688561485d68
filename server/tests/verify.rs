//! `cairn verify` as a person meets it: exit codes, what is printed, a database that a server has, and the scan of the server itself.
//!
//! Deliberately absent: what is a violation; that is tested where it is judged.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use rusqlite::Connection;

fn cairn(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
    command.env_clear().current_dir(folder);
    command
}

fn verify(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = cairn(folder)
        .arg("verify")
        .args(arguments)
        .output()
        .unwrap();
    (
        status.code(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

/// A server on `served.db`, which is killed when it is dropped.
struct Served {
    process: Child,
    log: BufReader<ChildStderr>,
    folder: Option<tempfile::TempDir>,
    metrics: u16,
}

impl Served {
    fn start(folder: tempfile::TempDir, variables: &[(&str, &str)]) -> Self {
        let metrics = free_port();
        let mut process = cairn(folder.path())
            .args(["server", "--database", "served.db", "--port", "0"])
            .args(["--metrics-port", &metrics.to_string()])
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let mut served = Self {
            process,
            log,
            folder: Some(folder),
            metrics,
        };
        served.logs("server.started");
        served
    }

    /// Returns when the server has logged this.
    fn logs(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).unwrap();
            assert!(read > 0, "the server has ended without {text}");
            if line.contains(text) {
                return line;
            }
        }
    }

    fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    fn page(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.metrics)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }

    fn kill(mut self) -> tempfile::TempDir {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.folder.take().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A test that failed leaves no server behind; one that was killed already is no error.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Registers of two runs that are not there.
fn leave_orphans(database: &Path) {
    let database = Connection::open(database).unwrap();
    for run in [[1_u8; 16], [2; 16]] {
        let insert =
            "INSERT INTO heartbeats (run, scheduled_event_id, details) VALUES (?1, 5, X'00')";
        database.execute(insert, [run]).unwrap();
    }
}

#[test]
fn a_database_is_checked_while_a_server_has_it_and_after_it_was_killed() {
    let served = Served::start(tempfile::tempdir().unwrap(), &[]);
    let clean = (Some(0), true);
    let short = |(code, out, _): (Option<i32>, String, String)| {
        (code, out.starts_with("0 violations in 0 runs"))
    };
    let arguments = ["--database", "served.db"];
    assert_eq!(short(verify(served.folder(), &arguments)), clean);
    let folder = served.kill();
    assert_eq!(short(verify(folder.path(), &arguments)), clean);
    leave_orphans(&folder.path().join("served.db"));
    let (code, out, _) = verify(folder.path(), &arguments);
    assert_eq!(code, Some(1), "{out}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert!(
        lines[0].starts_with("I-18 run 01010101-0101-0101-0101-010101010101: "),
        "{out}"
    );
    assert!(lines[2].starts_with("2 violations in 0 runs"), "{out}");
    // Programs get the same, and the configuration says where the database is.
    std::fs::write(folder.path().join("c.toml"), "database.url = 'served.db'").unwrap();
    let (code, out, _) = verify(folder.path(), &["-c", "c.toml", "-o", "json"]);
    assert_eq!(code, Some(1), "{out}");
    let values: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(values[1]["invariant"], "I-18");
    assert_eq!(values[1]["runId"], "02020202-0202-0202-0202-020202020202");
    assert_eq!(
        (&values[2]["violations"], &values[2]["complete"]),
        (&2.into(), &true.into())
    );
}

#[test]
fn a_check_goes_on_where_it_was() {
    let folder = Served::start(tempfile::tempdir().unwrap(), &[]).kill();
    leave_orphans(&folder.path().join("served.db"));
    let position = folder.path().join("position");
    let stored = r#"{"run":"01010101-0101-0101-0101-010101010101","runs":7,"records":0,"events":0,"violations":1}"#;
    std::fs::write(&position, stored).unwrap();
    let arguments = ["--database", "served.db", "--resume", "position"];
    let (code, out, _) = verify(folder.path(), &arguments);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.starts_with("I-18 run 02020202"), "{out}");
    assert!(out.contains("\n2 violations in 7 runs"), "{out}");
    assert!(!position.exists());
}

#[test]
fn a_check_that_is_interrupted_keeps_its_position() {
    let folder = Served::start(tempfile::tempdir().unwrap(), &[]).kill();
    leave_orphans(&folder.path().join("served.db"));
    let mut process = cairn(folder.path())
        .args([
            "verify",
            "--database",
            "served.db",
            "--resume",
            "position",
            "--rate",
            "1",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(process.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    let pid = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(2));
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(
        rest.contains("1 violations") && rest.contains("not to the end"),
        "{rest}"
    );
    let (code, out, _) = verify(
        folder.path(),
        &["--database", "served.db", "--resume", "position"],
    );
    assert_eq!(code, Some(1), "{out}");
    assert!(out.starts_with("I-18 run 02020202"), "{out}");
}

#[test]
fn what_cannot_be_read_is_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = verify(folder.path(), &["--database", "none.db"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("none.db"), "{err}");
    assert!(!folder.path().join("none.db").exists());
    std::fs::write(folder.path().join("text.db"), "not a database at all").unwrap();
    let (code, _, err) = verify(folder.path(), &["--database", "text.db"]);
    assert_eq!(code, Some(2), "{err}");
    let (code, _, err) = verify(folder.path(), &["--database", ":memory:"]);
    assert_eq!(code, Some(2), "{err}");
}

#[test]
fn a_server_counts_what_its_own_scan_finds() {
    let folder = Served::start(tempfile::tempdir().unwrap(), &[]).kill();
    leave_orphans(&folder.path().join("served.db"));
    let mut served = Served::start(folder, &[("CAIRN__AUDIT__INTERVAL_SECONDS", "1")]);
    let line = served.logs("audit.violation");
    assert!(line.contains("I-18") && line.contains("01010101"), "{line}");
    served.logs("audit.ended");
    let metrics = served.page("/metrics");
    let counted = |invariant: &str| {
        let name = format!("invariant_violations_total{{invariant=\"{invariant}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.map(|count| count.parse::<u64>().unwrap())
    };
    assert!(counted("I-18") >= Some(2), "{metrics}");
    assert_eq!(counted("I-9"), Some(0), "{metrics}");
}
