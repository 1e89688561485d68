//! What a slot does with offers: one batch at a time, in order, and again what nobody has taken.
//!
//! Deliberately absent: what is offered (`shard`), and the message (`offers`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::super::writer::{RETRY_MAX, RETRY_MIN};
use super::super::{Shell, offers};
use super::{Owned, Slot, Stay, poll_once};
use crate::execution::Question;
use crate::kind::Queue;

impl Slot {
    /// Gives what is owed to matching, one batch at a time and in order.
    pub(super) fn offer(&self, shell: &Arc<Shell>) {
        let Some(matching) = shell.matching.get() else {
            return;
        };
        loop {
            let batch = {
                let mut owned = self.owned.lock();
                if owned.offering {
                    return;
                }
                let Some(batch) = owned.offers.pop_front() else {
                    return;
                };
                owned.offering = true;
                batch
            };
            match poll_once(Box::pin(offers::offer(
                Arc::clone(&matching.0),
                self.id,
                batch,
            ))) {
                Ok(told) => self.offered(shell, told),
                Err(offered) => {
                    let (own, shard) = (Arc::clone(shell), self.id);
                    shell.runtime.spawn(async move {
                        let told = offered.await;
                        let slot = &own.slots[shard.0 as usize];
                        slot.offered(&own, told);
                        slot.offer(&own);
                    });
                    return;
                }
            }
        }
    }

    /// A batch is with matching, but for runs whose sticky worker is away (what they owe instead waits for the next round) and
    /// for queues that nobody has taken.
    fn offered(&self, shell: &Arc<Shell>, told: offers::Told) {
        let offers::Told {
            unavailable,
            not_taken,
        } = told;
        for (key, run) in unavailable {
            drop(shell.put(key, Some(run), None, Question::StickyWorkerUnavailable));
        }
        let later = {
            let mut owned = self.owned.lock();
            owned.offering = false;
            owned.not_taken(not_taken)
        };
        if let Some(later) = later {
            let (own, shard) = (Arc::clone(shell), self.id);
            shell.runtime.spawn(async move {
                tokio::time::sleep(later).await;
                own.slots[shard.0 as usize].offer_untold(&own);
            });
        }
    }

    fn offer_untold(&self, shell: &Arc<Shell>) {
        self.step(shell, |owned, _, out| {
            let untold = std::mem::take(&mut owned.untold);
            if owned.stay == Stay::Here {
                owned.shard.offer_again(|queue| untold.contains(queue), out);
            }
        });
    }

    /// Matching has lost what it was told of these queues, or another node has them now.
    pub(in super::super) fn offer_again(&self, shell: &Arc<Shell>, which: impl Fn(&Queue) -> bool) {
        self.step(shell, |owned, _, out| {
            if owned.stay == Stay::Here {
                owned.shard.offer_again(which, out);
            }
        });
    }
}

impl Owned {
    /// Remembers queues whose offers nobody has taken; how long to wait with them, if nobody waits already.
    fn not_taken(&mut self, queues: BTreeSet<Queue>) -> Option<Duration> {
        if queues.is_empty() {
            if self.untold.is_empty() {
                self.again_after = RETRY_MIN;
            }
            return None;
        }
        let waits = !self.untold.is_empty();
        self.untold.extend(queues);
        if waits {
            return None;
        }
        let later = self.again_after;
        self.again_after = (later * 2).min(RETRY_MAX);
        Some(later)
    }
}
