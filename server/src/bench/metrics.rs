//! One counter of a server's Prometheus page: commits of its store, which nobody outside can count.
//!
//! Deliberately absent: an HTTP client. The page is read from a loopback port of a server we measure.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Transactions of the event log; the reference has nothing like it.
const COMMITS: &str = "cairn_commits";
const PATIENCE: Duration = Duration::from_secs(2);
const PAGE_BYTES_MAX: u64 = 16 << 20;

/// Commits so far, if the server says.
pub(crate) async fn commits(address: &str) -> Option<f64> {
    let page = timeout(PATIENCE, page(address)).await.ok()?.ok()?;
    sum(&page, COMMITS)
}

async fn page(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut page = Vec::new();
    stream.take(PAGE_BYTES_MAX).read_to_end(&mut page).await?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// A counter over all its labels, with or without the customary ending.
fn sum(page: &str, name: &str) -> Option<f64> {
    let values = page.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let rest = rest.strip_prefix("_total").unwrap_or(rest);
        let value = match rest.strip_prefix('{') {
            Some(labelled) => labelled.rsplit_once('}')?.1,
            None => rest.strip_prefix(' ')?,
        };
        value.split_whitespace().next()?.parse::<f64>().ok()
    });
    values.reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_labels_and_not_mistaken_for_another() {
        let page = "HTTP/1.0 200 OK\r\n\r\n# TYPE cairn_commits counter\n\
            cairn_commits{store=\"a } b\"} 3\ncairn_commits_total{store=\"c\"} 4 1700000000\n\
            cairn_commits_failed 100\n";
        assert_eq!(sum(page, "cairn_commits"), Some(7.0));
        assert_eq!(sum("cairn_commits 2\n", "cairn_commits"), Some(2.0));
        assert_eq!(sum(page, "commits"), None);
    }
}
