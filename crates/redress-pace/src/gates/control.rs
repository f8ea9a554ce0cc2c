//! The gates from outside: their state, and opening and shutting them by hand.

use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::Gates;
use super::sync::Ordering;
use crate::gate::{GatePhase, GateStatus};
use crate::health::Health;
use crate::line::Line;
use crate::outage::Outage;
use crate::scope::Target;
use crate::settings::Settings;

impl Gates {
    /// Returns the state of the gates of a call.
    pub(crate) fn status(&self, target: &Target, now: Instant) -> GateStatus {
        let cooldown = self.cooldown(target, now);
        let keys = target.gate_keys(self.bucket(target));
        let state = self.lock();
        let lines: Vec<_> = keys.keys().filter_map(|key| state.lines.get(&key)).collect();
        let waiting = lines.iter().map(|line| line.waiting()).sum();
        let phase = match cooldown {
            Some(cooldown) => GatePhase::CoolingDown { left: cooldown.until.saturating_duration_since(now) },
            None => state.outage_at(target).map_or_else(|| releasing(&lines), |outage| shut(outage, now)),
        };
        GateStatus { phase, waiting }
    }

    /// Ends the cool-downs, outages and releases of a call, and wakes the calls that wait there. Returns the age of the outage
    /// and the number of these calls, if there was one.
    pub(crate) fn open(&self, target: &Target, now: Instant) -> Option<(Duration, usize)> {
        let gates = target.gate_keys(self.bucket(target));
        let mut state = self.lock();
        let mut lines = Vec::new();
        for key in gates.keys() {
            state.cooldowns.remove(&key);
            lines.extend(state.lines.remove(&key));
        }
        let ended = state.health.get_mut(&target.partition).is_some_and(Health::end_failures);
        state.recorded -= usize::from(ended);
        drop(state);
        let waiting = lines.iter().map(Line::waiting).sum();
        let age = lines.iter().find_map(Line::outage).map(|outage| outage.age(now));
        lines.into_iter().flat_map(Line::drain).for_each(Waker::wake);
        age.map(|age| (age, waiting))
    }

    /// Shuts the gate of the upstream of a call, until it is opened.
    pub(crate) fn shut_by_hand(&self, settings: &Settings, target: &Target, now: Instant) {
        let wakers = self.lock().shut(settings, target, |_| Outage::by_hand(now), (now, 0));
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Wakes all calls that wait. From now on none waits.
    pub(crate) fn end_waits(&self) {
        self.has_ended_waits.store(true, Ordering::Release);
        let wakers: Vec<_> = self.lock().lines.values_mut().flat_map(Line::requeue_everything).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Returns `true` if no call may wait, since the program shuts down.
    pub(crate) fn has_ended_waits(&self) -> bool {
        self.has_ended_waits.load(Ordering::Acquire)
    }
}

fn shut(outage: &Outage, now: Instant) -> GatePhase {
    let next_probe = outage.next_probe().map(|next| next.saturating_duration_since(now));
    GatePhase::Shut { age: outage.age(now), next_probe }
}

/// Returns the phase of the narrowest release.
fn releasing(lines: &[&Line]) -> GatePhase {
    let places = lines.iter().filter_map(|line| Some((line.places()?, line.in_flight())));
    places.min_by(|(one, _), (other, _)| one.total_cmp(other)).map_or(GatePhase::Open, |(places, in_flight)| {
        GatePhase::Releasing { places: places.ceil() as usize, in_flight }
    })
}
