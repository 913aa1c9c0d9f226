//! What processor, approver and reconciler talk to: the stand-ins, over HTTP on loopback.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result};
use runtime::aws::Aws;
use sandbox::{
    Clock, Sandbox,
    world::{APPROVALS_TABLE, CASES_TABLE, Function, Options},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A page of charges, so that what a process reads of all customers does not grow from one to the next.
const CUSTOMERS: usize = 100;

/// The stand-ins, on a thread of their own.
pub(crate) struct Backend {
    sandbox: Sandbox,
    _threads: Runtime,
}

impl Backend {
    /// Starts them, with tables and customers.
    pub(crate) fn start() -> Result<Self> {
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let sandbox = threads.block_on(async {
            let sandbox = Sandbox::start(Options {
                data: None,
                clock: Clock::running(),
                public_url: "http://localhost:8400".to_owned(),
                sign_in_path: "/sign-in/callback".to_owned(),
                stripe: None,
            })
            .await?;
            let tables =
                Aws::from_env(&sandbox.variables(Function::Approver).into_iter().collect())?.dynamodb();
            store::schema::create(&tables, CASES_TABLE).await?;
            store::schema::create(&tables, APPROVALS_TABLE).await?;
            anyhow::Ok(sandbox)
        })?;
        let backend = Self { sandbox, _threads: threads };
        for _ in 0..CUSTOMERS {
            backend.decline()?;
        }
        Ok(backend)
    }

    /// The environment of a function.
    pub(crate) fn variables(&self, function: Function, policy: &Path) -> BTreeMap<String, String> {
        let mut variables = self.sandbox.variables(function);
        variables.insert("POLICY_DIR".to_owned(), policy.display().to_string());
        variables.insert("STRIPE_REQUESTS_PER_SECOND".to_owned(), "10000".to_owned());
        // Figures are part of the work.
        variables.remove("METRICS");
        variables
    }

    /// Stripe's event of a failed payment.
    pub(crate) fn event(&self) -> Result<Value> {
        self.decline()?;
        let events = self.sandbox.stripe.events().into_iter().rev();
        let mut failed = events.filter(|event| event.get("type") == Some(&"invoice.payment_failed".into()));
        failed.next().context("no payment failed")
    }

    /// A batch with the envelope of one more failed payment, of a customer of its own.
    pub(crate) fn batch(&self) -> Result<Vec<u8>> {
        let (customer, invoice) = self.decline()?;
        let now = self.sandbox.clock.seconds();
        let envelope = json!({
            "id": format!("evt_{invoice}"), "type": "invoice.payment_failed", "object": invoice,
            "customer": customer, "livemode": false, "created": now, "received": now, "endpoint": "default"
        });
        let record = json!({
            "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d", "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
            "body": envelope.to_string(), "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "messageAttributes": {},
            "attributes": {
                "MessageGroupId": customer, "MessageDeduplicationId": format!("evt_{invoice}"),
                "ApproximateReceiveCount": "1", "SentTimestamp": "1790000000000",
                "SequenceNumber": "18849496460467696128", "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1790000000001"
            },
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:events.fifo",
            "awsRegion": "us-east-1"
        });
        Ok(json!({ "Records": [record] }).to_string().into_bytes())
    }

    /// How many cases' worth of alerts the chat has: proof that the work was done.
    pub(crate) fn alerts(&self) -> usize {
        self.sandbox.slack.messages().len()
    }

    /// A customer whose renewal is declined.
    fn decline(&self) -> Result<(String, String)> {
        let stripe = &self.sandbox.stripe;
        let id = |object: &Value| object.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let customer = id(&stripe.create_customer("Customer", "customer@example.test")?);
        let method = id(&stripe.attach_card(&customer, "pm_card_visa")?);
        let subscription = id(&stripe.subscribe(&customer, 2900, "usd")?);
        stripe.card_becomes(&method, "pm_card_decline_expired_card")?;
        let invoice = stripe.renew(&subscription)?.context("a renewal has an invoice")?;
        Ok((customer, id(&invoice)))
    }
}
