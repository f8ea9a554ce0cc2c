//! A request goes where its credentials were meant to go, or nowhere.

use std::sync::{Arc, Mutex};

use http::{HeaderValue, Request, Uri};
use hyper_util::rt::TokioExecutor;
use redress::{ForeignHost, TransportError};

use super::{attempt, chain, hyper, hyper_h2, reqwest, reqwest_h2, start};

/// The authority of the URI and the `Host` header, as a request came in.
type Seen = Arc<Mutex<Vec<(Option<String>, Option<String>)>>>;

/// A server that keeps where each request was meant to go.
async fn recorder() -> (String, Seen) {
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let authority = start(move |request| {
        let host = request.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
        log.lock().unwrap().push((request.uri().authority().map(ToString::to_string), host));
        async {}
    });
    (authority.await, seen)
}

/// Sends a request over each adapter, over HTTP/1.1 and HTTP/2.
async fn everywhere(request: &Request<String>) -> [Result<u16, TransportError>; 4] {
    [
        attempt(&hyper(), request.clone()).await,
        attempt(&reqwest(), request.clone()).await,
        attempt(&hyper_h2(), request.clone()).await,
        attempt(&reqwest_h2(), request.clone()).await,
    ]
}

fn to(uri: &str, host: Option<&str>, secret: bool) -> Request<String> {
    let mut request = Request::get(uri).body(String::new()).unwrap();
    if let Some(host) = host {
        request.headers_mut().insert("host", host.parse().unwrap());
    }
    let mut key = HeaderValue::from_static("s3cret");
    key.set_sensitive(secret);
    request.headers_mut().insert("x-api-key", key);
    request
}

#[tokio::test]
async fn credentials_beside_a_foreign_host_are_not_sent_and_both_hosts_are_named() {
    let (authority, seen) = recorder().await;
    for host in ["evil.test", "evil.test:80", "127.0.0.1", "127.0.0.1:1", "user@evil.test", "", "a b", "localhost"] {
        for result in everywhere(&to(&format!("http://{authority}/x"), Some(host), true)).await {
            let error = result.expect_err(host);
            let text = chain(&error);
            let named = host.rsplit('@').next().unwrap();
            assert!(error.is_request() && text.contains(&authority) && text.contains(named), "{text}");
            assert!(!text.contains("s3cret") && !text.contains("user"), "{text}");
        }
    }
    let two = |first: &str, second: &str| {
        let mut request = to(&format!("http://{authority}/x"), Some(first), true);
        request.headers_mut().append("host", second.parse().unwrap());
        request
    };
    for request in [two(&authority, "evil.test"), two("evil.test", &authority)] {
        assert!(everywhere(&request).await.iter().all(Result::is_err), "{request:?}");
    }
    assert_eq!(seen.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_foreign_host_is_legal_without_credentials_or_where_it_was_checked() {
    let (authority, seen) = recorder().await;
    let uri = format!("http://{authority}/x");
    let mut checked = to(&uri, Some("other.test"), true);
    checked.extensions_mut().insert(ForeignHost);
    for request in [to(&uri, Some("other.test"), false), checked] {
        for result in everywhere(&request).await {
            assert_eq!(result.unwrap(), 200);
        }
        for (_, host) in seen.lock().unwrap().drain(..) {
            assert_eq!(host.as_deref(), Some("other.test"));
        }
    }
    let same = to(&uri, Some(&authority), true);
    assert!(everywhere(&same).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn without_a_host_header_the_authority_of_the_uri_is_sent() {
    let (authority, seen) = recorder().await;
    for user in ["", "user@", "user:pass@"] {
        for result in everywhere(&to(&format!("http://{user}{authority}/x"), None, true)).await {
            assert_eq!(result.unwrap(), 200);
        }
        for (sent, host) in seen.lock().unwrap().drain(..) {
            assert_eq!(sent.or(host), Some(authority.clone()), "no user is sent");
        }
    }
}

#[tokio::test]
async fn a_user_of_the_uri_does_not_reach_the_pool() {
    let (authority, seen) = recorder().await;
    let asked = Arc::<Mutex<Vec<Uri>>>::default();
    let log = Arc::clone(&asked);
    let mut http = hyper_util::client::legacy::connect::HttpConnector::new();
    let connector = tower::service_fn(move |uri: Uri| {
        log.lock().unwrap().push(uri.clone());
        tower::Service::call(&mut http, uri)
    });
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
    let transport = redress::transport::Hyper::new(client);
    for user in ["", "user:pass@", "other@"] {
        assert_eq!(attempt(&transport, to(&format!("http://{user}{authority}/x"), None, true)).await.unwrap(), 200);
    }
    let asked: Vec<_> = asked.lock().unwrap().iter().map(ToString::to_string).collect();
    assert!(!asked.is_empty() && asked.iter().all(|uri| !uri.contains('@')), "{asked:?}");
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_host_that_reqwest_would_read_otherwise_is_refused_by_name() {
    let (authority, seen) = recorder().await;
    let port = authority.rsplit(':').next().unwrap();
    for host in ["0x7f.1", "127.1", "2130706433", "0177.0.0.1", "%6cocalhost"] {
        let Ok(uri) = format!("http://{host}:{port}/x").parse::<Uri>() else { continue };
        let error = attempt(&reqwest(), to(&uri.to_string(), None, true)).await.expect_err(host);
        let text = chain(&error);
        assert!(error.is_request() && text.contains(host), "{text}");
        assert!(text.contains("127.0.0.1") || text.contains("localhost"), "{text}");
    }
    assert_eq!(seen.lock().unwrap().len(), 0);
}

#[test]
fn a_path_that_moves_the_host_cannot_be_built() {
    for path in ["@evil.test/x", ":80@evil.test/", ".evil.test/", "*@evil.test/", "evil"] {
        let built = Uri::builder().scheme("http").authority("localhost:1").path_and_query(path).build();
        assert!(built.is_err(), "{built:?}");
    }
}
