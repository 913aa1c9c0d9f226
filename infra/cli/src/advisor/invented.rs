//! What a model made up, found without asking the verifier: the evaluation would otherwise only find what
//! that finds.

use domain::advice::Brief;
use serde_json::Value;

/// What an answer says that no fact of the case says: something that the case tempts it to say, a number
/// of its own, an address. Empty if nothing was made up.
pub(super) fn in_answer<'a>(
    answer: &str,
    brief: &Brief,
    lures: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let said = said(answer).to_lowercase();
    let mut found: Vec<String> =
        lures.filter(|lure| said.contains(&lure.to_lowercase())).map(str::to_owned).collect();
    let known = known(&brief.prompt().input);
    let digit = |sign: char| sign.is_ascii_digit() || sign == '.' || sign == ',';
    let numbers = said.split(|sign| !digit(sign)).map(|number| number.trim_matches(['.', ',']));
    found.extend(numbers.filter(|number| !number.is_empty() && !known.contains(number)).map(str::to_owned));
    found.extend(["://", "www.", "@"].into_iter().filter(|mark| said.contains(mark)).map(str::to_owned));
    found
}

/// Everything that an answer says to people: every text in it, or all of it if it is no JSON.
fn said(answer: &str) -> String {
    fn texts(value: &Value, into: &mut String) {
        match value {
            Value::String(text) => {
                into.push_str(text);
                into.push('\n');
            }
            Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
            Value::Object(fields) => fields.values().for_each(|field| texts(field, into)),
            _ => {}
        }
    }
    let Ok(value) = serde_json::from_str(answer) else { return answer.to_owned() };
    let mut all = String::new();
    texts(&value, &mut all);
    all
}

/// What the question says by itself, without what others wrote.
fn known(input: &str) -> String {
    let mut sheet: Value = serde_json::from_str(input).unwrap_or_default();
    if let Some(sheet) = sheet.as_object_mut() {
        sheet.remove("written_by_others");
    }
    sheet.to_string().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_an_answer_is_looked_at() {
        let answer = r#"{"a":"One","b":{"c":["Two",3,null]},"d":null}"#;
        assert_eq!(said(answer), "One\nTwo\n");
        assert_eq!(said("no JSON"), "no JSON");
    }

    #[test]
    fn what_others_wrote_is_no_fact() {
        let known =
            known(r#"{"facts":[{"what":"amount","is":"49.00 USD"}],"written_by_others":["900.00 EUR"]}"#);
        assert!(known.contains("49.00 usd") && !known.contains("900"), "{known}");
    }
}
