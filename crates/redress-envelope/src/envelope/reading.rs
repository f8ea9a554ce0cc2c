//! The read of a whole body: a scan, and the sink that collects the values of
//! an envelope.

use std::borrow::Cow;

use super::Envelope;
use super::assembly::assemble;
use super::xml::XmlSink;
use crate::cells::{Cells, Value};
use crate::dialect::Compiled;
use crate::fields::Fields;
use crate::form::{self, Pairs};
use crate::head::Head;
use crate::json::{Container, Interest, Scalar, Scanner, Sink, Unreadable, lossy};
use crate::markup;
use crate::plan::{FieldRole, Node, NodeId, Plan, Plans};
use crate::walk::Walk;

/// The state of a full read.
pub(super) struct Reader<'a, 'p> {
    compiled: &'p Compiled,
    scanner: Scanner,
    sink: EnvelopeSink<'a, 'p>,
    /// The first error in the bytes so far.
    wrong: Option<Unreadable>,
}

/// The sink of a full read.
pub(super) struct EnvelopeSink<'a, 'p> {
    plan: &'p Plan,
    walk: Walk,
    /// The place of the value in hand, which only a value that is read has.
    id: NodeId,
    node: &'p Node,
    /// The place of the innermost open container.
    inside: &'p Node,
    pub(super) cells: Cells<'a>,
    /// Created at the first node that belongs to a list of field errors.
    pub(super) fields: Option<Fields<'a>>,
    /// The body, where all of it is one text.
    pub(super) root_text: Option<Cow<'a, str>>,
    /// Whether the body is an array whose first element is read in the place of an
    /// object.
    pub(super) is_unwrapped: bool,
    /// Whether the body is nothing but a number, a truth value or `null`.
    is_bare: bool,
    /// Whether the body is XML, so that cells and fields are those of the other
    /// plan.
    pub(super) is_xml: bool,
    /// Whether the body is an array.
    pub(super) is_list: bool,
}

/// Returns every text and number that the first cell of a plan holds, joined by
/// line feeds, of a document in a header.
pub(crate) fn member_texts(plan: &Plan, document: &str) -> Vec<String> {
    let (mut sink, mut scanner) = (EnvelopeSink::new(plan), Scanner::new());
    let is_read = scanner.feed(document.as_bytes(), &mut sink).is_ok() && scanner.finish(&mut sink).is_ok();
    let value = sink.cells.get(0).filter(|_| is_read);
    let text = value.and_then(|value| sink.cells.text(value));
    text.into_iter().flat_map(|text| text.split('\n')).map(str::to_owned).collect()
}

/// Returns the values that two plans name in a body, as JSON or else as XML;
/// none of a body that ends early or has a mistake.
pub(crate) fn whole_cells<'a>(plans: &Plans, pieces: impl Iterator<Item = &'a [u8]> + Clone) -> Cells<'a> {
    let (mut sink, mut scanner) = (EnvelopeSink::new(&plans.json), Scanner::new());
    let mut fed = pieces.clone();
    match fed.try_for_each(|piece| scanner.feed(piece, &mut sink)).and_then(|()| scanner.finish(&mut sink)) {
        Ok(()) => sink.cells,
        Err(Unreadable::NotJson) => match XmlSink::read(&plans.xml, pieces) {
            Some((document, Ok(()))) => document.cells,
            _ => Cells::new(),
        },
        Err(_) => Cells::new(),
    }
}

impl<'a, 'p> Reader<'a, 'p> {
    #[inline(never)]
    pub(super) fn new(compiled: &'p Compiled) -> Self {
        Self { compiled, scanner: Scanner::new(), sink: EnvelopeSink::new(&compiled.plan.json), wrong: None }
    }

    /// Reads the next bytes, and returns whether more of them make sense.
    #[inline(never)]
    pub(super) fn feed(&mut self, piece: &'a [u8]) -> bool {
        self.wrong = self.scanner.feed(piece, &mut self.sink).err();
        self.wrong.is_none()
    }

    /// Reads a body that is not JSON: as XML, if it begins so and the dialect has
    /// paths into XML. Returns it as a text.
    #[inline(never)]
    pub(super) fn read_other(&mut self, pieces: impl Iterator<Item = &'a [u8]> + Clone) -> Option<String> {
        let plan = &self.compiled.plan.xml;
        if plan.values() + plan.lists() > 0
            && let Some((document, end)) = XmlSink::read(plan, pieces.clone())
        {
            self.sink.cells = document.cells;
            self.sink.fields = Some(document.fields);
            self.sink.is_xml = true;
            self.wrong = end.err();
            return None;
        }
        markup::text(pieces)
    }

