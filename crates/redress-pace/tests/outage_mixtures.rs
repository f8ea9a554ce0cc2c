//! Any mixture of calls in outages: with and without deadlines, dropped, answered, failed or hanging, beside cool-downs and gates
//! that are opened and shut by hand.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{ms, s, silent};
use http::{Method, Request, Response};
use proptest::prelude::*;
use redress_classify::{Deadline, Error, SendState, TransportError};
use redress_pace::{GatePhase, Pace, PaceLayer};
use tokio::time::{Instant, advance, sleep, sleep_until, timeout};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

/// The longest wait of a call without a deadline.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// The time after which a server that hangs breaks the connection.
const HANGS: Duration = Duration::from_secs(40);

/// How the server treats the requests that arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Answers,
    Refuses,
    /// Ends each attempt as a timeout of a second.
    TimesOut,
    Hangs,
    /// Answers 503, with a hint of so many seconds, if any.
    Unavailable(Option<u64>),
    Fails,
}

/// A call: the ms after which it begins, its deadline, the ms after which it is dropped, whether it is a GET, and how the server
/// treats it if not like all others.
type Plan = (u64, Option<u64>, Option<u64>, bool, Option<Mode>);

/// The modes of the server, and whether the gate is opened or shut by hand when one begins.
type Phase = (u64, Mode, Option<bool>);

/// A request that the server received.
#[derive(Clone, Debug)]
struct Received {
    nth: usize,
    at: Instant,
    is_probe: bool,
    mode: Mode,
    /// The time of its response or failure; `None` if it was dropped.
    ended: Option<Instant>,
    /// The time at which it was dropped or ended.
    gone: Option<Instant>,
}

#[derive(Clone)]
struct Server {
    mode: Arc<Mutex<Mode>>,
    received: Arc<Mutex<Vec<Received>>>,
}

/// The call of a request, and how the server treats it if not like all others.
#[derive(Clone, Copy)]
struct Tag(usize, Option<Mode>);

/// Records the time at which a request is answered or dropped.
struct InFlight(Server, usize);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.received.lock().unwrap()[self.1].gone = Some(Instant::now());
    }
}

impl Received {
    /// Returns the time at which it was answered in a way that opens a gate, if it was sent as the probe.
    fn opens(&self) -> Option<Instant> {
        self.ended.filter(|_| matches!(self.mode, Mode::Answers | Mode::Unavailable(Some(_)) | Mode::Fails))
    }

    /// Returns the time of its hint, and the end of that.
    fn hint(&self) -> Option<(Instant, Instant)> {
        let Mode::Unavailable(Some(hint)) = self.mode else { return None };
        self.ended.map(|at| (at, at + s(hint)))
    }
}

impl Server {
    fn new() -> Self {
        Self { mode: Arc::new(Mutex::new(Mode::Answers)), received: Arc::default() }
    }

    async fn work(self, request: Request<()>) -> Result<Response<()>, TransportError> {
        let Tag(nth, own) = *request.extensions().get().unwrap();
        let is_probe = request.extensions().get().is_some_and(SendState::is_probe);
        let mode = own.unwrap_or(*self.mode.lock().unwrap());
        let index = {
            let mut received = self.received.lock().unwrap();
            received.push(Received { nth, at: Instant::now(), is_probe, mode, ended: None, gone: None });
            received.len() - 1
        };
        let _in_flight = InFlight(self.clone(), index);
        let result = answer(mode).await;
        self.received.lock().unwrap()[index].ended = Some(Instant::now());
        result
    }
}

async fn answer(mode: Mode) -> Result<Response<()>, TransportError> {
    let status = |status: u16| Response::builder().status(status);
    match mode {
        Mode::Answers => sleep(ms(50)).await,
        Mode::TimesOut => sleep(s(1)).await,
        Mode::Hangs => sleep(HANGS).await,
        _ => {}
    }
    let response = match mode {
        Mode::Answers => status(200),
        Mode::Refuses | Mode::Hangs => return Err(TransportError::body("connection reset")),
        Mode::TimesOut => return Err(TransportError::timeout("no response within 1s")),
        Mode::Unavailable(None) => status(503),
        Mode::Unavailable(Some(hint)) => status(503).header("retry-after", hint),
        Mode::Fails => status(500),
    };
    Ok(response.body(()).unwrap())
}

/// The end of a call.
#[derive(Debug)]
struct Ended {
    nth: usize,
    began: Instant,
    deadline: Option<Instant>,
    at: Instant,
    /// `None` if it was dropped.
    result: Option<Result<Response<()>, Error>>,
    polls: usize,
}

