//! What runs owe to one another, carried from shard to shard.

use cairn_history::execution::{Answer, Effect, Question, started_by};
use cairn_history::id::{Epoch, Key, NamespaceId, RunId, ShardId};
use cairn_proto::cairn::effect::v1::Message;

use super::Pending;
use super::history::Asking;
use crate::event::Reply;
use crate::world::World;

impl World {
    pub(super) fn send_effect(
        &mut self,
        node: usize,
        shard: ShardId,
        run: RunId,
        effect: Effect,
        message: Message,
    ) {
        let Some(epoch) = self.nodes[node].owned(shard).map(|owned| owned.epoch) else {
            return;
        };
        let namespace = message.namespace_id.as_slice().try_into();
        let key = Key {
            namespace: NamespaceId(namespace.expect("a message names its namespace")),
            workflow_id: message.workflow_id.clone(),
        };
        let asking = Asking {
            key,
            run: message.run_id.as_slice().try_into().ok().map(RunId),
            start_request_id: started_by(&message),
            question: Question::Deliver(Box::new(message)),
        };
        let pending = Pending::Effect {
            shard,
            epoch,
            run,
            effect,
        };
        self.ask_owner(node, pending, asking);
    }

    pub(super) fn effect_answered(
        &mut self,
        node: usize,
        shard: ShardId,
        epoch: Epoch,
        run: RunId,
        effect: Effect,
        reply: Reply,
    ) {
        let limits = std::sync::Arc::clone(&self.limits);
        self.step(node, shard, |owned, now, out| {
            if owned.epoch != epoch {
                return;
            }
            match reply {
                Reply::Answered {
                    answer: Answer::Delivered(outcome),
                    ..
                } => owned
                    .shard
                    .delivered(run, effect, *outcome, now, &limits, out),
                _ => owned.shard.undelivered(run, effect, now, out),
            }
        });
    }
}
