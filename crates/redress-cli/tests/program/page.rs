//! `docs/explain.md` shows what the program prints.
//!
//! With `REDRESS_FILL` set, the outputs are written into the page instead of compared.

use crate::run;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/explain.md");
const MARK: &str = "<!-- redress explain";
const BLOCK: &str = "```text\n";

#[test]
fn the_page_shows_what_the_program_prints() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let mut parts = page.split(MARK);
    let mut filled = parts.next().unwrap().to_owned();
    for example in parts {
        let (arguments, rest) = example.split_once("-->").unwrap();
        let (_, from_input) = rest.split_once(BLOCK).unwrap();
        let (input, from_gap) = from_input.split_once("\n```").unwrap();
        let (gap, from_output) = from_gap.split_once(BLOCK).unwrap();
        let (output, after) = from_output.split_once("\n```").unwrap();
        let arguments_of_run: Vec<&str> = ["explain"].into_iter().chain(arguments.split_whitespace()).collect();
        let ran = run(&arguments_of_run, format!("{input}\n"));
        let printed = format!("{}{}", ran.out, ran.err);
        if std::env::var_os("REDRESS_FILL").is_none() {
            assert_eq!(printed.trim_end(), output, "{arguments} {input}");
        }
        let printed = printed.trim_end();
        filled += &format!("{MARK}{arguments}-->\n{BLOCK}{input}\n```{gap}{BLOCK}{printed}\n```{after}");
    }
    if std::env::var_os("REDRESS_FILL").is_some() {
        std::fs::write(PAGE, filled).unwrap();
        return;
    }
    assert!(page.matches(MARK).count() >= 10);
    assert_eq!(page, filled, "only the outputs are taken from the program");
}
