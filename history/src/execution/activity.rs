//! Activities.
//!
//! | in        | event or change                       | becomes   | owes                                       |
//! |-----------|---------------------------------------|-----------|--------------------------------------------|
//! | –         | Scheduled                             | scheduled | an offer when due; schedule timeouts       |
//! | scheduled | `ActivityStarted`                     | started   | start-to-close, heartbeat, schedule-to-close |
//! | started   | `ActivityRetry`                       | scheduled | an offer when the next attempt is due      |
//! | started   | `Started` + `Completed` / `Failed` / `TimedOut` / `Canceled` | gone | a workflow task               |
//! | scheduled | `TimedOut` / `Canceled`                | gone      | a workflow task                            |
//! | any       | `CancelRequested`                       | the same, and the worker hears of it at its next heartbeat | – |
//! | any       | `ActivityPaused`                        | paused: an attempt that runs goes on, no other is offered, no time is up | – |
//! | paused    | `ActivityUnpaused`                      | as it was, and what waits is due  | as before                  |
//! | scheduled | Paused (the run)                      | held: not offered, but its time runs on        | – |
//! | held      | Unpaused (the run), any of the below  | scheduled | an offer when due                          |
//! | any       | `ActivityReset`                         | at its first attempt again        | as before                  |
//! | any       | `ActivityOptionsUpdated`                | the same, with other options      | as before                  |
//!
//! History hears that an activity was started only when it closes: an attempt that is retried leaves no event.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cairn_proto::cairn::record::v1 as record;
use cairn_proto::temporal::api::activity::v1::ActivityOptions;
use cairn_proto::temporal::api::common::v1::Priority;
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::history::v1::ActivityTaskScheduledEventAttributes;
use serde::{Deserialize, Serialize};

use super::retry::Policy;
use super::state::State;
use super::wire;
use crate::id::{NamespaceId, Time};
use crate::kind::{Offer, Queue, Task, Work};
use crate::planted::{Fault, planted};

mod cancel;
mod heartbeat;
mod operate;
mod options;
mod pause;
mod reset;
mod respond;
mod retry;
mod schedule;
mod start;
mod timeout;
mod unpause;

pub(crate) use cancel::request_cancel;
pub(crate) use heartbeat::{Beat, heartbeat};
pub(crate) use operate::operate;
pub(crate) use options::options;
pub(crate) use respond::{cancel, complete, fail};
pub(crate) use schedule::{check_queue, schedule};
pub(crate) use start::{start, start_eager};
pub(crate) use timeout::{next_deadline, time_out};

/// The activities that have not closed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    #[serde(with = "wire::shared_map")]
    pub(crate) pending: BTreeMap<i64, Arc<Activity>>,
    /// The types of those that were paused when somebody last paused one or let it go on.
    pub(crate) paused_types: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Activity {
    pub(crate) scheduled_event_id: i64,
    pub(crate) id: String,
    pub(crate) type_name: String,
    pub(crate) task_queue: String,
    /// Zero: none.
    pub(crate) schedule_to_close: Duration,
    pub(crate) schedule_to_start: Duration,
    pub(crate) start_to_close: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) policy: Policy,
    #[serde(with = "wire::optional")]
    pub(crate) priority: Option<Priority>,
    pub(crate) first_scheduled_time: Time,
    pub(crate) attempt: i32,
    /// When this attempt is due.
    pub(crate) scheduled_time: Time,
    pub(crate) started: Option<Started>,
    pub(crate) cancel_requested_event_id: Option<i64>,
    /// Of the attempt before.
    #[serde(with = "wire::optional")]
    pub(crate) last_failure: Option<Failure>,
    pub(crate) last_worker_identity: String,
    /// When a worker last said that an attempt had failed.
    pub(crate) last_complete_time: Option<Time>,
    /// How long this attempt waits for its turn.
    pub(crate) retry_interval: Duration,
    pub(crate) paused: Option<Paused>,
    /// The run was paused before anybody took this attempt.
    pub(crate) held: bool,
    /// It was reset while this attempt runs.
    pub(crate) reset: bool,
    /// What this attempt says at its heartbeats is not for the next one.
    pub(crate) forgets_heartbeat: bool,
    /// Its options as it was scheduled, if it has had others.
    #[serde(with = "wire::optional")]
    pub(crate) original: Option<ActivityOptions>,
}

