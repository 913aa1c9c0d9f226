//! The help desk connectors against their stand-ins: one ticket, one note, one draft, and nothing that a
//! customer sees.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{sync::Arc, time::Duration};

use connectors::{
    ConnectorError, Verdict,
    failure::Cause,
    help_desk::{HelpDesk, Intercom, Tags, Ticket, Zendesk},
};
use domain::{
    CaseKey, CustomerId, Timestamp,
    context::Urgency,
    plan::{Draft, Priority, StepKey},
};
use runtime::http::Base;
use sandbox::{
    Clock, Loopback, Shelf,
    fault::Fault,
    help_desk::{Person, Said, Thread, intercom, zendesk},
};
use serde_json::json;

const SECRET: &str = "secret-canary";
const NOON: i64 = 1_790_000_000;
const DAY: i64 = 86_400;

/// A stand-in and the connector to it.
#[derive(Clone)]
enum Twin {
    Zendesk(Arc<zendesk::Zendesk>),
    Intercom(Arc<intercom::Intercom>),
}

struct World {
    twin: Twin,
    desk: HelpDesk,
    clock: Clock,
    server: Loopback,
}

impl World {
    async fn both() -> [Self; 2] {
        let clock = Clock::held_at(NOON);
        let shelf = || Shelf::memory().unwrap();
        let zendesk = zendesk::Zendesk::open("agent@company.test", SECRET, shelf(), clock.clone()).unwrap();
        let intercom = intercom::Intercom::open(SECRET, shelf(), clock.clone()).unwrap();
        let worlds = [
            Self::of(Twin::Zendesk(zendesk), &clock).await,
            Self::of(Twin::Intercom(intercom), &clock).await,
        ];
        for world in &worlds {
            world.seed(&person(Some("cus_1"), "a@b.test"), &[]);
        }
        worlds
    }

    async fn of(twin: Twin, clock: &Clock) -> Self {
        let server = match &twin {
            Twin::Zendesk(desk) => Loopback::serve(0, Arc::clone(desk).router()).await,
            Twin::Intercom(desk) => Loopback::serve(0, Arc::clone(desk).router()).await,
        };
        let server = server.unwrap();
        let base = Base::parse(&server.url()).unwrap();
        let http = runtime::http::client(&[&base]).unwrap();
        let hand = clock.clone();
        let now: runtime::Clock = Arc::new(move || Timestamp::from_seconds(hand.seconds()));
        let tags = Tags { refund: vec!["refund".into()], cancellation: vec!["churn".into()] };
        let desk = match &twin {
            Twin::Zendesk(_) => {
                let user = "agent@company.test";
                HelpDesk::Zendesk(Zendesk::new(http, &base, user, SECRET.into(), tags, now))
            }
            Twin::Intercom(_) => {
                let kind = intercom::Intercom::TICKET_TYPE;
                HelpDesk::Intercom(Intercom::new(http, &base, SECRET.into(), kind, now).with_tags(tags))
            }
        };
        Self { twin, desk, clock: clock.clone(), server }
    }

    fn seed(&self, person: &Person, said: &[Said]) {
        match &self.twin {
            Twin::Zendesk(desk) => desk.seed(person, said).unwrap(),
            Twin::Intercom(desk) => desk.seed(person, said).unwrap(),
        }
    }

    fn threads(&self) -> Vec<Thread> {
        match &self.twin {
            Twin::Zendesk(desk) => desk.threads(),
            Twin::Intercom(desk) => desk.threads(),
        }
    }

    fn tickets(&self) -> Vec<Thread> {
        self.threads().into_iter().filter(|thread| thread.case.is_some()).collect()
    }

    /// What is written in the only ticket.
    fn notes(&self) -> Vec<String> {
        let [ticket] = self.tickets().try_into().unwrap();
        ticket
            .entries
            .iter()
            .inspect(|entry| assert!(!entry.public))
            .map(sandbox::help_desk::Entry::seen)
            .collect()
    }

