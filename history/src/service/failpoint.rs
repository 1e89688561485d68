//! Places where the tests let this process die, wait or be told the wrong thing: around a commit, around a change of owner, and
//! before an answer. `FAILPOINTS` says what happens where and how often, in the language of the crate `fail`; without the feature
//! `failpoints` there are none.
//!
//! | place              | when                                             | `return(…)` may be                                                        |
//! |--------------------|--------------------------------------------------|---------------------------------------------------------------------------|
//! | `before_commit`    |                                                  | `abort`, `rolled_back`, `unknown` (never written), `late` (written later) |
//! | `after_commit`     | nobody was answered yet                          | `abort`, `unknown` (written)                                              |
//! | `after_release`    | its answers have left the shard                  | `abort`                                                                   |
//! | `after_takeover`   | a shard is this node's, which holds nothing yet  | `abort`                                                                   |
//! | `before_hand_over` | a shard is finished and still this node's        | `abort`                                                                   |
//! | `after_hand_over`  | it is nobody's, and nobody was told              | `abort`                                                                   |
//! | `before_answer`    | the owner has answered, its caller has not heard | `abort`                                                                   |

use std::sync::Arc;

use crate::log::{Committed, Failure, ShardBatch, Store};

/// Makes what `FAILPOINTS` says happen from now on.
pub(super) fn arm() {
    #[cfg(feature = "failpoints")]
    {
        static ARMED: std::sync::Once = std::sync::Once::new();
        ARMED.call_once(|| std::mem::forget(fail::FailScenario::setup()));
    }
}

/// Something happens here, or the process dies.
pub fn reached(place: &str) {
    if let Some(what) = told(place)
        && what == "abort"
    {
        std::process::abort()
    }
}

/// What is to be believed of a commit that has not begun.
pub(super) fn before_commit(
    store: &Arc<dyn Store>,
    writer: usize,
    batches: &[ShardBatch],
) -> Result<(), Failure> {
    match told("before_commit").as_deref() {
        Some("abort") => std::process::abort(),
        Some("rolled_back") => Err(Failure::RolledBack("a failpoint".into())),
        Some("unknown") => Err(Failure::Unknown("a failpoint".into())),
        Some("late") => {
            commit_later(Arc::clone(store), writer, batches.to_vec());
            Err(Failure::Unknown("a failpoint".into()))
        }
        _ => Ok(()),
    }
}

/// What is to be believed of a commit that has ended.
pub(super) fn after_commit(committed: Committed) -> Result<Committed, Failure> {
    match told("after_commit").as_deref() {
        Some("abort") => std::process::abort(),
        Some("unknown") => Err(Failure::Unknown("a failpoint".into())),
        _ => Ok(committed),
    }
}

/// Nobody waits any more when this one is written, if it still is.
fn commit_later(store: Arc<dyn Store>, writer: usize, batches: Vec<ShardBatch>) {
    let runtime = tokio::runtime::Handle::try_current();
    let Ok(runtime) = runtime else {
        return;
    };
    runtime.spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let lost = store.commit(writer, &batches).await.map(|done| done.lost);
        tracing::warn!(?lost, "a late commit");
    });
}

#[cfg(feature = "failpoints")]
fn told(place: &str) -> Option<String> {
    fail::fail_point!(place, |told| told);
    None
}

#[cfg(not(feature = "failpoints"))]
const fn told(_place: &str) -> Option<String> {
    None
}
