//! Test clocks over HTTP.

use serde_json::{Value, json};

use crate::{
    schema::faults_of,
    support::{Bench, NOW, id},
};

/// 2020-01-01, long before the account's own time.
const START: i64 = 1_577_836_800;
const DAY: i64 = 86_400;

/// A clock and a customer that lives by it, who pays 10.00 a month with this card.
struct Simulation<'b> {
    bench: &'b Bench,
    clock: String,
    customer: String,
    subscription: String,
}

impl<'b> Simulation<'b> {
    async fn new(bench: &'b Bench, card: &str, form: &str) -> Self {
        let clock = bench.post("/v1/test_helpers/test_clocks", &format!("frozen_time={START}")).await.body;
        let customer = bench.post("/v1/customers", &format!("test_clock={}", id(&clock))).await.body;
        let customer = id(&customer);
        if !card.is_empty() {
            bench.stripe.attach_card(&customer, card).unwrap();
        }
        let price = "product_data[name]=P&currency=usd&unit_amount=1000&recurring[interval]=month";
        let price = id(&bench.post("/v1/prices", price).await.body);
        let form = format!("customer={customer}&items[0][price]={price}&{form}");
        let made = bench.post("/v1/subscriptions", &form).await;
        assert_eq!(made.status, 200, "{}", made.body);
        Self { bench, clock: id(&clock), customer, subscription: id(&made.body) }
    }

