//! What a refund touches besides the money: access, the books, the relationship.

use std::collections::BTreeSet;

use crate::{
    Timestamp,
    classify::Bucket,
    context::{Context, Subject},
    policy::{Bundle, Source, is_above},
    snapshot::{Metadata, Read},
};

/// The tags of a refund. What is not known counts as touched.
pub(super) fn touches(context: &Context, bundle: &Bundle, bucket: Bucket) -> BTreeSet<&'static str> {
    let mut touches = BTreeSet::new();
    let about_refund = matches!(
        bucket,
        Bucket::RefundAsked | Bucket::RefundMade | Bucket::RefundPending | Bucket::RefundFailed
    );
    if !about_refund {
        return touches;
    }
    let settings = bundle.settings();
    let uses = |source| settings.sources.contains(&source);
    if uses(Source::Application) {
        match context.application.known() {
            Some(application) => {
                if application.has_access() != Some(false) {
                    touches.insert("entitlements");
                }
                let contract = application.contract.as_ref();
                if contract.and_then(|contract| contract.revenue_recognition.as_deref()) != Some("at_once") {
                    touches.insert("revenue_recognition");
                }
            }
            None => touches.extend(["entitlements", "revenue_recognition"]),
        }
    }
    // Money that went into the books of one month and leaves in another corrects a closed period.
    if paid(context).is_none_or(|paid| month(paid) != month(context.at)) {
        touches.insert("revenue_recognition");
    }
    if uses(Source::Crm) {
        let valuable = context.account.known().is_none_or(|account| {
            let above = |value| is_above(&settings.thresholds.contract, value);
            let soon = i64::from(settings.thresholds.renewal_days) * 86_400;
            account.annual_value.is_some_and(above)
                || account.renews.is_some_and(|at| (0..=soon).contains(&at.since(context.at)))
        });
        if valuable {
            touches.insert("account_health");
        }
    }
    touches
}

/// Why money goes or went back, in the words of whoever asked for it.
pub(super) fn reason(context: &Context) -> Option<String> {
    let of = |metadata: &Metadata, reason: Option<&str>| {
        let words: Vec<&str> = reason.into_iter().chain(metadata.0.values().map(String::as_str)).collect();
        (!words.is_empty()).then(|| words.join("; "))
    };
    match &context.subject {
        Subject::Refund(Read::Found(refund)) => of(&refund.metadata, refund.reason.as_deref()),
        Subject::Charge(Read::Found(charge)) => of(&charge.metadata, charge.refund_request.as_deref()),
        _ => None,
    }
}

fn paid(context: &Context) -> Option<Timestamp> {
    match &context.subject {
        Subject::Charge(Read::Found(charge)) => Some(charge.created),
        _ => context.charge.known().map(|charge| charge.created),
    }
}

fn month(at: Timestamp) -> String {
    at.day().chars().take(7).collect()
}
