//! Parts of a response that are errors of their own: events of a stream, results of a batch.

use std::time::SystemTime;

use http::{HeaderMap, Method, Response, StatusCode, Uri, response};
use redress_envelope::{Decision, Dialect, Head, Signal};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::future::MAX_ERROR;
use crate::meaning::{Call, Receipt, Seen, judge};
use crate::verdict::Verdict;

/// The name of an event that has none (HTML standard, section 9.2.6).
const UNNAMED: &str = "message";

impl Verdict {
    /// Judges one server-sent event, or one line of a stream of JSON lines; `None` if it is not an error.
    ///
    /// The response has begun as a success, and `head` is its head. `event` is the value of the event's `event` field, `None`
    /// where it has none and for a line; `data` is its data, or the line. An event that is named `error` is an error in every
    /// dialect. Any other one is an error if an error rule of the dialect holds that is for events (`when = { event = "*" }`)
    /// or for any response.
    ///
    /// At most 64 KiB of the data are read. It takes one pass over the data of an event that is not an error, and less where
    /// the dialect's rules allow it; nothing is allocated. The request may have been processed,
    /// [`is_maybe_processed`](Self::is_maybe_processed): whether it is sent again is the caller's decision. Credentials that the
    /// service quotes are masked by [`masked`](Self::masked), as a Refresh layer does it, not here.
    ///
    /// # Examples
    /// ```
    /// use http::{Method, Response, Uri};
    /// use redress_classify::{Class, Clock, Verdict, dialects};
    ///
    /// let anthropic = dialects::by_name("anthropic").expect("it is shipped");
    /// let (head, ()) = Response::builder().header("content-type", "text/event-stream").body(())?.into_parts();
    /// let (method, uri, clock) = (Method::POST, Uri::from_static("/v1/messages"), Clock::system());
    /// let judge = |event, data: &str| {
    ///     Verdict::from_event(&anthropic, &method, &uri, &head, &clock, event, data.as_bytes())
    /// };
    /// assert!(judge(Some("ping"), r#"{"type":"ping"}"#).is_none());
    /// let data = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    /// let verdict = judge(Some("error"), data).expect("an error");
    /// assert_eq!(verdict.class(), Class::Unavailable);
    /// assert_eq!(verdict.api_error().and_then(|error| error.message()), Some("Overloaded"));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn from_event(
        dialect: &Dialect,
        method: &Method,
        uri: &Uri,
        head: &response::Parts,
        clock: &Clock,
        event: Option<&str>,
        data: &[u8],
    ) -> Option<Self> {
        let event = Some(event.filter(|name| !name.is_empty()).unwrap_or(UNNAMED));
        let call = Call::new(method, uri);
        let (piece, whole) = bounded(data);
        let about = Head { event, ..call.head(head, SystemTime::UNIX_EPOCH) };
        let mut signal = Signal::new(dialect, &about);
        if signal.feed(piece) != Decision::Error {
            return None;
        }
        judge(dialect, &call, head, received_now(clock), &Seen { pieces: vec![piece], whole, event })
    }

    /// Judges one result of a batch by its own status, headers and body; `None` if its status is not that of an error.
    ///
    /// `headers` are those that the batch states for this result, such as its `Retry-After`; an empty map where it states
    /// none. `item` is the JSON that the dialect would find in the body of a single response. At most 64 KiB of it are read.
    /// A result without a status is judged by the one that fits: 400 where the batch says that the caller is at fault, else
    /// 500.
    ///
    /// # Examples
    /// ```
    /// use http::{HeaderMap, Method, StatusCode, Uri};
    /// use redress_classify::{Class, Clock, Verdict, dialects};
    ///
    /// // One of the `items` of a `_bulk` response, whose own status is 200.
    /// let item = r#"{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}"#;
    /// let verdict = Verdict::from_item(
    ///     &dialects::by_name("elasticsearch").expect("it is shipped"),
    ///     &Method::POST,
    ///     &Uri::from_static("/_bulk"),
    ///     StatusCode::TOO_MANY_REQUESTS,
    ///     &HeaderMap::new(),
    ///     &Clock::system(),
    ///     item.as_bytes(),
    /// );
    /// assert_eq!(verdict.map(|verdict| verdict.class()), Some(Class::RateLimited));
    /// ```
    #[must_use]
    pub fn from_item(
        dialect: &Dialect,
        method: &Method,
        uri: &Uri,
        status: StatusCode,
        headers: &HeaderMap,
        clock: &Clock,
        item: &[u8],
    ) -> Option<Self> {
        dialect.class_of_status(status.as_u16())?;
        let (mut head, ()) = Response::new(()).into_parts();
        (head.status, head.headers) = (status, headers.clone());
        let (piece, whole) = bounded(item);
        let seen = Seen { pieces: vec![piece], whole, event: None };
        judge(dialect, &Call::new(method, uri), &head, received_now(clock), &seen)
    }
}

/// Returns as much of a part of a response as is read of a whole one, and whether that is all of it.
fn bounded(bytes: &[u8]) -> (&[u8], bool) {
    let limit = usize::try_from(MAX_ERROR).unwrap_or(usize::MAX);
    bytes.get(..limit).map_or((bytes, true), |head| (head, head.len() == bytes.len()))
}

fn received_now(clock: &Clock) -> Receipt<'_> {
    let now = Instant::now();
    Receipt { clock, sent: now, at: now }
}
