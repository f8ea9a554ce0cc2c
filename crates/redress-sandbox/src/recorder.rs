//! A `tracing` subscriber that records events and spans as text.

use std::fmt::{Debug, Write};
use std::sync::{Arc, LazyLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

use crate::shared::Shared;

/// Records every event and span of every level, with all fields, as one line of text each.
///
/// An event is `LEVEL target name=value ...`, with its message as the field `message`. A span has its
/// name after the target. Fields are printed with `Debug`. Clones share the lines.
///
/// Use it to assert on the events of a call, and to search them for secrets. For filtering and
/// formatting in production use `tracing-subscriber`.
///
/// # Examples
///
/// ```
/// use redress_sandbox::Recorder;
///
/// let recorder = Recorder::with_target("shop");
/// let _guard = tracing::subscriber::set_default(recorder.clone());
/// tracing::info!(target: "shop::till", price = 7, "sold");
/// tracing::info!(target: "street", "noise");
/// assert_eq!(recorder.lines(), ["INFO shop::till message=sold price=7"]);
/// ```
#[derive(Debug, Clone)]
pub struct Recorder {
    lines: Arc<Shared<Vec<String>>>,
    targets: &'static str,
    pretty: bool,
}

/// A second subscriber of the process, which is the default of no thread.
///
/// While a process has one subscriber, `tracing` asks the default of the thread alone that reaches an event first, and disables
/// the event for all threads if that thread has none: a recorder in another thread then misses it. Of several it asks all.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Recorder::alone("")));

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// Creates a recorder of all events and spans.
    pub fn new() -> Self {
        Self::with_target("")
    }

    /// Creates a recorder of the events and spans whose target starts with `targets`.
    pub fn with_target(targets: &'static str) -> Self {
        LazyLock::force(&SECOND);
        Self::alone(targets)
    }

    fn alone(targets: &'static str) -> Self {
        Self { lines: Arc::default(), targets, pretty: false }
    }

    /// Prints each value a second time with `{:#?}`. A `Debug` implementation may show more there, such
    /// as a secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::Recorder;
    ///
    /// let recorder = Recorder::with_target("shop").pretty();
    /// tracing::subscriber::with_default(recorder.clone(), || tracing::info!(target: "shop", stock = ?[1]));
    /// assert_eq!(recorder.lines(), ["INFO shop stock=[1] [\n    1,\n]"]);
    /// ```
    #[must_use]
    pub fn pretty(mut self) -> Self {
        self.pretty = true;
        self
    }

    /// Returns copies of the recorded lines, and keeps them.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().clone()
    }

    /// Removes and returns the recorded lines.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::Recorder;
    ///
    /// let recorder = Recorder::new();
    /// tracing::subscriber::with_default(recorder.clone(), || tracing::warn!(target: "shop", "low stock"));
    /// assert_eq!(recorder.take(), ["WARN shop message=low stock"]);
    /// assert!(recorder.lines().is_empty());
    /// ```
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock())
    }

    fn add(&self, start: String, record: impl FnOnce(&mut Line)) {
        let mut line = Line { text: start, pretty: self.pretty };
        record(&mut line);
        self.lines.lock().push(line.text);
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with(self.targets)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let about = span.metadata();
        self.add(format!("{} {} {}", about.level(), about.target(), about.name()), |line| span.record(line));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.add(String::new(), |line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let about = event.metadata();
        self.add(format!("{} {}", about.level(), about.target()), |line| event.record(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A line under construction.
struct Line {
    text: String,
    pretty: bool,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.text, " {field}={value:?}");
        if self.pretty {
            let _ = write!(self.text, " {value:#?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_their_later_fields_are_recorded() {
        let recorder = Recorder::new();
        tracing::subscriber::with_default(recorder.clone(), || {
            let span = tracing::debug_span!(target: "shop", "sale", price = 7, name = tracing::field::Empty);
            span.in_scope(|| span.record("name", "pear"));
        });
        assert_eq!(recorder.take(), ["DEBUG shop sale price=7", " name=\"pear\""]);
        assert!(recorder.lines().is_empty(), "what is taken is gone");
    }

    #[test]
    fn a_pretty_recorder_prints_each_value_twice() {
        let recorder = Recorder::with_target("shop").pretty();
        tracing::subscriber::with_default(recorder.clone(), || tracing::warn!(target: "shop", stock = ?[1]));
        assert_eq!(recorder.lines(), ["WARN shop stock=[1] [\n    1,\n]"]);
    }
}
