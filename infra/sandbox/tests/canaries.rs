//! What the connectors let into the logs: neither secrets nor anything personal, whatever the vendors say.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{
    io,
    sync::{Arc, Mutex},
};

use axum::Router;
use connectors::{
    ConnectorError,
    crm::{Credentials, Crm, Fields, HubSpot, Salesforce},
    help_desk::{HelpDesk, Intercom, Tags, Ticket, Zendesk},
};
use domain::{
    CaseKey, CustomerId, ObjectId, Timestamp,
    plan::{Draft, PaymentStatus, Priority, StepKey, Task},
};
use runtime::http::Base;
use sandbox::{
    Clock, Loopback, Shelf,
    crm::{hubspot, salesforce},
    fault::Fault,
    help_desk::{Person, Said, intercom, zendesk},
};

const NOON: Timestamp = Timestamp::from_seconds(1_790_000_000);
const SECRET: &str = "canary-secret";
const EMAIL: &str = "canary@example.test";

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs a failure as the processor does.
fn log<T>(sent: Result<T, ConnectorError>) {
    if let Err(error) = sent {
        let failure = runtime::failure::chain(&error);
        tracing::warn!(target: "processor", failure, ?error, "a call failed");
    }
}

async fn serve(router: Router) -> (Loopback, Base, reqwest::Client) {
    let server = Loopback::serve(0, router).await.unwrap();
    let base = Base::parse(&server.url()).unwrap();
    let http = runtime::http::client(&[&base]).unwrap();
    (server, base, http)
}

fn key(text: &str) -> StepKey {
    serde_json::from_value(text.into()).unwrap()
}

fn customer() -> CustomerId {
    CustomerId::parse("cus_1").unwrap()
}

async fn use_crm(crm: &Crm) {
    let text = format!("canary text of {EMAIL}");
    let task = Task {
        title: text.clone(),
        text: text.clone(),
        owner: None,
        priority: Priority::High,
        due: NOON,
        value: None,
    };
    let object = ObjectId::parse("in_1").unwrap();
    let status = PaymentStatus { status: "overdue".to_owned(), open: None, object, read: NOON };
    for customer in [customer(), CustomerId::parse("cus_nobody").unwrap()] {
        log(crm.account(&customer).await);
        log(crm.put_task(&key("k1"), &customer, &task).await);
        log(crm.put_note(&key("k2"), &customer, &text).await);
        log(crm.put_payment_status(&customer, &status).await);
    }
}

async fn use_desk(desk: &HelpDesk) {
    let text = format!("canary text of {EMAIL}");
    let draft = Draft {
        template: "recovery-update-card/1".to_owned(),
        channel: "email".to_owned(),
        locale: "en".to_owned(),
        subject: text.clone(),
        text: text.clone(),
    };
    let case: CaseKey = "recovery:in_1".parse().unwrap();
    for customer in [customer(), CustomerId::parse("cus_nobody").unwrap()] {
        log(desk.conversations(&customer, Some(EMAIL), NOON).await);
        for step in ["k1", "k2"] {
            let key = key(step);
            let ticket = Ticket {
                key: &key,
                case: &case,
                customer: Some(&customer),
                subject: &text,
                text: &text,
                priority: Priority::High,
                tried_since: None,
            };
            log(desk.put_ticket(&ticket).await);
        }
        for conversation in ["1001", "no_such"] {
            log(desk.put_reply_draft(&key("k3"), conversation, &draft).await);
        }
    }
}

/// Everything once as it should be, then with every fault, then with a key that is refused.
#[tokio::test]
async fn no_secret_and_nothing_personal_is_logged_by_any_connector() {
    let paper = Paper::default();
    let to = paper.clone();
    let subscriber = runtime::telemetry::subscriber(tracing::Level::TRACE, move || to.clone());
    let _logged = tracing::subscriber::set_default(subscriber);

    let now: runtime::Clock = Arc::new(|| NOON);
    let (clock, shelf) = (Clock::held_at(NOON.seconds()), || Shelf::memory().unwrap());
    let person =
        Person { customer: Some("cus_1".to_owned()), email: EMAIL.to_owned(), name: "Canary".to_owned() };
    let said = Said { text: format!("canary from {EMAIL}"), state: "open".to_owned(), ..Said::default() };
    let tags = Tags { refund: vec![], cancellation: vec![] };

    for secret in [SECRET, "canary-that-is-refused"] {
        let twin = hubspot::HubSpot::open(SECRET, shelf()).unwrap();
        twin.seed(&[("cus_1", sandbox::crm::Properties::new())]).unwrap();
        let (_server, base, http) = serve(Arc::clone(&twin).router()).await;
        let crm =
            Crm::HubSpot(HubSpot::new(http, base.as_str(), secret.into(), Fields::hubspot(), now.clone()));
        use_crm(&crm).await;
        for fault in [Fault::ServerError, Fault::RateLimited(1), Fault::DropAfter] {
            twin.fail("P", fault, 4);
            use_crm(&crm).await;
        }

        let twin = salesforce::Salesforce::open(SECRET, shelf()).unwrap();
        twin.seed(&[("cus_1", sandbox::crm::Properties::new())]).unwrap();
        let (_server, base, http) = serve(Arc::clone(&twin).router()).await;
        let credentials = Credentials { client_id: "app".to_owned(), client_secret: secret.into() };
        let fields = Fields::salesforce();
        let crm = Crm::Salesforce(Salesforce::new(http, base.as_str(), credentials, fields, now.clone()));
        use_crm(&crm).await;
        for fault in [Fault::ServerError, Fault::RateLimited(1), Fault::DropAfter] {
            twin.fail("PATCH", fault, 4);
            use_crm(&crm).await;
        }

        let twin = zendesk::Zendesk::open(EMAIL, SECRET, shelf(), clock.clone()).unwrap();
        twin.seed(&person, std::slice::from_ref(&said)).unwrap();
        let (_server, base, http) = serve(Arc::clone(&twin).router()).await;
        let desk = Zendesk::new(http, &base, EMAIL, secret.into(), tags.clone(), now.clone());
        let desk = HelpDesk::Zendesk(desk);
        use_desk(&desk).await;
        for fault in [Fault::ServerError, Fault::RateLimited(1), Fault::DropAfter] {
            twin.fail("", fault, 4);
            use_desk(&desk).await;
        }

        let twin = intercom::Intercom::open(SECRET, shelf(), clock.clone()).unwrap();
        twin.seed(&person, std::slice::from_ref(&said)).unwrap();
        let (_server, base, http) = serve(Arc::clone(&twin).router()).await;
        let kind = intercom::Intercom::TICKET_TYPE;
        let desk = HelpDesk::Intercom(Intercom::new(http, &base, secret.into(), kind, now.clone()));
        use_desk(&desk).await;
        for fault in [Fault::ServerError, Fault::RateLimited(1), Fault::DropAfter] {
            twin.fail("", fault, 4);
            use_desk(&desk).await;
        }
    }

    let logged = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    for system in ["hubspot", "salesforce", "zendesk", "intercom"] {
        assert!(logged.contains(system), "{system} failed somewhere, and that is logged");
    }
    for line in logged.lines() {
        assert!(!line.to_lowercase().contains("canary"), "{line}");
    }
}
