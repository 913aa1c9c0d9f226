//! Looks at the functions' requests of AWS on their way: how many, what they cost in units, and when a decision
//! was committed.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use aws_sdk_dynamodb::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{BeforeTransmitInterceptorContextMut, FinalizerInterceptorContextRef},
    },
    error::BoxError,
};
use aws_smithy_types::{
    body::SdkBody,
    config_bag::{Storable, StoreReplace},
};
use serde_json::Value;

/// What was seen so far. Clones share it; a client gets one as its interceptor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe(Arc<Mutex<Seen>>);

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Requests of DynamoDB by operation.
    pub(super) requests: BTreeMap<String, u64>,
    /// Units that were read, as DynamoDB bills them.
    pub(super) read: f64,
    /// Units that were written.
    pub(super) written: f64,
    /// When each event's decision was committed.
    pub(super) committed: HashMap<String, Instant>,
}

/// What a request is, kept until it is answered.
#[derive(Debug)]
struct Asked {
    operation: String,
    /// The events that it completes.
    events: Vec<String>,
}

impl Storable for Asked {
    type Storer = StoreReplace<Self>;
}

impl Probe {
    /// The same client, under observation.
    pub(crate) fn watching(&self, client: &aws_sdk_dynamodb::Client) -> aws_sdk_dynamodb::Client {
        let config = client.config().to_builder().interceptor(self.clone()).build();
        aws_sdk_dynamodb::Client::from_conf(config)
    }

    /// What was seen until now.
    pub(super) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    /// The same; the count begins anew.
    pub(super) fn take(&self) -> Seen {
        std::mem::take(&mut *self.lock())
    }

    /// How many decisions were committed until now.
    pub(super) fn committed(&self) -> usize {
        self.lock().committed.len()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Probe {
    fn name(&self) -> &'static str {
        "Probe"
    }

    /// Lets the service say what a request costs.
    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let Some(bytes) = request.body().bytes() else { return Ok(()) };
        let mut asked: Value = serde_json::from_slice(bytes)?;
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        config.interceptor_state().store_put(Asked { operation, events: completed(&asked) });
        if let Some(fields) = asked.as_object_mut() {
            fields.insert("ReturnConsumedCapacity".to_owned(), "TOTAL".into());
        }
        let body = asked.to_string();
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = SdkBody::from(body);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let now = Instant::now();
        let (Some(Asked { operation, events }), Some(response)) =
            (config.load::<Asked>(), context.response())
        else {
            return Ok(());
        };
        let bytes = response.body().bytes().unwrap_or_default();
        let units = units(&serde_json::from_slice(bytes).unwrap_or_default());
        let mut seen = self.lock();
        *seen.requests.entry(operation.clone()).or_default() += 1;
        match operation.as_str() {
            "GetItem" | "BatchGetItem" | "Query" => seen.read += units,
            _ => seen.written += units,
        }
        if response.status().is_success() {
            seen.committed.extend(events.iter().map(|id| (id.clone(), now)));
        }
        Ok(())
    }
}

/// The events whose rows a transaction updates: those that it completes.
fn completed(asked: &Value) -> Vec<String> {
    let writes = asked.get("TransactItems").and_then(Value::as_array).into_iter().flatten();
    let keys = writes.filter_map(|write| write.pointer("/Update/Key/pk/S")?.as_str()?.strip_prefix("EVENT#"));
    keys.map(str::to_owned).collect()
}

/// What an answer says that its request cost: of one table, or of each.
fn units(answer: &Value) -> f64 {
    let of = |one: &Value| one.get("CapacityUnits").and_then(Value::as_f64).unwrap_or_default();
    match answer.get("ConsumedCapacity") {
        Some(Value::Array(tables)) => tables.iter().map(of).sum(),
        Some(table) => of(table),
        None => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn units_are_those_of_every_table() {
        let close = |answer: Value, expected: f64| (units(&answer) - expected).abs() < 1e-9;
        assert!(close(json!({ "ConsumedCapacity": { "CapacityUnits": 2.0 } }), 2.0));
        assert!(close(
            json!({ "ConsumedCapacity": [{ "CapacityUnits": 2.0 }, { "CapacityUnits": 0.5 }] }),
            2.5
        ));
        assert!(close(json!({}), 0.0));
    }
}
