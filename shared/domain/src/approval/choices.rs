//! The closed lists of words that parameters of an operation are chosen from.

/// Declares a closed list of texts that Stripe takes.
macro_rules! closed_enum {
    ($($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $text:literal),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$of])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As Stripe writes it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Reads what Stripe, or a form, writes.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.as_str().replace('_', " "))
            }
        }
    )+};
}

pub(super) use closed_enum;

closed_enum! {
    /// The reasons that Stripe takes for a refund. `fraudulent` also block-lists the customer's card
    /// and e-mail address, so it is never chosen silently.
    RefundReason {
        /// The same thing was charged twice.
        Duplicate = "duplicate",
        /// The payment was fraudulent.
        Fraudulent = "fraudulent",
        /// The customer asked.
        RequestedByCustomer = "requested_by_customer",
    }

    /// The reasons that Stripe takes for a credit note.
    CreditNoteReason {
        /// The same thing was billed twice.
        Duplicate = "duplicate",
        /// The order was fraudulent.
        Fraudulent = "fraudulent",
        /// The order changed.
        OrderChange = "order_change",
        /// The customer was not satisfied.
        ProductUnsatisfactory = "product_unsatisfactory",
    }

    /// What becomes of invoices while collection is paused.
    PauseBehavior {
        /// They wait as drafts.
        KeepAsDraft = "keep_as_draft",
        /// They are written off.
        MarkUncollectible = "mark_uncollectible",
        /// They are voided.
        Void = "void",
    }

    /// What becomes of a customer's access to what they pay for.
    AccessChange {
        /// It is taken away for the time being.
        Pause = "pause",
        /// It is given back.
        Restore = "restore",
    }

    /// What Stripe lets a customer give as a reason for leaving.
    CancelFeedback {
        /// How they were served.
        CustomerService = "customer_service",
        /// The quality.
        LowQuality = "low_quality",
        /// Something is missing.
        MissingFeatures = "missing_features",
        /// Something else.
        Other = "other",
        /// They use another service.
        SwitchedService = "switched_service",
        /// It is too complex.
        TooComplex = "too_complex",
        /// The price.
        TooExpensive = "too_expensive",
        /// They do not use it.
        Unused = "unused",
    }
}
