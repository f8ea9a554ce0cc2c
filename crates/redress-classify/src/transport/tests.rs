//! Tests of the kinds of errors.

use super::*;

#[test]
fn a_refusal_is_final_whichever_source_reports_it() {
    let unknown_issuer = || std::io::Error::other("invalid peer certificate: UnknownIssuer");
    for (error, phase) in [
        (TransportError::certificate("x"), Phase::NotSent),
        (TransportError::connect(unknown_issuer()), Phase::NotSent),
        (TransportError::connect(std::io::Error::other(unknown_issuer())), Phase::NotSent),
        (TransportError::other(unknown_issuer()), Phase::MaybeProcessed),
    ] {
        assert!(error.is_final() && error.is_certificate() && error.is_connect(), "{error:?}");
        assert!(!error.is_request() && !error.is_proxy() && !error.is_timeout(), "{error:?}");
        assert_eq!((error.phase(), error.meaning()), (phase, (Class::Unavailable, Recovery::Stop)), "{error:?}");
        assert!(error.to_string().starts_with("the server's certificate was not accepted"), "{error}");
    }
    let proxy = TransportError::connect("tunnel error: proxy authorization required");
    assert!(proxy.is_proxy() && proxy.is_final() && !proxy.is_certificate(), "{proxy:?}");
    let alert = TransportError::connect("received fatal alert: UnknownCA");
    assert!(alert.is_final() && !alert.is_proxy() && !alert.is_certificate(), "{alert:?}");
}

#[test]
fn a_temporary_failure_is_not_final() {
    for error in [
        TransportError::connect("tls handshake eof"),
        TransportError::connect_timeout("x"),
        TransportError::not_sent("x"),
        TransportError::refused_stream("x"),
        TransportError::rate_limited("x"),
        TransportError::timeout("x"),
        TransportError::body("invalid peer certificate: UnknownIssuer"),
        TransportError::other("x"),
    ] {
        assert!(!error.is_final() && error.meaning().1 == Recovery::Retry, "{error:?}");
    }
    assert_eq!(TransportError::request("x").meaning(), (Class::Invalid, Recovery::FixRequest));
    assert_eq!(TransportError::rate_limited("x").meaning().0, Class::RateLimited);
}
