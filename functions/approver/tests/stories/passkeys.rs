//! Approving with a passkey: above 5000 USD nothing else counts.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use approver::App;
use domain::{
    ProposalId, Timestamp,
    approval::{CredentialId, PasskeyChange, Passkeys, Stage},
};
use sandbox::{
    passkey::{Authenticator, Signed, client_data},
    people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT},
    world::Function,
};

use crate::world::{Answer, Browser, ORIGIN, World, person};

const HOST: &str = "localhost";
const LARGE: i64 = 500_001;
const TYPED: &str = "5000.01";

/// Somebody signed in, with a passkey.
pub(crate) struct Signer<'a> {
    pub(crate) browser: Browser<'a>,
    pub(crate) device: Authenticator,
}

/// What a page's form asks of the browser.
fn attribute(page: &Answer, name: &str) -> String {
    let after = page.body.split(&format!("{name}=\"")).nth(1);
    after.unwrap_or_else(|| panic!("no `{name}` in {}", page.body)).split('"').next().unwrap().to_owned()
}

impl World {
    /// Somebody with a passkey that an administrator has confirmed.
    pub(crate) async fn with_passkey(&self, user: &str) -> Signer<'_> {
        let mut browser = self.browser(user).await;
        let device = Authenticator::es256().unwrap();
        let answer = enrol(&mut browser, &device).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/passkeys"), "{}", answer.body);
        self.confirm(user, &device).await;
        Signer { browser, device }
    }

    async fn confirm(&self, user: &str, device: &Authenticator) {
        let by = person("admin");
        self.change(user, PasskeyChange::Confirmed { credential: id_of(device), by }).await;
    }

    async fn change(&self, user: &str, change: PasskeyChange) {
        let before = self.approvals.passkeys(&person(&user.to_lowercase())).await.unwrap();
        let (after, entry) = before.value.after(change.clone(), self.now()).unwrap();
        assert!(self.approvals.change_passkeys(&before, &change, &after, &entry).await.unwrap());
    }

    async fn nothing_happened(&self, id: &ProposalId) {
        assert!(self.file(id).await.votes.is_empty());
        assert_eq!((self.stage(id).await, self.writes().len()), (Stage::Pending, 0));
    }
}

fn id_of(device: &Authenticator) -> CredentialId {
    CredentialId::parse(device.credential()).unwrap()
}

/// Adds a passkey on the page for it.
async fn enrol(browser: &mut Browser<'_>, device: &Authenticator) -> Answer {
    let page = browser.get("/passkeys").await;
    let client = client_data("webauthn.create", &attribute(&page, "data-challenge"), ORIGIN);
    let fields = [
        ("name", "Laptop"),
        ("client_data", &base64url(&client)),
        ("attestation", &device.registration(HOST)),
        ("nonce", &page.field("nonce")),
        ("csrf", &page.field("csrf")),
    ];
    browser.post("/passkeys", &fields).await
}

fn base64url(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(text)
}

/// The fields of a vote.
fn vote(page: &Answer, credential: &str, signed: &Signed, typed: &str) -> Vec<(&'static str, String)> {
    let form = page.body.split("data-passkey").nth(1).unwrap();
    let form = Answer { body: form.split("</form>").next().unwrap().to_owned(), ..page.clone() };
    vec![
        ("decision", "approve".to_owned()),
        ("digest", form.field("digest")),
        ("csrf", form.field("csrf")),
        ("nonce", form.field("nonce")),
        ("amount", typed.to_owned()),
        ("credential", credential.to_owned()),
        ("client_data", signed.client_data.clone()),
        ("authenticator_data", signed.authenticator_data.clone()),
        ("signature", signed.signature.clone()),
        ("user_handle", String::new()),
    ]
}

