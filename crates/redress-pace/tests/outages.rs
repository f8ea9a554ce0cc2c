//! Outages: failures in a row shut the gate, single calls probe, and an answer releases the calls that wait.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{ms, s, silent};
use http::{Method, Request, Response};
use redress_classify::{Deadline, Error, SendState, TransportError, UpstreamHealth};
use redress_pace::{FailFast, GatePhase, Pace, PaceLayer};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

/// How the server fails while it is down.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Down {
    Refuses,
    Resets,
    TimesOut,
    Hangs,
    Answers(u16),
    BadCertificate,
}

/// A server that answers after 50 ms, or is down, with the requests that it received.
#[derive(Clone)]
struct Server {
    is_down: Arc<AtomicBool>,
    how: Down,
    received: Arc<Mutex<Vec<(Instant, Method, String)>>>,
    in_flight: Arc<AtomicUsize>,
    most_in_flight: Arc<AtomicUsize>,
}

type Client = Pace<BoxCloneSyncService<Request<()>, Response<()>, TransportError>>;
type Call = JoinHandle<(Result<Response<()>, Error>, Duration)>;

impl Server {
    fn new(how: Down) -> Self {
        Self {
            is_down: Arc::default(),
            how,
            received: Arc::default(),
            in_flight: Arc::default(),
            most_in_flight: Arc::default(),
        }
    }

    fn client(&self, layer: &PaceLayer) -> Client {
        let server = self.clone();
        layer.layer(BoxCloneSyncService::new(service_fn(move |request| server.clone().work(request))))
    }

    async fn work(self, request: Request<()>) -> Result<Response<()>, TransportError> {
        let path = request.uri().path().to_owned();
        self.received.lock().unwrap().push((Instant::now(), request.method().clone(), path.clone()));
        let busy = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_in_flight.fetch_max(busy, Ordering::Relaxed);
        let result = self.answer(&path).await;
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        result
    }

    async fn answer(&self, path: &str) -> Result<Response<()>, TransportError> {
        let status = |status: u16| Ok(Response::builder().status(status).body(()).unwrap());
        if path == "/bad" {
            return status(503);
        }
        if !self.is_down.load(Ordering::Relaxed) {
            sleep(ms(50)).await;
            return status(200);
        }
        match self.how {
            Down::Refuses => Err(TransportError::connect(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))),
            Down::Resets => Err(TransportError::body("connection reset")),
            Down::TimesOut => {
                sleep(s(1)).await;
                Err(TransportError::timeout("no response within 1s"))
            }
            Down::Hangs => std::future::pending().await,
            Down::Answers(code) => status(code),
            Down::BadCertificate => Err(TransportError::certificate("expired")),
        }
    }

    /// Returns the client of the same server, which hangs while it is down.
    fn hanging_client(&self, layer: &PaceLayer) -> Client {
        Self { how: Down::Hangs, ..self.clone() }.client(layer)
    }

    fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
        self.received.lock().unwrap().clear();
    }

    fn requests(&self) -> usize {
        self.received.lock().unwrap().len()
    }
}

fn layer() -> PaceLayer {
    PaceLayer::new(silent()).random(|| 1 << 31)
}

fn get(deadline: Option<Duration>) -> Request<()> {
    request(Method::GET, "/", deadline)
}

fn request(method: Method, path: &str, deadline: Option<Duration>) -> Request<()> {
    let mut request = Request::builder().method(method).uri(format!("https://api.example{path}")).body(()).unwrap();
    if let Some(deadline) = deadline {
        request.extensions_mut().insert(Deadline::from_now(deadline));
    }
    request
}

fn call(client: &Client, request: Request<()>) -> Call {
    let (client, start) = (client.clone(), Instant::now());
    tokio::spawn(async move {
        let result = client.oneshot(request).await;
        (result, start.elapsed())
    })
}

/// Makes ten calls a second for ten seconds: half a call is in flight at a time.
async fn good_day(client: &Client, server: &Server) {
    for _ in 0..100 {
        call(client, get(None));
        sleep(ms(100)).await;
    }
    assert_eq!(server.requests(), 100);
}

/// Shuts the gate after a good day: three calls fail.
async fn shut(layer: &PaceLayer, how: Down) -> (Client, Server) {
    let server = Server::new(how);
    let client = server.client(layer);
    good_day(&client, &server).await;
    server.set_down(true);
    for _ in 0..3 {
        drop(client.clone().oneshot(get(Some(s(30)))).await);
    }
    server.received.lock().unwrap().clear();
    (client, server)
}

