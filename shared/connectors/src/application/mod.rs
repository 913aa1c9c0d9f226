//! The company's own application: what it knows of a customer, in one signed read.
//!
//! # For whoever implements it
//!
//! Answer `GET {base}/customers/{id}`, where `{id}` is Stripe's id of the customer (`cus_…`):
//!
//! 1. Check the header `Countersign-Signature` as [`runtime::signed`] says: HMAC-SHA256 over
//!    `{t}.GET.{path with query}.` with the shared secret, not older than 300 seconds. Answer 401 with
//!    `{"error":"bad_signature"}` otherwise.
//! 2. Answer 404 with `{"error":"no_such_customer"}` for a customer that you do not know.
//! 3. Else answer 200 with JSON of the shape of [`domain::context::Application`], in at most 256 KiB:
//!
//! ```json
//! {
//!   "orders": [{
//!     "id": "A-1", "charge": "ch_1", "amount": { "amount": 1999, "currency": "usd" },
//!     "placed": 1790000000, "description": "Team plan, March",
//!     "fulfilment": "provided", "fulfilled": 1790000100
//!   }],
//!   "usage": { "last_active": 1790003600, "active_days": 12 },
//!   "contract": { "renews": 1800000000, "terms_accepted": 1780000000 },
//!   "entitlements": [{ "name": "team", "active": true }]
//! }
//! ```
//!
//! Times are seconds since 1970, amounts minor units. Leave out what you do not keep: an absent part is
//! "not known", an empty list is "none", and the two decide differently. A field that is not in the
//! list is refused, and with it the whole answer, so that a misspelt one is not silently "not known".
//! The read must change nothing; it is repeated at will. `infra/sandbox/src/application` is a server that
//! does all this, and `infra/sandbox/examples/application.rs` runs it.

#[cfg(test)]
mod tests;

use domain::{CustomerId, context::Application};
use reqwest::{Client, Method, StatusCode, Url};
use runtime::{
    Clock, Env, EnvError,
    http::Base,
    signed::{self, Parts},
};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    ConnectorError,
    call::{Api, Kind, Refusal, parsed},
    failure::Cause,
};

/// Bytes of an answer that is accepted.
const LONGEST: usize = 256 << 10;

/// A customer that nobody has: what [`CustomerContext::check`] asks for.
const NOBODY: &str = "cus_countersign_check";

/// The name of the read in errors.
const READ: &str = "customer.read";

/// Where the application is and what its secret is called, from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `APPLICATION_URL`.
    pub base: Base,
    /// `APPLICATION_SECRET`: the name of the secret whose values sign ([`runtime::secrets::list`]).
    pub secret: String,
}

impl Config {
    /// `None` without `APPLICATION_URL`: then this part of every context is missing.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Option<Self>, EnvError> {
        let Some(base) = env.optional_base("APPLICATION_URL")? else { return Ok(None) };
        Ok(Some(Self { base, secret: env.required("APPLICATION_SECRET")?.to_owned() }))
    }
}

/// Reads from the application.
#[derive(Clone)]
pub struct CustomerContext {
    api: Api,
    base: Base,
    secrets: Vec<SecretString>,
    clock: Clock,
}

impl CustomerContext {
    /// `secrets` sign each read; several while one is replaced.
    pub fn new(http: Client, base: Base, secrets: Vec<SecretString>, clock: Clock) -> Self {
        let api = Api::new("application", http, base.as_str(), refusal, clock.clone());
        Self { api, base, secrets, clock }
    }

    /// What the application knows of a customer.
    ///
    /// # Errors
    /// [`Cause::NotFound`] if it knows no such customer, [`Cause::Contradictory`] if its answer is not
    /// of the documented shape. An error leaves this part of the context missing; nothing is guessed.
    pub async fn read(&self, customer: &CustomerId) -> Result<Application, ConnectorError> {
        let body = self.get(customer.as_str()).await?;
        serde_json::from_slice(&body)
            .map_err(|_| self.api.error(READ, Cause::Contradictory("an answer of another shape")))
    }

    /// Whether the application can be reached and takes our signature, by asking for a customer that
    /// nobody has.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn check(&self) -> Result<(), ConnectorError> {
        match self.get(NOBODY).await {
            Err(ConnectorError { cause: Cause::NotFound(_), .. }) => Ok(()),
            Ok(_) => Err(self.api.error(READ, Cause::Contradictory("it knows a customer that nobody has"))),
            Err(error) => Err(error),
        }
    }

    async fn get(&self, customer: &str) -> Result<Vec<u8>, ConnectorError> {
        let path = ["customers", customer];
        let failed = |cause| self.api.error(READ, cause);
        let url = url(&self.base, &path).ok_or_else(|| failed(Cause::NotReached))?;
        let parts = Parts { method: "GET", path_and_query: url.path(), body: b"" };
        let signature = signed::sign(&self.secrets, (self.clock)(), parts);
        let call = self.api.call(Kind::Read, READ, Method::GET, &path).header(signed::HEADER, signature);
        match call.answer().await {
            Ok(answer) if answer.body.len() > LONGEST => {
                Err(failed(Cause::Contradictory("too long an answer")))
            }
            Ok(answer) => Ok(answer.body),
            // Another 404 comes from a wrong address: that is no statement about the customer.
            Err(ConnectorError { cause: Cause::Refused { status: 404, code, .. }, .. })
                if code.as_str() == "no_such_customer" =>
            {
                Err(failed(Cause::NotFound("no such customer")))
            }
            Err(error) => Err(error),
        }
    }
}

/// The address that [`Api::call`] makes of the same segments.
fn url(base: &Base, path: &[&str]) -> Option<Url> {
    let mut url = Url::parse(base.as_str()).ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().extend(path);
    Some(url)
}

fn refusal(_: StatusCode, body: &[u8]) -> Refusal {
    #[derive(Deserialize)]
    struct Said {
        error: String,
    }
    Refusal { code: parsed::<Said>(body).map(|said| said.error), ..Refusal::default() }
}
