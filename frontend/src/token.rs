//! Tokens: what clients carry and give back, behind a MAC.
//!
//! A token leaves as its bytes followed by sixteen bytes of a keyed BLAKE3, with one key per kind: a page of a list is no
//! page of a history, and none of them can be made by a client. Nothing is hidden: a token says nothing that its holder
//! may not know.

use cairn_history::id::NamespaceId;
use cairn_history::planted::{Fault, planted};
use cairn_proto::cairn::token::v1 as proto;
use cairn_proto::prost::Message;

const MAC: usize = 16;

/// A message that clients carry.
pub(crate) trait Token: Message + Default {
    /// The kind's own name: separates its MACs from those of all others. Never changes.
    const KIND: &'static str;
}

impl Token for proto::Task {
    const KIND: &'static str = "cairn token: task";
}
impl Token for proto::Query {
    const KIND: &'static str = "cairn token: query";
}
impl Token for proto::HistoryPage {
    const KIND: &'static str = "cairn token: history page";
}
impl Token for proto::ListPage {
    const KIND: &'static str = "cairn token: list page";
}

/// The token is not one of ours, or not of this kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Forged;

/// May the holder of a page token of this namespace go on in `namespace`?
pub(crate) fn is_page_of(token: &[u8], namespace: NamespaceId) -> bool {
    token == namespace.0 || planted(Fault::PageTokenUnbound)
}

/// What seals tokens: one secret of the database, the same on every node.
pub(crate) struct Seal {
    secret: Vec<u8>,
}

impl Seal {
    pub(crate) fn new(secret: Vec<u8>) -> Self {
        Self { secret }
    }

    /// Seals an encoded token. Empty stays empty: no token is no token.
    pub(crate) fn seal<T: Token>(&self, mut plain: Vec<u8>) -> Vec<u8> {
        if !plain.is_empty() {
            let mac = self.mac::<T>(&plain);
            plain.extend_from_slice(&mac);
        }
        plain
    }

    /// The encoded token behind a sealed one.
    pub(crate) fn open<'a, T: Token>(&self, sealed: &'a [u8]) -> Result<&'a [u8], Forged> {
        let (plain, mac) = sealed.split_last_chunk::<MAC>().ok_or(Forged)?;
        let expected = self.mac::<T>(plain);
        // Folded, so that the time says nothing about where they differ.
        let difference = mac
            .iter()
            .zip(expected)
            .fold(0, |all, (a, b)| all | (a ^ b));
        if difference == 0 && !plain.is_empty() {
            Ok(plain)
        } else {
            Err(Forged)
        }
    }

    /// The message in a sealed token.
    pub(crate) fn read<T: Token>(&self, sealed: &[u8]) -> Result<T, Forged> {
        T::decode(self.open::<T>(sealed)?).map_err(|_| Forged)
    }

    /// Seals a message.
    pub(crate) fn write<T: Token>(&self, token: &T) -> Vec<u8> {
        self.seal::<T>(token.encode_to_vec())
    }

    fn mac<T: Token>(&self, plain: &[u8]) -> [u8; MAC] {
        let key = blake3::derive_key(T::KIND, &self.secret);
        let hash = blake3::keyed_hash(&key, plain);
        let mut mac = [0; MAC];
        mac.copy_from_slice(&hash.as_bytes()[..MAC]);
        mac
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seal() -> Seal {
        Seal::new(vec![7; 32])
    }

    fn token() -> impl Strategy<Value = proto::Task> {
        (any::<[u8; 16]>(), ".*", any::<[u8; 16]>(), any::<i64>()).prop_map(
            |(namespace, workflow_id, run, event)| proto::Task {
                namespace_id: namespace.to_vec(),
                workflow_id,
                run_id: run.to_vec(),
                scheduled_event_id: event,
                ..Default::default()
            },
        )
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(token in token()) {
            let sealed = seal().write(&token);
            prop_assert_eq!(seal().read::<proto::Task>(&sealed), Ok(token));
        }

        #[test]
        fn a_changed_byte_is_refused(token in token(), at in any::<prop::sample::Index>(), change in 1u8..) {
            let mut sealed = seal().write(&token);
            let at = at.index(sealed.len());
            sealed[at] ^= change;
            prop_assert_eq!(seal().read::<proto::Task>(&sealed), Err(Forged));
        }

        #[test]
        fn a_cut_token_is_refused(token in token(), length in any::<prop::sample::Index>()) {
            let sealed = seal().write(&token);
            let length = length.index(sealed.len());
            prop_assert_eq!(seal().read::<proto::Task>(&sealed[..length]), Err(Forged));
        }

        #[test]
        fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(seal().read::<proto::Task>(&bytes), Err(Forged));
        }
    }

    #[test]
    fn another_kind_or_another_secret_is_refused() {
        let sealed = seal().write(&proto::Query {
            task_queue: "q".to_owned(),
            ..Default::default()
        });
        assert_eq!(seal().read::<proto::Task>(&sealed), Err(Forged));
        assert_eq!(
            Seal::new(vec![8; 32]).read::<proto::Query>(&sealed),
            Err(Forged)
        );
    }

    #[test]
    fn no_token_stays_no_token() {
        assert!(seal().seal::<proto::HistoryPage>(Vec::new()).is_empty());
    }
}
