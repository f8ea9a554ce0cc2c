use proptest::prelude::*;

use super::*;

fn statuses(input: &str) -> Vec<Result<u16, String>> {
    let items = responses(input.as_bytes(), Stated::default()).unwrap_or_else(|mistake| panic!("{input}: {mistake:?}"));
    let shown = |item: ParseResult<'_>| item.map(|found| found.status.as_u16()).map_err(|refusal| refusal.problem);
    items.into_iter().map(shown).collect()
}

#[test]
fn every_form_is_detected() {
    for input in [
        "HTTP/1.1 429 x\nA: b\n\n{}",
        "> GET / HTTP/1.1\n> \n< HTTP/1.1 429 x\n< \n",
        ":status: 429\na: b\n",
        "Status Code: 429\na: b\n",
        ":status\n429\na\nb\n",
        "{\"status\":429,\"body\":\"\"}",
        "{\"log\":{\"version\":\"1.2\",\"entries\":[{\"request\":{},\"response\":{\"status\":429}}]}}",
        "{\"http_interactions\":[{\"response\":{\"status\":{\"code\":429}}}]}",
        "{\"info\":{},\"item\":[{\"item\":[{\"response\":[{\"code\":429,\"header\":[],\"body\":\"\"}]}]}]}",
        "[{\"status\":429,\"body\":\"\"}]",
        "{\"type\":\"about:blank\",\"title\":\"x\",\"status\":429}",
        "{ status: 429, data: { a: 1 } }\nError: status 429",
        "Error: Request failed with status code 429",
        "\n\n  HTTP/1.1 429 x\n  a: b\n",
    ] {
        assert_eq!(statuses(input), [Ok(429)], "{input}");
    }
}

#[test]
fn each_of_several_responses_is_read_and_none_is_lost() {
    let lines = "{\"status\":429}\n\n{\"status\":\"x\"}\nno\n{\"status\":404}\n";
    let found = statuses(lines);
    assert_eq!((found.len(), &found[0], &found[3]), (4, &Ok(429), &Ok(404)));
    let items = responses(lines.as_bytes(), Stated::default()).unwrap();
    let at: Vec<_> = items.iter().filter_map(|item| item.as_ref().err()?.line).collect();
    assert_eq!(at, [3, 4]);
    let pretty = "{\n  \"status\": 429\n}\n{\n  \"status\": 404\n}\n";
    assert_eq!(statuses(pretty), [Ok(429), Ok(404)]);
    assert_eq!(statuses(&format!("{pretty}{{")).len(), 3);
    let har = "{\"log\":{\"entries\":[{\"response\":{\"status\":0}},{\"response\":{\"status\":200}}]}}";
    let found = statuses(har);
    assert!(found[0].as_ref().is_err_and(|problem| problem.ends_with("there was no response")), "{found:?}");
    assert_eq!(found[1], Ok(200));
}

#[test]
fn an_entry_has_its_index_unless_it_has_an_id() {
    let items = responses(b"[{\"status\":404},{\"id\":\"x\",\"status\":404}]", Stated::default()).unwrap();
    let ids: Vec<_> = items.iter().map(|item| item.as_ref().unwrap().id.as_deref().unwrap().get()).collect();
    assert_eq!(ids, ["0", "\"x\""]);
}

#[test]
fn a_status_beside_the_input_makes_it_a_body_or_headers() {
    let read = |input: &str| {
        let given = StatusCode::TOO_MANY_REQUESTS;
        let mut items = responses(input.as_bytes(), Stated { status: Some(given), ..Stated::default() })
            .map_err(|mistake| mistake.problem)?;
        let found = items.remove(0).map_err(|refusal| refusal.problem)?;
        Ok::<_, String>((found.status.as_u16(), found.headers.len(), String::from_utf8_lossy(&found.body).into_owned()))
    };
    for body in ["{\"error\":1}", "{\"status\":500,\"title\":\"x\"}", "<html></html>", "Slow down\n", "", "[1]", "\n{}"]
    {
        assert_eq!(read(body), Ok((429, 0, body.to_owned())), "{body}");
    }
    assert_eq!(read("retry-after: 30\n\n{}"), Ok((429, 1, "{}".to_owned())));
    assert_eq!(read("HTTP/1.1 429 x\nA: b\n\n{}"), Ok((429, 1, "{}".to_owned())));
    assert!(read("HTTP/1.1 500 x\nA: b\n\n{}").unwrap_err().contains("leave out --status"));
}

#[test]
fn an_unknown_form_is_answered_with_the_accepted_ones() {
    for (input, problem) in [
        ("", "the input is empty"),
        (" \n", "the input is empty"),
        ("hello", "expected a response, and no status was found"),
        ("authorization: Bearer s3cret\nx: y\n", "expected a response, and no status was found"),
    ] {
        let mistake = responses(input.as_bytes(), Stated::default()).unwrap_err();
        assert!(mistake.problem.starts_with(problem), "{input}: {}", mistake.problem);
        assert!(mistake.problem.contains("curl -v") && mistake.problem.contains("HAR"), "{}", mistake.problem);
        assert!(!mistake.problem.contains("s3cret"));
    }
}

