//! Votes with a passkey, as an auditor meets them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::approval::{
    Assertion, CredentialId, Decision, Enrolled, PasskeyChange, Passkeys, RelyingParty, enrol_challenge,
    vote_challenge,
};
use sandbox::passkey::{Authenticator, client_data};
use serde_json::json;

use super::tests::{action, at, body, signed_with, signer, with_key};
use super::*;

const ORIGIN: &str = "https://approve.example.test";

fn text(challenge: Digest) -> String {
    URL_SAFE_NO_PAD.encode(challenge.bytes())
}

/// The trail of somebody who added a passkey, which was confirmed and maybe removed at these times.
fn enrolments(person: &PersonId, device: &Authenticator, confirmed: i64, removed: Option<i64>) -> Vec<Entry> {
    let party = RelyingParty::of(ORIGIN).unwrap();
    let challenge = enrol_challenge("n", person);
    let client = URL_SAFE_NO_PAD.encode(client_data("webauthn.create", &text(challenge), ORIGIN));
    let made = Enrolled::read(&client, &device.registration(&party.id), challenge, &party).unwrap();
    let (credential, by) = (made.credential().clone(), PersonId::parse("admin").unwrap());
    let mut changes = vec![
        (PasskeyChange::Enrolled(made), 100),
        (PasskeyChange::Confirmed { credential: credential.clone(), by: by.clone() }, confirmed),
    ];
    changes.extend(removed.map(|time| (PasskeyChange::Removed { credential, by }, time)));
    let (mut all, mut entries) = (Passkeys::none(person.clone()), Vec::new());
    for (change, time) in changes {
        let (after, entry) = all.after(change, at(time)).unwrap();
        all = after;
        entries.push(entry);
    }
    entries
}

/// The vote of somebody with a passkey, at 200.
fn vote(person: &str, device: &mut Authenticator) -> (&'static str, String) {
    let body = body(person, action().digest());
    let challenge = vote_challenge("n", &body.proposal, body.digest, Decision::Approve);
    let client = client_data("webauthn.get", &text(challenge), ORIGIN);
    let signed = device.answer("approve.example.test", &client).unwrap();
    let assertion = Assertion {
        credential: CredentialId::parse(device.credential()).unwrap(),
        nonce: "n".into(),
        client_data: signed.client_data,
        authenticator_data: signed.authenticator_data,
        signature: signed.signature,
    };
    let receipt = signer().sign_with(body, Some(assertion));
    ("voted", json!({ "person": person, "receipt": receipt }).to_string())
}

fn claimed() -> (&'static str, String) {
    let body = json!({ "digest": action().digest(), "signers": ["a", "b"], "passkey": true });
    ("claimed", body.to_string())
}

/// Two people with a passkey each: their trails and their votes.
fn both() -> (Vec<Vec<Entry>>, [(&'static str, String); 2]) {
    let mut devices = [Authenticator::es256().unwrap(), Authenticator::ed25519().unwrap()];
    let people = ["a", "b"].map(|id| PersonId::parse(id).unwrap());
    let trails =
        people.iter().zip(&devices).map(|(person, device)| enrolments(person, device, 150, None)).collect();
    let [first, second] = &mut devices;
    (trails, [vote("a", first), vote("b", second)])
}

fn fault(trails: &[Vec<Entry>], events: &[(&str, String)]) -> String {
    with_key(&signed_with(trails, events)).unwrap_err().to_string()
}

#[test]
fn votes_with_passkeys_verify_with_nothing_but_the_file() {
    let (trails, [a, b]) = both();
    let held = with_key(&signed_with(&trails, &[a, b, claimed()])).unwrap();
    assert_eq!((held.chains, held.signed.unwrap().receipts), (3, 2));
}

#[test]
fn a_tampered_assertion_is_named_even_if_its_receipt_was_signed_again() {
    let (trails, [a, b]) = both();
    let mut said: serde_json::Value = serde_json::from_str(&a.1).unwrap();
    let other: serde_json::Value = serde_json::from_str(&b.1).unwrap();
    said["receipt"]["assertion"]["signature"] = other["receipt"]["assertion"]["signature"].clone();
    let unsigned = (a.0, said.to_string());
    assert_eq!(
        fault(&trails, &[unsigned, b.clone()]),
        "`ap_1`: the receipt in entry 1 is signed by none of the public keys"
    );
    let receipt: Receipt = serde_json::from_value(said["receipt"].clone()).unwrap();
    let again = signer().sign_with(receipt.body, receipt.assertion);
    let signed_again = ("voted", json!({ "person": "a", "receipt": again }).to_string());
    assert_eq!(
        fault(&trails, &[signed_again, b]),
        "`ap_1`: the receipt in entry 1 carries a passkey that did not sign this vote"
    );
}

#[test]
fn a_passkey_that_is_unknown_anothers_too_new_or_gone_is_named() {
    let mut device = Authenticator::es256().unwrap();
    let vote = vote("a", &mut device);
    let [a, b] = ["a", "b"].map(|id| PersonId::parse(id).unwrap());
    let told = |trails: &[Vec<Entry>]| fault(trails, std::slice::from_ref(&vote));
    assert_eq!(
        told(&[]),
        "`ap_1`: the receipt in entry 1 carries a passkey whose enrolment is not in the file"
    );
    let not_then = "`ap_1`: the receipt in entry 1 carries a passkey that did not count for this person then";
    for (person, confirmed, removed) in [(&a, 201, None), (&a, 150, Some(199))] {
        assert_eq!(told(&[enrolments(person, &device, confirmed, removed)]), not_then);
    }
    let others = told(&[enrolments(&b, &device, 150, None)]);
    assert!(others.ends_with("whose enrolment is not in the file"), "{others}");
    let events = [vote.clone()];
    assert!(with_key(&signed_with(&[enrolments(&a, &device, 150, Some(201))], &events)).is_ok());
}

#[test]
fn where_only_passkeys_counted_a_vote_without_one_is_none() {
    let (trails, [a, _]) = both();
    let without = signer().sign(body("b", action().digest()));
    let without = ("voted", json!({ "person": "b", "receipt": without }).to_string());
    let told = fault(&trails, &[a.clone(), without.clone(), claimed()]);
    assert_eq!(told, "`ap_1`: entry 3 begins an execution on 1 of 2 signatures");
    let lax = [a, without, super::tests::claimed(&["a", "b"])];
    assert!(with_key(&signed_with(&trails, &lax)).is_ok());
}
