//! The names in the pretend deployment, and the environment of each of its functions.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::{keys::Keys, model, secrets::Secrets, world::Urls};

/// The table of events, cases, steps and requests.
pub const CASES_TABLE: &str = "countersign-cases";
/// The table that the approver alone writes.
pub const APPROVALS_TABLE: &str = "countersign-approvals";
/// The queue between ingress and processor.
pub const EVENT_QUEUE: &str = "countersign-events.fifo";
/// Where events end that failed too often.
pub const DEAD_EVENT_QUEUE: &str = "countersign-events-dead.fifo";
/// The approver's own queue.
pub const APPROVAL_QUEUE: &str = "countersign-approvals.fifo";
/// Where requests end that failed too often.
pub const DEAD_APPROVAL_QUEUE: &str = "countersign-approvals-dead.fifo";
/// The application that people sign in to.
pub const OIDC_CLIENT: &str = "countersign";
/// The channels that the policy's playbooks name, with their ids.
pub(crate) const CHANNELS: [(&str, &str); 2] =
    [("billing-alerts", "C0ALERTS01"), ("billing-risk", "C0RISK0001")];

const DEPLOYMENT: &str = "local";

/// Who writes to customers.
pub const MAIL_FROM: &str = "billing@company.example.test";

/// The help desk's agent, as whom Countersign writes.
pub const HELP_DESK_AGENT: &str = "countersign@company.example.test";

/// What the language model costs, as the functions are told it.
pub const MODEL_PRICE: &str = "1,5";

/// The names of secrets.
mod secret {
    pub(super) const ACCESS: &str = "countersign/access";
    pub(super) const APPLICATION: &str = "countersign/application";
    pub(super) const HUBSPOT: &str = "countersign/hubspot";
    pub(super) const LINK: &str = "countersign/keys/link";
    pub(super) const MODEL: &str = "countersign/model";
    pub(super) const OIDC_CLIENT: &str = "countersign/oidc/client";
    pub(super) const RECEIPT: &str = "countersign/keys/receipt";
    pub(super) const SESSION: &str = "countersign/keys/session";
    pub(super) const SLACK: &str = "countersign/slack/token";
    pub(super) const STRIPE_READ: &str = "countersign/stripe/read";
    pub(super) const STRIPE_WRITE: &str = "countersign/stripe/write";
    pub(super) const WEBHOOK: &str = "countersign/webhook/default";
    pub(super) const ZENDESK: &str = "countersign/zendesk";
}

/// Puts the sandbox's keys where the functions look for them.
pub(crate) fn put_secrets(secrets: &Secrets, keys: &Keys) -> Result<()> {
    let values = [
        (secret::ACCESS, &keys.access_key),
        (secret::APPLICATION, &keys.application_key),
        (secret::HUBSPOT, &keys.hubspot_token),
        (secret::MODEL, &keys.model_key),
        (secret::OIDC_CLIENT, &keys.oidc_client_secret),
        (secret::SLACK, &keys.slack_token),
        (secret::STRIPE_READ, &keys.stripe_read_key),
        (secret::STRIPE_WRITE, &keys.stripe_write_key),
        (secret::WEBHOOK, &keys.webhook_secret),
        (secret::ZENDESK, &keys.zendesk_token),
    ];
    // Key sets are rotated, and a restart does not undo that.
    let sets = [
        (secret::LINK, &keys.link_keys),
        (secret::RECEIPT, &keys.receipt_key),
        (secret::SESSION, &keys.session_keys),
    ];
    values.into_iter().try_for_each(|(name, value)| secrets.put(name, value))?;
    sets.into_iter().try_for_each(|(name, value)| secrets.put_new(name, value))
}

/// One of the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Takes Stripe's events in.
    Ingress,
    /// Decides cases.
    Processor,
    /// Shows, signs and executes.
    Approver,
    /// Compares intended with actual.
    Reconciler,
}

