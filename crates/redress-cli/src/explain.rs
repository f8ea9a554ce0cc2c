//! `redress explain`: says what responses mean.

use std::borrow::Cow;
use std::io::{BufReader, BufWriter, Write as _};
use std::process::ExitCode;

use crate::answer::Answer;
use crate::arguments::Explain;
use crate::dialects::Dialects;
use crate::exchange::{Exchange, Judge};
use crate::failure::Failure;
use crate::input::Input;
use crate::stream::Stream;
use crate::{json, output, person, raw};

/// How much is read, and how much is written, at once.
const BUFFER: usize = 256 * 1024;

/// Explains one raw response, or each record of a stream.
pub(crate) fn run(arguments: &Explain) -> Result<ExitCode, Failure> {
    let dialects = Dialects::choose(&arguments.dialect)?;
    let judge = Judge::new(arguments.now, arguments.chunk);
    let input = Input::open(&arguments.file)?;
    if arguments.jsonl {
        records(dialects, judge, input)?;
    } else {
        one(&dialects, &judge, input, arguments)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn one(dialects: &Dialects, judge: &Judge, input: Input, arguments: &Explain) -> Result<(), Failure> {
    let name = input.name.clone();
    let bytes = input.read_all()?;
    let response = raw::parse(&bytes)
        .map_err(|raw::Mistake { line, problem }| Failure::Told(format!("{name}:{line}: {problem}")))?;
    let exchange = Exchange {
        method: arguments.method.clone(),
        uri: arguments.path.clone(),
        ..Exchange::new(response.status, response.headers, Cow::Borrowed(response.body))
    };
    let dialect = dialects.chosen();
    let verdict = judge.judge(&dialect, &exchange);
    if arguments.json {
        let answer = Answer::new(None, &dialect, verdict.as_ref(), judge.begun());
        return Ok(json::write_line(&mut std::io::stdout().lock(), &answer)?);
    }
    output::print(&person::told(&dialect, &exchange.head, verdict.as_ref()))
}

fn records(dialects: Dialects, judge: Judge, input: Input) -> Result<(), Failure> {
    let reader = BufReader::with_capacity(BUFFER, input.reader);
    let mut out = BufWriter::with_capacity(BUFFER, std::io::stdout().lock());
    let mut stream = Stream::new(dialects, judge);
    stream.run(&input.name, reader, &mut out)?;
    out.flush()?;
    if let Some(note) = stream.note() {
        // There is nobody to tell when standard error is closed.
        let _ = writeln!(std::io::stderr(), "redress: {note}");
    }
    Ok(())
}
