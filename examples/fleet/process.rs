//! The processes of the fleet, as their parent sees them.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redress::BoxError;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::worker::{Job, VARIABLE};

/// A running process.
pub(crate) struct Process {
    child: Child,
    /// The process ends once this is closed.
    input: Option<ChildStdin>,
}

/// The sums of all that processes have reported, those that were killed included.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) requests: AtomicU64,
    pub(crate) store_calls: AtomicU64,
    pub(crate) stops_in_the_gap: AtomicU64,
    pub(crate) timeouts: AtomicU64,
}

impl Process {
    /// Starts this program once more, as a process of the fleet.
    pub(crate) fn start(job: &Job, totals: &Arc<Totals>) -> Result<Self, BoxError> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(VARIABLE, serde_json::to_string(job)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("the process has no output")?;
        let sums = Arc::clone(totals);
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                sums.add(&line);
            }
        });
        Ok(Self { input: child.stdin.take(), child })
    }

    pub(crate) fn has_ended(&mut self) -> Result<bool, BoxError> {
        Ok(self.child.try_wait()?.is_some())
    }

    pub(crate) async fn kill(&mut self) -> Result<(), BoxError> {
        Ok(self.child.kill().await?)
    }

    /// Stops the process for that time, as a machine that is suspended does, and lets it go on.
    pub(crate) fn pause(&self, time: Duration) -> impl Future<Output = Result<(), BoxError>> + use<> {
        let id = self.child.id();
        async move {
            signal(id, "-STOP").await?;
            tokio::time::sleep(time).await;
            signal(id, "-CONT").await
        }
    }

    /// Lets the process end, and waits for that.
    pub(crate) async fn end(mut self) -> Result<(), BoxError> {
        drop(self.input.take());
        self.child.wait().await?;
        Ok(())
    }
}

async fn signal(id: Option<u32>, name: &str) -> Result<(), BoxError> {
    let Some(id) = id else { return Ok(()) };
    Command::new("kill").args([name, &id.to_string()]).stderr(Stdio::null()).status().await?;
    Ok(())
}

impl Totals {
    /// Adds a line of a process: requests, calls to the store, stops and timeouts since the last line.
    fn add(&self, line: &str) {
        let mut numbers = line.split(' ').map(|number| number.parse().unwrap_or(0));
        for sum in [&self.requests, &self.store_calls, &self.stops_in_the_gap, &self.timeouts] {
            sum.fetch_add(numbers.next().unwrap_or(0), Ordering::Relaxed);
        }
    }
}
