//! Who may sign: the sandbox's people, in the registry of approvers.

use domain::{
    PersonId,
    approval::{Identity, Person, PersonKind},
};
use sandbox::{
    people::{self, Account},
    world::APPROVALS_TABLE,
};
use store::Approvals;

use crate::World;

impl World {
    /// The store of approvals.
    pub fn approvals(&self) -> Approvals {
        Approvals::new(self.tables.clone(), APPROVALS_TABLE)
    }

    /// Puts everybody of the workspace into the registry: support as support, all others as finance.
    pub(crate) async fn register_people(&self) {
        for one in self.sandbox.people.all().into_iter().filter(|one| one.team == people::TEAM) {
            let group = if one.id == people::SUPPORT { "support" } else { "finance" };
            let person = Person {
                id: PersonId::parse(one.id.to_lowercase()).unwrap(),
                name: one.name,
                identities: vec![Identity { team: one.team, user: one.id }],
                groups: vec![group.into()],
                kind: match one.account {
                    Account::Member => PersonKind::Member,
                    Account::Guest => PersonKind::Guest,
                    Account::Bot => PersonKind::Bot,
                },
                active: one.active,
                emails: vec![one.email],
                limits: [].into(),
            };
            self.approvals().put_person(&person).await.unwrap();
        }
    }
}
