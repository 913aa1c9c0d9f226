//! Register, compare, repair.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::{Timestamp, event::HANDLED};
use secrecy::{ExposeSecret as _, SecretString};
use stripe::{API_VERSION, wire::Parameters};

use super::{
    Endpoint, Endpoints,
    compare::{REPLACES, SECRET, Wanted, differences, events, fingerprint},
    keep::Keep,
    make::{is_unfinished, make},
};
use crate::End;

/// How the endpoints with one URL stand to each other.
pub(crate) enum Standing<'a> {
    /// There is none.
    Absent,
    /// There is one.
    One(&'a Endpoint),
    /// One takes the place of another, which may be gone already.
    Rolling { next: &'a Endpoint, old: Option<&'a Endpoint> },
    /// There are more than that, and each sends every event.
    Several,
}

impl<'a> Standing<'a> {
    /// Of all endpoints with a URL.
    pub(crate) fn of(all: &'a [Endpoint]) -> Self {
        let (next, others): (Vec<_>, Vec<_>) =
            all.iter().partition(|one| one.metadata.contains_key(REPLACES));
        match (next.as_slice(), others.as_slice()) {
            ([], []) => Self::Absent,
            ([], [one]) => Self::One(one),
            ([next], []) => Self::Rolling { next, old: None },
            ([next], [old]) => Self::Rolling { next, old: Some(old) },
            _ => Self::Several,
        }
    }
}

/// `countersign webhook register`
pub(super) async fn register(
    endpoints: &Endpoints,
    wanted: &Wanted,
    keep: Option<&Keep>,
    now: Timestamp,
) -> Result<End> {
    let all = endpoints.with_url(&wanted.url).await?;
    let unfinished = match Standing::of(&all) {
        Standing::Absent => None,
        Standing::One(one) if is_unfinished(one) => Some(one),
        _ => {
            let secrets = match keep {
                Some(keep) => Some(keep.secrets().await?),
                None => None,
            };
            let found = examine(&all, secrets.as_deref(), wanted);
            return Ok(said(&found, "it is registered already, and nothing was done"));
        }
    };
    let (endpoint, secret) = make(endpoints, wanted, BTreeMap::new(), unfinished, keep, now).await?;
    let told = format!("{} sends to {}: {}", endpoint.id, wanted.url, described(endpoints));
    Ok(End::good(match keep {
        Some(keep) => format!("{told}\nits signing secret is in {}", keep.name()),
        None => format!("{told}\n{}", secret.expose_secret()),
    }))
}

/// `countersign webhook status`
pub(super) async fn status(endpoints: &Endpoints, wanted: &Wanted, keep: Option<&Keep>) -> Result<End> {
    let secrets = match keep {
        Some(keep) => Some(keep.secrets().await?),
        None => None,
    };
    let all = endpoints.with_url(&wanted.url).await?;
    Ok(said(&examine(&all, secrets.as_deref(), wanted), &described(endpoints)))
}

/// `countersign webhook update`
pub(super) async fn update(endpoints: &Endpoints, wanted: &Wanted) -> Result<End> {
    let all = endpoints.with_url(&wanted.url).await?;
    let mut told = Vec::new();
    for endpoint in &all {
        if differences(endpoint).iter().any(|one| !one.needs_another()) {
            let mut parameters: Parameters = events();
            parameters.push(("disabled".into(), "false".into()));
            endpoints.update(&endpoint.id, &parameters).await?;
            told.push(format!("{} was repaired", endpoint.id));
        }
    }
    let all = endpoints.with_url(&wanted.url).await?;
    told.push(described(endpoints));
    Ok(said(&examine(&all, None, wanted), &told.join("\n")))
}

fn described(endpoints: &Endpoints) -> String {
    format!("{} event types, {API_VERSION}, {}", HANDLED.len(), endpoints.mode())
}

/// One thing that was found: whether it is well, and what it is, with what to do.
pub(crate) type Found = (bool, String);

/// What is to be said about the endpoints with one URL, and about their secrets if they are given.
pub(crate) fn examine(all: &[Endpoint], secrets: Option<&[SecretString]>, wanted: &Wanted) -> Vec<Found> {
    let url = &wanted.url;
    let mut found = Vec::new();
    match Standing::of(all) {
        Standing::Absent => {
            let why = format!("no endpoint sends to {url}; run `countersign webhook register --url {url}`");
            return vec![(false, why)];
        }
        Standing::Several => {
            let ids: Vec<&str> = all.iter().map(|one| one.id.as_str()).collect();
            let ids = ids.join(", ");
            found.push((false, format!("{ids} all send to {url}; delete all but one in the Dashboard")));
        }
        Standing::Rolling { next, old } => {
            let old = old.map_or("one that is gone", |old| old.id.as_str());
            let told = format!("{} takes the place of {old}; `countersign webhook roll` ends that", next.id);
            found.push((true, told));
        }
        Standing::One(_) => {}
    }
    for endpoint in all {
        if is_unfinished(endpoint) {
            let why = "was made, and its secret not kept; run the command that made it once more";
            found.push((false, format!("{} {why}", endpoint.id)));
            continue;
        }
        let wrong = differences(endpoint);
        if wrong.is_empty() {
            found.push((true, format!("{} sends what is needed", endpoint.id)));
        }
        found.extend(wrong.iter().map(|one| (false, format!("{}: {}", endpoint.id, one.told(url)))));
        found.extend(secrets.map(|secrets| kept(endpoint, secrets, url)));
    }
    found
}

/// Whether the secret of an endpoint is among those that are kept.
fn kept(endpoint: &Endpoint, secrets: &[SecretString], url: &str) -> Found {
    let id = &endpoint.id;
    let roll = format!("`countersign webhook roll --url {url}`");
    match endpoint.metadata.get(SECRET) {
        Some(print) if secrets.iter().any(|one| fingerprint(one) == *print) => {
            (true, format!("{id}: its signing secret is kept"))
        }
        Some(_) => (false, format!("{id}: its signing secret is not kept; put it back, or run {roll}")),
        None if secrets.is_empty() => (
            false,
            format!(
                "{id} was made elsewhere and no secret is kept; keep the one that the Dashboard shows, or run {roll}"
            ),
        ),
        None => (true, format!("{id} was made elsewhere, so a kept secret may be its own or not")),
    }
}

/// What was found, a line each, and something more where all is well.
fn said(found: &[Found], more: &str) -> End {
    let line = |(good, what): &Found| format!("{}{what}", if *good { "ok    " } else { "FAIL  " });
    let lines: Vec<String> = found.iter().map(line).collect();
    let lines = lines.join("\n");
    if found.iter().all(|(good, _)| *good) { End::good(format!("{lines}\n{more}")) } else { End::no(lines) }
}
