//! Stand-ins for local runs and tests, all on loopback: DynamoDB, SQS, Secrets Manager, Stripe, an
//! OpenID provider, Slack and two CRMs. The functions reach them through the same clients as in production.

mod aws_json;
pub mod clock;
pub mod crm;
mod deployment;
pub mod dynamodb;
pub mod keys;
pub mod lambda;
pub mod loopback;
pub mod oidc;
pub mod people;
pub mod secrets;
pub mod shelf;
pub mod slack;
pub mod sqs;
pub mod stripe;
pub mod world;

pub use clock::Clock;
pub use loopback::Loopback;
pub use shelf::Shelf;
pub use world::Sandbox;
