//! `redress explain`: prints what responses mean.
//!
//! Without `--jsonl` the input is read as a whole, since its form has to be detected: see [`input`]. With `--jsonl` it is a
//! stream of records, which [`json_lines`](crate::json_lines) answers one by one in constant memory.
//!
//! A part of the input that is not usable never hides the others: it is reported in its place, counted on standard error, and
//! the exit code is 2 only if nothing could be used.

use std::io::{BufReader, BufWriter, Write as _};
use std::process::ExitCode;

use crate::answer::{Answer, Problem};
use crate::arguments::ExplainArgs;
use crate::dialects::DialectCache;
use crate::exchange::{Exchange, Judge};
use crate::failure::{self, Failure};
use crate::input::{self, FormatError, Input, ParseError, ParseResult, Stated};
use crate::json_lines::JsonLines;
use crate::summary::{self, Position};
use crate::text::excerpt;
use crate::{json, output};

/// The size of the buffers for input and output, in bytes: large enough that system calls do not matter.
const BUFFER: usize = 256 * 1024;

/// Explains each response of an input, or each record of a stream.
///
/// # Errors
/// An unknown dialect or one with mistakes, an input that cannot be read or has no response in a known form, and an output
/// that cannot be written.
///
/// The exit code is 0 if at least one response could be read, also if it is an error: the program explains, it does
/// not judge.
pub(crate) fn run(arguments: &ExplainArgs) -> Result<ExitCode, Failure> {
    let dialects = DialectCache::choose(&arguments.dialect)?;
    let judge = Judge::new(arguments.now, arguments.chunk);
    let input = Input::open(&arguments.file)?;
    if arguments.jsonl {
        records(dialects, judge, input, arguments)?;
        return Ok(ExitCode::SUCCESS);
    }
    responses(dialects, &judge, input, arguments)
}

/// Explains the responses of an input that is read as a whole, in the order of the input.
///
/// JSON is written while the input is explained; the summaries of people are written at once, since the first line may be
/// that there is no error.
fn responses(
    mut dialects: DialectCache,
    judge: &Judge,
    input: Input,
    arguments: &ExplainArgs,
) -> Result<ExitCode, Failure> {
    let name = input.name.clone();
    let bytes = input::utf8(input.read_all()?);
    let items = input::responses(&bytes, Stated { status: arguments.status, event: arguments.event.as_deref() })
        .map_err(|FormatError { line, problem }| Failure::Message(format!("{name}:{line}: {problem}")))?;
    if let [Err(ParseError { line, problem, .. })] = &items[..] {
        return Err(Failure::Message(format!("{name}:{}: {problem}", line.unwrap_or(1))));
    }
    let count = items.len();
    let (mut refused, mut shown) = (0, 0);
    let mut told = String::new();
    let mut out = BufWriter::with_capacity(BUFFER, std::io::stdout().lock());
    for (nth, item) in items.into_iter().enumerate() {
        let place = Position { nth, count };
        match answer(&mut dialects, judge, item, arguments, place) {
            Ok(None) => {}
            Ok(Some(text)) => {
                shown += 1;
                told.push_str(if told.is_empty() || arguments.json { "" } else { "\n" });
                told.push_str(&text);
            }
            Err(refusal) => {
                refused += 1;
                // With --errors a response that is none is not among the errors, but it is counted below.
                if !arguments.errors {
                    told.push_str(&refusal_text(&refusal, arguments.json, place, told.is_empty())?);
                }
            }
        }
        if arguments.json && told.len() >= BUFFER {
            out.write_all(std::mem::take(&mut told).as_bytes())?;
        }
    }
    if arguments.json {
        out.write_all(told.as_bytes())?;
        out.flush()?;
    } else {
        drop(out);
        if shown == 0 && refused < count {
            told.push_str(&summary::no_errors(count - refused));
        }
        output::print(&told)?;
    }
    finish(refused, count)
}

/// Explains one response; `None` if `--errors` leaves it out.
///
/// # Errors
/// A part of the input that is not a usable response, and a record that names an unknown dialect.
///
/// The dialect is that of the record, if it names one, else that of the command line; method and path likewise.
fn answer<'a>(
    dialects: &mut DialectCache,
    judge: &Judge,
    item: ParseResult<'a>,
    arguments: &ExplainArgs,
    place: Position,
) -> Result<Option<String>, ParseError<'a>> {
    let mut found = item?;
    let Some(known) = dialects.for_record(found.dialect.as_deref()) else {
        let found_name = excerpt(found.dialect.as_deref().unwrap_or_default().as_bytes());
        let problem = format!("dialect: expected one that `redress dialects` lists, found {found_name}");
        return Err(ParseError { id: found.id, line: None, problem });
    };
    let id = found.id.take();
    let exchange = Exchange::new(found, &arguments.method, &arguments.path);
    let judgement = judge.judge(&known, &exchange);
    if arguments.errors && judgement.verdict.is_none() {
        return Ok(None);
    }
    if arguments.json {
        return Ok(Some(json::line(&Answer::new(id.as_deref(), &known.dialect, &exchange, &judgement))));
    }
    Ok(Some(summary::of_response(&known.dialect, &exchange, &judgement, place)))
}

/// Writes the line that takes the place of a response that cannot be used.
///
/// ```text
/// {"id":7,"error":"line 3: status: expected a whole number from 100 to 999, found nothing"}
/// ```
fn refusal_text(refusal: &ParseError<'_>, is_json: bool, place: Position, is_first: bool) -> Result<String, Failure> {
    let line = refusal.line.map(|line| format!("line {line}: ")).unwrap_or_default();
    let error = format!("{line}{}", refusal.problem);
    if is_json {
        return Ok(json::line(&Problem { id: refusal.id.as_deref(), error }));
    }
    Ok(format!("{}{}", if is_first { "" } else { "\n" }, summary::refused(&error, place)))
}

/// Reports the number of parts that were not usable. An input without a usable part counts as one that cannot be read.
fn finish(refused: usize, count: usize) -> Result<ExitCode, Failure> {
    if refused == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let were = if refused == 1 { "was" } else { "were" };
    // A closed standard error cannot be reported.
    let _ = writeln!(std::io::stderr(), "redress: {refused} of {count} responses {were} not usable");
    Ok(if refused == count { ExitCode::from(failure::CODE) } else { ExitCode::SUCCESS })
}

/// Answers the records of a stream, and counts on standard error those that could not be used.
fn records(dialects: DialectCache, judge: Judge, input: Input, arguments: &ExplainArgs) -> Result<(), Failure> {
    let reader = BufReader::with_capacity(BUFFER, input.reader);
    let mut out = BufWriter::with_capacity(BUFFER, std::io::stdout().lock());
    let mut stream = JsonLines::new(dialects, judge, arguments);
    stream.run(&input.name, reader, &mut out)?;
    out.flush()?;
    if let Some(note) = stream.note() {
        // A closed standard error cannot be reported.
        let _ = writeln!(std::io::stderr(), "redress: {note}");
    }
    Ok(())
}
