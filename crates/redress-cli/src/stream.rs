//! Reads records line by line and answers each.

use std::io::{BufRead as _, BufReader, Read, Write};

use crate::answer::{Answer, Problem};
use crate::dialects::Dialects;
use crate::exchange::Judge;
use crate::failure::Failure;
use crate::record::{self, Refusal};
use crate::text::excerpt;
use crate::{input, json};

/// A stream of records in the middle of being read.
pub(crate) struct Stream {
    dialects: Dialects,
    judge: Judge,
    /// The number of the line in hand.
    line: u64,
    records: u64,
    unusable: u64,
    first_unusable: u64,
}

impl Stream {
    /// Begins a stream.
    pub(crate) fn new(dialects: Dialects, judge: Judge) -> Self {
        Self { dialects, judge, line: 0, records: 0, unusable: 0, first_unusable: 0 }
    }

    /// Answers every record. No more than one line is held, and what was answered is written before the next wait for
    /// input.
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

    /// Returns what to say about records that could not be used, if there were any.
    pub(crate) fn note(&self) -> Option<String> {
        let Self { records, unusable, first_unusable, .. } = self;
        let were = if *unusable == 1 { "was" } else { "were" };
        (*unusable > 0).then(|| {
            format!(
                "{unusable} of {records} records {were} not usable, the first in line {first_unusable}: see `error`"
            )
        })
    }

    fn answer(&mut self, line: &[u8], out: &mut impl Write) -> Result<(), Failure> {
        self.records += 1;
        let record = match record::parse(line) {
            Ok(record) => record,
            Err(refusal) => return self.refuse(&refusal, out),
        };
        let dialect = match record.dialect.as_deref() {
            Some(name) => self.dialects.named(name).ok_or(name),
            None => Ok(self.dialects.chosen()),
        };
        match dialect {
            Ok(dialect) => {
                let verdict = self.judge.judge(&dialect, &record.exchange);
                let answer = Answer::new(record.id, &dialect, verdict.as_ref(), self.judge.begun());
                Ok(json::write_line(out, &answer)?)
            }
            Err(name) => {
                let found = excerpt(name.as_bytes());
                let problem = format!("dialect: expected one that `redress dialects` lists, found {found}");
                self.refuse(&Refusal { id: record.id, problem }, out)
            }
        }
    }

    fn refuse(&mut self, refusal: &Refusal<'_>, out: &mut impl Write) -> Result<(), Failure> {
        self.unusable += 1;
        if self.unusable == 1 {
            self.first_unusable = self.line;
        }
        let error = format!("line {}: {}", self.line, refusal.problem);
        Ok(json::write_line(out, &Problem { id: refusal.id, error })?)
    }
}
