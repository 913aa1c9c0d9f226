//! The table of all figures. The same table for people is `infra/template/FIGURES.md`; a test keeps both to
//! what the functions write.

use std::fmt::Write as _;

/// What a figure measures in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// How often.
    Count,
    /// Seconds.
    Seconds,
    /// A number without a unit.
    None,
}

/// A figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// Its name; where it is counted by kind, what the name begins with.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// What it is counted by: its name is then `name_kind`.
    pub by: Option<&'static str>,
    /// Whose code writes it. The reconciler runs the processor's code too.
    pub functions: &'static [&'static str],
    /// What it tells.
    pub meaning: &'static str,
}

const fn figure(
    name: &'static str,
    unit: Unit,
    by: Option<&'static str>,
    functions: &'static [&'static str],
    meaning: &'static str,
) -> Figure {
    Figure { name, unit, by, functions, meaning }
}

/// All figures, by name.
pub const FIGURES: &[Figure] = &[
    figure("advice_asked", Unit::Count, None, &["processor"], "Questions put to a language model"),
    figure(
        "advice_cost_micro_usd",
        Unit::Count,
        None,
        &["processor"],
        "What its answers cost, in millionths of a US dollar, by `MODEL_PRICE`",
    ),
    figure(
        "advice_not_asked",
        Unit::Count,
        Some("reason"),
        &["processor"],
        "Questions that were not put: `case_budget` and `day_budget` are used up, `no_budget` and `no_memory` could not be read, `asked_already` in the same turn",
    ),
    figure("advice_refused", Unit::Count, None, &["processor"], "Answers of which nothing was used"),
    figure(
        "advice_refused",
        Unit::Count,
        Some("reason"),
        &["processor"],
        "What was wrong with them; one can have several reasons",
    ),
    figure("advice_remembered", Unit::Count, None, &["processor"], "Questions answered from memory"),
    figure("advice_taken", Unit::Count, None, &["processor"], "Answers that were used"),
    figure("advice_tokens", Unit::Count, None, &["processor"], "Tokens that a model read and wrote"),
    figure("advice_unanswered", Unit::Count, None, &["processor"], "Questions without an answer"),
    figure("advice_unanswered", Unit::Count, Some("reason"), &["processor"], "The same, by reason"),
    figure(
        "answers",
        Unit::Count,
        Some("status class"),
        &["approver"],
        "Answers over HTTP, by the first digit of their status",
    ),
    figure(
        "approvals_expiring",
        Unit::Count,
        None,
        &["reconciler"],
        "Proposals that end soon without enough signatures",
    ),
    figure("approvals_pending", Unit::Count, None, &["reconciler"], "Proposals that wait for signatures"),
    figure(
        "approvers_not_told",
        Unit::Count,
        None,
        &["approver"],
        "People who should sign and could not be told",
    ),
    figure("approvers_told", Unit::Count, None, &["approver"], "People who were told"),
    figure("canaries_arrived", Unit::Count, None, &["processor"], "Canaries that came through the queue"),
    figure("canaries_sent", Unit::Count, None, &["reconciler"], "Canaries that ingress took"),
    figure(
        "canary_age",
        Unit::Seconds,
        None,
        &["reconciler"],
        "Since the last canary was sent that is known to have come through",
    ),
    figure(
        "cards_lost",
        Unit::Count,
        None,
        &["approver", "processor"],
        "Cards of cases in Slack that could not be shown anew",
    ),
    figure(
        "cards_updated",
        Unit::Count,
        None,
        &["approver", "processor"],
        "Cards of cases in Slack that were shown anew",
    ),
    figure("cases_due", Unit::Count, None, &["reconciler"], "Open cases that came due and were decided anew"),
    figure(
        "checkpoints_signed",
        Unit::Count,
        None,
        &["approver"],
        "Checkpoints over the trails that were signed",
    ),
    figure("classified", Unit::Count, Some("bucket"), &["processor"], "Decisions, by what was found"),
    figure(
        "coexistence_found",
        Unit::Count,
        None,
        &["reconciler"],
        "Objects that we work on and Stripe as well, told now",
    ),
    figure("dead_letters", Unit::Count, None, &["reconciler"], "Messages that failed too often"),
    figure("dead_letters", Unit::Count, Some("queue"), &["reconciler"], "The same, by queue"),
    figure(
        "deadlines_called",
        Unit::Count,
        None,
        &["reconciler"],
        "Disputes whose backup or last call was told now",
    ),
    figure("digests_told", Unit::Count, None, &["reconciler"], "Digests for finance that were posted"),
    figure(
        "dispute_deadline_hours",
        Unit::None,
        None,
        &["reconciler"],
        "Hours until the nearest deadline of a dispute; negative if it has passed",
    ),
    figure("disputes_waiting", Unit::Count, None, &["reconciler"], "Disputes that wait for an answer"),
    figure("drift_found", Unit::Count, None, &["reconciler"], "Drifts that are new or changed"),
    figure(
        "drift_open",
        Unit::Count,
        None,
        &["reconciler"],
        "Drifts that are there among the customers compared",
    ),
    figure("drift_unread", Unit::Count, None, &["reconciler"], "Customers that could not be compared"),
    figure(
        "duplicates_suppressed",
        Unit::Count,
        None,
        &["processor"],
        "Events that had their outcome already",
    ),
    figure(
        "enrichment_failed",
        Unit::Count,
        None,
        &["processor"],
        "Parts of a context that could not be read",
    ),
    figure("enrichment_failed", Unit::Count, Some("source"), &["processor"], "The same, by source"),
    figure("event_age", Unit::Seconds, None, &["processor"], "From Stripe's `created` until a turn began"),
    figure(
        "events_ignored",
        Unit::Count,
        None,
        &["ingress", "processor"],
        "Events whose type starts no work",
    ),
    figure(
        "events_missed",
        Unit::Count,
        None,
        &["reconciler"],
        "Events that the store had never seen, queued now",
    ),
    figure(
        "events_received",
        Unit::Count,
        None,
        &["ingress", "processor"],
        "Events queued by ingress, and taken by the processor",
    ),
    figure("events_refused", Unit::Count, None, &["processor"], "Events of test mode in a live deployment"),
    figure(
        "events_unreadable",
        Unit::Count,
        None,
        &["ingress"],
        "Signed deliveries that are no event to be read",
    ),
    figure("events_unreadable", Unit::Count, Some("reason"), &["ingress"], "The same, by reason"),
    figure(
        "events_unswept",
        Unit::Count,
        None,
        &["reconciler"],
        "Events of Stripe's list that could not be taken in",
    ),
    figure(
        "executions_in_doubt",
        Unit::Count,
        None,
        &["reconciler"],
        "Executions whose outcome nobody knows at the moment",
    ),
    figure(
        "executions_over_budget",
        Unit::Count,
        None,
        &["approver"],
        "Executions that wait because the day's budget is used up",
    ),
    figure("executions_stuck", Unit::Count, None, &["reconciler"], "Executions that nobody holds any more"),
    figure(
        "executions_taken_over",
        Unit::Count,
        None,
        &["approver"],
        "Executions taken over from a run that died",
    ),
    figure(
        "executions_unknown",
        Unit::Count,
        None,
        &["approver"],
        "Executions that lost sight of their outcome",
    ),
    figure(
        "external_writes_alarming",
        Unit::Count,
        None,
        &["reconciler"],
        "Writes in Stripe past the approvals, of a kind that the policy wants an alarm for",
    ),
    figure(
        "external_writes_noted",
        Unit::Count,
        None,
        &["reconciler"],
        "Other writes in Stripe past the approvals",
    ),
    figure(
        "forms_refused",
        Unit::Count,
        None,
        &["approver"],
        "Forms that were stale, forged or of nobody signed in",
    ),
    figure(
        "integrity_alarms",
        Unit::Count,
        None,
        &["approver"],
        "Something stored or answered is not what was signed",
    ),
    figure("keys_too_strong", Unit::Count, None, &["reconciler"], "1 if the key for reading can write"),
    figure("keys_too_weak", Unit::Count, None, &["reconciler"], "Permissions that the key for reading lacks"),
    figure(
        "links_of_others",
        Unit::Count,
        None,
        &["approver"],
        "Links opened by somebody else than they were for",
    ),
    figure("links_refused", Unit::Count, None, &["approver"], "Links that are expired or forged"),
    figure("links_revoked", Unit::Count, None, &["approver"], "Links of a key that was revoked"),
    figure("mandates_ended", Unit::Count, None, &["approver"], "Mandates that ended"),
    figure("mandates_granted", Unit::Count, None, &["approver"], "Mandates that people signed"),
    figure(
        "mandates_not_reaching",
        Unit::Count,
        None,
        &["approver"],
        "Requests beyond a mandate of their kind, for which people are asked",
    ),
    figure("mandates_used", Unit::Count, None, &["approver"], "Executions under a mandate"),
    figure("messages_failed", Unit::Count, None, &["approver", "processor"], "Messages that must come again"),
    figure("messages_unreadable", Unit::Count, None, &["processor"], "Messages that are no envelope"),
    figure(
        "notes_lost",
        Unit::Count,
        None,
        &["approver"],
        "Messages about an outcome that Slack did not take",
    ),
    figure("pages_failed", Unit::Count, None, &["approver"], "Pages that failed for a reason of ours"),
    figure("passkeys", Unit::Count, Some("change"), &["approver"], "Passkeys that people added or removed"),
    figure(
        "passkeys_refused",
        Unit::Count,
        Some("reason"),
        &["approver"],
        "Answers of passkeys that were not taken",
    ),
    figure(
        "proposals",
        Unit::Count,
        Some("what happened"),
        &["approver"],
        "Moves of proposals: `proposed`, `executed`, `denied`, `expired`, …; the approval rate is `executed` of all that ended",
    ),
    figure(
        "proposals_without_approver",
        Unit::Count,
        None,
        &["approver"],
        "Proposals that too few people may sign",
    ),
    figure(
        "queue_failures",
        Unit::Count,
        None,
        &["ingress"],
        "Deliveries that the queue did not confirm; Stripe repeats them",
    ),
    figure("queue_latency", Unit::Seconds, None, &["processor"], "From ingress until a turn began"),
    figure("requests_received", Unit::Count, None, &["approver"], "Requests for a gated action"),
    figure("requests_refused", Unit::Count, None, &["ingress"], "Requests that are no delivery"),
    figure(
        "requests_refused",
        Unit::Count,
        Some("reason"),
        &["approver"],
        "Requests that became no proposal",
    ),
    figure("settlements", Unit::Count, None, &["approver"], "Proposals that the schedule looked at"),
    figure("settlements_failed", Unit::Count, None, &["approver"], "Those that it could not settle"),
    figure("sign_ins", Unit::Count, None, &["approver"], "People who signed in"),
    figure("sign_ins_refused", Unit::Count, None, &["approver"], "Sign-ins that were refused"),
    figure("signatures_refused", Unit::Count, None, &["ingress"], "Deliveries without a good signature"),
    figure("signatures_refused", Unit::Count, Some("reason"), &["ingress"], "The same, by reason"),
    figure("steps_due", Unit::Count, None, &["reconciler"], "Steps that were left half-done"),
    figure("steps_failed", Unit::Count, None, &["processor"], "Steps that a vendor refused for good"),
    figure("steps_failed", Unit::Count, Some("kind"), &["processor"], "The same, by kind"),
    figure("steps_redriven", Unit::Count, None, &["processor"], "Steps taken over from a run that died"),
    figure("steps_sent", Unit::Count, Some("kind"), &["processor"], "Steps that a vendor has"),
    figure("steps_waiting", Unit::Count, Some("kind"), &["processor"], "Steps that wait for a vendor"),
    figure("suppressed", Unit::Count, Some("interlock"), &["processor"], "Steps that were held back"),
    figure("time_to_decision", Unit::Seconds, None, &["approver"], "From a proposal until a vote"),
    figure("turns_failed", Unit::Count, None, &["processor"], "Turns that must come again"),
    figure("turns_failed", Unit::Count, Some("cause"), &["processor"], "The same, by cause"),
    figure("votes", Unit::Count, Some("decision"), &["approver"], "Votes that were counted"),
    figure("votes_refused", Unit::Count, None, &["approver"], "Votes that were not"),
    figure(
        "votes_too_fast",
        Unit::Count,
        None,
        &["approver"],
        "Approvals that came before anybody could have read the page",
    ),
    figure(
        "votes_within_5s",
        Unit::Count,
        None,
        &["approver"],
        "Votes that were counted less than five seconds after their page",
    ),
];

