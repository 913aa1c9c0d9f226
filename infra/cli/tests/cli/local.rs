//! `local`: ready in one line, gone at a signal, and nothing lost by a kill.

use serde_json::{Value, json};

use crate::support::{Folder, Local, Ran};

/// An event about an object that Stripe does not have: it is decided all the same.
fn event(id: &str) -> Value {
    json!({
        "id": id,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1_790_000_000,
        "livemode": false,
        "pending_webhooks": 1,
        "request": null,
        "type": "invoice.paid",
        "data": { "object": { "id": "in_1Test", "object": "invoice", "customer": "cus_1Test" } },
    })
}

fn is_decided(id: &str) -> impl Fn(&Value) -> bool {
    move |board| {
        let events = board["events"].as_array().unwrap();
        events.iter().any(|event| event["id"] == id && event["outcome"] == "decided")
    }
}

#[tokio::test]
async fn one_line_says_where_everything_is_and_a_signal_ends_it() {
    let local = Local::start(&["--no-seed"]);
    assert_eq!(local.ready["ready"], true);
    for name in
        ["dynamodb", "sqs", "secrets", "stripe", "slack", "oidc", "hubspot", "zendesk", "application", "ses"]
    {
        assert!(local.at(name).starts_with("http://127.0.0.1:"), "{name}: {}", local.at(name));
    }
    assert!(local.at("webhook_secret").starts_with("whsec_"));
    assert_eq!(local.at("console"), format!("{}/_console", local.at("api")));
    assert_eq!(local.deliver(&event("evt_1")).await, 200);
    local.until("the event is decided", is_decided("evt_1")).await;
    let (code, rest) = local.signal("INT");
    assert_eq!((code, rest.as_str()), (Some(0), ""), "standard output has one line and no more");
}

#[tokio::test]
async fn the_console_is_for_local_names_only_and_brings_its_own_policy() {
    let local = Local::start(&["--no-seed"]);
    let page = local.get("/_console").await;
    assert_eq!(page.status().as_u16(), 200);
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let http = runtime::http::client(&[&runtime::http::Base::parse(local.at("api")).unwrap()]).unwrap();
    let elsewhere =
        http.get(local.at("console")).header("host", "rebound.example.test").send().await.unwrap();
    assert_eq!(elsewhere.status().as_u16(), 421);
}

#[tokio::test]
async fn state_survives_a_kill() {
    let folder = Folder::new();
    let start = || Local::start(&["--no-seed", "--data", folder.text()]);
    let first = start();
    let secret = first.at("webhook_secret").to_owned();
    assert_eq!(first.deliver(&event("evt_before")).await, 200);
    first.until("the event is decided", is_decided("evt_before")).await;
    // Neither of the two is stopped in an orderly way.
    drop(first);
    let second = start();
    assert_eq!(second.at("webhook_secret"), secret);
    second.until("what was decided is known", is_decided("evt_before")).await;
    assert_eq!(second.deliver(&event("evt_after")).await, 200);
    let board = second.until("the pipeline goes on", is_decided("evt_after")).await;
    assert_eq!(board["totals"]["cases"], 1, "both events feed one case");
    let verified = Ran::new(&["trail", "verify", "--api", second.at("api")]);
    assert_eq!((verified.code, verified.out.as_str()), (0, "1 chains with 2 entries hold\n"));
    assert_eq!(second.signal("TERM").0, Some(0));
}

#[tokio::test]
async fn a_seeded_day_ends_decided_and_asks_for_signatures() {
    let folder = Folder::new();
    let local = Local::start(&["--data", folder.text()]);
    let board = local
        .until("the day is worked through", |board| {
            let queues = board["queues"].as_array().unwrap();
            let idle = queues.iter().all(|queue| queue["waiting"] == 0 && queue["in_flight"] == 0);
            idle && board["totals"]["pending"].as_u64() > Some(0)
                && board["totals"]["cases"].as_u64() > Some(100)
        })
        .await;
    let totals = &board["totals"];
    assert!(totals["events"].as_u64() >= Some(200), "{totals}");
    assert!(totals["duplicates"].as_u64() > Some(0), "{totals}");
    assert!(board["queues"].as_array().unwrap().iter().all(|queue| queue["dead"] == 0), "{board}");
    let page = local.get("/_console").await.text().await.unwrap();
    assert!(page.contains("Review and sign"), "the console offers an approval");
    for system in ["slack", "hubspot", "zendesk", "application", "ses", "model"] {
        assert!(page.contains(local.at(system)), "the console links {system}");
    }
    let steps = |kind: &str, state: &str| {
        let rows = board["steps"].as_array().unwrap().iter();
        rows.filter(|row| row["kind"] == kind && row["state"] == state).count()
    };
    assert!(steps("note", "done") > 0, "work landed in the CRM: {}", board["steps"]);
    assert_eq!(steps("note", "failed") + steps("task", "failed"), 0, "{}", board["steps"]);
    let crm = local.page("hubspot").await;
    assert!(
        crm.contains("Enterprise") && crm.contains("hs_note_body"),
        "accounts with what is known of them"
    );
    assert!(local.page("zendesk").await.contains("Money back"), "what customers wrote");
    let application = local.page("application").await;
    assert!(application.contains("has access") && application.contains("provided"), "{application}");
    assert!(local.page("ses").await.contains("Nothing was sent"), "no message goes out unsigned");
    let model = local.page("model").await;
    assert!(model.contains("The object is") && !model.contains("Nobody has asked"), "a model was asked");
    assert!(!model.contains("@example.test"), "no address goes to a model");
    assert!(
        !page.contains("canary") && !board.to_string().contains("canary"),
        "no personal data on the console"
    );
    let verified = Ran::new(&["trail", "verify", "--api", local.at("api")]);
    assert_eq!(verified.code, 0, "{}", verified.out);

    let events = totals["events"].clone();
    drop(local);
    let again = Local::start(&["--data", folder.text()]);
    assert_eq!(again.board().await["totals"]["events"], events, "a folder is seeded once");
}
