//! Statements with their parameters, for a client of the user.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redress_store::{NewRecord, Version};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row};

use crate::hints::{CHANNEL, KEY_PART};

/// The longest lifetime that is told to the server, ten years; a longer one counts as none. The server refuses times beyond its
/// range.
const MAX_LIFETIME: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// The timeline of the server, which each promotion of a standby and each restored backup changes. A standby has none to tell.
const TIMELINE: &str = "(CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END)";
/// The timeline of a server that has none.
const NO_TIMELINE: &str = "NULL::text";

/// One statement of a [`PostgresStore`](crate::PostgresStore), which a closure of the user runs on a client.
///
/// # Examples
/// ```
/// use redress_store_postgres::PostgresStore;
/// use std::sync::Arc;
/// use tokio_postgres::Client;
///
/// fn over(client: Arc<Client>) -> PostgresStore {
///     PostgresStore::new(move |query| {
///         let client = Arc::clone(&client);
///         async move { query.run(&client).await }
///     })
/// }
/// ```
pub struct Query {
    sql: Arc<str>,
    parameters: Vec<(Box<dyn ToSql + Sync + Send>, Type)>,
}

impl Query {
    /// Runs the statement, in one round trip and without preparing it. Any pooled client fits that can be dereferenced to
    /// [`Client`].
    ///
    /// # Errors
    /// Returns the error of the client.
    pub async fn run(self, client: &Client) -> Result<Vec<Row>, Error> {
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> =
            self.parameters.iter().map(|(value, kind)| (&**value as _, kind.clone())).collect();
        client.query_typed(&self.sql, &parameters).await
    }
}

/// The statements for one table.
pub(crate) struct Statements {
    table: String,
    load: Arc<str>,
    create: Arc<str>,
    replace: Arc<str>,
    keys: Arc<str>,
    remove: Arc<str>,
    remove_ended: Arc<str>,
}

/// The maximum number of ended records that one statement removes.
pub(crate) const REMOVED_AT_ONCE: usize = 1000;

impl Statements {
    /// Writes the statements for a table, `name` or `schema.name`, whose writes notify listeners or not, on a server that has a
    /// timeline or not.
    pub(crate) fn new(table: &str, notifies: bool, has_timeline: bool) -> Self {
        let timeline = if has_timeline { TIMELINE } else { NO_TIMELINE };
        let table: Vec<String> = table.split('.').map(quoted).collect();
        let table = table.join(".");
        let load = format!(
            "SELECT version, value, (extract(epoch FROM clock_timestamp() - written) * 1000000)::int8, \
             timeline <> {timeline} FROM {table} WHERE key = $1 AND (ends IS NULL OR ends > clock_timestamp())"
        );
        let returned = if notifies {
            format!("pg_notify('{CHANNEL}', $2::text || ' ' || left($1::text, {KEY_PART}))")
        } else {
            "1".to_owned()
        };
        let ends = "clock_timestamp() + $4::int8 * interval '1 microsecond'";
        let create = format!(
            "INSERT INTO {table} AS stored (key, version, value, written, ends, timeline) \
             VALUES ($1, $2, $3, clock_timestamp(), {ends}, {timeline}) \
             ON CONFLICT (key) DO UPDATE SET version = $2, value = $3, written = clock_timestamp(), ends = {ends}, \
             timeline = {timeline} \
             WHERE stored.ends <= clock_timestamp() RETURNING {returned}"
        );
        let replace = format!(
            "UPDATE {table} SET version = $2, value = $3, written = clock_timestamp(), ends = {ends}, \
             timeline = CASE WHEN $6 OR timeline IS NULL THEN {timeline} ELSE timeline END \
             WHERE key = $1 AND version = $5 AND ($6 IS DISTINCT FROM false OR (timeline <> {timeline}) IS NOT TRUE) \
             AND (ends IS NULL OR ends > clock_timestamp()) RETURNING {returned}"
        );
        // Rows that another statement holds are left for the next time: two such statements wait for no lock of each other.
        let remove_ended = format!(
            "DELETE FROM {table} WHERE key IN (SELECT key FROM {table} WHERE ends <= clock_timestamp() \
             LIMIT {REMOVED_AT_ONCE} FOR UPDATE SKIP LOCKED) RETURNING 1"
        );
        Self {
            load: load.into(),
            create: create.into(),
            replace: replace.into(),
            keys: format!("SELECT key FROM {table} WHERE ends IS NULL OR ends > clock_timestamp()").into(),
            remove: format!("DELETE FROM {table} WHERE key = $1 RETURNING 1").into(),
            remove_ended: remove_ended.into(),
            table,
        }
    }

