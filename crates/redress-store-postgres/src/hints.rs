//! Notifications about changes. They save time, and nothing depends on them.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redress_store::{Changes, Version};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Config, Error, Socket};

/// The channel of all stores of a database.
pub(crate) const CHANNEL: &str = "redress";
/// How many characters of a key a notification has. The server takes less than 8,000 bytes.
pub(crate) const KEY_PART: usize = 500;
/// How long the server may take to open a connection or to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// The time between two attempts to listen.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a silent connection is tested: one that was lost without notice brings no notifications.
const TEST: Duration = Duration::from_secs(15);

/// The keys that are waited for, and the task that listens.
pub(crate) struct Hints {
    listen: Arc<dyn Listen>,
    /// The keys that are waited for, shared with the task.
    changes: Arc<Changes>,
    task: Mutex<Option<JoinHandle<()>>>,
}

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Opens a connection of its own and listens, until it is lost.
pub(crate) trait Listen: Send + Sync + 'static {
    fn follow(&self, changes: Arc<Changes>) -> Pending<()>;
}

/// A server that is reached without a pooler.
pub(crate) struct Direct<T> {
    pub(crate) config: Config,
    pub(crate) tls: T,
}

impl Hints {
    pub(crate) fn new(listen: Arc<dyn Listen>) -> Self {
        Self { listen, changes: Arc::default(), task: Mutex::default() }
    }

    /// Waits for a notification about the key, as [`Changes::wait`] does.
    pub(crate) async fn wait(&self, key: &str, seen: Option<Version>, poll: Duration) {
        self.start();
        // All keys have one channel: what came before the first wait is not known.
        self.changes.wait(part(key), seen, poll, || false).await;
    }

    /// Starts the task, and again if its runtime was shut down.
    fn start(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            *task = Some(tokio::spawn(run(Arc::clone(&self.listen), Arc::clone(&self.changes))));
        }
    }
}

/// Passes a notification on: a version, a space, and the key.
fn deliver(changes: &Changes, payload: &str) {
    if let Some((version, key)) = payload.split_once(' ') {
        changes.deliver(key, version.parse().ok());
    }
}

/// The part of a key that a notification has.
fn part(key: &str) -> &str {
    key.char_indices().nth(KEY_PART).map_or(key, |(end, _)| &key[..end])
}

/// Listens, and again after each loss.
async fn run(listen: Arc<dyn Listen>, changes: Arc<Changes>) {
    loop {
        listen.follow(Arc::clone(&changes)).await;
        changes.disconnected();
        tracing::debug!("the connection that listens for changes in Postgres was lost: they are noticed by polling");
        sleep(PAUSE).await;
    }
}

impl<T> Listen for Direct<T>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn follow(&self, changes: Arc<Changes>) -> Pending<()> {
        let (config, tls) = (self.config.clone(), self.tls.clone());
        Box::pin(async move {
            let Ok(Ok((client, mut connection))) = timeout(ANSWER, config.connect(tls)).await else { return };
            let (sender, mut payloads) = mpsc::unbounded_channel();
            // It ends when the client is dropped.
            tokio::spawn(async move {
                while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                    if let AsyncMessage::Notification(message) = message {
                        let _ = sender.send(message.payload().to_owned());
                    }
                }
            });
            if !in_time(client.batch_execute(&format!("LISTEN {CHANNEL}"))).await {
                return;
            }
            changes.connected(None);
            loop {
                match timeout(TEST, payloads.recv()).await {
                    Ok(Some(payload)) => deliver(&changes, &payload),
                    Err(_) if in_time(client.batch_execute("")).await => {}
                    _ => return,
                }
            }
        })
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, Error>>) -> bool {
    matches!(timeout(ANSWER, answer).await, Ok(Ok(_)))
}

impl Drop for Hints {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Never returns, and tells when it is dropped.
    struct Follows(mpsc::UnboundedSender<()>);

    impl Listen for Follows {
        fn follow(&self, _: Arc<Changes>) -> Pending<()> {
            let alive = self.0.clone();
            Box::pin(async move {
                let _alive = alive;
                std::future::pending::<()>().await;
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_ends_with_its_store() {
        let (sender, mut alive) = mpsc::unbounded_channel();
        let hints = Hints::new(Arc::new(Follows(sender)));
        hints.wait("k", None, Duration::from_millis(10)).await;
        drop(hints);
        let ended = timeout(Duration::from_secs(60), alive.recv()).await;
        assert_eq!(ended, Ok(None), "its connection would stay open");
    }

    #[tokio::test(start_paused = true)]
    async fn a_notification_names_a_version_and_a_key() {
        let (changes, version) = (Changes::new(), Version::next(None));
        changes.wait("a key", None, PAUSE, || false).await;
        for payload in [&format!("{version} a key"), "no version", ""] {
            deliver(&changes, payload);
        }
        assert_eq!(changes.keys(), ["a key"]);
        deliver(&changes, &format!("{version} a key"));
        assert!(changes.keys().is_empty(), "it had no listener since the one before");
    }

    #[test]
    fn a_long_key_is_cut_between_characters() {
        let key = "\u{1F511}".repeat(KEY_PART);
        assert_eq!(part(&key), key);
        assert_eq!(part(&format!("{key}x")), key);
    }
}
