//! The worker: polls in flight on the normal and the sticky queue, one small task for each task that comes.
//!
//! Deliberately absent: slots. What is in flight is bounded by the workflows that the starter keeps open.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use cairn_proto::temporal::api::enums::v1::TaskQueueKind;
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;
use cairn_proto::temporal::api::workflowservice::v1::{
    PollActivityTaskQueueResponse, PollWorkflowTaskQueueResponse,
};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::Status;

use super::client::{Client, Completion, queue, sticky};
use super::program::{Milestone, Program, Progress};
use super::stats::Latencies;

/// A poll that failed is not repeated at once: the server may be restarting.
const AFTER_FAILURE: Duration = Duration::from_millis(50);

/// Polls until it is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    shared: Arc<Shared>,
    _polls: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    queue: String,
    sticky: String,
    program: Program,
    runs: Mutex<HashMap<String, Progress>>,
    waiting: Mutex<HashMap<String, (Milestone, oneshot::Sender<()>)>>,
    lag: Mutex<Latencies>,
    tally: Tally,
}

/// What the worker has done.
#[derive(Debug, Default)]
struct Tally {
    workflow_tasks: AtomicU64,
    completed: AtomicU64,
    failures: AtomicU64,
    last_failure: Mutex<Option<String>>,
}

impl Worker {
    /// Starts `pollers` polls on each queue that `program` needs.
    pub(crate) fn start(
        client: &Client,
        queue_name: &str,
        program: Program,
        pollers: usize,
    ) -> Self {
        let shared = Arc::new(Shared {
            client: client.clone(),
            queue: queue_name.to_owned(),
            sticky: format!("{queue_name}-sticky"),
            program,
            runs: Mutex::default(),
            waiting: Mutex::default(),
            lag: Mutex::new(Latencies::new()),
            tally: Tally::default(),
        });
        let mut polls = JoinSet::new();
        for _ in 0..pollers {
            let normal = queue(&shared.queue, TaskQueueKind::Normal);
            polls.spawn(poll_workflow_tasks(shared.clone(), normal));
            let own = sticky(&shared.sticky, &shared.queue);
            polls.spawn(poll_workflow_tasks(shared.clone(), own));
            if program.has_activities() {
                polls.spawn(poll_activity_tasks(shared.clone()));
            }
        }
        Self {
            shared,
            _polls: polls,
        }
    }

    pub(crate) fn queue(&self) -> &str {
        &self.shared.queue
    }

    /// Ready when the workflow has reached the milestone. Must be asked for before it can be reached.
    pub(crate) fn reaches(&self, workflow_id: &str, milestone: Milestone) -> oneshot::Receiver<()> {
        let (reached, waiting) = oneshot::channel();
        let mut waiters = self.shared.waiting.lock();
        waiters.insert(workflow_id.to_owned(), (milestone, reached));
        waiting
    }

    /// Works on a task that came with the answer to a start.
    pub(crate) fn take(&self, task: PollWorkflowTaskQueueResponse) {
        tokio::spawn(work(self.shared.clone(), task));
    }

    /// Workflows whose completion was accepted.
    pub(crate) fn completed(&self) -> u64 {
        self.shared.tally.completed.load(Ordering::Relaxed)
    }

    pub(crate) fn workflow_tasks(&self) -> u64 {
        self.shared.tally.workflow_tasks.load(Ordering::Relaxed)
    }

    /// How many calls of the worker failed, and how the last one did.
    pub(crate) fn failures(&self) -> (u64, Option<String>) {
        let tally = &self.shared.tally;
        let failures = tally.failures.load(Ordering::Relaxed);
        (failures, tally.last_failure.lock().clone())
    }

    /// How late sleepers were woken, from the moment they had asked for to the answer that completes them.
    pub(crate) fn lag(&self) -> Latencies {
        self.shared.lag.lock().clone()
    }
}

impl Shared {
    fn failed(&self, status: &Status) {
        self.tally.failures.fetch_add(1, Ordering::Relaxed);
        let text = format!("{:?}: {}", status.code(), status.message());
        *self.tally.last_failure.lock() = Some(text);
    }

