//! `policy diff`: what a reviewer must look at, a line each.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result};
use domain::policy::Bundle;
use serde_json::Value;

use crate::{End, args::DiffPolicies};

/// Words and values of a bundle by their place: `rules/… `, `settings.toml thresholds.revenue.usd`.
type Places = BTreeMap<String, String>;

/// Longer values are only named as changed.
const SHOWN: usize = 60;

/// Compares two bundles.
pub(crate) fn diff(options: &DiffPolicies) -> End {
    let compared = || -> Result<Vec<String>> { Ok(lines(&places(&options.from)?, &places(&options.to)?)) };
    match compared() {
        Ok(lines) if lines.is_empty() => End::good("nothing changed"),
        Ok(lines) => End::no(lines.join("\n")),
        Err(error) => End::usage(format!("{error:#}")),
    }
}

fn lines(from: &Places, to: &Places) -> Vec<String> {
    let mut lines = Vec::new();
    let mut names: Vec<&String> = from.keys().chain(to.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let short = |value: &String| value.len() <= SHOWN && !value.contains('\n');
        lines.extend(match (from.get(name), to.get(name)) {
            (Some(was), Some(is)) if was == is => None,
            (Some(was), Some(is)) if short(was) && short(is) => {
                Some(format!("changed {name}: {was} -> {is}"))
            }
            (Some(_), Some(_)) => Some(format!("changed {name}")),
            (None, Some(is)) if short(is) => Some(format!("added   {name}: {is}")),
            (None, Some(_)) => Some(format!("added   {name}")),
            (Some(_), None) => Some(format!("removed {name}")),
            (None, None) => None,
        });
    }
    lines
}

fn places(folder: &Path) -> Result<Places> {
    let files = runtime::policy::files(folder)?;
    // Only what would start can be compared.
    let bundle = Bundle::load(&files).with_context(|| format!("in `{}`", folder.display()))?;
    let rules = bundle.rule_texts().into_iter();
    let mut places: Places = rules.map(|(id, text)| (format!("rule {id}"), text)).collect();
    for (name, text) in &files {
        if let Some(template) = name.strip_prefix("templates/") {
            let value = toml::from_str(text).with_context(|| format!("`{name}` is not TOML"))?;
            flatten(&format!("template {}", template.trim_end_matches(".toml")), &value, &mut places);
        } else if name.strip_suffix(".toml").is_some() {
            let value = toml::from_str(text).with_context(|| format!("`{name}` is not TOML"))?;
            flatten(name.trim_end_matches(".toml"), &value, &mut places);
        } else if name.strip_suffix(".cedarschema").is_some() {
            places.insert(format!("schema {name}"), text.clone());
        }
    }
    Ok(places)
}

/// Every value by its path. A list of tables goes by what names each, so that one more does not look as if
/// all had changed.
fn flatten(path: &str, value: &Value, places: &mut Places) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&format!("{path} {name}"), value, places);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                let name = ["name", "customer", "field", "day"].iter().find_map(|name| item.get(name));
                let name = name.map_or_else(|| index.to_string(), word);
                flatten(&format!("{path} {name}"), item, places);
            }
        }
        value => {
            places.insert(path.to_owned(), word(value));
        }
    }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
