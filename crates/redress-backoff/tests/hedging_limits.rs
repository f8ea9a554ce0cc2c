//! The limits of hedges: how many are sent, when none is, and what each of them leaves behind.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use common::*;
use http::{Request, Response};
use redress_backoff::{BackoffLayer, Budget, Idempotent, MethodConfig, RetryPolicy, RetryThrottling, ServiceConfig};
use redress_classify::{BoxError, Error, GrpcCode, SendState, TransportError, UpstreamHealth, dialects};
use tower::{Layer, Service, ServiceExt};

fn hedging() -> BackoffLayer {
    layer().hedge()
}

fn known() -> impl Iterator<Item = Answer<Response<String>>> {
    (0..KNOWN).map(|_| answer(200).after(ms(100)))
}

fn late() -> Answer<Response<String>> {
    answer(200).after(ms(300))
}

/// Makes these numbers of calls, and checks how many requests each of the groups sends.
async fn sends(layer: BackoffLayer, answers: Vec<Answer<Response<String>>>, groups: &[(usize, usize)], name: &str) {
    let (mock, handle) = mock(known().chain(answers));
    let service = layer.layer(mock);
    for (calls, sends) in std::iter::once(&(KNOWN, KNOWN)).chain(groups) {
        handle.take();
        for _ in 0..*calls {
            // An error is an end, too.
            drop(service.clone().oneshot(request("GET")).await);
        }
        assert_eq!(handle.calls(), *sends, "{name}");
    }
}

