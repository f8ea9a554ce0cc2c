//! The body of a request in a middleware, which is a body of reqwest below and above.

use bytes::Bytes;
use http_body_util::BodyExt;
use redress::{CloneBody, Error, ReplayBody, TransportError};
use reqwest::Body;

/// A body that can be cloned, and becomes a body of reqwest again.
///
/// Bytes in memory stay that for the client and for other middlewares, which may read them or follow a redirect with them.
pub(super) enum MiddlewareBody {
    Memory(Bytes),
    Stream(ReplayBody<Body>),
}

impl MiddlewareBody {
    /// Takes the bytes of a body in memory, without a copy, or wraps a stream.
    pub(super) async fn new(body: Body) -> Result<Self, Error> {
        if body.as_bytes().is_none() {
            return Ok(Self::Stream(ReplayBody::new(body)));
        }
        let read = body.collect().await.map_err(|error| Error::from_inner(TransportError::request(error).into()))?;
        Ok(Self::Memory(read.to_bytes()))
    }
}

impl CloneBody for MiddlewareBody {
    fn try_clone(&self) -> Option<Self> {
        match self {
            Self::Memory(bytes) => Some(Self::Memory(bytes.clone())),
            Self::Stream(body) => body.try_clone().map(Self::Stream),
        }
    }

    fn is_whole(&self) -> bool {
        match self {
            Self::Memory(_) => true,
            Self::Stream(body) => body.is_whole(),
        }
    }

    fn progress(&self) -> Option<redress::layers::Progress> {
        match self {
            Self::Memory(_) => None,
            Self::Stream(body) => body.progress(),
        }
    }
}

impl From<MiddlewareBody> for Body {
    fn from(body: MiddlewareBody) -> Self {
        match body {
            MiddlewareBody::Memory(bytes) => Self::from(bytes),
            MiddlewareBody::Stream(body) => Self::wrap(body),
        }
    }
}
