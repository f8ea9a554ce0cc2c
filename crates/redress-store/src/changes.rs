//! Messages about changes, for stores whose servers send them.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::version::Version;

/// The longest wait while messages arrive: one may be lost with a connection that ends without notice.
const LIVE_POLL: Duration = Duration::from_secs(5);
/// The shortest wait, which keeps a reader of old messages from a busy loop.
const SHORTEST: Duration = Duration::from_millis(10);

/// The keys that tasks wait for, and the last message about each: a store whose server sends messages about changes implements
/// [`Store::changed`](crate::Store::changed) with it.
///
/// Messages save time, and nothing depends on them. While they do not arrive, each wait ends after the poll interval.
///
/// # Examples
/// ```
/// use redress_store::{Changes, Version};
/// use std::time::Duration;
/// use tokio::time::Instant;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let (changes, start) = (Changes::new(), Instant::now());
/// let poll = Duration::from_millis(250);
/// changes.wait("key", None, poll, || true).await;
/// assert_eq!(start.elapsed(), poll, "no server is connected");
///
/// changes.connected(None);
/// changes.deliver("key", Some(Version::next(None)));
/// changes.wait("key", None, poll, || true).await;
/// assert!(start.elapsed() < 2 * poll, "there was a message");
/// # }
/// ```
#[derive(Default)]
pub struct Changes {
    /// The version in the last message about each key, `None` if it was used or there was none.
    last: Mutex<HashMap<String, watch::Sender<Option<Version>>>>,
    /// Whether messages arrive, as far as is known.
    is_live: AtomicBool,
}

impl Changes {
    /// Makes an empty table, without a connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for a message that names another version than `seen`, for a connection, before which messages may have been lost, or
    /// for the loss of one. It waits for 10 ms at least, and for the poll interval at most, or 5 s if that is longer and messages
    /// arrive.
    ///
    /// `subscribe` is called for a key that is new. It returns `true` if the key is subscribed to by itself, so that
    /// [`connected`](Self::connected) will name it; else the wait ends, since there may have been a change before.
    pub async fn wait(&self, key: &str, seen: Option<Version>, poll: Duration, subscribe: impl FnOnce() -> bool) {
        let began = Instant::now();
        let longest = if self.is_live.load(Ordering::Relaxed) { poll.max(LIVE_POLL) } else { poll };
        let _ = timeout(longest, self.message(key, seen, subscribe)).await;
        sleep_until(began + SHORTEST).await;
    }

    /// Passes a message on; `None` if it names no version. Returns `false` if the key has had no listener since the message before,
    /// and forgets it.
    pub fn deliver(&self, key: &str, version: Option<Version>) -> bool {
        let mut keys = self.last();
        let Some(last) = keys.get(key) else { return true };
        let is_idle = last.receiver_count() == 0 && last.borrow().is_some();
        if is_idle {
            keys.remove(key);
        } else {
            last.send_replace(version);
        }
        !is_idle
    }

    /// Records that messages about these keys arrive from now on, or about all keys. Their listeners read the records once more.
    pub fn connected(&self, keys: Option<&[String]>) {
        self.is_live.store(true, Ordering::Relaxed);
        let last = self.last();
        match keys {
            Some(keys) => keys.iter().filter_map(|key| last.get(key)).for_each(wake),
            None => last.values().for_each(wake),
        }
    }

    /// Records that the connection was lost. All listeners read their records, and poll from now on.
    pub fn disconnected(&self) {
        if self.is_live.swap(false, Ordering::Relaxed) {
            self.last().values().for_each(wake);
        }
    }