/// What a function is told, as the template does in an account: addresses, and the names of secrets.
pub(crate) fn variables(function: Function, urls: &Urls, public_url: &str) -> BTreeMap<String, String> {
    let queue = |name: &str| format!("{}/000000000000/{name}", urls.sqs);
    let all = [
        ("APPROVALS_TABLE", APPROVALS_TABLE.to_owned()),
        ("APPROVAL_DEAD_QUEUE_URL", queue(DEAD_APPROVAL_QUEUE)),
        ("APPROVAL_QUEUE_URL", queue(APPROVAL_QUEUE)),
        ("CASES_TABLE", CASES_TABLE.to_owned()),
        ("CONSOLE_URL", public_url.to_owned()),
        ("EVENT_DEAD_QUEUE_URL", queue(DEAD_EVENT_QUEUE)),
        ("EVENT_QUEUE_URL", queue(EVENT_QUEUE)),
        ("LINK_KEYS_SECRET", secret::LINK.to_owned()),
        ("OIDC_CLIENT_ID", OIDC_CLIENT.to_owned()),
        ("OIDC_CLIENT_SECRET_SECRET", secret::OIDC_CLIENT.to_owned()),
        ("OIDC_ISSUER", urls.oidc.clone()),
        ("PUBLIC_URL", public_url.to_owned()),
        ("RECEIPT_KEY_SECRET", secret::RECEIPT.to_owned()),
        ("SESSION_KEYS_SECRET", secret::SESSION.to_owned()),
        ("SLACK_API_BASE", format!("{}/api", urls.slack)),
        ("SLACK_CHANNELS", CHANNELS.map(|(name, id)| format!("{name}={id}")).join(",")),
        ("SLACK_TOKEN_SECRET", secret::SLACK.to_owned()),
        ("STRIPE_API_BASE", urls.stripe.clone()),
        ("STRIPE_READ_KEY_SECRET", secret::STRIPE_READ.to_owned()),
        ("STRIPE_WRITE_KEY_SECRET", secret::STRIPE_WRITE.to_owned()),
        ("WEBHOOK_SECRETS", format!("default={}", secret::WEBHOOK)),
    ];
    let common = [
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_ENDPOINT_URL_DYNAMODB", urls.dynamodb.clone()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", urls.secrets.clone()),
        ("AWS_ENDPOINT_URL_SQS", urls.sqs.clone()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("DEPLOYMENT", DEPLOYMENT.to_owned()),
        ("METRICS", "off".to_owned()),
    ];
    let wanted = function.variables();
    let own = all.into_iter().filter(|(name, _)| wanted.contains(name));
    common.into_iter().chain(own).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The same for the systems around Stripe, none of which is required.
pub(crate) fn systems(function: Function, urls: &Urls) -> BTreeMap<String, String> {
    let mut variables = match function {
        Function::Ingress => Vec::new(),
        Function::Processor | Function::Reconciler => vec![
            ("APPLICATION_SECRET", secret::APPLICATION),
            ("APPLICATION_URL", &urls.application),
            ("CRM", "hubspot"),
            ("CRM_FIELDS", "currency=contract_currency"),
            ("HELP_DESK", "zendesk"),
            ("HUBSPOT_API_BASE", &urls.hubspot),
            ("HUBSPOT_TOKEN_SECRET", secret::HUBSPOT),
            ("ZENDESK_SUBDOMAIN_URL", &urls.zendesk),
            ("ZENDESK_TOKEN_SECRET", secret::ZENDESK),
            ("ZENDESK_USER", HELP_DESK_AGENT),
        ],
        Function::Approver => vec![
            ("ACCESS_SECRET", secret::ACCESS),
            ("ACCESS_URL", &urls.application),
            ("AWS_ENDPOINT_URL_SESV2", &urls.ses),
            ("MAIL_FROM", MAIL_FROM),
            // Everybody here: no mail leaves this machine.
            ("MAIL_TEST_RECIPIENTS", "@example.test"),
        ],
    };
    // The sweeps decide anew without it, and leave what it said before.
    if function == Function::Processor {
        variables.extend([
            ("MODEL", "anthropic"),
            ("MODEL_ID", model::MODEL_ID),
            ("MODEL_KEY_SECRET", secret::MODEL),
            ("MODEL_PRICE", MODEL_PRICE),
            ("MODEL_URL", &urls.model),
        ]);
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl Function {
    /// The variables of each function; what is not here it cannot find (I5).
    const fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Ingress => &["EVENT_QUEUE_URL", "WEBHOOK_SECRETS"],
            Self::Processor => &[
                "APPROVAL_QUEUE_URL",
                "CASES_TABLE",
                "CONSOLE_URL",
                "SLACK_API_BASE",
                "SLACK_CHANNELS",
                "SLACK_TOKEN_SECRET",
                "STRIPE_API_BASE",
                "STRIPE_READ_KEY_SECRET",
            ],
            Self::Approver => &[
                "APPROVALS_TABLE",
                "CASES_TABLE",
                "LINK_KEYS_SECRET",
                "OIDC_CLIENT_ID",
                "OIDC_CLIENT_SECRET_SECRET",
                "OIDC_ISSUER",
                "PUBLIC_URL",
                "RECEIPT_KEY_SECRET",
                "SESSION_KEYS_SECRET",
                "SLACK_API_BASE",
                "SLACK_CHANNELS",
                "SLACK_TOKEN_SECRET",
                "STRIPE_API_BASE",
                "STRIPE_READ_KEY_SECRET",
                "STRIPE_WRITE_KEY_SECRET",
            ],
            Self::Reconciler => &[
                "APPROVALS_TABLE",
                "APPROVAL_DEAD_QUEUE_URL",
                "APPROVAL_QUEUE_URL",
                "CASES_TABLE",
                "CONSOLE_URL",
                "EVENT_DEAD_QUEUE_URL",
                "EVENT_QUEUE_URL",
                "SLACK_API_BASE",
                "SLACK_CHANNELS",
                "SLACK_TOKEN_SECRET",
                "STRIPE_API_BASE",
                "STRIPE_READ_KEY_SECRET",
            ],
        }
    }
}
