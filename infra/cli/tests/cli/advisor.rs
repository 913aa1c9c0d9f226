//! `advisor eval`: the stand-in in several modes, and a run that is recorded and replayed.

use std::path::Path;

use crate::support::{Folder, Ran};

const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../policy");

fn eval(arguments: &[&str]) -> Ran {
    Ran::new(&[&["advisor", "eval", "--policy", POLICY], arguments].concat())
}

/// The numbers in the line that begins with these words.
fn numbers(ran: &Ran, line: &str) -> Vec<u64> {
    let found = ran.out.lines().find(|one| one.trim_start().starts_with(line));
    let found = found.unwrap_or_else(|| panic!("no line `{line}`: {}{}", ran.out, ran.error));
    found.split(|sign: char| !sign.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// How many are right by the rules alone, with advice, and of how many.
fn right(ran: &Ran, line: &str) -> (u64, u64, u64) {
    match numbers(ran, line)[..] {
        [alone, of, _, _, advised, _, ..] => (alone, advised, of),
        ref other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn a_sensible_model_is_right_more_often_than_the_rules_alone_and_a_run_replays_byte_by_byte() {
    let folder = Folder::new();
    let file = folder.path().join("run.jsonl");
    let file = file.to_str().unwrap();
    let ran = eval(&["--model", "sandbox:sensible", "--record", file]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.error);
    assert!(ran.out.contains("stand-in, sensible; it is no language model"), "{}", ran.out);
    let (cases, used) = (numbers(&ran, "1")[0], numbers(&ran, "answers used")[0]);
    assert!(cases >= 150 && used * 100 >= cases * 95, "{}", ran.out);
    for what in ["template", "priority"] {
        let (alone, advised, of) = right(&ran, what);
        assert!(alone < advised && advised < of, "{what}: {}", ran.out);
    }
    assert_eq!(numbers(&ran, "made up and caught"), [0]);
    assert_eq!(numbers(&ran, "made up and missed"), [0]);
    assert!(numbers(&ran, "tokens").iter().all(|count| *count > 1_000), "{}", ran.out);
    let again = eval(&["--replay", file]);
    assert_eq!((again.code, &again.out), (0, &ran.out));
}

#[test]
fn whatever_an_inventive_model_makes_up_is_caught_and_leaves_what_the_rules_decide() {
    let ran = eval(&["--model", "sandbox:inventive"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.error);
    let cases = numbers(&ran, "1")[0];
    assert_eq!(numbers(&ran, "answers used"), [0]);
    assert_eq!(numbers(&ran, "refused")[0], cases);
    assert_eq!(numbers(&ran, "made up and caught"), [cases]);
    assert_eq!(numbers(&ran, "made up and missed"), [0]);
    for what in ["template", "priority"] {
        let (alone, advised, _) = right(&ran, what);
        assert_eq!(alone, advised, "{what}: {}", ran.out);
    }
}

#[test]
fn a_model_that_refuses_or_keeps_to_no_form_leaves_what_the_rules_decide() {
    for (mode, line) in [("refusing", "no answer"), ("malformed", "no answer"), ("over_long", "no answer")] {
        let ran = eval(&["--model", &format!("sandbox:{mode}")]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.error);
        assert!(numbers(&ran, line)[0] > 0, "{mode}: {}", ran.out);
        assert_eq!(numbers(&ran, "answers used"), [0], "{mode}");
        let (alone, advised, _) = right(&ran, "priority");
        assert_eq!(alone, advised, "{mode}: {}", ran.out);
    }
}

#[test]
fn a_record_of_other_questions_is_not_replayed() {
    let folder = Folder::new();
    let cases = folder.path().join("cases.jsonl");
    let line =
        |like: &str| format!(r#"{{"group":"normal","title":"one","like":"{like}","priority":["normal"]}}"#);
    std::fs::write(&cases, line("recovery/expired-card")).unwrap();
    let (cases, run) = (cases.to_str().unwrap(), folder.path().join("run.jsonl"));
    let run = run.to_str().unwrap();
    let made = eval(&["--model", "sandbox:sensible", "--cases", cases, "--record", run]);
    assert!(made.code == 0 && made.out.starts_with("1 cases"), "{}{}", made.out, made.error);
    std::fs::write(cases, line("recovery/no-reason")).unwrap();
    let other = eval(&["--cases", cases, "--replay", run]);
    assert!(other.code == 1 && other.error.contains("record it again"), "{}", other.error);
    std::fs::write(Path::new(run), "nothing").unwrap();
    let none = eval(&["--cases", cases, "--replay", run]);
    assert!(none.code == 1 && none.error.contains("is no record"), "{}", none.error);
}

#[test]
fn without_a_model_it_says_what_to_set() {
    let ran = eval(&["--model", "sandbox:kind"]);
    assert!(ran.code == 2 && ran.error.contains("sensible"), "{}", ran.error);
    let mut command = crate::support::countersign(&["advisor", "eval", "--policy", POLICY]);
    command.env("AWS_REGION", "eu-central-1").env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b");
    let ran = Ran::of(command.env_remove("MODEL"), b"");
    assert!(ran.code == 1 && ran.error.contains("`MODEL`"), "{}", ran.error);
}
