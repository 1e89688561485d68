//! A question whose asker may leave before it is answered: then the run forgets who asked.

use std::sync::Arc;

use crate::execution::Question;
use crate::id::{Key, RunId, Ticket};
use crate::service::Shell;

/// Held while an answer is awaited. Dropped before, it asks the run to forget the ticket.
pub(super) struct Wait<'a> {
    pub(super) shell: &'a Arc<Shell>,
    pub(super) key: &'a Key,
    pub(super) run: Option<RunId>,
    pub(super) ticket: Ticket,
    /// How the run is asked to forget.
    pub(super) forget: fn(Ticket) -> Question,
    pub(super) over: bool,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.shell.slot(self.key).forget(self.ticket);
            let question = (self.forget)(self.ticket);
            drop(self.shell.put(self.key.clone(), self.run, None, question));
        }
    }
}
