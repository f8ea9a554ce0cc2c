//! What the fuzz targets assert; the same harness replays their corpus in the crates' tests.

pub mod answer_hint;
pub mod budget_ops;
pub mod dialect;
pub mod envelope_bounds;
pub mod envelope_chunks;
pub mod envelope_diff;
pub mod grpc;
pub mod hint;
pub mod http_date;
pub mod pattern;
pub mod replay_body;
pub mod xml;
