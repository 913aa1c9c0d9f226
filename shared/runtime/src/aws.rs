//! The AWS clients: credentials from the environment, TLS that trusts Amazon's roots alone.
//!
//! No `aws-config`: a function needs none of its sources, and its defaults cost tens of milliseconds
//! of every cold start. Reading the machine's own certificates would cost another four.

use std::time::Duration;

use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider, SharedHttpClient};
use aws_smithy_http_client::{
    Builder,
    tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{SdkConfig, region::Region};

use crate::{Env, EnvError, http::Base};

/// The certification authorities that AWS's services are signed by: <https://www.amazontrust.com/repository/>.
/// Looking them up among all that Mozilla trusts would cost each cold start a tenth of a millisecond.
const ROOTS: &str = include_str!("amazon.pem");

/// What the clients share. They use one connection pool.
#[derive(Debug, Clone)]
pub struct Aws {
    shared: SdkConfig,
    dynamodb: Option<Base>,
    secrets_manager: Option<Base>,
    sqs: Option<Base>,
}

/// The credentials in `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, where Lambda puts them.
///
/// # Errors
/// If one of the first two is not set.
pub fn credentials(env: &Env) -> Result<Credentials, EnvError> {
    Ok(Credentials::new(
        env.required("AWS_ACCESS_KEY_ID")?,
        env.required("AWS_SECRET_ACCESS_KEY")?,
        env.optional("AWS_SESSION_TOKEN").map(ToOwned::to_owned),
        None,
        "environment",
    ))
}

impl Aws {
    /// Reads `AWS_REGION`, the credentials that Lambda sets, and the endpoint overrides
    /// `AWS_ENDPOINT_URL_DYNAMODB`, `_SECRETS_MANAGER` and `_SQS`, each falling back to
    /// `AWS_ENDPOINT_URL` (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
    ///
    /// # Errors
    /// Names the variable that is missing or wrong; an endpoint must be HTTPS or on loopback.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Self::trusting(env, None)
    }

    /// As [`Aws::from_env`], with an authority in PEM besides Amazon's: for services that stand in for AWS's
    /// over TLS.
    ///
    /// # Errors
    /// As [`Aws::from_env`].
    pub fn trusting(env: &Env, authority: Option<Vec<u8>>) -> Result<Self, EnvError> {
        let credentials = credentials(env)?;
        let shared = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(https(authority))
            .region(Region::new(env.required("AWS_REGION")?.to_owned()))
            .retry_config(retries())
            .timeout_config(timeouts())
            .build();
        let any = env.optional_base("AWS_ENDPOINT_URL")?;
        let endpoint = |name| Ok(env.optional_base(name)?.or_else(|| any.clone()));
        Ok(Self {
            shared,
            dynamodb: endpoint("AWS_ENDPOINT_URL_DYNAMODB")?,
            secrets_manager: endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER")?,
            sqs: endpoint("AWS_ENDPOINT_URL_SQS")?,
        })
    }

    /// A client of DynamoDB.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let mut config = aws_sdk_dynamodb::config::Builder::from(&self.shared);
        config.set_endpoint_url(url(self.dynamodb.as_ref()));
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// A client of Secrets Manager.
    pub fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        let mut config = aws_sdk_secretsmanager::config::Builder::from(&self.shared);
        config.set_endpoint_url(url(self.secrets_manager.as_ref()));
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    /// What the clients share, for a service that only one function may call.
    pub const fn shared(&self) -> &SdkConfig {
        &self.shared
    }

    /// A client of SQS.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        let mut config = aws_sdk_sqs::config::Builder::from(&self.shared);
        config.set_endpoint_url(url(self.sqs.as_ref()));
        aws_sdk_sqs::Client::from_conf(config.build())
    }
}

fn url(base: Option<&Base>) -> Option<String> {
    base.map(|base| base.as_str().to_owned())
}

/// Three attempts, the second after about a tenth of a second: a caller such as Stripe is waiting.
fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(100))
}

/// So that three attempts end well before the function's own time-out.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .read_timeout(Duration::from_secs(4))
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(12))
        .build()
}

fn https(authority: Option<Vec<u8>>) -> SharedHttpClient {
    let mut trusted = TrustStore::empty();
    trusted.add_pem_certificate(ROOTS);
    if let Some(authority) = authority {
        trusted.add_pem_certificate(authority);
    }
    let provider = tls::Provider::Rustls(CryptoMode::Ring);
    match TlsContext::builder().with_trust_store(trusted).build() {
        Ok(context) => Builder::new().tls_provider(provider).tls_context(context).build_https(),
        // Building a context cannot fail today. If it ever does, the default trusts what the machine
        // trusts, which is slower and no less safe.
        Err(_) => Builder::new().tls_provider(provider).build_https(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(more: &[(&str, &str)]) -> Env {
        let least = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "canary-secret"),
            ("AWS_SESSION_TOKEN", "canary-token"),
        ];
        least.iter().chain(more).copied().collect()
    }

    #[test]
    fn exactly_amazons_five_roots_are_trusted_and_mozilla_trusts_them() {
        use rustls::pki_types::{CertificateDer, pem::PemObject as _};
        const NAMES: [&str; 5] = [
            "Amazon Root CA 1",
            "Amazon Root CA 2",
            "Amazon Root CA 3",
            "Amazon Root CA 4",
            "Starfield Services Root Certificate Authority - G2",
        ];
        let ours: Vec<_> = CertificateDer::pem_slice_iter(ROOTS.as_bytes()).map(Result::unwrap).collect();
        assert_eq!(ours.len(), NAMES.len());
        let mut store = rustls::RootCertStore::empty();
        for (der, name) in ours.iter().zip(NAMES) {
            assert!(der.windows(name.len()).any(|window| window == name.as_bytes()), "{name}");
            assert!(webpki_root_certs::TLS_SERVER_ROOT_CERTS.contains(der), "Mozilla does not trust {name}");
            store.add(der.clone()).unwrap();
        }
        assert_eq!(store.len(), 5);
    }

    #[test]
    fn an_endpoint_of_its_own_goes_before_the_common_one() {
        let aws = Aws::from_env(&env(&[
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:2"),
        ]))
        .unwrap();
        assert_eq!(url(aws.sqs.as_ref()).as_deref(), Some("http://127.0.0.1:2"));
        assert_eq!(url(aws.dynamodb.as_ref()).as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(url(aws.secrets_manager.as_ref()).as_deref(), Some("http://127.0.0.1:1"));
    }

    #[test]
    fn an_endpoint_over_plain_http_elsewhere_is_refused() {
        let error = Aws::from_env(&env(&[("AWS_ENDPOINT_URL_SQS", "http://sqs.example.test")])).unwrap_err();
        assert!(error.to_string().contains("AWS_ENDPOINT_URL_SQS"), "{error}");
    }

    #[test]
    fn a_missing_region_is_named() {
        let error = Aws::from_env(&Env::from([("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")]));
        assert_eq!(error.unwrap_err(), EnvError::Missing { name: "AWS_REGION" });
    }

    #[test]
    fn debug_output_shows_no_credentials() {
        let shown = format!("{:?}", Aws::from_env(&env(&[])).unwrap());
        assert!(!shown.contains("canary"), "{shown}");
    }
}
