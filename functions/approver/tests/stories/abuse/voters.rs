//! 29 to 36, 55 and 68: who may sign, how often, and when nobody may.

use approver::Checkpoints;
use domain::approval::{Identity, Stage};
use sandbox::people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT, TEAM};
use store::Freeze;

use super::{change_person, untouched};
use crate::world::{Browser, World, deliver, person};

#[tokio::test]
async fn abuse_29_one_person_is_one_signature_whoever_they_sign_in_as() {
    let world = World::new().await;
    let (id, _) = world.proposed(50_001).await;
    // One person with two accounts.
    change_person(&world, FINANCE_SECOND, |second| second.identities.clear()).await;
    let both = [FINANCE_LEAD, FINANCE_SECOND].map(|user| Identity { team: TEAM.into(), user: user.into() });
    change_person(&world, FINANCE_LEAD, |lead| lead.identities = both.into()).await;
    assert_eq!(world.browser(FINANCE_LEAD).await.decide(&id, "approve").await.status, 200);
    let before = world.file(&id).await;
    for user in [FINANCE_LEAD, FINANCE_SECOND] {
        let page = world.browser(user).await.get(&format!("/a/{id}")).await;
        assert!(
            !page.body.contains("name=\"decision\"") && page.body.contains("You have voted"),
            "{}",
            page.body
        );
    }
    // Two pages that were both open before either was posted.
    let (other, _) = world.proposed(60_001).await;
    let (mut one, mut two) = (world.browser(FINANCE_LEAD).await, world.browser(FINANCE_SECOND).await);
    let (first, second) = (one.token(&other).await, two.token(&other).await);
    assert_eq!(one.vote(&other, "approve", &first.0, &first.1).await.status, 200);
    assert_eq!(two.vote(&other, "approve", &second.0, &second.1).await.status, 409);
    assert_eq!((world.stage(&other).await, world.file(&other).await.votes.len()), (Stage::Pending, 1));
    untouched(&world, &before).await;
}

#[tokio::test]
async fn abuse_31_nobody_approves_what_they_asked_for() {
    let world = World::new().await;
    let charge = world.charge(1999);
    let more = [("amount", "19.99"), ("reason", "duplicate")];
    let mut lead = world.browser(FINANCE_LEAD).await;
    let id = lead.ask("refund.create", &charge, &more).await.proposal();
    let page = lead.get(&format!("/a/{id}")).await;
    assert!(!page.body.contains("name=\"decision\"") && page.body.contains("somebody else must decide"));
    let before = world.file(&id).await;
    let digest = before.proposal().digest.to_string();
    for csrf in [String::new(), page.field("csrf"), world.browser(FINANCE_SECOND).await.token(&id).await.1] {
        assert_eq!(lead.vote(&id, "approve", &digest, &csrf).await.status, 403);
    }
    untouched(&world, &before).await;

    // Nor by another account, with a page that was opened before it was known to be theirs.
    let mut alias = world.browser(FINANCE_SECOND).await;
    let (digest, csrf) = alias.token(&id).await;
    change_person(&world, FINANCE_SECOND, |second| second.identities.clear()).await;
    let both = [FINANCE_LEAD, FINANCE_SECOND].map(|user| Identity { team: TEAM.into(), user: user.into() });
    change_person(&world, FINANCE_LEAD, |lead| lead.identities = both.into()).await;
    assert_eq!(alias.vote(&id, "approve", &digest, &csrf).await.status, 403);
    untouched(&world, &before).await;

    // And of whom nobody knows who asked, as in the Dashboard, it is never one signature.
    let charge = world.charge(100);
    world.ask_in_stripe(&charge, "requested_by_customer");
    let request = world.request(&charge).await;
    deliver(&world.app, &request).await;
    assert_eq!(world.file(&domain::ProposalId::of(&request, 0)).await.proposal().action.need, 2);
}

