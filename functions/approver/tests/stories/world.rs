//! A deployment in memory.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use approver::{App, Checkpoints};
use domain::{
    CaseKey, CaseKind, ObjectId, PersonId, ProposalId, RequestId, Timestamp,
    approval::{Identity, Person, PersonKind, Stage},
};
use runtime::Env;
use sandbox::{
    Clock,
    people::{self, Account, FINANCE_SECOND, SUPPORT},
    world::{APPROVALS_TABLE, CASES_TABLE, Function, Options, Sandbox},
};
use serde_json::{Value, json};
use store::{Approvals, Cases, ProposalFile, RequestRow};
use tracing_subscriber::fmt::MakeWriter;

pub(crate) use crate::browser::{Answer, Browser, encoded};

pub(crate) const NOW: i64 = 1_790_000_000;
pub(crate) const ORIGIN: &str = "http://localhost:8400";
/// The secret that signs changes of access.
pub(crate) const ACCESS_SECRET: &str = "countersign/access/sign";

/// What all tests of this program log, in the finest detail.
pub(crate) static LOGS: LazyLock<Kept> = LazyLock::new(|| {
    let kept = Kept::default();
    let lines = tracing_subscriber::fmt().with_writer(kept.clone()).with_env_filter("approver=trace");
    lines.try_init().unwrap();
    kept
});

