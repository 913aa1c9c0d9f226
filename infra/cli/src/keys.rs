//! Key sets as they are kept: rotated by one command without anybody waiting, and their public halves for
//! auditors.

use anyhow::{Context as _, Result, anyhow, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{Timestamp, approval::ReceiptSigner, encoding};
use ring::rand::{SecureRandom as _, SystemRandom};
use runtime::{
    Env, Secrets,
    aws::Aws,
    http::{Base, client},
    secrets,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::{
    End,
    args::{KeySecret, RotateKeys},
};

/// How long a new key waits before it signs, in seconds: every running function reads the keys again within
/// five minutes and so knows it by then.
const WAITS: i64 = 600;

/// What the keys of a set are for, which says how long an old one verifies after the new one signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Links: they live an hour.
    Link,
    /// Receipts: a proposal lives thirty days at most, and an execution may take another day.
    Receipt,
    /// Sessions and forms: a session lives eight hours.
    Session,
}

impl Kind {
    /// In seconds, with an hour to spare.
    const fn verifies(self) -> i64 {
        match self {
            Self::Link => 2 * 3600,
            Self::Receipt => 32 * 86_400,
            Self::Session => 9 * 3600,
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Link => 'l',
            Self::Receipt => 'r',
            Self::Session => 's',
        }
    }
}

/// A set as it is stored.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    /// The newest first.
    keys: Vec<Key>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    retired: Vec<Retired>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    id: String,
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
}

/// A receipt key whose seed is gone: what it signed can still be checked, and counts for nothing new.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Retired {
    id: String,
    public: String,
}

/// The set with a new key, which signs in ten minutes. Older keys verify until nothing of theirs can still
/// be in use; those that are past it go, and of a receipt key the public half stays.
pub(crate) fn rotated(set: &str, kind: Kind, new: &[u8; 32], now: Timestamp) -> Result<String> {
    // The parser's error could quote a key.
    let mut set: Set = serde_json::from_str(set).map_err(|_| anyhow!("the stored secret is no key set"))?;
    let now = now.seconds();
    if let Some(waiting) = set.keys.iter().find(|key| key.from.is_some_and(|from| from > now)) {
        bail!("the key `{}` was put in only just, and does not sign yet; wait ten minutes", waiting.id);
    }
    let from = now.saturating_add(WAITS);
    let (over, mut keys): (Vec<Key>, Vec<Key>) =
        set.keys.into_iter().partition(|key| key.until.is_some_and(|until| until <= now));
    for key in &mut keys {
        key.until.get_or_insert(from.saturating_add(kind.verifies()));
    }
    if kind == Kind::Receipt {
        for key in over {
            set.retired.push(Retired { public: public(&key)?, id: key.id });
        }
    }
    let id = format!("{}{}", kind.letter(), now);
    keys.insert(0, Key { id, key: STANDARD.encode(new), from: Some(from), until: None });
    Ok(serde_json::to_string(&Set { keys, retired: set.retired })?)
}

fn public(key: &Key) -> Result<String> {
    let seed = STANDARD.decode(&key.key).map_err(|_| anyhow!("the key `{}` is not in base64", key.id))?;
    let signer = ReceiptSigner::new(key.id.as_str(), &seed);
    let signer = signer.with_context(|| format!("the key `{}` is no seed of 32 bytes", key.id))?;
    Ok(encoding::hex(&signer.public().1))
}

/// The public halves of a set of receipt keys, retired ones too: id and hexadecimal.
pub(crate) fn publics(set: &str) -> Result<Vec<(String, String)>> {
    let set: Set = serde_json::from_str(set).map_err(|_| anyhow!("the stored secret is no key set"))?;
    let mut all = Vec::new();
    for key in &set.keys {
        all.push((key.id.clone(), public(key)?));
    }
    all.extend(set.retired.into_iter().map(|retired| (retired.id, retired.public)));
    Ok(all)
}

/// The public key of the newest receipt key of a set, in hexadecimal.
pub(crate) fn newest_public(set: &str) -> Option<String> {
    publics(set).ok()?.into_iter().next().map(|(_, public)| public)
}

/// Rotates one stored set.
pub(crate) async fn rotate_stored(stored: &Secrets, name: &str, kind: Kind, now: Timestamp) -> Result<()> {
    let before = stored.get(name).await?;
    let mut new = [0; 32];
    SystemRandom::new().fill(&mut new).map_err(|_| anyhow!("the system gave no random bytes"))?;
    let after = SecretString::from(rotated(before.expose_secret(), kind, &new, now)?);
    // What is stored is what functions will read, so it has to be readable to them.
    secrets::key_set(name, &after, now)?;
    stored.put(name, &after).await.with_context(|| format!("the secret `{name}` was not replaced"))
}

