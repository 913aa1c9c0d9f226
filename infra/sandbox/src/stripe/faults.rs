//! Faults on demand: what networks, proxies and overloaded servers do to a request.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::failure::Failure;

/// Why a request is too much: `Stripe-Rate-Limited-Reason`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The account's rate.
    GlobalRate,
    /// The endpoint's rate.
    EndpointRate,
    /// Too many of the account at the same time.
    GlobalConcurrency,
    /// Too many of the endpoint at the same time.
    EndpointConcurrency,
    /// A limit of one object.
    ResourceSpecific,
}

impl Reason {
    /// The header's value.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::GlobalRate => "global-rate",
            Self::EndpointRate => "endpoint-rate",
            Self::GlobalConcurrency => "global-concurrency",
            Self::EndpointConcurrency => "endpoint-concurrency",
            Self::ResourceSpecific => "resource-specific",
        }
    }

    /// A 429 for this reason.
    pub(crate) fn refusal(self) -> Failure {
        let mut failure = Failure::new(429, "invalid_request_error", "Request rate limit exceeded.")
            .with("code", "rate_limit");
        failure.limited = Some(self.word());
        failure
    }
}

/// What goes wrong with a request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The request is not executed and never answered; the caller's time-out decides.
    HangBeforeCommit,
    /// The request is executed (and its answer kept under the idempotency key) and never answered.
    HangAfterCommit,
    /// The request is not executed and the connection closes without an answer.
    DropBeforeCommit,
    /// The request is executed and the connection closes without an answer.
    DropAfterCommit,
    /// The connection closes at once, and the request is executed only at
    /// [`Stripe::finish_late`](super::Stripe::finish_late); until then its key is in use.
    CommitLate,
    /// A 500, kept under the idempotency key. With `commits` the work was done all the same.
    ServerError {
        /// Whether the work was done.
        commits: bool,
    },
    /// A 429 with this `Stripe-Rate-Limited-Reason`; nothing is executed or kept.
    RateLimited(Reason),
    /// A 429 `lock_timeout`; nothing is executed or kept.
    LockTimeout,
    /// The answer takes this much longer, in real time. As JSON in milliseconds.
    Slow(#[serde(serialize_with = "to_millis", deserialize_with = "from_millis")] Duration),
}

fn to_millis<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).serialize(to)
}

fn from_millis<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_millis)
}

impl Fault {
    /// The refusal, for faults that refuse before anything is executed.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        match self {
            Self::RateLimited(reason) => Some(reason.refusal()),
            Self::LockTimeout => {
                let mut failure = Failure::new(
                    429,
                    "invalid_request_error",
                    "This object cannot be accessed right now because another API request or Stripe process is \
                     currently accessing it.",
                )
                .with("code", "lock_timeout");
                failure.retry = Some(true);
                Some(failure)
            }
            _ => None,
        }
    }
}

/// The faults that are waiting for their requests.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<Planned>>);

/// A fault that waits for its requests.
#[derive(Clone, Serialize)]
pub(crate) struct Planned {
    fault: Fault,
    method: String,
    path: String,
    /// How often it still strikes; `None` until it is forgotten.
    left: Option<u32>,
}

impl Faults {
    /// Plans a fault for the next `times` requests `METHOD /path…`, or for all from now on.
    pub(crate) fn plan(&self, fault: Fault, on: &str, times: Option<u32>) {
        let (method, path) = on.split_once(' ').unwrap_or(("", on));
        self.all().push(Planned { fault, method: method.into(), path: path.into(), left: times });
    }

    /// Forgets all planned faults.
    pub(crate) fn clear(&self) {
        self.all().clear();
    }

    /// The fault of this request, if one is planned.
    pub(crate) fn take(&self, method: &str, path: &str) -> Option<Fault> {
        let mut all = self.all();
        let found = all.iter_mut().find(|planned| {
            planned.left != Some(0)
                && (planned.method.is_empty() || planned.method == method)
                && path.starts_with(&planned.path)
        })?;
        found.left = found.left.map(|left| left - 1);
        Some(found.fault.clone())
    }

    /// What is still planned.
    pub(crate) fn planned(&self) -> Vec<Planned> {
        self.all().iter().filter(|planned| planned.left != Some(0)).cloned().collect()
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Planned>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_its_method_and_path_as_often_as_planned() {
        let faults = Faults::default();
        faults.plan(Fault::LockTimeout, "POST /v1/refunds", Some(1));
        assert_eq!(faults.take("GET", "/v1/refunds"), None);
        assert_eq!(faults.take("POST", "/v1/invoices"), None);
        assert_eq!(faults.take("POST", "/v1/refunds/re_1/cancel"), Some(Fault::LockTimeout));
        assert_eq!(faults.take("POST", "/v1/refunds"), None);
        faults.plan(Fault::LockTimeout, "/v1/", None);
        assert!((0..9).all(|_| faults.take("GET", "/v1/events").is_some()), "it stands");
    }
}
