//! Number formats of the page.

/// A narrow no-break space: between groups of digits, and between a number and its unit.
const THIN: char = '\u{202f}';

/// Formats a count with groups of three digits: `12 345`.
pub(super) fn count(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let mut grouped = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth) % 3 == 0 {
            grouped.push(THIN);
        }
        grouped.push(digit);
    }
    grouped
}

/// Formats a share in percent with one decimal, rounded down, so that 100 % means all.
pub(super) fn percent(share: f64) -> String {
    if share >= 1.0 {
        return format!("100{THIN}%");
    }
    format!("{:.1}{THIN}%", (share.max(0.0) * 1_000.0 + 1e-6).floor() / 10.0)
}

/// Formats a share in percent. A small share is never shown as 0.
pub(super) fn part(share: f64) -> String {
    match share {
        _ if share <= 0.0 => "0".to_owned(),
        _ if share < 0.0005 => format!("<0.1{THIN}%"),
        _ if (0.9995..1.0).contains(&share) => format!(">99.9{THIN}%"),
        _ => format!("{}{THIN}%", brief(share * 100.0, 1)),
    }
}

/// Formats a factor: `1.04×`.
pub(super) fn times(value: f64) -> String {
    format!("{value:.2}×")
}

/// Formats a number with at most this number of decimals.
pub(super) fn brief(value: f64, decimals: usize) -> String {
    let written = format!("{value:.decimals$}");
    if written.contains('.') { written.trim_end_matches('0').trim_end_matches('.').to_owned() } else { written }
}

/// Formats a rate with three significant digits.
pub(super) fn rate(value: f64) -> String {
    if value >= 100.0 { count(value) } else { brief(value, if value < 10.0 { 2 } else { 1 }) }
}

/// Formats milliseconds, without the unit.
pub(super) fn millis(value: f64) -> String {
    if value >= 10.0 { count(value) } else { brief(value, 1) }
}

/// Formats seconds, with the unit.
pub(super) fn seconds(value: f64) -> String {
    let written = if value >= 1_000.0 { count(value) } else { brief(value, 1) };
    format!("{written}{THIN}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_below_one_are_never_shown_as_100_percent() {
        for (share, written) in [(1.0, "100 %"), (0.99999, "99.9 %"), (0.5, "50.0 %"), (0.29, "29.0 %"), (0.0, "0.0 %")]
        {
            assert_eq!(percent(share).replace(THIN, " "), written);
        }
        for (share, written) in
            [(0.0, "0"), (0.0001, "<0.1 %"), (0.999_99, ">99.9 %"), (0.125, "12.5 %"), (1.0, "100 %")]
        {
            assert_eq!(part(share).replace(THIN, " "), written);
        }
    }

    #[test]
    fn thousands_are_grouped_and_small_numbers_keep_decimals() {
        for (value, written) in [(0.0, "0"), (999.4, "999"), (1_000.0, "1 000"), (1_234_567.0, "1 234 567")] {
            assert_eq!(count(value).replace(THIN, " "), written);
        }
        for (value, written) in [(0.0, "0"), (1.256, "1.26"), (12.34, "12.3"), (100.0, "100"), (2_800.0, "2 800")] {
            assert_eq!(rate(value).replace(THIN, " "), written);
        }
        assert_eq!((brief(10.0, 0), brief(1.50, 2)), ("10".to_owned(), "1.5".to_owned()));
    }
}
