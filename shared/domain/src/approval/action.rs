//! A gated action with every parameter, and the digest that binds them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Operation;
use crate::{AccountId, Digest, EventId, PersonId, ProposalId, Timestamp, encoding};

/// A gated action, complete: exactly this is shown, signed and sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// The proposal that holds it.
    pub proposal: ProposalId,
    /// The Stripe account that it is done in.
    pub account: AccountId,
    /// Whether that is live mode.
    pub livemode: bool,
    /// What is done, with all parameters.
    pub operation: Operation,
    /// Further metadata to set on the Stripe object; empty where the call takes none
    /// ([`Operation::takes_metadata`]).
    pub metadata: BTreeMap<String, String>,
    /// The state of Stripe that it was proposed from.
    pub snapshot: Digest,
    /// Who asked; never one of those who sign.
    pub requester: PersonId,
    /// The event that led to it, if one did.
    pub source: Option<EventId>,
    /// SHA-256 of the text that the customer wrote, or of nothing.
    pub customer_text: Digest,
    /// Version and digest of the policy that set `need` and `expires`.
    pub policy: String,
    /// How many distinct people must approve; at least one.
    pub need: u8,
    /// When it was proposed.
    pub created: Timestamp,
    /// From then on it cannot be approved.
    pub expires: Timestamp,
}

impl Action {
    /// SHA-256 over every field (`approval/action/v1`): in the order below, and after `expires`, if
    /// the operation has further parameters, those as one map ([`Operation::parameters`]).
    pub fn digest(&self) -> Digest {
        encoding::digest("approval/action/v1", |to| {
            let amount = self.operation.amount();
            to.text(self.proposal.as_str());
            to.text(self.account.as_str());
            to.number(i64::from(self.livemode));
            to.text(self.operation.name());
            to.text(self.operation.object().as_str());
            to.text(&amount.map_or(String::new(), |money| money.amount.to_string()));
            to.text(amount.as_ref().map_or("", |money| money.currency.code()));
            to.text(self.operation.reason());
            to.map(&self.metadata);
            to.bytes(self.snapshot.bytes());
            to.text(self.requester.as_str());
            to.text(self.source.as_ref().map_or("", EventId::as_str));
            to.bytes(self.customer_text.bytes());
            to.text(&self.policy);
            to.number(self.need);
            to.number(self.created.seconds());
            to.number(self.expires.seconds());
            let parameters = self.operation.parameters();
            if !parameters.is_empty() {
                to.map(&parameters);
            }
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        ChargeId, Currency, Money,
        approval::{RefundReason, operation::tests::one_of_each},
    };

    /// The sample action of the protocol's test vectors.
    pub(crate) fn sample() -> Action {
        Action {
            proposal: ProposalId::parse("ap_0123456789abcdefghjkmnpqrs").unwrap(),
            account: AccountId::parse("acct_1").unwrap(),
            livemode: true,
            operation: Operation::Refund {
                charge: ChargeId::parse("ch_1").unwrap(),
                amount: Money::new(1999, Currency::parse("usd").unwrap()),
                reason: RefundReason::RequestedByCustomer,
            },
            metadata: [("ticket", "T-1"), ("a", "ü")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            snapshot: Digest::of("snapshot"),
            requester: PersonId::parse("U0REQ").unwrap(),
            source: EventId::parse("evt_1").ok(),
            customer_text: Digest::of("ticket text"),
            policy: "pol-3".into(),
            need: 2,
            created: Timestamp::from_seconds(1_750_000_000),
            expires: Timestamp::from_seconds(1_750_003_600),
        }
    }

    #[test]
    fn the_digest_is_that_of_the_protocols_vector() {
        assert_eq!(
            sample().digest().to_string(),
            "4b84ea5508ae2733200c9929a08bd5062f6d0a0267ed45d314df91156f3f7ca4"
        );
    }

    #[test]
    fn every_field_moves_the_digest() {
        let other = Digest::of("other");
        let changes: [fn(&mut Action); 14] = [
            |a| a.proposal = ProposalId::parse("ap_2").unwrap(),
            |a| a.account = AccountId::parse("acct_2").unwrap(),
            |a| a.livemode = false,
            |a| {
                let Operation::Refund { charge, .. } = &mut a.operation else { panic!("a refund") };
                *charge = ChargeId::parse("ch_2").unwrap();
            },
            |a| {
                let Operation::Refund { amount, .. } = &mut a.operation else { panic!("a refund") };
                amount.amount = 9999;
            },
            |a| {
                let Operation::Refund { amount, .. } = &mut a.operation else { panic!("a refund") };
                amount.currency = Currency::parse("eur").unwrap();
            },
            |a| {
                let Operation::Refund { reason, .. } = &mut a.operation else { panic!("a refund") };
                *reason = RefundReason::Duplicate;
            },
            |a| a.metadata.clear(),
            |a| a.requester = PersonId::parse("U0OTHER").unwrap(),
            |a| a.source = None,
            |a| a.policy = "pol-4".into(),
            |a| a.need = 1,
            |a| a.created = a.created.plus(1),
            |a| a.expires = a.expires.plus(1),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut action = sample();
            change(&mut action);
            assert_ne!(action.digest(), sample().digest(), "change {index}");
        }
        assert_ne!(Action { snapshot: other, ..sample() }.digest(), sample().digest());
        assert_ne!(Action { customer_text: other, ..sample() }.digest(), sample().digest());
    }

    #[test]
    fn every_parameter_of_every_operation_moves_the_digest() {
        let digest = |operation: serde_json::Value| {
            let operation = serde_json::from_value(operation).unwrap();
            Action { operation, ..sample() }.digest()
        };
        let mut seen = std::collections::BTreeSet::new();
        for operation in one_of_each() {
            let whole = serde_json::to_value(&operation).unwrap();
            assert!(seen.insert(digest(whole.clone())), "{operation}");
            for (name, value) in whole.as_object().unwrap() {
                let other: serde_json::Value = match (name.as_str(), value) {
                    ("operation", _) => continue,
                    ("amount", _) => serde_json::json!({"amount": 501, "currency": "usd"}),
                    ("evidence", _) => serde_json::json!({"receipt": "file_2"}),
                    ("reason", _) => "duplicate".into(),
                    ("behavior", _) => "keep_as_draft".into(),
                    ("feedback", _) => "unused".into(),
                    ("case", _) => "recovery:in_2".into(),
                    ("recipient", _) => "other@example.test".into(),
                    ("change", _) => "restore".into(),
                    ("allows", _) => "resume_collection".into(),
                    (_, serde_json::Value::Bool(flag)) => (!flag).into(),
                    (_, serde_json::Value::Number(_)) => 7.into(),
                    _ => "other".into(),
                };
                let mut changed = whole.clone();
                changed[name] = other;
                assert!(seen.insert(digest(changed.clone())), "{changed}");
                if matches!(name.as_str(), "memo" | "description" | "comment" | "feedback" | "resumes_at")
                    || matches!(name.as_str(), "payment_method" | "note")
                {
                    changed[name] = serde_json::Value::Null;
                    assert!(seen.insert(digest(changed.clone())), "{changed}");
                }
            }
        }
    }
}
