//! The report in a browser: it shows, it can be operated with mouse and keyboard, it fits a phone, in light and dark.
//!
//! `scripts/report` runs these tests; they need Chromium and `chromedriver`. `REPORT_PAGE` in the environment names a page
//! to be tested in place of one made here; into `REPORT_SHOTS`, a directory, they write pictures.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod browser;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use browser::{Browser, Key};
use redress_lab::policies::{NoRetry, RedressStack};
use redress_lab::{Comparison, Policy, Scenario, report};
use serde_json::{Value, json};

/// Names that a page may not take for markup, nor an address for its own signs.
const ODD: &str = "50% <b>&\"fast\"</b>, #1 ü";

const SCENARIOS: [&str; 4] = [
    "name = 'black hole'\nabout = 'requests are held for ten seconds at 93 % utilisation'\nlength = '120s'\n\
     clients = { utilization = 0.93, attempt_timeout = '1s', deadline = '10s' }\nserver = { kind = 'fifo', rate = 30.0 }\n\
     fault = [{ kind = 'hold', from = '30s', for = '10s' }]",
    "name = '<img src=x onerror=window.broken=1> & \"co\"'\nabout = '</script><script>window.broken=1</script>'\nlength = '90s'\n\
     clients = { rate = 15.0, post = 0.2, deadline = '10s', wave = [{ from = '60s', for = '10s', rate = 40.0 }], burst = [{ at = '80s', calls = 150 }] }\n\
     server = { kind = 'fifo', rate = 100.0 }\nlimit = { requests = 25, per = '1s' }\n\
     fault = [{ kind = 'answer', from = '10s', for = '2s', every = '6s', share = 0.7 }]",
    "name = 'tokens'\nabout = 'tokens run out under load'\ndialect = 'vlens'\nlength = '60s'\n\
     clients = { rate = 10.0, deadline = '10s' }\nserver = { kind = 'fifo', rate = 100.0 }\n\
     token = { lives = '20s', login = '500ms', answer = { status = 401, body = '{}' } }",
    "name = 'closed loop'\nabout = 'callers wait for an answer before they ask again'\nlength = '60s'\n\
     clients = { callers = 15, think = '500ms', attempt_timeout = '1s', deadline = '5s' }\n\
     server = { kind = 'concurrency', base = '50ms', per_request = '15ms' }\n\
     fault = [{ kind = 'slow', from = '20s', for = '10s', factor = 20.0 }]",
];

const SETTINGS: [&str; 7] = [
    "name = 'impatient'\nattempts = 8\nbudget = false\ntransient = { base = '10ms', cap = '50ms' }\njitter = 'none'",
    "name = 'no budget'\nbudget = false",
    "name = 'decorrelated'\njitter = 'decorrelated'",
    "name = 'equal'\njitter = 'equal'",
    "name = 'patient'\ntransient = { base = '2s', cap = '20s' }",
    "name = 'without limits'\nlimits = false",
    "name = 'five attempts, a small budget'\nattempts = 5\nbudget = 20",
];

/// Returns the page's file.
fn page() -> &'static Path {
    static PAGE: OnceLock<PathBuf> = OnceLock::new();
    PAGE.get_or_init(|| match env::var_os("REPORT_PAGE") {
        Some(page) => fs::canonicalize(page).unwrap(),
        None => {
            let page = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{}.html", std::process::id()));
            fs::write(&page, report::page(&comparisons(), "redress lab run --all --report out.html")).unwrap();
            page
        }
    })
}

fn comparisons() -> Vec<Comparison> {
    let mut policies: Vec<Box<dyn Policy>> = vec![Box::new(NoRetry), Box::new(RedressStack::new())];
    let odd = format!("name = '{ODD}'\nbudget = 10");
    for settings in SETTINGS.into_iter().chain([&*odd]) {
        policies.push(Box::new(RedressStack::from_settings(toml::from_str(settings).unwrap())));
    }
    let run = |text: &str| Comparison::run(&text.parse::<Scenario>().unwrap(), &policies, &[1, 2], |_| {});
    let fleet = SCENARIOS[0].replace("clients = {", "clients = { clients = 20,");
    SCENARIOS.into_iter().chain([&*fleet]).map(run).collect()
}

