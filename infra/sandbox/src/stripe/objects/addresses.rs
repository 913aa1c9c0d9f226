//! Addresses, as customers and payments have them.

use serde_json::{Map, Value, json};

use crate::stripe::{document::Document as _, failure::Outcome, form::Params};

const FIELDS: &[&str] = &["city", "country", "line1", "line2", "postal_code", "state"];

/// The parameter `field`; null if it is to be cleared.
pub(crate) fn address(params: &Params, field: &str) -> Outcome<Option<Value>> {
    match params.raw(field) {
        None => Ok(None),
        Some(given) if given.is_object() => {
            let given = params.hash(field);
            given.only(FIELDS)?;
            let mut all = Map::new();
            for part in FIELDS {
                let text = given.text(part)?.filter(|text| !text.is_empty());
                all.insert((*part).to_owned(), text.into());
            }
            Ok(Some(all.into()))
        }
        Some(_) => Ok(Some(Value::Null)),
    }
}

/// The parameter `shipping`; null if it is to be cleared.
pub(crate) fn shipping(params: &Params) -> Outcome<Option<Value>> {
    match params.raw("shipping") {
        None => Ok(None),
        Some(given) if given.is_object() => {
            let given = params.hash("shipping");
            given.only(&["address", "carrier", "name", "phone", "tracking_number"])?;
            let mut shipping = json!({
                "address": address(&given, "address")?, "carrier": null, "name": given.required("name")?,
                "phone": null, "tracking_number": null,
            });
            for field in ["carrier", "phone", "tracking_number"] {
                shipping.set(field, given.text(field)?);
            }
            Ok(Some(shipping))
        }
        Some(_) => Ok(Some(Value::Null)),
    }
}
