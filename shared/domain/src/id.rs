//! One type for each kind of identifier, so that one cannot stand in for another.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::encoding;

/// A text that is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be 1 to 255 of `A-Z a-z 0-9 _ - .` and not begin with a dot, got {length} bytes")]
pub struct NotAnId {
    kind: &'static str,
    length: usize,
}

/// Stripe documents ids as opaque strings of up to 255 characters whose prefixes may change
/// (<https://docs.stripe.com/upgrades#what-changes-does-stripe-consider-to-be-backwards-compatible>),
/// so only the characters are checked. They are safe in a path, a key, a log line and a page.
fn checked(kind: &'static str, text: &str) -> Result<(), NotAnId> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    // `.` and `..` would mean another place in a path.
    if (1..=255).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(plain) {
        Ok(())
    } else {
        Err(NotAnId { kind, length: text.len() })
    }
}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the characters and the length.
            ///
            /// # Errors
            /// [`NotAnId`] says which kind of id was asked for.
            pub fn parse(text: impl Into<String>) -> Result<Self, NotAnId> {
                let text = text.into();
                checked(stringify!($name), &text).map(|()| Self(text))
            }

            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                Self::parse(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Self::parse(text)
            }
        }
    )+};
}

id! {
    /// A Stripe account (`acct_…`).
    AccountId,
    /// A Stripe event (`evt_…`).
    EventId,
    /// Any Stripe object, where its kind is told by something else.
    ObjectId,
    /// A Stripe customer (`cus_…`).
    CustomerId,
    /// A Stripe invoice (`in_…`).
    InvoiceId,
    /// A Stripe subscription (`sub_…`).
    SubscriptionId,
    /// A Stripe payment intent (`pi_…`).
    PaymentIntentId,
    /// A Stripe payment method (`pm_…`).
    PaymentMethodId,
    /// A Stripe charge (`ch_…`, `py_…`).
    ChargeId,
    /// A Stripe refund (`re_…`, `pyr_…`).
    RefundId,
    /// A Stripe dispute (`du_…`, `dp_…`).
    DisputeId,
    /// A proposal (`ap_` and 128 bits in base32).
    ProposalId,
    /// A person of the registry, whichever provider signed them in.
    PersonId,
    /// A mandate (`md_` and what follows `ap_` in the proposal that granted it).
    MandateId,
    /// A rule of the policy.
    RuleId,
    /// A requested action (`rq_…`).
    RequestId,
    /// One run of a function: who holds a claim.
    RunId,
}

macro_rules! is_object {
    ($($name:ident),+) => {$(
        impl From<$name> for ObjectId {
            fn from(id: $name) -> Self {
                Self(id.0)
            }
        }

        impl From<&$name> for ObjectId {
            fn from(id: &$name) -> Self {
                Self(id.0.clone())
            }
        }

        impl From<ObjectId> for $name {
            /// Which kind of object an id names is told by the event or the operation, not by the id.
            fn from(id: ObjectId) -> Self {
                Self(id.0)
            }
        }
    )+};
}

is_object!(
    ChargeId,
    CustomerId,
    DisputeId,
    InvoiceId,
    PaymentIntentId,
    PaymentMethodId,
    RefundId,
    RuleId,
    SubscriptionId
);

impl ProposalId {
    /// The proposal that answers a request: the same request always gets the same id, so that a
    /// redelivered message cannot open a second proposal (I2). `generation` counts reissues.
    pub fn of(request: &RequestId, generation: u32) -> Self {
        let digest = encoding::digest("approval/proposal-id/v1", |to| {
            to.text(request.as_str());
            to.number(generation);
        });
        let bits: [u8; 16] = std::array::from_fn(|index| digest.bytes().get(index).copied().unwrap_or(0));
        Self(format!("ap_{}", encoding::base32(&bits)))
    }
}

impl MandateId {
    /// The mandate that a proposal grants.
    pub fn of(proposal: &ProposalId) -> Self {
        let text = proposal.as_str();
        Self(format!("md_{}", text.strip_prefix("ap_").unwrap_or(text)))
    }

    /// The proposal that granted it.
    pub fn proposal(&self) -> ProposalId {
        ProposalId(format!("ap_{}", self.0.strip_prefix("md_").unwrap_or(&self.0)))
    }
}

impl RunId {
    /// The id of a run from 128 random bits.
    pub fn from_random(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_plain_text_of_at_most_255_characters() {
        assert!(InvoiceId::parse("in_1TEST").is_ok());
        for bad in ["", ".", "..", "in 1", "in#1", "in/1", "ïn_1", "in\n", &"x".repeat(256)] {
            assert!(InvoiceId::parse(bad).is_err(), "`{bad}`");
        }
    }

    #[test]
    fn the_same_request_always_gets_the_same_proposal_id() {
        let request = RequestId::parse("rq_1").unwrap();
        let first = ProposalId::of(&request, 0);
        assert_eq!(first, ProposalId::of(&request, 0));
        assert_ne!(first, ProposalId::of(&request, 1));
        assert_eq!(first.as_str().len(), 29, "ap_ and 26 characters of base32");
    }
}
