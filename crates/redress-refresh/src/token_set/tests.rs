use super::*;

fn only_value(grant: TokenSet) -> Vec<u8> {
    grant.into_parts().0[0].1.as_bytes().to_vec()
}

#[test]
fn a_value_is_sent_byte_for_byte_or_refused() {
    for character in (0..=255).map(char::from) {
        for (place, text) in [
            ("start", format!("{character}token")),
            ("middle", format!("to{character}ken")),
            ("end", format!("token{character}")),
            ("alone", character.to_string()),
        ] {
            let visible = character.is_ascii_graphic();
            let blank = matches!(character, ' ' | '\t');
            let bearer = TokenSet::bearer(text.as_str());
            assert_eq!(bearer.is_ok(), visible, "bearer {character:?} at {place}");
            if let Ok(bearer) = bearer {
                assert_eq!(only_value(bearer), format!("Bearer {text}").into_bytes());
            }
            let header = TokenSet::new().header("x-api-key", text.as_str());
            assert_eq!(header.is_ok(), visible || blank && place == "middle", "{character:?} at {place}");
            if let Ok(header) = header {
                assert_eq!(only_value(header), text.into_bytes());
            }
        }
    }
    assert!(TokenSet::bearer("").is_err() && TokenSet::new().header("x-api-key", "").is_err());
}

#[test]
fn a_refusal_names_the_header_and_not_the_value() {
    let error = TokenSet::new().header("X-Api-Key", "s3cret\n").unwrap_err();
    assert_eq!(error.to_string(), "no value for the header x-api-key: a byte that is not visible ASCII");
    assert!(!format!("{error:?}").contains("s3cret"));
    let error = TokenSet::new().header("x api key", "s3cret").unwrap_err();
    assert_eq!((error.name(), error.to_string().as_str()), (None, "no credential header: an illegal name"));
}

#[test]
fn a_header_that_frames_or_routes_a_message_is_refused_in_any_case() {
    let refused = [
        "host",
        "Content-Length",
        "TRANSFER-ENCODING",
        "connection",
        "te",
        "Trailer",
        "upgrade",
        "keep-alive",
        "proxy-connection",
        "expect",
        "http2-settings",
        "max-forwards",
        "content-encoding",
        "content-range",
        "Content-Type",
        "content-location",
        "alt-used",
        "forwarded",
        "x-forwarded-host",
        "x-http-method",
        "X-HTTP-Method-Override",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
    ];
    assert_eq!(refused.len(), FRAMING.len());
    for name in refused {
        for result in [
            TokenSet::new().header(name, "s3cret"),
            TokenSet::new().public_header(name, "s3cret"),
            TokenSet::bearer("t").and_then(|grant| grant.header(name.to_uppercase(), "s3cret")),
        ] {
            let error = result.expect_err(name);
            let lower = name.to_ascii_lowercase();
            assert_eq!(error.name().map(HeaderName::as_str), Some(lower.as_str()));
            let expected = format!("the header {lower} frames or routes the message: it cannot carry a credential");
            assert_eq!(error.to_string(), expected);
            assert!(!format!("{error:?}").contains("s3cret"));
        }
    }
    for name in ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-host", "x-amz-date", "accept"] {
        assert!(TokenSet::new().header(name, "value").is_ok(), "{name}");
    }
}

#[test]
fn the_same_name_again_replaces() {
    let grant = TokenSet::bearer("a").and_then(|grant| grant.header("AUTHORIZATION", "b")).unwrap();
    assert_eq!(only_value(grant), b"b");
}

#[test]
fn values_are_sensitive() {
    let (headers, _) = TokenSet::bearer("s3cret").and_then(|grant| grant.header("k", "s3cret")).unwrap().into_parts();
    assert!(headers.iter().all(|(_, value)| value.is_sensitive()));
    assert!(!format!("{headers:?}").contains("s3cret"));
}

#[test]
fn a_clone_shares_the_bytes() {
    let (headers, _) = TokenSet::bearer("s3cret").unwrap().into_parts();
    let value = &headers[0].1;
    assert_eq!(value.as_bytes().as_ptr(), value.clone().as_bytes().as_ptr());
}

#[test]
fn secrets_are_of_types_that_wipe_them() {
    fn wipes<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    let mut grant = TokenSet::bearer("s3cret").unwrap().refresh_token("r3fresh");
    wipes(&grant.take_refresh_token().unwrap());
    wipes(&Zeroizing::new(Vec::<u8>::new()));
    // The value owns the wiping buffer itself, and a clone shares it.
    let bytes = Zeroizing::new(b"Bearer s3cret".to_vec());
    let place = bytes.as_ptr();
    let value = HeaderValue::from_maybe_shared(Bytes::from_owner(bytes)).unwrap();
    assert_eq!(value.as_bytes().as_ptr(), place);
}

#[test]
fn sets_are_compared_in_any_order() {
    let set = |pairs: &[(&'static str, &'static str)]| {
        pairs.iter().fold(TokenSet::new(), |grant, (name, value)| grant.header(*name, *value).unwrap())
    };
    let ab = set(&[("a", "1"), ("b", "2")]);
    for (pairs, same) in [
        (&[("b", "2"), ("a", "1")][..], true),
        (&[("a", "1")], false),
        (&[("a", "1"), ("b", "3")], false),
        (&[("a", "1"), ("c", "2")], false),
    ] {
        assert_eq!(ab.has_headers(&set(pairs).into_parts().0), same, "{pairs:?}");
    }
}
