//! Searches the sources of an error for known types.

use std::error::Error as StdError;
use std::io;

use super::TransportError;
use crate::phase::Phase;

/// Returns an error and its sources, the outermost first.
pub(crate) fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn StdError + 'static)| {
        let error = *error;
        // `io::Error::source` skips the wrapped error and returns the source of it.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

/// Finds the first error of a type among an error and its sources.
pub(crate) fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    chain(error).find_map(<dyn StdError>::downcast_ref)
}

/// Returns `true` if an error or one of its sources is a timeout: tower's, tokio's, or the operating system's.
pub(super) fn has_timed_out(error: &(dyn StdError + 'static)) -> bool {
    chain(error).any(|error| {
        error.is::<tower::timeout::error::Elapsed>()
            || error.is::<tokio::time::error::Elapsed>()
            || is_io(error, io::ErrorKind::TimedOut)
    })
}

/// Returns `true` if the type of an error shows that nothing was sent: a refused TCP connection, or tower's `LoadShed`.
fn is_unsent(error: &(dyn StdError + 'static)) -> bool {
    is_io(error, io::ErrorKind::ConnectionRefused) || error.is::<tower::load_shed::error::Overloaded>()
}

fn is_io(error: &(dyn StdError + 'static), kind: io::ErrorKind) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == kind)
}

/// Returns the phase that a request with this error reached.
pub(crate) fn phase_of(error: &(dyn StdError + 'static)) -> Phase {
    if let Some(transport) = find::<TransportError>(error) {
        return transport.phase();
    }
    if chain(error).any(is_unsent) { Phase::NotSent } else { Phase::MaybeProcessed }
}

/// Returns why a transport failed, in words of this program: a server or a URL may be quoted in the texts of the sources.
pub(crate) fn cause(error: &(dyn StdError + 'static)) -> Option<String> {
    let step = find::<TransportError>(error);
    // The step names the timeout already.
    let detail = if step.is_some_and(TransportError::is_named_timeout) { None } else { system_cause(error) };
    match (step, detail) {
        (Some(step), Some(detail)) => Some(format!("{step}: {detail}")),
        (Some(step), None) => Some(step.to_string()),
        (None, detail) => detail,
    }
}

/// Returns the kind of the first specific `io::Error`, or that the name of the host was not resolved: hyper-util and reqwest
/// say this in words alone.
fn system_cause(error: &(dyn StdError + 'static)) -> Option<String> {
    if chain(error).any(|error| error.to_string() == "dns error") {
        return Some("DNS lookup failed".to_owned());
    }
    let mut kinds = chain(error).filter_map(|error| Some(error.downcast_ref::<io::Error>()?.kind().to_string()));
    let kind = kinds.find(|kind| !matches!(kind.as_str(), "other error" | "uncategorized error"));
    kind.or_else(|| has_timed_out(error).then(|| "timed out".to_owned()))
}

/// Returns `true` if an attempt or its connection exceeded its timeout.
pub(crate) fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    find::<TransportError>(error).map_or_else(|| has_timed_out(error), TransportError::is_timeout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BoxError;

    #[test]
    fn maps_each_failure_to_its_phase() {
        let io = |kind| io::Error::from(kind);
        let nested = io::Error::other(TransportError::connect("dns"));
        for (error, phase) in [
            (BoxError::from(TransportError::connect("x")), Phase::NotSent),
            (BoxError::from(TransportError::connect_timeout("x")), Phase::NotSent),
            (BoxError::from(TransportError::certificate("x")), Phase::NotSent),
            (BoxError::from(TransportError::tls("x")), Phase::NotSent),
            (BoxError::from(TransportError::proxy("x")), Phase::NotSent),
            (BoxError::from(TransportError::not_sent("x")), Phase::NotSent),
            (BoxError::from(TransportError::refused_stream("x")), Phase::NotSent),
            (BoxError::from(TransportError::certificate("x").maybe_processed()), Phase::MaybeProcessed),
            (BoxError::from(TransportError::rate_limited("x")), Phase::MaybeProcessed),
            (BoxError::from(TransportError::rate_limited("x").not_processed()), Phase::NotSent),
            (BoxError::from(TransportError::timeout("x")), Phase::MaybeProcessed),
            (BoxError::from(TransportError::body("x")), Phase::MaybeProcessed),
            (BoxError::from(TransportError::other("x")), Phase::MaybeProcessed),
            (BoxError::from(io(io::ErrorKind::ConnectionRefused)), Phase::NotSent),
            (BoxError::from(io(io::ErrorKind::ConnectionReset)), Phase::MaybeProcessed),
            (BoxError::from(nested), Phase::NotSent),
            (BoxError::from(io::Error::other(io(io::ErrorKind::ConnectionRefused))), Phase::NotSent),
            (BoxError::from(TransportError::request("x")), Phase::NotSent),
            (BoxError::from(tower::load_shed::error::Overloaded::new()), Phase::NotSent),
            (BoxError::from(io::Error::other(tower::load_shed::error::Overloaded::new())), Phase::NotSent),
            (BoxError::from(tower::timeout::error::Elapsed::new()), Phase::MaybeProcessed),
            (BoxError::from("service overloaded"), Phase::MaybeProcessed),
            (BoxError::from("anything"), Phase::MaybeProcessed),
        ] {
            assert_eq!(phase_of(error.as_ref()), phase, "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn recognizes_the_timeouts_of_tower_tokio_and_the_system() {
        let elapsed = tower::timeout::error::Elapsed::new;
        let of_tokio = tokio::time::timeout(std::time::Duration::ZERO, std::future::pending::<()>()).await;
        for (error, expected) in [
            (BoxError::from(elapsed()), true),
            (BoxError::from(of_tokio.expect_err("it never ends")), true),
            (BoxError::from(io::Error::from(io::ErrorKind::TimedOut)), true),
            (BoxError::from(io::Error::other(elapsed())), true),
            (BoxError::from(TransportError::connect(elapsed())), true),
            (BoxError::from(TransportError::connect_timeout("x")), true),
            (BoxError::from(TransportError::other(elapsed())), true),
            (BoxError::from(TransportError::timeout("x")), true),
            (BoxError::from(TransportError::request(elapsed())), false),
            (BoxError::from(TransportError::connect("x")), false),
            (BoxError::from("request timed out"), false),
        ] {
            assert_eq!(is_timeout(error.as_ref()), expected, "{error:?}");
        }
    }
}
