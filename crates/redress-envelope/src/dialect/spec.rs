//! A dialect as its file states it, before it is compiled.

use std::collections::BTreeMap;

use super::Test;
use super::catalogue::{Code, Limit, Reason, RetryAdvice, Route, Status};
use crate::hint::Unit;
use crate::json::Container;
use crate::path::Path;
use crate::plan::FieldList;

#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) vendor: String,
    pub(crate) root: Container,
    pub(crate) signals: Vec<(Path, Test)>,
    pub(crate) code: Vec<Path>,
    pub(crate) message: Vec<Path>,
    pub(crate) request_id: Vec<Path>,
    pub(crate) request_id_headers: Vec<String>,
    pub(crate) reason: Vec<Path>,
    pub(crate) fields: Vec<FieldList>,
    pub(crate) body_hints: Vec<(Path, Unit)>,
    pub(crate) header_hints: Vec<(String, Unit)>,
    pub(crate) retry: RetryAdvice,
    pub(crate) idempotent: Vec<Route>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) secret_headers: Vec<String>,
    pub(crate) codes: BTreeMap<String, Code>,
    pub(crate) reasons: BTreeMap<String, Reason>,
    pub(crate) statuses: BTreeMap<u16, Status>,
}

impl Spec {
    /// Returns a dialect that says nothing: status and standard headers decide.
    pub(crate) fn silent(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            vendor: name.to_owned(),
            root: Container::Object,
            signals: Vec::new(),
            code: Vec::new(),
            message: Vec::new(),
            request_id: Vec::new(),
            request_id_headers: Vec::new(),
            reason: Vec::new(),
            fields: Vec::new(),
            body_hints: Vec::new(),
            header_hints: Vec::new(),
            retry: RetryAdvice::default(),
            idempotent: Vec::new(),
            limits: Vec::new(),
            secret_headers: Vec::new(),
            codes: BTreeMap::new(),
            reasons: BTreeMap::new(),
            statuses: BTreeMap::new(),
        }
    }

    pub(crate) fn add_code(&mut self, code: Code) {
        self.codes.insert(code.code.clone(), code);
    }

    /// Returns how many values its plan names at most.
    pub(crate) fn values(&self) -> usize {
        let slots = [&self.code, &self.message, &self.request_id, &self.reason];
        slots.iter().map(|slot| slot.len()).sum::<usize>() + self.body_hints.len() + self.signals.len()
    }
}
