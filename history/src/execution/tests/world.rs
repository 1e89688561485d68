//! The world of one workflow id: a shard that keeps every record, a client, a worker and a clock.
//!
//! After each step the log is folded again and must give the live state, also by way of a snapshot.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use cairn_proto::cairn::effect::v1::outcome::Outcome as Came;
use cairn_proto::prost::Message as _;
use cairn_proto::temporal::api::activity::v1::ActivityOptions;
use cairn_proto::temporal::api::common::v1::{
    Payload, Payloads, Priority, RetryPolicy, SearchAttributes,
};
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{ApplicationFailureInfo, Failure};
use cairn_proto::temporal::api::history::v1::{History, HistoryEvent};
use cairn_proto::temporal::api::query::v1::{WorkflowQuery, WorkflowQueryResult};
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;
use cairn_proto::temporal::api::update::v1::{self as update, outcome};
use cairn_proto::temporal::api::workflow::v1::versioning_override::Override;
use cairn_proto::temporal::api::workflow::v1::{VersioningOverride, WorkflowExecutionOptions};

use super::whole;

pub(super) mod post;
mod print;
mod resets;

use print::{printed, refused, updated_text};

use crate::execution::command::{Attributes, Command, ContinueAsNew, ScheduleActivity, Signed};
use crate::execution::update::{Body, Message};
use crate::execution::workflow_task::normal_queue;
use crate::execution::*;
use crate::id::{Entropy, Epoch, Key, NamespaceId, RunId, Ticket, Time};
use crate::kind::{Asked, Context, Kind, Offer, Run, Step, Stop, Transition, Work};
use crate::log::{Record, Row};
use crate::search_attribute::{Kind as AttributeKind, Registry, Term};

const START: i64 = 1_000_000_000_000_000_000;

#[derive(Debug)]
struct Counter(u128);

impl Entropy for Counter {
    fn bits(&mut self) -> u128 {
        self.0 += 1;
        self.0
    }
}

#[derive(Debug, Default)]
struct Loaded {
    state: Option<State>,
    /// As it was written last.
    row: Option<Row>,
    terms: Vec<Term>,
    volatile: Volatile,
    records: Vec<Record>,
    events: Vec<HistoryEvent>,
}

