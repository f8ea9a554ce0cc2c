//! The names that programs give to the parts of a response.

/// The longest name that is looked at.
const MAX_NAME: usize = 32;

/// The kind of a member of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Status,
    /// A status only beside headers and a body: Postman's examples have it so.
    Code,
    StatusText,
    Headers,
    Body,
    BodyBase64,
    /// A body only beside other parts of a response.
    LooseBody,
    IsBase64,
    MediaType,
    Method,
    Url,
    /// Method and path in one text.
    Operation,
    Request,
    /// The settings of a client's request.
    Config,
    Response,
    /// An object around request and response.
    Wrapper,
    Started,
    Elapsed,
    /// Part of a record, and not read here.
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
