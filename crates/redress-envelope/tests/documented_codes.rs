//! The documentation of each function of `dialects` lists the codes of its dialect.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use redress_envelope::{Dialect, dialects};

/// Returns the documentation of each function in the files of `dialects`, by the name of the dialect.
fn documented() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dialects");
    let mut all = BTreeMap::new();
    for file in std::fs::read_dir(folder).expect("the folder is there") {
        let text = std::fs::read_to_string(file.expect("it can be listed").path()).expect("it can be read");
        let mut docs = String::new();
        for line in text.lines() {
            if let Some(doc) = line.strip_prefix("///") {
                docs.extend([doc.trim(), " "]);
            } else if let Some(name) = line.strip_prefix("pub fn ").and_then(|rest| rest.split('(').next()) {
                all.insert(name.replace('_', "-"), std::mem::take(&mut docs));
            }
        }
    }
    all
}

/// Returns the codes of a dialect by class, as the documentation lists them, without those that its base has too.
fn listed(dialect: &Dialect) -> String {
    let file = dialects::toml(dialect.name()).expect("it is shipped");
    let base = file.lines().find_map(|line| line.strip_prefix("extends = \""));
    let base = base.and_then(|name| dialects::by_name(name.trim_end_matches('"')));
    let inherited = |code: &str| base.as_ref().and_then(|base| base.code(code)).map(|code| code.class);
    let mut classes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for code in dialect.codes().filter(|code| inherited(&code.code) != Some(code.class)) {
        classes.entry(code.class.as_str()).or_default().push(format!("`{}`", code.code));
    }
    let mut list = String::new();
    for (class, codes) in classes {
        let _ = write!(list, "- `{class}`: {} ", codes.join(", "));
    }
    list
}

#[test]
fn each_dialect_lists_its_codes_by_class() {
    let documented = documented();
    for dialect in dialects::all() {
        let docs = documented.get(dialect.name()).unwrap_or_else(|| panic!("{} has no function", dialect.name()));
        let list = listed(&dialect);
        assert!(docs.contains(list.trim()), "{}: the documentation should list\n{list}", dialect.name());
    }
}
