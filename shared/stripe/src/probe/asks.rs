//! The questions.

use super::{Access, Role};

/// One question: a request that tells about a permission and does nothing.
///
/// Two things keep it from doing anything, each enough by itself:
/// - it names an object that cannot exist. Behind its prefix an id of Stripe's is letters and digits;
///   ours goes on with words and underscores;
/// - a write is one that would change nothing even if the object were there: an update without
///   parameters, or a creation that lacks what it needs, or asks for zero.
pub(super) struct Ask {
    /// As Stripe's documentation names it.
    pub(super) resource: &'static str,
    /// Segments below `/v1`.
    pub(super) path: &'static [&'static str],
    kind: Kind,
}

enum Kind {
    /// A `GET`.
    Read,
    /// A `POST` with these parameters, which would do nothing.
    Write { parameters: &'static [(&'static str, &'static str)], of: Whose },
}

/// Who may have a permission to write.
enum Whose {
    /// The key for writing needs it.
    Gated,
    /// The key for writing may have it: Stripe lets it cover something gated.
    Beside,
    /// Neither key may have it.
    Nobodys,
}

const fn read(resource: &'static str, path: &'static [&'static str]) -> Ask {
    Ask { resource, path, kind: Kind::Read }
}

const fn gated(
    resource: &'static str,
    path: &'static [&'static str],
    parameters: &'static [(&'static str, &'static str)],
) -> Ask {
    Ask { resource, path, kind: Kind::Write { parameters, of: Whose::Gated } }
}

/// An update without parameters.
const fn update(resource: &'static str, path: &'static [&'static str], of: Whose) -> Ask {
    Ask { resource, path, kind: Kind::Write { parameters: &[], of } }
}

/// What [`Client`](crate::Client) reads. The only one that finds something is the account itself, whose
/// answer is dropped.
pub(super) const READS: &[Ask] = &[
    read("account", &["account"]),
    read("balance_transactions", &["balance_transactions", "txn_countersign_asks_only"]),
    read("charges", &["charges", "ch_countersign_asks_only"]),
    read("credit_notes", &["credit_notes", "cn_countersign_asks_only"]),
    read("customers", &["customers", "cus_countersign_asks_only"]),
    read(
        "customer_balance_transactions",
        &["customers", "cus_countersign_asks_only", "balance_transactions"],
    ),
    read("disputes", &["disputes", "du_countersign_asks_only"]),
    read("early_fraud_warnings", &["radar", "early_fraud_warnings", "issfr_countersign_asks_only"]),
    read("events", &["events", "evt_countersign_asks_only"]),
    read("invoices", &["invoices", "in_countersign_asks_only"]),
    read("invoice_payments", &["invoice_payments", "inpay_countersign_asks_only"]),
    read("payment_intents", &["payment_intents", "pi_countersign_asks_only"]),
    read("payment_methods", &["payment_methods", "pm_countersign_asks_only"]),
    read("refunds", &["refunds", "re_countersign_asks_only"]),
    read("subscriptions", &["subscriptions", "sub_countersign_asks_only"]),
];

/// What can be written. Of each resource the mildest request is asked: a permission covers all of them,
/// so that nobody has to try a cancellation to learn whether the key could cancel.
pub(super) const WRITES: &[Ask] = &[
    // `domain::approval::Operation`, by resource. No charge of this id, and nothing of it: a refund is
    // of one unit at least.
    gated("refunds", &["refunds"], &[("charge", "ch_countersign_asks_only"), ("amount", "0")]),
    // No invoice of this id, and neither amount nor lines to credit.
    gated("credit_notes", &["credit_notes"], &[("invoice", "in_countersign_asks_only")]),
    // No customer of this id, and without the amount and the currency that are required.
    gated(
        "customer_balance_transactions",
        &["customers", "cus_countersign_asks_only", "balance_transactions"],
        &[],
    ),
    // No dispute of this id; it says `submit=false`, since the default is to submit what is staged.
    gated("disputes", &["disputes", "du_countersign_asks_only"], &[("submit", "false")]),
    // No such object, and an update without anything to update.
    update("subscriptions", &["subscriptions", "sub_countersign_asks_only"], Whose::Gated),
    update("invoices", &["invoices", "in_countersign_asks_only"], Whose::Gated),
    // The permissions that cover refunds and balances.
    update("charges", &["charges", "ch_countersign_asks_only"], Whose::Beside),
    update("customers", &["customers", "cus_countersign_asks_only"], Whose::Beside),
    // What nobody can sign: taking payments, sending money out, and turning events elsewhere.
    update("payment_intents", &["payment_intents", "pi_countersign_asks_only"], Whose::Nobodys),
    update("payment_methods", &["payment_methods", "pm_countersign_asks_only"], Whose::Nobodys),
    update("payouts", &["payouts", "po_countersign_asks_only"], Whose::Nobodys),
    update("transfers", &["transfers", "tr_countersign_asks_only"], Whose::Nobodys),
    update("webhook_endpoints", &["webhook_endpoints", "we_countersign_asks_only"], Whose::Nobodys),
];

impl Ask {
    pub(super) const fn access(&self) -> Access {
        match self.kind {
            Kind::Read => Access::Read,
            Kind::Write { .. } => Access::Write,
        }
    }

    /// Whether the question is put to a key of this role. What the key for writing reads is nobody's
    /// concern: most permissions to write include it.
    pub(super) const fn concerns(&self, role: Role) -> bool {
        match (role, &self.kind) {
            (Role::Read, _) | (Role::Write, Kind::Write { of: Whose::Gated | Whose::Nobodys, .. }) => true,
            (Role::Write, Kind::Read | Kind::Write { of: Whose::Beside, .. }) => false,
        }
    }

    /// Whether a key of this role has to have the permission.
    pub(super) const fn is_needed(&self, role: Role) -> bool {
        matches!(
            (role, &self.kind),
            (Role::Read, Kind::Read) | (Role::Write, Kind::Write { of: Whose::Gated, .. })
        )
    }

    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        let Kind::Write { parameters, .. } = &self.kind else { return Vec::new() };
        parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_but_the_one_about_the_account_names_an_object_that_cannot_exist() {
        for ask in READS.iter().chain(WRITES).skip(1) {
            let parameters = ask.parameters();
            let mut named =
                ask.path.iter().copied().chain(parameters.iter().map(|(_, value)| value.as_str()));
            assert!(named.any(|text| text.ends_with("_countersign_asks_only")), "{}", ask.resource);
        }
        assert_eq!((READS[0].path, READS[0].access()), (&["account"][..], Access::Read));
    }

    #[test]
    fn no_question_is_about_an_action_on_an_object() {
        // `…/{id}/close`, `/pay`, `/void`, `/cancel`: after an id only a list or a creation may follow.
        for ask in WRITES {
            let after: Vec<&str> =
                ask.path.iter().skip_while(|part| !part.ends_with("_asks_only")).skip(1).copied().collect();
            assert!(after.is_empty() || after == ["balance_transactions"], "{}", ask.resource);
        }
    }

    #[test]
    fn a_question_is_needed_by_one_role_at_most() {
        for ask in READS.iter().chain(WRITES) {
            assert!(!(ask.is_needed(Role::Read) && ask.is_needed(Role::Write)), "{}", ask.resource);
            assert!(ask.concerns(Role::Read), "the key for reading is asked everything");
        }
    }
}
