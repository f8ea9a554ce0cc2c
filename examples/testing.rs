//! Tests a program's own code: what it sends, when, and what it makes of failures, without a network and without waiting.
//!
//! ```text
//! cargo run --example testing
//! ```
//!
//! In a program of its own each of the functions below is a `#[tokio::test(start_paused = true)]`: the clock stands still
//! and jumps to the next timer when nothing else is left to do.

use std::time::Duration;

use http::{Request, Response};
use redress::{BoxError, Client, ClientError, RedressLayer, dialects};
use redress_sandbox::strict_mock::{Answer, Handle, StrictMock};
use redress_sandbox::{Fault, Sandbox};

/// The code under test.
struct Inventory {
    client: Client,
}

impl Inventory {
    async fn count(&self, item: &str) -> Result<u32, ClientError> {
        self.client.get(format!("/items/{item}/count")).send().await?.json().await
    }
}

/// An inventory whose server gives these answers, and the handle that tells what was sent.
fn inventory(answers: Vec<Response<String>>) -> Result<(Inventory, Handle<Request<reqwest::Body>>), BoxError> {
    // A call that waits gives its readied service back, on purpose.
    let mock = StrictMock::scripted(answers.into_iter().map(Answer::ok)).allow_abandoned();
    let handle = mock.handle();
    let layer = RedressLayer::new(dialects::generic()).deadline(Duration::from_secs(60));
    let client = Client::with_transport(layer, mock).base_url("https://api.example")?;
    Ok((Inventory { client }, handle))
}

fn limited(seconds: &str) -> Result<Response<String>, http::Error> {
    Response::builder().status(429).header("retry-after", seconds).body(String::new())
}

async fn a_rate_limit_is_waited_out() -> Result<(), BoxError> {
    let (inventory, handle) = inventory(vec![limited("30")?, Response::new("7".to_owned())])?;
    assert_eq!(inventory.count("pear").await?, 7);
    let sent = handle.take();
    assert_eq!(sent.iter().map(|sent| sent.request.uri().path()).collect::<Vec<_>>(), ["/items/pear/count"; 2]);
    assert!(sent[1].at - sent[0].at >= Duration::from_secs(30), "never before the server allows it");
    Ok(())
}

async fn a_wait_beyond_the_deadline_fails_at_once() -> Result<(), BoxError> {
    let (inventory, handle) = inventory(vec![limited("3600")?])?;
    let start = tokio::time::Instant::now();
    let error = inventory.count("pear").await.expect_err("an hour is too long");
    assert_eq!((start.elapsed(), handle.take().len()), (Duration::ZERO, 1));
    assert!(error.retry_at().is_some(), "{error}");
    Ok(())
}

/// The same over a real connection: a sandbox fails as a script says. The clock must run for this one.
async fn a_lost_answer_is_asked_for_again() -> Result<(), BoxError> {
    let server = Sandbox::start_dialect(dialects::generic()).await?;
    server.script("GET /items/pear/count", [Fault::drop(), Fault::answer().body("7")]);
    let client = Client::new(RedressLayer::new(dialects::generic()))?.base_url(server.url())?;
    let count: u32 = client.get("/items/pear/count").send().await?.json().await?;
    assert_eq!((count, server.unused_faults()), (7, 0));
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    a_lost_answer_is_asked_for_again().await?;
    tokio::time::pause();
    a_rate_limit_is_waited_out().await?;
    a_wait_beyond_the_deadline_fails_at_once().await?;
    println!("3 tests passed");
    Ok(())
}
