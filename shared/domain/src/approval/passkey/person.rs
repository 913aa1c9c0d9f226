//! The passkeys of one person, and how they change: row and trail by the same function.

use serde::{Deserialize, Serialize};

use super::{CredentialId, Enrolled, Passkey, PasskeyRefused, vote_challenge};
use crate::{
    PersonId, Timestamp,
    approval::Receipt,
    trail::{Entry, Head},
};

/// The passkeys of one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkeys {
    /// Whose.
    pub person: PersonId,
    /// Those that were not removed, oldest first.
    pub all: Vec<Passkey>,
    /// The end of their trail.
    pub trail: Head,
}

/// What happens to somebody's passkeys, as the trail tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum PasskeyChange {
    /// Its owner made it. It does not count yet.
    Enrolled(Enrolled),
    /// An administrator of the registry has asked its owner, and says that it is theirs.
    Confirmed {
        /// Which.
        credential: CredentialId,
        /// The administrator.
        by: PersonId,
    },
    /// It counts no longer, also for votes on what is not executed yet.
    Removed {
        /// Which.
        credential: CredentialId,
        /// Its owner or an administrator.
        by: PersonId,
    },
}

impl PasskeyChange {
    /// The event's name in the trail.
    pub const fn event(&self) -> &'static str {
        match self {
            Self::Enrolled(_) => "passkey_enrolled",
            Self::Confirmed { .. } => "passkey_confirmed",
            Self::Removed { .. } => "passkey_removed",
        }
    }

    /// One word for a figure.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Enrolled(_) => "enrolled",
            Self::Confirmed { .. } => "confirmed",
            Self::Removed { .. } => "removed",
        }
    }
}

impl Passkeys {
    /// The most that one person has.
    const MOST: usize = 10;

    /// Nobody's yet.
    pub const fn none(person: PersonId) -> Self {
        Self { person, all: Vec::new(), trail: Head::START }
    }

    /// The subject of their trail.
    pub fn subject(person: &PersonId) -> String {
        format!("passkeys:{person}")
    }

    /// The one with this id.
    pub fn of(&self, credential: &CredentialId) -> Option<&Passkey> {
        self.all.iter().find(|one| one.credential == *credential)
    }

    /// Those that count at a time.
    pub fn counting(&self, at: Timestamp) -> impl Iterator<Item = &Passkey> {
        self.all.iter().filter(move |one| one.counts(at))
    }

    /// How they are after a change, and the entry of their trail that tells it.
    ///
    /// # Errors
    /// If the change is none of these passkeys, is made already, or by its owner where it may not be.
    pub fn after(&self, change: PasskeyChange, at: Timestamp) -> Result<(Self, Entry), PasskeyRefused> {
        let body = serde_json::to_string(&change).map_err(|_| PasskeyRefused::Unreadable)?;
        let entry = self.trail.entry(&Self::subject(&self.person), change.event(), at, body);
        let mut next = self.clone();
        next.trail = entry.head();
        match change {
            PasskeyChange::Enrolled(made) => {
                if self.of(made.credential()).is_some() {
                    return Err(PasskeyRefused::Known);
                }
                if self.all.len() >= Self::MOST {
                    return Err(PasskeyRefused::TooMany);
                }
                next.all.push(made.passkey(at));
            }
            PasskeyChange::Confirmed { credential, by } => {
                let one = next.all.iter_mut().find(|one| one.credential == credential);
                let one = one.filter(|one| one.confirmed.is_none()).ok_or(PasskeyRefused::NotTheirs)?;
                if by == self.person {
                    return Err(PasskeyRefused::OwnWord);
                }
                one.confirmed = Some(at);
            }
            PasskeyChange::Removed { credential, .. } => {
                self.of(&credential).ok_or(PasskeyRefused::NotTheirs)?;
                next.all.retain(|one| one.credential != credential);
            }
        }
        Ok((next, entry))
    }

    /// How they were at a time, by their trail: for auditors, who have no row. A removal in that very
    /// second is taken as later. `None` if an entry cannot have been written by [`Self::after`].
    pub fn as_of(person: PersonId, trail: &[Entry], at: Timestamp) -> Option<Self> {
        let mut then = Self::none(person);
        for entry in trail.iter().take_while(|entry| entry.at <= at) {
            let change: PasskeyChange = serde_json::from_str(&entry.body).ok()?;
            if entry.at == at && matches!(change, PasskeyChange::Removed { .. }) {
                break;
            }
            then = then.after(change, entry.at).ok().filter(|(_, made)| made == entry)?.0;
        }
        Some(then)
    }

    /// Whether a receipt carries an assertion by one of these over exactly what it says; gives the
    /// passkey and the counter that it told.
    ///
    /// # Errors
    /// Why it does not.
    pub fn carry(&self, receipt: &Receipt) -> Result<(&Passkey, u32), PasskeyRefused> {
        let assertion = receipt.assertion.as_ref().ok_or(PasskeyRefused::Missing)?;
        let body = &receipt.body;
        let passkey = self.of(&assertion.credential).filter(|one| one.counts(body.at));
        let passkey = passkey.ok_or(PasskeyRefused::NotTheirs)?;
        let challenge = vote_challenge(&assertion.nonce, &body.proposal, body.digest, body.decision);
        Ok((passkey, passkey.verify(assertion, challenge)?))
    }

    /// The same after a passkey was used.
    ///
    /// # Errors
    /// If its counter did not go up ([`Passkey::follows`]).
    pub fn used(&self, credential: &CredentialId, counter: u32) -> Result<Self, PasskeyRefused> {
        let mut next = self.clone();
        let one = next.all.iter_mut().find(|one| one.credential == *credential);
        let one = one.ok_or(PasskeyRefused::NotTheirs)?;
        if !one.follows(counter) {
            return Err(PasskeyRefused::WentBack);
        }
        one.counter = counter;
        Ok(next)
    }
}
