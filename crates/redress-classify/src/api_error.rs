//! The error that a server described in its response.

mod changes;
mod details;
mod display;
mod report;
mod texts;

use std::sync::Arc;
use std::time::SystemTime;

use redress_envelope::{Class, FieldError, Location, Recovery, RetryHint};

pub(crate) use self::details::Details;
pub(crate) use self::texts::{Texts, Word};
use crate::facts::Facts;
use crate::from_code::FromCode;
use crate::record::Record;
use crate::timed_hint::TimedHint;

/// The maximum number of body bytes that are kept for a report.
pub(crate) const MAX_BODY: usize = 8 * 1024;

/// An error response, read by its dialect and independent of the response.
///
/// Cheap to clone. `Display` and `Debug` show vendor, status and code. Text that the server wrote for people may hold
/// personal data and is there on request: [`message`](Self::message), [`fields`](Self::fields), [`report`](Self::report).
/// `Serialize` writes all of it, for a log that may hold such data.
///
/// Two errors are equal if all of their parts are, the time of the request included.
///
/// # Examples
/// ```
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use redress_classify::{Class, ClassifyLayer, ResponseExt, dialects};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let body: &[u8] = br#"{"error":{"code":"E-7","message":"no such cat"},"request_id":"req_1"}"#;
/// let api = ServiceBuilder::new()
///     .layer(ClassifyLayer::new(dialects::generic()))
///     .service(service_fn(|_: Request<String>| async {
///         Response::builder().status(404).body(Full::new(body))
///     }));
/// let response = api.oneshot(Request::get("/cats/7").body(String::new())?).await?;
/// let error = response.ok_or_api_error().expect_err("a 404");
/// assert_eq!((error.status(), error.code(), error.message()), (404, Some("E-7"), Some("no such cat")));
/// assert_eq!((error.class(), error.request_id()), (Class::NotFound, Some("req_1")));
/// assert!(error.report().contains("GET /cats/7"));
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ApiError {
    details: Arc<Details>,
    record: Option<Arc<Record>>,
}

impl ApiError {
    pub(crate) fn new(details: Details) -> Self {
        Self { details: Arc::new(details), record: None }
    }

    /// Returns the vendor's name, for people.
    #[must_use]
    pub fn vendor(&self) -> &str {
        self.details.dialect.vendor()
    }

    /// Returns the name of the dialect that read the response.
    #[must_use]
    pub fn dialect(&self) -> &str {
        self.details.dialect.name()
    }

