//! A world for whole-system stories: the four functions and every stand-in in one process, under one
//! clock that the test holds.
//!
//! The functions talk to the stand-ins through the same SDK and HTTP clients as in production, and are
//! called through the same entries as Lambda calls them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a story that cannot go on fails"
)]

mod browser;
pub mod chaos;
mod http;
mod log;
mod people;
mod queue;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use domain::{Case, CaseKey, CaseKind, ObjectId, Timestamp, event::case_kind};
use hmac::{Hmac, KeyInit as _, Mac as _};
use runtime::{Clock, Env, aws::Aws};
use sandbox::{
    Clock as Hands, Tally,
    policy::Policy,
    world::{Function, Options, Sandbox},
};
use serde_json::Value;
use sha2::Sha256;
use store::{Cases, StepRow};

pub use browser::Browser;
pub use http::Answer;
pub use log::captured_log;

/// When stories begin, unless they say otherwise: 2026-09-21T14:13:20Z.
pub const START: i64 = 1_790_000_000;

/// Where people reach the approver.
pub const PUBLIC_URL: &str = "http://localhost:8400";

/// The functions and the stand-ins.
pub struct World {
    /// The stand-ins.
    pub sandbox: Sandbox,
    /// The time, for everybody.
    pub clock: Hands,
    /// The processor.
    pub processor: processor::App,
    /// The approver.
    pub approver: approver::App,
    /// The reconciler.
    pub reconciler: reconciler::App,
    ingress: ingress::App,
    queues: aws_sdk_sqs::Client,
    tables: aws_sdk_dynamodb::Client,
}

impl World {
    /// A world at [`START`] with nothing in it.
    pub async fn new() -> Self {
        Self::at(Hands::held_at(START)).await
    }

    /// A world under a clock.
    pub async fn at(clock: Hands) -> Self {
        Self::start(clock, None).await
    }

    /// A world at [`START`] whose company has a CRM, its own application and mail, and a policy that relies
    /// on them.
    pub async fn with_systems() -> Self {
        let policy = Policy::relying(&starter()).expect("the starter bundle can be copied");
        Self::start(Hands::held_at(START), Some(policy)).await
    }

    async fn start(clock: Hands, systems: Option<Policy>) -> Self {
        let sandbox = Sandbox::start(Options {
            data: None,
            clock: clock.clone(),
            public_url: PUBLIC_URL.to_owned(),
            sign_in_path: "/sign-in/callback".to_owned(),
            stripe: None,
        })
        .await
        .expect("the stand-ins start");
        let env = |function| {
            let mut variables = sandbox.variables(function);
            let policy = match &systems {
                Some(policy) => {
                    variables.extend(sandbox.systems(function));
                    policy.folder().to_owned()
                }
                None => starter(),
            };
            variables.insert("POLICY_DIR".into(), policy.to_str().unwrap().into());
            variables.insert("STRIPE_REQUESTS_PER_SECOND".into(), "10000".into());
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Env>()
        };
        let aws = Aws::from_env(&env(Function::Processor)).unwrap();
        for table in [sandbox::world::CASES_TABLE, sandbox::world::APPROVALS_TABLE] {
            store::schema::create(&aws.dynamodb(), table).await.unwrap();
        }
        let hands = clock.clone();
        let now: Clock = Arc::new(move || Timestamp::from_seconds(hands.seconds()));
        let world = Self {
            ingress: ingress::App::from_env(&env(Function::Ingress), now.clone()).await.unwrap(),
            processor: processor::App::from_env(&env(Function::Processor), now.clone()).await.unwrap(),
            approver: approver::App::from_env(&env(Function::Approver), now.clone()).await.unwrap(),
            reconciler: reconciler::App::from_env(&env(Function::Reconciler), now).await.unwrap(),
            queues: aws.sqs(),
            tables: aws.dynamodb(),
            sandbox,
            clock,
        };
        world.register_people().await;
        world
    }

    /// The store of cases, as the processor sees it.
    pub fn cases(&self) -> &Cases {
        &self.processor.cases
    }

    /// A client of the tables of its own, and the count of what it requests.
    pub fn counted_tables(&self) -> (aws_sdk_dynamodb::Client, Tally) {
        let tally = Tally::default();
        let config = self.tables.config().to_builder().interceptor(tally.clone()).build();
        (aws_sdk_dynamodb::Client::from_conf(config), tally)
    }

    /// Everything that the tables hold.
    pub async fn everything(&self) -> store::Everything {
        let tables = [sandbox::world::CASES_TABLE, sandbox::world::APPROVALS_TABLE];
        store::everything(&self.tables, tables).await.unwrap()
    }

    /// Moves the time.
    pub fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Stripe delivers an event, freshly signed; the status of the answer.
    pub async fn deliver(&self, event: &Value) -> u16 {
        self.deliver_bytes(event.to_string().as_bytes()).await
    }

    /// Stripe delivers a body, freshly signed.
    pub async fn deliver_bytes(&self, body: &[u8]) -> u16 {
        let header = sign(&self.sandbox.keys.webhook_secret, self.clock.seconds(), body);
        self.deliver_signed(&header, body).await
    }

    /// Somebody delivers a body with a signature.
    pub async fn deliver_signed(&self, header: &str, body: &[u8]) -> u16 {
        let request = http::gateway("POST", "/stripe/default", &[("stripe-signature", header)], body);
        let request = lambda_http::request::from_str(&request.to_string()).unwrap();
        ingress::receive(&self.ingress, &request).await.status().as_u16()
    }

    /// The events of handled types that Stripe has, oldest first.
    pub fn handled_events(&self) -> Vec<Value> {
        let handled = |event: &Value| event["type"].as_str().is_some_and(|kind| case_kind(kind).is_some());
        self.sandbox.stripe.events().into_iter().filter(handled).collect()
    }

    /// A case.
    pub async fn case(&self, kind: CaseKind, object: &str) -> Option<Case> {
        let key = CaseKey::new(kind, ObjectId::parse(object).unwrap());
        self.cases().case(&key).await.unwrap()
    }

    /// The steps of a case.
    pub async fn steps(&self, key: &CaseKey) -> Vec<StepRow> {
        self.cases().steps(key).await.unwrap()
    }

    /// Runs a sweep, and answers its report as it is logged.
    pub async fn sweep(&self, sweep: reconciler::Sweep) -> Value {
        let report = reconciler::handle(&self.reconciler, reconciler::Activation { sweep }).await.unwrap();
        serde_json::to_value(report).unwrap()
    }

    /// Runs the sweep of half-done steps.
    pub async fn sweep_steps(&self) -> reconciler::Report {
        let activation = reconciler::Activation { sweep: reconciler::Sweep::Steps };
        reconciler::handle(&self.reconciler, activation).await.unwrap()
    }

    /// Runs the sweep of cases that came due.
    pub async fn sweep_cases(&self) -> reconciler::Report {
        let activation = reconciler::Activation { sweep: reconciler::Sweep::Cases };
        reconciler::handle(&self.reconciler, activation).await.unwrap()
    }

    /// Runs the sweep of missed events.
    pub async fn sweep_events(&self) -> reconciler::Report {
        let activation = reconciler::Activation { sweep: reconciler::Sweep::Events };
        reconciler::handle(&self.reconciler, activation).await.unwrap()
    }
}

fn starter() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/policy")
}

/// A `Stripe-Signature` header (<https://docs.stripe.com/webhooks#verify-manually>).
pub fn sign(secret: &str, at: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}.").as_bytes());
    mac.update(body);
    format!("t={at},v1={}", domain::encoding::hex(&mac.finalize().into_bytes()))
}
