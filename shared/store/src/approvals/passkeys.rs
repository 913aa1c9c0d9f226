//! Passkeys: one item holds all of a person, another says whose a credential is.

use domain::{
    PersonId,
    approval::{CredentialId, PasskeyChange, Passkeys},
    encoding, trail,
};

use super::Approvals;
use crate::{
    StoreError, Versioned,
    cases::{trail_item, trail_of},
    events::get,
    item::{Item, key, nested, number, read, s, unreadable},
    transaction::{Cancelled, Transaction},
};

const THE_PASSKEYS: &str = "the passkeys of the person";
const THE_CREDENTIAL: &str = "the passkey";

impl Approvals {
    /// The passkeys of a person; none at version zero if they never had one.
    ///
    /// # Errors
    /// If the table does not answer or the row is not readable.
    pub async fn passkeys(&self, person: &PersonId) -> Result<Versioned<Passkeys>, StoreError> {
        let Some(item) = get(&self.client, &self.table, passkeys_key(person)).await? else {
            return Ok(Versioned { value: Passkeys::none(person.clone()), version: 0 });
        };
        let version =
            number(&item, "version").ok_or_else(|| unreadable(&item, "`version` is missing".into()))?;
        let value: Passkeys = read(&item, "passkeys")?;
        // A row that speaks of another person would be theirs.
        if value.person == *person {
            Ok(Versioned { value, version })
        } else {
            Err(unreadable(&item, "it holds the passkeys of another person".into()))
        }
    }

    /// The trail of a person's passkeys.
    ///
    /// # Errors
    /// If the table does not answer or an entry is not readable.
    pub async fn passkeys_trail(&self, person: &PersonId) -> Result<Vec<trail::Entry>, StoreError> {
        trail_of(&self.client, &self.table, &partition(person)).await
    }

    /// Writes a change with the entry that tells it; false if a new passkey is known already, here or to
    /// somebody else. What was removed stays known: nobody enrols it again.
    ///
    /// # Errors
    /// A conflict if they changed since they were read.
    pub async fn change_passkeys(
        &self,
        before: &Versioned<Passkeys>,
        change: &PasskeyChange,
        after: &Passkeys,
        entry: &trail::Entry,
    ) -> Result<bool, StoreError> {
        let mut all = replace(Transaction::new(&self.table), before, after)?
            .create("the trail", trail_item(&partition(&after.person), entry)?);
        if let PasskeyChange::Enrolled(made) = change {
            let mut item = credential_key(made.credential());
            item.insert("owner_id".into(), s(after.person.as_str()));
            all = all.create(THE_CREDENTIAL, item);
        }
        match all.commit(&self.client, &(before, after, entry)).await {
            Ok(()) => Ok(true),
            Err(Cancelled::Condition { what: THE_CREDENTIAL, .. }) => Ok(false),
            Err(refused) => Err(refused.into_error()),
        }
    }
}

/// Replaces the version that was read.
pub(super) fn replace(
    all: Transaction,
    before: &Versioned<Passkeys>,
    after: &Passkeys,
) -> Result<Transaction, StoreError> {
    let mut item = passkeys_key(&after.person);
    item.insert("passkeys".into(), nested(after)?);
    Ok(all.replace(THE_PASSKEYS, item, before.version))
}

fn partition(person: &PersonId) -> String {
    format!("PASSKEYS#{person}")
}

fn passkeys_key(person: &PersonId) -> Item {
    key(&partition(person), "PASSKEYS")
}

/// Hashed, since a credential id may be longer than a key.
fn credential_key(credential: &CredentialId) -> Item {
    let digest = encoding::digest("approval/passkey-id/v1", |to| to.text(credential.as_str()));
    key(&format!("CREDENTIAL#{digest}"), "CREDENTIAL")
}