#[tokio::test]
async fn abuse_32_nobody_signs_what_goes_to_themselves() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let before = world.file(&id).await;
    let mut lead = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = lead.token(&id).await;
    change_person(&world, FINANCE_LEAD, |lead| lead.emails = vec!["Customer17@Example.test ".into()]).await;
    let page = lead.get(&format!("/a/{id}")).await;
    assert!(page.body.contains("concerns you as a customer"), "{}", page.body);
    assert!(!page.body.contains("name=\"decision\""));
    assert_eq!(lead.vote(&id, "approve", &digest, &csrf).await.status, 403, "with the page of before");
    untouched(&world, &before).await;
}

#[tokio::test]
async fn abuse_34_a_vote_of_somebody_who_was_removed_since_does_not_count() {
    let world = World::new().await;
    let (id, _) = world.proposed(50_001).await;
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    change_person(&world, FINANCE_LEAD, |lead| lead.active = false).await;
    let answer = world.browser(FINANCE_SECOND).await.decide(&id, "approve").await;
    assert!(answer.status == 200 && answer.body.contains("1 of 2 have signed"), "{}", answer.body);
    world.wait(61);
    world.settle().await;
    assert_eq!((world.stage(&id).await, world.writes().len()), (Stage::Pending, 0));
}

#[tokio::test]
async fn abuse_35_nobody_signs_for_more_than_their_limit() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let before = world.file(&id).await;
    let mut lead = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = lead.token(&id).await;
    let limit = |currency: &str, amount| (domain::Currency::parse(currency).unwrap(), amount);
    for limits in [[limit("usd", 1998)], [limit("eur", 1_000_000)]] {
        change_person(&world, FINANCE_LEAD, |lead| lead.limits = limits.into()).await;
        assert_eq!(lead.vote(&id, "approve", &digest, &csrf).await.status, 403, "{limits:?}");
    }
    untouched(&world, &before).await;
}

#[tokio::test]
async fn abuse_36_one_vote_of_two_cannot_be_made_to_do() {
    let world = World::new().await;
    let charge = world.charge(1999);
    world.ask_in_stripe(&charge, "duplicate");
    let request = world.request(&charge).await;
    deliver(&world.app, &request).await;
    let id = domain::ProposalId::of(&request, 0);
    world.second_signs(&id).await;
    for _ in 0..5 {
        deliver(&world.app, &request).await;
        world.wait(200);
        world.settle().await;
    }
    let mut second = world.browser(FINANCE_SECOND).await;
    let digest = world.file(&id).await.proposal().digest.to_string();
    assert_eq!(second.vote(&id, "approve", &digest, "").await.status, 403);
    assert_eq!((world.stage(&id).await, world.writes().len()), (Stage::Pending, 0));
}

#[tokio::test]
async fn abuse_55_nothing_is_approved_or_begun_while_everything_is_stopped() {
    let world = World::new().await;
    let freeze = async || {
        let freeze = Freeze { by: person("admin"), why: "drill".into(), at: world.now() };
        world.approvals.freeze(&freeze).await.unwrap();
    };
    let (id, _) = world.proposed(1999).await;
    let mut lead = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = lead.token(&id).await;
    let before = world.file(&id).await;
    freeze().await;
    assert_eq!(lead.vote(&id, "approve", &digest, &csrf).await.status, 423);
    untouched(&world, &before).await;

    // Between the vote and the claim: the run died after the vote, and another one takes over.
    world.approvals.unfreeze().await.unwrap();
    let dying = world.dying(Checkpoints::new(|place| place == "voted")).await;
    let mut doomed = Browser { app: &dying, cookies: lead.cookies.clone(), clock: None };
    assert_eq!(doomed.vote(&id, "approve", &digest, &csrf).await.status, 500);
    freeze().await;
    world.wait(61);
    world.settle().await;
    assert_eq!((world.stage(&id).await, world.writes().len()), (Stage::Pending, 0));

    // A denial makes nothing happen, so it is taken.
    let (other, _) = world.proposed(2999).await;
    assert_eq!(world.browser(FINANCE_LEAD).await.decide(&other, "deny").await.status, 200);
    assert!(matches!(world.stage(&other).await, Stage::Denied { .. }));
    world.approvals.unfreeze().await.unwrap();
    world.wait(61);
    world.settle().await;
    assert!(matches!(world.stage(&id).await, Stage::Executed { .. }), "lifted, it goes on by itself");
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn abuse_68_nobody_is_asked_too_often_and_nobody_approves_unread() {
    let world = World::new().await;
    let mut support = world.browser(SUPPORT).await;
    let more = [("amount", "1.00"), ("reason", "duplicate")];
    let mut ids = Vec::new();
    for number in 0..21 {
        let charge = world.charge(1999);
        let answer = support.ask("refund.create", &charge, &more).await;
        assert_eq!(answer.status, if number < 20 { 303 } else { 429 }, "{number}: {}", answer.body);
        if number < 20 {
            ids.push(answer.proposal());
        }
    }
    assert_eq!(world.approvals.proposals().await.unwrap().len(), 20);
    let mut hasty = Browser { clock: None, ..world.browser(FINANCE_LEAD).await };
    let answer = hasty.decide(&ids[0], "approve").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("It was not counted") && answer.body.contains("name=\"digest\""));
    assert_eq!((world.stage(&ids[0]).await, world.file(&ids[0]).await.votes.len()), (Stage::Pending, 0));
    assert_eq!(hasty.decide(&ids[1], "deny").await.status, 200, "a denial makes nothing happen");
    assert!(matches!(world.stage(&ids[1]).await, Stage::Denied { .. }));
    world.wait(3600);
    let charge = world.charge(1999);
    let answer = world.browser(SUPPORT).await.ask("refund.create", &charge, &more).await;
    assert_eq!((answer.status, world.writes().len()), (303, 0), "the next hour is another one");
}

