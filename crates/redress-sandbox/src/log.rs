//! Every request the server received, and what it answered.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::code::Code;
use crate::shared::Shared;

/// One request and its answer.
///
/// As JSON it is one object with exactly these fields, in this order; a missing value is `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds from the start of the server to the arrival of the request's head.
    pub t_ms: u64,
    /// The name of the vendor, or of the dialect, that the server plays.
    pub vendor: String,
    /// The request's method.
    pub method: String,
    /// The request's path, without the query.
    pub path: String,
    /// The generation of the access token presented, expired or not; `None` without one, for one the server does not
    /// know, and for vendors with keys only.
    pub generation: Option<u64>,
    /// The status answered; `None` when the connection was dropped before an answer.
    pub status: Option<u16>,
    /// The code in the envelope sent; `None` for a success and for a body without a code.
    pub code: Option<Code>,
}

/// The entries in order of arrival, and the file that later ones are copied to.
#[derive(Debug, Default)]
pub(crate) struct Log(Shared<Book>);

/// The place of one request in the log, fixed when it arrives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    number: u64,
    pub(crate) t_ms: u64,
}

#[derive(Debug, Default)]
struct Book {
    arrivals: u64,
    entries: Vec<(u64, Entry)>,
    file: Option<File>,
}

impl Log {
    pub(crate) fn arrive(&self, clock: &Clock) -> Arrival {
        let mut book = self.0.lock();
        book.arrivals += 1;
        Arrival { number: book.arrivals, t_ms: clock.elapsed_ms() }
    }

    /// Inserts the entry at its place by arrival. The file has it in the order of decisions.
    pub(crate) fn record(&self, arrival: Arrival, entry: Entry) {
        let mut book = self.0.lock();
        book.copy_to_file(&entry);
        let place = book.entries.partition_point(|(number, _)| *number < arrival.number);
        book.entries.insert(place, (arrival.number, entry));
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        let book = self.0.lock();
        book.entries.iter().map(|(_, entry)| entry.clone()).collect()
    }

    pub(crate) fn copy_to(&self, path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        self.0.lock().file = Some(file);
        Ok(())
    }
}

impl Book {
    /// Writes one line in one go. A full disk must not fail the exchange: it is reported once, and the copy ends.
    fn copy_to_file(&mut self, entry: &Entry) {
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

    fn entry(path: &str) -> Entry {
        Entry {
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
        let bare = Entry { generation: None, status: None, code: None, ..entry("/a") };
        let line = serde_json::to_string(&bare).unwrap();
        assert!(line.ends_with(r#""generation":null,"status":null,"code":null}"#));
        assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), bare);
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
