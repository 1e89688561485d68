//! What can be asked of a workflow run, what it answers and why it refuses.
//!
//! Requests of the wire are destructured into these at the edge (`service/`), field by field. Payloads, failures and policies
//! keep their published form: they go into events as they are.

use std::collections::HashMap;
use std::time::Duration;

use cairn_proto::temporal::api::activity::v1::ActivityOptions;
use cairn_proto::temporal::api::common::v1::{
    Callback, Header, Link, Memo, MeteringMetadata, Payloads, Priority, RetryPolicy,
    SearchAttributes, WorkerVersionStamp,
};
use cairn_proto::temporal::api::deployment::v1::WorkerDeploymentOptions;
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::query::v1::{QueryRejected, WorkflowQuery, WorkflowQueryResult};
use cairn_proto::temporal::api::sdk::v1::{UserMetadata, WorkflowTaskCompletedMetadata};
use cairn_proto::temporal::api::update::v1 as update;
use cairn_proto::temporal::api::workflow::v1::{VersioningOverride, WorkflowExecutionOptions};
use cairn_proto::temporal::api::workflowservice::v1::{
    DescribeWorkflowExecutionResponse, PollActivityTaskQueueResponse, PollWorkflowTaskQueueResponse,
};

use super::command::Command;
use super::update::Message;
use crate::id::{RunId, Ticket, Time};
use crate::search_attribute::Registry;

/// A question about one run. `TimePassed` is not among them: see `Kind::wake`.
#[derive(Clone, Debug)]
pub enum Question {
    Start(Box<Start>),
    Signal(Signal),
    RequestCancel(RequestCancel),
    Terminate(Terminate),
    UpdateOptions(Box<UpdateOptions>),
    Pause(Pause),
    Unpause(Pause),
    /// End the run if it is open; then it goes.
    Delete,
    /// Of the current run: another one goes on from an earlier point of it, or of an older one.
    Reset(Box<Reset>),
    /// An older run was reset: this one goes on from there.
    ResetTo(RunId),
    StartWorkflowTask(StartTask),
    CompleteWorkflowTask(Box<CompleteWorkflowTask>),
    FailWorkflowTask(Box<FailWorkflowTask>),
    StartActivity(StartTask),
    CompleteActivity(ActivityToken, CompleteActivity),
    FailActivity(ActivityToken, Box<FailActivity>),
    CancelActivity(ActivityToken, CancelActivity),
    Heartbeat(ActivityToken, HeartbeatActivity),
    OperateActivities(Box<OperateActivities>),
    Query(Query),
    /// Whoever waited for this query has gone.
    ForgetQuery(Ticket),
    Update(Box<Update>),
    PollUpdate(PollUpdate),
    /// Starts a run with an update, or updates the one that is there.
    UpdateWithStart(Box<UpdateWithStart>),
    /// Whoever waits for an update with this ticket waits no longer.
    StopWaiting(Ticket),
    /// No worker polls the sticky queue: owe the workflow task on the normal queue. Volatile.
    StickyWorkerUnavailable,
    ResetSticky,
    Describe,
    /// Where the history stands: for reads of it.
    Position,
    /// Another run has sent this.
    Deliver(Box<cairn_proto::cairn::effect::v1::Message>),
}

/// Start a workflow; with a signal, signal the one that runs or start and signal.
#[derive(Clone, Debug)]
pub struct Start {
    pub request_id: String,
    pub identity: String,
    pub workflow_type: String,
    pub task_queue: String,
    pub input: Option<Payloads>,
    pub header: Option<Header>,
    /// None and zero: none. The event shows which.
    pub execution_timeout: Option<Duration>,
    pub run_timeout: Option<Duration>,
    /// Zero: the default.
    pub task_timeout: Duration,
    /// `temporal.api.enums.v1.WorkflowIdReusePolicy` and `…ConflictPolicy`, as asked; defaults and legal pairs are judged here.
    pub reuse_policy: i32,
    pub conflict_policy: i32,
    pub retry_policy: Option<RetryPolicy>,
    pub cron_schedule: String,
    /// What a first run is told of a run that it continues.
    pub continued_failure: Option<Failure>,
    pub last_completion_result: Option<Payloads>,
    pub start_delay: Duration,
    pub memo: Option<Memo>,
    pub search_attributes: Option<SearchAttributes>,
    /// What the namespace knows of search attributes, if some are set.
    pub registry: Registry,
    pub user_metadata: Option<UserMetadata>,
    pub links: Vec<Link>,
    /// Who is to be called when the run is over, and the name by which its namespace is then called.
    pub callbacks: Vec<Callback>,
    pub namespace_name: String,
    /// A run that is used and was begun by another request gets an event for this one, which may leave its id, its links and
    /// its callbacks there.
    pub attach: Option<Attach>,
    pub versioning_override: Option<VersioningOverride>,
    pub priority: Option<Priority>,
    /// How long the run is kept after its close (the namespace's retention).
    pub retention: Duration,
    /// Start and take the first workflow task at once.
    pub eager: bool,
    pub signal: Option<Signal>,
    /// Whose child it will be.
    pub parent: Option<Box<super::child::Parent>>,
}

