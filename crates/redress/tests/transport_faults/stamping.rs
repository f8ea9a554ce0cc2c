//! Credentials beside a `Host` header, and credentials that would frame a message, over each adapter.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use redress::{BoxError, Credentials, Error, Failure, RedressLayer, StaticHeaders, Store, TokenSet, dialects};
use redress_store::{NewRecord, Record, Version, Written};

use super::{hyper, hyper_h2, reqwest, reqwest_h2, send, start};

/// Headers and body of each request, as they came in.
type Seen = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// A server that keeps headers and bodies.
async fn recorder() -> (String, Seen) {
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let authority = start(move |request| {
        let log = Arc::clone(&log);
        async move {
            let (head, body) = request.into_parts();
            // A body that breaks off is not a request that came in.
            if let Ok(body) = body.collect().await {
                log.lock().unwrap().push((head.headers, String::from_utf8_lossy(&body.to_bytes()).into_owned()));
            }
        }
    });
    (authority.await, seen)
}

/// Sends a request through the stack over each adapter, over HTTP/1.1 and HTTP/2.
async fn everywhere(layer: &RedressLayer, request: &Request<String>) -> [Result<u16, Error>; 4] {
    [
        send(layer, &hyper(), request.clone()).await,
        send(layer, &reqwest(), request.clone()).await,
        send(layer, &hyper_h2(), request.clone()).await,
        send(layer, &reqwest_h2(), request.clone()).await,
    ]
}

fn post(authority: &str, host: Option<&str>) -> Request<String> {
    let mut request = Request::post(format!("http://{authority}/pay")).body("amount=100".to_owned()).unwrap();
    if let Some(host) = host {
        request.headers_mut().insert("host", host.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn a_key_arrives_only_under_a_host_that_the_origin_answers_to() {
    let (authority, seen) = recorder().await;
    let keys = StaticHeaders::new().header("x-api-key", "s3cret").unwrap();
    let plain =
        RedressLayer::new(dialects::generic()).credentials(keys, format!("http://{authority}").parse().unwrap());
    let allowing = plain.clone().refresh(|refresh| refresh.allow_host("front.test:80".parse().unwrap()));
    for (layer, host, arrives) in [
        (&plain, None, true),
        (&plain, Some(authority.as_str()), true),
        (&plain, Some("evil.test"), false),
        (&plain, Some("127.0.0.1"), false),
        (&allowing, Some("front.test"), true),
        (&allowing, Some("FRONT.test:80"), true),
        (&allowing, Some("evil.test"), false),
    ] {
        for result in everywhere(layer, &post(&authority, host)).await {
            assert_eq!(result.unwrap(), 200, "{host:?}");
        }
        for (headers, _) in seen.lock().unwrap().drain(..) {
            assert_eq!(headers.contains_key("x-api-key"), arrives, "{host:?}");
            if let Some(host) = host {
                assert_eq!(headers["host"], host);
            }
        }
    }
}

/// An issuer that is never needed, or whose grant frames the message.
struct Issuer;

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Ok(TokenSet::bearer("t1")?.header("content-length", "3")?)
    }
}

/// A store with a record of another program.
struct Forged(&'static str);

impl Store for Forged {
    async fn load(&self, _: &str) -> Result<Option<Record>, BoxError> {
        let text = format!(
            r#"{{"v":1,"generation":9,"access":[["authorization","Bearer t9"],["{}","0"]],"refresh":null}}"#,
            self.0
        );
        Ok(Some(Record::new(Version::from_parts(1, 1), text.into_bytes(), Duration::ZERO)))
    }

    async fn replace(&self, _: &str, _: Option<Version>, _: &NewRecord<'_>) -> Result<Written, BoxError> {
        Ok(Written::Done)
    }
}

#[tokio::test]
async fn no_issuer_and_no_store_cuts_a_body() {
    let (authority, seen) = recorder().await;
    let layer = || {
        RedressLayer::new(dialects::generic())
            .credentials(Issuer, format!("http://{authority}").parse().unwrap())
            .deadline(Duration::from_secs(1))
    };
    let mut layers = vec![layer()];
    for name in ["content-length", "Transfer-Encoding", "HOST", "connection"] {
        layers.push(layer().refresh(|refresh| refresh.store(Forged(name), "key")));
    }
    for layer in layers {
        for result in everywhere(&layer, &post(&authority, None)).await {
            let error = result.unwrap_err();
            assert!(error.is_credentials() || error.is_deadline(), "{error}");
        }
    }
    assert!(seen.lock().unwrap().is_empty());
}
