//! Reads the output of `grpcurl -v`.
//!
//! ```text
//! Response headers received:
//! content-type: application/grpc
//!
//! Response trailers received:
//! grpc-retry-pushback-ms: 500
//! Sent 1 request and received 0 responses
//! ERROR:
//!   Code: Unavailable
//!   Message: down for maintenance
//!   Details:
//!   1) {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"5s"}
//! ```
//!
//! grpcurl takes the status out of the trailers and prints it in words; here it becomes the fields again, in which a server
//! sends it. A status that stands among the trailers is read there. The metadata of the request stand in a section of their own,
//! and are read only to be masked.

mod details;

use std::borrow::Cow;

use http::StatusCode;
use http::header::HeaderName;
use redress_envelope::GrpcCode;

use super::head::append;
use super::lines::{Lines, without_colours};
use super::parsed::{ParsedRequest, ParsedResponse};

/// The part of the output that the next lines belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Other,
    /// `Request metadata to send:`
    Request,
    /// `Response headers received:`
    Headers,
    /// `Response trailers received:`
    Trailers,
    /// Code and message below `ERROR:`.
    Error,
    /// The list below `Details:`.
    Details,
}

/// Returns `true` if the input has the block of an error with its code, or a status among the trailers.
pub(super) fn is_output(input: &[u8]) -> bool {
    let (mut lines, mut part, mut is_error) = (Lines::new(input), Part::Other, false);
    while let Some(line) = lines.next() {
        let line = without_colours(line);
        let is_status = part == Part::Trailers && line.to_ascii_lowercase().starts_with(b"grpc-status:");
        if is_status || is_error && line.trim_ascii().starts_with(b"Code:") {
            return true;
        }
        is_error = line.trim_ascii() == b"ERROR:";
        part = heading(&line).unwrap_or(part);
    }
    false
}

/// Reads the response that the output ends with.
pub(super) fn read(input: &[u8]) -> ParsedResponse<'static> {
    let mut response = ParsedResponse::new(StatusCode::OK, http::HeaderMap::new(), Cow::Borrowed(b""));
    let mut call = ParsedRequest::default();
    call.set_method("POST");
    let (mut part, mut details) = (Part::Other, Vec::new());
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next() {
        let line = without_colours(line);
        if let Some(next) = heading(&line) {
            part = next;
            continue;
        }
        match part {
            Part::Request => add(&line, |name, value| call.add_header(name, value)),
            Part::Headers | Part::Trailers => add(&line, |name, value| field(&mut response, name, value)),
            Part::Error => add(line.trim_ascii_start(), |name, value| match name {
                // A status among the trailers is the server's own.
                "Code" if !response.headers.contains_key("grpc-status") => {
                    field(&mut response, "grpc-status", number(value).as_bytes());
                }
                "Message" if !response.headers.contains_key("grpc-message") => {
                    field(&mut response, "grpc-message", &percent_encoded(value));
                }
                _ => {}
            }),
            Part::Details => details.extend([&line[..], b"\n"].concat()),
            Part::Other => {}
        }
    }
    if let Some(bin) = details::encoded(&details).filter(|_| !response.headers.contains_key(details::FIELD)) {
        field(&mut response, details::FIELD, bin.as_bytes());
    }
    response.call = call;
    response
}

/// Returns the part that begins with this line; `None` for a line inside a part.
///
/// grpcurl prints an empty line between the parts, and counts of messages at the end.
fn heading(line: &[u8]) -> Option<Part> {
    Some(match line.trim_ascii() {
        b"Request metadata to send:" => Part::Request,
        b"Response headers received:" => Part::Headers,
        b"Response trailers received:" => Part::Trailers,
        b"ERROR:" => Part::Error,
        b"Details:" => Part::Details,
        b"Response contents:" | b"Resolved method descriptor:" | b"" => Part::Other,
        line if line.starts_with(b"Sent ") => Part::Other,
        _ => return None,
    })
}

/// Calls back with the name and the value of `name: value`.
fn add(line: &[u8], mut call: impl FnMut(&str, &[u8])) {
    if let Some(colon) = line.iter().position(|byte| *byte == b':')
        && let Ok(name) = std::str::from_utf8(&line[..colon])
    {
        call(name, line[colon + 1..].trim_ascii());
    }
}