/// What a start leaves with a run that it finds open.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attach {
    pub request_id: bool,
    pub links: bool,
    pub callbacks: bool,
}

#[derive(Clone, Debug)]
pub struct Signal {
    pub name: String,
    pub input: Option<Payloads>,
    pub header: Option<Header>,
    pub identity: String,
    pub request_id: String,
    pub links: Vec<Link>,
}

#[derive(Clone, Debug)]
pub struct RequestCancel {
    pub reason: String,
    pub identity: String,
    pub request_id: String,
    pub links: Vec<Link>,
    /// The run must be of the chain that began with this one.
    pub first_run: Option<RunId>,
}

#[derive(Clone, Debug)]
pub struct Terminate {
    pub reason: String,
    pub details: Option<Payloads>,
    pub identity: String,
    pub links: Vec<Link>,
    pub first_run: Option<RunId>,
}

/// Who pauses a run or lets it go on.
#[derive(Clone, Debug)]
pub struct Pause {
    pub identity: String,
    pub reason: String,
    pub request_id: String,
}

/// A run goes on from an earlier point, under a new name.
#[derive(Clone, Debug)]
pub struct Reset {
    pub request_id: String,
    pub reason: String,
    /// The run that is reset, and the one that goes on from there.
    pub base: RunId,
    pub run: RunId,
    /// What of the base is kept.
    pub fork: super::reset::Fork,
    /// Which run was the current one when what follows was read.
    pub current: RunId,
    /// Events behind the point, of the base and of the runs that continued it, in order.
    pub later: Vec<HistoryEvent>,
    /// So many of them are the base's.
    pub of_base: usize,
    /// Those of the current run are among them up to this event (exclusive). `None`: it does not continue the base.
    pub read_to: Option<i64>,
    pub keep: super::reset::Keep,
    /// What the run that goes on is given besides.
    pub options: Vec<UpdateOptions>,
}

/// Options of a run, of which those count that are named.
#[derive(Clone, Debug)]
pub struct UpdateOptions {
    pub options: WorkflowExecutionOptions,
    /// Paths of fields, in the words of the protocol.
    pub paths: Vec<String>,
    pub identity: String,
}

/// A poll takes a task that was offered.
#[derive(Clone, Debug)]
pub struct StartTask {
    pub scheduled_event_id: i64,
    /// As offered: an offer of an earlier attempt is over.
    pub attempt: i32,
    /// The poll. The same one may ask twice.
    pub request_id: String,
    pub identity: String,
    /// The queue polled, and whether it is a sticky one.
    pub queue: String,
    pub sticky: bool,
    /// The build of the worker.
    pub worker_version: Option<WorkerVersionStamp>,
}

/// Which workflow task a worker has in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkflowTaskToken {
    pub scheduled_event_id: i64,
    pub started_event_id: i64,
    pub started_time: Time,
    pub attempt: i32,
}

#[derive(Clone, Debug)]
pub struct CompleteWorkflowTask {
    pub token: WorkflowTaskToken,
    /// The name of the run's namespace: commands and events say it.
    pub namespace: String,
    pub identity: String,
    pub commands: Vec<Command>,
    /// The sticky queue and its schedule-to-start timeout.
    pub sticky: Option<(String, Duration)>,
    pub return_new_workflow_task: bool,
    pub force_create_new_workflow_task: bool,
    pub query_results: HashMap<String, WorkflowQueryResult>,
    pub sdk_metadata: Option<WorkflowTaskCompletedMetadata>,
    pub metering_metadata: Option<MeteringMetadata>,
    pub binary_checksum: String,
    pub worker_version: Option<WorkerVersionStamp>,
    pub deployment_options: Option<WorkerDeploymentOptions>,
    /// What it says of updates.
    pub messages: Vec<Message>,
    /// The worker can forget events that were shown to it with a speculative task.
    pub may_drop_events: bool,
    /// What the namespace knows of search attributes, if commands set some.
    pub registry: Registry,
}

#[derive(Clone, Debug)]
pub struct FailWorkflowTask {
    pub token: WorkflowTaskToken,
    /// `temporal.api.enums.v1.WorkflowTaskFailedCause`.
    pub cause: i32,
    pub failure: Option<Failure>,
    pub identity: String,
    pub binary_checksum: String,
    pub worker_version: Option<WorkerVersionStamp>,
}

