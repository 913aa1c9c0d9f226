//! What came of an effect outside Stripe.

/// What came of an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was done; the receiver's own id of it.
    Done {
        /// The message's id, or the execution's.
        reference: String,
    },
    /// It was refused for good: nothing was done, and trying again changes nothing.
    Refused {
        /// The receiver's word for it. Never its sentence, which may quote an address.
        code: String,
    },
    /// Nothing was done, for certain.
    NotDone(NotDone),
    /// It may have been done or not.
    Unknown(Why),
}

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// The grant is for something else.
    #[error("the signed action is another operation")]
    OtherOperation,
    /// The action cannot be sent as it was signed.
    #[error("the action cannot be sent as it was signed")]
    BadParameter,
    /// Test mode does not write to this recipient.
    #[error("test mode writes to nobody but `MAIL_TEST_RECIPIENTS`")]
    TestMode,
    /// No connection.
    #[error("no connection")]
    Unreachable,
    /// Our credentials or our signature were turned away.
    #[error("not allowed; check the credentials and what they may do")]
    NotAllowed,
    /// Too many calls.
    #[error("the rate is limited")]
    RateLimited,
    /// It was asked and has never seen it.
    #[error("it never arrived")]
    NeverArrived,
}

/// Why it is not known whether something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke.
    #[error("the connection broke")]
    ConnectionLost,
    /// A status that does not tell.
    #[error("status {0}")]
    Status(u16),
    /// A success that cannot be read, or that speaks of something else.
    #[error("an answer that cannot be read")]
    Unreadable,
}

impl NotDone {
    /// Whether the same grant may be executed again once the cause is gone.
    pub const fn may_retry(self) -> bool {
        match self {
            Self::Unreachable | Self::NotAllowed | Self::RateLimited | Self::NeverArrived => true,
            Self::OtherOperation | Self::BadParameter | Self::TestMode => false,
        }
    }

    /// A word for the trail.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OtherOperation => "other_operation",
            Self::BadParameter => "bad_parameter",
            Self::TestMode => "test_mode",
            Self::Unreachable => "unreachable",
            Self::NotAllowed => "not_allowed",
            Self::RateLimited => "rate_limited",
            Self::NeverArrived => "never_arrived",
        }
    }
}
