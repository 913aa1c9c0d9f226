//! What rules may know of a case. What is not known stands here as the stricter case (I7), so that a
//! source that does not answer never makes a decision bolder.

use std::collections::BTreeSet;

use cedar_policy::RestrictedExpression;

use super::{Bundle, ExceptionKind, Source, settings::is_above};
use crate::{
    CaseKey, CaseKind, Money,
    classify::Bucket,
    context::{Context, Part, Subject},
    snapshot::Read,
};

/// How strong the evidence against a dispute is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Something that an answer cannot do without is missing.
    Weak,
    /// All of that is there, and some of the rest is missing.
    Partial,
    /// Everything is there.
    Strong,
}

impl Strength {
    /// The word used in rules and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Weak => "weak",
            Self::Partial => "partial",
            Self::Strong => "strong",
        }
    }
}

/// What rules may know of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own in the schema of the rules")]
pub struct CaseFacts {
    /// What it is about.
    pub kind: CaseKind,
    /// What was found.
    pub bucket: Bucket,
    /// Whether this is about real money.
    pub livemode: bool,
    /// The customer's segment.
    pub segment: String,
    /// The money at stake, if any.
    pub amount: Option<Money>,
    /// Whether that is above the threshold of revenue.
    pub above_revenue: bool,
    /// Whether it is a dispute that costs about as much to answer as it could bring.
    pub small: bool,
    /// Whether the account's annual value is above the threshold of contracts, or not known.
    pub above_contract: bool,
    /// Whether the contract renews soon, or it is not known when.
    pub renewal_soon: bool,
    /// Whether the customer waits for an urgent answer, or that is not known.
    pub priority_ticket: bool,
    /// Recent requests for a refund; more than any rule counts to if that is not known.
    pub refund_requests: u32,
    /// Whether the customer disputes a payment, or that is not known.
    pub disputed: bool,
    /// Attempts to collect.
    pub attempts: u32,
    /// Days since the case was opened.
    pub day: u32,
    /// Whether access is left alone for now.
    pub in_grace: bool,
    /// Business days until a dispute's deadline; `None` if there is none.
    pub business_days_left: Option<i64>,
    /// How strong the evidence is.
    pub evidence: Strength,
    /// What a refund touches: `entitlements`, `revenue_recognition`, `account_health`.
    pub touches: BTreeSet<&'static str>,
    /// What is different for this customer.
    pub exceptions: BTreeSet<ExceptionKind>,
    /// What should be known and is not, by its source.
    pub missing: BTreeSet<&'static str>,
}

/// What a case learns elsewhere before rules are asked.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) bucket: Bucket,
    pub(crate) day: i64,
    pub(crate) evidence: Strength,
    pub(crate) touches: BTreeSet<&'static str>,
}

impl CaseFacts {
    /// Gathers the facts of a case.
    pub(crate) fn of(key: &CaseKey, context: &Context, bundle: &Bundle, found: &Found) -> Self {
        let settings = bundle.settings();
        let missing = missing(key, context, bundle);
        let uses = |source| settings.sources.contains(&source);
        let account = context.account.known();
        let segment = settings.segment(&context.account);
        let amount = context.amount();
        // A threshold is passed by what is above it and by what nobody knows.
        let contract = match account {
            _ if !uses(Source::Crm) => false,
            None => true,
            Some(account) => account
                .annual_value
                .map_or(!account.id.is_empty(), |value| is_above(&settings.thresholds.contract, value)),
        };
        let application = context.application.known().filter(|_| uses(Source::Application));
        let renews = account
            .filter(|_| uses(Source::Crm))
            .and_then(|account| account.renews)
            .or_else(|| application?.contract.as_ref()?.renews);
        let soon = |at: crate::Timestamp| {
            (0..=i64::from(settings.thresholds.renewal_days) * 86_400).contains(&at.since(context.at))
        };
        let renewal_soon = missing.contains("crm") || renews.map_or(missing.contains("application"), soon);
        let talks = context.conversations.known().filter(|_| uses(Source::HelpDesk));
        let since = context.at.plus(-86_400 * i64::from(settings.churn.request_days));
        let deadline = match &context.subject {
            Subject::Dispute(Read::Found(dispute)) if dispute.status.needs_response() => dispute.due_by,
            _ => None,
        };
        let attempts = match &context.subject {
            Subject::Invoice(Read::Found(invoice)) => invoice.attempt_count,
            _ => 0,
        };
        let disputed = match (&context.subject, key.kind()) {
            (Subject::Dispute(_), _) => true,
            (_, CaseKind::Recovery) => context
                .disputes
                .known()
                .is_none_or(|all| all.iter().any(|dispute| !dispute.status.is_closed())),
            (Subject::Charge(Read::Found(charge)), _) => charge.disputed,
            (_, CaseKind::Refund | CaseKind::FraudWarning) => {
                context.charge.known().is_none_or(|charge| charge.disputed)
            }
            _ => false,
        };
        Self {
            kind: key.kind(),
            bucket: found.bucket,
            livemode: context.livemode,
            segment: segment.map_or_else(String::new, |segment| segment.name.clone()),
            amount,
            above_revenue: amount.is_some_and(|money| is_above(&settings.thresholds.revenue, money)),
            small: matches!(context.subject, Subject::Dispute(_))
                && amount.is_some_and(|money| !is_above(&settings.thresholds.small_dispute, money)),
            above_contract: contract,
            renewal_soon,
            priority_ticket: talks.map_or(missing.contains("help_desk"), |talks| talks.priority().is_some()),
            refund_requests: match talks {
                Some(talks) => u32::try_from(talks.refund_requests(since)).unwrap_or(u32::MAX),
                None if missing.contains("help_desk") => u32::MAX,
                None => 0,
            },
            disputed,
            attempts,
            day: u32::try_from(found.day).unwrap_or(0),
            in_grace: segment.is_none_or(|segment| found.day < i64::from(segment.grace_days)),
            business_days_left: deadline.map(|due| bundle.calendar().business_days_between(context.at, due)),
            evidence: found.evidence,
            touches: found.touches.clone(),
            exceptions: bundle
                .exceptions(context.customer.as_ref(), context.at)
                .map(|one| one.kind)
                .collect(),
            missing,
        }
    }

