//! Between our times and the wire's, and the stored form of published messages inside a snapshot.
//!
//! Deliberately absent: judgement. What is negative or absurd becomes zero or the nearest time; the rules look before.

use std::time::Duration;

use cairn_proto::prost_types;

use crate::id::Time;

const NANOS: i64 = 1_000_000_000;

pub(crate) fn timestamp(time: Time) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.0.div_euclid(NANOS),
        nanos: i32::try_from(time.0.rem_euclid(NANOS)).unwrap_or(0),
    }
}

pub(crate) fn time(timestamp: &prost_types::Timestamp) -> Time {
    Time(
        timestamp
            .seconds
            .saturating_mul(NANOS)
            .saturating_add(i64::from(timestamp.nanos)),
    )
}

pub(crate) fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// Nothing for zero, which is none.
pub(crate) fn some_duration(value: Duration) -> Option<prost_types::Duration> {
    (!value.is_zero()).then(|| duration(value))
}

/// To the millisecond, as deadlines of executions are.
pub(crate) fn round(time: Time) -> Time {
    const MILLI: i64 = 1_000_000;
    Time(time.0.saturating_add(MILLI / 2).div_euclid(MILLI) * MILLI)
}

/// Zero if it is absent or negative.
pub(crate) fn span(duration: Option<&prost_types::Duration>) -> Duration {
    let Some(duration) = duration else {
        return Duration::ZERO;
    };
    match (
        u64::try_from(duration.seconds),
        u32::try_from(duration.nanos),
    ) {
        (Ok(seconds), Ok(nanos)) => Duration::new(seconds, nanos),
        _ => Duration::ZERO,
    }
}

/// The same, keeping what is absent.
pub(crate) fn optional_span(duration: Option<&prost_types::Duration>) -> Option<Duration> {
    duration.map(|duration| span(Some(duration)))
}

/// A published message inside a snapshot: `#[serde(with = "wire::message")]`.
pub(crate) mod message {
    use cairn_proto::prost::Message;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<M: Message, S: Serializer>(
        message: &M,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        message.encode_to_vec().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, M: Message + Default, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<M, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        M::decode(&*bytes).map_err(serde::de::Error::custom)
    }
}

/// The same for what may be absent.
pub(crate) mod optional {
    use cairn_proto::prost::Message;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands the field over")]
    pub(crate) fn serialize<M: Message, S: Serializer>(
        message: &Option<M>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        message
            .as_ref()
            .map(Message::encode_to_vec)
            .serialize(serializer)
    }

    pub(crate) fn deserialize<'de, M: Message + Default, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<M>, D::Error> {
        Option::<Vec<u8>>::deserialize(deserializer)?
            .map(|bytes| M::decode(&*bytes).map_err(serde::de::Error::custom))
            .transpose()
    }
}

/// A shared part: sharing is lost in a snapshot.
pub(crate) mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        value: &Arc<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        (**value).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<T>, D::Error> {
        T::deserialize(deserializer).map(Arc::new)
    }
}

/// A map of shared entries.
pub(crate) mod shared_map {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<K: Serialize, T: Serialize, S: Serializer>(
        map: &BTreeMap<K, Arc<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(map.iter().map(|(key, value)| (key, &**value)))
    }

    pub(crate) fn deserialize<'de, K, T, D>(
        deserializer: D,
    ) -> Result<BTreeMap<K, Arc<T>>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        T: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        let map = BTreeMap::<K, T>::deserialize(deserializer)?;
        Ok(map
            .into_iter()
            .map(|(key, value)| (key, Arc::new(value)))
            .collect())
    }
}

/// Shared messages, one behind the other.
pub(crate) mod shared_messages {
    use std::sync::Arc;

    use cairn_proto::prost::Message;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<M: Message, S: Serializer>(
        messages: &[Arc<M>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(messages.iter().map(|message| message.encode_to_vec()))
    }

    pub(crate) fn deserialize<'de, M: Message + Default, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Arc<M>>, D::Error> {
        Vec::<Vec<u8>>::deserialize(deserializer)?
            .iter()
            .map(|bytes| M::decode(&**bytes).map(Arc::new))
            .collect::<Result<_, _>>()
            .map_err(serde::de::Error::custom)
    }
}

/// A list of shared parts.
pub(crate) mod shared_list {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        list: &[Arc<T>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(|value| &**value))
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Arc<T>>, D::Error> {
        Ok(Vec::<T>::deserialize(deserializer)?
            .into_iter()
            .map(Arc::new)
            .collect())
    }
}
