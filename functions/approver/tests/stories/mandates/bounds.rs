//! Where a mandate ends, or does not reach: then people are asked as ever.

use approver::Checkpoints;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    ProposalId,
    approval::{OperationKind, ReversibleOperation, Stage, Standing},
};
use sandbox::{
    people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT},
    world::APPROVALS_TABLE,
};
use store::Freeze;

use super::{
    KEEP, PAUSE, RESUME, RULE, ask_pause, asked, changed_policy, granted, is_paused, mandate, waits,
    why_ended,
};
use crate::{
    abuse::{change_person as change, races::poll_once},
    browser::{Answer, Browser, encoded},
    engine::subscription,
    world::{World, person, policy},
};

#[tokio::test]
async fn a_spent_cap_asks_people_until_the_next_day() {
    let world = World::new().await;
    let id = granted(&world, PAUSE, RULE, "2").await;
    for _ in 0..2 {
        let (_, subscription) = subscription(&world);
        ask_pause(&world, &subscription).await;
        assert!(is_paused(&world, &subscription));
    }
    let (_, third) = subscription(&world);
    let waiting = ask_pause(&world, &third).await;
    waits(&world, &waiting, &third).await;
    world.wait(40_000);
    world.settle().await;
    waits(&world, &waiting, &third).await;
    let (_, tomorrow) = subscription(&world);
    ask_pause(&world, &tomorrow).await;
    assert!(is_paused(&world, &tomorrow), "another day");
    assert_eq!(mandate(&world, &id).await.left(world.now()), 1);
    world.browser(FINANCE_LEAD).await.decide(&waiting, "approve").await;
    assert!(is_paused(&world, &third), "people decide what people were asked");
    assert_eq!(mandate(&world, &id).await.left(world.now()), 1, "which is no use of the mandate");
}

#[tokio::test]
async fn an_expired_mandate_asks_people_and_the_schedule_records_its_end() {
    let world = World::new().await;
    let id = granted(&world, PAUSE, RULE, "2").await;
    world.wait(30 * 86_400);
    let (_, subscription) = subscription(&world);
    waits(&world, &ask_pause(&world, &subscription).await, &subscription).await;
    assert_eq!(why_ended(&world, &id).await, "its time ran out");
    let other = granted(&world, RESUME, RULE, "2").await;
    world.wait(30 * 86_400);
    assert!(matches!(mandate(&world, &other).await.standing, Standing::Live { .. }));
    world.settle().await;
    assert_eq!(why_ended(&world, &other).await, "its time ran out");
}

#[tokio::test]
async fn a_policy_that_changed_anywhere_ends_it() {
    let world = World::new().await;
    let id = granted(&world, PAUSE, RULE, "2").await;
    let folder = changed_policy("digest", "settings.toml", |text| text + "\n# A remark.\n");
    let app = world.under(&folder).await;
    let (_, subscription) = subscription(&world);
    let mut support = Browser { app: &app, ..world.browser(SUPPORT).await };
    let used = support.ask(PAUSE, &subscription, &KEEP).await.proposal();
    waits(&world, &used, &subscription).await;
    assert_eq!(why_ended(&world, &id).await, "the policy changed");
    // The old policy again does not make it stand again.
    let (_, other) = crate::engine::subscription(&world);
    waits(&world, &ask_pause(&world, &other).await, &other).await;
}