#[derive(Debug)]
pub(super) struct World {
    key: Key,
    limits: Limits,
    now: Time,
    entropy: Counter,
    next_ticket: u64,
    runs: BTreeMap<RunId, Loaded>,
    order: Vec<RunId>,
    token: Option<WorkflowTaskToken>,
    /// The task that was polled last.
    polled: Option<Offer>,
    /// A reset under way, and the last answer to one.
    resetting: Option<(reset::Procedure, reset::Next)>,
    reset: Option<Answer>,
    tokens: BTreeMap<String, ActivityToken>,
    queries: Vec<String>,
    pub(super) out: String,
    /// Is a message of another world arriving, and what came of it?
    receives: bool,
    came: Option<cairn_proto::cairn::effect::v1::Outcome>,
    /// Everything that is asked has all it may have, and events and answers are shown whole.
    pub(super) whole: Option<String>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            key: Key {
                namespace: NamespaceId([7; 16]),
                workflow_id: "w".to_owned(),
            },
            limits: Limits {
                continue_as_new_interval_min: Duration::ZERO,
                transaction_bytes_max: 4_000,
                ..Limits::default()
            },
            now: Time(START),
            entropy: Counter(0),
            next_ticket: 0,
            runs: BTreeMap::new(),
            order: Vec::new(),
            token: None,
            polled: None,
            resetting: None,
            reset: None,
            tokens: BTreeMap::new(),
            queries: Vec::new(),
            out: String::new(),
            receives: false,
            came: None,
            whole: None,
        }
    }

    pub(super) fn play(script: &str) -> String {
        let mut world = Self::new();
        for line in script.split(['\n', ';']) {
            let line = line.trim();
            if !line.is_empty() {
                world.line(line);
            }
        }
        world.out.trim_end().to_owned()
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each verb")]
    pub(super) fn line(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("complete") {
            return self.complete(rest);
        }
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words: Vec<_> = rest.split_whitespace().collect();
        let word = words.first().copied().unwrap_or("");
        match verb {
            "start" => self.start(&words, None),
            "signal-with-start" => self.start(&words, Some(signal("s", "with-start"))),
            "signal" => {
                let request_id = option(&words, "request").unwrap_or("");
                self.ask(&Question::Signal(signal(word, request_id)));
            }
            "cancel" => self.ask(&Question::RequestCancel(RequestCancel {
                reason: "because".to_owned(),
                identity: "client".to_owned(),
                request_id: String::new(),
                links: Vec::new(),
                first_run: None,
            })),
            "terminate" => self.ask(&Question::Terminate(Terminate {
                reason: "enough".to_owned(),
                details: None,
                identity: "client".to_owned(),
                links: Vec::new(),
                first_run: None,
            })),
            "delete" => self.ask(&Question::Delete),
            "forget" => {
                let run = self.order[word.parse::<usize>().unwrap() - 1];
                self.runs.remove(&run);
            }
            "options" => self.ask(&Question::UpdateOptions(Box::new(UpdateOptions {
                options: WorkflowExecutionOptions {
                    priority: option(&words, "priority").map(|key| Priority {
                        priority_key: key.parse().unwrap(),
                        ..Default::default()
                    }),
                    versioning_override: words.contains(&"upgrade").then(|| VersioningOverride {
                        r#override: Some(Override::AutoUpgrade(true)),
                        ..Default::default()
                    }),
                    ..Default::default()
                },
                paths: option(&words, "mask")
                    .map(|paths| paths.split(',').map(str::to_owned).collect())
                    .unwrap_or_default(),
                identity: "client".to_owned(),
            }))),
            "reset" => self.reset(&words),
            "reset-on" => self.reset_on(usize::MAX),
            "called" => self.called(&words),
            "callbacks" => self.print_callbacks(&words),
            "expired" => {
                let (_, loaded) = self.current().unwrap();
                let is_expired = Workflow::expired(loaded.state.as_ref().unwrap(), self.now);
                let _ = writeln!(self.out, "expired: {is_expired}");
            }
            "poll" => self.poll(&words),
            "fail" => self.fail(word),
            "begin" => self.begin(&words),
            "done" => {
                let token = self.activity(word);
                let question = CompleteActivity {
                    result: Some(payloads("result")),
                    identity: "worker".to_owned(),
                    worker_version: None,
                };
                self.ask(&Question::CompleteActivity(token, question));
            }
            "failed" => {
                let token = self.activity(word);
                let question = FailActivity {
                    failure: Some(failure(&words)),
                    last_heartbeat_details: None,
                    identity: "worker".to_owned(),
                    worker_version: None,
                };
                self.ask(&Question::FailActivity(token, Box::new(question)));
            }
            "canceled" => {
                let token = self.activity(word);
                let question = CancelActivity {
                    details: None,
                    identity: "worker".to_owned(),
                };
                self.ask(&Question::CancelActivity(token, question));
            }
            "beat" => {
                let token = self.activity(word);
                let question = HeartbeatActivity {
                    details: words.get(1).map(|text| payloads(text)),
                    identity: "worker".to_owned(),
                };
                self.ask(&Question::Heartbeat(token, question));
            }
            "pause" | "unpause" | "reset-activity" | "activity-options" => {
                let question = operate(verb, word, &words);
                self.ask(&Question::OperateActivities(Box::new(question)));
            }
            "pause-run" => self.ask(&Question::Pause(pause("hold on", &words))),
            "unpause-run" => self.ask(&Question::Unpause(pause("go on", &words))),
            "query" => self.ask(&Question::Query(Query {
                query: WorkflowQuery {
                    query_type: word.to_owned(),
                    ..Default::default()
                },
                reject_condition: option(&words, "reject").map_or(0, |it| it.parse().unwrap()),
            })),
            "update" => self.ask(&Question::Update(Box::new(Update {
                request: update_request(word),
                until: stage(&words).or(Some(Stage::Completed)),
                first_run: None,
            }))),
            "update-with-start" => {
                let both = UpdateWithStart {
                    start: Self::start_question(&words, None),
                    update: Update {
                        request: update_request(word),
                        until: stage(&words).or(Some(Stage::Completed)),
                        first_run: None,
                    },
                };
                self.ask(&Question::UpdateWithStart(Box::new(both)));
            }
            "poll-update" => self.ask(&Question::PollUpdate(PollUpdate {
                update_id: word.to_owned(),
                until: stage(&words),
            })),
            "stop-waiting" => self.ask(&Question::StopWaiting(Ticket(word.parse().unwrap()))),
            "describe" => self.ask(&Question::Describe),
            "child" => self.child(word.parse().unwrap(), &words[1..]),
            "no-sticky-worker" => self.ask(&Question::StickyWorkerUnavailable),
            "reset-sticky" => self.ask(&Question::ResetSticky),
            "limit" => self.limit(&words),
            "owed" => self.owed(),
            "advance" => self.advance(duration(word)),
            // Another node has the run now, whose clock is behind.
            "behind" => {
                self.now = Time(self.now.0 - i64::try_from(duration(word).as_nanos()).unwrap());
            }
            "reload" => {
                for run in self.runs.values_mut() {
                    run.volatile = Volatile::default();
                }
            }
            _ => panic!("no such line: {line}"),
        }
    }

    fn limit(&mut self, words: &[&str]) {
        for (key, value) in words.iter().filter_map(|word| word.split_once('=')) {
            if key.contains('.') {
                let value = value.parse().unwrap();
                assert!(self.limits.set_number(key, value), "no such limit: {key}");
            }
        }
        if let Some(events) = option(words, "buffered") {
            self.limits.buffered_events_max = events.parse().unwrap();
        }
        if let Some(events) = option(words, "events") {
            self.limits.history_events_max = events.parse().unwrap();
        }
        if let Some(time) = option(words, "heartbeat") {
            self.limits.workflow_task_heartbeat_timeout = duration(time);
        }
    }

    fn start(&mut self, words: &[&str], signal: Option<Signal>) {
        let start = Self::start_question(words, signal);
        self.ask(&Question::Start(Box::new(start)));
    }

    fn start_question(words: &[&str], signal: Option<Signal>) -> Start {
        let time = |name| option(words, name).map_or(Duration::ZERO, duration);
        let number = |name| option(words, name).map_or(0, |it| it.parse().unwrap());
        Start {
            request_id: option(words, "request").unwrap_or("r").to_owned(),
            identity: "client".to_owned(),
            workflow_type: "wf".to_owned(),
            task_queue: "q".to_owned(),
            input: Some(payloads("input")),
            header: None,
            execution_timeout: option(words, "exec").map(duration),
            run_timeout: option(words, "run").map(duration),
            task_timeout: time("task"),
            reuse_policy: number("reuse"),
            conflict_policy: number("conflict"),
            retry_policy: option(words, "retry").map(|attempts| RetryPolicy {
                maximum_attempts: attempts.parse().unwrap(),
                ..Default::default()
            }),
            // An underscore stands for a space.
            cron_schedule: option(words, "cron").unwrap_or("").replace('_', " "),
            continued_failure: None,
            last_completion_result: None,
            start_delay: time("delay"),
            memo: None,
            search_attributes: search_attributes(words),
            registry: registry(),
            user_metadata: None,
            links: Vec::new(),
            callbacks: post::callbacks(words),
            namespace_name: "default".to_owned(),
            attach: words.contains(&"attach").then_some(Attach {
                request_id: true,
                links: false,
                callbacks: true,
            }),
            versioning_override: None,
            priority: None,
            retention: Duration::from_hours(1),
            eager: words.contains(&"eager"),
            signal,
            parent: None,
        }
    }

    fn poll(&mut self, words: &[&str]) {
        let Some((run, loaded)) = self.current() else {
            return;
        };
        let Some(state) = &loaded.state else {
            return;
        };
        let offers = Workflow::owe(state, &loaded.volatile, self.now);
        let offer = offers.into_iter().find(|it| it.task.work == Work::Workflow);
        let offer = offer.or_else(|| self.polled.clone().filter(|_| words.contains(&"again")));
        let Some(offer) = offer else {
            let _ = writeln!(self.out, "! no workflow task is owed");
            return;
        };
        self.polled = Some(offer.clone());
        let task = StartTask {
            scheduled_event_id: offer.task.scheduled_event_id,
            attempt: offer.task.attempt,
            request_id: option(words, "request").unwrap_or("poll").to_owned(),
            identity: "worker".to_owned(),
            queue: option(words, "queue")
                .unwrap_or(&offer.queue.name)
                .to_owned(),
            sticky: offer.queue.sticky_of.is_some() && !words.contains(&"normal"),
            worker_version: None,
        };
        self.ask_run(run, &Question::StartWorkflowTask(task));
    }

    fn begin(&mut self, words: &[&str]) {
        let id = words.first().copied().unwrap_or("");
        let Some((run, loaded)) = self.current() else {
            return;
        };
        let Some(state) = &loaded.state else {
            return;
        };
        let Some(activity) = state.activities.by_id(id) else {
            let _ = writeln!(self.out, "! no such activity");
            return;
        };
        let owed = Workflow::owe(state, &loaded.volatile, self.now)
            .iter()
            .any(|it| it.task.scheduled_event_id == activity.scheduled_event_id);
        let task = StartTask {
            scheduled_event_id: activity.scheduled_event_id,
            attempt: activity.attempt,
            request_id: option(words, "request").unwrap_or("poll").to_owned(),
            identity: "worker".to_owned(),
            queue: option(words, "on")
                .unwrap_or(&activity.task_queue)
                .to_owned(),
            sticky: false,
            worker_version: None,
        };
        if owed || words.contains(&"again") {
            self.ask_run(run, &Question::StartActivity(task));
        } else {
            let _ = writeln!(self.out, "! the activity is not owed");
        }
    }

    fn complete(&mut self, rest: &str) {
        let (options, commands) = rest.split_once(':').unwrap_or((rest, ""));
        let options: Vec<_> = options.split_whitespace().collect();
        let queries = std::mem::take(&mut self.queries);
        let commands = commands.split(',').map(str::trim);
        let messages = commands.clone().filter_map(message).collect();
        let question = CompleteWorkflowTask {
            token: self.held(),
            namespace: "n".to_owned(),
            identity: "worker".to_owned(),
            commands: commands
                .filter(|it| !it.is_empty() && !it.starts_with("reject "))
                .map(|it| self.command(it))
                .collect(),
            sticky: options
                .contains(&"sticky")
                .then(|| ("sticky-q".to_owned(), Duration::from_secs(5))),
            return_new_workflow_task: options.contains(&"new"),
            force_create_new_workflow_task: options.contains(&"force"),
            query_results: if options.contains(&"silent") {
                HashMap::default()
            } else {
                queries
                    .into_iter()
                    .map(|id| {
                        let result = WorkflowQueryResult {
                            result_type: 1,
                            ..Default::default()
                        };
                        (id, result)
                    })
                    .collect()
            },
            sdk_metadata: None,
            metering_metadata: None,
            binary_checksum: String::new(),
            worker_version: None,
            deployment_options: None,
            messages,
            may_drop_events: options.contains(&"forgetful"),
            registry: registry(),
        };
        self.ask(&Question::CompleteWorkflowTask(Box::new(question)));
    }

    fn fail(&mut self, cause: &str) {
        let question = FailWorkflowTask {
            token: self.held(),
            cause: cause.parse().unwrap_or(14),
            failure: None,
            identity: "worker".to_owned(),
            binary_checksum: String::new(),
            worker_version: None,
        };
        self.ask(&Question::FailWorkflowTask(Box::new(question)));
    }

    fn held(&self) -> WorkflowTaskToken {
        self.token.unwrap_or(WorkflowTaskToken {
            scheduled_event_id: 2,
            started_event_id: 3,
            started_time: Time(0),
            attempt: 1,
        })
    }

    fn activity(&self, id: &str) -> ActivityToken {
        match id.strip_prefix("id:") {
            Some(id) => ActivityToken::Id(id.to_owned()),
            None => self
                .tokens
                .get(id)
                .cloned()
                .unwrap_or(ActivityToken::Attempt {
                    scheduled_event_id: 999,
                    attempt: 1,
                }),
        }
    }

    fn command(&self, text: &str) -> Command {
        let words: Vec<_> = text.split_whitespace().collect();
        let word = words.get(1).copied().unwrap_or("");
        let time = |name| option(&words, name).map(signed);
        let attributes = match words[0] {
            "activity" => Attributes::ScheduleActivity(Box::new(ScheduleActivity {
                activity_id: word.to_owned(),
                activity_type: "act".to_owned(),
                task_queue: Some(normal_queue(option(&words, "queue").unwrap_or("q"))),
                header: None,
                input: Some(payloads("in")),
                schedule_to_close: time("s2c"),
                schedule_to_start: time("s2s"),
                start_to_close: if words.contains(&"no-stc") {
                    None
                } else {
                    time("stc").or_else(|| Some(signed("10s")))
                },
                heartbeat: time("hb"),
                retry_policy: option(&words, "retry").map(|attempts| RetryPolicy {
                    maximum_attempts: attempts.parse().unwrap(),
                    ..Default::default()
                }),
                request_eager_execution: words.contains(&"eager"),
                use_workflow_build_id: words.contains(&"this-build"),
                priority: option(&words, "weight").map(|weight| Priority {
                    fairness_weight: weight.parse().unwrap(),
                    ..Default::default()
                }),
            })),
            "cancel-activity" => Attributes::RequestCancelActivity {
                scheduled_event_id: word.parse().unwrap_or_else(|_| {
                    self.current()
                        .and_then(|(_, run)| run.state.as_ref())
                        .and_then(|state| state.activities.by_id(word))
                        .map_or(999, |it| it.scheduled_event_id)
                }),
            },
            "timer" => Attributes::StartTimer {
                timer_id: word.to_owned(),
                delay: words.get(2).map(|it| signed(it)),
            },
            "cancel-timer" => Attributes::CancelTimer {
                timer_id: word.to_owned(),
            },
            "finish" => Attributes::CompleteWorkflow {
                result: option(&words, "result").map(payloads),
            },
            "fail" => Attributes::FailWorkflow {
                failure: Some(failure(&words)),
            },
            "cancel" => Attributes::CancelWorkflow { details: None },
            "again" => Attributes::ContinueAsNew(Box::new(ContinueAsNew {
                workflow_type: String::new(),
                task_queue: option(&words, "queue").map(normal_queue),
                input: None,
                run_timeout: time("run"),
                task_timeout: None,
                backoff: time("delay"),
                retry_policy: option(&words, "retry").map(|attempts| RetryPolicy {
                    maximum_attempts: attempts.parse().unwrap(),
                    ..Default::default()
                }),
                initiator: option(&words, "initiator").map_or(0, |it| it.parse().unwrap()),
                failure: None,
                last_completion_result: None,
                cron_schedule: option(&words, "cron").unwrap_or("").replace('_', " "),
                header: None,
                memo: None,
                search_attributes: search_attributes(&words),
                inherit_build_id: words.contains(&"this-build"),
            })),
            "marker" => Attributes::RecordMarker {
                name: word.to_owned(),
                details: HashMap::default(),
                header: None,
                failure: None,
            },
            "memo" => Attributes::ModifyProperties {
                upserted_memo: Some([(word.to_owned(), payload(word))].into()),
            },
            "missing" => Attributes::Missing { command_type: 3 },
            "unknown" => Attributes::Unknown { command_type: 99 },
            "upsert" => Attributes::UpsertSearchAttributes {
                search_attributes: search_attributes(&words),
            },
            "child" => Attributes::NotBuilt { command_type: 11 },
            "accept" | "adopt" | "respond" | "odd" => Attributes::ProtocolMessage {
                message_id: text.to_owned(),
            },
            other => post::command(&words).unwrap_or_else(|| panic!("no such command: {other}")),
        };
        Command {
            user_metadata: None,
            event_group_markers: Vec::new(),
            attributes,
        }
    }

    fn owed(&mut self) {
        let Some((_, loaded)) = self.current() else {
            return;
        };
        let Some(state) = &loaded.state else {
            return;
        };
        let mut text = String::new();
        for offer in Workflow::owe(state, &loaded.volatile, self.now) {
            let _ = writeln!(
                text,
                "owed: {:?} {} attempt {} on {}",
                offer.task.work,
                offer.task.scheduled_event_id,
                offer.task.attempt,
                offer.queue.name
            );
        }
        self.out += if text.is_empty() {
            "owed: nothing\n"
        } else {
            &text
        };
    }

    /// Time passes; whoever must be woken is.
    fn advance(&mut self, by: Duration) {
        let end = self.now.after(by);
        for _ in 0..10_000 {
            let next = self
                .runs
                .iter()
                .filter_map(|(id, it)| {
                    let waits = |it: &&State| it.is_open() || it.callbacks.next_wake().is_some();
                    let state = it.state.as_ref().filter(waits)?;
                    Some((Workflow::next_wake(state, &it.volatile)?, *id))
                })
                .min();
            let Some((time, run)) = next.filter(|(time, _)| *time <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(time);
            self.wake(run);
        }
        panic!("the run is woken for ever");
    }

    fn wake(&mut self, id: RunId) {
        let mut needed = Vec::new();
        loop {
            let Some(loaded) = self.runs.get_mut(&id) else {
                return;
            };
            let Some(state) = loaded.state.as_ref() else {
                return;
            };
            let asked = Asked {
                run: Some(Run {
                    id,
                    state,
                    volatile: &mut loaded.volatile,
                }),
                repeated: None,
                events: &needed,
            };
            let mut context = Context {
                now: self.now,
                ticket: Ticket(0),
                key: &self.key,
                entropy: &mut self.entropy,
                limits: &self.limits,
            };
            match Workflow::wake(asked, &mut context) {
                Ok(step) => return self.take(Some(id), step),
                Err(Stop::Refused(refusal)) => panic!("a wake was refused: {refusal:?}"),
                Err(Stop::Needs(ids)) => needed = self.events(id, &ids),
            }
        }
    }

    fn events(&self, run: RunId, ids: &[i64]) -> Vec<HistoryEvent> {
        self.runs[&run]
            .events
            .iter()
            .filter(|event| ids.contains(&event.event_id))
            .cloned()
            .collect()
    }

    fn current(&self) -> Option<(RunId, &Loaded)> {
        let id = self.order.last()?;
        Some((*id, self.runs.get(id)?))
    }

    /// By what the last run is found, as it was written last.
    pub(super) fn terms(&self) -> Vec<Term> {
        let loaded = self.current().map(|(_, loaded)| loaded.terms.clone());
        loaded.unwrap_or_default()
    }

    pub(super) fn state(&self) -> Option<&State> {
        self.current()?.1.state.as_ref()
    }

    fn ask(&mut self, question: &Question) {
        let run = self.order.last().copied();
        self.ask_maybe(run, question);
    }

    fn ask_run(&mut self, run: RunId, question: &Question) {
        self.ask_maybe(Some(run), question);
    }

    fn ask_maybe(&mut self, id: Option<RunId>, question: &Question) {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        let mut needed = Vec::new();
        let filled = self.whole.is_some().then(|| whole::filled(question));
        let question = filled.as_ref().unwrap_or(question);
        loop {
            let run = id.and_then(|id| self.runs.get_mut(&id)).and_then(|it| {
                Some(Run {
                    id: id?,
                    state: it.state.as_ref()?,
                    volatile: &mut it.volatile,
                })
            });
            let asked = Asked {
                run,
                repeated: None,
                events: &needed,
            };
            let mut context = Context {
                now: self.now,
                ticket,
                key: &self.key,
                entropy: &mut self.entropy,
                limits: &self.limits,
            };
            match Workflow::ask(asked, question, &mut context) {
                Ok(step) => return self.take(id, step),
                Err(Stop::Refused(refusal)) => {
                    let _ = writeln!(self.out, "! {}", refused(&refusal));
                    return;
                }
                Err(Stop::Needs(ids)) => {
                    assert!(needed.is_empty(), "what was needed was there");
                    needed = self.events(id.unwrap(), &ids);
                }
            }
        }
    }

    /// What a shard does with a step.
    fn take(&mut self, id: Option<RunId>, step: Step<Workflow>) {
        if let (Some(id), Some(transition)) = (id, step.transition) {
            self.append(id, transition);
        }
        if let Some(successor) = step.successor {
            let _ = writeln!(self.out, "-- run {}", self.order.len() + 1);
            self.order.push(successor.run);
            let loaded = Loaded {
                volatile: successor.volatile,
                ..self.begun(successor.run, successor.behind)
            };
            self.runs.insert(successor.run, loaded);
            self.append(successor.run, successor.transition);
        }
        for heartbeat in step.heartbeats {
            let bytes = heartbeat.details.len();
            let _ = writeln!(
                self.out,
                "> register {} {bytes}",
                heartbeat.scheduled_event_id
            );
        }
        for (ticket, answered) in step.answers {
            match answered.result {
                Ok(answer) => self.answer(ticket, answer, answered.reads),
                Err(refusal) => {
                    let _ = writeln!(self.out, "! {}", refused(&refusal));
                }
            }
        }
    }

    /// A run that begins with records of another one.
    fn begun(&mut self, id: RunId, behind: Vec<Record>) -> Loaded {
        let mut loaded = Loaded::default();
        for record in behind {
            let state = loaded.state.take();
            let state = Workflow::apply(state, id, &record).expect("a copy can be folded");
            let history = History::decode(record.events.clone()).unwrap();
            let last = record.first_event_id + i64::from(record.event_count) - 1;
            let _ = writeln!(self.out, "copied {}..={last}", record.first_event_id);
            loaded.events.extend(history.events);
            loaded.records.push(record);
            loaded.state = Some(state);
        }
        loaded
    }

    fn append(&mut self, id: RunId, transition: Transition<Workflow>) {
        let loaded = self.runs.get_mut(&id).unwrap();
        let record = Record {
            seq: loaded.records.len() as u64 + 1,
            epoch: Epoch(1),
            time: transition.time,
            first_event_id: transition.first_event_id,
            event_count: u32::try_from(transition.events.len()).unwrap(),
            events: History {
                events: transition.events.clone(),
            }
            .encode_to_vec()
            .into(),
            changes: transition.changes.clone(),
            chain: [0; 32],
        };
        let before = loaded.state.take();
        let snapshot = before
            .as_ref()
            .map(|it| Workflow::decode(&Workflow::encode(it)).expect("a snapshot can be read"));
        assert_eq!(before, snapshot, "a snapshot is the state");
        let replayed = Workflow::apply(snapshot, id, &record).expect("a record can be folded");
        assert_eq!(replayed, transition.state, "replay gives the live state");
        loaded.records.push(record);
        let row = Workflow::row(&transition.state);
        if transition.visible {
            loaded.row = Some(row.clone());
        }
        let terms = Workflow::terms(&transition.state);
        if transition.searchable {
            loaded.terms.clone_from(&terms);
        }
        assert_eq!(loaded.terms, terms, "terms are written when they change");
        let written = loaded.row.as_ref().expect("a start writes the row");
        assert_eq!(
            crate::audit::late(written, row),
            [""; 0],
            "the row is written when it changes"
        );
        loaded.events.extend(transition.events.iter().cloned());
        loaded.state = Some(transition.state);
        for (index, event) in transition.events.iter().enumerate() {
            let indent = if index == 0 { "" } else { "  " };
            let _ = writeln!(self.out, "{indent}{}", printed(event));
            if let Some(whole) = &mut self.whole {
                whole::show(event, whole);
            }
        }
        let buffer = &self.runs[&id].state.as_ref().unwrap().buffer;
        assert_eq!(buffer.bytes(), buffer.encoded_len(), "bytes are counted");
    }

    /// Every record of every run, folded from nothing, gives the states that are there.
    pub(super) fn refold(&self) {
        for (id, loaded) in &self.runs {
            let folded = loaded.records.iter().fold(None, |state, record| {
                Some(Workflow::apply(state, *id, record).unwrap())
            });
            assert_eq!(folded, loaded.state);
            let ids: Vec<_> = loaded.events.iter().map(|it| it.event_id).collect();
            let expected: Vec<_> = (1..=ids.len())
                .map(|it| i64::try_from(it).unwrap())
                .collect();
            assert_eq!(ids, expected, "event ids are contiguous");
            let closes = loaded
                .events
                .iter()
                .rposition(|it| [2, 3, 4, 21, 27, 28].contains(&it.event_type));
            if let Some(index) = closes {
                assert_eq!(index + 1, loaded.events.len(), "a close is the last event");
            }
        }
        let open = self
            .runs
            .values()
            .filter(|it| it.state.as_ref().is_some_and(State::is_open))
            .count();
        assert!(open <= 1, "an id has one open run");
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each answer")]
    fn answer(
        &mut self,
        ticket: Ticket,
        answer: Answer,
        reads: Option<(RunId, std::ops::Range<i64>)>,
    ) {
        if let Some(whole) = &mut self.whole {
            whole::show(&answer, whole);
        }
        let reads = reads.map_or(String::new(), |(_, it)| {
            format!(" reads {}..{}", it.start, it.end)
        });
        let text = match answer {
            Answer::Options(options) => {
                let key = options.priority.map_or(0, |it| it.priority_key);
                let version = options.versioning_override.is_some();
                format!("options: priority {key}, a version {version}")
            }
            Answer::Reset(run) => {
                self.reset = Some(Answer::Reset(run));
                let current = self.order.last() == run.as_ref();
                format!("reset{}", if current { "" } else { " to another" })
            }
            Answer::WorkflowTaskStarted(task) => self.hold(&task, &reads),
            Answer::WorkflowTaskCompleted(completed) => {
                for (task, token) in &completed.activity_tasks {
                    self.tokens.insert(task.activity_id.clone(), token.clone());
                    let _ = writeln!(self.out, "> eager activity {}", task.activity_id);
                }
                match completed.workflow_task {
                    Some(task) => self.hold(&task, &reads),
                    None => return,
                }
            }
            Answer::ActivityStarted(task, token) => {
                self.tokens.insert(task.activity_id.clone(), token);
                let details = if task.heartbeat_details.is_some() {
                    " with details"
                } else {
                    ""
                };
                format!(
                    "activity {} attempt {}{details}{reads}",
                    task.activity_id, task.attempt
                )
            }
            Answer::Started(started) => {
                if let Some(task) = &started.eager_task {
                    let text = self.hold(task, &reads);
                    let _ = writeln!(self.out, "> {text}");
                }
                if started.started {
                    return;
                }
                "the run that is there".to_owned()
            }
            Answer::Heartbeat {
                cancel_requested,
                paused,
                reset,
            } if cancel_requested || paused || reset => beaten(cancel_requested, paused, reset),
            Answer::ActivityOptions(options) => options_text(*options),
            Answer::AlreadyDone | Answer::Signaled { again: true, .. } => "already done".to_owned(),
            Answer::AskWorker(direct) => format!(
                "query {} asks a worker{} up to {}",
                ticket.0,
                if direct.sticky.is_some() {
                    " (sticky)"
                } else {
                    ""
                },
                direct.last_event_id
            ),
            Answer::Queried(queried) => match *queried {
                Queried::Rejected(it) => format!("query {} rejected {}", ticket.0, it.status),
                Queried::Answered(_) => format!("query {} answered", ticket.0),
                Queried::Failed { message, .. } => format!("query {} failed {message}", ticket.0),
            },
            Answer::Updated(updated) => updated_text(*updated),
            Answer::Described(described) => {
                let mut text = String::from("described");
                if let Some(pause) = described
                    .workflow_extended_info
                    .and_then(|it| it.pause_info)
                {
                    let _ = write!(text, " paused by {}", pause.identity);
                }
                if let Some(task) = described.pending_workflow_task {
                    let _ = write!(text, " task {:?} attempt {}", task.state(), task.attempt);
                }
                for it in described.pending_activities {
                    let _ = write!(
                        text,
                        " {} {:?} attempt {}",
                        it.activity_id,
                        it.state(),
                        it.attempt
                    );
                }
                text
            }
            Answer::Delivered(outcome) if self.receives => {
                self.came = Some(*outcome);
                return;
            }
            Answer::Delivered(outcome) => match outcome.outcome {
                Some(Came::Moved(_)) => "delivered: another run goes on".to_owned(),
                Some(came) => format!("delivered {came:?}"),
                None => return,
            },
            Answer::Done
            | Answer::Signaled { again: false, .. }
            | Answer::Heartbeat { .. }
            | Answer::Failures(_)
            | Answer::Position(_) => return,
        };
        let _ = writeln!(self.out, "> {text}");
    }

    fn hold(&mut self, task: &TaskStarted, reads: &str) -> String {
        self.token = Some(task.token);
        self.queries = task.response.queries.keys().cloned().collect();
        let mut text = format!(
            "task started {} attempt {} previous {}{reads}",
            task.response.started_event_id,
            task.response.attempt,
            task.response.previous_started_event_id
        );
        for event in &task.suffix {
            let _ = write!(text, " +{}", event.event_id);
        }
        for message in &task.response.messages {
            let _ = write!(
                text,
                " with {} {:?}",
                message.id,
                message.sequencing_id.unwrap()
            );
        }
        if !self.queries.is_empty() {
            let _ = write!(text, " with {} queries", self.queries.len());
        }
        text
    }
}

fn option<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words
        .iter()
        .find_map(|it| it.strip_prefix(name)?.strip_prefix('='))
}

fn pause(reason: &str, words: &[&str]) -> Pause {
    Pause {
        identity: "operator".to_owned(),
        reason: reason.to_owned(),
        request_id: option(words, "request").unwrap_or("").to_owned(),
    }
}

/// What is done to the activities of an id, of `type=…`, or to `all` of them.
fn operate(verb: &str, word: &str, words: &[&str]) -> OperateActivities {
    let activities = match option(words, "type") {
        Some(name) => Activities::Type(name.to_owned()),
        None if word == "all" => Activities::All,
        None => Activities::Id(word.to_owned()),
    };
    let has = |name: &str| words.contains(&name);
    let jitter = option(words, "jitter").map_or(Duration::ZERO, duration);
    let operation = match verb {
        "pause" => ActivityOperation::Pause {
            reason: "too hot".to_owned(),
            request_id: option(words, "request").unwrap_or("").to_owned(),
        },
        "unpause" => ActivityOperation::Unpause(UnpauseActivity {
            reset_attempts: has("attempts"),
            reset_heartbeat: has("heartbeat"),
            jitter,
        }),
        "reset-activity" => ActivityOperation::Reset(ResetActivity {
            reset_heartbeat: has("heartbeat"),
            keep_paused: has("paused"),
            restore_original_options: has("options"),
            jitter,
        }),
        _ => ActivityOperation::UpdateOptions(Box::new(activity_options(words))),
    };
    OperateActivities {
        activities,
        identity: "operator".to_owned(),
        operation,
    }
}

fn activity_options(words: &[&str]) -> UpdateActivityOptions {
    let span = |name| option(words, name).map(|it| super::super::wire::duration(duration(it)));
    let restore_original = words.contains(&"original");
    let options = ActivityOptions {
        task_queue: option(words, "queue").map(|name| TaskQueue {
            name: name.to_owned(),
            ..Default::default()
        }),
        heartbeat_timeout: span("heartbeat"),
        start_to_close_timeout: span("close"),
        retry_policy: span("interval").map(|it| RetryPolicy {
            initial_interval: Some(it),
            ..Default::default()
        }),
        ..Default::default()
    };
    UpdateActivityOptions {
        options: (!restore_original).then_some(options),
        paths: option(words, "mask").map(|paths| paths.split(',').map(str::to_owned).collect()),
        restore_original,
    }
}

fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.find(|it: char| it.is_alphabetic()).unwrap_or(0));
    let number: u64 = number.parse().unwrap();
    match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(60 * number),
        _ => panic!("no such unit: {text}"),
    }
}

