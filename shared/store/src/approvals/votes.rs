//! Votes: one for each person, each with its receipt.

use domain::{
    Timestamp,
    approval::{Passkeys, Stage},
    trail,
};

use super::{
    Approvals,
    budget::THE_BUDGET,
    file::{ProposalRow, Vote, partition, vote_item},
    passkeys,
    proposals::{THE_FREEZE, THE_PROPOSAL, moved, unfrozen, vacate},
};
use crate::{
    StoreError, Versioned,
    cases::trail_item,
    item::{at, n, s},
    transaction::{Cancelled, Transaction},
};

/// Why a vote, or the move of a proposal, was not written.
#[derive(Debug, thiserror::Error)]
pub enum VoteError {
    /// Everything is stopped.
    #[error("everything is stopped; lift the freeze first")]
    Frozen,
    /// Too little is left of what may be done today.
    #[error("what may be done today is used up; it is done when there is room again")]
    OverBudget,
    /// This person has voted.
    #[error("this person has voted already")]
    Voted,
    /// Anything else; a conflict if the proposal has moved.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl VoteError {
    /// Whether another run was faster, so that reading again helps.
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}

const THE_VOTE: &str = "the vote";

impl From<Cancelled> for VoteError {
    fn from(cancelled: Cancelled) -> Self {
        match cancelled {
            Cancelled::Condition { what: THE_FREEZE, .. } => Self::Frozen,
            Cancelled::Condition { what: THE_VOTE, .. } => Self::Voted,
            Cancelled::Condition { what: THE_BUDGET, .. } => Self::OverBudget,
            other => Self::Store(other.into_error()),
        }
    }
}

impl Approvals {
    /// Writes an approval with its receipt and the trail's entry. The condition asks again for
    /// everything that the vote rests on: still pending, this digest, in time, not by who asked for
    /// it, the first vote of this person, nothing stopped.
    ///
    /// # Errors
    /// [`VoteError`] says which of it did not hold.
    pub async fn vote(
        &self,
        before: &Versioned<ProposalRow>,
        vote: &Vote,
        entry: &trail::Entry,
        look: Timestamp,
    ) -> Result<Versioned<ProposalRow>, VoteError> {
        self.vote_with(before, vote, entry, look, None).await
    }

    /// The same with a passkey: what was read of the voter's passkeys, and how they are after its use, so
    /// that no two votes rest on the same counter.
    ///
    /// # Errors
    /// As [`Self::vote`], and a conflict if the passkeys changed since they were read.
    pub async fn vote_with(
        &self,
        before: &Versioned<ProposalRow>,
        vote: &Vote,
        entry: &trail::Entry,
        look: Timestamp,
        used: Option<(&Versioned<Passkeys>, &Passkeys)>,
    ) -> Result<Versioned<ProposalRow>, VoteError> {
        let mut row = moved(&before.value, before.value.proposal.stage.clone(), entry);
        // Whoever completes a quorum acts on it at once; if that run dies, the schedule finds it here.
        row.look = look.min(row.proposal.action.expires);
        let mut all = self.voting(before, &row, vote, entry)?;
        if let Some((read, after)) = used {
            all = passkeys::replace(all, read, after)?;
        }
        unfrozen(all).commit(&self.client, &(&row, before.version, vote, used)).await?;
        Ok(Versioned { value: row, version: before.version.saturating_add(1) })
    }

    /// Writes a denial, which ends the proposal. It is taken while everything is stopped, too.
    ///
    /// # Errors
    /// [`VoteError`] says what did not hold.
    pub async fn deny(
        &self,
        before: &Versioned<ProposalRow>,
        stage: Stage,
        vote: &Vote,
        entry: &trail::Entry,
    ) -> Result<(), VoteError> {
        let row = moved(&before.value, stage, entry);
        let all = self.voting(before, &row, vote, entry)?;
        vacate(all, &row.proposal.action)
            .commit(&self.client, &(&row, before.version, vote))
            .await
            .map_err(VoteError::from)
    }

    fn voting(
        &self,
        before: &Versioned<ProposalRow>,
        row: &ProposalRow,
        vote: &Vote,
        entry: &trail::Entry,
    ) -> Result<Transaction, StoreError> {
        let condition = "version = :version AND stage_name = :pending AND action_digest = :digest \
                         AND votes_until > :now AND requester <> :me";
        let body = &vote.receipt.body;
        let values = [
            (":version", n(before.version)),
            (":pending", s(Stage::Pending.name())),
            (":digest", s(body.digest.to_string())),
            (":now", at(body.at)),
            (":me", s(vote.person.as_str())),
        ];
        Ok(Transaction::new(&self.table)
            .create(THE_VOTE, vote_item(row.id(), vote)?)
            .put(THE_PROPOSAL, row.item(before.version.saturating_add(1))?, condition, values)
            .create("the trail", trail_item(&partition(row.id()), entry)?))
    }
}