#[tokio::test]
async fn abuse_90_another_spelling_of_ones_own_address_is_ones_own() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let before = world.file(&id).await;
    let mut lead = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = lead.token(&id).await;
    // In Stripe it is customer17@example.test.
    change_person(&world, FINANCE_LEAD, |lead| lead.emails = vec!["customer17+work@example.test".into()])
        .await;
    assert_eq!(lead.vote(&id, "approve", &digest, &csrf).await.status, 403);
    untouched(&world, &before).await;
}

#[tokio::test]
async fn abuse_91_money_to_somebody_whom_nobody_can_name_takes_two() {
    let world = World::new().await;
    let mut support = world.browser(SUPPORT).await;
    let more = [("amount", "19.99"), ("reason", "duplicate")];
    let stripe = &world.sandbox.stripe;
    // Bought without an account, and by a customer whose address nobody knows.
    let guest = world.charge(1999);
    let mut object = stripe.object(&guest).unwrap();
    object["customer"] = serde_json::Value::Null;
    stripe.put_object(&object).unwrap();
    let silent = world.charge(1999);
    let mut customer = stripe.object(stripe.object(&silent).unwrap()["customer"].as_str().unwrap()).unwrap();
    customer["email"] = serde_json::Value::Null;
    stripe.put_object(&customer).unwrap();
    for charge in [guest, silent] {
        let id = support.ask("refund.create", &charge, &more).await.proposal();
        assert_eq!(world.file(&id).await.proposal().action.need, 2, "either of them could be the customer");
        let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
        assert!(answer.body.contains("1 of 2 have signed"), "{}", answer.body);
        assert_eq!((world.stage(&id).await, world.writes().len()), (Stage::Pending, 0));
    }
}

#[tokio::test]
async fn abuse_92_a_vote_does_not_pass_on_with_the_account() {
    let world = World::new().await;
    let (id, _) = world.proposed(50_001).await;
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    let mut heir = world.approvals.person(&person(&FINANCE_LEAD.to_lowercase())).await.unwrap().unwrap();
    change_person(&world, FINANCE_LEAD, |lead| lead.identities.clear()).await;
    heir.id = person("newcomer");
    world.approvals.put_person(&heir).await.unwrap();
    let answer = world.browser(FINANCE_SECOND).await.decide(&id, "approve").await;
    assert!(answer.body.contains("1 of 2 have signed"), "{}", answer.body);
    assert_eq!((world.stage(&id).await, world.writes().len()), (Stage::Pending, 0));
    let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert!(answer.body.contains("Approved and done"), "they can vote themselves: {}", answer.body);
    assert_eq!(world.writes().len(), 1);
}
