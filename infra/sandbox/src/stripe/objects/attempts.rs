//! An attempt to charge a payment intent to a card, and what it leaves behind.

use serde_json::{Value, json};

use super::{
    cards::{self, Behaviour},
    charges::{self, Start},
    methods,
};
use crate::stripe::{document::Document as _, failure::Failure, store::Tx};

/// Who is there when a payment is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    /// The customer, who can authenticate.
    On,
    /// Nobody.
    Off,
    /// Nobody, but there is an invoice on whose page the customer can authenticate later.
    Invoice,
}

/// What an attempt came to.
pub(crate) enum Attempt {
    /// The charge.
    Paid(Value),
    /// Authorised and not captured.
    Held,
    WantsAction,
    Declined(Failure),
}

/// Charges an intent to a payment method.
pub(crate) fn attempt(tx: &mut Tx, intent: &mut Value, method: &str, session: Session) -> Attempt {
    let behaviour = methods::behaviour(tx, method);
    let declined = match (&behaviour, session) {
        (Behaviour::Declines(code), _) => Some(code.as_str()),
        (Behaviour::WantsActionOrDeclines, Session::Off | Session::Invoice)
        | (Behaviour::WantsAction, Session::Off) => Some("authentication_required"),
        _ => None,
    };
    if let Some(code) = declined {
        return Attempt::Declined(decline(tx, intent, method, code));
    }
    if matches!(behaviour, Behaviour::WantsAction | Behaviour::WantsActionOrDeclines) {
        require_action(tx, intent, method);
        return Attempt::WantsAction;
    }
    let held = intent.text("capture_method") == "manual";
    let charge = charges::new(tx, intent, method, if held { Start::Held } else { Start::Captured });
    intent.set("last_payment_error", Value::Null);
    intent.set("latest_charge", charge.id());
    intent.set("next_action", Value::Null);
    intent.set("payment_method", method);
    if held {
        intent.set("amount_capturable", intent.int("amount"));
        intent.set("status", "requires_capture");
        tx.put(intent);
        tx.emit("payment_intent.amount_capturable_updated", intent);
        return Attempt::Held;
    }
    intent.set("amount_received", intent.int("amount"));
    intent.set("status", "succeeded");
    tx.put(intent);
    tx.emit("payment_intent.succeeded", intent);
    Attempt::Paid(charge)
}

fn decline(tx: &mut Tx, intent: &mut Value, method: &str, code: &str) -> Failure {
    let decline = cards::decline(code);
    let charge = charges::new(tx, intent, method, Start::Declined(&decline));
    let shown = tx.look(method).cloned();
    let error = decline.error(Some(charge.id()), shown.as_ref());
    intent.set("last_payment_error", error.clone());
    intent.set("latest_charge", charge.id());
    intent.set("next_action", Value::Null);
    intent.set("payment_method", Value::Null);
    intent.set("status", "requires_payment_method");
    tx.put(intent);
    tx.emit("payment_intent.payment_failed", intent);
    Failure::declined(error).with("payment_intent", intent.clone())
}

fn require_action(tx: &mut Tx, intent: &mut Value, method: &str) {
    intent.set("next_action", json!({ "type": "use_stripe_sdk", "use_stripe_sdk": {} }));
    intent.set("payment_method", method);
    intent.set("status", "requires_action");
    tx.put(intent);
    tx.emit("payment_intent.requires_action", intent);
}