    /// The statements that make the table.
    pub(crate) fn schema(&self) -> String {
        let table = &self.table;
        format!(
            "CREATE TABLE IF NOT EXISTS {table} (\n    key text PRIMARY KEY,\n    version text NOT NULL,\n    \
             value bytea NOT NULL,\n    written timestamptz NOT NULL,\n    ends timestamptz,\n    timeline text\n);\n\
             CREATE INDEX IF NOT EXISTS redress_ends ON {table} (ends) WHERE ends IS NOT NULL;\n"
        )
    }

    /// Reads a record that has not ended.
    pub(crate) fn load(&self, key: &str) -> Query {
        Query { sql: Arc::clone(&self.load), parameters: vec![(Box::new(key.to_owned()), Type::TEXT)] }
    }

    /// Writes a record over the version `seen`, or over none, and returns a row if it did.
    pub(crate) fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Query {
        let mut parameters: Vec<(Box<dyn ToSql + Sync + Send>, Type)> = vec![
            (Box::new(key.to_owned()), Type::TEXT),
            (Box::new(record.version().to_string()), Type::TEXT),
            (Box::new(record.value().to_vec()), Type::BYTEA),
            (Box::new(record.end_of_life().and_then(micros)), Type::INT8),
        ];
        let Some(seen) = seen else { return Query { sql: Arc::clone(&self.create), parameters } };
        parameters.push((Box::new(seen.to_string()), Type::TEXT));
        parameters.push((Box::new(record.seen_mark()), Type::BOOL));
        Query { sql: Arc::clone(&self.replace), parameters }
    }

    /// Returns the keys of the records that have not ended.
    pub(crate) fn keys(&self) -> Query {
        Query { sql: Arc::clone(&self.keys), parameters: Vec::new() }
    }

    /// Removes a record, and returns a row if there was one.
    pub(crate) fn remove(&self, key: &str) -> Query {
        Query { sql: Arc::clone(&self.remove), parameters: vec![(Box::new(key.to_owned()), Type::TEXT)] }
    }

    /// Removes up to [`REMOVED_AT_ONCE`] records that have ended, and returns a row for each.
    pub(crate) fn remove_ended(&self) -> Query {
        Query { sql: Arc::clone(&self.remove_ended), parameters: Vec::new() }
    }
}

/// An identifier of SQL, whatever its characters.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The lifetime in microseconds, `None` if it is too long for the server.
fn micros(lifetime: Duration) -> Option<i64> {
    if lifetime > MAX_LIFETIME { None } else { lifetime.as_nanos().div_ceil(1000).try_into().ok() }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("sql", &self.sql).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_an_identifier_whatever_its_name() {
        let load = Statements::new("app.records\" WHERE true; --", false, true).load;
        assert!(load.contains(r#"FROM "app"."records"" WHERE true; --" WHERE key = $1"#), "{load}");
    }

    #[test]
    fn a_lifetime_is_rounded_up_and_a_very_long_one_is_none() {
        assert_eq!(micros(Duration::from_nanos(1500)), Some(2));
        assert_eq!(micros(Duration::from_secs(30)), Some(30_000_000));
        assert_eq!(micros(Duration::MAX), None);
    }

    #[test]
    fn a_query_shows_no_parameter() {
        let record = NewRecord::new(Version::next(None), b"s3cret");
        let query = Statements::new("records", false, true).replace("key", None, &record);
        assert!(!format!("{query:?}").contains("s3cret"));
    }

    #[test]
    fn the_readme_has_the_schema() {
        let (readme, schema) = (include_str!("../README.md"), Statements::new("redress_records", true, true).schema());
        assert!(readme.contains(&schema.replace('"', "")), "{schema}");
    }
}
