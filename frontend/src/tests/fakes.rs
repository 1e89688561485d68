//! A store that keeps namespaces and settings, and services that say what they were asked.

use std::sync::Mutex;

use async_trait::async_trait;
use cairn_history::id::{Epoch, Key, RunId, ShardId, Time};
use cairn_history::kind::Queue;
use cairn_history::log::visibility::{Position, Query};
use cairn_history::log::{
    Audit, Committed, Failure, Found, Fragment, Namespace, Parked, ReadError, Record, Row,
    ShardBatch, Store, Stored, WakeUp, Whole,
};
use cairn_history::placement::{Node, View};
use cairn_proto::cairn::history::v1 as history;
use cairn_proto::cairn::history::v1::history_service_server::HistoryService;
use cairn_proto::cairn::matching::v1 as matching;
use cairn_proto::cairn::matching::v1::matching_service_server::MatchingService;
use cairn_proto::cairn::token::v1 as token;
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::query::v1::WorkflowQuery;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::{Request, Response, Status};

/// Rows are returned as they were put in; of conditions it knows none.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    namespaces: Mutex<Vec<Namespace>>,
    settings: Mutex<Vec<(String, Vec<u8>)>>,
    pub(crate) rows: Mutex<Vec<Row>>,
}

#[async_trait]
impl Audit for Memory {
    async fn next_run(&self, _: Option<RunId>) -> Result<Option<RunId>, ReadError> {
        Ok(None)
    }

    async fn whole(&self, _: RunId) -> Result<Whole, ReadError> {
        Ok(Whole::default())
    }
}

#[async_trait]
impl Store for Memory {
    fn shards(&self) -> u32 {
        4
    }

    fn writers(&self) -> usize {
        1
    }

    fn reads_need_proof(&self) -> bool {
        false
    }

    async fn take_over(&self, _: ShardId, _: &str) -> Result<Epoch, Failure> {
        Ok(Epoch(1))
    }

    async fn take_from(&self, _: ShardId, _: &str, from: Epoch) -> Result<Option<Epoch>, Failure> {
        Ok(Some(Epoch(from.0 + 1)))
    }

    async fn release(&self, _: ShardId, _: Epoch) -> Result<(), Failure> {
        Ok(())
    }

    async fn beat(&self, node: &Node) -> Result<View, Failure> {
        Ok(View {
            nodes: vec![node.clone()],
            ..View::default()
        })
    }

    async fn commit(&self, _: usize, _: &[ShardBatch]) -> Result<Committed, Failure> {
        Ok(Committed::default())
    }

    async fn find(&self, _: &Key, _: Option<&str>) -> Result<Found, ReadError> {
        Ok(Found::default())
    }

    async fn load(&self, _: RunId) -> Result<Option<Stored>, ReadError> {
        Ok(None)
    }

    async fn records(&self, _: RunId) -> Result<Vec<Record>, ReadError> {
        Ok(Vec::new())
    }

    async fn page(&self, _: RunId, _: i64, _: i64, _: usize) -> Result<Vec<Fragment>, ReadError> {
        Ok(Vec::new())
    }

    async fn page_reverse(&self, _: RunId, _: i64, _: usize) -> Result<Vec<Fragment>, ReadError> {
        Ok(Vec::new())
    }

    async fn wake_ups(
        &self,
        _: ShardId,
        _: Time,
        _: Option<(Time, RunId)>,
        _: usize,
    ) -> Result<Vec<WakeUp>, ReadError> {
        Ok(Vec::new())
    }

    async fn parked(
        &self,
        _: ShardId,
        _: &Queue,
        _: Option<&Parked>,
        _: usize,
    ) -> Result<Vec<Parked>, ReadError> {
        Ok(Vec::new())
    }

    async fn parked_queues(&self, _: ShardId) -> Result<Vec<(Queue, u64, Time)>, ReadError> {
        Ok(Vec::new())
    }

