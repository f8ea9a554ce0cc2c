//! The records of the layers, as far as they are not secret.
//!
//! The forms are those of `redress-refresh` (tokens, JSON), `redress-pace` (cool-downs, limits) and `redress-backoff` (budgets).
//! A record of another form, or of a later version of one of these, is named and not read. A test reads what the layers write.

use std::collections::BTreeMap;
use std::str::FromStr;

use redress_store::{Record, Unreadable, read_lines};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// The first bytes of a value that `Encrypted` of redress-store wrote.
const ENCRYPTED: &[u8] = b"rdx1";
/// The last version of the form of tokens that is read, and that of the other forms.
const LAST_TOKEN_FORMAT: u8 = 2;
const FORMAT: u32 = 1;

/// The contents of a record. All times are in milliseconds, seen from now.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Contents {
    Token(Token),
    Cooldowns { cooldowns: Vec<Cooldown> },
    Limit(Limit),
    Budget(Budget),
    Encrypted,
    LaterFormat,
    Unknown,
}

/// A set of credentials, without its secrets.
#[derive(Debug, Serialize)]
pub(super) struct Token {
    pub(super) generation: u64,
    /// The names of the headers.
    pub(super) headers: Vec<String>,
    pub(super) has_refresh_token: bool,
    /// The rest of the lifetime, null if it is unknown.
    pub(super) expires_in_ms: Option<u64>,
    /// The rest of the lease of the process that wrote this version, null if it holds none.
    pub(super) lease_left_ms: Option<u64>,
    /// How long ago the refresh token may have been presented for the first time.
    pub(super) presented_ms_ago: Option<u64>,
}

/// A cool-down of the calls that pass one gate.
#[derive(Debug, Serialize)]
pub(super) struct Cooldown {
    pub(super) gate: String,
    pub(super) class: String,
    pub(super) left_ms: u64,
}

/// The permits and requests that count against a limit.
#[derive(Debug, Default, Serialize)]
pub(super) struct Limit {
    /// The requests that were reported. Some of them no longer count, until the next write removes them.
    pub(super) sent: u64,
    /// How long no permit is granted, since the store went back in time.
    pub(super) closed_ms: u64,
    pub(super) leases: Vec<Lease>,
}

/// The permits of one process.
#[derive(Debug, Serialize)]
pub(super) struct Lease {
    pub(super) holder: String,
    pub(super) report: u64,
    pub(super) permits: u32,
    /// How long they can still be spent.
    pub(super) left_ms: u64,
}

/// The tokens of a retry budget.
#[derive(Debug, Serialize)]
pub(super) struct Budget {
    pub(super) free: u32,
    /// How often the store went back in time.
    pub(super) epoch: u64,
    /// How long nothing is leased after that.
    pub(super) shut_ms: u64,
    pub(super) leases: Vec<Share>,
}

/// The tokens of one process.
#[derive(Debug, Serialize)]
pub(super) struct Share {
    pub(super) holder: String,
    pub(super) settlement: u64,
    pub(super) tokens: u32,
    pub(super) settled_ms_ago: u64,
}

/// The members of the JSON of a token. Values of secrets are skipped, not read.
#[derive(Deserialize)]
struct TokenForm {
    v: u8,
    generation: u64,
    access: Vec<(String, IgnoredAny)>,
    refresh: Option<IgnoredAny>,
    expires_in_ms: Option<u64>,
    lease_ms: Option<u64>,
    shown_ms: Option<u64>,
}

impl Contents {
    /// Reads a record.
    pub(super) fn read(record: &Record) -> Self {
        let (value, age) = (record.value(), crate::time::millis(record.age()));
        if value.starts_with(ENCRYPTED) {
            return Self::Encrypted;
        }
        if let Ok(form) = serde_json::from_slice::<TokenForm>(value) {
            return form.contents(age);
        }
        for (name, read) in FORMS {
            match read_lines(value, name, FORMAT) {
                Ok(lines) => return read(&mut { lines }, age).unwrap_or(Self::Unknown),
                Err(Unreadable::Newer) => return Self::LaterFormat,
                Err(Unreadable::Foreign) => {}
            }
        }
        Self::Unknown
    }

