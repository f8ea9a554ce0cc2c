//! A batch whose results failed in part is never sent again as a whole.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use redress::{Dialect, EndReason, RedressLayer, ResponseExt, dialects};
use redress_sandbox::strict_mock::StrictMock;
use tower::{Layer, ServiceExt};

const BULK: &str = r#"{"took":3,"errors":true,"items":[{"index":{"status":201}},{"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}}]}"#;
const GRAPH: &str = r#"{"responses":[{"id":"1","status":429,"headers":{"Retry-After":"1"},"body":{"error":{"code":"TooManyRequests"}}},{"id":"2","status":200}]}"#;
const DYNAMO: &str = r#"{"UnprocessedItems":{"table":[{"PutRequest":{"Item":{}}}]}}"#;

fn named(name: &str) -> Dialect {
    dialects::by_name(name).unwrap()
}

/// A dialect that calls a batch with a failed result an error, and reads that result's code.
fn calls_it_an_error() -> Dialect {
    let text = "extends = \"elasticsearch\"\nname = \"bulk\"\n[error]\nis_true = \"errors\"\n[read]\n\
        code = [\"error.type\", \"items[*].index.error.type\"]\n";
    Dialect::from_toml("bulk.toml", text).unwrap()
}

/// A dialect whose responses are lists; the first error in a list counts.
fn reads_lists() -> Dialect {
    let text = "name = \"list\"\n[error]\nnot_null = \"[*].error\"\n[read]\ncode = \"[*].error\"\n\
        [codes.BUSY]\nclass = \"rate_limited\"\nnot_processed = true\n[codes.EXPIRED]\nclass = \"token_expired\"\n";
    Dialect::from_toml("list.toml", text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_batch_with_failed_results_goes_out_once() {
    for (name, dialect, status, body, is_error) in [
        ("bulk", named("elasticsearch"), 200, BULK, false),
        ("bulk, as 207", named("elasticsearch"), 207, BULK, false),
        ("graph", named("odata"), 200, GRAPH, false),
        ("dynamo", named("aws-json"), 200, DYNAMO, false),
        ("any, as 207", named("generic"), 207, r#"[{"status":503}]"#, false),
        (
            "graphql",
            named("graphql"),
            200,
            r#"[{"data":{"a":1}},{"errors":[{"extensions":{"code":"THROTTLED"}}]}]"#,
            false,
        ),
        ("an own dialect", calls_it_an_error(), 200, BULK, true),
        ("a list", reads_lists(), 200, r#"[{"ok":1},{"error":"BUSY"}]"#, true),
        ("a list with an expired token", reads_lists(), 207, r#"[{"ok":1},{"error":"EXPIRED"}]"#, true),
    ] {
        let mock = StrictMock::new(move |_: &Request<String>| {
            let builder = Response::builder().status(status).header("content-type", "application/json");
            std::future::ready(Ok(builder.body(Full::<Bytes>::from(body)).unwrap()))
        });
        let handle = mock.handle();
        let keys = redress::StaticHeaders::new().header("x-key", "key").unwrap();
        let layer = RedressLayer::new(dialect).credentials(keys, "https://api.example".parse().unwrap());
        let layer = layer.deadline(Duration::from_secs(60));
        let request = Request::post("https://api.example/_bulk").body("{}".to_owned()).unwrap();
        let response = layer.layer(mock).oneshot(request).await.unwrap();
        assert_eq!((handle.calls(), response.verdict().is_some()), (1, is_error), "{name}");
        let stop = response.record().map(|record| record.end_reason());
        assert!(matches!(stop, None | Some(EndReason::NotIdempotent)), "{name}: {stop:?}");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body, "{name}: each result is there");
    }
}
