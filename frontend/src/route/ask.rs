//! One request to whoever owns a place, tried again as long as it is certain, or of no matter, that it was not carried out.
//!
//! | what came back                              | what became of it | and then                          |
//! |---------------------------------------------|-------------------|-----------------------------------|
//! | not the owner; no owner; no connection      | nothing was done  | look again, ask again             |
//! | the shard moved; the connection broke;      | nobody knows      | the same if it may be repeated     |
//! | nothing, and the node is found dead         |                   |                                   |
//! | anything else                               | it was answered   | the answer is the caller's        |

use std::error::Error;
use std::time::{Duration, Instant};

use cairn_history::id::Time;
use cairn_history::placement::Place;
use cairn_history::service::failpoint;
use cairn_proto::elsewhere::Elsewhere;
use futures::future::BoxFuture;
use tonic::transport::Channel;
use tonic::{ConnectError, Response, Status};

use super::Router;

/// How long an owner is looked for: longer than it takes until a dead one is replaced.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(250);

pub(super) type Answer<T> = Result<Response<T>, Status>;

/// Whom to ask.
pub(super) enum To {
    /// The service of this process.
    Here,
    There(Channel),
}

/// May a request be made again when nobody knows whether it was carried out?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    NothingDone,
    Unknown,
    Answered,
}

/// What became of a request that was answered so.
fn fate(status: &Status) -> Fate {
    match Elsewhere::of(status) {
        Some(Elsewhere::Never) => return Fate::NothingDone,
        Some(Elsewhere::Moved) => return Fate::Unknown,
        None => {}
    }
    // A status with a source was made on this side: the call did not come to its end.
    let mut source = status.source();
    if source.is_none() {
        return Fate::Answered;
    }
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return Fate::NothingDone;
        }
        source = error.source();
    }
    Fate::Unknown
}

/// How long it goes on.
struct Patience {
    failing: Option<Instant>,
    pause: Duration,
    until: Option<Time>,
}

impl Router {
    /// Asks the owner of a place. `until`: a poll, which may wait elsewhere for so long and is tried for as long.
    pub(super) async fn ask<'a, T>(
        &'a self,
        place: Place<'a>,
        again: Again,
        until: Option<Time>,
        call: impl Fn(To) -> BoxFuture<'a, Answer<T>> + Send + Sync,
    ) -> Answer<T> {
        let mut patience = Patience {
            failing: None,
            pause: PAUSE_MIN,
            until,
        };
        loop {
            let begun = Instant::now();
            let fate = match self.whereabouts(place) {
                None => Fate::NothingDone,
                Some((node, to)) => {
                    let answer = tokio::select! {
                        answer = call(to) => answer,
                        () = self.death(&node) => Err(Elsewhere::Moved.status("its node is dead")),
                    };
                    match answer {
                        Ok(answer) => {
                            failpoint::reached("before_answer");
                            return Ok(answer);
                        }
                        Err(status) if fate(&status) == Fate::Answered => return Err(status),
                        Err(status) => fate(&status),
                    }
                }
            };
            if fate == Fate::Unknown && again == Again::No {
                return Err(lost());
            }
            if !self.wait(&mut patience, begun).await {
                return Err(gone());
            }
        }
    }

    /// Waits until a node is found dead: one that hangs holds its connections for longer.
    async fn death(&self, node: &str) {
        let mut views = self.views.clone();
        let dead = views.wait_for(|view| view.alive(node).is_none());
        if dead.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Who owns a place, as far as this node knows.
    fn whereabouts(&self, place: Place<'_>) -> Option<(String, To)> {
        let view = self.view();
        let node = match place {
            Place::Shard(shard) => view.owner(shard),
            Place::Queue(..) => view.home(place),
        }?;
        Some((node.id.clone(), self.to(&node.id, &node.address)?))
    }

    pub(super) fn to(&self, node: &str, address: &str) -> Option<To> {
        if node == self.me {
            return Some(To::Here);
        }
        metrics::counter!("client_requests", "service_name" => "frontend").increment(1);
        match self.peers.channel(address) {
            Ok(channel) => Some(To::There(channel)),
            Err(error) => {
                tracing::warn!(node, address, error = %error, "the address of a node cannot be used");
                None
            }
        }
    }

    /// Looks into the database, and waits a little; `false`: it has been long enough.
    async fn wait(&self, patience: &mut Patience, begun: Instant) -> bool {
        // A poll that waited before it failed begins anew.
        if patience.until.is_some() && begun.elapsed() > PATIENCE / 2 {
            patience.failing = None;
            patience.pause = PAUSE_MIN;
        }
        let failing = *patience.failing.get_or_insert(begun);
        let over = patience
            .until
            .is_some_and(|until| until <= self.clock.now());
        if over || failing.elapsed() >= PATIENCE {
            return false;
        }
        let look = tokio::time::timeout(PAUSE_MAX, self.history.look());
        let _looked = tokio::join!(look, tokio::time::sleep(patience.pause));
        patience.pause = (patience.pause * 2).min(PAUSE_MAX);
        true
    }
}

fn lost() -> Status {
    Status::unavailable("the owner of the workflow moved while it was asked; try again")
}

fn gone() -> Status {
    Status::unavailable("the owner of the workflow or task queue was not reached; try again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_from_a_broken_call_is_in_doubt() {
        let refused = Status::from_error(Box::new(ConnectError("refused".into())));
        let broken = Status::from_error(Box::new(std::io::Error::other("reset")));
        let fates = [
            (Elsewhere::Never.status("moved"), Fate::NothingDone),
            (Elsewhere::Moved.status("moved"), Fate::Unknown),
            (
                Status::unavailable("the store is unavailable"),
                Fate::Answered,
            ),
            (Status::not_found("no such workflow"), Fate::Answered),
            (refused, Fate::NothingDone),
            (broken, Fate::Unknown),
        ];
        for (status, expected) in fates {
            assert_eq!(fate(&status), expected, "{status:?}");
        }
    }
}
