//! Events: one for each decision, without secrets.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use common::{close, good_day, layer, limit, ms, refusing, request, s, serve, server, spawn};
use http::Request;
use redress_classify::{Deadline, Dialect};
use redress_pace::PaceLayer;
use redress_sandbox::Recorder;
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt};

#[tokio::test(start_paused = true)]
async fn each_decision_is_one_event_with_the_same_fields() {
    let (mock, _handle) = server();
    let recorder = Recorder::new();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let service = serve(&layer().limit(limit(5)), &mock);
    let line = |message: &str, reason: &str, wait: &str| {
        format!("DEBUG redress::pace message={message} dialect=\"silent\" partition=api.example {reason} wait={wait}")
    };
    close(&service, 30).await;
    assert_eq!(recorder.take(), [line("cool-down started", "class=\"rate_limited\"", "30s")]);
    let mut hurried = request(common::URL);
    hurried.extensions_mut().insert(Deadline::from_now(s(20)));
    assert!(service.clone().oneshot(hurried).await.is_err());
    assert_eq!(recorder.take(), [line("call rejected", "reason=\"cooldown\"", "30s")]);
    service.clone().oneshot(request(common::URL)).await.unwrap();
    assert_eq!(recorder.take(), [line("call waits", "reason=\"cooldown\"", "30s")]);
    service.clone().oneshot(request(common::URL)).await.unwrap();
    assert_eq!(recorder.take(), [line("call waits", "reason=\"limit\"", "2s")]);
}

#[tokio::test(start_paused = true)]
async fn no_event_no_error_and_no_debug_text_shows_a_secret() {
    let (mock, _handle) = server();
    let recorder = Recorder::new();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let layer = layer().limit(limit(5)).partition(|_, _, _| Some("canary-key".to_owned()));
    let mut service = serve(&layer, &mock);
    let secret = |status: &str| {
        Request::get("https://canary-user:canary-word@api.example/canary-path?canary-query")
            .header("authorization", "canary-token")
            .header("x-status", status)
            .header("x-wait", "100")
            .body("canary-body".to_owned())
            .unwrap()
    };
    service.clone().oneshot(secret("429")).await.unwrap();
    let waiting = service.ready().await.unwrap().call(secret("200"));
    let mut texts = vec![format!("{waiting:?} {:?} {layer:?} {:?}", service, layer.gate())];
    let mut hurried = secret("200");
    hurried.extensions_mut().insert(Deadline::from_now(s(1)));
    let error = service.oneshot(hurried).await.unwrap_err();
    texts.push(format!("{error} {error:?}"));
    let events = recorder.take();
    assert!(events.len() >= 3, "{events:?}");
    texts.extend(events);
    for text in texts {
        assert!(!text.contains("canary"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_names_the_scope_of_a_cool_down_and_not_its_key() {
    let (mock, _handle) = server();
    let recorder = Recorder::new();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let text = "name = \"acme\"\n[[scopes]]\nname = \"room\"\nroutes = \"* /rooms/{room}\"\nkey = \"room\"\n";
    let layer = PaceLayer::new(Dialect::from_toml("acme.toml", text).unwrap());
    let service = serve(&layer, &mock);
    let uri = |path: &str| format!("https://api.example{path}");
    for (path, wait) in [("/rooms/canary-room", "30"), ("/else", "60")] {
        service.clone().oneshot(refusing(&uri(path), "429", Some(wait))).await.unwrap();
    }
    let line = |scope: &str, wait: &str| {
        format!(
            "DEBUG redress::pace message=cool-down started dialect=\"acme\" partition=api.example{scope} class=\"rate_limited\" wait={wait}"
        )
    };
    assert_eq!(recorder.take(), [line(" scope=\"room\"", "30s"), line("", "60s")]);
    let texts = format!(
        "{layer:?} {service:?} {:?} {:?}",
        layer.gate(),
        service.clone().call(request(&uri("/rooms/canary-room")))
    );
    assert!(!texts.contains("canary"), "{texts}");
}

#[tokio::test(start_paused = true)]
async fn shutting_probing_and_opening_a_gate_are_events() {
    let (mock, handle) = server();
    let recorder = Recorder::new();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let service = serve(&layer(), &mock);
    let with_deadline = |mut request: Request<String>| {
        request.extensions_mut().insert(Deadline::from_now(s(30)));
        request
    };
    good_day(&service, &handle).await;
    for _ in 0..3 {
        let failed = service.clone().oneshot(refusing(common::URL, "503", None)).await;
        assert_eq!(failed.unwrap().status(), 503);
    }
    let has = |events: &[String], text: &str| events.iter().filter(|event| event.contains(text)).count();
    let events = recorder.take();
    assert_eq!((has(&events, "gate shut"), has(&events, "reason=\"failures\"")), (1, 1), "{events:?}");
    let probe = with_deadline(refusing(common::URL, "503", None));
    assert_eq!(service.clone().oneshot(probe).await.unwrap().status(), 503);
    let events = recorder.take();
    assert_eq!((has(&events, "message=call waits"), has(&events, "outcome=\"failed\"")), (1, 1), "{events:?}");
    let waiting: Vec<_> =
        (0..3).map(|_| spawn(&service, with_deadline(request(common::URL)), Instant::now())).collect();
    sleep(ms(1)).await;
    for call in waiting {
        call.await.unwrap().0.unwrap();
    }
    let events = recorder.take();
    assert_eq!((has(&events, "outcome=\"answered\""), has(&events, "gate opened")), (1, 1), "{events:?}");
    assert!(
        events.iter().any(|event| event.contains("reason=\"answer\"") && event.contains("waiting=2")),
        "{events:?}"
    );
}