fn is_shut(layer: &PaceLayer) -> bool {
    matches!(layer.gate().status(&get(None)).phase, GatePhase::Shut { .. })
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_shut_the_gate_and_a_bad_certificate_or_a_500_does_not() {
    for (how, shuts) in [
        (Down::Refuses, true),
        (Down::Resets, true),
        (Down::TimesOut, true),
        (Down::Answers(502), true),
        (Down::Answers(503), true),
        (Down::Answers(504), true),
        (Down::Answers(500), false),
        (Down::Answers(429), false),
        (Down::Answers(408), false),
        (Down::Answers(425), false),
        (Down::Answers(404), false),
        (Down::BadCertificate, false),
    ] {
        let layer = layer();
        let (_client, _server) = shut(&layer, how).await;
        assert_eq!(is_shut(&layer), shuts, "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_failures_do_not_shut_it_and_an_answer_ends_a_run() {
    let (layer, server) = (layer(), Server::new(Down::Refuses));
    let client = server.client(&layer);
    good_day(&client, &server).await;
    for _ in 0..5 {
        server.set_down(true);
        for _ in 0..2 {
            client.clone().oneshot(get(None)).await.unwrap_err();
        }
        server.set_down(false);
        client.clone().oneshot(get(None)).await.unwrap();
    }
    assert!(!is_shut(&layer));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_never_answered_fails_each_call_at_once() {
    let (layer, server) = (layer(), Server::new(Down::Refuses));
    let client = server.client(&layer);
    server.set_down(true);
    for _ in 0..20 {
        let (result, took) = call(&client, get(Some(s(30)))).await.unwrap();
        assert!(result.unwrap_err().is_connect() && took.is_zero());
    }
    assert!(layer.gate().is_open() && server.requests() == 20);
}

#[tokio::test(start_paused = true)]
async fn calls_wait_while_single_ones_probe_and_are_released_by_an_answer() {
    let layer = layer();
    let (client, server) = shut(&layer, Down::Refuses).await;
    let calls: Vec<_> = (0..40).map(|_| call(&client, get(Some(s(30))))).collect();
    sleep(s(10)).await;
    let probes = server.requests();
    // Each tenth of a second at first, then in a tenth of the age.
    assert!((20..=60).contains(&probes), "{probes}");
    assert!(server.most_in_flight.load(Ordering::Relaxed) <= 2, "one probe at a time");
    let waiting = layer.gate().status(&get(None)).waiting;
    assert!(waiting + probes >= 40, "{waiting} wait, {probes} have probed and failed");
    server.set_down(false);
    let mut served = 0;
    for call in calls {
        served += usize::from(call.await.unwrap().0.is_ok());
    }
    assert_eq!(served, 40 - probes, "without a layer above, a call that probes fails");
    sleep(s(1)).await;
    assert_eq!(layer.gate().status(&get(None)).phase, GatePhase::Open);
    assert!(layer.gate().is_open(), "no state is left");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_marked_as_an_outage_and_a_success_of_a_release_as_degraded() {
    let layer = layer();
    let (client, server) = shut(&layer, Down::Answers(503)).await;
    let probe = call(&client, get(Some(s(30)))).await.unwrap().0.unwrap();
    assert_eq!(UpstreamHealth::of_response(&probe), Some(UpstreamHealth::Outage));
    server.set_down(false);
    let answered = call(&client, get(Some(s(30)))).await.unwrap().0.unwrap();
    assert_eq!(UpstreamHealth::of_response(&answered), Some(UpstreamHealth::Degraded));
    sleep(s(2)).await;
    for _ in 0..2 {
        let healthy = call(&client, get(Some(s(30)))).await.unwrap().0.unwrap();
        assert_eq!(UpstreamHealth::of_response(&healthy), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_leaves_the_line_in_time_for_an_answer() {
    let (layer, server) = (layer(), Server::new(Down::Refuses));
    let client = server.client(&layer);
    good_day(&client, &server).await;
    layer.gate().shut(&get(None));
    let (result, took) = call(&client, get(Some(s(5)))).await.unwrap();
    let error = result.unwrap_err();
    assert!(error.is_paced() && error.to_string().contains("outage"), "{error}");
    assert!((ms(4_880)..=ms(4_910)).contains(&took), "{took:?}: twice 50 ms before its deadline");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_or_is_dropped_is_replaced() {
    for drops in [false, true] {
        let layer = layer();
        let (client, server) = shut(&layer, Down::Refuses).await;
        let hanging = server.hanging_client(&layer);
        sleep(s(1)).await;
        let probe = call(&hanging, get(Some(s(60))));
        sleep(ms(10)).await;
        assert_eq!(server.requests(), 1);
        let next = call(&client, get(Some(s(60))));
        if drops {
            probe.abort();
        }
        let (_, took) = next.await.unwrap();
        let expected = if drops { ms(100)..=ms(250) } else { ms(950)..=ms(1_050) };
        assert!(expected.contains(&took), "{drops} {took:?}");
        assert_eq!(server.requests(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_call_probes_first() {
    let layer = layer();
    let (client, server) = shut(&layer, Down::Refuses).await;
    let posts: Vec<_> = (0..3).map(|_| call(&client, request(Method::POST, "/", Some(s(9))))).collect();
    let keyed = {
        let mut keyed = request(Method::POST, "/keyed", Some(s(20)));
        keyed.headers_mut().insert("idempotency-key", "a".parse().unwrap());
        call(&client, keyed)
    };
    let get = call(&client, request(Method::GET, "/get", Some(s(10))));
    for call in posts.into_iter().chain([keyed, get]) {
        call.await.unwrap().0.unwrap_err();
    }
    let order: Vec<_> = server.received.lock().unwrap().iter().map(|(_, _, path)| path.clone()).collect();
    assert_eq!(order, ["/get", "/keyed", "/", "/", "/"], "then those that cannot be sent again");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_deadline_is_sent_and_its_answer_opens_the_gate() {
    let layer = layer();
    let (client, server) = shut(&layer, Down::Refuses).await;
    let waiting: Vec<_> = (0..3).map(|_| call(&client, get(Some(s(30))))).collect();
    let (result, took) = call(&client, get(None)).await.unwrap();
    assert!(result.unwrap_err().is_connect() && took.is_zero());
    server.set_down(false);
    call(&client, get(None)).await.unwrap().0.unwrap();
    for call in waiting {
        call.await.unwrap().0.unwrap();
    }
    assert!(!is_shut(&layer));
}

#[tokio::test(start_paused = true)]
async fn the_line_goes_by_deadline_or_newest_first() {
    for (newest_first, expected) in [(false, ["/10", "/20", "/30"]), (true, ["/30", "/20", "/10"])] {
        let layer = if newest_first { layer().newest_first() } else { layer() };
        let (client, server) = shut(&layer, Down::Refuses).await;
        let calls: Vec<_> = [20, 30, 10]
            .map(|deadline| call(&client, request(Method::GET, &format!("/{deadline}"), Some(s(deadline)))))
            .into();
        tokio::task::yield_now().await;
        server.set_down(false);
        for call in calls {
            call.await.unwrap().0.unwrap();
        }
        let order: Vec<_> = server.received.lock().unwrap().iter().map(|(_, _, path)| path.clone()).collect();
        assert_eq!(order, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_fast_and_those_after_ten_deadlines_do_not_wait() {
    let layer = layer();
    let (client, server) = shut(&layer, Down::Refuses).await;
    let mut hurried = get(Some(s(30)));
    hurried.extensions_mut().insert(FailFast);
    let (result, took) = call(&client, hurried).await.unwrap();
    let error = result.unwrap_err();
    assert!(error.is_paced() && took.is_zero() && error.retry_at().is_some(), "{error}");
    // A call with a deadline of a second waits in the first ten seconds.
    sleep(s(5)).await;
    drop(call(&client, get(Some(s(1)))).await);
    let (_, took) = call(&client, get(Some(s(1)))).await.unwrap();
    assert!(!took.is_zero(), "it waits for the next probe");
    sleep(s(5)).await;
    drop(call(&client, get(Some(s(1)))).await);
    assert!(server.requests() >= 3, "a call that comes when a probe is due is the probe");
    let (result, took) = call(&client, get(Some(s(1)))).await.unwrap();
    assert!(result.unwrap_err().is_paced() && took.is_zero());
}

#[tokio::test(start_paused = true)]
async fn the_line_is_bounded() {
    let layer = layer();
    let client = Server::new(Down::Refuses).client(&layer);
    layer.gate().shut(&get(None));
    let calls: Vec<_> = (0..10_050).map(|_| call(&client, get(Some(s(8))))).collect();
    sleep(ms(10)).await;
    assert_eq!(layer.gate().status(&get(None)).waiting, 10_000);
    let mut at_once = 0;
    for call in calls {
        at_once += usize::from(call.await.unwrap().1.is_zero());
    }
    assert_eq!(at_once, 50);
    assert_eq!(layer.gate().status(&get(None)).waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn one_bad_route_or_host_does_not_stop_the_others() {
    let (layer, server) = (layer(), Server::new(Down::Refuses));
    let client = server.client(&layer);
    good_day(&client, &server).await;
    for _ in 0..30 {
        assert_eq!(call(&client, request(Method::GET, "/bad", Some(s(9)))).await.unwrap().0.unwrap().status(), 503);
        call(&client, get(Some(s(9)))).await.unwrap().0.unwrap();
    }
    assert!(!is_shut(&layer), "each failure is followed by an answer");
    server.set_down(true);
    for _ in 0..20 {
        drop(call(&client, get(Some(s(1)))).await);
    }
    server.set_down(false);
    let other = Request::get("https://other.example/").body(()).unwrap();
    assert!(client.clone().oneshot(other).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_resend_is_paid_when_it_is_admitted_and_a_probe_is_free() {
    let layer = layer();
    let (client, server) = shut(&layer, Down::Refuses).await;
    let paid = Arc::new(AtomicUsize::new(0));
    let resend = |may_pay: bool| {
        let (mut resend, paid) = (get(Some(s(30))), Arc::clone(&paid));
        let state = SendState::paid_at_send(move || {
            paid.fetch_add(1, Ordering::Relaxed);
            may_pay
        });
        resend.extensions_mut().insert(state.clone());
        (resend, state)
    };
    let (request, state) = resend(false);
    let probe = call(&client, request);
    assert!(probe.await.unwrap().0.unwrap_err().is_connect() && state.is_probe());
    assert_eq!(paid.load(Ordering::Relaxed), 0);
    // Its deadline is the next one after that of the last probe.
    let first = call(&client, get(Some(ms(29_990))));
    let refused = call(&client, resend(false).0);
    let sent = call(&client, resend(true).0);
    server.set_down(false);
    assert!(refused.await.unwrap().0.unwrap_err().is_paced());
    for call in [first, sent] {
        call.await.unwrap().0.unwrap();
    }
    assert_eq!((paid.load(Ordering::Relaxed), server.requests()), (2, 2));
    // Also with its gates open.
    sleep(s(2)).await;
    assert!(call(&client, resend(false).0).await.unwrap().0.unwrap_err().is_paced());
    assert_eq!(server.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_in_the_line_leaves_it() {
    let layer = layer();
    let (client, server) = shut(&layer, Down::Refuses).await;
    let calls: Vec<_> = (0..10).map(|_| call(&client, get(Some(s(30))))).collect();
    sleep(ms(10)).await;
    assert_eq!(layer.gate().status(&get(None)).waiting, 10);
    calls.iter().for_each(JoinHandle::abort);
    sleep(s(20)).await;
    assert_eq!(layer.gate().status(&get(None)).waiting, 0);
    assert_eq!(server.requests(), 0, "nothing was sent for them");
}

#[tokio::test(start_paused = true)]
async fn a_gate_is_shut_and_opened_by_hand_and_its_waits_end_at_shutdown() {
    let (layer, server) = (layer(), Server::new(Down::Refuses));
    let (client, gate) = (server.client(&layer), layer.gate());
    good_day(&client, &server).await;
    server.set_down(false);
    gate.shut(&get(None));
    assert!(matches!(gate.status(&get(None)).phase, GatePhase::Shut { next_probe: None, .. }));
    let waiting: Vec<_> = (0..5).map(|_| call(&client, get(Some(s(30))))).collect();
    sleep(s(10)).await;
    assert_eq!(server.requests(), 0, "nothing probes");
    call(&client, get(None)).await.unwrap().0.unwrap();
    assert!(is_shut(&layer), "no answer opens it");
    gate.open(&get(None));
    for call in waiting {
        call.await.unwrap().0.unwrap();
    }
    gate.shut(&get(None));
    let waiting = call(&client, get(Some(s(30))));
    sleep(s(1)).await;
    gate.end_waits();
    let (result, took) = waiting.await.unwrap();
    assert!(result.unwrap_err().is_paced() && took == s(1));
    gate.shut(&get(None));
    let (result, took) = call(&client, get(Some(s(30)))).await.unwrap();
    assert!(result.unwrap_err().is_paced() && took.is_zero(), "later calls do not wait either");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_become_slower_for_good_is_accepted() {
    let (layer, server) = (layer(), Server::new(Down::Refuses));
    let client = server.client(&layer);
    good_day(&client, &server).await;
    let slow = layer.layer(BoxCloneSyncService::new(service_fn(|_: Request<()>| async {
        sleep(ms(600)).await;
        Ok::<_, TransportError>(Response::new(()))
    })));
    let start = Instant::now();
    for nth in 0..100 {
        sleep_until(start + ms(100) * nth).await;
        let slow = slow.clone();
        tokio::spawn(async move { slow.oneshot(get(Some(s(5)))).await.unwrap() });
    }
    sleep(s(2)).await;
    assert!(layer.gate().is_open(), "latency alone shuts nothing");
}

#[tokio::test(start_paused = true)]
async fn a_layer_without_outages_sends_each_call() {
    let layer = layer().without_outages();
    let (client, server) = shut(&layer, Down::Refuses).await;
    for _ in 0..20 {
        assert!(call(&client, get(Some(s(9)))).await.unwrap().0.unwrap_err().is_connect());
    }
    assert!(layer.gate().is_open() && server.requests() == 20);
}

#[tokio::test(start_paused = true)]
async fn of_many_calls_one_in_sixteen_is_timed_and_of_few_each() {
    let draws = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&draws);
    let layer = PaceLayer::new(silent()).random(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        1
    });
    let server = Server::new(Down::Refuses);
    let client = server.client(&layer);
    // Whether a call is timed is drawn only where calls are many.
    for _ in 0..64 {
        client.clone().oneshot(get(None)).await.unwrap();
    }
    assert_eq!(draws.load(Ordering::Relaxed), 0);
    for _ in 0..100 {
        client.clone().oneshot(get(None)).await.unwrap();
    }
    assert_eq!(draws.load(Ordering::Relaxed), 100, "20 calls a second");
}

#[tokio::test(start_paused = true)]
async fn a_hedge_is_refused_at_once_in_an_outage_and_its_release() {
    let layer = layer();
    let hedge = || {
        let mut hedge = get(Some(s(30)));
        hedge.extensions_mut().insert(SendState::hedge());
        hedge
    };
    let (client, server) = shut(&layer, Down::Refuses).await;
    sleep(s(1)).await;
    let start = Instant::now();
    let refused = client.clone().oneshot(hedge()).await.unwrap_err();
    assert!(refused.is_paced() && start.elapsed().is_zero(), "it is no probe, though one is due: {refused}");
    assert_eq!(server.requests(), 0);
    server.set_down(false);
    call(&client, get(Some(s(30)))).await.unwrap().0.unwrap();
    assert!(client.clone().oneshot(hedge()).await.unwrap_err().is_paced(), "the release has begun");
    sleep(s(2)).await;
    assert!(client.oneshot(hedge()).await.is_ok(), "all is well again");
    assert_eq!(server.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_line_is_bounded_by_the_bytes_that_its_calls_hold() {
    let layer = layer().max_waiting_bytes(1_000);
    let served = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&served);
    let client = layer.layer(service_fn(move |_: Request<String>| {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, TransportError>(Response::new(())) }
    }));
    let put = |bytes: usize| {
        let mut put = Request::put("https://api.example/").body("x".repeat(bytes)).unwrap();
        put.extensions_mut().insert(Deadline::from_now(s(60)));
        put
    };
    let call = |request| {
        let client = client.clone();
        tokio::spawn(async move { client.oneshot(request).await })
    };
    layer.gate().shut(&get(None));
    let mut waiting = vec![call(put(400)), call(put(600))];
    sleep(ms(1)).await;
    let refused = call(put(1)).await.unwrap().unwrap_err();
    assert!(refused.is_paced() && refused.to_string().contains("the line is full"), "{refused}");
    let mut holding = put(0);
    holding.extensions_mut().insert(SendState::paid_at_send_holding(1, || true));
    assert!(call(holding).await.unwrap().is_err(), "what its call holds counts, too");
    waiting.push(call(put(0)));
    sleep(ms(1)).await;
    assert_eq!(layer.gate().status(&get(None)).waiting, 3, "a call without a body has room");
    waiting.remove(1).abort();
    sleep(ms(1)).await;
    waiting.push(call(put(600)));
    sleep(ms(1)).await;
    assert_eq!(
        (layer.gate().status(&get(None)).waiting, served.load(Ordering::Relaxed)),
        (3, 0),
        "a dropped call makes room"
    );
    layer.gate().open(&get(None));
    for call in waiting {
        call.await.unwrap().unwrap();
    }
    layer.gate().shut(&get(None));
    let again = call(put(1_000));
    sleep(ms(1)).await;
    assert_eq!(layer.gate().status(&get(None)).waiting, 1, "calls that were sent hold nothing");
    again.abort();
}
