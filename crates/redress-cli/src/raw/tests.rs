use proptest::prelude::*;

use super::*;

fn read(input: &str) -> (u16, String) {
    let response = parse(input.as_bytes()).unwrap_or_else(|mistake| panic!("{input:?}: {mistake:?}"));
    (response.status.as_u16(), String::from_utf8(response.body.to_vec()).unwrap())
}

fn problem(input: &[u8]) -> (usize, String) {
    let Mistake { line, problem } = parse(input).expect_err(&String::from_utf8_lossy(input));
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
            assert_eq!(read(&format!("{line}{end}{end}body")), (status, "body".to_owned()), "{line}");
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
        assert!(
            problem(format!("{line}\r\nA: b\r\n\r\n").as_bytes()).1.starts_with("expected a status line"),
            "{line}"
        );
    }
    assert_eq!(
        problem(b"{\"error\":\"not_found\"}"),
        (1, "expected a status line such as `HTTP/1.1 404 Not Found`, found `{\"error\":\"not_found\"}`".to_owned())
    );
    assert_eq!(problem(b"").1, "expected a status line such as `HTTP/1.1 404 Not Found`, found nothing");
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
        "\u{feff}",
    ] {
        assert_eq!(
            read(&format!("{before}HTTP/1.1 429 Slow down\r\nA: b\r\n\r\n{{}}")),
            (429, "{}".to_owned()),
            "{before}"
        );
    }
    assert_eq!(read("HTTP/1.1 100 Continue\r\n\r\n"), (100, String::new()));
}

#[test]
fn a_body_may_begin_like_a_head() {
    for body in ["HTTP/1.1 500 oops", "HTTP/1.1 500 oops\nno header\n\n", "HTTP/1.1 is old\n\n"] {
        assert_eq!(read(&format!("HTTP/1.1 503 x\n\n{body}")), (503, body.to_owned()));
    }
    let whole = "HTTP/1.1 400 Bad Request\n\n400";
    assert_eq!(read(&format!("HTTP/1.1 502 x\ncontent-length: {}\n\n{whole}", whole.len())), (502, whole.to_owned()));
    let (line, text) = problem(b"HTTP/1.1 100 Continue\n\nHTTP/1.1 404 x\nA: b\n");
    assert_eq!((line, text.as_str()), (4, "the input ends within the head, expected an empty line after the headers"));
}

#[test]
fn headers_are_read_as_they_come() {
    let input = b"HTTP/1.1 429 x\r\nRETRY-AFTER:\t30 \r\nX-Name: caf\xe9\r\nX-Long: a,\r\n  b,\r\n\tc\r\nX-Empty:\r\n\
        Set-Cookie: a=1\r\nset-cookie: b=2\r\nTransfer-Encoding: chunked\r\n\r\n\x00\xff\r\n";
    let response = parse(input).unwrap();
    let header = |name: &str| response.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    assert_eq!(header("retry-after"), [b"30"]);
    assert_eq!(header("x-name"), [b"caf\xe9"]);
    assert_eq!(header("x-long"), [b"a, b, c"]);
    assert_eq!(header("x-empty"), [b""]);
    assert_eq!(header("set-cookie"), [b"a=1", b"b=2"]);
    assert_eq!(response.body, b"\x00\xff\r\n");
}

#[test]
fn a_broken_head_is_reported_at_its_line() {
    for (input, line, text) in [
        (&b"HTTP/1.1 404 x\nno colon\n\n"[..], 2, "expected a header such as `Retry-After: 30`, found `no colon`"),
        (b"HTTP/1.1 404 x\n folded\n\n", 2, "expected a header such as `Retry-After: 30`, found ` folded`"),
        (b"HTTP/1.1 404 x\nA: b\nX Y: z\n\n", 3, "expected a header such as `Retry-After: 30`, found `X Y: z`"),
        (b"HTTP/1.1 404 x\nA : b\n\n", 2, "expected a header such as `Retry-After: 30`, found `A : b`"),
        (b"HTTP/1.1 404 x\n: b\n\n", 2, "expected a header such as `Retry-After: 30`, found `: b`"),
        (b"HTTP/1.1 404 x\nA: b\x01\n\n", 2, "a: expected a value without control characters, found ` b\\u{1}`"),
        (
            b"HTTP/1.1 404 x\nA: b\n c\x00d\n\n",
            2,
            "a: expected a value without control characters, found ` b c\\u{0}d`",
        ),
        (b"HTTP/1.1 404 x", 1, "the input ends within the head, expected an empty line after the headers"),
        (b"HTTP/1.1 404 x\r\nA: b\r\n", 2, "the input ends within the head, expected an empty line after the headers"),
    ] {
        assert_eq!(problem(input), (line, text.to_owned()));
    }
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
        match parse(&input) {
            Ok(response) => prop_assert!(input.ends_with(response.body)),
            Err(mistake) => {
                let lines = input.split(|byte| *byte == b'\n').count();
                prop_assert!((1..=lines).contains(&mistake.line));
            }
        }
    }
}