    /// Whether answering the dispute would cost more than it brings: a small one without what the bank must
    /// see. What is not known could still speak for us.
    pub(crate) fn is_not_worth_answering(&self) -> bool {
        self.bucket == Bucket::DisputeNeedsResponse
            && self.small
            && self.evidence == Strength::Weak
            && self.missing.is_empty()
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = (String, RestrictedExpression)> + use<> {
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let long = |number: i64| RestrictedExpression::new_long(number);
        let is = RestrictedExpression::new_bool;
        let words = |words: &mut dyn Iterator<Item = &str>| {
            RestrictedExpression::new_set(words.map(text).collect::<Vec<_>>())
        };
        let mut all = vec![
            ("kind", text(self.kind.as_str())),
            ("bucket", text(self.bucket.as_str())),
            ("livemode", is(self.livemode)),
            ("segment", text(&self.segment)),
            ("above_revenue", is(self.above_revenue)),
            ("small", is(self.small)),
            ("above_contract", is(self.above_contract)),
            ("renewal_soon", is(self.renewal_soon)),
            ("priority_ticket", is(self.priority_ticket)),
            ("refund_requests", long(self.refund_requests.into())),
            ("disputed", is(self.disputed)),
            ("attempts", long(self.attempts.into())),
            ("day", long(self.day.into())),
            ("in_grace", is(self.in_grace)),
            ("evidence", text(self.evidence.as_str())),
            ("touches", words(&mut self.touches.iter().copied())),
            ("exceptions", words(&mut self.exceptions.iter().map(|kind| kind.as_str()))),
            ("missing", words(&mut self.missing.iter().copied())),
        ];
        if let Some(money) = self.amount {
            all.push(("amount", long(money.amount)));
            all.push(("currency", text(money.currency.code())));
        }
        if let Some(days) = self.business_days_left {
            all.push(("business_days_left", long(days)));
        }
        all.into_iter().map(|(name, value)| (name.to_owned(), value))
    }
}

/// What a decision about this kind of case should know and does not, by its source.
fn missing(key: &CaseKey, context: &Context, bundle: &Bundle) -> BTreeSet<&'static str> {
    /// Without a customer most questions do not arise; what was asked all the same and failed is missing.
    fn lacks<T>(part: &Part<T>, arises: bool) -> bool {
        part.known().is_none() && (arises || part.failed())
    }
    let uses = |source| bundle.settings().sources.contains(&source);
    let mut missing = BTreeSet::new();
    let mut need = |name: &'static str, lacks: bool| {
        if lacks {
            missing.insert(name);
        }
    };
    // A payment method's case decides nothing, and nothing stands around what is not there.
    if key.kind() == CaseKind::PaymentMethod || context.subject.is_gone() {
        return missing;
    }
    let customer = context.customer.is_some();
    need("crm", uses(Source::Crm) && lacks(&context.account, customer));
    need("help_desk", uses(Source::HelpDesk) && lacks(&context.conversations, customer));
    need("application", uses(Source::Application) && lacks(&context.application, customer));
    match (key.kind(), &context.subject) {
        (CaseKind::Recovery, subject) => {
            need("stripe_customer", lacks(&context.profile, customer));
            need("stripe_charges", lacks(&context.charges, customer) || lacks(&context.history, customer));
            need("stripe_disputes", lacks(&context.disputes, customer));
            need("stripe_open_invoices", lacks(&context.open_invoices, customer));
            let bills = matches!(subject, Subject::Invoice(Read::Found(one)) if one.subscription.is_some());
            need("stripe_subscription", lacks(&context.subscription, bills && customer));
        }
        (CaseKind::Dispute | CaseKind::FraudWarning | CaseKind::Refund, _) => {
            need("stripe_charge", lacks(&context.charge, true));
            need("stripe_customer", lacks(&context.profile, customer));
            need("stripe_charges", lacks(&context.history, customer));
        }
        (CaseKind::Status, _) => need("stripe_customer", lacks(&context.profile, customer)),
        _ => {}
    }
    missing
}
