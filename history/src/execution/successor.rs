//! The run that follows one that closes, in the same commit: another attempt, the next time of a cron schedule, or what the workflow itself asked for.
//!
//! | the run        | retry policy says | cron schedule | follows                                                      |
//! |----------------|-------------------|---------------|--------------------------------------------------------------|
//! | completed      | –                 | comes         | the next time, with this result as the last one              |
//! | failed         | again             | any           | another attempt; no last result                              |
//! | failed         | no, or none       | comes         | the next time, with the failure and the last result          |
//! | timed out      | as failed         | as failed     | the same; another attempt keeps the last result              |
//! | timed out as a chain, canceled, terminated | any | any | nothing                                                  |
//!
//! What a successor is given comes from the first event of the run before it, not from what became of that.

use std::collections::BTreeMap;
use std::time::Duration;

use cairn_proto::cairn::record::v1::Opened;
use cairn_proto::temporal::api::common::v1::{Link, Payloads};
use cairn_proto::temporal::api::enums::v1::{ContinueAsNewInitiator as Initiator, RetryState};
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    HistoryEvent, WorkflowExecutionStartedEventAttributes,
};

use super::command::Bad;
use super::retry::{Next, Wish};
use super::state::State;
use super::transition::{Draft, Extra};
use super::{Limits, Refusal, Successor, Volatile, callback, cron, wire};
use crate::id::RunId;
use crate::kind::Context;
use crate::planted::{Fault, planted};

/// How the run before ended.
pub(crate) enum End<'a> {
    Completed(Option<&'a Payloads>),
    Failed(&'a Failure),
    /// Its own time was over, not that of its chain.
    TimedOut(&'a Failure),
}

impl<'a> End<'a> {
    fn failure(&self) -> Option<&'a Failure> {
        match self {
            Self::Completed(_) => None,
            Self::Failed(failure) | Self::TimedOut(failure) => Some(failure),
        }
    }
}

/// The run that follows, if any, and what became of the retry policy.
pub(crate) fn after(
    draft: &Draft<'_>,
    events: &[HistoryEvent],
    end: &End<'_>,
    context: &mut Context<'_>,
) -> Result<(RetryState, Option<Successor>), Bad> {
    let retry = end.failure().map(|failure| retry(draft, failure));
    let state = match retry {
        Some(Next::After(delay)) => {
            let next = follow(draft, events, end, Initiator::Retry, delay, context)?;
            return Ok((RetryState::InProgress, Some(next)));
        }
        Some(Next::Never(state)) => state,
        None => RetryState::Unspecified,
    };
    let origin = &draft.state.origin;
    let wait = cron::backoff(&origin.cron_schedule, origin.execution_time(), draft.now);
    let next = wait
        .map(|wait| follow(draft, events, end, Initiator::CronSchedule, wait, context))
        .transpose()?;
    Ok((state, next))
}

/// The id of the run that follows, as the closing event names it.
pub(crate) fn run_id(next: Option<&Successor>) -> String {
    next.map(|next| next.run.to_string()).unwrap_or_default()
}

fn retry(draft: &Draft<'_>, failure: &Failure) -> Next {
    let origin = &draft.state.origin;
    let Some(policy) = &origin.retry_policy else {
        return Next::Never(RetryState::RetryPolicyNotSet);
    };
    policy.next(
        origin.attempt,
        Some(failure),
        Wish::Capped,
        draft.now,
        origin.execution_expiration,
    )
}

fn follow(
    draft: &Draft<'_>,
    events: &[HistoryEvent],
    end: &End<'_>,
    initiator: Initiator,
    wait: Duration,
    context: &mut Context<'_>,
) -> Result<Successor, Bad> {
    let origin = &draft.state.origin;
    let (event, start) = first_event(events)?;
    let last_completion_result = match (end, initiator) {
        (End::Completed(result), _) => result.cloned(),
        (End::Failed(_), Initiator::Retry) => None,
        _ => start.last_completion_result.clone(),
    };
    let run = context.entropy.run_id(context.now);
    let attributes = WorkflowExecutionStartedEventAttributes {
        continued_execution_run_id: origin.run.to_string(),
        original_execution_run_id: run.to_string(),
        identity: String::new(),
        initiator: initiator.into(),
        continued_failure: end.failure().cloned(),
        last_completion_result,
        attempt: match initiator {
            Initiator::Retry => origin.attempt.saturating_add(1),
            _ => 1,
        },
        first_workflow_task_backoff: Some(wire::duration(wait.max(not_too_soon(draft)))),
        eager_execution_accepted: false,
        completion_callbacks: match initiator {
            // The next time of a schedule is work of its own.
            Initiator::CronSchedule => Vec::new(),
            _ => draft.state.callbacks.handed_on(),
        },
        // Only a pin would be handed on.
        versioning_override: None,
        prev_auto_reset_points: Some(draft.state.properties.points_for(draft)),
        ..start.clone()
    };
    let types = draft.state.properties.begun_types.clone();
    let links = event.links.clone();
    begin(&draft.state, run, attributes, types, links, context)
}

/// The links that a run was begun with: the next of its chain has them too.
pub(crate) fn links(state: &State, events: &[HistoryEvent]) -> Result<Vec<Link>, Bad> {
    if !state.origin.has_links {
        return Ok(Vec::new());
    }
    first_event(events).map(|(event, _)| event.links.clone())
}

fn first_event(
    events: &[HistoryEvent],
) -> Result<(&HistoryEvent, &WorkflowExecutionStartedEventAttributes), Bad> {
    events
        .iter()
        .find_map(|event| Some((event, started(event)?)))
        .ok_or_else(|| Bad::Needs(vec![1]))
}

fn started(event: &HistoryEvent) -> Option<&WorkflowExecutionStartedEventAttributes> {
    match &event.attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(it)) => Some(it),
        _ => None,
    }
}

/// How long the next run of the id must wait, so that they do not follow each other too fast.
pub(crate) fn not_too_soon(draft: &Draft<'_>) -> Duration {
    let lifetime = draft.now.since(draft.state.origin.execution_time());
    draft
        .limits
        .continue_as_new_interval_min
        .saturating_sub(lifetime)
}

/// The first transition of the run that follows.
pub(crate) fn begin(
    state: &State,
    run: RunId,
    started: WorkflowExecutionStartedEventAttributes,
    types: BTreeMap<String, i32>,
    links: Vec<Link>,
    context: &mut Context<'_>,
) -> Result<Successor, Bad> {
    let opened = Opened {
        namespace_id: state.origin.namespace.0.to_vec(),
        start_request_id: uuid::Uuid::from_u128(context.entropy.bits()).to_string(),
        retention: Some(wire::duration(state.origin.retention)),
        search_attribute_types: types.into_iter().collect(),
        received: if planted(Fault::EffectTwiceAcrossContinueAsNew) {
            Vec::new()
        } else {
            state.received.bequeathed()
        },
    };
    let extra = Extra {
        links,
        ..Extra::default()
    };
    let limits: &Limits = context.limits;
    let mut draft = Draft::open(
        run,
        opened,
        Attributes::WorkflowExecutionStartedEventAttributes(started),
        extra,
        context.now,
        limits,
    )
    .map_err(Bad::Refused)?;
    callback::name_namespace(&mut draft, &state.namespace_name);
    draft.want_task();
    let transition = draft.finish().map_err(Bad::Refused)?;
    transition
        .map(|transition| Successor {
            run,
            behind: Vec::new(),
            transition,
            volatile: Volatile::default(),
        })
        .ok_or_else(|| Bad::Refused(Refusal::Invalid("nothing follows".to_owned())))
}
