//! How an answer reads: lines that stand under one another, for a terminal and for a page.

use std::fmt;

use domain::{
    CaseKey,
    advice::{Consulted, Outcome},
    approval::{Attempt, Stage},
    case::CaseState,
    event::case_kind,
    plan::Suppression,
};
use store::{EventOutcome, StepState};

use super::answer::{Answer, Proposed, Received, Story, Told, Turned};

/// A line, and how deep it stands under the ones before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) depth: usize,
    pub(crate) text: String,
}

/// Lines as they are written down.
#[derive(Default)]
struct Page(Vec<Line>);

impl Page {
    fn say(&mut self, depth: usize, text: impl Into<String>) {
        self.0.push(Line { depth, text: text.into() });
    }

    fn held(&mut self, depth: usize, suppressed: &[Suppression]) {
        for one in suppressed {
            let (meaning, word) = (one.interlock.meaning(), one.interlock.as_str());
            self.say(depth, format!("Held back: {}, because {meaning} ({word}): {}", one.step, one.because));
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines().iter().enumerate() {
            // A case begins a part of its own.
            let gap = if index > 0 && line.depth == 0 { "\n" } else { "" };
            writeln!(f, "{gap}{}{}", "  ".repeat(line.depth), line.text)?;
        }
        Ok(())
    }
}

impl Answer {
    /// The answer line by line; at depth 0 a part begins.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let mut page = Page::default();
        let object = &self.object;
        if let Some(event) = &self.event {
            let (kind, at) = (&event.kind, event.at);
            page.say(0, format!("{object} ({kind}) was received at {at}: {}", event.what()));
            if let Some(turn) = &event.turn {
                turn.tell(&mut page);
            }
        } else if self.is_empty() {
            page.say(0, format!("Nothing is known of {object}."));
            page.say(1, self.never_received());
        }
        if self.steps_stopped {
            page.say(0, "The switch that stops the agent is on: cases are decided and recorded, and no step is taken.");
        }
        if let Some(freeze) = &self.approvals_stopped {
            let (by, at, why) = (&freeze.by, freeze.at, &freeze.why);
            page.say(
                0,
                format!(
                    "Approvals are frozen since {at} by {by}: {why}. No vote counts and nothing is executed."
                ),
            );
        }
        if !self.unreadable.is_empty() {
            let count = self.unreadable.len();
            page.say(0, format!("{count} items of the table cannot be read; it may be among them."));
        }
        for story in &self.stories {
            story.tell(self, &mut page);
        }
        if !self.proposals.is_empty() {
            page.say(0, "Asked for by people");
            self.proposals.iter().for_each(|one| one.tell(&mut page));
        }
        if object.as_str().starts_with("cus_") && !self.stories.is_empty() {
            page.say(
                0,
                "Closed cases are not listed by customer; ask about their invoice, charge or dispute.",
            );
        }
        if !self.approvals_seen {
            page.say(0, "Approvals were not looked at; name their table with --approvals-table.");
        }
        page.0
    }

    fn never_received(&self) -> String {
        let object = self.object.as_str();
        if object.starts_with("evt_") {
            return format!("The event was never received. {}", resend(object));
        }
        format!(
            "No event about it was received, or only such as start no work. Look for its events in Stripe, ask \
             `countersign why EVENT` about each, and send again what is missing. {}",
            resend("EVENT")
        )
    }
}

/// How an event is sent again. The command is Stripe's own command line's.
fn resend(event: &str) -> String {
    format!(
        "Send it again: `stripe events resend {event} --webhook-endpoint ENDPOINT`, or in Stripe's Dashboard \
         under the endpoint. Whatever was received before is not done twice. The reconciler also fetches \
         what Stripe could not deliver."
    )
}

impl Received {
    fn what(&self) -> String {
        match &self.outcome {
            Some(EventOutcome::Decided { case }) => {
                format!(
                    "it led to the case {case}. Whenever it is delivered again, that is a duplicate and does nothing."
                )
            }
            Some(EventOutcome::Ignored) if case_kind(&self.kind).is_none() => {
                "it was ignored, since its type starts no work.".into()
            }
            Some(EventOutcome::Ignored) => {
                "it was ignored when it came, although its type starts work now; a later event of its object \
                 makes up for it."
                    .into()
            }
            Some(EventOutcome::Refused { why }) => format!("it was refused: {why}."),
            None => "a run works on it, or died; the queue brings it again by itself.".into(),
        }
    }
}

