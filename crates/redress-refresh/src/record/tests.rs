use super::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn read(text: &str) -> Result<TokenRecord, InvalidRecord> {
    TokenRecord::from_bytes(text.as_bytes(), Duration::ZERO, Instant::now())
}

fn bearer() -> TokenSet {
    TokenSet::bearer("t").expect("legal")
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let grant = TokenSet::bearer("t1").and_then(|grant| grant.header("apikey", "k \"\\ 1")).expect("legal");
    let now = Instant::now();
    let full = TokenRecord::new(u64::MAX, &grant.refresh_token("r\n\u{1F511}\"\\"), Some(now + ms(123)));
    let leased = TokenRecord { lease: Some(ms(5)), shown: Some(Shown::from_now(now)), ..full.clone() };
    for record in [TokenRecord::empty(0), full, leased] {
        let bytes = record.expose_bytes(now);
        let read = TokenRecord::from_bytes(&bytes, Duration::ZERO, now).expect("just written");
        assert_eq!(read.expose_bytes(now), bytes);
        assert_eq!((read.lease, read.expires_at), (record.lease, record.expires_at));
        assert!(read.headers.iter().all(|(_, value)| value.is_sensitive()));
    }
}

#[test]
fn the_form_of_a_record_is_fixed() {
    let now = Instant::now();
    let grant = bearer().refresh_token("r");
    let record = TokenRecord { lease: Some(ms(35_000)), ..TokenRecord::new(7, &grant, Some(now + ms(9))) };
    let expected = r#"{"v":1,"generation":7,"access":[["authorization","Bearer t"]],"refresh":"r","expires_in_ms":9,"lease_ms":35000,"shown_ms":null}"#;
    assert_eq!(String::from_utf8_lossy(&record.expose_bytes(now)), expected);
}

#[test]
fn durations_count_from_the_write() {
    let (now, text) = (Instant::now(), r#"{"v":1,"generation":1,"access":[],"expires_in_ms":9000,"shown_ms":500}"#);
    for (age, left, shown) in [(0, 9000, 500), (1000, 8000, 1500), (9000, 0, 9500), (90_000, 0, 90_500)] {
        let record = TokenRecord::from_bytes(text.as_bytes(), ms(age), now).expect("legal");
        assert_eq!(record.left(now), Some(ms(left)), "{age}");
        assert_eq!(record.left(now + ms(500)), Some(ms(left).saturating_sub(ms(500))), "{age}");
        assert_eq!(record.shown.map(|shown| shown.ago(now)), Some(ms(shown)), "{age}");
        let again = String::from_utf8(record.expose_bytes(now + ms(1)).to_vec()).expect("text");
        assert!(again.contains(&format!("\"expires_in_ms\":{}", left.saturating_sub(1))), "{again}");
    }
}

#[test]
fn the_buffer_never_grows() {
    let grant = TokenSet::bearer("\"".repeat(5000)).expect("legal").refresh_token("\u{1}".repeat(5000));
    let bytes = TokenRecord::new(1, &grant, None).expose_bytes(Instant::now());
    assert!(bytes.len() > 35_000 && bytes.capacity() == SLACK + 6 * ("authorization".len() + 5007 + 5000));
}

#[test]
fn other_bytes_are_refused_and_not_repeated() {
    for (bytes, why) in [
        ("", "its parts"),
        ("s3cret", "its parts"),
        ("{\"v\":1}", "its parts"),
        (r#"{"v":0,"generation":1,"access":[]}"#, "another version"),
        (r#"{"v":3,"generation":1,"access":[]}"#, "another version"),
        (r#"{"v":1,"generation":-1,"access":[]}"#, "its parts"),
        (r#"{"v":1,"generation":1,"access":[],"expires_in_ms":-1}"#, "its parts"),
        (r#"{"v":1,"generation":1,"access":[["a","s3cret\n"]]}"#, "illegal"),
        (r#"{"v":1,"generation":1,"access":[["a b","s3cret"]]}"#, "illegal"),
    ] {
        let error = read(bytes).expect_err(bytes);
        assert!(error.to_string().contains(why) && !format!("{error:?}").contains("s3cret"), "{bytes}: {error}");
    }
}

#[test]
fn a_header_that_frames_the_message_is_refused_and_named() {
    for name in ["Content-Length", "host", "TRANSFER-encoding", "connection"] {
        for others in ["", r#"["authorization","Bearer s3cret"],"#] {
            let text = format!(r#"{{"v":1,"generation":1,"access":[{others}["{name}","s3cret"]],"refresh":"s3cret"}}"#);
            let error = read(&text).expect_err(name);
            let named = format!("the header {} frames or routes the message", name.to_ascii_lowercase());
            assert!(error.to_string().contains(&named), "{error}");
            assert!(!format!("{error:?} {error}").contains("s3cret"));
        }
    }
}

#[test]
fn unknown_members_are_ignored_and_a_repeated_one_is_an_error() {
    let text = |more: &str| format!(r#"{{"v":1,"generation":7,{more}"access":[],"expires_in_ms":null}}"#);
    for (more, understood) in [
        ("", true),
        (r#""later":{"generation":[8]},"#, true),
        (r#""lease_ms":5,"#, true),
        (r#""lease_ms":"5","#, false),
        (r#""lease_ms":5,"lease_ms":5,"#, false),
        (r#""generation":8,"#, false),
    ] {
        let read = read(&text(more));
        assert_eq!(read.map(|record| record.generation).ok(), understood.then_some(7), "{more}");
    }
}

#[test]
fn the_next_format_is_read_without_its_further_members() {
    let text = r#"{"v":2,"generation":7,"access":[["authorization","Bearer t7"]],"refresh":"r7","expires_in_ms":5000,"lease_ms":null,"scope":["a"],"id_token":"x"}"#;
    let record = read(text).expect("adjacent");
    assert_eq!((record.generation, record.headers.len(), record.lease), (7, 1, None));
    let written = String::from_utf8(record.expose_bytes(Instant::now()).to_vec()).expect("text");
    assert!(written.starts_with(r#"{"v":1,"generation":7,"#) && !written.contains("id_token"), "{written}");
}

#[test]
fn absurd_durations_are_endless_or_over() {
    let text = |millis: &str| {
        format!(r#"{{"v":1,"generation":1,"access":[["a","b"]],"expires_in_ms":{millis},"shown_ms":{millis}}}"#)
    };
    let now = Instant::now();
    let endless = read(&text("18446744073709551615")).expect("a number");
    assert!(endless.is_usable(now + Duration::from_secs(86_400 * 365)));
    let over = TokenRecord::from_bytes(text("0").as_bytes(), Duration::MAX, now).expect("a number");
    assert!(!over.is_usable(now) && over.left(now) == Some(Duration::ZERO));
}

#[test]
fn a_set_from_a_record_keeps_a_known_lifetime() {
    let start = Instant::now();
    for (now, left) in [(1000, 2000), (2500, 1000), (2999, 1000), (9000, 1000)] {
        let lifetime = TokenRecord::new(1, &bearer(), Some(start + ms(3000))).token_set(start + ms(now)).lifetime();
        assert_eq!(lifetime, Some(ms(left)), "{now}");
    }
}

#[test]
fn a_usable_set_lasts_at_least_a_second() {
    let now = Instant::now();
    for (left, usable) in [(None, true), (Some(0), false), (Some(1000), false), (Some(1001), true)] {
        let expires_at = left.map(|left| now + ms(left));
        assert_eq!(TokenRecord::new(1, &bearer(), expires_at).is_usable(now), usable, "{left:?}");
    }
    assert!(!TokenRecord::empty(1).is_usable(now));
}
