//! The conformance suite, and faults.

use async_trait::async_trait;
use futures::executor::block_on;

use super::super::conformance::{Place, SCENARIOS};
use super::super::{Failure, Row, Store, Write};
use super::{Fault, Model};
use crate::id::{RunId, ShardId, Time};

struct InMemory(Model);

#[async_trait]
impl Place for InMemory {
    async fn open(&mut self) -> Box<dyn Store> {
        self.0 = self.0.crash();
        Box::new(self.0.clone())
    }
}

#[test]
fn the_store_conforms() {
    for (name, scenario) in SCENARIOS {
        println!("{name}");
        block_on(scenario(&mut InMemory(Model::new())));
    }
}
