//! As many workflows as the server can take, with a fixed number open at any time.
//!
//! Deliberately absent: a ramp. What a server does in its first seconds is kept out by a warm-up before the measurement.

use std::sync::Arc;

use tonic::Status;

use super::{Bench, Outcome};
use crate::bench::client::Start;
use crate::bench::measure::Meter;
use crate::bench::pace::{self, Limits};
use crate::bench::program::{Milestone, Program};
use crate::bench::worker::Worker;
use crate::bench::{client::Client, verify};

/// Starts workflows and waits until each has completed.
pub(crate) async fn run(bench: &Bench<'_>, program: Program, concurrency: usize) -> Outcome {
    within(bench, program, concurrency, bench.limits()).await
}

/// The same within other limits.
pub(crate) async fn within(
    bench: &Bench<'_>,
    program: Program,
    concurrency: usize,
    limits: Limits,
) -> Outcome {
    let starter = Starter::new(bench, program);
    let meter = Meter::start(bench.server);
    let one = starter.clone();
    let ran = pace::closed(limits, concurrency, move |number| {
        let starter = one.clone();
        async move { starter.to_completion(number).await }
    })
    .await;
    let cost = meter.read();
    let mut outcome = Outcome::new("workflows", &ran, ran.done.len() as u64, cost);
    if let Program::Activities { count: 2.., .. } = program {
        let activities = f64::from(super::FAN_OUT);
        outcome
            .more
            .insert("activities_per_second", outcome.per_second * activities);
    }
    starter.finish(outcome, &ran.done).await
}

/// Starts workflows of one program for one worker.
#[derive(Clone, Debug)]
pub(crate) struct Starter {
    client: Client,
    worker: Arc<Worker>,
    program: Program,
    eager: bool,
    observe: bool,
}

impl Starter {
    /// With a worker on a queue of its own.
    pub(crate) fn new(bench: &Bench<'_>, program: Program) -> Self {
        let pollers = bench.args.pollers;
        let worker = Worker::start(&bench.client, &Bench::queue(), program, pollers);
        Self {
            client: bench.client.clone(),
            worker: Arc::new(worker),
            program,
            eager: bench.args.eager,
            observe: bench.args.observe,
        }
    }

    /// Starts workflow `number` and waits until its completion is acknowledged, or seen in history.
    pub(crate) async fn to_completion(&self, number: u64) -> Result<(), Status> {
        if self.observe {
            let id = self.start(number).await?;
            self.client.close_event(&id).await?;
            return Ok(());
        }
        self.to_milestone(number, Milestone::Completed).await
    }

    /// Starts workflow `number` and waits until the worker has brought it there.
    pub(crate) async fn to_milestone(
        &self,
        number: u64,
        milestone: Milestone,
    ) -> Result<(), Status> {
        let reached = self.worker.reaches(&self.id(number), milestone);
        self.start(number).await?;
        reached
            .await
            .map_err(|_| Status::cancelled("the worker has stopped"))
    }

    /// Starts workflow `number`; nobody waits for it.
    pub(crate) async fn start(&self, number: u64) -> Result<String, Status> {
        let id = self.id(number);
        let start = Start {
            workflow_id: &id,
            queue: self.worker.queue(),
            eager: self.eager,
        };
        let answer = self.client.start(start).await?;
        if let Some(task) = answer.eager_workflow_task {
            self.worker.take(task);
        }
        Ok(id)
    }

    pub(crate) fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.worker.queue())
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    /// Checks the histories of the completed workflows.
    pub(crate) async fn finish(&self, outcome: Outcome, done: &[u64]) -> Outcome {
        let queue = self.worker.queue();
        let verified = verify::completed(&self.client, queue, self.program, done).await;
        Outcome {
            verified: Some(verified),
            ..outcome.with_worker(&self.worker)
        }
    }
}