impl Signer<'_> {
    /// Opens the review page, lets the passkey answer it and approves.
    pub(crate) async fn approve(&mut self, id: &ProposalId, typed: &str) -> Answer {
        let page = self.open(id).await;
        let fields = self.signed(&page, typed);
        self.send(id, &fields).await
    }

    async fn open(&mut self, id: &ProposalId) -> Answer {
        let page = self.browser.get(&format!("/a/{id}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        self.browser.read();
        page
    }

    fn signed(&mut self, page: &Answer, typed: &str) -> Vec<(&'static str, String)> {
        let client = client_data("webauthn.get", &attribute(page, "data-challenge"), ORIGIN);
        let signed = self.device.answer(HOST, &client).unwrap();
        vote(page, &self.device.credential(), &signed, typed)
    }

    async fn send(&mut self, id: &ProposalId, fields: &[(&str, String)]) -> Answer {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.browser.post(&format!("/a/{id}"), &fields).await
    }
}

#[tokio::test]
async fn above_the_threshold_nothing_is_approved_without_a_confirmed_passkey() {
    let world = World::new().await;
    let (id, _) = world.proposed(LARGE).await;
    let mut finance = world.browser(FINANCE_LEAD).await;
    let device = Authenticator::es256().unwrap();
    for unconfirmed in [false, true] {
        if unconfirmed {
            assert_eq!(enrol(&mut finance, &device).await.status, 303);
            assert!(finance.get("/passkeys").await.body.contains("Not confirmed"));
        }
        let page = finance.get(&format!("/a/{id}")).await;
        assert!(page.body.contains("you have none that is confirmed"), "{}", page.body);
        assert!(!page.body.contains("value=\"approve\"") && page.body.contains("value=\"deny\""));
        let (digest, csrf) = finance.token(&id).await;
        let fields = [
            ("decision", "approve"),
            ("digest", digest.as_str()),
            ("csrf", csrf.as_str()),
            ("amount", TYPED),
        ];
        let answer = finance.post(&format!("/a/{id}"), &fields).await;
        assert_eq!(answer.status, 403, "{}", answer.body);
        assert!(answer.body.contains("add one under Passkeys"), "{}", answer.body);
        world.nothing_happened(&id).await;
    }
    let answer = finance.decide(&id, "deny").await;
    assert!(answer.body.contains("You denied it"), "a denial needs none: {}", answer.body);
}

#[tokio::test]
async fn with_their_passkeys_two_people_sign_and_it_is_done_once() {
    let world = World::new().await;
    let (id, _) = world.proposed(LARGE).await;
    let mut lead = world.with_passkey(FINANCE_LEAD).await;
    let mut second = world.with_passkey(FINANCE_SECOND).await;
    let page = lead.open(&id).await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'sha256-") && page.body.contains("<script>"), "{policy}");
    let inbox = lead.browser.get("/").await;
    assert!(!inbox.header("content-security-policy").contains("script") && !inbox.body.contains("<script"));

    let answer = lead.approve(&id, TYPED).await;
    assert!(answer.body.contains("1 of 2 have signed"), "{}", answer.body);
    assert!(answer.body.contains(&lead.device.credential()), "the receipt names the passkey");
    assert_eq!(world.writes().len(), 0);
    let answer = second.approve(&id, TYPED).await;
    assert!(answer.body.contains("Approved and done"), "{}", answer.body);
    assert_eq!((world.refunds(), world.writes().len()), (1, 1));
    let file = world.file(&id).await;
    // What an auditor gets is enough to see that what was signed is what was executed.
    let all = store::excerpt(&world.cases, &world.approvals, id.as_str()).await.unwrap().unwrap();
    for vote in &file.votes {
        let trail = &all.trails[&Passkeys::subject(&vote.person)];
        let then = Passkeys::as_of(vote.person.clone(), trail, vote.receipt.body.at).unwrap();
        assert!(then.carry(&vote.receipt).is_ok());
    }
    let claimed = file.trail.iter().find(|entry| entry.event == "claimed").unwrap();
    assert!(claimed.body.contains("\"passkey\":true"), "{}", claimed.body);
}

/// A copy of the starter policy that asks for a passkey whatever the amount.
fn strict() -> PathBuf {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strict-policy");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/policy"), &to);
    let file = to.join("approvals.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("passkey_above = { usd = 500000", "passkey_above = { usd = 0")).unwrap();
    to
}

#[tokio::test]
async fn a_vote_from_before_the_policy_asked_for_a_passkey_does_not_count_after_it() {
    let world = World::new().await;
    let (id, _) = world.proposed(60_000).await;
    let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert!(answer.body.contains("1 of 2 have signed"), "{}", answer.body);
    let mut second = world.with_passkey(FINANCE_SECOND).await;
    let variables = world.sandbox.variables(Function::Approver).into_iter();
    let policy = strict();
    let more = [("POLICY_DIR", policy.to_str().unwrap()), ("STRIPE_ACCOUNT", "acct_1SANDBOX")];
    let more = more.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let clock = world.clock.clone();
    let now: runtime::Clock = Arc::new(move || Timestamp::from_seconds(clock.seconds()));
    let app = App::from_env(&variables.chain(more).collect(), now).await.unwrap();
    second.browser.app = &app;
    let answer = second.approve(&id, "").await;
    assert!(answer.body.contains("1 of 2 have signed"), "the stricter wins: {}", answer.body);
    assert_eq!((world.stage(&id).await, world.writes().len()), (Stage::Pending, 0));
}

#[tokio::test]
async fn below_the_threshold_nobody_is_asked_for_one() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let mut lead = world.with_passkey(FINANCE_LEAD).await;
    let page = lead.open(&id).await;
    assert!(!page.body.contains("data-passkey") && !page.body.contains("<script"), "{}", page.body);
    let answer = lead.browser.decide(&id, "approve").await;
    assert!(answer.body.contains("Approved and done"), "{}", answer.body);
    assert!(world.file(&id).await.votes[0].receipt.assertion.is_none());
}

#[tokio::test]
async fn no_other_answer_of_a_passkey_counts_and_nothing_is_sent() {
    let world = World::new().await;
    let (id, _) = world.proposed(LARGE).await;
    let (other, _) = world.proposed(LARGE).await;
    let mut lead = world.with_passkey(FINANCE_LEAD).await;
    let mut second = world.with_passkey(FINANCE_SECOND).await;

    // What was signed for another proposal.
    let for_other = {
        let page = lead.open(&other).await;
        lead.signed(&page, TYPED)
    };
    let page = lead.open(&id).await;
    let mut replayed = lead.signed(&page, TYPED);
    for (field, value) in &mut replayed {
        if ["client_data", "authenticator_data", "signature"].contains(field) {
            *value = for_other.iter().find(|(name, _)| name == field).unwrap().1.clone();
        }
    }
    // The whole form of the other proposal.
    let whole = lead.send(&id, &for_other).await;
    assert_eq!(whole.status, 403, "{}", whole.body);

    // A colleague's device, their own id or one's own.
    let challenge = attribute(&page, "data-challenge");
    let honest = client_data("webauthn.get", &challenge, ORIGIN);
    let theirs = second.device.answer(HOST, &honest).unwrap();
    let borrowed = vote(&page, &second.device.credential(), &theirs, TYPED);
    let disguised = vote(&page, &lead.device.credential(), &theirs, TYPED);

    let mut say = |client: String, host: &str, flags: u8| {
        lead.device.flags = flags;
        let signed = lead.device.answer(host, &client).unwrap();
        vote(&page, &lead.device.credential(), &signed, TYPED)
    };
    let elsewhere = client_data("webauthn.get", &challenge, "https://evil.test");
    let answers = [
        ("another proposal", replayed),
        ("a colleague's passkey", borrowed),
        ("a colleague's passkey in disguise", disguised),
        ("another site", say(elsewhere, HOST, 0x05)),
        ("another relying party", say(honest.clone(), "evil.test", 0x05)),
        ("nobody verified", say(honest.clone(), HOST, 0x01)),
        ("nobody present", say(honest.clone(), HOST, 0x04)),
        ("another ceremony", say(client_data("webauthn.create", &challenge, ORIGIN), HOST, 0x05)),
    ];
    let good = say(honest, HOST, 0x05);
    let changed = |name: &str, value: &str| {
        let mut fields = good.clone();
        for (field, old) in &mut fields {
            if *field == name {
                value.clone_into(old);
            }
        }
        fields
    };
    let more = [
        ("no passkey", changed("credential", "")),
        ("no signature", changed("signature", "")),
        ("another person's handle", changed("user_handle", "AAAA")),
        ("another nonce", changed("nonce", "x")),
    ];
    for (what, fields) in answers.into_iter().chain(more) {
        let answer = lead.send(&id, &fields).await;
        assert_eq!(answer.status, 403, "{what}: {}", answer.body);
        world.nothing_happened(&id).await;
    }
    let answer = lead.send(&id, &good).await;
    assert!(answer.body.contains("1 of 2 have signed"), "all else was right: {}", answer.body);
}

#[tokio::test]
async fn a_counter_that_goes_back_is_refused() {
    let world = World::new().await;
    let (first, _) = world.proposed(LARGE).await;
    let (next, _) = world.proposed(LARGE).await;
    let mut lead = world.with_passkey(FINANCE_LEAD).await;
    lead.device.counter = 9;
    assert_eq!(lead.approve(&first, TYPED).await.status, 200);
    for copied in [9, 5, 0] {
        lead.device.counter = copied;
        let answer = lead.approve(&next, TYPED).await;
        assert_eq!(answer.status, 403, "{copied}");
        assert!(answer.body.contains("there may be a copy of it"), "{}", answer.body);
        world.nothing_happened(&next).await;
    }
    lead.device.counter = 10;
    assert_eq!(lead.approve(&next, TYPED).await.status, 200);
}

#[tokio::test]
async fn a_passkey_that_is_removed_before_the_execution_takes_its_vote_with_it() {
    let world = World::new().await;
    let (id, _) = world.proposed(LARGE).await;
    let mut lead = world.with_passkey(FINANCE_LEAD).await;
    let mut second = world.with_passkey(FINANCE_SECOND).await;
    assert_eq!(lead.approve(&id, TYPED).await.status, 200);
    let page = lead.browser.get("/passkeys").await;
    let csrf = page.body.split("name=\"credential\"").nth(1).unwrap();
    let csrf = csrf.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let credential = lead.device.credential();
    let answer = lead.browser.post("/passkeys/remove", &[("credential", &credential), ("csrf", csrf)]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let answer = second.approve(&id, TYPED).await;
    assert!(answer.body.contains("1 of 2 have signed"), "{}", answer.body);
    assert_eq!((world.stage(&id).await, world.writes().len()), (Stage::Pending, 0));
    let own = world.approvals.passkeys(&person(&FINANCE_LEAD.to_lowercase())).await.unwrap().value;
    let trail = world.approvals.passkeys_trail(&own.person).await.unwrap();
    let events: Vec<_> = trail.iter().map(|entry| entry.event.as_str()).collect();
    assert_eq!(events, ["passkey_enrolled", "passkey_confirmed", "passkey_removed"]);
    assert!(!serde_json::to_string(&trail).unwrap().contains("Laptop"), "what people write stays out of it");
}

#[tokio::test]
async fn a_passkey_is_enrolled_once_by_one_person_from_their_own_page() {
    let world = World::new().await;
    let mut lead = world.with_passkey(FINANCE_LEAD).await;
    let mut support = world.browser(SUPPORT).await;
    let answer = enrol(&mut support, &lead.device).await;
    assert_eq!(answer.status, 422, "{}", answer.body);
    assert!(answer.body.contains("enrolled already"), "{}", answer.body);
    // Nor again after it was removed.
    let credential = id_of(&lead.device);
    world.change(FINANCE_LEAD, PasskeyChange::Removed { credential, by: person("admin") }).await;
    assert_eq!(enrol(&mut lead.browser, &lead.device).await.status, 422);

    // A registration that somebody else's page asked for, and one from long ago.
    let fresh = Authenticator::ed25519().unwrap();
    let page = support.get("/passkeys").await;
    let client = base64url(&client_data("webauthn.create", &attribute(&page, "data-challenge"), ORIGIN));
    let (nonce, csrf) = (page.field("nonce"), page.field("csrf"));
    let attestation = fresh.registration(HOST);
    let fields = [
        ("name", "Key"),
        ("client_data", client.as_str()),
        ("attestation", attestation.as_str()),
        ("nonce", nonce.as_str()),
        ("csrf", csrf.as_str()),
    ];
    assert_eq!(lead.browser.post("/passkeys", &fields).await.status, 403);
    world.wait(3601);
    assert_eq!(support.post("/passkeys", &fields).await.status, 403);
    assert_eq!(enrol(&mut support, &fresh).await.status, 303, "either algorithm is taken");
    assert!(Browser::new(&world.app).get("/passkeys").await.body.contains("Sign in"));
}