fn request(nth: usize, own: Option<Mode>, deadline: Option<Instant>, is_get: bool) -> Request<()> {
    let method = if is_get { Method::GET } else { Method::POST };
    let mut request = Request::builder().method(method).uri("https://api.example/").body(()).unwrap();
    request.extensions_mut().insert(Tag(nth, own));
    request.extensions_mut().insert(SendState::new());
    if let Some(deadline) = deadline {
        request.extensions_mut().insert(Deadline::new(deadline));
    }
    request
}

type Client = Pace<BoxCloneSyncService<Request<()>, Response<()>, TransportError>>;

/// Makes a call and counts its polls.
async fn call(client: Client, nth: usize, plan: Plan, start: Instant) -> Ended {
    let (begin, deadline, give_up, is_get, own) = plan;
    sleep_until(start + ms(begin)).await;
    let began = Instant::now();
    let deadline = deadline.map(|deadline| began + ms(deadline));
    let polls = AtomicUsize::new(0);
    let result = {
        let mut future = pin!(client.oneshot(request(nth, own, deadline, is_get)));
        let counted = std::future::poll_fn(|cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            future.as_mut().poll(cx)
        });
        match give_up {
            Some(give_up) => timeout(ms(give_up), counted).await.ok(),
            None => Some(counted.await),
        }
    };
    Ended { nth, began, deadline, at: Instant::now(), result, polls: polls.into_inner() }
}

/// All that happened in a run.
struct Run {
    calls: Vec<Ended>,
    received: Vec<Received>,
    opened: Vec<Instant>,
    by_hand: Vec<Instant>,
    /// The end of the pause of the machine, at which the calls go on that were to end meanwhile.
    resumed: Option<Instant>,
}

async fn run(plans: &[Plan], phases: &[Phase], newest_first: bool, nap: u64) -> Run {
    let draws = AtomicU32::new(1);
    let random = move || draws.fetch_add(0x9e37_79b9, Ordering::Relaxed);
    let layer = PaceLayer::new(silent()).random(random).max_wait(LONGEST_WAIT);
    let layer = if newest_first { layer.newest_first() } else { layer };
    let server = Server::new();
    let service = server.clone();
    let client = layer.layer(BoxCloneSyncService::new(service_fn(move |request| service.clone().work(request))));
    // A good day, so that an outage can be known.
    for _ in 0..20 {
        let start = Instant::now();
        call(client.clone(), usize::MAX, (0, None, None, true, None), start).await.result.unwrap().unwrap();
    }
    server.received.lock().unwrap().clear();
    let (gate, start) = (layer.gate(), Instant::now());
    let like = request(0, None, None, true);
    let calls: Vec<_> =
        plans.iter().enumerate().map(|(nth, plan)| tokio::spawn(call(client.clone(), nth, *plan, start))).collect();
    let (mut opened, mut by_hand) = (Vec::new(), Vec::new());
    for (lasts, mode, hand) in phases {
        *server.mode.lock().unwrap() = *mode;
        match hand {
            Some(true) => gate.open(&like),
            Some(false) => gate.shut(&like),
            None => {}
        }
        opened.extend(hand.filter(|opens| *opens).map(|_| Instant::now()));
        by_hand.extend(hand.map(|_| Instant::now()));
        sleep(ms(*lasts)).await;
    }
    advance(s(nap)).await;
    let resumed = (nap > 0).then(Instant::now);
    let mut ended = Vec::new();
    for call in calls {
        ended.push(timeout(s(3_600), call).await.expect("each call ends").expect("no panic"));
    }
    assert_nothing_is_left(&layer, &client, &server).await;
    let received = server.received.lock().unwrap().clone();
    Run { calls: ended, received, opened, by_hand, resumed }
}

/// Once the server is back, a call or two leave the gate open, and nothing behind.
async fn assert_nothing_is_left(layer: &PaceLayer, client: &Client, server: &Server) {
    let like = request(usize::MAX, None, None, true);
    assert_eq!(layer.gate().status(&like).waiting, 0);
    *server.mode.lock().unwrap() = Mode::Answers;
    // The longest hint, and the time after which a release is over.
    sleep(s(40)).await;
    if matches!(layer.gate().status(&like).phase, GatePhase::Shut { next_probe: None, .. }) {
        layer.gate().open(&like);
    }
    let plan = (0, Some(60_000), None, true, None);
    call(client.clone(), usize::MAX, plan, Instant::now()).await.result.unwrap().unwrap();
    sleep(s(2)).await;
    assert_eq!(layer.gate().status(&like).phase, GatePhase::Open);
    assert!(layer.gate().is_open() && format!("{:?}", layer.gate()).contains("waiting: 0"));
}

