//! The examples of `docs/hosts.md` are the code of these tests.

const PAGE: &str = include_str!("../../../docs/hosts.md");

const TESTS: [&str; 8] = [
    include_str!("async_openai.rs"),
    include_str!("connectrpc.rs"),
    include_str!("kube.rs"),
    include_str!("object_store.rs"),
    include_str!("octocrab.rs"),
    include_str!("progenitor.rs"),
    include_str!("reqwest_middleware.rs"),
    include_str!("tonic.rs"),
];

/// Returns the lines between `// docs: NAME` and `// docs: end`, without their common indentation.
fn examples(source: &str) -> Vec<(String, String)> {
    let mut examples = Vec::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let Some((indentation, name)) = line.split_once("// docs: ") else { continue };
        let body: Vec<_> = lines.by_ref().take_while(|line| line.trim() != "// docs: end").collect();
        let body = body.iter().map(|line| line.strip_prefix(indentation).unwrap_or(line)).collect::<Vec<_>>();
        examples.push((name.to_owned(), body.join("\n")));
    }
    examples
}

#[test]
fn the_page_shows_the_code_that_is_tested() {
    let all: Vec<_> = TESTS.iter().flat_map(|source| examples(source)).collect();
    assert_eq!(all.len(), 10, "each library has one, kube and reqwest-middleware have two");
    for (name, code) in all {
        assert!(PAGE.contains(&format!("```rust,ignore\n{code}\n```")), "{name}:\n{code}");
    }
}
