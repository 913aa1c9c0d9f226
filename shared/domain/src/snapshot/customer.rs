//! Customers and subscriptions.

use serde::{Deserialize, Serialize};

use crate::{CustomerId, Digest, InvoiceId, SubscriptionId, Timestamp, encoding, open_enum::open_enum};

open_enum! {
    /// <https://docs.stripe.com/api/subscriptions/object#subscription_object-status>
    SubscriptionStatus {
        Active = "active",
        Canceled = "canceled",
        Incomplete = "incomplete",
        IncompleteExpired = "incomplete_expired",
        PastDue = "past_due",
        Paused = "paused",
        Trialing = "trialing",
        Unpaid = "unpaid",
    }
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Its id.
    pub id: CustomerId,
    /// Whether it was deleted: then nothing else of it is known.
    pub deleted: bool,
    /// Whether its latest invoice is overdue.
    pub delinquent: Option<bool>,
    /// For the page that a reviewer sees and for an approved message. Personal: never logged, never
    /// on a queue.
    pub name: Option<String>,
    /// As above.
    pub email: Option<String>,
    /// The language that they prefer: `de-AT`.
    #[serde(default)]
    pub locale: Option<String>,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Whom it bills.
    pub customer: Option<CustomerId>,
    /// Where it stands.
    pub status: SubscriptionStatus,
    /// Whether it ends with the current period.
    pub cancel_at_period_end: bool,
    /// When it ends, if that is set.
    pub cancel_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What happens to invoices while collection is paused; `None` if it is not paused.
    pub pause_collection: Option<String>,
    /// The end of the current period: the earliest of its items.
    pub current_period_end: Option<Timestamp>,
    /// Its newest invoice.
    pub latest_invoice: Option<InvoiceId>,
}

impl Customer {
    /// The digest of what crediting the customer's balance rests on: that they exist. A proposal is
    /// bound to it.
    pub fn digest(&self) -> Digest {
        encoding::digest("approval/snapshot/customer/v1", |to| {
            to.text(self.id.as_str());
            to.text(if self.deleted { "deleted" } else { "" });
        })
    }
}

impl Subscription {
    /// The digest of everything about the subscription that cancelling it, or pausing and resuming
    /// its collection, rests on. A proposal is bound to it.
    pub fn digest(&self) -> Digest {
        let time = |at: Option<Timestamp>| at.map_or(String::new(), |at| at.seconds().to_string());
        encoding::digest("approval/snapshot/subscription/v1", |to| {
            to.text(self.id.as_str());
            to.text(self.status.as_str());
            to.text(self.customer.as_ref().map_or("", CustomerId::as_str));
            to.text(if self.cancel_at_period_end { "ending" } else { "" });
            to.text(&time(self.cancel_at));
            to.text(&time(self.ended_at));
            to.text(self.pause_collection.as_deref().unwrap_or_default());
            to.text(&time(self.current_period_end));
        })
    }

    /// Whether the customer is about to leave.
    pub fn is_ending(&self) -> bool {
        self.cancel_at_period_end || self.cancel_at.is_some() || self.ended_at.is_some()
    }
}
