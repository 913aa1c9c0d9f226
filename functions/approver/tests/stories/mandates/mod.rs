//! Mandates: what a quorum granted in advance is done without asking, within its bounds and no further.

mod bounds;
mod crashes;

use std::{fs, path::PathBuf};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    CaseKey, CaseKind, MandateId, ObjectId, ProposalId, RequestId, SubscriptionId, Timestamp,
    approval::{Mandate, Stage, Standing},
    trail,
};
use sandbox::{
    people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT},
    world::CASES_TABLE,
};
use serde_json::{Value, json};
use store::RequestRow;

use crate::{
    browser::Browser,
    engine::subscription,
    world::{World, deliver, policy},
};

pub(crate) const PAUSE: &str = "subscription.pause_collection";
pub(crate) const RESUME: &str = "subscription.resume_collection";
/// The rule by which support asks.
pub(crate) const RULE: &str = "support-asks";
/// What is filled in to pause collection in the way that can be undone.
pub(crate) const KEEP: [(&str, &str); 1] = [("behavior", "keep_as_draft")];

/// A mandate that support asked for and both of finance signed.
pub(crate) async fn granted(world: &World, allows: &str, rule: &str, per_day: &str) -> MandateId {
    let id = asked(world, allows, rule, per_day).await;
    let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert!(answer.body.contains("1 of 2 have signed"), "{}", answer.body);
    let answer = world.browser(FINANCE_SECOND).await.decide(&id, "approve").await;
    assert!(answer.body.contains("Approved and done"), "{}", answer.body);
    MandateId::of(&id)
}

pub(crate) async fn asked(world: &World, allows: &str, rule: &str, per_day: &str) -> ProposalId {
    let more = [("allows", allows), ("per_day", per_day), ("days", "30")];
    let answer = world.browser(SUPPORT).await.ask("mandate.grant", rule, &more).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer.proposal()
}

/// Support asks for a pause of collection on the form.
pub(crate) async fn ask_pause(world: &World, subscription: &str) -> ProposalId {
    let answer = world.browser(SUPPORT).await.ask(PAUSE, subscription, &KEEP).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer.proposal()
}

pub(crate) fn is_paused(world: &World, subscription: &str) -> bool {
    !world.sandbox.stripe.object(subscription).unwrap()["pause_collection"].is_null()
}

pub(crate) async fn mandate(world: &World, id: &MandateId) -> Mandate {
    world.approvals.mandate(id).await.unwrap().unwrap().value
}

pub(crate) async fn why_ended(world: &World, id: &MandateId) -> String {
    match mandate(world, id).await.standing {
        Standing::Ended { why, .. } => why.to_string(),
        live @ Standing::Live { .. } => format!("{live:?}"),
    }
}

/// It waits for people, and nothing was sent.
pub(crate) async fn waits(world: &World, id: &ProposalId, subscription: &str) {
    assert_eq!(world.stage(id).await, Stage::Pending);
    assert!(world.file(id).await.row.value.notified, "people are asked");
    assert!(!is_paused(world, subscription));
}

