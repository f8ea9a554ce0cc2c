//! What the fuzz targets assert; the same harness replays their corpus in the crates' tests.

pub mod envelope;
pub mod hint;
