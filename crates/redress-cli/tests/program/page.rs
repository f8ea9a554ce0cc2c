//! `docs/explain.md` shows what the program prints.

use crate::run;

const PAGE: &str = include_str!("../../../../docs/explain.md");

#[test]
fn the_page_shows_what_the_program_prints() {
    let mut examples = PAGE.split("<!-- redress explain").skip(1).peekable();
    assert!(examples.peek().is_some());
    for example in examples {
        let (arguments, rest) = example.split_once("-->").unwrap();
        let mut blocks = rest.split("```text\n").skip(1).map(|block| block.split("\n```").next().unwrap());
        let (input, output) = (blocks.next().unwrap(), blocks.next().unwrap());
        let arguments: Vec<&str> = ["explain"].into_iter().chain(arguments.split_whitespace()).collect();
        let ran = run(&arguments, format!("{input}\n"));
        assert_eq!(format!("{}{}", ran.out, ran.err).trim_end(), output, "{arguments:?} {input}");
    }
}
