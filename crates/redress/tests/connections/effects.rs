//! A request that may have been processed is sent again only where a second effect does no harm.

use std::sync::mpsc;

use http::Method;
use redress::{Budget, Class, EndReason, Idempotent, Phase};

use super::server::{Fault, start};
use super::{both, layer, request};

/// All the ways in which a connection ends that has begun, and how they are called.
const ENDS: [(&str, Fault); 9] = [
    ("reset behind the request", Fault::Reset),
    ("no byte", Fault::Close("")),
    ("one byte", Fault::Close("H")),
    ("cut in the version", Fault::Close("HTTP/1.")),
    ("cut in the status", Fault::Close("HTTP/1.1 20")),
    ("cut behind the status line", Fault::Close("HTTP/1.1 200 OK\r\n")),
    ("cut in the name of a header", Fault::Close("HTTP/1.1 200 OK\r\ncontent-le")),
    ("cut in the value of a header", Fault::Close("HTTP/1.1 503 No\r\nretry-after: 1")),
    ("cut before the empty line", Fault::Close("HTTP/1.1 429 Slow\r\nretry-after: 1\r\n\r")),
];

#[tokio::test(start_paused = true)]
async fn a_post_whose_connection_ends_is_never_processed_twice() {
    for (name, fault) in ENDS {
        let (url, effects) = start(fault, mpsc::channel().0).await;
        for result in both(&layer(), &request("POST", &url)).await {
            let error = result.expect_err(name);
            assert_eq!(
                (error.phase(), error.class()),
                (Phase::MaybeProcessed, Class::Unavailable),
                "{name}: {error:?}"
            );
            assert!(error.is_transport() && !error.is_connect() && !error.is_timeout(), "{name}: {error:?}");
            let record = error.record().expect("an error has one");
            assert_eq!((record.attempts().len(), record.end_reason()), (1, EndReason::NotIdempotent), "{name}");
        }
        assert_eq!(effects.take(), [Method::POST, Method::POST], "{name}: one over each adapter");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_safe_to_repeat_are_retried_up_to_the_maximum_of_attempts() {
    let opted_in = |url: &str| {
        let mut request = request("POST", url);
        request.extensions_mut().insert(Idempotent(true));
        request
    };
    let keyed = |url: &str| {
        let mut request = request("POST", url);
        request.headers_mut().insert("idempotency-key", "\"k1\"".parse().unwrap());
        request
    };
    for (name, fault) in ENDS {
        let (url, effects) = start(fault, mpsc::channel().0).await;
        for asked in [request("GET", &url), request("PUT", &url), request("DELETE", &url), opted_in(&url), keyed(&url)]
        {
            let method = asked.method().clone();
            for result in both(&layer(), &asked).await {
                let error = result.expect_err(name);
                assert_eq!(error.phase(), Phase::MaybeProcessed, "{method}, {name}: {error:?}");
                let record = error.record().expect("an error has one");
                assert_eq!(
                    (record.attempts().len(), record.end_reason()),
                    (3, EndReason::MaxAttempts),
                    "{method}, {name}"
                );
            }
            assert_eq!(effects.take(), vec![method; 6], "{name}: three over each adapter");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_marked_as_not_idempotent_is_sent_once_whatever_its_method() {
    for (name, fault) in ENDS {
        let (url, effects) = start(fault, mpsc::channel().0).await;
        let mut request = request("PUT", &url);
        request.extensions_mut().insert(Idempotent(false));
        assert!(both(&layer(), &request).await.iter().all(Result::is_err), "{name}");
        assert_eq!(effects.take(), [Method::PUT, Method::PUT], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_reset_before_the_request_was_read_is_judged_by_the_phase_that_the_client_reports() {
    let (url, effects) = start(Fault::ResetUnread, mpsc::channel().0).await;
    for method in ["POST", "GET"] {
        let budget = Budget::new();
        let layer = layer().backoff(|backoff| backoff.budget(budget.clone()));
        for result in both(&layer, &request(method, &url)).await {
            let error = result.expect_err("no response comes");
            // Only the client knows whether it had begun to write: a POST goes out again exactly as long as it had not.
            let record = error.record().expect("an error has one");
            let (last, earlier) = record.attempts().split_last().expect("there was one");
            let phase = |attempt: &redress::Attempt| attempt.verdict.as_ref().map(redress::Verdict::phase);
            if method == "POST" {
                assert!(earlier.iter().all(|attempt| phase(attempt) == Some(Phase::NotSent)), "{error:?}");
                assert_eq!(
                    record.end_reason() == EndReason::MaxAttempts,
                    phase(last) == Some(Phase::NotSent),
                    "{error:?}"
                );
            } else {
                assert_eq!((record.attempts().len(), record.end_reason()), (3, EndReason::MaxAttempts), "{error:?}");
            }
        }
    }
    assert_eq!(effects.take(), [] as [Method; 0], "the server has read nothing");
}
