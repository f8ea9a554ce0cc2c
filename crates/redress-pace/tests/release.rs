//! The release: calls that waited for a cool-down come back to a server of limited capacity.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use common::{Paced, URL, close, layer, ms, refused_after, refusing, request, s, serve, server, spawn, times};
use http::{Request, Response};
use redress_classify::{BoxError, Clock, Deadline};
use redress_pace::{Pace, PaceLayer};
use redress_sandbox::strict_mock::StrictMock;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

/// Returns a server that handles `per_second` requests, in the order of their arrival, with a latency of 100 ms.
#[derive(Debug)]
struct Fifo {
    gap: Duration,
    free: Instant,
    in_flight: usize,
    most_in_flight: usize,
    arrivals: Vec<Instant>,
    answers: Vec<Instant>,
}

type Crowded = Pace<BoxCloneSyncService<Request<()>, Response<()>, BoxError>>;
type Shared = Arc<Mutex<Fifo>>;

fn fifo(per_second: u32) -> Shared {
    let (gap, free) = (s(1) / per_second, Instant::now());
    let (arrivals, answers) = (Vec::new(), Vec::new());
    Arc::new(Mutex::new(Fifo { gap, free, in_flight: 0, most_in_flight: 0, arrivals, answers }))
}

/// Puts Pace over an attempt timeout of 3 s over the server, which handles abandoned requests all the same. A POST closes
/// the gate.
fn over(layer: &PaceLayer, fifo: &Shared) -> Crowded {
    let fifo = Arc::clone(fifo);
    layer.layer(BoxCloneSyncService::new(service_fn(move |request: Request<()>| work(Arc::clone(&fifo), request))))
}

async fn work(fifo: Shared, request: Request<()>) -> Result<Response<()>, BoxError> {
    if request.method() == "POST" {
        return Ok(Response::builder().status(503).header("retry-after", "30").body(())?);
    }
    let end = {
        let mut fifo = fifo.lock().unwrap();
        let now = Instant::now();
        fifo.free = fifo.free.max(now) + fifo.gap;
        fifo.in_flight += 1;
        fifo.most_in_flight = fifo.most_in_flight.max(fifo.in_flight);
        fifo.arrivals.push(now);
        fifo.free + ms(100)
    };
    let answered = timeout(s(3), sleep_until(end)).await;
    let mut fifo = fifo.lock().unwrap();
    fifo.in_flight -= 1;
    fifo.answers.push(Instant::now());
    answered?;
    Ok(Response::new(()))
}

/// Closes the gate for 30 s for `waiting` calls, and sends `fresh` new calls a second from the end of the cool-down on.
/// Returns that end, and the number of calls that succeeded.
async fn herd(layer: &PaceLayer, fifo: &Shared, waiting: u32, fresh: u32) -> (Instant, u32) {
    let service = over(layer, fifo);
    let close = Request::post(URL).body(()).unwrap();
    service.clone().oneshot(close).await.unwrap();
    let (until, mut calls) = (Instant::now() + s(30), Vec::new());
    let call = || tokio::spawn(service.clone().oneshot(Request::get(URL).body(()).unwrap()));
    calls.extend((0..waiting).map(|_| call()));
    for nth in 0..fresh * 40 {
        sleep_until(until + s(1) * nth / fresh).await;
        calls.push(call());
    }
    let mut served = 0;
    for call in calls {
        served += u32::from(call.await.unwrap().is_ok());
    }
    (until, served)
}

fn within(instants: &[Instant], from: Instant, span: Duration) -> usize {
    instants.iter().filter(|at| (from..from + span).contains(*at)).count()
}