    /// Returns the keys that were waited for.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.last().keys().cloned().collect()
    }

    async fn message(&self, key: &str, seen: Option<Version>, subscribe: impl FnOnce() -> bool) {
        let Some(mut messages) = self.listen(key, seen, subscribe) else { return };
        while messages.changed().await.is_ok() {
            let version = *messages.borrow_and_update();
            if version.is_none() || version != seen {
                return;
            }
        }
    }

    /// Listens to a key. Returns `None` if a message may have come since the caller read the record; it is used up by that.
    fn listen(
        &self,
        key: &str,
        seen: Option<Version>,
        subscribe: impl FnOnce() -> bool,
    ) -> Option<watch::Receiver<Option<Version>>> {
        let mut keys = self.last();
        let Some(last) = keys.get(key) else {
            // Under the lock: the subscription cannot wake its listener too early.
            let (last, messages) = watch::channel(None);
            keys.insert(key.to_owned(), last);
            return subscribe().then_some(messages);
        };
        let seen = seen.map_or(0, Version::number);
        let mut is_new = false;
        last.send_if_modified(|last| {
            is_new = last.take_if(|last| last.number() > seen).is_some();
            false
        });
        (!is_new).then(|| last.subscribe())
    }

    fn last(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Option<Version>>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(last: &watch::Sender<Option<Version>>) {
    last.send_replace(None);
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("keys", &self.last().len())
            .field("is_live", &self.is_live.load(Ordering::Relaxed))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_millis(250);

    /// Returns how long a wait takes.
    async fn wait(changes: &Changes, seen: Option<Version>) -> Duration {
        let start = Instant::now();
        changes.wait("key", seen, POLL, || false).await;
        start.elapsed()
    }

    #[test]
    fn a_message_between_two_waits_is_not_lost_and_counts_once() {
        let (changes, version) = (Changes::new(), Version::next(None));
        let is_listening = |seen| changes.listen("key", seen, || false).is_some();
        assert!(!is_listening(None), "what came before is not known");
        changes.deliver("key", Some(version));
        assert!(is_listening(Some(version)), "it is the version that was read");
        assert!(!is_listening(None));
        assert!(is_listening(None));
    }

    #[test]
    fn a_key_without_listeners_is_forgotten_at_the_second_message() {
        let (changes, version) = (Changes::new(), Version::next(None));
        changes.listen("key", None, || false);
        assert!(changes.deliver("key", Some(version)));
        assert_eq!(changes.keys(), ["key"]);
        assert!(!changes.deliver("key", Some(version)) && changes.deliver("other", None));
        assert!(changes.keys().is_empty());
    }

    #[test]
    fn only_a_new_key_is_subscribed_to() {
        let changes = Changes::new();
        assert!(changes.listen("key", None, || true).is_some(), "the subscription will wake it");
        assert!(changes.listen("key", None, || panic!("it is known")).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_long_only_while_messages_arrive() {
        let changes = Changes::new();
        assert_eq!(wait(&changes, None).await, SHORTEST, "a new key");
        assert_eq!(wait(&changes, None).await, POLL);
        changes.connected(None);
        assert_eq!(wait(&changes, None).await, LIVE_POLL);
        changes.disconnected();
        assert_eq!(wait(&changes, None).await, POLL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_a_connection_and_its_loss_end_a_wait() {
        let (changes, seen) = (Changes::new(), Version::next(None));
        wait(&changes, None).await;
        changes.connected(None);
        let after = |act: fn(&Changes, Version)| {
            let changes = &changes;
            async move {
                let acting = async {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    act(changes, seen);
                };
                tokio::join!(wait(changes, Some(seen)), acting).0
            }
        };
        let deliver = |changes: &Changes, version| assert!(changes.deliver("key", Some(version)), "it has a listener");
        let (soon, late) = (Duration::from_secs(1), LIVE_POLL);
        assert_eq!(after(|changes, _| changes.connected(Some(&["key".to_owned()]))).await, soon);
        assert_eq!(after(|changes, _| changes.connected(Some(&["other".to_owned()]))).await, late);
        assert_eq!(after(deliver).await, late, "it is known");
        assert_eq!(after(|changes, _| changes.disconnected()).await, soon);
        changes.connected(None);
        let newer = |changes: &Changes, seen| assert!(changes.deliver("key", Some(Version::next(Some(seen)))));
        assert_eq!(after(newer).await, soon);
    }
}
