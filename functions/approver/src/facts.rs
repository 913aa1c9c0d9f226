//! What moved between two readings of a charge, in words.

use domain::snapshot::Charge;

/// What of all that a refund rests on is different now; empty if nothing is. It covers every field of
/// [`Charge::digest`].
pub(crate) fn moved(then: &Charge, now: &Charge) -> Vec<String> {
    let mut moved = Vec::new();
    let mut compare = |name: &str, then: &dyn ToString, now: &dyn ToString| {
        let (then, now) = (then.to_string(), now.to_string());
        if then != now {
            let shown = |text: String| if text.is_empty() { "none".to_owned() } else { text };
            moved.push(format!("{name} was {} and is {}", shown(then), shown(now)));
        }
    };
    compare("the charge", &then.id, &now.id);
    compare("the state", &then.status, &now.status);
    compare("the amount", &then.amount, &now.amount);
    compare("what went back already", &then.amount_refunded, &now.amount_refunded);
    compare("the latest refund", &id(then.latest_refund.as_ref()), &id(now.latest_refund.as_ref()));
    compare("the customer", &id(then.customer.as_ref()), &id(now.customer.as_ref()));
    compare("the payment", &id(then.payment_intent.as_ref()), &id(now.payment_intent.as_ref()));
    compare("disputed", &yes(then.disputed), &yes(now.disputed));
    compare("captured", &yes(then.captured), &yes(now.captured));
    compare("live mode", &yes(then.livemode), &yes(now.livemode));
    moved
}

fn id(id: Option<&impl ToString>) -> String {
    id.map_or(String::new(), ToString::to_string)
}

pub(crate) const fn yes(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use domain::{
        ChargeId, Currency, CustomerId, Money, PaymentIntentId, RefundId, Timestamp, snapshot::ChargeStatus,
    };

    use super::*;

    fn charge() -> Charge {
        let usd = |amount| Money::new(amount, Currency::parse("usd").unwrap());
        Charge {
            id: ChargeId::parse("ch_1").unwrap(),
            status: ChargeStatus::Succeeded,
            amount: usd(1999),
            amount_refunded: usd(0),
            disputed: false,
            captured: true,
            customer: None,
            payment_intent: None,
            latest_refund: None,
            outcome: None,
            refund_request: None,
            livemode: false,
            issuer: None,
            metadata: [].into(),
            created: Timestamp::from_seconds(1),
        }
    }

    #[test]
    fn whatever_moves_the_digest_is_named() {
        let changes: [fn(&mut Charge); 10] = [
            |c| c.id = ChargeId::parse("ch_2").unwrap(),
            |c| c.status = ChargeStatus::Failed,
            |c| c.amount.amount = 1,
            |c| c.amount.currency = Currency::parse("eur").unwrap(),
            |c| c.amount_refunded.amount = 500,
            |c| c.customer = CustomerId::parse("cus_1").ok(),
            |c| c.payment_intent = PaymentIntentId::parse("pi_1").ok(),
            |c| c.latest_refund = RefundId::parse("re_1").ok(),
            |c| c.disputed = true,
            |c| c.livemode = true,
        ];
        assert_eq!(moved(&charge(), &charge()), Vec::<String>::new());
        for (index, change) in changes.into_iter().enumerate() {
            let mut after = charge();
            change(&mut after);
            assert_ne!(after.digest(), charge().digest(), "change {index}");
            assert!(!moved(&charge(), &after).is_empty(), "change {index}");
        }
        let part = Charge { latest_refund: RefundId::parse("re_1").ok(), ..charge() };
        assert_eq!(moved(&charge(), &part), ["the latest refund was none and is re_1"]);
    }
}
