//! Reading what a digest tells.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use domain::{
    Case, CaseKey, CaseKind, Money, ProposalId, Timestamp,
    approval::{Operation, Stage},
    classify::Bucket,
    context::{Context, Subject},
    decide::Decision,
    finding::FindingKind,
    snapshot::Read,
    trail::Entry,
};
use serde::Deserialize;
use store::{Approvals, Cases};

use super::{Digest, Person, Returned, Sums, Waiting, add};

/// At most so many open cases, drifts and proposals are told of.
const MOST: usize = 10_000;

/// What a decision's entry holds.
#[derive(Deserialize)]
struct Decided {
    context: Context,
    decision: Decision,
}

/// What a vote's entry holds, as far as it is told.
#[derive(Deserialize)]
struct Voted {
    person: String,
}

type Key = (String, String, BTreeSet<String>);

/// The digest of the time from `from` until before `until`, with what is open now. Reads the trails of that
/// time, the open cases, and the proposals that were voted on; it costs what happened and what is open.
///
/// # Errors
/// If a table does not answer, or an entry is not one that this program writes.
pub async fn gather(
    cases: &Cases,
    approvals: &Approvals,
    from: Timestamp,
    until: Timestamp,
) -> Result<Digest> {
    let mut digest = Digest {
        from,
        until,
        recovered: Sums::new(),
        at_risk: Sums::new(),
        returned: Vec::new(),
        disputes: Vec::new(),
        drift: BTreeMap::new(),
        external_writes: 0,
        people: BTreeMap::new(),
    };
    let mut returned: BTreeMap<Key, Sums> = BTreeMap::new();
    let mut subjects = BTreeSet::new();
    for entry in cases.entries(from, until).await? {
        if entry.subject.starts_with(FindingKind::ExternalWrite.as_str()) {
            digest.external_writes += u64::from(entry.event == "found");
        } else if subjects.insert(entry.subject.clone())
            && let Ok(key) = entry.subject.parse::<CaseKey>()
        {
            match key.kind() {
                CaseKind::Recovery => {
                    if let Some(money) = recovered(&cases.trail(&key).await?, from, until)? {
                        add(&mut digest.recovered, money);
                    }
                }
                CaseKind::Refund => {
                    if let Some((reason, touches, money)) = refunded(&cases.trail(&key).await?, from, until)?
                    {
                        add(returned.entry(("refund".into(), reason, touches)).or_default(), money);
                    }
                }
                _ => {}
            }
        }
    }
    for case in &cases.open_cases(MOST).await?.rows {
        open(&mut digest, case);
    }
    digest.disputes.sort_by_key(|one| one.deadline);
    for row in cases.findings(FindingKind::Drift, MOST).await? {
        *digest.drift.entry(row.value.finding.what).or_default() += 1;
    }
    approved(approvals, &mut digest, &mut returned).await?;
    digest.returned = returned
        .into_iter()
        .map(|((kind, reason, touches), sums)| Returned { kind, reason, touches, sums })
        .collect();
    Ok(digest)
}

fn open(digest: &mut Digest, case: &Case) {
    match (case.key.kind(), case.deadline) {
        (CaseKind::Recovery, _) => {
            if let Some(money) = case.amount {
                add(&mut digest.at_risk, money);
            }
        }
        (CaseKind::Dispute, Some(deadline)) => {
            let dispute = case.key.object().to_string();
            digest.disputes.push(Waiting { dispute, amount: case.amount, deadline });
        }
        _ => {}
    }
}

fn decided(entry: &Entry) -> Result<Option<Decided>> {
    if entry.event != "decided" {
        return Ok(None);
    }
    let read = serde_json::from_str(&entry.body);
    read.map(Some).with_context(|| format!("entry {} of `{}` is no decision", entry.seq, entry.subject))
}

/// What came back, if the invoice had failed and the first entry that says "paid" is of this time.
fn recovered(trail: &[Entry], from: Timestamp, until: Timestamp) -> Result<Option<Money>> {
    let mut had_failed = false;
    for entry in trail {
        let Some(Decided { context, decision }) = decided(entry)? else { continue };
        if decision.classification.bucket != Bucket::Paid {
            had_failed |= !decision.classification.bucket.is_settled();
            continue;
        }
        let in_time = from <= entry.at && entry.at < until;
        return Ok(match &context.subject {
            Subject::Invoice(Read::Found(invoice)) if had_failed && in_time => Some(invoice.amount_due),
            _ => None,
        });
    }
    Ok(None)
}

/// Why money went back and what that touches, if the first entry that says so is of this time.
fn refunded(
    trail: &[Entry],
    from: Timestamp,
    until: Timestamp,
) -> Result<Option<(String, BTreeSet<String>, Money)>> {
    for entry in trail {
        let Some(Decided { context, decision }) = decided(entry)? else { continue };
        if decision.classification.bucket != Bucket::RefundMade {
            continue;
        }
        let in_time = from <= entry.at && entry.at < until;
        return Ok(match &context.subject {
            Subject::Refund(Read::Found(refund)) if in_time => {
                let reason = refund.reason.clone().unwrap_or_else(|| "no reason".into());
                Some((reason, decision.touches, refund.amount))
            }
            _ => None,
        });
    }
    Ok(None)
}

/// Votes by person, and the credits that were executed: Stripe's events of credits start no case.
async fn approved(
    approvals: &Approvals,
    digest: &mut Digest,
    returned: &mut BTreeMap<Key, Sums>,
) -> Result<()> {
    for entry in approvals.entries(digest.from, digest.until).await? {
        let Ok(id) = ProposalId::parse(entry.subject.as_str()) else { continue };
        let Some(file) = approvals.proposal(&id).await? else { continue };
        let operation = &file.proposal().action.operation;
        match entry.event.as_str() {
            vote @ ("voted" | "denied") => {
                let voted: Voted = serde_json::from_str(&entry.body)
                    .with_context(|| format!("entry {} of `{id}` is no vote", entry.seq))?;
                let person: &mut Person = digest.people.entry(voted.person).or_default();
                if vote == "denied" {
                    person.denied += 1;
                } else {
                    person.approved += 1;
                    if let Some(money) = operation.amount() {
                        add(&mut person.sums, money);
                    }
                }
            }
            "executed" if matches!(file.proposal().stage, Stage::Executed { .. }) => {
                let (kind, reason) = match operation {
                    Operation::CreditNote { .. } => ("credit_note", operation.reason()),
                    Operation::BalanceCredit { .. } => ("customer_balance", "credit"),
                    _ => continue,
                };
                // A credit lowers what was billed, so the books have to follow; access stays.
                let touches = [String::from("revenue_recognition")].into();
                if let Some(money) = operation.amount() {
                    add(returned.entry((kind.into(), reason.into(), touches)).or_default(), money);
                }
            }
            _ => {}
        }
    }
    Ok(())
}
