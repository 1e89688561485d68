//! The conformance suite, the model as referee, and what is SQLite's own: locks, pragmas, checkpoints, plans.

use async_trait::async_trait;
use futures::executor::block_on;

use super::super::conformance::{Place, SCENARIOS, script};
use super::super::model::Model;
use super::super::{OpenError, Store};
use super::{Options, Sqlite};

struct InFolder(tempfile::TempDir);

impl InFolder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn options(&self) -> Options {
        Options::file(self.0.path().join("cairn.db"))
    }
}

#[async_trait]
impl Place for InFolder {
    async fn open(&mut self) -> Box<dyn Store> {
        Box::new(Sqlite::open(&self.options()).unwrap())
    }
}

#[test]
fn the_store_conforms() {
    for (name, scenario) in SCENARIOS {
        println!("{name}");
        block_on(scenario(&mut InFolder::new()));
    }
}

#[test]
fn the_model_agrees() {
    for seed in 0..4 {
        let (store, model) = (Sqlite::open(&Options::memory()).unwrap(), Model::new());
        block_on(script::agree(seed, script::steps(1_000), &model, &store));
    }
}