/// Who paused an activity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Paused {
    pub(crate) time: Time,
    pub(crate) identity: String,
    pub(crate) reason: String,
    pub(crate) request_id: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Started {
    pub(crate) time: Time,
    pub(crate) request_id: String,
    pub(crate) identity: String,
}

impl Part {
    pub(crate) fn get(&self, scheduled_event_id: i64) -> Option<&Arc<Activity>> {
        self.pending.get(&scheduled_event_id)
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<&Arc<Activity>> {
        // A second index would cost every transition more than this costs the few that ask.
        self.pending.values().find(|activity| activity.id == id)
    }

    pub(crate) fn knows(&self, scheduled_event_id: i64) -> bool {
        self.pending.contains_key(&scheduled_event_id)
    }

    pub(crate) fn scheduled(
        &mut self,
        event_id: i64,
        time: Time,
        it: &ActivityTaskScheduledEventAttributes,
        run_is_paused: bool,
    ) -> bool {
        let activity = Activity {
            scheduled_event_id: event_id,
            id: it.activity_id.clone(),
            type_name: it
                .activity_type
                .as_ref()
                .map(|it| it.name.clone())
                .unwrap_or_default(),
            task_queue: it
                .task_queue
                .as_ref()
                .map(|it| it.name.clone())
                .unwrap_or_default(),
            schedule_to_close: wire::span(it.schedule_to_close_timeout.as_ref()),
            schedule_to_start: wire::span(it.schedule_to_start_timeout.as_ref()),
            start_to_close: wire::span(it.start_to_close_timeout.as_ref()),
            heartbeat: wire::span(it.heartbeat_timeout.as_ref()),
            policy: Policy::filled(&it.retry_policy.clone().unwrap_or_default()),
            priority: super::kept(it.priority.as_ref()),
            first_scheduled_time: time,
            attempt: 1,
            scheduled_time: time,
            started: None,
            cancel_requested_event_id: None,
            last_failure: None,
            last_worker_identity: String::new(),
            last_complete_time: None,
            retry_interval: Duration::ZERO,
            paused: None,
            held: run_is_paused,
            reset: false,
            forgets_heartbeat: false,
            original: None,
        };
        self.pending.insert(event_id, Arc::new(activity)).is_none()
    }

    /// The run goes on from an earlier point: what is pending begins again, now.
    pub(crate) fn restart(&mut self, time: Time) {
        for activity in self.pending.values_mut() {
            let activity = Arc::make_mut(activity);
            activity.attempt = 1;
            activity.first_scheduled_time = time;
            activity.scheduled_time = time;
            activity.started = None;
            activity.last_failure = None;
            activity.last_worker_identity.clear();
            activity.last_complete_time = None;
            activity.retry_interval = Duration::ZERO;
            activity.paused = None;
            activity.held = false;
            activity.reset = false;
            activity.forgets_heartbeat = false;
            if let Some(original) = activity.original.take() {
                activity.set_options(&original);
            }
        }
        self.paused_types.clear();
    }

    /// The run is paused: what nobody has taken waits.
    pub(crate) fn hold(&mut self) {
        for activity in self.pending.values_mut().filter(|it| it.started.is_none()) {
            Arc::make_mut(activity).held = true;
        }
    }

    /// The run goes on.
    pub(crate) fn release(&mut self) {
        for activity in self.pending.values_mut().filter(|it| it.held) {
            Arc::make_mut(activity).held = false;
        }
    }

    pub(crate) fn closed(&mut self, scheduled_event_id: i64) -> bool {
        if planted(Fault::SecondActivityEnd) {
            return self.knows(scheduled_event_id);
        }
        self.pending.remove(&scheduled_event_id).is_some()
    }

    /// Of an activity that has closed meanwhile nothing is left to cancel.
    pub(crate) fn cancel_requested(&mut self, event_id: i64, scheduled_event_id: i64) {
        if let Some(activity) = self.pending.get_mut(&scheduled_event_id) {
            Arc::make_mut(activity).cancel_requested_event_id = Some(event_id);
        }
    }

    pub(crate) fn started(&mut self, time: Time, it: &record::ActivityStarted) -> bool {
        let Some(activity) = self.pending.get_mut(&it.scheduled_event_id) else {
            return false;
        };
        let activity = Arc::make_mut(activity);
        activity.last_worker_identity.clone_from(&it.identity);
        let started = Started {
            time,
            request_id: it.request_id.clone(),
            identity: it.identity.clone(),
        };
        activity.started.replace(started).is_none()
    }

    pub(crate) fn retry(&mut self, time: Time, it: &record::ActivityRetry) -> bool {
        let Some(activity) = self.pending.get_mut(&it.scheduled_event_id) else {
            return false;
        };
        let activity = Arc::make_mut(activity);
        activity.attempt = it.attempt;
        activity.reset = false;
        activity.forgets_heartbeat = false;
        activity.scheduled_time = Time(it.scheduled_time);
        activity.last_failure.clone_from(&it.failure);
        activity.retry_interval = activity.scheduled_time.since(time);
        let timed_out = matches!(
            activity
                .last_failure
                .as_ref()
                .and_then(|it| it.failure_info.as_ref()),
            Some(FailureInfo::TimeoutFailureInfo(_))
        );
        if !timed_out {
            activity.last_complete_time = Some(time);
        }
        activity.started.take().is_some()
    }
}

impl Activity {
    /// When the time for all attempts is over.
    pub(crate) fn expiration(&self) -> Option<Time> {
        (!self.schedule_to_close.is_zero())
            .then(|| self.first_scheduled_time.after(self.schedule_to_close))
    }

