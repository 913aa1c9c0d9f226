//! A stand-in for DynamoDB: an embedded server over SQLite. Clients create their tables.
//!
//! Not modelled: it never answers `TransactionConflict`, and its time is the machine's, which
//! matters for idempotency tokens (10 minutes) only: expired items are not swept.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use dynoxide::{Database, server::serve_with_shutdown};

use crate::loopback::{Loopback, bind};

/// Serves tables from the file `path`, or from memory, on `port` of 127.0.0.1 (0 for any free one)
/// until the handle is dropped.
///
/// # Errors
/// If the file cannot be opened or the port is taken.
pub async fn serve(port: u16, path: Option<&Path>) -> Result<Loopback> {
    let tables = match path {
        Some(path) => {
            let text = path.to_str().with_context(|| format!("`{}` is not UTF-8", path.display()))?;
            Database::new(text).with_context(|| format!("cannot open `{}`", path.display()))?
        }
        None => Database::memory().context("cannot open tables in memory")?,
    };
    Loopback::start(bind(port).await?, |listener, stop| async move {
        serve_with_shutdown(listener, tables, stop).await.map_err(|error| anyhow!(error))
    })
}
