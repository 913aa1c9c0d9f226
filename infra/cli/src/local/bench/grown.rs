//! A store that has grown: rows as they are after a customer's events, many times over, put in past the service.

use anyhow::{Context as _, Result, ensure};
use sandbox::{dynamodb::Tables, world::CASES_TABLE};
use serde_json::Value;

/// Rows that are put in at a time.
const AT_A_TIME: usize = 20_000;

/// How large the store is before anything is measured.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Grown {
    /// Finished events.
    pub(super) events: u32,
    /// Open cases, each with its customer, its steps and its trail.
    pub(super) cases: u32,
}

impl Grown {
    /// Fills the table, taking what is in it for the pattern.
    pub(super) fn fill(self, tables: &Tables) -> Result<()> {
        let rows = tables.rows(CASES_TABLE)?;
        let is_event = |row: &&Value| kind(row) == Some("EVENT");
        let event = rows.iter().find(is_event).context("no event to take for the pattern")?;
        copies(tables, self.events, std::slice::from_ref(event))?;
        let due = |row: &&Value| kind(row) == Some("CASE") && row.get("due_at").is_some();
        let case = rows.iter().find(due).context("no open case to take for the pattern")?;
        let (key, id) = (text(case, "/pk/S")?, text(case, "/case/M/customer/S")?);
        let own = |row: &&Value| {
            let pk = row.pointer("/pk/S").and_then(Value::as_str).unwrap_or_default();
            pk == key || pk == format!("CUSTOMER#{id}")
        };
        let own: Vec<Value> = rows.iter().filter(own).cloned().collect();
        ensure!(own.len() >= 3, "a case has a row of its own, a customer and a trail");
        copies(tables, self.cases, &own)
    }
}

/// Each row so many times, with other ids.
fn copies(tables: &Tables, number: u32, rows: &[Value]) -> Result<()> {
    let patterns: Vec<String> = rows.iter().map(ToString::to_string).collect();
    let mut waiting = Vec::new();
    for copy in 0..number {
        // Every id of Stripe's in a row gets the copy's number behind its prefix.
        let renamed = |pattern: &String| {
            let named = ["evt_", "cus_", "in_", "sub_", "ch_"];
            named.iter().fold(pattern.clone(), |row, prefix| {
                ["\"", "#", ":"].iter().fold(row, |row, before| {
                    row.replace(&format!("{before}{prefix}"), &format!("{before}{prefix}{copy}x"))
                })
            })
        };
        for pattern in &patterns {
            waiting.push(serde_json::from_str(&renamed(pattern))?);
        }
        if waiting.len() >= AT_A_TIME {
            tables.fill(CASES_TABLE, std::mem::take(&mut waiting))?;
        }
    }
    tables.fill(CASES_TABLE, waiting)
}

fn kind(row: &Value) -> Option<&str> {
    row.pointer("/sk/S").and_then(Value::as_str)
}

fn text(row: &Value, path: &str) -> Result<String> {
    let text = row.pointer(path).and_then(Value::as_str);
    Ok(text.with_context(|| format!("a row has no `{path}`"))?.to_owned())
}
