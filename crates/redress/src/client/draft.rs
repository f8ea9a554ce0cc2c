//! A request before its URL becomes a `Uri`.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request};
use redress_classify::Deadline;
use reqwest::{Body, Url};

use super::{ClientError, Settings};

/// The problem of a URL such as `api.example.com`, which the parser takes for a relative one.
const WITHOUT_SCHEME: &str =
    "the URL is relative: begin it with a scheme and a host, such as `https://api.example.com`";
/// The problem of a URL such as `localhost:8080`, of which the parser takes the host for a scheme.
const OTHER_SCHEME: &str =
    "the URL is not one of http or https: begin it with a scheme and a host, such as `https://api.example.com`";

/// A request whose URL is not a `Uri` yet.
pub(super) struct Draft {
    pub(super) url: Url,
    pub(super) request: Request<Body>,
    pub(super) until: Until,
    pub(super) body_limit: usize,
}

/// The end of the call.
#[derive(Clone, Copy)]
pub(super) enum Until {
    /// By the deadline of the stack, if it has one.
    Stack,
    /// This long after it is sent.
    Timeout(Duration),
    At(Deadline),
}

impl Draft {
    pub(super) fn new(settings: &Settings, method: Method, url: &str) -> Result<Self, ClientError> {
        let url = joined(settings.base.as_ref(), url)?;
        let mut request = Request::new(Body::from(""));
        *request.method_mut() = method;
        Ok(Self { url, request, until: Until::Stack, body_limit: settings.body_limit })
    }

    /// Takes a request of reqwest, with its timeout for the whole call.
    pub(super) fn from_reqwest(settings: &Settings, request: reqwest::Request) -> Result<Self, ClientError> {
        let url = request.url().clone();
        let until = request.timeout().map_or(Until::Stack, |timeout| Until::Timeout(*timeout));
        let request = Request::try_from(request)
            .map_err(|error| ClientError::builder("the URL cannot be sent", error.without_url()))?;
        Ok(Self { url, request, until, body_limit: settings.body_limit })
    }

    pub(super) fn set_body(&mut self, body: Body, media_type: &'static str) {
        *self.request.body_mut() = body;
        self.request.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(media_type));
    }

    /// Returns the request with its URI, and its own deadline if it has one, which the layers are told too.
    pub(super) fn finish(self) -> Result<(Request<Body>, Option<Deadline>), ClientError> {
        let mut request = self.request;
        let uri = self.url.as_str().parse().map_err(|error| ClientError::builder("the URL cannot be sent", error))?;
        *request.uri_mut() = uri;
        let deadline = match self.until {
            Until::Stack => request.extensions().get::<Deadline>().copied(),
            Until::Timeout(timeout) => Some(Deadline::from_now(timeout)),
            Until::At(deadline) => Some(deadline),
        };
        if let Some(deadline) = deadline {
            request.extensions_mut().insert(deadline);
        }
        Ok((request, deadline))
    }
}

/// Reads a URL of http or https.
///
/// A host without a scheme is the usual mistake: `api.example.com` is a relative URL, and `localhost:8080` has the scheme
/// `localhost`.
pub(super) fn absolute(url: &str) -> Result<Url, ClientError> {
    let problem = if url.contains("://") { "the URL cannot be read" } else { WITHOUT_SCHEME };
    let url = Url::parse(url).map_err(|error| ClientError::builder(problem, error))?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(ClientError::refused(OTHER_SCHEME)) }
}

/// Appends a relative URL to the base, path to path, so that it cannot name another host.
fn joined(base: Option<&Url>, url: &str) -> Result<Url, ClientError> {
    let scheme = url.get(..8).unwrap_or(url).to_ascii_lowercase();
    if scheme.starts_with("http://") || scheme == "https://" {
        return absolute(url);
    }
    let Some(base) = base else {
        return Err(ClientError::refused("the URL is relative: begin it with a scheme and a host, or set a base URL"));
    };
    let base = base.as_str().trim_end_matches('/');
    let is_path = !(url.is_empty() || url.starts_with(['?', '#']));
    let slash = if is_path { "/" } else { "" };
    absolute(&format!("{base}{slash}{}", url.trim_start_matches('/')))
}
