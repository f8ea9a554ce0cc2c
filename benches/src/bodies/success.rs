//! Vlens successes as they come: the payload first, and the word that nothing failed behind it.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const SEED: u64 = 20_260_115;
const HEAD: &str = r#"{"data":["#;
const TAIL: &str = r#"],"error_code":null,"error_message":null,"error_descriptions":null}"#;

/// The last record, to be filled with a picture.
const LAST: &str = r#"{"image":""}"#;

/// No record is longer than this without its picture, and with the end of the body.
const RECORD: usize = 700;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const KINDS: [&str; 4] = ["passport", "national_id", "driving_licence", "residence_permit"];

const NAMES: [&str; 6] =
    ["first_name", "last_name", "date_of_birth", r"place\/of\/birth", r#"the \"holder\""#, "document_number"];

/// Pieces of texts, escaped as servers escape them.
const WORDS: [&str; 10] = [
    "Maria",
    r"Zo\u00eb",
    r"O\/Hara",
    r#"\"Z\""#,
    r"12 Rue de l'\u00c9glise\n75001 Paris",
    "Łódź",
    "1987-04-23",
    r"read\nby hand",
    "Republic",
    r"\ud83d\ude00",
];

/// A body in the making.
struct Writer {
    random: StdRng,
    body: String,
    /// How many bytes of the body are base64.
    base64: usize,
}

/// Returns a Vlens success of about so many bytes, the same at every call.
///
/// The payload comes first: nested records with escapes in their texts; half of the bytes are base64.
#[must_use]
pub fn vlens_success(bytes: usize) -> String {
    let mut writer = Writer { random: StdRng::seed_from_u64(SEED), body: String::from(HEAD), base64: 0 };
    let end = bytes.saturating_sub(TAIL.len());
    while writer.body.len() + RECORD < end {
        writer.record(end);
        writer.body.push(',');
    }
    writer.last(end);
    writer.body + TAIL
}

impl Writer {
    /// Adds a person with a document, and a picture that brings the base64 towards half of the body.
    fn record(&mut self, end: usize) {
        let (id, score) = (self.random.random::<u64>(), self.random.random_range(0..10_000));
        self.body.push_str(&format!(r#"{{"id":"{id:016x}","verified":true,"score":0.{score:04},"owner":{{"name":""#));
        self.words();
        self.body.push_str(r#"","expires":null},"documents":["#);
        self.document();
        self.body.push_str(r#"],"image":""#);
        let owed = self.body.len().saturating_sub(2 * self.base64);
        let length = self.random.random_range(0..=2 * owed);
        self.picture(length.min(end.saturating_sub(self.body.len() + "\"},".len() + LAST.len())));
        self.body.push_str("\"}");
    }

    fn document(&mut self) {
        let kind = self.pick(&KINDS);
        let south = self.random.random_range(0..90);
        self.body.push_str(&format!(r#"{{"type":"{kind}","at":[-{south}.25,4.5e1],"fields":["#));
        for nth in 0..self.random.random_range(1..=2) {
            self.body.push_str(if nth == 0 { "" } else { "," });
            self.field();
        }
        self.body.push_str("]}");
    }

    fn field(&mut self) {
        let name = self.pick(&NAMES);
        self.body.push_str(&format!(r#"{{"name":"{name}","value":""#));
        self.words();
        let (left, top) = (self.random.random_range(0..1000), self.random.random_range(0..1000));
        let found = self.random.random::<bool>();
        self.body.push_str(&format!(r#"","found":{found},"box":[{left},{top},{},{}]}}"#, left + 310, top + 24));
    }

    /// Adds a record of nothing but a picture, which fills the body up.
    fn last(&mut self, end: usize) {
        let (before, after) = LAST.split_at(LAST.len() - 2);
        self.body.push_str(before);
        self.picture(end.saturating_sub(self.body.len() + after.len()));
        self.body.push_str(after);
    }

    fn words(&mut self) {
        for nth in 0..self.random.random_range(1..=2) {
            self.body.push_str(if nth == 0 { "" } else { " " });
            let word = self.pick(&WORDS);
            self.body.push_str(word);
        }
    }

    fn picture(&mut self, length: usize) {
        let length = length - length % 4;
        for _ in 0..length {
            let symbol = BASE64[self.random.random_range(0..BASE64.len())];
            self.body.push(char::from(symbol));
        }
        self.base64 += length;
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.random.random_range(0..from.len())]
    }
}