    async fn list(
        &self,
        _: &Query,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Row>, ReadError> {
        let rows = self.rows.lock().unwrap();
        let before = |row: &&Row| after.is_some_and(|after| row.start_time >= after.start_time);
        Ok(rows
            .iter()
            .skip_while(before)
            .take(limit)
            .cloned()
            .collect())
    }

    async fn count(&self, _: &Query, grouped: bool) -> Result<Vec<(i32, i64)>, ReadError> {
        let count = i64::try_from(self.rows.lock().unwrap().len()).unwrap();
        Ok(vec![(if grouped { Row::RUNNING } else { 0 }, count)])
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>, ReadError> {
        Ok(self.namespaces.lock().unwrap().clone())
    }

    async fn put_namespace(
        &self,
        namespace: &Namespace,
        before: Option<&[u8]>,
    ) -> Result<bool, Failure> {
        let mut namespaces = self.namespaces.lock().unwrap();
        let stored = namespaces.iter().find(|known| known.id == namespace.id);
        if stored.is_some_and(|stored| Some(&stored.record[..]) != before) {
            return Ok(false);
        }
        namespaces.retain(|known| known.id != namespace.id);
        if namespaces.iter().any(|known| known.name == namespace.name) {
            return Err(Failure::Refused("the name is taken".into()));
        }
        namespaces.push(namespace.clone());
        Ok(true)
    }

    async fn setting(&self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut settings = self.settings.lock().unwrap();
        if let Some((_, known)) = settings.iter().find(|(known, _)| known == name) {
            return Ok(known.clone());
        }
        settings.push((name.to_owned(), fresh.to_vec()));
        Ok(fresh.to_vec())
    }

    async fn ping(&self) -> Result<(), ReadError> {
        Ok(())
    }

    async fn close(&self) {}
}

/// Every run it is asked about is `RUN`; it keeps the last request of each sort.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    pub(crate) started: Mutex<Option<history::StartWorkflowExecutionRequest>>,
    pub(crate) history: Mutex<Option<history::GetWorkflowExecutionHistoryRequest>>,
    pub(crate) completed: Mutex<Option<history::RespondWorkflowTaskCompletedRequest>>,
    pub(crate) activity: Mutex<Option<history::RespondActivityTaskCompletedRequest>>,
    pub(crate) failed: Mutex<Option<history::RespondActivityTaskFailedRequest>>,
}

pub(crate) const RUN: RunId = RunId([9; 16]);

fn task(namespace_id: &[u8]) -> token::Task {
    token::Task {
        namespace_id: namespace_id.to_vec(),
        workflow_id: "w".to_owned(),
        run_id: RUN.0.to_vec(),
        scheduled_event_id: 2,
        ..Default::default()
    }
}

fn page(namespace_id: &[u8], reverse: bool) -> Vec<u8> {
    token::HistoryPage {
        namespace_id: namespace_id.to_vec(),
        workflow_id: "w".to_owned(),
        run_id: RUN.0.to_vec(),
        next_event_id: 5,
        reverse,
        ..Default::default()
    }
    .encode_to_vec()
}

fn workflow_task(namespace_id: &[u8]) -> pb::PollWorkflowTaskQueueResponse {
    pb::PollWorkflowTaskQueueResponse {
        task_token: task(namespace_id).encode_to_vec(),
        next_page_token: page(namespace_id, false),
        ..Default::default()
    }
}

fn activity_task(namespace_id: &[u8]) -> pb::PollActivityTaskQueueResponse {
    pb::PollActivityTaskQueueResponse {
        task_token: task(namespace_id).encode_to_vec(),
        ..Default::default()
    }
}

#[async_trait]
impl HistoryService for Runs {
    async fn start_workflow_execution(
        &self,
        request: Request<history::StartWorkflowExecutionRequest>,
    ) -> Result<Response<pb::StartWorkflowExecutionResponse>, Status> {
        let request = request.into_inner();
        let eager = request.request.as_ref().unwrap().request_eager_execution;
        let task = eager.then(|| workflow_task(&request.namespace_id));
        *self.started.lock().unwrap() = Some(request);
        Ok(Response::new(pb::StartWorkflowExecutionResponse {
            run_id: RUN.to_string(),
            started: true,
            eager_workflow_task: task,
            ..Default::default()
        }))
    }

