//! The group `loopback`: what is left of hyper's speed over real connections, for the whole stack and its peers.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use redress::transport::Hyper;
use redress::{Redress, StaticHeaders, dialects};
use reqwest_middleware::ClientWithMiddleware;
use reqwest_retry::RetryTransientMiddleware;
use reqwest_retry::policies::ExponentialBackoff;
use tower::timeout::Timeout;
use tower_layer::Layer;

use super::{Claim, Subject};
use crate::loopback::{Client, Loopback};
use crate::measure::Case;
use crate::measure::busy;
use crate::peers::tower::{Attempts, retry};
use crate::stacks;

/// The client that all but reqwest's share.
const BASE: &str = "hyper";
const OURS: &str = "full";
/// How much of hyper's speed must be left.
const LEFT: f64 = 0.95;
/// How many requests are sent at a time.
const LEVELS: [(&str, u64); 2] = [("in_flight_1", 1), ("in_flight_64", 64)];
/// Long enough for some hundred requests.
const SLICE: Duration = Duration::from_millis(10);
/// Over so many requests allocations are counted: hyper grows its buffers as it goes.
const COUNTED: u64 = 512;

type Plain = legacy::Client<HttpConnector, Full<Bytes>>;

pub(super) fn subjects() -> Vec<Subject> {
    LEVELS.into_iter().map(|(name, in_flight)| Subject { name, cases: cases(in_flight) }).collect()
}

/// The whole stack loses five percent at most.
pub(super) fn claims() -> Vec<Claim> {
    LEVELS.into_iter().map(|(subject, _)| Claim { subject, fast: OURS, slow: BASE, times: LEFT }).collect()
}

/// Each case has a server of its own. Nobody waits for anybody else on its one thread, so that the time in which the thread
/// works is all the time there is.
fn cases(in_flight: u64) -> Vec<Case> {
    vec![
        case(BASE, in_flight, |loopback| loopback.tower(hyper())),
        case("tower_retry_timeout", in_flight, |loopback| {
            loopback.tower(retry(Attempts::unbounded(), Timeout::new(hyper(), Duration::from_secs(5))))
        }),
        case(OURS, in_flight, |loopback| loopback.authorizing(full(&loopback.origin()))),
        case("reqwest", in_flight, |loopback| loopback.reqwest(reqwest())),
        case("reqwest_middleware", in_flight, |loopback| loopback.middleware(middleware())),
    ]
}

fn case<C: Client>(name: &'static str, in_flight: u64, client: impl Fn(&Loopback) -> C) -> Case {
    let loopback = Rc::new(Loopback::new());
    let client = client(&loopback);
    let (counted, counting) = (Rc::clone(&loopback), client.clone());
    let time = move |requests| busy(|| loopback.send(&client, requests, in_flight));
    let count = move || {
        counted.send(&counting, COUNTED, in_flight);
        let all = allocation_counter::measure(|| counted.send(&counting, COUNTED, in_flight));
        (all.count_total + COUNTED / 2) / COUNTED
    };
    Case::timed(name, time, count).slice(SLICE)
}

fn hyper() -> Plain {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    legacy::Client::builder(TokioExecutor::new()).build(connector)
}

/// The whole stack: budget, deadline, a token, the dialect.
fn full(origin: &str) -> Redress<Hyper<HttpConnector, Full<Bytes>>> {
    let origin = origin.parse().expect("a legal origin");
    let layer = stacks::layer(dialects::veridia(), StaticHeaders::new()).credentials(StaticHeaders::new(), origin);
    layer.tokens().install(stacks::token());
    layer.layer(Hyper::new(hyper()))
}

fn reqwest() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("legal settings")
}

fn middleware() -> ClientWithMiddleware {
    let policy = ExponentialBackoff::builder().build_with_max_retries(3);
    let retry = RetryTransientMiddleware::new_with_policy(policy);
    reqwest_middleware::ClientBuilder::new(reqwest()).with(retry).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_carries_a_token_and_the_stack_puts_it_there_by_itself() {
        let loopback = Loopback::new();
        loopback.send(&loopback.authorizing(hyper()), 3, 1);
        assert_eq!(loopback.served().authorized(), 0);
        loopback.send(&loopback.authorizing(full(&loopback.origin())), 130, 64);
        loopback.send(&loopback.tower(hyper()), 7, 1);
        loopback.send(&loopback.reqwest(reqwest()), 7, 1);
        loopback.send(&loopback.middleware(middleware()), 7, 1);
        assert_eq!(loopback.served().authorized(), 130 + 3 * 7);
    }

    #[test]
    fn connections_are_kept() {
        let loopback = Loopback::new();
        let client = loopback.authorizing(full(&loopback.origin()));
        loopback.send(&client, 200, 1);
        let alone = loopback.served().connections();
        assert!(alone <= 3, "{alone} connections, one request at a time");
        loopback.send(&client, 2000, 64);
        let all = loopback.served().connections();
        assert!((32..=140).contains(&all), "{all} connections, 64 requests at a time");
    }
}
