//! Cases of gRPC core's retry suite (grpc/grpc, test/core/end2end/tests/retry_*.cc), by the names in `docs/grpc.md`.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http_body::Frame;
use redress::grpc::{MethodConfig, RetryThrottling, ServiceConfig};
use redress::{EndReason, NoRetry, ReplayBody};
use tokio::net::TcpListener;

use super::server::{Answer, MESSAGE, start, status};
use super::{call, end, layer, repeatable, send, with_body, with_policy};

const ABORTED: u8 = 10;
const UNAVAILABLE: u8 = 14;
const INVALID_ARGUMENT: u8 = 3;

/// A stream of messages that cannot be cloned by itself.
struct Messages(std::vec::IntoIter<Bytes>);

impl Messages {
    fn new(messages: &[&'static [u8]]) -> Self {
        Self(messages.iter().copied().map(Bytes::from_static).collect::<Vec<_>>().into_iter())
    }
}

impl http_body::Body for Messages {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|message| Ok(Frame::data(message))))
    }
}

#[tokio::test]
async fn a_call_that_fails_is_retried_and_succeeds() {
    let (url, log) = start(vec![Answer::Head(status(ABORTED)), Answer::Message(status(0))]).await;
    let outcome = send(&with_policy(2), call(&url)).await;
    assert_eq!((log.len(), end(&outcome)), (2, Some(EndReason::Success)));
    let answered = outcome.expect("a response");
    assert_eq!((&*answered.data, &answered.trailers["grpc-status"]), (MESSAGE, &"0".parse().unwrap()));
    assert_eq!(log.values("grpc-previous-rpc-attempts"), ["-", "1"]);
}

#[tokio::test]
async fn a_call_that_is_dropped_in_its_attempt_is_reset_and_not_sent_again() {
    let (url, log) = start(vec![Answer::Never]).await;
    let pending = tokio::spawn(async move { drop(send(&with_policy(2), call(&url)).await) });
    while log.len() == 0 {
        tokio::task::yield_now().await;
    }
    pending.abort();
    log.reset().await;
    assert_eq!(log.requests()[0].reset, Some(Reason::CANCEL));
    assert_eq!(log.len(), 1);
}

#[tokio::test]
async fn a_call_that_is_dropped_in_its_wait_is_not_sent_again() {
    let mut pushed_back = status(UNAVAILABLE);
    pushed_back.push(("grpc-retry-pushback-ms", "60000".to_owned()));
    let (url, log) = start(vec![Answer::Head(pushed_back)]).await;
    let (waiting, waits) = std::sync::mpsc::channel();
    let layer = with_policy(2).backoff(|backoff| backoff.on_wait(move |_, _, _| waiting.send(()).unwrap()));
    let pending = tokio::spawn(async move { drop(send(&layer, call(&url)).await) });
    while waits.try_recv().is_err() {
        tokio::task::yield_now().await;
    }
    pending.abort();
    assert!(pending.await.expect_err("it was aborted").is_cancelled());
    assert_eq!(log.len(), 1);
}

#[tokio::test]
async fn a_deadline_ends_the_call_and_resets_its_stream() {
    let (url, log) = start(vec![Answer::Never]).await;
    let mut request = call(&url);
    request.headers_mut().insert("grpc-timeout", "50m".parse().unwrap());
    let outcome = send(&with_policy(2), request).await;
    assert_eq!(end(&outcome), Some(EndReason::Deadline));
    log.reset().await;
    assert_eq!((log.len(), log.requests()[0].reset), (1, Some(Reason::CANCEL)));
}

#[tokio::test]
async fn with_retries_turned_off_a_call_is_sent_once() {
    let (url, log) = start(vec![Answer::Head(status(ABORTED))]).await;
    let mut request = call(&url);
    request.extensions_mut().insert(NoRetry);
    let outcome = send(&with_policy(2), request).await;
    assert_eq!((log.len(), end(&outcome)), (1, Some(EndReason::NoRetry)));
}

