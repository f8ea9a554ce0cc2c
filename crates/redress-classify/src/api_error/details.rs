//! The parts of an error response, and the masking of its secrets.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use http::Method;
use redress_envelope::{Dialect, FieldError, Location, Locations};

use super::texts::{Texts, Word};
use crate::facts::Facts;
use crate::secrets::Secrets;

/// From this length on, a body may have been read in part only: a body other than JSON is read up to 4 KiB.
const CUT_TEXT: usize = 4000;
/// From this length on, the name of a field may be cut: names are cut at 256 bytes.
const CUT_NAME: usize = 250;

/// The parts of an error response.
#[derive(Clone)]
pub(crate) struct Details {
    pub(crate) facts: Facts,
    pub(crate) dialect: Dialect,
    pub(crate) method: Method,
    pub(crate) time: SystemTime,
    pub(crate) status: u16,
    /// Whether the dialect lists the code, so that it cannot hold data of the request.
    pub(crate) code_is_known: bool,
    /// Whether the body is longer than its excerpt.
    pub(crate) body_cut: bool,
    pub(crate) texts: Texts,
    pub(crate) fields: Vec<FieldError<'static>>,
    pub(crate) guidance: Arc<str>,
    pub(crate) locations: Locations,
    /// The locations as texts, once one of them was asked for.
    pub(crate) written: OnceLock<Box<Written>>,
    /// The reason why the credentials could not be refreshed, if that was tried.
    pub(crate) not_refreshed: Option<String>,
}

/// The places of the parts in the response.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) code: Option<Location>,
    pub(crate) message: Option<Location>,
    pub(crate) request_id: Option<Location>,
}

impl Details {
    pub(super) fn word(&self, word: Word) -> Option<&str> {
        self.texts.word(word)
    }

    /// Returns the places of the parts, which are written out when they are asked for the first time.
    pub(super) fn written(&self) -> &Written {
        let (locations, dialect) = (self.locations, &self.dialect);
        self.written.get_or_init(|| {
            Box::new(Written {
                code: locations.code(dialect),
                message: locations.message(dialect),
                request_id: locations.request_id(dialect),
            })
        })
    }

    /// Masks the secrets in all text from the server; `None` if there are none.
    pub(super) fn masked(&self, secrets: &Secrets) -> Option<Self> {
        let (path, body) = (self.texts.path(), self.texts.body());
        // A text from a long body may be cut, too.
        let is_cut = self.body_cut || body.len() >= CUT_TEXT;
        if self.fields.is_empty() && !secrets.may_be_in(self.texts.all(), is_cut) {
            return None;
        }
        let words = self.texts.words();
        let masked = words.map(|word| secrets.masked_part(word?, is_cut));
        let masked_path = secrets.masked(path, false);
        let masked_body = secrets.masked(body, self.body_cut);
        let fields = masked_fields(&self.fields, secrets, is_cut);
        let has_text = masked_path.is_some() || masked_body.is_some() || masked.iter().any(Option::is_some);
        if fields.is_none() && !has_text {
            return None;
        }
        let path = masked_path.as_deref().unwrap_or(path);
        let body = masked_body.as_deref().unwrap_or(body);
        let known = |word: Word| masked[word as usize].as_deref().or(words[word as usize]);
        Some(Self {
            code_is_known: self.code_is_known && masked[Word::Code as usize].is_none(),
            texts: Texts::new(path, body, Word::ALL.map(known)),
            fields: fields.unwrap_or_else(|| self.fields.clone()),
            ..self.clone()
        })
    }
}

/// Equal if all that the error says is: how a verdict judges it is not compared.
impl PartialEq for Details {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.facts, &other.facts);
        (ours.class, ours.recovery) == (theirs.class, theirs.recovery)
            && ours.evidence.maybe_processed == theirs.evidence.maybe_processed
            && ours.hint == theirs.hint
            && (self.dialect.vendor(), self.dialect.name()) == (other.dialect.vendor(), other.dialect.name())
            && (&self.method, self.time, self.status) == (&other.method, other.time, other.status)
            && (self.code_is_known, self.body_cut) == (other.code_is_known, other.body_cut)
            && self.texts == other.texts
            && (&self.fields, &self.guidance) == (&other.fields, &other.guidance)
            && self.written() == other.written()
            && self.not_refreshed == other.not_refreshed
    }
}

impl Eq for Details {}

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
