//! Recognizes the connection failures that another attempt would repeat: certificates, TLS alerts, proxies.
//!
//! They are recognized by their texts. Their types belong to TLS libraries and to private modules of HTTP clients, each in
//! several versions; the texts are the same in all of them, and a peer cannot write into them. A failure with an unknown
//! text counts as an ordinary connection failure, which is retried.

use std::error::Error as StdError;

use super::sources::chain;

/// The kind of a refused connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The client does not accept the server's certificate.
    Certificate,
    /// The server refused the TLS handshake, or client and server have no version or cipher suite in common.
    Tls,
    /// The proxy refused to open a tunnel.
    Proxy,
}

/// The texts of rustls, OpenSSL, Schannel and Secure Transport about a certificate that is not accepted.
const CERTIFICATE: [&str; 8] = [
    "invalid peer certificate",
    "certificate verify failed",
    "certificate chain was issued by an authority that is not trusted",
    "certificate chain processed, but terminated in a root certificate which is not trusted",
    "target principal name is incorrect",
    "received certificate has expired",
    "certificate was not trusted",
    "certificate is not trusted",
];

/// The alerts (RFC 8446 section 6.2) of a peer that would refuse the next handshake, too. Others, such as
/// `internal_error`, `decode_error` or `user_canceled`, may be temporary.
const ALERTS: [&str; 12] = [
    "handshakefailure",
    "badcertificate",
    "unsupportedcertificate",
    "certificaterevoked",
    "certificateexpired",
    "certificateunknown",
    "unknownca",
    "accessdenied",
    "protocolversion",
    "insufficientsecurity",
    "certificaterequired",
    "noapplicationprotocol",
];

/// The texts of hyper-util about a `CONNECT` without a 2xx and about SOCKS credentials, then those of reqwest before
/// 0.12.16.
const PROXY: [&str; 6] = [
    "tunnel error: proxy authorization required",
    "tunnel error: unsuccessful",
    "socks error: credentials not accepted",
    "socks error: server does not support user/pass authentication",
    "proxy authentication required",
    "unsuccessful tunnel",
];

/// Returns the first refusal among an error and its sources.
pub(super) fn find(error: &(dyn StdError + 'static)) -> Option<Refusal> {
    chain(error).find_map(|error| find_in_text(&error.to_string()))
}

fn find_in_text(text: &str) -> Option<Refusal> {
    let text = text.to_ascii_lowercase();
    let says_any = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if says_any(&CERTIFICATE) {
        Some(Refusal::Certificate)
    } else if is_alert(&text) || text.contains("peer is incompatible: ") {
        Some(Refusal::Tls)
    } else if says_any(&PROXY) {
        Some(Refusal::Proxy)
    } else {
        None
    }
}

/// Returns `true` if a text names one of the alerts, in the form of rustls (`received fatal alert: UnknownCA`) or of
/// OpenSSL (`tlsv1 alert unknown ca`).
fn is_alert(text: &str) -> bool {
    text.match_indices("alert ").chain(text.match_indices("alert: ")).any(|(at, marker)| {
        let name: String = text[at + marker.len()..].chars().filter(char::is_ascii_alphanumeric).take(24).collect();
        ALERTS.iter().any(|alert| name.starts_with(alert))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinguishes_refusals_from_temporary_failures() {
        use Refusal::{Certificate, Proxy, Tls};
        for (text, expected) in [
            ("invalid peer certificate: UnknownIssuer", Some(Certificate)),
            (
                "invalid peer certificate: certificate not valid for name \"a.test\"; certificate is only valid",
                Some(Certificate),
            ),
            (
                "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:ssl",
                Some(Certificate),
            ),
            ("The target principal name is incorrect. (os error -2146893022)", Some(Certificate)),
            ("received fatal alert: UnknownCA", Some(Tls)),
            ("received fatal alert: HandshakeFailure", Some(Tls)),
            ("received fatal alert: CertificateRequired", Some(Tls)),
            (
                "error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:../ssl/record.c:SSL alert number 48",
                Some(Tls),
            ),
            ("sslv3 alert handshake failure", Some(Tls)),
            ("tlsv13 alert certificate required", Some(Tls)),
            ("peer is incompatible: NoCipherSuitesInCommon", Some(Tls)),
            ("tunnel error: proxy authorization required", Some(Proxy)),
            ("tunnel error: unsuccessful", Some(Proxy)),
            ("received fatal alert: InternalError", None),
            ("received fatal alert: DecodeError", None),
            ("received fatal alert: UserCanceled", None),
            ("tls handshake eof", None),
            ("peer misbehaved: MessageInterleavedWithHandshakeMessage", None),
            ("tunnel error: unexpected end of file", None),
            ("tunnel error: failed to create underlying connection", None),
            ("tunnel error: io error establishing tunnel", None),
            ("alert", None),
            ("alert: ", None),
            ("failed to lookup address information: Name or service not known", None),
            ("Connection refused (os error 111)", None),
            ("", None),
        ] {
            assert_eq!(find_in_text(text), expected, "{text}");
        }
    }
}
