//! The error of the client.

mod decode;
mod display;

pub(super) use self::decode::Undecoded;

use std::time::SystemTime;

use http::StatusCode;
use redress_classify::{ApiError, BoxError, Class, Error, Phase, Record, Recovery};

/// Why a request of a [`Client`](crate::Client) has no result.
///
/// There are four cases. The request could not be built ([`is_builder`](Self::is_builder)). No response came:
/// [`call_error`](Self::call_error) has the stack's [`Error`]. The response is an error of the API: [`api_error`](Self::api_error)
/// has it. Or the response body could not be read ([`is_body`](Self::is_body), [`is_body_too_large`](Self::is_body_too_large),
/// [`is_decode`](Self::is_decode), [`is_deadline`](Self::is_deadline)).
///
/// The sources, by [`source`](std::error::Error::source), end in the error of the transport. No text of a request is among them.
///
/// # Examples
/// ```
/// use redress::{Client, ClientError, Recovery, RedressLayer, dialects};
/// # use redress_sandbox::{Sandbox, Vendor};
///
/// async fn sessions(client: &Client) -> Result<serde_json::Value, ClientError> {
///     client.get("/v1/sessions").send().await?.json().await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = Sandbox::start(Vendor::Verilock).await?;
/// # let url = sandbox.url();
/// let client = Client::new(RedressLayer::new(dialects::verilock()))?.base_url(&url)?;
/// let error = sessions(&client).await.expect_err("the API key is missing");
/// assert_eq!(error.status(), Some(401.try_into()?));
/// assert_eq!(error.recovery(), Some(Recovery::Reauthenticate));
/// # Ok(()) }
/// ```
pub struct ClientError {
    kind: Box<Kind>,
}

enum Kind {
    /// The request could not be built, or the client.
    Builder {
        problem: &'static str,
        source: Option<BoxError>,
    },
    /// No response came.
    Call(Error),
    /// The response is an error.
    Api(ApiError),
    /// The response body broke off.
    Body(reqwest::Error),
    BodyTooLarge {
        limit: usize,
    },
    BodyDeadline,
    /// The response body is not of the type that was asked for.
    Decode(Box<Undecoded>),
}

impl ClientError {
    pub(super) fn builder(problem: &'static str, source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Builder { problem, source: Some(source.into()) })
    }

    pub(super) fn refused(problem: &'static str) -> Self {
        Self::new(Kind::Builder { problem, source: None })
    }

    pub(super) fn call(error: Error) -> Self {
        Self::new(Kind::Call(error))
    }

    pub(super) fn api(error: ApiError) -> Self {
        Self::new(Kind::Api(error))
    }

    pub(super) fn body(error: reqwest::Error) -> Self {
        Self::new(Kind::Body(error.without_url()))
    }

    pub(super) fn body_too_large(limit: usize) -> Self {
        Self::new(Kind::BodyTooLarge { limit })
    }

    pub(super) fn body_deadline() -> Self {
        Self::new(Kind::BodyDeadline)
    }

    pub(super) fn decode(undecoded: Undecoded) -> Self {
        Self::new(Kind::Decode(Box::new(undecoded)))
    }

    fn new(kind: Kind) -> Self {
        Self { kind: Box::new(kind) }
    }

