//! Whether a body says that it is an error, decided from as few of its bytes as possible.

mod xml;

use crate::charset::Incremental;
use crate::head::Head;
use crate::walk::Walk;
use std::borrow::Cow;
use std::fmt;
use xml::XmlReader;

use crate::cells::{Cell, Value};
use crate::dialect::{Dialect, ErrorRule, Test};
use crate::json::{Container, Interest, Scalar, Scanner, Sink, Unreadable};
use crate::plan::{Merge, Node, NodeId, Plans};

/// How many members the error rules of a dialect may ask for in all.
pub(crate) const MAX_PREDICATES: usize = 60;

/// Reads a body as it arrives until it is certain whether the body signals an error.
///
/// The first occurrence of a signal decides, so that nothing after it has to come; a full
/// [read](crate::Envelope::read) lets the last one win. What the dialect does not ask for is followed by strings, escapes
/// and depth alone, not checked. A body that turns out not to be of the dialect's kind is no error by its body. Memory is
/// bounded, whatever the body.
///
/// # Examples
/// ```
/// use std::time::SystemTime;
/// use redress_envelope::{Decision, Head, Signal, dialects};
///
/// let headers = http::HeaderMap::new();
/// let head = Head::new(200, &headers, SystemTime::UNIX_EPOCH);
/// let mut signal = Signal::new(&dialects::maleslab(), &head);
/// assert_eq!(signal.feed(b"{\"succ"), Decision::Undecided);
/// assert_eq!(signal.feed(b"ess\":true"), Decision::Success);
/// ```
pub struct Signal {
    scanner: Scanner,
    format: Format,
    sink: SignalSink,
    /// Decodes a body whose charset does not begin with ASCII.
    decoder: Option<Box<Incremental>>,
}

/// The format of a body.
enum Format {
    /// Nothing but white space, or a part of a byte order mark, has come.
    Unknown,
    Json,
    Xml(Box<XmlReader>),
}

/// What is known of a body so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// More bytes are needed.
    Undecided,
    /// The body signals an error.
    Error,
    /// The body signals no error, or cannot.
    Success,
}

/// The sink: what is known of each member that a rule asks for. They are numbered through all rules.
#[derive(Debug)]
struct SignalSink {
    dialect: Dialect,
    walk: Walk,
    node: NodeId,
    /// Bit `n` is set when rule `n` is for responses with this head.
    rules: u64,
    /// Bit `n` is set while member `n` may still come; and when it was what it must be.
    open: u64,
    held: u64,
    decision: Decision,
}

impl Signal {
    /// Begins to read the body of a response.
    #[must_use]
    pub fn new(dialect: &Dialect, head: &Head<'_>) -> Self {
        let mut sink = SignalSink {
            dialect: dialect.clone(),
            walk: Walk::new(),
            node: 0,
            rules: 0,
            open: u64::MAX,
            held: 0,
            decision: Decision::Success,
        };
        sink.begin(head);
        let may_be_error = sink.decision == Decision::Undecided;
        let decoder = if may_be_error { Incremental::new(head).map(Box::new) } else { None };
        Self { scanner: Scanner::new(), format: Format::Unknown, sink, decoder }
    }

