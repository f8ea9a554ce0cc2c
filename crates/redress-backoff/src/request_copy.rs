//! The copy of a request that is kept to send it again.

use std::error::Error as StdError;
use std::fmt;
use std::mem;
use std::ops::Range;

use bytes::Bytes;
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version};
use redress_classify::{CloneBody, Upstream};

use crate::header_names::{HeaderNames, Reader};

/// A copy of a request, which becomes a request when it is sent again.
///
/// Nearly all copies are dropped unused. So the text of URI and headers is copied into one buffer, which takes one allocation
/// whatever the request is made of, and it is parsed when it is read. A request that is made from the copy shares the buffer.
pub(crate) struct RequestCopy<B> {
    pub(crate) method: Method,
    pub(crate) extensions: Extensions,
    pub(crate) body: B,
    version: Version,
    scheme: Option<Scheme>,
    /// The length of the authority; 0 if the URI has none.
    authority: u32,
    /// The length of authority and path, without the query.
    path: u32,
    /// The length of authority, path and query.
    uri: u32,
    /// The authority, the path with the query, and the headers in order: a [`Head`], the name, the value.
    text: Bytes,
}

/// The emptied parts of a response that was dropped, whose memory serves for the request that follows.
#[derive(Default)]
pub(crate) struct Spare {
    pub(crate) headers: HeaderMap,
    pub(crate) extensions: Extensions,
}

/// The text of a request that is no longer than most requests to APIs are: a URI, and some ten headers of 40 bytes. It takes this
/// room in each call in flight, some of it unused, and in return neither a copy nor a request that is made from it allocates twice.
struct ShortText {
    bytes: [u8; SHORT],
    len: usize,
}

const SHORT: usize = 512;

/// The error of a copy from which no request can be made: `http` accepts text that it has not checked.
#[derive(Debug)]
pub(crate) struct UnreadableCopy {
    part: String,
    source: http::Error,
}

/// The host and port in the URI of a copied request, which are parsed when they are printed.
pub(crate) struct Host<'a>(pub(crate) &'a [u8]);

/// The lengths of a header, and whether its value is sensitive, in eight bytes: 16 bits for the name, which is shorter than
/// 64 KiB, 1 for the mark, and 47 for the value.
struct Head {
    name: usize,
    is_sensitive: bool,
    value: usize,
}

/// The places of a header in the text.
struct Field {
    name: Range<usize>,
    value: Range<usize>,
    is_sensitive: bool,
}

impl<B: CloneBody> RequestCopy<B> {
    /// Copies a request; returns `None` if its body cannot be copied.
    #[inline(always)]
    pub(crate) fn from_request(request: &Request<B>) -> Option<Self> {
        let body = request.body().try_clone()?;
        let uri = request.uri();
        let authority = uri.authority().map_or("", Authority::as_str);
        let target = uri.path_and_query().map_or("", PathAndQuery::as_str);
        let query = uri.query().map_or(0, |query| "?".len() + query.len());
        Some(Self {
            method: request.method().clone(),
            extensions: request.extensions().clone(),
            body,
            version: request.version(),
            scheme: uri.scheme().cloned(),
            // Each of them has less than 64 KiB in `http`.
            authority: authority.len() as u32,
            path: (authority.len() + target.len() - query) as u32,
            uri: (authority.len() + target.len()) as u32,
            text: copy_text(authority, target, request.headers()),
        })
    }

    /// Returns a second copy, which shares the text; `None` if the body cannot be copied again.
    pub(crate) fn try_clone(&self) -> Option<Self> {
        Some(Self {
            method: self.method.clone(),
            extensions: self.extensions.clone(),
            body: self.body.try_clone()?,
            version: self.version,
            scheme: self.scheme.clone(),
            authority: self.authority,
            path: self.path,
            uri: self.uri,
            text: self.text.clone(),
        })
    }
}

