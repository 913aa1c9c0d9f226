//! What the choice of a vendor needs besides its variables: secrets and a client.

use runtime::{
    EnvError,
    http::{self, Base},
    secrets::SecretError,
};

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// A secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// TLS.
    #[error("could not build the HTTP client")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A client for one vendor.
pub(crate) fn client(base: &Base) -> Result<reqwest::Client, ConfigError> {
    http::client(&[base]).map_err(|error| ConfigError::Http(error.into()))
}
