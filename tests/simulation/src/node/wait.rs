//! Whoever waits for an update: for a while, then the answer is how far it is.

use std::time::Duration;

use cairn_history::execution::{Answer, Question, Workflow};
use cairn_history::id::{ShardId, Ticket};
use cairn_history::shard::{Released, Target};

use super::Asker;
use super::history::Asking;
use crate::event::{Event, Reply, Waiting};
use crate::world::World;

/// Shorter than a node waits for another one.
const LONG_POLL: Duration = Duration::from_secs(2);

impl World {
    /// A question is asked that a run may answer much later.
    pub(super) fn may_wait(
        &mut self,
        node: usize,
        ticket: Ticket,
        target: &Target,
        question: &Question,
    ) {
        if !matches!(question, Question::Update(_) | Question::PollUpdate(_)) {
            return;
        }
        let waiting = Waiting {
            ticket,
            key: target.key.clone(),
            run: target.run,
        };
        let stamp = self.nodes[node].stamp;
        let over = self.now.after(LONG_POLL);
        self.heap
            .put(over, Event::Patience(stamp, Box::new(waiting)));
    }

    pub(crate) fn stop_waiting(&mut self, node: usize, waiting: &Waiting) {
        let shard = waiting.key.shard(self.plan.shards);
        let ticket = waiting.ticket;
        let owned = self.nodes[node].owned(shard);
        if owned.is_some_and(|owned| owned.asked.contains_key(&ticket)) {
            let asking = Asking {
                key: waiting.key.clone(),
                run: waiting.run,
                start_request_id: None,
                question: Question::StopWaiting(ticket),
            };
            self.ask(node, Asker::Stopper(ticket), asking);
        }
    }

    /// What the run says to that: it answers for the one who waits, or has answered already.
    pub(super) fn stopped(
        &mut self,
        node: usize,
        shard: ShardId,
        waiter: Ticket,
        released: Released<Workflow>,
    ) {
        let answered = match &released.result {
            Ok(answer) => matches!(answer, Answer::Updated(_)),
            Err(_) => true,
        };
        let owned = self.nodes[node].owned(shard).filter(|_| answered);
        let waits = owned.and_then(|owned| owned.asked.remove(&waiter));
        let Some((Asker::Caller { to, id }, _)) = waits else {
            return;
        };
        let reply = match released.result {
            Ok(answer) => Reply::Answered {
                answer,
                events: Vec::new(),
            },
            Err(refusal) => Reply::Refused(refusal),
        };
        self.reply(node, to, id, reply);
    }
}
