//! The trail as `countersign trail verify` reads it.

use std::time::Duration;

use serde_json::Error;
use store::{Everything, StoreError};

use super::Console;
use crate::trail::Line;

/// A chain that is written while it is read looks as if it were cut. It is looked at again this often;
/// one that is cut stays so.
const LOOKS: usize = 10;

/// All chains, as lines of JSON.
pub(super) async fn export(console: &Console) -> Result<String, StoreError> {
    let mut all = console.read().await?;
    for _ in 1..LOOKS {
        if all.is_settled() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        all = console.read().await?;
    }
    lines(all).map_err(|error| StoreError::Unreadable { key: "(trail)".to_owned(), why: error.to_string() })
}

fn lines(all: Everything) -> Result<String, Error> {
    let entries = all.trails.into_values().flatten().map(Line::Entry);
    let heads = all.heads.into_iter().map(|(subject, end)| Line::Head { subject, end });
    let mut text = String::new();
    for line in entries.chain(heads).chain(all.unreadable.into_iter().map(Line::Unreadable)) {
        text.push_str(&serde_json::to_string(&line)?);
        text.push('\n');
    }
    Ok(text)
}
