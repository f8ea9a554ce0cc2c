//! The disturbed periods of a scenario, which charts shade.

use std::time::Duration;

use crate::scenario::{FaultSpec, Scenario};

/// Disturbed periods, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Disturbances {
    /// The start and end of faults. Overlapping faults are merged.
    pub(super) faults: Vec<(f64, f64)>,
    /// The periods with another arrival rate.
    pub(super) waves: Vec<(f64, f64)>,
    /// The times of bursts.
    pub(super) bursts: Vec<f64>,
}

/// The number of occurrences above which a repeated fault is shaded as one period.
const APART: usize = 250;

impl Disturbances {
    /// Collects the periods of a scenario. A fault that repeats is shaded once per occurrence, unless there are very
    /// many.
    pub(super) fn from_scenario(scenario: &Scenario) -> Self {
        let Scenario { clients, length, .. } = scenario;
        let mut faults: Vec<_> = scenario.fault.iter().flat_map(|fault| occurrences(fault, *length)).collect();
        faults.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut apart: Vec<(f64, f64)> = Vec::new();
        for (from, to) in faults {
            match apart.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => apart.push((from, to)),
            }
        }
        let wave = |from: Duration, length: Duration| (from.as_secs_f64(), (from + length).as_secs_f64());
        Self {
            faults: apart,
            waves: clients.wave.iter().map(|it| wave(it.from, it.length)).collect(),
            bursts: clients.burst.iter().map(|burst| burst.at.as_secs_f64()).collect(),
        }
    }

    /// Returns the periods as text; empty if there are none.
    pub(super) fn description(&self) -> String {
        let mut words = Vec::new();
        for (name, stretches) in [("Faults", &self.faults), ("Other arrival rates", &self.waves)] {
            let (Some(first), Some(last)) = (stretches.first(), stretches.last()) else { continue };
            let each: Vec<_> =
                stretches.iter().map(|(from, to)| format!("{} to {} s", round(*from), round(*to))).collect();
            words.push(match stretches.len() {
                0..=3 => format!("{name}: {}.", each.join(", ")),
                count => format!("{name}: {count} times between {} and {} s.", round(first.0), round(last.1)),
            });
        }
        if let [first, ..] = self.bursts[..] {
            let more = if self.bursts.len() > 1 { " and later" } else { "" };
            words.push(format!("Burst of calls at {} s{more}.", round(first)));
        }
        words.join(" ")
    }
}

fn occurrences(fault: &FaultSpec, length: Duration) -> Vec<(f64, f64)> {
    let takes = fault.length.unwrap_or_else(|| length.saturating_sub(fault.from));
    let end = length.as_secs_f64().max((fault.from + takes).as_secs_f64());
    let every = fault.every.map_or(f64::INFINITY, |every| every.as_secs_f64());
    let (from, takes) = (fault.from.as_secs_f64(), takes.as_secs_f64());
    if fault.from >= length {
        return Vec::new();
    }
    let count = ((end - from) / every).floor() as usize + 1;
    if count > APART {
        return vec![(from, end)];
    }
    let occurrence = |nth: usize| {
        let begin = if nth == 0 { from } else { from + nth as f64 * every };
        (begin, begin + takes)
    };
    (0..count).map(occurrence).filter(|(begin, _)| *begin < length.as_secs_f64()).collect()
}

fn round(seconds: f64) -> String {
    super::number::brief(seconds, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(clients: &str, faults: &str) -> Disturbances {
        let text = format!(
            "name='t'\nlength='100s'\nclients={{rate=1.0{clients}}}\nserver={{kind='fifo',rate=1.0}}\nfault=[{faults}]"
        );
        Disturbances::from_scenario(&text.parse().expect("a scenario"))
    }

    #[test]
    fn each_occurrence_is_shaded_once() {
        for (faults, stretches) in [
            ("", vec![]),
            ("{kind='hold',from='10s',for='5s'}", vec![(10.0, 15.0)]),
            ("{kind='hold',from='80s',for='5s',every='10s'}", vec![(80.0, 85.0), (90.0, 95.0)]),
            ("{kind='hold',from='95s',for='9s'}", vec![(95.0, 104.0)]),
            ("{kind='hold',from='100s',for='9s'}", vec![]),
            ("{kind='drop',from='60s'}", vec![(60.0, 100.0)]),
            ("{kind='hold',from='20s',for='9s'},{kind='drop',from='10s',for='12s'}", vec![(10.0, 29.0)]),
            ("{kind='hold',from='1s',for='100ms',every='200ms'}", vec![(1.0, 100.0)]),
        ] {
            assert_eq!(trouble("", faults).faults, stretches, "{faults}");
        }
    }

    #[test]
    fn disturbances_are_described() {
        let all = trouble(
            ",wave=[{from='5s',for='2s',rate=9.0}],burst=[{at='7s',calls=3}]",
            "{kind='hold',from='10s',for='5s',every='20s'}",
        );
        assert_eq!(
            all.description(),
            "Faults: 5 times between 10 and 95 s. Other arrival rates: 5 to 7 s. Burst of calls at 7 s."
        );
        assert_eq!(trouble("", "").description(), "");
    }
}
