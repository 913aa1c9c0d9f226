//! Payment methods, and the payments that they make.

use serde::{Deserialize, Serialize};

use crate::{CustomerId, InvoiceId, ObjectId, PaymentIntentId, PaymentMethodId, Timestamp};

/// A payment method. Of a card, only until when it is valid: neither its number nor the name on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentMethod {
    /// Its id.
    pub id: PaymentMethodId,
    /// Whose it is.
    pub customer: Option<CustomerId>,
    /// `card`, `sepa_debit`, …
    pub kind: String,
    /// The year and the month (1 to 12) in which a card ends.
    pub card_expiry: Option<(u16, u8)>,
    /// When it was created.
    pub created: Timestamp,
}

/// Which invoice a payment intent pays. The intent itself does not say so since API version
/// `2025-03-31.basil`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentOnInvoice {
    /// Its id (`inpay_…`).
    pub id: ObjectId,
    /// The invoice.
    pub invoice: InvoiceId,
    /// What pays, if it is a payment intent.
    pub payment_intent: Option<PaymentIntentId>,
    /// `open`, `paid` or `canceled`.
    pub status: String,
    /// When it was created.
    pub created: Timestamp,
}
