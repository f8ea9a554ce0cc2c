//! The names that tools give to the parts of a response.
//!
//! A name is compared without regard to case, `_`, `-`, `.` and blanks: `statusCode`, `status_code`, `Status-Code` and
//! `http.response.status_code` are one name. `docs/explain.md` lists them.
//!
//! Names of the usual tools:
//!
//! | tool | status | headers | body |
//! |---|---|---|---|
//! | axios, got | `status`, `statusCode` | `headers` | `data`, `body` |
//! | HAR 1.2 | `status` | `headers` | `content` |
//! | Postman | `code` | `header` | `body` |
//! | Elastic Common Schema | `http.response.status_code` | | `http.response.body` |

/// The longest name that is looked at.
const MAX_NAME: usize = 32;

/// The kind of a member of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The status: `status`, `statusCode`.
    Status,
    /// A status only beside headers and a body: Postman writes the number as `code` and the reason phrase as `status`.
    Code,
    /// The reason phrase, which is not read and tells a response from other objects.
    StatusText,
    /// The headers of the response.
    Headers,
    /// The body, as a text, as JSON, or in an object around it.
    Body,
    /// The body in base64.
    BodyBase64,
    /// A name that means a body only beside other parts of a response: `data`, `text`, `content`.
    LooseBody,
    /// A flag, or the name of an encoding: the body is in base64.
    IsBase64,
    /// The media type, used if no header states it.
    MediaType,
    /// The method of the request.
    Method,
    /// The URL or the path of the request.
    Url,
    /// Method and path in one text: `POST /v1/things`.
    Operation,
    /// The request, as an object or as a request line.
    Request,
    /// The settings of the request in axios and its like, with method, URL and headers.
    Config,
    /// The response, as an object around status, headers and body.
    Response,
    /// An object around request and response: the error of a client in a line of a log.
    Wrapper,
    /// The time at which the request was sent.
    Started,
    /// The milliseconds until the response was received.
    Elapsed,
    /// A member of a record that is read by its exact name.
    Other,
}

impl Role {
    /// Looks up a name, whatever its case and with or without `_`, `-` and `.` between its words.
    pub(super) fn of(name: &str) -> Option<Self> {
        let mut letters = [0_u8; MAX_NAME];
        let mut length = 0;
        for byte in name.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b'.' | b' ')) {
            *letters.get_mut(length)? = byte.to_ascii_lowercase();
            length += 1;
        }
        Some(match &letters[..length] {
            b"status"
            | b"statuscode"
            | b"httpstatus"
            | b"httpstatuscode"
            | b"responsestatus"
            | b"responsestatuscode"
            | b"httpresponsestatuscode"
            | b"responsecode"
            | b"httpcode" => Self::Status,
            b"code" => Self::Code,
            b"statustext" | b"statusmessage" | b"reasonphrase" => Self::StatusText,
            b"headers" | b"header" | b"responseheaders" | b"responseheader" | b"rawheaders" | b"multivalueheaders"
            | b"httpheaders" => Self::Headers,
            b"body" | b"responsebody" | b"rawbody" | b"jsonbody" | b"bodytext" | b"httpresponsebody" => Self::Body,
            b"bodybase64" | b"base64body" | b"bodyb64" => Self::BodyBase64,
            b"content" | b"data" | b"text" | b"responsetext" | b"responsedata" | b"payload" | b"json" => {
                Self::LooseBody
            }
            b"isbase64encoded" | b"encodedbody" | b"bodyencoding" => Self::IsBase64,
            b"contenttype" | b"mimetype" | b"mediatype" => Self::MediaType,
            b"method" | b"httpmethod" | b"verb" | b"requestmethod" | b"httprequestmethod" => Self::Method,
            b"path" | b"url" | b"uri" | b"href" | b"requesturl" | b"requesturi" | b"requestpath" | b"httpurl"
            | b"urlfull" | b"urlpath" => Self::Url,
            b"operation" | b"route" => Self::Operation,
            b"request" | b"req" | b"originalrequest" | b"httprequest" => Self::Request,
            b"config" => Self::Config,
            b"response" | b"res" | b"resp" | b"httpresponse" => Self::Response,
            b"err" | b"error" | b"exception" | b"reason" | b"cause" | b"http" => Self::Wrapper,
            b"starteddatetime" | b"recordedat" => Self::Started,
            b"time" | b"elapsed" | b"duration" => Self::Elapsed,
            b"dialect" => Self::Other,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_spelling() {
        for (name, role) in [
            ("status_code", Some(Role::Status)),
            ("StatusCode", Some(Role::Status)),
            ("http.response.status_code", Some(Role::Status)),
            ("responseHeaders", Some(Role::Headers)),
            ("body_base64", Some(Role::BodyBase64)),
            ("base64Body", Some(Role::BodyBase64)),
            ("error", Some(Role::Wrapper)),
            ("message", None),
            ("", None),
            ("a-name-that-is-longer-than-every-name-that-is-known", None),
        ] {
            assert_eq!(Role::of(name), role, "{name}");
        }
    }
}
