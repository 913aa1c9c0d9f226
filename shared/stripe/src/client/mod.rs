//! The read client: it can make `GET` requests and no others.

mod events;
mod memory;
mod pace;
mod reads;
mod retry;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::snapshot::Read;
use reqwest::{
    StatusCode,
    header::{AUTHORIZATION, HeaderMap},
};
use serde::de::DeserializeOwned;

pub use events::{Cursor, EventQuery, Occurred};
pub use memory::Memory;
pub use pace::Pace;
pub use retry::Retry;

use crate::{
    ApiKey, Base, Error, Misshapen, Mode, Object, Scope,
    objects::Page,
    wire::{API_VERSION, Failure, Parameters, header},
};

/// Sets what every HTTP client for Stripe needs, for reading and for writing: a connection comes up
/// soon or not at all, no redirect is followed, since a key goes to one host only, and nothing is
/// tried again behind our back.
pub fn http(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    builder
        .connect_timeout(Duration::from_secs(3))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
}

/// The most items of a list that are read; a longer one comes back as not complete.
const MOST: usize = 1000;

/// What a client needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where Stripe is.
    pub base: Base,
    /// A restricted key that can only read.
    pub key: ApiKey,
    /// How long one try may take as a whole.
    pub timeout: Duration,
    /// When it is tried again.
    pub retry: Retry,
    /// How fast it may ask.
    pub pace: Pace,
    /// Random numbers for the jitter; they need not be secret.
    pub random: fn() -> u32,
}

/// Reads from Stripe. A clone shares the pace and the count of requests.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    scope: Scope,
    readable: Arc<Readable>,
    memory: Option<Arc<Memory>>,
}

/// The metadata keys that may be read, by object (`charge`, `refund`). Everything else of `metadata` is
/// dropped as soon as it arrives.
pub type Readable = BTreeMap<String, BTreeSet<String>>;

#[derive(Debug)]
struct Shared {
    http: reqwest::Client,
    settings: Settings,
    pacer: pace::Pacer,
    requests: AtomicU64,
}

/// An answer, with Stripe's id of the request that brought it: the trail keeps it (I6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// `req_…`; of a list, that of its last page.
    pub request_id: Option<String>,
}

/// A list, as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The items, in Stripe's order: newest first unless said otherwise.
    pub items: Vec<T>,
    /// Whether that is all of them. What is missing from an incomplete list proves nothing (I7).
    pub complete: bool,
    /// Items that could not be used and were left out.
    pub skipped: usize,
}

impl<T> Answer<T> {
    /// The same answer with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { value: change(self.value), request_id: self.request_id }
    }
}

impl Client {
    /// A client of the key's own account.
    pub fn new(http: reqwest::Client, settings: Settings) -> Self {
        let pacer = pace::Pacer::new(settings.pace);
        let shared = Shared { http, settings, pacer, requests: AtomicU64::new(0) };
        Self { shared: Arc::new(shared), scope: Scope::Own, readable: Arc::default(), memory: None }
    }

    /// The same client in another account's name.
    #[must_use]
    pub fn scoped(&self, scope: Scope) -> Self {
        Self { scope, ..self.clone() }
    }

    /// The same client with metadata that may be read; without this none is kept.
    #[must_use]
    pub fn reading(self, readable: Readable) -> Self {
        Self { readable: Arc::new(readable), ..self }
    }

    /// The same client, which asks for nothing that is in this memory.
    #[must_use]
    pub fn remembering(self, memory: Arc<Memory>) -> Self {
        Self { memory: Some(memory), ..self }
    }

    /// The mode of the key. An object of the other mode looks like a missing one, so compare this
    /// with an event's `livemode` before reading.
    pub fn mode(&self) -> Mode {
        self.shared.settings.key.mode()
    }

    /// Requests made so far, tries included, over all scopes.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Reads one object; [`Read::Gone`] if Stripe says that it has none of this id.
    async fn object<T: Object>(
        &self,
        call: &'static str,
        path: &[&str],
        expand: &[&str],
    ) -> Result<Answer<Read<T>>, Error> {
        let parameters: Parameters =
            expand.iter().enumerate().map(|(n, what)| (format!("expand[{n}]"), (*what).to_owned())).collect();
        match self.get(call, path, &parameters).await {
            Ok(answer) => {
                let object: T::Wire = shaped(call, &answer)?;
                Ok(answer.map(|_| Read::Found(object.into())))
            }
            Err(Error::Refused { failure, request_id, .. })
                if failure.status == 404 && failure.code.as_deref() == Some("resource_missing") =>
            {
                Ok(Answer { value: Read::Gone, request_id })
            }
            Err(error) => Err(error),
        }
    }

