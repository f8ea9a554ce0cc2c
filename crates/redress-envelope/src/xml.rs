//! A push parser for XML: the [`Scanner`] reads chunks and calls a [`Sink`].
//!
//! It follows XML 1.0 without document types: a body with a `<!DOCTYPE`, or
//! with an element of HTML as its root, is not accepted, so that no entity is
//! ever declared or expanded. The five predefined entities and numeric
//! references are replaced by their characters; any other reference stays as it
//! is written. Comments and processing instructions are skipped, a byte order
//! mark and white space before the XML declaration too. No element lies deeper
//! than 128 levels. A start tag and its end tag must match where the sink is
//! strict. Namespaces are not resolved: see [`Walk`]. A text that is a whole
//! document, escaped or in a CDATA section, is read as elements where the sink
//! asks for it: see [`embedded`].

mod embedded;
mod html;
mod reference;
mod scanner;
mod text;
mod walk;

pub(crate) use scanner::Scanner;
pub(crate) use walk::{Walk, is_of_namespaces};

/// The receiver of the events of a scan.
pub(crate) trait Sink {
    /// Whether an end tag must have the name of its start tag.
    const STRICT: bool;
    /// How many bytes of a text, or of the value of an attribute, are kept.
    const MAX_TEXT: usize;
    /// Whether a text that is a document of its own is read as elements.
    const EMBEDS: bool;
    /// An element begins.
    fn open(&mut self, name: &[u8]);
    /// The innermost element has an attribute of this name, which begins with `@`;
    /// returns whether its value is wanted.
    fn attribute(&mut self, name: &[u8]) -> bool;
    /// The value of the attribute, without white space around it.
    fn value(&mut self, text: &str);
    /// The start tag of the innermost element ends; returns whether its text is
    /// wanted.
    fn opened(&mut self) -> bool;
    /// The innermost element ends. It has this text, without white space around it,
    /// or an empty one if elements lie in it.
    fn close(&mut self, text: &str);
    /// Returns `true` if the rest no longer matters.
    fn is_done(&self) -> bool;
}
