use proptest::prelude::*;

use http::header::HeaderValue;

use super::*;

fn all(input: &str) -> Vec<(u16, String)> {
    let found = read(input.as_bytes()).unwrap_or_else(|mistake| panic!("{input:?}: {mistake:?}"));
    let shown = |found: &ParsedResponse<'_>| (found.status.as_u16(), String::from_utf8(found.body.to_vec()).unwrap());
    found.iter().map(shown).collect()
}

/// Reads an input that holds one response.
fn one(input: &str) -> (u16, String) {
    let mut found = all(input);
    assert_eq!(found.len(), 1, "{input}");
    found.remove(0)
}

fn problem(input: &[u8]) -> (usize, String) {
    let FormatError { line, problem } = read(input).expect_err(&String::from_utf8_lossy(input));
    (line, problem)
}

#[test]
fn a_status_line_has_a_version_and_a_status() {
    for (line, status) in [
        ("HTTP/1.1 404 Not Found", 404),
        ("HTTP/1.1 404", 404),
        ("HTTP/1.1 404 ", 404),
        ("HTTP/2 404 ", 404),
        ("HTTP/3 100", 100),
        ("HTTP/1.0  999  Odd reason: with colon", 999),
    ] {
        for end in ["\n", "\r\n"] {
            assert_eq!(one(&format!("{line}{end}{end}body")), (status, "body".to_owned()), "{line}");
        }
    }
    for line in [
        "",
        "404",
        "HTTP/1.1",
        "HTTP/1.1 099 x",
        "HTTP/1.1 1000 x",
        "HTTP/1.1 4x4",
        "HTTP/ 404",
        "http/1.1 404",
        "HTTP/x 404",
        "{\"error\":1}",
    ] {
        assert!(!is_raw(format!("{line}\r\nA: b\r\n\r\n").as_bytes()), "{line}");
    }
}

#[test]
fn the_last_of_several_heads_counts() {
    for before in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.1 301 Moved Permanently\r\nLocation: /b\r\nContent-Length: 178\r\n\r\n",
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest\r\nContent-Length: 0\r\n\r\n\
         HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/2 302 \nlocation: /b\n\nHTTP/2 307 \nlocation: /c\n\n",
        "\r\n\n",
    ] {
        assert_eq!(
            one(&format!("{before}HTTP/1.1 429 Slow down\r\nA: b\r\n\r\n{{}}")),
            (429, "{}".to_owned()),
            "{before}"
        );
    }
    assert_eq!(one("HTTP/1.1 100 Continue\r\n\r\n"), (100, String::new()));
}

#[test]
fn a_body_may_begin_like_a_head() {
    for body in ["HTTP/1.1 500 oops", "HTTP/1.1 500 oops\nno header\n\n", "HTTP/1.1 is old\n\n"] {
        assert_eq!(one(&format!("HTTP/1.1 503 x\n\n{body}")), (503, body.to_owned()));
    }
    let whole = "HTTP/1.1 400 Bad Request\n\n400";
    assert_eq!(one(&format!("HTTP/1.1 502 x\ncontent-length: {}\n\n{whole}", whole.len())), (502, whole.to_owned()));
    let quoted = "see\nHTTP/1.1 404 x\nfor that";
    assert_eq!(one(&format!("HTTP/1.1 502 x\n\n{quoted}")), (502, quoted.to_owned()));
}

#[test]
fn the_trailers_of_a_grpc_response_are_read_beside_its_head() {
    let head = "HTTP/2 200 \r\ncontent-type: application/grpc\r\n\r\n";
    let trailers = "grpc-status: 14\r\ngrpc-message: busy\r\n";
    for (data, expected) in [("", ""), ("\0\0\0\0\x05hello", "\0\0\0\0\x05hello")] {
        let input = format!("{head}{data}{trailers}");
        let found = read(input.as_bytes()).unwrap().remove(0);
        assert_eq!(
            (&found.headers["grpc-status"], &found.headers["grpc-message"]),
            (&"14".parse().unwrap(), &"busy".parse().unwrap())
        );
        assert_eq!(&*found.body, expected.as_bytes());
    }
    let two = format!("{head}{trailers}{head}{}", trailers.replace("14", "8"));
    let found = read(two.as_bytes()).unwrap();
    assert_eq!(found.iter().map(|found| &found.headers["grpc-status"]).collect::<Vec<_>>(), ["14", "8"]);
    assert!(found.iter().all(|found| found.body.is_empty()));
}

#[test]
fn headers_are_read_as_they_come() {
    let input = b"HTTP/1.1 429 x\r\nRETRY-AFTER:\t30 \r\nX-Name: caf\xe9\r\nX-Long: a,\r\n  b,\r\n\tc\r\nX-Empty:\r\n\
        Set-Cookie: a=1\r\nset-cookie: b=2\r\nTransfer-Encoding: chunked\r\n\r\n\x00\xff\r\n";
    let response = read(input).unwrap().remove(0);
    let header = |name: &str| response.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    assert_eq!(header("retry-after"), [b"30"]);
    assert_eq!(header("x-name"), [b"caf\xe9"]);
    assert_eq!(header("x-long"), [b"a, b, c"]);
    assert_eq!(header("x-empty"), [b""]);
    assert_eq!(header("set-cookie"), [b"a=1", b"b=2"]);
    assert_eq!(&*response.body, b"\x00\xff\r\n");
}

