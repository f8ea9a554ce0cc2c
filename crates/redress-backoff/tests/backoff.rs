//! What is sent, and when: on a paused clock, over a strict mock.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use redress_backoff::{BackoffLayer, Budget, Idempotent, Jitter};
use redress_classify::{
    Dialect, Error, Phase, Refreshed, Replay, ResponseExt, Schedule, Stop, TransportError, WaitSource, dialects,
};
use redress_sandbox::strict_mock::{Answer, BoxError, Handle, StrictMock};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

type Mock = StrictMock<Request<String>, Response<&'static str>>;
type Outcome = Result<Response<&'static str>, Error>;

fn silent() -> Dialect {
    Dialect::from_toml("silent.toml", "name = \"silent\"\n").expect("the file is right")
}

fn layer() -> BackoffLayer {
    BackoffLayer::new(silent()).jitter(Jitter::None)
}

fn answer(status: u16) -> Answer<Response<&'static str>> {
    with(status, &[])
}

fn with(status: u16, headers: &[(&str, &str)]) -> Answer<Response<&'static str>> {
    let builder =
        headers.iter().fold(Response::builder().status(status), |builder, (name, value)| builder.header(*name, *value));
    Answer::ok(builder.body("body").expect("the parts are valid"))
}

fn request(method: &str) -> Request<String> {
    Request::builder()
        .method(method)
        .uri("https://api.example/v1/things")
        .body("text".to_owned())
        .expect("the parts are valid")
}

fn mock(answers: impl IntoIterator<Item = Answer<Response<&'static str>>>) -> (Mock, Handle<Request<String>>) {
    let mock = StrictMock::scripted(answers.into_iter().collect::<Vec<_>>());
    let handle = mock.handle();
    (mock, handle)
}

/// Runs one call and returns its outcome and the times, in ms from its start, at which requests arrived.
async fn run(
    layer: &BackoffLayer,
    request: Request<String>,
    answers: Vec<Answer<Response<&'static str>>>,
) -> (Outcome, Vec<u128>) {
    let (mock, handle) = mock(answers);
    let start = Instant::now();
    let outcome = layer.layer(mock).oneshot(request).await;
    (outcome, handle.instants().iter().map(|instant| (*instant - start).as_millis()).collect())
}

fn stop(outcome: &Outcome) -> Option<Stop> {
    match outcome {
        Ok(response) => response.record().map(redress_classify::Record::stop),
        Err(error) => error.record().map(redress_classify::Record::stop),
    }
}

