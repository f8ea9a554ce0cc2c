//! One response as its dialect reads it.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::dialect::Dialect;
use crate::hint::RetryHint;
use crate::json::{Container, MAX_NAME, Scalar, Scanner, Sink, Unreadable, Want};
use crate::plan::{Cell, MAX_CELLS, NodeId, Plan, Role};
use crate::walk::Walk;

/// How many field errors are kept: more than a person reads, few enough for a hostile body to cost little.
const MAX_FIELDS: usize = 256;

/// What an error response says, borrowed from its body where that is possible.
///
/// Every part is `None` (or empty) where the server said nothing, or something of a type that cannot be meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope<'a> {
    /// The vendor's own code, verbatim, whether it was sent as a string or as a number.
    pub code: Option<Cow<'a, str>>,
    /// The sentence for people. It may hold personal data.
    pub message: Option<Cow<'a, str>>,
    /// The vendor's name for this one call.
    pub request_id: Option<Cow<'a, str>>,
    /// A finer code below [`code`](Self::code).
    pub reason: Option<Cow<'a, str>>,
    /// The fields that are at fault, in the order of the body; at most 256.
    pub fields: Vec<FieldError<'a>>,
    /// When the body asks the caller to come back.
    pub hint: Option<RetryHint>,
    /// Whether the body itself says that it is an error, by the signal that the dialect declares.
    pub signalled: bool,
}

/// A field of the request, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FieldError<'a> {
    /// The field's name or path as the vendor writes it, at most 256 bytes of it; empty when the vendor names none.
    pub path: Cow<'a, str>,
    /// What the vendor says about it.
    pub message: Cow<'a, str>,
}

/// A full read: the sink that fills the cells and the lists of fields.
struct Reading<'a, 'p> {
    plan: &'p Plan,
    root: Container,
    walk: Walk,
    /// The node of the value in hand.
    node: Option<NodeId>,
    cells: [Option<Cell<'a>>; MAX_CELLS],
    /// Field errors, each with the list that it belongs to.
    found: Vec<(u8, FieldError<'a>)>,
    item: FieldError<'a>,
    /// The name of the entry in hand.
    entry: Cow<'a, str>,
}

impl FieldError<'_> {
    /// Copies what is borrowed.
    #[must_use]
    pub fn into_owned(self) -> FieldError<'static> {
        FieldError { path: Cow::Owned(self.path.into_owned()), message: Cow::Owned(self.message.into_owned()) }
    }
}

impl<'a> Envelope<'a> {
    /// Reads a whole body, given in as many pieces as it came in.
    ///
    /// Of a repeated key the last one counts, and a member of a wrong type is absent; both leave the rest as it is.
    /// `now` is the server's time: it decides which of several hints is the longest.
    ///
    /// # Errors
    /// When the body is not a complete JSON text of the dialect's kind: see [`Unreadable`].
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use redress_envelope::{Envelope, dialects};
    ///
    /// let body = br#"{"error":"internal","message":"oops","requestId":"9f51"}"#;
    /// let envelope = Envelope::read(&dialects::veridia(), SystemTime::UNIX_EPOCH, [&body[..]])?;
    /// assert_eq!(envelope.code.as_deref(), Some("internal"));
    /// assert_eq!(envelope.request_id.as_deref(), Some("9f51"));
    /// # Ok::<(), redress_envelope::Unreadable>(())
    /// ```
    pub fn read<I>(dialect: &Dialect, now: SystemTime, pieces: I) -> Result<Self, Unreadable>
    where
        I: IntoIterator<Item = &'a [u8]>,
    {
        let mut scanner = Scanner::new();
        let mut reading = Reading::new(dialect.plan(), dialect.root());
        for piece in pieces {
            scanner.feed(piece, &mut reading)?;
        }
        scanner.finish()?;
        Ok(reading.into_envelope(dialect, now))
    }
}

impl<'a, 'p> Reading<'a, 'p> {
    fn new(plan: &'p Plan, root: Container) -> Self {
        Self {
            plan,
            root,
            walk: Walk::new(),
            node: None,
            cells: [const { None }; MAX_CELLS],
            found: Vec::new(),
            item: FieldError::nothing(),
            entry: Cow::Borrowed(""),
        }
    }

