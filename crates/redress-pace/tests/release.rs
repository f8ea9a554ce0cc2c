//! The release: calls that waited for a cool-down come back to a server of limited capacity, no more at a time than were in flight
//! on a good day.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use common::{Paced, URL, close, good_day, layer, ms, refused_after, request, s, serve, server, spawn, taking, times};
use http::{Request, Response};
use redress_classify::{BoxError, Clock, Deadline};
use redress_pace::{Pace, PaceLayer};
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
    {
        let fifo = fifo.lock().unwrap();
        assert_eq!(served, 6_000 + 400);
        let sent = within(&fifo.arrivals, until, s(15) + ms(200));
        assert!(sent >= 6_000 + 150, "{sent} were sent within the spread");
        let peak = (0..15).map(|nth| within(&fifo.arrivals, until + s(nth), s(1))).max().unwrap();
        assert!(peak <= 800, "{peak}: 410 a second would be even, and those of the first second catch up");
    }
    sleep(s(1)).await;
    assert!(layer.gate().cooldown_until(&request(URL)).is_none() && layer.gate().is_open(), "no state is left");
    assert!(format!("{:?}", layer.gate()).contains("waiting: 0"));
}

/// Starts ten calls that use all places at the end of the cool-down, each with its own response time in milliseconds.
fn occupy(service: &Paced, start: Instant, status: &str, after: impl Fn(u64) -> u64) {
    for nth in 0..10 {
        let mut request = taking(after(nth));
        request.headers_mut().insert("x-status", status.parse().unwrap());
        spawn(service, request, start);
    }
}

fn with_deadline(mut request: Request<String>, deadline: Duration) -> Request<String> {
    request.extensions_mut().insert(Deadline::from_now(deadline));
    request
}

/// Returns a service after a good day and its server, with a cool-down of `seconds` and ten calls that use all places after it.
async fn busy_after(layer: &PaceLayer, seconds: u64, after: u64) -> (Paced, common::MockHandle, Instant) {
    let (mock, handle) = server();
    let service = serve(layer, &mock);
    good_day(&service, &handle).await;
    let start = Instant::now();
    close(&service, seconds).await;
    occupy(&service, start, "200", |_| after);
    (service, handle, start)
}

#[tokio::test(start_paused = true)]
async fn places_are_granted_by_deadline_and_then_in_the_order_of_arrival() {
    let (mock, handle) = server();
    let service = serve(&layer(), &mock);
    good_day(&service, &handle).await;
    let start = Instant::now();
    close(&service, 5).await;
    occupy(&service, start, "200", |nth| 2_000 + nth * 100);
    let calls = [
        spawn(&service, taking(900), start),
        spawn(&service, with_deadline(taking(900), s(60)), start),
        spawn(&service, taking(900), start),
        spawn(&service, with_deadline(taking(900), s(50)), start),
    ];
    let mut ends = Vec::new();
    for call in calls {
        ends.push(call.await.unwrap().1);
    }
    assert_eq!(ends, [8_100, 8_000, 8_200, 7_900], "the places of 7.0, 7.1, 7.2 and 7.3 s");
    assert_eq!(times(&handle, start)[11..], [7_000, 7_100, 7_200, 7_300]);
}

