//! Values that cannot be waits: instants where delays should stand, times that have passed, and times years ahead.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use redress_envelope::{Dialect, Envelope, Head, RetryHint, Unit, dialects};

/// 2026-01-15T12:00:00Z.
const NOW: u64 = 1_768_478_400;
/// Every unit in which a hint can stand.
const UNITS: [Unit; 9] = [
    Unit::Http,
    Unit::Seconds,
    Unit::Milliseconds,
    Unit::EpochSeconds,
    Unit::EpochMilliseconds,
    Unit::Date,
    Unit::Duration,
    Unit::RateLimit,
    Unit::Guess,
];

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

/// Returns the wait in milliseconds that a text asks for.
fn wait(unit: Unit, text: &str) -> Option<u128> {
    let when = unit.read(text.as_bytes(), now())?;
    Some(RetryHint::new(when, redress_envelope::HintSource::RetryAfter).delay(now()).as_millis())
}

#[test]
fn a_delay_of_ten_digits_and_more_is_an_instant() {
    for unit in [Unit::Http, Unit::Seconds, Unit::Guess, Unit::EpochSeconds, Unit::EpochMilliseconds] {
        for (text, expected) in [
            ("1768478460", Some(60_000)),
            ("1768478460000", Some(60_000)),
            ("1768478460000000", Some(60_000)),
            ("1768478460000000000", Some(60_000)),
            ("001768478460", Some(60_000)),
            ("1768478460.25", Some(60_250)),
            ("1768478460000.5", Some(60_001)),
            ("1768478400", Some(0)),
            ("1768478399", None),
            ("1768478399999", None),
            ("1768478399999999", None),
            ("1768478399999999999", None),
            ("1000000000", None),
            ("1800100800", Some(31_622_400_000)),
            ("1800100801", None),
            ("2147483647", None),
            ("9999999999", None),
            ("18446744073709551615", None),
            ("99999999999999999999", None),
            ("999999999999999999999", None),
            ("1768478460000000000000", None),
        ] {
            assert_eq!(wait(unit, text), expected, "{unit:?} {text}");
        }
    }
    for (text, expected) in [
        ("\"p\";r=0;t=1768478460", Some(60_000)),
        ("\"p\";r=0;t=1768478460000", Some(60_000)),
        ("\"p\";r=0;t=1768478399", None),
        ("\"p\";r=0;t=1768478399, \"q\";r=0;t=7", Some(7_000)),
        ("\"p\";r=0;t=99999999999999999999", None),
    ] {
        assert_eq!(wait(Unit::RateLimit, text), expected, "{text}");
    }
}

#[test]
fn an_instant_in_milliseconds_is_told_from_a_delay_by_its_distance() {
    for (text, expected) in [
        ("999999999", Some(999_999_999)),
        // 15 days, and half a year.
        ("1296000000", Some(1_296_000_000)),
        ("15811200000", Some(15_811_200_000)),
        ("31622400000", Some(31_622_400_000)),
        ("31622400001", None),
        ("1768478460", Some(60_000)),
        ("1768478399", None),
        ("1768478460000", Some(60_000)),
        ("1768478399999", None),
        ("1768478460000000000", Some(60_000)),
    ] {
        assert_eq!(wait(Unit::Milliseconds, text), expected, "{text}");
    }
}

#[test]
fn a_wait_of_more_than_a_year_is_not_a_hint() {
    for (unit, text, expected) in [
        (Unit::Http, "31622400", Some(31_622_400_000)),
        (Unit::Http, "31622400.001", None),
        (Unit::Http, "31622401", None),
        (Unit::Http, "999999999", None),
        (Unit::Http, "999999999, 7", Some(7_000)),
        (Unit::Http, "Sat, 16 Jan 2027 12:00:00 GMT", Some(31_622_400_000)),
        (Unit::Http, "Sat, 16 Jan 2027 12:00:01 GMT", None),
        (Unit::Http, "Fri, 31 Dec 9999 23:59:59 GMT", None),
        (Unit::Http, "Friday, 31-Dec-75 23:59:59 GMT", None),
        (Unit::Date, "9999-12-31T23:59:59Z", None),
        (Unit::Date, "2027-01-16T12:00:00Z", Some(31_622_400_000)),
        (Unit::Date, "2027-01-16T12:00:01Z", None),
        (Unit::Guess, "31622401", None),
        (Unit::Guess, "9000h", None),
        (Unit::Duration, "8784h", Some(31_622_400_000)),
        (Unit::Duration, "8784h1ms", None),
        (Unit::Duration, "1768478460s", None),
        (Unit::Duration, "99999999999999999999h", None),
        (Unit::RateLimit, "\"p\";r=0;t=31622400", Some(31_622_400_000)),
        (Unit::RateLimit, "\"p\";r=0;t=31622401", None),
    ] {
        assert_eq!(wait(unit, text), expected, "{unit:?} {text}");
    }
}

