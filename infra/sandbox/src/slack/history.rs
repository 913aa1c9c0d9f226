//! Reading what was posted: `conversations.history` and `conversations.replies`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Message, Slack,
    arguments::{Arguments, Refusal},
    methods::{Answer, granted},
};

/// A `ts` from microseconds since the epoch.
pub(super) fn ts(micros: i64) -> String {
    format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
}

/// Microseconds since the epoch from a `ts`, whose fraction may be shorter or missing.
pub(super) fn micros(ts: &str) -> Option<i64> {
    let (seconds, fraction) = ts.split_once('.').unwrap_or((ts, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if fraction.len() > 6 || !digits(seconds) || !digits(fraction) {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(fraction)
}

/// The part of a conversation that is asked for.
struct Window {
    oldest: Option<i64>,
    latest: Option<i64>,
    inclusive: bool,
    /// Where the last page ended.
    from: Option<i64>,
    limit: usize,
    with_metadata: bool,
}

impl Window {
    fn read(arguments: &Arguments) -> Result<Self, Refusal> {
        let time = |name, error: &'static str| match arguments.text(name) {
            Some(given) => micros(&given).map(Some).ok_or(error),
            None => Ok(None),
        };
        let from = match arguments.text("cursor") {
            Some(cursor) => Some(position(&cursor).ok_or("invalid_cursor")?),
            None => None,
        };
        let limit = arguments.text("limit").and_then(|limit| limit.parse().ok()).unwrap_or(100);
        Ok(Self {
            oldest: time("oldest", "invalid_ts_oldest")?,
            latest: time("latest", "invalid_ts_latest")?,
            inclusive: arguments.flag("inclusive").unwrap_or_default(),
            from,
            limit: usize::clamp(limit, 1, 999),
            with_metadata: arguments.flag("include_all_metadata").unwrap_or_default(),
        })
    }

    fn covers(&self, at: i64) -> bool {
        let edge = self.inclusive;
        self.oldest.is_none_or(|oldest| at > oldest || edge && at == oldest)
            && self.latest.is_none_or(|latest| at < latest || edge && at == latest)
    }
}

impl Slack {
    /// The messages of a conversation without the replies in threads, newest first.
    pub(super) fn history(&self, arguments: &Arguments) -> Answer {
        let channel = granted!(self.readable(&granted!(arguments.required("channel"))));
        let window = granted!(Window::read(arguments));
        let mut all = self.messages();
        let replies: Vec<Message> = all.extract_if(.., |message| is_reply(message)).collect();
        let count = |parent: &Message| {
            let here = |reply: &&Message| reply.channel == parent.channel;
            replies.iter().filter(here).filter(|reply| reply.thread_ts.as_ref() == Some(&parent.ts)).count()
        };
        let times = |message: &Message| micros(&message.ts).unwrap_or_default();
        let mut found = all
            .iter()
            .rev()
            .filter(|message| message.channel == channel && window.covers(times(message)))
            .filter(|message| window.from.is_none_or(|from| times(message) <= from));
        let page: Vec<Value> = found
            .by_ref()
            .take(window.limit)
            .map(|message| {
                let mut shown = self.shown(message, window.with_metadata);
                if let (Some(fields), replies @ 1..) = (shown.as_object_mut(), count(message)) {
                    fields.insert("thread_ts".to_owned(), message.ts.as_str().into());
                    fields.insert("reply_count".to_owned(), replies.into());
                }
                shown
            })
            .collect();
        Ok(Ok(paged(&page, found.next().map(times))))
    }

    /// A message and the replies to it, oldest first.
    pub(super) fn replies(&self, arguments: &Arguments) -> Answer {
        let channel = granted!(self.readable(&granted!(arguments.required("channel"))));
        let parent = granted!(arguments.required("ts"));
        let window = granted!(Window::read(arguments));
        let mut all = self.messages();
        all.retain(|message| {
            message.channel == channel
                && (message.ts == parent || message.thread_ts.as_ref() == Some(&parent))
        });
        if all.is_empty() {
            return Ok(Err("thread_not_found".into()));
        }
        let times = |message: &Message| micros(&message.ts).unwrap_or_default();
        let mut found = all
            .iter()
            .filter(|message| message.ts == parent || window.covers(times(message)))
            .filter(|message| window.from.is_none_or(|from| times(message) >= from));
        let page: Vec<Value> = found
            .by_ref()
            .take(window.limit)
            .map(|message| self.shown(message, window.with_metadata))
            .collect();
        Ok(Ok(paged(&page, found.next().map(times))))
    }
}

fn is_reply(message: &Message) -> bool {
    message.thread_ts.as_ref().is_some_and(|thread| *thread != message.ts)
}

fn paged(page: &[Value], next: Option<i64>) -> Value {
    let mut answer = json!({ "ok": true, "messages": page, "has_more": next.is_some() });
    if let (Some(answer), Some(next)) = (answer.as_object_mut(), next) {
        let cursor = STANDARD.encode(format!("next_ts:{next}"));
        answer.insert("response_metadata".to_owned(), json!({ "next_cursor": cursor }));
    }
    answer
}

fn position(cursor: &str) -> Option<i64> {
    let text = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
    text.strip_prefix("next_ts:")?.parse().ok()
}
