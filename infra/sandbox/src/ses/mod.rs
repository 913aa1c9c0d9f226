//! Amazon SES v2 as far as `gated::mail` uses it: `SendEmail` of simple messages and `GetAccount`
//! (<https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>,
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html>), with the errors that
//! page names, spelled as its protocol does: the type in the header `x-amzn-ErrorType`
//! (<https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html>).
//!
//! What is accepted ends in an outbox, at `/` for people to read. As with SES, a call that is repeated
//! sends again.
//!
//! Not modelled: whether a signature is right, raw and templated messages, delivery, bounces, events.

mod outbox;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::Response,
    routing::{any, get},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use crate::fault::Fault;
use crate::{
    Clock, Shelf,
    fault::{Answer, Faults, answer},
};

const SPACE: &str = "ses.message";

/// The most recipients of a message.
const RECIPIENTS: usize = 50;

/// SES in one region of one account.
pub struct Ses {
    /// The verified address.
    identity: String,
    shelf: Shelf,
    clock: Clock,
    faults: Faults,
    memory: Mutex<Memory>,
}

struct Memory {
    messages: Vec<Message>,
    refusal: Option<Refusal>,
}

/// A message that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Message {
    /// SES's id of it.
    pub id: String,
    /// Who writes.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
    /// Where answers go.
    pub reply_to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// Names and values.
    pub tags: Vec<(String, String)>,
    /// Seconds since 1970.
    pub at: i64,
}

/// Why SES accepts nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Sending is paused for the account.
    Paused,
    /// The account is suspended for good.
    Suspended,
    /// The content is refused.
    Rejected,
    /// The sender's domain is not verified any more.
    DomainNotVerified,
}

impl Refusal {
    const fn name(self) -> &'static str {
        match self {
            Self::Paused => "SendingPausedException",
            Self::Suspended => "AccountSuspendedException",
            Self::Rejected => "MessageRejected",
            Self::DomainNotVerified => "MailFromDomainNotVerifiedException",
        }
    }
}

/// A refused call: status, type, sentence.
type Refused = (u16, &'static str, String);

impl Ses {
    /// SES with what is on the shelf; `identity` is the address that it lets write.
    ///
    /// # Errors
    /// If the shelf cannot be read.
    pub fn open(identity: &str, shelf: Shelf, clock: Clock) -> Result<Arc<Self>> {
        let messages = shelf.all(SPACE)?.into_iter().map(|(_, message)| message).collect();
        Ok(Arc::new(Self {
            identity: identity.to_owned(),
            shelf,
            clock,
            faults: Faults::default(),
            memory: Mutex::new(Memory { messages, refusal: None }),
        }))
    }

    /// The API, and at `/` the outbox.
    pub fn router(self: Arc<Self>) -> Router {
        let show = |State(this): State<Arc<Self>>| async move { outbox::show(&this.messages()) };
        Router::new().route("/", get(show)).fallback(any(call)).with_state(self)
    }

    /// What was accepted, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.memory().messages.clone()
    }

    /// Makes the next `times` calls that begin with `on` (`POST /v2/email/outbound-emails`) go wrong.
    /// [`Fault::DropAfter`] accepts the message and loses the answer.
    pub fn fail(&self, on: &str, fault: Fault, times: usize) {
        self.faults.add(on, fault, times);
    }

    /// Refuses every message from now on; `None` ends that.
    pub fn refuse(&self, refusal: Option<Refusal>) {
        self.memory().refusal = refusal;
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn account(&self) -> Value {
        let refusal = self.memory().refusal;
        json!({
            "DedicatedIpAutoWarmupEnabled": false,
            "EnforcementStatus": if refusal == Some(Refusal::Suspended) { "SHUTDOWN" } else { "HEALTHY" },
            "ProductionAccessEnabled": true,
            "SendQuota": { "Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 0.0 },
            "SendingEnabled": !matches!(refusal, Some(Refusal::Paused | Refusal::Suspended)),
        })
    }

    fn send(&self, body: &[u8]) -> Result<Result<Value, Refused>> {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let message = match self.accepted(&asked) {
            Ok(message) => message,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut memory = self.memory();
        let told = json!({ "MessageId": message.id });
        self.shelf.put(SPACE, &format!("{:08}", memory.messages.len()), &message)?;
        memory.messages.push(message);
        Ok(Ok(told))
    }

    fn accepted(&self, asked: &Value) -> Result<Message, Refused> {
        let text = |path: &str| asked.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let texts = |path: &str| -> Vec<String> {
            let all = asked.pointer(path).and_then(Value::as_array);
            all.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let bad = |said: &str| (400, "BadRequestException", said.to_owned());
        if let Some(refusal) = self.memory().refusal {
            return Err((400, refusal.name(), "The message was not accepted.".to_owned()));
        }
        let from = text("/FromEmailAddress").ok_or_else(|| bad("Missing required field: From"))?;
        if from != self.identity {
            let said =
                format!("Email address is not verified. The following identities failed the check: {from}");
            return Err((400, "MessageRejected", said));
        }
        let to = texts("/Destination/ToAddresses");
        if to.is_empty() || to.len() > RECIPIENTS {
            return Err(bad("The number of recipients must be from 1 to 50."));
        }
        let tag = |tag: &Value| {
            let field = |name: &str| tag.get(name).and_then(Value::as_str).map(str::to_owned);
            Some((field("Name")?, field("Value")?))
        };
        let tags = asked.get("EmailTags").and_then(Value::as_array);
        Ok(Message {
            id: format!("0100{:012x}-{}-000000", self.clock.millis(), uuid::Uuid::new_v4()),
            from,
            to,
            reply_to: texts("/ReplyToAddresses"),
            subject: text("/Content/Simple/Subject/Data")
                .ok_or_else(|| bad("Missing required field: Subject"))?,
            text: text("/Content/Simple/Body/Text/Data")
                .ok_or_else(|| bad("Missing required field: Body"))?,
            tags: tags.into_iter().flatten().filter_map(tag).collect(),
            at: self.clock.seconds(),
        })
    }

    fn perform(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Result<Value, Refused>> {
        let given = headers.get(header::AUTHORIZATION).and_then(|given| given.to_str().ok());
        if !given.is_some_and(|given| given.starts_with("AWS4-HMAC-SHA256 ")) {
            return Ok(Err((
                403,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token".to_owned(),
            )));
        }
        match (method.as_str(), path) {
            ("POST", "/v2/email/outbound-emails") => self.send(body),
            ("GET", "/v2/email/account") => Ok(Ok(self.account())),
            _ => Ok(Err((404, "NotFoundException", "There is no such operation here.".to_owned()))),
        }
    }
}

async fn call(
    State(this): State<Arc<Ses>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = this.faults.next(&format!("{method} {}", uri.path()));
    let mut kind = match fault {
        Some(Fault::RateLimited(_)) => Some("TooManyRequestsException"),
        _ => None,
    };
    let limited = (429, json!({ "message": "Maximum sending rate exceeded." }));
    let perform = || -> Answer {
        Ok(match this.perform(&method, uri.path(), &headers, &body)? {
            Ok(told) => (200, told),
            Err((status, name, said)) => {
                kind = Some(name);
                (status, json!({ "message": said }))
            }
        })
    };
    let mut response = answer(fault, limited, perform).await;
    if let Some(kind) = kind {
        let name = HeaderName::from_static("x-amzn-errortype");
        response.headers_mut().insert(name, HeaderValue::from_static(kind));
    }
    response
}
