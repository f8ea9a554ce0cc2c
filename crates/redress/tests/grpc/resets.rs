//! Every code of `RST_STREAM`, before the head, after it, and after a message.

use h2::Reason;
use redress::{Class, EndReason, Phase};

use super::server::{Answer, MESSAGE, start, status};
use super::{call, end, layer, repeatable, send};

/// The codes of RFC 9113 section 7.
const REASONS: [Reason; 14] = [
    Reason::NO_ERROR,
    Reason::PROTOCOL_ERROR,
    Reason::INTERNAL_ERROR,
    Reason::FLOW_CONTROL_ERROR,
    Reason::SETTINGS_TIMEOUT,
    Reason::STREAM_CLOSED,
    Reason::FRAME_SIZE_ERROR,
    Reason::REFUSED_STREAM,
    Reason::CANCEL,
    Reason::COMPRESSION_ERROR,
    Reason::CONNECT_ERROR,
    Reason::ENHANCE_YOUR_CALM,
    Reason::INADEQUATE_SECURITY,
    Reason::HTTP_1_1_REQUIRED,
];

#[tokio::test]
async fn a_reset_before_the_head_is_retried_if_it_was_refused_or_the_call_may_be_repeated() {
    for reason in REASONS {
        let is_refused = reason == Reason::REFUSED_STREAM;
        for (is_repeatable, requests) in [(false, if is_refused { 2 } else { 1 }), (true, 2)] {
            let (url, log) = start(vec![Answer::Reset(reason), Answer::Message(status(0))]).await;
            let fast = layer().backoff(|backoff| backoff.throttling_backoff(super::one_ms()));
            let outcome = send(&fast, if is_repeatable { repeatable(&url) } else { call(&url) }).await;
            assert_eq!(log.len(), requests, "{reason:?}, repeatable: {is_repeatable}");
            let expected = if requests == 2 { EndReason::Success } else { EndReason::NotIdempotent };
            assert_eq!(end(&outcome), Some(expected), "{reason:?}");
            if let Err(error) = outcome {
                let is_limited = reason == Reason::ENHANCE_YOUR_CALM;
                let class = if is_limited { Class::RateLimited } else { Class::Unavailable };
                assert_eq!((error.phase(), error.class()), (Phase::MaybeProcessed, class), "{reason:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_reset_after_the_head_may_have_been_processed_whatever_its_code() {
    for reason in REASONS {
        for (is_repeatable, requests) in [(false, 1), (true, 2)] {
            let (url, log) = start(vec![Answer::ResetAfterHead(reason), Answer::Message(status(0))]).await;
            let outcome = send(&layer(), if is_repeatable { repeatable(&url) } else { call(&url) }).await;
            if reason == Reason::NO_ERROR {
                // hyper takes it for the end of the body (RFC 9113 section 8.1): a response without a message.
                assert!(outcome.is_ok() && log.len() == 1);
                continue;
            }
            assert_eq!(log.len(), requests, "{reason:?}, repeatable: {is_repeatable}");
            let expected = if is_repeatable { EndReason::Success } else { EndReason::NotIdempotent };
            assert_eq!(end(&outcome), Some(expected), "{reason:?}");
        }
    }
}

#[tokio::test]
async fn a_reset_after_a_message_comes_up_as_an_error_of_the_body() {
    for reason in REASONS {
        let (url, log) = start(vec![Answer::ResetAfterMessage(reason)]).await;
        let answered = send(&layer(), repeatable(&url)).await.expect("a message has come");
        assert_eq!((log.len(), answered.verdict.is_none()), (1, true), "{reason:?}");
        // h2 may drop a message that is followed by a reset at once.
        assert!(answered.is_cut || answered.data == MESSAGE, "{reason:?}");
    }
}
