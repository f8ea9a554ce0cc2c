//! Masks secrets in the texts of an error and its sources.

use std::error::Error as StdError;
use std::{fmt, io};

use super::Secrets;
use crate::BoxError;
use crate::transport::{TransportError, chain};

/// The printed form of an error, masked.
struct Quoted {
    display: String,
    debug: String,
    source: Option<BoxError>,
}

/// Returns an error that prints no secret: the same one if none of its texts holds one.
pub(crate) fn masked(error: BoxError, secrets: &Secrets) -> BoxError {
    let is_quoting = |error: &(dyn StdError + 'static)| {
        [format!("{error}"), format!("{error:?}")].iter().any(|text| secrets.masked(text, false).is_some())
    };
    if secrets.is_empty() || !chain(error.as_ref()).any(is_quoting) {
        return error;
    }
    let links: Vec<_> = chain(error.as_ref()).collect();
    let mut below: Option<BoxError> = None;
    for link in links.into_iter().rev() {
        below = Some(rebuild(link, below, secrets));
    }
    below.unwrap_or(error)
}

/// Returns a masked error of the same kind around its source.
fn rebuild(link: &(dyn StdError + 'static), below: Option<BoxError>, secrets: &Secrets) -> BoxError {
    let quoted = |source| Quoted {
        display: secrets.mask(&link.to_string()).into_owned(),
        debug: secrets.mask(&format!("{link:?}")).into_owned(),
        source,
    };
    match (link.downcast_ref::<TransportError>(), link.downcast_ref::<io::Error>()) {
        (Some(transport), _) => transport.around(below.unwrap_or_else(|| quoted(None).into())).into(),
        // The error that an `io::Error` wraps is the next link, and prints like the `io::Error` itself.
        (_, Some(io)) => io::Error::new(io.kind(), below.unwrap_or_else(|| quoted(None).into())).into(),
        _ => quoted(below).into(),
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display)
    }
}

impl fmt::Debug for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.debug)
    }
}

impl StdError for Quoted {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::transport::find;

    const SECRET: &str = "s3cret-token";

    #[derive(Debug)]
    struct Client(&'static str, Option<BoxError>);

    impl fmt::Display for Client {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "client: {}", self.0)
        }
    }

    impl StdError for Client {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    fn printed(error: &(dyn StdError + 'static)) -> String {
        let mut text = format!("{error:#?}");
        let mut next = Some(error);
        while let Some(error) = next {
            text += &format!("\n{error} {error:?}");
            next = error.source();
        }
        text
    }

    #[test]
    fn replaces_a_source_that_quotes_a_secret_and_keeps_its_kind() {
        let secrets = Secrets::new([SECRET]);
        let refused = || io::Error::new(io::ErrorKind::ConnectionRefused, SECRET);
        for source in [
            BoxError::from(TransportError::connect(Client("goaway s3cret-token", None))),
            TransportError::connect(Client("plain", Some(refused().into()))).into(),
            io::Error::other(TransportError::connect(Client(SECRET, None))).into(),
            TransportError::connect(SECRET).into(),
        ] {
            let error = Error::from_inner(source);
            assert!(printed(&error).contains(SECRET));
            let (phase, class) = (error.phase(), error.class());
            let error = error.masked(&secrets);
            assert!(!printed(&error).contains(SECRET) && printed(&error).contains("***"), "{}", printed(&error));
            assert_eq!((error.phase(), error.class(), error.is_connect()), (phase, class, true));
        }
        let error = masked(refused().into(), &secrets);
        assert_eq!(find::<io::Error>(error.as_ref()).map(io::Error::kind), Some(io::ErrorKind::ConnectionRefused));
    }

    #[test]
    fn keeps_a_source_without_a_secret() {
        let error = Error::from_inner(Client("plain", Some("s3cret".into())).into()).masked(&Secrets::new([SECRET]));
        assert!(error.source().is_some_and(|source| source.is::<Client>()));
    }
}
