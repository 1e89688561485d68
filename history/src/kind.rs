//! What a shard knows of the runs it owns: a kind is a pure state machine with ask, apply and owe.
//!
//! * **ask**: may this happen, and as which events? Reads the state, answers with a [`Step`].
//! * **apply**: folds one [`Record`] into the state; the same function live and in replay.
//! * **owe**: what must be outside because the state is as it is; derived, never stored.
//!
//! Deliberately absent: clocks, randomness, I/O. Time and entropy come in with the [`Context`].

use std::fmt::Debug;
use std::ops::Range;

use bytes::Bytes;
use cairn_proto::temporal::api::history::v1::HistoryEvent;

use crate::id::{Entropy, Key, NamespaceId, RunId, Ticket, Time};
use crate::log::{Record, Row};
use crate::search_attribute::Term;

/// A kind of run. Shard, log, cache, wake-ups and commits know a run only through this.
pub trait Kind: Debug + Sized + Send + Sync + 'static {
    /// The fold of a run's log. Cheap to clone: parts are shared until they are written.
    type State: Debug + Clone + PartialEq + Send + Sync;
    /// What a loaded run knows and must never be recorded: waiting queries, heartbeat times.
    type Volatile: Debug + Default + Send;
    type Question: Debug + Send;
    type Answer: Debug + Send;
    type Refusal: Debug + Clone + Send;
    /// Which of the things that a run owes to other runs.
    type Effect: Debug + Clone + Ord + Send;
    /// What is sent for it.
    type Message: Debug + Send;
    /// What came of it.
    type Outcome: Debug + Send;

    /// May this happen, and as which events? Changes nothing but the volatile part.
    fn ask(
        run: Asked<'_, Self>,
        question: &Self::Question,
        context: &mut Context<'_>,
    ) -> Outcome<Self>;

    /// Time has passed: whatever is due happens now. Called when [`Kind::next_wake`] has come.
    /// A step without a transition means that nothing was due but what is owed may have changed.
    fn wake(run: Asked<'_, Self>, context: &mut Context<'_>) -> Outcome<Self>;

    /// Folds a record into the state; `None` before the first record of a run.
    fn apply(
        state: Option<Self::State>,
        run: RunId,
        record: &Record,
    ) -> Result<Self::State, Illegal>;

    /// The tasks that must be in matching's hands now.
    fn owe(state: &Self::State, volatile: &Self::Volatile, now: Time) -> Vec<Offer>;

    /// What must be sent to other runs, again and again until what came of it is recorded. Of the log alone.
    fn effects(state: &Self::State) -> Vec<Self::Effect>;

    /// What is sent for an effect that is owed; `events` are those that an earlier `Stop::Needs` asked for.
    fn message(
        state: &Self::State,
        effect: &Self::Effect,
        events: &[HistoryEvent],
    ) -> Result<Self::Message, Stop<Self::Refusal>>;

    /// What came of an effect: recorded if it is still owed.
    fn delivered(
        asked: Asked<'_, Self>,
        effect: &Self::Effect,
        outcome: &Self::Outcome,
        context: &mut Context<'_>,
    ) -> Outcome<Self>;

    /// When somebody must look at the run next. `None`: only when asked.
    fn next_wake(state: &Self::State, volatile: &Self::Volatile) -> Option<Time>;

    /// Is the run still open? A closed run has no later event.
    fn is_open(state: &Self::State) -> bool;

    /// Is the run closed, and has its retention passed? Then it is deleted.
    fn expired(state: &Self::State, now: Time) -> bool;

    /// The id that the run belongs to.
    fn key(state: &Self::State) -> Key;

    /// The id of the next event.
    fn next_event_id(state: &Self::State) -> i64;

    /// The visibility row: a projection of the state.
    fn row(state: &Self::State) -> Row;

    /// By what the run is found beside its row: a projection of the state, in order.
    fn terms(state: &Self::State) -> Vec<Term>;

    /// The snapshot form of a state, and back; its first byte is its version. `None`: another version, so fold again.
    fn encode(state: &Self::State) -> Vec<u8>;
    fn decode(snapshot: &[u8]) -> Option<Self::State>;

    /// The last heartbeat details of each activity, kept in a register beside the log, are given to a run when it is loaded.
    fn restore_heartbeats(volatile: &mut Self::Volatile, heartbeats: &[Heartbeat]);

    /// The answer for waiters whose question was lost with the shard's memory, or cannot be taken now.
    fn unavailable(why: Unavailable) -> Self::Refusal;
}

/// When whoever has the shard must look at a run: at once while it owes something to others, for nothing but memory sends it.
pub(crate) fn found_at<K: Kind>(state: &K::State, volatile: &K::Volatile) -> Option<Time> {
    if K::effects(state).is_empty() {
        K::next_wake(state, volatile)
    } else {
        Some(Time(0))
    }
}

