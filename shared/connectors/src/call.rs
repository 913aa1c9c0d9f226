//! One place for JSON calls to a vendor: who we are, the time-out, repeats, the circuit breaker, and
//! what an answer means.
//!
//! A call costs at most its time-out, repeats included. Only calls that may be repeated are, and only
//! after a lost connection or a failure of the vendor: a vendor that hangs, refuses or limits the rate
//! is asked again by the outbox, later. A write that the vendor does not deduplicate is never repeated.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable as _};
use domain::Timestamp;
use reqwest::{Client, Method, Response, StatusCode, Url, header};
use runtime::Clock;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    breaker::Breaker,
    failure::{Cause, Code, ConnectorError, Lost, Said},
};

#[cfg(test)]
mod tests;

/// How long a call may take in all.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Seconds until a time that a vendor names, at most: clocks differ.
const LONGEST_WAIT: i64 = 3600;

/// Bytes of an answer that are read; a longer one is unreadable.
const LONGEST: usize = 4 << 20;

/// Whether a call may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Changes nothing.
    Read,
    /// Changes nothing but costs money each time; repeated once, and only if it did not arrive.
    Paid,
    /// Changes something; the vendor makes sure that the second time changes nothing more.
    Idempotent,
    /// Changes something each time.
    Once,
}

/// Who we are to the vendor.
#[derive(Clone, Default)]
pub enum Auth {
    /// Nobody.
    #[default]
    None,
    /// `Authorization: Bearer …`.
    Bearer(SecretString),
    /// `Authorization: Basic …`.
    Basic {
        /// The name.
        user: String,
        /// The secret.
        password: SecretString,
    },
}

/// What a vendor's refusal says.
#[derive(Debug, Default)]
pub struct Refusal {
    /// Its word for it.
    pub code: Option<String>,
    /// Its sentence, as it came.
    pub said: Option<String>,
    /// The rate is limited, whatever the status says.
    pub limited: bool,
    /// A key, a scope or a setting is wrong, whatever the status says.
    pub repairable: bool,
}

/// Reads a vendor's refusal from the body; each vendor has its own shape.
pub type Reader = fn(StatusCode, &[u8]) -> Refusal;

/// One vendor's API. Clones share the circuit breaker.
#[derive(Clone)]
pub struct Api {
    system: &'static str,
    http: Client,
    base: String,
    auth: Auth,
    timeout: Duration,
    reader: Reader,
    clock: Clock,
    breaker: Arc<Mutex<Breaker>>,
}

impl Api {
    /// `base` is the vendor's address or a stand-in's, checked by [`runtime::http::Base`].
    pub fn new(
        system: &'static str,
        http: Client,
        base: impl Into<String>,
        reader: Reader,
        clock: Clock,
    ) -> Self {
        let (auth, breaker) = (Auth::None, Arc::default());
        Self { system, http, base: base.into(), auth, timeout: TIMEOUT, reader, clock, breaker }
    }

    /// Calls as this.
    #[must_use]
    pub fn with_auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Calls within this time-out.
    #[must_use]
    pub const fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// A call: its name for errors, its method, and its path in segments, which are escaped here.
    pub fn call(&self, kind: Kind, name: &'static str, method: Method, path: &[&str]) -> Call<'_> {
        let url = Url::parse(&self.base).ok().and_then(|mut url| {
            url.path_segments_mut().ok()?.pop_if_empty().extend(path);
            Some(url)
        });
        Call { api: self, kind, name, method, url, auth: None, body: Ok(None), headers: Vec::new() }
    }

    /// An error of this vendor.
    pub const fn error(&self, call: &'static str, cause: Cause) -> ConnectorError {
        ConnectorError { system: self.system, call, cause }
    }

    /// The time by the clock that it was given.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("system", &self.system).field("base", &self.base).finish_non_exhaustive()
    }
}

