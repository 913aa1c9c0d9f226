use sandbox::people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT};

use crate::world::World;

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