    /// Returns the HTTP status. It may be a success status if the body signals the error.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.details.status
    }

    /// Returns the class of the failure.
    #[must_use]
    pub fn class(&self) -> Class {
        self.details.facts.class
    }

    /// Returns the recovery: what a program can do about the failure.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.details.facts.recovery
    }

    /// Returns `true` if the request may have been processed, wholly or in part, by any attempt of the call: a request that is
    /// not safe to repeat must not be sent again then, whatever the [recovery](Self::recovery) is.
    ///
    /// That is so after a 5xx, after a response with data beside the error, and after an earlier attempt without a response.
    /// The earlier attempts are those of the [record](Self::record).
    ///
    /// # Examples
    /// ```
    /// # use http::{Method, Response, Uri};
    /// # use redress_classify::{Clock, Recovery, Verdict, dialects};
    /// # let (head, ()) = Response::builder().status(502).body(())?.into_parts();
    /// # let uri = Uri::from_static("/orders");
    /// # let verdict = Verdict::from_response(&dialects::generic(), &Method::POST, &uri, &head, &Clock::system(), &[]);
    /// # let error = verdict.as_ref().and_then(|verdict| verdict.api_error()).expect("an error");
    /// assert_eq!((error.status(), error.recovery()), (502, Recovery::Retry));
    /// assert!(error.is_maybe_processed(), "a second order could follow from a retry");
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn is_maybe_processed(&self) -> bool {
        self.details.facts.evidence.maybe_processed || self.record().is_some_and(Record::is_maybe_processed)
    }

    /// Returns the vendor's code, verbatim.
    ///
    /// [`code_as`](Self::code_as) makes a type of your own from it.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.details.word(Word::Code)
    }

    /// Returns the code as a type of your own, so that the compiler checks a `match` on it; `None` without a code, and for
    /// a code that the type does not know.
    ///
    /// [`FromCode`] has an example.
    #[must_use]
    pub fn code_as<T: FromCode>(&self) -> Option<T> {
        T::from_code(self.code()?)
    }

    /// Returns the code if the dialect lists it.
    ///
    /// Such a code cannot hold data of the request, so it may be shown and used as a label of a metric.
    ///
    /// # Examples
    /// ```
    /// # use http::{Method, Response, Uri};
    /// # use redress_classify::{Clock, Verdict, dialects};
    /// # let (head, ()) = Response::builder().status(200).body(())?.into_parts();
    /// # let (uri, body): (_, &[u8]) = (Uri::from_static("/cats/7"), br#"{"data":null,"error_code":1050,"error_message":"Image too dark","error_descriptions":null}"#);
    /// # let verdict = Verdict::from_response(&dialects::vlens(), &Method::GET, &uri, &head, &Clock::system(), &[body]);
    /// # let error = verdict.as_ref().and_then(|verdict| verdict.api_error()).expect("an error");
    /// assert_eq!(error.known_code(), Some("1050"));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn known_code(&self) -> Option<&str> {
        self.code().filter(|_| self.details.code_is_known)
    }

    /// Returns the vendor's finer code below the code, such as a decline code.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.details.word(Word::Reason)
    }

    /// Returns the vendor's message, verbatim. It may hold personal data.
    ///
    /// # Examples
    /// ```
    /// # use http::{Method, Response, Uri};
    /// # use redress_classify::{Clock, Verdict, dialects};
    /// # let (head, ()) = Response::builder().status(404).body(())?.into_parts();
    /// # let (uri, body): (_, &[u8]) = (Uri::from_static("/cats/7"), br#"{"error":{"code":"E-7","message":"no such cat"}}"#);
    /// # let verdict = Verdict::from_response(&dialects::generic(), &Method::GET, &uri, &head, &Clock::system(), &[body]);
    /// # let error = verdict.as_ref().and_then(|verdict| verdict.api_error()).expect("an error");
    /// assert_eq!(error.message(), Some("no such cat"));
    /// assert!(!error.to_string().contains("cat"), "`Display` does not show it");
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.details.word(Word::Message)
    }

    /// Returns the vendor's id of this call, which its support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.details.word(Word::RequestId)
    }

    /// Returns the place of the code in the response.
    ///
    /// # Examples
    /// ```
    /// # use http::{Method, Response, Uri};
    /// # use redress_classify::{Clock, Verdict, dialects};
    /// # let (head, ()) = Response::builder().status(404).body(())?.into_parts();
    /// # let (uri, body): (_, &[u8]) = (Uri::from_static("/cats/7"), br#"{"error":{"code":"E-7","message":"no such cat"}}"#);
    /// # let verdict = Verdict::from_response(&dialects::generic(), &Method::GET, &uri, &head, &Clock::system(), &[body]);
    /// # let error = verdict.as_ref().and_then(|verdict| verdict.api_error()).expect("an error");
    /// assert!(error.code_location().is_some_and(|location| location.to_string().ends_with("in the body")));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn code_location(&self) -> Option<&Location> {
        self.details.written().code.as_ref()
    }

    /// Returns the place of the message in the response.
    #[must_use]
    pub fn message_location(&self) -> Option<&Location> {
        self.details.written().message.as_ref()
    }

    /// Returns the place of the request id in the response.
    #[must_use]
    pub fn request_id_location(&self) -> Option<&Location> {
        self.details.written().request_id.as_ref()
    }

    /// Returns the invalid fields of the request. They may hold personal data.
    ///
    /// # Examples
    /// ```
    /// # use http::{Method, Response, Uri};
    /// # use redress_classify::{Clock, Verdict, dialects};
    /// # let (head, ()) = Response::builder().status(422).body(())?.into_parts();
    /// # let (uri, body): (_, &[u8]) = (Uri::from_static("/cats/7"), br#"{"errors":[{"field":"name","message":"is too long"}]}"#);
    /// # let verdict = Verdict::from_response(&dialects::generic(), &Method::GET, &uri, &head, &Clock::system(), &[body]);
    /// # let error = verdict.as_ref().and_then(|verdict| verdict.api_error()).expect("an error");
    /// let field = error.fields().first().expect("one field is invalid");
    /// assert_eq!((&*field.path, &*field.message), ("name", "is too long"));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn fields(&self) -> &[FieldError<'static>] {
        &self.details.fields
    }

    /// Returns the dialect's advice for the developer; empty if it has none.
    ///
    /// # Examples
    /// ```
    /// # use http::{Method, Response, Uri};
    /// # use redress_classify::{Clock, Verdict, dialects};
    /// # let (head, ()) = Response::builder().status(200).body(())?.into_parts();
    /// # let (uri, body): (_, &[u8]) = (Uri::from_static("/cats/7"), br#"{"data":null,"error_code":1050,"error_message":"Image too dark","error_descriptions":null}"#);
    /// # let verdict = Verdict::from_response(&dialects::vlens(), &Method::GET, &uri, &head, &Clock::system(), &[body]);
    /// # let error = verdict.as_ref().and_then(|verdict| verdict.api_error()).expect("an error");
    /// assert!(error.guidance().contains("Ask for a new one"));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn guidance(&self) -> &str {
        &self.details.guidance
    }

    /// Returns the server's hint on when to come back, as it was given, with its place in the response.
    #[must_use]
    pub fn hint(&self) -> Option<&RetryHint> {
        self.timed_hint().map(TimedHint::hint)
    }

    /// Returns the time at which the server asks to come back, by the caller's clock and without a cap; `None` without a
    /// hint.
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use http::{Method, Response, Uri};
    /// use redress_classify::{Clock, Verdict, dialects};
    ///
    /// let clock = Clock::anchored(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    /// let (head, ()) = Response::builder().status(429).header("retry-after", "20").body(())?.into_parts();
    /// let uri = Uri::from_static("/v1/reports");
    /// let verdict = Verdict::from_response(&dialects::generic(), &Method::GET, &uri, &head, &clock, &[]).expect("an error");
    /// let error = verdict.api_error().expect("there was a response");
    /// let wait = error.retry_at().map(|at| at.duration_since(clock.now()).unwrap_or_default());
    /// assert!(wait.is_some_and(|wait| wait.as_secs_f64() > 19.0));
    /// assert!(error.report().contains("20 (retry-after header)"));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.timed_hint().map(TimedHint::at)
    }

    /// Returns the record of the attempts; `None` if there was one attempt only.
    ///
    /// It is present if the error was made by [`ok_or_api_error`](crate::ResponseExt::ok_or_api_error), which takes it from the
    /// response.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        self.record.as_deref()
    }

    /// Returns the reason why a Refresh layer could not renew the credentials that the server rejected: the failure, and the
    /// issuer's code if its dialect lists it.
    #[must_use]
    pub fn not_refreshed(&self) -> Option<&str> {
        self.details.not_refreshed.as_deref()
    }

    /// Returns the first 8 KiB of the body, decoded by its charset, with invalid UTF-8 replaced. It may hold personal data.
    ///
    /// # Examples
    /// ```
    /// # use http::{Method, Response, Uri};
    /// # use redress_classify::{Clock, Verdict, dialects};
    /// # let (head, ()) = Response::builder().status(502).body(())?.into_parts();
    /// # let (uri, body): (_, &[u8]) = (Uri::from_static("/cats/7"), br#"<h1>Bad Gateway</h1>"#);
    /// # let verdict = Verdict::from_response(&dialects::generic(), &Method::GET, &uri, &head, &Clock::system(), &[body]);
    /// # let error = verdict.as_ref().and_then(|verdict| verdict.api_error()).expect("an error");
    /// assert_eq!(error.body(), "<h1>Bad Gateway</h1>");
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn body(&self) -> &str {
        self.details.texts.body()
    }

    /// Returns an aligned text with the facts that vendors ask for in a support ticket.
    ///
    /// It holds method, path without its query, the time in UTC at which the request was sent, status, code, request id, the
    /// wait that the server asks for and its place in the response, the reason why the credentials could not be refreshed, and
    /// at most 8 KiB of the response's body. It never holds the request's body or any request header, and a credential of the
    /// Refresh layer that the server quotes is masked. Control characters are escaped, so that a hostile body cannot write on
    /// a terminal or forge lines of a log.
    ///
    /// # Examples
    /// ```
    /// # use http::{Method, Response, Uri};
    /// # use redress_classify::{Clock, Verdict, dialects};
    /// # let (head, ()) = Response::builder().status(404).body(())?.into_parts();
    /// # let (uri, body): (_, &[u8]) = (Uri::from_static("/cats/7"), br#"{"error":{"code":"E-7","message":"no such cat"}}"#);
    /// # let verdict = Verdict::from_response(&dialects::generic(), &Method::GET, &uri, &head, &Clock::system(), &[body]);
    /// # let error = verdict.as_ref().and_then(|verdict| verdict.api_error()).expect("an error");
    /// let report = error.report();
    /// assert!(report.contains("call        GET /cats/7\n"));
    /// assert!(report.contains("code        E-7\n"));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn report(&self) -> String {
        report::write(&self.details)
    }

    pub(crate) fn timed_hint(&self) -> Option<&TimedHint> {
        self.details.facts.hint.as_ref()
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.details.facts
    }
}
