//! `countersign passkey`: whoever keeps the registry says which passkeys count.

use anyhow::{Context as _, Result};
use domain::{
    PersonId, Timestamp,
    approval::{Passkey, PasskeyChange, Passkeys},
};
use runtime::{
    Env,
    aws::Aws,
    http::{Base, client},
    system_clock,
};
use serde::{Deserialize, Serialize};
use store::{Approvals, StoreError};

use crate::{
    End,
    args::{OnePasskey, PasskeysOf},
};

/// What is asked about somebody's passkeys; the console of a pipeline takes it as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Asked {
    id: PersonId,
    #[serde(flatten)]
    wanted: Wanted,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "wanted", rename_all = "snake_case")]
enum Wanted {
    List,
    Confirm { fingerprint: String, by: PersonId },
    Remove { fingerprint: String, by: PersonId },
}

/// `countersign passkey list`.
pub(crate) fn list(of: &PasskeysOf, env: &Env) -> Result<End> {
    ask(of, Wanted::List, env)
}

/// `countersign passkey confirm`.
pub(crate) fn confirm(one: &OnePasskey, env: &Env) -> Result<End> {
    let (fingerprint, by) = (one.fingerprint.clone(), one.by.clone());
    ask(&one.of, Wanted::Confirm { fingerprint, by }, env)
}

/// `countersign passkey remove`.
pub(crate) fn remove(one: &OnePasskey, env: &Env) -> Result<End> {
    let (fingerprint, by) = (one.fingerprint.clone(), one.by.clone());
    ask(&one.of, Wanted::Remove { fingerprint, by }, env)
}

fn ask(of: &PasskeysOf, wanted: Wanted, env: &Env) -> Result<End> {
    let asked = Asked { id: of.id.clone(), wanted };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let said = if let Some(table) = &of.table {
        let client = Aws::from_env(env).context("AWS credentials are read from the environment")?;
        let registry = Approvals::new(client.dynamodb(), table);
        runtime.block_on(answer(&registry, &asked, (system_clock())()))?
    } else {
        let Ok(base) = Base::parse(&of.api) else {
            let wrong = format!("`{}` is not the URL of a pipeline, as http://localhost:8400", of.api);
            return Ok(End::usage(wrong));
        };
        runtime.block_on(ask_local(&base, &asked))?
    };
    Ok(match said {
        Ok(said) => End::good(said),
        Err(why) => End::no(why),
    })
}

async fn ask_local(base: &Base, asked: &Asked) -> Result<Result<String, String>> {
    let url = format!("{}/_console/passkeys", base.as_str());
    let sent = client(&[base])?.post(&url).json(asked).send().await;
    let answer = sent.with_context(|| format!("nothing answers at {url}; start `countersign local`"))?;
    let good = answer.status().is_success();
    let said = answer.text().await.with_context(|| format!("{url} broke off"))?;
    Ok(if good { Ok(said) } else { Err(said) })
}

/// Does what is asked, and says so; or says why not.
pub(crate) async fn answer(
    registry: &Approvals,
    asked: &Asked,
    now: Timestamp,
) -> Result<Result<String, String>, StoreError> {
    let person = &asked.id;
    if registry.person(person).await?.is_none() {
        return Ok(Err(format!("`{person}` is not in the registry; add them with `person put`")));
    }
    let before = registry.passkeys(person).await?;
    let (fingerprint, by, confirm) = match &asked.wanted {
        Wanted::List => return Ok(Ok(told(&before.value))),
        Wanted::Confirm { fingerprint, by } => (fingerprint, by.clone(), true),
        Wanted::Remove { fingerprint, by } => (fingerprint, by.clone(), false),
    };
    let Some(one) = before.value.all.iter().find(|one| one.key.fingerprint() == *fingerprint) else {
        return Ok(Err(format!("`{person}` has no passkey `{fingerprint}`; see `passkey list`")));
    };
    let credential = one.credential.clone();
    let change = if confirm {
        PasskeyChange::Confirmed { credential, by }
    } else {
        PasskeyChange::Removed { credential, by }
    };
    let (after, entry) = match before.value.after(change.clone(), now) {
        Ok(changed) => changed,
        Err(refused) => return Ok(Err(format!("nothing was changed: {refused}"))),
    };
    // Only a new one can be known already.
    registry.change_passkeys(&before, &change, &after, &entry).await?;
    let counts = if confirm { "from now on" } else { "no longer" };
    Ok(Ok(format!("passkey {fingerprint} of {person} counts {counts}")))
}

fn told(passkeys: &Passkeys) -> String {
    if passkeys.all.is_empty() {
        return format!("{} has no passkey", passkeys.person);
    }
    let line = |one: &Passkey| {
        let since = one.confirmed.map_or("not confirmed".to_owned(), |since| format!("counts since {since}"));
        format!("{}  added {}  {since}", one.key.fingerprint(), one.enrolled)
    };
    passkeys.all.iter().map(line).collect::<Vec<_>>().join("\n")
}
