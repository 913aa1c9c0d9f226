//! The names in the pretend deployment, and the environment of each of its functions.

use std::collections::BTreeMap;

use crate::world::Urls;

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

/// The secrets' names: webhook, Stripe to read and to write, Slack, sign-in, links, receipts, sessions.
pub(crate) const SECRETS: [&str; 8] = [
    "countersign/webhook/default",
    "countersign/stripe/read",
    "countersign/stripe/write",
    "countersign/slack/token",
    "countersign/oidc/client",
    "countersign/keys/link",
    "countersign/keys/receipt",
    "countersign/keys/session",
];

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
    let [webhook, read, write, slack, client, link, receipt, session] = SECRETS;
    let queue = |name: &str| format!("{}/000000000000/{name}", urls.sqs);
    let all = [
        ("APPROVALS_TABLE", APPROVALS_TABLE.to_owned()),
        ("APPROVAL_DEAD_QUEUE_URL", queue(DEAD_APPROVAL_QUEUE)),
        ("APPROVAL_QUEUE_URL", queue(APPROVAL_QUEUE)),
        ("CASES_TABLE", CASES_TABLE.to_owned()),
        ("CONSOLE_URL", public_url.to_owned()),
        ("EVENT_DEAD_QUEUE_URL", queue(DEAD_EVENT_QUEUE)),
        ("EVENT_QUEUE_URL", queue(EVENT_QUEUE)),
        ("LINK_KEYS_SECRET", link.to_owned()),
        ("OIDC_CLIENT_ID", OIDC_CLIENT.to_owned()),
        ("OIDC_CLIENT_SECRET_SECRET", client.to_owned()),
        ("OIDC_ISSUER", urls.oidc.clone()),
        ("PUBLIC_URL", public_url.to_owned()),
        ("RECEIPT_KEY_SECRET", receipt.to_owned()),
        ("SESSION_KEYS_SECRET", session.to_owned()),
        ("SLACK_API_BASE", format!("{}/api", urls.slack)),
        ("SLACK_CHANNELS", CHANNELS.map(|(name, id)| format!("{name}={id}")).join(",")),
        ("SLACK_TOKEN_SECRET", slack.to_owned()),
        ("STRIPE_API_BASE", urls.stripe.clone()),
        ("STRIPE_READ_KEY_SECRET", read.to_owned()),
        ("STRIPE_WRITE_KEY_SECRET", write.to_owned()),
        ("WEBHOOK_SECRETS", format!("default={webhook}")),
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
