//! Whether the server removes keys when its memory is full.

use redis::Value;

use crate::error::RedisStoreError;
use crate::source::Connection;

/// The one policy that removes nothing: writes fail when the memory is full.
const SAFE: &str = "noeviction";
/// The line of `INFO memory` with the policy.
const LINE: &str = "maxmemory_policy:";

/// Checks the `maxmemory-policy` of a server, or of all nodes of a cluster, by `INFO memory`: hosted services that forbid `CONFIG`
/// allow it. The policy counts without `maxmemory` too, since a limit is often set later.
///
/// A server that does not tell its policy is used, with a warning.
pub(crate) async fn check(connection: &mut Connection, is_allowed: bool) -> Result<(), RedisStoreError> {
    let info: Value =
        match redis::cmd("INFO").arg("memory").query_async(connection).await.map_err(RedisStoreError::from) {
            Ok(info) => info,
            Err(error) if error.ends_the_connection() => return Err(error),
            Err(_) => Value::Nil,
        };
    match policy(&info) {
        Some(policy) if policy == SAFE => {}
        Some(policy) if is_allowed => {
            tracing::warn!(policy, "the Redis server removes records when its memory is full");
        }
        Some(policy) => return Err(RedisStoreError::Evicting { policy }),
        None => {
            tracing::warn!("the Redis server does not tell its maxmemory-policy: only noeviction keeps all records");
        }
    }
    Ok(())
}

/// The policy in an answer, the first unsafe one of several nodes.
fn policy(info: &Value) -> Option<String> {
    let of_all = |values: &mut dyn Iterator<Item = &Value>| {
        let found: Vec<String> = values.filter_map(policy).collect();
        found.iter().find(|policy| *policy != SAFE).or(found.first()).cloned()
    };
    match info {
        Value::BulkString(text) => in_text(&String::from_utf8_lossy(text)),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => in_text(text),
        Value::Array(values) => of_all(&mut values.iter()),
        Value::Map(pairs) => of_all(&mut pairs.iter().map(|(_, value)| value)),
        _ => None,
    }
}

fn in_text(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(LINE)).map(|policy| policy.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(policy: &str) -> Value {
        Value::BulkString(format!("# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:{policy}\r\nused:1\r\n").into_bytes())
    }

    #[test]
    fn one_node_that_evicts_is_found_among_the_others() {
        assert_eq!(policy(&info("allkeys-lru")).as_deref(), Some("allkeys-lru"));
        let node = |policy| (Value::SimpleString("127.0.0.1:1".to_owned()), info(policy));
        let nodes = Value::Map(vec![node(SAFE), node("volatile-ttl"), node(SAFE)]);
        assert_eq!(policy(&nodes).as_deref(), Some("volatile-ttl"));
        assert_eq!(policy(&Value::Map(vec![node(SAFE)])).as_deref(), Some(SAFE));
        assert_eq!(policy(&Value::Nil), None);
    }
}
