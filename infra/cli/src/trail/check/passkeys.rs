//! Checking the passkey of a vote with nothing but the file: its public key stands in the trail of its
//! owner's passkeys, which the checkpoints cover like every other.

use domain::{
    PersonId,
    approval::{PasskeyRefused, Passkeys, Receipt},
};

use super::Contents;

impl Contents {
    /// Whether the passkey that a receipt names was this person's, confirmed and not removed when they
    /// voted, and signed exactly this vote; else what is wrong with the receipt.
    pub(super) fn check_passkey(&self, person: &PersonId, receipt: &Receipt) -> Result<(), &'static str> {
        let trail = self.chains.get(&Passkeys::subject(person));
        let trail = trail.ok_or("carries a passkey whose enrolment is not in the file")?;
        let then = Passkeys::as_of(person.clone(), trail, receipt.body.at)
            .ok_or("carries a passkey of somebody whose enrolments cannot be followed")?;
        then.carry(receipt).map(drop).map_err(|refused| match refused {
            PasskeyRefused::NotTheirs => "carries a passkey that did not count for this person then",
            _ => "carries a passkey that did not sign this vote",
        })
    }
}
