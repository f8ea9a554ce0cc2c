//! Records the end of a call: learns from it how the upstream does, and shuts or opens its gate.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use redress_classify::UpstreamHealth;
use tokio::time::Instant;

use super::{MAX_PARTITIONS, Permit, Sent, State, known};
use crate::health::Health;
use crate::line::{Line, Moment};
use crate::outage::{Outage, PastOutage};
use crate::partition::Partition;
use crate::scope::Target;
use crate::settings::Settings;
use crate::window::CallEnd;

/// How a call ended, for the gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallResult {
    /// The upstream answered: a success, or an error that says nothing about its health.
    Answered,
    /// It is unavailable: no connection, a reset, a timeout, or a response that says so without a hint.
    Failed { is_timeout: bool },
    /// It limits the rate of requests, without a hint.
    Throttled,
    /// It answered with a hint, or with an error of its own such as a 500, which proves neither an outage nor health.
    Faulty,
    /// Nothing is known: the request was not sent, or was dropped.
    Unknown,
}

/// The changes that the end of a call made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// The health of the upstream, for the layers above; `None` if it is healthy.
    pub(crate) health: Option<UpstreamHealth>,
    pub(crate) transition: Option<Transition>,
}

/// The state of an upstream, as the end of a call shows it.
#[derive(Clone, Copy, Debug, Default)]
struct Learnt {
    /// There are too many failures in a row for chance.
    is_outage: bool,
    /// Whether it throttles, or is slower than usual.
    degradation: Option<UpstreamHealth>,
}

/// A change of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    /// It was shut after failures in a row.
    Shut,
    /// A probe failed. The next one is due at the instant.
    ProbeFailed { next: Option<Instant> },
    /// An answer opened it, and the calls that wait are released.
    Opened { age: Duration, waiting: usize },
}

impl CallResult {
    const fn end(self) -> CallEnd {
        match self {
            Self::Answered => CallEnd::Answered,
            Self::Failed { is_timeout: true } => CallEnd::TimedOut,
            Self::Failed { is_timeout: false } | Self::Throttled | Self::Faulty => CallEnd::Failed,
            Self::Unknown => CallEnd::Unknown,
        }
    }

    /// Returns `true` if the upstream has answered in any way.
    const fn is_response(self) -> bool {
        matches!(self, Self::Answered | Self::Throttled | Self::Faulty)
    }
}

/// Records the end of a call that was sent at `sent`, if it is timed, and passes its permit on.
pub(crate) fn record(
    settings: &Arc<Settings>,
    target: &Target,
    permit: Option<Box<Permit>>,
    sent: Option<Sent>,
    result: CallResult,
    (now, random): (Instant, u32),
) -> Recorded {
    let is_probe = permit.as_ref().is_some_and(|permit| permit.is_probe());
    let mut state = settings.gates.lock();
    let (mut transition, mut wakers) = (None, Vec::new());
    let was_shut = state.outage_at(target).is_some();
    let learnt = state.learn(target, sent, result, now);
    let is_outage = learnt.is_outage && settings.detects_outages;
    if is_outage && !was_shut {
        transition = Some(Transition::Shut);
        let is_timeout = matches!(result, CallResult::Failed { is_timeout: true });
        let outage = |health: &Health| Outage::new(health, is_timeout, now, random);
        wakers = state.shut(settings, target, outage, (now, random));
    } else if was_shut && (result == CallResult::Answered || (is_probe && result.is_response())) {
        (transition, wakers) = state.open(settings, target, now, random);
    }
    let health = state.health_for(target, result, learnt.degradation);
    state.remove_if_over(target, now);
    state.adapt(settings);
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
    if let Some(permit) = permit {
        permit.end(result.end(), now);
        if is_probe && transition.is_none() && matches!(result, CallResult::Failed { .. }) {
            let next = settings.gates.lock().outage_at(target).and_then(Outage::next_probe);
            transition = Some(Transition::ProbeFailed { next });
        }
    }
    Recorded { health, transition }
}

impl State {
    /// Returns the line of all calls to an upstream.
    fn line_at(&self, target: &Target) -> Option<&Line> {
        // Usually there is none, and the key need not be hashed.
        if self.lines.is_empty() { None } else { self.lines.get(&target.upstream_key()) }
    }

    pub(super) fn outage_at(&self, target: &Target) -> Option<&Outage> {
        self.line_at(target).and_then(Line::outage)
    }