#[tokio::test(start_paused = true)]
async fn the_aws_standard_vectors_hold() {
    use Stop::{Attempts, Budget as OutOfBudget, Success};
    type Case = (u32, u32, u64, &'static [u16], &'static [u32], &'static [u128], u32, Stop);
    // attempts, level at the start, cap in ms, statuses, levels at each retry, times of the sends, level at the end
    let table: [Case; 8] = [
        (3, 500, 20_000, &[500, 500, 200], &[486, 472], &[0, 50, 150], 486, Success),
        (3, 500, 20_000, &[502, 502, 502], &[486, 472], &[0, 50, 150], 472, Attempts),
        (3, 14, 20_000, &[500, 500], &[0], &[0, 50], 0, OutOfBudget),
        (3, 0, 20_000, &[500], &[], &[0], 0, OutOfBudget),
        (5, 500, 20_000, &[500; 5], &[486, 472, 458, 444], &[0, 50, 150, 350, 750], 444, Attempts),
        (5, 500, 200, &[500; 5], &[486, 472, 458, 444], &[0, 50, 150, 350, 550], 444, Attempts),
        (5, 20, 20_000, &[500, 502], &[6], &[0, 50], 6, OutOfBudget),
        (3, 500, 20_000, &[429, 200], &[495], &[0, 1000], 500, Success),
    ];
    for (attempts, start, cap, statuses, levels, times, end, expected) in table {
        let budget = Budget::new();
        let _ = budget.reserve(500 - start).map(redress_backoff::Reservation::spend);
        let scale = |base| Schedule {
            base: Duration::from_millis(base),
            factor: NonZeroU32::new(2).expect("not zero"),
            cap: Duration::from_millis(cap),
        };
        let layer = layer().attempts(NonZeroU32::new(attempts).expect("not zero")).budget(budget.clone());
        let layer = layer.transient(scale(50)).throttled(scale(1000));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (noted, bucket, answers) = (seen.clone(), budget.clone(), Mutex::new(statuses.iter()));
        let mock = StrictMock::new(move |_: &Request<String>| {
            noted.lock().expect("no panic").push(bucket.level());
            let status = *answers.lock().expect("no panic").next().expect("as many answers as requests");
            async move { Ok::<_, BoxError>(Response::builder().status(status).body("").expect("a status")) }
        });
        let handle = mock.handle();
        let began = Instant::now();
        let outcome = layer.layer(mock).oneshot(request("GET")).await;
        let sent: Vec<_> = handle.instants().iter().map(|at| (*at - began).as_millis()).collect();
        assert_eq!((sent.as_slice(), budget.level()), (times, end), "{statuses:?}");
        assert_eq!(&seen.lock().expect("no panic")[1..], levels, "{statuses:?}");
        assert_eq!(stop(&outcome), Some(expected), "{statuses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_at_the_first_try_gives_one_token_and_writes_nothing() {
    let budget = Budget::new();
    let _ = budget.reserve(100).map(redress_backoff::Reservation::spend);
    let (outcome, times) = run(&layer().budget(budget.clone()), request("GET"), vec![answer(200)]).await;
    assert_eq!((times.len(), budget.level()), (1, 401));
    assert!(outcome.expect("a success").extensions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_the_servers_hint() {
    for random in [0, 1, u32::MAX / 3, u32::MAX] {
        let layer = BackoffLayer::new(dialects::ranex()).random(move || random);
        let answers = vec![with(429, &[("retry-after", "10")]), with(503, &[("retry-after", "4")]), answer(200)];
        let (outcome, times) = run(&layer, request("GET"), answers).await;
        assert!((10_000..=15_000).contains(&times[1]), "{times:?}");
        assert!((4_000..=6_000).contains(&(times[2] - times[1])), "{times:?}");
        let response = outcome.expect("a response");
        let record = response.record().expect("three attempts");
        assert!(matches!(record.attempts()[0].wait_source, Some(WaitSource::Hint(_))));
        assert!(record.to_string().starts_with("3 attempts, 429 rate_limited, waited 1"), "{record}");
    }
    let layer = BackoffLayer::new(silent()).random(|| u32::MAX);
    let (_, times) = run(&layer, request("GET"), vec![with(429, &[("retry-after", "100")]), answer(200)]).await;
    assert!((129_000..=130_000).contains(&times[1]), "at most 30 s are added: {times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hint_of_now_is_not_below_the_backoff() {
    let layer = BackoffLayer::new(silent()).random(|| u32::MAX / 2);
    for value in ["0", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let (_, times) = run(&layer, request("GET"), vec![with(429, &[("retry-after", value)]), answer(200)]).await;
        assert!((499..=501).contains(&times[1]), "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_vendors_schedule_is_a_floor_and_jitter_adds_at_most_half() {
    for random in [0, u32::MAX] {
        let layer = BackoffLayer::new(dialects::vlens()).random(move || random);
        let (_, times) = run(&layer, request("GET"), vec![answer(500), answer(500), answer(200)]).await;
        assert!((500..=750).contains(&times[1]) && (1000..=1500).contains(&(times[2] - times[1])), "{times:?}");
        let layer = BackoffLayer::new(dialects::maleslab()).random(move || random);
        let (_, times) = run(&layer, request("POST"), vec![answer(429), answer(200)]).await;
        assert!((5_000..=7_500).contains(&times[1]), "{times:?}");
    }
    let hinted = vec![with(429, &[("retry-after", "1")]), answer(200)];
    let (_, times) = run(&BackoffLayer::new(dialects::maleslab()), request("POST"), hinted).await;
    assert!((1_000..=1_500).contains(&times[1]), "the vendor's default stands in for a hint: {times:?}");
    let (_, times) =
        run(&BackoffLayer::new(dialects::vlens()), request("GET"), vec![answer(500), answer(500), answer(500)]).await;
    assert_eq!(times.len(), 3, "the vendor asks for three attempts");
}

#[tokio::test(start_paused = true)]
async fn a_hint_that_is_too_long_fails_at_once_and_says_when() {
    for (value, layer) in [
        ("121", layer()),
        ("99999999999999999999", layer()),
        ("1763650000", layer()),
        ("10", layer().max_retry_after(Duration::from_secs(9))),
        ("10", layer().deadline(Duration::from_secs(10))),
    ] {
        let (outcome, times) = run(&layer, request("GET"), vec![with(503, &[("retry-after", value)])]).await;
        assert_eq!(times, [0], "{value}");
        assert!(outcome.expect("the response in hand").retry_at().is_some(), "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_wait_ends_past_the_deadline() {
    for random in [0, u32::MAX] {
        let layer = BackoffLayer::new(silent()).random(move || random).deadline(Duration::from_secs(12));
        let (_, times) = run(&layer, request("GET"), vec![with(429, &[("retry-after", "10")]), answer(200)]).await;
        assert!((10_000..=11_000).contains(&times[1]), "half of what is left stays for the attempt: {times:?}");
    }
    let layer = layer().deadline(Duration::from_millis(120));
    let (outcome, times) = run(&layer, request("GET"), vec![answer(500), answer(500)]).await;
    assert_eq!((times, stop(&outcome)), (vec![0, 50], Some(Stop::Deadline)));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_cuts_an_attempt_in_flight() {
    let layer = layer().deadline(Duration::from_secs(2));
    let start = Instant::now();
    let (outcome, times) =
        run(&layer, request("GET"), vec![answer(500), answer(200).after(Duration::from_secs(60))]).await;
    let error = outcome.expect_err("no response in hand");
    assert_eq!((start.elapsed(), times.len()), (Duration::from_secs(2), 2));
    assert!(error.is_deadline());
    assert_eq!(error.phase(), redress_classify::Phase::MaybeProcessed);
    let record = error.record().expect("an error has a record");
    assert_eq!((record.attempts().len(), record.stop()), (2, Stop::Deadline));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_processed_is_sent_again_only_if_that_is_safe() {
    let mut keyed = request("POST");
    keyed.headers_mut().insert("idempotency-key", http::HeaderValue::from_static("k"));
    let mut said = request("PATCH");
    said.extensions_mut().insert(Idempotent(true));
    let broken = || Answer::error(TransportError::body("reset"));
    let refused = || Answer::error(TransportError::connect("refused"));
    let hinted = || with(503, &[("retry-after", "1")]);
    type Make = Box<dyn Fn() -> Answer<Response<&'static str>>>;
    let table: Vec<(&str, Request<String>, Make, usize)> = vec![
        ("GET 500", request("GET"), Box::new(|| answer(500)), 2),
        ("POST 500", request("POST"), Box::new(|| answer(500)), 1),
        ("POST 503", request("POST"), Box::new(|| answer(503)), 1),
        ("POST 503 with a hint", request("POST"), Box::new(hinted), 2),
        ("POST 429", request("POST"), Box::new(|| answer(429)), 2),
        ("POST cut off", request("POST"), Box::new(broken), 1),
        ("POST not sent", request("POST"), Box::new(refused), 2),
        ("PUT cut off", request("PUT"), Box::new(broken), 2),
        ("DELETE 502", request("DELETE"), Box::new(|| answer(502)), 2),
        ("POST with a key", keyed, Box::new(|| answer(500)), 2),
        ("PATCH by the caller's word", said, Box::new(|| answer(500)), 2),
        ("GET 404", request("GET"), Box::new(|| answer(404)), 1),
        ("GET 401", request("GET"), Box::new(|| answer(401)), 1),
        ("GET 402", request("GET"), Box::new(|| answer(402)), 1),
    ];
    for (name, request, failure, sends) in table {
        let (_, times) = run(&layer(), request, vec![failure(), answer(200)].into_iter().take(sends).collect()).await;
        assert_eq!(times.len(), sends, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_refreshed_is_sent_again_once_free_of_charge() {
    let refreshed = || {
        let mut response = Response::builder().status(401).body("").expect("a status");
        response.extensions_mut().insert(Refreshed);
        Answer::ok(response)
    };
    let budget = Budget::new();
    let layer = layer().budget(budget.clone()).attempts(NonZeroU32::MIN);
    let (mock, handle) = mock([refreshed(), answer(200)]);
    let response = layer.layer(mock).oneshot(request("POST")).await.expect("a response");
    assert_eq!((response.status().as_u16(), budget.level()), (200, 500));
    let record = response.record().expect("two were sent");
    assert!(!record.attempts()[0].is_replay && record.attempts()[1].is_replay);
    assert_eq!(record.to_string(), "1 attempt, 401 unauthenticated, 200 success on replay; succeeded");
    let marks: Vec<_> = handle.take().iter().map(|got| got.request.extensions().get::<Refreshed>().is_some()).collect();
    assert_eq!(marks, [false, true]);
    let (outcome, times) = run(&layer, request("POST"), vec![refreshed(), refreshed()]).await;
    assert_eq!(times, [0, 0], "at most one replay");
    assert_eq!(outcome.expect("the response in hand").status(), 401);
}

#[tokio::test(start_paused = true)]
async fn a_replay_may_be_retried_like_any_attempt() {
    let mut rejected = Response::builder().status(401).body("").expect("a status");
    rejected.extensions_mut().insert(Refreshed);
    let (outcome, times) = run(&layer(), request("GET"), vec![Answer::ok(rejected), answer(500), answer(200)]).await;
    assert_eq!((times, stop(&outcome)), (vec![0, 0, 50], Some(Stop::Success)));
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_retried_below_is_not_retried_again() {
    let (mock, handle) = mock([answer(500), answer(500), answer(500)]);
    let nested = layer().layer(layer().layer(layer().layer(mock)));
    let response = nested.oneshot(request("GET")).await.expect("a response");
    assert_eq!((handle.calls(), response.record().map(|record| record.attempts().len())), (3, Some(3)));
    let errors: Vec<_> = (0..3).map(|_| Answer::error(TransportError::connect("no"))).collect();
    let (outcome, times) = run(&layer(), request("GET"), errors).await;
    assert_eq!((times.len(), stop(&outcome)), (3, Some(Stop::Attempts)));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_sends_nothing_more_and_returns_its_budget() {
    let budget = Budget::new();
    let (mock, handle) = mock([answer(500), answer(200)]);
    let mut call = Box::pin(layer().budget(budget.clone()).layer(mock).oneshot(request("GET")));
    assert!(tokio::time::timeout(Duration::from_millis(20), call.as_mut()).await.is_err());
    assert_eq!(budget.level(), 486, "reserved at the decision");
    drop(call);
    assert_eq!(budget.level(), 500, "reserved, not sent, given back");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((handle.calls(), handle.in_flight()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn no_readied_service_is_held_while_waiting() {
    let (mock, handle) = mock([answer(500), answer(200)]);
    let mut service = layer().layer(mock.limit(1));
    service.ready().await.expect("it is ready");
    let call = tokio::spawn(service.call(request("GET")));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!((handle.calls(), handle.reservations(), handle.in_flight()), (1, 0, 0));
    assert_eq!(call.await.expect("no panic").expect("a response").status(), 200);
    handle.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn the_failed_response_is_dropped_before_the_wait() {
    struct Body(Arc<AtomicUsize>);
    impl Drop for Body {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let made = dropped.clone();
    let service = tower::service_fn(move |_: Request<String>| {
        let body = Body(made.clone());
        async { Ok::<_, BoxError>(Response::builder().status(500).body(body).expect("a status")) }
    });
    let mut call = std::pin::pin!(layer().layer(service).oneshot(request("GET")));
    assert!(tokio::time::timeout(Duration::from_millis(20), call.as_mut()).await.is_err());
    assert_eq!(dropped.load(Ordering::SeqCst), 1, "the call is alive, its first response is not");
    let last = call.await.expect("the last response");
    assert_eq!((dropped.load(Ordering::SeqCst), last.status().as_u16()), (2, 500));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_copied_goes_out_once() {
    struct Once;
    impl Replay for Once {
        fn try_clone(&self) -> Option<Self> {
            None
        }
    }
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let service = tower::service_fn(move |_: Request<Once>| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, BoxError>(Response::builder().status(503).body("the answer").expect("a status")) }
    });
    let response = layer().layer(service).oneshot(Request::new(Once)).await.expect("the original answer");
    assert_eq!((sent.load(Ordering::SeqCst), response.into_body()), (1, "the answer"));
}

#[tokio::test(start_paused = true)]
async fn the_same_request_goes_out_each_time() {
    let mut original = request("PUT");
    original.headers_mut().append("x-a", http::HeaderValue::from_static("1"));
    original.headers_mut().append("x-a", http::HeaderValue::from_static("2"));
    original.extensions_mut().insert(7_u8);
    let (mock, handle) = mock([answer(500), answer(500), answer(200)]);
    layer().layer(mock).oneshot(original).await.expect("a response").status();
    for got in handle.take() {
        let request = got.request;
        assert_eq!(
            (request.method().as_str(), request.uri().path(), request.body().as_str()),
            ("PUT", "/v1/things", "text")
        );
        assert_eq!(request.headers().get_all("x-a").iter().count(), 2);
        assert_eq!(request.extensions().get::<u8>(), Some(&7));
    }
}

#[tokio::test(start_paused = true)]
async fn two_clients_do_not_come_back_together() {
    let mut waits = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let (_, times) = run(&BackoffLayer::new(silent()), request("GET"), vec![answer(429), answer(200)]).await;
        waits.insert(times[1]);
    }
    assert!(waits.len() > 25, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn clones_of_a_layer_share_one_budget() {
    let layer = layer().budget(Budget::with_capacity(14));
    let (first, _) = run(&layer.clone(), request("GET"), vec![answer(500), answer(404)]).await;
    let (second, times) = run(&layer, request("GET"), vec![answer(500)]).await;
    assert_eq!((stop(&first), times.len()), (Some(Stop::NotRetryable), 1), "the first call spent it all");
    assert_eq!(second.expect("the response in hand").status(), 500);
}

#[tokio::test(start_paused = true)]
async fn two_calls_share_a_budget_as_the_aws_vector_says() {
    let budget = Budget::new();
    let layer = layer().budget(budget.clone());
    let (first, _first) = mock([answer(500), answer(500), answer(200)]);
    let (second, _second) = mock([answer(500), answer(200)]);
    let first = tokio::spawn(layer.layer(first).oneshot(request("GET")));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(budget.level(), 486);
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(budget.level(), 472);
    let second = tokio::spawn(layer.layer(second).oneshot(request("GET")));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(budget.level(), 458);
    assert!(second.await.expect("no panic").is_ok());
    assert_eq!(budget.level(), 472);
    assert!(first.await.expect("no panic").is_ok());
    assert_eq!(budget.level(), 486);
}

#[tokio::test(start_paused = true)]
async fn near_the_deadline_callers_still_come_back_apart() {
    let mut waits = std::collections::BTreeSet::new();
    for random in (0..100_u32).map(|nth| nth * 42_949_672) {
        let layer = BackoffLayer::new(dialects::ranex()).random(move || random).deadline(Duration::from_secs(10));
        let (_, times) = run(&layer, request("POST"), vec![with(429, &[("retry-after", "8")]), answer(200)]).await;
        assert!((8_000..=9_000).contains(&times[1]), "{times:?}");
        waits.insert(times[1]);
    }
    assert!(waits.len() > 90, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_sent_again_in_time_tells_of_all_its_attempts() {
    for (first, phase) in [
        (Answer::error(TransportError::body("reset")), Phase::MaybeProcessed),
        (Answer::error(TransportError::connect("refused")), Phase::NotSent),
        (answer(503), Phase::MaybeProcessed),
        (answer(429), Phase::NotSent),
    ] {
        let budget = Budget::new();
        let (mock, handle) = mock([first]);
        let layer = layer().budget(budget.clone()).deadline(Duration::from_secs(5));
        let call = tokio::spawn(layer.layer(mock).oneshot(request("DELETE")));
        tokio::time::sleep(Duration::from_millis(20)).await;
        handle.set_limit(0);
        let error = call.await.expect("no panic").expect_err("the place below stays busy");
        assert_eq!((error.is_deadline(), error.phase(), handle.calls()), (true, phase, 1));
        let record = error.record().expect("an error has one");
        assert_eq!((record.attempts().len(), record.stop(), budget.level()), (1, Stop::Deadline, 500));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_the_deadline() {
    let (mock, handle) = mock([answer(500)]);
    let layer = layer().deadline(Duration::from_secs(3));
    let mut call = Box::pin(layer.layer(mock).oneshot(request("GET")));
    assert!(tokio::time::timeout(Duration::from_millis(20), call.as_mut()).await.is_err());
    // The task is not polled for a minute.
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(call.await.expect_err("it is too late").is_deadline());
    assert_eq!(handle.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_one_layer_gave_up_an_outer_one_does_not_try_again() {
    for (inner, answers, reason) in [
        (layer().budget(Budget::with_capacity(0)), vec![answer(500)], Stop::Budget),
        (layer(), vec![with(503, &[("retry-after", "500")])], Stop::HintTooLong),
        (layer().attempts(NonZeroU32::MIN), vec![answer(503)], Stop::Attempts),
    ] {
        let (mock, handle) = mock(answers);
        let response = layer().layer(inner.layer(mock)).oneshot(request("GET")).await;
        assert_eq!((stop(&response), handle.calls()), (Some(reason), 1));
    }
    let (outcome, _) = run(&layer(), request("GET"), vec![answer(404)]).await;
    assert_eq!(stop(&outcome), None, "a first attempt that nobody would repeat speaks for itself");
}

#[tokio::test(start_paused = true)]
async fn the_other_jitters_keep_their_bounds_through_the_layer() {
    for random in [0, u32::MAX] {
        let layer = BackoffLayer::new(silent()).random(move || random);
        let answers = || vec![answer(500), answer(500), answer(200)];
        let (_, times) = run(&layer.clone().jitter(Jitter::Equal), request("GET"), answers()).await;
        assert!((25..=51).contains(&times[1]) && (50..=101).contains(&(times[2] - times[1])), "{times:?}");
        let (_, times) = run(&layer.jitter(Jitter::Decorrelated), request("GET"), answers()).await;
        assert!((50..=151).contains(&times[1]) && (50..=452).contains(&(times[2] - times[1])), "{times:?}");
    }
}
