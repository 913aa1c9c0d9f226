//! What the sweeps find, that they find it once, and that they find nothing else.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use domain::{CaseKind, finding::FindingKind};
use reconciler::Sweep;
use sandbox::people::{FINANCE_LEAD, FINANCE_SECOND};
use serde_json::{Value, json};
use stories::World;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A customer whose first month is paid: customer, subscription, invoice and charge.
struct Paying {
    method: String,
    subscription: String,
    charge: String,
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {value}")).to_owned()
}

fn paying(world: &World, number: usize) -> Paying {
    let stripe = &world.sandbox.stripe;
    let customer = stripe
        .create_customer(&format!("Customer {number}"), &format!("canary-{number}@example.test"))
        .unwrap();
    let customer = text(&customer, "id");
    let method = text(&stripe.attach_card(&customer, "pm_card_visa").unwrap(), "id");
    let subscription = stripe.subscribe(&customer, 149_900, "usd").unwrap();
    let charge = stripe.charge_of(&text(&subscription, "latest_invoice")).unwrap();
    Paying { method, subscription: text(&subscription, "id"), charge }
}

/// Delivers everything that was not delivered yet, and works on it.
async fn catch_up(world: &World) {
    for event in world.handled_events() {
        world.deliver(&event).await;
    }
    world.work(|| None).await;
}

/// The messages in Slack with these words.
fn told(world: &World, words: &str) -> usize {
    world.sandbox.slack.messages().iter().filter(|message| message.text.contains(words)).count()
}

#[tokio::test]
async fn a_dispute_that_nobody_answers_goes_to_the_backup_then_to_a_last_call_and_each_is_told_once() {
    let world = World::new().await;
    let who = paying(&world, 1);
    let due = stories::START + i64::try_from(8 * DAY).unwrap();
    let dispute = world.sandbox.stripe.open_dispute(&who.charge, "fraudulent", 149_900, due).unwrap();
    catch_up(&world).await;
    let case = world.case(CaseKind::Dispute, &text(&dispute, "id")).await.unwrap();
    assert!(case.deadline.is_some() && case.amount.is_some());

    let report = world.sweep(Sweep::Deadlines).await;
    assert_eq!((&report["open"], &report["told"]), (&json!(1), &json!(0)), "there is time");
    assert_eq!(report["nearest_hours"], 8 * 24);
    world.wait(4 * DAY);
    for told in [1, 0] {
        assert_eq!(world.sweep(Sweep::Deadlines).await["told"], told);
    }
    assert_eq!(told(&world, "takes over"), 1);
    world.wait(3 * DAY + HOUR);
    for told in [1, 0] {
        assert_eq!(world.sweep(Sweep::Deadlines).await["told"], told);
    }
    assert_eq!(told(&world, "Last call"), 1);
    assert_eq!(
        world.cases().findings(FindingKind::Deadline, 9).await.unwrap().len(),
        1,
        "the backup's is over"
    );

    // Answered in the Dashboard, and the event is not here yet: nobody is called any more.
    let path = format!("/v1/disputes/{}", text(&dispute, "id"));
    world.sandbox.stripe.request("POST", &path, "evidence[uncategorized_text]=Used&submit=true").unwrap();
    world.wait(DAY);
    assert_eq!(world.sweep(Sweep::Deadlines).await["told"], 0, "the deadline passed with an answer");
    assert_eq!(told(&world, "has passed"), 0);
    catch_up(&world).await;
    let report = world.sweep(Sweep::Deadlines).await;
    assert_eq!((&report["open"], &report["nearest_hours"]), (&json!(0), &Value::Null));
}

#[tokio::test]
async fn a_deadline_that_passes_without_an_answer_is_said_to_have_passed() {
    let world = World::new().await;
    let who = paying(&world, 1);
    let due = stories::START + i64::try_from(DAY).unwrap();
    world.sandbox.stripe.open_dispute(&who.charge, "fraudulent", 149_900, due).unwrap();
    catch_up(&world).await;
    world.wait(DAY + 1);
    let report = world.sweep(Sweep::Deadlines).await;
    assert_eq!((&report["told"], &report["nearest_hours"]), (&json!(1), &json!(-1)));
    assert_eq!(told(&world, "has passed"), 1);
}

