use domain::{
    AccountId, ChargeId, Currency, Digest, Money, PersonId, ProposalId,
    approval::{Decision, Identity, Method, Operation, ReceiptBody, ReceiptSigner, RefundReason},
    trail::{Statement, chain_name},
};
use serde_json::json;

use super::*;

fn export(subjects: &[&str]) -> Vec<String> {
    let (mut lines, mut heads) = (Vec::new(), Vec::new());
    for subject in subjects {
        let mut end = Head::START;
        for number in 0..3 {
            let entry = end.entry(subject, "decided", Timestamp::from_seconds(number), "{}".to_owned());
            end = entry.head();
            lines.push(serde_json::to_string(&Line::Entry(entry)).unwrap());
        }
        let head = Line::Head { subject: (*subject).to_owned(), end };
        heads.push(serde_json::to_string(&head).unwrap());
    }
    [lines, heads].concat()
}

fn fault(lines: &[String]) -> String {
    check(&lines.join("\n"), &[]).unwrap_err().to_string()
}

#[test]
fn an_export_that_was_left_alone_holds() {
    let text = export(&["recovery:in_1", "ap_1"]).join("\n");
    let held = check(&text, &[]).unwrap();
    assert_eq!(held.to_string(), "2 chains with 6 entries hold");
}

#[test]
fn the_first_bad_entry_is_named() {
    let mut lines = export(&["recovery:in_1", "ap_1"]);
    lines[1] = lines[1].replace("decided", "denied");
    assert_eq!(fault(&lines), "`recovery:in_1`: entry 1 was changed");
}

#[test]
fn a_missing_a_moved_and_a_cut_entry_and_a_missing_head_are_named() {
    let whole = export(&["ap_1"]);
    let without = |index: usize| {
        let mut lines = whole.clone();
        lines.remove(index);
        fault(&lines)
    };
    assert_eq!(without(0), "`ap_1`: entry 0 is missing, found 1 in its place");
    assert_eq!(without(2), "`ap_1`: the trail ends after 2 of 3 entries");
    assert_eq!(without(3), "`ap_1`: nothing says where the trail ends");
    let mut moved = whole.clone();
    moved.swap(0, 1);
    assert_eq!(fault(&moved), "`ap_1`: entry 0 is missing, found 1 in its place");
    let twice = [whole.clone(), vec![whole[3].clone()]].concat();
    assert_eq!(fault(&twice), "`ap_1`: two lines say where the trail ends");
}

#[test]
fn a_line_that_is_no_entry_is_named() {
    let mut lines = export(&["ap_1"]);
    lines[2] = "{}".to_owned();
    assert_eq!(fault(&lines), "line 3 is no entry of a trail");
}

