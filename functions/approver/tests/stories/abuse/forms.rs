//! 21 to 27 and 38: what is posted, from where, and what a page lets out.

use domain::{Digest, approval::Stage};
use sandbox::people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT};
use serde_json::{Value, json};

use super::{overwrite, untouched, vote_form};
use crate::world::{Answer, Browser, LOGS, World};

#[tokio::test]
async fn abuse_21_a_form_without_the_token_of_its_page_and_session_counts_for_nothing() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let (other, _) = world.proposed(2999).await;
    let before = world.file(&id).await;
    let mut lead = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = lead.token(&id).await;
    let (other_digest, other_csrf) = lead.token(&other).await;
    let mut second = world.browser(FINANCE_SECOND).await;
    let (_, theirs) = second.token(&id).await;
    // The same person's token of a session that is over is another session's too.
    let mut earlier = world.browser(FINANCE_LEAD).await;
    let (_, over) = earlier.token(&id).await;
    let sign_out = earlier.get("/").await.field("csrf");
    let zero = Digest::ZERO.to_string();
    let later = csrf.replacen(|digit: char| digit.is_ascii_digit(), "9", 1);
    for (digest, csrf, status) in [
        (digest.as_str(), "", 403),
        (&digest, ".", 403),
        (&digest, &other_csrf, 403),
        (&digest, &theirs, 403),
        (&digest, &over, 403),
        (&digest, &sign_out, 403),
        (&digest, &later, 403),
        (&zero, &csrf, 403),
        (&other_digest, &other_csrf, 403),
    ] {
        assert_eq!(lead.vote(&id, "approve", digest, csrf).await.status, status, "{digest} {csrf}");
    }
    for fields in [
        &[("decision", "approve"), ("digest", digest.as_str())][..],
        &[("decision", "maybe"), ("digest", &digest), ("csrf", &csrf)],
        &[("decision", ""), ("digest", &digest), ("csrf", &csrf)],
        &[("decision", "approve"), ("digest", &digest), ("csrf", &csrf), ("extra", "1")],
        &[("decision", "deny"), ("decision", "approve"), ("digest", &digest), ("csrf", &csrf)],
    ] {
        assert_eq!(lead.post(&format!("/a/{id}"), fields).await.status, 400, "{fields:?}");
    }
    let mut stranger = Browser::new(&world.app);
    assert_eq!(stranger.vote(&id, "approve", &digest, &csrf).await.status, 403, "no session");
    assert_eq!(second.vote(&id, "approve", &digest, &csrf).await.status, 403, "another session");
    untouched(&world, &before).await;
    assert_eq!(world.stage(&other).await, Stage::Pending);
    assert_eq!(lead.vote(&id, "approve", &digest, &csrf).await.status, 200, "the honest one counts");
}

/// Posts a good form after `change` spoilt the request.
async fn spoilt(world: &World, change: impl FnOnce(&mut Value)) -> (u16, String) {
    let (id, _) = world.proposed(1999).await;
    let before = world.file(&id).await;
    let mut lead = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = lead.token(&id).await;
    let answer = lead.send("POST", &format!("/a/{id}"), &vote_form("approve", &digest, &csrf), change).await;
    untouched(world, &before).await;
    (answer.status, answer.body)
}

fn header(name: &'static str, value: Option<&'static str>) -> impl Fn(&mut Value) {
    move |event| match value {
        Some(value) => event["headers"][name] = value.into(),
        None => drop(event["headers"].as_object_mut().unwrap().remove(name)),
    }
}

#[tokio::test]
async fn abuse_22_a_form_that_another_site_sent_counts_for_nothing() {
    let world = World::new().await;
    for origin in [
        Some("https://evil.test"),
        Some("null"),
        Some(""),
        Some("http://localhost:8401"),
        Some("https://localhost:8400"),
        Some("http://localhost:8400.evil.test"),
        Some("http://localhost:8400, https://evil.test"),
        None,
    ] {
        let answer = spoilt(&world, header("origin", origin)).await;
        assert_eq!(answer.0, 403, "{origin:?}: {}", answer.1);
    }
    for site in ["cross-site", "same-site", "none", ""] {
        let both = |event: &mut Value| {
            header("origin", None)(event);
            event["headers"]["sec-fetch-site"] = site.into();
        };
        assert_eq!(spoilt(&world, both).await.0, 403, "{site}");
    }
    // A browser that says both things is believed in the worse one.
    let torn = |event: &mut Value| event["headers"]["sec-fetch-site"] = "cross-site".into();
    assert_eq!(spoilt(&world, torn).await.0, 403);
}

#[tokio::test]
async fn abuse_23_only_a_form_is_taken() {
    let world = World::new().await;
    for kind in [
        Some("text/plain"),
        Some("application/json"),
        Some("multipart/form-data; boundary=x"),
        Some("application/x-www-form-urlencodedx"),
        Some("text/plain, application/x-www-form-urlencoded"),
        Some(""),
        None,
    ] {
        let answer = spoilt(&world, header("content-type", kind)).await;
        assert_eq!(answer.0, 415, "{kind:?}: {}", answer.1);
    }
}

