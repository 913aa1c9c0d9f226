//! Trails that somebody wrote who could write the table, and even had checkpoints signed over it: what
//! they say cannot have happened. And an honest export with any one line changed.

use domain::{
    Digest,
    approval::{Decision, Identity, Method, ReceiptBody},
};
use serde_json::json;

use super::{
    tests::{action, approved, at, claimed, of_it, signed, signer, vote, with_key},
    *,
};

type Event = (&'static str, String);

fn plain(event: &'static str) -> Event {
    (event, "{}".to_owned())
}

fn good_votes() -> [Event; 2] {
    [vote("a", action().digest()), vote("b", action().digest())]
}

/// The fault of a chain with these events after `proposed`.
fn fault(events: &[Event]) -> String {
    with_key(&signed(events)).unwrap_err().to_string()
}

fn after_two_votes(more: impl IntoIterator<Item = Event>) -> Vec<Event> {
    good_votes().into_iter().chain(more).collect()
}

#[test]
fn each_honest_end_of_a_proposal_holds() {
    let claim = || claimed(&["a", "b"]);
    let ends: [Vec<Event>; 9] = [
        after_two_votes([claim(), of_it("executed")]),
        after_two_votes([claim(), plain("failed")]),
        after_two_votes([claim(), plain("stale")]),
        after_two_votes([claim(), plain("unknown"), plain("reclaimed"), plain("unknown"), of_it("resolved")]),
        after_two_votes([claim(), plain("reclaimed"), of_it("executed")]),
        vec![vote("a", action().digest()), plain("withdrawn")],
        vec![plain("stale")],
        vec![plain("tampered")],
        vec![],
    ];
    for events in ends {
        let names: Vec<_> = events.iter().map(|(event, _)| *event).collect();
        assert!(with_key(&signed(&events)).is_ok(), "{names:?}: {}", fault(&events));
    }
}

#[test]
fn nothing_of_an_execution_comes_without_a_claim() {
    for event in [plain("reclaimed"), plain("unknown"), of_it("executed"), plain("failed"), of_it("resolved")]
    {
        let name = event.0;
        let said = fault(&after_two_votes([event]));
        assert_eq!(said, format!("`ap_1`: entry 3 (`{name}`) is of an execution that was never claimed"));
    }
}

#[test]
fn nothing_comes_after_an_end() {
    let ends = [plain("withdrawn"), plain("stale"), plain("tampered"), deny("c")];
    for end in ends {
        let later = [
            vote("b", action().digest()),
            claimed(&["a"]),
            plain("reclaimed"),
            of_it("executed"),
            plain("withdrawn"),
        ];
        for event in later {
            let (ended, name) = (end.0, event.0);
            let said = fault(&[vote("a", action().digest()), end.clone(), event]);
            assert_eq!(said, format!("`ap_1`: entry 3 (`{name}`) comes after the end"), "after {ended}");
        }
    }
    let done = after_two_votes([claimed(&["a", "b"]), of_it("executed"), of_it("executed")]);
    assert_eq!(fault(&done), "`ap_1`: entry 5 (`executed`) comes after the end");
}

#[test]
fn nobody_votes_denies_or_takes_back_what_is_being_done() {
    for event in
        [vote("c", action().digest()), deny("c"), plain("withdrawn"), plain("expired"), claimed(&["a", "b"])]
    {
        let name = event.0;
        let said = fault(&after_two_votes([claimed(&["a", "b"]), event]));
        assert_eq!(said, format!("`ap_1`: entry 4 (`{name}`) comes after an execution was claimed"));
    }
}

#[test]
fn nobody_says_what_became_of_something_whose_outcome_was_known() {
    let said = fault(&after_two_votes([claimed(&["a", "b"]), of_it("resolved")]));
    assert_eq!(said, "`ap_1`: entry 4 (`resolved`) says what became of an outcome that was not unknown");
}

#[test]
fn an_execution_and_its_end_are_of_the_action_that_was_signed() {
    let other = json!({ "digest": Digest::of("other"), "signers": ["a", "b"] }).to_string();
    let said = fault(&after_two_votes([("claimed", other.clone())]));
    assert_eq!(said, "`ap_1`: entry 3 (`claimed`) is of another action");
    let said = fault(&after_two_votes([claimed(&["a", "b"]), ("executed", other)]));
    assert_eq!(said, "`ap_1`: entry 4 (`executed`) is of another action");
    let said = fault(&after_two_votes([claimed(&["a", "b"]), plain("executed")]));
    assert_eq!(said, "`ap_1`: entry 4 (`executed`) does not say what it is of");
    for signers in [&["a", "c"][..], &["a"], &[]] {
        let said = fault(&after_two_votes([claimed(signers)]));
        assert_eq!(
            said, "`ap_1`: entry 3 (`claimed`) names other signers than those who voted",
            "{signers:?}"
        );
    }
}

#[test]
fn an_event_of_an_unknown_kind_and_an_early_end_are_named() {
    assert_eq!(
        fault(&[plain("approved")]),
        "`ap_1`: entry 1 (`approved`) is of no kind that this version knows"
    );
    assert_eq!(
        fault(&[plain("expired")]),
        "`ap_1`: entry 1 (`expired`) comes before the time to decide was over"
    );
}

fn receipt(person: &str, change: impl FnOnce(&mut ReceiptBody)) -> String {
    let mut body = ReceiptBody {
        id: format!("rc_{person}"),
        proposal: action().proposal,
        digest: action().digest(),
        decision: Decision::Approve,
        voter: Identity { team: "T1".into(), user: person.to_uppercase() },
        method: Method::Oidc,
        at: at(200),
    };
    change(&mut body);
    json!({ "person": person, "receipt": signer().sign(body) }).to_string()
}

fn deny(person: &str) -> Event {
    ("denied", receipt(person, |body| body.decision = Decision::Deny))
}

#[test]
fn a_receipt_counts_for_its_decision_its_time_and_one_person_who_did_not_ask() {
    let bad = |body: String| fault(&[("voted", body)]).replace("`ap_1`: the receipt in entry 1 ", "");
    let flipped = receipt("a", |body| body.decision = Decision::Deny);
    assert_eq!(bad(flipped), "is of the other decision");
    let said = fault(&[("denied", receipt("a", |_| {}))]);
    assert_eq!(said, "`ap_1`: the receipt in entry 1 is of the other decision");
    for time in [99, 1000, 5000] {
        let said = bad(receipt("a", |body| body.at = at(time)));
        assert_eq!(said, "was given before or after the time to decide", "{time}");
    }
    assert_eq!(bad(receipt("support", |_| {})), "is of whoever asked for it");
    // One receipt under two names, two receipts under one name, and one account for two people.
    let renamed = |body: String| body.replace("\"person\":\"a\"", "\"person\":\"c\"");
    let alias = receipt("a", |body| {
        body.voter.user = "ALIAS".into();
        body.id = "rc_2".into();
    });
    for second in [renamed(receipt("a", |_| {})), alias] {
        let said = fault(&[vote("a", action().digest()), ("voted", second)]);
        assert_eq!(said, "`ap_1`: the receipt in entry 2 is of somebody who had voted already");
    }
    let heir = renamed(receipt("a", |body| body.id = "rc_2".into()));
    let said = fault(&[vote("a", action().digest()), ("voted", heir), claimed(&["a", "c"])]);
    assert_eq!(said, "`ap_1`: entry 3 (`claimed`) names other signers than those who voted");
}

/// Whether a change to an export is found: it fails, or vouches for less than before. `None` if it says
/// the same in other letters.
fn is_found(honest: &[String], changed: &[String]) -> Option<bool> {
    let parsed = |lines: &[String]| -> Option<Vec<Line>> {
        // Nothing vouches for the name of the key that signed a checkpoint: the signature does.
        let line = |line: &String| match serde_json::from_str(line).ok()? {
            Line::Checkpoint(one) => Some(Line::Checkpoint(Checkpoint { key: String::new(), ..one })),
            line => Some(line),
        };
        lines.iter().map(line).collect()
    };
    if parsed(honest) == parsed(changed) {
        return None;
    }
    Some(with_key(changed).ok() != with_key(honest).ok())
}

#[test]
fn any_line_of_an_honest_export_that_is_missing_doubled_or_moved_is_found() {
    let honest = approved();
    assert!(with_key(&honest).is_ok());
    for index in 0..honest.len() {
        let mut missing = honest.clone();
        missing.remove(index);
        assert_eq!(is_found(&honest, &missing), Some(true), "line {index} is missing");
        let mut doubled = honest.clone();
        doubled.insert(index, honest[index].clone());
        assert_eq!(is_found(&honest, &doubled), Some(true), "line {index} is there twice");
        for other in 0..index {
            let mut swapped = honest.clone();
            swapped.swap(index, other);
            assert_eq!(is_found(&honest, &swapped), Some(true), "lines {other} and {index} are swapped");
        }
    }
}

#[test]
fn a_letter_of_an_honest_export_that_is_changed_is_found_wherever_it_stands() {
    let honest = approved();
    let mut tried = 0;
    for index in 0..honest.len() {
        // Signatures take their time, so each line is tried at other places.
        for place in (index % 7..honest[index].len()).step_by(7) {
            let mut bytes = honest[index].clone().into_bytes();
            bytes[place] ^= 1;
            let Ok(line) = String::from_utf8(bytes) else { continue };
            let mut changed = honest.clone();
            changed[index] = line;
            if let Some(found) = is_found(&honest, &changed) {
                assert!(found, "line {index}, letter {place}: {}", changed[index]);
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "only {tried} changes were tried");
}
