//! The clients of a language model against its stand-in: one question in three vendors' words, what it costs,
//! and everything that may come instead of an answer.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{sync::Arc, time::Duration};

use connectors::{
    ConnectorError,
    failure::{Cause, Lost},
    model::{Model, Price, Question, Reply, Tokens},
};
use domain::{Timestamp, advice::Advice};
use runtime::{Env, aws::Aws, http::Base};
use sandbox::{
    Clock, Loopback, Shelf,
    fault::Fault,
    model::{self, DELAY, MODEL_ID, Mode, Vendor},
};
use serde_json::{Value, json};

const KEY: &str = "key-canary";
const NOON: i64 = 1_790_000_000;
const VENDORS: [Vendor; 3] = [Vendor::Bedrock, Vendor::Anthropic, Vendor::OpenAi];
/// Where each vendor is asked.
const PLACE: [&str; 3] = ["POST /model", "POST /v1/messages", "POST /v1/chat/completions"];

/// A stand-in and who asks it.
struct World {
    model: Arc<model::Model>,
    clock: Clock,
    server: Loopback,
}

impl World {
    async fn new() -> Self {
        let clock = Clock::held_at(NOON);
        let model = model::Model::open(KEY, Shelf::memory().unwrap(), clock.clone()).unwrap();
        let server = Loopback::serve(0, Arc::clone(&model).router()).await.unwrap();
        Self { model, clock, server }
    }

    /// The client of a vendor.
    fn client(&self, vendor: Vendor) -> Model {
        self.client_of(vendor, MODEL_ID, KEY)
    }

    fn client_of(&self, vendor: Vendor, id: &str, key: &str) -> Model {
        let hand = self.clock.clone();
        let now: runtime::Clock = Arc::new(move || Timestamp::from_seconds(hand.seconds()));
        let base = Base::parse(&self.server.url()).unwrap();
        let http = runtime::http::client(&[&base]).unwrap();
        let price = Price::parse("3,15").unwrap();
        match vendor {
            Vendor::Bedrock => {
                let env = Env::from([
                    ("AWS_REGION", "eu-central-1"),
                    ("AWS_ACCESS_KEY_ID", "local"),
                    ("AWS_SECRET_ACCESS_KEY", "local"),
                ]);
                Model::bedrock(id, price, &Aws::from_env(&env).unwrap(), Some(&base), now)
            }
            Vendor::Anthropic => Model::anthropic(id, price, http, &base, key.into(), now),
            Vendor::OpenAi => {
                let base = Base::parse(&format!("{}/v1", self.server.url())).unwrap();
                Model::openai(id, price, http, &base, Some(key.into()), now)
            }
        }
    }

    async fn ask(&self, vendor: Vendor) -> Result<Reply, ConnectorError> {
        self.client(vendor).ask(&question("a question")).await
    }
}

fn question(input: &str) -> Question {
    Question {
        system: "Answer.".to_owned(),
        input: input.to_owned(),
        schema: json!({
            "type": "object",
            "properties": {
                "word": { "type": "string", "enum": ["good", "bad"] },
                "note": { "type": ["string", "null"] },
            },
            "required": ["word", "note"],
            "additionalProperties": false,
        }),
        max_tokens: 400,
    }
}

#[tokio::test]
async fn each_vendor_is_asked_in_its_own_words_and_its_tokens_are_paid_for() {
    let world = World::new().await;
    for vendor in VENDORS {
        let client = world.client(vendor);
        let asked = question("what is it?");
        let reply = client.ask(&asked).await.unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&reply.text).unwrap(),
            json!({ "word": "good", "note": null })
        );
        let named =
            if vendor == Vendor::Bedrock { MODEL_ID.to_owned() } else { format!("{MODEL_ID}-20261101") };
        assert_eq!(reply.model, named, "as it calls itself, where it says so");
        let seen = world.model.exchanges().pop().unwrap();
        assert_eq!((seen.vendor, seen.system, seen.input), (vendor, asked.system, asked.input));
        assert_eq!(reply.tokens, Tokens { input: seen.tokens.0, output: seen.tokens.1 });
        assert!(seen.tokens.0 > 0 && seen.tokens.1 > 0, "{:?}", seen.tokens);
        // 3 and 15 dollars for a million are 3 and 15 millionths for one.
        assert_eq!(client.price().of(reply.tokens), seen.tokens.0 * 3 + seen.tokens.1 * 15);
    }
    assert_eq!(world.model.exchanges().len(), VENDORS.len(), "each was asked once");
}

