//! The record of the cool-downs of one partition, as it is kept in a store.
//!
//! It is text: a line with its format, and a line for each cool-down, with three durations in milliseconds from the write of the
//! record, the class of the response, and the gate. [`GateKey::to_text`](crate::scope::GateKey::to_text) writes the gate.
//! ```text
//! redress-cooldowns 1
//! 30000 15000 30000 rate_limited all
//! 4000 2000 4000 rate_limited calls 00000000002a search
//! ```
//! A later version that adds kinds of gates keeps the number: lines with an unknown gate are kept, and written again with the time
//! that is left. A format that this program cannot read has a higher number.

use std::fmt::Write as _;
use std::time::Duration;

use redress_classify::Class;
use redress_store::{Unreadable, read_lines};
use tokio::time::Instant;

use crate::cooldown::{Cooldown, MAX_COOLDOWN};
use crate::scope::ALL;

/// The first word of the first line.
const NAME: &str = "redress-cooldowns";
/// The number of the format.
const FORMAT: u32 = 1;
/// The maximum number of cool-downs in a record, which keeps it below 8 KiB for names of the usual length.
const MAX_LINES: usize = 64;
/// The longest text of a gate that is read.
const MAX_GATE: usize = 256;

/// The cool-downs of a partition, with the times that are left from some instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CooldownRecord {
    lines: Vec<Line>,
}

/// A cool-down of one gate.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    left: Duration,
    spread: Duration,
    /// The rest of the time that the server asked for, without a cap.
    asked: Duration,
    class: &'static str,
    gate: String,
}

impl CooldownRecord {
    /// Reads a record that was written `age` ago. Cool-downs that are over are left out.
    ///
    /// # Errors
    /// Fails if it has another format.
    pub(super) fn read(bytes: &[u8], age: Duration) -> Result<Self, Unreadable> {
        let lines = read_lines(bytes, NAME, FORMAT)?;
        let lines = lines.filter_map(|line| Line::read(line, age)).take(MAX_LINES).collect();
        Ok(Self { lines })
    }

    /// Returns the bytes to write, and the time after which the store may remove them; `None` if no cool-down is left.
    pub(super) fn write(&self) -> Option<(Vec<u8>, Duration)> {
        let longest = self.lines.iter().map(|line| line.left).max()?;
        let mut text = format!("{NAME} {FORMAT}\n");
        for Line { left, spread, asked, class, gate } in &self.lines {
            let millis = [left, spread, asked].map(|time| time.as_nanos().div_ceil(1_000_000));
            let [left, spread, asked] = millis;
            // It cannot fail: a `String` takes any text.
            let _ = writeln!(text, "{left} {spread} {asked} {class} {gate}");
        }
        Some((text.into_bytes(), longest))
    }

    /// Adds a cool-down at a gate, or extends the one there. Returns `false` if that one lasts at least as long.
    pub(super) fn extend(&mut self, gate: &str, cooldown: &Cooldown, now: Instant) -> bool {
        let (left, asked) = (cooldown.until.saturating_duration_since(now), cooldown.asked_left(now));
        !left.is_zero()
            && self.insert(Line { left, spread: cooldown.spread, asked, class: cooldown.class, gate: gate.to_owned() })
    }

    /// Returns the cool-downs at their gates, as seen from now.
    pub(super) fn cooldowns(&self, now: Instant) -> impl Iterator<Item = (&str, Cooldown)> {
        self.lines.iter().filter_map(move |line| {
            let cooldown = Cooldown::from_parts(now, line.left, line.spread, line.asked)?;
            Some((line.gate.as_str(), cooldown.after(line.class)))
        })
    }

    fn insert(&mut self, line: Line) -> bool {
        if let Some(own) = self.lines.iter_mut().find(|own| own.gate == line.gate) {
            let is_later = own.left < line.left;
            if is_later {
                *own = line;
            }
            return is_later;
        }
        self.lines.push(line);
        if self.lines.len() > MAX_LINES {
            // As in the table: the one that ends first is widened to all calls, so that no call goes early.
            let parts = self.lines.iter().enumerate().filter(|(_, line)| line.gate != ALL);
            if let Some((first, _)) = parts.min_by_key(|(_, line)| line.left) {
                let widened = Line { gate: ALL.to_owned(), ..self.lines.swap_remove(first) };
                self.insert(widened);
            }
        }
        true
    }
}

