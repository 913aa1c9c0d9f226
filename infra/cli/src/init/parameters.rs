//! The template's parameters and what each may be: read from template.yaml itself, so that the two cannot differ.

use anyhow::{Context as _, Result, bail, ensure};
use regex::Regex;

/// The deployment, as it was when this command was built.
const TEMPLATE: &str = include_str!("../../../../template.yaml");

/// A parameter of the template.
#[derive(Debug, Default)]
pub(super) struct Parameter {
    pub(super) name: String,
    /// None if it has to be given.
    pub(super) default: Option<String>,
    pub(super) description: String,
    pattern: Option<Regex>,
    values: Vec<String>,
    least: Option<i64>,
    most: Option<i64>,
}

/// What has to be given where something else is chosen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// The other parameter, its value, and whether it has that value or any but it.
    chosen: String,
    value: String,
    is: bool,
    /// What has to be given then.
    pub(super) parameter: String,
    /// The value that counts as not given.
    unset: String,
    /// What the stack would say.
    pub(super) told: String,
}

impl Need {
    /// Whether it is needed beside these values.
    pub(super) fn holds<'a>(&self, value_of: impl Fn(&str) -> &'a str) -> bool {
        (value_of(&self.chosen) == self.value) == self.is
    }

    /// Whether this is a value at all.
    pub(super) fn is_met(&self, value: &str) -> bool {
        value != self.unset
    }
}

/// What the template's `Rules` ask for, so that a stack is not refused after the questions.
///
/// # Errors
/// As [`all`].
pub(super) fn needs() -> Result<Vec<Need>> {
    needed(TEMPLATE)
}

fn needed(template: &str) -> Result<Vec<Need>> {
    let section = template.lines().skip_while(|line| *line != "Rules:").skip(1);
    let (mut all, mut condition): (Vec<Need>, _) = (Vec::new(), None);
    for line in section.take_while(|line| line.is_empty() || line.starts_with(' ')).map(str::trim) {
        match line.split_once(": ") {
            Some(("RuleCondition", rule)) => condition = Some(compared(rule)?),
            Some(("- Assert", rule)) => {
                let (parameter, unset, is) = compared(rule)?;
                let (chosen, value, holds) = condition.clone().context("a rule has no condition")?;
                ensure!(!is, "`{rule}` asks for one value, which is not understood");
                all.push(Need { chosen, value, is: holds, parameter, unset, told: String::new() });
            }
            Some(("AssertDescription", told)) => {
                all.last_mut().context("a description describes nothing")?.told = scalar(told);
            }
            _ => ensure!(
                line.is_empty() || line.starts_with('#') || line.ends_with(':'),
                "`{line}` of the rules is not understood"
            ),
        }
    }
    ensure!(!all.is_empty(), "the template has no rules");
    Ok(all)
}

/// `!Equals [!Ref NAME, VALUE]` or its `!Not [...]`: the name, the value, and which of the two.
fn compared(rule: &str) -> Result<(String, String, bool)> {
    let (inner, is) = match rule.strip_prefix("!Not [").and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => (inner, false),
        None => (rule, true),
    };
    let inner = inner.strip_prefix("!Equals [!Ref ").and_then(|rest| rest.strip_suffix(']'));
    let pair = inner.and_then(|inner| inner.split_once(", "));
    let (name, value) = pair.with_context(|| format!("the rule `{rule}` is not understood"))?;
    Ok((name.to_owned(), scalar(value), is))
}

/// All parameters, in the template's order.
///
/// # Errors
/// If the template has a form that is not understood; a test of this file would have said so.
pub(super) fn all() -> Result<Vec<Parameter>> {
    read(TEMPLATE)
}

fn read(template: &str) -> Result<Vec<Parameter>> {
    let section = template.lines().skip_while(|line| *line != "Parameters:").skip(1);
    let mut all: Vec<Parameter> = Vec::new();
    for line in section.take_while(|line| line.is_empty() || line.starts_with(' ')) {
        let text = line.trim();
        let depth = line.len() - line.trim_start().len();
        match (depth, all.last_mut()) {
            _ if text.is_empty() || text.starts_with('#') => {}
            (2, _) => {
                let name = text.strip_suffix(':').with_context(|| format!("`{text}` is no parameter"))?;
                all.push(Parameter { name: name.to_owned(), ..Parameter::default() });
            }
            (4, Some(one)) => {
                let (key, value) = text.split_once(':').with_context(|| format!("`{text}` has no value"))?;
                one.take(key, value.trim())?;
            }
            // A folded description.
            (6, Some(one)) => {
                if !one.description.is_empty() {
                    one.description.push(' ');
                }
                one.description.push_str(text);
            }
            _ => bail!("`{text}` stands at a depth that is not understood"),
        }
    }
    ensure!(!all.is_empty(), "the template has no parameters");
    Ok(all)
}

impl Parameter {
    fn take(&mut self, key: &str, value: &str) -> Result<()> {
        match key {
            "Type" => ensure!(matches!(value, "String" | "Number"), "the type `{value}` is not understood"),
            "Default" => self.default = Some(scalar(value)),
            "Description" if value == ">-" => {}
            "Description" => self.description = scalar(value),
            "AllowedPattern" => {
                let pattern = Regex::new(&scalar(value));
                self.pattern = Some(pattern.with_context(|| format!("the pattern of {}", self.name))?);
            }
            "AllowedValues" => {
                let inner = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
                let inner = inner.with_context(|| format!("the values of {}", self.name))?;
                self.values = inner.split(',').map(|one| scalar(one.trim())).collect();
            }
            "MinValue" => self.least = Some(value.parse()?),
            "MaxValue" => self.most = Some(value.parse()?),
            other => bail!("`{other}` of {} is not understood", self.name),
        }
        Ok(())
    }

