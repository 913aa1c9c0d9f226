//! Every request that the official SDK was recorded to send is answered.

use serde_json::{Value, json};

use crate::{
    schema::{faults_of, fixture},
    support::{Bench, Made, answer, id},
};

/// The recorded ids as those of the account, prepared for the request.
fn prepare(bench: &Bench, name: &str) -> Vec<(&'static str, String)> {
    let stripe = &bench.stripe;
    let made: Made = bench.with_invoice();
    let set = |id: &str, field: &str, value: Value| {
        let mut object = stripe.object(id).unwrap();
        object[field] = value;
        stripe.put_object(&object).unwrap();
    };
    let mut invoice = made.invoice.clone();
    let mut others = vec![];
    match name {
        "invoice_pay"
        | "invoice_pay_with_pm"
        | "invoice_paid_out_of_band"
        | "invoice_void"
        | "invoice_send"
        | "invoice_mark_uncollectible" => {
            invoice = id(&stripe.open_invoice(&made.customer, 700, "usd").unwrap());
        }
        "invoice_finalize" => {
            let pause = "pause_collection[behavior]=keep_as_draft";
            stripe.request("POST", &format!("/v1/subscriptions/{}", made.subscription), pause).unwrap();
            invoice = id(&stripe.renew(&made.subscription).unwrap().unwrap());
        }
        "subscription_resume" => {
            stripe.request("POST", &format!("/v1/subscriptions/{}/pause", made.subscription), "").unwrap();
        }
        "refund_cancel" => {
            let refund = id(&stripe.refund(&made.charge, Some(100), "duplicate").unwrap());
            set(&refund, "status", json!("requires_action"));
            others.push(("re_1", refund));
        }
        "credit_note_lines_refunds" => {
            let refund = id(&stripe.refund(&made.charge, Some(200), "duplicate").unwrap());
            others.push(("re_1", refund));
            let mut lines = stripe.object(&invoice).unwrap()["lines"].clone();
            lines["data"][0]["id"] = json!("il_1");
            lines["data"][0]["amount"] = json!(100);
            set(&invoice, "lines", lines);
        }
        "credit_note_void" => {
            let open = id(&stripe.open_invoice(&made.customer, 700, "usd").unwrap());
            let note =
                stripe.request("POST", "/v1/credit_notes", &format!("invoice={open}&amount=100")).unwrap();
            others.push(("cn_1", id(&note)));
        }
        "dispute_stage" | "dispute_submit" | "dispute_ce3" | "dispute_close" | "get_dispute" => {
            let dispute = stripe.open_dispute(&made.charge, "fraudulent", 4900, 1_791_000_000).unwrap();
            others.push(("du_1", id(&dispute)));
        }
        "get_event" | "get_v2_event" | "list_events" => {
            let event = id(stripe.events().last().unwrap());
            others.extend([("evt_test_1", event.clone()), ("evt_1", event.clone()), ("evt_0", event)]);
        }
        _ => {}
    }
    others.extend([
        ("cus_1", made.customer),
        ("sub_1", made.subscription),
        ("in_1", invoice),
        ("ch_1", made.charge),
        ("pi_1", made.intent),
        ("pm_1", made.method),
    ]);
    others
}

#[tokio::test]
async fn every_recorded_request_is_answered_in_stripes_shape() {
    let recorded = fixture("wire_requests.json");
    let mut answered = 0;
    for request in recorded["requests"].as_array().unwrap() {
        let name = request["name"].as_str().unwrap();
        let bench = Bench::new().await;
        let ids = prepare(&bench, name);
        let real = |text: &Value| {
            let text = text.as_str().unwrap_or_default().to_owned();
            ids.iter().fold(text, |text, (recorded, id)| text.replace(recorded, id))
        };
        let (method, path, query) =
            (request["method"].as_str().unwrap(), real(&request["path"]), real(&request["query"]));
        let mut sent = bench.request(method, &format!("{path}?{query}")).body(real(&request["body"]));
        for header in ["idempotency-key", "stripe-version", "stripe-account", "content-type"] {
            if let Some(value) = request["headers"][header].as_str() {
                sent = sent.header(header, value);
            }
        }
        let got = answer(sent.send().await.unwrap()).await;
        assert_eq!(got.status, 200, "{name}: {}", got.body);
        if got.body.get("object").is_some() {
            assert_eq!(faults_of(&got.body), Vec::<String>::new(), "{name}: {:#}", got.body);
        }
        answered += 1;
    }
    assert_eq!(answered, 39);
}
