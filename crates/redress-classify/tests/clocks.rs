//! Wrong clocks on either side: a date in a hint counts by the server's clock, and no wait is negative.

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use common::{Script, answer};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use redress_classify::{ClassifyLayer, Clock, ResponseExt, Verdict, dialects};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

/// 1994-11-06T08:49:37Z, by the server's clock.
const SERVER: i64 = 784_111_777;
const HOUR: i64 = 3_600;
const YEAR: i64 = 31_556_952;

const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
/// A minute later by the server's clock.
const RETRY: (&str, &str) = ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT");

/// Returns a time by seconds from 1970, which may be negative.
fn at(seconds: i64) -> SystemTime {
    let since = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { SystemTime::UNIX_EPOCH - since } else { SystemTime::UNIX_EPOCH + since }
}

/// Reads a 503 with these headers, received at this time of the caller's clock.
async fn verdict(wall: SystemTime, pairs: &[(&str, &str)]) -> Verdict {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name.parse::<HeaderName>().expect("a legal name"), HeaderValue::from_str(value).expect("legal"));
    }
    let service = service_fn(move |_: Request<()>| {
        let mut response: Response<Script> = answer(503, []);
        *response.headers_mut() = headers.clone();
        async { Ok::<_, std::convert::Infallible>(response) }
    });
    let layer = ClassifyLayer::new(dialects::ranex()).clock(Clock::anchored(wall));
    let response = layer.layer(service).oneshot(Request::new(())).await.expect("the service answers");
    response.verdict().expect("a 503").clone()
}

