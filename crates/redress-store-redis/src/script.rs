//! The two scripts.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;
use redress_store::{NewRecord, Record, Version};

use crate::error::RedisStoreError;

/// Reads the record of a key, its age in microseconds by the clock of the server, and whether another server wrote it. The id is new
/// at each start of a server, and `INFO` takes 4 us; a server that does not tell it has none.
const READ: &str = r"
local stored = redis.call('HMGET', KEYS[1], 'version', 'value', 'written', 'server')
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local age = stored[3] and math.max(0, now - stored[3])
local info = redis.pcall('INFO', 'server')
local server = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local former = stored[4] and stored[4] ~= '' and server ~= '' and stored[4] ~= server and 1 or 0
";

/// Returns the record.
const LOAD: &str = "return {stored[1], stored[2], age, former}";

/// Writes the record if its version and its mark are the expected ones, and returns it if not. The message is a hint: where the user of the
/// server may not publish, the write counts all the same.
const REPLACE: &str = r"
if (stored[1] or '') ~= ARGV[1] or (former == 1 and ARGV[5] == '0') then
  return {0, stored[1], stored[2], age, former}
end
if former == 1 and ARGV[5] == '' then
  server = stored[4]
end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'value', ARGV[3], 'written', string.format('%.0f', now), 'server', server)
if ARGV[4] == '' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
redis.pcall('PUBLISH', KEYS[1], ARGV[2])
return {1, false, false, false, 0}
";

/// The longest lifetime that is told to the server, ten years; a longer one counts as none. The server refuses lifetimes that
/// end beyond its range.
const MAX_LIFETIME: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

static LOAD_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(&format!("{READ}{LOAD}")));
static REPLACE_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(&format!("{READ}{REPLACE}")));

/// A record as the scripts return it: version, value, age in microseconds, and whether another server wrote it.
pub(crate) type Stored = (Option<String>, Option<Vec<u8>>, Option<i64>, bool);

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
        .arg(record.end_of_life().and_then(millis).map(|millis| millis.to_string()).unwrap_or_default())
        .arg(record.seen_mark().map(|is_marked| u8::from(is_marked).to_string()).unwrap_or_default());
    call
}

/// Reads the record in the answer of a script.
pub(crate) fn record(stored: Stored) -> Result<Option<Record>, RedisStoreError> {
    match stored {
        (Some(version), Some(value), Some(age), is_of_former_server) => {
            let version = version.parse().map_err(|_| RedisStoreError::NotARecord)?;
            let record = Record::new(version, value, Duration::from_micros(age.try_into().unwrap_or(0)));
            Ok(Some(if is_of_former_server { record.of_former_server() } else { record }))
        }
        (None, None, None, _) => Ok(None),
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
        assert!(matches!(record((None, None, None, false)), Ok(None)));
        let foreign = record((Some("7".to_owned()), Some(Vec::new()), Some(0), false));
        assert_eq!(foreign.err(), Some(RedisStoreError::NotARecord));
        assert_eq!(record((None, Some(Vec::new()), None, false)).err(), Some(RedisStoreError::NotARecord));
    }
}
