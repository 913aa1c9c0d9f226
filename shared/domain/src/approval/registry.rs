//! The people who may sign.

use serde::{Deserialize, Serialize};

use crate::{PersonId, approval::Action};

/// Somebody as an OpenID provider knows them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The provider's organisation: a Slack workspace, or the issuer itself.
    pub team: String,
    /// The person within it.
    pub user: String,
}

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonKind {
    /// A full member.
    Member,
    /// Invited from outside: may look at nothing and sign nothing.
    Guest,
    /// A program.
    Bot,
}

/// A person of the registry: one, however many providers know them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The person.
    pub id: PersonId,
    /// Shown to other people of the registry.
    pub name: String,
    /// Every identity of theirs.
    pub identities: Vec<Identity>,
    /// What policy knows them as: `finance`, `support`, …
    pub groups: Vec<String>,
    /// What the account is.
    pub kind: PersonKind,
    /// Whether the account is in use.
    pub active: bool,
}

/// Why somebody cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ineligible {
    /// The registry does not know them.
    #[error("this account is not in the registry of approvers")]
    Unknown,
    /// Guests and bots never sign.
    #[error("only full members can sign")]
    NotAMember,
    /// The account was deactivated.
    #[error("this account is deactivated")]
    Inactive,
    /// Nobody signs what they asked for.
    #[error("you asked for this, so somebody else must decide")]
    Requester,
    /// No rule of the policy lets them.
    #[error("no rule of the policy lets you decide this")]
    NoRule,
}

impl Person {
    /// The floor under every policy: members in use, and never the requester.
    ///
    /// # Errors
    /// The first reason that stands against it.
    pub fn may_sign(&self, action: &Action) -> Result<(), Ineligible> {
        self.may_enter()?;
        if self.id == action.requester { Err(Ineligible::Requester) } else { Ok(()) }
    }

    /// Whether they can sign in at all.
    ///
    /// # Errors
    /// If the account is no member's or not in use.
    pub fn may_enter(&self) -> Result<(), Ineligible> {
        match (self.kind, self.active) {
            (PersonKind::Member, true) => Ok(()),
            (PersonKind::Member, false) => Err(Ineligible::Inactive),
            (PersonKind::Guest | PersonKind::Bot, _) => Err(Ineligible::NotAMember),
        }
    }
}
