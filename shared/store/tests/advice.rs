//! Budgets of advice and remembered answers, against real conditional writes.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

use domain::{CaseKey, CaseKind, Digest, ObjectId, Timestamp, policy::Caps};
use runtime::{Env, aws::Aws};
use sandbox::Loopback;
use store::{
    Cases,
    advice::{Exhausted, Remembered, Taken, Used},
};

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
const CASE: Caps = Caps { questions: 2, tokens: 1_000, usd_cents: 1 };
const DAY: Caps = Caps { questions: 3, tokens: 2_000, usd_cents: 2 };

async fn world() -> (Loopback, Cases) {
    let tables = sandbox::dynamodb::serve(0, None).await.unwrap();
    let url = tables.url();
    let env = Env::from([
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", url.as_str()),
    ]);
    let client = Aws::from_env(&env).unwrap().dynamodb();
    store::schema::create(&client, "cases").await.unwrap();
    (tables, Cases::new(client, "cases"))
}

fn taken(object: &str, id: &str, tokens: i64, cost: i64) -> Taken {
    let case = CaseKey::new(CaseKind::Recovery, ObjectId::parse(object).unwrap());
    Taken { case, day: NOW.day(), id: id.into(), used: Used { questions: 1, tokens, cost } }
}

async fn take(cases: &Cases, taken: &Taken) -> Result<(), Exhausted> {
    cases.take_advice(taken, CASE, DAY, NOW).await.unwrap()
}

#[tokio::test]
async fn a_case_and_a_day_have_so_many_questions_and_no_more() {
    let (_tables, cases) = world().await;
    for id in ["1", "2"] {
        assert_eq!(take(&cases, &taken("in_1", id, 10, 10)).await, Ok(()));
    }
    assert_eq!(take(&cases, &taken("in_1", "3", 10, 10)).await, Err(Exhausted::Case));
    assert_eq!(take(&cases, &taken("in_2", "4", 10, 10)).await, Ok(()));
    assert_eq!(take(&cases, &taken("in_3", "5", 10, 10)).await, Err(Exhausted::Day));
    let (case, day) = cases.advice_used(&taken("in_3", "5", 0, 0).case, &NOW.day()).await.unwrap();
    assert_eq!(case, Used::default(), "what one budget refuses the other does not lose");
    assert_eq!(day, Used { questions: 3, tokens: 30, cost: 30 });
}

#[tokio::test]
async fn the_same_question_sent_twice_is_taken_once() {
    let (_tables, cases) = world().await;
    let once = taken("in_1", "1", 400, 10);
    assert_eq!(take(&cases, &once).await, Ok(()));
    assert_eq!(take(&cases, &once).await, Ok(()));
    assert_eq!(cases.advice_used(&once.case, &NOW.day()).await.unwrap().0, once.used);
}

#[tokio::test]
async fn tokens_and_cost_count_as_taken_until_it_is_known_what_was_used() {
    let (_tables, cases) = world().await;
    assert_eq!(take(&cases, &taken("in_9", "0", 1_001, 0)).await, Err(Exhausted::Case), "it could never fit");
    assert_eq!(take(&cases, &taken("in_9", "0", 1, 10_001)).await, Err(Exhausted::Case));
    let first = taken("in_1", "1", 900, 9_000);
    assert_eq!(take(&cases, &first).await, Ok(()));
    let second = taken("in_1", "2", 200, 1_000);
    assert_eq!(take(&cases, &second).await, Err(Exhausted::Case));
    cases.settle_advice(&first, Used { questions: 1, tokens: 300, cost: 3_000 }).await.unwrap();
    assert_eq!(take(&cases, &second).await, Ok(()));
    let (case, day) = cases.advice_used(&first.case, &NOW.day()).await.unwrap();
    assert_eq!((case, day), (Used { questions: 2, tokens: 500, cost: 4_000 }, case));
}

#[tokio::test]
async fn an_answer_is_remembered_for_its_time_and_its_question() {
    let (_tables, cases) = world().await;
    let (one, other) = (Digest::of("one"), Digest::of("other"));
    let remembered = Remembered { answer: "{}".into(), at: NOW };
    cases.remember_advice(one, &remembered, NOW.plus(60)).await.unwrap();
    assert_eq!(cases.remembered_advice(one, NOW).await.unwrap(), Some(remembered));
    assert_eq!(cases.remembered_advice(one, NOW.plus(60)).await.unwrap(), None);
    assert_eq!(cases.remembered_advice(other, NOW).await.unwrap(), None);
}