    /// Learns from the end of a call.
    fn learn(&mut self, target: &Target, sent: Option<Sent>, result: CallResult, now: Instant) -> Learnt {
        let is_open = self.line_at(target).is_none();
        let took = sent.map(|sent| now.saturating_duration_since(sent.at));
        let calls = sent.map_or(1, |sent| sent.calls);
        if sent.is_some() {
            self.timed = self.timed.saturating_add(1);
            self.calls.count(calls, now);
        }
        let Some(health) = self.health.get_mut(&target.partition) else {
            // The health of an upstream is known from its first answer on.
            if result == CallResult::Answered {
                self.add_health(&target.partition, |health| health.on_answer(took, calls, is_open, now));
            }
            return Learnt::default();
        };
        let needed_each = health.needs_each_answer();
        let mut is_outage = false;
        match result {
            CallResult::Failed { is_timeout } => {
                is_outage = health.on_failure(took.filter(|_| is_timeout), is_open, now);
            }
            CallResult::Answered => health.on_answer(took, calls, is_open, now),
            CallResult::Throttled => health.on_throttle(is_open, now),
            CallResult::Faulty | CallResult::Unknown => {}
        }
        let degradation = health.degradation();
        let needs_each = degradation.is_some() || health.is_failing();
        self.count_each(needed_each, needs_each);
        Learnt { is_outage, degradation }
    }

    /// Counts the partitions each answer of which is recorded.
    const fn count_each(&mut self, before: bool, after: bool) {
        self.recorded = self.recorded + after as usize - before as usize;
    }

    fn add_health(&mut self, partition: &Partition, learn: impl FnOnce(&mut Health)) {
        if self.health.len() >= MAX_PARTITIONS {
            let quiet = self.health.iter().find(|(_, health)| !health.needs_each_answer()).map(|(key, _)| key.clone());
            let removed = quiet.or_else(|| self.health.keys().next().cloned()).and_then(|key| self.health.remove(&key));
            self.count_each(removed.is_some_and(|health| health.needs_each_answer()), false);
        }
        learn(self.health.entry(partition.clone()).or_insert_with(Health::new));
    }

    /// Shuts the gate of an upstream.
    pub(super) fn shut(
        &mut self,
        settings: &Settings,
        target: &Target,
        outage: impl FnOnce(&Health) -> Outage,
        (now, random): (Instant, u32),
    ) -> Vec<Waker> {
        let id = self.id();
        self.make_room(now);
        let Self { lines, health, .. } = self;
        let health = known(health, &target.partition);
        let moment = Moment { health, now, random, newest_first: settings.newest_first };
        let outage = outage(health);
        settings.gates.sampling.set_active(true);
        match lines.get_mut(&target.upstream_key()) {
            Some(line) => line.begin_outage(outage, moment),
            None => {
                lines.insert(target.upstream_key(), Line::shut(id, outage));
                Vec::new()
            }
        }
    }

    /// Opens the gate of an upstream that is shut, and begins the release.
    fn open(
        &mut self,
        settings: &Settings,
        target: &Target,
        now: Instant,
        random: u32,
    ) -> (Option<Transition>, Vec<Waker>) {
        // One that was shut by hand stays shut, and its run of failures goes on.
        let outage = self.outage_at(target).filter(|outage| outage.next_probe().is_some());
        let Some(since) = outage.map(Outage::since) else { return (None, Vec::new()) };
        let age = now.saturating_duration_since(since);
        let Self { lines, health, recorded, .. } = self;
        let end = |health: &mut Health| health.end_outage(PastOutage { since, until: now });
        *recorded -= usize::from(health.get_mut(&target.partition).is_some_and(end));
        let health = known(health, &target.partition);
        let moment = Moment { health, now, random, newest_first: settings.newest_first };
        let Some(line) = lines.get_mut(&target.upstream_key()) else { return (None, Vec::new()) };
        let (waiting, wakers) = (line.waiting(), line.end_outage(moment));
        (Some(Transition::Opened { age, waiting }), wakers)
    }

    /// Returns the health that the layers above are told.
    fn health_for(
        &self,
        target: &Target,
        result: CallResult,
        degradation: Option<UpstreamHealth>,
    ) -> Option<UpstreamHealth> {
        let line = self.line_at(target);
        if matches!(result, CallResult::Failed { .. }) && line.is_some_and(|line| line.outage().is_some()) {
            return Some(UpstreamHealth::Outage);
        }
        // Failures that no release can end are none of the load: then each success pays for a retry, as on a good day.
        degradation.or_else(|| line.filter(|line| !line.fails_anyway()).map(|_| UpstreamHealth::Degraded))
    }

    /// Removes the line of an upstream whose release is over.
    pub(super) fn remove_if_over(&mut self, target: &Target, now: Instant) {
        if self.line_at(target).is_some_and(|line| line.is_over(now)) {
            self.lines.remove(&target.upstream_key());
            self.accept_latency(&target.partition);
        }
    }

    /// Accepts the latency of an upstream whose release is over.
    pub(super) fn accept_latency(&mut self, partition: &Partition) {
        if let Some(health) = self.health.get_mut(partition) {
            let before = health.needs_each_answer();
            health.accept_latency();
            let after = health.needs_each_answer();
            self.count_each(before, after);
        }
    }

    /// Adapts the flags that calls read without the lock.
    fn adapt(&self, settings: &Settings) {
        let sampling = &settings.gates.sampling;
        sampling.set_each_answer(self.recorded > 0);
        let rate = self.calls.gap().map_or(0.0, |gap| 1.0 / gap.as_secs_f64().max(1e-9));
        sampling.adapt(self.timed, rate);
    }
}
