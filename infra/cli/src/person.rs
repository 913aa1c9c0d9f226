//! The registry of people who may sign.

use anyhow::{Context as _, Result};
use domain::approval::{Identity, Person, PersonKind};
use runtime::{Env, aws::Aws};
use store::Approvals;

use crate::{
    End,
    args::{Absent, Registered},
};

/// Puts a person into the registry, or changes them.
pub(crate) fn put(person: Registered, env: &Env) -> Result<End> {
    let put = Person {
        id: person.id,
        name: person.name,
        identities: vec![Identity { team: person.team, user: person.user }],
        groups: person.groups,
        kind: PersonKind::Member,
        active: true,
        emails: person.emails,
        limits: person.limits.into_iter().collect(),
    };
    let said = format!("{} may sign in, as {}", put.id, put.groups.join(", "));
    on_registry(env, &person.table, async |registry| {
        registry.put_person(&put).await.context("the registry did not take it")?;
        Ok(End::good(said))
    })
}

/// Takes a person's right to sign in and to sign. Their receipts stay in the trail; votes of theirs on
/// what is not executed yet count no longer.
pub(crate) fn deactivate(absent: &Absent, env: &Env) -> Result<End> {
    on_registry(env, &absent.table, async |registry| {
        let Some(person) = registry.person(&absent.id).await? else {
            return Ok(End::no(format!("`{}` is not in the registry", absent.id)));
        };
        registry
            .put_person(&Person { active: false, ..person })
            .await
            .context("the registry did not take it")?;
        Ok(End::good(format!("{} can neither sign in nor sign", absent.id)))
    })
}

fn on_registry(env: &Env, table: &str, work: impl AsyncFnOnce(Approvals) -> Result<End>) -> Result<End> {
    let client = Aws::from_env(env).context("AWS credentials are read from the environment")?.dynamodb();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work(Approvals::new(client, table)))
}
