//! Conformance of the AWS stand-ins: what the functions rely on, asked through the real SDKs.
//! Expected is what AWS documents.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

mod dynamodb;
mod secrets;
mod sqs;

use std::path::PathBuf;

use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// A client of the stand-in at `url`. It tries once, so that every refusal is seen.
macro_rules! client {
    ($sdk:ident, $url:expr) => {{
        let credentials = $sdk::config::Credentials::new("sandbox", "sandbox", None, None, "test");
        let config = $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new("us-east-1"))
            .credentials_provider(credentials)
            .retry_config($sdk::config::retry::RetryConfig::disabled())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url($url)
            .build();
        $sdk::Client::from_conf(config)
    }};
}
pub(crate) use client;

/// The code of the service's refusal.
fn code<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    code.map_or_else(|| panic!("not a service error: {}", DisplayErrorContext(error)), str::to_owned)
}

/// A folder that is deleted with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("sandbox-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("state.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
