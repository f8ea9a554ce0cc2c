//! Notifications about changes. They save time, and nothing depends on them.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redress_store::Version;
use tokio::sync::{mpsc, watch};
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
    keys: Arc<Keys>,
    task: Mutex<Option<JoinHandle<()>>>,
}

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Opens a connection of its own and listens, until it is lost.
pub(crate) trait Listen: Send + Sync + 'static {
    fn follow(&self, keys: Arc<Keys>) -> Pending<()>;
}

/// A server that is reached without a pooler.
pub(crate) struct Direct<T> {
    pub(crate) config: Config,
    pub(crate) tls: T,
}

/// The version in the last notification about each key, `None` if it was used or there was none.
#[derive(Default)]
pub(crate) struct Keys {
    /// Whether the connection that listens stands.
    is_live: AtomicBool,
    last: Mutex<HashMap<String, watch::Sender<Option<Version>>>>,
}

impl Hints {
    pub(crate) fn new(listen: Arc<dyn Listen>) -> Self {
        Self { listen, keys: Arc::default(), task: Mutex::default() }
    }

    /// Returns `true` while notifications arrive, as far as is known.
    pub(crate) fn is_live(&self) -> bool {
        self.keys.is_live.load(Ordering::Relaxed)
    }

    /// Waits for a notification that names another version than `seen`, for a new connection, before which notifications may
    /// have been lost, or for the loss of the connection.
    pub(crate) async fn wait(&self, key: &str, seen: Option<Version>) {
        self.start();
        let Some(mut messages) = self.keys.listen(key, seen) else { return };
        while messages.changed().await.is_ok() {
            let version = *messages.borrow_and_update();
            if version.is_none() || version != seen {
                return;
            }
        }
    }

    /// Starts the task, and again if its runtime was shut down.
    fn start(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            *task = Some(tokio::spawn(run(Arc::clone(&self.listen), Arc::clone(&self.keys))));
        }
    }
}

impl Keys {
    fn last(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Option<Version>>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `None` if there may have been a change since the caller read the record: at its first wait, or after a
    /// notification, which is used up by that.
    fn listen(&self, key: &str, seen: Option<Version>) -> Option<watch::Receiver<Option<Version>>> {
        let (mut keys, key) = (self.last(), part(key));
        let Some(last) = keys.get(key) else {
            keys.insert(key.to_owned(), watch::Sender::new(None));
            return None;
        };
        let seen = seen.map_or(0, Version::number);
        let mut is_new = false;
        last.send_if_modified(|last| {
            is_new = last.take_if(|last| last.number() > seen).is_some();
            false
        });
        (!is_new).then(|| last.subscribe())
    }

    /// Wakes all listeners at a new connection.
    fn connected(&self) {
        self.is_live.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Wakes all listeners of a connection that was lost, so that they poll from now on.
    fn lost(&self) {
        if self.is_live.swap(false, Ordering::Relaxed) {
            self.wake();
        }
    }

    fn wake(&self) {
        for last in self.last().values() {
            last.send_replace(None);
        }
    }

    /// Passes a notification on: a version, a space, and the key. A key without a listener since the one before is forgotten.
    fn deliver(&self, payload: &str) {
        let Some((version, key)) = payload.split_once(' ') else { return };
        let mut keys = self.last();
        let Some(last) = keys.get(key) else { return };
        if last.receiver_count() == 0 && last.borrow().is_some() {
            keys.remove(key);
        } else {
            last.send_replace(version.parse().ok());
        }
    }
}

/// The part of a key that a notification has.
fn part(key: &str) -> &str {
    key.char_indices().nth(KEY_PART).map_or(key, |(end, _)| &key[..end])
}

/// Listens, and again after each loss.
async fn run(listen: Arc<dyn Listen>, keys: Arc<Keys>) {
    loop {
        listen.follow(Arc::clone(&keys)).await;
        keys.lost();
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
    fn follow(&self, keys: Arc<Keys>) -> Pending<()> {
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
            keys.connected();
            loop {
                match timeout(TEST, payloads.recv()).await {
                    Ok(Some(payload)) => keys.deliver(&payload),
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

    #[test]
    fn a_notification_between_two_waits_is_not_lost_and_counts_once() {
        let (keys, version) = (Keys::default(), Version::next(None));
        assert!(keys.listen("key", None).is_none(), "what came before is not known");
        keys.deliver(&format!("{version} key"));
        assert!(keys.listen("key", Some(version)).is_some(), "it is the version that was read");
        assert!(keys.listen("key", None).is_none());
        assert!(keys.listen("key", None).is_some());
    }

    #[test]
    fn a_key_without_listeners_is_forgotten_at_the_second_notification() {
        let (keys, version) = (Keys::default(), Version::next(None));
        keys.listen("key", None);
        keys.deliver(&format!("{version} key"));
        assert_eq!(keys.last().len(), 1);
        keys.deliver(&format!("{version} key"));
        keys.deliver("no version");
        assert!(keys.last().is_empty());
    }

    #[test]
    fn a_long_key_is_cut_between_characters() {
        let key = "\u{1F511}".repeat(KEY_PART);
        assert_eq!(part(&key), key);
        assert_eq!(part(&format!("{key}x")), key);
    }
}
