//! `explain --jsonl`: reads records line by line and answers each of them.
//!
//! ```sh
//! redress explain --jsonl --dialect veridia < responses.jsonl | jq -r .class | sort | uniq -c
//! ```
//!
//! Memory is that of the longest line. The output is flushed before the program waits for input, so that it can follow a log
//! (`tail -f`). A line that cannot be used is answered with an `error`, so that the output has a line for every record.
//!
//! The answer to a record has the `id` of the record, if it has one:
//!
//! ```text
//! {"id":7,"status":429,"headers":{"retry-after":"30"},"body":{"error":"rate_limited"}}
//! {"id":7,"is_error":true,"class":"rate_limited","recovery":"retry",...,"retry_after_ms":30000,...}
//! ```

use std::io::{BufRead as _, BufReader, Read, Write};

use crate::answer::{Answer, Problem};
use crate::arguments::ExplainArgs;
use crate::dialects::DialectCache;
use crate::exchange::{Exchange, Judge};
use crate::failure::Failure;
use crate::input::{self, ParseError};
use crate::json;
use crate::text::excerpt;

/// A stream of records in the middle of being read, with the counts for the note at its end.
pub(crate) struct JsonLines<'s> {
    dialects: DialectCache,
    judge: Judge,
    arguments: &'s ExplainArgs,
    /// The number of the line in hand.
    line: u64,
    /// The number of lines that are not blank.
    records: u64,
    /// The number of lines that could not be used, and the first of them.
    unusable: u64,
    first_unusable: u64,
}

impl<'s> JsonLines<'s> {
    /// Begins a stream.
    pub(crate) fn new(dialects: DialectCache, judge: Judge, arguments: &'s ExplainArgs) -> Self {
        Self { dialects, judge, arguments, line: 0, records: 0, unusable: 0, first_unusable: 0 }
    }

    /// Answers every record.
    ///
    /// No more than one line is held. The answers are written before the program waits for more input, so that it can
    /// stand in a pipe behind a program that writes slowly.
    ///
    /// # Errors
    /// Those of reading and writing. A record that cannot be used is not an error: its line has an `error`.
    pub(crate) fn run<R: Read>(
        &mut self,
        name: &str,
        mut reader: BufReader<R>,
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        let mut line = Vec::new();
        loop {
            if !reader.buffer().contains(&b'\n') {
                out.flush()?;
            }
            line.clear();
            reader.read_until(b'\n', &mut line).map_err(|error| input::unreadable(name, &error))?;
            if line.is_empty() {
                return Ok(());
            }
            self.line += 1;
            let text = if self.line == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line) } else { &line };
            if !text.trim_ascii().is_empty() {
                self.answer(text, out)?;
            }
        }
    }

    /// Returns the note about the records that could not be used; `None` if all were.
    pub(crate) fn note(&self) -> Option<String> {
        let Self { records, unusable, first_unusable, .. } = self;
        let were = if *unusable == 1 { "was" } else { "were" };
        (*unusable > 0).then(|| {
            format!(
                "{unusable} of {records} records {were} not usable, the first in line {first_unusable}: see `error`"
            )
        })
    }

    /// Answers one line.
    fn answer(&mut self, line: &[u8], out: &mut impl Write) -> Result<(), Failure> {
        self.records += 1;
        let mut found = match input::parse_record(line) {
            Ok(found) => found,
            Err(refusal) => return self.refuse(&refusal, out),
        };
        let Some(known) = self.dialects.for_record(found.dialect.as_deref()) else {
            let name = excerpt(found.dialect.as_deref().unwrap_or_default().as_bytes());
            let problem = format!("dialect: expected one that `redress dialects` lists, found {name}");
            return self.refuse(&ParseError { id: found.id, line: None, problem }, out);
        };
        let id = found.id.take();
        let exchange = Exchange::new(found, &self.arguments.method, &self.arguments.path);
        let judgement = self.judge.judge(&known, &exchange);
        if self.arguments.errors && judgement.verdict.is_none() {
            return Ok(());
        }
        Ok(json::write_line(out, &Answer::new(id.as_deref(), &known.dialect, &exchange, &judgement))?)
    }

    /// Answers a line that cannot be used, and counts it.
    fn refuse(&mut self, refusal: &ParseError<'_>, out: &mut impl Write) -> Result<(), Failure> {
        self.unusable += 1;
        if self.unusable == 1 {
            self.first_unusable = self.line;
        }
        let error = format!("line {}: {}", self.line, refusal.problem);
        Ok(json::write_line(out, &Problem { id: refusal.id.as_deref(), error })?)
    }
}