/// One answer of every kind, errors and redirects among them.
async fn every_answer(world: &World) -> Vec<Answer> {
    let (id, _) = world.proposed(1999).await;
    let (open, _) = world.proposed(2999).await;
    let link = world.link_of(FINANCE_LEAD);
    let (here, open) = (format!("/a/{id}"), format!("/a/{open}"));
    let mut lead = world.browser(FINANCE_LEAD).await;
    let mut answers = Vec::new();
    for url in
        ["/", &here, &open, &link, "/requests/new", "/sign-in", "/sign-in/callback", "/nowhere", "/?a=1&a=2"]
    {
        answers.push(lead.get(url).await);
        answers.push(Browser::new(&world.app).get(url).await);
        answers.push(lead.send("HEAD", url, "", |_| {}).await);
    }
    for url in
        [here.as_str(), "/requests", "/sign-out", &format!("{here}/withdraw"), &format!("{here}/looked")]
    {
        answers.push(lead.post(url, &[]).await);
        answers.push(Browser::new(&world.app).post(url, &[("csrf", "x")]).await);
        answers.push(lead.send("PUT", url, "", |_| {}).await);
        answers.push(lead.send("POST", url, &"x".repeat(70_000), |_| {}).await);
        answers.push(lead.send("POST", url, "a=1", |event| event["isBase64Encoded"] = true.into()).await);
    }
    answers.push(
        lead.send("POST", &here, "x", |event| event["headers"]["content-type"] = "text/plain".into()).await,
    );
    answers.push(lead.ask("refund.create", "ch_nowhere", &[("amount", "1")]).await);
    answers.push(world.browser(SUPPORT).await.get(&here).await);
    answers.push(lead.decide(&id, "approve").await);
    answers.push(lead.get(&here).await);
    // And one that fails in the middle.
    let broken = world.dying(approver::Checkpoints::new(|_| true)).await;
    let (digest, csrf) =
        lead.token(&domain::ProposalId::parse(open.trim_start_matches("/a/")).unwrap()).await;
    lead.app = &broken;
    let failed = lead.send("POST", &open, &vote_form("approve", &digest, &csrf), |_| {}).await;
    assert_eq!(failed.status, 500);
    answers.push(failed);
    answers
}

#[tokio::test]
async fn abuse_24_no_answer_can_be_framed_and_none_can_load_anything() {
    let world = World::new().await;
    let answers = every_answer(&world).await;
    let statuses: std::collections::BTreeSet<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 303, 400, 403, 404, 405, 413, 415, 422, 500].into());
    for answer in &answers {
        let policy = answer.header("content-security-policy");
        for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
        {
            assert!(policy.split("; ").any(|given| given == part), "{part}: {answer:?}");
        }
        assert!(policy.contains("style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-opener-policy", "same-origin"),
            ("x-robots-tag", "noindex, nofollow"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(answer.header(name), value, "{name}: {answer:?}");
        }
        assert!(answer.header("strict-transport-security").starts_with("max-age="), "{answer:?}");
    }
}

#[tokio::test]
async fn abuse_25_no_page_and_no_log_carries_a_token_on() {
    let world = World::new().await;
    for answer in every_answer(&world).await {
        for outside in ["<script", "<img", "<link", "<iframe", " src=", "url(", "@import"] {
            assert!(!answer.body.contains(outside), "{outside}: {}", answer.body);
        }
        assert!(!answer.body.contains("?t=") && !answer.header("location").contains("t=v1."), "{answer:?}");
    }
    let (id, _) = world.proposed(4999).await;
    let link = world.link_of(FINANCE_LEAD);
    let answer = world.browser(FINANCE_LEAD).await.get(&link).await;
    assert_eq!((answer.status, answer.header("location")), (303, format!("/a/{id}").as_str()));
    assert!(!LOGS.text().contains(link.split_once("?t=").unwrap().1));
    assert_eq!(world.stage(&id).await, Stage::Pending);
}

#[tokio::test]
async fn abuse_27_a_double_click_is_one_vote_and_one_refund() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let mut finance = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = finance.token(&id).await;
    let mut second = Browser { app: &world.app, cookies: finance.cookies.clone(), clock: None };
    let (one, two) = tokio::join!(
        finance.vote(&id, "approve", &digest, &csrf),
        second.vote(&id, "approve", &digest, &csrf)
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(finance.vote(&id, "approve", &digest, &csrf).await.status, 409, "and again afterwards");
    assert!(matches!(world.stage(&id).await, Stage::Executed { .. }));
    assert_eq!((world.file(&id).await.votes.len(), world.writes().len()), (1, 1));
}

#[tokio::test]
async fn abuse_38_a_digest_that_is_not_the_stored_one_is_a_conflict() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let mut finance = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = finance.token(&id).await;
    // The proposal was edited after the page was shown: action and digest, consistently.
    let mut row = world.file(&id).await.row.value;
    row.proposal.action.need = 3;
    row.proposal.digest = row.proposal.action.digest();
    overwrite(&world, &row).await;
    let answer = finance.vote(&id, "approve", &digest, &csrf).await;
    assert_eq!(answer.status, 409, "{}", answer.body);
    assert_eq!((world.stage(&id).await, world.file(&id).await.votes.len()), (Stage::Pending, 0));
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn abuse_81_a_body_of_any_size_is_refused_before_anything_is_read() {
    let world = World::new().await;
    for length in [64 * 1024 + 1, 5_000_000] {
        let answer = spoilt(&world, |event| event["body"] = "x".repeat(length).into()).await;
        assert_eq!(answer.0, 413, "{length}");
        let encoded = |event: &mut Value| {
            event["body"] = "AAAA".repeat(length / 3 + 1).into();
            event["isBase64Encoded"] = true.into();
        };
        assert_eq!(spoilt(&world, encoded).await.0, 413, "{length} in base64");
    }
    for (body, status) in [("%ff=%fe", 400), ("=", 400), ("&&&&", 400), ("a", 400)] {
        assert_eq!(spoilt(&world, |event| event["body"] = body.into()).await.0, status, "{body}");
    }
    let many = (0..20_000).map(|number| format!("{number}=")).collect::<Vec<_>>().join("&");
    assert_eq!(spoilt(&world, |event| event["body"] = many.into()).await.0, 413);
    assert_eq!(spoilt(&world, |event| event["body"] = json!(null)).await.0, 400);
}
