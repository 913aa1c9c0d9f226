//! A customer's credit balance (<https://docs.stripe.com/api/customer_balance_transactions>) and the
//! account's balance (<https://docs.stripe.com/api/balance>) with its transactions (<https://docs.stripe.com/api/balance_transactions>).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::stripe::{
    document::{Document as _, merge_metadata, with_nulls},
    failure::{Failure, Outcome},
    lists,
    routes::Call,
    store::Tx,
};

const KIND: &str = "customer_balance_transaction";

/// Moves a customer's balance by `amount` minor units; negative is credit for the customer.
pub(crate) fn adjust(
    tx: &mut Tx,
    customer: &str,
    amount: i64,
    currency: &str,
    kind: &str,
    credit_note: Option<&str>,
) -> Outcome<Value> {
    let mut customer = tx.get("customer", customer, "customer")?;
    if customer.maybe("currency").is_some_and(|own| own != currency) {
        return Err(Failure::parameter(
            "currency",
            format!(
                "The currency must match the customer's currency, which is {}.",
                customer.text("currency")
            ),
        ));
    }
    let balance = customer.int("balance") + amount;
    customer.set("balance", balance);
    customer.set("currency", currency);
    let transaction = with_nulls(
        json!({
            "id": tx.fresh("cbtxn_"),
            "object": KIND,
            "amount": amount,
            "created": tx.now,
            "credit_note": credit_note,
            "currency": currency,
            "customer": customer.id(),
            "ending_balance": balance,
            "livemode": false,
            "metadata": {},
            "type": kind,
        }),
        &["checkout_session", "customer_account", "description", "invoice"],
    );
    tx.put(&transaction);
    tx.update(&customer, "customer.updated");
    Ok(transaction)
}

/// `POST /v1/customers/{id}/balance_transactions`
pub(crate) fn create(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let amount = params.int("amount")?.ok_or_else(|| Failure::required("amount"))?;
    if amount == 0 {
        return Err(Failure::parameter("amount", "The amount must not be zero."));
    }
    let currency = params.required("currency")?.to_lowercase();
    let mut transaction = adjust(tx, call.id(), amount, &currency, "adjustment", None)?;
    if let Some(description) = params.text("description")? {
        transaction.set("description", description);
    }
    merge_metadata(&mut transaction, params.raw("metadata"));
    tx.put(&transaction);
    Ok(transaction)
}

/// `GET /v1/customers/{id}/balance_transactions/{id}`
pub(crate) fn retrieve(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let id = call.ids.get(1).map_or("", String::as_str);
    let transaction = tx.get(KIND, id, "transaction")?;
    if transaction.text("customer") == call.id() {
        Ok(transaction)
    } else {
        Err(Failure::missing(KIND, id, "transaction"))
    }
}

/// `GET /v1/customers/{id}/balance_transactions`
pub(crate) fn of_customer(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    tx.get("customer", call.id(), "customer")?;
    let found = tx.with(KIND, "customer", call.id());
    lists::page(
        &call.params,
        &found,
        |_| true,
        &format!("/v1/customers/{}/balance_transactions", call.id()),
        KIND,
    )
}

/// Books money of the account, in minor units; a charge costs 2.9 % and 30.
pub(crate) fn book(tx: &mut Tx, kind: &str, amount: i64, fee: i64, currency: &str, source: &str) -> Value {
    let details = json!([{
        "amount": fee, "application": null, "currency": currency, "description": "Stripe processing fees",
        "type": "stripe_fee",
    }]);
    let category = match kind {
        "adjustment" => "dispute",
        other => other,
    };
    let transaction = with_nulls(
        json!({
            "id": tx.fresh("txn_"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": tx.now + 2 * 86_400,
            "balance_type": "payments",
            "created": tx.now,
            "currency": currency,
            "fee": fee,
            "fee_details": if fee == 0 { json!([]) } else { details },
            "net": amount - fee,
            "reporting_category": category,
            "source": source,
            "status": "pending",
            "type": kind,
        }),
        &["description", "exchange_rate"],
    );
    tx.put(&transaction);
    transaction
}

/// The money of a transaction is there now.
pub(crate) fn release(tx: &mut Tx, transaction: &str) {
    if let Some(mut transaction) = tx.look(transaction).cloned() {
        transaction.set("available_on", tx.now);
        transaction.set("status", "available");
        tx.put(&transaction);
        let balance = of_account(tx);
        tx.emit("balance.available", &balance);
    }
}

/// The account's balance, in the order of its currencies.
pub(crate) fn of_account(tx: &Tx) -> Value {
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for transaction in tx.all("balance_transaction") {
        let (there, coming) = sums.entry(transaction.text("currency")).or_default();
        let is_there = transaction.text("status") == "available" || transaction.int("available_on") <= tx.at;
        *(if is_there { there } else { coming }) += transaction.int("net");
    }
    let funds = |pick: fn(&(i64, i64)) -> i64| -> Vec<Value> {
        let each = sums.iter().map(|(currency, sums)| (currency, pick(sums)));
        each.map(|(currency, amount)| {
            json!({ "amount": amount, "currency": currency, "source_types": { "card": amount } })
        })
        .collect()
    };
    json!({
        "object": "balance", "available": funds(|sums| sums.0), "livemode": false, "pending": funds(|sums| sums.1),
    })
}

/// `GET /v1/balance`
#[expect(clippy::unnecessary_wraps, reason = "every handler may refuse")]
pub(crate) fn show(tx: &mut Tx, _: &Call) -> Outcome<Value> {
    Ok(of_account(tx))
}

/// The processing fee of a charge.
pub(crate) fn fee(amount: i64) -> i64 {
    amount * 29 / 1000 + 30
}