    /// Reads a form as an object of texts.
    #[cold]
    pub(super) fn read_pairs(mut self, head: &Head<'a>, pairs: Pairs) -> Envelope<'a> {
        let wrong = form::feed(pairs, &mut self.sink).err();
        assemble(self.compiled, head, &mut self.sink, &mut None, wrong)
    }

    /// Returns `true` if nothing so far is against the grammar.
    pub(super) fn is_json(&self) -> bool {
        self.wrong != Some(Unreadable::NotJson)
    }

    /// Returns the envelope after the last byte; `text` is the body where it is not
    /// JSON.
    #[inline(never)]
    pub(super) fn envelope(&mut self, head: &Head<'a>, text: &mut Option<String>) -> Envelope<'a> {
        let is_over = self.wrong.is_some() || self.sink.is_xml;
        let wrong = if is_over { self.wrong } else { self.scanner.finish(&mut self.sink).err() };
        let wrong = wrong.or(self.sink.has_wrong_root().then_some(Unreadable::WrongRoot));
        if wrong == Some(Unreadable::NotJson) {
            // A text with something behind it is rather a text as a whole.
            self.sink.root_text = None;
        }
        assemble(self.compiled, head, &mut self.sink, text, wrong)
    }
}

impl<'a, 'p> EnvelopeSink<'a, 'p> {
    #[inline]
    pub(super) fn new(plan: &'p Plan) -> Self {
        let root = plan.node_at(0);
        Self {
            plan,
            walk: Walk::new(),
            id: 0,
            node: root,
            inside: root,
            cells: Cells::new(),
            fields: None,
            root_text: None,
            is_unwrapped: false,
            is_bare: false,
            is_xml: false,
            is_list: false,
        }
    }

    /// Returns `true` if the body is a bare value, or an array whose first element
    /// says nothing.
    fn has_wrong_root(&self) -> bool {
        self.is_bare || (self.is_unwrapped && !self.cells.has_any(u128::MAX) && self.fields.is_none())
    }

    /// Goes to a member and forgets what an earlier one of its name brought.
    #[inline(always)]
    fn go_to(&mut self, name: &[u8]) -> Option<&'p Node> {
        self.id = self.walk.key(self.inside, name)?;
        self.node = self.plan.node_at(self.id);
        self.cells.forget(self.node);
        Some(self.node)
    }
}

impl<'a> EnvelopeSink<'a, '_> {
    /// Goes to a member in a dialect with names of any depth.
    #[inline]
    fn go_to_any(&mut self, below: NodeId, name: Cow<'a, str>) {
        self.id = self.walk.key_or_below(self.plan, below, self.inside, name.as_bytes());
        self.node = self.plan.node_at(self.id);
        self.cells.forget(self.node);
        // A map may call it a field, though a name of any depth is like it.
        let otherwise = self.plan.node_at(self.walk.otherwise());
        let names = if otherwise.may_name_field() { otherwise } else { self.node };
        if names.affects_fields {
            self.fields.get_or_insert_with(Fields::new).key(names, self.walk.top().named, name);
        }
    }
}

impl<'a> Sink<'a> for EnvelopeSink<'a, '_> {
    const STRICT: bool = true;
    const MAX_TEXT: usize = usize::MAX;

    #[inline(always)]
    fn value(&mut self) -> Interest {
        let Some(id) = self.walk.value(self.plan) else { return Interest::Skip };
        self.id = id;
        self.node = self.plan.node_at(id);
        if self.node.affects_fields && self.walk.in_array() {
            self.fields.get_or_insert_with(Fields::new).element(self.walk.top().named);
        }
        Interest::Read
    }

