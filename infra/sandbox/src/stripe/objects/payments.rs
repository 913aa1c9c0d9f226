//! Payment intents by request: <https://docs.stripe.com/api/payment_intents>. Cards only.

use serde_json::{Value, json};

use super::{
    attempts::{Attempt, Session, attempt},
    charges, collection,
    intents::{self, KIND},
    methods,
};
use crate::stripe::{
    document::{Document as _, merge_metadata},
    failure::{Failure, Outcome},
    form::Params,
    routes::Call,
    store::Tx,
};

/// Parameters of [`create`]; Stripe has more, which are not modelled.
pub(crate) const PARAMS: &[&str] = &[
    "amount",
    "automatic_payment_methods",
    "capture_method",
    "confirm",
    "confirmation_method",
    "currency",
    "customer",
    "description",
    "metadata",
    "off_session",
    "payment_method",
    "payment_method_types",
    "receipt_email",
    "return_url",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
];

/// Parameters of [`update`].
pub(crate) const UPDATE_PARAMS: &[&str] = &[
    "amount",
    "customer",
    "description",
    "metadata",
    "payment_method",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
];

/// Parameters of [`confirm`].
pub(crate) const CONFIRM_PARAMS: &[&str] =
    &["off_session", "payment_method", "receipt_email", "return_url", "setup_future_usage", "shipping"];

/// States in which an intent can still be changed and confirmed.
const OPEN: &[&str] = &["requires_payment_method", "requires_confirmation", "requires_action"];

/// `POST /v1/payment_intents`
pub(crate) fn create(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let amount = positive(params, "amount")?.ok_or_else(|| Failure::required("amount"))?;
    let currency = params.required("currency")?.to_lowercase();
    let customer = params.text("customer")?.filter(|id| !id.is_empty());
    if let Some(customer) = customer {
        tx.get("customer", customer, "customer")?;
    }
    let types = params.texts("payment_method_types");
    if types.iter().any(|kind| kind != "card") {
        return Err(Failure::parameter("payment_method_types", "Only cards are modelled."));
    }
    let confirms = params.flag("confirm")?.unwrap_or(false);
    if !confirms && params.raw("off_session").is_some() {
        return Err(Failure::parameter(
            "off_session",
            "You cannot use `off_session` without also passing `confirm=true`.",
        ));
    }
    let mut intent = intents::document(tx, amount, &currency, customer);
    let capture = params.one_of("capture_method", &["automatic", "automatic_async", "manual"])?;
    intent.set("capture_method", capture.unwrap_or("automatic_async"));
    let confirmation = params.one_of("confirmation_method", &["automatic", "manual"])?;
    intent.set("confirmation_method", confirmation.unwrap_or("automatic"));
    if types.is_empty() {
        let automatic = params.hash("automatic_payment_methods");
        automatic.only(&["allow_redirects", "enabled"])?;
        automatic.flag("enabled")?;
        let redirects = automatic.one_of("allow_redirects", &["always", "never"])?.unwrap_or("always");
        intent.set("automatic_payment_methods", json!({ "allow_redirects": redirects, "enabled": true }));
    }
    change(tx, &mut intent, params)?;
    tx.put(&intent);
    tx.emit("payment_intent.created", &intent);
    if confirms {
        return pay(tx, intent, params);
    }
    Ok(intent)
}

/// `POST /v1/payment_intents/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let mut intent = tx.get(KIND, call.id(), "intent")?;
    let always = ["description", "expand", "metadata", "receipt_email"];
    if !OPEN.contains(&intent.text("status")) && params.names().any(|name| !always.contains(&name)) {
        return Err(unexpected(&intent, "updated"));
    }
    if let Some(amount) = positive(params, "amount")? {
        intent.set("amount", amount);
    }
    if let Some(customer) = params.text("customer")?.filter(|id| !id.is_empty()) {
        tx.get("customer", customer, "customer")?;
        intent.set("customer", customer);
    }
    change(tx, &mut intent, params)?;
    tx.put(&intent);
    Ok(intent)
}

/// `POST /v1/payment_intents/{id}/confirm`
pub(crate) fn confirm(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut intent = tx.get(KIND, call.id(), "intent")?;
    if !OPEN.contains(&intent.text("status")) {
        return Err(unexpected(&intent, "confirmed"));
    }
    change(tx, &mut intent, &call.params)?;
    pay(tx, intent, &call.params)
}

