//! A scripted API and issuer that record their requests.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use redress_classify::Error;
use redress_refresh::{Credentials, Failure, Refresh, RefreshLayer, SecretString, TokenSet};
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

pub(crate) type Answer = Response<Full<Bytes>>;
type Respond = dyn Fn(&HeaderMap) -> Answer + Send + Sync;

pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A request as the API saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) at: Instant,
}

#[derive(Clone)]
pub(crate) struct Api {
    respond: Arc<Respond>,
    delay: Duration,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Api {
    /// Answers each request by its headers.
    pub(crate) fn new(respond: impl Fn(&HeaderMap) -> Answer + Send + Sync + 'static) -> Self {
        Self { respond: Arc::new(respond), delay: Duration::ZERO, seen: Arc::default() }
    }

    /// Accepts these bearer tokens, and answers others with a bare 401.
    pub(crate) fn accepting(tokens: &'static [&'static str]) -> Self {
        Self::new(move |headers| {
            let bearer = bearer(headers);
            answer(if tokens.iter().any(|token| bearer.as_deref() == Some(token)) { 200 } else { 401 })
        })
    }

    pub(crate) fn taking(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The bearer tokens that came, in order.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.seen().iter().map(|seen| bearer(&seen.headers).unwrap_or_default()).collect()
    }
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?.to_owned())
}

pub(crate) fn answer(status: u16) -> Answer {
    let mut answer = Response::new(Full::from("body"));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

/// The requirements of the tests on a request body.
pub(crate) trait Text {
    fn text(&self) -> String;
}

impl Text for String {
    fn text(&self) -> String {
        self.clone()
    }
}

impl<B: Text> Service<Request<B>> for Api {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let seen = Seen {
            method: request.method().clone(),
            headers: request.headers().clone(),
            body: request.body().text(),
            at: Instant::now(),
        };
        self.seen.lock().unwrap().push(seen);
        let (respond, delay, headers) = (Arc::clone(&self.respond), self.delay, request.headers().clone());
        Box::pin(async move {
            tokio::time::sleep(delay).await;
            Ok(respond(&headers))
        })
    }
}

/// An action of an issuer.
pub(crate) enum Step {
    Give(TokenSet),
    Fail(Failure),
    Panic,
    Hang,
}

pub(crate) struct Issuer {
    held: Option<TokenSet>,
    steps: Mutex<VecDeque<Step>>,
    delay: Duration,
    asked: Mutex<Vec<(String, Instant)>>,
}

impl Issuer {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps = Mutex::new(steps.into_iter().collect());
        Self { held: None, steps, delay: s(1), asked: Mutex::default() }
    }

    pub(crate) fn holding(mut self, grant: TokenSet) -> Self {
        self.held = Some(grant);
        self
    }

    pub(crate) fn taking(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The calls, in order: `login`, or `refresh` and the token that was shown.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(call, _)| call.clone()).collect()
    }

    pub(crate) fn asked_at(&self) -> Vec<Instant> {
        self.asked.lock().unwrap().iter().map(|(_, at)| *at).collect()
    }

    async fn answer(&self, call: String) -> Result<TokenSet, Failure> {
        self.asked.lock().unwrap().push((call, Instant::now()));
        let step = self.steps.lock().unwrap().pop_front();
        tokio::time::sleep(self.delay).await;
        match step {
            Some(Step::Give(grant)) => Ok(grant),
            Some(Step::Fail(failure)) => Err(failure),
            Some(Step::Panic) => panic!("as told"),
            Some(Step::Hang) => std::future::pending().await,
            None => Err(Failure::permanent("more calls than steps")),
        }
    }
}

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        self.answer("login".to_owned()).await
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<TokenSet, Failure> {
        self.answer(format!("refresh {}", refresh_token.expose_secret())).await
    }

    fn initial(&self) -> Option<TokenSet> {
        self.held.clone()
    }
}

pub(crate) fn grant(token: &str) -> TokenSet {
    TokenSet::bearer(token).unwrap()
}

pub(crate) fn give(token: &str) -> Step {
    Step::Give(grant(token))
}

pub(crate) fn layer(issuer: &Arc<Issuer>) -> RefreshLayer {
    RefreshLayer::new(Arc::clone(issuer), "https://api.example.com".parse().unwrap())
}

pub(crate) fn get() -> Request<String> {
    Request::get("https://api.example.com/checks").body(String::new()).unwrap()
}

/// A stack of the layer over the API, with its issuer.
pub(crate) struct Rig {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) layer: RefreshLayer,
    pub(crate) api: Api,
}

impl Rig {
    pub(crate) fn new(issuer: Issuer, api: Api) -> Self {
        let issuer = Arc::new(issuer);
        Self { layer: layer(&issuer), issuer, api }
    }

    pub(crate) fn service(&self) -> Refresh<Api> {
        self.layer.layer(self.api.clone())
    }

    pub(crate) async fn send(&self) -> Result<Answer, Error> {
        self.service().oneshot(get()).await
    }

    pub(crate) async fn status(&self) -> u16 {
        self.send().await.expect("a response").status().as_u16()
    }

    pub(crate) fn spawn(&self) -> JoinHandle<Result<Answer, Error>> {
        tokio::spawn(self.service().oneshot(get()))
    }

    /// Sends that number of requests at once, and returns their results.
    pub(crate) async fn send_many(&self, count: usize) -> Vec<Result<Answer, Error>> {
        let tasks: Vec<_> = (0..count).map(|_| self.spawn()).collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.expect("no panic"));
        }
        results
    }

    pub(crate) fn generation(&self) -> u64 {
        self.layer.tokens().generation()
    }
}

/// Lets tasks run that need no time to pass.
pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// The failure that a credentials error is made of.
pub(crate) fn failure(error: &Error) -> &Failure {
    assert!(error.is_credentials());
    let source = std::error::Error::source(error).expect("it has a source");
    source.downcast_ref().expect("a failure")
}
