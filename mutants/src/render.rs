//! Writes a source with its switches.
//!
//! One break is on at a time, so a branch that is taken for a break holds the text of the source, without further switches: places in
//! each other do not multiply.

use std::ops::Range;

use serde::Serialize;

use crate::sites::{Kind, Site};

/// Bytes of the written source that belong to a break.
#[derive(Debug, Serialize)]
pub struct Part {
    id: u32,
    range: Range<usize>,
    /// The begin of the match in the source, for an arm that is deleted: without an arm, a match may no longer be exhaustive.
    arm_of: Option<usize>,
}

/// Returns the source with these places written anew, and the parts that belong to breaks.
pub fn render(text: &str, mut sites: Vec<Site>) -> (String, Vec<Part>) {
    // A place within another one comes after it, and one without bytes before one that begins there.
    sites.sort_by_key(|site| (site.range.start, !site.range.is_empty(), usize::MAX - site.range.end));
    let mut writer = Writer { text, written: String::with_capacity(2 * text.len()), parts: Vec::new() };
    writer.copy(0..text.len(), &sites);
    (writer.written, writer.parts)
}

struct Writer<'t> {
    text: &'t str,
    written: String,
    parts: Vec<Part>,
}

impl Writer<'_> {
    /// Writes a range of the source. `sites` are those within it.
    fn copy(&mut self, range: Range<usize>, mut sites: &[Site]) {
        let mut at = range.start;
        while let [site, rest @ ..] = sites {
            let within = rest.iter().take_while(|other| other.range.start < site.range.end).count();
            self.written.push_str(&self.text[at..site.range.start]);
            self.write(site, &rest[..within]);
            (at, sites) = (site.range.end, &rest[within..]);
        }
        self.written.push_str(&self.text[at..range.end]);
    }

    fn write(&mut self, site: &Site, within: &[Site]) {
        match &site.kind {
            Kind::Body(values) => {
                for (id, value) in values {
                    self.switch(*id, None, &format!("if crate::is_broken({id}) {{ return {value}; }} "));
                }
            }
            Kind::Arm(id, start) => self.switch(*id, Some(*start), &format!(" if !crate::is_broken({id})")),
            Kind::Guard { arm, values } => {
                if let Some((id, start)) = arm {
                    self.switch(*id, Some(*start), &format!("!crate::is_broken({id}) && "));
                }
                self.choose(values, |writer| writer.copy(site.range.clone(), within));
            }
            Kind::Binary { left, right, operators } => {
                let [first, second] = [left, right].map(|operand| &self.text[operand.clone()]);
                let broken: Vec<_> =
                    operators.iter().map(|(id, operator)| (*id, format!("({first}) {operator} ({second})"))).collect();
                self.choose(&broken, |writer| {
                    let (of_left, of_right) =
                        within.split_at(within.partition_point(|site| site.range.start < left.end));
                    // Without parentheses a block at the begin would end the statement.
                    writer.written.push('(');
                    writer.copy(left.clone(), of_left);
                    writer.written.push(')');
                    writer.written.push_str(&writer.text[left.end..right.start]);
                    writer.copy(right.clone(), of_right);
                });
            }
            Kind::Unary { operand, ids } => {
                let broken: Vec<_> = ids.iter().map(|id| (*id, self.text[operand.clone()].to_owned())).collect();
                self.choose(&broken, |writer| writer.copy(site.range.clone(), within));
            }
            Kind::Field { id, base, name } => {
                if let Some(name) = name {
                    self.written.push_str(&format!("{name}: "));
                }
                self.choose(&[(*id, base.clone())], |writer| writer.copy(site.range.clone(), within));
            }
        }
    }

    /// Writes an expression that has one of these texts as its value if the break is on, else the given one.
    fn choose(&mut self, broken: &[(u32, String)], otherwise: impl FnOnce(&mut Self)) {
        self.written.push('(');
        for (id, value) in broken {
            self.switch(*id, None, &format!("if crate::is_broken({id}) {{ {value} }} else "));
        }
        self.written.push_str("{ ");
        otherwise(self);
        self.written.push_str(" })");
    }

    fn switch(&mut self, id: u32, arm_of: Option<usize>, text: &str) {
        let start = self.written.len();
        self.written.push_str(text);
        self.parts.push(Part { id, range: start..self.written.len(), arm_of });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_each_other_are_each_written_once() {
        let text = "a + b * c";
        let binary = |range, left, right, id| Site {
            range,
            kind: Kind::Binary { left, right, operators: vec![(id, "-".to_owned())] },
        };
        let sites = vec![binary(4..9, 4..5, 8..9, 2), binary(0..9, 0..1, 4..9, 1)];
        let (written, parts) = render(text, sites);
        assert_eq!(
            written,
            "(if crate::is_broken(1) { (a) - (b * c) } else { (a) + (if crate::is_broken(2) { (b) - (c) } else { (b) * c }) })"
        );
        assert_eq!(parts.iter().map(|part| part.id).collect::<Vec<_>>(), [1, 2]);
    }
}