#[tokio::test]
async fn a_refund_made_in_the_dashboard_is_an_alarm_and_one_that_was_signed_is_not() {
    let world = World::new().await;
    let (signed, past_us) = (paying(&world, 1), paying(&world, 2));
    world
        .sandbox
        .stripe
        .request("POST", &format!("/v1/charges/{}", signed.charge), "metadata[refund_request]=duplicate:1000")
        .unwrap();
    catch_up(&world).await;
    world.work_approvals(|| None).await;
    let open = world.approvals().open_proposals().await.unwrap();
    assert_eq!(open.len(), 1);
    for who in [FINANCE_LEAD, FINANCE_SECOND] {
        let answer = world.browser(who).await.decide(open[0].id(), "approve").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    world.sandbox.stripe.refund(&past_us.charge, Some(500), "duplicate").unwrap();
    catch_up(&world).await;
    world.wait(2 * HOUR);
    let report = world.sweep(Sweep::Writes).await;
    let counts = |name: &str| report[name].as_u64().unwrap();
    assert_eq!((counts("alarms"), counts("ours")), (1, 1), "{report}");
    assert_eq!(told(&world, "belongs to no approval"), 1);
    let again = world.sweep(Sweep::Writes).await;
    assert_eq!(again["alarms"], 0, "{again}");
}

#[tokio::test]
async fn a_key_of_our_form_that_was_never_given_out_is_an_alarm_whatever_the_policy_says() {
    let world = World::new().await;
    let who = paying(&world, 1);
    let key = &world.sandbox.keys.stripe_write_key;
    let base = runtime::http::Base::parse(&world.sandbox.urls.stripe).unwrap();
    let sent = runtime::http::client(&[&base])
        .unwrap()
        .post(format!("{}/v1/refunds", world.sandbox.urls.stripe))
        .bearer_auth(key)
        .header("idempotency-key", "ap1_forged")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("charge={}&amount=100", who.charge));
    assert_eq!(sent.send().await.unwrap().status(), 200);
    world.wait(2 * HOUR);
    assert_eq!(world.sweep(Sweep::Writes).await["alarms"], 1);
    let everything = world.everything().await;
    assert_eq!(everything.findings.len(), 1);
    assert_eq!(everything.findings[0].finding.what, "forged_key");
    assert!(everything.is_settled(), "a finding has a trail, and it holds");
}

#[tokio::test]
async fn stripes_own_mail_and_smart_disputes_on_our_cases_are_warned_of_once() {
    let world = World::new().await;
    let (who, other, quiet) = (paying(&world, 1), paying(&world, 2), paying(&world, 3));
    let stripe = &world.sandbox.stripe;
    stripe.card_becomes(&who.method, "pm_card_decline_insufficient_funds").unwrap();
    stripe.card_becomes(&quiet.method, "pm_card_decline_insufficient_funds").unwrap();
    let invoice = text(&stripe.renew(&who.subscription).unwrap().unwrap(), "id");
    stripe.renew(&quiet.subscription).unwrap();
    let due = stories::START + i64::try_from(20 * DAY).unwrap();
    let dispute = text(&stripe.open_dispute(&other.charge, "fraudulent", 149_900, due).unwrap(), "id");
    catch_up(&world).await;
    assert_eq!(world.sweep(Sweep::Coexistence).await["told"], 0);
    stripe.emit("invoice.sent", &stripe.object(&invoice).unwrap()).unwrap();
    let mut object = stripe.object(&dispute).unwrap();
    object["intended_submission_method"] = "prefer_smart_disputes".into();
    stripe.put_object(&object).unwrap();
    world.wait(2 * HOUR);
    let report = world.sweep(Sweep::Coexistence).await;
    assert_eq!((&report["told"], &report["failed"]), (&json!(2), &json!(0)), "{report}");
    assert_eq!((told(&world, "Stripe wrote"), told(&world, "Smart Disputes")), (1, 1));
    world.wait(HOUR);
    assert_eq!(world.sweep(Sweep::Coexistence).await["told"], 0);
    object["intended_submission_method"] = "manual".into();
    stripe.put_object(&object).unwrap();
    world.sweep(Sweep::Coexistence).await;
    let open = world.cases().findings(FindingKind::Coexistence, 9).await.unwrap();
    assert_eq!(open.len(), 1, "the mail was sent, and the dispute is ours again");
}

#[tokio::test]
async fn an_approval_that_ends_soon_is_reported_once() {
    let world = World::new().await;
    let who = paying(&world, 1);
    let path = format!("/v1/charges/{}", who.charge);
    world.sandbox.stripe.request("POST", &path, "metadata[refund_request]=duplicate:1000").unwrap();
    catch_up(&world).await;
    world.work_approvals(|| None).await;
    let expected = json!({ "pending": 1, "expiring": 0, "stuck": 0, "unknown": 0 });
    assert_eq!(world.sweep(Sweep::Approvals).await, expected);
    let before = told(&world, "ends soon");
    world.wait(3 * DAY - 3 * HOUR);
    for _ in 0..2 {
        assert_eq!(world.sweep(Sweep::Approvals).await["expiring"], 1);
    }
    assert_eq!(told(&world, "A proposal ends soon") - before, 1);
}

