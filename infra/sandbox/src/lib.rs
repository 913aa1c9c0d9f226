//! Stand-ins for local runs and tests, all on loopback: DynamoDB, SQS, Secrets Manager, Stripe, an
//! OpenID provider, Slack, two CRMs, two help desks, the company's application, SES and a language model.
//! The functions reach them through the same clients as in production.

pub mod application;
mod aws_json;
pub mod clock;
mod company;
pub mod crm;
mod deployment;
pub mod dynamodb;
pub mod fault;
pub mod help_desk;
pub mod keys;
pub mod lambda;
pub mod loopback;
pub mod model;
pub mod oidc;
mod page;
pub mod passkey;
pub mod people;
pub mod policy;
pub mod secrets;
pub mod ses;
pub mod shelf;
pub mod slack;
pub mod sqs;
pub mod stripe;
pub mod tally;
pub mod world;

pub use clock::Clock;
pub use loopback::Loopback;
pub use shelf::Shelf;
pub use tally::Tally;
pub use world::Sandbox;