impl<B> RequestCopy<B> {
    /// Returns the path, as [`Uri::path`] does.
    pub(crate) fn path(&self) -> &str {
        str::from_utf8(self.path_bytes()).unwrap_or_default()
    }

    /// Returns the bytes of the path, which are text, for what need not know that.
    pub(crate) fn path_bytes(&self) -> &[u8] {
        match &self.text[self.authority()..self.path as usize] {
            [] if self.path < self.uri => b"/",
            path => path,
        }
    }

    const fn authority(&self) -> usize {
        self.authority as usize
    }

    const fn target(&self) -> Range<usize> {
        self.authority as usize..self.uri as usize
    }

    /// Returns the host and port of the URI.
    pub(crate) fn host(&self) -> Host<'_> {
        Host(&self.text[..self.authority()])
    }

    /// Returns the values of a header in order.
    pub(crate) fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.fields_of(name).map(|field| &self.text[field.value])
    }

    /// Returns the first value of a header, which shares the text.
    pub(crate) fn value(&self, name: &HeaderName) -> Option<HeaderValue> {
        let field = self.fields_of(name).next()?;
        self.value_of(&field).ok()
    }

    fn fields_of(&self, name: &HeaderName) -> impl Iterator<Item = Field> {
        self.fields().filter(move |field| self.text[field.name.clone()] == *name.as_str().as_bytes())
    }

    /// Parses the URI.
    pub(crate) fn uri(&self) -> Result<Uri, UnreadableCopy> {
        let parse = || {
            let (authority, target) = (self.text.slice(0..self.authority()), self.text.slice(self.target()));
            let mut parts = Parts::default();
            parts.scheme.clone_from(&self.scheme);
            if !authority.is_empty() {
                parts.authority = Some(Authority::from_maybe_shared(authority)?);
            }
            if !target.is_empty() {
                parts.path_and_query = Some(PathAndQuery::from_maybe_shared(target)?);
            }
            Ok(Uri::from_parts(parts)?)
        };
        parse().map_err(|source| UnreadableCopy { part: "URI".to_owned(), source })
    }

    /// Parses the headers into an empty map.
    pub(crate) fn headers(&self, names: &HeaderNames, mut headers: HeaderMap) -> Result<HeaderMap, UnreadableCopy> {
        // A layer below adds the credentials. There may be more values than a map can reserve room for names: then it grows as
        // needed.
        let _ = headers.try_reserve(self.fields().count() + 1);
        let mut names = names.reader();
        for field in self.fields() {
            let (name, value) = self.parse(&field, &mut names).map_err(|source| self.unreadable(&field, source))?;
            headers.append(name, value);
        }
        Ok(headers)
    }

    /// Returns `true` if a URI is as long as the copied one: only one that could not be parsed is not.
    pub(crate) fn has_lengths_of(&self, uri: &Uri) -> bool {
        let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
        let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
        (self.authority(), self.target().len()) == (authority, target)
    }

    /// Converts the copy into a request that is equal to the original. Its URI is parsed if it is not known, its headers into
    /// an empty map.
    pub(crate) fn into_request(
        self,
        uri: Option<Uri>,
        names: &HeaderNames,
        headers: HeaderMap,
    ) -> Result<Request<B>, UnreadableCopy> {
        let uri = uri.map_or_else(|| self.uri(), Ok)?;
        let headers = self.headers(names, headers)?;
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = uri;
        *request.version_mut() = self.version;
        *request.headers_mut() = headers;
        *request.extensions_mut() = self.extensions;
        Ok(request)
    }

    fn fields(&self) -> impl Iterator<Item = Field> {
        let mut at = self.target().end;
        std::iter::from_fn(move || {
            let head = Head::from_bytes(*self.text.get(at..)?.first_chunk()?);
            let name = at + Head::LEN..at + Head::LEN + head.name;
            let value = name.end..name.end + head.value;
            at = value.end;
            Some(Field { name, value, is_sensitive: head.is_sensitive })
        })
    }

    fn parse(&self, field: &Field, names: &mut Reader<'_>) -> Result<(HeaderName, HeaderValue), http::Error> {
        Ok((names.name(&self.text[field.name.clone()])?, self.value_of(field)?))
    }

    fn value_of(&self, field: &Field) -> Result<HeaderValue, http::Error> {
        let mut value = HeaderValue::from_maybe_shared(self.text.slice(field.value.clone()))?;
        value.set_sensitive(field.is_sensitive);
        Ok(value)
    }

    fn unreadable(&self, field: &Field, source: http::Error) -> UnreadableCopy {
        UnreadableCopy { part: format!("header {:?}", self.str(field.name.clone())), source }
    }

    /// Returns a part of the text that was text.
    fn str(&self, range: Range<usize>) -> &str {
        std::str::from_utf8(&self.text[range]).unwrap_or_default()
    }
}