#[tokio::test]
async fn messages_beyond_the_replay_limit_are_sent_once() {
    for messages in [&[&b"0123456789"[..]][..], &[b"01234", b"56789"], &[b"0", b"1234", b"56789"]] {
        let (url, log) = start(vec![Answer::Head(status(ABORTED))]).await;
        let body = ReplayBody::with_limit(Messages::new(messages), 9);
        let outcome = send(&with_policy(2), with_body(&url, body)).await;
        assert_eq!((log.len(), end(&outcome)), (1, Some(EndReason::NotClonable)));
        assert_eq!(log.requests()[0].body, b"0123456789");
    }
}

#[tokio::test]
async fn a_status_that_is_not_retryable_comes_up() {
    for shape in [Answer::Head, Answer::Trailers] {
        let (url, log) = start(vec![shape(status(INVALID_ARGUMENT))]).await;
        let outcome = send(&with_policy(2), call(&url)).await;
        assert_eq!((log.len(), end(&outcome)), (1, None));
        assert!(outcome.expect("a response").verdict.is_some());
    }
}

#[tokio::test]
async fn an_attempt_without_an_answer_in_time_is_retried_and_the_last_one_is_not() {
    for (answers, expected) in [
        (vec![Answer::Never, Answer::Message(status(0))], (2, EndReason::Success)),
        (vec![Answer::Never], (3, EndReason::MaxAttempts)),
    ] {
        let (url, log) = start(answers).await;
        let outcome = send(&with_policy(2).attempt_timeout(Duration::from_millis(200)), call(&url)).await;
        let record = outcome.as_ref().map_or_else(|error| error.record(), |answered| answered.record.as_ref());
        assert_eq!(record.map(|record| record.attempts().len()), Some(expected.0));
        assert_eq!(end(&outcome), Some(expected.1));
        assert!(log.len() <= expected.0);
    }
}

#[tokio::test]
async fn a_head_commits_the_call_where_that_is_set() {
    let layer =
        |commits: bool| with_policy(2).classify(|classify| if commits { classify.commit_at_head() } else { classify });
    for (commits, requests) in [(true, 1), (false, 3)] {
        let (url, log) = start(vec![Answer::Trailers(status(ABORTED))]).await;
        let answered = send(&layer(commits), call(&url)).await.expect("a response");
        assert_eq!((log.len(), answered.verdict.is_none()), (requests, commits));
        assert_eq!(answered.trailers["grpc-status"], "10");
    }
}

#[tokio::test]
async fn a_message_commits_the_call_and_all_that_follows_comes_up() {
    let (url, log) = start(vec![Answer::Message(status(ABORTED))]).await;
    let answered = send(&with_policy(2), call(&url)).await.expect("a response");
    assert_eq!((log.len(), &*answered.data), (1, MESSAGE));
    assert_eq!(answered.trailers["grpc-status"], "10");
}

#[tokio::test]
async fn a_stream_that_fails_after_its_head_without_a_status_is_retried() {
    let (url, log) = start(vec![Answer::ResetAfterHead(Reason::INTERNAL_ERROR), Answer::Message(status(0))]).await;
    let outcome = send(&with_policy(2), call(&url)).await;
    assert_eq!((log.len(), end(&outcome)), (2, Some(EndReason::Success)));
}

#[tokio::test]
async fn each_attempt_carries_the_callers_fields_and_message() {
    let (url, log) =
        start(vec![Answer::Head(status(ABORTED)), Answer::Head(status(ABORTED)), Answer::Message(status(0))]).await;
    send(&with_policy(2), call(&url)).await.expect("a response");
    assert_eq!(log.values("x-own"), ["metadata"; 3]);
    assert_eq!(log.values("te"), ["trailers"; 3]);
    assert!(log.requests().iter().all(|seen| seen.body == b"\0\0\0\0\x07request"));
}

#[tokio::test]
async fn a_call_whose_connection_cannot_be_made_is_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = send(&layer(), call(&url)).await;
    assert_eq!(end(&outcome), Some(EndReason::MaxAttempts), "a call that may not be repeated");
}

