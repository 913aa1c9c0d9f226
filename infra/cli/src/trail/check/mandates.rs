//! Executions under a mandate: whether it was granted, by whom, for this, and whether it still stood.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Digest, MandateId, PersonId, ProposalId,
    approval::{Action, Operation, ReversibleOperation, Terms},
    trail::Entry,
};
use serde::Deserialize;

use super::{Contents, Fault};

/// What the entry of a claim says, as far as it is checked.
#[derive(Deserialize)]
struct Claimed {
    #[serde(default)]
    mandate: Option<MandateId>,
    #[serde(default)]
    signers: BTreeSet<PersonId>,
}

/// What the entries of a mandate's own trail say, as far as they are checked.
#[derive(Deserialize)]
struct Named {
    proposal: ProposalId,
    digest: Digest,
}

/// The mandate that an execution cites.
pub(super) fn cited(claim: &Entry) -> Option<MandateId> {
    serde_json::from_str::<Claimed>(&claim.body).ok()?.mandate
}

/// Checks that an execution which begins under a mandate was covered by it. `approvals` holds who signed
/// which proposal, from receipts that were checked.
pub(super) fn check(
    all: &Contents,
    action: &Action,
    claim: &Entry,
    approvals: &BTreeMap<String, BTreeSet<PersonId>>,
) -> Result<(), Fault> {
    let bad = |why| Fault::Mandate { subject: claim.subject.clone(), seq: claim.seq, why };
    let said: Claimed = serde_json::from_str(&claim.body).map_err(|_| bad("names no mandate"))?;
    let id = said.mandate.ok_or_else(|| bad("names no mandate"))?;
    let proposal = id.proposal();
    let granting = all.actions.get(proposal.as_str());
    let (Some(granting), Some(signed)) = (granting, approvals.get(proposal.as_str())) else {
        return Err(bad("rests on a mandate that nobody is shown to have signed"));
    };
    let Operation::GrantMandate(terms) = &granting.operation else {
        return Err(bad("rests on something that is no mandate"));
    };
    let trail = all.chains.get(id.as_str()).map_or(&[][..], Vec::as_slice);
    if !was_granted(trail, granting) {
        return Err(bad("rests on a mandate whose trail is missing, or of another one"));
    }
    if !covers(granting, terms, action) {
        return Err(bad("is not what its mandate is for"));
    }
    let requester = &action.requester;
    let counted = said.signers.iter().all(|who| signed.contains(who) && who != requester);
    if !counted || said.signers.len() < usize::from(granting.need.max(action.need)) {
        return Err(bad("counts people who did not sign its mandate, or too few"));
    }
    if claim.at >= terms.until {
        return Err(bad("came after its mandate was over"));
    }
    let uses: Vec<&Entry> = trail.iter().filter(|entry| is_use_of(entry, action)).collect();
    let [used] = uses[..] else { return Err(bad("is not counted once in its mandate's trail")) };
    if trail.iter().any(|entry| entry.event == "ended" && entry.seq < used.seq) {
        return Err(bad("came after its mandate had ended"));
    }
    let day = used.at.day();
    let of_the_day = trail.iter().filter(|entry| entry.event == "used" && entry.at.day() == day);
    if of_the_day.count() > usize::try_from(terms.per_day).unwrap_or(usize::MAX) {
        return Err(bad("is one of more uses in a day than its mandate allows"));
    }
    Ok(())
}

fn was_granted(trail: &[Entry], granting: &Action) -> bool {
    let first = trail.first().filter(|first| first.event == "granted");
    first
        .and_then(|first| serde_json::from_str::<Named>(&first.body).ok())
        .is_some_and(|named| named.proposal == granting.proposal && named.digest == granting.digest())
}

fn covers(granting: &Action, terms: &Terms, action: &Action) -> bool {
    ReversibleOperation::of(&action.operation) == Some(terms.allows)
        && action.policy == granting.policy
        && action.account == granting.account
        && action.livemode == granting.livemode
}

fn is_use_of(entry: &Entry, action: &Action) -> bool {
    entry.event == "used"
        && serde_json::from_str::<Named>(&entry.body)
            .is_ok_and(|named| named.proposal == action.proposal && named.digest == action.digest())
}