#[tokio::test]
async fn what_is_voted_on_while_the_policy_changes_is_proposed_anew_and_not_granted() {
    let world = World::new().await;
    let id = asked(&world, PAUSE, RULE, "2").await;
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    let folder = changed_policy("voted", "settings.toml", |text| text + "\n# A remark.\n");
    let app = world.under(&folder).await;
    let mut second = Browser { app: &app, ..world.browser(FINANCE_SECOND).await };
    let answer = second.decide(&id, "approve").await;
    assert!(answer.body.contains("Decide the new one"), "{}", answer.body);
    let Stage::Stale { moved, .. } = world.stage(&id).await else { panic!("{:?}", world.stage(&id).await) };
    assert!(moved.contains("the policy was"), "{moved}");
    assert!(world.approvals.standing_mandates().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_freeze_ends_every_mandate_for_good() {
    let world = World::new().await;
    let (first, second) = (granted(&world, PAUSE, RULE, "2").await, granted(&world, RESUME, RULE, "2").await);
    let freeze = Freeze { by: person("u0finlead1"), why: "drill".into(), at: world.now() };
    world.approvals.freeze(&freeze).await.unwrap();
    let (_, subscription) = subscription(&world);
    waits(&world, &ask_pause(&world, &subscription).await, &subscription).await;
    assert_eq!(why_ended(&world, &first).await, "everything was stopped");
    world.settle().await;
    assert_eq!(why_ended(&world, &second).await, "everything was stopped");
    world.approvals.unfreeze().await.unwrap();
    let (_, other) = crate::engine::subscription(&world);
    waits(&world, &ask_pause(&world, &other).await, &other).await;
}

#[tokio::test]
async fn it_reaches_only_its_own_operation_rule_and_way_of_pausing() {
    let world = World::new().await;
    let id = granted(&world, PAUSE, RULE, "9").await;
    let (_, subscription) = subscription(&world);
    let gives_up = [("behavior", "void")];
    let mut support = world.browser(SUPPORT).await;
    let voided = support.ask(PAUSE, &subscription, &gives_up).await.proposal();
    waits(&world, &voided, &subscription).await;
    // Finance asks by its own rule.
    let (_, other) = crate::engine::subscription(&world);
    let by_finance = world.browser(FINANCE_LEAD).await.ask(PAUSE, &other, &KEEP).await.proposal();
    waits(&world, &by_finance, &other).await;
    assert_eq!(mandate(&world, &id).await.left(world.now()), 9);
}

#[tokio::test]
async fn no_mandate_can_be_asked_for_that_moves_money_or_has_no_bounds() {
    let world = World::new().await;
    let mut support = world.browser(SUPPORT).await;
    for kind in OperationKind::ALL
        .iter()
        .filter(|kind| !ReversibleOperation::ALL.iter().any(|one| one.as_str() == kind.as_str()))
    {
        let more = [("allows", kind.as_str()), ("per_day", "1"), ("days", "1")];
        assert_eq!(support.ask("mandate.grant", RULE, &more).await.status, 422, "{kind}");
    }
    for (per_day, days) in [("0", "1"), ("101", "1"), ("1", "0"), ("1", "31"), ("-1", "1"), ("1", "")] {
        let more = [("allows", PAUSE), ("per_day", per_day), ("days", days)];
        assert_eq!(support.ask("mandate.grant", RULE, &more).await.status, 422, "{per_day} {days}");
    }
    let more = [("allows", PAUSE), ("per_day", "1"), ("days", "1")];
    for rule in ["finance-signs-refunds", "no-message-by-hand", "no-such-rule"] {
        assert_eq!(support.ask("mandate.grant", rule, &more).await.status, 422, "{rule}");
    }
    assert!(world.approvals.proposals().await.unwrap().is_empty());
}

#[tokio::test]
async fn nobody_is_served_by_their_own_signature() {
    let world = World::new().await;
    // Finance asks for support's convenience; the second of finance moved to support meanwhile.
    granted(&world, PAUSE, RULE, "9").await;
    change(&world, FINANCE_SECOND, |second| second.groups = vec!["support".into(), "finance".into()]).await;
    let (_, subscription) = subscription(&world);
    let mut second = world.browser(FINANCE_SECOND).await;
    let used = second.ask(PAUSE, &subscription, &KEEP).await.proposal();
    waits(&world, &used, &subscription).await;
    // Nor may it happen to one of those who signed.
    let (_, own) = crate::engine::subscription(&world);
    change(&world, FINANCE_LEAD, |lead| lead.emails = vec!["Customer18@example.test".into()]).await;
    waits(&world, &ask_pause(&world, &own).await, &own).await;
    change(&world, FINANCE_LEAD, |lead| lead.emails = Vec::new()).await;
    // Whoever is gone has signed nothing any more.
    change(&world, FINANCE_LEAD, |lead| lead.active = false).await;
    let (_, late) = crate::engine::subscription(&world);
    waits(&world, &ask_pause(&world, &late).await, &late).await;
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn an_edited_row_of_a_mandate_is_noticed_and_ends_it() {
    let world = World::new().await;
    let id = granted(&world, PAUSE, RULE, "1").await;
    world
        .dynamodb
        .update_item()
        .table_name(APPROVALS_TABLE)
        .key("pk", AttributeValue::S("MANDATES".into()))
        .key("sk", AttributeValue::S(format!("MANDATE#{id}")))
        .update_expression("SET mandate.terms.per_day = :more")
        .expression_attribute_values(":more", AttributeValue::N("50".into()))
        .send()
        .await
        .unwrap();
    let (_, subscription) = subscription(&world);
    waits(&world, &ask_pause(&world, &subscription).await, &subscription).await;
    assert_eq!(why_ended(&world, &id).await, "what is stored of it is not what was signed");
}

#[tokio::test]
async fn what_stripe_changed_meanwhile_becomes_an_ordinary_proposal() {
    let world = World::new().await;
    granted(&world, PAUSE, RULE, "9").await;
    let (_, subscription) = subscription(&world);
    let (stripe, changed) = (std::sync::Arc::clone(&world.sandbox.stripe), subscription.clone());
    let racing = world.dying(Checkpoints::new(move |place| {
        if place == "claimed" {
            let form = "cancel_at_period_end=true";
            stripe.request("POST", &format!("/v1/subscriptions/{changed}"), form).unwrap();
        }
        false
    }));
    let racing = racing.await;
    let mut support = Browser { app: &racing, ..world.browser(SUPPORT).await };
    let first = support.ask(PAUSE, &subscription, &KEEP).await.proposal();
    assert!(matches!(world.stage(&first).await, Stage::Stale { .. }), "{:?}", world.stage(&first).await);
    let open = world.approvals.open_proposals().await.unwrap();
    let [next] = &open[..] else { panic!("{open:?}") };
    waits(&world, next.id(), &subscription).await;
    world.settle().await;
    waits(&world, next.id(), &subscription).await;
    let answer = world.browser(FINANCE_LEAD).await.decide(next.id(), "approve").await;
    assert!(answer.body.contains("Approved and done"), "{}", answer.body);
    assert!(is_paused(&world, &subscription));
}

type Asks<'a> = std::pin::Pin<Box<dyn Future<Output = Answer> + 'a>>;

/// Requests of one session, polled in turns so that they interleave at every point where they wait; one of
/// them may begin so many turns later.
async fn at_once(mut all: Vec<Asks<'_>>, later: usize) {
    for turn in 0.. {
        let mut left = Vec::new();
        let waits = turn < later && all.len() > 1;
        for (index, mut one) in all.into_iter().enumerate() {
            if index == 0 && waits || poll_once(one.as_mut()).await.is_none() {
                left.push(one);
            }
        }
        all = left;
        if all.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// The form that asks for a pause, ready to be sent.
async fn form(browser: &mut Browser<'_>, subscription: &str) -> String {
    let form = browser.get(&format!("/requests/new?operation={PAUSE}")).await;
    let (nonce, csrf) = (form.field("nonce"), form.field("csrf"));
    encoded(&[
        ("operation", PAUSE),
        ("object", subscription),
        ("behavior", "keep_as_draft"),
        ("why", ""),
        ("nonce", &nonce),
        ("csrf", &csrf),
    ])
}

#[tokio::test]
async fn of_those_who_use_the_last_of_a_days_cap_at_once_one_does() {
    let world = World::new().await;
    let id = granted(&world, PAUSE, RULE, "1").await;
    let mut support = world.browser(SUPPORT).await;
    let mut forms = Vec::new();
    for _ in 0..8 {
        let (_, subscription) = subscription(&world);
        forms.push((form(&mut support, &subscription).await, subscription));
    }
    let (app, cookies) = (&world.app, &support.cookies);
    let all = forms.iter().map(|(form, _)| {
        let asks = async move {
            let mut browser = Browser { app, cookies: cookies.clone(), clock: None };
            browser.send("POST", "/requests", form, |_| {}).await
        };
        Box::pin(asks) as Asks<'_>
    });
    at_once(all.collect(), 0).await;
    let paused = forms.iter().filter(|(_, subscription)| is_paused(&world, subscription)).count();
    assert_eq!((paused, world.writes().len()), (1, 1));
    assert_eq!(mandate(&world, &id).await.left(world.now()), 0);
    world.settle().await;
    let open = world.approvals.open_proposals().await.unwrap();
    assert_eq!(open.len(), 7, "people decide the others");
}

#[tokio::test]
async fn stopped_while_it_is_being_used_it_is_either_used_before_or_not_at_all() {
    let world = World::new().await;
    let (mut used, mut stopped) = (0, 0);
    // How a race ends depends on the machine; the last two rounds are none, so both ends are seen.
    let races = (0..57).step_by(3).map(|later| (later, false));
    for (later, stops_first) in races.chain([(usize::MAX, false), (usize::MAX, true)]) {
        // Nobody asks for so much in one hour.
        world.wait(3600);
        let id = granted(&world, PAUSE, RULE, "9").await;
        let (_, subscription) = subscription(&world);
        let mut support = world.browser(SUPPORT).await;
        let form = form(&mut support, &subscription).await;
        let mut finance = world.browser(FINANCE_LEAD).await;
        let inbox = finance.get("/").await;
        let stop = format!("/mandates/{id}/stop");
        let csrf = inbox.body.split(&stop).nth(1).unwrap().split("name=\"csrf\" value=\"").nth(1).unwrap();
        let stopping = encoded(&[("csrf", csrf.split('"').next().unwrap())]);
        let stops: Asks<'_> = Box::pin(finance.send("POST", &stop, &stopping, |_| {}));
        let asks: Asks<'_> = Box::pin(support.send("POST", "/requests", &form, |_| {}));
        at_once(if stops_first { vec![asks, stops] } else { vec![stops, asks] }, later).await;
        let entries = world.approvals.mandate_trail(&id).await.unwrap();
        let events: Vec<&str> = entries.iter().map(|entry| entry.event.as_str()).collect();
        let row = world.approvals.proposals().await.unwrap().into_iter();
        let row = row.filter(|row| row.proposal.action.operation.object().as_str() == subscription);
        let proposal: Vec<ProposalId> = row.map(|row| row.id().clone()).collect();
        if is_paused(&world, &subscription) {
            used += 1;
            assert_eq!(events, ["granted", "used", "ended"], "{later}");
        } else {
            stopped += 1;
            assert_eq!(events, ["granted", "ended"], "{later}");
            assert_eq!(world.stage(&proposal[0]).await, Stage::Pending, "{later}");
        }
        assert_eq!(proposal.len(), 1);
    }
    assert!(used > 0 && stopped > 0, "both happened: {used} used, {stopped} stopped");
}

#[tokio::test]
async fn who_changed_the_rule_last_does_not_sign_a_mandate_under_it() {
    let world = World::new().await;
    let folder = changed_policy("author", "manifest.toml", |text| {
        let content = runtime::policy::load(&policy()).unwrap().contents()[RULE];
        let others = text.split("\n[rule.").filter(|rule| !rule.starts_with("\"support-asks\"]"));
        let others = others.collect::<Vec<_>>().join("\n[rule.");
        format!("{others}\n[rule.\"{RULE}\"]\nby = \"lead@example.test\"\ncontent = \"{content}\"\n")
    });
    let app = world.under(&folder).await;
    change(&world, FINANCE_LEAD, |lead| lead.emails = vec!["lead@example.test".into()]).await;
    let more = [("allows", PAUSE), ("per_day", "1"), ("days", "1")];
    let ask = async |rule: &str| {
        let mut support = Browser { app: &app, ..world.browser(SUPPORT).await };
        support.ask("mandate.grant", rule, &more).await.proposal()
    };
    let mut lead = Browser { app: &app, ..world.browser(FINANCE_LEAD).await };
    let own = ask(RULE).await;
    let page = lead.get(&format!("/a/{own}")).await;
    assert!(page.body.contains("last to change the rule") && !page.body.contains("value=\"approve\""));
    let other = ask("finance-asks").await;
    let page = lead.get(&format!("/a/{other}")).await;
    assert!(page.body.contains("value=\"approve\""), "another rule is not theirs: {}", page.body);
}
