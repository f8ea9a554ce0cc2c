//! Writes JSON that is safe on a terminal.
//!
//! `serde_json` escapes C0 controls only. A message of a server may hold C1 controls, DEL, and marks that turn the direction of
//! writing, which a terminal acts on. They are escaped here, so that the JSON has the same value and is harmless to print.

use std::io::{self, Write};

use redress_classify::is_hidden;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

/// Writes compact JSON in which DEL, C1 and the marks of direction are escaped. C0 is escaped in all JSON.
struct Harmless;

/// Writes one value and a line feed.
///
/// # Errors
/// Those of the output, such as a closed pipe.
pub(crate) fn write_line<W: Write>(out: &mut W, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, Harmless))?;
    out.write_all(b"\n")
}

/// Returns one value and a line feed, for an output that is written later.
pub(crate) fn line(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    // A buffer takes everything, and what is written has texts for keys.
    let _ = write_line(&mut out, value);
    String::from_utf8(out).unwrap_or_default()
}

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_harmless(writer, fragment)
    }

    /// Outside of its strings a raw value is ASCII, so that every symbol that is escaped here is inside of a string.
    fn write_raw_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_harmless(writer, fragment)
    }
}

/// Writes a part of a text with harmful symbols as `\u` escapes.
fn write_harmless<W: ?Sized + Write>(writer: &mut W, fragment: &str) -> io::Result<()> {
    let mut rest = fragment;
    // C0 is left alone: in a raw value it is the white space between tokens.
    let harmful = |symbol: &(usize, char)| symbol.1 >= '\u{7f}' && is_hidden(symbol.1);
    while rest.bytes().any(|byte| byte >= 0x7f) {
        let Some((at, symbol)) = rest.char_indices().find(harmful) else { break };
        writer.write_all(&rest.as_bytes()[..at])?;
        for unit in symbol.encode_utf16(&mut [0; 2]) {
            write!(writer, "\\u{unit:04x}")?;
        }
        rest = &rest[at + symbol.len_utf8()..];
    }
    writer.write_all(rest.as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn written(value: &impl Serialize) -> String {
        let mut out = Vec::new();
        write_line(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn harmful_symbols_are_escaped_and_read_the_same() {
        let text = "é\u{7f}a\u{9b}31m\u{202e}\x1b\n\"\\";
        let json = written(&text);
        assert_eq!(json, "\"é\\u007fa\\u009b31m\\u202e\\u001b\\n\\\"\\\\\"\n");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn a_symbol_of_two_units_is_escaped_as_two() {
        let text = "a\u{e0041}b";
        let json = written(&text);
        assert_eq!(json, "\"a\\udb40\\udc41b\"\n");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn a_raw_value_stays_as_it_is_but_harmless() {
        let raw: &RawValue = serde_json::from_str("[1.0,\t{\"a\u{9b}\": \"ü\"}]").unwrap();
        assert_eq!(written(&raw), "[1.0,\t{\"a\\u009b\": \"ü\"}]\n");
    }
}