    #[inline(always)]
    fn open(&mut self, container: Container) -> Result<Interest, Unreadable> {
        if self.walk.at_root() {
            if !self.plan.may_begin_with(container) {
                return Err(Unreadable::WrongRoot);
            }
            self.is_list = container == Container::Array;
            self.is_unwrapped = self.plan.unwraps(container);
        }
        if let Some(below) = self.plan.below
            && !self.node.wants_inside(container)
        {
            if !self.walk.in_array() {
                self.id = self.walk.otherwise();
                self.node = self.plan.node_at(self.id);
            }
            if container == Container::Object
                && (self.walk.in_array() || self.node.may_name_field())
                && !self.node.wants_inside(container)
            {
                // Where texts or a list of them are expected, an object is what it would be where no path leads.
                (self.id, self.node) = (below, self.plan.node_at(below));
            }
        }
        let node = self.node;
        for cell in &node.cells {
            let value = if container == Container::Object { Value::Object } else { Value::Array };
            self.cells.put(self.plan, *cell, self.walk.depth(), value);
        }
        let mut named = self.walk.top().named;
        if node.affects_fields {
            let fields = self.fields.get_or_insert_with(Fields::new);
            fields.begin(node.role);
            if !self.walk.in_array() {
                named = fields.named(node.role, named);
            }
        }
        self.walk.open(self.id, container, named);
        self.inside = node;
        let wants_inside = node.wants_inside(container) || self.plan.below.is_some();
        Ok(if wants_inside { Interest::Read } else { Interest::Skip })
    }

    #[inline(always)]
    fn close(&mut self) {
        let closed = self.inside;
        self.walk.close();
        self.inside = self.plan.node_at(self.walk.top().node);
        if let (true, Some(fields)) = (closed.affects_fields, &mut self.fields) {
            fields.end(closed.role);
        }
    }

    #[inline]
    fn key(&mut self, name: Cow<'a, [u8]>) {
        if let Some(below) = self.plan.below {
            return self.go_to_any(below, lossy(name));
        }
        if let Some(node) = self.go_to(&name)
            && node.affects_fields
        {
            let fields = self.fields.get_or_insert_with(Fields::new);
            fields.key(node, self.walk.top().named, lossy(name));
        }
    }

    #[inline(always)]
    fn member(&mut self, name: &'a str) -> Interest {
        if let Some(below) = self.plan.below {
            self.go_to_any(below, Cow::Borrowed(name));
            return Interest::Read;
        }
        let Some(node) = self.go_to(name.as_bytes()) else { return Interest::Skip };
        if node.affects_fields {
            let fields = self.fields.get_or_insert_with(Fields::new);
            fields.key(node, self.walk.top().named, Cow::Borrowed(name));
        }
        Interest::Read
    }

    #[inline]
    fn scalar(&mut self, scalar: Scalar<'a>) {
        if self.walk.at_root() {
            match scalar {
                Scalar::Text(text) => self.root_text = Some(text).filter(|text| !text.is_empty()),
                _ => self.is_bare = true,
            }
            return;
        }
        let node = self.node;
        if let (Some(fields), true) = (&mut self.fields, node.role != FieldRole::None) {
            let role = self.inside.role.of_member(node.role);
            if node.cells.is_empty() {
                return fields.scalar(role, scalar);
            }
            fields.scalar(role, scalar.clone());
        }
        if let Some((last, others)) = node.cells.split_last() {
            let depth = self.walk.depth();
            others.iter().for_each(|cell| self.cells.put_scalar(self.plan, *cell, depth, scalar.clone()));
            self.cells.put_scalar(self.plan, *last, depth, scalar);
        }
    }

    #[inline(always)]
    fn text(&mut self, text: &'a str) {
        let node = self.node;
        match (node.single_cell, &mut self.fields) {
            (Some(cell), _) => self.cells.put_last(cell, Value::Text(text)),
            (None, Some(fields)) if node.affects_fields && node.cells.is_empty() && !self.walk.at_root() => {
                fields.text(self.inside.role.of_member(node.role), Cow::Borrowed(text));
            }
            _ => self.scalar(Scalar::Text(Cow::Borrowed(text))),
        }
    }

    #[inline(always)]
    fn number(&mut self, number: &'a str) {
        match self.node.single_cell {
            Some(cell) => self.cells.put_last(cell, Value::Number(number)),
            None => self.scalar(Scalar::Number(Cow::Borrowed(number))),
        }
    }

    #[inline]
    fn literal(&mut self, value: Option<bool>) {
        match self.node.single_cell {
            Some(cell) => self.cells.put_last(cell, value.map_or(Value::Null, Value::Bool)),
            None => self.scalar(value.map_or(Scalar::Null, Scalar::Bool)),
        }
    }

    #[inline(always)]
    fn is_done(&self) -> bool {
        false
    }
}