    /// Is it free to be taken once its time has come?
    fn waits(&self) -> bool {
        self.started.is_none() && self.paused.is_none() && !self.held
    }

    /// Has this attempt a time to wait for? A first one that nobody touched is due from the beginning.
    fn is_deferred(&self) -> bool {
        self.attempt > 1 || self.scheduled_time > self.first_scheduled_time
    }

    /// The attempt that waits is due at another time; what went before is forgotten.
    fn reschedule(&mut self, time: Time) {
        self.scheduled_time = time;
        self.retry_interval = Duration::ZERO;
        self.last_failure = None;
        self.held = false;
    }

    fn offer(&self, namespace: NamespaceId, priority: u8) -> Offer {
        Offer {
            queue: Queue {
                namespace,
                name: self.task_queue.clone(),
                work: Work::Activity,
                sticky_of: None,
            },
            task: Task {
                work: Work::Activity,
                scheduled_event_id: self.scheduled_event_id,
                attempt: self.attempt,
            },
            priority: match &self.priority {
                Some(own) if own.priority_key != 0 => super::priority(Some(own)),
                _ => priority,
            },
            time: self.scheduled_time,
        }
    }
}

/// The attempts that wait for a worker now.
pub(crate) fn owed(state: &State, now: Time) -> impl Iterator<Item = Offer> {
    let priority = super::priority(state.origin.priority.as_ref());
    state
        .activities
        .pending
        .values()
        // A first attempt is owed at once, also to a node whose clock is behind.
        .filter(move |it| it.waits() && (!it.is_deferred() || it.scheduled_time <= now))
        .map(move |it| it.offer(state.origin.namespace, priority))
}

/// The activities that `before` knew and `after` does not.
pub(crate) fn gone(before: &State, after: &State) -> Vec<i64> {
    if Arc::ptr_eq(&before.activities, &after.activities) {
        return Vec::new();
    }
    before
        .activities
        .pending
        .keys()
        .filter(|id| !after.activities.knows(**id))
        .copied()
        .collect()
}