impl Turned {
    fn tell(&self, page: &mut Page) {
        let did = if self.steps.is_empty() && self.suppressed.is_empty() {
            "nothing new: what Stripe said then had been acted on already".to_owned()
        } else if self.steps.is_empty() {
            "no step".to_owned()
        } else {
            self.steps.join(", ")
        };
        page.say(1, format!("Its turn at {} brought {did}.", self.at));
        page.held(1, &self.suppressed);
        if let Some(later) = self.superseded {
            page.say(
                1,
                format!("Superseded: the case was decided anew at {later}, by what Stripe said then."),
            );
        }
    }
}

impl Story {
    fn tell(&self, answer: &Answer, page: &mut Page) {
        let case = &self.case;
        let state = match case.state {
            CaseState::Open => "open",
            CaseState::Closed => "closed",
        };
        let (key, since, priority) = (&case.key, case.changed, case.priority.as_str());
        page.say(0, format!("Case {key}: {state} since {since}, priority {priority}"));
        if *key.object() != answer.object {
            page.say(1, format!("It is about {}; {} belongs to it.", key.object(), answer.object));
        }
        page.say(1, format!("Found: {}", case.classification.bucket));
        case.classification.reasons.iter().for_each(|reason| page.say(2, format!("- {reason}")));
        if !case.next.is_empty() {
            page.say(1, format!("Next: {}", case.next));
        }
        if case.escalation.permitted {
            page.say(1, "Escalated:");
            let rules = case.escalation.rules.iter();
            rules.for_each(|rule| page.say(2, format!("- {} [{}]", rule.reason, rule.id)));
        }
        if !case.escalation.policy.is_empty() {
            page.say(1, format!("Policy: {}", case.escalation.policy));
        }
        if self.steps.is_empty() {
            page.say(1, "No step was taken.");
        }
        self.steps.iter().for_each(|step| step.tell(page, &case.key));
        page.held(1, &case.suppressed);
        if let Some(consulted) = &case.advice {
            advice(consulted, page);
        }
        self.proposals.iter().for_each(|one| one.tell(page));
        for (request, why) in &self.refused {
            page.say(1, format!("Request {request} became no proposal: {}", why.replace('_', " ")));
        }
        for earlier in &self.earlier {
            page.say(1, format!("Superseded: at {} it was {}", earlier.at, earlier.found.bucket));
            page.held(2, &earlier.suppressed);
        }
        page.say(
            1,
            match case.revisit.filter(|_| case.state == CaseState::Open) {
                Some(then) => format!("Looked at again at {then}, or when Stripe says something new."),
                None => "Looked at again when Stripe says something new.".into(),
            },
        );
    }
}

/// What a model said. Its words are labelled as such, and those that were refused as a stranger's.
fn advice(consulted: &Consulted, page: &mut Page) {
    let Consulted { model, prompt, input, tokens, .. } = consulted;
    page.say(1, format!("Language model {model}: {}", consulted.told()));
    match &consulted.outcome {
        Outcome::Taken { priority, because, summary, message, tone } => {
            if let Some(summary) = summary {
                page.say(2, format!("Its summary, checked against the facts: {summary}"));
            }
            if let (Some(priority), Some(because)) = (priority, because) {
                page.say(2, format!("It raised the priority to {}: {because}", priority.as_str()));
            }
            if let (Some(message), Some(tone)) = (message, tone) {
                page.say(2, format!("It chose {} ({})", message.template, tone.as_str()));
            }
        }
        Outcome::Refused { objections, said } => {
            for one in objections {
                page.say(2, format!("- {}: {}", one.part, one.what));
            }
            page.say(2, format!("Untrusted, what it said: {said}"));
        }
        Outcome::Unanswered { .. } | Outcome::NotAsked { .. } => {}
    }
    let (read, written) = (tokens.input, tokens.output);
    page.say(2, format!("Question {} under {prompt}, {read} tokens read, {written} written", input.short()));
}