    async fn get_workflow_execution_history(
        &self,
        request: Request<history::GetWorkflowExecutionHistoryRequest>,
    ) -> Result<Response<pb::GetWorkflowExecutionHistoryResponse>, Status> {
        let request = request.into_inner();
        let next_page_token = page(&request.namespace_id, false);
        *self.history.lock().unwrap() = Some(request);
        Ok(Response::new(pb::GetWorkflowExecutionHistoryResponse {
            next_page_token,
            ..Default::default()
        }))
    }

    async fn respond_workflow_task_completed(
        &self,
        request: Request<history::RespondWorkflowTaskCompletedRequest>,
    ) -> Result<Response<pb::RespondWorkflowTaskCompletedResponse>, Status> {
        let request = request.into_inner();
        let namespace = request.token.clone().unwrap().namespace_id;
        *self.completed.lock().unwrap() = Some(request);
        Ok(Response::new(pb::RespondWorkflowTaskCompletedResponse {
            workflow_task: Some(workflow_task(&namespace)),
            activity_tasks: vec![activity_task(&namespace)],
            ..Default::default()
        }))
    }

    async fn respond_activity_task_completed(
        &self,
        request: Request<history::RespondActivityTaskCompletedRequest>,
    ) -> Result<Response<pb::RespondActivityTaskCompletedResponse>, Status> {
        *self.activity.lock().unwrap() = Some(request.into_inner());
        Ok(Response::new(pb::RespondActivityTaskCompletedResponse {}))
    }

    async fn respond_activity_task_failed(
        &self,
        request: Request<history::RespondActivityTaskFailedRequest>,
    ) -> Result<Response<pb::RespondActivityTaskFailedResponse>, Status> {
        *self.failed.lock().unwrap() = Some(request.into_inner());
        Ok(Response::new(
            pb::RespondActivityTaskFailedResponse::default(),
        ))
    }
}

/// Every poll gets a task at once: of a workflow, or of a query if the queue is called `queries`.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    pub(crate) answered: Mutex<Option<matching::RespondQueryTaskCompletedRequest>>,
}

#[async_trait]
impl MatchingService for Queues {
    async fn poll_workflow_task_queue(
        &self,
        request: Request<matching::PollWorkflowTaskQueueRequest>,
    ) -> Result<Response<pb::PollWorkflowTaskQueueResponse>, Status> {
        let request = request.into_inner();
        let queue = request.request.unwrap().task_queue.unwrap().name;
        Ok(Response::new(match queue.as_str() {
            "empty" => pb::PollWorkflowTaskQueueResponse::default(),
            "queries" => pb::PollWorkflowTaskQueueResponse {
                task_token: token::Query {
                    namespace_id: request.namespace_id,
                    task_queue: queue,
                    query_id: "1".to_owned(),
                }
                .encode_to_vec(),
                query: Some(WorkflowQuery::default()),
                ..Default::default()
            },
            _ => workflow_task(&request.namespace_id),
        }))
    }

    async fn poll_activity_task_queue(
        &self,
        request: Request<matching::PollActivityTaskQueueRequest>,
    ) -> Result<Response<pb::PollActivityTaskQueueResponse>, Status> {
        Ok(Response::new(activity_task(
            &request.into_inner().namespace_id,
        )))
    }

    async fn respond_query_task_completed(
        &self,
        request: Request<matching::RespondQueryTaskCompletedRequest>,
    ) -> Result<Response<pb::RespondQueryTaskCompletedResponse>, Status> {
        *self.answered.lock().unwrap() = Some(request.into_inner());
        Ok(Response::new(pb::RespondQueryTaskCompletedResponse {}))
    }

    async fn shutdown_worker(
        &self,
        _: Request<matching::ShutdownWorkerRequest>,
    ) -> Result<Response<pb::ShutdownWorkerResponse>, Status> {
        Ok(Response::new(pb::ShutdownWorkerResponse {}))
    }

    async fn describe_task_queue(
        &self,
        _: Request<matching::DescribeTaskQueueRequest>,
    ) -> Result<Response<pb::DescribeTaskQueueResponse>, Status> {
        Ok(Response::new(pb::DescribeTaskQueueResponse::default()))
    }
}
