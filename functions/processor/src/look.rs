//! A look at Stripe: what the turns of one group in a batch read together.
//!
//! A customer's events come in bursts: a renewal that fails is half a dozen of them within a second, and they
//! are in one batch. Whatever is read after the batch came is newer than every event in it, so each thing is
//! read once for all of them. Stripe's limits of requests are what bounds a busy account.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{Case, CaseKey, Timestamp, trail::Head};
use stripe::client::Memory;

/// What was read of Stripe since a moment, and what was decided on it.
#[derive(Debug)]
pub struct Look {
    memory: Arc<Memory>,
    since: Timestamp,
    decided: BTreeMap<CaseKey, Head>,
    /// The customer's open cases when the first of them was decided.
    open: BTreeSet<CaseKey>,
}

impl Look {
    /// A look that begins now, with nothing read yet.
    pub fn new(now: Timestamp) -> Self {
        Self { memory: Arc::default(), since: now, decided: BTreeMap::new(), open: BTreeSet::new() }
    }

    /// What was read.
    pub(crate) fn memory(&self) -> Arc<Memory> {
        Arc::clone(&self.memory)
    }

    /// Nothing that was read is older.
    pub(crate) const fn since(&self) -> Timestamp {
        self.since
    }

    /// Keeps that a case was decided on this look.
    pub(crate) fn decided(&mut self, case: &Case) {
        self.decided.insert(case.key.clone(), case.trail);
    }

    /// Whether somebody else decided the case since this look began, perhaps on a newer one, or opened another of
    /// the customer's: then what is remembered must not decide. A look on which nothing was decided yet is as new
    /// as can be.
    pub(crate) fn is_overtaken(&mut self, case: Option<&Case>, open: &BTreeSet<CaseKey>) -> bool {
        if self.decided.is_empty() {
            self.open.clone_from(open);
            return false;
        }
        let elsewhere =
            |case: &Case| case.changed >= self.since && self.decided.get(&case.key) != Some(&case.trail);
        case.is_some_and(elsewhere)
            || open.iter().any(|key| !self.open.contains(key) && !self.decided.contains_key(key))
    }
}
