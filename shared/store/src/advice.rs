//! `ADVICE#…`: answers of a language model that are remembered, and what was used of the budgets. Nothing is
//! decided by these rows; without them fewer questions are asked.

use domain::{CaseKey, Digest, Timestamp, policy::Caps};
use serde::{Deserialize, Serialize};

use crate::{
    Cases, StoreError,
    events::get,
    item::{Item, at, key, n, nested, number, read},
    transaction::{Cancelled, Transaction},
};

/// What a question takes of the budgets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Used {
    /// Questions.
    pub questions: i64,
    /// Tokens, read and written.
    pub tokens: i64,
    /// Millionths of a US dollar.
    pub cost: i64,
}

/// What is taken for a question before it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// For which case.
    pub case: CaseKey,
    /// Of which day, in UTC.
    pub day: String,
    /// Tells this one from all others.
    pub id: String,
    /// How much.
    pub used: Used,
}

/// Which budget has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// That of the case.
    Case,
    /// That of the day.
    Day,
}

/// An answer that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// As the model gave it: a stranger's words, to be checked each time.
    pub answer: String,
    /// When.
    pub at: Timestamp,
}

const THE_CASE: &str = "the case's budget of advice";
const THE_DAY: &str = "the day's budget of advice";

/// A case's row is kept for so long after its last question, in seconds, a day's after its day.
const KEPT: i64 = 180 * 86_400;
const KEPT_DAY: i64 = 7 * 86_400;

/// Millionths of a dollar in a cent.
const CENT: i64 = 10_000;

impl Cases {
    /// Takes what a question may use, of both budgets or of none. The token of the transaction keeps a retry from
    /// taking it twice.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if others take at the same time: try again.
    pub async fn take_advice(
        &self,
        taken: &Taken,
        per_case: Caps,
        per_day: Caps,
        now: Timestamp,
    ) -> Result<Result<(), Exhausted>, StoreError> {
        for (caps, which) in [(per_case, Exhausted::Case), (per_day, Exhausted::Day)] {
            if room(caps, taken.used).is_none() {
                return Ok(Err(which));
            }
        }
        let all = Transaction::new(&self.table);
        let all = take(all, THE_CASE, case_key(&taken.case), taken.used, per_case, now.plus(KEPT));
        let all = take(all, THE_DAY, day_key(&taken.day), taken.used, per_day, now.plus(KEPT_DAY));
        match all.commit(&self.client, taken).await {
            Ok(()) => Ok(Ok(())),
            Err(Cancelled::Condition { what: THE_CASE, .. }) => Ok(Err(Exhausted::Case)),
            Err(Cancelled::Condition { .. }) => Ok(Err(Exhausted::Day)),
            Err(other) => Err(other.into_error()),
        }
    }

    /// Puts what a question used in the place of what was taken for it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if others take at the same time: try again, or leave it, and it counts as much as
    /// was taken.
    pub async fn settle_advice(&self, taken: &Taken, used: Used) -> Result<(), StoreError> {
        let more = |now: i64, before: i64| n(now.saturating_sub(before));
        let mut all = Transaction::new(&self.table);
        for (what, key) in [(THE_CASE, case_key(&taken.case)), (THE_DAY, day_key(&taken.day))] {
            all = all.update(
                what,
                key,
                "ADD tokens_used :tokens, cost_used :cost",
                "attribute_exists(pk)",
                [
                    (":tokens", more(used.tokens, taken.used.tokens)),
                    (":cost", more(used.cost, taken.used.cost)),
                ],
            );
        }
        all.commit(&self.client, &(taken, used)).await.map_err(Cancelled::into_error)
    }

    /// What a case and a day have used.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn advice_used(&self, case: &CaseKey, day: &str) -> Result<(Used, Used), StoreError> {
        let mut both = Vec::new();
        for key in [case_key(case), day_key(day)] {
            let row = get(&self.client, &self.table, key).await?.unwrap_or_default();
            let used = |name| number(&row, name).unwrap_or_default();
            both.push(Used {
                questions: used("questions"),
                tokens: used("tokens_used"),
                cost: used("cost_used"),
            });
        }
        let day = both.pop().unwrap_or_default();
        Ok((both.pop().unwrap_or_default(), day))
    }

    /// The answer to the same question, if one is remembered and still counts.
    ///
    /// # Errors
    /// If the table does not answer or the row is not readable.
    pub async fn remembered_advice(
        &self,
        input: Digest,
        now: Timestamp,
    ) -> Result<Option<Remembered>, StoreError> {
        let found = get(&self.client, &self.table, answer_key(input)).await?;
        // The table cleans rows when it likes.
        let fresh = found.filter(|row| number(row, "expires_at").is_some_and(|until| until > now.seconds()));
        fresh.map(|row| read(&row, "remembered")).transpose()
    }

    /// Remembers an answer until `until`.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn remember_advice(
        &self,
        input: Digest,
        remembered: &Remembered,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let mut item = answer_key(input);
        item.insert("remembered".into(), nested(remembered)?);
        item.insert("expires_at".into(), at(until));
        let sent = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await;
        sent.map(|_| ()).map_err(|error| StoreError::table("an answer of a model", &error))
    }
}

/// How much may have been used before, so that this much more still fits; none if it never does.
fn room(caps: Caps, used: Used) -> Option<Used> {
    let left = |cap: i64, wanted: i64| cap.checked_sub(wanted).filter(|left| *left >= 0);
    Some(Used {
        questions: left(caps.questions.into(), used.questions)?,
        tokens: left(caps.tokens.into(), used.tokens)?,
        cost: left(i64::from(caps.usd_cents).saturating_mul(CENT), used.cost)?,
    })
}

fn take(
    all: Transaction,
    what: &'static str,
    key: Item,
    used: Used,
    caps: Caps,
    kept: Timestamp,
) -> Transaction {
    let room = room(caps, used).unwrap_or_default();
    all.update(
        what,
        key,
        "SET expires_at = :kept ADD questions :questions, tokens_used :tokens, cost_used :cost",
        "attribute_not_exists(pk) OR \
         (questions <= :room_questions AND tokens_used <= :room_tokens AND cost_used <= :room_cost)",
        [
            (":kept", at(kept)),
            (":questions", n(used.questions)),
            (":tokens", n(used.tokens)),
            (":cost", n(used.cost)),
            (":room_questions", n(room.questions)),
            (":room_tokens", n(room.tokens)),
            (":room_cost", n(room.cost)),
        ],
    )
}

fn case_key(case: &CaseKey) -> Item {
    key(&format!("ADVICE#{case}"), "ADVICE_BUDGET")
}

fn day_key(day: &str) -> Item {
    key(&format!("ADVICE#DAY#{day}"), "ADVICE_BUDGET")
}

fn answer_key(input: Digest) -> Item {
    key(&format!("ADVICE#ANSWER#{input}"), "ADVICE")
}
