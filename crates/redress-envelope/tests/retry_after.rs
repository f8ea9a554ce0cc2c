//! `Retry-After`, input by input: what counts, what is no hint, and what is more than can be counted.

use std::time::{Duration, SystemTime};

use redress_envelope::{RetryHint, When};

/// 1994-11-06T08:49:37Z.
const NOW: u64 = 784_111_777;

/// What an input says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// So many seconds.
    S(u64),
    /// So many milliseconds.
    Ms(u64),
    /// A date so many seconds from now.
    In(i64),
    /// More than can be counted.
    Beyond,
    Nothing,
}
use Says::{Beyond, In, Ms, Nothing, S};

fn read(value: &[u8]) -> Says {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    match RetryHint::retry_after(value, now).map(|hint| hint.when()) {
        None => Nothing,
        Some(When::After(Duration::MAX)) => Beyond,
        Some(When::After(delay)) if delay.subsec_millis() == 0 => S(delay.as_secs()),
        Some(When::After(delay)) => Ms(u64::try_from(delay.as_millis()).expect("it was checked to be countable")),
        Some(When::At(instant)) => {
            let seconds = |time: Duration| i64::try_from(time.as_secs()).expect("no year has that many");
            In(instant.duration_since(now).map_or_else(|early| -seconds(early.duration()), seconds))
        }
    }
}

#[test]
fn digits_are_seconds_and_saturate() {
    for (value, expected) in [
        ("0", S(0)),
        ("1", S(1)),
        ("00", S(0)),
        ("0120", S(120)),
        ("120", S(120)),
        ("3600", S(3_600)),
        ("1763650000", S(1_763_650_000)),
        ("2147483646", S(2_147_483_646)),
        ("2147483647", S(2_147_483_647)),
        ("2147483648", S(2_147_483_648)),
        ("2147483649", S(2_147_483_649)),
        ("4294967294", S(4_294_967_294)),
        ("4294967295", S(4_294_967_295)),
        ("4294967296", S(4_294_967_296)),
        ("4294967297", S(4_294_967_297)),
        ("9223372036854775807", S((1 << 63) - 1)),
        ("9223372036854775808", S(1 << 63)),
        ("9223372036854775809", S((1 << 63) + 1)),
        ("18446744073709551614", S(u64::MAX - 1)),
        ("18446744073709551615", S(u64::MAX)),
        ("18446744073709551616", Beyond),
        ("18446744073709551617", Beyond),
        ("10000000000000000000000000000000000000000", Beyond),
        ("00000000000000000000000000000000000000000", S(0)),
        ("00000000000000000000000000000000000000007", S(7)),
        (" 120", S(120)),
        ("120 ", S(120)),
        ("\t120\t", S(120)),
        (" \t 120 \t ", S(120)),
    ] {
        assert_eq!(read(value.as_bytes()), expected, "{value}");
    }
    assert_eq!(read("9".repeat(5_000).as_bytes()), Beyond, "a number may have any length");
}

#[test]
fn fractions_are_rounded_up() {
    for (value, expected) in [
        ("1.5", Ms(1_500)),
        ("0.001", Ms(1)),
        ("0.0001", Ms(1)),
        ("0.0000000000000001", Ms(1)),
        ("0.0", S(0)),
        ("299.997", Ms(299_997)),
        ("64.57", Ms(64_570)),
        ("1.9999", S(2)),
        ("1.000", S(1)),
        ("18446744073709551616.5", Beyond),
        ("1.", Nothing),
        (".5", Nothing),
        (".", Nothing),
        ("1.5.5", Nothing),
        ("1,5.5", Ms(5_500)),
        ("1. 5", Nothing),
    ] {
        assert_eq!(read(value.as_bytes()), expected, "{value}");
    }
}

#[test]
fn what_is_neither_digits_nor_a_date_is_no_hint() {
    let table: [&[u8]; 48] = [
        b"",
        b" ",
        b"\t",
        b"+5",
        b"-5",
        b"-0",
        b"- 5",
        b"+",
        b"-",
        b"5-",
        b"1e3",
        b"1E3",
        b"0x10",
        b"0b1",
        b"0o7",
        b"1_000",
        b"1 000",
        b"1'000",
        b"inf",
        b"Infinity",
        b"NaN",
        b"null",
        b"true",
        b"soon",
        b"5s",
        b"5 s",
        b"5 seconds",
        b"5m",
        b"PT5S",
        b"120;param",
        b"120;q=1",
        b";120",
        b"\"120\"",
        b"'120'",
        b"(120)",
        b"120=",
        b"=120",
        b"120/1",
        b"1/2",
        b"50%",
        b"\x00120",
        b"120\x00",
        b"12\x7f0",
        b"\xff\xfe",
        b"120\xa0",
        b"\xa0120",
        "١٢٠".as_bytes(),
        "１２０".as_bytes(),
    ];
    for value in table {
        assert_eq!(read(value), Nothing, "{}", String::from_utf8_lossy(value));
    }
}

