//! Decimal numbers of a hint: a delay, or an instant since 1970.

use std::time::{Duration, SystemTime};

use super::{RetryHint, When, before};

/// From this many digits on a number may be an instant: as seconds, 10 digits
/// are a time after September 2001, and as a delay they are more than 31 years.
const INSTANT_DIGITS: usize = 10;

/// Units, in nanoseconds.
pub(super) const MICROSECOND: u64 = 1_000;
pub(super) const MILLISECOND: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000_000_000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

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
        let whole = before(text, b'.');
        let fraction = text.get(whole.len() + 1..);
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = all_digits(whole) && fraction.is_none_or(all_digits);
        is_number.then(|| Self { whole: whole.trim_start_matches('0'), fraction })
    }

    /// Returns the number as a delay in a unit of `unit_nanos` nanoseconds, rounded
    /// up to the millisecond.
    pub(super) fn delay(self, unit_nanos: u64) -> Duration {
        round_up(self.nanos(unit_nanos))
    }

    /// Returns the number as nanoseconds, in a unit of `unit_nanos` of them,
    /// rounded up.
    pub(super) fn nanos(self, unit_nanos: u64) -> u128 {
        let whole = if self.whole.is_empty() { Ok(0) } else { self.whole.parse::<u64>() };
        // A product of two `u64` fits.
        whole.map_or(u128::MAX, |whole| u128::from(whole) * u128::from(unit_nanos) + self.fraction_nanos(unit_nanos))
    }

    /// Returns the number as a delay in seconds, or as the instant that it is
    /// instead.
    pub(super) fn seconds(self) -> When {
        self.instant().map_or_else(|| When::After(self.delay(SECOND)), When::At)
    }

    /// Returns the number as a delay in milliseconds, or as the instant that it is
    /// instead.
    ///
    /// Ten digits of milliseconds are a delay of 11 days and more. So only an
    /// instant that is near counts as one.
    pub(super) fn milliseconds(self, now: SystemTime) -> When {
        let is_near = |at: &SystemTime| {
            let distance = at.duration_since(now).unwrap_or_else(|error| error.duration());
            distance <= RetryHint::MAX_DELAY
        };
        self.instant().filter(is_near).map_or_else(|| When::After(self.delay(MILLISECOND)), When::At)
    }

    /// Returns the number as a delay in a unit of `unit_nanos` nanoseconds, or as
    /// the instant that it is instead.
    ///
    /// An hour of microseconds has ten digits. So a number that can be a delay is
    /// one, and only a longer one is an instant.
    pub(super) fn below_milliseconds(self, unit_nanos: u64) -> When {
        let delay = self.delay(unit_nanos);
        let instant = if delay <= RetryHint::MAX_DELAY { None } else { self.instant() };
        instant.map_or(When::After(delay), When::At)
    }

    /// Returns the number as the time since 1970: in the unit that its digits tell,
    /// and in a unit of `unit_nanos` nanoseconds if they tell none.
    pub(super) fn epoch(self, unit_nanos: u64) -> Option<When> {
        let instant = self.instant().or_else(|| SystemTime::UNIX_EPOCH.checked_add(self.delay(unit_nanos)));
        instant.map(When::At)
    }

    /// Returns the instant that a long number is: 10 to 11 digits in seconds, to 14
    /// in milliseconds, to 17 in microseconds, and to 20 in nanoseconds. In each
    /// unit that reaches from before 2002 to after 5000.
    pub(super) fn instant(self) -> Option<SystemTime> {
        let since = match self.whole.len() {
            INSTANT_DIGITS..=11 => self.with_fraction(Duration::from_secs(self.whole.parse().ok()?), SECOND),
            12..=14 => self.with_fraction(Duration::from_millis(self.whole.parse().ok()?), MILLISECOND),
            15..=17 => Duration::from_micros(self.whole.parse().ok()?),
            18..=20 => {
                let nanos = self.whole.parse::<u128>().ok()?;
                let below_second = u32::try_from(nanos % 1_000_000_000).ok()?;
                Duration::new(u64::try_from(nanos / 1_000_000_000).ok()?, below_second)
            }
            _ => return None,
        };
        SystemTime::UNIX_EPOCH.checked_add(since)
    }

    /// Adds the fraction of a unit of `unit_nanos` nanoseconds, rounded up to the
    /// millisecond.
    fn with_fraction(self, whole: Duration, unit_nanos: u64) -> Duration {
        if self.fraction.is_none() {
            return whole;
        }
        whole.saturating_add(round_up(self.fraction_nanos(unit_nanos)))
    }

    fn fraction_nanos(self, unit_nanos: u64) -> u128 {
        let Some(fraction) = self.fraction else { return 0 };
        let kept = fraction.get(..9).unwrap_or(fraction);
        let rest = fraction.get(9..).is_some_and(|rest| rest.bytes().any(|digit| digit != b'0'));
        let billionths: u128 = format!("{kept:0<9}").parse().unwrap_or(0);
        (billionths * u128::from(unit_nanos) + u128::from(rest)).div_ceil(1_000_000_000)
    }
}

/// Returns nanoseconds as a delay, rounded up to the millisecond: less would be
/// too early.
pub(super) fn round_up(nanos: u128) -> Duration {
    if let Ok(nanos) = u64::try_from(nanos) {
        return Duration::from_millis(nanos.div_ceil(MILLISECOND));
    }
    u64::try_from(nanos.div_ceil(u128::from(MILLISECOND))).map_or(Duration::MAX, Duration::from_millis)
}
