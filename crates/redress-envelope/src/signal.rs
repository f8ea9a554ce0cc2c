//! Whether a body says that it is an error, decided from as few of its bytes as possible.

use std::borrow::Cow;

use crate::dialect::Dialect;
use crate::json::{Container, Scalar, Scanner, Sink, Unreadable, Want};
use crate::plan::{Cell, NodeId};
use crate::walk::Walk;

/// Reads a body as it arrives until it is certain whether the body signals an error.
///
/// The first occurrence of a signal decides, so that nothing after it has to come; a full
/// [read](crate::Envelope::read) lets the last one win. A body that turns out not to be of the dialect's kind is no
/// error by its body. Memory is bounded, whatever the body.
///
/// # Examples
/// ```
/// use redress_envelope::{Signal, Decision, dialects};
///
/// let mut signal = Signal::new(&dialects::maleslab());
/// assert_eq!(signal.feed(b"{\"succ"), Decision::Undecided);
/// assert_eq!(signal.feed(b"ess\":true"), Decision::Success);
/// ```
#[derive(Debug)]
pub struct Signal {
    scanner: Scanner,
    watch: Watch,
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

/// The sink: which signals are still open.
#[derive(Debug)]
struct Watch {
    dialect: Dialect,
    walk: Walk,
    node: Option<NodeId>,
    /// Bit `n` is set while signal `n` was not seen.
    open: u64,
    decision: Decision,
}

impl Signal {
    /// Begins to read a body.
    #[must_use]
    pub fn new(dialect: &Dialect) -> Self {
        let open = (1 << dialect.signals().len()) - 1;
        let decision = if open == 0 { Decision::Success } else { Decision::Undecided };
        let watch = Watch { dialect: dialect.clone(), walk: Walk::new(), node: None, open, decision };
        Self { scanner: Scanner::new(), watch }
    }

    /// Reads the next bytes and returns what is known after them.
    pub fn feed(&mut self, chunk: &[u8]) -> Decision {
        if self.watch.decision == Decision::Undecided && self.scanner.feed(chunk, &mut self.watch).is_err() {
            self.watch.decision = Decision::Success;
        }
        self.watch.decision
    }
}

impl Watch {
    fn note(&mut self, cell: &Cell<'_>) {
        let Some(at) = self.node.and_then(|id| self.dialect.signal_plan().node_at(id).cell) else { return };
        for (nth, signal) in self.dialect.signals().iter().enumerate() {
            if signal.watched == at && self.open & (1 << nth) != 0 {
                self.open &= !(1 << nth);
                if signal.holds(Some(cell)) {
                    self.decision = Decision::Error;
                }
            }
        }
        if self.open == 0 && self.decision == Decision::Undecided {
            self.decision = Decision::Success;
        }
    }
}

impl<'a> Sink<'a> for Watch {
    fn value(&mut self) -> Want {
        self.node = self.walk.value(self.dialect.signal_plan());
        let watched = self.node.is_some_and(|id| self.dialect.signal_plan().node_at(id).cell.is_some());
        if watched { Want::Kind } else { Want::Nothing }
    }

    fn open(&mut self, container: Container) -> Result<(), Unreadable> {
        if self.walk.at_root() && container != self.dialect.root() {
            return Err(Unreadable::WrongRoot);
        }
        self.note(&Cell::Container);
        self.walk.open(container);
        Ok(())
    }

    fn close(&mut self) {
        self.walk.close();
        if self.walk.at_root() && self.decision == Decision::Undecided {
            self.decision = Decision::Success;
        }
    }

    fn wants_key(&self) -> bool {
        self.walk.container().is_some_and(|id| self.dialect.signal_plan().node_at(id).wants_keys())
    }

    fn key(&mut self, name: Option<Cow<'a, str>>) {
        if let Some(name) = name {
            self.walk.key(self.dialect.signal_plan(), &name);
        }
    }

    fn scalar(&mut self, scalar: Scalar<'a>) {
        self.note(&Cell::Scalar(scalar));
    }

    fn is_done(&self) -> bool {
        self.decision != Decision::Undecided
    }
}
