//! The endpoint in Stripe: made once, compared, repaired, and its secret rolled, whatever breaks off.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use domain::event::HANDLED;
use runtime::{Env, Secrets, aws::Aws, secrets::list, system_clock};
use sandbox::{
    Clock, Loopback, Shelf,
    stripe::{self, Fault, Stripe},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::support::{Folder, Ran, countersign};

const NAME: &str = "countersign/webhook/default";
const CREATE: &str = "POST /v1/webhook_endpoints";
const CHANGE: &str = "POST /v1/webhook_endpoints/we_";
const DELETE: &str = "DELETE /v1/webhook_endpoints";

type Deliveries = Arc<Mutex<Vec<(String, String)>>>;

/// A Stripe account, a place for secrets, and what ingress' address is told.
struct Account {
    stripe: Arc<Stripe>,
    got: Deliveries,
    url: String,
    api: Loopback,
    vault: Loopback,
    _receiver: Loopback,
}

async fn receive(State(got): State<Deliveries>, headers: HeaderMap, body: String) {
    let header = headers["stripe-signature"].to_str().unwrap().to_owned();
    got.lock().unwrap().push((header, body));
}

impl Account {
    async fn new() -> Self {
        let keys = vec![
            stripe::Key::restricted("rk_test_endpoints", ["rak_webhook_write"]),
            stripe::Key::restricted("rk_test_reader", ["rak_webhook_read"]),
        ];
        let options = stripe::Options::new("acct_1SANDBOX", keys);
        let stripe = Stripe::open(options, Shelf::memory().unwrap(), Clock::running()).unwrap();
        let secrets = sandbox::secrets::Secrets::open(Shelf::memory().unwrap(), Clock::running()).unwrap();
        secrets.put(NAME, " ").unwrap();
        let got = Deliveries::default();
        let router = Router::new().route("/stripe/default", post(receive)).with_state(Arc::clone(&got));
        let receiver = Loopback::serve(0, router).await.unwrap();
        Self {
            url: format!("{}/stripe/default", receiver.url()),
            api: Loopback::serve(0, stripe.router()).await.unwrap(),
            vault: Loopback::serve(0, secrets.router()).await.unwrap(),
            _receiver: receiver,
            stripe,
            got,
        }
    }

    fn aws(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", self.vault.url()),
        ]
    }

    /// `countersign webhook WORD --url URL …`, with other variables on top.
    async fn with(&self, word: &str, more: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = countersign(&[&["webhook", word, "--url", &self.url], more].concat());
        command.envs(self.aws()).env("STRIPE_API_BASE", self.api.url());
        command.env("STRIPE_API_KEY", "rk_test_endpoints").envs(variables.iter().copied());
        let ran = Ran::beside(command).await;
        for endpoint in self.stripe.objects("webhook_endpoint") {
            assert!(endpoint.get("secret").is_none(), "the account shows a secret");
        }
        ran
    }

    async fn run(&self, word: &str, more: &[&str]) -> Ran {
        self.with(word, more, &[]).await
    }

    /// The same until it succeeds; how often it failed.
    async fn until_good(&self, word: &str) -> usize {
        for failures in 0..5 {
            let ran = self.run(word, &["--secret", NAME]).await;
            assert!(!format!("{}{}", ran.out, ran.error).contains("whsec_"), "a secret is repeated");
            if ran.code == 0 {
                return failures;
            }
            assert!(ran.error.contains("run the same command again"), "{}{}", ran.out, ran.error);
        }
        panic!("it never succeeds");
    }

    fn endpoints(&self) -> Vec<Value> {
        let all = self.stripe.objects("webhook_endpoint").into_iter();
        all.filter(|one| one["deleted"] != true).collect()
    }

    async fn secrets(&self) -> Vec<SecretString> {
        let env: Env = self.aws().iter().map(|(name, value)| (*name, value.as_str())).collect();
        let text = Secrets::new(Aws::from_env(&env).unwrap().secrets_manager()).get(NAME).await;
        text.map(|text| list(NAME, &text).unwrap()).unwrap_or_default()
    }

    /// Whether an event that happens now arrives with a signature that ingress takes: the secrets that it would
    /// read now are those.
    async fn is_heard(&self) -> bool {
        self.got.lock().unwrap().clear();
        self.stripe.emit("invoice.paid", &json!({ "id": "in_1", "object": "invoice" })).unwrap();
        self.stripe.deliver_due().await;
        let secrets = ::stripe::EndpointSecrets::new(&self.secrets().await).unwrap();
        let got = self.got.lock().unwrap().clone();
        let now = (system_clock())();
        got.iter().any(|(header, body)| secrets.verify(header.as_bytes(), body.as_bytes(), now).is_ok())
    }

    /// As if the new secret had been kept two days ago.
    fn two_days_pass(&self) {
        let then = (system_clock())().plus(-2 * 86_400).seconds();
        for endpoint in
            self.endpoints().iter().filter(|one| one["metadata"]["countersign_replaces"].is_string())
        {
            let path = format!("/v1/webhook_endpoints/{}", endpoint["id"].as_str().unwrap());
            let form = format!("metadata[countersign_kept_at]={then}");
            self.stripe.request("POST", &path, &form).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_made_once_with_exactly_what_starts_work() {
    let account = Account::new().await;
    let absent = account.run("status", &[]).await;
    assert!(absent.code == 1 && absent.out.contains("webhook register --url"), "{}", absent.out);
    let ran = account.run("register", &["--secret", NAME]).await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.error);
    let all = account.endpoints();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["enabled_events"], json!(HANDLED));
    assert_eq!(all[0]["api_version"], ::stripe::API_VERSION);
    assert!(account.is_heard().await);
    for _ in 0..2 {
        let again = account.run("register", &["--secret", NAME]).await;
        assert!(again.code == 0 && again.out.contains("nothing was done"), "{}{}", again.out, again.error);
    }
    assert_eq!(account.endpoints(), all);
    let status = account.run("status", &["--secret", NAME]).await;
    assert!(status.code == 0 && status.out.contains("its signing secret is kept"), "{}", status.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_breaks_off_is_gone_on_with_and_leaves_one_endpoint() {
    for (fault, on, failures) in [
        (Fault::DropBeforeCommit, CREATE, 1),
        (Fault::DropAfterCommit, CREATE, 1),
        (Fault::ServerError { commits: true }, CREATE, 1),
        (Fault::ServerError { commits: false }, CREATE, 1),
        (Fault::DropBeforeCommit, CHANGE, 1),
        (Fault::DropAfterCommit, CHANGE, 1),
    ] {
        let account = Account::new().await;
        account.stripe.fault(fault.clone(), on, 1);
        assert_eq!(account.until_good("register").await, failures, "{fault:?} {on}");
        assert_eq!(account.endpoints().len(), 1, "{fault:?} {on}");
        assert!(account.is_heard().await, "{fault:?} {on}");
    }
    let account = Account::new().await;
    let nowhere = [("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1")];
    let broken = account.with("register", &["--secret", NAME], &nowhere).await;
    assert_eq!((broken.code, account.endpoints().len()), (1, 1), "made, and the secret is nowhere yet");
    account.until_good("register").await;
    assert_eq!(account.endpoints().len(), 1);
    assert!(account.is_heard().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_was_deleted_is_made_anew_on_the_same_day() {
    let account = Account::new().await;
    account.until_good("register").await;
    let path = format!("/v1/webhook_endpoints/{}", account.endpoints()[0]["id"].as_str().unwrap());
    account.stripe.request("DELETE", &path, "").unwrap();
    account.until_good("register").await;
    assert_eq!(account.endpoints().len(), 1);
    assert!(account.is_heard().await, "the secret is the new one's, and no answer of before");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_in_the_dashboard_is_told_and_repaired() {
    let account = Account::new().await;
    account.until_good("register").await;
    let path = format!("/v1/webhook_endpoints/{}", account.endpoints()[0]["id"].as_str().unwrap());
    let form = "disabled=true&enabled_events[0]=invoice.paid&enabled_events[1]=price.created";
    account.stripe.request("POST", &path, form).unwrap();
    let reader = [("STRIPE_API_KEY", "rk_test_reader")];
    let status = account.with("status", &[], &reader).await;
    assert_eq!(status.code, 1);
    for told in ["it is disabled", "`refund.failed`", "`price.created`", "webhook update --url"] {
        assert!(status.out.contains(told), "{told}: {}", status.out);
    }
    let refused = account.with("update", &[], &reader).await;
    assert!(refused.code == 1 && refused.error.contains("rak_webhook_write"), "{}", refused.error);
    let repaired = account.run("update", &[]).await;
    assert_eq!(repaired.code, 0, "{}{}", repaired.out, repaired.error);
    assert_eq!(account.run("status", &["--secret", NAME]).await.code, 0);
    assert!(account.is_heard().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_rolled_without_a_moment_in_which_none_is_valid() {
    let account = Account::new().await;
    account.until_good("register").await;
    let first = account.secrets().await;
    let old = account.endpoints()[0]["id"].clone();
    let begun = account.run("roll", &["--secret", NAME]).await;
    assert!(begun.code == 0 && begun.out.contains("run this again after"), "{}{}", begun.out, begun.error);
    assert_eq!((account.endpoints().len(), account.secrets().await.len()), (2, 2));
    assert!(account.is_heard().await);
    let early = account.run("roll", &["--secret", NAME]).await;
    assert!(early.out.contains("run this again after"), "{}", early.out);
    assert_eq!(account.endpoints().len(), 2, "no third one, and none too early away");
    assert_eq!(account.run("status", &["--secret", NAME]).await.code, 0);

    account.two_days_pass();
    let done = account.run("roll", &["--secret", NAME]).await;
    assert!(done.code == 0 && done.out.contains("has taken over"), "{}{}", done.out, done.error);
    let left = account.endpoints();
    assert!(left.len() == 1 && left[0]["id"] != old, "{left:?}");
    let secrets = account.secrets().await;
    assert_eq!(secrets.len(), 1);
    assert!(first[0].expose_secret() != secrets[0].expose_secret());
    assert!(account.is_heard().await);
    assert_eq!(account.run("status", &["--secret", NAME]).await.code, 0, "it is like any other");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_that_breaks_off_anywhere_goes_on_and_events_are_heard_throughout() {
    for (fault, on) in [
        (Fault::DropBeforeCommit, CREATE),
        (Fault::DropAfterCommit, CREATE),
        (Fault::ServerError { commits: true }, CREATE),
        (Fault::DropAfterCommit, CHANGE),
        (Fault::DropBeforeCommit, CHANGE),
    ] {
        let account = Account::new().await;
        account.until_good("register").await;
        account.stripe.fault(fault.clone(), on, 1);
        let broken = account.run("roll", &["--secret", NAME]).await;
        assert_eq!(broken.code, 1, "{fault:?} {on}");
        assert!(account.is_heard().await, "{fault:?} {on}");
        let status = account.run("status", &[]).await;
        let told = status.out.contains("its secret not kept; run the command that made it once more");
        let made = account.endpoints().len() == 2;
        let kept = account.endpoints().iter().all(|one| one["metadata"]["countersign_secret"].is_string());
        assert_eq!(told, made && !kept, "{fault:?} {on}: {}", status.out);
        account.until_good("roll").await;
        assert_eq!(account.endpoints().len(), 2, "{fault:?} {on}");
        assert!(account.is_heard().await, "{fault:?} {on}");
    }
    for (fault, on) in [
        (Fault::DropBeforeCommit, DELETE),
        (Fault::DropAfterCommit, DELETE),
        (Fault::DropBeforeCommit, CHANGE),
        (Fault::DropAfterCommit, CHANGE),
    ] {
        let account = Account::new().await;
        account.until_good("register").await;
        account.until_good("roll").await;
        account.two_days_pass();
        account.stripe.fault(fault.clone(), on, 1);
        let broken = account.run("roll", &["--secret", NAME]).await;
        assert_eq!(broken.code, 1, "{fault:?} {on}");
        assert!(account.is_heard().await, "{fault:?} {on}");
        // A change that was answered by nobody was the last one, so there may be nothing left to go on with.
        account.until_good("roll").await;
        account.two_days_pass();
        assert!(account.is_heard().await, "{fault:?} {on}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_was_made_by_hand_is_taken_over_by_a_roll() {
    let account = Account::new().await;
    let old = account.stripe.add_endpoint(&account.url, "whsec_by_hand", &["*"]).unwrap();
    let known = account.run("register", &["--secret", NAME]).await;
    assert_eq!(known.code, 1, "{}", known.out);
    assert!(known.out.contains("made elsewhere and no secret is kept"), "{}", known.out);
    let file = Folder::new();
    let file = file.path().join("secret");
    std::fs::write(&file, "whsec_by_hand\n").unwrap();
    let file = file.to_str().unwrap();
    let begun = account.run("roll", &["--secret-file", file]).await;
    assert_eq!(begun.code, 0, "{}{}", begun.out, begun.error);
    account.two_days_pass();
    let done = account.run("roll", &["--secret-file", file]).await;
    assert_eq!(done.code, 0, "{}{}", done.out, done.error);
    let kept = std::fs::read_to_string(file).unwrap();
    assert!(kept.lines().count() == 1 && !kept.contains("by_hand"), "{}", kept.lines().count());
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let left = account.endpoints();
    assert!(left.len() == 1 && left[0]["id"] != old.as_str(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_secret_stays_while_the_new_one_is_not_kept() {
    let account = Account::new().await;
    account.until_good("register").await;
    let file = Folder::new();
    let file = file.path().join("secret");
    account.until_good("roll").await;
    account.two_days_pass();
    let elsewhere = account.run("roll", &["--secret-file", file.to_str().unwrap()]).await;
    assert_eq!(elsewhere.code, 1);
    assert!(elsewhere.out.contains("nothing was taken away"), "{}{}", elsewhere.out, elsewhere.error);
    assert_eq!(account.endpoints().len(), 2);
    let none = account.run("roll", &[]).await;
    assert!(none.code == 2 && none.error.contains("--secret"), "{}", none.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_printed_only_when_that_is_asked_for() {
    let account = Account::new().await;
    let ran = account.run("register", &["--print-secret"]).await;
    assert_eq!(ran.code, 0, "{}", ran.error);
    let last = ran.out.lines().last().unwrap();
    assert!(last.starts_with("whsec_") && ran.error.is_empty(), "{}", ran.out.lines().count());
}