pub(super) fn signer() -> ReceiptSigner {
    ReceiptSigner::new("r1", &[7; 32]).unwrap()
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

pub(super) fn action() -> Action {
    Action {
        proposal: ProposalId::parse("ap_1").unwrap(),
        account: AccountId::parse("acct_1").unwrap(),
        livemode: false,
        operation: Operation::Refund {
            charge: ChargeId::parse("ch_1").unwrap(),
            amount: Money::new(1999, Currency::parse("usd").unwrap()),
            reason: RefundReason::Duplicate,
        },
        metadata: BTreeMap::new(),
        snapshot: Digest::of("snapshot"),
        requester: PersonId::parse("support").unwrap(),
        source: None,
        customer_text: Digest::of(""),
        policy: "p".into(),
        need: 2,
        created: at(100),
        expires: at(1000),
    }
}

/// What somebody's approval at 200 says.
pub(super) fn body(person: &str, digest: Digest) -> ReceiptBody {
    ReceiptBody {
        id: format!("rc_{person}"),
        proposal: action().proposal,
        digest,
        decision: Decision::Approve,
        voter: Identity { team: "T1".into(), user: person.to_uppercase() },
        method: Method::Oidc,
        at: at(200),
    }
}

pub(super) fn vote(person: &str, digest: Digest) -> (&'static str, String) {
    let receipt = signer().sign(body(person, digest));
    ("voted", json!({ "person": person, "receipt": receipt }).to_string())
}

/// The export of a proposal with these later entries, a checkpoint in the middle and one at the end.
pub(super) fn signed(events: &[(&str, String)]) -> Vec<String> {
    signed_with(&[], events)
}

/// The same, with other chains beside it.
pub(super) fn signed_with(chains: &[Vec<Entry>], events: &[(&str, String)]) -> Vec<String> {
    let first = ("proposed", json!({ "digest": action().digest() }).to_string());
    let (mut end, mut lines, mut row) = (Head::START, Vec::new(), Vec::<Checkpoint>::new());
    for (time, (event, body)) in (100..).step_by(100).zip([&first].into_iter().chain(events)) {
        let entry = end.entry("ap_1", event, at(time), body.clone());
        end = entry.head();
        let heads = [(chain_name("ap_1"), end)].into();
        row.push(Statement::after(row.last(), entry.at, entry.at, heads).sign(&signer()));
        lines.push(Line::Entry(entry));
    }
    lines.extend(chains.iter().flatten().cloned().map(Line::Entry));
    lines.push(Line::Head { subject: "ap_1".into(), end });
    for last in chains.iter().filter_map(|entries| entries.last()) {
        lines.push(Line::Head { subject: last.subject.clone(), end: last.head() });
    }
    lines.push(Line::Action(Box::new(action())));
    lines.extend(row.into_iter().map(Line::Checkpoint));
    lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect()
}

pub(super) fn claimed(signers: &[&str]) -> (&'static str, String) {
    ("claimed", json!({ "digest": action().digest(), "signers": signers }).to_string())
}

/// An entry that says of which action it is.
pub(super) fn of_it(event: &'static str) -> (&'static str, String) {
    (event, json!({ "digest": action().digest() }).to_string())
}

pub(super) fn approved() -> Vec<String> {
    let digest = action().digest();
    signed(&[vote("a", digest), vote("b", digest), claimed(&["a", "b"]), of_it("executed")])
}

pub(super) fn with_key(lines: &[String]) -> Result<Held, Fault> {
    check(&lines.join("\n"), &[vec![1; 32], signer().public().1])
}

#[test]
fn with_the_public_key_receipts_and_checkpoints_are_checked() {
    let held = with_key(&approved()).unwrap();
    assert_eq!(
        held.to_string(),
        "1 chains with 5 entries hold; 2 receipts and 5 checkpoints are signed; nothing is missing until \
         1970-01-01T00:08:20Z"
    );
    let without = check(&approved().join("\n"), &[]).unwrap().to_string();
    assert!(without.ends_with("give --public-key to check what is signed"), "{without}");
    let stranger = check(&approved().join("\n"), &[vec![1; 32]]).unwrap_err();
    assert_eq!(stranger.to_string(), "the signature of checkpoint 0 does not verify");
}

#[test]
fn a_tail_that_was_cut_together_with_its_head_is_found_by_the_checkpoint() {
    let mut lines = approved();
    lines.remove(4);
    let end = serde_json::from_str(&lines[3]).map(|line| match line {
        Line::Entry(entry) => entry.head(),
        _ => Head::START,
    });
    lines[4] = serde_json::to_string(&Line::Head { subject: "ap_1".into(), end: end.unwrap() }).unwrap();
    assert!(check(&lines.join("\n"), &[]).is_ok(), "the chain holds by itself");
    let found = with_key(&lines).unwrap_err().to_string();
    assert_eq!(found, "`ap_1`: entry 4 is missing: checkpoint 4 knows of 5 entries");
    lines.pop();
    let until = with_key(&lines).unwrap().signed.unwrap().until;
    assert_eq!(until, at(400), "without that checkpoint the rest vouches only until before it");
    lines.retain(|line| !line.contains("checkpoint"));
    assert_eq!(with_key(&lines), Err(Fault::NoCheckpoint));
}

#[test]
fn an_entry_later_than_the_last_checkpoint_is_told() {
    let mut lines = approved();
    lines.pop();
    let held = with_key(&lines).unwrap().to_string();
    assert!(held.ends_with("until 1970-01-01T00:06:40Z, and 1 entries are later than that"), "{held}");
}

#[test]
fn a_receipt_of_something_else_or_by_somebody_else_is_named() {
    let other = signed(&[vote("a", Digest::of("other"))]);
    assert_eq!(
        with_key(&other).unwrap_err().to_string(),
        "`ap_1`: the receipt in entry 1 is for something else"
    );
    let (event, body) = vote("a", action().digest());
    let forged = body.replace("rc_a", "rc_x");
    assert_eq!(
        with_key(&signed(&[(event, forged)])).unwrap_err().to_string(),
        "`ap_1`: the receipt in entry 1 is signed by none of the public keys"
    );
    let none = signed(&[("voted", json!({ "person": "a" }).to_string())]);
    assert_eq!(
        with_key(&none).unwrap_err().to_string(),
        "`ap_1`: the receipt in entry 1 is missing, or is none"
    );
}

#[test]
fn an_execution_without_enough_signatures_and_an_edited_action_are_named() {
    let one = vote("a", action().digest());
    let few = signed(&[one.clone(), claimed(&["a"])]);
    assert_eq!(
        with_key(&few).unwrap_err().to_string(),
        "`ap_1`: entry 2 begins an execution on 1 of 2 signatures"
    );
    let twice = signed(&[one.clone(), one, claimed(&["a"])]);
    assert_eq!(
        with_key(&twice).unwrap_err().to_string(),
        "`ap_1`: the receipt in entry 2 is of somebody who had voted already"
    );
    let mut edited = approved();
    let line = edited.iter_mut().find(|line| line.starts_with("{\"action\"")).unwrap();
    *line = line.replace("1999", "9999");
    assert_eq!(
        with_key(&edited).unwrap_err().to_string(),
        "`ap_1`: what was proposed is missing, or was changed"
    );
    edited.retain(|line| !line.starts_with("{\"action\""));
    assert_eq!(with_key(&edited), Err(Fault::Action("ap_1".into())));
}
