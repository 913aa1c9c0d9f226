//! What was read already, for as long as somebody says that it is new enough.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::Answer;
use crate::Scope;

/// Answers by what was asked for. Clients that [remember](super::Client::remembering) through the same memory
/// ask Stripe for each thing once. Failures and missing objects are not kept, and nothing grows old: whoever
/// made the memory drops it in time.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Answers>);

/// By whose data and which address.
type Answers = HashMap<(Scope, String), Answer<Vec<u8>>>;

impl Memory {
    pub(super) fn recall(&self, scope: &Scope, url: &reqwest::Url) -> Option<Answer<Vec<u8>>> {
        self.answers().get(&(scope.clone(), url.as_str().to_owned())).cloned()
    }

    pub(super) fn keep(&self, scope: &Scope, url: &reqwest::Url, answer: &Answer<Vec<u8>>) {
        self.answers().insert((scope.clone(), url.as_str().to_owned()), answer.clone());
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