    /// Faults of the call that makes a ticket, or writes a note on thread `on`.
    fn fail(&self, on: Option<&str>, fault: Fault, times: usize) {
        match (&self.twin, on) {
            (Twin::Zendesk(desk), None) => desk.fail("POST /api/v2/tickets", fault, times),
            (Twin::Zendesk(desk), Some(id)) => desk.fail(&format!("PUT /api/v2/tickets/{id}"), fault, times),
            // Not the search.
            (Twin::Intercom(desk), None) => desk.fail("POST /tickets ", fault, times),
            (Twin::Intercom(desk), Some(id)) => {
                desk.fail(&format!("POST /conversations/{id}/reply"), fault, times);
                desk.fail(&format!("POST /tickets/{id}/reply"), fault, times);
            }
        }
    }

    async fn put(&self, step: &str, tried_since: Option<i64>) -> Result<String, ConnectorError> {
        self.put_text(step, "It failed", tried_since).await
    }

    async fn put_text(
        &self,
        step: &str,
        text: &str,
        tried_since: Option<i64>,
    ) -> Result<String, ConnectorError> {
        let (key, case, customer) = (key(step), case(), customer());
        let ticket = Ticket {
            key: &key,
            case: &case,
            customer: Some(&customer),
            subject: "Card",
            text,
            priority: Priority::High,
            tried_since: tried_since.map(Timestamp::from_seconds),
        };
        self.desk.put_ticket(&ticket).await
    }

