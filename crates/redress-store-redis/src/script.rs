//! The two scripts.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;
use redress_store::{NewRecord, Record, Version};

use crate::error::RedisStoreError;

/// Reads the record of a key, and its age in microseconds by the clock of the server.
const READ: &str = r"
local stored = redis.call('HMGET', KEYS[1], 'version', 'value', 'written')
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local age = stored[3] and math.max(0, now - stored[3])
";

/// Returns the record.
const LOAD: &str = "return {stored[1], stored[2], age}";

/// Writes the record if its version is the expected one, and returns it if not. The message is a hint: where the user of the
/// server may not publish, the write counts all the same.
const REPLACE: &str = r"
if (stored[1] or '') ~= ARGV[1] then
  return {0, stored[1], stored[2], age}
end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'value', ARGV[3], 'written', string.format('%.0f', now))
if ARGV[4] == '' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
redis.pcall('PUBLISH', KEYS[1], ARGV[2])
return {1, false, false, false}
";

/// The longest lifetime that is told to the server, ten years; a longer one counts as none. The server refuses lifetimes that
/// end beyond its range.
const MAX_LIFETIME: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

static LOAD_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(&format!("{READ}{LOAD}")));
static REPLACE_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(&format!("{READ}{REPLACE}")));

/// A record as the scripts return it: version, value, and age in microseconds.
pub(crate) type Stored = (Option<String>, Option<Vec<u8>>, Option<i64>);

/// Makes the call that reads a record.
pub(crate) fn load(name: &str) -> redis::ScriptInvocation<'static> {
    let mut call = LOAD_SCRIPT.prepare_invoke();
    call.key(name);
    call
}

/// Makes the call that replaces a record.
pub(crate) fn replace(name: &str, seen: Option<Version>, record: &NewRecord<'_>) -> redis::ScriptInvocation<'static> {
    let mut call = REPLACE_SCRIPT.prepare_invoke();
    call.key(name)
        .arg(seen.map(|seen| seen.to_string()).unwrap_or_default())
        .arg(record.version().to_string())
        .arg(record.value())
        .arg(record.end_of_life().and_then(millis).map(|millis| millis.to_string()).unwrap_or_default());
    call
}

/// Reads the record in the answer of a script.
pub(crate) fn record(stored: Stored) -> Result<Option<Record>, RedisStoreError> {
    match stored {
        (Some(version), Some(value), Some(age)) => {
            let version = version.parse().map_err(|_| RedisStoreError::NotARecord)?;
            Ok(Some(Record::new(version, value, Duration::from_micros(age.try_into().unwrap_or(0)))))
        }
        (None, None, None) => Ok(None),
        _ => Err(RedisStoreError::NotARecord),
    }
}

/// The lifetime in whole milliseconds, rounded up: the server must not remove the record earlier.
fn millis(lifetime: Duration) -> Option<u128> {
    (lifetime <= MAX_LIFETIME).then(|| lifetime.as_nanos().div_ceil(1_000_000).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_rounded_up_and_a_very_long_one_is_none() {
        assert_eq!(millis(Duration::ZERO), Some(1));
        assert_eq!(millis(Duration::from_micros(1500)), Some(2));
        assert_eq!(millis(Duration::from_secs(30)), Some(30_000));
        assert_eq!(millis(Duration::MAX), None);
    }

    #[test]
    fn something_else_than_a_record_is_an_error() {
        assert!(matches!(record((None, None, None)), Ok(None)));
        let foreign = record((Some("7".to_owned()), Some(Vec::new()), Some(0)));
        assert_eq!(foreign.err(), Some(RedisStoreError::NotARecord));
        assert_eq!(record((None, Some(Vec::new()), None)).err(), Some(RedisStoreError::NotARecord));
    }
}
