//! Chance under a seed: the same seed, the same numbers, on every machine and in every version.
//!
//! Deliberately absent: quality beyond what a fault plan needs (`SplitMix64` is enough), and any other source.

use std::time::Duration;

use cairn_history::id::Entropy;

/// A stream of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x6361_6972_6e21))
    }

    /// A stream of its own: what is drawn from it does not move this one further than this call.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// 0 … `end` - 1.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// True so often in a thousand.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }

    /// Between the two, evenly.
    pub(crate) fn between(&mut self, from: Duration, to: Duration) -> Duration {
        let span = u64::try_from(to.saturating_sub(from).as_nanos()).unwrap_or(u64::MAX);
        from + Duration::from_nanos(self.below(span.max(1)))
    }

    /// Around `mean`: often less, now and then much more.
    pub(crate) fn around(&mut self, mean: Duration) -> Duration {
        let quarter = mean / 4;
        let mut time = self.between(quarter, mean + quarter);
        while self.chance(120) {
            time = time * 2 + quarter;
        }
        time
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Where a shard of the simulation gets its ids from.
#[derive(Debug)]
pub(crate) struct Seeded(pub(crate) Random);

impl Entropy for Seeded {
    fn bits(&mut self) -> u128 {
        (u128::from(self.0.next()) << 64) | u128::from(self.0.next())
    }
}
