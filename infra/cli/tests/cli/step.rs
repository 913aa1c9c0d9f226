//! `step retry`: on a table, and through a running pipeline's console.

use domain::{
    Case, CaseKey, RunId, Timestamp,
    case::CaseState,
    classify::{Bucket, Classification},
    event::Origin,
    plan::{Priority, Step, StepKind},
    policy::Verdict,
    trail::Head,
};
use serde_json::json;
use store::{Cases, StepState, Turn};

use crate::support::{Local, Ran, Tables, countersign};

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

/// A case with a note that the CRM refused.
async fn failed(cases: &Cases) -> Step {
    let key: CaseKey = "recovery:in_1Test".parse().unwrap();
    let step = Step::new(&key, None, StepKind::Note { text: "a note".into() }, "1");
    let entry = Head::START.entry(&key.to_string(), "decided", NOW, "{}".into());
    let escalation = Verdict {
        asked: "escalate".into(),
        permitted: false,
        rules: Vec::new(),
        errors: Vec::new(),
        policy: "1".into(),
    };
    let case = Case {
        key: key.clone(),
        customer: None,
        origin: Origin::default(),
        state: CaseState::Open,
        classification: Classification::new(Bucket::HardDecline, "a reason"),
        priority: Priority::Normal,
        escalation,
        next: String::new(),
        otherwise: String::new(),
        verdicts: Vec::new(),
        suppressed: Vec::new(),
        contacted: false,
        steps: vec![step.key.clone()],
        opened: NOW,
        changed: NOW,
        deadline: None,
        amount: None,
        revisit: None,
        trail: entry.head(),
        advice: None,
    };
    let before = cases.turn_state(&key, None).await.unwrap();
    let run = RunId::parse("run-1").unwrap();
    let steps = [step.clone()];
    let turn =
        Turn { event: None, run: &run, lease: NOW.plus(90), case: &case, steps: &steps, entry: &entry };
    cases.commit(&before, &turn).await.unwrap();
    let why = "hubspot did not do `note.create`: refused with status 400, `VALIDATION_ERROR`".to_owned();
    cases.settle_step(&step, &run, &StepState::Failed { why }).await.unwrap();
    step
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_step_is_told_with_its_reason_and_queued_again_once() {
    let tables = Tables::of(&["cases"]).await;
    let cases = Cases::new(tables.client.clone(), "cases");
    let step = failed(&cases).await;
    let key = step.key.as_str();

    let why = tables.run(&["why", "in_1Test", "--cases-table", "cases"]).await;
    let how = format!("`countersign step retry recovery:in_1Test {key} --by ID`");
    assert!(why.out.contains("`VALIDATION_ERROR`") && why.out.contains(&how), "{}", why.out);

    let retry = ["step", "retry", "recovery:in_1Test", key, "--by", "support-lead", "--cases-table", "cases"];
    let first = tables.run(&retry).await;
    assert!(first.code == 0 && first.out.contains("is queued again"), "{}{}", first.out, first.error);
    let row = cases.steps(&step.case).await.unwrap().remove(0);
    assert_eq!((row.state, row.step), (StepState::Sending, step.clone()));
    let trail = cases.trail(&step.case).await.unwrap();
    assert!(trail[1].event == "step_retried" && trail[1].body.contains("support-lead"), "{trail:?}");
    let second = tables.run(&retry).await;
    assert!(second.code == 1 && second.out.contains("did not fail"), "{}{}", second.out, second.error);
    let other =
        ["step", "retry", "recovery:in_1Test", "other", "--by", "support-lead", "--cases-table", "cases"];
    let other = tables.run(&other).await;
    assert!(other.code == 1 && other.out.contains("countersign why in_1Test"), "{}", other.out);
    let nobody = tables.run(&["step", "retry", "recovery:in_1Test", key, "--cases-table", "cases"]).await;
    assert!(nobody.code == 2 && nobody.error.contains("--by"), "{}", nobody.error);
}

#[tokio::test]
async fn the_console_says_what_it_cannot_send_again_and_takes_only_json() {
    let local = Local::start(&["--no-seed"]);
    let retry = ["step", "retry", "recovery:in_1", "none", "--by", "support-lead", "--api", local.at("api")];
    let ran = Ran::beside(countersign(&retry)).await;
    assert!(ran.code == 1 && ran.out.contains("has no step none"), "{}{}", ran.out, ran.error);
    let url = format!("{}/_console/steps/retry", local.at("api"));
    let wish = json!({ "case": "recovery:in_1", "step": "none", "by": "console" });
    let typed = local.http().post(&url).json(&wish).send().await.unwrap();
    assert_eq!(typed.status().as_u16(), 409);
    let plain = local.http().post(&url).body(wish.to_string()).send().await.unwrap();
    assert_eq!(plain.status().as_u16(), 415, "what a page of another site could send");
    assert_eq!(local.board().await["failed"], json!([]));
}
