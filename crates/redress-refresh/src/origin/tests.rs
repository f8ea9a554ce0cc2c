use super::*;

#[test]
fn an_origin_is_a_scheme_a_host_and_a_port() {
    for (text, shown) in [
        ("https://api.example.com", Some("https://api.example.com")),
        ("https://api.example.com/", Some("https://api.example.com")),
        ("https://api.example.com:443", Some("https://api.example.com")),
        ("https://api.example.com:8443", Some("https://api.example.com:8443")),
        ("HTTPS://API.Example.COM", Some("https://api.example.com")),
        ("https://xn--bcher-kva.example", Some("https://xn--bcher-kva.example")),
        ("https://10.0.0.1", Some("https://10.0.0.1")),
        ("https://[2001:db8::1]:8443", Some("https://[2001:db8::1]:8443")),
        ("https://localhost", Some("https://localhost")),
        ("https://internal_host", Some("https://internal_host")),
        ("http://localhost", Some("http://localhost")),
        ("http://LOCALHOST:8080", Some("http://localhost:8080")),
        ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
        ("http://127.255.255.254", Some("http://127.255.255.254")),
        ("http://[::1]:80", Some("http://[::1]")),
        ("http://[0:0:0:0:0:0:0:1]", Some("http://[0:0:0:0:0:0:0:1]")),
        ("http://api.example.com", None),
        ("http://10.0.0.1", None),
        ("http://128.0.0.1", None),
        ("http://127.1", None),
        ("http://0x7f.0.0.1", None),
        ("http://2130706433", None),
        ("http://0.0.0.0", None),
        ("http://[::]", None),
        ("http://[::ffff:127.0.0.1]", None),
        ("http://localhost.", None),
        ("http://localhost.example.com", None),
        ("http://127.0.0.1.example.com", None),
        ("http://notlocalhost", None),
        ("ftp://api.example.com", None),
        ("wss://api.example.com", None),
        ("api.example.com", None),
        ("//api.example.com", None),
        ("https://", None),
        ("https:///path", None),
        ("https://user@api.example.com", None),
        ("https://user:pass@api.example.com", None),
        ("https://@api.example.com", None),
        ("https://api.example.com/v1", None),
        ("https://api.example.com//", None),
        ("https://api.example.com?x", None),
        ("https://api.example.com/?", None),
        ("https://api.example.com#x", None),
        ("https://api.example.com:", None),
        ("https://api.example.com:0", None),
        ("https://api.example.com:65536", None),
        ("https://api.example.com:+443", None),
        ("https://api.example.com:443x", None),
        ("https://*.example.com", None),
        ("https://.example.com", None),
        ("https://[::1", None),
        ("https://[api]", None),
        (" https://api.example.com", None),
        ("https://api.example.com\n", None),
        ("https://bücher.example", None),
        ("", None),
    ] {
        let origin = Origin::try_from(text).ok().map(|origin| origin.to_string());
        assert_eq!(origin.as_deref(), shown, "{text:?}");
    }
}

#[test]
fn a_request_is_served_only_by_its_own_origin() {
    let api = "https://api.example.com";
    for (origin, uri, serves) in [
        (api, "https://api.example.com", true),
        (api, "https://api.example.com/v1?q=1", true),
        (api, "https://api.example.com?q=1", true),
        (api, "https://API.EXAMPLE.COM/v1", true),
        (api, "HTTPS://api.example.com/", true),
        (api, "https://api.example.com:443/", true),
        (api, "https://user:pass@api.example.com/", true),
        (api, "https://api.example.com:8443/", false),
        (api, "https://api.example.com:/", false),
        (api, "http://api.example.com/", false),
        (api, "http://api.example.com:443/", false),
        (api, "ws://api.example.com/", false),
        (api, "https://example.com/", false),
        (api, "https://api.example.com./", false),
        (api, "https://eu.api.example.com/", false),
        (api, "https://api.example.com.evil.test/", false),
        (api, "https://evil.test/api.example.com", false),
        (api, "https://api.example.com@evil.test/", false),
        (api, "https://api.example.com:443@evil.test/", false),
        (api, "https://evilapi.example.com/", false),
        (api, "/v1", false),
        (api, "*", false),
        (api, "api.example.com:443", false),
        ("https://api.example.com:8443", "https://api.example.com:8443/", true),
        ("https://api.example.com:8443", "https://api.example.com/", false),
        ("https://api.example.com:80", "http://api.example.com/", false),
        ("http://localhost:8080", "http://localhost:8080/", true),
        ("http://localhost:8080", "http://127.0.0.1:8080/", false),
        ("http://localhost:8080", "https://localhost:8080/", false),
        ("http://localhost", "http://localhost:80/x", true),
        ("http://[::1]:8080", "http://[::1]:8080/", true),
        ("http://[::1]", "http://[::2]/", false),
    ] {
        let origin: Origin = origin.parse().unwrap();
        let uri: Uri = uri.parse().unwrap();
        assert_eq!(origin.serves(&uri), serves, "{origin} {uri}");
    }
}

#[test]
fn a_path_is_empty_or_an_asterisk_or_begins_with_a_slash() {
    for (path, begins) in [
        ("/", true),
        ("/@evil.test/", true),
        ("//evil.test/", true),
        ("?q", true),
        ("*", true),
        ("", true),
        ("@evil.test/", false),
        ("*@evil.test/", false),
        (":80@evil.test/", false),
        (".evil.test/", false),
        ("x", false),
        ("*?q", false),
    ] {
        assert_eq!(begins_with_a_slash(path), begins, "{path}");
    }
}

#[test]
fn a_text_that_is_not_an_origin_is_refused_with_the_reason() {
    for (text, reason) in [
        ("http://api.example.com", "plain http is for loopback addresses only"),
        ("ftp://api.example.com", "its scheme is not https"),
        ("api.example.com", "it must begin with https://"),
        ("https://api.example.com?x", "it must not contain a query or a fragment"),
        ("https://user@api.example.com", "it must not contain a user"),
        ("https://api.example.com/v1", "it must not contain a path"),
        ("https://*.example.com", "its host is not valid"),
        ("https://api.example.com:0", "its port is not valid"),
        ("", "it is not a URI"),
    ] {
        assert_eq!(text.parse::<Origin>().unwrap_err().reason(), reason, "{text:?}");
    }
}

#[test]
fn an_error_does_not_repeat_the_text() {
    let error = "https://user:s3cret@api.example.com".parse::<Origin>().unwrap_err();
    assert_eq!(error.to_string(), "not an origin: it must not contain a user");
    assert!(!format!("{error:?}").contains("s3cret"));
}