/// A copy of the bundle in which one file was changed.
pub(crate) fn changed_policy(name: &str, file: &str, change: impl FnOnce(String) -> String) -> PathBuf {
    let copy = std::env::temp_dir().join(format!("countersign-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&copy);
    copy_all(&policy(), &copy);
    let file = copy.join(file);
    fs::write(&file, change(fs::read_to_string(&file).unwrap())).unwrap();
    copy
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What the agent's own rule to ask for pauses would look like.
pub(crate) const AGENT_RULE: &str = "agent-requests-pauses";

pub(crate) fn policy_with_agent_rule(name: &str) -> PathBuf {
    let rule = format!(
        "\n@id(\"{AGENT_RULE}\")\n@reason(\"Collection that cannot succeed may be paused.\")\n\
         permit (principal, action == Action::\"request\", resource) when {{ resource.kind == \"status\" }};\n"
    );
    changed_policy(name, "rules/agent.cedar", |text| text + &rule)
}

/// The agent asks for a pause in a case whose newest decision named this rule of this policy.
pub(crate) async fn agent_asks(world: &World, subscription: &str, rule: &str, policy: &str) -> RequestId {
    let object = ObjectId::parse(subscription).unwrap();
    let case = CaseKey::new(CaseKind::Status, object.clone());
    let verdict = json!({
        "asked": "request", "permitted": true, "rules": [{ "id": rule, "reason": "r" }],
        "errors": [], "policy": policy,
    });
    let body = json!({ "decision": { "verdicts": [verdict] } }).to_string();
    let entry = trail::Head::START.entry(&case.to_string(), "decided", world.now(), body);
    let text = |text: String| AttributeValue::S(text);
    let number = |number: i64| AttributeValue::N(number.to_string());
    let entry = [
        ("subject", text(entry.subject.clone())),
        ("seq", number(0)),
        ("previous", text(entry.previous.to_string())),
        ("event", text(entry.event.clone())),
        ("at", number(entry.at.seconds())),
        ("body", text(entry.body.clone())),
        ("hash", text(entry.hash.to_string())),
    ];
    let entry = entry.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let put = world.dynamodb.put_item().table_name(CASES_TABLE);
    put.item("pk", text(format!("CASE#{case}")))
        .item("sk", text("TRAIL#0000000000".to_owned()))
        .item("entry", AttributeValue::M(entry))
        .send()
        .await
        .unwrap();
    let id = RequestId::parse(format!("rq_{subscription}")).unwrap();
    let row = RequestRow {
        id: id.clone(),
        case,
        operation: PAUSE.into(),
        object,
        parameters: KEEP.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        origin: domain::event::Origin::default(),
        source: None,
        at: Timestamp::from_seconds(world.clock.seconds()),
    };
    world.cases.put_request(&row).await.unwrap();
    id
}

#[tokio::test]
async fn what_a_quorum_granted_in_advance_is_done_without_asking_and_told_with_a_way_back() {
    let world = World::new().await;
    let (_, subscription) = subscription(&world);
    let id = granted(&world, PAUSE, RULE, "5").await;
    let granting = world.file(&id.proposal()).await;
    let Stage::Executed { effect, .. } = &granting.proposal().stage else { panic!("{granting:?}") };
    assert_eq!(effect, id.as_str());
    assert_eq!(world.writes().len(), 0, "granting a mandate sends nothing to Stripe");

    let told = world.sandbox.slack.messages().len();
    let used = ask_pause(&world, &subscription).await;
    assert!(is_paused(&world, &subscription));
    let file = world.file(&used).await;
    assert!(matches!(file.proposal().stage, Stage::Executed { .. }), "{:?}", file.proposal().stage);
    assert!(file.votes.is_empty(), "nobody was asked");
    let events: Vec<_> = file.trail.iter().map(|entry| entry.event.as_str()).collect();
    assert_eq!(events, ["proposed", "claimed", "executed"]);
    let claimed: Value = serde_json::from_str(&file.trail[1].body).unwrap();
    assert_eq!(claimed["mandate"], id.as_str());
    assert_eq!(claimed["signers"].as_array().unwrap().len(), 2);
    trail::verify(used.as_str(), &file.trail, Some(file.proposal().trail)).unwrap();
    assert_eq!(world.writes().len(), 1);

    let notes = world.sandbox.slack.messages().split_off(told);
    let [note] = &notes[..] else { panic!("one note to the channel and no message to anybody: {notes:?}") };
    assert_eq!(note.text, "Done under a mandate");
    let blocks = serde_json::to_string(&note.blocks).unwrap();
    assert!(blocks.contains(id.as_str()) && blocks.contains(&format!("/a/{used}/undo")), "{blocks}");

    let standing = mandate(&world, &id).await;
    assert_eq!(standing.left(world.now()), 4);
    let entries = world.approvals.mandate_trail(&id).await.unwrap();
    let events: Vec<_> = entries.iter().map(|entry| entry.event.as_str()).collect();
    assert_eq!(events, ["granted", "used"]);
    assert!(entries[1].body.contains(used.as_str()));
    let excerpt = store::excerpt(&world.cases, &world.approvals, used.as_str()).await.unwrap().unwrap();
    let subjects: Vec<&str> = excerpt.trails.keys().map(String::as_str).collect();
    let granting = id.proposal();
    for subject in [used.as_str(), id.as_str(), granting.as_str()] {
        assert!(subjects.contains(&subject), "an auditor gets {subject}: {subjects:?}");
    }
    assert_eq!((subjects.len(), excerpt.actions.len()), (3, 2));
    trail::verify(id.as_str(), &entries, Some(standing.trail)).unwrap();
}

#[tokio::test]
async fn the_way_back_is_a_filled_form_whose_request_people_decide() {
    let world = World::new().await;
    let (_, subscription) = subscription(&world);
    granted(&world, PAUSE, RULE, "5").await;
    let used = ask_pause(&world, &subscription).await;
    let mut support = world.browser(SUPPORT).await;
    let form = support.get(&format!("/a/{used}/undo")).await;
    assert_eq!(form.status, 200, "{}", form.body);
    assert!(form.body.contains(&format!("Undoes {used}.")) && form.body.contains(&subscription));
    assert!(is_paused(&world, &subscription), "opening it does nothing");
    let fields = [
        ("operation", form.field("operation")),
        (
            "object",
            form.body.split("name=\"object\"").nth(1).unwrap().split("value=\"").nth(1).unwrap().to_owned(),
        ),
        ("why", format!("Undoes {used}.")),
        ("nonce", form.field("nonce")),
        ("csrf", form.field("csrf")),
    ];
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (*name, value.split('"').next().unwrap())).collect();
    let undo = support.post("/requests", &fields).await.proposal();
    assert_eq!(world.stage(&undo).await, Stage::Pending, "no mandate resumes");
    let mut finance = world.browser(FINANCE_LEAD).await;
    finance.decide(&undo, "approve").await;
    assert!(!is_paused(&world, &subscription));
    // Nothing undoes what is not reversible.
    let (refund, _) = world.proposed(1999).await;
    assert_eq!(finance.get(&format!("/a/{refund}/undo")).await.status, 404);
}

#[tokio::test]
async fn the_agent_asks_by_the_rule_of_its_case_and_is_not_believed_about_another_policy() {
    let world = World::new().await;
    let folder = policy_with_agent_rule("agent");
    let bundle = runtime::policy::load(&folder).unwrap();
    let app = world.under(&folder).await;
    let (_, subscription) = subscription(&world);
    // The mandate is granted under the same policy.
    let more = [("allows", PAUSE), ("per_day", "1"), ("days", "1")];
    let mut support = Browser { app: &app, ..world.browser(SUPPORT).await };
    let id = support.ask("mandate.grant", AGENT_RULE, &more).await.proposal();
    for who in [FINANCE_LEAD, FINANCE_SECOND] {
        Browser { app: &app, ..world.browser(who).await }.decide(&id, "approve").await;
    }
    let (_, other) = crate::engine::subscription(&world);
    let lie = agent_asks(&world, &other, AGENT_RULE, "another policy").await;
    deliver(&app, &lie).await;
    waits(&world, &ProposalId::of(&lie, 0), &other).await;
    let request = agent_asks(&world, &subscription, AGENT_RULE, bundle.id()).await;
    for _ in 0..3 {
        assert_eq!(deliver(&app, &request).await, json!({ "batchItemFailures": [] }));
    }
    assert!(is_paused(&world, &subscription));
    let id = SubscriptionId::parse(subscription.as_str()).unwrap();
    let ours = |write: &sandbox::stripe::Write| write.path.ends_with(id.as_str());
    assert_eq!(world.writes().iter().filter(|write| ours(write)).count(), 1, "delivered again, it is once");
}

#[tokio::test]
async fn what_people_were_asked_before_a_mandate_was_granted_stays_theirs() {
    let world = World::new().await;
    let folder = policy_with_agent_rule("asked-before");
    let bundle = runtime::policy::load(&folder).unwrap();
    let app = world.under(&folder).await;
    let (_, subscription) = subscription(&world);
    let request = agent_asks(&world, &subscription, AGENT_RULE, bundle.id()).await;
    deliver(&app, &request).await;
    let waiting = ProposalId::of(&request, 0);
    waits(&world, &waiting, &subscription).await;

    let more = [("allows", PAUSE), ("per_day", "1"), ("days", "1")];
    let mut support = Browser { app: &app, ..world.browser(SUPPORT).await };
    let id = support.ask("mandate.grant", AGENT_RULE, &more).await.proposal();
    for who in [FINANCE_LEAD, FINANCE_SECOND] {
        Browser { app: &app, ..world.browser(who).await }.decide(&id, "approve").await;
    }
    // Delivered again, it would be reached if nobody had been asked.
    deliver(&app, &request).await;
    waits(&world, &waiting, &subscription).await;
    assert_eq!(mandate(&world, &MandateId::of(&id)).await.left(world.now()), 1);
}

#[tokio::test]
async fn the_inbox_shows_what_stands_and_any_approver_stops_it_at_once() {
    let world = World::new().await;
    let (_, subscription) = subscription(&world);
    let id = granted(&world, PAUSE, RULE, "5").await;
    let mut finance = world.browser(FINANCE_SECOND).await;
    let inbox = finance.get("/").await;
    assert!(inbox.body.contains("Mandates that stand (1)"), "{}", inbox.body);
    for words in ["pausing a subscription", "at most 5 a day", "Used 0 of 5 times today", "in 30 days", RULE]
    {
        assert!(inbox.body.contains(words), "{words}: {}", inbox.body);
    }
    let stop = format!("/mandates/{id}/stop");
    let form = inbox.body.split(&stop).nth(1).unwrap();
    let csrf = form.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(finance.get(&stop).await.status, 405);
    assert_eq!(finance.post(&stop, &[("csrf", "")]).await.status, 403);
    let mut outside = Browser::new(&world.app);
    assert_eq!(outside.post(&stop, &[("csrf", &csrf)]).await.status, 403);
    assert_eq!(world.approvals.standing_mandates().await.unwrap().len(), 1);
    assert_eq!(finance.post(&stop, &[("csrf", &csrf)]).await.status, 303);
    assert_eq!(finance.post(&stop, &[("csrf", &csrf)]).await.status, 303, "pressed twice");
    assert_eq!(why_ended(&world, &id).await, "u0finsecnd stopped it");
    assert_eq!(world.sandbox.slack.messages().last().unwrap().text, "A mandate ended");
    let entries = world.approvals.mandate_trail(&id).await.unwrap();
    assert_eq!(entries.last().unwrap().event, "ended");
    trail::verify(id.as_str(), &entries, Some(mandate(&world, &id).await.trail)).unwrap();
    waits(&world, &ask_pause(&world, &subscription).await, &subscription).await;
    assert!(finance.get("/").await.body.contains("None: nothing is done without asking."));
}

#[tokio::test]
async fn the_review_page_says_in_one_sentence_what_is_granted_and_under_which_rule() {
    let world = World::new().await;
    let id = asked(&world, RESUME, RULE, "3").await;
    world.browser(FINANCE_SECOND).await.decide(&id, "approve").await;
    let page = world.browser(FINANCE_LEAD).await.get(&format!("/a/{id}")).await;
    for words in [
        "Let resuming a subscription&#39;s collection be done without asking anybody",
        "at most 3 a day",
        "Then it stands at once",
        "What the policy says now",
        "Support may put before finance what customers ask for.",
    ] {
        let plain = words.replace("&#39;", "'");
        assert!(page.body.contains(words) || page.body.contains(&plain), "{words}: {}", page.body);
    }
    assert!(!page.body.contains("<dt>Customer</dt>"), "{}", page.body);
    let expires = world.file(&id).await.proposal().action.expires;
    assert!(expires > world.now().plus(2 * 86_400), "{expires}");
}
