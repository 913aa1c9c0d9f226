//! A company's own application as Countersign asks it, to try a connection against:
//!
//! ```text
//! APPLICATION_KEY=… ACCESS_KEY=… cargo run --package sandbox --example application [PORT]
//! ```
//!
//! It knows the customer `cus_example`. What to copy into an application of your own is in
//! `infra/sandbox/src/application`: the check of a signature, and a change that is made once.

use anyhow::{Context as _, Result};
use sandbox::{
    Clock, Loopback, Shelf,
    application::{Application, Keys},
};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "this is a main")]
async fn main() -> Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "0".into());
    let port = port.parse().context("the port is a number from 0 to 65535")?;
    let key = |name: &str| std::env::var(name).with_context(|| format!("set `{name}` to the shared secret"));
    let keys = Keys { read: key("APPLICATION_KEY")?, access: key("ACCESS_KEY")? };
    let application = Application::open(keys, Shelf::memory()?, Clock::running())?;
    let known = json!({ "orders": [], "entitlements": [{ "name": "team", "active": true }] });
    application.seed("cus_example", known)?;
    let server = Loopback::serve(port, application.router()).await?;
    println!("{}", server.url());
    std::future::pending().await
}
