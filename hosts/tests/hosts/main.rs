//! Each client library over redress: a module per library, one binary for all of them.
//!
//! The waits are real, since there is a socket below: at most 1 s where a server asks for it.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod async_openai;
mod connectrpc;
mod docs;
mod kube;
mod object_store;
mod octocrab;
mod progenitor;
mod reqwest_middleware;
mod server;
mod tonic;

use std::num::NonZeroU32;
use std::time::Duration;

use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use redress::transport::Hyper;
use redress::{Dialect, Jitter, RedressLayer, Schedule};

/// A stack that waits 10 ms where no server asks for more.
fn redress(dialect: Dialect) -> RedressLayer {
    let wait = Duration::from_millis(10);
    let short = Schedule { base: wait, factor: NonZeroU32::MIN, cap: wait };
    RedressLayer::new(dialect)
        .backoff(|backoff| backoff.transient_backoff(short).throttling_backoff(short).jitter(Jitter::None))
}

fn hyper<B>() -> Hyper<HttpConnector, B>
where
    B: http_body::Body + Send + 'static + Unpin,
    B::Data: Send,
    B::Error: Into<redress::BoxError>,
{
    Hyper::new(Client::builder(TokioExecutor::new()).build_http())
}
