//! What a process costs, from `/proc`: CPU time, memory, bytes written, threads.
//!
//! Deliberately absent: any way to ask the process itself. Both sides of a comparison are measured by the kernel.

use std::fs;
use std::time::{Duration, Instant};

use serde::Serialize;

/// The kernel shows CPU time to user space in hundredths of a second, whatever its own tick is.
const TICK: Duration = Duration::from_millis(10);

/// One look at a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) rss_kib: u64,
    pub(crate) peak_kib: u64,
    pub(crate) threads: u64,
    /// Bytes this process caused to be sent to a disk.
    pub(crate) written: u64,
}

impl Usage {
    /// Nothing if the process is gone or is not ours to look at.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Self::at(&format!("/proc/{pid}"))
    }

    fn of_self() -> Option<Self> {
        Self::at("/proc/self")
    }

    fn at(folder: &str) -> Option<Self> {
        let read = |name: &str| fs::read_to_string(format!("{folder}/{name}")).ok();
        let status = read("status")?;
        Some(Self {
            cpu: cpu(&read("stat")?)?,
            rss_kib: field(&status, "VmRSS:").unwrap_or_default(),
            peak_kib: field(&status, "VmHWM:").unwrap_or_default(),
            threads: field(&status, "Threads:").unwrap_or_default(),
            written: read("io")
                .and_then(|io| field(&io, "write_bytes:"))
                .unwrap_or_default(),
        })
    }
}

/// User and system time of a line of `/proc/PID/stat`. The name in it may contain spaces and parentheses.
fn cpu(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some(TICK * (ticks()?.checked_add(ticks()?)?))
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The average number of runnable processes over the last minute.
pub(crate) fn load_average() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// Measures client and server between two moments.
#[derive(Debug)]
pub(crate) struct Meter {
    since: Instant,
    client: Option<Usage>,
    server: Option<(u32, Usage)>,
}

/// What happened between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Cost {
    pub(crate) seconds: f64,
    pub(crate) client_cpu_ms: f64,
    pub(crate) server: Option<ServerCost>,
}

/// The server's part of it; memory and threads as they are at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct ServerCost {
    pub(crate) cpu_ms: f64,
    pub(crate) written_bytes: u64,
    pub(crate) rss_kib: u64,
    pub(crate) peak_kib: u64,
    pub(crate) threads: u64,
}

impl Meter {
    pub(crate) fn start(server: Option<u32>) -> Self {
        Self {
            since: Instant::now(),
            client: Usage::of_self(),
            server: server.and_then(|pid| Some((pid, Usage::of(pid)?))),
        }
    }

    pub(crate) fn read(&self) -> Cost {
        let cpu = |before: Option<Usage>, after: Option<Usage>| {
            let spent = after?.cpu.saturating_sub(before?.cpu);
            Some(spent.as_secs_f64() * 1e3)
        };
        Cost {
            seconds: self.since.elapsed().as_secs_f64(),
            client_cpu_ms: cpu(self.client, Usage::of_self()).unwrap_or_default(),
            server: self.server.and_then(|(pid, before)| {
                let after = Usage::of(pid)?;
                Some(ServerCost {
                    cpu_ms: cpu(Some(before), Some(after))?,
                    written_bytes: after.written.saturating_sub(before.written),
                    rss_kib: after.rss_kib,
                    peak_kib: after.peak_kib,
                    threads: after.threads,
                })
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_a_name_with_spaces_and_parentheses() {
        let line = "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 7 0 100 1 2 3";
        assert_eq!(cpu(line), Some(Duration::from_secs(3)));
        assert_eq!(cpu("42 (short) S 1"), None);
        assert_eq!(cpu(""), None);
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "VmPeak:\t 9 kB\nVmHWM:\t  415 kB\nVmRSS:\t  144 kB\nThreads:\t12\n";
        assert_eq!(field(text, "VmRSS:"), Some(144));
        assert_eq!(field(text, "VmHWM:"), Some(415));
        assert_eq!(field(text, "Threads:"), Some(12));
        assert_eq!(field(text, "VmSwap:"), None);
        assert_eq!(field("VmRSS: many kB", "VmRSS:"), None);
    }

    #[test]
    fn this_process_can_be_measured_and_one_that_is_gone_cannot() {
        assert!(Usage::of_self().unwrap().rss_kib > 0);
        assert!(load_average().is_some());
        assert_eq!(Usage::of(u32::MAX), None);
        let cost = Meter::start(Some(u32::MAX)).read();
        assert_eq!(cost.server, None);
    }
}
