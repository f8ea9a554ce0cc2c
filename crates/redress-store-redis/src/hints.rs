//! Messages about changes. They save time, and nothing depends on them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{PubSub, PubSubSink};
use redis::{Msg, RedisResult};
use redress_store::Version;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::source::Subscribe;

/// How long the server may take to open a connection or to confirm a subscription.
const ANSWER: Duration = Duration::from_secs(1);
/// The time between two attempts to subscribe.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a silent connection is tested: one that was lost without notice brings no messages.
const TEST: Duration = Duration::from_secs(15);

/// The channels of a store that a task is subscribed to, over one connection.
pub(crate) struct Hints {
    source: Arc<dyn Subscribe>,
    shared: Arc<Shared>,
}

/// The channels, shared with the task, which ends when the store is gone.
#[derive(Default)]
struct Shared {
    channels: Mutex<Channels>,
    /// Whether the connection of the subscriptions stands.
    is_live: AtomicBool,
}

#[derive(Default)]
struct Channels {
    /// The version in the last message, `None` if it was used or there was none.
    last: HashMap<String, watch::Sender<Option<Version>>>,
    /// Names a new channel to the task.
    new: Option<mpsc::UnboundedSender<String>>,
}

impl Hints {
    pub(crate) fn new(source: Arc<dyn Subscribe>) -> Self {
        Self { source, shared: Arc::default() }
    }

    /// Returns `true` while messages arrive, as far as is known.
    pub(crate) fn is_live(&self) -> bool {
        self.shared.is_live.load(Ordering::Relaxed)
    }

    /// Waits for a message that names another version than `seen`, for a new subscription, before which messages may have been
    /// lost, or for the loss of the connection.
    pub(crate) async fn wait(&self, channel: &str, seen: Option<Version>) {
        let Some(mut messages) = self.listen(channel, seen) else { return };
        while messages.changed().await.is_ok() {
            let version = *messages.borrow_and_update();
            if version.is_none() || version != seen {
                return;
            }
        }
        // The channel was given up, since it had no listener for a while.
        sleep(PAUSE).await;
    }

    /// Listens to a channel. Returns `None` if a message has come since the caller read the record; it is used up by that.
    fn listen(&self, channel: &str, seen: Option<Version>) -> Option<watch::Receiver<Option<Version>>> {
        let mut channels = self.shared.channels();
        if channels.new.as_ref().is_none_or(mpsc::UnboundedSender::is_closed) {
            let (new, names) = mpsc::unbounded_channel();
            channels.new = Some(new);
            tokio::spawn(run(Arc::clone(&self.source), Arc::downgrade(&self.shared), names));
        }
        if let Some(last) = channels.last.get(channel) {
            let seen = seen.map_or(0, Version::number);
            let mut is_new = false;
            last.send_if_modified(|last| {
                is_new = last.take_if(|last| last.number() > seen).is_some();
                false
            });
            return (!is_new).then(|| last.subscribe());
        }
        let (last, messages) = watch::channel(None);
        channels.last.insert(channel.to_owned(), last);
        if let Some(new) = &channels.new {
            let _ = new.send(channel.to_owned());
        }
        Some(messages)
    }
}

impl Shared {
    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> Vec<String> {
        self.channels().last.keys().cloned().collect()
    }

    /// Wakes all listeners of a connection that was lost, so that they poll from now on.
    fn lost(&self) {
        if self.is_live.swap(false, Ordering::Relaxed) {
            self.wake(&self.names());
        }
    }

    /// Wakes the listeners of a new subscription.
    fn subscribed(&self, names: &[String]) {
        self.is_live.store(true, Ordering::Relaxed);
        self.wake(names);
    }

    fn wake(&self, names: &[String]) {
        let channels = self.channels();
        for last in names.iter().filter_map(|name| channels.last.get(name)) {
            last.send_replace(None);
        }
    }

    /// Passes a message on. Returns `false` if its channel has had no listener since the message before, and forgets it.
    fn deliver(&self, message: &Msg) -> bool {
        let (mut channels, name) = (self.channels(), message.get_channel_name());
        let Some(last) = channels.last.get(name) else { return true };
        let is_idle = last.receiver_count() == 0 && last.borrow().is_some();
        if is_idle {
            channels.last.remove(name);
        } else {
            // A text that is no version came from elsewhere: the record is read all the same.
            last.send_replace(message.get_payload::<String>().ok().and_then(|version| version.parse().ok()));
        }
        !is_idle
    }
}

/// Subscribes, and again after each loss, until the store is dropped.
async fn run(source: Arc<dyn Subscribe>, shared: Weak<Shared>, mut new: mpsc::UnboundedReceiver<String>) {
    loop {
        if let Ok(Ok(connection)) = timeout(ANSWER, source.subscribe()).await {
            follow(connection, &shared, &mut new).await;
        }
        let Some(left) = shared.upgrade() else { return };
        left.lost();
        drop(left);
        tracing::debug!("the subscription to changes in Redis was lost: they are noticed by polling");
        sleep(PAUSE).await;
    }
}

/// Passes messages on until the connection or the store is gone.
async fn follow(connection: PubSub, shared: &Weak<Shared>, new: &mut mpsc::UnboundedReceiver<String>) {
    let (mut sink, mut messages) = connection.split();
    let Some(names) = shared.upgrade().map(|shared| shared.names()) else { return };
    if !subscribe(&mut sink, shared, &names).await {
        return;
    }
    loop {
        let is_alive = tokio::select! {
            message = messages.next() => match (message, shared.upgrade()) {
                (Some(message), Some(shared)) => {
                    shared.deliver(&message) || in_time(sink.unsubscribe(message.get_channel_name())).await
                }
                _ => false,
            },
            name = new.recv() => match name {
                Some(name) => subscribe(&mut sink, shared, &[name]).await,
                None => false,
            },
            () = sleep(TEST) => in_time(sink.ping::<redis::Value>()).await,
        };
        if !is_alive {
            return;
        }
    }
}

/// Subscribes to channels, and wakes their listeners.
async fn subscribe(sink: &mut PubSubSink, shared: &Weak<Shared>, names: &[String]) -> bool {
    let is_done = names.is_empty() || in_time(sink.subscribe(names)).await;
    if let Some(shared) = shared.upgrade().filter(|_| is_done) {
        shared.subscribed(names);
    }
    is_done
}

async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>) -> bool {
    matches!(timeout(ANSWER, answer).await, Ok(Ok(_)))
}