/// Which activity is meant: the attempt a worker has in hand, or whatever runs under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActivityToken {
    Attempt {
        scheduled_event_id: i64,
        attempt: i32,
    },
    Id(String),
}

#[derive(Clone, Debug)]
pub struct CompleteActivity {
    pub result: Option<Payloads>,
    pub identity: String,
    pub worker_version: Option<WorkerVersionStamp>,
}

#[derive(Clone, Debug)]
pub struct FailActivity {
    pub failure: Option<Failure>,
    pub last_heartbeat_details: Option<Payloads>,
    pub identity: String,
    pub worker_version: Option<WorkerVersionStamp>,
}

#[derive(Clone, Debug)]
pub struct CancelActivity {
    pub details: Option<Payloads>,
    pub identity: String,
}

#[derive(Clone, Debug)]
pub struct HeartbeatActivity {
    pub details: Option<Payloads>,
    pub identity: String,
}

/// What an operator does to activities of a run.
#[derive(Clone, Debug)]
pub struct OperateActivities {
    pub activities: Activities,
    pub identity: String,
    pub operation: ActivityOperation,
}

/// Which of the activities that have not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Activities {
    Id(String),
    Type(String),
    All,
}

#[derive(Clone, Debug)]
pub enum ActivityOperation {
    Pause { reason: String, request_id: String },
    Unpause(UnpauseActivity),
    Reset(ResetActivity),
    UpdateOptions(Box<UpdateActivityOptions>),
}

#[derive(Clone, Debug, Default)]
pub struct UnpauseActivity {
    pub reset_attempts: bool,
    pub reset_heartbeat: bool,
    /// The next attempt is due at some time within this.
    pub jitter: Duration,
}

#[derive(Clone, Debug, Default)]
pub struct ResetActivity {
    pub reset_heartbeat: bool,
    pub keep_paused: bool,
    pub restore_original_options: bool,
    pub jitter: Duration,
}

#[derive(Clone, Debug, Default)]
pub struct UpdateActivityOptions {
    pub options: Option<ActivityOptions>,
    /// Paths of fields, in the words of the protocol.
    pub paths: Option<Vec<String>>,
    pub restore_original: bool,
}

#[derive(Clone, Debug)]
pub struct Query {
    pub query: WorkflowQuery,
    /// `temporal.api.enums.v1.QueryRejectCondition`.
    pub reject_condition: i32,
}

#[derive(Clone, Debug)]
pub struct Update {
    /// With its id.
    pub request: update::Request,
    /// `None`: the answer is how far it is now.
    pub until: Option<Stage>,
    /// The run must be of the chain that began with this one.
    pub first_run: Option<RunId>,
}

#[derive(Clone, Debug)]
pub struct UpdateWithStart {
    pub start: Start,
    pub update: Update,
}

#[derive(Clone, Debug)]
pub struct PollUpdate {
    pub update_id: String,
    pub until: Option<Stage>,
}

/// How far an update has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Admitted,
    Accepted,
    Completed,
}

/// What a run answers. Where an answer needs events, `Answered::reads` names them and the shell fills them in.
#[derive(Clone, Debug)]
pub enum Answer {
    Done,
    /// A cancel of a run that has closed: nothing happened, and that is right.
    AlreadyDone,
    Started(Started),
    Options(Box<WorkflowExecutionOptions>),
    /// What options an activity has now.
    ActivityOptions(Box<ActivityOptions>),
    /// The run that goes on. `None`: another run is the current one now; look again.
    Reset(Option<RunId>),
    /// `again`: the same request has signaled this run before, and nothing happened.
    Signaled {
        run: RunId,
        again: bool,
    },
    /// A workflow task was started for a poll. Everything but `task_token`, `history` and `next_page_token` is filled in.
    WorkflowTaskStarted(Box<TaskStarted>),
    /// An activity was started for a poll. `reads` names its scheduled event, which holds input and header.
    ActivityStarted(Box<PollActivityTaskQueueResponse>, ActivityToken),
    WorkflowTaskCompleted(Box<WorkflowTaskCompleted>),
    Heartbeat {
        cancel_requested: bool,
        paused: bool,
        reset: bool,
    },
    /// Failures that were put in place of what was too large.
    Failures(Vec<Failure>),
    /// The query must be asked of a worker directly (through matching).
    AskWorker(Box<DirectQuery>),
    Queried(Box<Queried>),
    Updated(Box<Updated>),
    Described(Box<DescribeWorkflowExecutionResponse>),
    Position(Position),
    /// What came of a message of another run.
    Delivered(Box<cairn_proto::cairn::effect::v1::Outcome>),
}

#[derive(Clone, Debug, Default)]
pub struct Started {
    pub run: RunId,
    pub first_run: RunId,
    /// False: an existing run was used.
    pub started: bool,
    pub status: i32,
    /// The request was attached to an existing run.
    pub attached: bool,
    pub eager_task: Option<Box<TaskStarted>>,
}