#[tokio::test]
async fn a_pushback_delays_the_retry_and_a_negative_one_forbids_it() {
    for (pushback, requests) in [("20", 2), ("-1", 1), ("soon", 1)] {
        let mut pushed_back = status(ABORTED);
        pushed_back.push(("grpc-retry-pushback-ms", pushback.to_owned()));
        for shape in [Answer::Head, Answer::Trailers] {
            let (url, log) = start(vec![shape(pushed_back.clone()), Answer::Message(status(0))]).await;
            let outcome = send(&with_policy(2), call(&url)).await.expect("a response");
            assert_eq!(log.len(), requests, "{pushback}");
            let wait = outcome.record.as_ref().and_then(|record| record.attempts()[0].wait);
            // The pushback counts from the receipt of the head.
            assert!(requests == 1 || wait >= Some(Duration::from_millis(10)), "{wait:?}");
        }
    }
}

#[tokio::test]
async fn the_messages_of_a_client_stream_are_sent_again_in_order() {
    let messages: [&[u8]; 3] = [b"\0\0\0\0\x01a", b"\0\0\0\0\x01b", b"\0\0\0\0\x01c"];
    let (url, log) = start(vec![Answer::Trailers(status(ABORTED)), Answer::Message(status(0))]).await;
    let outcome = send(&with_policy(2), with_body(&url, ReplayBody::new(Messages::new(&messages)))).await;
    assert_eq!(end(&outcome), Some(EndReason::Success));
    let bodies: Vec<_> = log.requests().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, [messages.concat(), messages.concat()]);
}

#[tokio::test]
async fn throttled_calls_are_not_retried() {
    let policy = ServiceConfig::new().throttling(RetryThrottling::new(2, 1));
    let policy = policy.default_method(MethodConfig::new());
    let layer = layer().backoff(|backoff| backoff.service_config(policy));
    let (url, log) = start(vec![Answer::Head(status(UNAVAILABLE))]).await;
    let outcome = send(&layer, repeatable(&url)).await;
    assert_eq!((log.len(), end(&outcome)), (1, Some(EndReason::Budget)));
}

#[tokio::test]
async fn a_call_is_attempted_no_more_often_than_its_policy_says() {
    for (retries, requests) in [(1, 2), (2, 3), (9, 5)] {
        let (url, log) = start(vec![Answer::Head(status(ABORTED))]).await;
        let outcome = send(&with_policy(retries), call(&url)).await;
        assert_eq!((log.len(), end(&outcome)), (requests, Some(EndReason::MaxAttempts)));
    }
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_and_states_no_earlier_attempt() {
    let (url, log) = start(vec![Answer::Reset(Reason::REFUSED_STREAM), Answer::Message(status(0))]).await;
    let outcome = send(&layer(), call(&url)).await;
    assert_eq!((log.len(), end(&outcome)), (2, Some(EndReason::Success)));
    assert_eq!(log.values("grpc-previous-rpc-attempts"), ["-", "-"]);
}

/// Holds the list of `docs/grpc.md` to the tests that exist.
#[test]
fn the_page_lists_all_tests_of_grpc_core_and_each_test_that_it_names_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let page = read("docs/grpc.md");
    let rows: Vec<_> =
        page.lines().filter(|line| line.starts_with("- `retry_") || line.starts_with("- `retry`:")).collect();
    let done: Vec<_> =
        rows.iter().filter(|row| !row.contains("not ours, because") && !row.contains("for the same reason")).collect();
    assert_eq!((rows.len(), done.len()), (35, 28));
    for file in ["suite", "shapes", "resets", "credentials"] {
        let source = read(&format!("crates/redress/tests/grpc/{file}.rs"));
        for name in page.split(&format!("`{file}::")).skip(1).filter_map(|rest| rest.split('`').next()) {
            assert!(source.contains(&format!("fn {name}(")), "{file}::{name}");
        }
    }
    for file in ["redress/tests/early_answer", "redress/tests/transport_faults/nacks", "redress-backoff/tests/grpc"] {
        let source = read(&format!("crates/{file}.rs"));
        let rows = rows.iter().filter(|row| {
            row.contains(&format!("crates/{file}.rs")) || file.contains("backoff") && row.contains("`backoff`")
        });
        for name in rows.filter_map(|row| row.rsplit(": `").next()?.split('`').next()) {
            assert!(source.contains(&format!("fn {name}(")), "{file}: {name}");
        }
    }
}