#[tokio::test]
async fn a_model_that_is_late_is_not_waited_for_and_then_left_alone() {
    let world = World::new().await;
    world.model.set(Mode::Slow);
    for vendor in VENDORS {
        let client = world.client(vendor).within(Duration::from_millis(30));
        for _ in 0..5 {
            let error = client.ask(&question("slow")).await.unwrap_err();
            assert_eq!(error.cause, Cause::NoAnswer(Lost::TimedOut), "{vendor:?}");
        }
        let error = client.ask(&question("slow")).await.unwrap_err();
        assert_eq!(error.cause, Cause::LeftAlone { after: 30 }, "{vendor:?}");
    }
    world.model.set(Mode::Sensible);
    assert!(world.ask(Vendor::Anthropic).await.is_ok(), "another client has a breaker of its own");
}

#[tokio::test]
async fn a_late_answer_that_comes_in_time_is_one() {
    let world = World::new().await;
    world.model.set(Mode::Slow);
    for vendor in VENDORS {
        let client = world.client(vendor);
        let wait = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            world.clock.advance(Duration::from_secs(DELAY.unsigned_abs()));
        };
        let asked = question("slow");
        let (reply, ()) = tokio::join!(client.ask(&asked), wait);
        assert!(reply.is_ok(), "{vendor:?}: {reply:?}");
    }
}

#[tokio::test]
async fn a_limit_is_told_with_how_long_to_wait() {
    let world = World::new().await;
    for (vendor, place) in VENDORS.into_iter().zip(PLACE) {
        world.model.fail(place, Fault::RateLimited(0), 1);
        let error = world.ask(vendor).await.unwrap_err();
        assert_eq!(error.cause, Cause::Limited { after: Some(0) }, "{vendor:?}");
        assert!(world.model.exchanges().is_empty(), "nothing was paid for");
    }
}

#[tokio::test]
async fn a_question_that_may_have_been_answered_is_not_asked_and_paid_for_again() {
    let world = World::new().await;
    for (vendor, place) in VENDORS.into_iter().zip(PLACE) {
        world.model.fail(place, Fault::ServerError, 1);
        let error = world.ask(vendor).await.unwrap_err();
        assert_eq!(error.cause, Cause::NoAnswer(Lost::Status(500)), "{vendor:?}");
        let before = world.model.exchanges().len();
        world.model.fail(place, Fault::DropAfter, 1);
        let error = world.ask(vendor).await.unwrap_err();
        assert!(matches!(error.cause, Cause::NoAnswer(_)), "{vendor:?}: {error:?}");
        assert_eq!(world.model.exchanges().len(), before + 1, "the answer that was lost was paid for");
    }
}

#[tokio::test]
async fn no_answer_is_made_out_of_a_refusal_or_of_half_an_answer() {
    let world = World::new().await;
    for vendor in VENDORS {
        world.model.set(Mode::Refusing);
        let error = world.ask(vendor).await.unwrap_err();
        assert!(matches!(error.cause, Cause::Unanswered(_)), "{vendor:?}: {error:?}");
        world.model.set(Mode::OverLong);
        let error = world.ask(vendor).await.unwrap_err();
        assert_eq!(error.cause, Cause::Unanswered("it needs more tokens than it may use"), "{vendor:?}");
        world.model.set(Mode::Sensible);
        let short = Question { max_tokens: 1, ..question("short") };
        let error = world.client(vendor).ask(&short).await.unwrap_err();
        assert_eq!(error.cause, Cause::Unanswered("it needs more tokens than it may use"), "{vendor:?}");
    }
}

#[tokio::test]
async fn what_does_not_keep_to_the_form_is_no_advice() {
    let world = World::new().await;
    world.model.set(Mode::Malformed);
    for vendor in VENDORS {
        let mut kinds = [0, 0];
        for input in ["a", "b", "c", "d", "e", "f"] {
            match world.client(vendor).ask(&question(input)).await {
                Ok(reply) => {
                    assert!(Advice::parse(&reply.text).is_err(), "{vendor:?}: {}", reply.text);
                    kinds[0] += 1;
                }
                Err(error) => {
                    assert_eq!(error.cause, Cause::NoAnswer(Lost::Unreadable), "{vendor:?}");
                    kinds[1] += 1;
                }
            }
        }
        // Where the form is forced on the model, words in its place are no answer at all.
        assert_eq!(kinds[1] > 0, vendor != Vendor::OpenAi, "{vendor:?}");
        assert!(kinds[0] > 0, "{vendor:?}");
    }
}

