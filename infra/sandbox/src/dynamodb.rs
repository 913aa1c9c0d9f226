//! A stand-in for DynamoDB: an embedded server over SQLite. Clients create their tables.
//!
//! Not modelled: it never answers `TransactionConflict`, and its time is the machine's, which
//! matters for idempotency tokens (10 minutes) only: expired items are not swept.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use dynoxide::{Database, ImportOptions, Item, actions::scan::ScanRequest, server::serve_with_shutdown};
use serde_json::Value;

use crate::loopback::{Loopback, bind};

/// The tables themselves, for whoever fills them without asking the service a million times. Clones share them.
#[derive(Clone)]
pub struct Tables(Database);

impl Tables {
    /// Tables in the file `path`, or in memory.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let tables = match path {
            Some(path) => {
                let text = path.to_str().with_context(|| format!("`{}` is not UTF-8", path.display()))?;
                Database::new(text).with_context(|| format!("cannot open `{}`", path.display()))?
            }
            None => Database::memory().context("cannot open tables in memory")?,
        };
        Ok(Self(tables))
    }

    /// Serves them on `port` of 127.0.0.1 (0 for any free one) until the handle is dropped.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn serve(&self, port: u16) -> Result<Loopback> {
        let tables = self.0.clone();
        Loopback::start(bind(port).await?, |listener, stop| async move {
            serve_with_shutdown(listener, tables, stop).await.map_err(|error| anyhow!(error))
        })
    }

    /// The rows of a small table, as the service writes them in JSON.
    ///
    /// # Errors
    /// If there is no such table.
    pub fn rows(&self, table: &str) -> Result<Vec<Value>> {
        let all = ScanRequest { table_name: table.to_owned(), ..ScanRequest::default() };
        let rows = self.0.scan(all).map_err(|error| anyhow!("{error}"))?.items.unwrap_or_default();
        rows.iter().map(|row| serde_json::to_value(row).context("a row")).collect()
    }

    /// Puts rows in, as the service takes them in JSON, past the service.
    ///
    /// # Errors
    /// If there is no such table, or a row is none.
    pub fn fill(&self, table: &str, rows: Vec<Value>) -> Result<()> {
        let rows = rows.into_iter().map(serde_json::from_value).collect::<Result<Vec<Item>, _>>()?;
        let filled = self.0.import_items(table, rows, ImportOptions::default());
        filled.map(drop).map_err(|error| anyhow!("{error}"))
    }
}

/// Serves tables from the file `path`, or from memory, on `port` of 127.0.0.1 (0 for any free one)
/// until the handle is dropped.
///
/// # Errors
/// If the file cannot be opened or the port is taken.
pub async fn serve(port: u16, path: Option<&Path>) -> Result<Loopback> {
    Tables::open(path)?.serve(port).await
}
