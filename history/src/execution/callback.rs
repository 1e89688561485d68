//! Completion callbacks: who asked to be called when the run is over, and how far that is.
//!
//! | in          | happens                        | becomes     | owes                      |
//! |-------------|--------------------------------|-------------|---------------------------|
//! | –           | a start, or one that attaches  | standby     | –                         |
//! | standby     | the run closes                 | scheduled   | a call                    |
//! | standby     | … and its next attempt, or what it continues as, goes on | standby | – (that run has it, too) |
//! | standby     | … because it was reset         | standby     | – (that run has it, too)  |
//! | scheduled   | it was heard                   | succeeded   | –                         |
//! | scheduled   | it was not, but may be         | backing off | to be scheduled, in time  |
//! | scheduled   | it never will be               | failed      | –                         |
//!
//! History shows who asked and nothing of the calls: they are changes. Deliberately absent: the call itself (the edge of the
//! server makes it), and callbacks of updates, which the reference keeps and never makes.

use std::sync::Arc;
use std::time::Duration;

use cairn_proto::cairn::effect::v1::message::What;
use cairn_proto::cairn::effect::v1::outcome::Outcome as Came;
use cairn_proto::cairn::effect::v1::{Call, Message, call};
use cairn_proto::cairn::record::v1::CallbackAttempted;
use cairn_proto::cairn::record::v1::change::Change;
use cairn_proto::temporal::api::common::v1::{Callback, link};
use cairn_proto::temporal::api::enums::v1::{CallbackState, EventType, RetryState};
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{
    CanceledFailureInfo, Failure, TerminatedFailureInfo, TimeoutFailureInfo,
};
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::workflow::v1::{CallbackInfo, callback_info};
use serde::{Deserialize, Serialize};

use super::effect::Effect;
use super::state::State;
use super::transition::Draft;
use super::{Outcome, Refusal, Run, effect, step_of, wire};
use crate::id::Time;
use crate::kind::{Context, Stop};

/// How long until a call is made again: doubled each time, up to an hour.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_hours(1);

/// The callbacks of a run, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    #[serde(with = "wire::shared_list")]
    callbacks: Vec<Arc<Registered>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Registered {
    #[serde(with = "wire::message")]
    callback: Callback,
    /// The request that was attached; empty: the start.
    request_id: String,
    time: Time,
    stage: Stage,
    attempt: i32,
    last_attempt: Option<Time>,
    #[serde(with = "wire::optional")]
    last_failure: Option<Failure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Standby,
    Scheduled,
    BackingOff(Time),
    Succeeded,
    Failed,
}

impl Part {
    pub(crate) fn register(&mut self, callbacks: &[Callback], request_id: &str, time: Time) {
        let registered = callbacks.iter().map(|callback| {
            Arc::new(Registered {
                callback: callback.clone(),
                request_id: request_id.to_owned(),
                time,
                stage: Stage::Standby,
                attempt: 0,
                last_attempt: None,
                last_failure: None,
            })
        });
        self.callbacks.extend(registered);
    }

    pub(crate) fn len(&self) -> usize {
        self.callbacks.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.callbacks.is_empty()
    }

    /// What the next run of the chain is given.
    pub(crate) fn handed_on(&self) -> Vec<Callback> {
        let callbacks = self.callbacks.iter();
        callbacks.map(|it| it.callback.clone()).collect()
    }

    /// The run has closed with this event.
    pub(crate) fn closed(&mut self, event: &Attributes) {
        if !goes_on(event) {
            self.each(|it| it.stage = Stage::Scheduled);
        }
    }

    /// It closed because it was reset: the run that goes on calls.
    pub(crate) fn reset(&mut self) {
        self.each(|it| it.stage = Stage::Standby);
    }

    fn each(&mut self, change: impl Fn(&mut Registered)) {
        for it in &mut self.callbacks {
            change(Arc::make_mut(it));
        }
    }

    pub(crate) fn attempted(&mut self, time: Time, it: &CallbackAttempted) -> bool {
        let Some(registered) = self.scheduled(it.callback, Stage::is_scheduled) else {
            return false;
        };
        registered.attempt += 1;
        registered.last_attempt = Some(time);
        registered.last_failure.clone_from(&it.failure);
        registered.stage = match (&it.failure, it.again_at) {
            (None, _) => Stage::Succeeded,
            (Some(_), 0) => Stage::Failed,
            (Some(_), at) => Stage::BackingOff(Time(at)),
        };
        true
    }

