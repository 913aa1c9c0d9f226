//! A language model, as far as `connectors::model` asks one: Amazon Bedrock's Converse, Anthropic's Messages and
//! OpenAI's chat completions at one address. [`wire`] names the pages that the shapes are from.
//!
//! It understands nothing. What it answers follows from the question alone and from its [`Mode`], so the same
//! question always gets the same answer: [`Mode::Sensible`] computes one from the facts, and the other modes do
//! what is to be feared of a model. Questions and answers stand on a page at `/`.
//!
//! | request | body | what it does |
//! | --- | --- | --- |
//! | `GET /_sandbox` | | shows the mode and how many questions came |
//! | `POST /_sandbox/mode` | `{"mode": "inventive"}` | answers in this [`Mode`] from now on |
//!
//! Not modelled: whether a signature is right, streams, conversations, more than one tool, sampling.

mod answer;
mod page;
mod sensible;
mod wire;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Result;
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::Response,
    routing::{any, get, post},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::{answer::INVENTED, wire::Vendor};
pub use crate::fault::Fault;
use crate::{
    Clock, Shelf,
    fault::{Faults, answer},
};

/// The name of the only model, by all three vendors.
pub const MODEL_ID: &str = "sandbox-advisor-1";

/// How late a slow answer is, in seconds of the sandbox's clock.
pub const DELAY: i64 = 60;

const SPACE: &str = "model.exchange";

/// How many exchanges are kept.
const KEPT: usize = 200;

/// What the model is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It says what the facts say.
    #[default]
    Sensible,
    /// It does not keep to the form.
    Malformed,
    /// It is sensible, [`DELAY`] later.
    Slow,
    /// It does not come to an end.
    OverLong,
    /// It does what a text in the question told it to do: it has the reader approve a refund.
    Injected,
    /// It makes things up: an amount, a promise, a page; see [`INVENTED`].
    Inventive,
    /// It does not answer this.
    Refusing,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 7] = [
        Self::Sensible,
        Self::Malformed,
        Self::Slow,
        Self::OverLong,
        Self::Injected,
        Self::Inventive,
        Self::Refusing,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sensible => "sensible",
            Self::Malformed => "malformed",
            Self::Slow => "slow",
            Self::OverLong => "over_long",
            Self::Injected => "injected",
            Self::Inventive => "inventive",
            Self::Refusing => "refusing",
        }
    }

    /// The mode of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }
}

/// A question and what was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// In whose words it was asked.
    pub vendor: Vendor,
    /// How the model was.
    pub mode: Mode,
    /// What the model is for.
    pub system: String,
    /// What it was asked about.
    pub input: String,
    /// The answer as it was written; empty for a refusal.
    pub answer: String,
    /// Tokens that were read and written.
    pub tokens: (u64, u64),
    /// Seconds since 1970.
    pub at: i64,
}

/// The model.
pub struct Model {
    key: String,
    shelf: Shelf,
    clock: Clock,
    faults: Faults,
    memory: Mutex<Memory>,
}

struct Memory {
    mode: Mode,
    /// How many questions came in all.
    asked: usize,
    /// The latest, oldest first.
    exchanges: Vec<Exchange>,
}

impl Model {
    /// The model with what is on the shelf; `key` is what Anthropic and OpenAI accept.
    ///
    /// # Errors
    /// If the shelf cannot be read.
    pub fn open(key: &str, shelf: Shelf, clock: Clock) -> Result<Arc<Self>> {
        let mut exchanges: Vec<Exchange> = shelf.all(SPACE)?.into_iter().map(|(_, one)| one).collect();
        exchanges.sort_by_key(|one| one.at);
        let memory = Memory { mode: Mode::default(), asked: exchanges.len(), exchanges };
        let (key, faults) = (key.to_owned(), Faults::default());
        Ok(Arc::new(Self { key, shelf, clock, faults, memory: Mutex::new(memory) }))
    }

    /// The APIs of all three, the control below `/_sandbox`, and at `/` a page with what was asked and answered.
    pub fn router(self: Arc<Self>) -> Router {
        let show = |State(this): State<Arc<Self>>| async move {
            let (mode, asked, exchanges) = {
                let memory = this.memory();
                (memory.mode, memory.asked, memory.exchanges.clone())
            };
            page::show(mode, asked, &exchanges)
        };
        Router::new()
            .route("/", get(show))
            .route("/_sandbox", get(state))
            .route("/_sandbox/mode", post(set))
            .fallback(any(call))
            .with_state(self)
    }

    /// Is like this from now on.
    pub fn set(&self, mode: Mode) {
        self.memory().mode = mode;
    }

    /// The latest questions with their answers, oldest first.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.memory().exchanges.clone()
    }

    /// Makes the next `times` calls that begin with `on` (`POST /v1/messages`) go wrong.
    pub fn fail(&self, on: &str, fault: Fault, times: usize) {
        self.faults.add(on, fault, times);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the sandbox's clock has moved on.
    async fn be_late(&self) {
        let due = self.clock.seconds() + DELAY;
        while self.clock.seconds() < due {
            tokio::select! {
                () = self.clock.moved() => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    fn keep(&self, exchange: Exchange) -> Result<()> {
        let mut memory = self.memory();
        self.shelf.put(SPACE, &format!("{:04}", memory.asked % KEPT), &exchange)?;
        memory.asked += 1;
        memory.exchanges.push(exchange);
        if memory.exchanges.len() > KEPT {
            memory.exchanges.remove(0);
        }
        Ok(())
    }
}

async fn state(State(this): State<Arc<Model>>) -> Json<Value> {
    let memory = this.memory();
    Json(json!({ "mode": memory.mode, "asked": memory.asked }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Become {
    mode: Mode,
}

async fn set(State(this): State<Arc<Model>>, Json(asked): Json<Become>) -> Json<Value> {
    this.set(asked.mode);
    state(State(this)).await
}

async fn call(
    State(this): State<Arc<Model>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(vendor) = Vendor::of(&method, uri.path()) else {
        let mut missing = Response::default();
        *missing.status_mut() = StatusCode::NOT_FOUND;
        return missing;
    };
    let fault = this.faults.next(&format!("{method} {}", uri.path()));
    let mode = this.memory().mode;
    if mode == Mode::Slow && fault.is_none() {
        this.be_late().await;
    }
    let mut kind = matches!(fault, Some(Fault::RateLimited(_))).then_some(wire::THROTTLED);
    let (limited, _) = vendor.refuse(&wire::Wrong::Limited);
    let perform = || {
        let asked = match vendor.read(uri.path(), &headers, &body, &this.key) {
            Ok(asked) => asked,
            Err(wrong) => {
                let (told, name) = vendor.refuse(&wrong);
                kind = name;
                return Ok(told);
            }
        };
        let (told, answer, tokens) = vendor.tell(&asked, &answer::to(&asked, mode));
        let wire::Asked { system, input, .. } = asked;
        this.keep(Exchange { vendor, mode, system, input, answer, tokens, at: this.clock.seconds() })?;
        Ok((200, told))
    };
    let mut response = answer(fault, limited, perform).await;
    if let Some(kind) = kind.filter(|_| vendor == Vendor::Bedrock) {
        let name = HeaderName::from_static("x-amzn-errortype");
        response.headers_mut().insert(name, HeaderValue::from_static(kind));
    }
    response
}
