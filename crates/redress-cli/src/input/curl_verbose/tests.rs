use super::*;

const BODY: &str = "{\"error\":\"rate_limited\"}";
const CALL: &str = "*   Trying 127.0.0.1:443...\n> POST /v1/x?key=abcdefgh HTTP/2\r\n> Host: a.example\r\n\
    > Authorization: Bearer abcdefgh\r\n> \r\n";
const HEAD: &str = "< HTTP/2 429 \r\n< retry-after: 30\r\n< content-type: application/json\r\n< \r\n";
const LEFT: &str = "* Connection #0 to host a.example left intact";

fn one(input: &str) -> ParsedResponse<'static> {
    assert!(is_verbose(input.as_bytes()), "{input}");
    let mut found = read(input.as_bytes()).unwrap_or_else(|mistake| panic!("{input}: {mistake:?}"));
    assert_eq!(found.len(), 1, "{input}");
    found.remove(0)
}

#[test]
fn the_response_is_found_among_the_notes() {
    let meter = "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n\
        \x20                                Dload  Upload   Total   Spent    Left  Speed\n\
        \r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0";
    let end = "\r100    24  100    24    0     0    984      0 --:--:-- --:--:-- --:--:--   984\n";
    let again = "HTTP/2 429 \r\nretry-after: 30\r\ncontent-type: application/json\r\n\r\n";
    for input in [
        format!("{CALL}{HEAD}{BODY}{LEFT}\n"),
        format!("{CALL}{HEAD}{BODY}\n{LEFT}\n"),
        format!("{CALL}{HEAD}{{ [24 bytes data]\n{LEFT}\n{BODY}"),
        format!("{meter}{CALL}{HEAD}{{ [24 bytes data]\n{end}{LEFT}\n{BODY}"),
        format!("{CALL}{HEAD}{{ [24 bytes data]\n{LEFT}\n{again}{BODY}"),
        format!("$ curl -v https://a.example\n{CALL}{HEAD}{BODY}\n* Closing connection\n"),
        format!("{CALL}{HEAD}{BODY}").replace('\r', ""),
        format!("{CALL}{HEAD}{BODY}").replace("< \r\n", "<\n").replace("> \r\n", ">\n"),
        format!("{CALL}< HTTP/1.1 100 Continue\r\n< \r\n* We are completely uploaded and fine\n{HEAD}{BODY}"),
    ] {
        let found = one(&input);
        assert_eq!((found.status.as_u16(), &found.headers["retry-after"]), (429, &"30".parse().unwrap()), "{input}");
        assert_eq!(String::from_utf8_lossy(&found.body), BODY, "{input}");
        assert_eq!(found.call.method, Some(Method::POST), "{input}");
        assert_eq!(found.call.uri.as_ref().map(http::Uri::path), Some("/v1/x"));
        assert!(found.call.sent.contains(&b"Bearer abcdefgh".to_vec()));
    }
}

#[test]
fn the_last_response_of_a_call_counts_and_each_call_has_its_own() {
    let redirect = "> GET /old HTTP/1.1\n> \n< HTTP/1.1 301 Moved\n< Location: /v1/x?key=abcdefgh\n< \n\
        * Ignoring the response-body\n{ [5 bytes data]\n* Issue another request to this URL: 'https://a.example/v1/x'\n";
    assert_eq!(one(&format!("{redirect}{CALL}{HEAD}{BODY}")).status, StatusCode::TOO_MANY_REQUESTS);
    let tunnel = "> CONNECT a.example:443 HTTP/1.1\n> \n< HTTP/1.1 200 Connection established\n< \n* CONNECT tunnel established\n";
    assert_eq!(one(&format!("{tunnel}{CALL}{HEAD}{BODY}")).call.method, Some(Method::POST));
    let two = format!("{CALL}{HEAD}{BODY}\n{LEFT}\n> GET /y HTTP/1.1\n> \n< HTTP/1.1 404 Not Found\n< \n{{}}");
    let found = read(two.as_bytes()).unwrap();
    let shown: Vec<_> = found.iter().map(|found| (found.status.as_u16(), found.body.len())).collect();
    assert_eq!(shown, [(429, BODY.len()), (404, 2)]);
}

#[test]
fn a_body_of_several_lines_keeps_them() {
    let body = "{\n  \"error\": \"x\"\n}";
    assert_eq!(&*one(&format!("{CALL}{HEAD}{body}\n{LEFT}")).body, body.as_bytes());
    assert_eq!(&*one(&format!("{CALL}{HEAD}<html>\n> quoted\n</html>")).body, b"<html>\n> quoted\n</html>");
}

#[test]
fn the_trailers_of_a_grpc_response_are_read_beside_its_head() {
    let head = "< HTTP/2 200 \r\n< content-type: application/grpc\r\n< \r\n";
    let trailers = "< grpc-status: 14\r\n< grpc-message: busy\r\n";
    for (input, body) in [
        (format!("{CALL}{head}{{ [10 bytes data]\n{trailers}{LEFT}\n\0\0\0\0\x05hello"), "\0\0\0\0\x05hello"),
        (format!("{CALL}{head}\0\0\0\0\x05hello{trailers}{LEFT}\n"), "\0\0\0\0\x05hello"),
        (format!("{CALL}{head}{trailers}{{ [0 bytes data]\n{LEFT}\n"), ""),
    ] {
        let found = one(&input);
        let field = |name| found.headers[name].to_str().unwrap().to_owned();
        assert_eq!((field("grpc-status"), field("grpc-message")), ("14".to_owned(), "busy".to_owned()), "{input}");
        assert_eq!(found.headers.len(), 3, "{input}");
        assert_eq!(String::from_utf8_lossy(&found.body), body, "{input}");
    }
}

#[test]
fn a_broken_head_is_reported_at_its_line_and_not_quoted() {
    let mistake = read(b"> GET / HTTP/1.1\n> \n< HTTP/1.1 404 x\n< A b s3cret\n< \n").unwrap_err();
    assert_eq!(mistake.line, 4);
    assert!(!mistake.problem.contains("s3cret"));
}
