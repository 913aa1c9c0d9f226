//! A run that dies anywhere while it acts under a mandate, or grants one, leaves one effect at most.

use std::{
    collections::BTreeSet,
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use approver::Checkpoints;
use domain::{ProposalId, approval::Stage, trail};
use sandbox::{
    people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT},
    stripe::Fault,
};

use super::{AGENT_RULE, PAUSE, RULE, agent_asks, asked, is_paused, mandate, policy_with_agent_rule};
use crate::{
    browser::Browser,
    engine::subscription,
    world::{World, deliver},
};

/// Dies at the place with this number; whether it did.
fn dying_at(number: usize) -> (Checkpoints, Arc<AtomicBool>) {
    let (passed, died) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let told = Arc::clone(&died);
    let checkpoints = Checkpoints::new(move |_| {
        let now = passed.fetch_add(1, Ordering::SeqCst) == number;
        told.fetch_or(now, Ordering::SeqCst);
        now
    });
    (checkpoints, died)
}

async fn die_everywhere(name: &str, fault: Option<Fault>) -> usize {
    let world = World::new().await;
    let folder = policy_with_agent_rule(name);
    let bundle = runtime::policy::load(&folder).unwrap();
    let app = world.under(&folder).await;
    let more = [("allows", PAUSE), ("per_day", "100"), ("days", "30")];
    let mut support = Browser { app: &app, ..world.browser(SUPPORT).await };
    let granting = support.ask("mandate.grant", AGENT_RULE, &more).await.proposal();
    for who in [FINANCE_LEAD, FINANCE_SECOND] {
        Browser { app: &app, ..world.browser(who).await }.decide(&granting, "approve").await;
    }
    let id = domain::MandateId::of(&granting);
    for number in 0.. {
        let (checkpoints, died) = dying_at(number);
        let dying = world.under(&folder).await.with_checkpoints(checkpoints);
        let (_, subscription) = subscription(&world);
        if let Some(fault) = fault.clone() {
            world.sandbox.stripe.fault(fault, &format!("POST /v1/subscriptions/{subscription}"), 1);
        }
        let request = agent_asks(&world, &subscription, AGENT_RULE, bundle.id()).await;
        deliver(&dying, &request).await;
        deliver(&app, &request).await;
        for _ in 0..3 {
            world.wait(200);
            approver::handle(&app, serde_json::json!({ "schedule": "settle" })).await.unwrap();
        }
        let used = ProposalId::of(&request, 0);
        let stage = world.stage(&used).await;
        assert!(matches!(stage, Stage::Executed { .. }), "{fault:?}, died at place {number}: {stage:?}");
        assert!(is_paused(&world, &subscription));
        let path = format!("/v1/subscriptions/{subscription}");
        let ours: Vec<_> = world.writes().into_iter().filter(|write| write.path == path).collect();
        let keys: BTreeSet<_> = ours.iter().filter_map(|write| write.idempotency_key.clone()).collect();
        assert_eq!(keys.len(), 1, "{fault:?}, died at place {number}");
        let file = world.file(&used).await;
        trail::verify(used.as_str(), &file.trail, Some(file.proposal().trail)).unwrap();
        let entries = world.approvals.mandate_trail(&id).await.unwrap();
        let uses = entries.iter().filter(|entry| entry.body.contains(used.as_str())).count();
        assert_eq!(uses, 1, "counted once");
        trail::verify(id.as_str(), &entries, Some(mandate(&world, &id).await.trail)).unwrap();
        world.sandbox.stripe.clear_faults();
        if !died.load(Ordering::SeqCst) {
            return number;
        }
    }
    panic!("no run lived to the end")
}

#[tokio::test]
async fn a_run_killed_anywhere_under_a_mandate_pauses_once() {
    assert!(Box::pin(die_everywhere("none", None)).await >= 5);
}

#[tokio::test]
async fn a_run_killed_anywhere_under_a_mandate_after_a_lost_answer_or_call_pauses_once() {
    assert!(Box::pin(die_everywhere("answer", Some(Fault::DropAfterCommit))).await >= 5);
    assert!(Box::pin(die_everywhere("call", Some(Fault::DropBeforeCommit))).await >= 5);
}

#[tokio::test]
async fn a_run_killed_anywhere_while_it_grants_leaves_one_mandate() {
    let world = World::new().await;
    for number in 0.. {
        let (checkpoints, died) = dying_at(number);
        let dying = world.dying(checkpoints).await;
        let id = asked(&world, PAUSE, RULE, "1").await;
        world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
        let mut second = world.browser(FINANCE_SECOND).await;
        let (digest, csrf) = second.token(&id).await;
        second.app = &dying;
        let fields = [("decision", "approve"), ("digest", digest.as_str()), ("csrf", csrf.as_str())];
        second.post(&format!("/a/{id}"), &fields).await;
        for _ in 0..2 {
            world.wait(200);
            world.settle().await;
        }
        assert!(matches!(world.stage(&id).await, Stage::Executed { .. }), "{:?}", world.stage(&id).await);
        assert_eq!(world.approvals.standing_mandates().await.unwrap().len(), number + 1);
        assert!(world.writes().is_empty());
        if !died.load(Ordering::SeqCst) {
            assert!(number >= 3, "{number}");
            return;
        }
    }
}
