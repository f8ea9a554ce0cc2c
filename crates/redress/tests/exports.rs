//! The names that users import: each public name of the layers' crates has one path in `redress`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::{Item, UseTree, Visibility};

const CRATES: [&str; 5] = ["envelope", "classify", "backoff", "pace", "refresh"];

/// One name that a file exports: the crate it comes from, if that is named, the name there and the name here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Export {
    from: Option<String>,
    original: String,
    name: String,
}

fn walk(tree: &UseTree, from: Option<&str>, exports: &mut Vec<Export>) {
    let export = |original: String, name: String| Export { from: from.map(str::to_owned), original, name };
    match tree {
        UseTree::Path(path) => {
            let name = path.ident.to_string();
            walk(&path.tree, Some(from.unwrap_or(&name)), exports);
        }
        UseTree::Name(name) => exports.push(export(name.ident.to_string(), name.ident.to_string())),
        UseTree::Rename(rename) => exports.push(export(rename.ident.to_string(), rename.rename.to_string())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, from, exports)),
        UseTree::Glob(_) => panic!("a glob exports names that are not listed"),
    }
}

/// Returns the public names of a file, without those that only a fuzzer sees.
fn exports(path: &str) -> Vec<Export> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut exports = Vec::new();
    for item in syn::parse_file(&text).expect("the file compiles").items {
        match item {
            Item::Use(item) if matches!(item.vis, Visibility::Public(_)) => walk(&item.tree, None, &mut exports),
            // The agreement between the layers is hidden from their users.
            Item::Mod(item) if item.ident == "straight" => {}
            Item::Mod(item) if matches!(item.vis, Visibility::Public(_)) && item.ident != "work" => {
                let name = item.ident.to_string();
                exports.push(Export { from: None, original: name.clone(), name });
            }
            _ => {}
        }
    }
    exports
}

fn all_modules() -> Vec<Export> {
    ["lib", "grpc", "layers", "login", "transport"]
        .iter()
        .flat_map(|file| exports(&format!("redress/src/{file}.rs")))
        .collect()
}

#[test]
fn every_public_name_of_the_layers_crates_is_exported_exactly_once() {
    let exported = all_modules();
    let mut missing = Vec::new();
    for short in CRATES {
        let home = format!("redress_{short}");
        for item in exports(&format!("redress-{short}/src/lib.rs")) {
            // A re-export of another crate is checked at its origin.
            if item.from.as_deref().is_some_and(|from| from.starts_with("redress_") || from == "secrecy") {
                continue;
            }
            let paths =
                exported.iter().filter(|export| export.from.as_deref() == Some(&home) && export.original == item.name);
            if paths.count() != 1 {
                missing.push(format!("{home}::{}", item.name));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "list these once, in lib.rs for users, grpc.rs for users of gRPC or layers.rs for authors of layers: {missing:?}"
    );
}

#[test]
fn no_two_exports_share_a_name() {
    let mut names = BTreeMap::new();
    for export in all_modules() {
        *names.entry(export.name).or_insert(0) += 1;
    }
    let twice: Vec<_> = names.into_iter().filter(|(_, count)| *count > 1).collect();
    assert_eq!(twice, []);
}

#[test]
fn no_crate_of_a_layer_is_exported_as_a_module() {
    let names: BTreeSet<_> = all_modules().into_iter().map(|export| export.name).collect();
    assert!(CRATES.iter().all(|short| !names.contains(*short)), "a type would have two paths: {names:?}");
}
