//! What an endpoint has to be, and how one differs from it.

use std::collections::BTreeSet;

use domain::{encoding, event::HANDLED};
use secrecy::{ExposeSecret as _, SecretString};
use stripe::{API_VERSION, wire::Parameters};

use super::Endpoint;

/// Ours, by which an endpoint is known to be made here. The value says how far it has come.
pub(super) const MARK: &str = "countersign";
/// A digest of its signing secret, once that is kept: so that the secret can be told from others. It is random and
/// long, so nothing can be learned of it.
pub(super) const SECRET: &str = "countersign_secret";
/// When its secret was kept, in seconds since 1970.
pub(super) const KEPT_AT: &str = "countersign_kept_at";
/// The endpoint that it takes the place of.
pub(super) const REPLACES: &str = "countersign_replaces";
/// The digest of that one's secret, if it is known.
pub(super) const REPLACES_SECRET: &str = "countersign_replaces_secret";

/// What is wanted of the endpoint with a URL.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Where events are sent.
    pub(crate) url: String,
}

/// One way in which an endpoint is not as it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    what: String,
    /// An endpoint keeps its API version for life, so another one has to be made.
    needs_another: bool,
}

impl Wanted {
    /// The endpoint at a URL: the event types that start work, and the version that requests name.
    pub(crate) fn at(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    /// The parameters that make it; `metadata` besides.
    pub(super) fn parameters(&self, metadata: &[(&str, &str)]) -> Parameters {
        let mut all: Parameters = vec![
            ("url".into(), self.url.clone()),
            ("api_version".into(), API_VERSION.into()),
            ("description".into(), "Countersign: what starts work, and nothing else".into()),
        ];
        all.extend(events());
        all.extend(metadata.iter().map(|(name, value)| (format!("metadata[{name}]"), (*value).to_owned())));
        all
    }

    /// An idempotency key of these parameters: whoever asks for the same once more gets the same endpoint.
    pub(super) fn idempotency_key(parameters: &Parameters, attempt: u64) -> String {
        let digest = encoding::digest("webhook/endpoint/v1", |to| {
            to.number(i64::try_from(attempt).unwrap_or(i64::MAX));
            for (name, value) in parameters {
                to.text(name);
                to.text(value);
            }
        });
        format!("countersign_endpoint_{}", encoding::hex(digest.bytes()))
    }
}

/// The event types as a parameter.
pub(super) fn events() -> Parameters {
    let name = |(number, kind): (usize, &&str)| (format!("enabled_events[{number}]"), (*kind).to_owned());
    HANDLED.iter().enumerate().map(name).collect()
}

/// A name for a secret that tells nothing of it.
pub(super) fn fingerprint(secret: &SecretString) -> String {
    let digest = encoding::digest("webhook/secret/v1", |to| to.text(secret.expose_secret()));
    encoding::hex(digest.bytes().get(..16).unwrap_or_default())
}

/// How an endpoint differs from what is needed; nothing if it is right.
pub(crate) fn differences(endpoint: &Endpoint) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut add = |what: String, needs_another| found.push(Difference { what, needs_another });
    if endpoint.status != "enabled" {
        add(format!("it is {}", endpoint.status), false);
    }
    let sent: BTreeSet<&str> = endpoint.enabled_events.iter().map(String::as_str).collect();
    let wanted: BTreeSet<&str> = HANDLED.into_iter().collect();
    let list = |kinds: Vec<&str>| kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ");
    let lacking: Vec<&str> =
        if sent.contains("*") { Vec::new() } else { wanted.difference(&sent).copied().collect() };
    if !lacking.is_empty() {
        add(format!("it does not send {}", list(lacking)), false);
    }
    let needless: Vec<&str> = sent.difference(&wanted).copied().collect();
    if !needless.is_empty() {
        add(format!("it sends {}, which starts no work", list(needless)), false);
    }
    if endpoint.api_version.as_deref() != Some(API_VERSION) {
        let version = endpoint.api_version.as_deref().unwrap_or("the account's default version");
        add(format!("it sends {version} and not {API_VERSION}"), true);
    }
    found
}

impl Difference {
    /// What is wrong, and the command that repairs it.
    pub(crate) fn told(&self, url: &str) -> String {
        let command = if self.needs_another { "roll" } else { "update" };
        let why = if self.needs_another { ", which no update can change" } else { "" };
        format!("{}{why}; run `countersign webhook {command} --url {url}`", self.what)
    }

    /// Whether only another endpoint is right.
    pub(super) const fn needs_another(&self) -> bool {
        self.needs_another
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(events: &[&str], version: Option<&str>) -> Endpoint {
        serde_json::from_value(serde_json::json!({
            "id": "we_1", "url": "https://x.example.com/stripe/default", "status": "enabled",
            "api_version": version, "enabled_events": events,
        }))
        .unwrap()
    }

    #[test]
    fn what_is_as_wanted_differs_in_nothing_whatever_the_order() {
        let mut events = HANDLED;
        events.reverse();
        assert_eq!(differences(&endpoint(&events, Some(API_VERSION))), []);
    }

    #[test]
    fn each_difference_is_told_with_the_command_that_repairs_it() {
        let mut one = endpoint(&["invoice.paid", "price.created"], Some("2025-03-31.basil"));
        one.status = "disabled".into();
        let told: Vec<String> = differences(&one).iter().map(|one| one.told("U")).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[0].starts_with("it is disabled; run `countersign webhook update --url U`"));
        assert!(told[1].contains("`refund.failed`") && !told[1].contains("`invoice.paid`"), "{}", told[1]);
        assert!(told[2].contains("`price.created`, which starts no work"));
        assert!(told[3].contains("2025-03-31.basil") && told[3].contains("webhook roll"), "{}", told[3]);
        let everything = differences(&endpoint(&["*"], None));
        assert_eq!(everything.len(), 2, "all events are too many, and none is lacking: {everything:?}");
    }

    #[test]
    fn another_attempt_and_another_url_have_keys_of_their_own() {
        let of = |url: &str, attempt| Wanted::idempotency_key(&Wanted::at(url).parameters(&[]), attempt);
        assert_eq!(of("a", 0), of("a", 0));
        assert!(of("a", 0) != of("a", 1) && of("a", 0) != of("b", 0));
        assert!(of("a", 0).len() <= 255);
    }
}