/// Makes 1,000 calls, one in ten of them late, and returns the number of hedges that reached the layer below, which `hedge`
/// answers.
async fn hedges<F, Fut>(hedge: F) -> usize
where
    F: Fn(Request<String>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Response<String>, BoxError>> + Send + 'static,
{
    let (hedges, firsts) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&hedges);
    let service = hedging().random(|| 1).layer(tower::service_fn(move |request: Request<String>| {
        let is_hedge = SendState::is_hedge(&request);
        let nth =
            if is_hedge { counted.fetch_add(1, Ordering::Relaxed) } else { firsts.fetch_add(1, Ordering::Relaxed) };
        let hedge = hedge.clone();
        async move {
            if is_hedge {
                return hedge(request).await;
            }
            tokio::time::sleep(ms(if nth >= KNOWN && nth % 10 == 7 { 300 } else { 100 })).await;
            Ok(Response::new(String::new()))
        }
    }));
    for _ in 0..1_000 {
        assert!(service.clone().oneshot(request("GET")).await.is_ok());
    }
    hedges.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn the_other_attempt_is_cancelled_when_the_result_is_there_even_if_the_future_is_kept() {
    for answers in [vec![late(), answer(200).after(ms(50))], vec![late(), late()]] {
        let (mock, handle) = mock(known().chain(answers));
        let mut service = hedging().layer(mock);
        for _ in 0..KNOWN {
            service.clone().oneshot(request("GET")).await.unwrap();
        }
        let mut call = Box::pin(service.ready().await.unwrap().call(request("GET")));
        assert!(call.as_mut().await.is_ok());
        assert_eq!((handle.calls(), handle.in_flight(), handle.cancelled()), (KNOWN + 2, 0, 1));
        drop(call);
    }
}

#[tokio::test(start_paused = true)]
async fn hedges_that_lose_or_fail_become_rare() {
    let winning = hedges(|_| async { Ok(Response::new(String::new())) }).await;
    assert!((45..=50).contains(&winning), "{winning} of 1,000");
    let losing = hedges(|_| std::future::pending()).await;
    let failing = hedges(|_| async { Ok(Response::builder().status(503).body(String::new())?) }).await;
    let ending = hedges(|_| async { Ok(Response::builder().status(404).body(String::new())?) }).await;
    // After 20, 40, 80, 160 and 320 calls, and from then on 640.
    assert!(losing <= 6 && failing <= 6 && ending <= 6, "{losing}, {failing} and {ending} of 1,000");
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_is_not_sent_uses_up_no_share() {
    let refused = hedges(|_| async { Err(Error::paced(SystemTime::UNIX_EPOCH).into()) }).await;
    assert_eq!(refused, 94, "all late calls");
    let queued = hedges(|request| async move {
        SendState::mark_queued(&request);
        std::future::pending().await
    });
    assert_eq!(queued.await, 94, "all late calls");
}

#[tokio::test(start_paused = true)]
async fn a_hedge_without_tokens_uses_up_no_share() {
    let both = [late(), late(), answer(201)];
    let (mock, handle) = mock(known().chain(both).chain(known().take(14)).chain([late(), answer(201)]));
    let service = hedging().budget(Budget::with_capacity(14)).layer(mock);
    for _ in 0..KNOWN {
        service.clone().oneshot(request("GET")).await.unwrap();
    }
    // Both may be hedged, and there are tokens for one of them.
    let both = tokio::join!(service.clone().oneshot(request("GET")), service.clone().oneshot(request("GET")));
    let mut statuses = [both.0.unwrap().status(), both.1.unwrap().status()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 201]);
    // Each success gives back a token, and is less than a share.
    for _ in 0..14 {
        service.clone().oneshot(request("GET")).await.unwrap();
    }
    assert_eq!(service.oneshot(request("GET")).await.unwrap().status(), 201, "it has the share of the second");
    handle.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_is_not_sent_uses_up_no_attempt() {
    let refused = Answer::error(Error::paced(SystemTime::UNIX_EPOCH));
    let (mock, handle) = mock(known().chain([answer(503).after(ms(300)), refused, answer(201)]));
    let service = hedging().max_attempts(count(2)).layer(mock);
    for _ in 0..KNOWN {
        service.clone().oneshot(request("GET")).await.unwrap();
    }
    assert_eq!(service.oneshot(request("GET")).await.unwrap().status(), 201);
    assert_eq!(handle.calls(), KNOWN + 3);
}

#[tokio::test(start_paused = true)]
async fn errors_and_their_marks_decide_whether_the_next_call_is_hedged() {
    let unhealthy = || {
        let error = Error::from_inner(TransportError::connect("refused").into());
        Answer::error(error.with_upstream_health(UpstreamHealth::Outage))
    };
    let well = || Answer::error(TransportError::connect("refused"));
    let ends = || hedging().max_attempts(count(2));
    let again = || answer(200).after(ms(100));
    sends(ends(), vec![unhealthy(), again(), late(), late(), late()], &[(1, 2), (1, 1), (1, 2)], "a marked error")
        .await;
    sends(ends(), vec![well(), again(), late(), late()], &[(1, 2), (1, 2)], "an error without a mark").await;
    let refused = || Answer::error(Error::paced(SystemTime::UNIX_EPOCH));
    let answers = vec![unhealthy(), again(), refused(), late()];
    sends(ends(), answers, &[(1, 2), (1, 1), (1, 1)], "a request that was not sent says nothing").await;
}

#[tokio::test(start_paused = true)]
async fn the_latency_of_failures_is_not_that_of_answers() {
    for (status, sends) in [(200, 2), (404, 1)] {
        let answers = (0..KNOWN).map(|_| answer(status).after(ms(100))).chain([late(), late()]);
        let (mock, handle) = mock(answers);
        let service = hedging().layer(mock);
        for _ in 0..=KNOWN {
            service.clone().oneshot(request("GET")).await.unwrap();
        }
        assert_eq!(handle.calls(), KNOWN + sends, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_queued_again_is_hedged_after_its_second_send() {
    let (mock, handle) = mock(known().chain([answer(200).after(ms(5_000)), answer(201)]));
    let twice_queued = tower::service_fn(move |request: Request<String>| {
        let (mock, is_queued) = (mock.clone(), request.headers().contains_key("x-queued"));
        async move {
            if is_queued && !SendState::is_hedge(&request) {
                tokio::time::sleep(ms(50)).await;
                SendState::mark_queued(&request);
                tokio::time::sleep(ms(2_000)).await;
                SendState::mark_sent(&request);
            }
            mock.oneshot(request).await
        }
    });
    let service = hedging().layer(twice_queued);
    for _ in 0..KNOWN {
        service.clone().oneshot(request("GET")).await.unwrap();
    }
    let start = tokio::time::Instant::now();
    let mut queued = request("GET");
    queued.headers_mut().insert("x-queued", http::HeaderValue::from_static("1"));
    assert_eq!(service.oneshot(queued).await.unwrap().status(), 201);
    let sent: Vec<_> = handle.instants()[KNOWN..].iter().map(|at| (*at - start).as_millis()).collect();
    assert_eq!(sent, [2_050, 2_050 + 104]);
}

#[tokio::test(start_paused = true)]
async fn a_service_config_prevents_hedges_by_its_policy_and_its_throttling() {
    let config = |method: MethodConfig| ServiceConfig::new().service("acme.Orders", method);
    let policy = RetryPolicy::new([ms(10)], [GrpcCode::Aborted]);
    // With two tokens, one failure leaves half of them.
    let throttling = RetryThrottling::new(2, 1);
    for (name, config, fails, sends) in [
        ("no policy", config(MethodConfig::new()), false, 2),
        ("a policy", config(MethodConfig::new().retry_policy(policy)), false, 1),
        ("tokens", config(MethodConfig::new()).throttling(throttling.clone()), false, 2),
        ("no tokens", config(MethodConfig::new()).throttling(throttling), true, 1),
    ] {
        let with = |code: &str| with(200, &[("grpc-status", code)]);
        let seen = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&seen);
        let answers = (0..KNOWN).map(|_| with("0").after(ms(100)));
        let last = [with(if fails { "14" } else { "0" }), with("0").after(ms(300)), with("0").after(ms(300))];
        let mock = StrictMock::scripted(answers.chain(last).collect::<Vec<_>>());
        let mock = tower::ServiceBuilder::new()
            .map_request(move |request: Request<String>| {
                *counted.lock().unwrap() += 1;
                request
            })
            .service(mock);
        let layer = BackoffLayer::new(dialects::grpc()).max_attempts(count(2)).hedge().service_config(config);
        let service = layer.layer(mock);
        for _ in 0..KNOWN + 2 {
            let call =
                Request::post("https://api.example/acme.Orders/Create").header("content-type", "application/grpc");
            let mut call = call.body("message".to_owned()).unwrap();
            call.extensions_mut().insert(Idempotent(true));
            service.clone().oneshot(call).await.unwrap();
        }
        assert_eq!(*seen.lock().unwrap(), KNOWN + 1 + sends, "{name}");
    }
}