    /// Returns the error of the stack, if no response came.
    #[must_use]
    pub fn call_error(&self) -> Option<&Error> {
        match &*self.kind {
            Kind::Call(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the error of the API, if the response is one.
    #[must_use]
    pub fn api_error(&self) -> Option<&ApiError> {
        match &*self.kind {
            Kind::Api(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the status of the response that is an error of the API, or that is not JSON of the type that was asked for.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        let of_api = self.api_error().and_then(|error| StatusCode::from_u16(error.status()).ok());
        of_api.or_else(|| self.undecoded().map(|undecoded| undecoded.status))
    }

    /// Returns the server's id of the call, which its support asks for, if the response has one: for an error of the API, and
    /// for a response that is not JSON of the type that was asked for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        let of_api = self.api_error().and_then(ApiError::request_id);
        of_api.or_else(|| self.undecoded().and_then(|undecoded| undecoded.request_id.as_deref()))
    }

    fn undecoded(&self) -> Option<&Undecoded> {
        match &*self.kind {
            Kind::Decode(undecoded) => Some(undecoded),
            _ => None,
        }
    }

    /// Returns what kind of failure it is, by the stack or by the API.
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        self.api_error().map(ApiError::class).or_else(|| self.call_error().map(Error::class))
    }

    /// Returns what to do about it, by the stack or by the API.
    #[must_use]
    pub fn recovery(&self) -> Option<Recovery> {
        self.api_error().map(ApiError::recovery).or_else(|| self.call_error().map(Error::recovery))
    }

    /// Returns how far the request got if no response came; [`is_maybe_processed`](Self::is_maybe_processed) answers for a
    /// response too.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        self.call_error().map(Error::phase)
    }

    /// Returns `true` if the request may have been processed, by any attempt of the call: a request that is not safe to
    /// repeat must not be sent again then, whatever the [recovery](Self::recovery) is.
    ///
    /// That is so if an attempt was sent and no response came, after a 5xx and the like
    /// ([`ApiError::is_maybe_processed`]), and if the body of a success could not be read.
    ///
    /// # Examples
    /// ```
    /// # use http::{Request, Response};
    /// # use redress::{Client, Recovery, RedressLayer, dialects};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let transport = tower::service_fn(|_: Request<reqwest::Body>| async {
    /// #     Response::builder().status(502).body(String::new())
    /// # });
    /// # let client = Client::with_transport(RedressLayer::new(dialects::generic()), transport);
    /// let response = client.post("https://api.example/orders").send().await?;
    /// let error = response.error_for_api().expect_err("a 502");
    /// assert_eq!(error.recovery(), Some(Recovery::Retry));
    /// assert!(error.is_maybe_processed(), "a second order could follow from a retry");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_maybe_processed(&self) -> bool {
        match &*self.kind {
            Kind::Builder { .. } => false,
            Kind::Call(error) => error.is_maybe_processed(),
            Kind::Api(error) => error.is_maybe_processed(),
            Kind::Body(_) | Kind::BodyTooLarge { .. } | Kind::BodyDeadline | Kind::Decode(_) => true,
        }
    }

    /// Returns when to try again, if the server or the stack said so.
    #[must_use]
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.api_error().and_then(ApiError::retry_at).or_else(|| self.call_error().and_then(Error::retry_at))
    }

