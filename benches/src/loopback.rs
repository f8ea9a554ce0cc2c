//! A real server on loopback and the clients over it, all on one thread.

use std::fmt::Debug;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use reqwest_middleware::ClientWithMiddleware;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tower::{Service, ServiceExt};

use crate::requests::{Kind, Sent};
use crate::stacks;

/// The answer of the server.
pub const ANSWER: &str =
    r#"{"id":"rp_0000000000000000","status":"done","result":{"score":0.93,"checks":["a","b","c"]}}"#;

/// A server that answers every request alike, and the runtime in which it and the clients take turns.
#[derive(Debug)]
pub struct Loopback {
    runtime: Runtime,
    address: SocketAddr,
    served: Arc<Served>,
}

/// The requests that the server has seen.
#[derive(Debug, Default)]
pub struct Served {
    requests: AtomicU64,
    authorized: AtomicU64,
    connections: AtomicU64,
}

/// A client with the request that it sends again and again.
pub trait Client: Clone + Send + 'static {
    /// Sends it and reads the answer to its end: the status, and how long the body is.
    fn send(&mut self) -> impl Future<Output = (StatusCode, usize)> + Send;
}

/// A tower service.
#[derive(Clone, Debug)]
pub struct Tower<S> {
    service: S,
    request: Sent,
}

/// reqwest's client.
#[derive(Clone, Debug)]
pub struct Reqwest {
    client: reqwest::Client,
    request: Arc<reqwest::Request>,
}

/// reqwest's client under middleware.
#[derive(Clone, Debug)]
pub struct Middleware {
    client: ClientWithMiddleware,
    request: Arc<reqwest::Request>,
}

impl Loopback {
    /// Opens a port and begins to serve.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let served = Arc::new(Served::default());
        runtime.spawn(serve(listener, Arc::clone(&served)));
        Self { runtime, address, served }
    }

    /// Returns where the server is, as an origin.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a client of a tower service that sends the request as it is.
    pub fn tower<S>(&self, kind: Kind, service: S) -> Tower<S> {
        Tower { service, request: self.authorized(kind) }
    }

    /// Makes a client of a tower service that puts the credentials on the request by itself.
    pub fn authorizing<S>(&self, kind: Kind, service: S) -> Tower<S> {
        Tower { service, request: self.request(kind) }
    }

    /// Makes a client of reqwest's.
    #[must_use]
    pub fn reqwest(&self, kind: Kind, client: reqwest::Client) -> Reqwest {
        Reqwest { client, request: Arc::new(self.reqwests(kind)) }
    }

    /// Makes a client of one under middleware.
    #[must_use]
    pub fn middleware(&self, kind: Kind, client: ClientWithMiddleware) -> Middleware {
        Middleware { client, request: Arc::new(self.reqwests(kind)) }
    }

    /// Sends so many requests, this many of them at a time, each of which is answered as it should be.
    ///
    /// # Panics
    /// When one of them is not, or when the server has not seen every one of them.
    pub fn send(&self, client: &impl Client, requests: u64, in_flight: u64) {
        let before = self.served.requests();
        self.runtime.block_on(async {
            if in_flight == 1 {
                return several(client.clone(), requests).await;
            }
            let (each, more) = (requests / in_flight, requests % in_flight);
            let shares = (0..in_flight).map(|nth| each + u64::from(nth < more)).take_while(|share| *share > 0);
            let mut tasks: JoinSet<()> = shares.map(|share| several(client.clone(), share)).collect();
            while let Some(done) = tasks.join_next().await {
                done.expect("every request is answered");
            }
        });
        assert_eq!(self.served.requests() - before, requests, "the server sees every request once");
    }

    /// Returns what the server has seen.
    #[must_use]
    pub fn served(&self) -> &Served {
        &self.served
    }

    /// A request of the benches, sent here.
    fn request(&self, kind: Kind) -> Sent {
        let mut request = kind.request();
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("{}{path}", self.origin()).parse().expect("a legal URI");
        request
    }

    /// The same with the credentials: what goes over the wire is the same for all.
    fn authorized(&self, kind: Kind) -> Sent {
        let mut request = self.request(kind);
        let bearer = format!("Bearer {}", stacks::TOKEN).parse().expect("a legal token");
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        request
    }

    fn reqwests(&self, kind: Kind) -> reqwest::Request {
        let (head, _) = self.authorized(kind).into_parts();
        Request::from_parts(head, Bytes::from_static(b"{}")).try_into().expect("an absolute URI")
    }
}

impl Default for Loopback {
    fn default() -> Self {
        Self::new()
    }
}

impl Served {
    /// Returns how many requests came.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Returns how many of them carried credentials.
    #[must_use]
    pub fn authorized(&self) -> u64 {
        self.authorized.load(Ordering::Relaxed)
    }

    /// Returns how many connections were opened.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl<S, R> Client for Tower<S>
where
    S: Service<Sent, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Debug,
    S::Future: Send,
    R: http_body::Body<Error: Debug, Data: Send> + Send,
{
    async fn send(&mut self) -> (StatusCode, usize) {
        let request = self.request.clone();
        let response = self.service.ready().await.expect("it is ready").call(request).await.expect("an answer");
        let status = response.status();
        (status, response.into_body().collect().await.expect("a body").to_bytes().len())
    }
}

impl Client for Reqwest {
    async fn send(&mut self) -> (StatusCode, usize) {
        read(self.client.execute(copy(&self.request)).await.expect("an answer")).await
    }
}

impl Client for Middleware {
    async fn send(&mut self) -> (StatusCode, usize) {
        read(self.client.execute(copy(&self.request)).await.expect("an answer")).await
    }
}

fn copy(request: &reqwest::Request) -> reqwest::Request {
    request.try_clone().expect("its body can be copied")
}

async fn read(response: reqwest::Response) -> (StatusCode, usize) {
    (response.status(), response.bytes().await.expect("a body").len())
}

async fn several(mut client: impl Client, requests: u64) {
    for _ in 0..requests {
        assert_eq!(client.send().await, (StatusCode::OK, ANSWER.len()));
    }
}

async fn serve(listener: TcpListener, served: Arc<Served>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a connection of TCP");
        served.connections.fetch_add(1, Ordering::Relaxed);
        let served = Arc::clone(&served);
        let service = hyper::service::service_fn(move |request| answer(request, Arc::clone(&served)));
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(request: Request<Incoming>, served: Arc<Served>) -> hyper::Result<Response<Full<Bytes>>> {
    served.requests.fetch_add(1, Ordering::Relaxed);
    served.authorized.fetch_add(u64::from(request.headers().contains_key(header::AUTHORIZATION)), Ordering::Relaxed);
    request.into_body().collect().await?;
    let mut response = Response::new(Full::new(Bytes::from_static(ANSWER.as_bytes())));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
