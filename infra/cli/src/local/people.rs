//! The registry of the pretend company: who may sign what, of those who can sign in.

use anyhow::{Context as _, Result};
use domain::{
    PersonId,
    approval::{Identity, Person, PersonKind},
};
use sandbox::people::{self, Account, People};
use store::Approvals;

/// Who is in which group. The outsider and the app are not in the registry at all.
const GROUPS: [(&str, &str, &[&str]); 5] = [
    (people::FINANCE_LEAD, "finance-lead", &["finance", "finance-lead"]),
    (people::FINANCE_SECOND, "finance-second", &["finance"]),
    (people::SUPPORT, "support", &["support"]),
    (people::GUEST, "guest", &["finance"]),
    (people::FORMER, "former", &["finance"]),
];

/// Puts everybody into the registry; people who are there are replaced.
pub(super) async fn put(registry: &Approvals, people: &People) -> Result<()> {
    for (user, id, groups) in GROUPS {
        let Some(known) = people.find(user) else { continue };
        let person = Person {
            id: PersonId::parse(id)?,
            name: known.name,
            identities: vec![Identity { team: known.team, user: known.id }],
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            kind: match known.account {
                Account::Member => PersonKind::Member,
                Account::Guest => PersonKind::Guest,
                Account::Bot => PersonKind::Bot,
            },
            active: known.active,
            emails: vec![known.email],
            limits: [].into(),
        };
        registry.put_person(&person).await.with_context(|| format!("cannot register `{id}`"))?;
    }
    Ok(())
}
