//! What an operator does by hand, against stand-ins of its own: replay, resync, redrive, digest.

use aws_sdk_sqs::Client;
use runtime::{Env, aws::Aws};
use sandbox::{
    Clock,
    world::{APPROVALS_TABLE, CASES_TABLE, DEAD_EVENT_QUEUE, EVENT_QUEUE, Function, Options, Sandbox},
};
use serde_json::{Value, json};

use crate::support::{Ran, countersign};

struct Place {
    sandbox: Sandbox,
    aws: Aws,
    customer: String,
}

impl Place {
    /// A customer with a paid month, a dispute and a failed renewal.
    async fn new() -> Self {
        let sandbox = Sandbox::start(Options {
            data: None,
            clock: Clock::running(),
            public_url: "http://localhost:1".into(),
            sign_in_path: "/callback".into(),
            stripe: None,
        })
        .await
        .unwrap();
        let env: Env = sandbox.variables(Function::Reconciler).into_iter().collect();
        let aws = Aws::from_env(&env).unwrap();
        for table in [CASES_TABLE, APPROVALS_TABLE] {
            store::schema::create(&aws.dynamodb(), table).await.unwrap();
        }
        let stripe = &sandbox.stripe;
        let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
        let customer = text(&stripe.create_customer("Customer", "canary@example.test").unwrap(), "id");
        let method = text(&stripe.attach_card(&customer, "pm_card_visa").unwrap(), "id");
        let subscription = stripe.subscribe(&customer, 4900, "usd").unwrap();
        let charge = stripe.charge_of(&text(&subscription, "latest_invoice")).unwrap();
        stripe.open_dispute(&charge, "fraudulent", 4900, Clock::running().seconds() + 900_000).unwrap();
        stripe.card_becomes(&method, "pm_card_decline_insufficient_funds").unwrap();
        stripe.renew(&text(&subscription, "id")).unwrap();
        Self { sandbox, aws, customer }
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = countersign(arguments);
        command.envs(self.sandbox.variables(Function::Reconciler));
        command.env("STRIPE_READ_KEY", &self.sandbox.keys.stripe_read_key);
        Ran::beside(command).await
    }

    fn url(&self, queue: &str) -> String {
        format!("{}/000000000000/{queue}", self.sandbox.urls.sqs)
    }

