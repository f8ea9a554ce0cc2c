//! Reads a response, with the call that it answers, from a JSON object: a record, an entry of a HAR file or a cassette, a line of
//! a log, a serialized error of a client.
//!
//! ```text
//! {"status": 429, "headers": {"Retry-After": "30"}, "body": {"error": "rate_limited"}}
//! {"level": 50, "err": {"response": {"status": 429, "headers": {}, "data": {"error": "rate_limited"}}}}
//! ```
//!
//! Members are recognised by [`Role`]. The same name can mean different things: `data` is the body in the response object of
//! axios, and anything in a log. So a member with a vague name counts only beside one that is sure.
//!
//! Which object is the response is decided from the outside in:
//!
//! 1. An object with a status, and beside it headers, a body or a request, is one.
//! 2. Else the object below a member such as `response`, `err` or `cause` is one, at most five levels down.
//! 3. An object with a status and nothing else of a record is a body: a problem document (RFC 9457) has a `status`
//!    too.

mod request;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use redress_envelope::parse_date;
use request::{read_call, read_url};
use serde_json::value::RawValue;

use super::body::{self, Body};
use super::json::{self, Members, is_list, is_null, is_object, is_text};
use super::member_role::Role;
use super::parsed::{ParseError, ParseResult, ParsedRequest, ParsedResponse};
use super::{headers, status};
use crate::text::excerpt;

/// The greatest depth at which the object of a response is looked for: `{"err":{"cause":{"response":{...}}}}` is 4.
const MAX_DEPTH: u8 = 5;

/// The parts of an object, before it is known whether they are enough.
#[derive(Default)]
struct Said<'a> {
    /// The status; without one the object is not a response.
    status: Option<StatusCode>,
    headers: Option<HeaderMap>,
    body: Option<Body<'a>>,
    /// The media type that stood beside the body, for want of a header.
    media_type: Option<Cow<'a, str>>,
    /// The request, from every object around the response.
    call: ParsedRequest,
    /// The time of receipt, which dates in headers count from.
    received: Option<SystemTime>,
}

/// The members of one object by their roles; of a repeated role the first one counts.
struct Object<'a> {
    members: Members<'a>,
    roles: Vec<Option<Role>>,
}

/// Reads a line that is not blank.
pub(crate) fn parse(line: &[u8]) -> ParseResult<'_> {
    let text = std::str::from_utf8(line).map_err(|error| {
        let at = error.valid_up_to() + 1;
        ParseError::new(format!("expected UTF-8, found something else at byte {at}; bytes go into body_base64"))
    })?;
    if !text.trim_ascii_start().starts_with('{') {
        let value = serde_json::from_str::<&RawValue>(text);
        let found =
            value.map_or_else(|error| json::without_line(&error), |value| format!("found {}", json::kind(value)));
        return Err(ParseError::new(format!("expected a JSON object, {found}")));
    }
    of_members(json::members_of(text))
}

/// Reads an object as one response.
///
/// The request beside it gives method, URL and the credentials to mask; an `id` is repeated in the answer, so that
/// answers can be matched with records.
pub(crate) fn record(value: &RawValue) -> ParseResult<'_> {
    if !is_object(value) {
        return Err(ParseError::new(format!("expected a JSON object, found {}", json::kind(value))));
    }
    of_members(json::members(value))
}

