//! The task that watches the record of one partition.

use std::sync::Arc;
use std::time::Duration;

use redress_classify::Dialect;
use redress_store::{Pauses, Record, Unreadable, Version};
use tokio::time::{Instant, sleep, timeout_at};

use super::record::CooldownRecord;
use super::{Table, Watched, writer};
use crate::cooldown::Cooldown;
use crate::gates::{Gates, STORE_DELAY};
use crate::limiter::Limiter;
use crate::max_wait::FIRST_LOAD;
use crate::scope::GateKey;
use crate::settings::Settings;
use crate::telemetry;

/// The longest time between two loads, for a store whose notification was lost.
const POLL: Duration = Duration::from_secs(5);
/// A partition that no call used for this long to twice this long is no longer watched.
const IDLE: Duration = Duration::from_secs(120);

/// Watches a record, and starts the cool-downs that other processes learned of.
pub(super) struct Watcher {
    table: Arc<Table>,
    watched: Arc<Watched>,
    gates: Arc<Gates>,
    limiters: Vec<Arc<Limiter>>,
    dialect: Dialect,
    /// The version that was loaded last.
    seen: Option<Version>,
    /// How long the slowest load took: no end that was learned from the store is later than the true one by more.
    slowest: Duration,
    /// Why the last record could not be read.
    unreadable: Option<Unreadable>,
    next_check: Instant,
}

impl Watcher {
    pub(super) fn new(table: &Arc<Table>, watched: &Arc<Watched>, settings: &Settings) -> Self {
        Self {
            table: Arc::clone(table),
            watched: Arc::clone(watched),
            gates: Arc::clone(&settings.gates),
            limiters: settings.limiters.clone(),
            dialect: settings.dialect.clone(),
            seen: None,
            slowest: Duration::ZERO,
            unreadable: None,
            next_check: Instant::now() + IDLE,
        }
    }

    /// Runs until the partition is no longer used. It is aborted when the layer is dropped.
    pub(super) async fn run(mut self) {
        let mut pauses = Pauses::new();
        let mut is_available = self.first_load().await;
        loop {
            if is_available {
                pauses = Pauses::new();
                self.watched.entry.changed(self.seen, POLL).await;
            } else {
                sleep(pauses.next_pause()).await;
            }
            if self.next_check <= Instant::now() {
                if self.table.remove_unused(&self.watched, &self.gates) {
                    return;
                }
                self.next_check = Instant::now() + IDLE;
            }
            is_available = self.load().await;
        }
    }

    /// Loads the record for the calls that wait for it. A store that is slow counts as unavailable until it answers.
    async fn first_load(&mut self) -> bool {
        let sent = Instant::now();
        let loaded = timeout_at(sent + FIRST_LOAD, self.load()).await;
        if loaded.is_err() {
            self.table.set_available(&self.watched, &self.dialect, false, sent);
            self.watched.end_first_load(&self.table);
        }
        loaded.unwrap_or(false)
    }

    /// Loads the record once; returns `false` if the store is unavailable.
    async fn load(&mut self) -> bool {
        let sent = Instant::now();
        let loaded = self.watched.entry.load().await;
        let is_available = loaded.is_ok();
        self.slowest = self.slowest.max(sent.elapsed());
        if let Ok(record) = &loaded {
            self.learn(record.as_ref());
        }
        self.table.set_available(&self.watched, &self.dialect, is_available, sent);
        self.watched.end_first_load(&self.table);
        is_available
    }

    /// Learns from a record, or from its absence, and writes what it lacks.
    fn learn(&mut self, record: Option<&Record>) {
        let read = record
            .map_or_else(|| Ok(CooldownRecord::default()), |record| CooldownRecord::read(record.value(), record.age()));
        let (cooldowns, now) = (read.as_ref(), Instant::now());
        if let Ok(cooldowns) = cooldowns {
            cooldowns.cooldowns(now).for_each(|(gate, cooldown)| self.adopt(gate, cooldown, now));
            self.publish_again(cooldowns, now);
        }
        let unreadable = read.err();
        if let Some(why) = unreadable.filter(|_| unreadable != self.unreadable) {
            telemetry::record_unreadable(&self.dialect, &self.watched.partition, why.as_str());
        }
        (self.unreadable, self.seen) = (unreadable, record.map(Record::version));
    }

    /// Starts a cool-down here that another process learned of.
    fn adopt(&self, gate: &str, cooldown: Cooldown, now: Instant) {
        let Some(key) = GateKey::from_text(&self.watched.partition, &self.dialect, gate) else { return };
        if !self.gates.adopt(key.clone(), cooldown, now) {
            return;
        }
        self.limiters.iter().for_each(|limiter| limiter.cool_down(&self.watched.partition, cooldown.until));
        let wait = cooldown.until.saturating_duration_since(now);
        telemetry::cooldown_adopted(&self.dialect, &self.watched.partition, &key, cooldown.class, wait);
    }

    /// Writes the cool-downs that this process knows and the record lacks: the store went back in time, or they are being written.
    /// The version does not tell: others may have written as often since, or the lost write was not loaded before.
    fn publish_again(&self, stored: &CooldownRecord, now: Instant) {
        let known = self.gates.cooldowns_of(&self.watched.partition, now).into_iter();
        let texts = known.filter_map(|(key, cooldown)| Some((key.to_text(&self.dialect)?, cooldown)));
        // A record whose lifetime has passed is gone as well. Without this difference a slow store would extend a cool-down
        // without end.
        let difference = STORE_DELAY + self.slowest;
        let is_lost = |(gate, known): &(String, Cooldown)| {
            let kept = stored.cooldowns(now).find(|(stored, _)| stored == gate);
            kept.map_or(now, |(_, kept)| kept.until) + difference < known.until
        };
        let mut lost = texts.filter(is_lost).peekable();
        if lost.peek().is_some() && !self.watched.writer.is_writing() {
            telemetry::cooldowns_lost(&self.dialect, &self.watched.partition);
        }
        writer::write(&self.table, &self.watched, &self.dialect, lost);
    }
}