    /// Whether the stack would take this value.
    ///
    /// # Errors
    /// What is wrong with it, and what it is for.
    pub(super) fn check(&self, value: &str) -> Result<()> {
        let (name, why) = (&self.name, &self.description);
        ensure!(
            value.chars().all(|one| !one.is_whitespace() && !one.is_control() && one != '"'),
            "{name} cannot have white space or quotes. {why}"
        );
        ensure!(
            self.values.is_empty() || self.values.iter().any(|one| one == value),
            "{name} must be one of {}. {why}",
            self.values.join(", ")
        );
        if let Some(pattern) = &self.pattern {
            ensure!(pattern.is_match(value), "{name} must be of the form {pattern}. {why}");
        }
        if self.least.is_some() || self.most.is_some() {
            let (least, most) = (self.least.unwrap_or(i64::MIN), self.most.unwrap_or(i64::MAX));
            let fits = value.parse().is_ok_and(|number: i64| (least..=most).contains(&number));
            ensure!(fits, "{name} must be a number from {least} to {most}. {why}");
        }
        Ok(())
    }
}

/// A plain or single-quoted YAML scalar.
fn scalar(text: &str) -> String {
    match text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str) -> Parameter {
        all().unwrap().into_iter().find(|one| one.name == name).unwrap()
    }

    #[test]
    fn the_templates_own_constraints_are_kept() {
        let channels = parameter("SlackChannels");
        assert!(channels.default.is_none() && channels.description.contains("by id"));
        assert!(channels.check("billing-alerts=C0123ABCD,billing-risk=G0456").is_ok());
        for bad in ["", "billing-alerts", "billing-alerts=c0123", "billing-alerts=C0123, billing-risk=C0456"]
        {
            let error = channels.check(bad).unwrap_err().to_string();
            assert!(error.starts_with("SlackChannels "), "{error}");
        }
        assert!(
            parameter("CrmCurrency").check("USD").is_err() && parameter("CrmCurrency").check("usd").is_ok()
        );
        assert!(
            parameter("Crm").check("sugar").unwrap_err().to_string().contains("none, hubspot, salesforce")
        );
        let rate = parameter("StripeRequestsPerSecond");
        assert!(rate.check("10").is_ok() && rate.check("11").is_err() && rate.check("x").is_err());
        assert_eq!(parameter("IntercomUrl").values.len(), 3);
    }

    #[test]
    fn every_default_is_one_that_its_parameter_takes() {
        let all = all().unwrap();
        let section = TEMPLATE.split("\nRules:\n").next().unwrap();
        assert_eq!(all.len(), section.matches("\n    Type: ").count(), "each parameter is read");
        for one in &all {
            assert!(!one.description.is_empty(), "{}", one.name);
            if let Some(default) = &one.default {
                one.check(default).unwrap();
            }
        }
    }

    #[test]
    fn what_is_needed_beside_something_else_is_what_the_templates_rules_ask_for() {
        let all = needs().unwrap();
        let section = TEMPLATE.split("\nRules:\n").nth(1).unwrap().split("\nConditions:\n").next().unwrap();
        assert_eq!(all.len(), section.matches("- Assert: ").count(), "each assertion is read");
        let named = parameters_of(&all, &[("Crm", "salesforce"), ("MailFrom", "a@example.com")]);
        for name in ["SalesforceUrl", "SalesforceClientId", "MailIdentity"] {
            assert!(named.contains(&name.to_owned()), "{name}: {named:?}");
        }
        assert!(!named.contains(&"ZendeskUrl".to_owned()), "{named:?}");
        for one in &all {
            assert!(one.told.contains(&one.parameter), "{one:?}");
            let parameter = parameter(&one.parameter);
            assert!(
                !one.is_met(parameter.default.as_deref().unwrap()),
                "{}: its default is no value",
                one.parameter
            );
        }
    }

    /// What is needed where these values are chosen and all others are as the template has them.
    fn parameters_of(needs: &[Need], chosen: &[(&str, &str)]) -> Vec<String> {
        let parameters = all().unwrap();
        let default = |name: &str| parameters.iter().find(|one| one.name == name)?.default.as_deref();
        let value = |name: &str| {
            let own = chosen.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
            own.or_else(|| default(name)).unwrap_or_default()
        };
        needs.iter().filter(|one| one.holds(value)).map(|one| one.parameter.clone()).collect()
    }

    #[test]
    fn a_form_that_is_not_understood_is_no_constraint_that_is_dropped() {
        assert!(read("Parameters:\n  A:\n    Type: String\n    MaxLength: 3\n").is_err());
        assert!(read("Parameters:\n  A:\n    Type: List<String>\n").is_err());
        assert!(read("Resources:\n").is_err());
        let rule = |rule: &str| needed(&format!("Rules:\n  A:\n    RuleCondition: {rule}\n"));
        assert!(rule("!Contains [[a], !Ref B]").is_err());
        assert!(rule("!Equals [!Ref B, c]").is_err(), "without an assertion it asks for nothing");
    }
}
