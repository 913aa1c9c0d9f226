//! The trail as `countersign trail verify` reads it.

use std::time::Duration;

use sandbox::world::{APPROVALS_TABLE, CASES_TABLE};
use serde_json::Error;
use store::{Approvals, Cases, Everything, StoreError};

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

/// Everything about one case or proposal, as `countersign trail export` writes it; empty if there is none.
pub(super) async fn excerpt(console: &Console, id: &str) -> Result<String, StoreError> {
    let cases = Cases::new(console.tables.clone(), CASES_TABLE);
    let approvals = Approvals::new(console.tables.clone(), APPROVALS_TABLE);
    let found = store::excerpt(&cases, &approvals, id).await?;
    let text = found.map(|found| crate::trail::lines(found, id, (console.clock)())).transpose();
    text.map(Option::unwrap_or_default)
        .map_err(|error| StoreError::Unreadable { key: "(trail)".to_owned(), why: error.to_string() })
}

fn lines(all: Everything) -> Result<String, Error> {
    let entries = all.trails.into_values().flatten().map(Line::Entry);
    let heads = all.heads.into_iter().map(|(subject, end)| Line::Head { subject, end });
    let mut text = String::new();
    let actions = all.proposals.into_iter().map(|row| Line::Action(Box::new(row.proposal.action)));
    let checkpoints = all.checkpoints.into_iter().map(Line::Checkpoint);
    let unreadable = all.unreadable.into_iter().map(Line::Unreadable);
    for line in entries.chain(heads).chain(actions).chain(checkpoints).chain(unreadable) {
        text.push_str(&serde_json::to_string(&line)?);
        text.push('\n');
    }
    Ok(text)
}
