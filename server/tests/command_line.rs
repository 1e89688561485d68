//! The command line as a person meets it: help, versions, configuration, and mistakes that are explained.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

use std::path::Path;
use std::process::{Command, Output};

fn cairn(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cairn"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(folder)
        .output()
        .expect("the binary was built for this test")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_version_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let output = cairn(folder.path(), &["--version"], &[]);
    assert!(output.status.success());
    assert_eq!(
        out(&output).trim(),
        concat!("cairn ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn help_names_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let help = out(&cairn(folder.path(), &["--help"], &[]));
    for command in [
        "server",
        "config",
        "workflow",
        "operator",
        "task-queue",
        "verify",
    ] {
        assert!(help.contains(command), "{command} is not in {help}");
    }
    let help = out(&cairn(
        folder.path(),
        &["server", "start-dev", "--help"],
        &[],
    ));
    for flag in [
        "--db-filename",
        "--namespace",
        "--port",
        "--http-port",
        "--metrics-port",
        "--ui-port",
        "--headless",
        "--ip",
        "--ui-ip",
        "--ui-public-path",
        "--ui-codec-endpoint",
        "--ui-asset-path",
        "--sqlite-pragma",
        "--dynamic-config-value",
        "--log-config",
        "--log-level",
        "--log-format",
        "--search-attribute",
    ] {
        assert!(help.contains(flag), "{flag} is not in {help}");
    }
}

#[test]
fn config_print_says_who_said_what() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("c.toml"),
        "[server.grpc]\nport = 1\n[database]\nurl = 'postgres://me:secret@db/cairn'\n",
    )
    .unwrap();
    let printed = cairn(
        folder.path(),
        &[
            "config", "print", "--source", "-c", "c.toml", "--ip", "0.0.0.0",
        ],
        &[("CAIRN__SERVER__GRPC__PORT", "2")],
    );
    assert_eq!(
        out(&printed),
        "database.url = \"postgres://me:***@db/cairn\"  # file c.toml\n\
         server.grpc.port = 2  # environment CAIRN__SERVER__GRPC__PORT\n\
         server.ip = \"0.0.0.0\"  # flag --ip\n"
    );
    let effective = cairn(folder.path(), &["config", "print", "--effective"], &[]);
    assert!(out(&effective).contains("server.grpc.port = 7233\n"));
    // What is printed can be used as a file.
    std::fs::write(folder.path().join("again.toml"), out(&effective)).unwrap();
    let again = cairn(
        folder.path(),
        &["config", "print", "--effective", "-c", "again.toml"],
        &[],
    );
    assert_eq!(out(&again), out(&effective));
}

#[test]
fn mistakes_in_configuration_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("c.toml"), "[server.grcp]\nport = 1\n").unwrap();
    let file = cairn(folder.path(), &["server", "-c", "c.toml"], &[]);
    assert_eq!(file.status.code(), Some(1));
    assert!(err(&file).contains("c.toml"), "{}", err(&file));
    assert!(err(&file).contains("line 1"), "{}", err(&file));
    assert!(err(&file).contains("grcp"), "{}", err(&file));
    let variable = cairn(
        folder.path(),
        &["server"],
        &[("CAIRN__SERVER__GRPC__PORT", "many")],
    );
    assert_eq!(variable.status.code(), Some(1));
    assert!(err(&variable).contains("CAIRN__SERVER__GRPC__PORT"));
    let missing = cairn(folder.path(), &["server", "-c", "none.toml"], &[]);
    assert!(err(&missing).contains("none.toml"));
}

#[test]
fn a_port_that_is_taken_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = cairn(folder.path(), &["server", "start-dev", "-p", &port], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("in use"), "{}", err(&output));
    assert!(err(&output).contains("--port"), "{}", err(&output));
}

#[test]
fn a_wrong_flag_is_exit_code_2_and_an_absent_server_1() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = cairn(folder.path(), &["workflow", "start", "--bogus"], &[]);
    assert_eq!(wrong.status.code(), Some(2));
    // A port that was free a moment ago, and at which nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let absent = cairn(
        folder.path(),
        &["workflow", "list"],
        &[("TEMPORAL_ADDRESS", &format!("127.0.0.1:{port}"))],
    );
    assert_eq!(absent.status.code(), Some(1));
    assert!(
        err(&absent).contains("no server answers"),
        "{}",
        err(&absent)
    );
}
