//! Reads the request of a record: method, URL, and the credentials that must not be printed.
//!
//! ```text
//! "request": {"method": "POST", "url": "https://api.example.com/v1/x?key=..", "headers": {"Authorization": ".."}}
//! "request": "POST /v1/x HTTP/1.1"
//! "url": {"raw": "https://api.example.com/v1/x", "host": ["api", "example", "com"]}
//! ```
//!
//! The query of a URL is never kept, since it may hold a key. Its values are noted as credentials if their names are
//! those of keys, so that they are masked where the server quotes them.

use http::Uri;
use serde_json::value::RawValue;

use super::Object;
use crate::input::headers;
use crate::input::json::{self, is_text};
use crate::input::member_role::Role;
use crate::input::parsed::ParsedRequest;

/// Reads a request; a text may be a request line.
pub(super) fn read_call(value: &RawValue, call: &mut ParsedRequest) {
    if is_text(value) {
        if let Ok(line) = json::text("", value) {
            call.set_request_line(line.as_bytes());
        }
        return;
    }
    let Ok(object) = Object::read(value) else { return };
    if let Some(method) = object.get(Role::Method).and_then(json::scalar).filter(|_| call.method.is_none()) {
        call.set_method(&method);
    }
    if let Some(url) = object.get(Role::Url) {
        read_url(url, call);
    }
    if let Some(sent) = object.get(Role::Headers) {
        // A request that cannot be read is ignored.
        let _ = headers::each(sent, &mut |name, value| {
            call.add_header(name, value.as_bytes());
            Ok(())
        });
    }
    if let Some(cookies) = object.exactly("cookies") {
        let _ = headers::each(cookies, &mut |_, value| {
            call.note(value.as_bytes());
            Ok(())
        });
    }
}

/// Reads a URL: a text, or an object as Postman, ECS and logs of Node have it.
pub(super) fn read_url(value: &RawValue, call: &mut ParsedRequest) {
    if let Ok(url) = json::text("", value) {
        let before = call.uri.take();
        call.set_url(&url);
        // A path alone, behind a URL, is more precise only if there is nothing else.
        call.uri = before.filter(|uri| is_better(uri, call.uri.as_ref())).or(call.uri.take());
        return;
    }
    let Ok(members) = json::members(value) else { return };
    for wanted in ["raw", "full", "original", "href", "path"] {
        if let Some((_, url)) = members.iter().find(|(name, url)| name == wanted && is_text(url)) {
            return read_url(url, call);
        }
    }
}

/// Returns `true` if the first URI says more than the second: a host is worth more than a path alone.
///
/// A log may have the URL twice: in the request of the client with the host, and in that of the server with the path
/// alone.
fn is_better(before: &Uri, after: Option<&Uri>) -> bool {
    after.is_none_or(|after| before.authority().is_some() || after.authority().is_none())
}