#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Kept {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Clock,
    pub(crate) app: App,
    pub(crate) approvals: Approvals,
    pub(crate) cases: Cases,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    requests: AtomicUsize,
    /// What the deployment sets beside what every one does.
    settings: Vec<(String, String)>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Vec::new()).await
    }

    /// A deployment that sets more.
    pub(crate) async fn with(settings: Vec<(String, String)>) -> Self {
        LazyLock::force(&LOGS);
        let clock = Clock::held_at(NOW);
        let options = Options {
            data: None,
            clock: clock.clone(),
            public_url: ORIGIN.into(),
            sign_in_path: "/sign-in/callback".into(),
            stripe: None,
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        sandbox.secrets.put(ACCESS_SECRET, "canary-access-secret").unwrap();
        let env = env(&sandbox, &settings);
        let dynamodb = runtime::aws::Aws::from_env(&env).unwrap().dynamodb();
        for table in [CASES_TABLE, APPROVALS_TABLE] {
            store::schema::create(&dynamodb, table).await.unwrap();
        }
        let app = App::from_env(&env, told(&clock)).await.unwrap();
        let approvals = Approvals::new(dynamodb.clone(), APPROVALS_TABLE);
        for person in registry(&sandbox) {
            approvals.put_person(&person).await.unwrap();
        }
        let cases = Cases::new(dynamodb.clone(), CASES_TABLE);
        Self { sandbox, clock, app, approvals, cases, dynamodb, requests: AtomicUsize::new(0), settings }
    }

    /// Another instance of the function, with its own policy or its own death.
    pub(crate) async fn instance(&self) -> App {
        self.instance_at(told(&self.clock)).await
    }

    /// An instance with a clock of its own.
    pub(crate) async fn instance_at(&self, clock: runtime::Clock) -> App {
        App::from_env(&env(&self.sandbox, &self.settings), clock).await.unwrap()
    }

    /// What instances from now on are told.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// An instance with another policy bundle.
    pub(crate) async fn under(&self, policy: &Path) -> App {
        let changed = ("POLICY_DIR".to_owned(), policy.to_str().unwrap().to_owned());
        let settings: Vec<_> = self.settings.iter().cloned().chain([changed]).collect();
        App::from_env(&env(&self.sandbox, &settings), told(&self.clock)).await.unwrap()
    }

    pub(crate) async fn dying(&self, checkpoints: Checkpoints) -> App {
        self.instance().await.with_checkpoints(checkpoints)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.clock.seconds())
    }

    pub(crate) fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A paid charge of so many cents.
    pub(crate) fn charge(&self, amount: i64) -> String {
        self.charge_in(amount, "usd")
    }

    /// A paid charge of so many minor units.
    pub(crate) fn charge_in(&self, amount: i64, currency: &str) -> String {
        let stripe = &self.sandbox.stripe;
        let customer = stripe.create_customer("<b>Customer</b> 17", "customer17@example.test").unwrap();
        let customer = customer["id"].as_str().unwrap();
        stripe.attach_card(customer, "pm_card_visa").unwrap();
        let invoice = stripe.open_invoice(customer, amount, currency).unwrap();
        let invoice = invoice["id"].as_str().unwrap();
        stripe.pay(invoice).unwrap();
        stripe.charge_of(invoice).unwrap()
    }

    /// Support asks for a refund in the Dashboard.
    pub(crate) fn ask_in_stripe(&self, charge: &str, what: &str) {
        let form = format!("metadata[refund_request]={what}");
        self.sandbox.stripe.request("POST", &format!("/v1/charges/{charge}"), &form).unwrap();
    }

    /// What the processor leaves, and the message it sends.
    pub(crate) async fn request(&self, charge: &str) -> RequestId {
        self.request_of(CaseKind::Charge, "refund.create", charge, &[]).await
    }

    /// A request of a case for any operation on its object.
    pub(crate) async fn request_of(
        &self,
        case: CaseKind,
        operation: &str,
        object: &str,
        parameters: &[(&str, &str)],
    ) -> RequestId {
        let case = CaseKey::new(case, ObjectId::parse(object).unwrap());
        self.request_for(case, operation, object, parameters).await
    }

    /// A request of a case for anything at all.
    pub(crate) async fn request_for(
        &self,
        case: CaseKey,
        operation: &str,
        object: &str,
        parameters: &[(&str, &str)],
    ) -> RequestId {
        self.leave(domain::event::Origin::default(), case, operation, object, parameters).await
    }

    /// The same for an object of a connected account.
    pub(crate) async fn request_in(
        &self,
        account: &str,
        case: CaseKind,
        operation: &str,
        object: &str,
        parameters: &[(&str, &str)],
    ) -> RequestId {
        let account = Some(domain::AccountId::parse(account).unwrap());
        let origin = domain::event::Origin { account, ..domain::event::Origin::default() };
        let case = CaseKey::new(case, ObjectId::parse(object).unwrap());
        self.leave(origin, case, operation, object, parameters).await
    }

    async fn leave(
        &self,
        origin: domain::event::Origin,
        case: CaseKey,
        operation: &str,
        object: &str,
        parameters: &[(&str, &str)],
    ) -> RequestId {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let id = RequestId::parse(format!("rq_{number}")).unwrap();
        let object = ObjectId::parse(object).unwrap();
        let row = RequestRow {
            id: id.clone(),
            case,
            operation: operation.into(),
            object,
            parameters: parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            origin,
            source: None,
            at: self.now(),
        };
        self.cases.put_request(&row).await.unwrap();
        id
    }

    /// A request whose message fails while approvers cannot be told.
    pub(crate) async fn proposed_silently(&self, amount: i64) {
        let charge = self.charge(amount);
        self.ask_in_stripe(&charge, "duplicate");
        let request = self.request(&charge).await;
        let answer = deliver(&self.app, &request).await;
        assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], "m-1", "it comes again");
    }

    /// A proposal for a charge of so many cents, asked for by support on the form.
    pub(crate) async fn proposed(&self, amount: i64) -> (ProposalId, String) {
        let charge = self.charge(amount);
        let typed = format!("{}.{:02}", amount / 100, amount % 100);
        let more = [("amount", typed.as_str()), ("reason", "requested_by_customer")];
        let answer = self.browser(SUPPORT).await.ask("refund.create", &charge, &more).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        (answer.proposal(), charge)
    }

    /// The second signature that a refund needs which somebody asked for in Stripe.
    pub(crate) async fn second_signs(&self, id: &ProposalId) {
        let answer = self.browser(FINANCE_SECOND).await.decide(id, "approve").await;
        assert!(answer.body.contains("1 of 2 have signed"), "{}", answer.body);
    }

    pub(crate) async fn file(&self, id: &ProposalId) -> ProposalFile {
        self.approvals.proposal(id).await.unwrap().unwrap()
    }

    pub(crate) async fn stage(&self, id: &ProposalId) -> Stage {
        self.file(id).await.row.value.proposal.stage
    }

    pub(crate) async fn settle(&self) -> Value {
        approver::handle(&self.app, json!({ "schedule": "settle" })).await.unwrap()
    }

    /// The refunds that Stripe was asked to make, by anybody but the Dashboard.
    pub(crate) fn writes(&self) -> Vec<sandbox::stripe::Write> {
        self.sandbox.stripe.writes().into_iter().filter(|write| write.method != "GET").collect()
    }

    pub(crate) fn refunds(&self) -> usize {
        self.sandbox.stripe.objects("refund").len()
    }

    /// A signed-in browser.
    pub(crate) async fn browser(&self, user: &str) -> Browser<'_> {
        let mut browser = Browser { clock: Some(self.clock.clone()), ..Browser::new(&self.app) };
        let answer = browser.sign_in(user, "/").await;
        assert_eq!((answer.status, answer.header("location")), (303, "/"), "{}", answer.body);
        browser
    }

    /// The address in the newest message to somebody.
    pub(crate) fn link_of(&self, user: &str) -> String {
        let slack = &self.sandbox.slack;
        let to =
            |message: &sandbox::slack::Message| slack.people_in(&message.channel).iter().any(|id| id == user);
        let message = slack.messages().into_iter().rfind(to).unwrap();
        let blocks = serde_json::to_string(&message.blocks).unwrap();
        let url = blocks.split(&format!("\"{ORIGIN}")).nth(1).unwrap();
        url.split('"').next().unwrap().to_owned()
    }
}

