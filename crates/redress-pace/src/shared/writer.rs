//! The writes of cool-downs to the record of a partition, one at a time.

use std::collections::HashMap;
use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redress_classify::Dialect;
use redress_store::{BoxError, Entry, Pauses, Record, Unreadable, Written, jittered};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::record::CooldownRecord;
use super::{Table, Watched};
use crate::cooldown::Cooldown;

/// The number of refusals after which a write pauses: other processes write all the time.
const MAX_REFUSALS: u32 = 32;
/// That pause.
const CROWD_PAUSE: Duration = Duration::from_millis(100);

/// The cool-downs of a partition that are to be written, by the texts of their gates.
#[derive(Default)]
pub(super) struct Writer(Mutex<Pending>);

#[derive(Default)]
struct Pending {
    cooldowns: HashMap<String, Cooldown>,
    /// A task writes, and takes what is added meanwhile.
    is_writing: bool,
}

/// Writes cool-downs in a task, which goes on when the layer is dropped. Those that are learned during a write follow together.
pub(super) fn write(
    table: &Arc<Table>,
    watched: &Arc<Watched>,
    dialect: &Dialect,
    cooldowns: impl Iterator<Item = (String, Cooldown)>,
) {
    let Ok(runtime) = Handle::try_current() else { return };
    if watched.writer.add(cooldowns) {
        runtime.spawn(run(Arc::clone(table), Arc::clone(watched), dialect.clone()));
    }
}

/// Writes until nothing is left to write. While the store is down it tries again, until the cool-downs are over.
async fn run(table: Arc<Table>, watched: Arc<Watched>, dialect: Dialect) {
    let mut pauses = Pauses::new();
    loop {
        let sent = Instant::now();
        let Some(cooldowns) = watched.writer.take(sent) else { return };
        match merge(&watched.entry, &cooldowns).await {
            Ok(Merged::Done) => table.set_available(&watched, &dialect, true, sent),
            Ok(Merged::Crowded) => {
                watched.writer.put_back(cooldowns);
                sleep(jittered(CROWD_PAUSE)).await;
            }
            Err(_) => {
                watched.writer.put_back(cooldowns);
                table.set_available(&watched, &dialect, false, sent);
                if table.is_closed.load(Ordering::Relaxed) {
                    return;
                }
                sleep(pauses.next_pause()).await;
            }
        }
    }
}

/// The end of a write.
enum Merged {
    /// The record has the cool-downs, or is one of a newer version of this program, which stays.
    Done,
    /// Other processes were faster each time.
    Crowded,
}

/// Extends a record by cool-downs. It writes nothing if the record has longer ones.
async fn merge(entry: &Entry, cooldowns: &HashMap<String, Cooldown>) -> Result<Merged, BoxError> {
    let mut stored = entry.load().await?;
    for _ in 0..MAX_REFUSALS {
        let (now, seen) = (Instant::now(), stored.as_ref().map(Record::version));
        let mut record = match stored.as_ref().map(|record| CooldownRecord::read(record.value(), record.age())) {
            None | Some(Err(Unreadable::Foreign)) => CooldownRecord::default(),
            Some(Err(Unreadable::Newer)) => return Ok(Merged::Done),
            Some(Ok(record)) => record,
        };
        let extended = cooldowns.iter().filter(|(gate, cooldown)| record.extend(gate, cooldown, now)).count();
        let Some((bytes, longest)) = record.write().filter(|_| extended > 0) else { return Ok(Merged::Done) };
        match entry.replace(seen, &bytes, Some(longest)).await? {
            Written::Done => return Ok(Merged::Done),
            Written::Refused(record) => stored = record,
        }
    }
    Ok(Merged::Crowded)
}

impl Writer {
    /// Adds cool-downs. Returns `true` if a task must be started, which writes them.
    fn add(&self, cooldowns: impl Iterator<Item = (String, Cooldown)>) -> bool {
        let mut pending = self.lock();
        cooldowns.for_each(|(gate, cooldown)| pending.insert(gate, cooldown));
        !pending.cooldowns.is_empty() && !mem::replace(&mut pending.is_writing, true)
    }

    /// Returns `true` while something waits to be written, or is being written.
    pub(super) fn is_writing(&self) -> bool {
        self.lock().is_writing
    }

    /// Takes what is to be written now; `None`, which ends the task, if nothing is.
    fn take(&self, now: Instant) -> Option<HashMap<String, Cooldown>> {
        let mut pending = self.lock();
        pending.cooldowns.retain(|_, cooldown| now < cooldown.until);
        pending.is_writing = !pending.cooldowns.is_empty();
        pending.is_writing.then(|| mem::take(&mut pending.cooldowns))
    }

    /// Keeps cool-downs that were not written.
    fn put_back(&self, cooldowns: HashMap<String, Cooldown>) {
        let mut pending = self.lock();
        cooldowns.into_iter().for_each(|(gate, cooldown)| pending.insert(gate, cooldown));
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    /// Adds a cool-down, unless a longer one waits already.
    fn insert(&mut self, gate: String, cooldown: Cooldown) {
        let kept = self.cooldowns.entry(gate).or_insert(cooldown);
        if kept.until < cooldown.until {
            *kept = cooldown;
        }
    }
}
