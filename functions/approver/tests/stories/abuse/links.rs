//! 1 to 16: what a link gives away, and to whom.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use domain::{
    ProposalId,
    approval::{Identity, Link, LinkKeys, Stage},
};
use sandbox::people::{FINANCE_LEAD, FINANCE_SECOND, OUTSIDER, TEAM};
use serde_json::Value;
use store::ProposalFile;

use super::{untouched, vote_form};
use crate::world::{Browser, LOGS, World};

/// A proposal, and the link that the finance lead was sent.
struct Sent {
    world: World,
    id: ProposalId,
    path: String,
    token: String,
    before: ProposalFile,
}

async fn sent() -> Sent {
    let world = Box::pin(World::new()).await;
    let (id, _) = Box::pin(world.proposed(1999)).await;
    let link = world.link_of(FINANCE_LEAD);
    let (path, token) = link.split_once("?t=").unwrap();
    let (path, token) = (path.to_owned(), token.to_owned());
    let before = world.file(&id).await;
    Sent { world, id, path, token, before }
}

impl Sent {
    /// Follows a link with this token as somebody who is not signed in.
    async fn follow(&self, token: &[u8]) -> (u16, String) {
        let token: String = form_urlencoded::byte_serialize(token).collect();
        let answer = Browser::new(&self.world.app).get(&format!("{}?t={token}", self.path)).await;
        (answer.status, answer.body)
    }

    /// Every one of these gets the very answer that an address gets where nothing is.
    async fn refuses<T: AsRef<[u8]>>(&self, tokens: impl IntoIterator<Item = T>) {
        let nowhere = Browser::new(&self.world.app).get("/nowhere").await;
        assert_eq!(nowhere.status, 404);
        for token in tokens {
            let (status, body) = self.follow(token.as_ref()).await;
            let token = String::from_utf8_lossy(token.as_ref()).into_owned();
            assert_eq!((status, &body), (404, &nowhere.body), "{token}");
        }
        untouched(&self.world, &self.before).await;
    }

    /// A token of the deployment's own key, for what `change` makes of an honest link.
    fn minted(&self, kid: &str, change: impl FnOnce(&mut Link)) -> String {
        let keys: Value = serde_json::from_str(&self.world.sandbox.keys.link_keys).unwrap();
        let key = STANDARD.decode(keys["keys"][0]["key"].as_str().unwrap()).unwrap();
        let mut link = Link {
            audience: "local".into(),
            proposal: self.id.clone(),
            digest: self.before.proposal().digest,
            approver: Identity { team: TEAM.into(), user: FINANCE_LEAD.into() },
            issued: self.world.now(),
            expires: self.world.now().plus(3600),
            nonce: [7; 16],
        };
        change(&mut link);
        LinkKeys::new([(kid.to_owned(), key)]).mint(&link).unwrap()
    }
}

#[tokio::test]
async fn abuse_01_a_preview_of_a_link_shows_nothing_of_what_is_behind_it() {
    let sent = Box::pin(sent()).await;
    let url = format!("{}?t={}", sent.path, sent.token);
    let mut scanner = Browser::new(&sent.world.app);
    let robot = "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)";
    let answer = scanner.send("GET", &url, "", |event| event["headers"]["user-agent"] = robot.into()).await;
    assert_eq!(answer.status, 200);
    let action = &sent.before.proposal().action;
    for detail in
        ["19.99", "USD", "Refund", "Customer", "cus_", action.operation.object().as_str(), &sent.token]
    {
        assert!(!answer.body.contains(detail), "{detail}: {}", answer.body);
    }
    untouched(&sent.world, &sent.before).await;
}

#[tokio::test]
async fn abuse_02_a_hundred_reads_change_nothing() {
    let sent = Box::pin(sent()).await;
    let url = format!("{}?t={}", sent.path, sent.token);
    let mut scanner = Browser::new(&sent.world.app);
    for _ in 0..50 {
        let get = scanner.get(&url).await;
        let head = scanner.send("HEAD", &url, "", |_| {}).await;
        assert_eq!((get.status, head.status, head.body.as_str()), (200, 200, ""));
        assert_eq!(head.headers, get.headers);
        assert!(get.cookies.is_empty() && head.cookies.is_empty());
    }
    assert_eq!(sent.before.votes, []);
    untouched(&sent.world, &sent.before).await;
}

