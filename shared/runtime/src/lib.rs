//! What every function stands on: configuration, time, the AWS and HTTP clients, secrets, queues,
//! logs, metrics and the start of the process.
//!
//! Only [`lambda::run`] reads the environment and the clock; everything below it gets an [`Env`] and
//! a [`Clock`].

pub mod aws;
mod clock;
mod env;
pub mod failure;
pub mod figures;
pub mod http;
pub mod lambda;
pub mod metrics;
pub mod policy;
pub mod queue;
pub mod secrets;
pub mod signed;
pub mod stripe;
pub mod telemetry;

pub use clock::{Clock, system_clock};
pub use env::{Env, EnvError};
pub use failure::Failure;
pub use metrics::{Meter, Metrics};
pub use queue::Queue;
pub use secrets::Secrets;
