//! Masks credentials that a response or an error quotes, and records in a verdict why there was no refresh.

use http::{Extensions, Response};
use redress_classify::{BoxError, Error, Record, Recovery, ResponseExt, Verdict};

use crate::failure::Failure;
use crate::shared::Shared;
use crate::telemetry;

/// Masks credentials that the server quotes, in the verdict and the record of its response.
pub(crate) fn mask<R>(shared: &Shared, response: &mut Response<R>) {
    if response.verdict().is_some() || response.record().is_some() {
        mask_extensions(shared, response.extensions_mut());
    }
}

#[cold]
fn mask_extensions(shared: &Shared, extensions: &mut Extensions) {
    let secrets = shared.secret_forms();
    if let Some(verdict) = extensions.get::<Verdict>().and_then(|verdict| verdict.masked(&secrets)) {
        extensions.insert(verdict);
    }
    if let Some(record) = extensions.get::<Record>().and_then(|record| record.masked(&secrets)) {
        extensions.insert(record);
    }
}

/// Converts an error from below, and masks the credentials that it quotes.
#[cold]
pub(crate) fn error(shared: &Shared, error: BoxError) -> Error {
    Error::from_inner(error).masked(&shared.secret_forms())
}

/// Records in the verdict of a rejected response why the credentials were not refreshed. After a permanent failure no later
/// refresh helps, so that the recovery changes.
pub(crate) fn not_refreshed<R>(mut response: Response<R>, failure: &Failure) -> Response<R> {
    telemetry::not_refreshed(failure);
    if let Some(verdict) = response.verdict() {
        let recovery = if failure.is_transient() { verdict.recovery() } else { Recovery::Reauthenticate };
        let verdict = verdict.not_refreshed(recovery, failure.to_string());
        response.extensions_mut().insert(verdict);
    }
    response
}

/// Records in the verdict of a response that the request was rejected again with the credentials of a refresh.
pub(crate) fn rejected_again<R>(mut response: Response<R>) -> Response<R> {
    if let Some(verdict) = response.verdict() {
        let verdict = verdict.not_refreshed(verdict.recovery(), "rejected again after a refresh");
        response.extensions_mut().insert(verdict);
    }
    response
}