impl Spare {
    /// Takes the parts of a response, and empties them.
    pub(crate) fn of<R>(response: &mut Response<R>) -> Self {
        let mut spare =
            Self { headers: mem::take(response.headers_mut()), extensions: mem::take(response.extensions_mut()) };
        spare.headers.clear();
        spare.extensions.clear();
        spare
    }
}

impl AsRef<[u8]> for ShortText {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Head {
    const LEN: usize = size_of::<u64>();
    const SENSITIVE: u64 = 1 << 16;

    fn to_bytes(name: &str, value: &HeaderValue) -> [u8; Self::LEN] {
        let mark = if value.is_sensitive() { Self::SENSITIVE } else { 0 };
        ((value.len() as u64) << 17 | mark | name.len() as u64).to_le_bytes()
    }

    fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let head = u64::from_le_bytes(bytes);
        Self { name: usize::from(head as u16), is_sensitive: head & Self::SENSITIVE != 0, value: (head >> 17) as usize }
    }
}

impl Host<'_> {
    /// Returns the upstream to print; `None` if the URI has no host.
    pub(crate) fn upstream(&self) -> Option<Upstream> {
        let authority = Authority::try_from(self.0).ok()?;
        Some(Upstream::new(&Uri::from(authority), &HeaderMap::new()))
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.upstream().map_or(Ok(()), |upstream| upstream.fmt(f))
    }
}

impl fmt::Display for UnreadableCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request cannot be sent again: its {} cannot be read", self.part)
    }
}

impl StdError for UnreadableCopy {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.source)
    }
}

/// Copies the text of a request. A short text is gathered on the stack, so that the headers are passed once, and needs no second
/// allocation when it is shared; the length of a longer one is counted first.
#[inline]
fn copy_text(authority: &str, target: &str, headers: &HeaderMap) -> Bytes {
    let mut short = ShortText { bytes: [0; SHORT], len: 0 };
    match write_text(&mut short.bytes, authority, target, headers) {
        Some(len) => {
            short.len = len;
            Bytes::from_owner(short)
        }
        None => copy_long_text(authority, target, headers),
    }
}

#[cold]
fn copy_long_text(authority: &str, target: &str, headers: &HeaderMap) -> Bytes {
    let fields: usize = headers.iter().map(|(name, value)| Head::LEN + name.as_str().len() + value.len()).sum();
    let mut text = vec![0; authority.len() + target.len() + fields];
    write_text(&mut text, authority, target, headers).expect("it has the length of the text");
    Bytes::from(text)
}