#[test]
fn a_time_in_the_past_is_not_a_hint() {
    for (unit, text, expected) in [
        (Unit::Http, "Thu, 15 Jan 2026 12:00:00 GMT", Some(0)),
        (Unit::Http, "Thu, 15 Jan 2026 11:59:59 GMT", None),
        (Unit::Http, "Thu, 15 Jan 2026 11:59:59 GMT, 7", Some(7_000)),
        (Unit::Http, "Thu, 01 Jan 1970 00:00:00 GMT", None),
        (Unit::Http, "0", Some(0)),
        (Unit::Date, "2026-01-15T11:59:59Z", None),
        (Unit::Guess, "2026-01-15T11:59:59Z", None),
        (Unit::EpochSeconds, "30", None),
        (Unit::EpochSeconds, "0", None),
        (Unit::EpochMilliseconds, "1000", None),
    ] {
        assert_eq!(wait(unit, text), expected, "{unit:?} {text}");
    }
}

/// Returns the wait that an answer asks for.
fn answered(dialect: &Dialect, status: u16, headers: &HeaderMap, body: &str, received: SystemTime) -> Option<Duration> {
    let head = Head::new(status, headers, received);
    let meaning = dialect.meaning(&head, &Envelope::read(dialect, &head, [body.as_bytes()]));
    meaning.hint.map(|hint| hint.delay(head.server_now()))
}

#[test]
fn a_date_counts_from_the_answers_own_and_is_believed_if_the_difference_is() {
    let after = |seconds| Some(Duration::from_secs(seconds));
    let (today, old) = ("Thu, 15 Jan 2026 12:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT");
    for (date, retry_after, expected) in [
        // The server's clock may be years off, as may be the caller's.
        (Some(old), "Thu, 01 Jan 1970 00:01:00 GMT", after(60)),
        (Some("Fri, 01 Jan 2100 00:00:00 GMT"), "Fri, 01 Jan 2100 00:01:00 GMT", after(60)),
        (Some(today), "Thu, 15 Jan 2026 12:01:00 GMT", after(60)),
        (Some(old), "60", after(60)),
        // A date that has passed, or that has not by this clock.
        (Some(old), "Thu, 15 Jan 2026 11:00:00 GMT", None),
        (Some(old), "Thu, 15 Jan 2026 13:00:00 GMT", None),
        (Some(old), "1768478460", None),
        (Some("Fri, 01 Jan 2100 00:00:00 GMT"), "Thu, 15 Jan 2026 12:01:00 GMT", None),
        (None, "Thu, 15 Jan 2026 12:01:00 GMT", after(60)),
        (Some("today"), "Thu, 15 Jan 2026 12:01:00 GMT", after(60)),
        (None, "Thu, 01 Jan 1970 00:01:00 GMT", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static(retry_after));
        if let Some(date) = date {
            headers.insert("date", HeaderValue::from_static(date));
        }
        let found = answered(&dialects::generic(), 503, &headers, "", now());
        assert_eq!(found, expected, "{date:?} {retry_after}");
    }
}

#[test]
fn an_absurd_pushback_forbids_to_retry_as_one_that_cannot_be_read() {
    for (value, expected) in [("700", Some(true)), ("99999999999999999999", Some(false)), ("1768478399", Some(false))] {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-retry-pushback-ms", HeaderValue::from_static(value));
        let head = Head::new(503, &headers, now());
        let dialect = dialects::by_name("google").expect("a shipped dialect");
        assert_eq!(Envelope::read(&dialect, &head, []).should_retry, expected, "{value}");
    }
}

/// A text that a hint may stand in, sensible or not.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,24}",
        "[0-9]{1,12}\\.[0-9]{1,12}",
        "(17|18)[0-9]{8}",
        "(17|18)[0-9]{11}",
        "\"p\";r=[0-9];t=[0-9]{1,22}",
        "[0-9]{1,22}(h|m|s|ms|us|ns)",
        "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-9]{2}:00:00Z",
        "Fri, [0-3][0-9] Dec [0-9]{4} 23:59:59 GMT",
        "Friday, [0-3][0-9]-Dec-[0-9]{2} 23:59:59 GMT",
        "[0-9]e[0-9]{1,3}",
        "[ -~]{0,20}",
    ]
}

/// Names under which hints stand, and the date that they count from.
const NAMES: [&str; 11] = [
    "retry-after",
    "retry-after-ms",
    "x-amz-retry-after",
    "grpc-retry-pushback-ms",
    "ratelimit",
    "ratelimit-reset",
    "x-ratelimit-reset",
    "x-rate-limit-reset",
    "x-ratelimit-reset-after",
    "date",
    "age",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn however_absurd_a_value_a_hint_is_at_most_a_year_ahead(text in value()) {
        for unit in UNITS {
            if let Some(wait) = wait(unit, &text) {
                prop_assert!(wait <= RetryHint::MAX_DELAY.as_millis(), "{unit:?} {text}: {wait}");
            }
        }
    }

    #[test]
    fn however_absurd_the_headers_no_answer_asks_for_more_than_a_year(
        status in 400_u16..600,
        headers in proptest::collection::vec((proptest::sample::select(&NAMES[..]), value()), 0..6),
        body in proptest::option::of(value()),
        received in 0_u64..20_000_000_000,
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in &headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let body = body.map(|text| format!("{{\"retry_after\":{text},\"error\":{{\"retry_after\":\"{text}\"}}}}")).unwrap_or_default();
        let received = SystemTime::UNIX_EPOCH + Duration::from_secs(received);
        for dialect in dialects::all() {
            let wait = answered(&dialect, status, &map, &body, received);
            prop_assert!(wait.is_none_or(|wait| wait <= RetryHint::MAX_DELAY), "{} {status} {headers:?}: {wait:?}", dialect.name());
        }
    }
}
