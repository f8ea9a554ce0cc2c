//! The requests that are sent: one that is all static, and two as programs make them.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;

/// The request that all services of the benches take.
pub type Sent = Request<Full<Bytes>>;

/// How a request is made. All of them are a `PUT`, which is sent again after a failure, to a report, on a route for which no
/// vendor publishes a limit: a bench would soon reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Eight headers. Names, values and the URI are static, so that a copy of it counts references.
    Static,
    /// As reqwest's `RequestBuilder` makes it with `json` and two headers from a `String`.
    Reqwest,
    /// As `http::Request::builder` makes it from a formatted URI and six headers: it copies each value.
    Hyper,
}

impl Kind {
    /// Each kind once.
    pub const ALL: [Self; 3] = [Self::Static, Self::Reqwest, Self::Hyper];

    /// Returns the name in the tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Reqwest => "reqwest",
            Self::Hyper => "hyper",
        }
    }

    /// Returns the kind of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Makes a request.
    ///
    /// # Panics
    /// Never: URI, names and values are legal.
    #[must_use]
    pub fn request(self) -> Sent {
        match self {
            Self::Static => all_static(),
            Self::Reqwest => as_by_reqwest(),
            Self::Hyper => as_by_hyper(),
        }
    }
}

fn all_static() -> Sent {
    let mut request = Request::new(Full::new(Bytes::from_static(b"{}")));
    *request.method_mut() = Method::PUT;
    *request.uri_mut() = Uri::from_static("https://api.example/v1/reports/rp_0000000000000000");
    let names =
        ["accept", "accept-encoding", "content-type", "user-agent", "x-client", "x-trace", "x-tenant", "x-version"];
    for name in names {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static("some value"));
    }
    request
}

fn as_by_reqwest() -> Sent {
    let body = br#"{"status":"done","score":0.93}"#.to_vec();
    Request::put(format!("https://api.example/v1/reports/rp_{:016}", 17))
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header("x-request-id", String::from("8b1f0e52-3c55-4b5e-9d0a-1f2e3d4c5b6a"))
        .header("x-tenant", String::from("tenant-0017"))
        .body(Full::from(body))
        .expect("a legal request")
}

fn as_by_hyper() -> Sent {
    let body = br#"{"status":"done","score":0.93}"#.to_vec();
    Request::put(format!("https://api.example/v1/reports/rp_{:016}?expand=result&limit=50", 17))
        .header("accept", "application/json")
        .header("content-type", "application/json")
        .header("user-agent", "portal/1.4.2")
        .header("x-request-id", "8b1f0e52-3c55-4b5e-9d0a-1f2e3d4c5b6a")
        .header("x-tenant", "tenant-0017")
        .header("x-client-version", "2026-11-30")
        .body(Full::from(body))
        .expect("a legal request")
}
