//! Messages from places that hold one in every dialect, where no source has one.

use std::borrow::Cow;

use crate::challenge;
use crate::fields::FieldError;
use crate::head::Head;
use crate::location::SourceIndex;
use crate::markup;

/// Returns the message of the first field error that has one.
#[inline]
pub(super) fn of_fields<'a>(fields: &[FieldError<'a>]) -> (Option<Cow<'a, str>>, SourceIndex) {
    match fields.iter().find(|field| !field.message.is_empty()) {
        Some(first) => (Some(first.message.clone()), SourceIndex::FirstField),
        None => (None, SourceIndex::None),
    }
}

/// Returns a message from a challenge or from a body that is a text: places
/// that hold one in every dialect.
#[inline]
pub(super) fn fall_back<'a>(
    root_text: Option<Cow<'a, str>>,
    text: Option<String>,
    head: &Head<'a>,
    has_challenge: bool,
) -> (Option<Cow<'a, str>>, SourceIndex) {
    if has_challenge && let Some(description) = challenge::message(head.headers) {
        return (Some(description), SourceIndex::Challenge);
    }
    // The data of an event are of a type that no header tells.
    let media_type = if head.event.is_some() { "" } else { head.media_type() };
    let plain = text.filter(|text| markup::is_plain(text, media_type)).map(Cow::Owned);
    match root_text.or(plain) {
        Some(text) => (Some(text), SourceIndex::WholeBody),
        None => (None, SourceIndex::None),
    }
}
