//! Passkeys of voters: when one is needed, and whether the one that was used counts.

use anyhow::Result;
use domain::{
    PersonId, Timestamp,
    approval::{Passkey, PasskeyChange, PasskeyRefused, Passkeys, Receipt},
};
use store::{ProposalRow, Versioned};

use crate::{App, eligible, turn::Turn};

/// How often a change is tried while others change the same.
const TRIES: usize = 4;

/// The voter's passkeys as they were read, and as they are after one of them was used.
pub(crate) struct Used {
    pub(crate) before: Versioned<Passkeys>,
    pub(crate) after: Passkeys,
}

/// Whether an approval of this proposal counts only with a passkey, by the policy as it is now.
pub(crate) fn is_needed(app: &App, row: &ProposalRow) -> bool {
    let rule = app.bundle.approval(row.proposal.action.operation.name());
    rule.is_some_and(|rule| rule.needs_passkey(eligible::stake(row)))
}

/// Those that somebody can use here and now.
pub(crate) fn usable<'a>(
    app: &'a App,
    passkeys: &'a Passkeys,
    now: Timestamp,
) -> impl Iterator<Item = &'a Passkey> {
    passkeys.counting(now).filter(|passkey| passkey.party == app.party)
}

/// Checks the passkey of an approval; `None` if it has none and needs none.
pub(crate) async fn check(
    turn: Turn<'_>,
    row: &ProposalRow,
    person: &PersonId,
    receipt: &Receipt,
) -> Result<Result<Option<Used>, PasskeyRefused>> {
    if receipt.assertion.is_none() && !is_needed(turn.app, row) {
        return Ok(Ok(None));
    }
    let before = turn.app.approvals.passkeys(person).await?;
    let used = carried(turn.app, &before.value, receipt);
    Ok(used.map(|after| Some(Used { before, after })))
}

fn carried(app: &App, passkeys: &Passkeys, receipt: &Receipt) -> Result<Passkeys, PasskeyRefused> {
    if receipt.assertion.is_none() && usable(app, passkeys, receipt.body.at).next().is_none() {
        return Err(PasskeyRefused::None);
    }
    let (passkey, counter) = passkeys.carry(receipt)?;
    // What was enrolled on another site could be asked for there and relayed.
    if passkey.party != app.party {
        return Err(PasskeyRefused::OtherSite);
    }
    passkeys.used(&passkey.credential, counter)
}

/// Changes somebody's passkeys; what they are called is kept beside the trail.
pub(crate) async fn change(
    turn: Turn<'_>,
    person: &PersonId,
    change: &PasskeyChange,
    name: &str,
) -> Result<Result<(), PasskeyRefused>> {
    let approvals = &turn.app.approvals;
    for _ in 0..TRIES {
        let before = approvals.passkeys(person).await?;
        let (mut after, entry) = match before.value.after(change.clone(), turn.now()) {
            Ok(changed) => changed,
            Err(refused) => return Ok(Err(refused)),
        };
        if let (PasskeyChange::Enrolled(_), Some(new)) = (change, after.all.last_mut()) {
            name.clone_into(&mut new.name);
        }
        match approvals.change_passkeys(&before, change, &after, &entry).await {
            Ok(true) => {
                turn.metrics.count_by("passkeys", change.word(), 1);
                tracing::info!(person = person.as_str(), event = change.event(), "passkeys changed");
                return Ok(Ok(()));
            }
            Ok(false) => return Ok(Err(PasskeyRefused::Known)),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::bail!("the passkeys of one person change all the time")
}
