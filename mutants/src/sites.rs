//! Finds the places of a source at which its breaks apply.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use proc_macro2::{LineColumn, Span};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::Break;

/// The number of a break, and the text that it puts in place of another.
pub type Switch = (u32, String);

/// A place with breaks: bytes of the source that are written anew.
#[derive(Debug)]
pub struct Site {
    pub range: Range<usize>,
    pub kind: Kind,
}

#[derive(Debug)]
pub enum Kind {
    /// The begin of a body, which returns these values instead.
    Body(Vec<Switch>),
    /// The end of the pattern of an arm, which is deleted by a guard that fails. With the begin of its match.
    Arm(u32, usize),
    /// A guard, of an arm that is deleted, or that is taken always or never.
    Guard { arm: Option<(u32, usize)>, values: Vec<Switch> },
    /// An operator between two operands.
    Binary { left: Range<usize>, right: Range<usize>, operators: Vec<Switch> },
    /// An operator before an operand, which is left out.
    Unary { operand: Range<usize>, ids: Vec<u32> },
    /// The value of a field, which is taken from the base of the struct instead; `name` if it is written in short.
    Field { id: u32, base: String, name: Option<String> },
}

/// Returns the places of these breaks, and the breaks that have none.
pub fn find(text: &str, breaks: &[Break]) -> syn::Result<(Vec<Site>, Vec<u32>)> {
    let mut at = HashMap::<_, Vec<_>>::new();
    for one in breaks {
        at.entry((one.span.start.line, one.span.start.column)).or_default().push(one);
    }
    let lines = Lines::new(text);
    let mut finder = Finder { lines: &lines, at, sites: Vec::new(), placed: HashSet::new() };
    finder.visit_file(&syn::parse_file(text)?);
    let unplaced = breaks.iter().map(|one| one.id).filter(|id| !finder.placed.contains(id)).collect();
    Ok((finder.sites, unplaced))
}

struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { text, starts: std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect() }
    }

    fn offset(&self, LineColumn { line, column }: LineColumn) -> usize {
        let start = self.starts[line - 1];
        self.text[start..].char_indices().nth(column).map_or(self.text.len(), |(at, _)| start + at)
    }

    fn range(&self, span: Span) -> Range<usize> {
        self.offset(span.start())..self.offset(span.end())
    }
}

struct Finder<'t, 'b> {
    lines: &'t Lines<'t>,
    at: HashMap<(usize, usize), Vec<&'b Break>>,
    sites: Vec<Site>,
    placed: HashSet<u32>,
}

impl Finder<'_, '_> {
    /// Takes the breaks of a genre that begin where the span does.
    fn take(&mut self, span: Span, genre: &str) -> Vec<Switch> {
        let LineColumn { line, column } = span.start();
        let here = self.at.get(&(line, column + 1)).into_iter().flatten();
        let taken = here.filter(|one| one.genre == genre && self.placed.insert(one.id));
        taken.map(|one| (one.id, one.replacement.clone())).collect()
    }

    fn add(&mut self, range: Range<usize>, kind: Kind) {
        self.sites.push(Site { range, kind });
    }
}

impl<'ast> Visit<'ast> for Finder<'_, '_> {
    fn visit_block(&mut self, block: &'ast syn::Block) {
        if let Some(first) = block.stmts.first() {
            let values = self.take(first.span(), "FnValue");
            let start = self.lines.range(first.span()).start;
            if !values.is_empty() {
                self.add(start..start, Kind::Body(values));
            }
        }
        visit::visit_block(self, block);
    }

    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        // A chain with a `let` cannot be an operand.
        if !has_let(&binary.left) && !has_let(&binary.right) {
            let operators = self.take(binary.op.span(), "BinaryOperator");
            let [range, left, right] =
                [binary.span(), binary.left.span(), binary.right.span()].map(|span| self.lines.range(span));
            if !operators.is_empty() {
                self.add(range, Kind::Binary { left, right, operators });
            }
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        let ids: Vec<_> = self.take(unary.op.span(), "UnaryOperator").into_iter().map(|(id, _)| id).collect();
        if !ids.is_empty() {
            self.add(self.lines.range(unary.span()), Kind::Unary { operand: self.lines.range(unary.expr.span()), ids });
        }
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_match(&mut self, expression: &'ast syn::ExprMatch) {
        let start = self.lines.range(expression.span()).start;
        for arm in &expression.arms {
            let deleted = self.take(arm.span(), "MatchArm").first().map(|(id, _)| (*id, start));
            let Some((_, guard)) = &arm.guard else {
                if let Some((id, start)) = deleted {
                    let end = self.lines.range(arm.pat.span()).end;
                    self.add(end..end, Kind::Arm(id, start));
                }
                continue;
            };
            let values = self.take(guard.span(), "MatchArmGuard");
            if deleted.is_some() || !values.is_empty() {
                self.add(self.lines.range(guard.span()), Kind::Guard { arm: deleted, values });
            }
        }
        visit::visit_expr_match(self, expression);
    }

    fn visit_expr_struct(&mut self, expression: &'ast syn::ExprStruct) {
        if let Some(rest) = &expression.rest {
            let text = |span| &self.lines.text[self.lines.range(span)];
            let base = match text(rest.span()) {
                "Default::default()" => format!("<{} as Default>::default()", text(expression.path.span())),
                base => base.to_owned(),
            };
            for field in &expression.fields {
                let syn::Member::Named(name) = &field.member else { continue };
                if let Some((id, _)) = self.take(field.span(), "StructField").first() {
                    let base = format!("({base}).{name}");
                    let name = field.colon_token.is_none().then(|| name.to_string());
                    self.add(self.lines.range(field.expr.span()), Kind::Field { id: *id, base, name });
                }
            }
        }
        visit::visit_expr_struct(self, expression);
    }
}

fn has_let(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}
