//! Where stand-ins keep their state: rows of JSON in memory, or in one SQLite file that survives a
//! kill.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use rusqlite::{Connection, params};
use serde::{Serialize, de::DeserializeOwned};

/// Rows of JSON by space and key. Clones share it.
#[derive(Clone)]
pub struct Shelf(Arc<Mutex<Connection>>);

impl Shelf {
    /// A shelf that ends with the process.
    ///
    /// # Errors
    /// If SQLite cannot be opened.
    pub fn memory() -> Result<Self> {
        Self::with(Connection::open_in_memory()?)
    }

    /// A shelf in the file `path`; what [`Shelf::put`] returned from survives a kill of the process.
    ///
    /// # Errors
    /// If the file cannot be opened or written.
    pub fn open(path: &Path) -> Result<Self> {
        let db = Connection::open(path).with_context(|| format!("cannot open `{}`", path.display()))?;
        // WAL with `synchronous = NORMAL` survives a killed process (not a power cut), and costs
        // no disk flush for each message.
        db.pragma_update(None, "journal_mode", "WAL")
            .and_then(|()| db.pragma_update(None, "synchronous", "NORMAL"))
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        Self::with(db)
    }

    fn with(db: Connection) -> Result<Self> {
        db.execute_batch(
            "CREATE TABLE IF NOT EXISTS shelf (space TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (space, key)) WITHOUT ROWID",
        )?;
        Ok(Self(Arc::new(Mutex::new(db))))
    }

    /// Writes one row.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn put(&self, space: &str, key: &str, value: &impl Serialize) -> Result<()> {
        let value = serde_json::to_string(value)?;
        self.db()
            .prepare_cached("INSERT OR REPLACE INTO shelf VALUES (?1, ?2, ?3)")?
            .execute(params![space, key, value])?;
        Ok(())
    }

    /// Writes several rows, or deletes those without a value, all or none of them.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn put_all(&self, rows: &[(&str, &str, Option<serde_json::Value>)]) -> Result<()> {
        let mut db = self.db();
        let all = db.transaction()?;
        for (space, key, value) in rows {
            match value {
                Some(value) => all
                    .prepare_cached("INSERT OR REPLACE INTO shelf VALUES (?1, ?2, ?3)")?
                    .execute(params![space, key, value.to_string()])?,
                None => all
                    .prepare_cached("DELETE FROM shelf WHERE space = ?1 AND key = ?2")?
                    .execute(params![space, key])?,
            };
        }
        Ok(all.commit()?)
    }

    /// Deletes one row, if it is there.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn remove(&self, space: &str, key: &str) -> Result<()> {
        self.db()
            .prepare_cached("DELETE FROM shelf WHERE space = ?1 AND key = ?2")?
            .execute(params![space, key])?;
        Ok(())
    }

    /// All rows of a space, by key.
    ///
    /// # Errors
    /// If a row is not what `T` expects.
    pub fn all<T: DeserializeOwned>(&self, space: &str) -> Result<Vec<(String, T)>> {
        let db = self.db();
        let mut query = db.prepare_cached("SELECT key, value FROM shelf WHERE space = ?1 ORDER BY key")?;
        let rows =
            query.query_map([space], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        rows.map(|row| {
            let (key, value) = row?;
            let value = serde_json::from_str(&value).with_context(|| format!("row `{key}` of `{space}`"))?;
            Ok((key, value))
        })
        .collect()
    }

    fn db(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_by_key_and_a_file_keeps_them() {
        let dir = std::env::temp_dir().join(format!("shelf-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("shelf.db");
        let shelf = Shelf::open(&file).unwrap();
        shelf.put("queue", "b", &2).unwrap();
        shelf.put_all(&[("queue", "a", Some(1.into())), ("queue", "c", None)]).unwrap();
        drop(shelf);
        let again = Shelf::open(&file).unwrap();
        assert_eq!(again.all::<i32>("queue").unwrap(), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        again.remove("queue", "a").unwrap();
        assert_eq!(again.all::<i32>("queue").unwrap().len(), 1);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