    /// Returns the record of the attempts, if there is one.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        let of_api = self.api_error().and_then(ApiError::record);
        let of_response = || of_api.or_else(|| self.undecoded().and_then(|undecoded| undecoded.record.as_ref()));
        of_response().or_else(|| self.call_error().and_then(Error::record))
    }

    /// Returns `true` if the request, or the client, could not be built: nothing was sent.
    #[must_use]
    pub fn is_builder(&self) -> bool {
        matches!(*self.kind, Kind::Builder { .. })
    }

    /// Returns `true` if no connection was made.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.call_error().is_some_and(Error::is_connect)
    }

    /// Returns `true` if an attempt, or its connection, took longer than its own timeout.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.call_error().is_some_and(Error::is_timeout)
    }

    /// Returns `true` if the deadline of the call passed, before a response came or while its body was read.
    #[must_use]
    pub fn is_deadline(&self) -> bool {
        matches!(*self.kind, Kind::BodyDeadline) || self.call_error().is_some_and(Error::is_deadline)
    }

    /// Returns `true` if the response body broke off.
    #[must_use]
    pub fn is_body(&self) -> bool {
        matches!(*self.kind, Kind::Body(_))
    }

    /// Returns `true` if the response body exceeds the [limit](crate::Client::body_limit).
    #[must_use]
    pub fn is_body_too_large(&self) -> bool {
        matches!(*self.kind, Kind::BodyTooLarge { .. })
    }

    /// Returns `true` if the response body is not JSON of the type that was asked for.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        matches!(*self.kind, Kind::Decode(_))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, Response};
    use redress_classify::{Clock, TransportError, Verdict, dialects};

    use super::*;

    fn api(status: u16, header: (&'static str, &str)) -> ApiError {
        let response = Response::builder().status(status).header(HeaderName::from_static(header.0), header.1);
        let (head, ()) = response.body(()).unwrap().into_parts();
        let (method, uri, clock) = (http::Method::GET, http::Uri::from_static("/x"), Clock::system());
        let verdict = Verdict::from_response(&dialects::generic(), &method, &uri, &head, &clock, &[]);
        verdict.and_then(|verdict| verdict.api_error().cloned()).unwrap()
    }

    fn undecoded() -> Undecoded {
        let error = serde_json::from_str::<u32>("{").unwrap_err();
        let (head, ()) = Response::builder().status(203).body(()).unwrap().into_parts();
        Undecoded::new(&error, &head, &dialects::generic(), &[])
    }

    /// The predicates that hold, of those that tell the kinds of errors apart.
    fn told(error: &ClientError) -> Vec<&'static str> {
        let all = [
            ("builder", error.is_builder()),
            ("connect", error.is_connect()),
            ("timeout", error.is_timeout()),
            ("deadline", error.is_deadline()),
            ("body", error.is_body()),
            ("body_too_large", error.is_body_too_large()),
            ("decode", error.is_decode()),
            ("maybe_processed", error.is_maybe_processed()),
        ];
        all.into_iter().filter_map(|(name, holds)| holds.then_some(name)).collect()
    }

    #[test]
    fn each_error_is_told_from_the_others() {
        let broken = reqwest::Client::new().get("no URL").build().unwrap_err();
        let call = |error: TransportError| ClientError::call(Error::from_inner(error.into()));
        for (error, expected, status) in [
            (ClientError::refused("the URL cannot be read"), vec!["builder"], None),
            (ClientError::builder("the header is not legal", "x"), vec!["builder"], None),
            (call(TransportError::connect("refused")), vec!["connect"], None),
            (call(TransportError::timeout("late")), vec!["timeout", "maybe_processed"], None),
            (ClientError::call(Error::deadline(Phase::NotSent)), vec!["deadline"], None),
            (ClientError::api(api(404, ("x-id", "7"))), vec![], Some(404)),
            (ClientError::api(api(500, ("x-id", "7"))), vec!["maybe_processed"], Some(500)),
            (ClientError::body(broken), vec!["body", "maybe_processed"], None),
            (ClientError::body_too_large(7), vec!["body_too_large", "maybe_processed"], None),
            (ClientError::body_deadline(), vec!["deadline", "maybe_processed"], None),
            (ClientError::decode(undecoded()), vec!["decode", "maybe_processed"], Some(203)),
        ] {
            assert_eq!(told(&error), expected, "{error:?}");
            assert_eq!(error.status().map(|status| status.as_u16()), status, "{error:?}");
        }
    }

    #[test]
    fn the_time_of_the_next_try_is_that_of_the_api_or_of_the_stack() {
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_900_000_000);
        for (error, expected) in [
            (ClientError::call(Error::paced(at)), Some(at)),
            (ClientError::api(api(404, ("x-id", "7"))), None),
            (ClientError::refused("the URL cannot be read"), None),
        ] {
            assert_eq!(error.retry_at(), expected, "{error:?}");
        }
        assert!(
            ClientError::api(api(503, ("retry-after", "30"))).retry_at().is_some_and(|at| at > SystemTime::UNIX_EPOCH)
        );
    }
}
