//! The sources of one part of an envelope.

use std::borrow::Cow;

use super::source::{Response, Source};
use crate::cells::Cell;

/// How many sources are skipped at one look where none of their members is in a body.
const BLOCK: usize = 8;

/// The sources of one part of an envelope, in the order in which they are asked.
#[derive(Debug)]
pub(crate) struct Slot {
    sources: Vec<Source<Cell>>,
    /// For each block the cells that its sources read, as bits; none if one of them reads something else.
    blocks: Vec<u128>,
}

impl Slot {
    pub(crate) fn new(sources: Vec<Source<Cell>>) -> Self {
        let cells = |block: &[Source<Cell>]| {
            let all_read_cells = block.iter().all(|source| source.cells != 0);
            if all_read_cells { block.iter().fold(0, |cells, source| cells | source.cells) } else { 0 }
        };
        let blocks = sources.chunks(BLOCK).map(cells).collect();
        Self { sources, blocks }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    pub(crate) fn sources(&self) -> &[Source<Cell>] {
        &self.sources
    }

    /// Returns `true` if it is worth to skip whole blocks of sources.
    pub(crate) const fn is_long(&self) -> bool {
        self.blocks.len() > 1
    }

    /// Returns the text of the first source that is not asked after the fields and says something, and the number of that source.
    pub(crate) fn said<'a>(&self, response: &Response<'_, 'a>) -> Option<(Cow<'a, str>, u8)> {
        let blocks = self.sources.chunks(BLOCK).zip(&self.blocks).zip(0_u8..);
        let mut asked = blocks.filter(|((_, block), _)| **block == 0 || response.cells.has_any(**block));
        asked.find_map(|((sources, _), nth)| {
            let numbered = sources.iter().zip(nth * BLOCK as u8..);
            let mut asked = numbered.filter(|(source, _)| !source.after_fields && !source.is_absent(response.cells));
            asked.find_map(|(source, nth)| Some((source.read(response)?, nth)))
        })
    }
}
