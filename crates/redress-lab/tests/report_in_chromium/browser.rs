//! A browser, driven by the `WebDriver` protocol through `chromedriver`.

use std::env;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

/// A tab of a browser of its own; closed when it is dropped.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    profile: PathBuf,
}

/// What is pressed on a keyboard.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key {
    Tab,
    Space,
    Enter,
}

/// A browser that takes longer for one command hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Without these the browser asks for addresses of its own, and takes part in no closed network.
const QUIET: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

impl Browser {
    /// Starts a browser.
    pub(crate) fn start() -> Self {
        let program = |name: &str, unless_told: &str| env::var(name).unwrap_or_else(|_| unless_told.to_owned());
        let mut driver = Command::new(program("CHROMEDRIVER", "chromedriver"))
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromedriver: install Debian's chromium and chromium-driver");
        let told = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port =
            told.filter_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        let port = { port }.next().expect("chromedriver says its port");
        static NTH: AtomicU32 = AtomicU32::new(0);
        let nth = NTH.fetch_add(1, Ordering::Relaxed);
        let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{}-{nth}", std::process::id()));
        let profile_flag = format!("--user-data-dir={}", profile.display());
        let flags: Vec<_> = QUIET.into_iter().chain([&*profile_flag]).collect();
        let mut browser = Self { driver, port, session: String::new(), profile };
        let options = json!({"binary": program("CHROMIUM", "/usr/bin/chromium"), "args": flags});
        let wanted = json!({"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}});
        let started = browser.ask("POST", "/session", &json!({"capabilities": {"alwaysMatch": wanted}}));
        browser.session = started["sessionId"].as_str().expect("a session").to_owned();
        browser
    }

    /// Opens a file.
    pub(crate) fn open(&self, file: &Path) {
        self.tell("url", &json!({"url": format!("file://{}", file.display())}));
    }

    /// Loads the page again.
    pub(crate) fn reload(&self) {
        self.tell("refresh", &json!({}));
    }

    /// Runs a function's body in the page, and returns what it returns.
    pub(crate) fn run(&self, script: &str, arguments: &Value) -> Value {
        self.tell("execute/sync", &json!({"script": script, "args": [arguments]}))
    }

    /// Clicks on what a selector finds first, as a person does: nothing may lie above it.
    pub(crate) fn click(&self, selector: &str) {
        let found = self.tell("element", &json!({"using": "css selector", "value": selector}));
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        self.tell(&format!("element/{id}/click"), &json!({}));
    }

    /// Presses a key and lets it go.
    pub(crate) fn press(&self, key: Key) {
        let value = match key {
            Key::Tab => "\u{e004}",
            Key::Space => " ",
            Key::Enter => "\u{e007}",
        };
        let actions = json!([{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]);
        self.tell("actions", &json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]}));
    }

    /// Makes the screen so wide, as a phone's or a desk's, and light or dark; nothing on it moves slowly.
    pub(crate) fn screen(&self, width: u32, scheme: &str) {
        let size = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
        self.develop("Emulation.setDeviceMetricsOverride", &size);
        let features = json!([{"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"}]);
        self.develop("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    /// Asks the browser by its developer's protocol.
    pub(crate) fn develop(&self, command: &str, parameters: &Value) -> Value {
        self.tell("goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// Returns what the page has written to the console, and what the browser has complained about, since it was asked last.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.tell("se/log", &json!({"type": "browser"}));
        entries.as_array().unwrap().iter().map(ToString::to_string).collect()
    }

    fn tell(&self, what: &str, body: &Value) -> Value {
        self.ask("POST", &format!("/session/{}/{what}", self.session), body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let (head, value) = self.exchange(method, path, body).expect("chromedriver answers in time");
        assert!(head.starts_with("HTTP/1.1 200"), "{method} {path}: {value}");
        value
    }

    /// Returns the answer's head and the value in its body.
    fn exchange(&self, method: &str, path: &str, body: &Value) -> io::Result<(String, Value)> {
        let (body, host) = (body.to_string(), format!("127.0.0.1:{}", self.port));
        let mut connection = TcpStream::connect(&host)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        write!(
            connection,
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        // The driver keeps the connection open, whatever it is asked.
        let mut answer = BufReader::new(connection);
        let (mut head, mut line, mut length) = (String::new(), String::new(), 0);
        while answer.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.split_once(':') {
                length =
                    if name.eq_ignore_ascii_case("content-length") { value.trim().parse().unwrap() } else { length };
            }
            head += &std::mem::take(&mut line);
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body)?;
        Ok((head, serde_json::from_slice::<Value>(&body)?["value"].take()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Also after a test that failed: a driver that is killed leaves its browser behind.
        if !self.session.is_empty() {
            let _ = self.exchange("DELETE", &format!("/session/{}", self.session), &json!({}));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}
