//! The public types of the crates, as their sources name them.
//!
//! Each `lib.rs` is parsed, and each public module that it names; a public item is one that is declared there or is re-exported
//! by name. The limits: a glob re-export fails the test instead of being followed; a re-export is known by
//! its name, so that a name counts as a type unless it begins with a small letter or is that of a trait; a type that is public
//! in a private module and is never named at the top can be had from a method and is not found, as are those of a feature that
//! is declared by a macro.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Item, UseTree, Visibility};

/// The crates whose types may meet a secret. The others are tools, or know of bytes only.
const CRATES: [&str; 7] = [
    "redress-envelope",
    "redress-classify",
    "redress-pace",
    "redress-refresh",
    "redress-backoff",
    "redress-store",
    "redress",
];

/// A crate's public types, and those of its types that print.
#[derive(Debug, Default)]
pub(crate) struct Types {
    /// As `crate::Name` or `crate::module::Name`.
    pub(crate) public: BTreeSet<String>,
    pub(crate) printable: BTreeSet<String>,
}

pub(crate) fn all() -> Types {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    let mut types = Types::default();
    for name in CRATES {
        let source = crates.join(name).join("src");
        if source.is_dir() {
            of_crate(name, &source, &mut types);
        }
    }
    types
}

fn of_crate(name: &str, source: &Path, types: &mut Types) {
    let mut files = Vec::new();
    rust_files(source, &mut files);
    let parsed: BTreeMap<PathBuf, syn::File> = files.into_iter().map(|path| (path.clone(), parse(&path))).collect();
    let traits = parsed.values().flat_map(|file| &file.items).filter_map(|item| match item {
        Item::Trait(item) => Some(item.ident.to_string()),
        _ => None,
    });
    let traits: BTreeSet<String> = traits.collect();
    let mut found = Vec::new();
    public(&parsed, &source.join("lib.rs"), name, &mut found);
    types.public.extend(found.into_iter().filter(|path| {
        let ident = path.rsplit("::").next().unwrap();
        ident.starts_with(char::is_uppercase)
            && !ident.chars().all(|symbol| !symbol.is_lowercase())
            && !traits.contains(ident)
    }));
    let printing = parsed.values().flat_map(|file| &file.items).filter_map(printing);
    types.printable.extend(printing.map(|ident| format!("{name}::{ident}")));
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn parse(path: &Path) -> syn::File {
    let text = fs::read_to_string(path).unwrap();
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Collects the public items of a file and of its public modules.
fn public(parsed: &BTreeMap<PathBuf, syn::File>, file: &Path, place: &str, found: &mut Vec<String>) {
    for item in &parsed[file].items {
        let declared = match item {
            Item::Struct(item) => (&item.vis, &item.ident),
            Item::Enum(item) => (&item.vis, &item.ident),
            Item::Union(item) => (&item.vis, &item.ident),
            Item::Type(item) => (&item.vis, &item.ident),
            // The types of the agreement between the layers stay in a call, and print nothing of it.
            Item::Mod(item) if item.ident == "straight" => continue,
            Item::Mod(item) if is_public(&item.vis) && !is_fuzzing(&item.attrs) => {
                assert!(item.content.is_none(), "{place}::{} is declared inline", item.ident);
                public(
                    parsed,
                    &module(parsed, file, &item.ident.to_string()),
                    &format!("{place}::{}", item.ident),
                    found,
                );
                continue;
            }
            Item::Use(item) if is_public(&item.vis) => {
                reexported(&item.tree, place, found);
                continue;
            }
            _ => continue,
        };
        if is_public(declared.0) {
            found.push(format!("{place}::{}", declared.1));
        }
    }
}

fn module(parsed: &BTreeMap<PathBuf, syn::File>, file: &Path, name: &str) -> PathBuf {
    let stem = file.file_stem().unwrap().to_str().unwrap();
    let folder = file.parent().unwrap();
    let folder = if matches!(stem, "lib" | "mod") { folder.to_owned() } else { folder.join(stem) };
    let paths = [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
    paths.into_iter().find(|path| parsed.contains_key(path)).unwrap_or_else(|| panic!("no file for {name}"))
}

/// Collects what a `pub use` names; what another of these crates exports is found there.
fn reexported(tree: &UseTree, place: &str, found: &mut Vec<String>) {
    match tree {
        UseTree::Path(path) if path.ident.to_string().starts_with("redress_") => {}
        UseTree::Path(path) => reexported(&path.tree, place, found),
        UseTree::Group(group) => group.items.iter().for_each(|tree| reexported(tree, place, found)),
        UseTree::Name(name) => found.push(format!("{place}::{}", name.ident)),
        UseTree::Rename(name) => found.push(format!("{place}::{}", name.rename)),
        UseTree::Glob(_) => panic!("{place} re-exports a glob, which is not followed"),
    }
}

/// Returns the name of a type that this item makes printable.
fn printing(item: &Item) -> Option<String> {
    match item {
        Item::Impl(item) => {
            let (path, _) = item.trait_.as_ref()?;
            let what = path.segments.last()?.ident.to_string();
            let syn::Type::Path(own) = item.self_ty.as_ref() else { return None };
            matches!(what.as_str(), "Debug" | "Display").then(|| own.path.segments.last().unwrap().ident.to_string())
        }
        Item::Struct(item) if derives_debug(&item.attrs) => Some(item.ident.to_string()),
        Item::Enum(item) if derives_debug(&item.attrs) => Some(item.ident.to_string()),
        _ => None,
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_fuzzing(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg") && list.tokens.to_string() == "fuzzing"
    })
}

fn derives_debug(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("derive") && list.tokens.to_string().split(',').any(|name| name.trim() == "Debug")
    })
}
