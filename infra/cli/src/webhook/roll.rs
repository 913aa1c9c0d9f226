//! Another signing secret. Stripe's API has no call that rolls one, so another endpoint takes the place of the old:
//! for the overlap both send every event, each under its own secret, and the second of each is dropped as a duplicate.
//!
//! How far it has come stands in the new endpoint's metadata and in the secrets that are kept, and nowhere else. So
//! each run looks there and does what is left.

use anyhow::Result;
use domain::Timestamp;
use stripe::wire::Parameters;

use super::{
    Endpoint, Endpoints,
    compare::{KEPT_AT, REPLACES, REPLACES_SECRET, SECRET, Wanted, differences, fingerprint},
    keep::Keep,
    make::{make, replacing},
    register::Standing,
};
use crate::End;

/// `countersign webhook roll`; `overlap` in seconds.
pub(super) async fn roll(
    endpoints: &Endpoints,
    wanted: &Wanted,
    keep: &Keep,
    overlap: i64,
    now: Timestamp,
) -> Result<End> {
    let all = endpoints.with_url(&wanted.url).await?;
    let url = &wanted.url;
    let (next, old) = match Standing::of(&all) {
        Standing::Absent => {
            let why = format!("no endpoint sends to {url}; run `countersign webhook register --url {url}`");
            return Ok(End::no(why));
        }
        Standing::Several => {
            return Ok(End::no(format!(
                "several endpoints send to {url}; delete all but the one whose secret is in use, in the Dashboard"
            )));
        }
        Standing::One(old) => {
            let metadata = replacing(old, &keep.secrets().await?);
            (make(endpoints, wanted, metadata, None, Some(keep), now).await?.0, Some(old))
        }
        Standing::Rolling { next, old } if !next.metadata.contains_key(SECRET) => {
            let made = make(endpoints, wanted, replaces(next), Some(next), Some(keep), now).await?;
            (made.0, old)
        }
        Standing::Rolling { next, old } => (next.clone(), old),
    };
    let secrets = keep.secrets().await?;
    if !secrets.iter().any(|one| Some(&fingerprint(one)) == next.metadata.get(SECRET)) {
        return Ok(End::no(format!(
            "the secret of {} is not in {}, so nothing was taken away; delete {} in the Dashboard and run this again",
            next.id,
            keep.name(),
            next.id
        )));
    }
    if let Some(old) = old {
        let kept_at = next.metadata.get(KEPT_AT).and_then(|text| text.parse().ok());
        let until = kept_at.map_or(now, Timestamp::from_seconds).plus(overlap);
        if now < until {
            return Ok(End::good(format!(
                "{} sends beside {}, and the secrets of both are in {}\nrun this again after {until}: then the old one goes",
                next.id,
                old.id,
                keep.name()
            )));
        }
        if let Some(wrong) = differences(&next).first() {
            return Ok(End::no(format!("{}: {}; nothing was taken away", next.id, wrong.told(&wanted.url))));
        }
        endpoints.delete(&old.id).await?;
    }
    finish(endpoints, &next, keep).await
}

/// What the new endpoint takes the place of, as the run that made it wrote down.
fn replaces(next: &Endpoint) -> std::collections::BTreeMap<String, String> {
    let ours = |(name, _): &(&String, &String)| [REPLACES, REPLACES_SECRET].contains(&name.as_str());
    next.metadata.iter().filter(ours).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The old endpoint is gone: its secret goes, too, and the new one is like any other.
async fn finish(endpoints: &Endpoints, next: &Endpoint, keep: &Keep) -> Result<End> {
    let mut secrets = keep.secrets().await?;
    let before = secrets.len();
    let old = next.metadata.get(REPLACES_SECRET);
    secrets.retain(|one| Some(&fingerprint(one)) != old);
    if secrets.len() < before {
        keep.put(&secrets).await?;
    }
    let cleared: Parameters =
        [REPLACES, REPLACES_SECRET].map(|name| (format!("metadata[{name}]"), String::new())).to_vec();
    endpoints.update(&next.id, &cleared).await?;
    let more = match (old, secrets.len()) {
        (_, 1) => String::new(),
        (_, kept) => format!("\n{kept} secrets are kept: take out by hand what belongs to no endpoint"),
    };
    Ok(End::good(format!("{} has taken over; its secret is in {}{more}", next.id, keep.name())))
}