/// `POST /v1/payment_intents/{id}/capture`: once; what is not captured is released.
pub(crate) fn capture(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut intent = tx.get(KIND, call.id(), "intent")?;
    if intent.text("status") != "requires_capture" {
        return Err(unexpected(&intent, "captured"));
    }
    let held = intent.int("amount_capturable");
    let amount = positive(&call.params, "amount_to_capture")?.unwrap_or(held);
    if amount > held {
        return Err(Failure::refused(format!(
            "The requested capture amount is greater than the amount you can capture ({held})."
        ))
        .with("code", "amount_too_large")
        .with("param", "amount_to_capture"));
    }
    merge_metadata(&mut intent, call.params.raw("metadata"));
    let charge = charges::capture(tx, intent.text("latest_charge"), amount)?;
    intent.set("amount_capturable", 0);
    intent.set("amount_received", amount);
    intent.set("status", "succeeded");
    tx.put(&intent);
    tx.emit("payment_intent.succeeded", &intent);
    charges::settle(tx, &charge)?;
    Ok(intent)
}

/// `POST /v1/payment_intents/{id}/cancel`: what was authorised is released.
pub(crate) fn cancel(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let reasons = ["abandoned", "duplicate", "fraudulent", "requested_by_customer"];
    let reason = call.params.one_of("cancellation_reason", &reasons)?;
    let mut intent = tx.get(KIND, call.id(), "intent")?;
    let held = intent.text("status") == "requires_capture";
    if !held && !OPEN.contains(&intent.text("status")) {
        return Err(unexpected(&intent, "canceled"));
    }
    if collection::invoice_of(tx, call.id()).is_some() {
        return Err(Failure::refused(
            "You cannot cancel a PaymentIntent that was created by an invoice. Void the invoice instead.",
        ));
    }
    intents::cancel(tx, &mut intent, reason);
    if held {
        charges::release(tx, intent.text("latest_charge"))?;
    }
    Ok(intent)
}

/// Tries an intent, and its invoice follows.
fn pay(tx: &mut Tx, mut intent: Value, params: &Params) -> Outcome<Value> {
    let off_session = params.flag("off_session")?.unwrap_or(false);
    let Some(method) = intent.maybe("payment_method").map(str::to_owned) else {
        return Err(Failure::refused(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
        )
        .with("code", "payment_intent_unexpected_state"));
    };
    let session = if off_session { Session::Off } else { Session::On };
    let tried = attempt(tx, &mut intent, &method, session);
    if let Some(mut invoice) = collection::invoice_of(tx, intent.id()) {
        collection::follow(tx, &mut invoice, &tried, false)?;
    }
    if let Attempt::Declined(failure) = tried {
        return Err(failure);
    }
    if !matches!(tried, Attempt::WantsAction) && intent.maybe("setup_future_usage").is_some() {
        keep_method(tx, &intent, &method);
    }
    if let Attempt::Paid(charge) = &tried {
        charges::settle(tx, charge)?;
    }
    Ok(intent)
}

/// A method that is to be used again is attached once it has paid.
fn keep_method(tx: &mut Tx, intent: &Value, method: &str) {
    if let (Some(customer), Some(mut method)) = (intent.maybe("customer"), tx.look(method).cloned())
        && method.maybe("customer").is_none()
    {
        methods::bind(tx, &mut method, customer);
    }
}

fn change(tx: &mut Tx, intent: &mut Value, params: &Params) -> Outcome<()> {
    for field in ["description", "receipt_email", "statement_descriptor", "statement_descriptor_suffix"] {
        if let Some(text) = params.text(field)? {
            intent.set(field, Some(text).filter(|text| !text.is_empty()));
        }
    }
    if let Some(usage) = params.one_of("setup_future_usage", &["off_session", "on_session"])? {
        intent.set("setup_future_usage", usage);
    }
    if let Some(shipping) = super::addresses::shipping(params)? {
        intent.set("shipping", shipping);
    }
    if let Some(name) = params.text("payment_method")?.filter(|name| !name.is_empty()) {
        let method = methods::usable(tx, name, intent.maybe("customer"), "payment_method")?;
        intent.set("payment_method", method.id());
        intent.set("status", "requires_confirmation");
    }
    merge_metadata(intent, params.raw("metadata"));
    Ok(())
}

fn positive(params: &Params, field: &str) -> Outcome<Option<i64>> {
    match params.int(field)? {
        Some(amount) if amount <= 0 => {
            Err(Failure::parameter(field, "This value must be greater than or equal to 1.")
                .with("code", "parameter_invalid_integer"))
        }
        amount => Ok(amount),
    }
}

fn unexpected(intent: &Value, verb: &str) -> Failure {
    Failure::refused(format!(
        "This PaymentIntent could not be {verb} because it has a status of {}.",
        intent.text("status")
    ))
    .with("code", "payment_intent_unexpected_state")
    .with("payment_intent", intent.clone())
}
