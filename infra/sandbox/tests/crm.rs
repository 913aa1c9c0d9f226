//! The CRM connectors against their stand-ins: one task, one note, and never an older status.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{sync::Arc, time::Duration};

use axum::Router;
use connectors::{
    ConnectorError, Verdict,
    crm::{Credentials, Crm, Fields, HubSpot, Salesforce},
};
use domain::{
    CaseKey, Currency, CustomerId, Money, ObjectId, Timestamp,
    plan::{PaymentStatus, Priority, StepKey, StepKind, Task},
};
use runtime::http::Base;
use sandbox::{
    Loopback, Shelf,
    crm::{Entry, Fault, Properties, hubspot, salesforce},
};
use serde_json::{Value, json};

const SECRET: &str = "secret-canary";
const NOON: Timestamp = Timestamp::from_seconds(1_790_000_000);

/// A stand-in and the connector to it.
enum Twin {
    HubSpot(Arc<hubspot::HubSpot>),
    Salesforce(Arc<salesforce::Salesforce>),
}

struct World {
    twin: Twin,
    crm: Crm,
    _server: Loopback,
}

impl World {
    async fn both() -> [Self; 2] {
        let hub = hubspot::HubSpot::open(SECRET, Shelf::memory().unwrap()).unwrap();
        let company = json!({
            "name": "Acme", "annual_value": "12000.50", "renews": "2027-01-31", "segment": "enterprise",
            "lifecyclestage": "customer", "hubspot_owner_id": "7",
        });
        hub.seed(&[("cus_1", object(company))]).unwrap();
        let force = salesforce::Salesforce::open(SECRET, Shelf::memory().unwrap()).unwrap();
        let account = json!({
            "Name": "Acme", "Annual_Value__c": 12000.5, "Renews__c": "2027-01-31", "Segment__c": "enterprise",
            "Type": "customer", "OwnerId": "7", "Owner": { "Name": "Sales Lead", "Email": "csm@example.test" },
        });
        force.seed(&[("cus_1", object(account))]).unwrap();
        [Self::of(Twin::HubSpot(hub)).await, Self::of(Twin::Salesforce(force)).await]
    }

    async fn of(twin: Twin) -> Self {
        let router: Router = match &twin {
            Twin::HubSpot(crm) => Arc::clone(crm).router(),
            Twin::Salesforce(crm) => Arc::clone(crm).router(),
        };
        let server = Loopback::serve(0, router).await.unwrap();
        let base = Base::parse(&server.url()).unwrap();
        let http = runtime::http::client(&[&base]).unwrap();
        let clock: runtime::Clock = Arc::new(|| NOON);
        let euro = |fields| Fields { default_currency: Some(Currency::parse("eur").unwrap()), ..fields };
        let crm = match &twin {
            Twin::HubSpot(_) => {
                Crm::HubSpot(HubSpot::new(http, base.as_str(), SECRET.into(), euro(Fields::hubspot()), clock))
            }
            Twin::Salesforce(_) => {
                let credentials = Credentials { client_id: "app".into(), client_secret: SECRET.into() };
                let fields = euro(Fields::salesforce());
                Crm::Salesforce(Salesforce::new(http, base.as_str(), credentials, fields, clock))
            }
        };
        Self { twin, crm, _server: server }
    }

    /// Faults of the call that creates a task.
    fn fail_creation(&self, fault: Fault, times: usize) {
        match &self.twin {
            Twin::HubSpot(crm) => crm.fail("POST /crm/objects/2026-03/tasks/batch/upsert", fault, times),
            Twin::Salesforce(crm) => crm.fail("PATCH /services/data/v62.0/sobjects/Task", fault, times),
        }
    }

