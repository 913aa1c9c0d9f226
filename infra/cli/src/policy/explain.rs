//! `policy explain`: one decision in words for finance.

use std::fmt::Write as _;

use anyhow::Result;
use domain::{
    decide::Decision,
    plan::{Step, StepKind},
    policy::{Example, RuleRef, Verdict, step_word},
};
use serde_json::json;

use super::cases::Recorded;
use crate::{End, args::ExplainCase};

/// Decides a case and tells why.
pub(crate) fn explain(options: &ExplainCase) -> End {
    let told = || -> Result<String> {
        let example = Recorded::file(&options.case)?.read()?;
        let bundle = runtime::policy::load(&options.policy)?;
        let decision = example.decide(&bundle);
        if options.json {
            let whole = json!({ "case": example.key, "policy": bundle.id(), "decision": decision });
            return Ok(serde_json::to_string_pretty(&whole)?);
        }
        Ok(tell(&example, &decision, bundle.id()))
    };
    told().map_or_else(|error| End::usage(format!("{error:#}")), End::good)
}

fn tell(example: &Example, decision: &Decision, policy: &str) -> String {
    let mut text = String::new();
    let mut say = |line: String| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{line}");
    };
    say(format!("{}: {}", example.key, example.title));
    say(format!("Policy {policy}"));
    say(format!("\nFound: {} ({})", decision.classification.bucket, decision.segment));
    for reason in &decision.classification.reasons {
        say(format!("  - {reason}"));
    }
    let state = format!("{:?}", decision.state).to_lowercase();
    say(format!("\nThe case is {state}, its priority {}.", decision.priority.as_str()));
    if let Some(due) = decision.deadline {
        say(format!("Something can be done until {due}."));
    }
    if decision.escalation.permitted {
        say("Escalated, because:".into());
        decision.escalation.rules.iter().for_each(|rule| say(rule_line(rule)));
    } else {
        say("Not escalated.".into());
        decision.escalation.rules.iter().for_each(|rule| say(rule_line(rule)));
    }
    if !decision.next.is_empty() {
        say(format!("Next: {}", decision.next));
        say(format!("Otherwise: {}", decision.otherwise));
    }
    if !decision.verdicts.is_empty() {
        say("\nWhat the rules say:".into());
    }
    for verdict in &decision.verdicts {
        say(verdict_line(verdict));
        verdict.rules.iter().for_each(|rule| say(rule_line(rule)));
        verdict.errors.iter().for_each(|error| say(format!("    failed: {error}")));
    }
    say(if decision.steps.is_empty() { "\nNo steps.".into() } else { "\nSteps:".into() });
    for (index, step) in decision.steps.iter().enumerate() {
        let kept = step.kept.as_ref().map_or_else(|| "sent".into(), |why| format!("kept: {why}"));
        say(format!("  {}. {} ({kept})", index + 1, step_word(step)));
        details(step).lines().for_each(|line| say(format!("       {line}")));
    }
    if !decision.suppressed.is_empty() {
        say("\nHeld back:".into());
    }
    for one in &decision.suppressed {
        say(format!("  - {}, because {} ({})", one.step, one.interlock.meaning(), one.interlock.as_str()));
        say(format!("    {}", one.because));
    }
    if let Some(then) = decision.revisit {
        say(format!("\nLooked at again at {then}, or when Stripe says something new."));
    }
    text
}

fn verdict_line(verdict: &Verdict) -> String {
    format!("  {}: {}", verdict.asked, if verdict.permitted { "permitted" } else { "not permitted" })
}

fn rule_line(rule: &RuleRef) -> String {
    format!("    {} [{}]", rule.reason, rule.id)
}

/// What a step says, for whoever reads the plan.
fn details(step: &Step) -> String {
    match &step.kind {
        StepKind::Draft(draft) | StepKind::Reply { draft, .. } => {
            format!("{} by {}\nSubject: {}\n\n{}", draft.template, draft.channel, draft.subject, draft.text)
        }
        StepKind::Alert(alert) => format!("#{}: {}", alert.channel, alert.headline),
        StepKind::Task(task) => format!("{}, until {}", task.title, task.due),
        StepKind::Note { text } => text.clone(),
        StepKind::PaymentStatus(status) => status.status.clone(),
        StepKind::Ticket { subject, .. } => subject.clone(),
        StepKind::Evidence { checklist, .. } => {
            let lines = checklist.iter().map(|item| {
                let found = item.found.as_ref();
                let place = found.map_or_else(|| format!("missing: {}", item.note), Clone::clone);
                format!("{}: {place}", item.field)
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        StepKind::Request { operation, .. } => format!("asks the approvers for {operation}"),
    }
}
