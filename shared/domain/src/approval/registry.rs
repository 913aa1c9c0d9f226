//! The people who may sign.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Action, EmailAddress};
use crate::{Currency, Money, PersonId};

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
    /// Their e-mail addresses, as version control and Stripe may know them: nobody signs what goes to
    /// themselves, or by a rule that they changed last.
    #[serde(default)]
    pub emails: Vec<String>,
    /// The most that they may sign for, by currency, in minor units. Without any there is no limit of
    /// their own; with one, they sign in no other currency.
    #[serde(default)]
    pub limits: BTreeMap<Currency, i64>,
}

/// What else counts when somebody is to sign, as it is known now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// What limits are held against ([`super::Facts::at_stake`]); the operation's own amount if unknown.
    pub stake: Option<Money>,
    /// The address of the customer to whom it happens.
    pub customer: Option<&'a EmailAddress>,
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
    /// Nobody signs what happens to themselves.
    #[error("this concerns you as a customer, so somebody else must decide")]
    Customer,
    /// More than they may sign for.
    #[error("this is more than you may sign for, so somebody else must decide")]
    OverLimit,
    /// The policy of today asks for a passkey, and their vote has none that counts.
    #[error("their vote has no passkey that counts")]
    NoPasskey,
    /// Nobody releases by a rule that they changed last.
    #[error("you were the last to change the rule that decides this, so somebody else must decide")]
    ChangedTheRule,
    /// No rule of the policy lets them.
    #[error("no rule of the policy lets you decide this")]
    NoRule,
}

impl Person {
    /// The floor under every policy: members in use within their own limit, never the requester and
    /// never the customer to whom it happens.
    ///
    /// # Errors
    /// The first reason that stands against it.
    pub fn may_sign(&self, action: &Action, around: &Around<'_>) -> Result<(), Ineligible> {
        self.may_enter()?;
        if self.id == action.requester {
            return Err(Ineligible::Requester);
        }
        if around.customer.is_some_and(|customer| self.has_mailbox(customer)) {
            return Err(Ineligible::Customer);
        }
        let stake = around.stake.or(action.operation.amount());
        if stake.is_some_and(|stake| self.is_over(stake)) { Err(Ineligible::OverLimit) } else { Ok(()) }
    }

    /// Whether an address is one of theirs.
    pub fn has_mailbox(&self, address: &EmailAddress) -> bool {
        self.emails.iter().any(|own| address.is_same_mailbox(own))
    }

    fn is_over(&self, amount: Money) -> bool {
        !self.limits.is_empty()
            && self.limits.get(&amount.currency).is_none_or(|limit| amount.amount > *limit)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::action::tests::sample;

    fn person() -> Person {
        Person {
            id: PersonId::parse("finance").unwrap(),
            name: "Finance".into(),
            identities: Vec::new(),
            groups: vec!["finance".into()],
            kind: PersonKind::Member,
            active: true,
            emails: vec!["Own@example.test".into()],
            limits: BTreeMap::new(),
        }
    }

    fn signs(person: &Person, around: &Around<'_>) -> Result<(), Ineligible> {
        person.may_sign(&sample(), around)
    }

    #[test]
    fn nobody_signs_what_they_asked_for_or_what_happens_to_themselves() {
        assert_eq!(signs(&person(), &Around::default()), Ok(()));
        let requester = Person { id: sample().requester, ..person() };
        assert_eq!(signs(&requester, &Around::default()), Err(Ineligible::Requester));
        let own = EmailAddress::parse("own@EXAMPLE.test").unwrap();
        let around = Around { customer: Some(&own), ..Around::default() };
        assert_eq!(signs(&person(), &around), Err(Ineligible::Customer));
    }

    #[test]
    fn guests_bots_and_deactivated_accounts_sign_nothing() {
        for kind in [PersonKind::Guest, PersonKind::Bot] {
            let refused = signs(&Person { kind, ..person() }, &Around::default());
            assert_eq!(refused, Err(Ineligible::NotAMember));
        }
        let refused = signs(&Person { active: false, ..person() }, &Around::default());
        assert_eq!(refused, Err(Ineligible::Inactive));
    }

    #[test]
    fn nobody_signs_for_more_than_their_own_limit() {
        let usd = Currency::parse("usd").unwrap();
        let limited = |limit| Person { limits: [(usd, limit)].into(), ..person() };
        assert_eq!(signs(&limited(1999), &Around::default()), Ok(()));
        assert_eq!(signs(&limited(1998), &Around::default()), Err(Ineligible::OverLimit));
        let all = Around { stake: Some(Money::new(2000, usd)), ..Around::default() };
        assert_eq!(signs(&limited(1999), &all), Err(Ineligible::OverLimit), "what went back before counts");
        let other = Person { limits: [(Currency::parse("eur").unwrap(), 9999)].into(), ..person() };
        assert_eq!(signs(&other, &Around::default()), Err(Ineligible::OverLimit), "another currency");
    }
}
