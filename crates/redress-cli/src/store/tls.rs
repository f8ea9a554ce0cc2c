//! TLS to the servers of stores: rustls, which trusts the authorities of the system or of a file.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io, iter};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::failure::Failure;

/// Makes the one provider that is built in that of all clients.
pub(super) fn install_provider() {
    // It fails if there is one already.
    let _ = default_provider().install_default();
}

/// Reads the file of an authority.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| Failure::Message(format!("cannot read {}: {error}", file.display())))
}

/// Returns the settings of a client that trusts the authorities of a file, or of the system.
pub(super) fn config(file: Option<&Path>) -> Result<ClientConfig, Failure> {
    let builder =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Failure::Message(format!("cannot set TLS up: {error}")))?;
    Ok(builder.with_root_certificates(roots(file)?).with_no_client_auth())
}

/// Returns why TLS failed, if an error says that: its causes hold no secret.
pub(super) fn reason(error: &(dyn Error + 'static)) -> Option<Failure> {
    let causes = iter::successors(Some(error), |error| (*error).source());
    let found = causes.filter_map(|error| error.downcast_ref::<io::Error>()).filter_map(io::Error::get_ref);
    let tls = found.filter_map(|error| error.downcast_ref::<rustls::Error>()).next()?;
    Some(Failure::Message(format!("the TLS connection to the server failed: {tls}")))
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        // One that cannot be read does not keep the others from being used.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    let wrong = |reason: &str| Failure::Message(format!("{}: {reason}", file.display()));
    for certificate in CertificateDer::pem_slice_iter(&read(file)?) {
        let certificate = certificate.map_err(|_| wrong("it is not a file of certificates in PEM"))?;
        roots.add(certificate).map_err(|_| wrong("a certificate in it is not valid"))?;
    }
    if roots.is_empty() { Err(wrong("there is no certificate in it")) } else { Ok(roots) }
}
