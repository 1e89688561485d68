//! Options of a run that somebody may change while it is open: its priority, and which version of the worker it is to have.
//!
//! What is asked for is merged with what the run has, field by field as the mask says; if that is something else, it is one event. The version is only
//! stored and shown: workers have no versions yet, so a run cannot be pinned to one.

use cairn_proto::temporal::api::common::v1::Priority;
use cairn_proto::temporal::api::enums::v1::VersioningBehavior as Behavior;
use cairn_proto::temporal::api::history::v1::WorkflowExecutionOptionsUpdatedEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::workflow::v1::versioning_override::{
    Override, PinnedOverride, PinnedOverrideBehavior,
};
use cairn_proto::temporal::api::workflow::v1::{
    VersioningOverride, WorkflowExecutionOptions, WorkflowExecutionVersioningInfo,
};
use serde::{Deserialize, Serialize};

use super::state::State;
use super::transition::Draft;
use super::{Answer, Outcome, Refusal, Run, UpdateOptions, answer_step, kept, refuse, wire};
use crate::kind::{Context, Stop};

/// The fields that a mask may name.
const PATHS: [&str; 18] = [
    "versioning_override",
    "versioning_override.behavior",
    "versioning_override.deployment",
    "versioning_override.deployment.series_name",
    "versioning_override.deployment.build_id",
    "versioning_override.pinned_version",
    "versioning_override.pinned",
    "versioning_override.pinned.behavior",
    "versioning_override.pinned.version",
    "versioning_override.pinned.version.build_id",
    "versioning_override.pinned.version.deployment_name",
    "versioning_override.auto_upgrade",
    "priority",
    "priority.priority_key",
    "priority.fairness_key",
    "priority.fairness_weight",
    "time_skipping_config",
    "time_skipping_config.enabled",
];

/// Does a mask name fields only? The reference's words for what it does not know.
pub fn check_paths(paths: &[String]) -> Result<(), String> {
    match paths.iter().find(|path| !PATHS.contains(&path.as_str())) {
        None => Ok(()),
        Some(path) => Err(format!(
            "proto:\u{a0}invalid path \"{path}\" for message \
             \"temporal.api.workflow.v1.WorkflowExecutionOptions\""
        )),
    }
}

/// Which version of the worker a run is to have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    #[serde(with = "wire::optional")]
    pub(crate) version: Option<VersioningOverride>,
    /// Somebody has said so once.
    versioned: bool,
}

impl Part {
    pub(crate) fn new(version: Option<&VersioningOverride>) -> Self {
        Self {
            version: version.cloned(),
            versioned: version.is_some(),
        }
    }

    pub(crate) fn updated(&mut self, it: &WorkflowExecutionOptionsUpdatedEventAttributes) {
        if it.unset_versioning_override {
            self.version = None;
        } else if it.versioning_override.is_some() {
            self.version.clone_from(&it.versioning_override);
            self.versioned = true;
        }
    }

    /// As it is described: in the words of all versions of the protocol.
    pub(crate) fn described(&self) -> Option<WorkflowExecutionVersioningInfo> {
        let described = |version: &VersioningOverride| VersioningOverride {
            behavior: Behavior::AutoUpgrade.into(),
            ..version.clone()
        };
        self.versioned.then(|| WorkflowExecutionVersioningInfo {
            versioning_override: self.version.as_ref().map(described),
            ..Default::default()
        })
    }
}

pub(crate) fn update(run: Run<'_>, question: &UpdateOptions, context: &mut Context<'_>) -> Outcome {
    if !run.state.is_open() {
        return refuse(Refusal::Completed);
    }
    let asked = question.options.versioning_override.as_ref();
    if let Err(refusal) = check_pin(run.state, asked) {
        return refuse(refusal);
    }
    let mut draft = Draft::new(run.state, context.now, context.limits);
    let merged = match merge(&mut draft, question) {
        Ok(merged) => merged,
        Err(refusal) => return refuse(refusal),
    };
    let transition = draft.finish().map_err(Stop::Refused)?;
    let answer = Answer::Options(Box::new(merged));
    Ok(answer_step(transition, context.ticket, answer))
}

/// Makes the run have what is asked for, and says what it has then.
pub(crate) fn merge(
    draft: &mut Draft<'_>,
    question: &UpdateOptions,
) -> Result<WorkflowExecutionOptions, Refusal> {
    let asked = question.options.versioning_override.as_ref();
    let version = check_override(asked, &draft.state.origin.task_queue)?;
    let before = WorkflowExecutionOptions {
        versioning_override: draft.state.options.version.clone(),
        priority: draft.state.origin.priority.clone(),
        ..Default::default()
    };
    let merged = check_paths(&question.paths)
        .and_then(|()| merged(&before, question).map_err(str::to_owned))
        .map_err(|why| Refusal::Invalid(format!("error applying update_options: {why}")))?;
    if merged == before {
        return Ok(merged);
    }
    let version = match &merged.versioning_override {
        it if *it == before.versioning_override => it.clone(),
        Some(_) => version,
        None => None,
    };
    if version != before.versioning_override {
        draft.show_attributes();
    }
    let updated = WorkflowExecutionOptionsUpdatedEventAttributes {
        unset_versioning_override: version.is_none(),
        versioning_override: version,
        priority: merged.priority.clone(),
        identity: question.identity.clone(),
        ..Default::default()
    };
    draft.happen(Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(
        updated,
    ));
    Ok(merged)
}

