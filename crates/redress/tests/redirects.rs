//! Credentials go to their origins and nowhere else, whoever follows redirects: looked at in the servers.

use std::sync::{Arc, Mutex};

use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderMap, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use redress::login::OAuth2;
use redress::transport::{Hyper, Reqwest};
use redress::{BoxError, RedressLayer, StaticHeaders, TokenSet, dialects};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt};

const CANARY: &str = "s3cret-canary";

/// A server that remembers all that it is sent, and redirects by the path `/to/<uri>`.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn new(host: &str) -> Self {
        let listener = TcpListener::bind((host, 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 16 * 1024];
                let length = stream.read(&mut request).await.unwrap_or_default();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let target = request.split(' ').nth(1).and_then(|path| path.strip_prefix("/to/")).map(str::to_owned);
                log.lock().expect("whole").push(request);
                let answer = match target {
                    Some(target) => format!("HTTP/1.1 307 Moved\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n"),
                    None => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
                };
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { url, seen }
    }

    /// How many requests came, and how many of them with each of the two headers.
    fn count(&self) -> (usize, usize, usize) {
        let seen = self.seen.lock().expect("whole");
        let with = |name: &str| {
            let has = |request: &&String| {
                request.lines().any(|line| line.to_ascii_lowercase().starts_with(name) && line.contains(CANARY))
            };
            seen.iter().filter(has).count()
        };
        (seen.len(), with("authorization:"), with("x-api-key:"))
    }

    fn saw_canary(&self) -> bool {
        self.seen.lock().expect("whole").iter().any(|request| request.contains(CANARY))
    }
}

fn hyper() -> Hyper<hyper_util::client::legacy::connect::HttpConnector, String> {
    Hyper::new(Client::builder(TokioExecutor::new()).build_http())
}

fn reqwest() -> Reqwest {
    Reqwest::new(reqwest::Client::builder()).expect("a client")
}

fn layer(origin: &str) -> RedressLayer {
    let keys = StaticHeaders::new().header("x-api-key", CANARY).expect("legal");
    let keys = keys.header(AUTHORIZATION, format!("Bearer {CANARY}")).expect("legal");
    RedressLayer::new(dialects::ranex()).credentials(keys, origin.parse().expect("an origin"))
}

async fn send<S, R>(transport: S, layer: &RedressLayer, uri: &str) -> Response<()>
where
    S: Service<Request<String>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    let request = Request::get(uri).body(String::new()).expect("legal parts");
    layer.layer(transport).oneshot(request).await.expect("a response").map(drop)
}

/// Follows redirects above the stack, as a layer over it does: each hop is a request of its own.
async fn follow<S, R>(transport: S, layer: &RedressLayer, uri: &str) -> usize
where
    S: Service<Request<String>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    let mut uri = uri.to_owned();
    for hops in 0..10 {
        let response = send(transport.clone(), layer, &uri).await;
        let Some(next) = location(response.headers()) else { return hops };
        uri = if next.starts_with('/') {
            let base: Uri = uri.parse().expect("a URI");
            format!("http://{}{next}", base.authority().expect("absolute"))
        } else {
            next
        };
    }
    panic!("a loop");
}

fn location(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(LOCATION)?.to_str().ok()?.to_owned())
}

#[tokio::test]
async fn no_adapter_of_ours_follows_a_redirect() {
    let (home, other) = (Server::new("127.0.0.1").await, Server::new("127.0.0.1").await);
    let layer = layer(&home.url);
    for target in [format!("{}/x", other.url), "/same".to_owned(), format!("{}/to/{}/x", home.url, other.url)] {
        let uri = format!("{}/to/{target}", home.url);
        assert_eq!(send(hyper(), &layer, &uri).await.status(), 307);
        assert_eq!(send(reqwest(), &layer, &uri).await.status(), 307);
        let recommended = Reqwest::client_builder().build().expect("a client");
        assert_eq!(send(Reqwest::from_client(recommended), &layer, &uri).await.status(), 307);
    }
    assert_eq!((home.count(), other.count()), ((9, 9, 9), (0, 0, 0)));
}