/// `name:"json"`, each a word.
/// What the namespace of the tests has.
pub(super) fn registry() -> Registry {
    let custom = [
        ("Color", AttributeKind::Keyword),
        ("Size", AttributeKind::Int),
    ];
    Registry {
        namespace: "default".to_owned(),
        custom: custom.map(|(name, kind)| (name.to_owned(), kind)).into(),
    }
}

pub(super) fn search_attributes(words: &[&str]) -> Option<SearchAttributes> {
    let fields = words.iter().filter_map(|word| word.split_once(':'));
    let indexed_fields: HashMap<_, _> = fields
        .map(|(name, json)| {
            let mut payload = Payload {
                metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
                data: json.as_bytes().to_vec(),
                ..Default::default()
            };
            // `Color/Int`: the client calls it so.
            let (name, kind) = name.split_once('/').unwrap_or((name, ""));
            if !kind.is_empty() {
                payload.metadata.insert("type".to_owned(), kind.into());
            }
            (name.to_owned(), payload)
        })
        .collect();
    (!indexed_fields.is_empty()).then_some(SearchAttributes { indexed_fields })
}

fn signed(text: &str) -> Signed {
    if let Some(negative) = text.strip_prefix('-') {
        return Signed {
            seconds: -i64::try_from(duration(negative).as_secs()).unwrap(),
            nanos: 0,
        };
    }
    let duration = duration(text);
    Signed {
        seconds: i64::try_from(duration.as_secs()).unwrap(),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap(),
    }
}