/// A call that is being put together.
#[must_use = "a call does nothing until it is sent"]
pub struct Call<'a> {
    api: &'a Api,
    kind: Kind,
    name: &'static str,
    method: Method,
    /// `None` if it is no address.
    url: Option<Url>,
    auth: Option<Auth>,
    /// Type and bytes; an error if they could not be written.
    body: Result<Option<(&'static str, Vec<u8>)>, ()>,
    headers: Vec<(&'static str, String)>,
}

/// A vendor's answer of status 200 to 299.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; empty for 204.
    pub body: Vec<u8>,
}

impl Call<'_> {
    /// With a query.
    pub fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        if let Some(url) = &mut self.url {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        self
    }

    /// With a body of JSON.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body).map(|body| Some(("application/json", body))).map_err(drop);
        self
    }

    /// With the body of a form.
    pub fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.body = Ok(Some(("application/x-www-form-urlencoded", body.into_bytes())));
        self
    }

    /// With a body as it is: for calls whose signature covers the bytes.
    pub fn bytes(mut self, kind: &'static str, body: Vec<u8>) -> Self {
        self.body = Ok(Some((kind, body)));
        self
    }

    /// With one more header, such as an idempotency key.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// As somebody else than [`Api::with_auth`] said.
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = Some(auth);
        self
    }

    /// Sends it and reads JSON.
    ///
    /// # Errors
    /// See [`Cause`].
    pub async fn send<T: DeserializeOwned>(self) -> Result<T, ConnectorError> {
        let (api, name, lost) = (self.api, self.name, self.lost());
        let answer = self.answer().await?;
        serde_json::from_slice(&answer.body).map_err(|_| api.error(name, lost(Lost::Unreadable)))
    }

    /// Like [`Call::send`], with `None` for 404.
    ///
    /// # Errors
    /// See [`Cause`].
    pub async fn send_if_found<T: DeserializeOwned>(self) -> Result<Option<T>, ConnectorError> {
        match self.send().await {
            Ok(answer) => Ok(Some(answer)),
            Err(ConnectorError { cause: Cause::Refused { status: 404, .. }, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends it.
    ///
    /// # Errors
    /// See [`Cause`].
    pub async fn answer(self) -> Result<Answer, ConnectorError> {
        let failed = |cause| self.api.error(self.name, cause);
        let now = (self.api.clock)();
        self.api.breaker().admit(now).map_err(|after| failed(Cause::LeftAlone { after }))?;
        let lost = self.lost();
        let repeats = match self.kind {
            Kind::Read | Kind::Idempotent => 2,
            Kind::Paid => 1,
            Kind::Once => 0,
        };
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_factor(4.0)
            .with_jitter()
            .with_max_times(repeats);
        // What may have been answered was paid for, and would be paid for twice.
        let passes = |cause: &Cause| match self.kind {
            Kind::Paid => matches!(cause, Cause::NotReached),
            Kind::Read | Kind::Idempotent | Kind::Once => passes(cause),
        };
        let tries = (|| self.once()).retry(pauses).when(passes);
        let sent = match tokio::time::timeout(self.api.timeout, tries).await {
            Ok(sent) => sent,
            Err(_) => Err(lost(Lost::TimedOut)),
        };
        match &sent {
            Err(Cause::NotReached | Cause::NoAnswer(_) | Cause::Unknown(_)) => {
                self.api.breaker().failed((self.api.clock)());
            }
            _ => self.api.breaker().answered(),
        }
        sent.map_err(failed)
    }

    /// What it means that no usable answer came.
    const fn lost(&self) -> fn(Lost) -> Cause {
        match self.kind {
            Kind::Read | Kind::Paid | Kind::Idempotent => Cause::NoAnswer,
            Kind::Once => Cause::Unknown,
        }
    }

    async fn once(&self) -> Result<Answer, Cause> {
        let lost = self.lost();
        let url = self.url.clone().ok_or(Cause::NotReached)?;
        let Ok(body) = &self.body else { return Err(Cause::Contradictory("a body that is no JSON")) };
        let mut request = self.api.http.request(self.method.clone(), url).timeout(self.api.timeout);
        request = match self.auth.as_ref().unwrap_or(&self.api.auth) {
            Auth::None => request,
            Auth::Bearer(token) => request.bearer_auth(token.expose_secret()),
            Auth::Basic { user, password } => request.basic_auth(user, Some(password.expose_secret())),
        };
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some((kind, body)) = body {
            request = request.header(header::CONTENT_TYPE, *kind).body(body.clone());
        }
        let answer = request.send().await.map_err(|error| cause(&error, lost))?;
        let status = answer.status();
        let after = retry_after(&answer, self.api.now());
        let body = read(answer, lost).await;
        if status.is_success() {
            return Ok(Answer { status: status.as_u16(), body: body? });
        }
        if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
            return Err(match (status, after) {
                // It says itself that it did nothing, and for how long.
                (StatusCode::SERVICE_UNAVAILABLE, Some(_)) => Cause::Limited { after },
                _ => lost(Lost::Status(status.as_u16())),
            });
        }
        // A refusal is one, even if its body was lost on the way.
        Err(refused(status, after, (self.api.reader)(status, &body.unwrap_or_default())))
    }
}

fn refused(status: StatusCode, after: Option<u64>, refusal: Refusal) -> Cause {
    let Refusal { code, said, limited, repairable } = refusal;
    if limited || status == StatusCode::TOO_MANY_REQUESTS {
        return Cause::Limited { after };
    }
    let (code, said) = (Code::new(code.as_deref()), Said::new(said.as_deref().unwrap_or_default()));
    let refused = status.as_u16();
    if repairable || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        Cause::NotAllowed { status: refused, code, said }
    } else {
        Cause::Refused { status: refused, code, said }
    }
}

/// Whether a second try right now may go better.
const fn passes(cause: &Cause) -> bool {
    matches!(cause, Cause::NotReached | Cause::NoAnswer(Lost::Broken | Lost::Status(_)))
}

fn cause(error: &reqwest::Error, lost: fn(Lost) -> Cause) -> Cause {
    // A time-out while connecting is both; then nothing was sent.
    if error.is_connect() || error.is_builder() {
        Cause::NotReached
    } else if error.is_timeout() {
        lost(Lost::TimedOut)
    } else {
        lost(Lost::Broken)
    }
}

/// Seconds to wait: `Retry-After` in whole seconds (its other form, a date, is not used by those whom we
/// call). Where the rate is limited, other headers tell it, too, which stand in every answer otherwise:
/// when Intercom's window ends, and how long HubSpot's is
/// (<https://developers.intercom.com/docs/references/rest-api/errors/rate-limiting/>,
/// <https://developers.hubspot.com/docs/api/usage-details>).
fn retry_after(answer: &Response, now: Timestamp) -> Option<u64> {
    let header = |name| answer.headers().get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let window = || match answer.status() {
        StatusCode::TOO_MANY_REQUESTS => header("x-ratelimit-reset")
            .map(|reset| Timestamp::from_seconds(reset).since(now))
            .or_else(|| Some(header("x-hubspot-ratelimit-interval-milliseconds")? / 1000))
            .map(|seconds| seconds.clamp(1, LONGEST_WAIT)),
        _ => None,
    };
    u64::try_from(header("retry-after").or_else(window)?).ok()
}

async fn read(mut answer: Response, lost: fn(Lost) -> Cause) -> Result<Vec<u8>, Cause> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|error| cause(&error, lost))? {
        body.extend_from_slice(&part);
        if body.len() > LONGEST {
            return Err(lost(Lost::Unreadable));
        }
    }
    Ok(body)
}

/// The JSON of a refusal, if it is of this shape: for a [`Reader`].
pub fn parsed<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}
