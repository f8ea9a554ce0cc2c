//! Tells the policies the versions of the crates whose code they run, as the lock file has them.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The crates whose versions are told, as `LAB_NAME`.
const CRATES: [&str; 6] =
    ["aws-smithy-runtime", "backon", "reqwest-retry", "retry-policies", "tower", "tower-resilience-retry"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let lock = env::var_os("CARGO_MANIFEST_DIR").and_then(|directory| lock_above(Path::new(&directory)));
    if let Some(lock) = &lock {
        println!("cargo::rerun-if-changed={}", lock.display());
    }
    let packages = lock.and_then(|lock| fs::read_to_string(lock).ok()).unwrap_or_default();
    for name in CRATES {
        let variable = name.to_uppercase().replace('-', "_");
        println!("cargo::rustc-env=LAB_{variable}={}", version(&packages, name).unwrap_or("unknown version"));
    }
}

/// Returns the nearest lock file upwards of a directory.
fn lock_above(directory: &Path) -> Option<PathBuf> {
    directory.ancestors().map(|above| above.join("Cargo.lock")).find(|lock| lock.is_file())
}

/// Returns a package's version; of several the newest, which the file has last.
fn version<'a>(packages: &'a str, name: &str) -> Option<&'a str> {
    let head = format!("name = \"{name}\"");
    let mut lines = packages.lines();
    let mut newest = None;
    while let Some(line) = lines.next() {
        if line == head {
            newest = lines.next().and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
        }
    }
    newest
}
