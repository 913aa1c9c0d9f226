//! Invoices, their items, prices and subscriptions made by request.

use serde_json::{Value, json};

use crate::{
    schema::{faults, faults_of},
    support::{Bench, NOW, id},
};

/// A customer whose default is this test card.
async fn customer(bench: &Bench, card: &str) -> String {
    let customer = id(&bench.post("/v1/customers", "name=Customer+17").await.body);
    bench.stripe.attach_card(&customer, card).unwrap();
    customer
}

/// A draft of 20.00 with what the form adds.
async fn draft(bench: &Bench, customer: &str, form: &str) -> Value {
    bench.post("/v1/invoiceitems", &format!("customer={customer}&amount=2000&currency=usd")).await;
    let form = format!("customer={customer}&pending_invoice_items_behavior=include&{form}");
    let made = bench.post("/v1/invoices", &form).await;
    assert_eq!(made.status, 200, "{}", made.body);
    made.body
}

fn kinds(bench: &Bench, since: usize) -> Vec<String> {
    let events = bench.stripe.events();
    events[since..].iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_waits_is_billed_by_the_next_invoice_that_includes_it() {
    let bench = Bench::new().await;
    let customer = customer(&bench, "pm_card_visa").await;
    let form = format!("customer={customer}&amount=2000&currency=usd&description=Setup&metadata[a]=b");
    let item = bench.post("/v1/invoiceitems", &form).await.body;
    assert_eq!(faults_of(&item), Vec::<String>::new());
    assert_eq!(bench.stripe.object(&customer).unwrap()["currency"], "usd", "the first currency binds");
    let empty = bench.post("/v1/invoices", &format!("customer={customer}")).await.body;
    assert_eq!((empty["total"].as_i64(), empty["status"].as_str()), (Some(0), Some("draft")));
    assert_eq!((&empty["auto_advance"], &empty["billing_reason"]), (&json!(false), &json!("manual")));

    let form = format!("customer={customer}&pending_invoice_items_behavior=include");
    let full = bench.post("/v1/invoices", &form).await.body;
    assert_eq!(faults_of(&full), Vec::<String>::new(), "{full:#}");
    let line = &full["lines"]["data"][0];
    assert_eq!((full["total"].as_i64(), line["description"].as_str()), (Some(2000), Some("Setup")));
    assert_eq!(line["parent"]["invoice_item_details"]["invoice_item"], item["id"]);
    let waiting = bench.get(&format!("/v1/invoiceitems?customer={customer}&pending=true")).await.body;
    assert_eq!(waiting["data"], json!([]));
    let again = bench.post("/v1/invoices", &form).await.body;
    assert_eq!(again["total"], 0, "an item is billed once");
}

#[tokio::test]
async fn the_items_of_a_draft_can_change_until_it_is_finalized() {
    let bench = Bench::new().await;
    let customer = customer(&bench, "pm_card_visa").await;
    let invoice = id(&draft(&bench, &customer, "").await);
    let total = || bench.stripe.object(&invoice).unwrap()["total"].as_i64();
    let form =
        format!("customer={customer}&invoice={invoice}&unit_amount_decimal=300&quantity=3&currency=usd");
    let added = bench.post("/v1/invoiceitems", &form).await.body;
    assert_eq!((added["amount"].as_i64(), total()), (Some(900), Some(2900)));
    let path = format!("/v1/invoiceitems/{}", id(&added));
    bench.post(&path, "quantity=1").await;
    assert_eq!(total(), Some(2300));
    let gone = bench.request("DELETE", &path).send().await.unwrap();
    assert_eq!((gone.status().as_u16(), total()), (200, Some(2000)));
    assert_eq!(bench.count("invoiceitem.deleted"), 1);
    bench.post(&format!("/v1/invoices/{invoice}/finalize"), "").await;
    let late = bench.post("/v1/invoiceitems", &form).await;
    assert_eq!((late.status, late.error("code")), (400, Some("invoice_not_editable")));
    let euros = format!("customer={customer}&invoice={invoice}&amount=1&currency=eur");
    assert_eq!(bench.post("/v1/invoiceitems", &euros).await.status, 400);
}

#[tokio::test]
async fn a_draft_is_finalized_paid_and_told_step_by_step() {
    let bench = Bench::new().await;
    let customer = customer(&bench, "pm_card_visa").await;
    let invoice = id(&draft(&bench, &customer, "description=One+off&metadata[order]=6735").await);
    let since = bench.stripe.events().len();
    let open = bench.post(&format!("/v1/invoices/{invoice}/finalize"), "").await.body;
    assert_eq!((open["status"].as_str(), open["next_payment_attempt"].as_i64()), (Some("open"), None));
    assert!(open["number"].as_str().is_some() && open["hosted_invoice_url"].as_str().is_some());
    assert_eq!(kinds(&bench, since), ["payment_intent.created", "invoice.updated", "invoice.finalized"]);
    let since = bench.stripe.events().len();
    let paid = bench.post(&format!("/v1/invoices/{invoice}/pay"), "").await.body;
    assert_eq!((paid["status"].as_str(), paid["amount_paid"].as_i64()), (Some("paid"), Some(2000)));
    assert_eq!(faults_of(&paid), Vec::<String>::new());
    assert_eq!(
        kinds(&bench, since),
        [
            "charge.succeeded",
            "payment_intent.succeeded",
            "invoice_payment.paid",
            "invoice.updated",
            "invoice.paid",
            "invoice.payment_succeeded"
        ]
    );
    for event in bench.stripe.events() {
        assert_eq!(faults_of(&event["data"]["object"]), Vec::<String>::new(), "{}", event["type"]);
    }
}

#[tokio::test]
async fn only_drafts_of_no_subscription_can_be_deleted() {
    let bench = Bench::new().await;
    let customer = customer(&bench, "pm_card_visa").await;
    let invoice = id(&draft(&bench, &customer, "").await);
    let path = format!("/v1/invoices/{invoice}");
    let delete = async || bench.request("DELETE", &path).send().await.unwrap().status().as_u16();
    assert_eq!(delete().await, 200);
    assert_eq!((bench.count("invoice.deleted"), bench.get(&path).await.status), (1, 404));
    assert_eq!(bench.get("/v1/invoices").await.body["data"], json!([]));
    let made = bench.with_invoice();
    let paid = bench.request("DELETE", &format!("/v1/invoices/{}", made.invoice)).send().await.unwrap();
    assert_eq!(paid.status(), 400);
}

#[tokio::test]
async fn an_invoice_that_is_sent_has_a_due_date_and_no_attempts() {
    let bench = Bench::new().await;
    let customer = customer(&bench, "pm_card_visa").await;
    let both = format!("customer={customer}&collection_method=send_invoice");
    assert_eq!(bench.post("/v1/invoices", &both).await.error("param"), Some("days_until_due"));
    let invoice =
        draft(&bench, &customer, "collection_method=send_invoice&days_until_due=7&auto_advance=true").await;
    assert_eq!(invoice["due_date"], NOW + 7 * 86_400);
    assert_eq!(
        (invoice["automatically_finalizes_at"].as_i64(), invoice["next_payment_attempt"].as_i64()),
        (Some(NOW + 3600), None)
    );
    let sent = bench.post(&format!("/v1/invoices/{}/send", id(&invoice)), "").await.body;
    assert_eq!((sent["status"].as_str(), bench.count("invoice.sent")), (Some("open"), 1));
}

#[tokio::test]
async fn a_draft_that_advances_is_finalized_after_an_hour_and_charged() {
    let bench = Bench::new().await;
    let customer = customer(&bench, "pm_card_visa").await;
    let invoice = draft(&bench, &customer, "auto_advance=true").await;
    let status = || bench.stripe.object(&id(&invoice)).unwrap()["status"].clone();
    bench.clock.advance(std::time::Duration::from_mins(59));
    bench.stripe.bill_due().unwrap();
    assert_eq!(status(), "draft");
    bench.clock.advance(std::time::Duration::from_mins(1));
    bench.stripe.bill_due().unwrap();
    assert_eq!(status(), "paid");
    let stays = draft(&bench, &customer, "").await;
    bench.clock.advance(std::time::Duration::from_hours(24));
    bench.stripe.bill_due().unwrap();
    assert_eq!(
        bench.stripe.object(&id(&stays)).unwrap()["status"],
        "draft",
        "nobody asked for it to advance"
    );
    bench.post(&format!("/v1/invoices/{}/finalize", id(&stays)), "auto_advance=true").await;
    bench.clock.advance(std::time::Duration::from_hours(1));
    bench.stripe.bill_due().unwrap();
    assert_eq!(bench.stripe.object(&id(&stays)).unwrap()["status"], "paid");
}

#[tokio::test]
async fn a_finalized_invoice_keeps_what_it_says() {
    let bench = Bench::new().await;
    let customer = customer(&bench, "pm_card_visa").await;
    let path = format!("/v1/invoices/{}", id(&draft(&bench, &customer, "").await));
    let changed = bench.post(&path, "footer=Thanks&auto_advance=true&metadata[a]=b").await.body;
    assert_eq!((changed["footer"].as_str(), changed["metadata"]["a"].as_str()), (Some("Thanks"), Some("b")));
    assert_eq!(changed["automatically_finalizes_at"], NOW + 3600);
    bench.post(&format!("{path}/finalize"), "").await;
    let late = bench.post(&path, "footer=No").await;
    assert_eq!((late.status, late.error("param")), (400, Some("footer")));
    assert_eq!(bench.post(&path, "metadata[a]=c").await.status, 200);
}

#[tokio::test]
async fn products_prices_and_plans_change_and_go() {
    let bench = Bench::new().await;
    let product = bench.post("/v1/products", "name=Team&description=All+of+it").await.body;
    assert_eq!(bench.stripe.events()[0]["data"]["object"]["description"], "All of it");
    let form = format!("product={}&currency=USD&unit_amount=1500&recurring[interval]=year", id(&product));
    let price = bench.post("/v1/prices", &form).await.body;
    assert_eq!((faults_of(&price), price["currency"].as_str()), (vec![], Some("usd")));
    let plan = bench.get(&format!("/v1/plans/{}", id(&price))).await.body;
    assert_eq!((faults_of(&plan), plan["interval"].as_str()), (vec![], Some("year")));
    assert_eq!((bench.count("price.created"), bench.count("plan.created")), (1, 1));
    bench.post(&format!("/v1/prices/{}", id(&price)), "metadata[a]=b").await;
    assert_eq!((bench.count("price.updated"), bench.count("plan.updated")), (1, 1));
    let delete = async |path: &str| bench.request("DELETE", path).send().await.unwrap().status().as_u16();
    let path = format!("/v1/products/{}", id(&product));
    assert_eq!(delete(&path).await, 400, "it has a price");
    assert_eq!(delete(&format!("/v1/plans/{}", id(&price))).await, 200);
    assert_eq!((delete(&path).await, bench.get(&path).await.status), (200, 404));
    let plan =
        bench.post("/v1/plans", "currency=usd&interval=month&amount=2000&product[name]=Solo").await.body;
    assert_eq!((faults_of(&plan), bench.count("product.created")), (vec![], 2));
    assert_eq!(bench.get("/v1/plans").await.body["data"].as_array().unwrap().len(), 1);
}

/// A monthly price of this many minor units.
async fn price(bench: &Bench, amount: i64) -> String {
    let form = format!("product_data[name]=P&currency=usd&unit_amount={amount}&recurring[interval]=month");
    id(&bench.post("/v1/prices", &form).await.body)
}

#[tokio::test]
async fn a_subscription_bills_all_its_items_and_what_waits() {
    let bench = Bench::new().await;
    let customer = customer(&bench, "pm_card_visa").await;
    let (one, other) = (price(&bench, 1000).await, price(&bench, 70).await);
    bench.post("/v1/invoiceitems", &format!("customer={customer}&amount=5&currency=usd")).await;
    let form = format!(
        "customer={customer}&items[0][price]={one}&items[1][price]={other}&items[1][quantity]=3&metadata[a]=b"
    );
    let made = bench.post("/v1/subscriptions", &form).await.body;
    assert_eq!((faults_of(&made), made["status"].as_str()), (vec![], Some("active")));
    let created = bench.stripe.events();
    let created = created.iter().find(|event| event["type"] == "customer.subscription.created").unwrap();
    assert_eq!(created["data"]["object"]["metadata"]["a"], "b");
    let invoice = bench.stripe.object(made["latest_invoice"].as_str().unwrap()).unwrap();
    let amounts: Vec<_> =
        invoice["lines"]["data"].as_array().unwrap().iter().map(|line| &line["amount"]).collect();
    assert_eq!(
        (invoice["total"].as_i64(), amounts),
        (Some(1215), vec![&json!(1000), &json!(210), &json!(5)])
    );
    assert_eq!(invoice["lines"]["data"][0]["period"], json!({ "start": NOW, "end": NOW + 30 * 86_400 }));
    let one_off = "product_data[name]=P&currency=usd&unit_amount=1";
    let one_off = id(&bench.post("/v1/prices", one_off).await.body);
    let form = format!("customer={customer}&items[0][price]={one_off}");
    assert_eq!(bench.post("/v1/subscriptions", &form).await.error("param"), Some("items[0][price]"));
}

#[tokio::test]
async fn the_first_payment_decides_as_the_request_wants() {
    let bench = Bench::new().await;
    let price = price(&bench, 1000).await;
    let poor = customer(&bench, "pm_card_chargeCustomerFail").await;
    let form = format!("customer={poor}&items[0][price]={price}");
    let made = bench.post("/v1/subscriptions", &form).await.body;
    assert_eq!((made["status"].as_str(), bench.count("invoice.payment_failed")), (Some("incomplete"), 1));
    let before = bench.stripe.events().len();
    let strict =
        bench.post("/v1/subscriptions", &format!("{form}&payment_behavior=error_if_incomplete")).await;
    assert_eq!((strict.status, strict.error("code")), (402, Some("card_declined")));
    assert_eq!(bench.stripe.events().len(), before, "there is no subscription");
    let waits =
        bench.post("/v1/subscriptions", &format!("{form}&payment_behavior=default_incomplete")).await.body;
    let invoice = bench.stripe.object(waits["latest_invoice"].as_str().unwrap()).unwrap();
    assert_eq!((&invoice["status"], &invoice["attempted"]), (&json!("open"), &json!(false)));
    let without = id(&bench.post("/v1/customers", "name=Customer+18").await.body);
    let refused =
        bench.post("/v1/subscriptions", &format!("customer={without}&items[0][price]={price}")).await;
    assert_eq!((refused.status, refused.error("code")), (400, Some("resource_missing")));
    let sent =
        format!("customer={without}&items[0][price]={price}&collection_method=send_invoice&days_until_due=9");
    let sent = bench.post("/v1/subscriptions", &sent).await.body;
    assert_eq!(sent["status"], "active");
    let invoice = bench.stripe.object(sent["latest_invoice"].as_str().unwrap()).unwrap();
    assert_eq!((&invoice["status"], invoice["due_date"].as_i64()), (&json!("draft"), Some(NOW + 9 * 86_400)));
}

#[tokio::test]
async fn the_default_payment_method_must_be_the_customers() {
    let bench = Bench::new().await;
    let form = "payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa";
    let made = bench.post("/v1/customers", form).await.body;
    let default = made["invoice_settings"]["default_payment_method"].as_str().unwrap();
    assert_eq!(bench.stripe.object(default).unwrap()["customer"], made["id"]);
    let other = bench.post("/v1/customers", "invoice_settings[default_payment_method]=pm_card_visa").await;
    assert_eq!(other.status, 400);
    let path = format!("/v1/payment_methods/{default}/detach");
    bench.post(&path, "").await;
    let customer = bench.stripe.object(&id(&made)).unwrap();
    assert_eq!(customer["invoice_settings"]["default_payment_method"], Value::Null);
    let again = bench
        .post(&format!("/v1/payment_methods/{default}/attach"), &format!("customer={}", id(&made)))
        .await;
    assert_eq!(again.status, 400, "detached for good");
}

#[tokio::test]
async fn the_balance_is_what_was_booked() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let balance = bench.get("/v1/balance").await.body;
    assert_eq!(faults("balance", &balance), Vec::<String>::new());
    let booked = bench.get(&format!("/v1/balance_transactions?source={}", made.charge)).await.body;
    let net = &booked["data"][0]["net"];
    assert_eq!((&balance["pending"][0]["amount"], &balance["available"][0]["amount"]), (net, &json!(0)));
    bench.clock.advance(std::time::Duration::from_hours(48));
    assert_eq!(&bench.get("/v1/balance").await.body["available"][0]["amount"], net);
}
