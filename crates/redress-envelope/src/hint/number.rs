//! Decimal numbers of a hint: a delay, or an instant since 1970.

use std::time::{Duration, SystemTime};

use super::{RetryHint, When};

/// From this many digits on a number may be an instant: as seconds, 10 digits are a time after September 2001, and as a
/// delay they are more than 31 years.
const INSTANT_DIGITS: usize = 10;

/// `digits` or `digits.digits`, of any length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number<'t> {
    /// Without leading zeros.
    whole: &'t str,
    fraction: Option<&'t str>,
}

impl<'t> Number<'t> {
    /// Reads a number without a sign, an exponent or blanks.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = all_digits(whole) && fraction.is_none_or(all_digits);
        is_number.then(|| Self { whole: whole.trim_start_matches('0'), fraction })
    }

    /// Returns the number as a delay in a unit of `unit_ms` milliseconds, a fraction rounded up to the millisecond.
    pub(super) fn delay(self, unit_ms: u64) -> Duration {
        let whole = if self.whole.is_empty() { Ok(0) } else { self.whole.parse::<u64>() };
        let Some(whole_ms) = whole.ok().and_then(|whole| whole.checked_mul(unit_ms)) else {
            return Duration::MAX;
        };
        Duration::from_millis(whole_ms).saturating_add(Duration::from_millis(self.fraction_ms(unit_ms)))
    }

    /// Returns the number as a delay in seconds, or as the instant that it is instead.
    pub(super) fn seconds(self) -> When {
        self.instant().map_or_else(|| When::After(self.delay(1_000)), When::At)
    }

    /// Returns the number as a delay in milliseconds, or as the instant that it is instead.
    ///
    /// Ten digits of milliseconds are a delay of 11 days and more. So only an instant that is near counts as one.
    pub(super) fn milliseconds(self, now: SystemTime) -> When {
        let is_near = |at: &SystemTime| {
            let distance = at.duration_since(now).unwrap_or_else(|error| error.duration());
            distance <= RetryHint::MAX_DELAY
        };
        self.instant().filter(is_near).map_or_else(|| When::After(self.delay(1)), When::At)
    }

    /// Returns the number as the time since 1970: in the unit that its digits tell, and in a unit of `unit_ms`
    /// milliseconds if they tell none.
    pub(super) fn epoch(self, unit_ms: u64) -> Option<When> {
        let instant = self.instant().or_else(|| SystemTime::UNIX_EPOCH.checked_add(self.delay(unit_ms)));
        instant.map(When::At)
    }

    /// Returns the instant that a long number is: 10 to 11 digits in seconds, to 14 in milliseconds, to 17 in
    /// microseconds, and to 20 in nanoseconds. In each unit that reaches from before 2002 to after 5000.
    fn instant(self) -> Option<SystemTime> {
        let (nanos, fraction_ms) = match self.whole.len() {
            INSTANT_DIGITS..=11 => (1_000_000_000, self.fraction_ms(1_000)),
            12..=14 => (1_000_000, self.fraction_ms(1)),
            15..=17 => (1_000, 0),
            18..=20 => (1, 0),
            _ => return None,
        };
        let total = self.whole.parse::<u128>().ok()? * nanos;
        let below_second = u32::try_from(total % 1_000_000_000).ok()?;
        let since = Duration::new(u64::try_from(total / 1_000_000_000).ok()?, below_second);
        SystemTime::UNIX_EPOCH.checked_add(since.saturating_add(Duration::from_millis(fraction_ms)))
    }

    fn fraction_ms(self, unit_ms: u64) -> u64 {
        let Some(fraction) = self.fraction else { return 0 };
        let kept = fraction.get(..9).unwrap_or(fraction);
        let rest = fraction.get(9..).is_some_and(|rest| rest.bytes().any(|digit| digit != b'0'));
        let billionths: u64 = format!("{kept:0<9}").parse().unwrap_or(0);
        (billionths * unit_ms + u64::from(rest)).div_ceil(1_000_000_000)
    }
}
