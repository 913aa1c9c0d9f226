//! Charges.

use serde::{Deserialize, Serialize};

use super::Metadata;
use crate::{
    ChargeId, CustomerId, Digest, Money, PaymentIntentId, RefundId, Timestamp, approval::RefundReason,
    encoding, open_enum::open_enum,
};

open_enum! {
    /// <https://docs.stripe.com/api/charges/object#charge_object-status>
    ChargeStatus { Failed = "failed", Pending = "pending", Succeeded = "succeeded" }

    /// <https://docs.stripe.com/api/charges/object#charge_object-outcome-type>
    OutcomeKind {
        Authorized = "authorized",
        Blocked = "blocked",
        Invalid = "invalid",
        IssuerDeclined = "issuer_declined",
        ManualReview = "manual_review",
    }
}

/// A charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Its id.
    pub id: ChargeId,
    /// Where it stands.
    pub status: ChargeStatus,
    /// What was charged.
    pub amount: Money,
    /// What went back already.
    pub amount_refunded: Money,
    /// Whether it was ever disputed.
    pub disputed: bool,
    /// Whether the funds were taken.
    pub captured: bool,
    /// Who paid.
    pub customer: Option<CustomerId>,
    /// Its payment intent.
    pub payment_intent: Option<PaymentIntentId>,
    /// The newest refund, if the read listed them.
    pub latest_refund: Option<RefundId>,
    /// What the network and Stripe made of it.
    pub outcome: Option<Outcome>,
    /// The metadata key `refund_request`: how support asks for a refund in the Dashboard.
    pub refund_request: Option<String>,
    /// The card's issuer, or what tells it from others: brand, country and kind of card.
    #[serde(default)]
    pub issuer: Option<String>,
    /// The metadata that the policy lets be read.
    #[serde(default)]
    pub metadata: Metadata,
    /// Whether it happened in live mode.
    pub livemode: bool,
    /// When it was created.
    pub created: Timestamp,
}

impl Charge {
    /// What can still be refunded; nothing if what went back is in another currency, which nobody could
    /// subtract.
    pub fn refundable(&self) -> Money {
        let left = self.amount.minus(self.amount_refunded).map_or(0, |left| left.amount.max(0));
        Money::new(left, self.amount.currency)
    }

    /// What will have gone back in all after another refund of `amount`: what thresholds and caps are
    /// held against.
    pub fn refunded_with(&self, amount: Money) -> Money {
        Money::new(self.amount_refunded.amount.saturating_add(amount.amount), amount.currency)
    }

    /// The digest of everything about the charge that a refund rests on. A proposal is bound to it:
    /// if any of this moved, the proposal is void.
    pub fn digest(&self) -> Digest {
        encoding::digest("approval/snapshot/charge/v1", |to| {
            to.text(self.id.as_str());
            to.text(self.status.as_str());
            to.number(self.amount.amount);
            to.number(self.amount_refunded.amount);
            to.text(self.amount.currency.code());
            to.text(self.customer.as_ref().map_or("", CustomerId::as_str));
            to.text(self.payment_intent.as_ref().map_or("", PaymentIntentId::as_str));
            to.text(if self.disputed { "disputed" } else { "" });
            to.text(if self.captured { "captured" } else { "" });
            to.text(self.latest_refund.as_ref().map_or("", RefundId::as_str));
            to.text(if self.livemode { "live" } else { "test" });
        })
    }
}

/// The outcome of a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Who decided.
    pub kind: OutcomeKind,
    /// `highest_risk_level`, `rule`, `low_probability_of_authorization`, …
    pub reason: Option<String>,
    /// `normal`, `elevated`, `highest`, …
    pub risk_level: Option<String>,
    /// `approved_by_network`, `declined_by_network`, `not_sent_to_network`, …
    pub network_status: Option<String>,
    /// As on [`crate::snapshot::PaymentError`].
    pub advice_code: Option<String>,
}

/// Why a refund that is asked for in a charge's metadata cannot be taken as it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnclearRequest {
    /// Not one of the forms.
    #[error(
        "`refund_request` must be `requested_by_customer` or `duplicate`, with `:AMOUNT` in minor units for a part"
    )]
    Form,
    /// Nothing, or more than there is.
    #[error("the amount must be between 1 and {0} minor units")]
    Amount(i64),
    /// Nothing was taken that could go back.
    #[error("the charge has not succeeded")]
    NotPaid,
}

impl Charge {
    /// What the metadata key `refund_request` asks for: `requested_by_customer` or `duplicate`, and
    /// after a colon the amount in minor units if it is not all that is left. A second colon
    /// and a number ask for the same thing once more. `fraudulent` is not
    /// taken from here, since Stripe also block-lists the customer for it.
    ///
    /// # Errors
    /// [`UnclearRequest`] if a human has to look.
    pub fn asked_refund(&self) -> Result<Option<(RefundReason, Money)>, UnclearRequest> {
        let Some(asked) = self.refund_request.as_deref() else { return Ok(None) };
        let mut parts = asked.split(':').map(str::trim);
        let (reason, amount, again) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        if parts.next().is_some() || again.is_some_and(|number| number.parse::<u32>().is_err()) {
            return Err(UnclearRequest::Form);
        }
        let reason = match RefundReason::parse(reason) {
            Some(reason @ (RefundReason::RequestedByCustomer | RefundReason::Duplicate)) => reason,
            Some(RefundReason::Fraudulent) | None => return Err(UnclearRequest::Form),
        };
        if self.status != ChargeStatus::Succeeded || !self.captured {
            return Err(UnclearRequest::NotPaid);
        }
        let left = self.refundable();
        let amount = match amount {
            // `duplicate::2` asks for all that is left, once more.
            None | Some("") => left.amount,
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().map_err(|_| UnclearRequest::Amount(left.amount))?
            }
            Some(_) => return Err(UnclearRequest::Form),
        };
        // A charge that went back whole asks for nothing any more.
        if left.amount == 0 && self.amount_refunded.amount > 0 {
            return Ok(None);
        }
        if (1..=left.amount).contains(&amount) {
            Ok(Some((reason, Money::new(amount, left.currency))))
        } else {
            Err(UnclearRequest::Amount(left.amount))
        }
    }
}
