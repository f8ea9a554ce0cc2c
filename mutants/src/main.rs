//! Writes sources in which every break of cargo-mutants stands behind a switch, so that one build has them all.
//!
//! `redress-mutants SOURCES BREAKS INTO MAP`: reads the files below the folder SOURCES that the JSON file BREAKS names, and writes them
//! below the folder INTO. The JSON file MAP then says which bytes belong to which break, so that an error of the compiler can be
//! laid to one. See `scripts/mutants`.

mod render;
mod sites;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use self::render::Part;

/// A break, as `cargo mutants --list --json` prints it, with its number.
#[derive(Clone, Debug, Deserialize)]
pub struct Break {
    id: u32,
    file: String,
    genre: String,
    replacement: String,
    span: Span,
}

#[derive(Clone, Debug, Deserialize)]
struct Span {
    start: Position,
}

#[derive(Clone, Debug, Deserialize)]
struct Position {
    line: usize,
    column: usize,
}

/// The breaks of the written sources, by file.
#[derive(Default, Serialize)]
struct Map {
    files: BTreeMap<String, Vec<Part>>,
    /// Breaks of places that have no switch: those in a `let` chain.
    unplaced: Vec<u32>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [sources, breaks, into, map_file] = &arguments[..] else {
        return Err("usage: redress-mutants SOURCES BREAKS INTO MAP".into());
    };
    let breaks: Vec<Break> = serde_json::from_str(&fs::read_to_string(breaks)?)?;
    let mut by_file = BTreeMap::<String, Vec<Break>>::new();
    for one in breaks {
        by_file.entry(one.file.clone()).or_default().push(one);
    }
    let mut map = Map::default();
    for (file, breaks) in by_file {
        let text = fs::read_to_string(Path::new(sources).join(&file))?;
        let (sites, unplaced) = sites::find(&text, &breaks).map_err(|error| format!("{file}: {error}"))?;
        let (written, parts) = render::render(&text, sites);
        fs::write(Path::new(into).join(&file), written)?;
        map.unplaced.extend(unplaced);
        map.files.insert(file, parts);
    }
    fs::write(map_file, serde_json::to_string(&map)?)?;
    Ok(())
}