#[test]
fn a_broken_head_is_reported_at_its_line() {
    let expected = "expected a header such as `Retry-After: 30`, or an empty line before the body";
    for (input, line) in [
        (&b"HTTP/1.1 404 x\nno colon\n\n"[..], 2),
        (b"HTTP/1.1 404 x\n folded\n\n", 2),
        (b"HTTP/1.1 404 x\nA: b\nX Y: s3cret\n\n", 3),
        (b"HTTP/1.1 404 x\nA : b\n\n", 2),
        (b"HTTP/1.1 404 x\nA: b\n\xff: c\n", 3),
    ] {
        assert_eq!(problem(input), (line, expected.to_owned()));
    }
    let expected = "a: expected a value without control characters";
    for input in [&b"HTTP/1.1 404 x\nA: s3cret\x01\n\n"[..], b"HTTP/1.1 404 x\nA: s3cret\n c\x00d\n\n"] {
        assert_eq!(problem(input), (2, expected.to_owned()));
    }
}

#[test]
fn a_head_may_end_with_the_input_or_with_a_body() {
    for (input, body) in [
        ("HTTP/1.1 429 x", ""),
        ("HTTP/1.1 429 x\r\n", ""),
        ("HTTP/1.1 429 x\nretry-after: 30", ""),
        ("HTTP/1.1 429 x\nretry-after: 30\n", ""),
        ("HTTP/2 429\n:status: 429\nretry-after: 30\n{\"error\":1}\n", "{\"error\":1}\n"),
    ] {
        assert_eq!(one(input), (429, body.to_owned()), "{input}");
    }
}

#[test]
fn several_responses_are_read_one_by_one() {
    let two = [(429, "{\"a\":1}".to_owned()), (404, "{}".to_owned())];
    for between in ["\n", "\n\n", "\r\n"] {
        for length in ["", "content-length: 7\n", "content-length: 3\n"] {
            let input = format!("HTTP/1.1 429 x\n{length}\n{{\"a\":1}}{between}HTTP/1.1 404 y\nB: c\n\n{{}}");
            assert_eq!(all(&input), two, "{input}");
        }
    }
    let heads = "HTTP/1.1 429 x\nA: b\n\nHTTP/1.1 404 y\nA: b\n\nHTTP/1.1 200 OK\nA: b\n\n";
    assert_eq!(all(heads).iter().map(|found| found.0).collect::<Vec<_>>(), [429, 404, 200]);
}

#[test]
fn a_request_before_a_response_gives_method_and_path_only() {
    let input = "POST /v1/x?token=abcdefgh HTTP/1.1\nHost: a.example\nAuthorization: Bearer abcdefgh\n\n{\"a\":1}\n\n\n\
        HTTP/1.1 429 x\nA: b\n\n{}\n\n\nGET /v2 HTTP/1.1\nHost: a.example\n\nHTTP/1.1 404 x\nA: b\n\n[]";
    let found = read(input.as_bytes()).unwrap();
    let route = |found: &ParsedResponse<'_>| {
        format!("{} {}", found.call.method.as_ref().unwrap(), found.call.uri.as_ref().unwrap())
    };
    assert_eq!(found.iter().map(route).collect::<Vec<_>>(), ["POST /v1/x", "GET /v2"]);
    assert_eq!(found.iter().map(|found| &*found.body).collect::<Vec<_>>(), [b"{}", b"[]"]);
    assert!(found[0].call.sent.contains(&b"Bearer abcdefgh".to_vec()));
}

#[test]
fn the_indented_heads_of_wget_are_read() {
    let input = "--2026-01-15 12:30:00--  http://a.example/x\nHTTP request sent, awaiting response... \n  HTTP/1.1 302 Found\n\
        \x20 Location: /y\nLocation: /y [following]\n  HTTP/1.1 429 Too Many Requests\n  Retry-After: 30\n\
        2026-01-15 12:30:00 ERROR 429: Too Many Requests.\n\n";
    let found = read(input.as_bytes()).unwrap();
    assert_eq!(
        (found.len(), found[0].status.as_u16(), &found[0].headers["retry-after"]),
        (1, 429, &"30".parse().unwrap())
    );
    assert!(found[0].body.is_empty());
}

#[test]
fn too_many_headers_are_an_error_and_no_panic() {
    let mut input = b"HTTP/1.1 404 x\n".to_vec();
    (0..40_000).for_each(|nth| input.extend_from_slice(format!("a{nth}: b\n").as_bytes()));
    input.extend_from_slice(b"\n");
    assert_eq!(problem(&input).1, "expected fewer headers, found too many");
}

proptest! {
    #[test]
    fn any_bytes_give_a_response_or_a_mistake(
        scraps in prop::collection::vec(prop::sample::select(vec![
            &b"HTTP/1.1 404 x"[..], b"HTTP/2 100", b"\n", b"\r\n", b"\r\n\r\n", b"a: b", b":", b" ", b"\x00", b"\xff",
            b"{}",
        ]), 0..20)
    ) {
        let input = scraps.concat();
        match read(&input) {
            Ok(found) => prop_assert!(!found.is_empty()),
            Err(mistake) => {
                let lines = input.split(|byte| *byte == b'\n').count();
                prop_assert!((1..=lines).contains(&mistake.line));
            }
        }
    }
}
