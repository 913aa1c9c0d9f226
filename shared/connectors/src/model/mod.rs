//! A language model that is asked one question at a time and answers with JSON of a given schema.
//!
//! Three ways to reach one, one enum: Amazon Bedrock (by the function's own role, without a key), Anthropic,
//! and whatever speaks OpenAI's chat completions. A call has a time-out and a most of tokens, is repeated
//! only if it did not arrive, and shares the circuit breaker of its vendor with all others. An answer that was cut off, refused
//! or filtered is a failure. What is asked and answered is in no log, no error and no debug output.
//!
//! A model has no tools here but the form that it fills in; it reads what it is sent and can do nothing.

mod anthropic;
mod bedrock;
mod config;
mod document;
mod openai;
mod price;

use std::{fmt, time::Duration};

use reqwest::Client;
use runtime::{Clock, aws::Aws, http::Base};
use secrecy::SecretString;

use crate::ConnectorError;

pub use price::{NotAPrice, Price};

/// The name of our call in errors.
const CALL: &str = "model.ask";

/// The name under which a model is given the schema of its answer.
const FORM: &str = "answer";

/// How long an answer may take in all, unless [`Model::within`] says otherwise: well within the time that a
/// turn of the processor has left after its reads.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// A question to a model.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// What the model is for and how it has to answer: our own words alone.
    pub system: String,
    /// What it is about. Text that others wrote is to be fenced.
    pub input: String,
    /// The JSON schema of the answer, an object. Every vendor takes only a part of JSON Schema: each object
    /// names its properties, requires all of them and has `additionalProperties: false`; what may be absent is
    /// `null` by a type such as `["string", "null"]`
    /// (<https://platform.openai.com/docs/guides/structured-outputs>).
    pub schema: serde_json::Value,
    /// The most tokens of the answer; one that needs more is a failure.
    pub max_tokens: u32,
}

/// A model's answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// JSON, if the model kept to the schema, which is to be checked: a stranger's words.
    pub text: String,
    /// The model as it names itself, else as it was asked for.
    pub model: String,
    /// What it used.
    pub tokens: Tokens,
}

/// Tokens that a model read and wrote, by its own count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Read: question, schema and instructions.
    pub input: u64,
    /// Written.
    pub output: u64,
}

/// The configured model. Clones share the circuit breaker.
#[derive(Debug, Clone)]
pub struct Model {
    id: String,
    price: Price,
    vendor: Vendor,
}

#[derive(Debug, Clone)]
enum Vendor {
    Bedrock(bedrock::Bedrock),
    Anthropic(anthropic::Anthropic),
    OpenAi(openai::OpenAi),
}

impl Model {
    /// A model in Amazon Bedrock, in the function's region; `endpoint` is a private one of the VPC, or a
    /// stand-in.
    pub fn bedrock(id: &str, price: Price, aws: &Aws, endpoint: Option<&Base>, clock: Clock) -> Self {
        let vendor = Vendor::Bedrock(bedrock::Bedrock::new(aws, endpoint, clock));
        Self { id: id.to_owned(), price, vendor }
    }

    /// A model of Anthropic's, with the key of a workspace.
    pub fn anthropic(
        id: &str,
        price: Price,
        http: Client,
        base: &Base,
        key: SecretString,
        clock: Clock,
    ) -> Self {
        let vendor = Vendor::Anthropic(anthropic::Anthropic::new(http, base, key, clock));
        Self { id: id.to_owned(), price, vendor }
    }

    /// A model behind OpenAI's API or one like it: `base` ends where `/chat/completions` is to follow, such as
    /// `https://api.openai.com/v1`. Without a key for a server that asks for none.
    pub fn openai(
        id: &str,
        price: Price,
        http: Client,
        base: &Base,
        key: Option<SecretString>,
        clock: Clock,
    ) -> Self {
        let vendor = Vendor::OpenAi(openai::OpenAi::new(http, base, key, clock));
        Self { id: id.to_owned(), price, vendor }
    }

    /// Which model is asked, by the vendor's name for it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What tokens cost.
    pub const fn price(&self) -> Price {
        self.price
    }

    /// Asks within this time-out.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.vendor = match self.vendor {
            Vendor::Bedrock(vendor) => Vendor::Bedrock(vendor.within(timeout)),
            Vendor::Anthropic(vendor) => Vendor::Anthropic(vendor.within(timeout)),
            Vendor::OpenAi(vendor) => Vendor::OpenAi(vendor.within(timeout)),
        };
        self
    }

    /// Asks the model.
    ///
    /// # Errors
    /// [`Cause::Unanswered`](crate::failure::Cause::Unanswered) if it refused or did not finish; else why no
    /// answer came.
    pub async fn ask(&self, question: &Question) -> Result<Reply, ConnectorError> {
        match &self.vendor {
            Vendor::Bedrock(vendor) => vendor.ask(&self.id, question).await,
            Vendor::Anthropic(vendor) => vendor.ask(&self.id, question).await,
            Vendor::OpenAi(vendor) => vendor.ask(&self.id, question).await,
        }
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("max_tokens", &self.max_tokens).finish_non_exhaustive()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text: _, model, tokens } = self;
        f.debug_struct("Reply").field("model", model).field("tokens", tokens).finish_non_exhaustive()
    }
}