#[test]
fn of_a_list_the_largest_valid_member_counts() {
    for (value, expected) in [
        ("0,120", S(120)),
        ("120,0", S(120)),
        ("120, 120", S(120)),
        ("1, 2, 3", S(3)),
        ("3,2,1", S(3)),
        ("nonsense, 7", S(7)),
        ("7, nonsense", S(7)),
        ("-5, 7", S(7)),
        ("7;a=1, 3", S(3)),
        (",7", S(7)),
        ("7,", S(7)),
        (",,7,,", S(7)),
        (",", Nothing),
        (", ,", Nothing),
        ("1.5, 0.5", Ms(1_500)),
        ("5, 18446744073709551616", Beyond),
        ("5, Sun, 06 Nov 1994 08:50:37 GMT", In(60)),
        ("Sun, 06 Nov 1994 08:50:37 GMT, 5", In(60)),
        ("Sun, 06 Nov 1994 08:50:37 GMT, 90", S(90)),
        ("Sun, 06 Nov 1994 08:50:37 GMT, Sun, 06 Nov 1994 08:51:37 GMT", In(120)),
        ("Sun Nov  6 08:50:37 1994, 5", In(60)),
        ("Sun, 06 Nov 1994 08:49:07 GMT, 1", S(1)),
    ] {
        assert_eq!(read(value.as_bytes()), expected, "{value}");
    }
}

#[test]
fn dates_are_read_in_their_three_forms_and_leniently() {
    for (value, expected) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", In(0)),
        ("Sun, 06 Nov 1994 08:50:37 GMT", In(60)),
        ("Sun, 06 Nov 1994 08:48:37 GMT", In(-60)),
        ("Sunday, 06-Nov-94 08:50:37 GMT", In(60)),
        ("Sun Nov  6 08:50:37 1994", In(60)),
        ("Sun Nov 06 08:50:37 1994", In(60)),
        ("sun, 06 nov 1994 08:50:37 gmt", In(60)),
        ("SUN, 06 NOV 1994 08:50:37 GMT", In(60)),
        ("Mon, 06 Nov 1994 08:50:37 GMT", In(60)),
        ("Sun, 6 Nov 1994 08:50:37 GMT", In(60)),
        ("Sun, 06 Nov 1994 08:50:37 UTC", In(60)),
        ("Sun, 06 Nov 1994 08:50:37 +0000", In(60)),
        ("1994-11-06T08:50:37Z", In(60)),
        ("1994-11-06T09:50:37+01:00", In(60)),
        ("1994-11-06 08:50:37Z", In(60)),
        (" Sun, 06 Nov 1994 08:50:37 GMT ", In(60)),
        ("Sun, 06 Nov 1994 08:49:60 GMT", In(23)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", In(-784_111_777)),
        ("Wed, 31 Dec 1969 23:59:59 GMT", In(-784_111_778)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", In(252_618_189_022)),
        ("Sun, 31 Feb 1994 08:50:37 GMT", Nothing),
        ("Sun, 00 Nov 1994 08:50:37 GMT", Nothing),
        ("Sun, 06 Nov 1994 24:00:00 GMT", Nothing),
        ("Sun, 06 Nov 1994 08:50:61 GMT", Nothing),
        ("Sun, 06 Nov 1994 08:50:37 PST", Nothing),
        ("Sun, 06 Nov 1994 08:50:37 +0100", Nothing),
        ("Sun, 06 Nov 1994 08:50:37", Nothing),
        ("Sun, 06 Nov 1994 08:50 GMT", Nothing),
        ("Sun, 06 Nov 1994", Nothing),
        ("Sun, -6 Nov 1994 08:50:37 GMT", Nothing),
        ("Sun, 06 Nov 19945 08:50:37 GMT", Nothing),
        ("1994-11-06", Nothing),
        ("1994-11-06T08:50:37", Nothing),
        ("08:50:37", Nothing),
        ("Sun", Nothing),
        ("GMT", Nothing),
    ] {
        assert_eq!(read(value.as_bytes()), expected, "{value}");
    }
}

#[test]
fn a_long_text_that_is_no_number_is_not_looked_at() {
    for value in ["7,".repeat(200), format!("7, {}", "x".repeat(300)), "Sun, ".repeat(100), ",".repeat(10_000)] {
        assert_eq!(read(value.as_bytes()), Nothing, "{} bytes", value.len());
    }
    assert_eq!(read("7,".repeat(100).as_bytes()), S(7));
}