#[tokio::test(start_paused = true)]
async fn a_date_counts_by_the_servers_clock_whatever_the_callers_clock_is() {
    let leap = [("date", "Sat, 31 Dec 2016 23:59:60 GMT"), ("retry-after", "Sun, 01 Jan 2017 00:01:00 GMT")];
    let late_leap = [("date", "Sat, 31 Dec 2016 23:59:00 GMT"), ("retry-after", "Sat, 31 Dec 2016 23:59:60 GMT")];
    let cached = [DATE, RETRY, ("age", "30")];
    let fresh = [DATE, RETRY, ("age", "0")];
    let broken = [("date", "yesterday"), RETRY];
    let days = [DATE, ("retry-after", "31622400")];
    for (name, wall, headers, seconds) in [
        ("the clock is right", SERVER, &[DATE, RETRY][..], 60),
        ("an hour ahead", SERVER + HOUR, &[DATE, RETRY], 60),
        ("an hour behind", SERVER - HOUR, &[DATE, RETRY], 60),
        ("ten years ahead", SERVER + 10 * YEAR, &[DATE, RETRY], 60),
        ("ten years behind", SERVER - 10 * YEAR, &[DATE, RETRY], 60),
        ("before 1970", -YEAR, &[DATE, RETRY], 60),
        ("beyond the year 9999", 300_000_000_000, &[DATE, RETRY], 60),
        ("no date, the clock is right", SERVER, &[RETRY], 60),
        ("no date, an hour behind", SERVER - HOUR, &[RETRY], 3_660),
        ("a date that is none", SERVER, &broken, 60),
        ("cached on the way: the date is not now", SERVER + 30, &cached, 30),
        ("not cached", SERVER + 30, &fresh, 60),
        ("a leap second", SERVER, &leap, 60),
        ("until a leap second", SERVER, &late_leap, 60),
        ("a number of seconds needs no clock", -YEAR, &days, 31_622_400),
        ("two dates, the first counts", SERVER, &[DATE, ("date", "Sun, 06 Nov 1994 08:50:07 GMT"), RETRY], 60),
    ] {
        let verdict = verdict(at(wall), headers).await;
        assert_eq!(verdict.hint_delay(Instant::now()), Some(Duration::from_secs(seconds)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_date_in_the_past_or_years_ahead_is_not_a_hint() {
    let (old, now) = (("date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("date", "Thu, 15 Jan 2026 12:00:00 GMT"));
    for (name, wall, headers) in [
        ("no date, an hour ahead", SERVER + HOUR, &[RETRY][..]),
        ("no date, before 1970", -60, &[RETRY]),
        ("the clock is right and the date has passed", SERVER, &[now, RETRY]),
        ("the server's clock stands at its first day", SERVER, &[old, RETRY]),
        ("an instant that has passed", SERVER, &[now, ("retry-after", "1763650000")]),
        ("an instant years ahead", SERVER, &[DATE, ("retry-after", "1763650000")]),
        ("the last of all dates", SERVER, &[DATE, ("retry-after", "Fri, 31 Dec 9999 23:59:60 GMT")]),
        ("more than can be counted", SERVER, &[DATE, ("retry-after", "99999999999999999999")]),
    ] {
        let verdict = verdict(at(wall), headers).await;
        assert_eq!((verdict.hint(), verdict.retry_at()), (None, None), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_to_come_back_is_by_the_callers_clock() {
    for (wall, expected) in [
        (SERVER, SERVER + 60),
        (SERVER + HOUR, SERVER + HOUR + 60),
        (SERVER - 10 * YEAR, SERVER - 10 * YEAR + 60),
        (-YEAR, -YEAR + 60),
    ] {
        assert_eq!(verdict(at(wall), &[DATE, RETRY]).await.retry_at(), Some(at(expected)), "{wall}");
    }
    let last = at(253_402_300_799);
    let beyond = verdict(at(253_402_300_739), &[("retry-after", "90")]).await;
    assert_eq!((beyond.hint_delay(Instant::now()), beyond.retry_at()), (Some(Duration::from_secs(90)), Some(last)));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_has_passed_is_zero() {
    let verdict = verdict(at(SERVER), &[DATE, RETRY]).await;
    tokio::time::advance(Duration::from_secs(45)).await;
    assert_eq!(verdict.hint_delay(Instant::now()), Some(Duration::from_secs(15)));
    tokio::time::advance(Duration::from_secs(30 * 86_400)).await;
    assert_eq!(verdict.hint_delay(Instant::now()), Some(Duration::ZERO), "a machine that slept for a month");
}

#[tokio::test(start_paused = true)]
async fn the_time_to_come_back_is_right_after_a_suspension_and_after_each_step_of_the_clock() {
    let wall = Arc::new(Mutex::new(at(SERVER)));
    let read = Arc::clone(&wall);
    let clock = Clock::from_fn(move || *read.lock().expect("no test panics with the lock"));
    // One service, made before the clock changes.
    let service = service_fn(|_: Request<()>| {
        let mut response: Response<Script> = answer(503, []);
        response.headers_mut().insert("retry-after", HeaderValue::from_static("60"));
        async { Ok::<_, std::convert::Infallible>(response) }
    });
    let service = ClassifyLayer::new(dialects::ranex()).clock(clock).layer(service);
    for (name, now, slept) in [
        ("nothing happened", SERVER, 0),
        ("an hour went by", SERVER + HOUR, HOUR),
        ("the machine slept for two hours, and the monotonic clock with it", SERVER + 3 * HOUR, 0),
        ("a step back", SERVER - HOUR, 0),
        ("a step forward", SERVER + 24 * HOUR, 0),
        ("a step to 1970", 0, 0),
        ("a step to before 1970", -YEAR, 0),
        ("a step to the year 9999", 253_402_300_700, 0),
    ] {
        tokio::time::advance(Duration::from_secs(slept.unsigned_abs())).await;
        *wall.lock().expect("no test panics with the lock") = at(now);
        let response = service.clone().oneshot(Request::new(())).await.expect("the service answers");
        let verdict = response.verdict().expect("a 503");
        assert_eq!(verdict.retry_at(), Some(at(now + 60)), "{name}");
        assert_eq!(verdict.hint_delay(Instant::now()), Some(Duration::from_secs(60)), "{name}");
        let report = verdict.api_error().map(redress_classify::ApiError::report).unwrap_or_default();
        assert!(now != SERVER || report.contains("1994-11-06T08:49:37.000Z"), "{name}: {report}");
    }
}
