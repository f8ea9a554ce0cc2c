//! `methodConfig` of a service config.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use super::service_config::Mistakes;
use super::values::{code, duration};
use super::{MethodConfig, RetryPolicy, ServiceConfig};

const POSITIVE: &str = "a duration above 0 such as \"0.1s\"";

/// Adds the configs of methods.
pub(super) fn read(mut config: ServiceConfig, methods: &[Value], mistakes: &mut Mistakes) -> ServiceConfig {
    let mut seen = BTreeSet::new();
    for (nth, value) in methods.iter().enumerate() {
        let place = format!("methodConfig[{nth}]");
        let Some(members) = value.as_object() else {
            mistakes.expected(&place, "an object", value);
            continue;
        };
        let names = names(&place, members, mistakes);
        let method = method(&place, members, mistakes);
        for (service, method_name) in names {
            if !seen.insert((service.clone(), method_name.clone())) {
                mistakes.add(&format!("{place}.name"), &format!("`{service}/{method_name}` has a config already"));
            }
            config = config.method(service, method_name, method.clone());
        }
    }
    config
}

/// Returns services and methods; an empty text stands for all of them.
fn names(place: &str, members: &Map<String, Value>, mistakes: &mut Mistakes) -> Vec<(String, String)> {
    let place = format!("{place}.name");
    let names = match members.get("name") {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(names)) => names,
        Some(other) => {
            mistakes.expected(&place, "an array", other);
            return Vec::new();
        }
    };
    let mut read = Vec::new();
    for (nth, name) in names.iter().enumerate() {
        let place = format!("{place}[{nth}]");
        let Some(name) = name.as_object() else {
            mistakes.expected(&place, "an object", name);
            continue;
        };
        let mut part = |key: &str| match name.get(key) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => {
                mistakes.expected(&format!("{place}.{key}"), "a name", other);
                String::new()
            }
        };
        let (service, method) = (part("service"), part("method"));
        if service.is_empty() && !method.is_empty() {
            mistakes.expected(&format!("{place}.service"), "a name beside `method`", &Value::Null);
        }
        read.push((service, method));
    }
    read
}

fn method(place: &str, members: &Map<String, Value>, mistakes: &mut Mistakes) -> MethodConfig {
    let mut config = MethodConfig::new();
    let present = |name: &str| members.get(name).filter(|value| !value.is_null());
    if let Some(timeout) = present("timeout") {
        match duration(timeout) {
            Some(timeout) => config = config.timeout(timeout),
            None => mistakes.expected(&format!("{place}.timeout"), "a duration such as \"1.5s\"", timeout),
        }
    }
    if present("hedgingPolicy").is_some() {
        mistakes.add(&format!("{place}.hedgingPolicy"), "hedging is not supported: use a `retryPolicy`");
    }
    if let Some(policy) = present("retryPolicy") {
        let place = format!("{place}.retryPolicy");
        match policy.as_object() {
            Some(policy) => {
                if let Some(policy) = retry_policy(&place, policy, mistakes) {
                    config = config.retry_policy(policy);
                }
            }
            None => mistakes.expected(&place, "an object", policy),
        }
    }
    config
}

/// Reads a policy, all of whose members are required (gRFC A6, "Validation of retryPolicy").
fn retry_policy(place: &str, members: &Map<String, Value>, mistakes: &mut Mistakes) -> Option<RetryPolicy> {
    let absent = Value::Null;
    let member = |name: &str| (format!("{place}.{name}"), members.get(name).unwrap_or(&absent));
    let mut take = |name: &str, expected: &str, read: &dyn Fn(&Value) -> Option<f64>| {
        let (place, value) = member(name);
        let read = read(value);
        if read.is_none() {
            mistakes.expected(&place, expected, value);
        }
        read
    };
    let whole = |value: &Value| value.as_u64().filter(|attempts| *attempts > 1).map(|attempts| attempts as f64);
    let seconds = |value: &Value| duration(value).filter(|wait| !wait.is_zero()).map(|wait| wait.as_secs_f64());
    let attempts = take("maxAttempts", "a whole number of 2 or more", &whole);
    let initial = take("initialBackoff", POSITIVE, &seconds);
    let longest = take("maxBackoff", POSITIVE, &seconds);
    let factor = take("backoffMultiplier", "a number above 0", &|value| value.as_f64().filter(|factor| *factor > 0.0));
    let codes = codes(&member("retryableStatusCodes"), mistakes);
    let (attempts, initial, longest, factor) = (attempts?, initial?, longest?, factor?);
    let retries = attempts.min(RetryPolicy::MAX_ATTEMPTS as f64) as i32 - 1;
    let waits = (0..retries).map(|nth| {
        let wait = (initial * factor.powi(nth)).min(longest);
        Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX)
    });
    Some(RetryPolicy::new(waits, codes?))
}

fn codes((place, value): &(String, &Value), mistakes: &mut Mistakes) -> Option<Vec<super::GrpcCode>> {
    let Some(list) = value.as_array().filter(|list| !list.is_empty()) else {
        mistakes.expected(place, "an array of one code or more", value);
        return None;
    };
    let mut codes = Vec::new();
    for (nth, value) in list.iter().enumerate() {
        match code(value) {
            Some(code) => codes.push(code),
            None => mistakes.expected(&format!("{place}[{nth}]"), "the name or number of an error code", value),
        }
    }
    (codes.len() == list.len()).then_some(codes)
}