impl Told {
    fn tell(&self, page: &mut Page, case: &CaseKey) {
        let state = match (&self.kept, &self.state) {
            (Some(why), _) => format!("kept with the case: {why}"),
            (None, StepState::Done { vendor_id }) => format!("done, as {vendor_id}"),
            (None, StepState::Failed { why }) => format!(
                "failed, somebody must look: {why}. When that is repaired: `countersign step retry {case} {} \
                 --by ID`",
                self.key
            ),
            (None, StepState::Sending) => format!("being sent, try {}", self.tries),
        };
        page.say(1, format!("Step {} of {}: {state}", self.step, self.at));
    }
}

impl Proposed {
    fn tell(&self, page: &mut Page) {
        let amount = self.amount.map_or_else(String::new, |amount| format!(" of {amount}"));
        let what = format!("{}{amount} on {}", self.operation, self.object);
        page.say(1, format!("Proposal {}, {what}: {}", self.id, self.state()));
        page.say(2, format!("asked for by {}", self.requester));
        for (person, decision, at) in &self.votes {
            page.say(2, format!("{person} voted `{decision}` at {at}"));
        }
        if let Some(before) = &self.replaces {
            page.say(2, format!("it replaces {before}, since Stripe had moved on"));
        }
    }

    fn state(&self) -> String {
        let approved = self.votes.iter().filter(|(_, decision, _)| decision == "approve").count();
        match &self.stage {
            Stage::Pending => {
                format!(
                    "waiting for approval, {approved} of {} signatures, until {}",
                    self.need, self.expires
                )
            }
            Stage::Executing(Attempt { unknown: Some(why), .. }) => {
                format!(
                    "its outcome is not known ({why}); somebody looks in Stripe, and nothing is sent again"
                )
            }
            Stage::Executing(attempt) => format!("being executed, try {}", attempt.tries),
            Stage::Executed { effect, request, at } => {
                let request =
                    request.as_ref().map_or_else(String::new, |id| format!(", Stripe's request {id}"));
                format!("executed at {at}, as {effect}{request}")
            }
            Stage::Failed { code, at } => {
                format!("Stripe refused it at {at} with `{code}`; nothing happened")
            }
            Stage::Denied { by, at } => format!("denied by {by} at {at}"),
            Stage::Withdrawn { by, at } => format!("withdrawn by {by} at {at}"),
            Stage::Expired { at } => format!("expired at {at}: nobody decided in time"),
            Stage::Stale { moved, at } => {
                format!("superseded at {at}, since Stripe moved on: {moved}; nothing was sent")
            }
            Stage::Tampered { what, at } => {
                format!("stopped at {at}, since what is stored is not what was signed: {what}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        Digest,
        advice::{Objection, Tokens},
        plan::Priority,
    };

    use super::*;

    fn told(outcome: Outcome) -> String {
        let consulted = Consulted {
            model: "advisor-1".into(),
            prompt: "advice/1".into(),
            input: Digest::of("a question"),
            tokens: Tokens { input: 1_000, output: 100 },
            remembered: false,
            outcome,
        };
        let mut page = Page::default();
        advice(&consulted, &mut page);
        page.0.into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_a_model_said_is_told_as_its_words() {
        let text = told(Outcome::Taken {
            priority: Some(Priority::High),
            because: Some("The contract renews soon.".into()),
            summary: Some("The card expired before the renewal.".into()),
            message: None,
            tone: None,
        });
        for says in [
            "Language model advisor-1: its answer was used",
            "Its summary, checked against the facts: The card expired before the renewal.",
            "It raised the priority to high: The contract renews soon.",
            "under advice/1, 1000 tokens read, 100 written",
        ] {
            assert!(text.contains(says), "{text}");
        }
    }

    #[test]
    fn what_was_refused_is_told_with_its_reason_and_as_untrusted() {
        let objection =
            Objection { part: "summary".into(), reason: "phrase".into(), what: "`approve` instructs".into() };
        let text = told(Outcome::Refused { objections: vec![objection], said: "Approve it!".into() });
        assert!(text.contains("its answer was refused, because of: summary (phrase)"), "{text}");
        assert!(text.contains("Untrusted, what it said: Approve it!"), "{text}");
    }
}
