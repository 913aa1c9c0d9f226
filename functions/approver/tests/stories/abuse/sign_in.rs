//! 17 to 19 and 26: who somebody is.

use domain::approval::Identity;
use sandbox::{
    oidc::Fault,
    people::{FINANCE_LEAD, FORMER, GUEST, OTHER_TEAM, OUTSIDER, Person, ROBOT, SUPPORT},
};

use super::untouched;
use crate::world::{Browser, World, person};

#[tokio::test]
async fn abuse_17_the_same_user_id_of_another_workspace_is_somebody_else() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let before = world.file(&id).await;
    world.sandbox.people.put(Person::member(
        FINANCE_LEAD,
        OTHER_TEAM,
        "Impostor",
        "finance-lead@example.test",
    ));
    let mut impostor = Browser::new(&world.app);
    let answer = impostor.sign_in(FINANCE_LEAD, "/").await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert!(!impostor.cookies.contains_key("__Host-session"));
    untouched(&world, &before).await;
}

#[tokio::test]
async fn abuse_18_a_token_with_anything_wrong_signs_nobody_in() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let before = world.file(&id).await;
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
    for fault in [Fault::TokenServerError, Fault::KeysServerError] {
        world.sandbox.oidc.set_fault(Some(fault));
        world.wait(301);
        let mut browser = Browser::new(&world.app);
        // With its keys out of reach the provider cannot even be gone to.
        let answer = browser.get("/sign-in").await;
        let status = if answer.status == 303 {
            browser.sign_in(FINANCE_LEAD, "/").await.status
        } else {
            answer.status
        };
        assert!(matches!(status, 403 | 503), "{fault:?}: {status}");
        assert!(!browser.cookies.contains_key("__Host-session"), "{fault:?}");
    }
    untouched(&world, &before).await;
}

#[tokio::test]
async fn abuse_19_a_sign_in_that_another_browser_began_is_refused() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let before = world.file(&id).await;
    let mut theirs = Browser::new(&world.app);
    let back = theirs.at_provider(FINANCE_LEAD, "/").await;
    let mut mine = Browser::new(&world.app);
    assert_eq!(mine.get(&back).await.status, 403, "no cookie");
    let without_state = back.split('&').filter(|pair| !pair.contains("state=")).collect::<Vec<_>>().join("&");
    mine.at_provider(SUPPORT, "/").await;
    let cookies = mine.cookies.clone();
    assert_eq!(mine.get(&back).await.status, 403, "another state");
    mine.cookies = cookies;
    assert_eq!(mine.get(&without_state).await.status, 403, "no state");
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
    untouched(&world, &before).await;
}

#[tokio::test]
async fn abuse_26_the_session_cookie_is_for_this_host_alone_and_out_of_reach_of_scripts() {
    let world = World::new().await;
    let mut browser = Browser::new(&world.app);
    let answer = browser.sign_in(FINANCE_LEAD, "/requests/new").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/requests/new"));
    let cookie = answer.cookies.iter().find(|cookie| cookie.starts_with("__Host-session=")).unwrap();
    for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=28800"] {
        assert!(cookie.split("; ").any(|given| given == part), "{part}: {cookie}");
    }
    assert!(!cookie.contains("Domain"));
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn abuse_33_a_bot_a_guest_and_a_deactivated_account_decide_nothing() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let before = world.file(&id).await;
    world.sandbox.oidc.set_fault(Some(Fault::AnybodySignsIn));
    for user in [OUTSIDER, GUEST, FORMER, ROBOT] {
        let mut browser = Browser::new(&world.app);
        let answer = browser.sign_in(user, "/").await;
        assert_eq!(answer.status, 403, "{user}: {}", answer.body);
        assert!(!browser.cookies.contains_key("__Host-session"), "{user}");
    }
    // Nor somebody who became one after they had signed in and opened the page.
    let lead = world.approvals.person(&person(&FINANCE_LEAD.to_lowercase())).await.unwrap().unwrap();
    let changes: [fn(&mut domain::approval::Person); 5] = [
        |one| one.active = false,
        |one| one.kind = domain::approval::PersonKind::Guest,
        |one| one.kind = domain::approval::PersonKind::Bot,
        |one| one.identities = vec![Identity { team: OTHER_TEAM.into(), user: FINANCE_LEAD.into() }],
        |one| one.groups.clear(),
    ];
    for change in changes {
        world.approvals.put_person(&lead).await.unwrap();
        let mut browser = world.browser(FINANCE_LEAD).await;
        let (digest, csrf) = browser.token(&id).await;
        let mut changed = lead.clone();
        change(&mut changed);
        world.approvals.put_person(&changed).await.unwrap();
        let answer = browser.vote(&id, "approve", &digest, &csrf).await;
        assert_eq!(answer.status, 403, "{}", answer.body);
    }
    untouched(&world, &before).await;
}

#[tokio::test]
async fn abuse_89_a_session_is_new_with_each_sign_in_and_nobody_can_plant_one() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let before = world.file(&id).await;
    let planted = "A".repeat(43);
    let mut victim = Browser::new(&world.app);
    victim.cookies.insert("__Host-session".into(), planted.clone());
    assert!(victim.get("/").await.body.contains("Sign in"), "a token that was never given out is none");
    victim.sign_in(FINANCE_LEAD, "/").await;
    let session = victim.cookies["__Host-session"].clone();
    assert_ne!(session, planted);
    let mut attacker = Browser::new(&world.app);
    attacker.cookies.insert("__Host-session".into(), planted);
    assert!(attacker.get("/").await.body.contains("Sign in"), "it did not become one");
    victim.sign_in(FINANCE_LEAD, "/").await;
    assert_ne!(victim.cookies["__Host-session"], session, "and each is another");
    // Two cookies of that name, whichever comes first, are none.
    let theirs = world.browser(SUPPORT).await.cookies["__Host-session"].clone();
    for pair in [[&session, &theirs], [&theirs, &session]] {
        let both: Vec<String> = pair.iter().map(|value| format!("__Host-session={value}")).collect();
        let answer = attacker.send("GET", "/", "", |event| event["cookies"] = both.into()).await;
        assert!(answer.body.contains("Sign in"), "{}", answer.body);
    }
    untouched(&world, &before).await;
}