/// Where the bundle is that is shipped.
pub(crate) fn policy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/policy")
}

pub(crate) fn env(sandbox: &Sandbox, settings: &[(String, String)]) -> Env {
    let policy = policy();
    let more = [("POLICY_DIR", policy.to_str().unwrap()), ("STRIPE_ACCOUNT", "acct_1SANDBOX")];
    let more = more.map(|(name, value)| (name.to_owned(), value.to_owned()));
    sandbox.variables(Function::Approver).into_iter().chain(more).chain(settings.iter().cloned()).collect()
}

fn told(clock: &Clock) -> runtime::Clock {
    let clock = clock.clone();
    Arc::new(move || Timestamp::from_seconds(clock.seconds()))
}

pub(crate) fn person(id: &str) -> PersonId {
    PersonId::parse(id).unwrap()
}

/// Everybody of the workspace, with what the policy knows them as.
fn registry(sandbox: &Sandbox) -> Vec<Person> {
    let all = sandbox.people.all().into_iter().filter(|one| one.team == people::TEAM);
    all.map(|one| Person {
        id: person(&one.id.to_lowercase()),
        name: one.name,
        groups: match one.id.as_str() {
            people::SUPPORT => vec!["support".into()],
            _ => vec!["finance".into()],
        },
        identities: vec![Identity { team: one.team, user: one.id }],
        kind: match one.account {
            Account::Member => PersonKind::Member,
            Account::Guest => PersonKind::Guest,
            Account::Bot => PersonKind::Bot,
        },
        active: one.active,
        emails: vec![one.email],
        limits: [].into(),
    })
    .collect()
}

/// One message of the queue.
pub(crate) async fn deliver(app: &App, request: &RequestId) -> Value {
    let body = json!({ "request": request }).to_string();
    let record = json!({
        "messageId": "m-1",
        "receiptHandle": "h",
        "body": body,
        "attributes": { "MessageGroupId": "g" },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    });
    approver::handle(app, json!({ "Records": [record] })).await.unwrap()
}
