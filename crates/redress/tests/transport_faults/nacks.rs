//! Statements of an HTTP/2 server about requests that it does not answer.

use redress::TransportError;
use redress::{Class, EndReason, Phase};

use super::frames::{Act, CANCEL, ENHANCE_YOUR_CALM, INTERNAL_ERROR, Log, NO_ERROR, REFUSED_STREAM, start};
use super::{attempt, chain, hyper_h2, layer, request, reqwest_h2, send};

/// Sends one POST over each adapter alone.
async fn both(script: fn(usize, usize) -> Act) -> [TransportError; 2] {
    let (url, _) = start(script).await;
    let hyper = attempt(&hyper_h2(), request("POST", &url)).await.expect_err("no answer");
    let (url, _) = start(script).await;
    let reqwest = attempt(&reqwest_h2(), request("POST", &url)).await.expect_err("no answer");
    [hyper, reqwest]
}

/// Sends one POST through a stack over each adapter.
async fn both_stacks(script: fn(usize, usize) -> Act) -> [(Result<u16, redress::Error>, Log); 2] {
    let (url, log) = start(script).await;
    let hyper = (send(&layer(), &hyper_h2(), request("POST", &url)).await, log);
    let (url, log) = start(script).await;
    [hyper, (send(&layer(), &reqwest_h2(), request("POST", &url)).await, log)]
}

#[tokio::test]
async fn a_stream_above_the_last_of_a_goaway_was_not_processed_whatever_the_code() {
    for script in [
        (|_, _| Act::GoAway(0, NO_ERROR)) as fn(usize, usize) -> Act,
        |_, _| Act::GoAway(0, INTERNAL_ERROR),
        |_, _| Act::GoAway(0, ENHANCE_YOUR_CALM),
    ] {
        for error in both(script).await {
            assert_eq!(error.phase(), Phase::NotSent, "{}", chain(&error));
        }
    }
}

#[tokio::test]
async fn a_stream_at_or_below_the_last_of_a_goaway_may_have_been_processed() {
    for script in [
        (|_, _| Act::GoAway(1, NO_ERROR)) as fn(usize, usize) -> Act,
        |_, _| Act::GoAway(1, INTERNAL_ERROR),
        |_, _| Act::GoAway(0x7fff_ffff, NO_ERROR),
        |_, _| Act::GoAway(1, ENHANCE_YOUR_CALM),
    ] {
        for error in both(script).await {
            assert_eq!(error.phase(), Phase::MaybeProcessed, "{}", chain(&error));
        }
        for (result, log) in both_stacks(script).await {
            let error = result.expect_err("no answer");
            assert_eq!(
                error.record().map(redress::Record::end_reason),
                Some(EndReason::NotIdempotent),
                "{}",
                chain(&error)
            );
            assert_eq!(log.requests().len(), 1, "{}", chain(&error));
        }
    }
}

#[tokio::test]
async fn a_goaway_tells_two_streams_of_one_connection_apart() {
    // The first request is left alone until the second one comes.
    let (url, log) = start(|_, nth| if nth == 0 { Act::Ignore } else { Act::GoAway(1, NO_ERROR) }).await;
    let transport = hyper_h2();
    let below = tokio::spawn({
        let (transport, request) = (transport.clone(), request("POST", &url));
        async move { attempt(&transport, request).await }
    });
    while log.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let above = attempt(&transport, request("POST", &url)).await.expect_err("it is refused");
    let below = below.await.unwrap().expect_err("its connection closed");
    assert_eq!(log.requests(), [(0, 1), (0, 3)]);
    assert_eq!((above.phase(), below.phase()), (Phase::NotSent, Phase::MaybeProcessed), "{above:?} {below:?}");
}

#[tokio::test]
async fn a_post_that_a_server_on_its_way_out_did_not_take_goes_to_the_next_connection() {
    let goes = |connection: usize, _: usize| if connection == 0 { Act::GoAway(0, NO_ERROR) } else { Act::Answer };
    let refuses = |connection: usize, _: usize| if connection == 0 { Act::Reset(REFUSED_STREAM) } else { Act::Answer };
    let refuses_one = |_: usize, nth: usize| if nth == 0 { Act::Reset(REFUSED_STREAM) } else { Act::Answer };
    for (name, script, connections) in
        [("goaway", goes as fn(usize, usize) -> Act, 2), ("refused once", refuses_one, 1)]
    {
        for (result, log) in both_stacks(script).await {
            assert_eq!(result.expect(name), 200);
            assert_eq!((log.requests().len(), log.connections()), (2, connections), "{name}");
        }
    }
    for (result, log) in both_stacks(refuses).await {
        let error = result.expect_err("each stream of the connection is refused");
        assert_eq!((error.phase(), log.requests().len()), (Phase::NotSent, 3), "each attempt is the stack's own");
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_may_have_been_processed_unless_it_was_refused() {
    for (script, phase) in [
        ((|_, _| Act::Reset(REFUSED_STREAM)) as fn(usize, usize) -> Act, Phase::NotSent),
        (|_, _| Act::Reset(INTERNAL_ERROR), Phase::MaybeProcessed),
        (|_, _| Act::Reset(CANCEL), Phase::MaybeProcessed),
        (|_, _| Act::Reset(NO_ERROR), Phase::MaybeProcessed),
        (|_, _| Act::Reset(ENHANCE_YOUR_CALM), Phase::MaybeProcessed),
    ] {
        for error in both(script).await {
            assert_eq!(error.phase(), phase, "{}", chain(&error));
        }
    }
}

#[tokio::test]
async fn a_server_that_asks_for_calm_is_rate_limited() {
    for script in
        [(|_, _| Act::Reset(ENHANCE_YOUR_CALM)) as fn(usize, usize) -> Act, |_, _| Act::GoAway(0, ENHANCE_YOUR_CALM)]
    {
        for (result, _) in both_stacks(script).await {
            let error = result.expect_err("no answer");
            assert_eq!(error.class(), Class::RateLimited, "{}", chain(&error));
        }
    }
}