fn signal(name: &str, request_id: &str) -> Signal {
    Signal {
        name: name.to_owned(),
        input: Some(payloads("in")),
        header: None,
        identity: "client".to_owned(),
        request_id: request_id.to_owned(),
        links: Vec::new(),
    }
}

pub(super) fn payload(text: &str) -> Payload {
    Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data: format!("\"{text}\"").into_bytes(),
        ..Default::default()
    }
}

pub(super) fn payloads(text: &str) -> Payloads {
    Payloads {
        payloads: vec![payload(text)],
    }
}

pub(super) fn failure(words: &[&str]) -> Failure {
    Failure {
        message: "boom".to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(
            ApplicationFailureInfo {
                r#type: "Boom".to_owned(),
                non_retryable: words.contains(&"final"),
                next_retry_delay: option(words, "next").map(|it| {
                    let it = signed(it);
                    cairn_proto::prost_types::Duration {
                        seconds: it.seconds,
                        nanos: it.nanos,
                    }
                }),
                ..Default::default()
            },
        )),
        ..Default::default()
    }
}

/// What a worker hears at its heartbeat.
fn beaten(cancel_requested: bool, paused: bool, reset: bool) -> String {
    let said = [
        (cancel_requested, "cancel requested"),
        (paused, "paused"),
        (reset, "reset"),
    ];
    let said = said.into_iter().filter(|(is, _)| *is);
    said.map(|(_, what)| what).collect::<Vec<_>>().join(", ")
}

