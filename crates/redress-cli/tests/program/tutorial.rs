//! `docs/first-dialect.md`: each of its commands writes what the page shows.
//!
//! A block whose first line names a file is that file from there on; a block of the kind `console` has commands behind `$`,
//! each with its output. With `REDRESS_FILL` set, the outputs are written into the page instead of compared.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::running::{Running, lines};
use crate::{TestFolder, finish, program};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/first-dialect.md");
/// The address of the sandbox in the page; a test takes a free port.
const SHOWN: &str = "127.0.0.1:8080";

/// The folder in which a reader follows the page, and the sandbox that runs there.
struct Reader {
    folder: TestFolder,
    sandbox: Option<(Running, String)>,
}

#[test]
fn the_first_dialect_is_written_as_the_page_says() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let mut reader = Reader { folder: TestFolder::new("tutorial", &[("README", "")]), sandbox: None };
    let filled = reader.follow(&page);
    if std::env::var_os("REDRESS_FILL").is_some() {
        std::fs::write(PAGE, filled).unwrap();
        return;
    }
    for (nth, (shown, written)) in page.lines().zip(filled.lines()).enumerate() {
        assert_eq!(shown, written, "docs/first-dialect.md:{}: REDRESS_FILL=1 writes the outputs anew", nth + 1);
    }
    assert_eq!(page, filled);
    let steps = page.lines().filter(|line| line.starts_with("## ")).count();
    assert_eq!(steps, 10);
}

impl Reader {
    /// Returns the page with what its commands write.
    fn follow(&mut self, page: &str) -> String {
        let mut out = String::new();
        let mut rest = page.lines();
        while let Some(line) = rest.next() {
            out.push_str(&format!("{line}\n"));
            let Some(kind) = line.strip_prefix("```") else { continue };
            let inside: Vec<&str> = rest.by_ref().take_while(|line| *line != "```").collect();
            if kind == "console" {
                for command in inside.iter().filter_map(|line| line.strip_prefix("$ ")) {
                    out.push_str(&format!("$ {command}\n{}", self.run(command)));
                }
            } else {
                let text: String = inside.iter().map(|line| format!("{line}\n")).collect();
                if let Some((_, file)) = kind.split_once(' ') {
                    std::fs::write(self.folder.path(file), &text).unwrap();
                }
                out.push_str(&text);
            }
            out.push_str("```\n");
        }
        out
    }

    /// Returns what a command writes: one of the program, behind a request to its sandbox or not.
    fn run(&mut self, command: &str) -> String {
        let (request, command) = match command.split_once(" | ") {
            Some((request, command)) => (Some(request), command),
            None => (None, command),
        };
        // The answer of an API that does not exist is a file of the page.
        let Some(arguments) = command.strip_prefix("redress ") else {
            assert!(command.starts_with("curl ") && command.contains(" > "), "{command}");
            return String::new();
        };
        let arguments: Vec<&str> =
            arguments.split(' ').map(|word| if word == SHOWN { "127.0.0.1:0" } else { word }).collect();
        let mut program = program(&arguments);
        program.current_dir(&self.folder.0);
        if arguments[0] == "sandbox" {
            return self.start(program);
        }
        let input = request.map(|request| self.ask(request)).unwrap_or_default();
        let ran = finish(&mut program, input);
        ran.out + &ran.err
    }

    /// Starts the sandbox, and returns what it writes until it serves.
    fn start(&mut self, mut program: std::process::Command) -> String {
        let mut running = Running(program.spawn().unwrap());
        let shown = lines(running.0.stdout.take().unwrap());
        let mut out = String::new();
        while !out.ends_with("Ctrl-C stops.\n") {
            out.push_str(&format!("{}\n", shown.recv_timeout(Duration::from_secs(60)).unwrap()));
        }
        let address = out.lines().next().unwrap().rsplit('/').next().unwrap().to_owned();
        let out = out.replace(&address, SHOWN);
        self.sandbox = Some((running, address));
        out
    }

    /// Sends what `curl -si -X METHOD URL` would send, and returns the answer.
    fn ask(&self, request: &str) -> String {
        let (_, address) = self.sandbox.as_ref().unwrap();
        let words: Vec<&str> = request.split(' ').collect();
        let ["curl", "-si", "-X", method, url] = words[..] else { panic!("{request}") };
        let path = url.strip_prefix(&format!("http://{SHOWN}")).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}
