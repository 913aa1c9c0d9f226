use sandbox::people::{FINANCE_LEAD, SUPPORT};

use crate::world::{Browser, World};

#[tokio::test]
async fn a_sign_in_leads_to_no_other_site() {
    let world = World::new().await;
    for next in ["https://evil.test", "//evil.test", "/%2F%2Fevil.test", "/a/ap_1?t=1"] {
        let mut browser = Browser::new(&world.app);
        assert_eq!(browser.sign_in(FINANCE_LEAD, next).await.header("location"), "/", "{next}");
    }
}

#[tokio::test]
async fn a_session_ends_with_signing_out_with_the_account_and_with_time() {
    let world = World::new().await;
    let mut browser = world.browser(FINANCE_LEAD).await;
    let kept = browser.cookies.clone();
    let page = browser.get("/").await;
    assert_eq!(browser.post("/sign-out", &[("csrf", "wrong")]).await.status, 403);
    assert_eq!(browser.post("/sign-out", &[("csrf", &page.field("csrf"))]).await.status, 200);
    browser.cookies = kept;
    assert!(browser.get("/").await.body.contains("Sign in"), "the token is dead, not only forgotten");

    let mut browser = world.browser(SUPPORT).await;
    let mut person =
        world.approvals.people().await.unwrap().into_iter().find(|one| one.name == "Support").unwrap();
    person.active = false;
    world.approvals.put_person(&person).await.unwrap();
    assert!(browser.get("/").await.body.contains("Sign in"));

    let mut browser = world.browser(FINANCE_LEAD).await;
    world.wait(8 * 3600);
    assert!(browser.get("/").await.body.contains("Sign in"));
}
