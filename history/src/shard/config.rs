//! How much a shard holds, and for how long: the limits that a deployment may turn.

use std::time::Duration;

/// How much a shard holds, and for how long.
#[derive(Clone, Debug)]
pub struct Config {
    /// `Store::reads_need_proof`.
    pub reads_need_proof: bool,
    /// A run that nobody touched for so long is checkpointed and leaves memory.
    pub quiet: Duration,
    /// The same for ids whose runs have all closed.
    pub quiet_closed: Duration,
    /// Loaded runs; above it the least recently used leave.
    pub cached_runs_max: usize,
    /// Bytes of loaded runs, roughly.
    pub cached_bytes_max: usize,
    /// Durable events of a run that stay in memory for polls, bytes.
    pub tail_bytes_max: usize,
    /// What may wait for the disk before questions are turned away, bytes.
    pub undurable_bytes_max: usize,
    /// Questions that may wait behind loads.
    pub waiting_max: usize,
    /// Offers of one queue that matching holds at most.
    pub offered_max: usize,
    /// Messages to other runs that are on their way at one time.
    pub sent_max: usize,
    /// How long to wait with a message that did not get there; it doubles, up to `send_retry_max`.
    pub send_retry: Duration,
    pub send_retry_max: Duration,
    /// Wake-ups of runs that are not loaded, kept in memory.
    pub wake_ups_max: usize,
    /// How far ahead wake-ups are read.
    pub horizon: Duration,
    /// Loads of runs that nobody asked for (due wake-ups, parked offers) at one time.
    pub loads_max: usize,
    /// Rows of one read of wake-ups or parked offers.
    pub page_max: usize,
    /// A checkpoint writes a snapshot after so many records since the last …
    pub snapshot_records: u64,
    /// … or so many bytes.
    pub snapshot_bytes: usize,
    /// How long to wait after a read that failed.
    pub retry: Duration,
}

impl Config {
    /// Sets the duration that a key names.
    pub fn set_duration(&mut self, key: &str, value: Duration) -> bool {
        match key.to_ascii_lowercase().as_str() {
            "history.cachequiettime" => self.quiet = value,
            _ => return false,
        }
        true
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reads_need_proof: true,
            quiet: Duration::from_secs(5),
            quiet_closed: Duration::from_secs(1),
            cached_runs_max: 4_000,
            cached_bytes_max: 16 << 20,
            tail_bytes_max: 128 << 10,
            undurable_bytes_max: 16 << 20,
            waiting_max: 10_000,
            offered_max: 2_000,
            sent_max: 256,
            send_retry: Duration::from_millis(100),
            send_retry_max: Duration::from_secs(10),
            wake_ups_max: 1_000,
            horizon: Duration::from_mins(10),
            loads_max: 64,
            page_max: 1_000,
            snapshot_records: 64,
            snapshot_bytes: 64 << 10,
            retry: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_sets_what_it_names_in_any_case() {
        let mut config = Config::default();
        let minute = Duration::from_mins(1);
        assert!(config.set_duration("history.cacheQuietTime", minute));
        assert_eq!(config.quiet, minute);
        assert!(config.set_duration("HISTORY.CACHEQUIETTIME", Duration::ZERO));
        assert_eq!(config.quiet, Duration::ZERO);
        assert!(!config.set_duration("history.cacheQuietTimes", minute));
        assert_eq!(config.quiet, Duration::ZERO);
    }
}