#[test]
fn a_recognized_form_is_answered_with_one_line() {
    let given = Stated { status: Some(StatusCode::TOO_MANY_REQUESTS), ..Stated::default() };
    for (input, stated, problem) in [
        (&b"{\"error\":\"x\"}"[..], Stated::default(), "the input is JSON without a status"),
        (b"[1,2]", Stated::default(), "the input is JSON without a status"),
        (b"\x1f\x8b\x08\x00", Stated::default(), "the input is packed with gzip"),
        (b"HTTP/1.1 500 x\nA: b\n\n{}", given, "the input has a status of its own"),
        (b"name = \"acme\"", Stated::default(), "the input is TOML"),
    ] {
        let mistake = responses(input, stated).unwrap_err();
        assert!(mistake.problem.starts_with(problem), "{}", mistake.problem);
        assert_eq!(mistake.problem.lines().count(), 1, "{}", mistake.problem);
    }
}

#[test]
fn toml_is_refused_and_lint_is_named() {
    for (input, line) in [
        ("name = \"acme\"\n[error]\nis_false = \"ok\"\n[codes.E1]\nstatus = 404\n", 1),
        ("# The dialect of acme.\n\n[codes.E1]\n# a comment\nstatus = 200\n", 3),
        ("[[fault]]\nroute = \"*\"\nstatus = 503\n", 1),
        ("[error]\nis_false = \"ok\n[codes.E1]\nstatus = 404\n", 1),
        ("\"a b\".c = 'x'\nstatus = 429\n", 1),
        ("[1.2]\nstatus = 404\n", 1),
    ] {
        let mistake = responses(input.as_bytes(), Stated::default()).unwrap_err();
        assert_eq!(mistake.line, line, "{input}");
        assert!(mistake.problem.contains("`redress lint FILE`"), "{input}: {}", mistake.problem);
    }
    // A status beside it makes it the body of a response.
    let given = Stated { status: Some(StatusCode::NOT_FOUND), ..Stated::default() };
    assert_eq!(responses(b"name = \"acme\"\n", given).unwrap().len(), 1);
    for text in [
        "status=429 msg=\"too many requests\"",
        "[error]\nstatus 429 for GET /",
        "level=error status=429\nat = 12",
        "[{\"status\":429}]",
        "error = Request failed with status code 429",
    ] {
        assert_eq!(statuses(text), [Ok(429)], "{text}");
    }
}

#[test]
fn a_status_that_was_only_found_in_a_text_is_named() {
    let notes = |input: &str| {
        let mut items = responses(input.as_bytes(), Stated::default()).unwrap();
        items.remove(0).unwrap().notes.into_iter().map(|note| note.into_owned()).collect::<Vec<_>>()
    };
    for text in ["Error: Request failed with status code 429", "the job ended, status = 200, after 3 attempts"] {
        let notes = notes(text);
        assert!(notes.iter().any(|note| note.starts_with("form: read as an error text")), "{text}: {notes:?}");
    }
    for recognized in ["HTTP/1.1 429 x\nA: b\n\n{}", ":status: 429\na: b\n", "{\"status\":429,\"body\":\"\"}"] {
        assert_eq!(notes(recognized), [""; 0], "{recognized}");
    }
}

#[test]
fn utf_16_of_powershell_is_read() {
    let text = "HTTP/1.1 429 x\r\n\r\n{\"a\":\"é\"}";
    for (mark, bytes) in [
        ([0xff, 0xfe], text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()),
        ([0xfe, 0xff], text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
    ] {
        assert_eq!(utf8([&mark[..], &bytes].concat()), text.as_bytes());
    }
    assert_eq!(utf8(b"\xffa".to_vec()), b"\xffa");
}

proptest! {
    #[test]
    fn any_bytes_give_responses_or_a_mistake(
        scraps in prop::collection::vec(prop::sample::select(vec![
            &b"HTTP/1.1 404 x"[..], b"< HTTP/2 429", b"> GET / HTTP/1.1", b"< ", b"* ", b"\n", b"\r\n\r\n", b"a: b", b":status: 429",
            b"{", b"}", b"[", b"]", b"\"status\":429", b",", b"\"log\":{\"entries\":[", b"\"response\":", b"\"headers\":", b"\x00",
            b"\xff", b"\x1f\x8b\x08", b"status code 429", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00\x00\xfe\xff", b"  ", b"data: {}", b"event: x", b"<-- 429 x", b"--> GET /", b"OkHttp: ", b"<-- END HTTP",
            b"[  0.1] recv (stream_id=1) :status: 429", b"[  0.1] recv DATA frame <stream_id=1>", b"[  0.1] send HEADERS frame <stream_id=1>", b":", b"Response Headers\n", b"\x1b[1m",
        ]), 0..20),
        status in prop::option::of(prop::sample::select(vec![200_u16, 429])),
        event in prop::option::of(prop::sample::select(vec!["", "error"])),
    ) {
        let input = utf8(scraps.concat());
        let given = status.and_then(|status| StatusCode::from_u16(status).ok());
        match responses(&input, Stated { status: given, event }) {
            Ok(items) => {
                for item in items {
                    match item {
                        Ok(mut found) => super::super::unpack(&mut found),
                        Err(refusal) => prop_assert!(!refusal.problem.is_empty()),
                    }
                }
            }
            Err(mistake) => prop_assert!(!mistake.problem.is_empty()),
        }
    }
}