    fn into_envelope(mut self, dialect: &Dialect, now: SystemTime) -> Envelope<'a> {
        let signalled =
            dialect.signals().iter().any(|signal| signal.holds(self.cells[usize::from(signal.cell)].as_ref()));
        let hint = dialect.body_hints().filter_map(|hint| hint.read(self.cells[usize::from(hint.cell)].as_ref()?, now));
        let hint = hint.reduce(|a, b| a.later_at(b, now));
        let slots = dialect.slots();
        Envelope {
            code: self.take(&slots.code, text_or_number),
            message: self.take(&slots.message, text),
            request_id: self.take(&slots.request_id, text_or_number),
            reason: self.take(&slots.reason, text),
            fields: self.found.into_iter().map(|(_, field)| field).collect(),
            hint,
            signalled,
        }
    }

    /// Returns the first of a slot's alternatives that says something.
    fn take(&mut self, slot: &[u8], accept: fn(Scalar<'a>) -> Option<Cow<'a, str>>) -> Option<Cow<'a, str>> {
        slot.iter().find_map(|cell| match self.cells[usize::from(*cell)].clone()? {
            Cell::Scalar(scalar) => accept(scalar).filter(|text| !text.is_empty()),
            Cell::Container => None,
        })
    }

    /// Forgets what an earlier member of the same name brought.
    fn forget(&mut self, id: NodeId, name: &str) {
        let node = self.plan.node_at(id);
        let mut cells = node.cells_below;
        while cells != 0 {
            self.cells[cells.trailing_zeros() as usize] = None;
            cells &= cells - 1;
        }
        if node.paths_below {
            self.item.path = Cow::Borrowed("");
        }
        if node.messages_below {
            self.item.message = Cow::Borrowed("");
        }
        if let Role::Entry(of) = node.role {
            self.found.retain(|(list, field)| *list != of || field.path != name);
        } else if node.lists_below != 0 {
            self.found.retain(|(list, _)| node.lists_below & (1 << list) == 0);
        }
    }

    fn push(&mut self, list: u8, field: FieldError<'a>) {
        if self.found.len() < MAX_FIELDS {
            self.found.push((list, field));
        }
    }
}

impl<'a> Sink<'a> for Reading<'a, '_> {
    fn value(&mut self) -> Want {
        self.node = self.walk.value(self.plan);
        let Some(node) = self.node.map(|id| self.plan.node_at(id)) else {
            return Want::Nothing;
        };
        if let Role::Item(_) = node.role {
            self.item = FieldError::nothing();
        }
        match node.role {
            Role::None | Role::Entry(_) if node.cell.is_none() => Want::Nothing,
            _ => Want::All,
        }
    }

    fn open(&mut self, container: Container) -> Result<(), Unreadable> {
        if self.walk.at_root() && container != self.root {
            return Err(Unreadable::WrongRoot);
        }
        if let Some(cell) = self.node.and_then(|id| self.plan.node_at(id).cell) {
            self.cells[usize::from(cell)] = Some(Cell::Container);
        }
        self.walk.open(container);
        Ok(())
    }

    fn close(&mut self) {
        let role = self.walk.close().map(|id| self.plan.node_at(id).role);
        if let Some(Role::Item(list)) = role {
            let item = std::mem::replace(&mut self.item, FieldError::nothing());
            if item != FieldError::nothing() {
                self.push(list, item);
            }
        }
    }

    fn wants_key(&self) -> bool {
        self.walk.container().is_some_and(|id| self.plan.node_at(id).wants_keys())
    }

    fn key(&mut self, name: Option<Cow<'a, str>>) {
        let Some(name) = name else { return };
        let Some(id) = self.walk.key(self.plan, &name) else { return };
        let name = short(name);
        self.forget(id, &name);
        if let Role::Entry(_) = self.plan.node_at(id).role {
            self.entry = name;
        }
    }

    fn scalar(&mut self, scalar: Scalar<'a>) {
        let Some(node) = self.node.map(|id| self.plan.node_at(id)) else { return };
        if let Some(cell) = node.cell {
            self.cells[usize::from(cell)] = Some(Cell::Scalar(scalar.clone()));
        }
        match (node.role, scalar) {
            (Role::Item(list), Scalar::Text(message)) => {
                self.push(list, FieldError { path: Cow::Borrowed(""), message });
            }
            (Role::ItemPath, Scalar::Text(path) | Scalar::Number(path)) => self.item.path = short(path),
            (Role::ItemMessage, Scalar::Text(message)) => self.item.message = message,
            (Role::EntryMessage(list), Scalar::Text(message)) => {
                self.push(list, FieldError { path: self.entry.clone(), message });
            }
            _ => {}
        }
    }

    fn is_done(&self) -> bool {
        false
    }
}

impl FieldError<'_> {
    const fn nothing() -> Self {
        Self { path: Cow::Borrowed(""), message: Cow::Borrowed("") }
    }
}

fn text(scalar: Scalar<'_>) -> Option<Cow<'_, str>> {
    match scalar {
        Scalar::Text(text) => Some(text),
        _ => None,
    }
}

fn text_or_number(scalar: Scalar<'_>) -> Option<Cow<'_, str>> {
    match scalar {
        Scalar::Text(text) | Scalar::Number(text) => Some(text),
        _ => None,
    }
}

/// Cuts a name that no field has.
fn short(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.len() <= MAX_NAME {
        return name;
    }
    let end = (0..=MAX_NAME).rev().find(|at| name.is_char_boundary(*at)).unwrap_or_default();
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(&name[..end]),
        Cow::Owned(mut name) => {
            name.truncate(end);
            Cow::Owned(name)
        }
    }
}
