//! ISO 8601 date-times, and what programs print that is like them.

use super::calendar::Civil;
use super::{number, offset};

/// Returns `true` if the first word of a date is that of an ISO 8601 date, with
/// or without dashes.
pub(super) fn is_iso8601(word: &str) -> bool {
    let bytes = word.as_bytes();
    let digits = |from: usize, to: usize| bytes.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let has_dashes = bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-');
    let is_extended = digits(0, 4) && has_dashes && digits(5, 7) && digits(8, 10);
    let is_basic = digits(0, 8) && bytes.get(8).is_none_or(|symbol| *symbol == b't');
    is_extended || is_basic
}

/// Reads `2025-11-20t23:32:05.25z`, `20251120t233205z` or `2025-11-20 23:32:05
/// utc`, in as many words as it has.
pub(super) fn iso8601(words: &[&str]) -> Option<Civil> {
    let (first, rest) = words.split_first()?;
    let (date, time, zones) = match (first.split_once('t'), rest) {
        (Some((date, time)), zones) => (date, time, zones),
        (None, [time, zones @ ..]) => (*first, *time, zones),
        (None, []) => return None,
    };
    let (time, attached) = time.split_at(time.find(['z', '+', '-']).unwrap_or(time.len()));
    let zone = match (attached, zones) {
        ("", [zone]) => *zone,
        (zone, []) => zone,
        // Go prints the offset, and the name of the zone behind it.
        ("", [zone, name]) if name.bytes().all(|byte| byte.is_ascii_lowercase()) => *zone,
        _ => return None,
    };
    let (time, fraction) = time.split_once(['.', ',']).unwrap_or((time, "0"));
    let (date, time) = (date.replace('-', ""), time.replace(':', ""));
    let time = if time.len() == 4 { time + "00" } else { time };
    let (date, time) = (number(&date, 8)?, number(&time, 6)?);
    Some(Civil {
        year: date / 10_000,
        month: date / 100 % 100,
        day: date % 100,
        hour: time / 10_000,
        minute: time / 100 % 100,
        second: time % 100,
        nanos: nanos(fraction)?,
        offset: offset(zone)?,
    })
}

/// Reads the digits after a decimal point; those beyond the ninth do not
/// matter.
fn nanos(fraction: &str) -> Option<u32> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{:0<9}", fraction.get(..9).unwrap_or(fraction)).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_tells_an_iso_date_by_its_digits_and_dashes() {
        for word in ["1994-11-06", "1994-11-06t08:49:37z", "19941106", "19941106t084937z"] {
            assert!(is_iso8601(word), "{word}");
        }
        for word in [
            "x994-11-06",
            "1994x11-06",
            "1994-x1-06",
            "1994-11x06",
            "1994-11-0x",
            "1994-11-0",
            "x9941106",
            "1994110",
            "199411060",
            "06-nov-94",
            "nov",
            "",
        ] {
            assert!(!is_iso8601(word), "{word}");
        }
    }
}
