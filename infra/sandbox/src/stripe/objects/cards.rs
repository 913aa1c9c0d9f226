//! Test cards and how issuers answer: <https://docs.stripe.com/testing> and
//! <https://docs.stripe.com/declines/codes>.

use serde_json::{Map, Value, json};

/// What the issuer does with a charge of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Approves,
    /// Declines with this decline code.
    Declines(String),
    /// Wants the customer to authenticate, at every payment.
    WantsAction,
    /// Wants the customer to authenticate, and declines if that is not possible.
    WantsActionOrDeclines,
    /// Approves, and the money is there at once.
    PaysAtOnce,
    /// Approves, and refunds fail after they succeeded.
    FailsRefunds,
    /// Approves, and refunds stay pending.
    DelaysRefunds,
    /// Approves and at once disputes for this reason, or only inquires.
    Disputes {
        reason: &'static str,
        inquiry: bool,
    },
}

/// A test card.
pub(crate) struct Card {
    pub brand: &'static str,
    pub last4: &'static str,
    pub behaviour: Behaviour,
}

/// The card of a test payment method. Besides Stripe's names this knows `pm_card_decline_CODE` for
/// any decline code.
pub(crate) fn card(name: &str) -> Option<Card> {
    let approves = |brand, last4| Some(Card { brand, last4, behaviour: Behaviour::Approves });
    let declines =
        |last4, code: &str| Some(Card { brand: "visa", last4, behaviour: Behaviour::Declines(code.into()) });
    let other = |last4, behaviour| Some(Card { brand: "visa", last4, behaviour });
    match name {
        "pm_card_visa" => approves("visa", "4242"),
        "pm_card_visa_debit" => approves("visa", "5556"),
        "pm_card_mastercard" => approves("mastercard", "4444"),
        "pm_card_amex" => approves("amex", "8431"),
        "pm_card_chargeDeclined" | "pm_card_visa_chargeDeclined" => declines("0002", "generic_decline"),
        "pm_card_chargeDeclinedInsufficientFunds" | "pm_card_visa_chargeDeclinedInsufficientFunds" => {
            declines("9995", "insufficient_funds")
        }
        "pm_card_chargeDeclinedLostCard" | "pm_card_visa_chargeDeclinedLostCard" => {
            declines("9987", "lost_card")
        }
        "pm_card_chargeDeclinedStolenCard" | "pm_card_visa_chargeDeclinedStolenCard" => {
            declines("9979", "stolen_card")
        }
        "pm_card_chargeDeclinedExpiredCard" => declines("0069", "expired_card"),
        "pm_card_chargeDeclinedIncorrectCvc" => declines("0127", "incorrect_cvc"),
        "pm_card_chargeDeclinedProcessingError" => declines("0119", "processing_error"),
        "pm_card_chargeDeclinedFraudulent" | "pm_card_radarBlock" => declines("0019", "fraudulent"),
        // Attached without complaint, unlike the others that decline.
        "pm_card_chargeCustomerFail" => declines("0341", "generic_decline"),
        "pm_card_authenticationRequired" => other("3184", Behaviour::WantsActionOrDeclines),
        "pm_card_bypassPending" => other("0077", Behaviour::PaysAtOnce),
        "pm_card_threeDSecure2Required" => other("3220", Behaviour::WantsAction),
        "pm_card_createDispute" => {
            other("0259", Behaviour::Disputes { reason: "fraudulent", inquiry: false })
        }
        "pm_card_createDisputeProductNotReceived" => {
            other("2685", Behaviour::Disputes { reason: "product_not_received", inquiry: false })
        }
        "pm_card_createDisputeInquiry" => {
            other("1976", Behaviour::Disputes { reason: "fraudulent", inquiry: true })
        }
        "pm_card_refundFail" => other("5126", Behaviour::FailsRefunds),
        "pm_card_pendingRefund" => other("7726", Behaviour::DelaysRefunds),
        _ => declines("0341", name.strip_prefix("pm_card_decline_").filter(|code| !code.is_empty())?),
    }
}

/// Whether a test card declines only payments and not being kept for them. Stripe's has one such name;
/// those of our own are all like that.
pub(crate) fn fails_later(name: &str) -> bool {
    name == "pm_card_chargeCustomerFail" || name.starts_with("pm_card_decline_")
}

/// A decline, as `last_payment_error`, `charge.outcome` and a 402 tell it.
pub(crate) struct Decline {
    pub code: &'static str,
    pub decline_code: String,
    pub advice: Option<&'static str>,
    pub network: Option<&'static str>,
    pub param: Option<&'static str>,
    /// Why Stripe itself blocked the charge, if it did.
    pub blocked: Option<&'static str>,
}