    /// Returns what is known so far; before any byte was read, that a body cannot be an error if no rule of the dialect is
    /// for a response with this head.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        self.sink.decision
    }

    /// Reads the next bytes and returns what is known after them.
    pub fn feed(&mut self, chunk: &[u8]) -> Decision {
        if self.sink.decision == Decision::Undecided {
            let mut decoder = self.decoder.take();
            let is_broken = self.read(decoder.as_mut().map_or(chunk, |decoder| decoder.feed(chunk))).is_err();
            self.decoder = decoder;
            // What is wrong behind a signal does not take it back: it might as well come in the next chunk.
            if is_broken && self.sink.decision == Decision::Undecided {
                self.sink.decision = Decision::Success;
            }
        }
        self.sink.decision
    }

    fn read(&mut self, mut chunk: &[u8]) -> Result<(), Unreadable> {
        if let Format::Unknown = self.format {
            chunk = self.tell_format(chunk)?;
        }
        match &mut self.format {
            Format::Xml(elements) => elements.feed(chunk, &mut self.sink),
            Format::Unknown | Format::Json => self.scanner.feed(chunk, &mut self.sink),
        }
    }

    /// Tells the format by the first byte that is not white space, gives up the members of the other one, and returns the
    /// bytes that are left to read.
    fn tell_format<'c>(&mut self, chunk: &'c [u8]) -> Result<&'c [u8], Unreadable> {
        let of_xml = self.sink.dialect.compiled().xml_predicates;
        // The scanner of JSON refuses a byte order mark that is broken, here and where it comes in pieces.
        let is_significant = |byte: &u8| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(byte);
        let first = chunk.iter().position(is_significant);
        match first.map(|at| chunk.split_at(at)) {
            _ if of_xml == 0 => self.format = Format::Json,
            Some((before, document @ [b'<', ..])) => {
                self.scanner.feed(before, &mut self.sink)?;
                self.format = Format::Xml(Box::default());
                self.sink.close(!of_xml);
                return Ok(document);
            }
            Some(_) => {
                self.format = Format::Json;
                self.sink.close(of_xml);
            }
            None => {}
        }
        Ok(chunk)
    }
}

/// Shows nothing of the body.
impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("decision", &self.sink.decision).finish_non_exhaustive()
    }
}

impl SignalSink {
    /// Decides what the head decides, and notes which rules are for the body of such a response.
    fn begin(&mut self, head: &Head<'_>) {
        let mut first = 0;
        for (nth, rule) in self.dialect.compiled().signals.iter().enumerate() {
            match rule.of_head(head) {
                Some(true) => self.decision = Decision::Error,
                Some(false) => {}
                None => self.rules |= 1 << nth,
            }
            for clause in &rule.clauses {
                let predicates = ((1 << clause.predicates.len()) - 1) << first;
                first += clause.predicates.len();
                if clause.predicates.is_empty() || clause.headers.is_empty() {
                    continue;
                }
                // A header that is what it must be stands for the members of its clause.
                if clause.of_head(head).is_some() {
                    self.held |= predicates;
                }
            }
        }
        if head.is_error_event() {
            self.decision = Decision::Error;
        } else if self.rules == 0 {
            self.open = 0;
        } else if self.decision == Decision::Success {
            self.decision = Decision::Undecided;
        }
    }

    /// Takes a value at the place in hand.
    fn note(&mut self, value: Value<'_>, text: Option<&str>) {
        let place = self.node;
        self.note_at(|plans| plans.json.node_at(place), value, text);
    }

    /// Takes a value at a place.
    fn note_at(&mut self, place: impl FnOnce(&Plans) -> &Node, value: Value<'_>, text: Option<&str>) {
        let compiled = self.dialect.compiled();
        let cells = &place(&compiled.signal_plan).cells;
        if cells.is_empty() {
            return;
        }
        let (mut open, mut held) = (self.open, self.held);
        for (nth, (cell, test)) in compiled
            .signal_predicates
            .iter()
            .enumerate()
            .filter(|(nth, (cell, _))| cells.contains(cell) && self.open & (1 << nth) != 0)
        {
            let is_one = *compiled.signal_plan.merge_rule(*cell) == Merge::Last;
            if !is_one && (value == Value::Null || text == Some("")) {
                // Of several, the first that says something decides.
                continue;
            }
            if test.holds(value, text) {
                held |= 1 << nth;
                open &= !(1 << nth);
            } else if is_one {
                // Of what may be empty the inside is still to come, if it has one.
                let inside = *test == Test::NonEmpty && !value.is_container();
                open &= !(if inside { 0b111 } else { 0b1 } << nth);
            } else if !value.is_container() {
                open &= !(1 << nth);
            }
        }
        (self.open, self.held) = (open, held);
        self.decide();
    }

    /// Notes that these members will not come.
    fn close(&mut self, predicates: u64) {
        self.open &= !predicates;
        self.decide();
    }