/// `countersign keys rotate`: one set of a deployment, or all of a running pipeline.
pub(crate) fn rotate(options: &RotateKeys, env: &Env, now: Timestamp) -> Result<End> {
    match (&options.api, &options.secret, options.kind) {
        (Some(api), None, None) => ask_local(api),
        (None, Some(name), Some(kind)) => on_secrets(env, async |stored| {
            rotate_stored(&stored, name, kind, now).await?;
            Ok(End::good(format!("a new key is in `{name}` and signs in ten minutes; older ones verify on")))
        }),
        _ => Ok(End::usage("name --secret and --kind, or the --api of a running pipeline")),
    }
}

fn ask_local(api: &str) -> Result<End> {
    let Ok(base) = Base::parse(api) else {
        return Ok(End::usage(format!("`{api}` is not the URL of a pipeline, as http://localhost:8400")));
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let url = format!("{}/_console/keys", base.as_str());
        let asked = client(&[&base])?.post(&url).json(&serde_json::json!({})).send().await;
        let answer = asked.with_context(|| format!("nothing answers at {url}; start `countersign local`"))?;
        let good = answer.status().is_success();
        let said = answer.text().await.with_context(|| format!("{url} broke off"))?;
        Ok(if good { End::good(said) } else { End::no(said) })
    })
}

/// Rotates the sets of links, receipts and sessions of a pipeline on this machine; the ids and public halves of its receipt keys, by line.
pub(crate) async fn rotate_all(env: &Env, now: Timestamp) -> Result<String> {
    let stored = Secrets::new(Aws::from_env(env)?.secrets_manager());
    let receipts = env.required("RECEIPT_KEY_SECRET")?;
    let sets = [
        (env.required("LINK_KEYS_SECRET")?, Kind::Link),
        (receipts, Kind::Receipt),
        (env.required("SESSION_KEYS_SECRET")?, Kind::Session),
    ];
    for (name, kind) in sets {
        rotate_stored(&stored, name, kind, now).await?;
    }
    let lines = publics(stored.get(receipts).await?.expose_secret())?;
    let lines: Vec<String> = lines.into_iter().map(|(id, key)| format!("{id} {key}")).collect();
    Ok(format!("new keys sign in ten minutes, older ones verify on; receipt keys:\n{}", lines.join("\n")))
}

/// `countersign keys public`.
pub(crate) fn show(options: &KeySecret, env: &Env) -> Result<End> {
    on_secrets(env, async |stored| {
        let set = stored.get(&options.secret).await?;
        let lines: Vec<String> =
            publics(set.expose_secret())?.into_iter().map(|(id, key)| format!("{id} {key}")).collect();
        Ok(End::good(lines.join("\n")))
    })
}

fn on_secrets(env: &Env, work: impl AsyncFnOnce(Secrets) -> Result<End>) -> Result<End> {
    let client =
        Aws::from_env(env).context("AWS credentials are read from the environment")?.secrets_manager();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work(Secrets::new(client)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn first() -> String {
        serde_json::json!({ "keys": [{ "id": "r1", "key": STANDARD.encode([1; 32]) }] }).to_string()
    }

    fn ids(set: &str, now: Timestamp) -> Vec<String> {
        let keys = secrets::key_set("s", &SecretString::from(set), now).unwrap();
        keys.into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn a_new_key_is_known_before_it_signs_and_the_old_one_verifies_on() {
        let set = rotated(&first(), Kind::Link, &[2; 32], NOW).unwrap();
        assert_eq!(ids(&set, NOW), ["r1", "l1790000000"]);
        assert_eq!(ids(&set, NOW.plus(WAITS)), ["l1790000000", "r1"]);
        assert_eq!(ids(&set, NOW.plus(WAITS + Kind::Link.verifies() - 1)).len(), 2);
        assert_eq!(ids(&set, NOW.plus(WAITS + Kind::Link.verifies())), ["l1790000000"]);
        assert!(rotated(&set, Kind::Link, &[3; 32], NOW.plus(1)).is_err(), "one at a time");
    }

    #[test]
    fn a_retired_receipt_key_is_kept_for_auditors_and_counts_for_nothing() {
        let set = rotated(&first(), Kind::Receipt, &[2; 32], NOW).unwrap();
        let later = NOW.plus(WAITS + Kind::Receipt.verifies());
        let set = rotated(&set, Kind::Receipt, &[3; 32], later).unwrap();
        assert!(!set.contains(&STANDARD.encode([1; 32])), "the seed is gone");
        assert_eq!(ids(&set, later).len(), 2);
        let old = ReceiptSigner::new("r1", &[1; 32]).unwrap().public().1;
        assert_eq!(publics(&set).unwrap().last(), Some(&("r1".to_owned(), encoding::hex(&old))));
    }

    #[test]
    fn what_is_no_key_set_is_not_repeated() {
        let error = format!("{:?}", rotated("canary", Kind::Link, &[2; 32], NOW).unwrap_err());
        assert!(!error.contains("canary"), "{error}");
    }
}
