//! What is changed of a response or an error on its way up: credentials that it quotes, and why there was no refresh.

use http::{Extensions, Response};
use redress_classify::{BoxError, Error, Record, Recovery, ResponseExt, Secrets, Verdict};

use crate::failure::Failure;
use crate::shared::Shared;
use crate::telemetry;

/// Masks what the server quotes of the credentials, in what the layers below made of its response.
pub(crate) fn mask<R>(shared: &Shared, response: &mut Response<R>) {
    if response.verdict().is_some() || response.record().is_some() {
        mask_extensions(shared, response.extensions_mut());
    }
}

#[cold]
fn mask_extensions(shared: &Shared, extensions: &mut Extensions) {
    let secrets = Secrets::new(shared.secrets());
    if let Some(verdict) = extensions.get::<Verdict>().and_then(|verdict| verdict.masked(&secrets)) {
        extensions.insert(verdict);
    }
    if let Some(record) = extensions.get::<Record>().and_then(|record| record.masked(&secrets)) {
        extensions.insert(record);
    }
}

/// Takes an error from below, with the credentials masked that it quotes.
#[cold]
pub(crate) fn error(shared: &Shared, error: BoxError) -> Error {
    Error::from_inner(error).masked(&Secrets::new(shared.secrets()))
}

/// Says in the verdict of a rejected response why the credentials were not refreshed. A refusal for good changes what is
/// to be done: no later refresh helps.
pub(crate) fn not_refreshed<R>(mut response: Response<R>, failure: &Failure) -> Response<R> {
    telemetry::not_refreshed(failure);
    if let Some(verdict) = response.verdict() {
        let recovery = if failure.is_transient() { verdict.recovery() } else { Recovery::Reauthenticate };
        let verdict = verdict.not_refreshed(recovery, failure.to_string());
        response.extensions_mut().insert(verdict);
    }
    response
}
