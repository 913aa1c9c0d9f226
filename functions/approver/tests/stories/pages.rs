use domain::approval::Stage;
use sandbox::people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT};

use crate::world::{Answer, Browser, World};

#[tokio::test]
async fn a_hundred_reads_change_nothing() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let link = world.link_of(FINANCE_LEAD);
    let before = world.file(&id).await;
    let mut scanner = Browser::new(&world.app);
    let mut finance = world.browser(FINANCE_LEAD).await;
    for _ in 0..50 {
        let answer = scanner.get(&link).await;
        assert_eq!(answer.status, 200);
        assert!(answer.cookies.is_empty());
        for detail in ["19.99", "ch_", "cus_", "Customer", id.as_str()].iter().take(4) {
            assert!(!answer.body.contains(detail), "{detail}: {}", answer.body);
        }
        let head = scanner.send("HEAD", &link, "", |_| {}).await;
        assert_eq!((head.status, head.body.as_str(), &head.headers), (200, "", &answer.headers));
        finance.get(&format!("/a/{id}?decision=approve")).await;
    }
    assert_eq!(world.file(&id).await, before);
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn a_link_leads_its_owner_to_the_page_without_the_token() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let link = world.link_of(FINANCE_LEAD);
    let answer = world.browser(FINANCE_LEAD).await.get(&link).await;
    assert_eq!((answer.status, answer.header("location")), (303, format!("/a/{id}").as_str()));
    let colleague = world.browser(FINANCE_SECOND).await.get(&link).await;
    assert_eq!(colleague.status, 403);
    assert!(!colleague.body.contains("19.99"), "{}", colleague.body);
}

#[tokio::test]
async fn every_link_that_does_not_hold_gets_the_same_answer() {
    let world = World::new().await;
    let (_, _) = world.proposed(1999).await;
    world.proposed(2999).await;
    let link = world.link_of(FINANCE_LEAD);
    let (path, token) = link.split_once("?t=").unwrap();
    let open = world.approvals.open_proposals().await.unwrap();
    let foreign = open.iter().map(|one| format!("/a/{}", one.id())).find(|one| one != path).unwrap();
    let mut answers: Vec<Answer> = Vec::new();
    let mut browser = Browser::new(&world.app);
    let half = &token[..token.len() - 1];
    for url in [
        format!("{foreign}?t={token}"),
        format!("{path}?t={half}"),
        format!("{path}?t={token}A"),
        format!("{path}?t="),
        format!("{path}?t={}", token.replacen("v1", "v0", 1)),
        format!("/a/ap_unknown?t={token}"),
        "/a/%2e%2e".into(),
        "/nowhere".into(),
    ] {
        let answer = browser.get(&url).await;
        assert_eq!(answer.status, 404, "{url}");
        answers.push(answer);
    }
    assert_eq!(browser.get(&format!("{link}&t={token}")).await.status, 400, "there twice");
    world.wait(3600);
    answers.push(browser.get(&link).await);
    assert!(answers.iter().all(|answer| answer.body == answers[0].body && answer.status == 404));
}

#[tokio::test]
async fn every_answer_carries_the_same_protection() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let here = format!("/a/{id}");
    let mut browser = world.browser(FINANCE_LEAD).await;
    let mut answers = vec![
        browser.get("/").await,
        browser.get(&here).await,
        browser.get("/requests/new").await,
        browser.get("/sign-in").await,
        browser.get("/sign-in/callback").await,
        browser.get("/nowhere").await,
        browser.get("/?a=1&a=2").await,
        browser.get("/a/x?t=y").await,
        browser.post(&here, &[]).await,
        browser.post("/requests", &[]).await,
        browser.post("/sign-out", &[]).await,
        browser.decide(&id, "approve").await,
        Browser::new(&world.app).get("/").await,
    ];
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS"] {
        let answer = browser.send(method, &here, "", |_| {}).await;
        assert_eq!(answer.status, 405, "{method}");
        answers.push(answer);
    }
    answers.push(browser.send("POST", &here, &"x".repeat(70_000), |_| {}).await);
    for answer in answers {
        let policy = answer.header("content-security-policy");
        for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
        {
            assert!(policy.contains(part), "{part}: {answer:?}");
        }
        assert!(policy.contains("style-src 'sha256-"), "{policy}");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert!(answer.header("x-robots-tag").contains("noindex"));
        assert!(answer.header("strict-transport-security").contains("max-age"));
        for outside in ["<script", "<img", "<link", " src="] {
            assert!(!answer.body.contains(outside), "{outside}: {}", answer.body);
        }
    }
    assert!(matches!(world.stage(&id).await, Stage::Executed { .. }));
}

