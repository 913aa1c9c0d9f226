//! A deployment in memory, and browsers for it.

use std::{
    collections::BTreeMap,
    io::Write,
    path::Path,
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

pub(crate) const NOW: i64 = 1_790_000_000;
pub(crate) const ORIGIN: &str = "http://localhost:8400";

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
}

impl World {
    pub(crate) async fn new() -> Self {
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
        let env = env(&sandbox);
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
        Self { sandbox, clock, app, approvals, cases, dynamodb, requests: AtomicUsize::new(0) }
    }

    /// Another instance of the function, with its own policy or its own death.
    pub(crate) async fn instance(&self) -> App {
        App::from_env(&env(&self.sandbox), told(&self.clock)).await.unwrap()
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
        let stripe = &self.sandbox.stripe;
        let customer = stripe.create_customer("<b>Customer</b> 17", "customer17@example.test").unwrap();
        let customer = customer["id"].as_str().unwrap();
        stripe.attach_card(customer, "pm_card_visa").unwrap();
        let invoice = stripe.open_invoice(customer, amount, "usd").unwrap();
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
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let id = RequestId::parse(format!("rq_{number}")).unwrap();
        let object = ObjectId::parse(charge).unwrap();
        let row = RequestRow {
            id: id.clone(),
            case: CaseKey::new(CaseKind::Charge, object.clone()),
            operation: "refund.create".into(),
            object,
            parameters: [].into(),
            origin: domain::event::Origin::default(),
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

pub(crate) fn env(sandbox: &Sandbox) -> Env {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/policy");
    let more = [("POLICY_DIR", policy.to_str().unwrap()), ("STRIPE_ACCOUNT", "acct_1SANDBOX")];
    let more = more.map(|(name, value)| (name.to_owned(), value.to_owned()));
    sandbox.variables(Function::Approver).into_iter().chain(more).collect()
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

/// What a browser sees.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) cookies: Vec<String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The proposal that it leads to.
    pub(crate) fn proposal(&self) -> ProposalId {
        ProposalId::parse(self.header("location").strip_prefix("/a/").unwrap()).unwrap()
    }

    fn first_field(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\" value=\"");
        self.body.split(&marker).nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    /// The value of a hidden field of the page's form.
    pub(crate) fn field(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\" value=\"");
        let start = self.body.rfind(&marker).unwrap_or_else(|| panic!("no `{name}` in {}", self.body));
        self.body[start + marker.len()..].split('"').next().unwrap().to_owned()
    }
}

/// A browser with its cookies.
pub(crate) struct Browser<'a> {
    pub(crate) app: &'a App,
    pub(crate) cookies: BTreeMap<String, String>,
    /// Moved on while somebody reads a page, since what comes too fast does not count.
    pub(crate) clock: Option<Clock>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(app: &'a App) -> Self {
        Self { app, cookies: BTreeMap::new(), clock: None }
    }

    /// Sends an event as API Gateway makes it; `change` may spoil it.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        url: &str,
        form: &str,
        change: impl FnOnce(&mut Value),
    ) -> Answer {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "cookies": cookies,
            "headers": { "host": "localhost:8400" },
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                "domainName": "localhost",
                "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1" },
                "requestId": "r-1",
                "routeKey": "$default",
                "stage": "$default",
            },
            "isBase64Encoded": false,
        });
        if method == "POST" {
            event["headers"]["content-type"] = "application/x-www-form-urlencoded".into();
            event["headers"]["origin"] = ORIGIN.into();
            event["body"] = form.into();
        }
        change(&mut event);
        let answer = approver::handle(self.app, event).await.unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let headers = answer["headers"].as_object().unwrap();
        let answer = Answer {
            status: u16::try_from(answer["statusCode"].as_i64().unwrap()).unwrap(),
            headers: headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            cookies: answer["cookies"].as_array().unwrap().iter().map(text).collect(),
            body: text(&answer["body"]),
        };
        for cookie in &answer.cookies {
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub(crate) async fn get(&mut self, url: &str) -> Answer {
        self.send("GET", url, "", |_| {}).await
    }

    pub(crate) async fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Answer {
        self.send("POST", url, &encoded(fields), |_| {}).await
    }

    /// Where the identity provider sends this browser back to.
    pub(crate) async fn at_provider(&mut self, user: &str, next: &str) -> String {
        let answer = self.get(&format!("/sign-in?next={next}")).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let url = format!("{}&prompt=none&login_hint={user}", answer.header("location"));
        let base = runtime::http::Base::parse(url.split('?').next().unwrap()).unwrap();
        let back = runtime::http::client(&[&base]).unwrap().get(url).send().await.unwrap();
        let back = back.headers()["location"].to_str().unwrap().to_owned();
        back.strip_prefix(ORIGIN).unwrap().to_owned()
    }

    pub(crate) async fn sign_in(&mut self, user: &str, next: &str) -> Answer {
        let back = self.at_provider(user, next).await;
        self.get(&back).await
    }

    /// Opens the form of an operation, fills it in and posts it.
    pub(crate) async fn ask(&mut self, operation: &str, object: &str, more: &[(&str, &str)]) -> Answer {
        let form = self.get(&format!("/requests/new?operation={operation}")).await;
        let (nonce, csrf) = (form.field("nonce"), form.field("csrf"));
        let mut fields = vec![
            ("operation", operation),
            ("object", object),
            ("why", ""),
            ("nonce", nonce.as_str()),
            ("csrf", csrf.as_str()),
        ];
        fields.extend(more);
        self.post("/requests", &fields).await
    }

    /// Reads what is shown.
    fn read(&self) {
        if let Some(clock) = &self.clock {
            clock.advance(Duration::from_secs(2));
        }
    }

    /// Opens the review page and decides.
    pub(crate) async fn decide(&mut self, id: &ProposalId, decision: &str) -> Answer {
        let url = format!("/a/{id}");
        let page = self.get(&url).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let (digest, csrf) = (page.field("digest"), decision_token(&page));
        self.read();
        self.post(&url, &[("decision", decision), ("digest", &digest), ("csrf", &csrf)]).await
    }

    /// An anti-forgery token of this session for a proposal that somebody may sign.
    pub(crate) async fn token(&mut self, id: &ProposalId) -> (String, String) {
        let page = self.get(&format!("/a/{id}")).await;
        self.read();
        (page.field("digest"), decision_token(&page))
    }
}

/// The token of the form that decides; the page has others.
fn decision_token(page: &Answer) -> String {
    let form =
        page.body.split("name=\"digest\"").nth(1).unwrap_or_else(|| panic!("no form in {}", page.body));
    let form = Answer { body: form.to_owned(), ..page.clone() };
    form.first_field("csrf")
}

pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
