//! One long random script on the model and on a database, which must agree on every answer.
//!
//! `cargo run -p cairn-history --features conformance --example conformance -- --store sqlite --operations 1000000 --seed 1`,
//! or `--store postgres --url postgres://…` with an empty database. What an operation is, `script::agree_on` says. Deliberately absent: speed;
//! SQLite does not sync here.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::process::ExitCode;
use std::time::Instant;

use cairn_history::log::Store;
use cairn_history::log::conformance::script;
use cairn_history::log::model::{self, Model};
use cairn_history::log::postgres::{self, Postgres};
use cairn_history::log::sqlite::{self, Sqlite};

const USAGE: &str = "--store sqlite|postgres [--url postgres://…] [--operations N] [--seed N]";

/// How often the progress is told, in operations.
const TOLD: u64 = 50_000;

struct Options {
    store: String,
    url: String,
    operations: u64,
    seed: u64,
}

fn options(mut words: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options {
        store: "sqlite".to_owned(),
        url: String::new(),
        operations: 1_000_000,
        seed: 1,
    };
    while let Some(flag) = words.next() {
        let value = words.next()?;
        match flag.as_str() {
            "--store" => options.store = value,
            "--url" => options.url = value,
            "--operations" => options.operations = value.parse().ok()?,
            "--seed" => options.seed = value.parse().ok()?,
            _ => return None,
        }
    }
    Some(options)
}

async fn open(options: &Options) -> Option<Box<dyn Store>> {
    let opened = match options.store.as_str() {
        "sqlite" => {
            Sqlite::open(&sqlite::Options::memory()).map(|store| Box::new(store) as Box<dyn Store>)
        }
        "postgres" => Postgres::connect(&options.url, &postgres::Options::default())
            .await
            .map(|store| Box::new(store) as Box<dyn Store>),
        _ => return None,
    };
    opened
        .inspect_err(|error| println!("the database did not open: {error}"))
        .ok()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(options) = options(std::env::args().skip(1)) else {
        println!("{USAGE}");
        return ExitCode::from(2);
    };
    let Some(store) = open(&options).await else {
        println!("{USAGE}");
        return ExitCode::from(2);
    };
    let model = Model::with(model::Options {
        shards: store.shards(),
        ..model::Options::default()
    });
    let began = Instant::now();
    let mut next = TOLD;
    let progress = |done: u64| {
        if done >= next {
            println!("{done} operations, {} s", began.elapsed().as_secs());
            next += TOLD;
        }
    };
    // A difference panics, and says in which step.
    let done = script::agree_on(options.seed, options.operations, &model, &*store, progress).await;
    println!("{done} operations, equal");
    ExitCode::SUCCESS
}
