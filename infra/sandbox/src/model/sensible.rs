//! An answer that follows from the facts of the question: the case as JSON, as `domain::advice` puts it.

use serde_json::{Map, Value, json};

use super::answer::takes;

/// Payments from which on a customer is an old friend.
const FRIEND: u64 = 12;

/// How urgent something is, from the least.
const PRIORITIES: [&str; 4] = ["low", "normal", "high", "urgent"];

/// The case of a question.
struct Sheet<'a>(&'a Value);

/// The form, filled from the facts of a question. What the form does not ask for is not said, and a question
/// without a case gets the least that the form takes.
pub(super) fn answer(schema: &Value, input: &str) -> Value {
    let mut form = least(schema);
    let Ok(case @ Value::Object(_)) = serde_json::from_str::<Value>(input) else { return form };
    let sheet = Sheet(&case);
    let (template, tone, texts) = sheet.wording(form.get("texts"));
    let mut put = |name: &str, value: Value| {
        if let Some(place) = form.get_mut(name) {
            *place = value;
        }
    };
    put("template", template);
    put("tone", tone);
    put("texts", texts);
    put("urgency", sheet.urgency());
    put("summary", sheet.summary().into());
    form
}

impl Sheet<'_> {
    /// A fact, as it is spelled.
    fn fact(&self, what: &str) -> Option<&str> {
        let facts = self.0.get("facts")?.as_array()?;
        facts.iter().find(|fact| fact.get("what").is_some_and(|one| one == what))?.get("is")?.as_str()
    }

    fn count(&self, what: &str) -> Option<u64> {
        self.fact(what)?.parse().ok()
    }

    /// What is at stake, and what is unusual.
    fn summary(&self) -> String {
        let mut lines = Vec::new();
        lines.extend(self.fact("amount").map(|amount| format!("The amount is {amount}.")));
        lines.extend(self.fact("object").map(|object| format!("The object is {object}.")));
        lines.extend(self.deadline(u64::MAX));
        match self.count("payments that failed") {
            Some(2..) => lines.push("Earlier payments of this customer failed more than once.".to_owned()),
            _ => lines.extend(
                self.fact("first payment")
                    .map(|day| format!("The first payment of this customer was on {day}.")),
            ),
        }
        lines.extend(self.overdue());
        lines.extend(self.waiting());
        lines.extend(
            self.fact("contract renews").map(|day| format!("The contract of this customer renews on {day}.")),
        );
        lines.join(" ")
    }

    /// The deadline, if it is within so many business days.
    fn deadline(&self, within: u64) -> Option<String> {
        let left = self.count("business days until the deadline").filter(|left| *left <= within)?;
        let day = self.fact("deadline")?;
        let soon = if left <= 4 { ", only a few business days from today" } else { "" };
        Some(format!("The deadline is {day}{soon}."))
    }

    fn overdue(&self) -> Option<String> {
        let others = self.count("other overdue invoices").filter(|others| *others > 0);
        others.map(|_| "This customer has other overdue invoices as well.".to_owned())
    }

    fn waiting(&self) -> Option<String> {
        let talks = self.count("urgent conversations").filter(|talks| *talks > 0);
        talks.map(|_| "The customer is still waiting for an answer in an urgent conversation.".to_owned())
    }

    fn old(&self) -> Option<String> {
        self.count("days since the case was opened").filter(|days| *days >= 10)?;
        let opened = self.fact("case opened")?;
        Some(format!("This case was opened on {opened} and is still open."))
    }

    /// More urgent, if the facts say so.
    fn urgency(&self) -> Value {
        let high =
            || self.deadline(4).or_else(|| self.overdue()).or_else(|| self.waiting()).or_else(|| self.old());
        let Some((to, because)) =
            self.deadline(2).map(|because| ("urgent", because)).or_else(|| Some(("high", high()?)))
        else {
            return Value::Null;
        };
        let rank = |name: &str| PRIORITIES.iter().position(|one| *one == name);
        let now = self.0.get("priority").and_then(Value::as_str).unwrap_or_default();
        if rank(to) > rank(now) { json!({ "priority": to, "because": because }) } else { Value::Null }
    }

    /// Warm words for an old friend whose payments were never a matter, else those that are drafted.
    fn wording(&self, texts: Option<&Value>) -> (Value, Value, Value) {
        let mut written: Map<String, Value> = texts
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, _)| (name.clone(), Value::Null))
            .collect();
        let quiet = |what: &str| self.count(what).is_some_and(|count| count == 0);
        let friend = self.count("payments that succeeded").is_some_and(|count| count >= FRIEND)
            && self.count("payments that failed").is_some_and(|count| count <= 2)
            && quiet("payments refunded")
            && quiet("payments disputed");
        let choices = self.0.pointer("/message/choices").and_then(Value::as_array);
        let warm =
            choices.into_iter().flatten().find(|one| one.get("tone").is_some_and(|tone| tone == "warm"));
        let Some(choice) = warm.filter(|_| friend) else {
            return (Value::Null, Value::Null, written.into());
        };
        let german = self.0.pointer("/message/language").is_some_and(|language| language == "de");
        let opening =
            if german { "Vielen Dank für Ihr Vertrauen." } else { "Thank you for your continued support." };
        for name in
            choice.get("texts").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            written.insert(name.to_owned(), opening.into());
        }
        let of = |name: &str| choice.get(name).cloned().unwrap_or_default();
        (of("template"), of("tone"), written.into())
    }
}