    /// Notes that nothing more lies in the container at a place.
    fn ended(&mut self, node: NodeId) {
        let compiled = self.dialect.compiled();
        let cells = &compiled.signal_plan.json.node_at(node).cells;
        if cells.is_empty() {
            return;
        }
        for (nth, (cell, test)) in compiled.signal_predicates.iter().enumerate() {
            if cells.contains(cell) && *test == Test::NonEmpty && *compiled.signal_plan.merge_rule(*cell) == Merge::Last
            {
                self.open &= !(0b110 << nth);
            }
        }
        self.decide();
    }

    /// Decides if every rule is certain, or one that holds is.
    fn decide(&mut self) {
        let mut first = 0;
        let mut undecided = false;
        for (nth, rule) in self.dialect.compiled().signals.iter().enumerate() {
            let holds = holds(rule, first, self.open, self.held);
            first += rule.clauses.iter().map(|clause| clause.predicates.len()).sum::<usize>();
            match holds {
                _ if self.rules & (1 << nth) == 0 => {}
                Some(true) => {
                    self.decision = Decision::Error;
                    return;
                }
                Some(false) => {}
                None => undecided = true,
            }
        }
        if !undecided {
            self.decision = Decision::Success;
        }
    }
}

/// Whether a rule, whose members are numbered from `first` on, holds; `None` when that is uncertain.
fn holds(rule: &ErrorRule<Cell>, mut first: usize, open: u64, held: u64) -> Option<bool> {
    let mut certain = true;
    for clause in &rule.clauses {
        let predicates = ((1 << clause.predicates.len()) - 1) << first;
        first += clause.predicates.len();
        if clause.predicates.is_empty() {
            // The head has decided it, and the rule is still there.
            continue;
        }
        let clause_holds = if held & predicates != 0 {
            Some(!clause.negated)
        } else {
            (open & predicates == 0).then_some(clause.negated)
        };
        match clause_holds {
            Some(false) => return Some(false),
            Some(true) => {}
            None => certain = false,
        }
    }
    certain.then_some(true)
}

impl<'a> Sink<'a> for SignalSink {
    const STRICT: bool = false;
    /// Longer than any text that a dialect compares with.
    const MAX_TEXT: usize = 512;

    fn value(&mut self) -> Interest {
        let Some(node) = self.walk.value(&self.dialect.compiled().signal_plan.json) else { return Interest::Skip };
        self.node = node;
        Interest::Read
    }

    fn open(&mut self, container: Container) -> Result<Interest, Unreadable> {
        let plan = &self.dialect.compiled().signal_plan.json;
        if self.walk.at_root() && !plan.may_begin_with(container) {
            return Err(Unreadable::WrongRoot);
        }
        let inside = if plan.node_at(self.node).wants_inside(container) { Interest::Read } else { Interest::Skip };
        self.note(if container == Container::Object { Value::Object } else { Value::Array }, None);
        self.walk.open(self.node, container, 0);
        Ok(inside)
    }

    fn close(&mut self) {
        let closed = self.walk.close();
        if self.walk.at_root() {
            self.open = 0;
            self.decide();
        } else {
            self.ended(closed);
        }
    }

    fn key(&mut self, name: Cow<'a, [u8]>) {
        self.walk.key(&self.dialect.compiled().signal_plan.json, &name);
    }

    fn member(&mut self, name: &'a str) -> Interest {
        self.key(Cow::Borrowed(name.as_bytes()));
        self.value()
    }

    fn scalar(&mut self, scalar: Scalar<'a>) {
        if self.walk.at_root() {
            self.decision = Decision::Success;
        } else {
            match &scalar {
                Scalar::Null => self.note(Value::Null, None),
                Scalar::Bool(value) => self.note(Value::Bool(*value), Some(if *value { "true" } else { "false" })),
                Scalar::Number(number) => self.note(Value::Number(number), Some(number)),
                Scalar::Text(text) => self.note(Value::Text(text), Some(text)),
            }
        }
    }

    fn text(&mut self, text: &'a str) {
        self.scalar(Scalar::Text(Cow::Borrowed(text)));
    }

    fn number(&mut self, number: &'a str) {
        self.scalar(Scalar::Number(Cow::Borrowed(number)));
    }

    fn literal(&mut self, value: Option<bool>) {
        self.scalar(value.map_or(Scalar::Null, Scalar::Bool));
    }

    fn is_done(&self) -> bool {
        self.decision != Decision::Undecided
    }
}