    /// Reads a list page by page, up to `most` items.
    async fn list<T: Object>(
        &self,
        call: &'static str,
        path: &[&str],
        filter: &[(&str, &str)],
        most: usize,
    ) -> Result<Answer<Listed<T>>, Error> {
        #[derive(serde::Deserialize)]
        struct Entry {
            id: String,
        }
        let mut items = Vec::new();
        let mut last = None;
        loop {
            let mut parameters = pairs(filter);
            parameters.push(("limit".into(), most.min(100).to_string()));
            parameters.extend(last.map(|id| ("starting_after".into(), id)));
            let answer = self.get(call, path, &parameters).await?;
            let page: Page<T::Wire> = shaped(call, &answer)?;
            let has_more = page.has_more && !page.data.is_empty();
            items.extend(page.data.into_iter().map(Into::into));
            if !has_more || items.len() >= most {
                return Ok(answer.map(|_| Listed { items, complete: !has_more, skipped: 0 }));
            }
            last = shaped::<Page<Entry>>(call, &answer)?.data.pop().map(|entry| entry.id);
        }
    }

    /// One `GET`, unless its answer is remembered.
    async fn get(
        &self,
        call: &'static str,
        path: &[&str],
        parameters: &[(String, String)],
    ) -> Result<Answer<Vec<u8>>, Error> {
        let url = self.shared.settings.base.v1(path, parameters).ok_or(Error::BadId { call })?;
        let Some(memory) = &self.memory else { return self.ask(call, &url).await };
        if let Some(known) = memory.recall(&self.scope, &url) {
            return Ok(known);
        }
        let answer = self.ask(call, &url).await?;
        memory.keep(&self.scope, &url, &answer);
        Ok(answer)
    }

    /// One `GET`, tried again by the rule; only a 2xx is an answer.
    async fn ask(&self, call: &'static str, url: &reqwest::Url) -> Result<Answer<Vec<u8>>, Error> {
        let Settings { retry, random, .. } = &self.shared.settings;
        let mut number = 0;
        loop {
            self.shared.pacer.turn(&self.scope).await;
            self.shared.requests.fetch_add(1, Ordering::Relaxed);
            let outcome = self.once(url.clone()).await;
            let again = match &outcome {
                Ok((status, headers, _)) => retry::asks_for_retry(*status, headers),
                Err(error) => !error.is_builder(),
            };
            if !again || number >= retry.retries {
                let (status, headers, body) =
                    outcome.map_err(|source| Error::Unreachable { call, source: source.without_url() })?;
                return answer(call, status, &headers, body);
            }
            number += 1;
            tracing::debug!(call, number, "stripe is asked again");
            tokio::time::sleep(retry.wait(number, random())).await;
        }
    }

    async fn once(&self, url: reqwest::Url) -> Result<(StatusCode, HeaderMap, Vec<u8>), reqwest::Error> {
        let Settings { key, timeout, .. } = &self.shared.settings;
        let mut request = self
            .shared
            .http
            .get(url)
            .timeout(*timeout)
            .header(AUTHORIZATION, key.authorization())
            .header("stripe-version", API_VERSION);
        if let Some((name, value)) = self.scope.header() {
            request = request.header(name, value);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok((status, headers, response.bytes().await?.into()))
    }
}

/// Sorts an answer by its status.
fn answer(
    call: &'static str,
    status: StatusCode,
    headers: &HeaderMap,
    body: Vec<u8>,
) -> Result<Answer<Vec<u8>>, Error> {
    let request_id = header(headers, "request-id");
    if status.is_success() {
        return Ok(Answer { value: body, request_id });
    }
    let failure = Failure::read(status, &body);
    Err(match status.as_u16() {
        401 | 403 => Error::Denied { call, permission: failure.permission, request_id },
        409 => Error::Locked { call, request_id },
        429 if failure.code.as_deref() == Some("lock_timeout") => Error::Locked { call, request_id },
        429 => Error::RateLimited { call, reason: header(headers, "stripe-rate-limited-reason"), request_id },
        500.. => Error::Server { call, status: failure.status, request_id },
        _ => Error::Refused { call, failure: Box::new(failure), request_id },
    })
}

/// Reads the body of an answer.
fn shaped<T: DeserializeOwned>(call: &'static str, answer: &Answer<Vec<u8>>) -> Result<T, Error> {
    serde_json::from_slice(&answer.value).map_err(|error| Error::Shape {
        call,
        source: Misshapen::from(error),
        request_id: answer.request_id.clone(),
    })
}

fn pairs(filter: &[(&str, &str)]) -> Parameters {
    filter.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
