//! The rules of a store.

use redress_store::conformance;
use redress_store_file::FileStore;

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_rules_of_a_store() {
    let home = tempfile::tempdir().unwrap();
    conformance::check(FileStore::open(home.path().join("portal")).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_rules_of_a_store_for_a_group() {
    let home = tempfile::tempdir().unwrap();
    conformance::check(FileStore::open_for_group(home.path().join("portal")).unwrap()).await;
}
