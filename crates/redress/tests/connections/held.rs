//! A success whose body breaks off while it may still signal an error.

use std::num::NonZeroU32;
use std::time::Duration;

use http::Method;
use redress::{EndReason, Phase, RedressLayer, Schedule, dialects};

use super::server::{Fault, start};
use super::{both, request};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

/// Returns an answer that ends before it should.
fn cut(framing: &str) -> Fault {
    Fault::Close(format!("{HEAD}{framing}").leak())
}

#[tokio::test]
async fn a_held_success_that_breaks_off_is_a_failure_and_sent_again_only_if_that_is_safe() {
    let ms = Duration::from_millis(1);
    let quick = Schedule { base: ms, factor: NonZeroU32::MIN, cap: ms };
    let layer = RedressLayer::new(dialects::vlens()).backoff(|backoff| backoff.transient_backoff(quick));
    for framing in [
        "content-length: 100\r\n\r\n",
        "content-length: 100\r\n\r\n{\"data\":",
        "transfer-encoding: chunked\r\n\r\n8\r\n{\"data\":\r\n",
    ] {
        let (url, effects) = start(cut(framing), std::sync::mpsc::channel().0).await;
        for (method, sends, stop) in
            [(Method::POST, 1, EndReason::NotIdempotent), (Method::GET, 3, EndReason::MaxAttempts)]
        {
            for result in both(&layer, &request(method.as_str(), &url)).await {
                let error = result.expect_err("the answer broke off");
                assert!(error.is_transport() && error.phase() == Phase::MaybeProcessed, "{framing:?} {error:?}");
                assert_eq!(error.record().map(redress::Record::end_reason), Some(stop), "{framing:?} {method}");
            }
            assert_eq!(effects.take(), vec![method; 2 * sends], "{framing:?}");
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_and_was_not_held_is_left_to_the_caller() {
    for framing in ["content-length: 100\r\n\r\n{\"data\":"] {
        let (url, effects) = start(cut(framing), std::sync::mpsc::channel().0).await;
        for result in both(&RedressLayer::new(dialects::veridia()), &request("GET", &url)).await {
            assert_eq!(result.ok(), Some(200));
        }
        assert_eq!(effects.take(), vec![Method::GET; 2]);
    }
}