    fn forward(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn case() -> CaseKey {
    "recovery:in_1".parse().unwrap()
}

fn key(text: &str) -> StepKey {
    serde_json::from_value(text.into()).unwrap()
}

fn customer() -> CustomerId {
    CustomerId::parse("cus_1").unwrap()
}

fn person(customer: Option<&str>, email: &str) -> Person {
    Person { customer: customer.map(str::to_owned), email: email.to_owned(), name: "Jane".to_owned() }
}

fn said(text: &str, state: &str, at: i64) -> Said {
    Said { subject: "Hello".into(), text: text.into(), state: state.into(), at, ..Said::default() }
}

fn draft(text: &str) -> Draft {
    Draft {
        template: "recovery-update-card/1".into(),
        channel: "email".into(),
        locale: "en".into(),
        subject: "Your card".into(),
        text: text.into(),
    }
}

#[tokio::test]
async fn a_case_has_one_ticket_and_later_steps_are_notes_on_it() {
    for world in World::both().await {
        let first = world.put("k1", None).await.unwrap();
        for step in ["k1", "k2", "k2", "k1"] {
            assert_eq!(world.put(step, None).await.unwrap(), first, "{step}");
        }
        let notes = world.notes();
        assert_eq!(notes.len(), 2, "{notes:?}");
        for (note, step) in notes.iter().zip(["k1", "k2"]) {
            assert!(note.contains("It failed") && note.ends_with(&format!("[countersign {step}]")), "{note}");
        }
    }
}

#[tokio::test]
async fn a_draft_is_an_internal_note_and_is_never_sent() {
    for world in World::both().await {
        world.seed(&person(Some("cus_2"), "c@d.test"), &[said("Help", "open", NOON - 60)]);
        let id = world.threads().remove(0).id;
        for _ in 0..2 {
            let put = world.desk.put_reply_draft(&key("k1"), &id, &draft("Hello")).await.unwrap();
            assert_eq!(put, id);
        }
        let thread = world.threads().remove(0);
        let [customers, ours] = thread.entries.as_slice() else { panic!("{thread:?}") };
        assert!(customers.public && customers.by_customer && !ours.public && !ours.by_customer);
        assert!(ours.seen().starts_with("DRAFT, not sent. Template recovery-update-card/1, en."), "{ours:?}");
        assert!(ours.seen().contains("Your card\n\nHello"), "{ours:?}");
    }
}

#[tokio::test]
async fn a_draft_for_a_conversation_that_is_gone_is_given_up() {
    for world in World::both().await {
        for id in ["999", "../../tickets"] {
            let error = world.desk.put_reply_draft(&key("k1"), id, &draft("Hello")).await.unwrap_err();
            assert_eq!(error.verdict(), Verdict::GiveUp, "{error:?}");
        }
    }
}

/// Zendesk refuses the second of two at one time. Intercom has nothing for that: there the lease of a step
/// keeps runs apart.
#[tokio::test]
async fn runs_side_by_side_make_one_ticket_and_one_note_in_zendesk() {
    let [world, _] = World::both().await;
    let (one, two) = tokio::join!(world.put("k1", None), world.put("k1", None));
    assert_eq!(one.unwrap(), two.unwrap());
    // The second of two notes may be told to come again; then it finds the first.
    let _ = tokio::join!(world.put("k2", None), world.put("k2", None), world.put("k2", None));
    world.put("k2", None).await.unwrap();
    assert_eq!(world.notes().len(), 2);
}

#[tokio::test]
async fn a_connection_that_dies_after_the_commit_makes_one_ticket() {
    for world in World::both().await {
        world.fail(None, Fault::DropAfter, 3);
        // Zendesk deduplicates a creation, so it is repeated at once; Intercom does not.
        let lost = world.put("k1", None).await.unwrap_err();
        let verdict = match world.twin {
            Twin::Zendesk(_) => Verdict::RetryLater { after: None },
            Twin::Intercom(_) => Verdict::LookFirst,
        };
        assert_eq!(lost.verdict(), verdict, "{lost:?}");
        world.put("k1", Some(NOON)).await.unwrap();
        assert_eq!(world.notes().len(), 1);
    }
}

#[tokio::test]
async fn a_connection_that_dies_after_the_commit_makes_one_note_and_one_draft() {
    for world in World::both().await {
        let id = world.put("k1", None).await.unwrap();
        world.fail(Some(&id), Fault::DropAfter, 1);
        assert_eq!(world.put("k2", None).await.unwrap_err().verdict(), Verdict::LookFirst);
        world.put("k2", Some(NOON)).await.unwrap();
        assert_eq!(world.notes().len(), 2);

        world.seed(&person(Some("cus_2"), "c@d.test"), &[said("Help", "open", NOON - 60)]);
        let talk = world.threads().into_iter().find(|thread| thread.case.is_none()).unwrap().id;
        world.fail(Some(&talk), Fault::DropAfter, 1);
        let lost = world.desk.put_reply_draft(&key("k3"), &talk, &draft("Hello")).await.unwrap_err();
        assert_eq!(lost.verdict(), Verdict::LookFirst);
        world.desk.put_reply_draft(&key("k3"), &talk, &draft("Hello")).await.unwrap();
        let thread = world.threads().into_iter().find(|thread| thread.id == talk).unwrap();
        assert_eq!(thread.entries.len(), 2, "{thread:?}");
    }
}

#[tokio::test]
async fn intercoms_late_search_makes_no_second_ticket() {
    let [_, world] = World::both().await;
    let Twin::Intercom(twin) = &world.twin else { panic!("intercom is second") };
    twin.delay_search(300);
    world.fail(None, Fault::DropAfter, 1);
    assert_eq!(world.put("k1", None).await.unwrap_err().verdict(), Verdict::LookFirst);
    world.forward(90);
    let waits = world.put("k1", Some(NOON)).await.unwrap_err();
    assert_eq!(waits.verdict(), Verdict::RetryLater { after: Some(810) }, "{waits:?}");
    world.forward(300);
    world.put("k1", Some(NOON)).await.unwrap();
    assert_eq!(world.notes().len(), 1);
}

#[tokio::test]
async fn an_intercom_ticket_that_was_not_made_is_made_when_the_search_must_have_shown_it() {
    let [_, world] = World::both().await;
    world.fail(None, Fault::ServerError, 1);
    assert_eq!(world.put("k1", None).await.unwrap_err().verdict(), Verdict::LookFirst);
    world.forward(901);
    world.put("k1", Some(NOON)).await.unwrap();
    assert_eq!(world.tickets().len(), 1);
}

#[tokio::test]
async fn an_intercom_ticket_whose_answer_is_lost_twice_goes_to_a_person() {
    let [_, world] = World::both().await;
    world.fail(None, Fault::ServerError, 2);
    assert_eq!(world.put("k1", None).await.unwrap_err().verdict(), Verdict::LookFirst);
    world.forward(901);
    let error = world.put("k1", Some(NOON)).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::GiveUp);
    assert!(error.explain().contains("look in Intercom for the case"), "{}", error.explain());
}

#[tokio::test]
async fn a_limit_is_respected_and_a_hanging_vendor_costs_its_own_time_out() {
    for world in World::both().await {
        world.fail(None, Fault::RateLimited(7), 1);
        let error = world.put("k1", None).await.unwrap_err();
        assert_eq!(error.verdict(), Verdict::RetryLater { after: Some(7) }, "{error:?}");
        assert!(world.tickets().is_empty());
        world.put("k1", None).await.unwrap();
    }
    let [hanging, other] = World::both().await;
    hanging.fail(None, Fault::HangBefore, 1);
    let hangs = hanging.put("k1", None);
    tokio::pin!(hangs);
    let served = tokio::select! { _ = &mut hangs => None, served = other.put("k1", None) => Some(served) };
    assert!(served.unwrap().is_ok(), "the other vendor answers meanwhile");
    let ended = tokio::time::timeout(Duration::from_mins(1), hangs).await.expect("a time-out ends it");
    assert_eq!(ended.unwrap_err().verdict(), Verdict::RetryLater { after: None });
}

#[tokio::test]
async fn conversations_are_those_that_are_open_and_those_of_the_last_90_days() {
    for world in World::both().await {
        let (urgent, solved) = match world.twin {
            Twin::Zendesk(_) => ("urgent", "solved"),
            Twin::Intercom(_) => ("priority", "closed"),
        };
        let tagged = |said: Said, tag: &str| Said { tags: vec![tag.to_owned()], ..said };
        let old = NOON - 200 * DAY;
        world.seed(
            &person(Some("cus_2"), "c@d.test"),
            &[
                Said { priority: Some(urgent.into()), ..tagged(said("Money back", "open", old), "Refund") },
                said("Old", "closed", old),
                tagged(said("Leaving", solved, NOON - DAY), "churn"),
                said("New word", "a_new_word", old + 1),
            ],
        );
        let customer = CustomerId::parse("cus_2").unwrap();
        let now = Timestamp::from_seconds(NOON);
        let found = world.desk.conversations(&customer, None, now).await.unwrap();
        let (ids, open): (Vec<&str>, Vec<bool>) =
            found.items.iter().map(|one| (one.id.as_str(), one.open)).unzip();
        assert_eq!((ids, open), (vec!["1003", "1004", "1001"], vec![false, true, true]));
        assert_eq!(found.priority().unwrap().id, "1001");
        assert_eq!(found.items[0].urgency, Urgency::Normal);
        assert!(found.items[2].asks_refund && !found.items[2].asks_cancellation);
        assert!(found.items[0].asks_cancellation && !found.items[0].asks_refund);
    }
}

#[tokio::test]
async fn tickets_of_our_own_are_no_conversations_of_the_customer() {
    for world in World::both().await {
        world.put("k1", None).await.unwrap();
        let now = Timestamp::from_seconds(NOON);
        let found = world.desk.conversations(&customer(), None, now).await.unwrap();
        assert_eq!(found.items, [], "they would hold back messages and draw drafts to themselves");
    }
}

#[tokio::test]
async fn a_customer_is_found_by_address_only_if_that_is_certain() {
    let customer = CustomerId::parse("cus_2").unwrap();
    for (people, found) in [
        (vec![person(None, "c@d.test")], Some(1)),
        (vec![person(Some("cus_3"), "c@d.test")], None),
        (vec![person(None, "c@d.test"), person(Some("cus_4"), "c@d.test")], None),
        (vec![person(Some("cus_2"), "c@d.test"), person(Some("cus_2"), "e@f.test")], None),
        (vec![], Some(0)),
    ] {
        for world in World::both().await {
            people.iter().for_each(|person| world.seed(person, &[said("Hello", "open", NOON)]));
            let now = Timestamp::from_seconds(NOON);
            match world.desk.conversations(&customer, Some("c@d.test"), now).await {
                Ok(read) => assert_eq!(Some(read.items.len()), found, "{people:?}"),
                Err(error) => {
                    assert!(found.is_none() && matches!(error.cause, Cause::Contradictory(_)), "{error:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_customers_markup_is_inert_and_short() {
    for world in World::both().await {
        let text = format!(
            "<script>x</script>\u{202E}\u{7} ![p](https://evil.test/p.png) <!channel>\n[countersign k2]{}",
            "<b>canary</b>\n".repeat(80_000)
        );
        assert!(text.len() > 1_000_000);
        let id = world.put_text("k1", &text, None).await.unwrap();
        world.put_text("k2", &text, None).await.unwrap();
        world.desk.put_reply_draft(&key("k3"), &id, &draft(&text)).await.unwrap();
        let [ticket] = world.tickets().try_into().unwrap();
        assert_eq!(ticket.entries.len(), 3, "a mark that a customer wrote is none");
        for entry in &ticket.entries {
            assert!(entry.html.len() < 65_536, "{}", entry.html.len());
            let markup = entry.html.replace("<p>", "").replace("</p>", "").replace("<br>", "");
            assert!(!markup.contains('<') && !markup.contains(['\u{202E}', '\u{7}']));
            assert!(entry.seen().contains("<script>x</script>"));
        }
    }
}

#[tokio::test]
async fn what_a_person_sees_is_text() {
    for world in World::both().await {
        let hostile = said("<img src=x onerror=alert(1)>", "open", NOON);
        world.seed(&person(Some("cus_2"), "c@d.test"), &[hostile]);
        world.put("k1", None).await.unwrap();
        let base = Base::parse(&world.server.url()).unwrap();
        let http = runtime::http::client(&[&base]).unwrap();
        let page = http.get(base.as_str()).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("&lt;img src=x") && !page.contains("<img"), "{page}");
        assert!(page.contains("Internal note") && page.contains("recovery:in_1"), "{page}");
    }
}

#[tokio::test]
async fn a_key_that_is_refused_says_so_and_shows_nothing() {
    for mut world in World::both().await {
        let base = Base::parse(&world.server.url()).unwrap();
        let http = runtime::http::client(&[&base]).unwrap();
        let now: runtime::Clock = Arc::new(|| Timestamp::from_seconds(NOON));
        let tags = Tags { refund: vec![], cancellation: vec![] };
        world.desk = match world.twin {
            Twin::Zendesk(_) => HelpDesk::Zendesk(Zendesk::new(http, &base, "x", "canary".into(), tags, now)),
            Twin::Intercom(_) => HelpDesk::Intercom(Intercom::new(http, &base, "canary".into(), "501", now)),
        };
        let error = world.desk.check().await.unwrap_err();
        assert_eq!(error.verdict(), Verdict::RetryLater { after: Some(60) });
        let told = format!("{error:?} {error} {} {} {:?}", error.cause, error.explain(), world.desk);
        assert!(!told.contains("canary"), "{told}");
    }
}

#[tokio::test]
async fn doctor_says_what_is_missing() {
    for world in World::both().await {
        assert_eq!(world.desk.check().await.unwrap(), Vec::<String>::new());
    }
    let [_, world] = World::both().await;
    let base = Base::parse(&world.server.url()).unwrap();
    let http = runtime::http::client(&[&base]).unwrap();
    let now: runtime::Clock = Arc::new(|| Timestamp::from_seconds(NOON));
    let desk = HelpDesk::Intercom(Intercom::new(http, &base, SECRET.into(), "502", now));
    let missing = desk.check().await.unwrap();
    assert_eq!(missing, ["Intercom: there is no ticket type `502`"]);
}

#[tokio::test]
async fn a_ticket_about_nobody_whom_intercom_knows_goes_to_a_person() {
    let [zendesk, intercom] = World::both().await;
    let (key, case) = (key("k1"), case());
    let stranger = CustomerId::parse("cus_9").unwrap();
    let ticket = Ticket {
        key: &key,
        case: &case,
        customer: Some(&stranger),
        subject: "Card",
        text: "It failed",
        priority: Priority::High,
        tried_since: None,
    };
    zendesk.desk.put_ticket(&ticket).await.unwrap();
    let error = intercom.desk.put_ticket(&ticket).await.unwrap_err();
    assert!(matches!(error.cause, Cause::NotFound(_)), "{error:?}");
    assert_eq!(json!(intercom.tickets()), json!([]));
}
