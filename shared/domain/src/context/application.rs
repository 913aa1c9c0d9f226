//! What the business's own application knows of the customer: orders, delivery, usage, contract,
//! access. It answers one signed read (`connectors::application` documents the protocol).

use serde::{Deserialize, Serialize};

use crate::{ChargeId, InvoiceId, Money, Timestamp, open_enum::open_enum};

/// Everything that the application answered. A part that it leaves out is not known, which is not the
/// same as "none".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Application {
    /// What was ordered; `None` if the application does not keep orders.
    pub orders: Option<Vec<Order>>,
    /// How the product is used.
    pub usage: Option<Usage>,
    /// What was agreed.
    pub contract: Option<Contract>,
    /// What the customer may use at the moment.
    pub entitlements: Option<Vec<Entitlement>>,
}

open_enum! {
    /// How far a delivery is; `provided` means by access, without a parcel.
    Fulfilment {
        Pending = "pending",
        Shipped = "shipped",
        Delivered = "delivered",
        Provided = "provided",
        Returned = "returned",
        Cancelled = "cancelled",
    }
}

/// An order, and what shows that it was fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The application's own id.
    pub id: String,
    /// The charge that paid it.
    #[serde(default)]
    pub charge: Option<ChargeId>,
    /// The invoice that billed it.
    #[serde(default)]
    pub invoice: Option<InvoiceId>,
    /// What it cost.
    #[serde(default)]
    pub amount: Option<Money>,
    /// When it was placed.
    pub placed: Timestamp,
    /// What was sold, in a sentence for the bank.
    #[serde(default)]
    pub description: Option<String>,
    /// How far its delivery is.
    pub fulfilment: Fulfilment,
    /// When it arrived, or when access was given.
    #[serde(default)]
    pub fulfilled: Option<Timestamp>,
    /// Who carried it.
    #[serde(default)]
    pub carrier: Option<String>,
    /// Under which number.
    #[serde(default)]
    pub tracking_number: Option<String>,
    /// Lines of an access log that show that this customer used what was paid for.
    #[serde(default)]
    pub access_log: Option<String>,
}

/// How the product is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// When anybody of the customer last used it.
    #[serde(default)]
    pub last_active: Option<Timestamp>,
    /// On how many of the last 30 days it was used.
    #[serde(default)]
    pub active_days: Option<u32>,
}

/// What was agreed with the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// What it is worth in all.
    #[serde(default)]
    pub value: Option<Money>,
    /// When it renews.
    #[serde(default)]
    pub renews: Option<Timestamp>,
    /// When the customer accepted the terms.
    #[serde(default)]
    pub terms_accepted: Option<Timestamp>,
    /// What the terms say about refunds, as shown at the purchase.
    #[serde(default)]
    pub refund_policy: Option<String>,
    /// What they say about cancelling.
    #[serde(default)]
    pub cancellation_policy: Option<String>,
    /// When the customer cancelled, if they did.
    #[serde(default)]
    pub cancelled: Option<Timestamp>,
    /// When money is earned: `over_time` or `at_once`; what a refund touches in the books.
    #[serde(default)]
    pub revenue_recognition: Option<String>,
}

/// Something that the customer may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entitlement {
    /// Its name.
    pub name: String,
    /// Whether it works at the moment.
    pub active: bool,
    /// Since when.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

impl Application {
    /// The order that a charge or an invoice paid.
    pub fn order_of(&self, charge: Option<&ChargeId>, invoice: Option<&InvoiceId>) -> Option<&Order> {
        let same = |order: &&Order| {
            (charge.is_some() && order.charge.as_ref() == charge)
                || (invoice.is_some() && order.invoice.as_ref() == invoice)
        };
        self.orders.as_deref().unwrap_or_default().iter().find(same)
    }

    /// Whether anything works at the moment; `None` if the application does not say.
    pub fn has_access(&self) -> Option<bool> {
        self.entitlements.as_ref().map(|all| all.iter().any(|one| one.active))
    }
}