#[tokio::test(start_paused = true)]
async fn a_round_of_failures_halves_the_window_down_to_one_place() {
    for status in ["500", "429", "0"] {
        let (mock, handle) = server();
        let service = serve(&layer().without_outages(), &mock);
        good_day(&service, &handle).await;
        let start = Instant::now();
        close(&service, 5).await;
        occupy(&service, start, status, |_| 1_000);
        let calls: Vec<_> = (0..30).map(|_| spawn(&service, taking(1_000), start)).collect();
        for call in calls {
            call.await.unwrap().0.unwrap();
        }
        let times = times(&handle, start);
        let at = |second: u128| times.iter().filter(|at| **at == second * 1_000).count();
        assert_eq!(
            [at(5), at(6), at(7)],
            [10, 9, 6],
            "{status}: the round ends with the tenth failure, and the next one grows the window"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_cool_down_holds_the_line_of_a_release_and_rejects_calls_that_cannot_wait() {
    let (mock, handle) = server();
    let service = serve(&layer(), &mock);
    good_day(&service, &handle).await;
    let start = Instant::now();
    close(&service, 5).await;
    let again = spawn(&service, refused_after(1, 10), start);
    occupy(&service, start, "200", |_| 3_000);
    let calls: Vec<_> = (0..3).map(|_| spawn(&service, request(URL), start)).collect();
    let hurried = spawn(&service, with_deadline(request(URL), s(12)), start);
    again.await.unwrap().0.unwrap();
    let (outcome, at) = hurried.await.unwrap();
    assert_eq!((outcome.unwrap_err().is_paced(), at), (true, 6_000));
    for call in calls {
        call.await.unwrap().0.unwrap();
    }
    assert_eq!(times(&handle, start)[11..], [16_000; 4], "the tenth was in the line, too");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_arrives_during_a_release_waits_as_long_as_it_can() {
    let layer = layer().max_wait(s(2)).random(|| 0);
    let (service, handle, start) = busy_after(&layer, 1, 3_500).await;
    sleep(ms(1_500)).await;
    let fresh = spawn(&service, request(URL), start);
    let hurried = spawn(&service, with_deadline(request(URL), ms(2_500)), start);
    let mut at_once = request(URL);
    at_once.extensions_mut().insert(redress_pace::FailFast);
    let at_once = spawn(&service, at_once, start);
    let (outcome, at) = at_once.await.unwrap();
    assert!(outcome.unwrap_err().is_paced() && at == 1_500);
    let (outcome, at) = hurried.await.unwrap();
    assert!(
        outcome.unwrap_err().is_paced() && at == 2_100,
        "{at}: an answer takes 0.95 s, and it leaves twice that time"
    );
    assert_eq!(fresh.await.unwrap().1, 3_500, "without a deadline it goes at the end of its maximum wait");
    assert_eq!(handle.calls(), 12);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_place_in_time_fails_with_the_spread_as_the_time_to_come_back() {
    let clock = Clock::anchored(SystemTime::UNIX_EPOCH);
    let layer = layer().max_wait(s(20)).clock(clock.clone());
    let (service, handle, start) = busy_after(&layer, 8, 3_700).await;
    let (outcome, at) = spawn(&service, with_deadline(request(URL), s(12)), start).await.unwrap();
    let error = outcome.unwrap_err();
    assert!(error.is_paced() && at == 10_100, "{at}");
    assert_eq!(error.retry_at(), Some(clock.wall(start + ms(14_100))));
    assert_eq!(handle.calls(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_frees_its_place() {
    let (service, handle, start) = busy_after(&layer(), 5, 60_000).await;
    let (outcome, at) = spawn(&service, taking(0), start).await.unwrap();
    outcome.unwrap();
    assert_eq!(at, 8_800, "after 4 times the usual 0.95 s");
    assert_eq!(handle.calls(), 12);
}

#[tokio::test(start_paused = true)]
async fn opening_a_gate_sends_the_calls_that_wait_for_a_place() {
    let layer = layer();
    let (service, handle, start) = busy_after(&layer, 5, 3_000).await;
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
async fn a_call_released_after_the_maximum_wait_has_the_spread_for_a_place() {
    let layer = layer().max_wait(s(4)).random(|| u32::MAX);
    let (service, handle, start) = busy_after(&layer, 4, 3_700).await;
    let (outcome, at) = spawn(&service, request(URL), start).await.unwrap();
    // The call is released at 6 s, when the maximum wait and the spread are over.
    assert!(outcome.unwrap_err().is_paced() && (7_990..=8_000).contains(&at), "{at}");
    assert_eq!(handle.calls(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_release_without_a_good_day_begins_with_one_call() {
    let (mock, handle) = server();
    let service = serve(&layer(), &mock);
    let start = Instant::now();
    close(&service, 5).await;
    let calls: Vec<_> = (0..8).map(|_| spawn(&service, taking(1_000), start)).collect();
    for call in calls {
        call.await.unwrap().0.unwrap();
    }
    assert_eq!(times(&handle, start)[1..5], [5_000, 6_000, 7_000, 7_000], "two answers make a second place");
}
