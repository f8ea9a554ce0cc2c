//! The group `loopback`: what is left of hyper's speed over real connections, for the whole stack and its peers.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use redress::transport::{Hyper, Reqwest};
use redress::{RedressLayer, StaticHeaders, dialects};
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
use crate::requests::Kind;
use crate::stacks;

/// The client that all but reqwest's share.
const BASE: &str = "hyper";
const OURS: &str = "full";
const TOWER: &str = "tower_retry_timeout";
const REQWEST: &str = "reqwest";
const OVER_REQWEST: &str = "full_reqwest";
/// How many requests are sent at a time.
const LEVELS: [(&str, u64); 2] = [("in_flight_1", 1), ("in_flight_64", 64)];
/// How much of the speed of another must be left: of tower's with one request at a time, of hyper's with many, and of reqwest's where
/// reqwest is the transport, whose adapter parses the URI again.
const LEFT: [(&str, &str, &str, f64); 3] = [
    ("in_flight_1", OURS, TOWER, 0.98),
    ("in_flight_64", OURS, BASE, 0.96),
    ("in_flight_1", OVER_REQWEST, REQWEST, 0.94),
];
/// Long enough for some hundred requests.
const SLICE: Duration = Duration::from_millis(10);
/// Over so many requests allocations are counted: hyper grows its buffers as it goes.
const COUNTED: u64 = 512;

type Plain = legacy::Client<HttpConnector, Full<Bytes>>;

pub(super) fn subjects() -> Vec<Subject> {
    let subject = |(level, in_flight), kind| Subject { name: name(level, kind), cases: cases(kind, in_flight) };
    LEVELS.into_iter().flat_map(|level| Kind::ALL.map(|kind| subject(level, kind))).collect()
}

pub(super) fn claims() -> Vec<Claim> {
    let claim = |(level, fast, slow, times), kind| Claim { subject: name(level, kind), fast, slow, times };
    LEFT.into_iter().flat_map(|left| Kind::ALL.map(|kind| claim(left, kind))).collect()
}

/// The names of the run, a few bytes each.
fn name(level: &str, kind: Kind) -> &'static str {
    format!("{level}_{}", kind.name()).leak()
}

/// `adapter` is the transport of the stack without any layer. Each case has a server of its own. All of them share one thread and
/// never wait for another one, so that the time in which the thread works is all the time there is.
fn cases(kind: Kind, in_flight: u64) -> Vec<Case> {
    vec![
        case(BASE, in_flight, |loopback| loopback.tower(kind, hyper())),
        case(TOWER, in_flight, |loopback| {
            loopback.tower(kind, retry(Attempts::unbounded(), Timeout::new(hyper(), Duration::from_secs(5))))
        }),
        case("adapter", in_flight, |loopback| loopback.tower(kind, Hyper::new(hyper()))),
        case(OURS, in_flight, |loopback| {
            loopback.authorizing(kind, full(loopback).without_attempt_timeout().layer(Hyper::new(hyper())))
        }),
        case("full_timeouts", in_flight, |loopback| {
            let timeout = Duration::from_secs(5);
            loopback.authorizing(kind, full(loopback).attempt_timeout(timeout).layer(Hyper::new(hyper())))
        }),
        case(REQWEST, in_flight, |loopback| loopback.reqwest(kind, reqwest())),
        case("reqwest_middleware", in_flight, |loopback| loopback.middleware(kind, middleware())),
        case(OVER_REQWEST, in_flight, |loopback| {
            let transport = Reqwest::new(reqwest::Client::builder().no_proxy()).expect("legal settings");
            loopback.authorizing(kind, full(loopback).without_attempt_timeout().layer(transport))
        }),
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
fn full(loopback: &Loopback) -> RedressLayer {
    let origin = loopback.origin().parse().expect("a legal origin");
    let layer = stacks::settings(dialects::veridia(), StaticHeaders::new(), origin);
    layer.tokens().install(stacks::token());
    layer
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
    use redress::Redress;

    use super::*;

    fn over_hyper(loopback: &Loopback) -> Redress<Hyper<HttpConnector, Full<Bytes>>> {
        full(loopback).layer(Hyper::new(hyper()))
    }

    #[test]
    fn every_request_carries_a_token_and_the_stack_puts_it_there_by_itself() {
        let loopback = Loopback::new();
        for (nth, kind) in (1..).zip(Kind::ALL) {
            loopback.send(&loopback.authorizing(kind, hyper()), 3, 1);
            loopback.send(&loopback.authorizing(kind, over_hyper(&loopback)), 130, 64);
            loopback.send(&loopback.tower(kind, hyper()), 7, 1);
            loopback.send(&loopback.reqwest(kind, reqwest()), 7, 1);
            loopback.send(&loopback.middleware(kind, middleware()), 7, 1);
            assert_eq!(loopback.served().authorized(), nth * (130 + 3 * 7));
        }
    }

    #[test]
    fn connections_are_kept() {
        let loopback = Loopback::new();
        let client = loopback.authorizing(Kind::Static, over_hyper(&loopback));
        loopback.send(&client, 200, 1);
        let alone = loopback.served().connections();
        assert!(alone <= 3, "{alone} connections, one request at a time");
        loopback.send(&client, 2000, 64);
        let all = loopback.served().connections();
        assert!((32..=140).contains(&all), "{all} connections, 64 requests at a time");
    }
}