impl Run {
    /// No call waits past its deadline, nor is it sent at it; without one it waits for the longest wait, and the spread after a
    /// cool-down.
    fn assert_no_wait_is_too_long(&self) -> Result<(), TestCaseError> {
        for call in &self.calls {
            let sent = self.received.iter().find(|received| received.nth == call.nth);
            let left = sent.map_or(call.at, |sent| sent.at);
            match call.deadline {
                Some(deadline) if sent.is_some() => prop_assert!(left < deadline.max(call.began + ms(1)), "{call:?}"),
                Some(deadline) => prop_assert!(left <= deadline || Some(left) == self.resumed, "{call:?}"),
                None => {
                    let latest =
                        self.resumed.map_or(call.began, |resumed| resumed.max(call.began)) + LONGEST_WAIT + s(30);
                    prop_assert!(left <= latest, "{call:?}");
                }
            }
            if let (None, Some(Err(error))) = (sent, &call.result) {
                prop_assert!(error.is_paced() || error.is_deadline(), "{call:?}");
            }
            prop_assert!(self.received.iter().filter(|received| received.nth == call.nth).count() <= 1, "{call:?}");
        }
        Ok(())
    }

    /// A second probe follows the one in flight no earlier than a second after it, when that is replaced; unless the gate was
    /// opened meanwhile.
    fn assert_one_probe_at_a_time(&self) -> Result<(), TestCaseError> {
        let probes = || self.received.iter().filter(|received| received.is_probe);
        for probe in probes() {
            let is_opened = |until: Instant| {
                let is_between = |at: &Instant| (probe.at..=until).contains(at);
                let mut opened = self.received.iter().filter_map(Received::opens);
                opened.any(|at| is_between(&at)) || self.by_hand.iter().any(is_between)
            };
            let later =
                probes().filter(|later| later.at > probe.at || (later.at == probe.at && later.nth != probe.nth));
            for later in later.filter(|later| probe.gone.is_none_or(|gone| later.at < gone)) {
                prop_assert!(later.at >= probe.at + s(1) || is_opened(later.at), "{probe:?} {later:?}");
            }
        }
        Ok(())
    }

    /// Nothing is sent before a hint is over, unless the gate was opened by hand.
    fn assert_no_hint_is_ignored(&self) -> Result<(), TestCaseError> {
        for (at, end) in self.received.iter().filter_map(Received::hint) {
            let opened = self.opened.iter().copied().filter(|opened| *opened >= at).min();
            let until = opened.map_or(end, |opened| opened.min(end));
            let early = self.received.iter().find(|received| received.at > at && received.at < until);
            prop_assert!(early.is_none(), "{early:?} before {until:?}");
        }
        Ok(())
    }

    /// A call is polled when it begins, when its timer fires, and at most once for each arrival, send and end of another call.
    fn assert_no_busy_loop(&self) -> Result<(), TestCaseError> {
        let of_calls = self.calls.iter().flat_map(|call| [call.began, call.at]);
        let of_requests = self.received.iter().flat_map(|received| [Some(received.at), received.gone]).flatten();
        let changes: Vec<_> = of_calls.chain(of_requests).chain(self.by_hand.iter().copied()).collect();
        for call in &self.calls {
            let changes = changes.iter().filter(|at| (call.began..=call.at).contains(at)).count();
            prop_assert!(call.polls <= 4 + changes, "{changes} changes, {call:?}");
        }
        Ok(())
    }
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        4 => Just(Mode::Answers),
        3 => Just(Mode::Refuses),
        2 => Just(Mode::TimesOut),
        2 => Just(Mode::Hangs),
        2 => Just(Mode::Unavailable(None)),
        1 => (1_u64..20).prop_map(|hint| Mode::Unavailable(Some(hint))),
        1 => Just(Mode::Fails),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    (
        0_u64..60_000,
        prop::option::weighted(0.7, 1_u64..60_000),
        prop::option::weighted(0.2, 0_u64..40_000),
        any::<bool>(),
        prop::option::weighted(0.1, mode()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn calls_neither_wait_too_long_nor_are_lost_nor_sent_too_early(
        plans in prop::collection::vec(plan(), 1..120),
        phases in prop::collection::vec((1_u64..20_000, mode(), prop::option::weighted(0.2, any::<bool>())), 1..8),
        newest_first: bool,
        nap in prop_oneof![4 => Just(0_u64), 1 => Just(2 * 3_600)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let run = runtime.block_on(run(&plans, &phases, newest_first, nap));
        run.assert_no_wait_is_too_long()?;
        run.assert_one_probe_at_a_time()?;
        run.assert_no_hint_is_ignored()?;
        run.assert_no_busy_loop()?;
    }
}