    async fn advance(&self, to: i64) -> Value {
        let path = format!("/v1/test_helpers/test_clocks/{}/advance", self.clock);
        let answer = self.bench.post(&path, &format!("frozen_time={to}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    fn subscription(&self) -> Value {
        self.bench.stripe.object(&self.subscription).unwrap()
    }

    async fn invoices(&self) -> Vec<Value> {
        let list = self.bench.get(&format!("/v1/invoices?customer={}", self.customer)).await.body;
        assert_eq!(faults_of(&list), Vec::<String>::new());
        list["data"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn a_clock_is_made_read_listed_moved_and_deleted() {
    let bench = Bench::new().await;
    let path = "/v1/test_helpers/test_clocks";
    let clock = bench.post(path, &format!("frozen_time={START}&name=Year")).await.body;
    assert_eq!(faults_of(&clock), Vec::<String>::new());
    assert_eq!((clock["status"].as_str(), clock["created"].as_i64()), (Some("ready"), Some(NOW)));
    let own = format!("{path}/{}", id(&clock));
    let moved = bench.post(&format!("{own}/advance"), &format!("frozen_time={}", START + DAY)).await.body;
    assert_eq!((faults_of(&moved), moved["status"].as_str()), (vec![], Some("advancing")));
    let read = bench.get(&own).await.body;
    assert_eq!((read["status"].as_str(), read["frozen_time"].as_i64()), (Some("ready"), Some(START + DAY)));
    for to in [START + DAY, START, START + 800 * DAY] {
        let refused = bench.post(&format!("{own}/advance"), &format!("frozen_time={to}")).await;
        assert_eq!((refused.status, refused.error("param")), (400, Some("frozen_time")), "{to}");
    }
    assert_eq!(bench.get(path).await.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(bench.request("DELETE", &own).send().await.unwrap().status(), 200);
    assert_eq!((bench.get(&own).await.status, bench.get(path).await.body["data"].clone()), (404, json!([])));
    let kinds = ["created", "advancing", "ready", "deleted"];
    for kind in kinds.map(|kind| format!("test_helpers.test_clock.{kind}")) {
        assert_eq!(bench.count(&kind), 1, "{kind}");
    }
}

#[tokio::test]
async fn its_objects_live_by_the_clock_and_nothing_else_does() {
    let bench = Bench::new().await;
    let other = bench.with_invoice();
    let run = Simulation::new(&bench, "pm_card_visa", "").await;
    assert_eq!(
        (run.subscription()["created"].as_i64(), &run.subscription()["test_clock"]),
        (Some(START), &json!(run.clock))
    );
    run.advance(START + 30 * DAY).await;
    let invoices = run.invoices().await;
    assert_eq!(
        (invoices.len(), &invoices[0]["status"]),
        (2, &json!("draft")),
        "a draft can be changed for an hour"
    );
    assert_eq!(invoices[0]["created"], START + 30 * DAY);
    run.advance(START + 30 * DAY + 3600).await;
    let invoices = run.invoices().await;
    assert_eq!(
        (&invoices[0]["status"], &invoices[0]["billing_reason"]),
        (&json!("paid"), &json!("subscription_cycle"))
    );
    assert_eq!(invoices[0]["status_transitions"]["paid_at"], START + 30 * DAY + 3600);
    assert_eq!(run.subscription()["items"]["data"][0]["current_period_end"], START + 60 * DAY);
    assert_eq!(
        bench.get(&format!("/v1/invoices?customer={}", other.customer)).await.body["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for event in bench.stripe.events() {
        assert_eq!(event["created"], NOW, "events are told when they happen");
        assert_eq!(faults_of(&event["data"]["object"]), Vec::<String>::new(), "{}", event["type"]);
    }
    let everybody = bench.get("/v1/customers").await.body;
    let ids: Vec<&str> =
        everybody["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [other.customer.as_str()], "those of a clock are listed only for it");
    let own = bench.get(&format!("/v1/customers?test_clock={}", run.clock)).await.body;
    assert_eq!(own["data"][0]["id"], run.customer);
}

#[tokio::test]
async fn it_moves_two_intervals_at_most() {
    let bench = Bench::new().await;
    let run = Simulation::new(&bench, "pm_card_visa", "").await;
    let path = format!("/v1/test_helpers/test_clocks/{}/advance", run.clock);
    assert_eq!(bench.post(&path, &format!("frozen_time={}", START + 61 * DAY)).await.status, 400);
    run.advance(START + 60 * DAY).await;
    assert_eq!(run.invoices().await.len(), 3);
}

#[tokio::test]
async fn a_decline_is_retried_eight_times_in_two_weeks_and_then_the_subscription_ends() {
    let bench = Bench::new().await;
    let run = Simulation::new(&bench, "pm_card_visa", "").await;
    let method = bench.get(&format!("/v1/customers/{}/payment_methods", run.customer)).await.body;
    bench.stripe.card_becomes(&id(&method["data"][0]), "pm_card_decline_insufficient_funds").unwrap();
    run.advance(START + 30 * DAY + 3600).await;
    assert_eq!(run.subscription()["status"], "past_due");
    let failed = &run.invoices().await[0];
    assert_eq!(
        (failed["attempt_count"].as_i64(), failed["next_payment_attempt"].as_i64()),
        (Some(1), Some(START + 31 * DAY + 3600))
    );
    run.advance(START + 44 * DAY + 3599).await;
    assert_eq!(
        (bench.count("invoice.payment_failed"), run.subscription()["status"].as_str()),
        (8, Some("past_due"))
    );
    run.advance(START + 44 * DAY + 3600).await;
    assert_eq!(run.subscription()["status"], "canceled");
    assert_eq!(run.subscription()["canceled_at"], START + 44 * DAY + 3600);
}

#[tokio::test]
async fn a_trial_is_announced_and_becomes_a_paid_period() {
    let bench = Bench::new().await;
    let run = Simulation::new(&bench, "pm_card_visa", "trial_period_days=10").await;
    assert_eq!(
        (run.subscription()["status"].as_str(), faults_of(&run.subscription())),
        (Some("trialing"), vec![])
    );
    let invoices = run.invoices().await;
    assert_eq!((invoices[0]["total"].as_i64(), &invoices[0]["status"]), (Some(0), &json!("paid")));
    run.advance(START + 7 * DAY - 1).await;
    assert_eq!(bench.count("customer.subscription.trial_will_end"), 0);
    run.advance(START + 7 * DAY).await;
    assert_eq!(bench.count("customer.subscription.trial_will_end"), 1);
    run.advance(START + 10 * DAY + 3600).await;
    assert_eq!(
        (run.subscription()["status"].as_str(), run.invoices().await[0]["amount_paid"].as_i64()),
        (Some("active"), Some(1000))
    );
    assert_eq!(bench.count("customer.subscription.trial_will_end"), 1);
}

#[tokio::test]
async fn a_trial_without_a_card_ends_as_its_settings_say() {
    let bench = Bench::new().await;
    for (behaviour, status) in [("pause", "paused"), ("cancel", "canceled"), ("create_invoice", "past_due")] {
        let form =
            format!("trial_period_days=1&trial_settings[end_behavior][missing_payment_method]={behaviour}");
        let run = Simulation::new(&bench, "", &form).await;
        run.advance(START + DAY + 3600).await;
        assert_eq!(
            (run.subscription()["status"].as_str(), faults_of(&run.subscription())),
            (Some(status), vec![])
        );
    }
    assert_eq!(bench.count("customer.subscription.paused"), 1);
    let form = "trial_period_days=7&trial_settings[end_behavior][missing_payment_method]=pause";
    let run = Simulation::new(&bench, "", form).await;
    let ended = bench.post(&format!("/v1/subscriptions/{}", run.subscription), "trial_end=now").await.body;
    assert_eq!(ended["status"], "paused");
}

#[tokio::test]
async fn what_was_to_end_ends_and_what_was_never_paid_expires() {
    let bench = Bench::new().await;
    let ends = Simulation::new(&bench, "pm_card_visa", "cancel_at_period_end=true").await;
    ends.advance(START + 30 * DAY).await;
    assert_eq!(ends.subscription()["status"], "canceled");
    let unpaid = Simulation::new(&bench, "pm_card_chargeCustomerFail", "").await;
    assert_eq!(unpaid.subscription()["status"], "incomplete");
    unpaid.advance(START + DAY).await;
    assert_eq!(
        (unpaid.subscription()["status"].as_str(), &unpaid.invoices().await[0]["status"]),
        (Some("incomplete_expired"), &json!("void"))
    );
    let dated = Simulation::new(&bench, "pm_card_visa", "").await;
    let path = format!("/v1/subscriptions/{}", dated.subscription);
    bench.post(&path, &format!("cancel_at={}", START + 3 * DAY)).await;
    dated.advance(START + 4 * DAY).await;
    assert_eq!(dated.subscription()["ended_at"], START + 3 * DAY);
}

#[tokio::test]
async fn paused_collection_leaves_drafts_until_it_resumes() {
    let bench = Bench::new().await;
    let run = Simulation::new(&bench, "pm_card_visa", "").await;
    let form =
        format!("pause_collection[behavior]=keep_as_draft&pause_collection[resumes_at]={}", START + 40 * DAY);
    bench.post(&format!("/v1/subscriptions/{}", run.subscription), &form).await;
    run.advance(START + 35 * DAY).await;
    assert_eq!(
        (&run.invoices().await[0]["status"], &run.invoices().await[0]["auto_advance"]),
        (&json!("draft"), &json!(false))
    );
    run.advance(START + 60 * DAY + 3600).await;
    assert_eq!(
        (&run.subscription()["pause_collection"], &run.invoices().await[0]["status"]),
        (&Value::Null, &json!("paid"))
    );
}

#[tokio::test]
async fn deleting_a_clock_deletes_its_customers() {
    let bench = Bench::new().await;
    let run = Simulation::new(&bench, "pm_card_visa", "").await;
    bench.request("DELETE", &format!("/v1/test_helpers/test_clocks/{}", run.clock)).send().await.unwrap();
    assert_eq!(bench.get(&format!("/v1/customers/{}", run.customer)).await.body["deleted"], true);
    assert_eq!(run.subscription()["status"], "canceled");
}
