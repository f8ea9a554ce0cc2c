//! `Retry-After`, input by input: what counts, and what is no hint.

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
    In(u64),
    Nothing,
}
use Says::{In, Ms, Nothing, S};

fn read(value: &[u8]) -> Says {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    match RetryHint::retry_after(value, now).map(|hint| hint.when()) {
        None => Nothing,
        Some(When::After(delay)) if delay.subsec_millis() == 0 => S(delay.as_secs()),
        Some(When::After(delay)) => Ms(u64::try_from(delay.as_millis()).expect("it was checked to be countable")),
        Some(When::At(instant)) => In(instant.duration_since(now).expect("what has passed is no hint").as_secs()),
    }
}

#[test]
fn digits_are_seconds_up_to_a_year() {
    for (value, expected) in [
        ("0", S(0)),
        ("1", S(1)),
        ("00", S(0)),
        ("0120", S(120)),
        ("120", S(120)),
        ("3600", S(3_600)),
        ("31622400", S(31_622_400)),
        ("31622401", Nothing),
        ("999999999", Nothing),
        // From ten digits on it is an instant, and by this clock all of these lie years ahead.
        ("1763650000", Nothing),
        ("2147483646", Nothing),
        ("2147483647", Nothing),
        ("2147483648", Nothing),
        ("4294967295", Nothing),
        ("4294967296", Nothing),
        ("9223372036854775807", Nothing),
        ("9223372036854775808", Nothing),
        ("18446744073709551615", Nothing),
        ("18446744073709551616", Nothing),
        ("10000000000000000000000000000000000000000", Nothing),
        // A number of milliseconds since 1970.
        ("784111837000", In(60)),
        ("784111776999", Nothing),
        ("00000000000000000000000000000000000000000", S(0)),
        ("00000000000000000000000000000000000000007", S(7)),
        (" 120", S(120)),
        ("120 ", S(120)),
        ("\t120\t", S(120)),
        (" \t 120 \t ", S(120)),
    ] {
        assert_eq!(read(value.as_bytes()), expected, "{value}");
    }
    assert_eq!(read("9".repeat(5_000).as_bytes()), Nothing);
    assert_eq!(read(("0".repeat(5_000) + "7").as_bytes()), S(7), "a number may have any length");
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
        ("18446744073709551616.5", Nothing),
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
fn text_other_than_digits_or_a_date_is_not_a_hint() {
    let table: [&[u8]; 46] = [
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
        b"5 x",
        b"5 lightyears",
        b"P5",
        b"PT5",
        b"\"120'",
        b"120;param",
        b"120;q=1",
        b";120",
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
fn a_delay_may_state_its_unit_or_stand_in_quotation_marks() {
    for (value, expected) in [
        ("5s", S(5)),
        ("5 s", S(5)),
        ("5 seconds", S(5)),
        ("1 second", S(1)),
        ("1m0s", S(60)),
        ("5m", S(300)),
        ("1 min", S(60)),
        ("2 Minutes", S(120)),
        ("1 hour", S(3_600)),
        ("1 hour, 30 minutes", S(5_400)),
        ("1.5s", Ms(1_500)),
        ("1500ms", Ms(1_500)),
        ("PT30S", S(30)),
        ("pt1m30s", S(90)),
        ("P1D", S(86_400)),
        ("\"120\"", S(120)),
        ("'120'", S(120)),
        ("\"30s\"", S(30)),
        ("5s, 7", S(7)),
        ("5, PT7S", S(7)),
        ("9000h", Nothing),
        ("P2Y", Nothing),
    ] {
        assert_eq!(read(value.as_bytes()), expected, "{value}");
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
        ("5, 18446744073709551616", S(5)),
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
        ("Sun, 06 Nov 1994 08:48:37 GMT", Nothing),
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
        ("Thu, 01 Jan 1970 00:00:00 GMT", Nothing),
        ("Wed, 31 Dec 1969 23:59:59 GMT", Nothing),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Nothing),
        ("Sun, 31 Feb 1994 08:50:37 GMT", Nothing),
        ("Sun, 00 Nov 1994 08:50:37 GMT", Nothing),
        ("Sun, 06 Nov 1994 24:00:00 GMT", Nothing),
        ("Sun, 06 Nov 1994 08:50:61 GMT", Nothing),
        ("Sun, 06 Nov 1994 08:50:37 PST", Nothing),
        ("Sun, 06 Nov 1994 09:50:37 +0100", In(60)),
        ("Sun, 06-Nov-1994 08:50:37 GMT", In(60)),
        ("06 Nov 1994 08:50:37 GMT", In(60)),
        ("Sun, 06 Nov 1994 08:50:37 GMT+0", In(60)),
        ("1994-11-06 08:50:37 UTC", In(60)),
        ("1994-11-06 08:50:37 +0000 UTC", In(60)),
        ("19941106T085037Z", In(60)),
        ("\"Sun, 06 Nov 1994 08:50:37 GMT\"", In(60)),
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
fn a_long_text_other_than_a_number_is_not_parsed() {
    for value in ["7,".repeat(200), format!("7, {}", "x".repeat(300)), "Sun, ".repeat(100), ",".repeat(10_000)] {
        assert_eq!(read(value.as_bytes()), Nothing, "{} bytes", value.len());
    }
    assert_eq!(read("7,".repeat(100).as_bytes()), S(7));
}
