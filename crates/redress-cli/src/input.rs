//! Files and standard input, and the responses in them.
//!
//! ```text
//! bytes -> utf8() -> responses() -> [ParsedResponse | ParseError] -> unpack() -> exchange
//! ```
//!
//! The form of an input is detected by [`detect`], without an option. Each form is a module with a pure function from
//! bytes to responses, and `docs/explain.md` shows an example of each. Three rules hold for all of them:
//!
//! - Reading takes linear time, and depth and counts are bounded, whatever the bytes are: people paste logs of any size.
//! - Request headers, cookies and queries are read only to be masked where a server quotes them. No error message quotes a value.
//! - A response that cannot be read is a `ParseError` in its place and does not end the reading of the others.

mod body;
mod copied_headers;
mod curl_verbose;
mod decompress;
mod detect;
mod documents;
mod error_text;
mod events;
mod grpcurl;
mod head;
mod headers;
mod json;
mod lines;
mod literal;
mod member_role;
mod nghttp;
mod okhttp;
mod parsed;
mod raw;
mod record;
mod status;
mod toml_file;
mod trailers;
mod utf32;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::failure::Failure;

pub(crate) use decompress::unpack;
pub(crate) use detect::{Stated, responses, utf8};
pub(crate) use parsed::{FormatError, ParseError, ParseResult, ParsedRequest, ParsedResponse};
pub(crate) use record::parse as parse_record;

/// The largest input that is held as a whole, in bytes: more than browsers export. With `--jsonl` there is no bound.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// An open file or standard input.
pub(crate) struct Input {
    /// The name in errors: the path, or `standard input`.
    pub(crate) name: String,
    /// The bytes; nothing was read yet.
    pub(crate) reader: Box<dyn Read>,
}

impl Input {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// A file that cannot be opened, with its name and the reason of the system.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let name = name_of(path);
        if path == Path::new("-") {
            return Ok(Self { name, reader: Box::new(io::stdin()) });
        }
        match File::open(path) {
            Ok(file) => Ok(Self { name, reader: Box::new(file) }),
            Err(error) => Err(unreadable(&name, &error)),
        }
    }

    /// Reads the whole input.
    ///
    /// # Errors
    /// An input that cannot be read, and one of more than 256 MiB.
    pub(crate) fn read_all(self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let Self { name, reader } = self;
        let read = reader.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| unreadable(&name, &error))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Failure::Message(format!(
                "{name} has more than 256 MiB; split it, or read records with --jsonl"
            )));
        }
        Ok(bytes)
    }
}

/// Returns the name of an input in errors: the path, or `standard input` for `-`.
pub(crate) fn name_of(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// States that an input cannot be read.
pub(crate) fn unreadable(name: &str, error: &io::Error) -> Failure {
    Failure::Message(format!("cannot read {name}: {error}"))
}
