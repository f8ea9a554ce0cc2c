//! The text of a record of a limit.
//!
//! ```text
//! redress-limit 1
//! 61234 0 9c01d2aa00e1f7b3
//! h 9c01d2aa00e1f7b3 17 40 1500 60900
//! s 395 12
//! r 396 1
//! ```
//! The lines are the time of the record, the end of its closing and the holder that began it, a lease (holder, report, permits,
//! length, time of the grant), the requests of a slot, and those that were reported since the store went back in time. Times are
//! milliseconds.

use std::fmt::Write as _;

use redress_store::{Unreadable, read_lines};

use super::record::{Lease, LimitRecord};

/// The first word of the first line.
const NAME: &str = "redress-limit";
const FORMAT: u32 = 1;
/// The maximum number of lines that are read.
const MAX_LINES: usize = 8192;

/// The latest time of a record, in about 8,900 years. Sums of a few times do not overflow.
const LATEST: u64 = 1 << 48;

/// A record of a later format. It must stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newer;

/// Reads a record; `None` for other bytes.
///
/// # Errors
/// Fails if it has a later format.
pub(super) fn read(bytes: &[u8]) -> Result<Option<LimitRecord>, Newer> {
    let mut lines = match read_lines(bytes, NAME, FORMAT) {
        Ok(lines) => lines,
        Err(Unreadable::Newer) => return Err(Newer),
        Err(Unreadable::Foreign) => return Ok(None),
    };
    let head = lines.next().and_then(head).filter(|(now, closed, _)| *now <= LATEST && *closed <= LATEST);
    let Some((now, closed_until, begun_by)) = head else { return Ok(None) };
    let mut record = LimitRecord { now, closed_until, begun_by, ..LimitRecord::default() };
    for line in lines.take(MAX_LINES) {
        let words: Vec<_> = line.split(' ').collect();
        let is_read = match *words {
            ["h", holder, report, permits, length, granted] => {
                let lease = lease([holder, report, permits, length, granted]);
                record.holders.extend(lease);
                lease.is_some_and(|lease| lease.granted <= now && lease.length <= LATEST)
            }
            ["s" | "r", end, count] => {
                let slot: Option<(u64, u32)> = end.parse().ok().zip(count.parse().ok());
                let slots = if words[0] == "s" { &mut record.sent } else { &mut record.since };
                slots.extend(slot);
                slot.is_some()
            }
            _ => false,
        };
        if !is_read {
            return Ok(None);
        }
    }
    Ok(Some(record))
}

fn head(line: &str) -> Option<(u64, u64, u64)> {
    let mut words = line.split(' ');
    let times = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let begun_by = u64::from_str_radix(words.next()?, 16).ok()?;
    words.next().is_none().then_some((times.0, times.1, begun_by))
}

fn lease([holder, report, permits, length, granted]: [&str; 5]) -> Option<Lease> {
    Some(Lease {
        holder: u64::from_str_radix(holder, 16).ok()?,
        report: report.parse().ok()?,
        permits: permits.parse().ok()?,
        length: length.parse().ok()?,
        granted: granted.parse().ok()?,
    })
}

/// Returns the bytes to write.
pub(super) fn write(record: &LimitRecord) -> Vec<u8> {
    // It cannot fail: a `String` takes any text.
    let LimitRecord { now, closed_until, begun_by, .. } = record;
    let mut text = format!("{NAME} {FORMAT}\n{now} {closed_until} {begun_by:016x}\n");
    for Lease { holder, report, permits, length, granted } in &record.holders {
        let _ = writeln!(text, "h {holder:016x} {report} {permits} {length} {granted}");
    }
    for (name, slots) in [("s", &record.sent), ("r", &record.since)] {
        for (end, count) in slots {
            let _ = writeln!(text, "{name} {end} {count}");
        }
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let lease = Lease { holder: 0x9c01, report: 17, permits: 40, length: 1_500, granted: 60_900 };
        let (sent, since) = ([(395, 12), (396, 1)].into(), [(396, 2)].into());
        let record = LimitRecord { now: 61_234, begun_by: 10, closed_until: 7, holders: vec![lease], sent, since };
        let bytes = write(&record);
        let text = "redress-limit 1\n61234 7 000000000000000a\nh 0000000000009c01 17 40 1500 60900\ns 395 12\ns 396 1\nr 396 2\n";
        assert_eq!(std::str::from_utf8(&bytes), Ok(text));
        assert_eq!(read(&bytes), Ok(Some(record)));
    }

    #[test]
    fn a_later_format_is_told_from_other_bytes() {
        assert_eq!(read(b"redress-limit 2\n"), Err(Newer));
        for text in [
            "",
            "x",
            "redress-limit 1",
            "redress-limit 1\n1",
            "redress-limit 1\n1 0",
            "redress-limit 1\n1 0 1 1",
            "redress-limit 1\n1 0 1\nh 1 2",
            "redress-limit 1\n1 0 1\ns 1 -1",
            "redress-limit 1\n1 0 1\nh 1 1 1 1 2",
            "redress-limit 1\n999999999999999999 0 1",
        ] {
            assert_eq!(read(text.as_bytes()), Ok(None), "{text}");
        }
    }
}