fn merged(
    before: &WorkflowExecutionOptions,
    question: &UpdateOptions,
) -> Result<WorkflowExecutionOptions, &'static str> {
    let asked = &question.options;
    let has = |path: &str| question.paths.iter().any(|it| it == path);
    let mut merged = before.clone();
    let (behavior, deployment) = (
        has("versioning_override.behavior"),
        has("versioning_override.deployment"),
    );
    if behavior != deployment {
        return Err("versioning_override fields must be updated together");
    }
    if behavior || has("versioning_override") {
        merged
            .versioning_override
            .clone_from(&asked.versioning_override);
    }
    let partly = |path: &String| {
        path.strip_prefix("versioning_override.")
            .is_some_and(|field| !matches!(field, "behavior" | "deployment"))
    };
    if question.paths.iter().any(partly) {
        return Err("versioning_override doesn't support partial updates");
    }
    let priority = asked.priority.clone().unwrap_or_default();
    if has("priority") {
        merged.priority = kept(asked.priority.as_ref());
    }
    let of_merged = |merged: &mut WorkflowExecutionOptions, set: &dyn Fn(&mut Priority)| {
        let mut changed = merged.priority.clone().unwrap_or_default();
        set(&mut changed);
        merged.priority = kept(Some(&changed));
    };
    if has("priority.priority_key") {
        of_merged(&mut merged, &|it| it.priority_key = priority.priority_key);
    }
    if has("priority.fairness_key") {
        of_merged(&mut merged, &|it| {
            it.fairness_key.clone_from(&priority.fairness_key);
        });
    }
    if has("priority.fairness_weight") {
        of_merged(&mut merged, &|it| {
            it.fairness_weight = priority.fairness_weight;
        });
    }
    Ok(merged)
}

/// Pinned to the version that the run has: it has none.
fn check_pin(state: &State, asked: Option<&VersioningOverride>) -> Result<(), Refusal> {
    let Some(Override::Pinned(pinned)) = asked.and_then(|it| it.r#override.as_ref()) else {
        return Ok(());
    };
    if pinned.behavior == i32::from(PinnedOverrideBehavior::Unspecified) || pinned.version.is_some()
    {
        return Ok(());
    }
    Err(Refusal::Precondition(format!(
        "must specify a specific pinned override version because workflow with id {} has behavior \
         Unspecified and is not yet pinned to any version",
        state.origin.workflow_id
    )))
}

/// May a run have this version? As events show it.
pub(crate) fn check_override(
    asked: Option<&VersioningOverride>,
    task_queue: &str,
) -> Result<Option<VersioningOverride>, Refusal> {
    let Some(asked) = asked else {
        return Ok(None);
    };
    match &asked.r#override {
        Some(Override::Pinned(pinned)) => Err(pinned_to(pinned, task_queue)),
        Some(Override::AutoUpgrade(_)) => Ok(Some(auto_upgrade())),
        Some(_) => Err(Refusal::NotBuilt(
            "this versioning override is not built yet".to_owned(),
        )),
        None => by_behavior(asked, task_queue),
    }
}

fn auto_upgrade() -> VersioningOverride {
    VersioningOverride {
        r#override: Some(Override::AutoUpgrade(true)),
        ..Default::default()
    }
}

fn invalid(text: &str) -> Refusal {
    Refusal::Invalid(text.to_owned())
}

fn pinned_to(pinned: &PinnedOverride, task_queue: &str) -> Refusal {
    match &pinned.version {
        None => invalid("must provide version if override is pinned."),
        Some(_) if pinned.behavior == i32::from(PinnedOverrideBehavior::Unspecified) => {
            invalid("must specify pinned override behavior if override is pinned.")
        }
        Some(version) => not_there(&version.deployment_name, &version.build_id, task_queue),
    }
}

/// The older way to say it.
fn by_behavior(
    asked: &VersioningOverride,
    task_queue: &str,
) -> Result<Option<VersioningOverride>, Refusal> {
    match Behavior::try_from(asked.behavior) {
        Ok(Behavior::AutoUpgrade) => Ok(Some(auto_upgrade())),
        Ok(Behavior::Unspecified) => Err(invalid("override behavior is required")),
        Ok(Behavior::Pinned) => Err(
            match (&asked.deployment, asked.pinned_version.split_once('.')) {
                (Some(it), _) => not_there(&it.series_name, &it.build_id, task_queue),
                (None, Some((name, build))) => not_there(name, build, task_queue),
                (None, None) => invalid(
                    "must provide deployment (deprecated) or pinned version if behavior is 'PINNED'",
                ),
            },
        ),
        Err(_) => Err(Refusal::Invalid(format!(
            "override behavior {} not recognized",
            asked.behavior
        ))),
    }
}

fn not_there(deployment: &str, build: &str, task_queue: &str) -> Refusal {
    Refusal::Precondition(format!(
        "Pinned version '{deployment}:{build}' is not present in task queue '{task_queue}' of type \
         'Workflow'"
    ))
}
