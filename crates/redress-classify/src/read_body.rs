//! The part of a body that was read, in the pieces in which it arrived.

use std::ops::Deref;

/// The part of a body that was read.
pub(crate) struct ReadBody<'b> {
    /// The pieces, in order.
    pub(crate) pieces: Pieces<'b>,
    /// Whether they are the whole body.
    pub(crate) whole: bool,
    /// The name of the event whose data they are; `None` for the body of a response.
    pub(crate) event: Option<&'b str>,
}

/// A list of pieces, which is allocated for two and more: the body of an error mostly arrives in one.
pub(crate) enum Pieces<'b> {
    None,
    One([&'b [u8]; 1]),
    Many(Vec<&'b [u8]>),
}

impl<'b> FromIterator<&'b [u8]> for Pieces<'b> {
    fn from_iter<I: IntoIterator<Item = &'b [u8]>>(pieces: I) -> Self {
        let mut pieces = pieces.into_iter();
        match (pieces.next(), pieces.next()) {
            (None, _) => Self::None,
            (Some(piece), None) => Self::One([piece]),
            (Some(first), Some(second)) => Self::Many([first, second].into_iter().chain(pieces).collect()),
        }
    }
}

impl<'b> Deref for Pieces<'b> {
    type Target = [&'b [u8]];

    fn deref(&self) -> &[&'b [u8]] {
        match self {
            Self::None => &[],
            Self::One(piece) => piece,
            Self::Many(pieces) => pieces,
        }
    }
}