/// What a question is asked of.
#[derive(Debug)]
pub struct Asked<'a, K: Kind> {
    /// The addressed run: the one named, else the current (latest) run of the id. `None`: there is no such run.
    pub run: Option<Run<'a, K>>,
    /// For starts: the run of this id that the same start request id began before, if any is kept.
    pub repeated: Option<&'a Row>,
    /// Events of the addressed run that an earlier `Stop::Needs` asked for, by id.
    pub events: &'a [HistoryEvent],
}

/// A loaded run.
#[derive(Debug)]
pub struct Run<'a, K: Kind> {
    pub id: RunId,
    pub state: &'a K::State,
    pub volatile: &'a mut K::Volatile,
}

pub type Outcome<K> = Result<Step<K>, Stop<<K as Kind>::Refusal>>;

/// Why there is no step.
#[derive(Debug)]
pub enum Stop<R> {
    /// The author's mistake, and normal. Nothing was changed.
    Refused(R),
    /// The question cannot be judged without these events of the run; ask again with them.
    Needs(Vec<i64>),
}

/// What a question leads to. The shard queues its transitions as one atomic item.
#[derive(Debug)]
pub struct Step<K: Kind> {
    /// What happens to the addressed run; `None` for a read.
    pub transition: Option<Transition<K>>,
    /// A new run of the same id that begins in the same commit (a start, continue-as-new, retry).
    pub successor: Option<Successor<K>>,
    /// Who is answered with this step, once its head is durable: the asker (`Context::ticket`), and whoever waited in the volatile part.
    /// An asker that is not named here waits on, in the successor if there is one.
    pub answers: Vec<(Ticket, Answered<K>)>,
    /// Heartbeat registers of activities are replaced in the commit.
    pub heartbeats: Vec<Heartbeat>,
}

/// One answer of a step.
#[derive(Debug)]
pub struct Answered<K: Kind> {
    pub result: Result<K::Answer, K::Refusal>,
    /// Events that the answer carries; the shard attaches them, the shell reads what is not in memory.
    pub reads: Option<(RunId, Range<i64>)>,
}

/// A new run of the id.
#[derive(Debug)]
pub struct Successor<K: Kind> {
    pub run: RunId,
    /// Records of another run that it begins with, under its own name; usually none.
    pub behind: Vec<Record>,
    pub transition: Transition<K>,
    pub volatile: K::Volatile,
}

/// One transition of one run: what happened, and the state after it.
#[derive(Debug)]
pub struct Transition<K: Kind> {
    pub state: K::State,
    pub time: Time,
    pub first_event_id: i64,
    pub events: Vec<HistoryEvent>,
    /// Durable facts that history does not hold, encoded by the kind.
    pub changes: Bytes,
    /// The visibility row changed in a way that must be seen at once (start, upsert, close).
    pub visible: bool,
    /// So did what the run is found by beside its row.
    pub searchable: bool,
}

/// The last details of an activity: one register per activity, replaced, never appended.
#[derive(Clone, Debug, PartialEq)]
pub struct Heartbeat {
    pub scheduled_event_id: i64,
    /// Encoded by the kind. Empty: forget the register.
    pub details: Bytes,
}

/// A broken history, or our bug: the run is quarantined, the server lives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the history contradicts itself: {0}")]
pub struct Illegal(pub String);

/// Why a question gets no answer now. The caller may ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// The shard's memory was dropped (takeover, unknown commit outcome, shutdown).
    ShardMoved,
    /// The shard is another node's: nothing was done.
    Elsewhere,
    /// The commit of this question was refused by the store.
    CommitRefused,
    /// Too much waits for the disk.
    Busy,
    /// The run's log cannot be folded; it was set aside.
    Quarantined,
    /// The store cannot be read now.
    Store,
}

/// A task that matching should pair with a poll. It names a run and an event, and nothing that must last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub queue: Queue,
    pub task: Task,
    /// 1 (first) … 5 (last).
    pub priority: u8,
    /// Since when it is owed.
    pub time: Time,
}

/// A logical task queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Queue {
    pub namespace: NamespaceId,
    pub name: String,
    pub work: Work,
    /// A sticky queue belongs to one worker and knows the normal queue behind it.
    pub sticky_of: Option<String>,
}

/// What the pollers of a queue ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    Workflow,
    Activity,
}

/// Which task of a run: of a workflow task or activity the scheduled event, and which attempt at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Task {
    pub work: Work,
    pub scheduled_event_id: i64,
    pub attempt: i32,
}

/// What a step may know of the world.
#[derive(Debug)]
pub struct Context<'a> {
    /// Never below the time of the run's last record; the shard sees to it.
    pub now: Time,
    /// The asker.
    pub ticket: Ticket,
    pub key: &'a Key,
    pub entropy: &'a mut dyn Entropy,
    pub limits: &'a crate::execution::Limits,
}
