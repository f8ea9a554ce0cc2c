//! Tests of the masking of secrets.

use super::*;

#[test]
fn masks_every_form_of_a_value_and_nothing_else() {
    // `Basic` of `alice-smith:p%C3%A4ss/word`.
    let basic = "Basic YWxpY2Utc21pdGg6cCVDMyVBNHNzL3dvcmQ=";
    for (value, text, expected) in [
        ("Bearer s3cret-token", "Bearer s3cret-token", "***"),
        ("Bearer s3cret-token", "say s3cret-token.", "say ***."),
        ("Bearer s3cret-token", "S3CRET-TOKEN", "***"),
        ("Bearer s3cret-token", "expected Bearer", "expected Bearer"),
        ("Bearer short", "short", "short"),
        ("Bearer short", "Bearer short", "***"),
        ("s3cr/t+\"key\"=", r#"{"e":"s3cr\/t+\"key\"="}"#, r#"{"e":"***"}"#),
        ("s3cr/t+\"key\"=", "s3cr%2Ft%2B%22key%22%3D", "***"),
        ("s3cr/t+\"key\"=", "s3cr&#x2F;t+&quot;key&quot;&#61;", "***"),
        ("s3cr/t+\"key\"=", r#"s3cr\\/t\\u002B\\\"key\\\"%3D"#, "***"),
        ("s3cr et key", "s3cr+et%20key", "***"),
        ("50%25 s3cret", "50%25+s3cret", "***"),
        ("50%25 s3cret", r"50%25\u0020s3cret", "***"),
        (r"a\nb\s3cret", r"a\\nb\\s3cret", "***"),
        (basic, "YWxpY2Utc21pdGg6cCVDMyVBNHNzL3dvcmQ=", "***"),
        (basic, "the user alice-smith", "the user ***"),
        (basic, "alice-smith:p%C3%A4ss/word", "***"),
        (basic, "päss/word and p%c3%a4ss%2fword", "*** and ***"),
        (r#"s3cret"\"#, r#"{"e":"s3cret&quot;\"}"#, r#"{"e":"***\"}"#),
        ("session=s3cret-id; theme=dark", "no session s3cret-id", "no session ***"),
        ("Digest username=\"alice\", response=\"0123456789\"", "0123456789", "***"),
        ("s3cret-token", "é s3cret-token é", "é *** é"),
        ("s3cret-token", "s3cret-toke", "s3cret-toke"),
        ("s3cret-token", "s3cret-s3cret-tokentoken", "s3cret-***token"),
        ("abababab", "xabababababx", "x***x"),
        ("", "anything", "anything"),
    ] {
        let secrets = Secrets::new([value]);
        assert_eq!(secrets.mask(text), expected, "{value} in {text}");
        assert_eq!(matches!(secrets.mask(text), Cow::Borrowed(_)), text == expected);
    }
}

#[test]
fn merges_overlapping_and_adjacent_secrets_into_one_mask() {
    let secrets = Secrets::new(["aaaabbbb", "bbbbcccc", "xaaaabbbbccccx"]);
    for (text, expected) in [
        ("aaaabbbbcccc", "***"),
        ("xaaaabbbbccccx", "***"),
        ("aaaabbbbbbbbcccc", "***"),
        ("aaaabbbb-bbbbcccc", "***-***"),
    ] {
        assert_eq!(secrets.mask(text), expected, "{text}");
    }
}

#[test]
fn masks_the_beginning_of_a_secret_at_the_end_of_a_cut_text() {
    let secrets = Secrets::new(["Bearer s3cret/token"]);
    for (text, expected) in [
        ("is s3cret/toke", "is ***"),
        ("is s", "is ***"),
        (r"is s3cret\/tok", "is ***"),
        (r"is s3cret\", "is ***"),
        (r"is s3cret\u00", "is ***"),
        ("is s3cret%2", "is ***"),
        ("is s3cret/token%", "is ***"),
        ("is a Bearer", "is a Bearer"),
    ] {
        assert_eq!(secrets.masked(text, true).as_deref().unwrap_or(text), expected, "{text}");
    }
    assert_eq!(secrets.masked("is s3cret/toke", false), None);
}

#[test]
fn masks_a_fragment_of_a_secret() {
    let secrets = Secrets::new(["Bearer s3cret/first.second-part", "short-ky"]);
    for (part, expected) in [
        ("second-part", "***"),
        ("FIRST.SECOND", "***"),
        ("first.second-part is bad", "*** is bad"),
        ("bad: s3cret/first", "bad: ***"),
        ("second", "second"),
        ("short-k", "***"),
        ("short", "short"),
        ("expected Bearer", "expected Bearer"),
        ("a second-part", "a second-part"),
    ] {
        assert_eq!(secrets.masked_part(part, false).as_deref().unwrap_or(part), expected, "{part}");
    }
}

#[test]
fn accepts_any_text_and_any_secret() {
    let scraps = ["\\", "u00", "41", "%", "&#", ";", "é", "\u{1f600}", "s3cret-x", "+", "x", "{", "}"];
    let mut random = 1_u32;
    for _ in 0..20_000 {
        let mut text = || {
            (0..12).fold(String::new(), |text, _| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text + scraps[(random >> 8) as usize % scraps.len()]
            })
        };
        let (text, secret) = (text(), text());
        let secrets = Secrets::new([&secret]);
        for is_cut in [false, true] {
            let masked = secrets.masked(&text, is_cut);
            assert!(masked.is_none_or(|masked| masked.contains(MASK)));
        }
        assert!(secret.trim().len() < MIN_LENGTH || !secrets.mask(&format!("{text}{secret}")).contains(&secret));
    }
}

#[test]
fn debug_shows_no_secret() {
    let secrets = Secrets::new(["Bearer s3cret-token"]);
    assert_eq!(format!("{secrets:?}"), "Secrets { forms: 2, .. }");
    assert!(Secrets::new(["short"]).is_empty());
}
