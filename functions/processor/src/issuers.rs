//! How card issuers answer at the moment: the account's newest charges, by issuer and hour.
//!
//! One list of a hundred charges, read at most every five minutes in a process. In a busy account that is
//! a short look back, so an issuer without a past there is judged by its share of declines alone
//! ([`domain::context::IssuerHours::outage`]).

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use domain::{
    Timestamp,
    context::{Hour, IssuerHours},
    snapshot::{Charge, ChargeStatus},
};

/// Seconds for which a look counts.
const FRESH: i64 = 300;
/// Seconds to look back: two weeks.
pub(crate) const BACK: i64 = 14 * 86_400;

/// The last look.
#[derive(Default)]
pub struct Issuers(Mutex<Option<(Timestamp, BTreeMap<String, IssuerHours>)>>);

impl Issuers {
    /// What is known of an issuer, if the last look is fresh enough; nothing known of it is an answer too.
    pub(crate) fn fresh(&self, issuer: &str, now: Timestamp) -> Option<IssuerHours> {
        let looked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, hours) = looked.as_ref().filter(|(at, _)| (0..FRESH).contains(&now.since(*at)))?;
        Some(hours.get(issuer).cloned().unwrap_or_default())
    }

    /// Keeps a look at the account's newest charges.
    pub(crate) fn keep(&self, charges: &[Charge], now: Timestamp) {
        let mut hours: BTreeMap<String, IssuerHours> = BTreeMap::new();
        for charge in charges {
            let Some(issuer) = &charge.issuer else { continue };
            let hour = charge.created.seconds().div_euclid(3600);
            let hour: &mut Hour = hours.entry(issuer.clone()).or_default().0.entry(hour).or_default();
            hour.tried = hour.tried.saturating_add(1);
            if charge.status == ChargeStatus::Failed {
                hour.declined = hour.declined.saturating_add(1);
            }
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, hours));
    }
}
