//! The one connection, which is shared, and replaced after a loss.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Cmd, FromRedisValue, RedisResult, ScriptInvocation};
use tokio::sync::watch;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

use crate::error::RedisStoreError;
use crate::eviction;
use crate::source::{Connection, Source};

/// How long an answer may take, the default of the crate `redis`.
const ANSWER: Duration = Duration::from_millis(500);
/// How long opening a connection may take, the default of the crate `redis`. It includes the question for the master and the check
/// of the server's policy.
const OPEN: Duration = Duration::from_secs(1);
/// The time between two attempts at a server that is down, so that each call does not make one.
const PAUSE: Duration = Duration::from_millis(100);

/// The connection of a store.
pub(crate) struct Connections {
    inner: Arc<Inner>,
}

struct Inner {
    source: Box<dyn Source>,
    allows_eviction: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Option<Open>,
    /// The number of connections so far.
    opened: u64,
    /// The attempt to open a connection that is under way; it closes at its end.
    attempt: Option<watch::Receiver<()>>,
    /// When and why the last attempt failed, if none has succeeded since.
    failed: Option<(Instant, RedisStoreError)>,
}

#[derive(Clone)]
struct Open {
    number: u64,
    connection: Connection,
}

impl Connections {
    pub(crate) fn new(source: Box<dyn Source>, allows_eviction: bool) -> Self {
        Self { inner: Arc::new(Inner { source, allows_eviction, state: Mutex::default() }) }
    }

    /// Opens the connection if there is none.
    pub(crate) async fn open(&self) -> Result<(), RedisStoreError> {
        self.current().await.map(drop)
    }

    /// Runs a script. After a loss or a late answer the next call has another connection.
    pub(crate) async fn run<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, RedisStoreError> {
        let Open { number, mut connection } = self.current().await?;
        let answer = timeout(ANSWER, call.invoke_async(&mut connection)).await;
        self.inner.judge(number, answer)
    }

    /// Runs a command, as [`run`](Self::run) runs a script.
    pub(crate) async fn run_command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisStoreError> {
        let Open { number, mut connection } = self.current().await?;
        let answer = timeout(ANSWER, command.query_async(&mut connection)).await;
        self.inner.judge(number, answer)
    }

    /// Returns the connection. Without one it waits for the attempt to open one, unless the last attempt failed: then it fails
    /// at once, but for the call that makes the next attempt.
    async fn current(&self) -> Result<Open, RedisStoreError> {
        let mut attempt = {
            let mut state = self.inner.state();
            if let Some(open) = &state.open {
                return Ok(open.clone());
            }
            // An attempt is closed before its end if its runtime was shut down.
            let running = state.attempt.clone().filter(|attempt| attempt.has_changed().is_ok());
            match (running, &state.failed) {
                (Some(_), Some((_, error))) => return Err(error.clone()),
                (None, Some((at, error))) if at.elapsed() < PAUSE => return Err(error.clone()),
                (Some(running), None) => running,
                (None, _) => state.attempt.insert(self.inner.attempt()).clone(),
            }
        };
        let _ = attempt.changed().await;
        let state = self.inner.state();
        match (&state.open, &state.failed) {
            (Some(open), _) => Ok(open.clone()),
            (None, Some((_, error))) => Err(error.clone()),
            (None, None) => Err(RedisStoreError::Connection("it was lost at once".to_owned())),
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the answer of a call, and gives its connection up if another one may do better.
    fn judge<T>(&self, number: u64, answer: Result<RedisResult<T>, Elapsed>) -> Result<T, RedisStoreError> {
        let answer = answer.map_or(Err(RedisStoreError::Timeout), |answer| answer.map_err(RedisStoreError::from));
        if answer.as_ref().is_err_and(RedisStoreError::ends_the_connection) {
            self.lose(number);
        }
        answer
    }

    /// Begins to open a connection, in a task of its own: it goes on when the caller is dropped.
    fn attempt(self: &Arc<Self>) -> watch::Receiver<()> {
        let (end, attempt) = watch::channel(());
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            let opened = timeout(OPEN, inner.connect()).await.unwrap_or(Err(RedisStoreError::Timeout));
            let mut state = inner.state();
            state.attempt = None;
            match opened {
                Ok(connection) => {
                    state.opened += 1;
                    state.open = Some(Open { number: state.opened, connection });
                    state.failed = None;
                    tracing::debug!(number = state.opened, "connected to the Redis server");
                }
                Err(error) => {
                    tracing::debug!(%error, "the Redis server cannot be used");
                    state.failed = Some((Instant::now(), error));
                }
            }
            drop(end);
        });
        attempt
    }

    async fn connect(&self) -> Result<Connection, RedisStoreError> {
        let mut connection = self.source.open().await?;
        eviction::check(&mut connection, self.allows_eviction).await?;
        Ok(connection)
    }

    /// Drops a connection, unless it has been replaced.
    fn lose(&self, number: u64) {
        let mut state = self.state();
        state.open.take_if(|open| open.number == number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use redis::{ErrorKind, RedisError, RedisResult};

    use super::*;
    use crate::source::Pending;

    /// Counts the attempts, each of which takes a while and fails.
    struct Down(Arc<AtomicU32>, Duration);

    impl Source for Down {
        fn open(&self) -> Pending<'_, RedisResult<Connection>> {
            Box::pin(async {
                self.0.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(self.1).await;
                Err(RedisError::from((ErrorKind::Io, "refused")))
            })
        }
    }

    fn down(takes: Duration) -> (Arc<Connections>, Arc<AtomicU32>) {
        let attempts = Arc::new(AtomicU32::new(0));
        (Arc::new(Connections::new(Box::new(Down(Arc::clone(&attempts), takes)), false)), attempts)
    }

    #[tokio::test(start_paused = true)]
    async fn calls_share_one_attempt_and_later_ones_fail_at_once_while_another_is_made() {
        let (connections, attempts) = down(Duration::from_millis(400));
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let connections = Arc::clone(&connections);
                tokio::spawn(async move { connections.open().await })
            })
            .collect();
        for call in calls {
            assert!(matches!(call.await.unwrap(), Err(RedisStoreError::Connection(_))));
        }
        assert_eq!(attempts.load(Ordering::Relaxed), 1);

        tokio::time::sleep(PAUSE).await;
        let next = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move { connections.open().await }
        });
        tokio::task::yield_now().await;
        let before = Instant::now();
        assert!(connections.open().await.is_err());
        assert_eq!((before.elapsed(), attempts.load(Ordering::Relaxed)), (Duration::ZERO, 2));
        assert!(next.await.unwrap().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_down_gets_one_attempt_in_a_pause() {
        let (connections, attempts) = down(Duration::ZERO);
        let end = Instant::now() + 10 * PAUSE;
        while Instant::now() < end {
            assert!(connections.open().await.is_err());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(attempts.load(Ordering::Relaxed) <= 10, "{attempts:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_ends_in_time_and_goes_on_when_its_caller_is_dropped() {
        let (connections, attempts) = down(Duration::from_secs(3600));
        let began = Instant::now();
        assert!(timeout(Duration::from_millis(10), connections.open()).await.is_err());
        assert_eq!(connections.open().await, Err(RedisStoreError::Timeout));
        assert_eq!((began.elapsed(), attempts.load(Ordering::Relaxed)), (OPEN, 1));
    }
}