/// Opens the page, as wide as a desk.
fn opened() -> Browser {
    let browser = Browser::start();
    browser.screen(1280, "light");
    browser.open(page());
    browser
}

/// Returns for each policy how many of its marks can be seen, as long as `data-policy` says whose they are.
fn seen(browser: &Browser) -> Vec<(String, u64)> {
    let script = "return [...document.querySelectorAll('button[data-policy]')].map((button) => [button.dataset.policy,
        [...document.querySelectorAll('main .' + button.dataset.policy)].filter((mark) => mark.getClientRects().length).length])";
    let seen = browser.run(script, &json!(null));
    let pair = |pair: &Value| (pair[0].as_str().unwrap().to_owned(), pair[1].as_u64().unwrap());
    seen.as_array().unwrap().iter().map(pair).collect()
}

/// Returns the policies that the switches say are shown.
fn pressed(browser: &Browser) -> BTreeSet<String> {
    let script = "return [...document.querySelectorAll('button[data-policy][aria-pressed=true]')].map((it) => it.dataset.policy)";
    let pressed = browser.run(script, &json!(null));
    pressed.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn assert_quiet(browser: &Browser) {
    assert_eq!(browser.console(), Vec::<String>::new(), "the console is empty");
    let asked = browser.run("return performance.getEntriesByType('resource').map((it) => it.name)", &json!(null));
    assert_eq!(asked, json!([]), "the page asks for nothing");
}

#[test]
#[ignore = "needs a browser: scripts/report runs it"]
fn the_page_shows_every_chart_with_its_text_and_loads_nothing() {
    let browser = opened();
    let script = "return [...document.querySelectorAll('svg[role=img]')].filter((it) => {
        const [box, title] = [it.getBoundingClientRect(), it.querySelector('title')];
        return !(box.width > 50 && box.height > 5 && title && title.textContent.trim().length > 10);
    }).map((it) => it.outerHTML.slice(0, 300))";
    assert_eq!(browser.run(script, &json!(null)), json!([]), "charts without size or title");
    let counts = browser.run(
        "return [document.querySelectorAll('section.scenario').length, document.querySelectorAll('section.scenario figure svg').length,
            document.querySelectorAll('nav ol a').length, document.querySelectorAll('.matrix').length, window.broken ? 1 : 0,
            document.images.length]",
        &json!(null),
    );
    let scenarios = counts[0].as_u64().unwrap();
    assert!(scenarios > 0);
    assert_eq!(counts, json!([scenarios, 3 * scenarios, scenarios, 2, 0, 0]));
    let lost = "return [...document.querySelectorAll('a[href^=\"#\"]')].filter((it) => !document.querySelector(it.hash)).map((it) => it.hash)";
    assert_eq!(browser.run(lost, &json!(null)), json!([]), "links to nothing");
    let ids =
        "const ids = [...document.querySelectorAll('[id]')].map((it) => it.id); return ids.length - new Set(ids).size";
    assert_eq!(browser.run(ids, &json!(null)), json!(0), "ids that are given twice");
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs a browser: scripts/report runs it"]
fn a_switch_hides_one_policy_everywhere() {
    let browser = opened();
    let before = seen(&browser);
    assert!(before.len() > 1 && before.iter().all(|(_, marks)| *marks > 5), "{before:?}");
    for (nth, (policy, _)) in before.iter().enumerate() {
        let switch = format!("button[data-policy={policy}]");
        browser.click(&switch);
        let mut expected = before.clone();
        expected[nth].1 = 0;
        assert_eq!(seen(&browser), expected, "without {policy}");
        assert!(!pressed(&browser).contains(policy), "{policy} is not pressed");
        browser.click(&switch);
        assert_eq!(seen(&browser), before, "with {policy} again");
    }
    browser.click("#none");
    assert!(seen(&browser).iter().all(|(_, marks)| *marks == 0) && pressed(&browser).is_empty());
    browser.click("#all");
    assert_eq!(seen(&browser), before);
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs a browser: scripts/report runs it"]
fn a_switch_hides_the_scenarios_with_one_number_of_processes() {
    let browser = opened();
    let shown = |selector: &str| {
        let script = format!(
            "return [...document.querySelectorAll('{selector}')].filter((it) => it.getClientRects().length).length"
        );
        browser.run(&script, &json!(null)).as_u64().unwrap()
    };
    let count = || ["section.scenario", ".matrix tbody tr"].map(shown);
    let (all, sizes) = (count(), shown("button[data-size]"));
    if sizes == 0 {
        // A page of one size.
        return;
    }
    for size in 0..sizes {
        let own = [format!("section.c{size}"), format!(".matrix tr.c{size}")].map(|it| shown(&it));
        let switch = format!("button[data-size=c{size}]");
        browser.click(&switch);
        assert!(own.iter().all(|own| *own > 0));
        assert_eq!(count(), [0, 1].map(|nth| all[nth] - own[nth]), "without c{size}");
        browser.reload();
        assert_eq!(count(), [0, 1].map(|nth| all[nth] - own[nth]), "after a reload");
        browser.click(&switch);
        assert_eq!(count(), all);
    }
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs a browser: scripts/report runs it"]
fn hidden_policies_stay_hidden_after_a_reload() {
    let browser = opened();
    let all = pressed(&browser);
    let last = format!("p{}", all.len() - 1);
    browser.click("button[data-policy=p0]");
    browser.click(&format!("button[data-policy={last}]"));
    let left = pressed(&browser);
    assert_eq!(left.len(), all.len() - 2);
    browser.reload();
    assert_eq!(pressed(&browser), left);
    assert_eq!(seen(&browser).last().unwrap(), &(last, 0));
    browser.click("#all");
    browser.reload();
    assert_eq!(pressed(&browser), all);
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs a browser: scripts/report runs it"]
fn the_page_is_usable_by_keyboard_with_a_visible_focus() {
    let browser = opened();
    let focus = || {
        let script = "const it = document.activeElement, style = getComputedStyle(it), box = it.getBoundingClientRect();
            const [x, y] = [box.left + Math.min(box.width / 2, 20), box.top + box.height / 2];
            const top = document.elementFromPoint(x, y);
            return [it.id || it.dataset.policy || it.className || it.hash || it.tagName, style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
                it === document.body || it.getClientRects().length > 1 || it.contains(top) || !!top && top.contains(it)]";
        let focus = browser.run(script, &json!(null));
        (focus[0].as_str().unwrap().to_owned(), focus[1] == json!(true), focus[2] == json!(true))
    };
    browser.press(Key::Tab);
    assert_eq!(focus().0, "skip", "the first stop leads past the rest");
    let (mut stops, mut switched) = (BTreeSet::new(), 0);
    for _ in 0..1_000 {
        let (at, is_seen, is_free) = focus();
        if at == "BODY" {
            break;
        }
        assert!(is_seen, "the focus on {at} is seen");
        assert!(is_free, "nothing lies above {at}");
        if at.starts_with('p') && at[1..].parse::<u32>().is_ok() {
            browser.press(Key::Space);
            assert!(!pressed(&browser).contains(&at), "Space switches {at} off");
            browser.press(Key::Enter);
            assert!(pressed(&browser).contains(&at), "Enter switches {at} on");
            switched += 1;
        }
        stops.insert(at);
        browser.press(Key::Tab);
    }
    assert_eq!(switched, pressed(&browser).len());
    for stop in ["theme", "all", "none", "scroll", "scroll command"] {
        assert!(stops.contains(stop), "{stop} is reached: {stops:?}");
    }
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs a browser: scripts/report runs it"]
fn the_page_fits_phone_and_desktop_screens() {
    let browser = opened();
    for width in [320, 360, 768, 1280, 1920] {
        browser.screen(width, "light");
        let script = "const wide = document.documentElement.clientWidth;
            const isIn = (it) => it.closest('.scroll, .switches, .unseen, .skip, symbol') || it.matches('.skip');
            return [document.documentElement.scrollWidth, [...document.body.querySelectorAll('*')]
                .filter((it) => !isIn(it) && it.getBoundingClientRect().right > wide + 1).map((it) => it.outerHTML.slice(0, 100)).slice(0, 5)]";
        assert_eq!(browser.run(script, &json!(null)), json!([width, []]), "at {width} px");
    }
}

#[test]
#[ignore = "needs a browser: scripts/report runs it"]
fn the_colour_scheme_follows_the_system_and_the_switch() {
    let browser = opened();
    let lightness = || {
        let script = "const rgb = (it, name) => getComputedStyle(it)[name].match(/[\\d.]+/g).slice(0, 3).reduce((sum, part) => sum + +part, 0) / 765;
            return [rgb(document.documentElement, 'backgroundColor'), rgb(document.body, 'color'), rgb(document.querySelector('.scenario'), 'backgroundColor')]";
        let values = browser.run(script, &json!(null));
        [0, 1, 2].map(|nth| values[nth].as_f64().unwrap())
    };
    let is_light = || {
        let [ground, ink, card] = lightness();
        assert!((ground > 0.5) == (card > 0.5) && (ground > 0.5) == (ink < 0.5), "{ground} {ink} {card}");
        ground > 0.5
    };
    assert!(is_light());
    browser.click("#theme");
    assert!(!is_light(), "light turned to dark");
    browser.reload();
    browser.screen(1280, "dark");
    assert!(!is_light(), "as the system");
    browser.click("#theme");
    assert!(is_light(), "dark turned to light");
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs a browser: scripts/report runs it"]
fn the_page_is_complete_without_scripts() {
    let browser = opened();
    let before = seen(&browser);
    browser.develop("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    browser.reload();
    assert_eq!(browser.run("return document.getElementById('all').hidden", &json!(null)), json!(true), "no script ran");
    assert_eq!(seen(&browser), before);
}

#[test]
#[ignore = "needs a browser: scripts/report runs it"]
fn screenshots_are_saved_on_request() {
    let Some(directory) = env::var_os("REPORT_SHOTS").map(PathBuf::from) else { return };
    fs::create_dir_all(&directory).unwrap();
    let browser = opened();
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")] {
        browser.screen(width, scheme);
        let taken = browser.develop("Page.captureScreenshot", &json!({"format": "png"}));
        let script = "const box = document.querySelector('.scenario').getBoundingClientRect();
            return {x: 0, y: box.top + scrollY, width: innerWidth, height: box.height, scale: 1}";
        let scenario = browser.run(script, &json!(null));
        let scenario =
            browser.develop("Page.captureScreenshot", &json!({"captureBeyondViewport": true, "clip": scenario}));
        let whole = browser.develop(
            "Page.captureScreenshot",
            &json!({"format": "png", "captureBeyondViewport": true,
            "clip": {"x": 0, "y": 0, "width": width, "height": 5000, "scale": 1}}),
        );
        for (name, picture) in [("top", taken), ("scenario", scenario), ("page", whole)] {
            let file = directory.join(format!("{width}-{scheme}-{name}.png"));
            fs::write(file, decoded(picture["data"].as_str().unwrap())).unwrap();
        }
    }
}

/// Reads base64.
fn decoded(text: &str) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = LETTERS.iter().position(|known| *known == letter).expect("base64");
        bits = (bits << 6) | u32::try_from(value).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}
