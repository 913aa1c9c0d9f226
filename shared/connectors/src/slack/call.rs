//! One call: the token, the time-out, and what the answer means.

use std::{sync::PoisonError, time::Duration};

use reqwest::{RequestBuilder, StatusCode, Url, header};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Slack, SlackError, error::Cause};

/// Slack answers within a fraction of a second; the connection has the client's own limit.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Used when Slack limits the rate without saying for how long.
const WAIT: u64 = 30;

/// Whether a call that got no answer may have changed something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
}

/// What every answer has: <https://docs.slack.dev/apis/web-api/#responses>.
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    error: Option<String>,
}

impl Slack {
    /// A call that changes something, with JSON.
    pub(super) async fn write<T: DeserializeOwned>(
        &self,
        method: &'static str,
        arguments: &(impl Serialize + Sync),
    ) -> Result<T, SlackError> {
        let call = self.http.post(format!("{}/{method}", self.base)).json(arguments);
        self.call(Kind::Write, method, call).await
    }

    /// A call that may be repeated at will, with JSON.
    pub(super) async fn read_post<T: DeserializeOwned>(
        &self,
        method: &'static str,
        arguments: &(impl Serialize + Sync),
    ) -> Result<T, SlackError> {
        let call = self.http.post(format!("{}/{method}", self.base)).json(arguments);
        self.call(Kind::Read, method, call).await
    }

    /// A call that changes nothing, with a query.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        method: &'static str,
        query: &[(&str, &str)],
    ) -> Result<T, SlackError> {
        let url = Url::parse_with_params(&format!("{}/{method}", self.base), query)
            .map_err(|_| SlackError::Unavailable { method, cause: Cause::NoConnection })?;
        self.call(Kind::Read, method, self.http.get(url)).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        kind: Kind,
        method: &'static str,
        call: RequestBuilder,
    ) -> Result<T, SlackError> {
        let breaker = || self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        breaker()
            .admit((self.clock)())
            .map_err(|after| SlackError::LeftAlone { method, retry_after: after })?;
        let answer = self.once(kind, method, call).await;
        match &answer {
            Err(SlackError::Unavailable { .. } | SlackError::Unknown { .. }) => {
                breaker().failed((self.clock)());
            }
            _ => breaker().answered(),
        }
        answer
    }

    async fn once<T: DeserializeOwned>(
        &self,
        kind: Kind,
        method: &'static str,
        call: RequestBuilder,
    ) -> Result<T, SlackError> {
        let no_answer = |cause| match kind {
            Kind::Write => SlackError::Unknown { method, cause },
            Kind::Read => SlackError::Unavailable { method, cause },
        };
        let sent = call.bearer_auth(self.token.expose_secret()).timeout(TIMEOUT).send().await;
        let answer = sent.map_err(|error| match cause(&error) {
            Cause::NoConnection => SlackError::Unavailable { method, cause: Cause::NoConnection },
            cause => no_answer(cause),
        })?;
        let limited = |retry_after: Option<u64>| SlackError::RateLimited {
            method,
            retry_after: retry_after.unwrap_or(WAIT),
        };
        let retry_after = answer
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|wait| wait.to_str().ok()?.trim().parse().ok());
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::TOO_MANY_REQUESTS => return Err(limited(retry_after)),
            status => return Err(no_answer(Cause::Status(status.as_u16()))),
        }
        let body = answer.bytes().await.map_err(|error| no_answer(cause(&error)))?;
        let unreadable = |_| no_answer(Cause::Unreadable);
        let Answer { ok, error } = serde_json::from_slice(&body).map_err(unreadable)?;
        if ok {
            return serde_json::from_slice(&body).map_err(unreadable);
        }
        Err(match word(error) {
            code if LIMITED.contains(&code.as_str()) => limited(retry_after),
            code if FAILED.contains(&code.as_str()) => no_answer(Cause::Failed(code)),
            code => SlackError::Refused { method, code },
        })
    }
}

/// The rate is limited, told with status 200.
const LIMITED: [&str; 2] = ["ratelimited", "rate_limited"];

/// Errors after which, as the methods' pages say, part of the work may have been done, or which speak
/// of a passing state.
const FAILED: [&str; 4] = ["fatal_error", "internal_error", "request_timeout", "service_unavailable"];

/// Slack's word for an error, kept only if it is a word.
fn word(error: Option<String>) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    error
        .filter(|code| (1..=64).contains(&code.len()) && code.bytes().all(plain))
        .unwrap_or_else(|| "no_reason_given".to_owned())
}

fn cause(error: &reqwest::Error) -> Cause {
    // A time-out while connecting is both; then nothing was sent.
    if error.is_connect() || error.is_builder() {
        Cause::NoConnection
    } else if error.is_timeout() {
        Cause::TimedOut
    } else {
        Cause::Lost
    }
}
