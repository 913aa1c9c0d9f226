//! How a read can fail, and what to do then.

use crate::wire::Failure;

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may work later: let the redelivery or the next sweep try again.
    Retry,
    /// It will fail again in the same way.
    GiveUp,
    /// Somebody has to look at the configuration or at the code.
    Look,
}

/// A read that brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer within the time, or no connection.
    #[error("stripe could not be reached for {call}: try again later")]
    Unreachable {
        /// The call: `invoices`, `charges`, …
        call: &'static str,
        /// Without the address, which names the object.
        #[source]
        source: reqwest::Error,
    },
    /// Too many requests (<https://docs.stripe.com/rate-limits>).
    #[error("stripe limited the rate of {call}: ask less often")]
    RateLimited {
        /// The call.
        call: &'static str,
        /// `global-rate`, `endpoint-concurrency`, …
        reason: Option<String>,
        /// Stripe's id of the request.
        request_id: Option<String>,
    },
    /// Another request holds the object.
    #[error("stripe is changing the object of {call}: try again later")]
    Locked {
        /// The call.
        call: &'static str,
        /// Stripe's id of the request.
        request_id: Option<String>,
    },
    /// Stripe failed.
    #[error("stripe answered {call} with status {status}: try again later")]
    Server {
        /// The call.
        call: &'static str,
        /// The status.
        status: u16,
        /// Stripe's id of the request.
        request_id: Option<String>,
    },
    /// The key is wrong or lacks a permission.
    #[error("stripe denied {call} (permission {}): check the read key", permission.as_deref().unwrap_or("unknown"))]
    Denied {
        /// The call.
        call: &'static str,
        /// The permission that is missing, if Stripe named it.
        permission: Option<String>,
        /// Stripe's id of the request.
        request_id: Option<String>,
    },
    /// The request was wrong.
    #[error("stripe refused {call} with `{}`", failure.word())]
    Refused {
        /// The call.
        call: &'static str,
        /// What Stripe said.
        failure: Box<Failure>,
        /// Stripe's id of the request.
        request_id: Option<String>,
    },
    /// A 2xx whose body is not what the documentation promises.
    #[error("stripe's answer to {call} has another shape: see which API version changed it")]
    Shape {
        /// The call.
        call: &'static str,
        /// Where.
        #[source]
        source: crate::Misshapen,
        /// Stripe's id of the request.
        request_id: Option<String>,
    },
    /// A list that had to be complete and was too long to be.
    #[error("the list of {call} is too long to be read whole: look in the dashboard")]
    Unfinished {
        /// The call.
        call: &'static str,
        /// Stripe's id of the last request.
        request_id: Option<String>,
    },
    /// An id that cannot stand in a path; no request was made.
    #[error("the id for {call} is not usable")]
    BadId {
        /// The call.
        call: &'static str,
    },
}

impl Error {
    /// Exhaustive on purpose: a new failure has to choose.
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Unreachable { .. }
            | Self::RateLimited { .. }
            | Self::Locked { .. }
            | Self::Server { .. } => Verdict::Retry,
            Self::Refused { .. } | Self::BadId { .. } => Verdict::GiveUp,
            Self::Denied { .. } | Self::Shape { .. } | Self::Unfinished { .. } => Verdict::Look,
        }
    }

    /// Stripe's id of the request, to find it in the Dashboard's log.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Unreachable { .. } | Self::BadId { .. } => None,
            Self::RateLimited { request_id, .. }
            | Self::Locked { request_id, .. }
            | Self::Server { request_id, .. }
            | Self::Denied { request_id, .. }
            | Self::Refused { request_id, .. }
            | Self::Shape { request_id, .. }
            | Self::Unfinished { request_id, .. } => request_id.as_deref(),
        }
    }
}
