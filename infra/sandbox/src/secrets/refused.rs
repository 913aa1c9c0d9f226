//! Why the service says no.

use crate::aws_json::Fault;

/// A refused request. The text goes to the client, so it never holds a value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Refused {
    #[error("there is no such secret")]
    NoSecret,
    #[error("the secret has no such version")]
    NoVersion,
    #[error("a secret of this name already exists")]
    Exists,
    #[error("a version of this id already exists with another value")]
    VersionExists,
    #[error("the secret is marked for deletion; restore it first")]
    Deleted,
    #[error("no Lambda rotation function is associated with this secret, and the sandbox runs none")]
    NoRotation,
    #[error("{0}")]
    Parameter(&'static str),
    #[error("the next token is not one that was given out")]
    NextToken,
    #[error("unknown operation {0}")]
    UnknownOperation(String),
    #[error("the request body is not what the operation expects")]
    Malformed,
    #[error("the state could not be saved; see the sandbox's log")]
    Unsaved,
}

impl Refused {
    /// The name of the exception.
    /// Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Operations.html>.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::NoSecret | Self::NoVersion => "ResourceNotFoundException",
            Self::Exists | Self::VersionExists => "ResourceExistsException",
            Self::Deleted | Self::NoRotation => "InvalidRequestException",
            Self::Parameter(_) => "InvalidParameterException",
            Self::NextToken => "InvalidNextTokenException",
            Self::UnknownOperation(_) => "UnknownOperationException",
            Self::Malformed => "SerializationException",
            Self::Unsaved => "InternalServiceError",
        }
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Self {
            ours: refused == Refused::Unsaved,
            kind: refused.name().to_owned(),
            query_code: None,
            message: refused.to_string(),
        }
    }
}