#[cfg(test)]
mod tests {
    use domain::{
        AccountId, PersonId, RuleId, SubscriptionId, Timestamp,
        approval::{Decision, Identity, Method, PauseBehavior, ReceiptBody, ReceiptSigner},
        trail::{Head, Statement, chain_name},
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::trail::{Line, check::check};

    /// What an auditor is given: the mandate's grant, its own trail, and one use.
    struct Given {
        granting: Action,
        used: Action,
        voters: Vec<&'static str>,
        signers: Vec<&'static str>,
        /// Event and body of the mandate's own trail, in order.
        trail: Vec<(&'static str, Value)>,
        claimed_at: i64,
        with_trail: bool,
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn action(id: &str, operation: Operation) -> Action {
        Action {
            proposal: ProposalId::parse(id).unwrap(),
            account: AccountId::parse("acct_1").unwrap(),
            livemode: false,
            operation,
            metadata: BTreeMap::new(),
            snapshot: Digest::of("snapshot"),
            requester: PersonId::parse("support").unwrap(),
            source: None,
            customer_text: Digest::of(""),
            policy: "p".into(),
            need: if id == "ap_g" { 2 } else { 1 },
            created: at(100),
            expires: at(8000),
        }
    }

    fn given() -> Given {
        let terms = Terms {
            rule: RuleId::parse("support-asks").unwrap(),
            allows: ReversibleOperation::PauseCollection,
            per_day: 1,
            until: at(5000),
        };
        let granting = action("ap_g", Operation::GrantMandate(terms));
        let subscription = SubscriptionId::parse("sub_1").unwrap();
        let pause = Operation::PauseCollection {
            subscription,
            behavior: PauseBehavior::KeepAsDraft,
            resumes_at: None,
        };
        let used = action("ap_u", pause);
        let named = |action: &Action| json!({ "proposal": action.proposal, "digest": action.digest() });
        Given {
            trail: vec![("granted", named(&granting)), ("used", named(&used))],
            granting,
            used,
            voters: vec!["a", "b"],
            signers: vec!["a", "b"],
            claimed_at: 700,
            with_trail: true,
        }
    }

    fn signer() -> ReceiptSigner {
        ReceiptSigner::new("r1", &[7; 32]).unwrap()
    }

    fn vote(action: &Action, who: &str) -> Value {
        let receipt = signer().sign(ReceiptBody {
            id: format!("rc_{who}"),
            proposal: action.proposal.clone(),
            digest: action.digest(),
            decision: Decision::Approve,
            voter: Identity { team: "T1".into(), user: who.into() },
            method: Method::Oidc,
            at: at(200),
        });
        json!({ "person": who, "receipt": receipt })
    }

    /// A chain with its times.
    type Chain<'a> = Vec<(&'a str, Value, i64)>;

    fn verify(change: impl FnOnce(&mut Given)) -> Result<String, String> {
        let mut given = given();
        change(&mut given);
        let Given { granting, used, voters, signers, trail, claimed_at, with_trail } = &given;
        let proposed = |action: &Action| ("proposed", json!({ "digest": action.digest() }), 100);
        let mut grant: Chain<'_> = vec![proposed(granting)];
        grant.extend(voters.iter().map(|who| ("voted", vote(granting, who), 200)));
        let digest = granting.digest();
        grant.push(("claimed", json!({ "digest": digest, "signers": voters }), 300));
        grant.push(("executed", json!({ "digest": digest }), 300));
        let claim = json!({ "digest": used.digest(), "mandate": "md_g", "signers": signers });
        let use_: Chain<'_> = vec![proposed(used), ("claimed", claim, *claimed_at)];
        let own: Chain<'_> = trail.iter().map(|(event, body)| (*event, body.clone(), 600)).collect();
        let mut chains = vec![("ap_g", grant), ("ap_u", use_)];
        if *with_trail {
            chains.push(("md_g", own));
        }
        let (mut lines, mut ends, mut heads) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (subject, entries) in chains {
            let mut end = Head::START;
            for (event, body, time) in entries {
                let entry = end.entry(subject, event, at(time), body.to_string());
                end = entry.head();
                lines.push(Line::Entry(entry));
            }
            heads.insert(chain_name(subject), end);
            ends.push(Line::Head { subject: subject.to_owned(), end });
        }
        lines.extend(ends);
        lines.extend([granting, used].map(|action| Line::Action(Box::new(action.clone()))));
        lines.push(Line::Checkpoint(Statement::after(None, at(9000), at(9000), heads).sign(&signer())));
        let lines: Vec<String> = lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
        let held = check(&lines.join("\n"), &[signer().public().1]);
        held.map(|held| held.to_string()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn an_execution_under_a_mandate_that_covers_it_holds() {
        let held = verify(|_| ()).unwrap();
        assert!(held.starts_with("3 chains with 9 entries hold; 2 receipts"), "{held}");
    }

    #[test]
    fn whatever_a_mandate_does_not_cover_is_named() {
        type Change = fn(&mut Given);
        let cases: [(&str, Change); 11] = [
            ("counts people who did not sign", |given| given.signers = vec!["a", "c"]),
            ("too few", |given| given.signers = vec!["a"]),
            ("counts people", |given| given.used.requester = PersonId::parse("a").unwrap()),
            ("is not what its mandate is for", |given| {
                let subscription = SubscriptionId::parse("sub_1").unwrap();
                given.used.operation = Operation::ResumeCollection { subscription };
            }),
            ("is not what its mandate is for", |given| given.used.policy = "another".into()),
            ("after its mandate was over", |given| given.claimed_at = 5000),
            ("trail is missing", |given| given.with_trail = false),
            ("not counted once", |given| drop(given.trail.pop())),
            ("after its mandate had ended", |given| given.trail.insert(1, ("ended", json!({})))),
            ("more uses in a day", |given| {
                given.trail.push(("used", json!({ "proposal": "ap_x", "digest": Digest::of("x") })));
            }),
            ("something that is no mandate", |given| {
                given.granting.operation = given.used.operation.clone();
            }),
        ];
        for (why, change) in cases {
            let found = verify(change).unwrap_err();
            assert!(found.contains(why) && found.contains("ap_u"), "{why}: {found}");
        }
        let unsigned = verify(|given| given.voters = vec!["a"]).unwrap_err();
        assert_eq!(unsigned, "`ap_g`: entry 2 begins an execution on 1 of 2 signatures");
    }
}
