//! Replays a fuzz corpus, for the tests of the crates that the harness holds.

use std::path::Path;

/// Puts every seed of a target to its harness, and prints which one it is.
pub(crate) fn replay(target: &str, check: fn(&[u8])) {
    // The crates lie side by side.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).expect("the corpus is part of the repository");
    let mut count = 0;
    for file in files {
        let path = file.expect("the folder can be listed").path();
        eprintln!("{}", path.display());
        check(&std::fs::read(path).expect("the seed can be read"));
        count += 1;
    }
    assert!(count >= 20, "{} holds {count} seeds", folder.display());
}
