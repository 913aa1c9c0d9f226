//! The people of the pretend workspaces: who can sign in, and what Slack says of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The workspace that the approvers belong to.
pub const TEAM: &str = "T0SANDBOX1";
/// Somebody else's workspace.
pub const OTHER_TEAM: &str = "T0OUTSIDE1";
/// Approves, with the higher limit.
pub const FINANCE_LEAD: &str = "U0FINLEAD1";
/// Approves; the second signature where two are needed.
pub const FINANCE_SECOND: &str = "U0FINSECND";
/// Asks for refunds and approves none.
pub const SUPPORT: &str = "U0SUPPORT1";
/// A member of [`OTHER_TEAM`].
pub const OUTSIDER: &str = "U0OUTSIDE1";
/// A guest of [`TEAM`].
pub const GUEST: &str = "U0GUEST001";
/// The user of an app of [`TEAM`], other than the one that posts.
pub const ROBOT: &str = "U0ROBOT001";
/// Worked in finance until the account was deactivated.
pub const FORMER: &str = "U0FORMER01";

/// What kind of account somebody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// A full member.
    Member,
    /// A guest, `is_restricted` in Slack's words.
    Guest,
    /// An app's user.
    Bot,
}

/// One person (or app) of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Slack's user id, `U…`; the subject of an id token too.
    pub id: String,
    /// Slack's workspace id, `T…`.
    pub team: String,
    /// What is shown.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// Whether the address was confirmed.
    pub email_verified: bool,
    /// What kind of account this is.
    pub account: Account,
    /// False once deactivated.
    pub active: bool,
}

impl Person {
    /// An active full member with a confirmed address.
    pub fn member(id: &str, team: &str, name: &str, email: &str) -> Self {
        Self {
            id: id.to_owned(),
            team: team.to_owned(),
            name: name.to_owned(),
            email: email.to_owned(),
            email_verified: true,
            account: Account::Member,
            active: true,
        }
    }

    /// Whether Slack lets this account sign in.
    pub fn may_sign_in(&self) -> bool {
        self.active && self.account != Account::Bot
    }
}

/// Everybody whom the OpenID provider and Slack know. Clones share it, so that a person deactivated
/// in one is deactivated in the other.
#[derive(Clone, Debug)]
pub struct People(Arc<Mutex<Vec<Person>>>);

impl People {
    /// One person for each part in the stories: the constants of this module.
    pub fn seeded() -> Self {
        let member =
            |id, team, name, mail: &str| Person::member(id, team, name, &format!("{mail}@example.test"));
        Self::from(vec![
            member(FINANCE_LEAD, TEAM, "Finance lead", "finance-lead"),
            member(FINANCE_SECOND, TEAM, "Finance second", "finance-second"),
            member(SUPPORT, TEAM, "Support", "support"),
            member(OUTSIDER, OTHER_TEAM, "Outsider", "outsider"),
            Person { account: Account::Guest, ..member(GUEST, TEAM, "Guest", "guest") },
            Person { account: Account::Bot, ..member(ROBOT, TEAM, "Robot", "robot") },
            Person { active: false, ..member(FORMER, TEAM, "Former colleague", "former") },
        ])
    }

    /// Everybody, in the order of joining.
    pub fn all(&self) -> Vec<Person> {
        self.list().clone()
    }

    /// The person with this user id.
    pub fn find(&self, id: &str) -> Option<Person> {
        self.list().iter().find(|person| person.id == id).cloned()
    }

    /// Adds a person, or replaces the one with the same id.
    pub fn put(&self, person: Person) {
        let mut list = self.list();
        match list.iter_mut().find(|known| known.id == person.id) {
            Some(known) => *known = person,
            None => list.push(person),
        }
    }

    /// Closes the account with this user id, if there is one.
    pub fn deactivate(&self, id: &str) {
        if let Some(person) = self.list().iter_mut().find(|person| person.id == id) {
            person.active = false;
        }
    }

    fn list(&self) -> MutexGuard<'_, Vec<Person>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Vec<Person>> for People {
    fn from(people: Vec<Person>) -> Self {
        Self(Arc::new(Mutex::new(people)))
    }
}
