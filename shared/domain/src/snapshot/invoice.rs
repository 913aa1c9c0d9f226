//! Invoices and the payments made on them.

use serde::{Deserialize, Serialize};

use crate::{
    ChargeId, CustomerId, Digest, InvoiceId, Money, PaymentIntentId, PaymentMethodId, SubscriptionId,
    Timestamp, encoding, open_enum::open_enum,
};

open_enum! {
    /// <https://docs.stripe.com/api/invoices/object#invoice_object-status>
    InvoiceStatus { Draft = "draft", Open = "open", Paid = "paid", Uncollectible = "uncollectible", Void = "void" }

    /// <https://docs.stripe.com/api/invoices/object#invoice_object-collection_method>
    CollectionMethod { ChargeAutomatically = "charge_automatically", SendInvoice = "send_invoice" }

    /// <https://docs.stripe.com/api/payment_intents/object#payment_intent_object-status>
    PaymentIntentStatus {
        Canceled = "canceled",
        Processing = "processing",
        RequiresAction = "requires_action",
        RequiresCapture = "requires_capture",
        RequiresConfirmation = "requires_confirmation",
        RequiresPaymentMethod = "requires_payment_method",
        Succeeded = "succeeded",
    }
}

/// An invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// Its id.
    pub id: InvoiceId,
    /// Who is to pay.
    pub customer: Option<CustomerId>,
    /// The subscription that it bills.
    pub subscription: Option<SubscriptionId>,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// What was asked for.
    pub amount_due: Money,
    /// What is still open.
    pub amount_remaining: Money,
    /// Scheduled attempts so far; paying by hand does not add to it.
    pub attempt_count: u32,
    /// When Stripe tries again; `None` if it will not, or if the customer is sent the invoice.
    pub next_payment_attempt: Option<Timestamp>,
    /// How it is collected.
    pub collection_method: Option<CollectionMethod>,
    /// Why it exists: `subscription_cycle`, `manual`, …
    pub billing_reason: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// Whether the invoice, the subscription or the customer names a payment method; `None` if the
    /// read did not tell.
    pub has_payment_method: Option<bool>,
    /// The payments on it, newest first as Stripe lists them.
    pub payments: Vec<InvoicePayment>,
}

impl Invoice {
    /// The digest of everything about the invoice that paying, voiding, crediting or writing it off
    /// rests on. A proposal is bound to it.
    pub fn digest(&self) -> Digest {
        encoding::digest("approval/snapshot/invoice/v1", |to| {
            to.text(self.id.as_str());
            to.text(self.status.as_str());
            to.number(self.amount_due.amount);
            to.number(self.amount_remaining.amount);
            to.text(self.amount_due.currency.code());
            to.text(self.customer.as_ref().map_or("", CustomerId::as_str));
            to.text(self.subscription.as_ref().map_or("", SubscriptionId::as_str));
            // A payment that is made meanwhile moves this before it moves the amount.
            to.number(
                i64::try_from(self.payments.iter().filter(|p| p.status == "paid").count()).unwrap_or(-1),
            );
        })
    }

    /// The payment that failed or waits: the first open one with a payment intent.
    pub fn open_payment(&self) -> Option<&PaymentIntent> {
        self.payments
            .iter()
            .filter(|payment| payment.status == "open")
            .find_map(|payment| payment.intent.as_ref())
    }
}

/// A payment on an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoicePayment {
    /// `open`, `paid` or `canceled`.
    pub status: String,
    /// Its payment intent, if that is what pays.
    pub intent: Option<PaymentIntent>,
}

/// A payment intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentIntent {
    /// Its id.
    pub id: PaymentIntentId,
    /// Where it stands.
    pub status: PaymentIntentStatus,
    /// Why the last try failed.
    pub last_error: Option<PaymentError>,
    /// The charge of the last try, whose outcome tells whether Stripe itself blocked it.
    pub latest_charge: Option<ChargeId>,
}

/// Why a payment failed, in Stripe's words
/// (<https://docs.stripe.com/api/payment_intents/object#payment_intent_object-last_payment_error>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentError {
    /// `card_declined`, `authentication_required`, …
    pub code: Option<String>,
    /// The issuer's reason: `insufficient_funds`, …
    pub decline_code: Option<String>,
    /// `do_not_try_again`, `try_again_later`, `confirm_card_data`.
    pub advice_code: Option<String>,
    /// The payment method that was tried.
    pub payment_method: Option<PaymentMethodId>,
}