#[tokio::test]
async fn an_open_case_is_looked_at_every_day_and_found_closed_though_no_event_ever_came() {
    let world = World::new().await;
    let who = paying(&world, 1);
    let stripe = &world.sandbox.stripe;
    stripe.card_becomes(&who.method, "pm_card_decline_insufficient_funds").unwrap();
    let invoice = text(&stripe.renew(&who.subscription).unwrap().unwrap(), "id");
    catch_up(&world).await;
    stripe.card_becomes(&who.method, "pm_card_visa").unwrap();
    stripe.pay(&invoice).unwrap();
    world.wait(DAY + 1);
    world.sweep(Sweep::Cases).await;
    let case = world.case(CaseKind::Recovery, &invoice).await.unwrap();
    assert_eq!(case.state, domain::case::CaseState::Closed);
}

/// The front door, for one request: what comes over HTTP goes to ingress.
async fn open_once(world: &World, door: &TcpListener) -> u16 {
    let (mut stream, _) = door.accept().await.unwrap();
    let mut request = Vec::new();
    let (head, body) = loop {
        let mut part = [0; 4096];
        let length = stream.read(&mut part).await.unwrap();
        request.extend_from_slice(&part[..length]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length: usize = header(head, "content-length").parse().unwrap();
        if body.len() == length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let status = world.deliver_signed(&header(&head, "stripe-signature"), body.as_bytes()).await;
    let answer = format!("HTTP/1.1 {status} OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    status
}

fn header(head: &str, name: &str) -> String {
    let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:"))).unwrap();
    line.split_once(':').unwrap().1.trim().to_owned()
}

#[tokio::test]
async fn a_canary_goes_through_the_front_door_to_its_outcome_and_its_age_shows_when_none_comes_through() {
    let mut world = World::new().await;
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/stripe/default", door.local_addr().unwrap());
    let base = runtime::http::Base::parse(&url).unwrap();
    world.reconciler.canary = Some(reconciler::Canary {
        http: runtime::http::client(&[&base]).unwrap(),
        secrets: stripe::EndpointSecrets::new([&world.sandbox.keys.webhook_secret.clone().into()]).unwrap(),
        url,
    });
    let send = async |world: &World| {
        let (report, status) = tokio::join!(world.sweep(Sweep::Canary), open_once(world, &door));
        assert_eq!(status, 200);
        report
    };
    assert_eq!(send(&world).await["age"], Value::Null, "nothing is known yet");
    world.work(|| None).await;
    world.wait(300);
    assert_eq!(send(&world).await["age"], 300, "the first one came through");
    let id = format!("evt_canary_{}", world.clock.seconds() - 300).parse().unwrap();
    assert_eq!(world.cases().event(&id).await.unwrap().unwrap().outcome, Some(store::EventOutcome::Ignored));
    // The processor stands still: the age of the last one that came through grows.
    for age in [600, 900] {
        world.wait(300);
        assert_eq!(send(&world).await["age"], age);
    }
    world.work(|| None).await;
    world.wait(300);
    assert_eq!(send(&world).await["age"], 300);
}

#[tokio::test]
async fn dead_letters_are_counted_by_queue() {
    let world = World::new().await;
    world.processor_queue_poison("not an envelope", "alone").await;
    for _ in 0..11 {
        world.work(|| None).await;
        world.wait(181);
    }
    assert_eq!(world.sweep(Sweep::Dead).await, json!({ "dead": { "events": 1, "approvals": 0 } }));
}

#[tokio::test]
async fn while_everything_is_stopped_nothing_is_told_and_nothing_counts_as_told() {
    let world = World::new().await;
    let who = paying(&world, 1);
    let due = stories::START + i64::try_from(DAY / 2).unwrap();
    world.sandbox.stripe.open_dispute(&who.charge, "fraudulent", 149_900, due).unwrap();
    catch_up(&world).await;
    world.cases().freeze().await.unwrap();
    assert_eq!(world.sweep(Sweep::Deadlines).await["told"], 0);
    world.cases().unfreeze().await.unwrap();
    assert_eq!(world.sweep(Sweep::Deadlines).await["told"], 1);
}
