//! Credentials are sent to listed origins only, and only with an allowed `Host` header.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use common::{Api, Issuer, Rig, answer, bearer, give, grant};
use http::header::HOST;
use http::{HeaderValue, Request};
use redress_classify::ForeignHost;
use redress_refresh::{RefreshLayer, StaticHeaders};
use redress_sandbox::Recorder;
use tower::{Layer, ServiceExt};

const API: &str = "https://api.example.com/checks?token=q-s3cret";

fn accepting() -> Api {
    Api::new(|_| answer(200))
}

fn keyed() -> RefreshLayer {
    let keys = StaticHeaders::new().header("x-api-key", "s3cret-key").unwrap();
    RefreshLayer::new(keys, "https://api.example.com".parse().unwrap())
}

fn to(uri: &str, hosts: &[&str]) -> Request<String> {
    let mut request = Request::post(uri).body("body".to_owned()).unwrap();
    for host in hosts {
        request.headers_mut().append(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
    }
    request
}

/// Whether a request arrives with the key.
async fn is_stamped(layer: &RefreshLayer, request: Request<String>) -> bool {
    let api = accepting();
    let hosts: Vec<_> = request.headers().get_all(HOST).iter().cloned().collect();
    layer.layer(api.clone()).oneshot(request).await.unwrap();
    let [seen] = &api.seen()[..] else { panic!("sent once") };
    assert!(seen.headers.get_all(HOST).iter().eq(&hosts), "it arrives with the Host headers that it had");
    seen.headers.contains_key("x-api-key")
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_host_header_names_another_authority_gets_no_credentials() {
    for (hosts, stamped) in [
        (&[][..], true),
        (&["api.example.com"], true),
        (&["API.Example.COM"], true),
        (&["api.example.com:443"], true),
        (&["api.example.com", "api.example.com"], true),
        (&["evil.test"], false),
        (&["api.example.com:80"], false),
        (&["api.example.com:"], false),
        (&["api.example.com:0443x"], false),
        (&["api.example.com."], false),
        (&["api.example.com.evil.test"], false),
        (&["evil.test:443"], false),
        (&["user@api.example.com"], false),
        (&["api.example.com@evil.test"], false),
        (&["@api.example.com"], false),
        (&["https://api.example.com"], false),
        (&["api.example.com/"], false),
        (&["api.example.com,evil.test"], false),
        (&["api.example.com evil.test"], false),
        (&["api.example.com\u{e9}"], false),
        (&[""], false),
        (&["api.example.com", "evil.test"], false),
        (&["evil.test", "api.example.com"], false),
        (&["api.example.com", ""], false),
    ] {
        assert_eq!(is_stamped(&keyed(), to(API, hosts)).await, stamped, "{hosts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_of_the_origin_is_compared_with_that_of_the_host_header() {
    let layer = keyed().origin("http://localhost:8080".parse().unwrap());
    for (host, stamped) in [
        ("localhost:8080", true),
        ("LocalHost:08080", true),
        ("localhost", false),
        ("localhost:80", false),
        ("127.0.0.1:8080", false),
        // It names another origin of the list, which is another server.
        ("api.example.com", false),
    ] {
        assert_eq!(is_stamped(&layer, to("http://localhost:8080/", &[host])).await, stamped, "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_allowed_host_gets_credentials_and_the_request_is_marked() {
    let before = RefreshLayer::none()
        .allow_host("front.example".parse().unwrap())
        .allow_host("Other.Example:8443".parse().unwrap())
        .credentials_from(&keyed());
    let after =
        keyed().allow_host("front.example".parse().unwrap()).allow_host("user@other.example:8443".parse().unwrap());
    for layer in [before, after] {
        for (hosts, stamped) in [
            (&["front.example"][..], true),
            (&["FRONT.example:443"], true),
            (&["other.example:8443"], true),
            (&["front.example", "api.example.com"], true),
            (&["front.example:80"], false),
            (&["other.example"], false),
            (&["user@front.example"], false),
            (&["a.front.example"], false),
            (&["front.example", "evil.test"], false),
            (&["evil.test", "front.example"], false),
        ] {
            assert_eq!(is_stamped(&layer, to(API, hosts)).await, stamped, "{hosts:?}");
        }
        let elsewhere = to("https://eu.example.com/", &["front.example"]);
        assert!(!is_stamped(&layer, elsewhere).await, "a Host is allowed at a listed origin only");
    }
    let layer = keyed().allow_host("front.example".parse().unwrap());
    for (hosts, says_so) in
        [(&[][..], false), (&["api.example.com"], false), (&["front.example"], true), (&["evil"], false)]
    {
        let below = tower::service_fn(move |request: Request<String>| async move {
            assert_eq!(request.extensions().get::<ForeignHost>().is_some(), says_so, "{hosts:?}");
            assert_eq!(request.extensions().is_empty(), !says_so);
            Ok::<_, std::convert::Infallible>(answer(200))
        });
        layer.layer(below).oneshot(to(API, hosts)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_cannot_allow_a_host_itself() {
    let mut request = to(API, &["evil.test"]);
    request.extensions_mut().insert(ForeignHost);
    assert!(!is_stamped(&keyed(), request).await);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_host_causes_no_login_and_its_401_no_refresh() {
    for held in [None, Some(grant("t1"))] {
        let issuer = Issuer::new([give("t2")]);
        let issuer = if let Some(held) = held { issuer.holding(held) } else { issuer };
        let rig = Rig::new(issuer, Api::accepting(&[]));
        let response = rig.service().oneshot(to(API, &["evil.test"])).await.unwrap();
        assert_eq!(response.status(), 401);
        let seen = rig.api.seen();
        assert_eq!((seen.len(), bearer(&seen[0].headers)), (1, None));
        assert!(rig.issuer.asked().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_allowed_host_is_sent_again_after_a_refresh_with_the_same_host() {
    for waits in [false, true] {
        let issuer = Issuer::new([give("t2")]);
        let mut rig = Rig::new(if waits { issuer } else { issuer.holding(grant("t1")) }, Api::accepting(&["t2"]));
        rig.layer = rig.layer.allow_host("front.example".parse().unwrap());
        assert_eq!(rig.service().oneshot(to(API, &["front.example"])).await.unwrap().status(), 200);
        assert!(rig.api.seen().iter().all(|seen| seen.headers[HOST] == "front.example"));
        assert_eq!(rig.api.tokens().last().unwrap(), "t2");
    }
}

/// Sends requests, and returns the lines of warnings.
async fn warnings(layer: &RefreshLayer, requests: impl IntoIterator<Item = Request<String>>) -> Vec<String> {
    let recorder = Recorder::with_target("redress::refresh");
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let service = layer.layer(accepting());
    for request in requests {
        service.clone().oneshot(request).await.unwrap();
    }
    recorder.take().into_iter().filter(|line| line.starts_with("WARN")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_request_without_credentials_is_reported_once_for_each_authority() {
    let layer = keyed();
    let uris = [
        "https://eu.example.com/a",
        "https://user:s3cret-pw@eu.example.com/b?s3cret-query",
        "https://EU.example.com:443/",
        "https://api.example.com/",
        "https://127.0.0.1:8443/s3cret-path",
        "https://eu.example.com/",
    ];
    let lines = warnings(&layer, uris.map(|uri| to(uri, &[]))).await;
    let [eu, local] = &lines[..] else { panic!("one for each authority: {lines:#?}") };
    assert!(eu.contains("eu.example.com") && eu.contains("RefreshLayer::origin"), "{eu}");
    assert!(local.contains("127.0.0.1:8443"), "{local}");
    assert!(!lines.concat().contains("s3cret") && !lines.concat().contains("user"), "{lines:#?}");
    let again = warnings(&layer.clone(), uris.map(|uri| to(uri, &[]))).await;
    assert!(again.is_empty(), "services and clones of a layer share what was told: {again:#?}");
    let none = warnings(&RefreshLayer::none(), uris.map(|uri| to(uri, &[]))).await;
    assert!(none.is_empty(), "there are no credentials to miss: {none:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_without_credentials_is_reported_with_its_reason() {
    let lines =
        warnings(&keyed(), [to(API, &["evil.test"]), to(API, &["two.test"]), to(API, &["api.example.com"])]).await;
    let [line] = &lines[..] else { panic!("once for the authority: {lines:#?}") };
    assert!(line.contains("api.example.com") && line.contains("evil.test") && line.contains("allow_host"), "{line}");
    assert!(!line.contains("s3cret"));
    let lines = warnings(&keyed(), [to("/checks", &[]), to("/other", &["api.example.com"]), to("*", &[])]).await;
    let [line] = &lines[..] else { panic!("once: {lines:#?}") };
    assert!(line.contains("absolute"), "{line}");
    let lines = warnings(&keyed(), [to("api.example.com:443", &[])]).await;
    assert!(lines.len() == 1 && lines[0].contains("absolute"), "a host without a scheme: {lines:#?}");
    let lines = warnings(&keyed(), [to("http://api.example.com/", &[])]).await;
    assert!(lines[0].contains("http://api.example.com"), "the scheme is the reason: {lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_hostile_host_header_stays_on_its_line_and_is_cut() {
    let long = format!("user:s3cret-pw@evil\u{202e}.test{}", "x".repeat(5_000));
    let lines = warnings(&keyed(), [to(API, &[&long])]).await;
    assert!(lines[0].len() < 1_000 && lines[0].contains("evil\\u{202e}.test"), "{lines:#?}");
    assert!(!lines[0].contains("s3cret"), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_number_of_reported_authorities_is_bounded() {
    let layer = keyed();
    let hosts = (0..1_000).map(|nth| to(&format!("https://h{nth}.example/"), &[]));
    let lines = warnings(&layer, hosts).await;
    let (last, authorities) = lines.split_last().unwrap();
    assert_eq!(authorities.len(), 64);
    assert!(last.contains("further authorities"), "the last one says that others are not reported: {last}");
}
