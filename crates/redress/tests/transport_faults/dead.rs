//! HTTP/2 connections that have died silently, and those that only look so.

use std::time::Duration;

use redress::Phase;

use super::frames::{Act, start};
use super::{PATIENCE, Reqwest, attempt, hyper_h2, layer, request, send};

/// The first connection dies after one answer; all others live.
fn first_dies(connection: usize, nth: usize) -> Act {
    if connection == 0 && nth > 0 { Act::Die } else { Act::Answer }
}

#[tokio::test]
async fn an_attempt_that_a_dead_connection_ate_is_retried_over_another() {
    let (url, log) = start(first_dies).await;
    let layer = layer().attempt_timeout(Duration::from_millis(300));
    let transport = hyper_h2();
    for _ in 0..3 {
        assert_eq!(send(&layer, &transport, request("GET", &url)).await.unwrap(), 200);
    }
    assert_eq!(
        (log.connections(), log.requests().len()),
        (2, 4),
        "the second call was sent twice: {:?}",
        log.requests()
    );
}

#[tokio::test]
async fn a_call_that_must_not_be_repeated_leaves_the_dead_connection_behind() {
    let (url, log) = start(first_dies).await;
    let layer = layer().attempt_timeout(Duration::from_millis(300));
    let transport = hyper_h2();
    assert_eq!(send(&layer, &transport, request("POST", &url)).await.unwrap(), 200);
    let error = send(&layer, &transport, request("POST", &url)).await.expect_err("the connection is dead");
    assert!(error.is_timeout() && error.phase() == Phase::MaybeProcessed, "{error:?}");
    assert_eq!(send(&layer, &transport, request("POST", &url)).await.unwrap(), 200);
    assert_eq!(log.connections(), 2);
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_the_dead_connection_behind() {
    let (url, log) = start(first_dies).await;
    let transport = hyper_h2();
    assert_eq!(attempt(&transport, request("GET", &url)).await.unwrap(), 200);
    let dropped =
        tokio::time::timeout(Duration::from_millis(300), attempt(&transport.clone(), request("GET", &url))).await;
    assert!(dropped.is_err(), "the connection is dead");
    assert_eq!(attempt(&transport, request("GET", &url)).await.unwrap(), 200);
    assert_eq!(log.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_dies_before_its_first_answer_is_left_behind_too() {
    let (url, log) = start(|connection, _| if connection == 0 { Act::Die } else { Act::Answer }).await;
    let layer = layer().attempt_timeout(Duration::from_millis(300));
    assert_eq!(send(&layer, &hyper_h2(), request("GET", &url)).await.unwrap(), 200);
    assert_eq!(log.connections(), 2);
}

#[tokio::test]
async fn a_request_cancelled_on_a_lively_connection_costs_no_connection() {
    let (url, log) = start(|_, nth| if nth == 1 { Act::Ignore } else { Act::Answer }).await;
    let transport = hyper_h2();
    assert_eq!(attempt(&transport, request("GET", &url)).await.unwrap(), 200);
    let slow = tokio::spawn({
        let (transport, request) = (transport.clone(), request("GET", &url));
        async move { attempt(&transport, request).await }
    });
    while log.requests().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(attempt(&transport, request("GET", &url)).await.unwrap(), 200, "a hedge is answered");
    slow.abort();
    assert!(slow.await.is_err_and(|error| error.is_cancelled()));
    assert_eq!(attempt(&transport, request("GET", &url)).await.unwrap(), 200);
    assert_eq!(log.connections(), 1);
}

#[tokio::test]
async fn a_misdirected_request_is_sent_over_another_connection_next() {
    let (url, log) = start(|connection, _| if connection == 0 { Act::Misdirect } else { Act::Answer }).await;
    let transport = hyper_h2();
    assert_eq!(attempt(&transport, request("GET", &url)).await.unwrap(), 421);
    assert_eq!(attempt(&transport, request("GET", &url)).await.unwrap(), 200);
    assert_eq!(log.connections(), 2);
}

#[tokio::test]
async fn pings_find_a_dead_connection_of_reqwest() {
    let (url, log) = start(first_dies).await;
    let quick = Duration::from_millis(100);
    let builder = Reqwest::client_builder().http2_keep_alive_interval(quick).http2_keep_alive_timeout(quick);
    let transport = Reqwest::new(builder.http2_prior_knowledge()).unwrap();
    let calls = async {
        for _ in 0..3 {
            assert_eq!(send(&layer(), &transport, request("GET", &url)).await.unwrap(), 200);
        }
    };
    tokio::time::timeout(PATIENCE, calls).await.expect("no call hangs");
    assert_eq!(log.connections(), 2);
}

#[test]
fn capturing_the_connection_costs_a_request_the_documented_allocations() {
    let mut request = request("GET", "http://api.test");
    let captured = || drop(hyper_util::client::legacy::connect::capture_connection(&mut request));
    assert_eq!(allocation_counter::measure(captured).count_total, 5);
}
