//! The parts of an error response, and the masking of its secrets.

use std::borrow::Cow;
use std::time::SystemTime;

use redress_envelope::{Class, FieldError, Location, Recovery};

use crate::secrets::Secrets;
use crate::timed_hint::TimedHint;

/// From this length on, a body may have been read in part only: a body other than JSON is read up to 4 KiB.
const CUT_TEXT: usize = 4000;
/// From this length on, the name of a field may be cut: names are cut at 256 bytes.
const CUT_NAME: usize = 250;

/// The parts of an error response.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) vendor: String,
    pub(crate) dialect: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) time: SystemTime,
    pub(crate) status: u16,
    pub(crate) class: Class,
    pub(crate) recovery: Recovery,
    pub(crate) maybe_processed: bool,
    pub(crate) code: Option<String>,
    /// Whether the dialect lists the code, so that it cannot hold data of the request.
    pub(crate) code_is_known: bool,
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) fields: Vec<FieldError<'static>>,
    pub(crate) guidance: String,
    pub(crate) locations: Locations,
    pub(crate) retry_after: Option<String>,
    pub(crate) hint: Option<TimedHint>,
    /// The reason why the credentials could not be refreshed, if that was tried.
    pub(crate) not_refreshed: Option<String>,
    pub(crate) body: String,
    /// Whether the body is longer than `body`.
    pub(crate) body_cut: bool,
}

/// The places of the parts in the response.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Locations {
    pub(crate) code: Option<Location>,
    pub(crate) message: Option<Location>,
    pub(crate) request_id: Option<Location>,
}

impl Details {
    /// Masks the secrets in all text from the server; `None` if there are none.
    pub(super) fn masked(&self, secrets: &Secrets) -> Option<Self> {
        // A text from a long body may be cut, too.
        let is_cut = self.body_cut || self.body.len() >= CUT_TEXT;
        let mask = |text: &Option<String>| text.as_ref().and_then(|text| secrets.masked_part(text, is_cut));
        let (code, reason, message) = (mask(&self.code), mask(&self.reason), mask(&self.message));
        let (request_id, retry_after) = (mask(&self.request_id), mask(&self.retry_after));
        let path = secrets.masked(&self.path, false);
        let body = secrets.masked(&self.body, self.body_cut);
        let fields = masked_fields(&self.fields, secrets, is_cut);
        let texts = [&code, &reason, &message, &request_id, &retry_after, &path, &body];
        if fields.is_none() && texts.iter().all(|text| text.is_none()) {
            return None;
        }
        let known = self.clone();
        Some(Self {
            code_is_known: known.code_is_known && code.is_none(),
            code: code.or(known.code),
            reason: reason.or(known.reason),
            message: message.or(known.message),
            request_id: request_id.or(known.request_id),
            retry_after: retry_after.or(known.retry_after),
            path: path.unwrap_or(known.path),
            body: body.unwrap_or(known.body),
            fields: fields.unwrap_or(known.fields),
            ..known
        })
    }
}

/// Masks the secrets in paths and messages of fields; `None` if there are none.
fn masked_fields(fields: &[FieldError<'static>], secrets: &Secrets, is_cut: bool) -> Option<Vec<FieldError<'static>>> {
    let mut masked: Option<Vec<_>> = None;
    for (nth, field) in fields.iter().enumerate() {
        let path = secrets.masked_part(&field.path, is_cut || field.path.len() >= CUT_NAME);
        let message = secrets.masked_part(&field.message, is_cut);
        let (path, message) = (path.map(Cow::Owned), message.map(Cow::Owned));
        if path.is_some() || message.is_some() {
            let known = &mut masked.get_or_insert_with(|| fields.to_vec())[nth];
            known.path = path.unwrap_or_else(|| field.path.clone());
            known.message = message.unwrap_or_else(|| field.message.clone());
        }
    }
    masked
}