    /// Faults of every call that writes.
    fn fail_writes(&self, fault: Fault, times: usize) {
        match &self.twin {
            Twin::HubSpot(crm) => {
                for on in ["tasks/batch/upsert", "notes/batch/upsert"] {
                    crm.fail(&format!("POST /crm/objects/2026-03/{on}"), fault, times);
                }
                crm.fail("PUT /crm/objects/2026-03/", fault, times);
                crm.fail("PATCH /crm/objects/2026-03/companies/", fault, times);
            }
            Twin::Salesforce(crm) => crm.fail("PATCH /services/data/", fault, times),
        }
    }

    fn work(&self) -> Vec<Entry> {
        match &self.twin {
            Twin::HubSpot(crm) => [crm.entries("tasks"), crm.entries("notes")].concat(),
            Twin::Salesforce(crm) => crm.entries("Task"),
        }
    }

    fn records(&self) -> Vec<Entry> {
        match &self.twin {
            Twin::HubSpot(crm) => crm.entries("companies"),
            Twin::Salesforce(crm) => crm.entries("Account"),
        }
    }

    async fn put_task(&self) -> Result<String, ConnectorError> {
        self.crm.put_task(&key("task"), &customer(), &task("why")).await
    }
}

fn object(value: Value) -> Properties {
    serde_json::from_value(value).unwrap()
}

fn customer() -> CustomerId {
    CustomerId::parse("cus_1").unwrap()
}

fn key(revision: &str) -> StepKey {
    let case: CaseKey = serde_json::from_value(json!("recovery:in_1")).unwrap();
    StepKey::new(&case, &StepKind::Note { text: String::new() }, revision)
}

fn task(text: &str) -> Task {
    let value = Some(Money::new(1999, Currency::parse("eur").unwrap()));
    let (title, text) = ("Call Acme".to_owned(), text.to_owned());
    Task { title, text, owner: Some("7".to_owned()), priority: Priority::High, due: NOON, value }
}

fn status(word: &str, read: Timestamp) -> PaymentStatus {
    let object = ObjectId::parse("in_1").unwrap();
    PaymentStatus { status: word.to_owned(), open: None, object, read }
}

#[tokio::test]
async fn an_account_is_read_with_its_value_owner_and_renewal() {
    for world in World::both().await {
        let account = world.crm.account(&customer()).await.unwrap().unwrap();
        assert_eq!(account.name.as_deref(), Some("Acme"));
        assert_eq!(account.annual_value, Some(Money::new(1_200_050, Currency::parse("eur").unwrap())));
        assert_eq!(account.renews, Timestamp::parse_rfc3339("2027-01-31T00:00:00Z"));
        assert_eq!(account.segment.as_deref(), Some("enterprise"));
        assert_eq!(account.lifecycle.as_deref(), Some("customer"));
        let owner = account.owner.unwrap();
        assert_eq!((owner.id.as_str(), owner.name.as_deref()), ("7", Some("Sales Lead")));
        let nobody = CustomerId::parse("cus_2").unwrap();
        assert_eq!(world.crm.account(&nobody).await.unwrap(), None);
    }
}

