use proptest::prelude::*;

use super::*;

fn shown(text: &str) -> (u16, String) {
    let found = read(text).unwrap_or_else(|| panic!("{text}"));
    (found.status.as_u16(), String::from_utf8_lossy(&found.body).into_owned())
}

#[test]
fn the_status_and_the_json_in_the_errors_of_clients_are_read() {
    let body = r#"{"error":"rate_limited"}"#;
    for text in [
        "Client error: `POST https://a.example/v1/x?key=abcdefgh` resulted in a `429 Too Many Requests` response:\n\
         {\"error\":\"rate_limited\"}\n",
        "openai.RateLimitError: Error code: 429 - {'error': 'rate_limited'}",
        "unexpected status 429: {\"error\":\"rate_limited\"}",
        "2026/01/15 12:30:00 unexpected status code 429 Too Many Requests, body: {\"error\":\"rate_limited\"}",
        "429 Too Many Requests: \"{\"error\":\"rate_limited\"}\"",
        "level=ERROR msg=\"request failed\" status=429 body=\"{\\\"error\\\":\\\"rate_limited\\\"}\"",
        "HTTP 429: {\"error\":\"rate_limited\"}",
        "Traceback (most recent call last):\n  File \"/a/b.py\", line 404, in <module>\n    raise\n\
         requests.exceptions.HTTPError: 429 Client Error: Too Many Requests for url: https://a.example/v1\n{\"error\":\"rate_limited\"}",
        "#<Faraday::TooManyRequestsError response={:status=>429, :headers=>{\"a\"=>\"b\"}, :body=>\"{\\\"error\\\":\\\"rate_limited\\\"}\"}>",
        "The remote server returned an error: (429) Too Many Requests. Response: {\"error\":\"rate_limited\"}",
        "Error: 429 {\"error\":\"rate_limited\"}\n    at APIError.generate (/a/b.js:404:12)",
        "ERROR 12:30 {\"status\":429,\"headers\":{},\"body\":{\"error\":\"rate_limited\"}} status 429",
    ] {
        assert_eq!(shown(text), (429, body.to_owned()), "{text}");
    }
}

#[test]
fn a_body_that_states_the_status_itself_is_read() {
    let body = r#"{"code":429,"reason":"TooManyRequests"}"#;
    for text in [
        "Error from server (TooManyRequests): {\"reason\":\"TooManyRequests\",\"code\":429}",
        "request failed: {\"code\":429,\"reason\":\"TooManyRequests\"} (gave up)",
    ] {
        assert_eq!(shown(text), (429, body.to_owned()), "{text}");
    }
    let printed = "Error: failed { config: { url: 'https://a.example/v1' }, code: 429 }";
    assert_eq!(shown(printed), (429, String::new()));
}

#[test]
fn a_status_alone_is_read_where_it_is_named() {
    for text in [
        "AxiosError: Request failed with status code 429\n    at settle (/a/b.js:404:12)",
        "HTTPError: Response code 429 (Too Many Requests)\n    at Request.<anonymous> (/a/b.js:404:12) {\n  options: { a: 1 }\n}",
        "HTTPError: Request failed with status code 429 Too Many Requests: POST https://a.example/v1",
        "HTTP status client error (429 Too Many Requests) for url (https://a.example/v1)",
        "httpx.HTTPStatusError: Client error '429 Too Many Requests' for url 'https://a.example/v1'",
        "urllib.error.HTTPError: HTTP Error 429: Too Many Requests",
        "System.Net.Http.HttpRequestException: Response status code does not indicate success: 429 (Too Many Requests).",
        "java.io.IOException: Server returned HTTP response code: 429 for URL: https://a.example/v1",
        "the server responded with status 429",
        "googleapi: Error 429: Quota exceeded., rateLimitExceeded",
        "1.2.3.4 - - [15/Jan/2026:12:30:00 +0000] \"POST /v1 HTTP/1.1\" 429 Too Many Requests",
        "curl: (22) The requested URL returned error: 429",
    ] {
        assert_eq!(shown(text), (429, String::new()), "{text}");
    }
}

