//! What permits a gated effect.

use std::collections::BTreeSet;

use super::{Action, Decision, Ineligible, Receipt, ReceiptKeys};
use crate::{Digest, MandateId, PersonId, ProposalId, encoding};

/// Proof that enough people signed exactly this action in time. It can only be made by
/// [`Grant::issue`], which recounts the receipts and trusts no row, and by [`super::Mandate::permit`] from
/// a grant of the mandate itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    action: Action,
    digest: Digest,
    signers: BTreeSet<PersonId>,
    mandate: Option<MandateId>,
}

/// Why there is no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoGrant {
    /// The stored action is not the one whose digest was signed.
    #[error("the stored action does not match its digest")]
    Tampered,
    /// A stored receipt is not one that we signed for this proposal.
    #[error("receipt `{0}` does not verify")]
    ForgedReceipt(String),
    /// Somebody said no.
    #[error("the proposal was denied")]
    Denied,
    /// Not enough yet.
    #[error("{got} of {need} approvals")]
    TooFew {
        /// Approvals that count.
        got: usize,
        /// Approvals needed.
        need: u8,
    },
}

impl NoGrant {
    /// Whether somebody changed what was stored: an alarm, not a wait.
    pub const fn is_tampering(&self) -> bool {
        matches!(self, Self::Tampered | Self::ForgedReceipt(_))
    }
}

/// Who a receipt's voter is today, and whether they may sign this action today. Asked again at
/// execution: somebody who was removed since has no vote any more.
pub trait Voters {
    /// The person behind a receipt.
    ///
    /// # Errors
    /// Why their vote does not count.
    fn voter(&self, receipt: &Receipt, action: &Action) -> Result<PersonId, Ineligible>;
}

impl<F: Fn(&Receipt, &Action) -> Result<PersonId, Ineligible>> Voters for F {
    fn voter(&self, receipt: &Receipt, action: &Action) -> Result<PersonId, Ineligible> {
        self(receipt, action)
    }
}

impl Grant {
    /// Recounts: the digest from the action as stored, each signature, each voter as of now, votes
    /// before expiry only, distinct people. `need` is what policy asks for today; the stricter of it
    /// and the action's own counts, and it is never below one.
    ///
    /// # Errors
    /// [`NoGrant`] says whether to wait, to stop or to raise an alarm.
    pub fn issue(
        action: &Action,
        digest: Digest,
        receipts: &[Receipt],
        keys: &ReceiptKeys,
        voters: &impl Voters,
        need: u8,
    ) -> Result<Self, NoGrant> {
        if action.digest() != digest {
            return Err(NoGrant::Tampered);
        }
        let mut signers = BTreeSet::new();
        for receipt in receipts {
            let ours = receipt.body.proposal == action.proposal && receipt.body.digest == digest;
            if !ours || !keys.verify(receipt) {
                return Err(NoGrant::ForgedReceipt(receipt.body.id.clone()));
            }
            if receipt.body.decision == Decision::Deny {
                return Err(NoGrant::Denied);
            }
            let in_time = receipt.body.at >= action.created && receipt.body.at < action.expires;
            if let Ok(person) = voters.voter(receipt, action)
                && in_time
                && person != action.requester
            {
                signers.insert(person);
            }
        }
        let need = need.max(action.need).max(1);
        if signers.len() < usize::from(need) {
            return Err(NoGrant::TooFew { got: signers.len(), need });
        }
        Ok(Self { action: action.clone(), digest, signers, mandate: None })
    }

    /// The grant of a mandate's use; whoever calls it has checked everything.
    pub(super) fn by_mandate(
        action: &Action,
        digest: Digest,
        signers: BTreeSet<PersonId>,
        mandate: MandateId,
    ) -> Self {
        Self { action: action.clone(), digest, signers, mandate: Some(mandate) }
    }

    /// The action that was signed.
    pub const fn action(&self) -> &Action {
        &self.action
    }

    /// Its digest.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The mandate under which it was granted; `None` if people signed this very action.
    pub const fn mandate(&self) -> Option<&MandateId> {
        self.mandate.as_ref()
    }

    /// Who signed it, or its mandate.
    pub const fn signers(&self) -> &BTreeSet<PersonId> {
        &self.signers
    }

    /// The idempotency key of one call of this grant ([`idempotency_key`]).
    pub fn idempotency_key(&self, step: u8) -> String {
        idempotency_key(&self.action.proposal, self.digest, step)
    }
}

