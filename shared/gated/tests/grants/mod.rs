//! An action, and its grant by one eligible person.

use std::collections::BTreeMap;

use domain::{
    AccountId, Digest, PersonId, ProposalId, Timestamp,
    approval::{
        Action, Decision, Grant, Identity, Ineligible, Method, Operation, Receipt, ReceiptBody, ReceiptKeys,
        ReceiptSigner,
    },
};

pub(crate) fn action(operation: Operation) -> Action {
    Action {
        proposal: ProposalId::parse("ap_0123456789abcdefghjkmnpqrs").unwrap(),
        account: AccountId::parse("acct_1").unwrap(),
        livemode: false,
        operation,
        metadata: BTreeMap::new(),
        snapshot: Digest::of("snapshot"),
        requester: PersonId::parse("requester").unwrap(),
        source: None,
        customer_text: Digest::of(""),
        policy: "policy-1".into(),
        need: 1,
        created: Timestamp::from_seconds(1_790_000_000),
        expires: Timestamp::from_seconds(1_790_003_600),
    }
}

pub(crate) fn granted(action: &Action) -> Grant {
    let signer = ReceiptSigner::new("r1", &[7; 32]).unwrap();
    let receipt = signer.sign(ReceiptBody {
        id: "receipt-1".into(),
        proposal: action.proposal.clone(),
        digest: action.digest(),
        decision: Decision::Approve,
        voter: Identity { team: "T0TEAM".into(), user: "approver".into() },
        method: Method::Oidc,
        at: action.created.plus(60),
    });
    let voters = |receipt: &Receipt, _: &Action| -> Result<PersonId, Ineligible> {
        Ok(PersonId::parse(receipt.body.voter.user.as_str()).unwrap())
    };
    let keys = ReceiptKeys::new([signer.public()]);
    Grant::issue(action, action.digest(), &[receipt], &keys, &voters, 1).unwrap()
}
