//! Why the service says no, and under which two names clients know it.

use crate::aws_json::Fault;

/// A refused request. The text goes to the client.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the specified queue does not exist")]
    NoQueue,
    #[error("a queue of this name already exists with a different value for attribute {0}")]
    QueueExists(String),
    #[error("only one PurgeQueue operation is allowed every 60 seconds")]
    PurgeInProgress,
    #[error("the request must contain the parameter {0}")]
    Missing(&'static str),
    #[error("value {value} for parameter {name} is invalid; reason: {reason}")]
    Invalid { name: &'static str, value: String, reason: String },
    #[error("unknown attribute {0}")]
    AttributeName(String),
    #[error("invalid value for the parameter {name}; reason: {reason}")]
    AttributeValue { name: String, reason: String },
    #[error("the message contains characters outside the allowed set")]
    Contents,
    #[error("the input receipt handle is invalid")]
    Receipt,
    #[error("the message is not in flight; its receipt handle has expired")]
    NotInFlight,
    #[error("there should be at least one entry in the batch request")]
    EmptyBatch,
    #[error("a batch holds at most 10 entries, and this one has {0}")]
    LongBatch(usize),
    #[error("batch entry id {0} is repeated")]
    RepeatedId(String),
    #[error("a batch entry id has at most 80 letters, digits, hyphens and underscores")]
    EntryId,
    #[error("the messages of a batch are together longer than {0} bytes")]
    BatchTooLong(usize),
    #[error("the resource that you specified for the {0} parameter doesn't exist")]
    NoResource(&'static str),
    #[error("{0}")]
    Unsupported(&'static str),
    #[error("unknown operation {0}")]
    UnknownOperation(String),
    #[error("the request body is not what the operation expects: {0}")]
    Malformed(String),
    #[error("the state could not be saved; see the sandbox's log")]
    Unsaved,
}

impl Refused {
    /// The code of the older query protocol, which is what the SDKs show and match on, and the name
    /// of the shape in the JSON protocol's model.
    /// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html>.
    pub(super) fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::NoQueue => ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"),
            Self::QueueExists(_) => ("QueueAlreadyExists", "QueueNameExists"),
            Self::PurgeInProgress => ("AWS.SimpleQueueService.PurgeQueueInProgress", "PurgeQueueInProgress"),
            Self::Missing(_) => ("MissingParameter", "MissingParameter"),
            Self::Invalid { .. } => ("InvalidParameterValue", "InvalidParameterValue"),
            Self::AttributeName(_) => ("InvalidAttributeName", "InvalidAttributeName"),
            Self::AttributeValue { .. } => ("InvalidAttributeValue", "InvalidAttributeValue"),
            Self::Contents => ("InvalidMessageContents", "InvalidMessageContents"),
            Self::Receipt => ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
            Self::NotInFlight => ("AWS.SimpleQueueService.MessageNotInflight", "MessageNotInflight"),
            Self::EmptyBatch => ("AWS.SimpleQueueService.EmptyBatchRequest", "EmptyBatchRequest"),
            Self::LongBatch(_) => {
                ("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequest")
            }
            Self::RepeatedId(_) => {
                ("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinct")
            }
            Self::EntryId => ("AWS.SimpleQueueService.InvalidBatchEntryId", "InvalidBatchEntryId"),
            Self::BatchTooLong(_) => ("AWS.SimpleQueueService.BatchRequestTooLong", "BatchRequestTooLong"),
            Self::NoResource(_) => ("ResourceNotFoundException", "ResourceNotFoundException"),
            Self::Unsupported(_) => ("AWS.SimpleQueueService.UnsupportedOperation", "UnsupportedOperation"),
            Self::UnknownOperation(_) => ("InvalidAction", "UnknownOperationException"),
            Self::Malformed(_) => ("MalformedInput", "SerializationException"),
            Self::Unsaved => ("InternalFailure", "InternalFailure"),
        }
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        let (query_code, shape) = refused.names();
        Self {
            ours: refused == Refused::Unsaved,
            kind: format!("com.amazonaws.sqs#{shape}"),
            query_code: Some(query_code),
            message: refused.to_string(),
        }
    }
}
