//! The copy of a request that is kept to send it again.

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use redress_classify::CloneBody;

/// A copy of a request, which becomes a request when it is sent again.
///
/// Nearly all copies are dropped unused. So the headers are a list, which takes one allocation, and not a hash map.
pub(crate) struct RequestCopy<B> {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) extensions: Extensions,
    pub(crate) body: B,
    version: Version,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl<B: CloneBody> RequestCopy<B> {
    /// Copies a request; returns `None` if its body cannot be copied.
    #[inline]
    pub(crate) fn from_request(request: &Request<B>) -> Option<Self> {
        Some(Self {
            body: request.body().try_clone()?,
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: header_list(request.headers()),
            extensions: request.extensions().clone(),
        })
    }

    /// Returns a second copy; `None` if the body cannot be copied again.
    pub(crate) fn try_clone(&self) -> Option<Self> {
        Some(Self {
            body: self.body.try_clone()?,
            method: self.method.clone(),
            uri: self.uri.clone(),
            version: self.version,
            headers: self.headers.clone(),
            extensions: self.extensions.clone(),
        })
    }
}

impl<B> RequestCopy<B> {
    /// Returns the values of a header in order.
    pub(crate) fn values(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        self.headers.iter().filter(move |(given, _)| given == name).map(|(_, value)| value)
    }

    /// Returns the headers as a map.
    pub(crate) fn header_map(&self) -> HeaderMap {
        header_map(self.headers.clone())
    }

    /// Converts the copy into a request that is equal to the original.
    pub(crate) fn into_request(self) -> Request<B> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        *request.headers_mut() = header_map(self.headers);
        *request.extensions_mut() = self.extensions;
        request
    }
}

/// Returns headers as a list. The values of a name follow each other in order.
fn header_list(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let mut list = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        list.push((name.clone(), value.clone()));
    }
    list
}

fn header_map(list: Vec<(HeaderName, HeaderValue)>) -> HeaderMap {
    // There may be more values than a map can reserve room for names: then it grows as needed.
    let mut headers = HeaderMap::try_with_capacity(list.len()).unwrap_or_default();
    for (name, value) in list {
        headers.append(name, value);
    }
    headers
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
        RequestCopy::from_request(request).expect("it can be copied").into_request()
    }

    #[test]
    fn the_values_of_a_header_keep_their_order() {
        let mut request = Request::get("/").body(()).unwrap();
        for (name, value) in [(COOKIE, "b"), (ACCEPT, "x"), (COOKIE, "a"), (COOKIE, "b"), (ACCEPT, "w")] {
            request.headers_mut().append(name, HeaderValue::from_static(value));
        }
        let copy = RequestCopy::from_request(&request).unwrap();
        assert!(copy.values(&COOKIE).eq(["b", "a", "b"]));
        assert_eq!(copy.values(&AUTHORIZATION).count(), 0);
        let rebuilt = copy.into_request();
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
        let rebuilt = RequestCopy::from_request(&request).and_then(|copy| copy.try_clone()).unwrap().into_request();
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

    proptest! {
        #[test]
        fn the_request_is_equal_to_the_one_that_was_copied(
            method in "[A-Z]{1,8}",
            path in "/[a-z0-9/]{0,20}",
            headers in prop::collection::vec(("x-[a-d]{0,2}|accept|cookie|etag", "[ -~]{0,12}", any::<bool>()), 0..40),
            tag in any::<u8>(),
            body in prop::collection::vec(any::<u8>(), 0..32),
        ) {
            let mut request = Request::new(Bytes::from(body));
            *request.method_mut() = method.parse().unwrap();
            *request.uri_mut() = path.parse().unwrap();
            request.extensions_mut().insert(Tag(tag));
            for (name, text, is_sensitive) in headers {
                let mut value = HeaderValue::try_from(text).unwrap();
                value.set_sensitive(is_sensitive);
                request.headers_mut().append(HeaderName::try_from(name).unwrap(), value);
            }
            let copy = RequestCopy::from_request(&request).unwrap();
            for copied in [copy.try_clone().unwrap(), copy] {
                let rebuilt = copied.into_request();
                prop_assert_eq!(rebuilt.method(), request.method());
                prop_assert_eq!(rebuilt.uri(), request.uri());
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
}