#[tokio::test]
async fn a_follower_above_the_stack_takes_the_credentials_to_their_origin_only() {
    let (home, other) = (Server::new("127.0.0.1").await, Server::new("127.0.0.1").await);
    let port = home.url.rsplit(':').next().expect("a port").to_owned();
    let elsewhere = Server::new("127.0.0.2").await;
    let layer = layer(&home.url);
    for (name, path, hops, at_home, at_other) in [
        ("to another port", format!("/to/{}/x", other.url), 1, 1, 1),
        ("to another path", "/to//same".to_owned(), 1, 2, 0),
        ("there and back", format!("/to/{}/to/{}/x", other.url, home.url), 2, 2, 1),
        ("there, back and there", format!("/to/{0}/to/{1}/to/{0}/x", other.url, home.url), 3, 2, 2),
        ("to another name of the same machine", format!("/to/http://localhost:{port}/x"), 1, 1, 0),
        ("with a user before the host", format!("/to/http://user:pass@{}/x", &other.url[7..]), 1, 1, 1),
        ("with our host as the user", format!("/to/http://127.0.0.1:{port}@{}/x", &other.url[7..]), 1, 1, 1),
    ] {
        for is_hyper in [true, false] {
            for server in [&home, &other] {
                server.seen.lock().expect("whole").clear();
            }
            let uri = format!("{}{path}", home.url);
            let followed =
                if is_hyper { follow(hyper(), &layer, &uri).await } else { follow(reqwest(), &layer, &uri).await };
            assert_eq!(followed, hops, "{name}");
            let (came, bearer, key) = home.count();
            let by_another_name = usize::from(name.contains("another name"));
            assert_eq!((came - by_another_name, bearer, key), (at_home, at_home, at_home), "{name}");
            assert_eq!(other.count(), (at_other, 0, 0), "{name}");
        }
    }
    follow(hyper(), &layer, &format!("{}/to/{}/x", home.url, elsewhere.url)).await;
    assert_eq!(elsewhere.count(), (1, 0, 0), "another address");
}

#[tokio::test]
async fn a_downgrade_from_https_carries_no_credentials() {
    let home = Server::new("127.0.0.1").await;
    let layer = layer(&home.url.replace("http://", "https://"));
    for status in [send(hyper(), &layer, &home.url).await.status(), send(reqwest(), &layer, &home.url).await.status()] {
        assert_eq!(status, 200);
    }
    assert_eq!(home.count(), (2, 0, 0));
}

#[tokio::test]
async fn a_refresh_token_goes_to_its_endpoint_only_and_follows_no_redirect() {
    let (home, other) = (Server::new("127.0.0.1").await, Server::new("127.0.0.1").await);
    let token_url = format!("{}/to/{}/token", home.url, other.url);
    for is_hyper in [true, false] {
        let origin = other.url.parse().expect("an origin");
        let layer = RedressLayer::new(dialects::ranex());
        let layer = if is_hyper {
            layer.credentials(OAuth2::refresh_token(hyper(), &token_url, "id", CANARY).expect("a URL"), origin)
        } else {
            layer.credentials(OAuth2::refresh_token(reqwest(), &token_url, "id", CANARY).expect("a URL"), origin)
        };
        let request = Request::get(format!("{}/x", other.url)).body(String::new()).expect("legal parts");
        let error = layer.layer(hyper()).oneshot(request).await.expect_err("no token came");
        assert!(error.is_credentials() && !format!("{error:?}").contains(CANARY));
        // Headers that it was given for the API are sent to the API, and not to the issuer of the tokens.
        layer.tokens().install(TokenSet::bearer("good").expect("legal"));
        assert_eq!(send(hyper(), &layer, &format!("{}/x", home.url)).await.status(), 200);
    }
    assert!(home.saw_canary() && !other.saw_canary());
    assert!(!home.seen.lock().expect("whole").iter().any(|request| request.contains("Bearer good")));
}
