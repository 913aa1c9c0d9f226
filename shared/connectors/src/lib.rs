//! Reads and controlled writes around Stripe, one module and one concrete client for each service.
//! Nothing here can move money or give access; that is `gated`.

pub mod application;
pub mod breaker;
pub mod call;
mod config;
pub mod crm;
pub mod failure;
pub mod help_desk;
pub mod model;
pub mod slack;

pub use config::ConfigError;
pub use failure::{ConnectorError, Verdict};
