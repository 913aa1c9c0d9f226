//! The pipeline: stand-ins, functions, and what moves work between them.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context as _, Result, anyhow};
use runtime::{Clock, Env, aws::Aws};
use sandbox::{
    Sandbox,
    policy::Policy,
    world::{APPROVAL_QUEUE, APPROVALS_TABLE, CASES_TABLE, EVENT_QUEUE, Function, Options, TestMode},
};
use serde_json::Value;
use store::{Approvals, Cases};
use tokio::{net::TcpListener, runtime::Handle, sync::watch, task::JoinSet};

use super::{bench::probe::Probe, gateway, people, schedule, seed, source};
use crate::console;

/// The approver's path to which a sign-in comes back.
const SIGN_IN_PATH: &str = "/sign-in/callback";

/// What a pipeline is made of.
pub struct Setup {
    /// Port of the HTTP API; 0 for any free one.
    pub port: u16,
    /// The folder that keeps the state.
    pub data: Option<PathBuf>,
    /// The folder with the policy bundle.
    pub policy: PathBuf,
    /// Whether decisions are to rely on the systems around Stripe even if the bundle does not ask for it.
    pub relying: bool,
    /// Stripe's own test mode in place of the stand-in.
    pub stripe: Option<TestMode>,
}

/// The four functions.
pub struct Functions {
    /// `POST /stripe/{endpoint}`.
    pub ingress: ingress::App,
    /// The queue of events.
    pub processor: processor::App,
    /// Every other request, its own queue and a schedule.
    pub approver: approver::App,
    /// Two schedules.
    pub reconciler: reconciler::App,
}

impl Functions {
    /// Any event of the approver. Its work stays on one thread, as in Lambda, and need not be able to
    /// move between several.
    pub(super) async fn approve(self: &Arc<Self>, event: Value) -> Result<Value> {
        let (functions, runtime) = (Arc::clone(self), Handle::current());
        let work = move || runtime.block_on(approver::handle(&functions.approver, event));
        let answer = tokio::task::spawn_blocking(work).await.context("the approver panicked")?;
        answer.map_err(|failure| anyhow!("{failure}"))
    }
}

/// Everything in place and nothing running yet: time for history.
pub struct Prepared {
    sandbox: Sandbox,
    listener: TcpListener,
    url: String,
    policy: PathBuf,
    relying: bool,
    clock: Clock,
    /// The same clock, to be moved.
    time: sandbox::Clock,
    aws: Aws,
    test_mode: bool,
}

/// A running pipeline.
pub struct Pipeline {
    /// The stand-ins.
    pub sandbox: Arc<Sandbox>,
    /// The HTTP API, without a slash at the end.
    pub url: String,
    /// Whether Stripe is Stripe.
    pub test_mode: bool,
    functions: Arc<Functions>,
    /// Batches of events that were handed to the processor.
    batches: Arc<AtomicU64>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Pipeline {
    /// Takes the port, starts the stand-ins and makes tables, people and the webhook endpoint, all of
    /// which may be there from an earlier run.
    ///
    /// # Errors
    /// If the port is taken, the folder cannot be used or a stand-in refuses.
    pub async fn prepare(setup: Setup) -> Result<Prepared> {
        let port = setup.port;
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("port {port} of 127.0.0.1 is taken; choose another with --port"))?;
        // A name, since browsers keep `Secure` cookies of `localhost` and of no address.
        let url = format!("http://localhost:{}", listener.local_addr()?.port());
        let time = sandbox::Clock::running();
        let test_mode = setup.stripe.is_some();
        let sandbox = Sandbox::start(Options {
            data: setup.data,
            clock: time.clone(),
            public_url: url.clone(),
            sign_in_path: SIGN_IN_PATH.to_owned(),
            stripe: setup.stripe,
        })
        .await?;
        let hand = time.clone();
        let clock: Clock = Arc::new(move || domain::Timestamp::from_seconds(hand.seconds()));
        let aws = Aws::from_env(&sandbox.variables(Function::Approver).into_iter().collect())?;
        store::schema::create(&aws.dynamodb(), CASES_TABLE).await?;
        store::schema::create(&aws.dynamodb(), APPROVALS_TABLE).await?;
        people::put(&Approvals::new(aws.dynamodb(), APPROVALS_TABLE), &sandbox.people).await?;
        if !test_mode {
            seed::endpoint(&sandbox, &format!("{url}/stripe/default"))?;
        }
        let (policy, relying) = (setup.policy, setup.relying);
        Ok(Prepared { sandbox, listener, url, policy, relying, clock, time, aws, test_mode })
    }

    /// How many requests the processor made of Stripe, and how many batches of events it got.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.functions.processor.stripe.requests(), self.batches.load(Ordering::Relaxed))
    }

    /// Stops taking requests and messages, lets those at work finish, then stops the stand-ins.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        if let Some(sandbox) = Arc::into_inner(self.sandbox) {
            sandbox.stop().await;
        }
    }
}

impl Prepared {
    /// Lives through a day of billing, unless the folder holds one or Stripe is Stripe, and lets the systems
    /// around Stripe know its customers.
    ///
    /// # Errors
    /// If the state cannot be kept.
    pub fn seed(&self) -> Result<()> {
        if self.test_mode {
            return Ok(());
        }
        seed::day(&self.sandbox)?;
        self.sandbox.introduce_customers()
    }

