//! The log of requests and answers.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::code::Code;
use crate::shared::Shared;

/// One request and its answer.
///
/// The JSON form is an object with exactly these fields in this order; a missing value is `null`.
///
/// # Examples
///
/// ```
/// use redress_sandbox::LogEntry;
///
/// let line = r#"{"t_ms":12,"vendor":"vlens","method":"POST","path":"/login","generation":null,"status":200,"code":null}"#;
/// let entry: LogEntry = serde_json::from_str(line)?;
/// assert_eq!((entry.status, entry.generation), (Some(200), None));
/// assert_eq!(serde_json::to_string(&entry)?, line);
/// # Ok::<(), serde_json::Error>(())
/// ```
// Exhaustive, since tests compare entries with literals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The arrival of the request head, in milliseconds since the start of the server.
    pub t_ms: u64,
    /// The name of the vendor or of the dialect.
    pub vendor: String,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The generation of the access token, also of an expired one. `None` without a token, for an
    /// unknown token, and for vendors that use keys.
    pub generation: Option<u64>,
    /// The status of the answer; `None` if the connection was closed without one.
    pub status: Option<u16>,
    /// The code in the envelope; `None` for a success and for a body without a code.
    pub code: Option<Code>,
}

/// The entries in order of arrival, and the file that receives later ones.
#[derive(Debug, Default)]
pub(crate) struct Log(Shared<State>);

/// The position of a request in the log, fixed at its arrival.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    number: u64,
    pub(crate) t_ms: u64,
}

#[derive(Debug, Default)]
struct State {
    arrivals: u64,
    entries: Vec<(u64, LogEntry)>,
    file: Option<File>,
}

impl Log {
    pub(crate) fn arrive(&self, clock: &Clock) -> Arrival {
        let mut state = self.0.lock();
        state.arrivals += 1;
        Arrival { number: state.arrivals, t_ms: clock.elapsed_ms() }
    }

    /// Inserts the entry in order of arrival. The file is in the order in which answers are decided.
    pub(crate) fn record(&self, arrival: Arrival, entry: LogEntry) {
        let mut state = self.0.lock();
        state.copy_to_file(&entry);
        let place = state.entries.partition_point(|(number, _)| *number < arrival.number);
        state.entries.insert(place, (arrival.number, entry));
    }

    pub(crate) fn entries(&self) -> Vec<LogEntry> {
        let state = self.0.lock();
        state.entries.iter().map(|(_, entry)| entry.clone()).collect()
    }

    pub(crate) fn copy_to(&self, path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        self.0.lock().file = Some(file);
        Ok(())
    }
}

impl State {
    /// Writes the line with a single call. A full disk must not fail the exchange: the error is printed
    /// once, and the copy ends.
    fn copy_to_file(&mut self, entry: &LogEntry) {
        let Some(file) = &mut self.file else { return };
        let written = serde_json::to_vec(entry).map_err(io::Error::other).and_then(|mut line| {
            line.push(b'\n');
            file.write_all(&line)
        });
        if let Err(error) = written {
            eprintln!("redress-sandbox: no longer writing the log file: {error}");
            self.file = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> LogEntry {
        LogEntry {
            t_ms: 7,
            vendor: "vlens".to_owned(),
            method: "GET".to_owned(),
            path: path.to_owned(),
            generation: Some(2),
            status: Some(200),
            code: Some(Code::Number(4011)),
        }
    }

    #[test]
    fn an_entry_is_one_json_object_with_its_fields_in_order() {
        let line = serde_json::to_string(&entry("/a")).unwrap();
        assert_eq!(
            line,
            r#"{"t_ms":7,"vendor":"vlens","method":"GET","path":"/a","generation":2,"status":200,"code":4011}"#
        );
        let bare = LogEntry { generation: None, status: None, code: None, ..entry("/a") };
        let line = serde_json::to_string(&bare).unwrap();
        assert!(line.ends_with(r#""generation":null,"status":null,"code":null}"#));
        assert_eq!(serde_json::from_str::<LogEntry>(&line).unwrap(), bare);
    }

    #[test]
    fn entries_keep_the_order_of_arrival() {
        let (log, clock) = (Log::default(), Clock::start());
        let (first, second) = (log.arrive(&clock), log.arrive(&clock));
        log.record(second, entry("/second"));
        log.record(first, entry("/first"));
        let paths: Vec<String> = log.entries().into_iter().map(|entry| entry.path).collect();
        assert_eq!(paths, ["/first", "/second"]);
    }
}
