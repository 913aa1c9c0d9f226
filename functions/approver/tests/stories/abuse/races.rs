//! Beyond the list: two people, two runs or two policies at the same time.

use std::{pin::Pin, sync::Arc, time::Duration};

use approver::App;
use domain::{
    ProposalId, Timestamp,
    approval::{Decision, Stage},
};
use sandbox::people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT};

use super::untouched;
use crate::{
    passkeys::Signer,
    world::{Answer, Browser, World},
};

/// Lets a future go on to the next place where it waits.
pub(crate) async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

/// Runs two to their ends, one step of one or of the other at a time, as the bits of `order` say.
async fn interleaved<A: Future, B: Future>(one: A, two: B, order: u64) -> (A::Output, B::Output) {
    let (mut one, mut two) = (Box::pin(one), Box::pin(two));
    let (mut first, mut second) = (None, None);
    for step in 0_u32.. {
        let turn = (order >> (step % 64)) & 1 == 0;
        if (turn || second.is_some()) && first.is_none() {
            first = poll_once(one.as_mut()).await;
        } else if second.is_none() {
            second = poll_once(two.as_mut()).await;
        }
        if first.is_some() && second.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    (first.unwrap(), second.unwrap())
}

#[tokio::test]
async fn abuse_83_approving_and_denying_at_once_never_do_both_in_200_interleavings() {
    let world = World::new().await;
    let (mut executed, mut denied, mut random) = (0, 0, 0x9E37_79B9_7F4A_7C15_u64);
    let (mut support, mut lead, mut second) = (
        world.browser(SUPPORT).await,
        world.browser(FINANCE_LEAD).await,
        world.browser(FINANCE_SECOND).await,
    );
    for number in 0..200_u32 {
        if number % 18 == 17 {
            // Support may ask for twenty things in an hour, and a session ends.
            world.wait(3600);
            for (browser, user) in
                [(&mut support, SUPPORT), (&mut lead, FINANCE_LEAD), (&mut second, FINANCE_SECOND)]
            {
                browser.sign_in(user, "/").await;
            }
        }
        let charge = world.charge(1999);
        let more = [("amount", "19.99"), ("reason", "duplicate")];
        let id = support.ask("refund.create", &charge, &more).await.proposal();
        let (approve, deny) = (lead.token(&id).await, second.token(&id).await);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // The first ones begin later and later, the others mix.
        let order = if number < 64 { u64::MAX << number } else { random };
        let before = world.writes().len();
        let (one, two) = interleaved(
            lead.vote(&id, "approve", &approve.0, &approve.1),
            second.vote(&id, "deny", &deny.0, &deny.1),
            order,
        )
        .await;
        world.settle().await;
        let written = world.writes().len() - before;
        let file = world.file(&id).await;
        let no = file.votes.iter().filter(|vote| vote.receipt.body.decision == Decision::Deny).count();
        match &file.proposal().stage {
            Stage::Executed { .. } => {
                executed += 1;
                assert_eq!((written, no, one.status, two.status), (1, 0, 200, 409), "{number}");
            }
            Stage::Denied { .. } => {
                denied += 1;
                assert_eq!((written, no, two.status), (0, 1, 200), "{number}");
                assert!(!one.body.contains("Approved and done"), "{number}: {}", one.body);
            }
            other => panic!("{number}: {other:?}"),
        }
    }
    assert_eq!(executed + denied, 200);
    assert!(executed > 20 && denied > 20, "both came first often: {executed} and {denied}");
}

#[tokio::test]
async fn abuse_84_fifty_approvals_at_once_make_one_write() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let mut finance = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = finance.token(&id).await;
    let (id, digest, csrf) = (&id, &digest, &csrf);
    let (cookies, app) = (&finance.cookies, &world.app);
    let votes = (0..50).map(|_| async move {
        let mut browser = Browser { app, cookies: cookies.clone(), clock: None };
        browser.vote(id, "approve", digest, csrf).await.status
    });
    let mut all: Vec<_> = votes.map(Box::pin).collect();
    let mut statuses = Vec::new();
    // Polled in turns, so that they interleave at every point where they wait.
    while !all.is_empty() {
        let mut left = Vec::new();
        for mut vote in all {
            match poll_once(vote.as_mut()).await {
                Some(status) => statuses.push(status),
                None => left.push(vote),
            }
        }
        all = left;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(matches!(world.stage(id).await, Stage::Executed { .. }));
    assert_eq!((world.file(id).await.votes.len(), world.writes().len(), world.refunds()), (1, 1, 1));
}

/// An instance whose clock is off by so many seconds.
async fn skewed(world: &World, seconds: i64) -> App {
    let clock = world.clock.clone();
    world.instance_at(Arc::new(move || Timestamp::from_seconds(clock.seconds() + seconds))).await
}

async fn vote_at(
    world: &World,
    app: &App,
    id: &ProposalId,
    page: &(String, String),
    browser: &Browser<'_>,
) -> Answer {
    let mut there = Browser { app, cookies: browser.cookies.clone(), clock: None };
    let answer = there.vote(id, "approve", &page.0, &page.1).await;
    assert!(world.writes().len() <= 1);
    answer
}

#[tokio::test]
async fn abuse_85_a_clock_that_is_wrong_brings_nothing_back_and_does_nothing_twice() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let expires = world.file(&id).await.proposal().action.expires;
    world.wait(u64::try_from(expires.since(world.now())).unwrap() - 100);
    let mut lead = world.browser(FINANCE_LEAD).await;
    let page = lead.token(&id).await;
    let before = world.file(&id).await;
    // It is over for a clock that is ahead, which changes nothing for the others.
    let ahead = skewed(&world, 200).await;
    assert_eq!(vote_at(&world, &ahead, &id, &page, &lead).await.status, 410);
    untouched(&world, &before).await;
    // A clock that is far behind sees a page from the future, and an approval before it was proposed.
    let behind = skewed(&world, -3 * 86_400 - 3600).await;
    let answer = vote_at(&world, &behind, &id, &page, &lead).await;
    assert!(answer.body.contains("It was not counted"), "{}", answer.body);
    untouched(&world, &before).await;
    // One that is ahead takes an execution over while its run is alive: the object is locked by the same
    // proposal, and both make the same call.
    let alive = world.dying(approver::Checkpoints::new(|place| place == "sent")).await;
    assert_eq!(vote_at(&world, &alive, &id, &page, &lead).await.status, 500);
    approver::handle(&ahead, serde_json::json!({ "schedule": "settle" })).await.unwrap();
    assert!(matches!(world.stage(&id).await, Stage::Executed { .. }));
    assert_eq!((world.writes().len(), world.refunds()), (1, 1));
}

