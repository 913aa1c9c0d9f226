use sandbox::{
    oidc::Fault,
    people::{FINANCE_LEAD, FORMER, GUEST, OUTSIDER, SUPPORT},
};

use crate::world::{Browser, World};

#[tokio::test]
async fn the_session_cookie_is_for_this_host_alone_and_out_of_reach_of_scripts() {
    let world = World::new().await;
    let mut browser = Browser::new(&world.app);
    let answer = browser.sign_in(FINANCE_LEAD, "/requests/new").await;
    assert_eq!(answer.header("location"), "/requests/new");
    let cookie = answer.cookies.iter().find(|cookie| cookie.starts_with("__Host-session=")).unwrap();
    for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=28800"] {
        assert!(cookie.split("; ").any(|given| given == part), "{part}: {cookie}");
    }
    assert!(!cookie.contains("Domain"));
}

#[tokio::test]
async fn who_is_not_a_full_member_of_the_registry_gets_no_session() {
    let world = World::new().await;
    world.sandbox.oidc.set_fault(Some(Fault::AnybodySignsIn));
    for user in [OUTSIDER, GUEST, FORMER] {
        let mut browser = Browser::new(&world.app);
        let answer = browser.sign_in(user, "/").await;
        assert_eq!(answer.status, 403, "{user}: {}", answer.body);
        assert!(!browser.cookies.contains_key("__Host-session"), "{user}");
    }
}

#[tokio::test]
async fn a_token_with_anything_wrong_signs_nobody_in() {
    let world = World::new().await;
    for fault in [
        Fault::WrongAudience,
        Fault::WrongIssuer,
        Fault::WrongNonce,
        Fault::Expired,
        Fault::AlgNone,
        Fault::Hs256WithSecret,
        Fault::UnknownKid,
        Fault::BadSignature,
    ] {
        world.sandbox.oidc.set_fault(Some(fault));
        let mut browser = Browser::new(&world.app);
        let answer = browser.sign_in(FINANCE_LEAD, "/").await;
        assert_eq!(answer.status, 403, "{fault:?}: {}", answer.body);
        assert!(!browser.cookies.contains_key("__Host-session"), "{fault:?}");
    }
    world.sandbox.oidc.set_fault(Some(Fault::TokenServerError));
    let answer = Browser::new(&world.app).sign_in(FINANCE_LEAD, "/").await;
    assert!(matches!(answer.status, 403 | 503), "{}", answer.status);
}

#[tokio::test]
async fn a_sign_in_that_another_browser_began_is_refused() {
    let world = World::new().await;
    let mut theirs = Browser::new(&world.app);
    let back = theirs.at_provider(FINANCE_LEAD, "/").await;
    let mut mine = Browser::new(&world.app);
    assert_eq!(mine.get(&back).await.status, 403, "no cookie");
    mine.at_provider(SUPPORT, "/").await;
    assert_eq!(mine.get(&back).await.status, 403, "another state");
    assert!(!mine.cookies.contains_key("__Host-session"));
    let mut late = Browser::new(&world.app);
    let back = late.at_provider(FINANCE_LEAD, "/").await;
    world.wait(601);
    assert_eq!(late.get(&back).await.status, 403, "too late");
    let mut forged = Browser::new(&world.app);
    let back = forged.at_provider(FINANCE_LEAD, "/").await;
    let cookie = forged.cookies.get_mut("__Host-oidc").unwrap();
    cookie.insert(3, 'A');
    assert_eq!(forged.get(&back).await.status, 403, "a changed cookie");
}

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