fn options_text(options: ActivityOptions) -> String {
    let queue = options.task_queue.unwrap_or_default().name;
    let span = |it| super::super::wire::span(it);
    let policy = options.retry_policy.unwrap_or_default();
    format!(
        "options: on {queue} start to close {:?} heartbeat {:?} interval {:?} attempts {}",
        span(options.start_to_close_timeout.as_ref()),
        span(options.heartbeat_timeout.as_ref()),
        span(policy.initial_interval.as_ref()),
        policy.maximum_attempts,
    )
}

fn update_request(id: &str) -> update::Request {
    update::Request {
        meta: Some(update::Meta {
            update_id: id.to_owned(),
            identity: "client".to_owned(),
        }),
        input: Some(update::Input {
            name: "change".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn update_id(request: &update::Request) -> &str {
    request.meta.as_ref().map_or("", |meta| &meta.update_id)
}

fn stage(words: &[&str]) -> Option<Stage> {
    option(words, "until").map(|it| match it {
        "accepted" => Stage::Accepted,
        "completed" => Stage::Completed,
        other => panic!("no such stage: {other}"),
    })
}

/// What a worker says of an update: `accept u`, `adopt u` (one that it alone knows), `respond u`, `reject u`, `odd u`.
fn message(text: &str) -> Option<Message> {
    let (verb, instance) = text.split_once(' ')?;
    let body = match verb {
        "accept" | "adopt" => Body::Acceptance {
            sequencing_event_id: 5,
            request: (verb == "adopt").then(|| update_request(instance)),
        },
        "respond" => Body::Response {
            meta: update_request(instance).meta,
            outcome: Some(update::Outcome {
                value: Some(outcome::Value::Success(payloads("result"))),
            }),
        },
        "reject" => Body::Rejection {
            request: Some(update_request(instance)),
            failure: Some(failure(&[])),
        },
        "odd" => Body::Bad("odd".to_owned()),
        _ => return None,
    };
    Some(Message {
        id: text.to_owned(),
        instance: instance.to_owned(),
        type_name: verb.to_owned(),
        bytes: 1,
        body,
    })
}
