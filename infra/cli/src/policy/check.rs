//! `policy check`: everything that can be wrong with a bundle before it decides about money.

use std::collections::BTreeSet;

use anyhow::Result;
use domain::policy::Bundle;

use super::cases;
use crate::{End, args::CheckPolicy};

/// What was found.
#[derive(Default)]
struct Findings {
    errors: Vec<String>,
    warnings: Vec<String>,
}

/// Checks a bundle and its examples.
pub(crate) fn check(options: &CheckPolicy) -> End {
    // Loading is strict: schema, rules, playbooks, and every template in every language with sample
    // values. What it refuses would not start either.
    let bundle = match runtime::policy::load(&options.policy) {
        Ok(bundle) => bundle,
        Err(error) => return End::no(format!("error: {error:#}")),
    };
    let folder = options.policy.join("examples");
    let recorded = if folder.is_dir() { cases::below(&folder) } else { Ok(Vec::new()) };
    match recorded {
        Ok(recorded) => report(&bundle, &recorded),
        Err(error) => End::no(format!("error: {error:#}")),
    }
}

fn report(bundle: &Bundle, recorded: &[cases::Recorded]) -> End {
    let mut found = Findings::default();
    // People ask for and sign proposals and not cases, so no example can reach what is asked then.
    let mut unreached: BTreeSet<String> = bundle.rules().into_keys().collect();
    for action in ["ask", "sign"] {
        unreached.retain(|rule| !bundle.rules_about(action).contains(rule));
    }
    for case in recorded {
        if let Err(error) = examine(bundle, case, &mut unreached, &mut found) {
            found.errors.push(format!("{error:#}"));
        }
    }
    for (rule, by) in bundle.shadowed() {
        found.errors.push(format!(
            "rule `{rule}` can never decide, since `{by}` always forbids the same; delete one of them"
        ));
        unreached.remove(&rule);
    }
    if recorded.is_empty() {
        found.warnings.push("there are no examples; add some below `examples/`".into());
        unreached.clear();
    }
    for rule in unreached {
        found.warnings.push(format!(
            "rule `{rule}` decides in no example; add an example that shows it, or delete the rule"
        ));
    }
    let templates: Vec<_> = bundle.templates().iter().collect();
    let ids: BTreeSet<_> = templates.iter().map(|template| &template.id).collect();
    let locales: BTreeSet<_> = templates.iter().map(|template| template.locale).collect();
    let mut lines: Vec<String> = found.warnings.iter().map(|line| format!("warning: {line}")).collect();
    lines.extend(found.errors.iter().map(|line| format!("error: {line}")));
    lines.push(format!(
        "policy {}: {} rules, {} templates in {} languages, {} examples; {} errors, {} warnings",
        bundle.id(),
        bundle.rules().len(),
        ids.len(),
        locales.len(),
        recorded.len(),
        found.errors.len(),
        found.warnings.len(),
    ));
    let text = lines.join("\n");
    if found.errors.is_empty() { End::good(text) } else { End::no(text) }
}

fn examine(
    bundle: &Bundle,
    case: &cases::Recorded,
    unreached: &mut BTreeSet<String>,
    found: &mut Findings,
) -> Result<()> {
    let example = case.read()?;
    let decision = example.decide(bundle);
    for verdict in example.verdicts(bundle) {
        for rule in &verdict.rules {
            unreached.remove(&rule.id);
        }
        for error in &verdict.errors {
            found.errors.push(format!("{}: asked `{}`, a rule fails: {error}", case.place, verdict.asked));
        }
    }
    let place = |line: String| format!("{} ({}): {line}", case.place, example.title);
    found.errors.extend(example.expect.differences(&decision).into_iter().map(place));
    found.errors.extend(example.bolder_when_missing(bundle).into_iter().map(place));
    Ok(())
}
