//! Messages about changes. They save time, and nothing depends on them.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{PubSub, PubSubSink};
use redis::{Msg, RedisResult};
use redress_store::{Changes, Version};
use tokio::sync::mpsc;
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
    /// Shared with the task, which ends when the store is gone.
    changes: Arc<Changes>,
    /// Names a new channel to the task.
    new: Mutex<Option<mpsc::UnboundedSender<String>>>,
}

impl Hints {
    pub(crate) fn new(source: Arc<dyn Subscribe>) -> Self {
        Self { source, changes: Arc::default(), new: Mutex::default() }
    }

    /// Waits for a message on the channel, as [`Changes::wait`] does.
    pub(crate) async fn wait(&self, channel: &str, seen: Option<Version>, poll: Duration) {
        let names = self.names();
        let subscribe = || names.send(channel.to_owned()).is_ok();
        self.changes.wait(channel, seen, poll, subscribe).await;
    }

    /// Returns the way to the task, which is started, and again if its runtime was shut down.
    fn names(&self) -> mpsc::UnboundedSender<String> {
        let mut new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
        match new.take().filter(|names| !names.is_closed()) {
            Some(names) => new.insert(names).clone(),
            None => {
                let (names, task) = mpsc::unbounded_channel();
                tokio::spawn(run(Arc::clone(&self.source), Arc::downgrade(&self.changes), task));
                new.insert(names).clone()
            }
        }
    }
}

/// Subscribes, and again after each loss, until the store is dropped.
async fn run(source: Arc<dyn Subscribe>, changes: Weak<Changes>, mut new: mpsc::UnboundedReceiver<String>) {
    loop {
        if let Ok(Ok(connection)) = timeout(ANSWER, source.subscribe()).await {
            follow(connection, &changes, &mut new).await;
        }
        match changes.upgrade() {
            Some(changes) => changes.disconnected(),
            None => return,
        }
        tracing::debug!("the subscription to changes in Redis was lost: they are noticed by polling");
        sleep(PAUSE).await;
    }
}

/// Passes messages on until the connection or the store is gone.
async fn follow(connection: PubSub, changes: &Weak<Changes>, new: &mut mpsc::UnboundedReceiver<String>) {
    let (mut sink, mut messages) = connection.split();
    let Some(names) = changes.upgrade().map(|changes| changes.keys()) else { return };
    if !subscribe(&mut sink, changes, &names).await {
        return;
    }
    loop {
        let is_alive = tokio::select! {
            message = messages.next() => match (message, changes.upgrade()) {
                (Some(message), Some(changes)) => {
                    deliver(&changes, &message) || in_time(sink.unsubscribe(message.get_channel_name())).await
                }
                _ => false,
            },
            name = new.recv() => match name {
                Some(name) => subscribe(&mut sink, changes, &[name]).await,
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
async fn subscribe(sink: &mut PubSubSink, changes: &Weak<Changes>, names: &[String]) -> bool {
    let is_done = names.is_empty() || in_time(sink.subscribe(names)).await;
    if let Some(changes) = changes.upgrade().filter(|_| is_done) {
        changes.connected(Some(names));
    }
    is_done
}

/// Passes a message on. A text that is no version came from elsewhere: the record is read all the same.
fn deliver(changes: &Changes, message: &Msg) -> bool {
    let version = message.get_payload::<String>().ok().and_then(|version| version.parse().ok());
    changes.deliver(message.get_channel_name(), version)
}

async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>) -> bool {
    matches!(timeout(ANSWER, answer).await, Ok(Ok(_)))
}