/// Signs for a large amount, which is typed and takes a passkey.
async fn sign<'a>(signer: &mut Signer<'a>, id: &ProposalId, app: &'a App) -> Answer {
    signer.browser.app = app;
    signer.approve(id, "10000.00").await
}

#[tokio::test]
async fn abuse_86_what_a_day_may_see_is_reserved_at_the_claim_and_given_back_if_nothing_was_done() {
    let world = World::new().await;
    let mut support = world.browser(SUPPORT).await;
    let (mut ids, mut charges) = (Vec::new(), Vec::new());
    // Six refunds of 10000 USD where a day may see 50000 USD.
    for _ in 0..6 {
        let charge = world.charge(1_000_000);
        let more = [("amount", "10000.00"), ("reason", "duplicate")];
        ids.push(support.ask("refund.create", &charge, &more).await.proposal());
        charges.push(charge);
    }
    // The first one is refused by Stripe after its part was reserved.
    let (stripe, charge) = (Arc::clone(&world.sandbox.stripe), charges[0].clone());
    let racing = approver::Checkpoints::new(move |place| {
        if place == "reread" {
            stripe.refund(&charge, None, "duplicate").unwrap();
        }
        false
    });
    let racing = world.dying(racing).await;
    let mut lead = world.with_passkey(FINANCE_LEAD).await;
    let mut second = world.with_passkey(FINANCE_SECOND).await;
    sign(&mut lead, &ids[0], &world.app).await;
    let answer = sign(&mut second, &ids[0], &racing).await;
    assert!(answer.body.contains("Stripe refused it"), "{}", answer.body);
    assert!(matches!(world.stage(&ids[0]).await, Stage::Failed { .. }));
    let done = world.refunds();
    // So the other five fit into the day, and a sixth does not.
    let charge = world.charge(1_000_000);
    let more = [("amount", "10000.00"), ("reason", "duplicate")];
    ids.push(support.ask("refund.create", &charge, &more).await.proposal());
    for id in &ids[1..] {
        for signer in [&mut lead, &mut second] {
            assert_eq!(sign(signer, id, &world.app).await.status, 200);
        }
    }
    assert_eq!(world.refunds() - done, 5);
    let stage = world.stage(&ids[6]).await;
    assert_eq!(stage, Stage::Pending, "what is used up waits");
    for _ in 0..3 {
        world.wait(900);
        world.settle().await;
    }
    assert_eq!((world.stage(&ids[6]).await, world.refunds() - done), (Stage::Pending, 5));
    world.wait(86_400);
    world.settle().await;
    assert_eq!(world.refunds() - done, 6, "the next day has room");
}
