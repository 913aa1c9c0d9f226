//! How often the tables are asked.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aws_sdk_dynamodb::{
    Client,
    config::{ConfigBag, Intercept, interceptors::BeforeSerializationInterceptorContextRef},
    error::BoxError,
};
use sandbox::world::{APPROVALS_TABLE, CASES_TABLE};
use store::{Approvals, Cases};

use crate::World;

/// Counts the calls of the clients that it is built into.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<AtomicU64>);

impl Calls {
    /// Calls so far.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl World {
    /// Counts from now on the calls that the sweeps make to the tables.
    pub fn count_calls_of_sweeps(&mut self) -> Calls {
        let calls = Calls::default();
        let conf = self.tables.config().to_builder().interceptor(calls.clone()).build();
        let client = Client::from_conf(conf);
        self.reconciler.processor.cases = Cases::new(client.clone(), CASES_TABLE);
        self.reconciler.approvals = Approvals::new(client, APPROVALS_TABLE);
        calls
    }
}