    /// Returns the name of the kind.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Cooldowns { .. } => "cool-downs",
            Self::Limit(_) => "limit",
            Self::Budget(_) => "budget",
            Self::Encrypted => "encrypted: not shown",
            Self::LaterFormat => "of a later version of redress",
            Self::Unknown => "unknown",
        }
    }
}

type Lines<'l> = std::str::Lines<'l>;
type Read = fn(&mut Lines<'_>, u64) -> Option<Contents>;

/// The forms of text: their names, and how the lines after the first are read.
const FORMS: [(&str, Read); 3] =
    [("redress-cooldowns", cooldowns), ("redress-limit", limit), ("redress-budget", budget)];

impl TokenForm {
    fn contents(self, age: u64) -> Contents {
        if self.v > LAST_TOKEN_FORMAT {
            return Contents::LaterFormat;
        }
        Contents::Token(Token {
            generation: self.generation,
            headers: self.access.into_iter().map(|(name, _)| name).collect(),
            has_refresh_token: self.refresh.is_some(),
            expires_in_ms: self.expires_in_ms.map(|left| left.saturating_sub(age)),
            lease_left_ms: self.lease_ms.map(|length| length.saturating_sub(age)).filter(|left| *left > 0),
            presented_ms_ago: self.shown_ms.map(|before| before.saturating_add(age)),
        })
    }
}

/// `left spread asked class gate`, for each cool-down.
fn cooldowns(lines: &mut Lines<'_>, age: u64) -> Option<Contents> {
    let read = |line: &str| {
        let mut words = line.splitn(5, ' ');
        let left = next::<u64>(&mut words)?.checked_sub(age).filter(|left| *left > 0)?;
        let (class, gate) = (words.nth(2)?.to_owned(), words.next()?.to_owned());
        Some(Cooldown { gate, class, left_ms: left })
    };
    Some(Contents::Cooldowns { cooldowns: lines.filter_map(read).collect() })
}

/// `now closed`, then `h holder report permits length granted` for each lease, and `s slot requests` and `r slot requests` for each
/// slot.
fn limit(lines: &mut Lines<'_>, age: u64) -> Option<Contents> {
    let mut words = lines.next()?.split(' ');
    let now = next::<u64>(&mut words)?.saturating_add(age);
    let closed_ms = next::<u64>(&mut words)?.saturating_sub(now);
    let mut limit = Limit { closed_ms, ..Limit::default() };
    let mut slots = BTreeMap::new();
    for line in lines {
        let mut words = line.split(' ');
        match words.next()? {
            "h" => {
                let (holder, report, permits) = (words.next()?.to_owned(), next(&mut words)?, next(&mut words)?);
                let (length, granted): (u64, u64) = (next(&mut words)?, next(&mut words)?);
                let left_ms = granted.saturating_add(length).saturating_sub(now);
                limit.leases.push(Lease { holder, report, permits, left_ms });
            }
            "s" | "r" => {
                let (slot, count): (u64, u32) = (next(&mut words)?, next(&mut words)?);
                let sum = slots.entry(slot).or_insert(0_u32);
                *sum = sum.saturating_add(count);
            }
            _ => return None,
        }
    }
    limit.sent = slots.into_values().map(u64::from).sum();
    Some(Contents::Limit(limit))
}

/// `free epoch shut`, then `holder settlement tokens silent` for each process.
fn budget(lines: &mut Lines<'_>, age: u64) -> Option<Contents> {
    let mut words = lines.next()?.split(' ');
    let (free, epoch, shut): (_, _, u64) = (next(&mut words)?, next(&mut words)?, next(&mut words)?);
    let read = |line: &str| {
        let mut words = line.split(' ');
        let (holder, settlement, tokens) = (words.next()?.to_owned(), next(&mut words)?, next(&mut words)?);
        Some(Share { holder, settlement, tokens, settled_ms_ago: next::<u64>(&mut words)?.saturating_add(age) })
    };
    let leases = lines.filter_map(read).collect();
    Some(Contents::Budget(Budget { free, epoch, shut_ms: shut.saturating_sub(age), leases }))
}

/// Reads the next word.
fn next<'w, T: FromStr>(words: &mut impl Iterator<Item = &'w str>) -> Option<T> {
    words.next()?.parse().ok()
}