#[tokio::test]
async fn abuse_03_a_decision_in_an_address_is_none() {
    let sent = Box::pin(sent()).await;
    let mut lead = sent.world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = lead.token(&sent.id).await;
    let url = format!("{}?decision=approve&digest={digest}&csrf={csrf}", sent.path);
    for method in ["GET", "HEAD"] {
        assert_eq!(lead.send(method, &url, "", |_| {}).await.status, 200);
    }
    untouched(&sent.world, &sent.before).await;
}

#[tokio::test]
async fn abuse_04_only_get_head_and_post_are_answered() {
    let sent = Box::pin(sent()).await;
    let mut lead = sent.world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = lead.token(&sent.id).await;
    let form = vote_form("approve", &digest, &csrf);
    for path in [
        sent.path.clone(),
        format!("{}/withdraw", sent.path),
        "/".into(),
        "/requests".into(),
        "/sign-out".into(),
    ] {
        for method in ["OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "APPROVE"] {
            let answer = lead
                .send(method, &path, &form, |event| {
                    event["body"] = form.clone().into();
                    event["headers"]["content-type"] = "application/x-www-form-urlencoded".into();
                    event["headers"]["origin"] = crate::world::ORIGIN.into();
                    // What frameworks take for another method is a header like any other here.
                    event["headers"]["x-http-method-override"] = "POST".into();
                })
                .await;
            assert!(matches!(answer.status, 404 | 405), "{method} {path}: {}", answer.status);
        }
    }
    untouched(&sent.world, &sent.before).await;
}

#[tokio::test]
async fn abuse_06_any_flipped_bit_of_a_token_is_found() {
    let sent = Box::pin(sent()).await;
    assert_eq!(sent.follow(sent.token.as_bytes()).await.0, 200, "as it was sent");
    let flipped = (0..sent.token.len()).flat_map(|place| (0..8).map(move |bit| (place, bit)));
    let tokens = flipped.map(|(place, bit)| {
        let mut token = sent.token.clone().into_bytes();
        token[place] ^= 1 << bit;
        token
    });
    sent.refuses(tokens).await;
}

#[tokio::test]
async fn abuse_07_a_token_that_is_cut_longer_or_written_otherwise_is_none() {
    let sent = Box::pin(sent()).await;
    let token = &sent.token;
    let parts: Vec<&str> = token.split('.').collect();
    let [version, kid, payload, mac] = parts[..] else { panic!("{token}") };
    let cut = (0..token.len()).map(|length| token[..length].to_owned());
    let longer = ["A", "=", ".", "%00", "\0", " ", "\n", ".A", "A="].map(|more| format!("{token}{more}"));
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let padded = [
        format!("{version}.{kid}.{}.{mac}", URL_SAFE.encode(decode(payload))),
        format!("{version}.{kid}.{payload}.{}", URL_SAFE.encode(decode(mac))),
        format!("{version}.{kid}.{}.{}", URL_SAFE.encode(decode(payload)), URL_SAFE.encode(decode(mac))),
    ];
    let padded = padded.into_iter().filter(|other| other != token);
    let standard = format!(
        "{version}.{kid}.{}.{}",
        STANDARD.encode(decode(payload)).trim_end_matches('='),
        STANDARD.encode(decode(mac)).trim_end_matches('=')
    );
    // A MAC of 32 bytes leaves two spare bits in its last digit.
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = digits.iter().position(|digit| Some(digit) == mac.as_bytes().last()).unwrap();
    let spare =
        (1..4).map(|bits| format!("{}{}", &token[..token.len() - 1], char::from(digits[last | bits])));
    let spaced = [format!(" {token}"), token.replacen('.', "..", 1), token.to_uppercase(), "A".repeat(513)];
    let all = cut.chain(longer).chain(padded).chain(spare).chain(spaced);
    sent.refuses(all.chain((standard != *token).then_some(standard))).await;
}

#[tokio::test]
async fn abuse_08_a_token_of_a_key_that_is_unknown_retired_or_another_is_none() {
    let sent = Box::pin(sent()).await;
    assert_eq!(sent.follow(sent.minted("l1", |_| {}).as_bytes()).await.0, 200, "minted as we do");
    let other = sent.minted("l1", |_| {}).replacen("v1.l1.", "v1.l2.", 1);
    // The right key under a name that the header does not have.
    let within = sent.minted("l2", |_| {}).replacen("v1.l2.", "v1.l1.", 1);
    sent.refuses([other, sent.minted("l2", |_| {}), within]).await;
    assert!(sent.world.approvals.revoke_link_key("l1").await.unwrap());
    sent.refuses([&sent.token]).await;
}

