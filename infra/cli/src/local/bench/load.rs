//! The load: events as Stripe tells them, signed and posted to the front door.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use domain::{Timestamp, event::case_kind};
use runtime::http::Base;
use sandbox::{Sandbox, stripe::Stripe, world::EVENT_QUEUE};
use serde_json::Value;
use stripe::EndpointSecrets;
use tokio::task::JoinSet;

/// Deliveries that are under way at a time.
const SIDE_BY_SIDE: usize = 32;

/// An event with its id.
pub(super) struct Event {
    pub(super) id: String,
    body: String,
}

/// This many events of handled types, and the number of customers that they are about: each subscribes, pays, and
/// is then declined.
pub(super) fn events(sandbox: &Sandbox, number: usize) -> Result<(Vec<Event>, usize)> {
    let (stripe, mut events, mut customers) = (&sandbox.stripe, Vec::new(), 0);
    let mut known = stripe.events().len();
    while events.len() < number {
        customer(stripe)?;
        customers += 1;
        let new = stripe.events_after(known);
        known += new.len();
        for event in new {
            let text = |name: &str| event.get(name).and_then(Value::as_str);
            if let (Some(id), Some(_)) = (text("id"), text("type").and_then(case_kind)) {
                events.push(Event { id: id.to_owned(), body: event.to_string() });
            }
        }
    }
    events.truncate(number);
    sandbox.introduce_customers()?;
    Ok((events, customers))
}

fn customer(stripe: &Stripe) -> Result<()> {
    let id = |object: &Value| object.get("id").and_then(Value::as_str).map(str::to_owned).context("an id");
    let customer = id(&stripe.create_customer("Customer", "customer@example.test")?)?;
    let method = id(&stripe.attach_card(&customer, "pm_card_visa")?)?;
    let subscription = id(&stripe.subscribe(&customer, 2900, "usd")?)?;
    stripe.card_becomes(&method, "pm_card_decline_insufficient_funds")?;
    stripe.renew(&subscription)?;
    Ok(())
}

/// Where events are delivered, and with which secret.
#[derive(Clone)]
pub(super) struct Door {
    http: reqwest::Client,
    url: String,
    secrets: Arc<EndpointSecrets>,
    clock: sandbox::Clock,
}

impl Door {
    /// The front door of a pipeline.
    pub(super) fn of(sandbox: &Sandbox, url: &str) -> Result<Self> {
        Ok(Self {
            http: runtime::http::client(&[&Base::parse(url)?])?,
            url: format!("{url}/stripe/default"),
            secrets: Arc::new(EndpointSecrets::new([&sandbox.keys.webhook_secret.as_str().into()])?),
            clock: sandbox.clock.clone(),
        })
    }

    /// Delivers all of them, `gap` apart or as fast as they are taken, and says when each was posted.
    pub(super) async fn deliver(
        &self,
        events: Vec<Event>,
        gap: Duration,
    ) -> Result<HashMap<String, Instant>> {
        let start = Instant::now();
        let waiting: VecDeque<_> = events.into_iter().zip((0..).map(|number| start + gap * number)).collect();
        let waiting = Arc::new(Mutex::new(waiting));
        let mut workers = JoinSet::new();
        for _ in 0..SIDE_BY_SIDE {
            let (door, waiting) = (self.clone(), Arc::clone(&waiting));
            workers.spawn(async move {
                let mut posted = Vec::new();
                let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                while let Some((event, due)) = next() {
                    tokio::time::sleep_until(due.into()).await;
                    posted.push((event.id.clone(), Instant::now()));
                    door.post(event).await?;
                }
                anyhow::Ok(posted)
            });
        }
        let mut posted = HashMap::new();
        while let Some(worker) = workers.join_next().await {
            posted.extend(worker??);
        }
        Ok(posted)
    }

    async fn post(&self, event: Event) -> Result<()> {
        let now = Timestamp::from_seconds(self.clock.seconds());
        let signature = self.secrets.sign(now, event.body.as_bytes());
        let request = self.http.post(&self.url).header("stripe-signature", signature);
        let request = request.header("content-type", "application/json").body(event.body);
        let status = request.send().await.context("the front door does not answer")?.status();
        ensure!(status.is_success(), "an event was answered with {status}");
        Ok(())
    }
}

/// Waits until no message of an event is left: what came is done, steps included.
pub(super) async fn until_idle(sandbox: &Sandbox) -> Result<()> {
    let waiting = || {
        let (visible, taken) = sandbox.sqs.depth(EVENT_QUEUE);
        visible + taken
    };
    until_committed(|| usize::from(waiting() == 0), 1).await
}

/// Waits until so many decisions are committed.
pub(super) async fn until_committed(committed: impl Fn() -> usize, number: usize) -> Result<()> {
    const PATIENCE: Duration = Duration::from_mins(2);
    let (mut last, mut changed) = (0, Instant::now());
    loop {
        let now = committed();
        if now >= number {
            return Ok(());
        }
        if now != last {
            (last, changed) = (now, Instant::now());
        }
        if changed.elapsed() > PATIENCE {
            bail!(
                "{now} of {number} events are decided, and no other for two minutes; LOG_LEVEL=info says more"
            );
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