#[tokio::test]
async fn a_refused_call_says_why_and_repeats_no_key() {
    let world = World::new().await;
    for (vendor, status, code) in [
        (Vendor::Bedrock, 400, "ValidationException"),
        (Vendor::Anthropic, 404, "not_found_error"),
        (Vendor::OpenAi, 404, "model_not_found"),
    ] {
        let error = world.client_of(vendor, "oracle-9", KEY).ask(&question("x")).await.unwrap_err();
        let Cause::Refused { status: got, code: word, .. } = &error.cause else { panic!("{error:?}") };
        assert_eq!((*got, word.as_str()), (status, code), "{vendor:?}");
    }
    for (vendor, code) in [(Vendor::Anthropic, "authentication_error"), (Vendor::OpenAi, "invalid_api_key")] {
        let error = world.client_of(vendor, MODEL_ID, "other-canary").ask(&question("x")).await.unwrap_err();
        let Cause::NotAllowed { status, code: word, .. } = &error.cause else { panic!("{error:?}") };
        assert_eq!((*status, word.as_str()), (401, code), "{vendor:?}");
        let told = format!("{error:?} {} {:?}", error.explain(), world.client(vendor));
        assert!(!told.contains("canary"), "{told}");
    }
    assert!(world.model.exchanges().is_empty());
}

#[tokio::test]
async fn a_schema_that_lets_more_in_is_refused_where_the_vendor_is_strict() {
    let world = World::new().await;
    let mut loose = question("x");
    loose.schema["additionalProperties"] = true.into();
    let error = world.client(Vendor::OpenAi).ask(&loose).await.unwrap_err();
    assert!(error.explain().contains("additionalProperties") || error.explain().contains("Invalid schema"));
    let mut optional = question("x");
    optional.schema["required"] = json!([]);
    assert!(world.client(Vendor::OpenAi).ask(&optional).await.is_err());
    assert!(world.client(Vendor::Anthropic).ask(&optional).await.is_ok());
}

#[tokio::test]
async fn a_call_to_bedrock_without_a_signature_is_refused() {
    let world = World::new().await;
    let base = Base::parse(&world.server.url()).unwrap();
    let http = runtime::http::client(&[&base]).unwrap();
    let sent =
        http.post(format!("{}/model/{MODEL_ID}/converse", base.as_str())).body("{}").send().await.unwrap();
    assert_eq!(sent.status().as_u16(), 403);
    assert_eq!(sent.headers()["x-amzn-errortype"], "MissingAuthenticationTokenException");
}

#[tokio::test]
async fn nobody_is_asked_where_nobody_is() {
    let world = World::new().await;
    let clients = VENDORS.map(|vendor| world.client(vendor));
    world.server.stop().await;
    for client in clients {
        let error = client.ask(&question("x")).await.unwrap_err();
        assert_eq!(error.cause, Cause::NotReached, "{client:?}");
    }
}

#[tokio::test]
async fn the_mode_is_set_from_outside_and_the_page_shows_what_was_asked() {
    let world = World::new().await;
    let base = Base::parse(&world.server.url()).unwrap();
    let http = runtime::http::client(&[&base]).unwrap();
    let url = |path: &str| format!("{}{path}", base.as_str());
    for mode in Mode::ALL {
        let set = http.post(url("/_sandbox/mode")).json(&json!({ "mode": mode.as_str() }));
        let told: Value = set.send().await.unwrap().json().await.unwrap();
        assert_eq!(told["mode"], mode.as_str());
    }
    let bad = http.post(url("/_sandbox/mode")).json(&json!({ "mode": "kind" })).send().await.unwrap();
    assert_eq!(bad.status().as_u16(), 422);
    world.model.set(Mode::Sensible);
    let asked = world.client(Vendor::OpenAi).ask(&question("<script>alert(1)</script>")).await;
    let told: Value = http.get(url("/_sandbox")).send().await.unwrap().json().await.unwrap();
    assert_eq!(told, json!({ "mode": "sensible", "asked": 1 }), "{asked:?}");
    let page = http.get(url("/")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script>") && page.contains("good"), "{page}");
}
