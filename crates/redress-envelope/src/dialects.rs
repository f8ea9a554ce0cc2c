//! The dialects that come with the crate.
//!
//! Each is a TOML file under `dialects/`, compiled on first use.

use std::sync::OnceLock;

use crate::dialect::Dialect;

/// The names of all shipped dialects, sorted.
pub const NAMES: &[&str] = &["maleslab", "ranex", "veridia", "verilock", "vlens"];

const FILES: [&str; 5] = [
    include_str!("../dialects/maleslab.toml"),
    include_str!("../dialects/ranex.toml"),
    include_str!("../dialects/veridia.toml"),
    include_str!("../dialects/verilock.toml"),
    include_str!("../dialects/vlens.toml"),
];

static COMPILED: [OnceLock<Dialect>; FILES.len()] = [const { OnceLock::new() }; FILES.len()];

/// Returns the dialect of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<Dialect> {
    NAMES.iter().position(|known| *known == name).map(shipped)
}

/// Returns all shipped dialects, sorted by name.
#[must_use]
pub fn all() -> Vec<Dialect> {
    (0..NAMES.len()).map(shipped).collect()
}

/// Returns the dialect of Maleslab: `success: false` or the status signals, `error.code` is the code.
#[must_use]
pub fn maleslab() -> Dialect {
    shipped(0)
}

/// Returns the dialect of Ranex: the status is all there is, besides a message.
#[must_use]
pub fn ranex() -> Dialect {
    shipped(1)
}

/// Returns the dialect of Veridia: the string `error` decides, on whatever error status it comes.
#[must_use]
pub fn veridia() -> Dialect {
    shipped(2)
}

/// Returns the dialect of Verilock: the status decides, the wait may stand in the body.
#[must_use]
pub fn verilock() -> Dialect {
    shipped(3)
}

/// Returns the dialect of Vlens: `error_code` decides, on a 200 too.
///
/// Vlens publishes two of its codes. Add those that your tenant sends, its "token expired" above all:
/// [`Dialect::with_code`] or [`Dialect::extend`]. Until then a 401 is what makes a refresh happen.
#[must_use]
pub fn vlens() -> Dialect {
    shipped(4)
}

fn shipped(nth: usize) -> Dialect {
    let compile = || {
        let file = format!("dialects/{}.toml", NAMES[nth]);
        Dialect::from_toml(&file, FILES[nth]).expect("a test reads every shipped file")
    };
    COMPILED[nth].get_or_init(compile).clone()
}