/// Reads a response from the members of an object, and keeps its id for an error.
fn of_members(members: Result<Members<'_>, String>) -> ParseResult<'_> {
    let members = members.map_err(|error| ParseError::new(format!("expected a JSON object: {error}")))?;
    let object = Object::new(members);
    let id = object.exactly("id").map(Cow::Borrowed);
    let found = object.repeated().map_or_else(|| object.into_found(), Err);
    found.map(|found| ParsedResponse { id: id.clone(), ..found }).map_err(|problem| ParseError {
        id,
        line: None,
        problem,
    })
}

/// Returns whether an object has a status, and beside it what only a recorded response has.
///
/// An error of an API has a status too, such as a problem document (RFC 9457 section 3.1.2): it is a body.
///
/// ```text
/// {"status": 429, "headers": {..}}                              a response
/// {"status": 429, "title": "Too many requests", "type": ".."}   a body, of a response whose status it states
/// ```
pub(super) fn is_record(value: &RawValue) -> bool {
    let Ok(object) = Object::read(value) else { return false };
    let is_response = |role| {
        use Role::{Body, BodyBase64, Config, Headers, Request, Response};
        matches!(role, Headers | Body | BodyBase64 | Request | Response | Config)
    };
    match object.nested() {
        Some(_) => true,
        None if object.status().is_none() => false,
        None => object.roles.iter().flatten().any(|role| is_response(*role)) || object.says_nothing_else(),
    }
}

impl<'a> Object<'a> {
    /// Reads the members of a value that is an object.
    fn read(value: &'a RawValue) -> Result<Self, String> {
        json::members(value).map(Self::new)
    }

    /// Looks up the role of each member; `null` is the same as absent.
    fn new(members: Members<'a>) -> Self {
        let roles = members.iter().map(|(name, value)| Role::of(name).filter(|_| !is_null(value))).collect();
        Self { members, roles }
    }

    /// States of a member that is read that it stands twice, so that no one can tell which one is meant.
    ///
    /// ```text
    /// {"status": 200, "status": 429, "body": "..."}    expected a JSON object: duplicate field `status`
    /// ```
    fn repeated(&self) -> Option<String> {
        let read = self.members.iter().zip(&self.roles).filter(|(_, role)| role.is_some());
        let mut names: Vec<&str> = read.map(|((name, _), _)| &**name).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1])?;
        Some(format!("expected a JSON object: duplicate field `{}`", twice[0]))
    }

    /// Returns the first member with a role.
    fn get(&self, role: Role) -> Option<&'a RawValue> {
        let nth = self.roles.iter().position(|known| *known == Some(role))?;
        Some(self.members[nth].1)
    }

    /// Returns a member by its exact name.
    fn exactly(&self, wanted: &str) -> Option<&'a RawValue> {
        self.members.iter().find(|(name, value)| name == wanted && !is_null(value)).map(|(_, value)| *value)
    }

    /// Returns `true` if a member has this role.
    fn has(&self, role: Role) -> bool {
        self.get(role).is_some()
    }

    /// Returns the status that the object itself has.
    fn status(&self) -> Option<StatusCode> {
        let of = |role| self.get(role).and_then(status::of_json);
        // Postman has the reason phrase as the status and the number as the code, beside `header`.
        let code = || of(Role::Code).filter(|_| self.has(Role::Headers) && self.has(Role::Body));
        of(Role::Status).or_else(code)
    }

    /// Returns the object below this one that has the response.
    fn nested(&self) -> Option<Object<'a>> {
        self.nested_at(0)
    }

    /// Looks for the response object at this depth and below it.
    fn nested_at(&self, depth: u8) -> Option<Object<'a>> {
        if depth >= MAX_DEPTH {
            return None;
        }
        if let Some(response) = self.get(Role::Response).filter(|value| is_object(value))
            && let Ok(inner) = Object::read(response)
            && (inner.status().is_some() || inner.has_pseudo_status())
        {
            return Some(inner);
        }
        let inner = self.wrapper()?;
        let is_error_of_client = inner.status().is_some() && (inner.has(Role::Config) || inner.has(Role::Headers));
        inner.nested_at(depth + 1).or_else(|| is_error_of_client.then_some(inner))
    }

    /// Returns the object that wraps both a request and a response, such as the error of a client in a line of a log.
    fn wrapper(&self) -> Option<Object<'a>> {
        let wrapper = self.get(Role::Wrapper).filter(|value| is_object(value))?;
        Object::read(wrapper).ok()
    }

    /// Returns `true` if the status stands among the headers, as HTTP/2 has it.
    fn has_pseudo_status(&self) -> bool {
        self.get(Role::Headers).and_then(|value| headers::read(value).ok()).is_some_and(|read| read.status.is_some())
    }

    /// Returns whether nothing stands beside a status but what belongs to a record.
    fn says_nothing_else(&self) -> bool {
        let is_said = |role: Role| matches!(role, Role::Code | Role::LooseBody | Role::Wrapper);
        let mut members = self.roles.iter().zip(&self.members);
        members.all(|(role, (name, value))| role.map_or(name == "id", |role| !is_said(role)) || is_null(value))
    }

    /// Returns the response that the object is, or the reason why it is not one.
    fn into_found(self) -> Result<ParsedResponse<'a>, String> {
        let dialect = self.exactly("dialect").map(|dialect| json::text("dialect", dialect)).transpose()?;
        let Said { status, headers, body, media_type, call, received } = self.said()?;
        let Some(status) = status else { return Err(self.no_status()) };
        let mut headers = headers.unwrap_or_default();
        let Body { bytes, media_type: inner } = body.unwrap_or_default();
        if let Some(Ok(media_type)) = inner.or(media_type).map(|text| HeaderValue::from_str(&text))
            && !headers.contains_key(CONTENT_TYPE)
        {
            headers.insert(CONTENT_TYPE, media_type);
        }
        let mut found = ParsedResponse::new(status, headers, bytes);
        (found.dialect, found.call, found.received) = (dialect, call, received);
        Ok(found)
    }

    /// States that the status is missing or wrong; the value is quoted, since it cannot be a secret.
    fn no_status(&self) -> String {
        let expected = "status: expected a whole number from 100 to 999";
        match self.get(Role::Status) {
            // Browsers write 0 for a request that got no response.
            Some(value) if value.get() == "0" => format!("{expected}, found `0`: there was no response"),
            Some(value) => format!("{expected}, found {}", excerpt(value.get().as_bytes())),
            None => match self.get(Role::Response).and_then(|value| Object::read(value).ok()) {
                Some(response) if response.has(Role::Status) => response.no_status(),
                _ => format!("{expected}, found nothing"),
            },
        }
    }

    /// Reads all that the object says, and what lies nested in it.
    fn said(&self) -> Result<Said<'a>, String> {
        let mut said = Said::default();
        match self.nested() {
            Some(inner) => {
                inner.read_response(&mut said, true)?;
                if let Some(config) = inner.get(Role::Config).or_else(|| inner.get(Role::Request)) {
                    read_call(config, &mut said.call);
                }
            }
            None => self.read_response(&mut said, false)?,
        }
        if let Some(wrapper) = self.wrapper() {
            wrapper.read_call(&mut said.call);
        }
        self.read_call(&mut said.call);
        said.received = self.received();
        Ok(said)
    }

    /// Reads status, headers and body; `is_response` where the object is one by its name.
    ///
    /// A status may stand in the object, among the headers as `:status`, or as the number that Postman calls `code`.
    fn read_response(&self, said: &mut Said<'a>, is_response: bool) -> Result<(), String> {
        said.status = self.status().or_else(|| self.get(Role::Code).and_then(status::of_json).filter(|_| is_response));
        if let Some(value) = self.get(Role::Headers) {
            let read = headers::read(value)?;
            said.status = said.status.or(read.status);
            said.headers = Some(read.map);
        }
        said.media_type = self.get(Role::MediaType).and_then(json::scalar).filter(|text| text.contains('/'));
        // `data`, `text` and the like are bodies only beside what a response has.
        let is_sure = is_response
            || [Role::Headers, Role::Request, Role::Config, Role::Method, Role::Url, Role::StatusText]
                .into_iter()
                .any(|role| self.has(role));
        said.body = self.body(is_sure, said.headers.as_ref())?;
        Ok(())
    }

    /// Reads the body; `is_sure` if a member with a vague name, such as `data`, is one.
    fn body(&self, is_sure: bool, headers: Option<&HeaderMap>) -> Result<Option<Body<'a>>, String> {
        let is_base64 = self
            .get(Role::IsBase64)
            .and_then(json::scalar)
            .is_some_and(|text| text == "true" || text.eq_ignore_ascii_case("base64"));
        let is_packed = headers.is_some_and(|headers| headers.contains_key(CONTENT_ENCODING));
        if let Some(value) = self.get(Role::Response) {
            // Not an object with a status, so that it is the body, as nock records it; `body` is then the request's.
            if let Some(bytes) = body::hexadecimal(value).filter(|_| is_packed || is_list(value)) {
                return Ok(Some(Body::of(bytes)));
            }
            if is_object(value) || is_list(value) || is_text(value) {
                return body::read(value, is_base64).map(Some);
            }
        }
        match (self.get(Role::Body), self.get(Role::BodyBase64)) {
            (Some(_), Some(_)) => return Err("expected body or body_base64, found both".to_owned()),
            (None, Some(value)) => {
                let text = json::text("body_base64", value)?;
                return body::base64("body_base64", &text).map(|bytes| Some(Body::of(bytes)));
            }
            (Some(value), None) => return body::read(value, is_base64).map(Some),
            (None, None) => {}
        }
        let value = self.get(Role::LooseBody).filter(|_| is_sure);
        value.map(|value| body::read(value, is_base64)).transpose()
    }

    /// Reads the method and the URL of the call, and notes its credentials.
    ///
    /// They may stand in the object itself or in `request`, `req` or `config`, as clients call the settings of a
    /// request.
    fn read_call(&self, call: &mut ParsedRequest) {
        if call.method.is_none()
            && let Some(operation) = self.get(Role::Operation).and_then(json::scalar)
            && let Some((method, path)) = operation.split_once(' ')
        {
            call.set_method(method);
            call.set_url(path);
        }
        if let Some(method) = self.get(Role::Method).and_then(json::scalar).filter(|_| call.method.is_none()) {
            call.set_method(&method);
        }
        if let Some(url) = self.get(Role::Url) {
            read_url(url, call);
        }
        for role in [Role::Request, Role::Config] {
            if let Some(request) = self.get(role) {
                read_call(request, call);
            }
        }
    }

    /// Returns when a browser received the response: HAR 1.2 has the start and the milliseconds until the end.
    ///
    /// ```text
    /// "startedDateTime": "2026-01-15T12:00:00.000Z", "time": 250    received at 12:00:00.250
    /// ```
    fn received(&self) -> Option<SystemTime> {
        let started = json::text("", self.get(Role::Started)?).ok()?;
        let started = parse_date(&started, SystemTime::UNIX_EPOCH)?;
        let elapsed = self.get(Role::Elapsed).and_then(|value| value.get().parse::<f64>().ok());
        let elapsed = elapsed.and_then(|millis| Duration::try_from_secs_f64(millis / 1_000.0).ok());
        started.checked_add(elapsed.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
