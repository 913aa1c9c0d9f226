//! What the help desk knows: what the customer is talking about at the moment.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, open_enum::open_enum};

open_enum! {
    /// How urgent a conversation is. Vendors' words are mapped by their clients.
    Urgency { Low = "low", Normal = "normal", High = "high", Urgent = "urgent" }
}

impl Urgency {
    /// Whether it comes before a message about money. An unknown word counts as urgent (I7).
    pub fn is_priority(&self) -> bool {
        !matches!(self, Self::Low | Self::Normal)
    }
}

/// A conversation with the customer. Its words stay in the help desk: what the customer wrote is
/// untrusted and personal, and no decision reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// The help desk's own id.
    pub id: String,
    /// How urgent it is.
    pub urgency: Urgency,
    /// Whether somebody still has to answer.
    pub open: bool,
    /// Whether the customer asks for money back, by the help desk's own tags or fields.
    pub asks_refund: bool,
    /// Whether the customer wants to leave, likewise.
    pub asks_cancellation: bool,
    /// Who works on it: the help desk's own id of a colleague.
    pub assignee: Option<String>,
    /// When it began.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// The conversations of a customer: those that are open, and those of the last 90 days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversations {
    /// Newest first.
    pub items: Vec<Conversation>,
}

impl Conversations {
    /// The open conversation that comes before a message about money, if there is one.
    pub fn priority(&self) -> Option<&Conversation> {
        self.items.iter().find(|one| one.open && one.urgency.is_priority())
    }

    /// The newest open conversation: where a reply belongs.
    pub fn open(&self) -> Option<&Conversation> {
        self.items.iter().find(|one| one.open)
    }

    /// How many asked for money back since `since`.
    pub fn refund_requests(&self, since: Timestamp) -> usize {
        self.items.iter().filter(|one| one.asks_refund && one.created >= since).count()
    }
}
