//! Request bodies that can be cloned, so that a request can be sent again.

#[cfg(feature = "reqwest")]
mod reqwest;

use bytes::Bytes;
use http::Request;
use http_body::Body as _;
use http_body_util::{Either, Empty, Full};

use crate::progress::Progress;

/// A request body that can be cloned.
///
/// A layer that sends a request again, after a failure or after a refresh of the credentials, sends a clone. It is not
/// [`Clone`], since a clone may be impossible: for a body that returns `None` the request is sent once.
///
/// It is implemented for the usual buffered bodies: `Full`, `Empty`, `String`, `Bytes`, `()`, and with the feature
/// `reqwest` for `reqwest::Body`. [`ReplayBody`](crate::ReplayBody) implements it for any streaming body.
///
/// # Examples
/// A body of your own:
/// ```
/// use redress_classify::CloneBody;
///
/// struct Upload(Option<String>);
///
/// impl CloneBody for Upload {
///     fn try_clone(&self) -> Option<Self> {
///         self.0.clone().map(|text| Self(Some(text)))
///     }
/// }
/// assert!(Upload(Some("text".to_owned())).try_clone().is_some());
/// assert!(Upload(None).try_clone().is_none());
/// ```
#[diagnostic::on_unimplemented(
    message = "the request body `{Self}` cannot be cloned, so the request cannot be sent again",
    label = "`CloneBody` is not implemented for this body",
    note = "put `ReplayBodyLayer` above the stack if another library makes the requests, wrap a body of your own in \
            `ReplayBody::new`, or implement `CloneBody` and return `None` if no clone is possible"
)]
pub trait CloneBody: Sized {
    /// Returns a clone that sends the same bytes, or `None` if the body cannot be cloned.
    fn try_clone(&self) -> Option<Self>;

    /// Returns `true` if this clone would still send all bytes of the body.
    ///
    /// A clone of a streaming body may lose bytes while the original is sent, see
    /// [`ReplayBody`](crate::ReplayBody#the-limit). Any other clone holds its bytes, so the default is `true`.
    fn is_whole(&self) -> bool {
        true
    }

    /// Returns the number of bytes of the body that are in memory; 0, the default, if that is unknown, as of a stream.
    ///
    /// A layer that lets calls wait bounds by it the memory that they hold. Clones that share their bytes count each, since who
    /// holds the last of them is unknown.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::CloneBody;
    ///
    /// assert_eq!("text".to_owned().bytes_in_memory(), 4);
    /// assert_eq!(().bytes_in_memory(), 0);
    /// ```
    fn bytes_in_memory(&self) -> u64 {
        0
    }

    /// Returns the upload progress that the body shares with its clones, or `None` (the default) if it is not visible.
    ///
    /// With it, an attempt timeout counts from the last frame that the body gave. Without it, as for a buffered body that
    /// is one frame, the timeout counts from the start of the attempt.
    fn progress(&self) -> Option<Progress> {
        None
    }
}

/// Clones a request with its body and its extensions; returns `None` if the body cannot be cloned.
///
/// With eight headers a clone costs about 200 ns and two allocations.
///
/// # Examples
/// ```
/// use http::Request;
/// use redress_classify::try_clone_request;
///
/// let request = Request::post("https://api.example/v1/reports").header("accept", "*/*").body("text".to_owned())?;
/// let clone = try_clone_request(&request).expect("a `String` can be cloned");
/// assert_eq!((clone.uri(), clone.headers(), clone.body()), (request.uri(), request.headers(), request.body()));
/// # Ok::<(), http::Error>(())
/// ```
#[must_use]
pub fn try_clone_request<B: CloneBody>(request: &Request<B>) -> Option<Request<B>> {
    let mut clone = Request::new(request.body().try_clone()?);
    clone.method_mut().clone_from(request.method());
    clone.uri_mut().clone_from(request.uri());
    *clone.version_mut() = request.version();
    clone.headers_mut().clone_from(request.headers());
    clone.extensions_mut().clone_from(request.extensions());
    Some(clone)
}