impl Line {
    /// Reads a line of a record; `None` if it is malformed or over.
    fn read(line: &str, age: Duration) -> Option<Self> {
        let mut words = line.splitn(5, ' ');
        let mut millis = || words.next()?.parse().ok().map(Duration::from_millis);
        let (left, spread, asked) = (millis()?, millis()?, millis()?);
        let class = match words.next()? {
            "success" => "success",
            class => class.parse().unwrap_or(Class::RateLimited).as_str(),
        };
        let gate = words.next().filter(|gate| !gate.is_empty() && gate.len() <= MAX_GATE)?.to_owned();
        let left = left.min(MAX_COOLDOWN).checked_sub(age).filter(|left| !left.is_zero())?;
        Some(Self { left, spread, asked: asked.saturating_sub(age), class, gate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cooldown::tests::{S, cooldown};

    fn read(text: &str, age: u64) -> Result<CooldownRecord, Unreadable> {
        CooldownRecord::read(text.as_bytes(), Duration::from_secs(age))
    }

    fn left(record: &CooldownRecord) -> Vec<(String, u64)> {
        let now = Instant::now();
        record.cooldowns(now).map(|(gate, cooldown)| (gate.to_owned(), (cooldown.until - now).as_secs())).collect()
    }

    #[test]
    fn a_record_is_read_as_it_was_written_less_its_age() {
        let (now, mut record) = (Instant::now(), CooldownRecord::default());
        assert!(record.write().is_none(), "an empty one is not written");
        assert!(record.extend(ALL, &cooldown(now, 30 * S).after("unavailable"), now));
        assert!(record.extend("calls 7 a room", &cooldown(now, 7_200 * S), now));
        let (bytes, lifetime) = record.write().unwrap();
        assert_eq!(lifetime, 3_600 * S, "the longest");
        let text = "redress-cooldowns 1\n30000 15000 30000 unavailable all\n3600000 30000 7200000 rate_limited calls 7 a room\n";
        assert_eq!(std::str::from_utf8(&bytes), Ok(text));
        assert_eq!(CooldownRecord::read(&bytes, Duration::ZERO), Ok(record));
        let late = CooldownRecord::read(&bytes, 29 * S).unwrap();
        assert_eq!(left(&late), [("all".to_owned(), 1), ("calls 7 a room".to_owned(), 3_571)]);
        let all = late.cooldowns(now).next().unwrap().1;
        assert_eq!((all.spread, all.asked_left(now), all.class), (15 * S, S, "unavailable"));
        assert_eq!(left(&CooldownRecord::read(&bytes, 30 * S).unwrap()).len(), 1, "one is over");
    }

    #[test]
    fn only_a_longer_cool_down_changes_a_record() {
        let (now, mut record) = (Instant::now(), CooldownRecord::default());
        for (wait, is_extended) in [(10, true), (2, false), (10, false), (11, true)] {
            assert_eq!(record.extend(ALL, &cooldown(now, wait * S), now), is_extended, "{wait}");
        }
        assert_eq!(left(&record), [("all".to_owned(), 11)]);
        assert!(!record.extend("room", &cooldown(now, S), now + S), "it is over");
    }

    #[test]
    fn a_later_format_is_told_from_other_bytes() {
        assert_eq!(read("redress-cooldowns 2\nanything", 0), Err(Unreadable::Newer));
        for text in ["", "{}", "redress-cooldowns", "redress-cooldowns 0\n", "redress-cooldowns x\n"] {
            assert_eq!(read(text, 0), Err(Unreadable::Foreign), "{text}");
        }
        assert_eq!(CooldownRecord::read(&[0xff], S), Err(Unreadable::Foreign));
    }

    #[test]
    fn lines_of_unknown_gates_are_kept_and_malformed_ones_are_not() {
        let text = "redress-cooldowns 1\n9000 1 9000 new_class moon 7 and more\n1 2\n-1 0 0 rate_limited all\n5 5 5 rate_limited \n\n\
            18446744073709551615 18446744073709551615 18446744073709551615 success all\n";
        let record = read(text, 1).unwrap();
        assert_eq!(left(&record), [("moon 7 and more".to_owned(), 8), ("all".to_owned(), 3_599)]);
        let (bytes, _) = record.write().unwrap();
        assert!(bytes.starts_with(b"redress-cooldowns 1\n8000 1 8000 rate_limited moon 7 and more\n"));
        let now = Instant::now();
        assert!(record.cooldowns(now).all(|(_, cooldown)| cooldown.spread <= 30 * S), "a spread is bounded too");
    }

    #[test]
    fn a_full_record_widens_the_cool_down_that_ends_first() {
        let (now, mut record) = (Instant::now(), CooldownRecord::default());
        for nth in 1..=100 {
            assert!(record.extend(&format!("room {nth}"), &cooldown(now, S * nth), now));
        }
        let left = left(&record);
        assert_eq!(left.len(), MAX_LINES);
        for nth in 1..=100 {
            let holds = |(gate, left): &(String, u64)| (gate == ALL || *gate == format!("room {nth}")) && *left >= nth;
            assert!(left.iter().any(holds), "{nth} is released early");
        }
    }
}