    pub(crate) fn due(&mut self, index: u32) -> bool {
        let backing_off = |stage| matches!(stage, Stage::BackingOff(_));
        let registered = self.scheduled(index, backing_off);
        registered.map(|it| it.stage = Stage::Scheduled).is_some()
    }

    fn scheduled(
        &mut self,
        index: u32,
        in_stage: impl Fn(Stage) -> bool,
    ) -> Option<&mut Registered> {
        let registered = self.callbacks.get_mut(index as usize)?;
        in_stage(registered.stage).then(|| Arc::make_mut(registered))
    }

    /// The calls that must be made.
    pub(crate) fn owed(&self) -> impl Iterator<Item = Effect> {
        let scheduled = self.indexed().filter(|(_, it)| it.stage.is_scheduled());
        scheduled.map(|(index, _)| Effect::Called(index))
    }

    fn indexed(&self) -> impl Iterator<Item = (u32, &Registered)> {
        (0..).zip(self.callbacks.iter().map(AsRef::as_ref))
    }

    /// When a call is to be made again.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.callbacks
            .iter()
            .filter_map(|it| it.stage.backing_off())
            .min()
    }

    pub(crate) fn described(&self) -> Vec<CallbackInfo> {
        self.callbacks.iter().map(|it| it.described()).collect()
    }
}

impl Stage {
    fn is_scheduled(self) -> bool {
        self == Self::Scheduled
    }

    fn backing_off(self) -> Option<Time> {
        match self {
            Self::BackingOff(until) => Some(until),
            _ => None,
        }
    }
}

impl Registered {
    fn described(&self) -> CallbackInfo {
        let closed =
            callback_info::trigger::Variant::WorkflowClosed(callback_info::WorkflowClosed {});
        let state = match self.stage {
            Stage::Standby => CallbackState::Standby,
            Stage::Scheduled => CallbackState::Scheduled,
            Stage::BackingOff(_) => CallbackState::BackingOff,
            Stage::Succeeded => CallbackState::Succeeded,
            Stage::Failed => CallbackState::Failed,
        };
        CallbackInfo {
            callback: Some(self.callback.clone()),
            trigger: Some(callback_info::Trigger {
                variant: Some(closed),
            }),
            registration_time: Some(wire::timestamp(self.time)),
            state: state.into(),
            attempt: self.attempt,
            last_attempt_complete_time: self.last_attempt.map(wire::timestamp),
            last_attempt_failure: self.last_failure.clone(),
            next_attempt_schedule_time: self.stage.backing_off().map(wire::timestamp),
            ..CallbackInfo::default()
        }
    }
}

/// Does another run go on with the same work? The next time of a cron schedule is work of its own, which nobody asked to hear of.
fn goes_on(close: &Attributes) -> bool {
    let again = i32::from(RetryState::InProgress);
    match close {
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_) => true,
        Attributes::WorkflowExecutionFailedEventAttributes(it) => it.retry_state == again,
        Attributes::WorkflowExecutionTimedOutEventAttributes(it) => it.retry_state == again,
        _ => false,
    }
}

/// What is said to whoever asked to be called; `close` is the last event of the run.
pub(crate) fn message(state: &State, index: u32, close: &HistoryEvent) -> Option<Message> {
    let registered = state.callbacks.callbacks.get(index as usize)?;
    let close_attributes = close.attributes.as_ref()?;
    let canceled = matches!(
        close_attributes,
        Attributes::WorkflowExecutionCanceledEventAttributes(_)
    );
    let call = Call {
        callback: Some(registered.callback.clone()),
        end: end(close_attributes),
        canceled,
        start_time: Some(wire::timestamp(state.origin.start_time)),
        close_time: close.event_time,
        link: Some(link_to(state, &registered.request_id)),
    };
    Some(effect::addressed(state, "", Vec::new(), What::Call(call)))
}