#[test]
fn the_response_in_the_print_of_an_error_is_read() {
    let print = |response: &str| {
        format!(
            "AxiosError: Request failed with status code 429\n    at settle (/a/b.js:404:12) {{\n  code: 'ERR_BAD_REQUEST',\n  \
         config: {{\n    method: 'post',\n    url: 'https://a.example/v1/x?key=abcdefgh',\n    headers: Object [AxiosHeaders] {{\n      \
         Authorization: 'Bearer abcdefgh'\n    }},\n    data: '{{\"error\":\"mine\"}}'\n  }},\n  request: <ref *1> ClientRequest {{\n    \
         _events: [Object: null prototype] {{ a: [Function] }},\n    res: [Circular *1]\n  }},\n  response: {response},\n  status: 429\n}}\n"
        )
    };
    let text = print(
        "<ref *2> {\n    status: 429,\n    statusText: 'Too Many Requests',\n    headers: Object [AxiosHeaders] {\n      \
         'retry-after': '30',\n      'content-type': 'application/json'\n    },\n    config: {\n      method: 'post',\n      \
         url: 'https://a.example/v1/x',\n      headers: [AxiosHeaders]\n    },\n    request: [Circular *1],\n    \
         data: {\n      error: 'rate_limited',\n      message: \"it's \" +\n        'too fast',\n      details: [Object]\n    }\n  }",
    );
    let found = read(&text).unwrap();
    assert_eq!((found.status.as_u16(), &found.headers["retry-after"]), (429, &"30".parse().unwrap()));
    assert_eq!(String::from_utf8_lossy(&found.body), r#"{"error":"rate_limited","message":"it's too fast"}"#);
    assert_eq!(found.call.uri.as_ref().map(http::Uri::path), Some("/v1/x"));
    let found = read(&print("undefined")).unwrap();
    assert_eq!((found.status.as_u16(), found.body.len()), (429, 0), "what the client sent is no answer");
}

#[test]
fn the_errors_of_sdks_hold_the_body_as_error() {
    let text = "RateLimitError: 429 You exceeded your quota\n    at APIError.generate (/a/b.js:45:16) {\n  status: 429,\n  \
        headers: {\n    'retry-after': '30'\n  },\n  request_id: 'req_1',\n  error: {\n    message: 'You exceeded',\n    \
        code: 'insufficient_quota'\n  },\n  code: 'insufficient_quota'\n}";
    let found = read(text).unwrap();
    assert_eq!(&found.headers["retry-after"], "30");
    let body: Value = serde_json::from_slice(&found.body).unwrap();
    assert_eq!(body, serde_json::json!({"error": {"message": "You exceeded", "code": "insufficient_quota"}}));
}

#[test]
fn a_body_that_was_cut_off_is_read_as_far_as_it_goes() {
    let text = "Client error: `GET https://a.example/v1` resulted in a `429 Too Many Requests` response:\n\
        {\"error\":\"rate_limited\",\"message\":\"You have sent too many req (truncated...)\n";
    let found = read(text).unwrap();
    assert_eq!(&*found.body, b"{\"error\":\"rate_limited\",\"message\":\"You have sent too many req");
    assert!(found.notes[0].contains("cut off"));
}

#[test]
fn other_numbers_are_not_a_status() {
    for text in [
        "",
        "hello",
        "exit code 404",
        "at settle (/a/b.js:404:12)",
        "took 404 ms",
        "v4.0.4 404.5 4040 x404 404x",
        "line 404, in <module>",
        "status 999",
    ] {
        assert!(read(text).is_none(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_not(scraps in prop::collection::vec(prop::sample::select(vec![
        "status code 429", "429 Too Many Requests", "response: {", "{", "}", "[", "]", "'", "\"", "\\\"", "a: ", "é", "\n",
        " (truncated...)", "\n    at x", "https://a.example/", "error", "500", " ", "{\"a\":1}", "headers: {", "status: 429,",
    ]), 0..24)) {
        let text = scraps.concat();
        if let Some(found) = read(&text) {
            prop_assert!(found.status.as_u16() < 600);
        }
    }
}
