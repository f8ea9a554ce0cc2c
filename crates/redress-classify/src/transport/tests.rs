//! Tests of the kinds of errors.

use std::time::SystemTime;

use super::*;
use crate::Error;

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

#[test]
fn each_error_is_of_one_kind() {
    // In this order: is_request, is_connect, is_timeout, is_closed, is_body.
    for (error, expected) in [
        (TransportError::request("x"), [true, false, false, false, false]),
        (TransportError::connect("x"), [false, true, false, false, false]),
        (TransportError::connect_timeout("x"), [false, true, true, false, false]),
        (TransportError::timeout("x"), [false, false, true, false, false]),
        (TransportError::closed("x"), [false, false, false, true, false]),
        (TransportError::body("x"), [false, false, false, false, true]),
        (TransportError::not_sent("x"), [false; 5]),
        (TransportError::other("x"), [false; 5]),
    ] {
        let kinds = [error.is_request(), error.is_connect(), error.is_timeout(), error.is_closed(), error.is_body()];
        assert_eq!(kinds, expected, "{error:?}");
    }
}

#[test]
fn an_error_of_a_call_is_of_one_kind() {
    let (class, time) = (Class::Unauthenticated, SystemTime::UNIX_EPOCH);
    // In this order: is_transport, is_deadline, is_credentials, is_paced, is_maybe_processed.
    for (error, expected) in [
        (Error::from_inner(TransportError::connect("x").into()), [true, false, false, false, false]),
        (Error::from_inner(TransportError::body("x").into()), [true, false, false, false, true]),
        (Error::deadline(Phase::NotSent), [false, true, false, false, false]),
        (Error::deadline(Phase::MaybeProcessed), [false, true, false, false, true]),
        (Error::credentials(class, "x".into(), None), [false, false, true, false, false]),
        (Error::paced(time), [false, false, false, true, false]),
    ] {
        let kinds = [
            error.is_transport(),
            error.is_deadline(),
            error.is_credentials(),
            error.is_paced(),
            error.is_maybe_processed(),
        ];
        assert_eq!(kinds, expected, "{error:?}");
        assert_eq!(error.is_connect(), error.is_transport() && !error.is_maybe_processed(), "{error:?}");
    }
}