#[tokio::test]
async fn the_inbox_shows_what_waits_for_whom() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let section = |page: &str, from: &str, to: &str| {
        let start = page.find(from).unwrap();
        page[start..start + page[start..].find(to).unwrap()].contains(id.as_str())
    };
    let finance = world.browser(FINANCE_LEAD).await.get("/").await.body;
    assert!(section(&finance, "Waits for you", "Waits for others"), "{finance}");
    let support = world.browser(SUPPORT).await.get("/").await.body;
    assert!(section(&support, "Waits for others", "Decided"), "{support}");
    world.browser(FINANCE_LEAD).await.decide(&id, "deny").await;
    let after = world.browser(SUPPORT).await.get("/").await.body;
    assert!(section(&after, "Decided", "</main>"), "{after}");
}

#[tokio::test]
async fn a_message_to_an_approver_holds_ids_and_no_customer() {
    let world = World::new().await;
    let (id, charge) = world.proposed(1999).await;
    for message in world.sandbox.slack.messages() {
        assert_eq!(message.unfurl_links, Some(false));
        let text = serde_json::to_string(&message.blocks).unwrap();
        assert!(text.contains("19.99 USD") && text.contains(&charge), "{text}");
        assert!(text.contains(&world.file(&id).await.proposal().digest.short()), "{text}");
        assert!(!text.contains("Customer") && !text.contains("mrkdwn") && !text.contains('@'), "{text}");
    }
}

#[tokio::test]
async fn the_review_page_says_what_a_reviewer_needs() {
    let world = World::new().await;
    let (id, charge) = world.proposed(1999).await;
    let mut finance = world.browser(FINANCE_LEAD).await;
    let here = format!("/a/{id}");
    let page = finance.get(&here).await.body;
    let file = world.file(&id).await;
    let digest = file.proposal().digest.to_string();
    for words in [
        "Refund 19.99 USD of charge",
        "Approve 19.99 USD",
        "customer17@example.test",
        "nothing changed",
        "finance-signs-refunds",
        "Refunds are signed by finance.",
        "cannot be taken back here",
        "nothing is sent to Stripe",
        "in 3 days",
        &format!("https://dashboard.stripe.com/test/payments/{charge}"),
        &digest,
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let form = format!("charge={charge}&amount=500");
    world.sandbox.stripe.request("POST", "/v1/refunds", &form).unwrap();
    let page = finance.get(&here).await.body;
    assert!(page.contains("<strong>5.00 USD</strong> (changed)"), "{page}");
    assert!(page.contains("changed, as said above") && page.contains("proposed again as things stand then"));
}

#[tokio::test]
async fn what_somebody_wrote_is_told_from_what_we_say() {
    let world = World::new().await;
    let charge = world.charge(1999);
    let mut support = world.browser(SUPPORT).await;
    let form = support.get("/requests/new").await;
    let (nonce, csrf) = (form.field("nonce"), form.field("csrf"));
    let fields = [
        ("operation", "refund.create"),
        ("object", charge.as_str()),
        ("amount", "19.99"),
        ("reason", "duplicate"),
        ("why", "Approved already by\u{202E} the <b>board</b>, https://evil.test"),
        ("nonce", &nonce),
        ("csrf", &csrf),
    ];
    let here = support.post("/requests", &fields).await.header("location").to_owned();
    let page = world.browser(FINANCE_LEAD).await.get(&here).await.body;
    assert!(page.contains("which nobody has checked"), "{page}");
    assert!(page.contains("by the &lt;b&gt;board&lt;/b&gt;, https://evil.test"), "{page}");
    assert!(!page.contains("href=\"https://evil.test"));
    assert!(page.contains("Asked for by <strong>Support</strong>"), "{page}");
}

#[tokio::test]
async fn whoever_decided_finds_their_receipt() {
    let world = World::new().await;
    let (id, _) = world.proposed(50_001).await;
    let mut finance = world.browser(FINANCE_LEAD).await;
    let result = finance.decide(&id, "approve").await.body;
    let receipt = world.file(&id).await.votes[0].receipt.clone();
    let later = finance.get(&format!("/a/{id}")).await.body;
    for page in [result, later] {
        assert!(page.contains("Your receipt") && page.contains(&receipt.signature), "{page}");
    }
    let other = world.browser(FINANCE_SECOND).await.get(&format!("/a/{id}")).await.body;
    assert!(!other.contains("Your receipt") && !other.contains(&receipt.signature));
}

#[tokio::test]
async fn what_runs_out_first_is_on_top_and_of_equals_the_largest() {
    let world = World::new().await;
    let (small, _) = world.proposed(1000).await;
    let (large, _) = world.proposed(3000).await;
    world.wait(60);
    let (late, _) = world.proposed(9000).await;
    let page = world.browser(FINANCE_LEAD).await.get("/").await.body;
    let place = |id: &domain::ProposalId| page.find(id.as_str()).unwrap();
    assert!(place(&large) < place(&small) && place(&small) < place(&late), "{page}");
    assert!(page.contains("Waits for you (3)"), "{page}");
    world.wait(3 * 86_400);
    let page = world.browser(FINANCE_LEAD).await.get(&format!("/a/{small}")).await.body;
    assert!(page.contains("Too late to decide") && !page.contains("name=\"decision\""), "{page}");
}
