//! A failed payment of a customer who is about to leave is another matter than a failed payment.

use crate::{
    classify::{Bucket, Classification},
    context::{Context, Subject},
    policy::{Bundle, Source},
    snapshot::Read,
};

/// Raises a failed payment to [`Bucket::HighChurnRisk`] if enough signs stand for it. The cause of the
/// failure stays among the reasons.
pub(super) fn raise(context: &Context, bundle: &Bundle, found: Classification) -> Classification {
    let failed = matches!(
        found.bucket,
        Bucket::TemporaryFailure
            | Bucket::MissingPaymentMethod
            | Bucket::InvalidPaymentMethod
            | Bucket::AuthenticationNeeded
            | Bucket::HardDecline
            | Bucket::IssuerDecline
            | Bucket::RetriesExhausted
    );
    if !failed || !matches!(context.subject, Subject::Invoice(Read::Found(_))) {
        return found;
    }
    let signs = signs(context, bundle);
    if signs.len() < usize::from(bundle.settings().churn.least_signs.max(1)) {
        return found;
    }
    let mut reasons = signs;
    reasons.push(format!("the payment itself: {}", found.bucket));
    reasons.extend(found.reasons);
    Classification { bucket: Bucket::HighChurnRisk, reasons }
}

fn signs(context: &Context, bundle: &Bundle) -> Vec<String> {
    let settings = bundle.settings();
    let uses = |source| settings.sources.contains(&source);
    let days = |count: u16| i64::from(count) * 86_400;
    let mut signs = Vec::new();
    let talks = context.conversations.known().filter(|_| uses(Source::HelpDesk));
    if let Some(talks) = talks {
        let since = context.at.plus(-days(settings.churn.request_days));
        let refunds = talks.refund_requests(since);
        if refunds > 0 {
            signs.push(format!("{refunds} requests for a refund in {} days", settings.churn.request_days));
        }
        if talks.items.iter().any(|one| one.asks_cancellation && one.created >= since) {
            signs.push("the customer asked about cancelling".into());
        }
    }
    let application = context.application.known().filter(|_| uses(Source::Application));
    if let Some(usage) = application.and_then(|application| application.usage.as_ref()) {
        let idle =
            usage.last_active.is_some_and(|last| context.at.since(last) > days(settings.churn.inactive_days));
        if idle || usage.active_days == Some(0) {
            signs.push(format!("not used for {} days", settings.churn.inactive_days));
        }
    }
    let account = context.account.known().filter(|_| uses(Source::Crm));
    if let Some(account) = account {
        let soon = days(settings.thresholds.renewal_days);
        if account.renews.is_some_and(|renews| (0..=soon).contains(&renews.since(context.at))) {
            signs.push("the contract renews soon".into());
        }
        let word = account.lifecycle.as_deref().unwrap_or_default().to_ascii_lowercase();
        if word.contains("risk") || word.contains("churn") {
            signs.push(format!("the CRM calls the account `{word}`"));
        }
    }
    if context.subscription.known().is_some_and(crate::snapshot::Subscription::is_ending) {
        signs.push("the subscription is ending".into());
    }
    signs
}
