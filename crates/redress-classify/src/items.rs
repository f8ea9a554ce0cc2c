//! Verdicts about parts of a response: events of a stream and results of a batch.

use std::time::SystemTime;

use http::{HeaderMap, Method, Response, StatusCode, Uri, response};
use redress_envelope::{Decision, Dialect, Head, Signal};

use crate::clock::Clock;
use crate::judge::{Times, head_of, judge, path_of};
use crate::read_body::{Pieces, ReadBody};
use crate::reading::MAX_ERROR;
use crate::verdict::Verdict;

/// The name of an event without a name (HTML standard, section 9.2.6).
const UNNAMED: &str = "message";

impl Verdict {
    /// Reads the verdict from one server-sent event, or from one line of a stream of JSON lines; `None` if it is not an
    /// error.
    ///
    /// `head` is the head of the response, which began as a success. `event` is the value of the event's `event` field;
    /// `None` if there is no such field, and for a line. `data` is the data of the event, or the line. An event named
    /// `error` is an error in every dialect. Any other is one if an error rule of the dialect matches that is for events
    /// (`when = { event = "*" }`) or for any response.
    ///
    /// At most 64 KiB of the data are read, in one pass, and less if the rules of the dialect allow it; an event that is
    /// not an error allocates nothing. The request may have been processed
    /// ([`is_maybe_processed`](Self::is_maybe_processed)): whether to send it again is the caller's decision. Credentials
    /// that the service quotes are masked by [`masked`](Self::masked), as a Refresh layer does it, not here.
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
        let path = path_of(uri);
        let (piece, whole) = bounded(data);
        let about = Head { event, ..head_of(method.as_str(), path, head, SystemTime::UNIX_EPOCH) };
        let mut signal = Signal::new(dialect, &about);
        if signal.feed(piece) != Decision::Error {
            return None;
        }
        judge(
            dialect,
            (method, path),
            head,
            Times::now(clock),
            &ReadBody { pieces: Pieces::One([piece]), whole, event },
        )
    }

    /// Reads the verdict from one result of a batch, by its own status, headers and body; `None` if its status is not that
    /// of an error.
    ///
    /// `headers` are those that the batch states for this result, such as its `Retry-After`; an empty map if it states
    /// none. `item` is the JSON that the dialect would find in the body of a single response; at most 64 KiB of it are
    /// read. For a result without a status pass the closest one: 400 if the batch says that the caller is at fault, else
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
        dialect.class_for_status(status.as_u16())?;
        let (mut head, ()) = Response::new(()).into_parts();
        (head.status, head.headers) = (status, headers.clone());
        let (piece, whole) = bounded(item);
        let body = ReadBody { pieces: Pieces::One([piece]), whole, event: None };
        judge(dialect, (method, path_of(uri)), &head, Times::now(clock), &body)
    }
}

/// Cuts a part of a response to the length that is read of a whole one; also returns whether nothing was cut.
fn bounded(bytes: &[u8]) -> (&[u8], bool) {
    let limit = usize::try_from(MAX_ERROR).unwrap_or(usize::MAX);
    bytes.get(..limit).map_or((bytes, true), |head| (head, head.len() == bytes.len()))
}