/// The idempotency key of one call for a proposal: the same for every attempt, and another for every
/// other proposal, action or step (`approval/stripe-idem/v1`). No time, attempt or person goes into it,
/// so a retry can never look new to Stripe (I2).
pub fn idempotency_key(proposal: &ProposalId, digest: Digest, step: u8) -> String {
    let digest = encoding::digest("approval/stripe-idem/v1", |to| {
        to.text(proposal.as_str());
        to.bytes(digest.bytes());
        to.number(step);
    });
    format!("ap1_{}", digest.to_string().chars().take(48).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Timestamp,
        approval::{Identity, Method, ReceiptBody, ReceiptSigner, action::tests::sample},
    };

    fn signer() -> ReceiptSigner {
        ReceiptSigner::new("r1", &[7; 32]).unwrap()
    }

    fn vote(user: &str) -> Receipt {
        signer().sign(body(user))
    }

    fn body(user: &str) -> ReceiptBody {
        ReceiptBody {
            id: format!("r-{user}"),
            proposal: sample().proposal,
            digest: sample().digest(),
            decision: Decision::Approve,
            voter: Identity { team: "T0TEAM".into(), user: user.into() },
            method: Method::Oidc,
            at: sample().created.plus(60),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is handed in where somebody may be refused")]
    fn everybody(receipt: &Receipt, _: &Action) -> Result<PersonId, Ineligible> {
        Ok(PersonId::parse(receipt.body.voter.user.as_str()).unwrap())
    }

    fn issue(receipts: &[Receipt]) -> Result<Grant, NoGrant> {
        let keys = ReceiptKeys::new([signer().public()]);
        Grant::issue(&sample(), sample().digest(), receipts, &keys, &everybody, 1)
    }

    #[test]
    fn two_people_make_a_grant_and_its_keys_are_those_of_the_protocols_vector() {
        let grant = issue(&[vote("A"), vote("B")]).unwrap();
        assert_eq!(grant.idempotency_key(0), "ap1_f1570a7cf209dba26e0244ffdfbd7a2df18bd952a860573e");
        assert_eq!(grant.idempotency_key(1), "ap1_2cc55e529968077add4874ad771c8bb5d44fc2fabcb112bd");
    }

    #[test]
    fn the_same_person_twice_is_one_vote() {
        assert_eq!(issue(&[vote("A"), vote("A")]), Err(NoGrant::TooFew { got: 1, need: 2 }));
        assert_eq!(issue(&[]), Err(NoGrant::TooFew { got: 0, need: 2 }));
    }

    #[test]
    fn the_requesters_vote_never_counts() {
        assert_eq!(issue(&[vote("A"), vote("U0REQ")]), Err(NoGrant::TooFew { got: 1, need: 2 }));
    }

    #[test]
    fn a_vote_at_or_after_expiry_does_not_count() {
        let late = |at| signer().sign(ReceiptBody { at, ..body("B") });
        assert!(issue(&[vote("A"), late(sample().expires.plus(-1))]).is_ok());
        assert!(issue(&[vote("A"), late(sample().expires)]).is_err());
        assert!(issue(&[vote("A"), late(Timestamp::from_seconds(0))]).is_err(), "nor one from before");
    }

    #[test]
    fn one_denial_stops_everything() {
        let no = signer().sign(ReceiptBody { decision: Decision::Deny, ..body("C") });
        assert_eq!(issue(&[vote("A"), vote("B"), no]), Err(NoGrant::Denied));
    }

    #[test]
    fn a_receipt_of_another_proposal_or_another_signer_is_forged() {
        let other = signer().sign(ReceiptBody { proposal: ProposalId::parse("ap_2").unwrap(), ..body("B") });
        let stranger = ReceiptSigner::new("r1", &[8; 32]).unwrap().sign(body("B"));
        for forged in [other, stranger] {
            let refused = issue(&[vote("A"), forged]).unwrap_err();
            assert!(refused.is_tampering(), "{refused}");
        }
    }

    #[test]
    fn an_edited_action_is_tampering() {
        let keys = ReceiptKeys::new([signer().public()]);
        let edited = Action { need: 1, ..sample() };
        let refused =
            Grant::issue(&edited, sample().digest(), &[vote("A")], &keys, &everybody, 1).unwrap_err();
        assert_eq!(refused, NoGrant::Tampered);
    }

    #[test]
    fn the_stricter_need_wins() {
        let keys = ReceiptKeys::new([signer().public()]);
        let votes = [vote("A"), vote("B")];
        let issue = |need| Grant::issue(&sample(), sample().digest(), &votes, &keys, &everybody, need);
        assert!(issue(0).is_ok());
        assert_eq!(issue(3), Err(NoGrant::TooFew { got: 2, need: 3 }));
    }

    #[test]
    fn who_is_no_longer_eligible_has_no_vote() {
        let keys = ReceiptKeys::new([signer().public()]);
        let without_b = |receipt: &Receipt, action: &Action| match receipt.body.voter.user.as_str() {
            "B" => Err(Ineligible::Inactive),
            _ => everybody(receipt, action),
        };
        let refused =
            Grant::issue(&sample(), sample().digest(), &[vote("A"), vote("B")], &keys, &without_b, 2);
        assert_eq!(refused, Err(NoGrant::TooFew { got: 1, need: 2 }));
    }
}