/// The table for people, as `infra/template/FIGURES.md` has it.
pub fn table() -> String {
    let mut text = String::from(
        "# Figures\n\n\
         Each invocation of a function writes its figures as one line in CloudWatch's embedded metric format,\n\
         into the namespace `Countersign` with the dimensions `deployment` (stack and region) and `function`.\n\
         A figure *by* something has the kind at the end of its name: `classified_hard_decline`. The reconciler\n\
         runs the processor's code, so it writes the processor's figures as well.\n\n\
         | figure | unit | by | written by | meaning |\n|---|---|---|---|---|\n",
    );
    for Figure { name, unit, by, functions, meaning } in FIGURES {
        let ending = if by.is_some() { "_…" } else { "" };
        let (unit, by) = (format!("{unit:?}"), by.unwrap_or_default());
        let functions = functions.join(", ");
        let _ = writeln!(text, "| `{name}{ending}` | {unit} | {by} | {functions} | {meaning} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// A figure as code writes it: name, unit, whether by kind, function.
    type Written = (String, &'static str, bool, String);

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
    }

    fn sources(folder: &Path, found: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }

    fn written() -> BTreeSet<Written> {
        let mut all = BTreeSet::new();
        for function in ["ingress", "processor", "approver", "reconciler"] {
            let mut code = String::new();
            sources(&root().join("functions").join(function).join("src"), &mut code);
            for (call, unit, by) in [
                (".count(", "Count", false),
                (".count_by(", "Count", true),
                (".seconds(", "Seconds", false),
                (".number(", "None", false),
            ] {
                for rest in code.split(call).skip(1) {
                    if let Some(name) =
                        rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next())
                    {
                        all.insert((name.to_owned(), unit, by, function.to_owned()));
                    }
                }
            }
        }
        all
    }

    #[test]
    fn the_table_has_every_figure_that_is_written_and_no_other() {
        let listed: BTreeSet<Written> = FIGURES
            .iter()
            .flat_map(|one| one.functions.iter().map(move |function| (one, function)))
            .map(|(one, function)| {
                let unit = match one.unit {
                    Unit::Count => "Count",
                    Unit::Seconds => "Seconds",
                    Unit::None => "None",
                };
                (one.name.to_owned(), unit, one.by.is_some(), (*function).to_owned())
            })
            .collect();
        assert_eq!(written(), listed);
        assert!(FIGURES.is_sorted_by_key(|one| (one.name, one.by.is_some())));
    }

    #[test]
    fn the_table_for_people_is_this_one() {
        let path = root().join("infra/template/FIGURES.md");
        if std::env::var_os("UPDATE_FIGURES").is_some() {
            fs::write(&path, table()).unwrap();
        }
        assert_eq!(
            fs::read_to_string(&path).unwrap_or_default(),
            table(),
            "run this test with UPDATE_FIGURES=1"
        );
    }
}
