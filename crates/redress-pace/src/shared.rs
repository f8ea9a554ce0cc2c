//! Cool-downs that processes with one account share, by the records of a store.

mod record;
mod slots;
mod watcher;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redress_classify::{CooldownScope, Dialect};
use redress_store::{Entry, StoreHandle};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use self::slots::{SlotHasher, Slots};
use self::watcher::Watcher;
use self::writer::Writer;
use crate::cooldown::Cooldown;
use crate::gates::Gates;
use crate::partition::Partition;
use crate::scope::Target;
use crate::settings::Settings;
use crate::telemetry;

/// The wait for the first load of a record.
pub(crate) type FirstLoad = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// The records of a layer in a store. When the last service and the layer are dropped, their watchers end.
pub(crate) struct Sharing {
    table: Arc<Table>,
    /// The key below which the records of limits are.
    limits: Entry,
    /// Of the hashes in the table: random, so that their slots cannot be foreseen.
    seed: u64,
}

/// The partitions in use, each with a task that watches its record.
struct Table {
    /// The key below which the records are.
    entry: Entry,
    /// The partitions, as calls see them.
    slots: Slots,
    watched: Mutex<HashMap<Partition, (Arc<Watched>, AbortHandle)>>,
    health: Mutex<StoreHealth>,
    /// The layer is dropped.
    is_closed: AtomicBool,
}

/// Whether the store answers.
#[derive(Default)]
struct StoreHealth {
    is_down: bool,
    /// When it answered last.
    answered: Option<Instant>,
}

/// A partition whose record is watched.
struct Watched {
    partition: Partition,
    entry: Entry,
    /// Its hash in the table.
    hash: u64,
    /// Whether the first load is over.
    is_loaded: watch::Sender<bool>,
    writer: Writer,
}

impl Sharing {
    /// Makes the records below `{key}/cooldown` and `{key}/limit`.
    pub(crate) fn new(store: StoreHandle, key: &str) -> Self {
        let entry = Entry::new(store, key);
        let table = Table {
            entry: entry.child("cooldown"),
            slots: Slots::default(),
            watched: Mutex::default(),
            health: Mutex::default(),
            is_closed: AtomicBool::new(false),
        };
        Self { table: Arc::new(table), limits: entry.child("limit"), seed: RandomState::new().hash_one(key) }
    }

    /// Returns the entry below which the records of limits are.
    pub(crate) const fn limits(&self) -> &Entry {
        &self.limits
    }

    /// Returns `true` if the record of a partition is watched and was loaded: it takes a hash and one or two atomic loads.
    #[inline]
    pub(crate) fn is_loaded(&self, partition: &Partition) -> bool {
        self.table.slots.touch(self.hash(partition))
    }

    fn hash(&self, partition: &Partition) -> u64 {
        let mut hasher = SlotHasher::new(self.seed);
        partition.hash(&mut hasher);
        hasher.finish()
    }

    /// Begins to watch the record of a partition, and returns the wait for its first load, at most until an instant; `None` if the
    /// load is over, the store is known to be down, or the call must not wait.
    pub(crate) fn first_load(
        &self,
        settings: &Settings,
        partition: &Partition,
        until: Option<Instant>,
    ) -> Option<FirstLoad> {
        let watched = self.watch(settings, partition)?;
        let mut loaded = watched.is_loaded.subscribe();
        let until = until.filter(|_| !*loaded.borrow() && !self.table.is_down())?;
        Some(Box::pin(async move {
            let _ = timeout_at(until, loaded.wait_for(|loaded| *loaded)).await;
        }))
    }

    /// Tells the other processes of a cool-down, in the background.
    pub(crate) fn publish(&self, settings: &Settings, target: &Target, scope: CooldownScope, cooldown: &Cooldown) {
        let Some(watched) = self.watch(settings, &target.partition) else { return };
        let keys = settings.gates.cooled_keys(target, scope);
        let gates = keys.iter().filter_map(|key| key.to_text(&settings.dialect));
        writer::write(&self.table, &watched, &settings.dialect, gates.map(|gate| (gate, *cooldown)));
    }

    /// Returns a partition, which is watched from now on; `None` without a runtime, or if there are too many.
    fn watch(&self, settings: &Settings, partition: &Partition) -> Option<Arc<Watched>> {
        let mut table = self.table.lock();
        if let Some((watched, _)) = table.get(partition) {
            return Some(Arc::clone(watched));
        }
        let runtime = Handle::try_current().ok()?;
        let hash = self.hash(partition);
        if table.len() >= MAX_WATCHED || !self.table.slots.add(hash) {
            return None;
        }
        let watched = Arc::new(Watched {
            partition: partition.clone(),
            entry: self.table.entry.child(&partition.record_name()),
            hash,
            is_loaded: watch::Sender::new(false),
            writer: Writer::default(),
        });
        let watcher = Watcher::new(&self.table, &watched, settings);
        let task = runtime.spawn(watcher.run()).abort_handle();
        table.insert(partition.clone(), (Arc::clone(&watched), task));
        Some(watched)
    }
}

/// The maximum number of records that are watched, as many as there are partitions of known health. Further partitions learn by
/// themselves.
const MAX_WATCHED: usize = 1024;

impl Table {
    fn is_down(&self) -> bool {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).is_down
    }

    /// Records whether the store answered a call that was sent then, and reports a change. A call that hangs says nothing once the
    /// store has answered a later one.
    fn set_available(&self, watched: &Watched, dialect: &Dialect, is_available: bool, sent: Instant) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if is_available {
            health.answered = Some(Instant::now());
        } else if health.answered.is_some_and(|answered| sent < answered) {
            return;
        }
        let has_changed = health.is_down == is_available;
        health.is_down = !is_available;
        drop(health);
        if has_changed {
            telemetry::store_changed(dialect, &watched.partition, is_available);
        }
    }

    /// Forgets a partition that was not used since the last check and at whose gates no call waits; returns whether it did.
    fn remove_unused(&self, watched: &Watched, gates: &Gates) -> bool {
        let mut table = self.lock();
        let is_unused = !gates.has_waiting(&watched.partition) && self.slots.remove_unused(watched.hash);
        if is_unused {
            table.remove(&watched.partition);
        }
        is_unused
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Partition, (Arc<Watched>, AbortHandle)>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// Lets calls go on without a wait from now on.
    fn end_first_load(&self, table: &Table) {
        table.slots.set_loaded(self.hash);
        self.is_loaded.send_replace(true);
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        self.table.is_closed.store(true, Ordering::Relaxed);
        self.table.lock().drain().for_each(|(_, (_, task))| task.abort());
    }
}

impl fmt::Debug for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharing").field("watched", &self.table.lock().len()).finish_non_exhaustive()
    }
}