/// A started workflow task. `Answered::reads` is the range of events that goes with it.
#[derive(Clone, Debug)]
pub struct TaskStarted {
    pub run: RunId,
    pub response: PollWorkflowTaskQueueResponse,
    pub token: WorkflowTaskToken,
    /// Events that are not (yet) durable and go behind those read: a transient attempt's Scheduled and Started.
    pub suffix: Vec<HistoryEvent>,
}

#[derive(Clone, Debug, Default)]
pub struct WorkflowTaskCompleted {
    /// The next workflow task, started at once for the same worker. `reads` are its events.
    pub workflow_task: Option<Box<TaskStarted>>,
    /// Activities started at once for the same worker. Their input is in the commands and filled in already.
    pub activity_tasks: Vec<(PollActivityTaskQueueResponse, ActivityToken)>,
    pub reset_history_event_id: i64,
}

#[derive(Clone, Debug)]
pub struct DirectQuery {
    pub run: RunId,
    /// What the worker gets, without history: `workflow_execution`, `workflow_type`, `query`, queue, ids.
    pub task: PollWorkflowTaskQueueResponse,
    /// The sticky queue to try first and how long.
    pub sticky: Option<(String, Duration)>,
    pub task_queue: String,
    /// The normal queue gets the whole history, up to this event (inclusive).
    pub last_event_id: i64,
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "it travels in a box")]
pub enum Queried {
    Answered(Option<Payloads>),
    Failed {
        message: String,
        failure: Option<Failure>,
    },
    Rejected(QueryRejected),
}

/// How far an update has come, and with what outcome.
#[derive(Clone, Debug)]
pub struct Updated {
    pub run: RunId,
    pub update_id: String,
    pub stage: Stage,
    pub outcome: Option<update::Outcome>,
    /// It was rejected without a word.
    pub unexplained: bool,
    /// Of an update with start: what became of the start. `attached`: the update is not one that had ended before.
    pub with_start: Option<Box<Started>>,
}

/// Where a history stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    pub run: RunId,
    /// Durable events only.
    pub next_event_id: i64,
    pub open: bool,
    /// Events of a transient workflow task, which are not durable yet but which its worker must see.
    pub suffix: Vec<HistoryEvent>,
}

/// Why a run refuses. One `From<Refusal> for tonic::Status` (in `service/`) gives code, detail and message of the reference.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// `INVALID_ARGUMENT` with this message.
    Invalid(String),
    /// `NOT_FOUND`: no run of this id.
    NoSuchWorkflow(String),
    /// `NOT_FOUND` "workflow execution already completed".
    Completed,
    /// `NOT_FOUND` "Workflow task not found." or of another text: the task is over.
    NoSuchTask(String),
    /// `NOT_FOUND`: no such activity, or its attempt is over.
    NoSuchActivity(String),
    /// `NOT_FOUND`: the run knows no update of this id.
    NoSuchUpdate(String),
    /// `NOT_FOUND`: the run closed before it accepted the update.
    UpdateAborted,
    /// `ALREADY_EXISTS` with `WorkflowExecutionAlreadyStartedFailure`.
    AlreadyStarted {
        message: String,
        request_id: String,
        run: RunId,
        first_run: RunId,
    },
    /// Of an update with start the start was refused.
    OfStart(Box<Refusal>),
    /// Of an update with start the update was refused, perhaps of a run that was begun for it.
    OfUpdate { why: Box<Refusal>, begun: bool },
    /// UNAVAILABLE: this request has begun a run before, which is closed.
    StartRepeated,
    /// Matching only: somebody else has the task.
    TaskTaken,
    /// Matching only: the workflow task waits on another queue.
    OtherQueue,
    /// `RESOURCE_EXHAUSTED` with cause `BUSY_WORKFLOW`.
    Busy(String),
    /// `RESOURCE_EXHAUSTED` with cause `CONCURRENT_LIMIT`.
    TooManyInFlight(String),
    /// `FAILED_PRECONDITION` with `WorkflowNotReadyFailure`.
    NotReady(String),
    /// `FAILED_PRECONDITION` without detail.
    Precondition(String),
    /// UNIMPLEMENTED, with what is not built.
    NotBuilt(String),
    /// The workflow task was answered with bad commands: `INVALID_ARGUMENT`, and the transition that came with it (the failed
    /// workflow task) is durable when this leaves.
    BadCommands(String),
    /// `INVALID_ARGUMENT`: this would bring the history over its limits. The run was ended instead.
    HistoryLimit(String),
    /// UNAVAILABLE, `RESOURCE_EXHAUSTED` or `DATA_LOSS`.
    Unavailable(crate::kind::Unavailable),
}
