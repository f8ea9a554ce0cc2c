//! The fields of a gRPC request that depend on the attempt: `grpc-timeout` and `grpc-previous-rpc-attempts`.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use redress_classify::Deadline;
use tokio::time::Instant;

use crate::settings::Settings;

/// gRPC over HTTP/2, "Requests": at most eight digits and a unit.
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// gRFC A6, "Exposed Retry Metadata".
const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// The units of a timeout with their lengths in nanoseconds, the shortest first.
const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60 * 1_000_000_000),
    (b'H', 3_600 * 1_000_000_000),
];
const MAX_NUMBER: u64 = 99_999_999;

/// Gives a request in a dialect of gRPC the deadline and the timeout of its call, before the first attempt.
///
/// The deadline of a call is the earliest of its [`Deadline`] or that of the layer, its own `grpc-timeout`, and the timeout of
/// its method in the service config. The last two become a [`Deadline`], so that they hold for the call with its retries and
/// not for each attempt.
pub(crate) fn stamp<B>(request: &mut Request<B>, settings: &Settings) {
    if !is_grpc(request.headers()) {
        return;
    }
    let own = request.headers().get(&TIMEOUT).and_then(|timeout| parse(timeout.as_bytes()));
    let config = settings.service_config.as_ref().and_then(|config| config.for_path(request.uri().path())?.deadline());
    let declared = own.into_iter().chain(config).min();
    let extension = Deadline::from_request(request);
    if declared.is_none() && extension.is_none() {
        if let Some(timeout) = &settings.grpc_timeout {
            request.headers_mut().insert(TIMEOUT, timeout.clone());
        }
        return;
    }
    let now = Instant::now();
    let given = extension.map(|deadline| deadline.remaining(now)).or(settings.deadline);
    let left = declared.into_iter().chain(given).min();
    if let Some(left) = left.filter(|left| own.is_none_or(|own| *left < own)) {
        request.headers_mut().insert(TIMEOUT, timeout_value(left));
    }
    if let Some(left) = left.filter(|_| declared.is_some()) {
        request.extensions_mut().insert(Deadline::from_now(left));
    }
}

/// Sets the timeout of a further attempt to the time that is left of the call.
pub(crate) fn set_timeout(headers: &mut HeaderMap, deadline: Deadline, now: Instant) {
    if is_grpc(headers) {
        headers.insert(TIMEOUT, timeout_value(deadline.remaining(now)));
    }
}

/// States the number of earlier attempts that may have reached the server; none leaves the field out.
pub(crate) fn set_previous_attempts(headers: &mut HeaderMap, attempts: u32) {
    if is_grpc(headers) {
        match attempts {
            0 => drop(headers.remove(&PREVIOUS_ATTEMPTS)),
            _ => drop(headers.insert(PREVIOUS_ATTEMPTS, HeaderValue::from(attempts))),
        }
    }
}

/// Returns `true` for a request of the media type `application/grpc`, with a codec or without.
fn is_grpc(headers: &HeaderMap) -> bool {
    const TYPE: &[u8] = b"application/grpc";
    let Some(value) = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes) else { return false };
    let rest = value.split_at_checked(TYPE.len()).filter(|(start, _)| start.eq_ignore_ascii_case(TYPE));
    rest.is_some_and(|(_, rest)| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Reads a timeout; `None` for anything else.
fn parse(timeout: &[u8]) -> Option<Duration> {
    let (unit, digits) = timeout.split_last()?;
    let (_, nanos) = UNITS.into_iter().find(|(known, _)| known == unit)?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u128 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(from_nanos(number * nanos))
}

/// Writes a timeout in the shortest unit that has room for it, rounded down: the server stops no later than the client.
///
/// Each call with a deadline of its own does, so that it divides numbers of 64 bits only and allocates the value alone.
pub(crate) fn timeout_value(timeout: Duration) -> HeaderValue {
    let (seconds, nanos) = (timeout.as_secs(), u64::from(timeout.subsec_nanos()));
    let (number, unit) = match seconds {
        0 if nanos <= MAX_NUMBER => (nanos, b'n'),
        0..100 => (seconds * 1_000_000 + nanos / 1_000, b'u'),
        100..100_000 => (seconds * 1_000 + nanos / 1_000_000, b'm'),
        100_000..=MAX_NUMBER => (seconds, b'S'),
        _ if seconds / 60 <= MAX_NUMBER => (seconds / 60, b'M'),
        _ => ((seconds / 3_600).min(MAX_NUMBER), b'H'),
    };
    let mut text = [unit; 9];
    let (mut rest, mut start) = (number, 8);
    loop {
        start -= 1;
        text[start] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 || start == 0 {
            break;
        }
    }
    HeaderValue::from_bytes(&text[start..]).expect("digits and a letter are a header value")
}

fn from_nanos(nanos: u128) -> Duration {
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let rest = u32::try_from(rest).unwrap_or_default();
    u64::try_from(seconds).map_or(Duration::MAX, |seconds| Duration::new(seconds, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn timeouts_are_read_and_written_in_all_units() {
        for (text, nanos) in [
            ("1n", 1),
            ("99999999n", 99_999_999),
            ("100000u", 100_000_000),
            ("1500m", 1_500_000_000),
            ("20S", 20_000_000_000),
            ("3M", 180_000_000_000),
            ("2H", 7_200_000_000_000),
            ("0m", 0),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(from_nanos(nanos)), "{text}");
        }
        for text in ["", "1", "m", "1x", "-1m", "+1m", "1.5S", "123456789n", " 1m", "1 m", "1s"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        for (timeout, text) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_999), "100000u"),
            (Duration::from_millis(1_500), "1500000u"),
            (Duration::from_nanos(99_000_250_999), "99000250u"),
            (Duration::from_nanos(100_250_999_999), "100250m"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::from_secs(86_400 * 365 * 100), "52560000M"),
            (Duration::MAX, "99999999H"),
        ] {
            assert_eq!(timeout_value(timeout), text, "{timeout:?}");
        }
    }

    #[test]
    fn the_media_type_tells_a_grpc_request() {
        for (media_type, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/gRPC;x=1", true),
            ("application/grpc-web", false),
            ("application/grpcs", false),
            ("application/json", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
            assert_eq!(is_grpc(&headers), expected, "{media_type}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    proptest! {
        #[test]
        fn a_written_timeout_is_never_longer_and_loses_at_most_a_part_in_a_million(nanos in 1_u64..) {
            let timeout = Duration::from_nanos(nanos);
            let read = parse(timeout_value(timeout).as_bytes()).expect("it reads back");
            prop_assert!(read <= timeout);
            prop_assert!((timeout - read).as_nanos() <= u128::from(nanos / 100_000));
        }
    }
}
