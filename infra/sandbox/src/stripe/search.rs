//! Search: <https://docs.stripe.com/search>. Only terms `field:'value'`, `field:number` and
//! `metadata['key']:'value'` joined by `AND`; and, as in Stripe, what changed lately is not found yet.

use serde_json::{Value, json};

use super::{
    document::Document as _,
    failure::{Failure, Outcome},
    routes::Call,
    store::Tx,
};

/// How long the index lags behind, in seconds; Stripe says "under a minute" in normal conditions.
pub(crate) const LAG: i64 = 60;

const FIELDS: &[&str] = &["amount", "created", "currency", "customer", "payment_intent", "status"];

/// `GET /v1/charges/search`
pub(crate) fn charges(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let terms = terms(call.params.required("query")?)?;
    let limit = usize::try_from(call.params.int("limit")?.unwrap_or(10)).unwrap_or(10).clamp(1, 100);
    let mut found: Vec<Value> = tx
        .all("charge")
        .into_iter()
        .filter(|charge| tx.changed(charge.id()) <= tx.at - LAG)
        .filter(|charge| {
            terms.iter().all(|(field, wanted)| match charge.pointer(field) {
                Some(Value::String(text)) => text == wanted,
                Some(Value::Number(number)) => number.to_string() == *wanted,
                _ => false,
            })
        })
        .cloned()
        .collect();
    let has_more = found.len() > limit;
    found.truncate(limit);
    Ok(json!({
        "object": "search_result", "data": found, "has_more": has_more, "next_page": null,
        "url": "/v1/charges/search",
    }))
}

/// The pointers and values of a query.
fn terms(query: &str) -> Outcome<Vec<(String, String)>> {
    let wrong = || Failure::parameter("query", "We were unable to parse your search query.");
    query
        .split(" AND ")
        .map(|term| {
            let (field, value) = term.trim().rsplit_once(':').ok_or_else(wrong)?;
            let value = value.trim_matches(['\'', '"']).to_owned();
            let key = field.strip_prefix("metadata[").and_then(|rest| rest.strip_suffix(']'));
            match key {
                Some(key) => Ok((format!("/metadata/{}", key.trim_matches(['\'', '"'])), value)),
                None if FIELDS.contains(&field) => Ok((format!("/{field}"), value)),
                None => Err(wrong()),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_terms_joined_by_and() {
        assert_eq!(
            terms("metadata['order']:'6735' AND status:'succeeded'").unwrap(),
            [("/metadata/order".into(), "6735".into()), ("/status".into(), "succeeded".to_owned())]
        );
        assert!(terms("nonsense:'x'").is_err());
    }
}