impl<D: bytes::Buf + Clone> CloneBody for Full<D> {
    fn try_clone(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn bytes_in_memory(&self) -> u64 {
        self.size_hint().lower()
    }
}

impl<D> CloneBody for Empty<D> {
    fn try_clone(&self) -> Option<Self> {
        Some(Self::new())
    }
}

impl CloneBody for String {
    fn try_clone(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn bytes_in_memory(&self) -> u64 {
        self.len() as u64
    }
}

impl CloneBody for Bytes {
    fn try_clone(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn bytes_in_memory(&self) -> u64 {
        self.len() as u64
    }
}

impl CloneBody for () {
    fn try_clone(&self) -> Option<Self> {
        Some(())
    }
}

impl<L: CloneBody, R: CloneBody> CloneBody for Either<L, R> {
    fn try_clone(&self) -> Option<Self> {
        match self {
            Self::Left(body) => body.try_clone().map(Self::Left),
            Self::Right(body) => body.try_clone().map(Self::Right),
        }
    }

    fn is_whole(&self) -> bool {
        match self {
            Self::Left(body) => body.is_whole(),
            Self::Right(body) => body.is_whole(),
        }
    }

    fn bytes_in_memory(&self) -> u64 {
        match self {
            Self::Left(body) => body.bytes_in_memory(),
            Self::Right(body) => body.bytes_in_memory(),
        }
    }

    fn progress(&self) -> Option<Progress> {
        match self {
            Self::Left(body) => body.progress(),
            Self::Right(body) => body.progress(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::ReplayBody;

    /// Returns the bytes of a clone, and the number of bytes that its original holds.
    async fn cloned<B>(body: &B) -> (Bytes, u64)
    where
        B: CloneBody + http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Debug,
    {
        let clone = body.try_clone().expect("a body in memory can be cloned");
        (clone.collect().await.unwrap().to_bytes(), body.bytes_in_memory())
    }

    #[tokio::test]
    async fn a_body_in_memory_has_its_length_and_clones_with_the_same_bytes() {
        let (text, bytes) = ("a body".to_owned(), Bytes::from_static(b"a body"));
        let full = Full::new(bytes.clone());
        assert_eq!((text.try_clone(), text.bytes_in_memory()), (Some(text.clone()), 6));
        assert_eq!((bytes.try_clone(), bytes.bytes_in_memory()), (Some(bytes.clone()), 6));
        assert_eq!(cloned(&full).await, (bytes.clone(), 6));
        assert_eq!(cloned(&Either::<_, Full<Bytes>>::Left(full.clone())).await, (bytes.clone(), 6));
        assert_eq!(cloned(&Either::<Empty<Bytes>, _>::Right(full)).await, (bytes, 6));
        assert_eq!(cloned(&Empty::new()).await, (Bytes::new(), 0));
        assert_eq!((().try_clone(), ().bytes_in_memory()), (Some(()), 0));
        assert!(text.progress().is_none(), "a body of one frame has no progress");
    }

    #[cfg(feature = "reqwest")]
    #[test]
    fn a_body_of_reqwest_clones_if_it_is_in_memory() {
        let body = ::reqwest::Body::from("a body");
        assert_eq!(body.try_clone().as_ref().and_then(::reqwest::Body::as_bytes), Some(&b"a body"[..]));
        assert_eq!(CloneBody::bytes_in_memory(&body), 6);
    }

    #[test]
    fn either_body_shows_the_progress_of_the_one_that_it_holds() {
        let stream = || ReplayBody::new(Full::new(Bytes::from_static(b"a body")));
        assert!(stream().progress().is_some());
        assert!(Either::<_, Full<Bytes>>::Left(stream()).progress().is_some());
        assert!(Either::<Full<Bytes>, _>::Right(stream()).progress().is_some());
        assert!(Either::<_, ReplayBody<Full<Bytes>>>::Left(Full::new(Bytes::new())).progress().is_none());
    }

    #[test]
    fn a_request_is_cloned_with_all_its_parts() {
        let request = Request::put("https://api.example/a?b").version(http::Version::HTTP_2).header("accept", "*/*");
        let request = request.extension(7_u8).body("a body".to_owned()).unwrap();
        let (parts, body) = try_clone_request(&request).unwrap().into_parts();
        assert_eq!((&parts.method, &parts.uri, parts.version), (request.method(), request.uri(), request.version()));
        assert_eq!((&parts.headers, body.as_str()), (request.headers(), "a body"));
        assert_eq!(parts.extensions.get::<u8>(), Some(&7));
    }
}