    fn waiting(&self, queue: &str) -> usize {
        self.sandbox.sqs.depth(queue).0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_counts_then_queues_every_event_that_starts_work_and_again_adds_none() {
    let place = Place::new().await;
    let today = domain::Timestamp::from_seconds(Clock::running().seconds() - 3600).to_string();
    let counted = place.run(&["replay", "--since", &today, "--dry-run"]).await;
    assert_eq!(counted.code, 0, "{}", counted.error);
    assert!(counted.out.contains("would be queued") && counted.out.contains("charge.dispute.created"));
    assert_eq!(place.waiting(EVENT_QUEUE), 0, "counting queues nothing");
    let handled = |event: &&Value| domain::event::case_kind(event["type"].as_str().unwrap()).is_some();
    let events = place.sandbox.stripe.events();
    let events = events.iter().filter(handled).count();
    let url = place.url(EVENT_QUEUE);
    for _ in 0..2 {
        let done = place.run(&["replay", "--since", &today, "--queue", &url, "--rate", "300"]).await;
        assert_eq!(done.code, 0, "{}", done.error);
        assert!(done.out.starts_with(&format!("{events} events")), "{}", done.out);
        assert_eq!(place.waiting(EVENT_QUEUE), events);
    }
    let some = ["replay", "--since", &today, "--types", "invoice.paid,charge.dispute.created", "--dry-run"];
    let some = place.run(&some).await;
    assert!(!some.out.contains("payment_failed") && some.out.contains("invoice.paid"), "{}", some.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resync_queues_every_object_of_the_customer_that_a_case_is_about() {
    let place = Place::new().await;
    let url = place.url(EVENT_QUEUE);
    let done = place.run(&["resync", "--customer", &place.customer, "--queue", &url]).await;
    assert_eq!(done.code, 0, "{}", done.error);
    for word in ["customer.subscription.updated", "invoice.payment_failed", "charge.dispute.updated"] {
        assert!(done.out.contains(word), "{}", done.out);
    }
    assert_eq!(place.waiting(EVENT_QUEUE), 3);
    let unknown = place.run(&["resync", "--customer", "cus_nobody", "--dry-run"]).await;
    assert!(unknown.code == 1 && unknown.error.contains("cus_nobody"), "{}", unknown.error);
}

async fn bury(queues: &Client, url: &str, body: &str, group: &str) {
    let send = queues.send_message().queue_url(url).message_body(body).message_group_id(group);
    send.message_deduplication_id(group).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_shown_with_their_reason_and_sent_again_with_one_command() {
    let place = Place::new().await;
    let (dead, queue) = (place.url(DEAD_EVENT_QUEUE), place.url(EVENT_QUEUE));
    let now = Clock::running().seconds();
    let envelope = |id: &str| {
        json!({
            "id": id, "type": "invoice.paid", "object": "in_1", "livemode": false,
            "created": now, "received": now, "endpoint": "default",
        })
    };
    let cases = store::Cases::new(place.aws.dynamodb(), CASES_TABLE);
    let failed: domain::Envelope = serde_json::from_value(envelope("evt_failed")).unwrap();
    let run = domain::RunId::from_random(7);
    let at = domain::Timestamp::from_seconds(now);
    cases.claim(&failed, &run, at, at.plus(90)).await.unwrap();
    cases.note_failure(&failed.id, &run, "stripe").await.unwrap();
    let queues = place.aws.sqs();
    for id in ["evt_failed", "evt_unknown"] {
        bury(&queues, &dead, &envelope(id).to_string(), id).await;
    }
    bury(&queues, &dead, "canary-poison", "poison").await;
    let redrive = ["redrive", "--dead", &dead, "--queue", &queue, "--cases-table", CASES_TABLE];
    let shown = place.run(&[&redrive[..], &["--dry-run"]].concat()).await;
    assert_eq!(shown.code, 0, "{}", shown.error);
    for words in
        ["3 dead letters lie there", "evt_failed invoice.paid about in_1: failed: stripe", "never begun"]
    {
        assert!(shown.out.contains(words), "{}", shown.out);
    }
    assert!(!shown.out.contains("canary"), "a body that is no envelope is not shown");
    assert_eq!((place.waiting(DEAD_EVENT_QUEUE), place.waiting(EVENT_QUEUE)), (3, 0));
    let sent = place.run(&redrive).await;
    assert!(sent.code == 0 && sent.out.starts_with("3 dead letters are sent again"), "{}", sent.error);
    assert_eq!((place.waiting(DEAD_EVENT_QUEUE), place.waiting(EVENT_QUEUE)), (0, 3));
    let none = place.run(&redrive).await;
    assert_eq!(none.out.trim(), "0 dead letters are sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_is_a_table_of_what_happened_on_the_days_asked_for() {
    let place = Place::new().await;
    let tables = ["--cases-table", CASES_TABLE, "--approvals-table", APPROVALS_TABLE];
    let csv = place.run(&[&["digest", "--csv", "--since", "2026-11-01"][..], &tables].concat()).await;
    assert_eq!(csv.code, 0, "{}", csv.error);
    let lines: Vec<&str> = csv.out.lines().map(str::trim_end).collect();
    assert_eq!(lines[0], "from,until,section,what,touches,count,currency,amount_minor,deadline");
    assert_eq!(lines[1], "2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,external_writes,,,0,,,");
    let text = place.run(&[&["digest"][..], &tables].concat()).await;
    assert!(text.out.contains("Recovered: nothing"), "{}", text.out);
}