    fn reached(&self, workflow_id: &str, milestone: Milestone) {
        if milestone == Milestone::Completed {
            self.tally.completed.fetch_add(1, Ordering::Relaxed);
            if let Program::Sleep { until } = self.program {
                let lag = SystemTime::now().duration_since(until);
                self.lag.lock().add(lag.unwrap_or_default());
            }
        }
        let mut waiting = self.waiting.lock();
        let awaited = waiting
            .get(workflow_id)
            .is_some_and(|(m, _)| *m == milestone);
        if let Some((_, reached)) = awaited.then(|| waiting.remove(workflow_id)).flatten() {
            // The starter may have given up.
            let _ = reached.send(());
        }
    }
}

async fn poll_workflow_tasks(shared: Arc<Shared>, polled: TaskQueue) {
    loop {
        match shared.client.poll_workflow_task(polled.clone()).await {
            Ok(Some(task)) => drop(tokio::spawn(work(shared.clone(), task))),
            Ok(None) => {}
            Err(status) => {
                shared.failed(&status);
                sleep(AFTER_FAILURE).await;
            }
        }
    }
}

async fn poll_activity_tasks(shared: Arc<Shared>) {
    loop {
        match shared.client.poll_activity_task(&shared.queue).await {
            Ok(Some(task)) => drop(tokio::spawn(act(shared.clone(), task))),
            Ok(None) => {}
            Err(status) => {
                shared.failed(&status);
                sleep(AFTER_FAILURE).await;
            }
        }
    }
}

/// One workflow task, and those that come with its answer.
async fn work(shared: Arc<Shared>, mut task: PollWorkflowTaskQueueResponse) {
    loop {
        match step(&shared, task).await {
            Ok(Some(next)) => task = next,
            Ok(None) => return,
            Err(status) => return shared.failed(&status),
        }
    }
}

async fn step(
    shared: &Arc<Shared>,
    mut task: PollWorkflowTaskQueueResponse,
) -> Result<Option<PollWorkflowTaskQueueResponse>, Status> {
    let execution = task.workflow_execution.take().unwrap_or_default();
    let run = execution.run_id;
    let known = shared.runs.lock().remove(&run);
    let events = match events(&mut task, known.is_some()) {
        Some(events) => events,
        None => shared.client.history(&execution.workflow_id).await?,
    };
    let mut progress = known.unwrap_or_default();
    let decision = progress.decide(shared.program, &events, &shared.queue, SystemTime::now());
    // Before the answer: the next task may come through a poll while the answer to this one is on its way.
    if decision.milestone != Some(Milestone::Completed) {
        shared.runs.lock().insert(run.clone(), progress);
    }
    let completion = Completion {
        task_token: task.task_token,
        commands: decision.commands,
        sticky: &shared.sticky,
        normal: &shared.queue,
        another: decision.another,
    };
    let answer = shared.client.complete_workflow_task(completion).await;
    if answer.is_err() {
        shared.runs.lock().remove(&run);
    }
    let answer = answer?;
    shared.tally.workflow_tasks.fetch_add(1, Ordering::Relaxed);
    if let Some(milestone) = decision.milestone {
        shared.reached(&execution.workflow_id, milestone);
    }
    for eager in answer.activity_tasks {
        tokio::spawn(act(shared.clone(), eager));
    }
    Ok(answer
        .workflow_task
        .filter(|next| !next.task_token.is_empty()))
}

/// The events of a task, if they are enough: those of a known run go on, those of an unknown one begin at 1.
fn events(task: &mut PollWorkflowTaskQueueResponse, known: bool) -> Option<Vec<HistoryEvent>> {
    let events = task.history.take().unwrap_or_default().events;
    let from_start = events.first().is_some_and(|event| event.event_id == 1);
    (task.next_page_token.is_empty() && (known || from_start)).then_some(events)
}

async fn act(shared: Arc<Shared>, task: PollActivityTaskQueueResponse) {
    let answer = shared.client.complete_activity_task(task.task_token).await;
    if let Err(status) = answer {
        shared.failed(&status);
    }
}