/// Writes the text of a request, and returns its length; `None` if there is too little room.
#[inline]
fn write_text(room: &mut [u8], authority: &str, target: &str, headers: &HeaderMap) -> Option<usize> {
    let mut len = 0;
    let mut write = |part: &[u8]| {
        let end = len + part.len();
        room.get_mut(len..end)?.copy_from_slice(part);
        len = end;
        Some(())
    };
    write(authority.as_bytes())?;
    write(target.as_bytes())?;
    for (name, value) in headers {
        let name = name.as_str();
        write(&Head::to_bytes(name, value))?;
        write(name.as_bytes())?;
        write(value.as_bytes())?;
    }
    Some(len)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::header::{ACCEPT, AUTHORIZATION, COOKIE};
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Tag(u8);

    /// A body that can be copied this number of times.
    struct Limited(u8);

    impl CloneBody for Limited {
        fn try_clone(&self) -> Option<Self> {
            (self.0 > 0).then(|| Self(self.0 - 1))
        }
    }

    fn rebuilt<B: CloneBody>(request: &Request<B>) -> Request<B> {
        RequestCopy::from_request(request)
            .expect("it can be copied")
            .into_request(None, &HeaderNames::default(), HeaderMap::new())
            .expect("it can be read")
    }

    #[test]
    fn the_values_of_a_header_keep_their_order() {
        let mut request = Request::get("/").body(()).unwrap();
        for (name, value) in [(COOKIE, "b"), (ACCEPT, "x"), (COOKIE, "a"), (COOKIE, "b"), (ACCEPT, "w")] {
            request.headers_mut().append(name, HeaderValue::from_static(value));
        }
        let copy = RequestCopy::from_request(&request).unwrap();
        assert!(copy.values(&COOKIE).eq([b"b", b"a", b"b"]));
        assert_eq!(copy.values(&AUTHORIZATION).count(), 0);
        let rebuilt = copy.into_request(None, &HeaderNames::default(), HeaderMap::new()).unwrap();
        assert!(rebuilt.headers().get_all(COOKIE).iter().eq(["b", "a", "b"]));
        assert!(rebuilt.headers().get_all(ACCEPT).iter().eq(["x", "w"]));
        assert!(rebuilt.headers().iter().eq(request.headers()), "the names too are in their order");
    }

    #[test]
    fn a_sensitive_value_stays_sensitive() {
        let mut request = Request::get("/").header(ACCEPT, "x").body(()).unwrap();
        let mut secret = HeaderValue::from_static("Bearer canary");
        secret.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, secret);
        let rebuilt = RequestCopy::from_request(&request)
            .and_then(|copy| copy.try_clone())
            .unwrap()
            .into_request(None, &HeaderNames::default(), HeaderMap::new())
            .unwrap();
        assert!(rebuilt.headers()[AUTHORIZATION].is_sensitive());
        assert!(!rebuilt.headers()[ACCEPT].is_sensitive());
    }

    #[test]
    fn extensions_version_and_body_are_those_of_the_request() {
        let request = Request::put("https://api.example/v1/x?y=1").version(Version::HTTP_2).extension(Tag(7));
        let rebuilt = rebuilt(&request.body(Bytes::from_static(b"body")).unwrap());
        assert_eq!(rebuilt.version(), Version::HTTP_2);
        assert_eq!(rebuilt.method(), Method::PUT);
        assert_eq!(rebuilt.uri(), "https://api.example/v1/x?y=1");
        assert_eq!(rebuilt.extensions().get(), Some(&Tag(7)));
        assert_eq!(rebuilt.body(), "body");
    }

    #[test]
    fn a_request_is_copied_as_often_as_its_body_can_be() {
        assert!(RequestCopy::from_request(&Request::new(Limited(0))).is_none());
        let once = RequestCopy::from_request(&Request::new(Limited(1))).expect("it can be copied once");
        assert!(once.try_clone().is_none());
        let twice = RequestCopy::from_request(&Request::new(Limited(2))).expect("it can be copied twice");
        assert!(twice.try_clone().is_some());
    }

    #[test]
    fn more_values_than_a_map_has_room_for_names_are_copied() {
        let mut request = Request::new(());
        for _ in 0..40_000 {
            request.headers_mut().append(COOKIE, HeaderValue::from_static("a"));
        }
        assert_eq!(rebuilt(&request).headers().len(), 40_000);
    }

    #[test]
    fn a_text_of_any_length_is_copied_into_a_buffer_of_its_length() {
        for len in (SHORT - 40..SHORT + 40).chain([0, 8 * SHORT]) {
            let value = "v".repeat(len);
            let request = Request::get("https://api.example/v1").header(ACCEPT, &value).body(()).unwrap();
            let copy = RequestCopy::from_request(&request).unwrap();
            let expected = "api.example/v1".len() + Head::LEN + ACCEPT.as_str().len() + len;
            assert_eq!(copy.text.len(), expected);
            assert_eq!(
                copy.into_request(None, &HeaderNames::default(), HeaderMap::new()).unwrap().headers()[ACCEPT],
                value
            );
        }
    }

    /// Text that `http` has not checked cannot be had without `unsafe`, and not at all with its debug assertions.
    impl<B> RequestCopy<B> {
        pub(crate) fn replace_in_text(&mut self, from: &str, to: &[u8]) {
            let at = self.text.windows(from.len()).position(|part| part == from.as_bytes()).expect("the text has it");
            let mut text = self.text.to_vec();
            text.splice(at..at + from.len(), to.iter().copied());
            self.text = text.into();
        }
    }

    #[test]
    fn text_that_cannot_be_read_again_is_an_error_that_names_its_place() {
        let request = Request::get("https://api.example/v1").header("x-tag", "canary").body(()).unwrap();
        for (from, to, expected) in [
            ("canary", b"can\0ry".as_slice(), "request cannot be sent again: its header \"x-tag\" cannot be read"),
            ("x-tag", b"x\0tag", "request cannot be sent again: its header \"x\\0tag\" cannot be read"),
            ("/v1", b"/v ", "request cannot be sent again: its URI cannot be read"),
            ("api.example", b"api example", "request cannot be sent again: its URI cannot be read"),
        ] {
            let mut copy = RequestCopy::from_request(&request).unwrap();
            copy.replace_in_text(from, to);
            let error = copy.into_request(None, &HeaderNames::default(), HeaderMap::new()).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert!(error.source().is_some_and(|source| !source.to_string().contains("can\0ry")));
        }
    }

    #[test]
    fn path_and_host_are_those_of_the_uri() {
        for (uri, path, host) in [
            ("/", "/", ""),
            ("/v1/x?a=/b?c", "/v1/x", ""),
            ("*", "*", ""),
            ("https://me:word@API.example:8443/v1?a", "/v1", "API.example:8443"),
            ("https://api.example", "/", "api.example"),
            ("https://api.example?a=b", "/", "api.example"),
            ("https://[2001:db8::1]:1/x", "/x", "[2001:db8::1]:1"),
            ("api.example:443", "", "api.example:443"),
            ("s3+odd://bucket/key", "/key", "bucket"),
        ] {
            let request = Request::get(uri).body(()).unwrap();
            let copy = RequestCopy::from_request(&request).unwrap();
            assert_eq!((copy.path(), &*copy.host().to_string()), (path, host), "{uri}");
            assert_eq!(copy.path(), request.uri().path(), "{uri}");
        }
    }

    /// A URI in each of its forms.
    fn uri() -> impl Strategy<Value = Uri> {
        let authority = "([a-z]{1,4}(:[a-z]{0,4})?@)?([a-zA-Z0-9.]{1,12}|\\[2001:db8::[0-9a-f]\\])(:[0-9]{1,4})?";
        let target = "(/[a-z0-9/%\u{e4}]{0,20})?(\\?[a-z=&/?]{0,12})?";
        let absolute = (prop::sample::select(vec!["http", "https", "s3+odd"]), authority, target);
        prop_oneof![
            absolute.prop_map(|(scheme, authority, target)| format!("{scheme}://{authority}{target}")),
            authority.prop_map(|authority| authority),
            target.prop_map(|target| format!("/{}", target.trim_start_matches('/'))),
            Just("*".to_owned()),
        ]
        .prop_map(|text| text.parse().expect("the form of a URI"))
    }

    /// A list of headers: standard and custom names, some of them repeated, and any bytes that a value may hold.
    fn headers() -> impl Strategy<Value = HeaderMap> {
        let byte = prop_oneof![Just(b'\t'), b' '..=b'~', 0x80..=0xFF_u8];
        let value = prop::collection::vec(byte, 0..24);
        let header = ("x-[a-d]{0,2}|accept|cookie|etag|content-type", value, any::<bool>());
        prop::collection::vec(header, 0..40).prop_map(|list| {
            let mut headers = HeaderMap::new();
            for (name, bytes, is_sensitive) in list {
                let mut value = HeaderValue::from_bytes(&bytes).expect("legal bytes");
                value.set_sensitive(is_sensitive);
                headers.append(HeaderName::try_from(name).expect("a legal name"), value);
            }
            headers
        })
    }

    proptest! {
        #[test]
        fn the_request_is_equal_to_the_one_that_was_copied(
            method in "[A-Z]{1,8}",
            uri in uri(),
            headers in headers(),
            version in prop::sample::select(vec![Version::HTTP_10, Version::HTTP_11, Version::HTTP_2, Version::HTTP_3]),
            dropped in headers(),
            tag in any::<u8>(),
            body in prop::collection::vec(any::<u8>(), 0..32),
        ) {
            let mut request = Request::new(Bytes::from(body));
            *request.method_mut() = method.parse().unwrap();
            *request.uri_mut() = uri;
            *request.headers_mut() = headers;
            *request.version_mut() = version;
            request.extensions_mut().insert(Tag(tag));
            let copy = RequestCopy::from_request(&request).unwrap();
            prop_assert_eq!(copy.path(), request.uri().path());
            let mut response = Response::builder().extension(Tag(0)).body(()).unwrap();
            *response.headers_mut() = dropped;
            let spare = Spare::of(&mut response);
            prop_assert!(spare.extensions.is_empty());
            for (copied, room) in [(copy.try_clone().unwrap(), HeaderMap::new()), (copy, spare.headers)] {
                let rebuilt = copied.into_request(None, &HeaderNames::default(), room).unwrap();
                prop_assert_eq!(rebuilt.method(), request.method());
                prop_assert_eq!(rebuilt.uri(), request.uri());
                prop_assert_eq!(rebuilt.uri().to_string(), request.uri().to_string());
                prop_assert_eq!(rebuilt.uri().authority(), request.uri().authority());
                prop_assert_eq!(rebuilt.version(), request.version());
                prop_assert_eq!(rebuilt.headers(), request.headers());
                prop_assert!(rebuilt.headers().iter().eq(request.headers()));
                let sensitive = |headers: &HeaderMap| headers.values().map(HeaderValue::is_sensitive).collect::<Vec<_>>();
                prop_assert_eq!(sensitive(rebuilt.headers()), sensitive(request.headers()));
                prop_assert_eq!(rebuilt.extensions().get::<Tag>(), Some(&Tag(tag)));
                prop_assert_eq!(rebuilt.body(), request.body());
            }
        }
    }

    #[test]
    fn a_uri_of_other_lengths_is_not_the_copied_one() {
        let request = Request::get("https://api.example/a?b").body(()).unwrap();
        let copy = RequestCopy::from_request(&request).expect("it can be copied");
        for (uri, expected) in [
            ("https://api.example/a?b", true),
            ("https://api.example/a?", false),
            ("https://api.example", false),
            ("https://api.exampl/a?bc", false),
            ("/a?b", false),
        ] {
            assert_eq!(copy.has_lengths_of(&Uri::from_static(uri)), expected, "{uri}");
        }
    }
}
