//! reqwest-middleware: the stack as a middleware, and below one as a transport.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::Extensions;
use redress::transport::Reqwest;
use redress::{Idempotent, ResponseExt, dialects};
use redress_hosts::{MiddlewareTransport, RedressMiddleware};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use reqwest_retry::RetryTransientMiddleware;
use reqwest_retry::policies::ExponentialBackoff;
use tower::{Layer, ServiceExt};

use crate::redress;
use crate::server::{Answer, Server};

fn client() -> ClientWithMiddleware {
    let (redress, client) = (redress(dialects::generic()), Reqwest::client_builder().build().unwrap());
    // docs: reqwest-middleware
    let redress = RedressMiddleware::new(redress).without_redirects();
    let client = ClientBuilder::new(client).with(redress).build();
    // docs: end
    client
}

/// The client with the retries of reqwest-retry, which wait 1 ms.
fn client_of_reqwest_retry() -> ClientWithMiddleware {
    let wait = Duration::from_millis(1);
    let policy = ExponentialBackoff::builder().retry_bounds(wait, wait).build_with_max_retries(2);
    let retry = RetryTransientMiddleware::new_with_policy(policy);
    ClientBuilder::new(Reqwest::client_builder().build().unwrap()).with(retry).build()
}

#[tokio::test]
async fn a_429_is_repeated_after_its_retry_after() {
    let server = Server::start([Answer::retry_after(1), Answer::new(200).body("done")]).await;
    let response = client().post(server.url()).body("order").send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.url().as_str()), (200, format!("{}/", server.url()).as_str()));
    assert_eq!(response.text().await.unwrap(), "done");
    assert_eq!((server.count(), server.pause()), (2, 1));
    assert!(server.arrivals().iter().all(|arrival| arrival.body == "order"));
}

/// reqwest-middleware #146: reqwest-retry does not read `Retry-After`, and is at the server too early.
#[tokio::test]
async fn issue_146_reqwest_retry_comes_back_before_its_retry_after() {
    let server = Server::start([Answer::retry_after(1), Answer::new(200)]).await;
    client_of_reqwest_retry().get(server.url()).send().await.unwrap();
    assert_eq!((server.count(), server.pause()), (2, 0));
}

#[tokio::test]
async fn a_503_is_repeated() {
    let server = Server::start([Answer::new(503), Answer::new(200)]).await;
    let response = client().get(server.url()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let response = http::Response::<reqwest::Body>::from(response);
    assert_eq!(response.record().map(|record| record.attempts().len()), Some(2));
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_post_that_may_have_been_processed_arrives_once() {
    let server = Server::start([Answer::new(503)]).await;
    let response = client().post(server.url()).body("order").send().await.unwrap();
    assert_eq!((response.status().as_u16(), server.count()), (503, 1));
    // reqwest-retry sends it again, on its default strategy.
    let server = Server::start([Answer::new(503)]).await;
    client_of_reqwest_retry().post(server.url()).body("order").send().await.unwrap();
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn extensions_of_a_request_reach_the_stack() {
    let server = Server::start([Answer::new(503), Answer::new(200)]).await;
    let request = client().post(server.url()).body("order").with_extension(Idempotent(true));
    assert_eq!((request.send().await.unwrap().status().as_u16(), server.count()), (200, 2));
}

#[tokio::test]
async fn an_error_body_comes_up_byte_for_byte() {
    let body = b"{\"error\": \"no such order\", \"raw\": \"\xff\x00\"}\r\n ";
    let server = Server::start([Answer::new(404).body(&body[..])]).await;
    let response = client().get(server.url()).send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.bytes().await.unwrap(), &body[..]);
}

#[tokio::test]
async fn a_long_body_in_memory_is_sent_again() {
    let server = Server::start([Answer::retry_after(0), Answer::new(200)]).await;
    let image = vec![7_u8; 1 << 20];
    client().put(server.url()).body(image.clone()).send().await.unwrap();
    assert!(server.count() == 2 && server.arrivals().iter().all(|arrival| arrival.body == image));
}

#[tokio::test]
async fn without_a_response_the_error_of_the_stack_is_inside() {
    let error = client().get("http://127.0.0.1:1/").send().await.unwrap_err();
    let reqwest_middleware::Error::Middleware(error) = error else { panic!("{error}") };
    let error = error.downcast_ref::<redress::Error>().expect("it is the stack's");
    assert!(error.is_connect());
    assert!(error.record().expect("it was tried again").attempts().len() > 1);
}

/// Counts the requests that pass, in the extensions of the chain too.
#[derive(Clone, Default)]
struct Counter {
    count: Arc<AtomicUsize>,
    /// Whether it reads the body, as a middleware does that signs requests.
    in_memory: bool,
}

#[derive(Clone, Copy)]
struct Passed(usize);

#[async_trait]
impl Middleware for Counter {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let passed = extensions.get::<Passed>().map_or(0, |passed| passed.0);
        extensions.insert(Passed(passed + 1));
        assert!(!self.in_memory || request.body().is_some_and(|body| body.as_bytes().is_some()));
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn a_middleware_above_sees_one_call_and_one_below_each_attempt() {
    let server = Server::start([Answer::retry_after(0), Answer::retry_after(0), Answer::new(200)]).await;
    let (above, below) = (Counter::default(), Counter { in_memory: true, ..Counter::default() });
    let redress = RedressMiddleware::new(redress(dialects::generic()));
    let client = reqwest::Client::new();
    let client = ClientBuilder::new(client).with(above.clone()).with(redress).with(below.clone()).build();
    let mut extensions = Extensions::new();
    let request = client.post(server.url()).body("order").build().unwrap();
    let response = client.execute_with_extensions(request, &mut extensions).await.unwrap();
    assert_eq!(response.status(), 200);
    let counts = [above.count, below.count].map(|counter| counter.load(Ordering::Relaxed));
    assert_eq!(counts, [1, 3]);
    assert_eq!(extensions.get::<Passed>().map(|passed| passed.0), Some(4), "each attempt has those of the one before");
}

#[tokio::test]
async fn below_the_stack_a_client_with_middleware_sees_each_attempt() {
    let server = Server::start([Answer::new(503), Answer::new(200)]).await;
    let counter = Counter::default();
    let client = ClientBuilder::new(reqwest::Client::new()).with(counter.clone()).build();
    let redress = redress(dialects::generic());
    // docs: reqwest-middleware below
    let stack = redress.layer(MiddlewareTransport::new(client));
    // docs: end
    let request = http::Request::put(server.url()).body("order".to_owned()).unwrap();
    assert_eq!(stack.oneshot(request).await.unwrap().status(), 200);
    assert_eq!((server.count(), counter.count.load(Ordering::Relaxed)), (2, 2));
}

#[tokio::test]
async fn a_connection_that_was_refused_proves_nothing_after_a_redirect() {
    for (may_redirect, attempts) in [(true, 1), (false, 3)] {
        let client = ClientBuilder::new(Reqwest::client_builder().build().unwrap()).build();
        let transport = MiddlewareTransport::new(client);
        let transport = if may_redirect { transport } else { transport.without_redirects() };
        let request = http::Request::post("http://127.0.0.1:1/").body(String::new()).unwrap();
        let error = redress(dialects::generic()).layer(transport).oneshot(request).await.unwrap_err();
        assert_eq!(error.record().map_or(1, |record| record.attempts().len()), attempts);
    }
}
