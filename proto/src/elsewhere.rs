//! How a node says that it was asked for what another node owns: a mark beside the status of our internal services.
//!
//! | mark    | what became of the request                                             |
//! |---------|------------------------------------------------------------------------|
//! | `never` | nothing was done: the owner is another node                             |
//! | `moved` | the owner changed while it was under way: it may have been carried out |

use tonic::Status;
use tonic::metadata::MetadataValue;

const MARK: &str = "cairn-elsewhere";

/// What became of a request whose answer must come from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    Never,
    Moved,
}

impl Elsewhere {
    /// UNAVAILABLE, with the mark.
    pub fn status(self, message: &str) -> Status {
        let mark = match self {
            Self::Never => "never",
            Self::Moved => "moved",
        };
        let mut status = Status::unavailable(message);
        status
            .metadata_mut()
            .insert(MARK, MetadataValue::from_static(mark));
        status
    }

    /// Takes the mark off: it is nothing to clients.
    pub fn forget(status: &mut Status) {
        status.metadata_mut().remove(MARK);
    }

    /// The mark of a status, if it has one.
    pub fn of(status: &Status) -> Option<Self> {
        match status.metadata().get(MARK)?.as_bytes() {
            b"never" => Some(Self::Never),
            _ => Some(Self::Moved),
        }
    }
}