fn random() -> impl Fn() -> u32 + Send + Sync + 'static {
    let source = Mutex::new(0_u32);
    move || {
        let mut last = source.lock().unwrap();
        *last = last.wrapping_add(0x9e37_79b9);
        *last
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_keeps_a_server_at_its_limit_busy_and_does_not_overload_it() {
    let fifo = fifo(200);
    let (until, served) = herd(&layer().deadline(s(75)).random(random()), &fifo, 3_000, 140).await;
    let fifo = fifo.lock().unwrap();
    assert_eq!(served, 3_000 + 140 * 40, "no call is lost");
    assert!(fifo.arrivals[0] >= until, "no call is early");
    assert!(fifo.most_in_flight <= 200, "{}: a second's work", fifo.most_in_flight);
    let busy = within(&fifo.answers, until + s(2), s(20));
    assert!(busy >= 200 * 20 * 19 / 20, "{busy}");
}

#[tokio::test(start_paused = true)]
async fn a_fast_server_gets_all_calls_within_the_spread() {
    let fifo = fifo(1_000_000);
    let layer = layer().random(random());
    let (until, served) = herd(&layer, &fifo, 6_000, 10).await;
    let fifo = fifo.lock().unwrap();
    assert_eq!(served, 6_000 + 400);
    let sent = within(&fifo.arrivals, until, s(15) + ms(200));
    assert!(sent >= 6_000 + 150, "{sent} were sent within the spread");
    let peak = (0..15).map(|nth| within(&fifo.arrivals, until + s(nth), s(1))).max().unwrap();
    assert!(peak <= 600, "{peak}: 410 a second would be even");
    assert!(layer.gate().cooldown_until(&request(URL)).is_none() && layer.gate().is_open(), "no state is left");
    assert!(format!("{:?}", layer.gate()).contains("waiting: 0"));
}

/// Starts ten calls that use all permits at the end of the cool-down, each with its own response time in seconds.
fn occupy(service: &Paced, start: Instant, status: &str, after: impl Fn(u64) -> u64) {
    for nth in 0..10 {
        let mut request = refusing(URL, status, None);
        request.headers_mut().insert("x-after", after(nth).into());
        spawn(service, request, start);
    }
}

/// Returns a request whose response takes 1 s.
fn slow() -> Request<String> {
    let mut request = request(URL);
    request.headers_mut().insert("x-after", 1.into());
    request
}

fn with_deadline(deadline: Duration) -> Request<String> {
    let mut request = request(URL);
    request.extensions_mut().insert(Deadline::from_now(deadline));
    request
}

#[tokio::test(start_paused = true)]
async fn permits_are_granted_in_the_order_of_arrival() {
    let (mock, handle) = server();
    let service = serve(&layer(), &mock);
    let start = Instant::now();
    close(&service, 5).await;
    occupy(&service, start, "200", |nth| 3 + nth);
    let calls: Vec<_> = (0..3).map(|_| spawn(&service, slow(), start)).collect();
    let mut ends = Vec::new();
    for call in calls {
        ends.push(call.await.unwrap().1);
    }
    assert_eq!(ends, [9_000, 10_000, 10_000], "the permits of 8, 9 and 9 s");
    assert_eq!(times(&handle, start)[11..], [8_000, 9_000, 9_000]);
}

#[tokio::test(start_paused = true)]
async fn failures_halve_the_window_once_for_each_round() {
    for status in ["500", "429", "0"] {
        let (mock, handle) = server();
        let service = serve(&layer(), &mock);
        let start = Instant::now();
        close(&service, 5).await;
        occupy(&service, start, status, |_| 1);
        let calls: Vec<_> = (0..12).map(|_| spawn(&service, slow(), start)).collect();
        for call in calls {
            call.await.unwrap().0.unwrap();
        }
        let times = times(&handle, start);
        let at = |second: u128| times.iter().filter(|at| **at == second * 1_000).count();
        assert_eq!([at(5), at(6), at(7), at(8)], [10, 5, 6, 1], "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_cool_down_holds_the_queue_of_a_release_and_rejects_calls_that_cannot_wait() {
    let (mock, handle) = server();
    let service = serve(&layer(), &mock);
    let start = Instant::now();
    close(&service, 5).await;
    let again = spawn(&service, refused_after(1, 10), start);
    occupy(&service, start, "200", |_| 3);
    let calls: Vec<_> = (0..3).map(|_| spawn(&service, request(URL), start)).collect();
    let hurried = spawn(&service, with_deadline(s(12)), start);
    again.await.unwrap().0.unwrap();
    let (outcome, at) = hurried.await.unwrap();
    assert_eq!((outcome.unwrap_err().is_paced(), at), (true, 6_000));
    for call in calls {
        call.await.unwrap().0.unwrap();
    }
    assert_eq!(times(&handle, start)[11..], [16_000; 4], "the tenth was in the queue, too");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_arrives_during_a_release_waits_for_a_permit_for_a_bounded_time() {
    let (mock, _handle) = server();
    let layer = layer().random(|| 0);
    let service = serve(&layer, &mock);
    let start = Instant::now();
    close(&service, 8).await;
    occupy(&service, start, "200", |_| 60);
    let waiting = spawn(&service, request(URL), start);
    sleep(s(9)).await;
    let fresh = spawn(&service, request(URL), start);
    let hurried = spawn(&service, with_deadline(s(2)), start);
    let at_once = spawn(&serve(&layer.fail_fast(), &mock), request(URL), start);
    let mut ends = Vec::new();
    for call in [at_once, hurried, fresh, waiting] {
        let (outcome, at) = call.await.unwrap();
        outcome.unwrap();
        ends.push(at);
    }
    assert_eq!(ends, [9_000, 10_000, 13_000, 68_000], "the spread is 4 s");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_permit_in_time_fails_with_the_spread_as_the_time_to_come_back() {
    let clock = Clock::anchored(SystemTime::UNIX_EPOCH);
    let (mock, handle) = server();
    let service = serve(&layer().max_wait(s(20)).clock(clock), &mock);
    let start = Instant::now();
    close(&service, 8).await;
    occupy(&service, start, "200", |_| 60);
    let calls = [spawn(&service, with_deadline(s(12)), start), spawn(&service, request(URL), start)];
    for (call, end) in calls.into_iter().zip([12, 24]) {
        let (outcome, at) = call.await.unwrap();
        let error = outcome.unwrap_err();
        assert!(error.is_paced() && at == end * 1_000, "{at}");
        let again = error.retry_at().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(again.as_secs(), u64::try_from(end).unwrap() + 4);
    }
    assert_eq!(handle.calls(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_comes_too_late_for_a_response_is_passed_on() {
    let (mock, handle) = server();
    let service = serve(&layer(), &mock);
    let start = Instant::now();
    close(&service, 8).await;
    occupy(&service, start, "200", |_| 2);
    // The window has doubled at 10 s; at 11 s a response takes 1 s.
    occupy(&service, start, "200", |_| 1);
    occupy(&service, start, "200", |_| 1);
    let late = spawn(&service, with_deadline(ms(12_500)), start);
    let next = spawn(&service, request(URL), start);
    assert!(late.await.unwrap().0.unwrap_err().is_paced());
    assert_eq!(next.await.unwrap().1, 11_000);
    assert_eq!(handle.calls(), 32);
}

#[tokio::test(start_paused = true)]
async fn opening_a_gate_sends_the_calls_that_wait_for_a_permit() {
    let (mock, handle) = server();
    let layer = layer();
    let service = serve(&layer, &mock);
    let start = Instant::now();
    close(&service, 5).await;
    occupy(&service, start, "200", |_| 60);
    let calls: Vec<_> = (0..30).map(|_| spawn(&service, request(URL), start)).collect();
    sleep(s(6)).await;
    assert_eq!(handle.calls(), 11);
    layer.gate().open(&request(URL));
    for call in calls {
        assert_eq!(call.await.unwrap().1, 6_000);
    }
    assert!(layer.gate().cooldown_until(&request(URL)).is_none() && layer.gate().is_open());
}

#[tokio::test(start_paused = true)]
async fn a_call_released_after_the_maximum_wait_has_the_spread_for_a_permit() {
    let (mock, handle) = server();
    let service = serve(&layer().max_wait(s(8)).random(|| u32::MAX), &mock);
    let start = Instant::now();
    close(&service, 8).await;
    occupy(&service, start, "200", |_| 60);
    let (outcome, at) = spawn(&service, request(URL), start).await.unwrap();
    // The call is released at 12 s, when the maximum wait and the spread are over.
    assert!(outcome.unwrap_err().is_paced() && (15_990..=16_000).contains(&at), "{at}");
    assert_eq!(handle.calls(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_class_that_indicates_overload_halves_the_window_whatever_the_status() {
    let toml = "name = \"x\"\n[status.420]\nclass = \"rate_limited\"\n[status.421]\nclass = \"unavailable\"\n[status.422]\nclass = \"invalid\"\n";
    let dialect = redress_classify::Dialect::from_toml("x.toml", toml).unwrap();
    for (status, released) in [("420", 5), ("421", 5), ("422", 12)] {
        let mock = StrictMock::new(move |request: &Request<String>| {
            let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            let status: u16 = header("x-status").map_or(200, |status| status.parse().unwrap());
            let (wait, after) = (header("x-wait"), header("x-after").map(|after| s(after.parse().unwrap())));
            async move {
                tokio::time::sleep(after.unwrap_or_default()).await;
                let response =
                    Response::builder().status(status).body(http_body_util::Full::<&[u8]>::default()).unwrap();
                let (mut head, body) = response.into_parts();
                head.headers.extend(wait.map(|wait| (http::header::RETRY_AFTER, wait.parse().unwrap())));
                Ok(Response::from_parts(head, body))
            }
        });
        let handle = mock.handle();
        let below = redress_classify::ClassifyLayer::new(dialect.clone()).layer(mock.allow_abandoned());
        let service = layer().layer(below);
        let start = Instant::now();
        service.clone().oneshot(refusing(URL, "429", Some("5"))).await.unwrap();
        let mut calls: Vec<_> = Vec::new();
        for nth in 0..22 {
            let mut request = if nth < 10 { refusing(URL, status, None) } else { request(URL) };
            request.headers_mut().insert("x-after", 1.into());
            calls.push(tokio::spawn(service.clone().oneshot(request)));
        }
        for call in calls {
            call.await.unwrap().unwrap();
        }
        let at = |second| times(&handle, start).iter().filter(|at| **at == second).count();
        assert_eq!((at(5_000), at(6_000)), (10, released), "{status}");
    }
}