    /// Starts the functions, the HTTP API, the queues, the schedules and Stripe's deliveries.
    ///
    /// # Errors
    /// If a function refuses its configuration.
    pub async fn start(self) -> Result<Pipeline> {
        Box::pin(self.begin(None)).await
    }

    /// Starts functions, HTTP API and queues, with the processor's store under observation. Nothing happens but
    /// what is asked: no schedule, no delivery, and no pace towards the stand-in of Stripe.
    pub(super) async fn start_under(self, probe: &Probe) -> Result<Pipeline> {
        Box::pin(self.begin(Some(probe))).await
    }

    /// The stand-ins.
    pub(super) const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    async fn begin(self, probe: Option<&Probe>) -> Result<Pipeline> {
        let Self { sandbox, listener, url, policy, relying, clock, time, aws, test_mode } = self;
        // Read at the start and never again.
        // What is measured does not wait for a model.
        let copy = || match probe {
            None => Policy::relying(&policy)?.advised(),
            Some(_) => Policy::relying(&policy),
        };
        let relying = relying.then(copy).transpose()?;
        let policy = relying.as_ref().map_or(policy.as_path(), Policy::folder);
        let env = |function| match probe {
            None => environment(&sandbox, function, policy, &url),
            Some(_) => environment(&sandbox, function, policy, &url).with(unpaced()),
        };
        let mut functions = Functions {
            ingress: ingress::App::from_env(&env(Function::Ingress), clock.clone()).await?,
            processor: processor::App::from_env(&env(Function::Processor), clock.clone()).await?,
            approver: approver::App::from_env(&env(Function::Approver), clock.clone()).await?,
            reconciler: reconciler::App::from_env(&env(Function::Reconciler), clock.clone()).await?,
        };
        functions.processor.lease = source::LEASE;
        functions.reconciler.processor.lease = source::LEASE;
        if let Some(probe) = probe {
            functions.processor.cases = Cases::new(probe.watching(&aws.dynamodb()), CASES_TABLE);
        }
        let functions = Arc::new(functions);
        let sandbox = Arc::new(sandbox);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();

        let pages = console::router(Arc::clone(&sandbox), aws.dynamodb(), url.clone(), clock.clone(), time);
        let router = gateway::router(Arc::clone(&functions), clock, pages);
        let mut gone = stopped.clone();
        tasks.spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(async move {
                let _ = gone.wait_for(|stop| *stop).await;
            });
            if let Err(error) = served.await {
                tracing::error!(error = %error, "the HTTP API stopped");
            }
        });
        let queues = source::Queues::new(&aws.sqs(), &sandbox.urls.sqs, stopped.clone());
        let batches = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&batches);
        queues.feed(&mut tasks, EVENT_QUEUE, &functions, move |functions, event, deadline| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                let event = serde_json::from_value(event)?;
                Ok(serde_json::to_value(processor::handle(&functions.processor, event, deadline).await)?)
            }
        });
        queues.feed(&mut tasks, APPROVAL_QUEUE, &functions, |functions, event, _| async move {
            functions.approve(event).await
        });
        if probe.is_none() {
            schedule::start(&mut tasks, &functions, &stopped);
        }
        if !test_mode && probe.is_none() {
            let (stripe, mut gone) = (Arc::clone(&sandbox.stripe), stopped);
            tasks.spawn(async move {
                tokio::select! {
                    () = stripe.deliver() => {}
                    _ = gone.wait_for(|stop| *stop) => {}
                }
            });
        }
        Ok(Pipeline { sandbox, url, test_mode, functions, batches, stop, tasks })
    }
}

/// As many requests of Stripe as there is work for.
fn unpaced() -> [(String, String); 1] {
    [("STRIPE_REQUESTS_PER_SECOND".to_owned(), "10000".to_owned())]
}

/// What the template sets, and what is different on one machine.
fn environment(sandbox: &Sandbox, function: Function, policy: &Path, url: &str) -> Env {
    let mut variables = sandbox.variables(function);
    variables.extend(sandbox.systems(function));
    variables.insert("POLICY_DIR".to_owned(), policy.display().to_string());
    // Nobody waits five minutes to see a missed event found.
    variables.insert("EVENT_GRACE_SECONDS".to_owned(), "60".to_owned());
    // Nor to see one signed over; one process has no clocks that differ.
    variables.insert("CHECKPOINT_LAG_SECONDS".to_owned(), "5".to_owned());
    // The canary comes in by an endpoint of its own; one process needs no second secret for it.
    match (function, sandbox.variables(Function::Ingress).remove("WEBHOOK_SECRETS")) {
        (Function::Ingress, Some(secrets)) => {
            let both = secrets.replacen("default=", "canary=", 1);
            variables.insert("WEBHOOK_SECRETS".to_owned(), format!("{secrets},{both}"));
        }
        (Function::Reconciler, Some(secrets)) => {
            variables.insert("CANARY_URL".to_owned(), format!("{url}/stripe/canary"));
            variables.insert("CANARY_SECRET".to_owned(), secrets.replacen("default=", "", 1));
        }
        _ => {}
    }
    variables.into_iter().collect()
}
