//! The code that is built is the code in this repository: unsafe code in one crate only, no build scripts, one registry.

use std::fs;
use std::path::{Path, PathBuf};

/// The one crate that loads vectors.
const UNSAFE: &str = "redress-skip";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the published crates.
fn crates() -> Vec<String> {
    let folders = fs::read_dir(root().join("crates")).expect("it is there");
    folders.map(|folder| folder.expect("it is read").file_name().into_string().expect("UTF-8")).collect()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it is read").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn no_crate_but_one_can_hold_unsafe_code() {
    let lints = read("Cargo.toml");
    let table = lints.split("[workspace.lints.rust]").nth(1).and_then(|rest| rest.split("\n[").next());
    assert!(table.is_some_and(|table| table.contains("\nunsafe_code = \"forbid\"\n")), "the lint of all crates");
    for name in crates() {
        let manifest = read(format!("crates/{name}/Cargo.toml"));
        let takes_lints = manifest.contains("[lints]\nworkspace = true");
        assert_eq!(takes_lints, name != UNSAFE, "{name}");
    }
    // Where it is allowed, it is allowed in two modules, and the crate has nothing but loops over bytes.
    let manifest = read(format!("crates/{UNSAFE}/Cargo.toml"));
    assert!(manifest.contains("unsafe_code = \"deny\"") && !manifest.contains("[dependencies]"), "{manifest}");
    let mut files = Vec::new();
    rust_files(&root().join("crates").join(UNSAFE).join("src"), &mut files);
    let allowing =
        files.iter().filter(|file| fs::read_to_string(file).expect("it is read").contains("allow(unsafe_code"));
    assert!(allowing.count() <= 2, "more modules allow it than are looked at");
}

#[test]
fn no_crate_runs_a_build_script() {
    for name in crates() {
        assert!(!root().join("crates").join(&name).join("build.rs").exists(), "{name}");
        let manifest = read(format!("crates/{name}/Cargo.toml"));
        let keys = manifest.lines().map(|line| line.split(['=', ' ', '.']).next().unwrap_or_default());
        assert!(keys.clone().all(|key| !matches!(key, "build" | "links" | "[build-dependencies]")), "{name}");
    }
}

#[test]
fn every_dependency_is_of_the_one_registry_and_locked() {
    let lock = read("Cargo.lock");
    let sources: Vec<_> = lock.lines().filter(|line| line.starts_with("source = ")).collect();
    let registry = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    assert!(!sources.is_empty() && sources.iter().all(|source| *source == registry), "{sources:?}");
    let checksums = lock.lines().filter(|line| line.starts_with("checksum = ")).count();
    assert_eq!(checksums, sources.len(), "each of them has a checksum");
    let rules = read("deny.toml");
    for rule in ["unknown-registry = \"deny\"", "unknown-git = \"deny\"", "wildcards = \"deny\""] {
        assert!(rules.contains(rule), "deny.toml: {rule}");
    }
}
