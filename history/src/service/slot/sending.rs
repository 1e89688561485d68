//! What a slot does with messages: each is carried to the owner of its receiver, or out of the cluster, and what came of it comes back.
//!
//! Deliberately absent: what is sent when, and when again (`shard`).

use std::sync::Arc;
use std::time::Duration;

use cairn_proto::cairn::effect::v1::message::What;
use cairn_proto::cairn::effect::v1::{Message, Outcome};
use tonic::{Request, Status};

use super::super::{Shell, api, callback};
use super::{Slot, Stay, poll_once};
use crate::execution::Effect;
use crate::id::{Epoch, RunId};

/// How long a message may be on its way before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// A message that leaves a shard.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) epoch: Epoch,
    pub(super) run: RunId,
    pub(super) effect: Effect,
    pub(super) message: Message,
}

impl Slot {
    pub(super) fn send(&self, shell: &Arc<Shell>, sends: Vec<Sending>) {
        if sends.is_empty() {
            return;
        }
        // A writer's thread may be what brought the commit.
        let _runtime = shell.runtime.enter();
        for sending in sends {
            let (own, shard) = (Arc::clone(shell), self.id);
            let (epoch, run, effect) = (sending.epoch, sending.run, sending.effect);
            match poll_once(Box::pin(deliver(own, sending.message))) {
                Ok(came) => self.sent(shell, epoch, run, effect, came),
                Err(rest) => {
                    let own = Arc::clone(shell);
                    shell.runtime.spawn(async move {
                        let came = rest.await;
                        own.slots[shard.0 as usize].sent(&own, epoch, run, effect, came);
                    });
                }
            }
        }
    }

    fn sent(
        &self,
        shell: &Arc<Shell>,
        epoch: Epoch,
        run: RunId,
        effect: Effect,
        came: Result<Outcome, Status>,
    ) {
        self.step(shell, |owned, now, out| {
            if owned.epoch != epoch || owned.stay != Stay::Here {
                return;
            }
            let shard = &mut owned.shard;
            match came {
                Ok(outcome) => shard.delivered(run, effect, outcome, now, &shell.limits, out),
                Err(status) => {
                    tracing::debug!(run.id = %run, ?effect, error = %status, "effect.undelivered");
                    shard.undelivered(run, effect, now, out);
                }
            }
        });
    }
}

/// Gives a message to whoever owns its receiver.
async fn deliver(shell: Arc<Shell>, message: Message) -> Result<Outcome, Status> {
    let delivery = async {
        if let Some(What::Call(call)) = message.what {
            return callback::make(&shell, call).await;
        }
        match shell.everywhere() {
            None => api::deliver(&shell, message).await,
            Some(history) => history
                .deliver(Request::new(message))
                .await
                .map(tonic::Response::into_inner),
        }
    };
    let late = |_| Err(Status::deadline_exceeded("nobody has answered in time"));
    tokio::time::timeout(PATIENCE, delivery)
        .await
        .unwrap_or_else(late)
}
