//! Setup intents, which keep a card for later payments: <https://docs.stripe.com/api/setup_intents>.

use serde_json::{Value, json};

use super::{cards::Behaviour, methods};
use crate::stripe::{
    document::{Document as _, merge_metadata, with_nulls},
    failure::{Failure, Outcome},
    form::Params,
    routes::Call,
    store::Tx,
};

const KIND: &str = "setup_intent";

/// Parameters of [`create`].
pub(crate) const PARAMS: &[&str] = &[
    "confirm",
    "customer",
    "description",
    "metadata",
    "payment_method",
    "payment_method_types",
    "return_url",
    "usage",
];

/// Parameters of [`update`].
pub(crate) const UPDATE_PARAMS: &[&str] = &["customer", "description", "metadata", "payment_method"];

/// `POST /v1/setup_intents`
pub(crate) fn create(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let types = params.texts("payment_method_types");
    if types.iter().any(|kind| kind != "card") {
        return Err(Failure::parameter("payment_method_types", "Only cards are modelled."));
    }
    let usage = params.one_of("usage", &["off_session", "on_session"])?.unwrap_or("off_session");
    let confirms = params.flag("confirm")?.unwrap_or(false);
    let id = tx.fresh("seti_");
    let secret = tx.fresh("secret_");
    let automatic = types.is_empty().then(|| json!({ "allow_redirects": "always", "enabled": true }));
    let mut setup = with_nulls(
        json!({
            "id": id,
            "object": KIND,
            "automatic_payment_methods": automatic,
            "client_secret": format!("{id}_{secret}"),
            "created": tx.now,
            "livemode": false,
            "metadata": {},
            "payment_method_options": {},
            "payment_method_types": ["card"],
            "status": "requires_payment_method",
            "usage": usage,
        }),
        &[
            "allowed_payment_method_types",
            "application",
            "cancellation_reason",
            "customer",
            "customer_account",
            "description",
            "excluded_payment_method_types",
            "flow_directions",
            "last_setup_error",
            "latest_attempt",
            "managed_payments",
            "mandate",
            "next_action",
            "on_behalf_of",
            "payment_method",
            "payment_method_configuration_details",
            "single_use_mandate",
        ],
    );
    change(tx, &mut setup, params)?;
    tx.put(&setup);
    tx.emit("setup_intent.created", &setup);
    if confirms { set_up(tx, setup) } else { Ok(setup) }
}

/// `POST /v1/setup_intents/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut setup = open(tx, call)?;
    change(tx, &mut setup, &call.params)?;
    tx.put(&setup);
    Ok(setup)
}

/// `POST /v1/setup_intents/{id}/confirm`
pub(crate) fn confirm(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut setup = open(tx, call)?;
    change(tx, &mut setup, &call.params)?;
    set_up(tx, setup)
}

/// `POST /v1/setup_intents/{id}/cancel`
pub(crate) fn cancel(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let reason =
        call.params.one_of("cancellation_reason", &["abandoned", "duplicate", "requested_by_customer"])?;
    let mut setup = open(tx, call)?;
    setup.set("cancellation_reason", reason);
    setup.set("next_action", Value::Null);
    setup.set("status", "canceled");
    tx.put(&setup);
    tx.emit("setup_intent.canceled", &setup);
    Ok(setup)
}

/// The bank confirms the card or not; with a customer it is attached.
fn set_up(tx: &mut Tx, mut setup: Value) -> Outcome<Value> {
    let Some(method) = setup.maybe("payment_method").and_then(|id| tx.look(id)).cloned() else {
        return Err(Failure::refused(
            "You cannot confirm this SetupIntent because it's missing a payment method.",
        )
        .with("code", "setup_intent_unexpected_state"));
    };
    if let Err(failure) = methods::check(&method, tx) {
        let mut error = failure.error.clone();
        error.insert("payment_method".into(), method);
        setup.set("last_setup_error", error.clone());
        setup.set("payment_method", Value::Null);
        setup.set("status", "requires_payment_method");
        tx.put(&setup);
        tx.emit("setup_intent.setup_failed", &setup);
        return Err(Failure::declined(error).with("setup_intent", setup));
    }
    let asks = matches!(
        methods::behaviour(tx, method.id()),
        Behaviour::WantsAction | Behaviour::WantsActionOrDeclines
    );
    setup.set("last_setup_error", Value::Null);
    if asks {
        setup.set("next_action", json!({ "type": "use_stripe_sdk", "use_stripe_sdk": {} }));
        setup.set("status", "requires_action");
        tx.put(&setup);
        tx.emit("setup_intent.requires_action", &setup);
        return Ok(setup);
    }
    setup.set("status", "succeeded");
    tx.put(&setup);
    tx.emit("setup_intent.succeeded", &setup);
    if let (Some(customer), None) = (setup.maybe("customer"), method.maybe("customer")) {
        let mut method = method;
        methods::bind(tx, &mut method, customer);
    }
    Ok(setup)
}

fn open(tx: &Tx, call: &Call) -> Outcome<Value> {
    let setup = tx.get(KIND, call.id(), "intent")?;
    if ["succeeded", "canceled"].contains(&setup.text("status")) {
        return Err(Failure::refused(format!(
            "This SetupIntent cannot be changed because it has a status of {}.",
            setup.text("status")
        ))
        .with("code", "setup_intent_unexpected_state"));
    }
    Ok(setup)
}

fn change(tx: &mut Tx, setup: &mut Value, params: &Params) -> Outcome<()> {
    if let Some(text) = params.text("description")? {
        setup.set("description", Some(text).filter(|text| !text.is_empty()));
    }
    if let Some(customer) = params.text("customer")?.filter(|id| !id.is_empty()) {
        tx.get("customer", customer, "customer")?;
        setup.set("customer", customer);
    }
    if let Some(name) = params.text("payment_method")?.filter(|name| !name.is_empty()) {
        let method = methods::usable(tx, name, setup.maybe("customer"), "payment_method")?;
        setup.set("payment_method", method.id());
        setup.set("status", "requires_confirmation");
    }
    merge_metadata(setup, params.raw("metadata"));
    Ok(())
}
