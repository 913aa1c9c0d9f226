//! Arguments about webhooks.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Subcommand};
use runtime::http::Base;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Check the signature of the delivery on standard input: exit 0 accepted, 1 refused, 2 bad usage
    Verify(VerifyDelivery),
    /// Make the endpoint in Stripe, with exactly the event types that start work, unless it is there, and keep its
    /// signing secret. The key is in `STRIPE_API_KEY` and may write webhook endpoints; AWS credentials and region
    /// come from the environment
    Register(RegisterEndpoint),
    /// Compare the endpoint in Stripe with what is needed, changing nothing: exit 0 if it is right, 1 with each
    /// difference. The key may read webhook endpoints
    Status(EndpointStatus),
    /// Give the endpoint the event types that start work, and enable it
    Update(OneEndpoint),
    /// Replace the signing secret without a moment in which none is valid: the first run makes a second endpoint
    /// and keeps both secrets, a run after the overlap takes the old ones away. Whenever it breaks off, the same
    /// command goes on
    Roll(RollSecret),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct VerifyDelivery {
    /// Value of the header `Stripe-Signature`
    #[arg(long, value_name = "H", allow_hyphen_values = true)]
    pub(crate) header: OsString,
    /// Signing secret of the endpoint; twice while it is being rolled
    #[arg(long = "secret", value_name = "S", required = true, allow_hyphen_values = true)]
    pub(crate) secrets: Vec<String>,
    /// The time in seconds since 1970; by default now
    #[arg(long, value_name = "UNIX", allow_negative_numbers = true)]
    pub(crate) now: Option<i64>,
    /// How old a signature may be, in seconds
    #[arg(long, value_name = "SECS", default_value_t = stripe::signature::TOLERANCE,
          value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) tolerance: i64,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct OneEndpoint {
    /// Where Stripe sends events: the stack's output `WebhookUrl`, as https://…/stripe/default
    #[arg(long, value_name = "URL", value_parser = endpoint_url)]
    pub(crate) url: String,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RegisterEndpoint {
    #[command(flatten)]
    pub(crate) endpoint: OneEndpoint,
    #[command(flatten)]
    pub(crate) kept: Kept,
    /// Print the signing secret, and keep it nowhere
    #[arg(long, conflicts_with_all = ["secret", "secret_file"],
          required_unless_present_any = ["secret", "secret_file"])]
    pub(crate) print_secret: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct EndpointStatus {
    #[command(flatten)]
    pub(crate) endpoint: OneEndpoint,
    /// With one of them it is looked at as well whether what is kept is the endpoint's
    #[command(flatten)]
    pub(crate) kept: Kept,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RollSecret {
    #[command(flatten)]
    pub(crate) endpoint: OneEndpoint,
    #[command(flatten)]
    pub(crate) kept: Kept,
    /// Minutes in which both secrets are valid. Instances of ingress read theirs when they start, and AWS ends each
    /// within some hours
    #[arg(long, value_name = "MINUTES", default_value_t = 1440,
          value_parser = clap::value_parser!(i64).range(720..=4320))]
    pub(crate) overlap: i64,
}

/// Where signing secrets are kept, one a line.
#[derive(Debug, Clone, Args)]
pub(crate) struct Kept {
    /// In Secrets Manager, under this name, such as STACK/webhook/default
    #[arg(long, value_name = "NAME", conflicts_with = "secret_file")]
    pub(crate) secret: Option<String>,
    /// In a file that only its owner may read
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
}

/// A URL that ingress serves: another one would be told of events and lose them.
pub(super) fn endpoint_url(text: &str) -> Result<String, String> {
    let wrong = || "give the stack's output WebhookUrl, as https://…/stripe/default".to_owned();
    let base = Base::parse(text).map_err(|_| wrong())?;
    let (_, name) = base.as_str().rsplit_once("/stripe/").ok_or_else(wrong)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(wrong());
    }
    Ok(base.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_url_that_ingress_serves_is_taken() {
        for good in ["https://x.example.com/stripe/default", "http://127.0.0.1:8400/stripe/eu-1"] {
            assert_eq!(endpoint_url(good).as_deref(), Ok(good));
        }
        for bad in [
            "https://x.example.com",
            "https://x.example.com/stripe/",
            "https://x.example.com/stripe/a/b",
            "https://x.example.com/stripe/Default",
            "https://x.example.com/stripe/default?x=1",
            "http://x.example.com/stripe/default",
        ] {
            assert!(endpoint_url(bad).is_err(), "{bad}");
        }
    }
}