fn end(close: &Attributes) -> Option<call::End> {
    let failure = |message: &str, info: FailureInfo| {
        Some(call::End::Failure(Failure {
            message: message.to_owned(),
            failure_info: Some(info),
            ..Failure::default()
        }))
    };
    match close {
        Attributes::WorkflowExecutionCompletedEventAttributes(it) => {
            let first = it.result.as_ref()?.payloads.first()?;
            Some(call::End::Result(first.clone()))
        }
        Attributes::WorkflowExecutionFailedEventAttributes(it) => {
            Some(call::End::Failure(it.failure.clone().unwrap_or_default()))
        }
        Attributes::WorkflowExecutionCanceledEventAttributes(it) => {
            let info = CanceledFailureInfo {
                details: it.details.clone(),
                ..CanceledFailureInfo::default()
            };
            failure("operation canceled", FailureInfo::CanceledFailureInfo(info))
        }
        Attributes::WorkflowExecutionTerminatedEventAttributes(_) => {
            let info = FailureInfo::TerminatedFailureInfo(TerminatedFailureInfo::default());
            failure("operation terminated", info)
        }
        _ => {
            let info = FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo::default());
            failure("operation exceeded internal timeout", info)
        }
    }
}

/// The event that a callback came with: the start, or that of an attached request.
fn link_to(state: &State, request_id: &str) -> link::WorkflowEvent {
    use link::workflow_event::{EventReference, Reference, RequestIdReference};
    let reference = if request_id.is_empty() {
        Reference::EventRef(EventReference {
            event_id: 1,
            event_type: EventType::WorkflowExecutionStarted.into(),
        })
    } else {
        Reference::RequestIdRef(RequestIdReference {
            request_id: request_id.to_owned(),
            event_type: EventType::WorkflowExecutionOptionsUpdated.into(),
        })
    };
    link::WorkflowEvent {
        namespace: state.namespace_name.clone(),
        workflow_id: state.origin.workflow_id.clone(),
        run_id: state.origin.run.to_string(),
        reference: Some(reference),
    }
}

/// What came of a call.
pub(crate) fn called(draft: &mut Draft<'_>, index: u32, came: &Came) {
    let attempts = draft.state.callbacks.callbacks.get(index as usize);
    let attempts = attempts.map_or(0, |it| it.attempt);
    let (failure, again_at) = match came {
        Came::Unheard(failure) if is_final(failure) => (Some(failure.clone()), 0),
        Came::Unheard(failure) => {
            let again = draft.now.after(backoff(attempts));
            (Some(failure.clone()), again.0)
        }
        _ => (None, 0),
    };
    draft.change(Change::CallbackAttempted(CallbackAttempted {
        callback: index,
        failure,
        again_at,
    }));
}

fn is_final(failure: &Failure) -> bool {
    matches!(&failure.failure_info, Some(FailureInfo::ApplicationFailureInfo(it)) if it.non_retryable)
}

fn backoff(attempts: i32) -> Duration {
    let doubled = 2_u32.saturating_pow(attempts.unsigned_abs().min(31));
    RETRY.saturating_mul(doubled).min(RETRY_MAX)
}

/// A closed run is looked at: calls that have waited long enough are made again.
pub(crate) fn wake(run: &Run<'_>, context: &Context<'_>) -> Outcome {
    let callbacks = &run.state.callbacks;
    let due = |it: &Registered| it.stage.backing_off().is_some_and(|at| at <= context.now);
    let due: Vec<_> = callbacks.indexed().filter(|(_, it)| due(it)).collect();
    if due.is_empty() {
        return Ok(step_of(None));
    }
    let mut draft = Draft::new(run.state, context.now, context.limits);
    for (index, _) in due {
        draft.change(Change::CallbackDue(index));
    }
    let transition = draft.finish().map_err(Stop::Refused)?;
    Ok(step_of(transition))
}

/// Calls name the namespace: a run that has callbacks knows it.
pub(crate) fn name_namespace(draft: &mut Draft<'_>, name: &str) {
    let state = &draft.state;
    if !state.callbacks.is_empty() && state.namespace_name.is_empty() && !name.is_empty() {
        draft.change(Change::NamespaceName(name.to_owned()));
    }
}

/// May so many more come with a request that is attached?
pub(crate) fn check_room(state: &State, more: usize, max: usize) -> Result<(), Refusal> {
    let have = state.callbacks.len();
    if more > 0 && have + more > max {
        return Err(Refusal::Precondition(format!(
            "cannot attach more than {max} callbacks to a workflow ({have} callbacks already attached)"
        )));
    }
    Ok(())
}