#[tokio::test]
async fn abuse_09_a_token_of_another_version_or_without_a_mac_is_none() {
    let sent = Box::pin(sent()).await;
    let [_, kid, payload, mac] = sent.token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let zeros = URL_SAFE_NO_PAD.encode([0; 32]);
    let versions =
        ["v0", "v2", "V1", "", "none", "HS256"].map(|version| format!("{version}.{kid}.{payload}.{mac}"));
    let macs = ["", &zeros, "AA", "null"].map(|mac| format!("v1.{kid}.{payload}.{mac}"));
    sent.refuses(versions.into_iter().chain(macs).chain([format!("v1.{kid}.{payload}")])).await;
}

#[tokio::test]
async fn abuse_10_a_token_of_one_proposal_opens_no_other() {
    let sent = Box::pin(sent()).await;
    let (other, _) = sent.world.proposed(2999).await;
    let theirs = sent.world.link_of(FINANCE_LEAD).split_once("?t=").unwrap().1.to_owned();
    sent.refuses([theirs]).await;
    let answer = Browser::new(&sent.world.app).get(&format!("/a/{other}?t={}", sent.token)).await;
    assert_eq!(answer.status, 404);
    assert_eq!(sent.world.stage(&other).await, Stage::Pending);
}

#[tokio::test]
async fn abuse_11_a_token_of_another_deployment_is_none() {
    let sent = Box::pin(sent()).await;
    let of = |audience: &str| sent.minted("l1", |link| link.audience = audience.into());
    sent.refuses([of("staging"), of(""), of("local "), of("LOCAL")]).await;
}

#[tokio::test]
async fn abuse_12_what_has_expired_is_over_to_the_second() {
    let sent = Box::pin(sent()).await;
    let now = sent.world.now();
    let until = |seconds| sent.minted("l1", |link| link.expires = now.plus(seconds));
    sent.refuses([until(-1), until(0)]).await;
    assert_eq!(sent.follow(until(1).as_bytes()).await.0, 200);

    let Sent { world, id, .. } = sent;
    let expires = world.file(&id).await.proposal().action.expires;
    world.wait(u64::try_from(expires.since(world.now())).unwrap() - 7);
    let mut lead = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = lead.token(&id).await;
    world.wait(u64::try_from(expires.since(world.now())).unwrap());
    let before = world.file(&id).await;
    for decision in ["approve", "deny"] {
        let answer = lead.vote(&id, decision, &digest, &csrf).await;
        assert_eq!(answer.status, 410, "{}", answer.body);
    }
    untouched(&world, &before).await;
    world.settle().await;
    assert!(matches!(world.stage(&id).await, Stage::Expired { .. }));
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn abuse_13_a_token_from_the_future_is_none_beyond_a_minute() {
    let sent = Box::pin(sent()).await;
    let now = sent.world.now();
    let at = |seconds| sent.minted("l1", |link| link.issued = now.plus(seconds));
    sent.refuses([at(61), at(86_400)]).await;
    assert_eq!(sent.follow(at(60).as_bytes()).await.0, 200, "clocks differ");
}

#[tokio::test]
async fn abuse_15_a_link_that_was_passed_on_opens_nothing_for_a_colleague() {
    let sent = Box::pin(sent()).await;
    let url = format!("{}?t={}", sent.path, sent.token);
    let answer = sent.world.browser(FINANCE_SECOND).await.get(&url).await;
    assert_eq!(answer.status, 403);
    assert!(
        answer.body.contains("sent to somebody else") && !answer.body.contains("19.99"),
        "{}",
        answer.body
    );
    let logged = LOGS.text();
    let line =
        logged.lines().find(|line| line.contains("another person's link") && line.contains(sent.id.as_str()));
    let line = line.unwrap_or_else(|| panic!("nothing is logged: {logged}"));
    assert!(line.contains(FINANCE_LEAD) && line.contains(&FINANCE_SECOND.to_lowercase()), "both: {line}");
    untouched(&sent.world, &sent.before).await;
}

#[tokio::test]
async fn abuse_16_a_link_that_was_passed_on_opens_nothing_for_an_outsider() {
    let sent = Box::pin(sent()).await;
    let mut outsider = Browser::new(&sent.world.app);
    let page = outsider.get(&format!("{}?t={}", sent.path, sent.token)).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Sign in") && !page.body.contains("19.99"), "{}", page.body);
    assert_eq!(outsider.sign_in(OUTSIDER, &sent.path).await.status, 403);
    assert_eq!(outsider.get(&sent.path).await.body, Browser::new(&sent.world.app).get(&sent.path).await.body);
    untouched(&sent.world, &sent.before).await;
}