#[tokio::test]
async fn repeated_and_concurrent_steps_make_one_task_and_one_note() {
    for world in World::both().await {
        let (customer, task, note) = (customer(), key("task"), key("note"));
        let text = self::task("why");
        let (a, b, c, d) = tokio::join!(
            world.crm.put_task(&task, &customer, &text),
            world.crm.put_task(&task, &customer, &text),
            world.crm.put_note(&note, &customer, "paid"),
            world.crm.put_note(&note, &customer, "paid"),
        );
        let again = world.put_task().await.unwrap();
        assert_eq!([&a.unwrap(), &b.unwrap()], [&again; 2]);
        assert_eq!(c.unwrap(), d.unwrap());
        let record = world.records().remove(0).id;
        let work = world.work();
        assert_eq!(work.len(), 2);
        assert!(work.iter().all(|one| one.of.as_ref() == Some(&record)), "{work:?}");
        assert_eq!(world.crm.find_task(&task).await.unwrap(), Some(again));
        assert_eq!(world.crm.find_note(&key("other")).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_connection_that_dies_after_the_commit_makes_one_task_one_note_and_one_status() {
    for world in World::both().await {
        // So often that every repeat within a call is lost, too: as if the process died.
        world.fail_writes(Fault::DropAfter, 6);
        let (customer, status) = (customer(), status("overdue", NOON));
        for _ in 0..3 {
            // What they say does not matter here; what they leave does.
            let _ = world.put_task().await;
            let _ = world.crm.put_note(&key("note"), &customer, "paid").await;
            let _ = world.crm.put_payment_status(&customer, &status).await;
        }
        world.put_task().await.unwrap();
        world.crm.put_note(&key("note"), &customer, "paid").await.unwrap();
        world.crm.put_payment_status(&customer, &status).await.unwrap();
        let record = world.records().remove(0).id;
        let work = world.work();
        assert_eq!(work.len(), 2, "{work:?}");
        assert!(work.iter().all(|one| one.of.as_ref() == Some(&record)), "{work:?}");
        assert_eq!(shown(&world).await, "overdue");
    }
}

#[tokio::test]
async fn a_limit_is_respected_and_a_hanging_vendor_costs_its_own_time_out() {
    for world in World::both().await {
        world.fail_creation(Fault::RateLimited(7), 1);
        let error = world.put_task().await.unwrap_err();
        // Salesforce does not say how long.
        let after = matches!(world.twin, Twin::HubSpot(_)).then_some(7);
        assert_eq!(error.verdict(), Verdict::RetryLater { after }, "{error:?}");
        assert!(world.work().is_empty());
    }
    let [hanging, other] = World::both().await;
    hanging.fail_creation(Fault::HangBefore, 1);
    let hangs = hanging.put_task();
    tokio::pin!(hangs);
    let served = tokio::select! { _ = &mut hangs => None, served = other.put_task() => Some(served) };
    assert!(served.unwrap().is_ok(), "the other vendor answers meanwhile");
    let ended = tokio::time::timeout(Duration::from_mins(1), hangs).await.expect("a time-out ends it");
    assert_eq!(ended.unwrap_err().verdict(), Verdict::RetryLater { after: None });
}

#[tokio::test]
async fn a_late_status_does_not_put_back_a_stale_one() {
    for world in World::both().await {
        let customer = customer();
        world.crm.put_payment_status(&customer, &status("current", NOON)).await.unwrap();
        world.crm.put_payment_status(&customer, &status("overdue", NOON.plus(-60))).await.unwrap();
        assert_eq!(shown(&world).await, "current");
        world.crm.put_payment_status(&customer, &status("disputed", NOON.plus(60))).await.unwrap();
        assert_eq!(shown(&world).await, "disputed");
    }
}

async fn shown(world: &World) -> String {
    world.crm.account(&customer()).await.unwrap().unwrap().payment_status.unwrap()
}

#[tokio::test]
async fn two_records_for_one_customer_are_a_contradiction() {
    for world in World::both().await {
        // Made for another customer, then given the first one's id.
        match &world.twin {
            Twin::HubSpot(crm) => {
                crm.seed(&[("cus_9", Properties::new())]).unwrap();
                crm.seed(&[("cus_9", object(json!({ "stripe_customer_id": "cus_1" })))]).unwrap();
            }
            Twin::Salesforce(crm) => {
                crm.seed(&[("cus_9", Properties::new())]).unwrap();
                crm.seed(&[("cus_9", object(json!({ "Stripe_Customer_Id__c": "cus_1" })))]).unwrap();
            }
        }
        let error = world.crm.account(&customer()).await.unwrap_err();
        assert_eq!(error.verdict(), Verdict::GiveUp, "{error:?}");
        assert_eq!(world.put_task().await.unwrap_err().verdict(), Verdict::GiveUp);
        assert!(world.work().is_empty());
    }
}

#[tokio::test]
async fn a_session_that_ended_is_renewed_once_for_all_who_wait() {
    let [_, world] = World::both().await;
    let Twin::Salesforce(crm) = &world.twin else { panic!("salesforce is second") };
    world.put_task().await.unwrap();
    assert_eq!(crm.tokens_given(), 1);
    crm.expire();
    let customer = customer();
    let (one, two) = tokio::join!(world.crm.account(&customer), world.crm.account(&customer));
    assert!(one.unwrap().is_some() && two.unwrap().is_some());
    assert_eq!(crm.tokens_given(), 2);
}

#[tokio::test]
async fn a_session_that_is_refused_even_when_it_is_new_is_not_renewed_again_and_again() {
    let [_, world] = World::both().await;
    let Twin::Salesforce(crm) = &world.twin else { panic!("salesforce is second") };
    crm.lock_out();
    let error = world.crm.account(&customer()).await.unwrap_err();
    assert_eq!((error.verdict(), crm.tokens_given()), (Verdict::RetryLater { after: Some(60) }, 2));
}

#[tokio::test]
async fn a_secret_that_is_refused_says_so_and_is_not_tried_twice() {
    let twin = salesforce::Salesforce::open("another secret", Shelf::memory().unwrap()).unwrap();
    let world = World::of(Twin::Salesforce(Arc::clone(&twin))).await;
    let error = world.crm.account(&customer()).await.unwrap_err();
    assert_eq!((error.verdict(), twin.tokens_given()), (Verdict::RetryLater { after: Some(60) }, 0));
    assert_eq!(error.call, "token.get");
    assert!(error.explain().contains("invalid_client"), "{}", error.explain());
}

#[tokio::test]
async fn doctor_names_the_fields_that_nobody_has_created() {
    for world in World::both().await {
        assert_eq!(world.crm.check().await.unwrap(), Vec::<String>::new());
        let missing = match &world.twin {
            Twin::HubSpot(crm) => {
                crm.lack("companies", "renews");
                crm.lack("notes", "countersign_key");
                [
                    "HubSpot: create the property `renews` on companies",
                    "HubSpot: create the property `countersign_key` on notes",
                ]
            }
            Twin::Salesforce(crm) => {
                crm.lack("Account", "Renews__c");
                crm.lack("Task", "Countersign_Key__c");
                [
                    "Salesforce: create the field `Renews__c` on Account, visible to the integration user",
                    "Salesforce: create the field `Countersign_Key__c` on Task, visible to the integration user",
                ]
            }
        };
        assert_eq!(world.crm.check().await.unwrap(), missing);
    }
}

#[tokio::test]
async fn a_customers_markup_is_inert_and_no_error_tells_a_secret() {
    for world in World::both().await {
        let text = format!("<script>x</script>\u{202E}{}", "<b>canary</b>".repeat(80_000));
        let long = task(&text);
        world.crm.put_task(&key("task"), &customer(), &Task { title: text.clone(), ..long }).await.unwrap();
        world.crm.put_note(&key("note"), &customer(), &text).await.unwrap();
        for one in world.work() {
            let text = |name: &str| one.properties.get(name).and_then(Value::as_str).unwrap_or_default();
            let length = |name: &str| text(name).chars().count();
            assert!(length("hs_task_body") < 65_536 && length("hs_note_body") < 65_536);
            assert!(length("Description") <= 32_000 && length("Subject") <= 255);
            // These are HTML; the others are text.
            for body in [text("hs_task_body"), text("hs_note_body")] {
                assert!(!body.replace("<br>", "").contains('<'), "{body}");
            }
        }
        let held = serde_json::to_string(&world.work()).unwrap();
        assert!(held.len() < 100_000 && !held.contains('\u{202E}'), "{}", held.len());
        let nobody = CustomerId::parse("cus_2").unwrap();
        let error = world.crm.put_note(&key("another"), &nobody, &text).await.unwrap_err();
        assert_eq!(error.verdict(), Verdict::GiveUp);
        let told = format!("{error:?} {} {:?}", error.explain(), world.crm);
        assert!(!told.contains("canary"), "{told}");
    }
}