/// Adds a field to the response. A value that no field can have was changed by the terminal: the others still count.
fn field(response: &mut ParsedResponse<'_>, name: &str, value: &[u8]) {
    if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
        let _ = append(&mut response.headers, name, value);
    }
}

/// Returns the number of a code by its name in Go, such as `DeadlineExceeded`; that of `UNKNOWN` for a name that is none.
fn number(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let letters = |name: &str| name.replace('_', "").to_ascii_lowercase();
    // Go writes one l.
    let wanted = letters(&name).replace("canceled", "cancelled");
    let code = GrpcCode::ALL.into_iter().find(|code| letters(code.as_str()) == wanted);
    if wanted == "ok" { "0".to_owned() } else { (code.unwrap_or(GrpcCode::Unknown) as u8).to_string() }
}

/// Encodes a message as gRPC does ("Responses"): bytes outside of printable ASCII, and the percent sign.
fn percent_encoded(message: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for byte in message {
        match byte {
            b'%' | ..b' ' | b'~'.. => encoded.extend(format!("%{byte:02X}").into_bytes()),
            _ => encoded.push(*byte),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\nResolved method descriptor:\nrpc Create ( .acme.Order ) returns ( .acme.Order );\n\n\
        Request metadata to send:\nauthorization: Bearer t-12345678\n\nResponse headers received:\n\
        content-type: application/grpc\n\nResponse trailers received:\ngrpc-retry-pushback-ms: 500\nSent 1 request and received 0 responses\n\
        ERROR:\n  Code: ResourceExhausted\n  Message: 100% used: \u{fc}\n  Details:\n  1)\t{\n    \t  \"@type\": \"type.googleapis.com/google.rpc.RetryInfo\",\n\
        \x20   \t  \"retryDelay\": \"2.5s\"\n    \t}\n  2)\t{\"@type\":\"type.googleapis.com/google.rpc.RequestInfo\",\"requestId\":\"rq-7\"}\n";

    #[test]
    fn an_error_becomes_the_fields_that_a_server_sends() {
        assert!(is_output(OUTPUT.as_bytes()));
        let response = read(OUTPUT.as_bytes());
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(response.headers["grpc-status"], "8");
        assert_eq!(response.headers["grpc-message"], "100%25 used: %C3%BC");
        assert_eq!(response.headers["grpc-retry-pushback-ms"], "500");
        assert!(
            response.headers.contains_key("grpc-status-details-bin") && !response.headers.contains_key("authorization")
        );
        assert_eq!(response.call.sent.last().map(Vec::as_slice), Some(&b"Bearer t-12345678"[..]));
    }

    #[test]
    fn a_status_among_the_trailers_is_read_there() {
        let trailers = "Response trailers received:\ngrpc-status: 14\ngrpc-message: busy\n";
        for output in [
            format!(
                "Response headers received:\ncontent-type: application/grpc\n\n{trailers}Sent 1 request and received 0 responses\n"
            ),
            format!("{trailers}ERROR:\n  Code: Unavailable\n  Message: busy\n"),
        ] {
            assert!(is_output(output.as_bytes()), "{output}");
            let response = read(output.as_bytes());
            let all = |name| response.headers.get_all(name).iter().map(|value| value.as_bytes()).collect::<Vec<_>>();
            assert_eq!((all("grpc-status"), all("grpc-message")), (vec![&b"14"[..]], vec![&b"busy"[..]]), "{output}");
        }
        assert!(!is_output(b"Response headers received:\ngrpc-status: 14\n"));
    }

    #[test]
    fn names_of_go_lead_to_their_numbers() {
        for (name, expected) in
            [("OK", "0"), ("Canceled", "1"), ("DeadlineExceeded", "4"), ("DATA_LOSS", "15"), ("Code(42)", "2")]
        {
            assert_eq!(number(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn other_texts_are_not_output() {
        for text in ["ERROR:\n", "Code: Unavailable\n", "ERROR:\nfailed\n  Code: x\n", ""] {
            assert!(!is_output(text.as_bytes()), "{text}");
        }
    }
}
