//! What came of a write.

use domain::ObjectId;

/// What came of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Stripe did it.
    Done(Effect),
    /// Stripe refused it for good: nothing was done, and trying again changes nothing.
    Refused {
        /// The most exact word: a decline code, an error code or an error type. Never the message.
        code: String,
        /// The parameter that was wrong.
        param: Option<String>,
        /// Stripe's id of the request.
        request_id: Option<String>,
    },
    /// Nothing was done, for certain; [`NotDone::may_retry`] says whether it may be tried again.
    NotDone(NotDone),
    /// It may have been done or not. Look first, then try again with the same key or ask a human; the
    /// proposal stays as it is until then.
    Unknown {
        /// What is known.
        why: Why,
        /// Stripe's id of the request, if it answered.
        request_id: Option<String>,
    },
    /// Stripe has seen this idempotency key with another request. Something is broken or was
    /// tampered with: stop and look.
    IntegrityAlarm {
        /// Stripe's id of the request.
        request_id: Option<String>,
    },
}

/// What Stripe did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The object that was made or changed.
    pub object: ObjectId,
    /// Its state, as Stripe names it. A refund that `succeeded` can still fail later.
    pub status: Option<String>,
    /// Stripe's id of the request; the event that follows names it too.
    pub request_id: Option<String>,
    /// Whether this is the answer to an earlier attempt.
    pub replayed: bool,
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// A test key for a live action, or the reverse.
    #[error("the write key is of the other mode: check the stored secret")]
    WrongMode,
    /// Neither the key's own account nor a connected one that it may write to.
    #[error("the write key is not for the action's account: check the configured accounts")]
    WrongAccount,
    /// Metadata where the call takes none, or more, longer or other names than it takes.
    #[error("the action's metadata cannot be sent as it was signed")]
    Metadata,
    /// An amount that is not positive, or an id that cannot stand in a path.
    #[error("a parameter of the action is not usable")]
    BadParameter,
    /// The action is no write to Stripe: a message or an entitlement has its own way.
    #[error("the action is no call to stripe: hand it to the effect that it is for")]
    NotAStripeCall,
    /// No connection came up.
    #[error("stripe could not be reached: try again with the same key")]
    Unreachable,
    /// The key is wrong, or lacks a permission.
    #[error("stripe refused the write key (permission {}): check it", permission.as_deref().unwrap_or("unknown"))]
    KeyRefused {
        /// The permission that is missing, if Stripe named it.
        permission: Option<String>,
    },
    /// Too many requests.
    #[error("stripe limited the rate: try again with the same key")]
    RateLimited,
}

/// Why an outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// No answer in time.
    #[error("stripe did not answer in time")]
    TimedOut,
    /// The connection broke after the request was sent.
    #[error("the connection to stripe broke")]
    ConnectionLost,
    /// An attempt with the same key is still running.
    #[error("an earlier attempt is still running")]
    InFlight,
    /// Another request held the object for too long.
    #[error("stripe was changing the object for something else")]
    Locked,
    /// A status that does not tell.
    #[error("stripe answered with status {0}")]
    Server(u16),
    /// A success whose object could not be read.
    #[error("stripe's answer could not be read")]
    Unreadable,
}

impl Outcome {
    pub(super) const fn unknown(why: Why) -> Self {
        Self::Unknown { why, request_id: None }
    }
}

impl NotDone {
    /// Whether the same grant may be executed again, with the same key, once the cause is gone. For
    /// the others the action or the configuration has to change first.
    pub const fn may_retry(&self) -> bool {
        match self {
            Self::Unreachable | Self::KeyRefused { .. } | Self::RateLimited => true,
            Self::WrongMode
            | Self::WrongAccount
            | Self::Metadata
            | Self::BadParameter
            | Self::NotAStripeCall => false,
        }
    }

    /// A word for the trail.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::WrongMode => "wrong_mode",
            Self::WrongAccount => "wrong_account",
            Self::Metadata => "metadata",
            Self::BadParameter => "bad_parameter",
            Self::NotAStripeCall => "not_a_stripe_call",
            Self::Unreachable => "unreachable",
            Self::KeyRefused { .. } => "key_refused",
            Self::RateLimited => "rate_limited",
        }
    }
}