/// The decline that a decline code stands for.
pub(crate) fn decline(decline_code: &str) -> Decline {
    let code = match decline_code {
        "expired_card" => "expired_card",
        "incorrect_cvc" | "invalid_cvc" => "incorrect_cvc",
        "incorrect_number" | "invalid_number" => "incorrect_number",
        "incorrect_zip" => "incorrect_zip",
        "processing_error" => "processing_error",
        "authentication_required" => "authentication_required",
        _ => "card_declined",
    };
    let advice = match decline_code {
        "lost_card"
        | "stolen_card"
        | "pickup_card"
        | "restricted_card"
        | "do_not_try_again"
        | "revocation_of_authorization"
        | "revocation_of_all_authorizations"
        | "stop_payment_order"
        | "security_violation"
        | "invalid_account" => Some("do_not_try_again"),
        "expired_card"
        | "incorrect_cvc"
        | "invalid_cvc"
        | "incorrect_number"
        | "invalid_number"
        | "incorrect_zip"
        | "incorrect_address"
        | "invalid_expiry_month"
        | "invalid_expiry_year"
        | "new_account_information_available" => Some("confirm_card_data"),
        "fraudulent"
        | "merchant_blacklist"
        | "authentication_required"
        | "duplicate_transaction"
        | "transaction_not_allowed" => None,
        _ => Some("try_again_later"),
    };
    let network = match decline_code {
        "generic_decline" | "do_not_honor" => Some("05"),
        "pickup_card" => Some("04"),
        "lost_card" => Some("41"),
        "stolen_card" => Some("43"),
        "insufficient_funds" => Some("51"),
        "expired_card" => Some("54"),
        "transaction_not_allowed" => Some("57"),
        "restricted_card" => Some("62"),
        "withdrawal_count_limit_exceeded" | "card_velocity_exceeded" => Some("65"),
        "issuer_not_available" => Some("91"),
        "processing_error" => Some("96"),
        _ => None,
    };
    let param = match code {
        "expired_card" => Some("exp_month"),
        "incorrect_cvc" => Some("cvc"),
        "incorrect_number" => Some("number"),
        _ => None,
    };
    let blocked = match decline_code {
        "fraudulent" => Some("highest_risk_level"),
        "merchant_blacklist" => Some("rule"),
        _ => None,
    };
    Decline { code, decline_code: decline_code.to_owned(), advice, network, param, blocked }
}

impl Decline {
    /// What the error says; details only where they may be shown to the customer.
    pub(crate) fn message(&self) -> &'static str {
        match self.decline_code.as_str() {
            "insufficient_funds" => "Your card has insufficient funds.",
            "expired_card" => "Your card has expired.",
            "incorrect_cvc" | "invalid_cvc" => "Your card's security code is incorrect.",
            "incorrect_number" | "invalid_number" => "Your card number is incorrect.",
            "processing_error" => "An error occurred while processing your card. Try again in a little bit.",
            "authentication_required" => "Your card was declined. This transaction requires authentication.",
            _ => "Your card was declined.",
        }
    }

    /// The error's fields, for the charge if there was one and, if it is known, the payment method.
    pub(crate) fn error(&self, charge: Option<&str>, method: Option<&Value>) -> Map<String, Value> {
        let mut error = Map::new();
        let mut set = |field: &str, value: Value| {
            error.insert(field.to_owned(), value);
        };
        set("type", "card_error".into());
        if let Some(charge) = charge {
            set("charge", charge.into());
        }
        set("code", self.code.into());
        set("decline_code", self.decline_code.as_str().into());
        set("doc_url", format!("https://stripe.com/docs/error-codes/{}", self.code.replace('_', "-")).into());
        set("message", self.message().into());
        for (field, value) in
            [("advice_code", self.advice), ("network_decline_code", self.network), ("param", self.param)]
        {
            if let Some(value) = value {
                set(field, value.into());
            }
        }
        if let Some(method) = method {
            set("payment_method", method.clone());
        }
        error
    }

    /// `charge.outcome`
    pub(crate) fn outcome(&self) -> Value {
        let blocked = self.blocked.is_some();
        json!({
            "advice_code": self.advice,
            "network_advice_code": null,
            "network_decline_code": self.network,
            "network_status": if blocked { "not_sent_to_network" } else { "declined_by_network" },
            "reason": self.blocked.unwrap_or(&self.decline_code),
            "risk_level": if self.blocked == Some("highest_risk_level") { "highest" } else { "normal" },
            "risk_score": if self.blocked == Some("highest_risk_level") { 92 } else { 21 },
            "seller_message": if blocked {
                "Stripe blocked this payment as too risky."
            } else {
                "The bank did not return any further details with this decline."
            },
            "type": if blocked { "blocked" } else { "issuer_declined" },
        })
    }
}

/// `charge.outcome` of a success.
pub(crate) fn approved() -> Value {
    json!({
        "advice_code": null, "network_advice_code": null, "network_decline_code": null,
        "network_status": "approved_by_network", "reason": null, "risk_level": "normal", "risk_score": 21,
        "seller_message": "Payment complete.", "type": "authorized",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_cards_decline_as_observed_in_stripes_sandbox() {
        let observed = [
            ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline", Some("try_again_later")),
            ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card", Some("do_not_try_again")),
            ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card", Some("confirm_card_data")),
            ("pm_card_chargeDeclinedFraudulent", "card_declined", "fraudulent", None),
        ];
        for (name, code, decline_code, advice) in observed {
            let Some(Card { behaviour: Behaviour::Declines(declined), .. }) = card(name) else {
                panic!("{name} does not decline");
            };
            let decline = decline(&declined);
            assert_eq!(
                (decline.code, decline.decline_code.as_str(), decline.advice),
                (code, decline_code, advice)
            );
        }
        assert!(card("pm_card_unheard_of").is_none());
    }
}
