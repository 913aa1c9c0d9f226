//! Which request does what, and which scope it asks for.

use serde_json::{Value, json};

use super::{
    document::Document as _,
    events,
    failure::{Failure, Outcome},
    form::Params,
    lists,
    objects::{
        balance, charges, credit_notes, customers, disputes, drafts, endpoints, invoice_items, invoices,
        methods, pauses, payments, prices, products, refunds, setups, subscriptions, test_clocks,
    },
    search,
    store::Tx,
};

/// A request as its handler sees it.
pub(crate) struct Call {
    /// The ids in the path.
    pub ids: Vec<String>,
    pub params: Params,
}

impl Call {
    /// The object that the path names.
    pub(crate) fn id(&self) -> &str {
        self.ids.first().map_or("", String::as_str)
    }

    /// The ids of what the request is about.
    fn subjects(&self) -> impl Iterator<Item = &str> {
        let named = SUBJECTS.iter().filter_map(|param| self.params.raw(param)?.as_str());
        self.ids.first().map(String::as_str).into_iter().chain(named)
    }
}

/// Parameters that name whose test clock a request lives by.
const SUBJECTS: &[&str] = &["test_clock", "customer", "subscription", "invoice", "charge", "payment_intent"];

/// What answers a request.
pub(crate) enum Run {
    /// Reads one object of a kind.
    Retrieve(&'static str),
    /// Lists a kind; each filter is a parameter and the field it must equal.
    List(&'static str, &'static [(&'static str, &'static str)]),
    /// Reads or changes one object of a kind of which the account has none.
    Absent(&'static str),
    /// Anything else, with the parameters it takes.
    Do(fn(&mut Tx, &Call) -> Outcome<Value>, &'static [&'static str]),
}

/// A route and the scope it asks for.
pub(crate) struct Route {
    /// Its method and path, with `{}` for ids.
    pub shape: String,
    pub resource: &'static str,
    pub run: Run,
}

/// The route of `METHOD /path`, with the path's ids.
pub(crate) fn find(method: &str, path: &str) -> Option<(Route, Vec<String>)> {
    let mut ids = Vec::new();
    let mut shape = format!("{method} ");
    let namespaces = ["/v1/radar/", "/v1/test_helpers/", "/v2/core/"];
    let first = if namespaces.iter().any(|start| path.starts_with(start)) { 3 } else { 2 };
    for (place, part) in path.trim_matches('/').split('/').enumerate() {
        let is_id = place >= first && (place - first).is_multiple_of(2) && part != "search";
        if is_id {
            ids.push(part.to_owned());
        }
        shape.push('/');
        shape.push_str(if is_id { "{}" } else { part });
    }
    let (resource, run) = run(&shape)?;
    Some((Route { shape, resource, run }, ids))
}

#[rustfmt::skip] // A table reads better in lines.
fn run(shape: &str) -> Option<(&'static str, Run)> {
    use Run::{Absent, Do, List, Retrieve};
    let found = match shape {
        "GET /v1/account" => ("accounts_kyc_basic", Do(account, &[])),

        "GET /v1/balance" => ("balance", Do(balance::show, &[])),
        "GET /v1/balance_transactions" => ("charge", List("balance_transaction", &[("source", "source"), ("type", "type")])),
        "GET /v1/balance_transactions/{}" => ("charge", Retrieve("balance_transaction")),

        "GET /v1/charges" => ("charge", List("charge", &[("customer", "customer"), ("payment_intent", "payment_intent")])),
        "GET /v1/charges/search" => ("charge", Do(search::charges, &["limit", "page", "query"])),
        "GET /v1/charges/{}" => ("charge", Retrieve("charge")),
        "POST /v1/charges/{}" => ("charge", Do(charges::update, &["description", "fraud_details", "metadata", "receipt_email"])),
        "GET /v1/charges/{}/refunds" => ("charge", Do(refunds::of_charge, lists::PARAMS)),

        "GET /v1/credit_notes" => ("credit_note", List("credit_note", &[("customer", "customer"), ("invoice", "invoice")])),
        "POST /v1/credit_notes" => ("credit_note", Do(credit_notes::create, credit_notes::PARAMS)),
        "GET /v1/credit_notes/{}" => ("credit_note", Retrieve("credit_note")),
        "POST /v1/credit_notes/{}" => ("credit_note", Do(credit_notes::update, &["memo", "metadata"])),
        "POST /v1/credit_notes/{}/void" => ("credit_note", Do(credit_notes::void, &[])),

        "GET /v1/customers" => ("customer", Do(customers::all, customers::LIST_PARAMS)),
        "POST /v1/customers" => ("customer", Do(customers::create, customers::PARAMS)),
        "GET /v1/customers/{}" => ("customer", Retrieve("customer")),
        "POST /v1/customers/{}" => ("customer", Do(customers::update, customers::UPDATE_PARAMS)),
        "DELETE /v1/customers/{}" => ("customer", Do(customers::delete, &[])),
        "GET /v1/customers/{}/balance_transactions" => ("customer", Do(balance::of_customer, lists::PARAMS)),
        "POST /v1/customers/{}/balance_transactions" => ("customer", Do(balance::create, &["amount", "currency", "description", "metadata"])),
        "GET /v1/customers/{}/balance_transactions/{}" => ("customer", Do(balance::retrieve, &[])),
        "GET /v1/customers/{}/payment_methods" => ("payment_method", Do(methods::of_customer, &["ending_before", "limit", "starting_after", "type"])),
        "GET /v1/customers/{}/subscriptions" => ("subscription", Do(subscriptions::of_customer, lists::PARAMS)),

        "GET /v1/disputes" => ("dispute", List("dispute", &[("charge", "charge"), ("payment_intent", "payment_intent")])),
        "GET /v1/disputes/{}" => ("dispute", Retrieve("dispute")),
        "POST /v1/disputes/{}" => ("dispute", Do(disputes::update, &["evidence", "intended_submission_method", "metadata", "submit"])),
        "POST /v1/disputes/{}/close" => ("dispute", Do(disputes::close, &[])),

        "GET /v1/events" => ("event", Do(events::all, &["created", "delivery_success", "ending_before", "limit", "starting_after", "type", "types"])),
        "GET /v1/events/{}" => ("event", Do(events::retrieve, &[])),
        "GET /v2/core/events" => ("event", Do(events::all_thin, &["limit", "object_id", "page"])),
        "GET /v2/core/events/{}" => ("event", Do(events::retrieve_thin, &[])),

        "GET /v1/invoice_payments" => ("invoice", Do(invoices::payments, invoices::PAYMENTS_PARAMS)),
        "GET /v1/invoice_payments/{}" => ("invoice", Retrieve("invoice_payment")),

        "GET /v1/invoiceitems" => ("invoice", Do(invoice_items::all, invoice_items::LIST_PARAMS)),
        "POST /v1/invoiceitems" => ("invoice", Do(invoice_items::create, invoice_items::PARAMS)),
        "GET /v1/invoiceitems/{}" => ("invoice", Retrieve("invoiceitem")),
        "POST /v1/invoiceitems/{}" => ("invoice", Do(invoice_items::update, invoice_items::UPDATE_PARAMS)),
        "DELETE /v1/invoiceitems/{}" => ("invoice", Do(invoice_items::delete, &[])),

        "GET /v1/invoices" => ("invoice", List("invoice", &[("collection_method", "collection_method"), ("customer", "customer"), ("status", "status"), ("subscription", "/parent/subscription_details/subscription")])),
        "GET /v1/invoices/{}" => ("invoice", Retrieve("invoice")),
        "POST /v1/invoices" => ("invoice", Do(drafts::create, drafts::PARAMS)),
        "POST /v1/invoices/{}" => ("invoice", Do(drafts::update, drafts::UPDATE_PARAMS)),
        "DELETE /v1/invoices/{}" => ("invoice", Do(drafts::delete, &[])),
        "GET /v1/invoices/{}/lines" => ("invoice", Do(invoices::lines, &["ending_before", "limit", "starting_after"])),
        "POST /v1/invoices/{}/finalize" => ("invoice", Do(invoices::finalize_call, &["auto_advance"])),
        "POST /v1/invoices/{}/mark_uncollectible" => ("invoice", Do(invoices::mark_uncollectible, &[])),
        "POST /v1/invoices/{}/pay" => ("invoice", Do(invoices::pay, &["forgive", "mandate", "off_session", "paid_out_of_band", "payment_method"])),
        "POST /v1/invoices/{}/send" => ("invoice", Do(invoices::send, &[])),
        "POST /v1/invoices/{}/void" => ("invoice", Do(invoices::void, &[])),

        "GET /v1/payment_intents" => ("payment_intent", List("payment_intent", &[("customer", "customer")])),
        "GET /v1/payment_intents/{}" => ("payment_intent", Retrieve("payment_intent")),
        "POST /v1/payment_intents" => ("payment_intent", Do(payments::create, payments::PARAMS)),
        "POST /v1/payment_intents/{}" => ("payment_intent", Do(payments::update, payments::UPDATE_PARAMS)),
        "POST /v1/payment_intents/{}/cancel" => ("payment_intent", Do(payments::cancel, &["cancellation_reason"])),
        "POST /v1/payment_intents/{}/capture" => ("payment_intent", Do(payments::capture, &["amount_to_capture", "metadata"])),
        "POST /v1/payment_intents/{}/confirm" => ("payment_intent", Do(payments::confirm, payments::CONFIRM_PARAMS)),

        "GET /v1/payment_methods" => ("payment_method", List("payment_method", &[("customer", "customer"), ("type", "type")])),
        "GET /v1/payment_methods/{}" => ("payment_method", Retrieve("payment_method")),
        "POST /v1/payment_methods" => ("payment_method", Do(methods::create, methods::PARAMS)),
        "POST /v1/payment_methods/{}" => ("payment_method", Do(methods::update, &["billing_details", "metadata"])),
        "POST /v1/payment_methods/{}/attach" => ("payment_method", Do(methods::attach_call, &["customer"])),
        "POST /v1/payment_methods/{}/detach" => ("payment_method", Do(methods::detach, &[])),

        "GET /v1/payouts/{}" | "POST /v1/payouts/{}" => ("payout", Absent("payout")),

        "GET /v1/plans" => ("plan", Do(prices::all_plans, &["created", "ending_before", "limit", "product", "starting_after"])),
        "POST /v1/plans" => ("plan", Do(prices::create_plan, prices::PLAN_PARAMS)),
        "GET /v1/plans/{}" => ("plan", Do(prices::retrieve_plan, &[])),
        "POST /v1/plans/{}" => ("plan", Do(prices::update_plan, &["active", "metadata", "nickname"])),
        "DELETE /v1/plans/{}" => ("plan", Do(prices::delete_plan, &[])),
        "GET /v1/prices" => ("plan", List("price", &[("currency", "currency"), ("product", "product")])),
        "POST /v1/prices" => ("plan", Do(prices::create, prices::PARAMS)),
        "GET /v1/prices/{}" => ("plan", Retrieve("price")),
        "POST /v1/prices/{}" => ("plan", Do(prices::update, prices::UPDATE_PARAMS)),
        "GET /v1/products" => ("product", List("product", &[])),
        "POST /v1/products" => ("product", Do(products::create, products::PARAMS)),
        "GET /v1/products/{}" => ("product", Retrieve("product")),
        "POST /v1/products/{}" => ("product", Do(products::update, products::PARAMS)),
        "DELETE /v1/products/{}" => ("product", Do(products::delete, &[])),

        "GET /v1/radar/early_fraud_warnings" => ("early_fraud_warning", List("radar.early_fraud_warning", &[("charge", "charge"), ("payment_intent", "payment_intent")])),
        "GET /v1/radar/early_fraud_warnings/{}" => ("early_fraud_warning", Retrieve("radar.early_fraud_warning")),

        "GET /v1/refunds" => ("charge", List("refund", &[("charge", "charge"), ("payment_intent", "payment_intent")])),
        "POST /v1/refunds" => ("charge", Do(refunds::create, refunds::PARAMS)),
        "GET /v1/refunds/{}" => ("charge", Retrieve("refund")),
        "POST /v1/refunds/{}" => ("charge", Do(refunds::update, &["metadata"])),
        "POST /v1/refunds/{}/cancel" => ("charge", Do(refunds::cancel, &[])),

        "GET /v1/setup_intents" => ("setup_intent", List("setup_intent", &[("customer", "customer"), ("payment_method", "payment_method")])),
        "POST /v1/setup_intents" => ("setup_intent", Do(setups::create, setups::PARAMS)),
        "GET /v1/setup_intents/{}" => ("setup_intent", Retrieve("setup_intent")),
        "POST /v1/setup_intents/{}" => ("setup_intent", Do(setups::update, setups::UPDATE_PARAMS)),
        "POST /v1/setup_intents/{}/cancel" => ("setup_intent", Do(setups::cancel, &["cancellation_reason"])),
        "POST /v1/setup_intents/{}/confirm" => ("setup_intent", Do(setups::confirm, &["payment_method", "return_url"])),

        "GET /v1/subscriptions" => ("subscription", Do(subscriptions::all, subscriptions::LIST_PARAMS)),
        "POST /v1/subscriptions" => ("subscription", Do(subscriptions::create, subscriptions::CREATE_PARAMS)),
        "GET /v1/subscriptions/{}" => ("subscription", Retrieve("subscription")),
        "POST /v1/subscriptions/{}" => ("subscription", Do(subscriptions::update, subscriptions::PARAMS)),
        "DELETE /v1/subscriptions/{}" => ("subscription", Do(subscriptions::cancel_call, &["cancellation_details", "invoice_now", "prorate"])),
        "POST /v1/subscriptions/{}/pause" => ("subscription", Do(pauses::pause, &["bill_for", "invoicing_behavior", "type"])),
        "POST /v1/subscriptions/{}/resume" => ("subscription", Do(pauses::resume, &["billing_cycle_anchor", "payment_behavior", "proration_behavior", "proration_date"])),

        "GET /v1/test_helpers/test_clocks" => ("test_clock", List("test_helpers.test_clock", &[])),
        "POST /v1/test_helpers/test_clocks" => ("test_clock", Do(test_clocks::create, test_clocks::PARAMS)),
        "GET /v1/test_helpers/test_clocks/{}" => ("test_clock", Retrieve("test_helpers.test_clock")),
        "DELETE /v1/test_helpers/test_clocks/{}" => ("test_clock", Do(test_clocks::delete, &[])),
        "POST /v1/test_helpers/test_clocks/{}/advance" => ("test_clock", Do(test_clocks::advance, &["frozen_time"])),

        "GET /v1/transfers/{}" | "POST /v1/transfers/{}" => ("transfer", Absent("transfer")),

        "GET /v1/webhook_endpoints" => ("webhook", List("webhook_endpoint", &[])),
        "POST /v1/webhook_endpoints" => ("webhook", Do(endpoints::create_call, endpoints::CREATE_PARAMS)),
        "GET /v1/webhook_endpoints/{}" => ("webhook", Retrieve("webhook_endpoint")),
        "POST /v1/webhook_endpoints/{}" => ("webhook", Do(endpoints::update, endpoints::UPDATE_PARAMS)),
        "DELETE /v1/webhook_endpoints/{}" => ("webhook", Do(endpoints::delete, &[])),
        _ => return None,
    };
    Some(found)
}

impl Route {
    /// Checks the parameters and answers.
    pub(crate) fn answer(&self, tx: &mut Tx, call: &Call, path: &str) -> Outcome<Value> {
        match &self.run {
            Run::Retrieve(kind) => {
                call.params.only(&["expand"])?;
                match tx.look(call.id()) {
                    // A deleted customer is still answered, as such.
                    Some(object)
                        if object.text("object") == *kind
                            && (!object.flag("deleted") || *kind == "customer") =>
                    {
                        Ok(object.clone())
                    }
                    _ => Err(Failure::missing(kind, call.id(), "id")),
                }
            }
            Run::List(kind, filters) => {
                let mut allowed = vec!["expand"];
                allowed.extend(lists::PARAMS);
                allowed.extend(filters.iter().map(|(param, _)| *param));
                call.params.only(&allowed)?;
                let mut wanted = Vec::new();
                for (param, field) in *filters {
                    if let Some(value) = call.params.text(param)? {
                        wanted.push((*field, value));
                    }
                }
                let takes = |object: &Value| {
                    !object.flag("deleted")
                        && wanted.iter().all(|(field, value)| object.text(field) == *value)
                };
                lists::page(&call.params, tx.all(kind), takes, path, kind)
            }
            Run::Absent(kind) => Err(Failure::missing(kind, call.id(), "id")),
            Run::Do(run, allowed) => {
                let allowed: Vec<&str> = allowed.iter().copied().chain(["expand"]).collect();
                call.params.only(&allowed)?;
                tx.follow(call.subjects());
                run(tx, call)
            }
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every handler may refuse")]
fn account(tx: &mut Tx, _: &Call) -> Outcome<Value> {
    Ok(json!({
        "id": tx.setting.account, "object": "account", "charges_enabled": true, "payouts_enabled": true,
        "country": "US", "default_currency": "usd", "type": "standard", "email": null, "details_submitted": true,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_the_path() {
        let ids = |method, path| find(method, path).map(|(_, ids)| ids);
        assert_eq!(ids("GET", "/v1/invoices/in_1"), Some(vec!["in_1".into()]));
        assert_eq!(ids("GET", "/v1/radar/early_fraud_warnings/issfr_1"), Some(vec!["issfr_1".into()]));
        assert_eq!(
            ids("GET", "/v1/customers/cus_1/balance_transactions/cbtxn_1"),
            Some(vec!["cus_1".into(), "cbtxn_1".into()])
        );
        assert_eq!(ids("GET", "/v1/charges/search"), Some(vec![]));
        assert_eq!(ids("GET", "/v2/core/events/evt_1"), Some(vec!["evt_1".into()]));
        assert_eq!(ids("PUT", "/v1/invoices/in_1"), None);
        assert_eq!(ids("GET", "/v1/nothing"), None);
    }
}