/// The form with nothing in it that need not be there: the first of every choice, `null` where that is taken.
pub(super) fn least(schema: &Value) -> Value {
    let choices = |name: &str| schema.get(name).and_then(Value::as_array);
    if takes(schema, "null") {
        return Value::Null;
    }
    if let Some(choices) = choices("enum") {
        return choices
            .iter()
            .find(|choice| choice.is_null())
            .or(choices.first())
            .cloned()
            .unwrap_or_default();
    }
    if let Some(shapes) = choices("anyOf") {
        let null = shapes.iter().any(|shape| takes(shape, "null"));
        return shapes.first().filter(|_| !null).map_or(Value::Null, least);
    }
    match () {
        () if takes(schema, "object") => {
            let fields = schema.get("properties").and_then(Value::as_object);
            let fields = fields.into_iter().flatten().map(|(name, one)| (name.clone(), least(one)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        () if takes(schema, "string") => "".into(),
        () if takes(schema, "array") => Value::Array(Vec::new()),
        () if takes(schema, "boolean") => false.into(),
        () if takes(schema, "number") || takes(schema, "integer") => 0.into(),
        () => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Value {
        let text = json!({ "type": ["string", "null"] });
        let urgency = json!({
            "type": "object",
            "properties": { "priority": { "type": "string", "enum": ["high", "urgent"] }, "because": { "type": "string" } },
        });
        json!({
            "type": "object",
            "properties": {
                "template": { "type": ["string", "null"], "enum": ["plain", "warm", null] },
                "tone": text, "summary": text,
                "urgency": { "anyOf": [urgency, { "type": "null" }] },
                "texts": { "type": "object", "properties": { "opening": text } },
            },
        })
    }

    fn case(priority: &str, facts: &[(&str, &str)]) -> String {
        let facts: Vec<Value> = facts.iter().map(|(what, is)| json!({ "what": what, "is": is })).collect();
        json!({
            "priority": priority,
            "facts": facts,
            "message": {
                "language": "de",
                "choices": [
                    { "template": "plain", "tone": "plain", "texts": [] },
                    { "template": "warm", "tone": "warm", "texts": ["opening"] },
                ],
            },
        })
        .to_string()
    }

    #[test]
    fn an_old_friend_gets_warm_words_and_others_those_that_are_drafted() {
        let clean = [("payments that failed", "1"), ("payments refunded", "0"), ("payments disputed", "0")];
        let old = [&[("payments that succeeded", "14")][..], &clean].concat();
        let told = answer(&form(), &case("normal", &old));
        assert_eq!((&told["template"], &told["tone"]), (&json!("warm"), &json!("warm")));
        assert_eq!(told["texts"], json!({ "opening": "Vielen Dank für Ihr Vertrauen." }));
        let new = [&[("payments that succeeded", "1")][..], &clean].concat();
        let told = answer(&form(), &case("normal", &new));
        assert_eq!((&told["template"], &told["texts"]), (&Value::Null, &json!({ "opening": null })));
    }

    #[test]
    fn a_deadline_makes_it_more_urgent_and_nothing_makes_it_less() {
        let near = [("business days until the deadline", "2"), ("deadline", "26 November 2026")];
        let told = answer(&form(), &case("high", &near));
        let expected = json!({ "priority": "urgent", "because": "The deadline is 26 November 2026, only a few business days from today." });
        assert_eq!(told["urgency"], expected);
        assert_eq!(answer(&form(), &case("urgent", &near))["urgency"], Value::Null);
        assert_eq!(answer(&form(), &case("normal", &[]))["urgency"], Value::Null);
    }

    #[test]
    fn a_question_without_a_case_gets_the_least_that_the_form_takes() {
        let least = json!({
            "template": null, "tone": null, "summary": null, "urgency": null, "texts": { "opening": null },
        });
        assert_eq!(answer(&form(), "Are you there?"), least);
    }
}
