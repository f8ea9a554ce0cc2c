//! A field error as users see it.

use std::borrow::Cow;
use std::fmt;

/// A field of the request that the server rejects.
///
/// `Debug` shows how long the message is and not what it says: it often repeats
/// what was sent.
// Exhaustive, since tests compare it with a literal. All vendors state a field and a message, no more.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FieldError<'a> {
    /// The field's name or path as the vendor writes it, at most 256 bytes of it;
    /// empty when the vendor names none.
    pub path: Cow<'a, str>,
    /// The vendor's message about the field.
    pub message: Cow<'a, str>,
}

impl FieldError<'_> {
    /// Copies what is borrowed.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::FieldError;
    ///
    /// let field = FieldError { path: "name".into(), message: "missing".into() };
    /// let owned: FieldError<'static> = field.clone().into_owned();
    /// assert_eq!(owned, field);
    /// ```
    #[must_use]
    pub fn into_owned(self) -> FieldError<'static> {
        FieldError { path: Cow::Owned(self.path.into_owned()), message: Cow::Owned(self.message.into_owned()) }
    }

    pub(super) const fn nothing() -> Self {
        Self { path: Cow::Borrowed(""), message: Cow::Borrowed("") }
    }
}

impl fmt::Debug for FieldError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldError").field("path", &self.path).field("message_bytes", &self.message.len()).finish()
    }
}
