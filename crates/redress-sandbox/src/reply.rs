//! A complete answer, and the ways to send it incorrectly.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use tokio::time::{Sleep, sleep};

use crate::code::Code;

/// An answer as bytes, with its code for the log.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) code: Option<Code>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The error that makes hyper close the connection without an answer.
#[derive(Debug)]
pub(crate) struct Disconnect;

impl Reply {
    pub(crate) fn whole(self) -> Response<Body> {
        let body = Body::from(self.body.clone());
        self.with(body)
    }

    /// Announces the full length and sends half of the body.
    pub(crate) fn truncated(self) -> Result<Response<Body>, Disconnect> {
        if self.body.is_empty() {
            return Err(Disconnect);
        }
        let half = self.body.slice(..self.body.len() / 2);
        Ok(self.with(Body::new(HalfBody::Half(half))))
    }

    /// Sends one byte of the body per `gap`.
    pub(crate) fn slow(self, gap: Duration) -> Response<Body> {
        let body = SlowBody { rest: self.body.clone(), gap, sleep: None };
        self.with(Body::new(body))
    }

    fn with(self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if self.status != StatusCode::NO_CONTENT {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        response
    }
}

impl std::fmt::Display for Disconnect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is cut on purpose")
    }
}

impl std::error::Error for Disconnect {}

/// A body that ends in the middle.
#[derive(Debug)]
enum HalfBody {
    /// The bytes have not been sent.
    Half(Bytes),
    /// The bytes are in the connection's buffer. A pending poll lets hyper write them to the socket.
    Flush,
    /// The connection is closed.
    Broken,
}

impl http_body::Body for HalfBody {
    type Data = Bytes;
    type Error = Disconnect;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Disconnect>>> {
        let this = self.get_mut();
        match std::mem::replace(this, Self::Broken) {
            Self::Half(bytes) => {
                *this = Self::Flush;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Flush => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Self::Broken => Poll::Ready(Some(Err(Disconnect))),
        }
    }
}

/// A body that arrives one byte at a time.
#[derive(Debug)]
struct SlowBody {
    rest: Bytes,
    gap: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for SlowBody {
    type Data = Bytes;
    type Error = Disconnect;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Disconnect>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let gap = self.gap;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(gap)));
        std::task::ready!(sleep.as_mut().poll(cx));
        self.sleep = None;
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(1)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use tokio::time::Instant;

    fn reply() -> Reply {
        Reply { status: StatusCode::OK, code: None, headers: HeaderMap::new(), body: Bytes::from_static(b"abcd") }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_waits_before_each_byte() {
        let start = Instant::now();
        let response = reply().slow(Duration::from_millis(10));
        assert_eq!(response.headers()[header::CONTENT_LENGTH], "4");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!((body.as_ref(), start.elapsed()), (b"abcd".as_slice(), Duration::from_millis(40)));
    }

    #[tokio::test]
    async fn a_truncated_body_breaks_after_half() {
        let mut body = reply().truncated().unwrap().into_body();
        let half = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(half, "ab");
        assert!(body.frame().await.unwrap().is_err());
    }

    #[test]
    fn an_empty_body_cannot_be_truncated() {
        assert!(Reply { body: Bytes::new(), ..reply() }.truncated().is_err());
    }
}
