//! `policy …` on the starter bundle and on changed copies of it.

use std::{fs, path::Path};

use domain::{
    CaseKey, CaseKind, ChargeId, Currency, CustomerId, InvoiceId, Money, ObjectId, PaymentIntentId,
    Timestamp,
    context::{
        Account, Application, Context, Conversations, History, Hour, IssuerHours, Part, Subject, Systems,
    },
    event::Origin,
    plan::Interlock,
    policy::{Example, Expect},
    snapshot::{
        Charge, ChargeStatus, Customer, Invoice, InvoicePayment, InvoiceStatus, PaymentError, PaymentIntent,
        PaymentIntentStatus, Read,
    },
};
use serde_json::Value;

use crate::support::{Folder, Ran};

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../policy");
const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

fn known<T>(value: T) -> Part<T> {
    Part::Known { value, read: NOW }
}

fn usd(amount: i64) -> Money {
    Money::new(amount, Currency::parse("usd").unwrap())
}

/// An expired card, on an account about which everything is known.
fn failed_payment(id: &str, amount: i64) -> Example {
    let error = PaymentError {
        code: Some("card_declined".into()),
        decline_code: Some("expired_card".into()),
        advice_code: None,
        payment_method: None,
    };
    let intent = PaymentIntent {
        id: PaymentIntentId::parse("pi_1").unwrap(),
        status: PaymentIntentStatus::RequiresPaymentMethod,
        last_error: Some(error),
        latest_charge: None,
    };
    let invoice = Invoice {
        id: InvoiceId::parse(id).unwrap(),
        customer: CustomerId::parse("cus_1").ok(),
        subscription: None,
        status: InvoiceStatus::Open,
        amount_due: usd(amount),
        amount_remaining: usd(amount),
        attempt_count: 1,
        next_payment_attempt: None,
        collection_method: None,
        billing_reason: None,
        created: NOW,
        has_payment_method: Some(true),
        payments: vec![InvoicePayment { status: "open".into(), intent: Some(intent) }],
    };
    let account = Account {
        id: "1".into(),
        annual_value: Some(usd(34_800)),
        renews: Some(NOW.plus(200 * 86_400)),
        segment: Some("Self-Serve".into()),
        ..Account::default()
    };
    let customer = Customer {
        id: CustomerId::parse("cus_1").unwrap(),
        deleted: false,
        delinquent: Some(false),
        name: None,
        email: None,
        locale: None,
    };
    let context = Context {
        event: None,
        origin: Origin::default(),
        subject: Subject::Invoice(Read::Found(invoice)),
        customer: CustomerId::parse("cus_1").ok(),
        at: NOW,
        livemode: false,
        profile: known(customer),
        account: known(account),
        conversations: known(Conversations::default()),
        application: known(Application::default()),
        history: known(History::default()),
        issuer: Part::not_asked(),
        contacts: Vec::new(),
        case_page: None,
        systems: Systems { crm: true, help_desk: true },
        subscription: Part::not_asked(),
        charge: Part::not_asked(),
        charges: known(Vec::new()),
        open_invoices: known(Vec::new()),
        disputes: known(Vec::new()),
        all_charges: true,
        open_cases: Vec::new(),
        frozen: false,
    };
    Example {
        title: "An expired card".into(),
        key: CaseKey::new(CaseKind::Recovery, ObjectId::parse(id).unwrap()),
        before: None,
        context,
        sources: None,
        exceptions: None,
        expect: Expect::default(),
    }
}

/// A charge for which support asked for a refund.
fn refund_asked() -> Charge {
    Charge {
        id: ChargeId::parse("ch_1").unwrap(),
        status: ChargeStatus::Succeeded,
        amount: usd(2900),
        amount_refunded: usd(0),
        disputed: false,
        captured: true,
        customer: CustomerId::parse("cus_1").ok(),
        payment_intent: None,
        latest_refund: None,
        outcome: None,
        refund_request: Some("requested_by_customer:500".into()),
        issuer: None,
        metadata: domain::snapshot::Metadata::default(),
        livemode: false,
        created: NOW,
    }
}

/// A copy of the starter bundle without its examples.
fn copy() -> Folder {
    let folder = Folder::new();
    for inner in ["", "rules", "templates"] {
        fs::create_dir_all(folder.path().join(inner)).unwrap();
        for file in fs::read_dir(Path::new(STARTER).join(inner)).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() {
                fs::copy(&path, folder.path().join(inner).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    // The starter relies on no other system; these tests are about one that does.
    change(&folder, "settings.toml", "sources = []", "sources = [\"crm\", \"help_desk\", \"application\"]");
    folder
}

fn change(folder: &Folder, file: &str, from: &str, to: &str) {
    let path = folder.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has `{from}`");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn put(folder: &Folder, file: &str, text: &str) {
    let path = folder.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn json(example: &Example) -> String {
    serde_json::to_string(example).unwrap()
}

#[test]
fn the_starter_bundle_passes_and_is_counted() {
    let ran = Ran::new(&["policy", "check", STARTER]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.error);
    assert!(ran.out.contains("policy 2026-12+") && ran.out.contains(" 0 errors, 0 warnings"), "{}", ran.out);
    let examples = ran.out.rsplit_once(" examples").unwrap().0.rsplit(' ').next().unwrap();
    assert!(examples.parse::<u32>().unwrap() >= 60, "{}", ran.out);
}

#[test]
fn an_example_is_checked_by_field_and_a_rule_that_it_reaches_is_not_warned_of() {
    let folder = copy();
    let mut example = failed_payment("in_1", 2900);
    put(&folder, "examples/card.json", &json(&example));
    let ran = Ran::new(&["policy", "check", folder.text()]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(!ran.out.contains("`agent-drafts-recovery`"), "the example reaches it: {}", ran.out);
    assert!(ran.out.contains("warning: rule `escalate-revenue` decides in no example"), "{}", ran.out);
    assert!(!ran.out.contains("`finance-signs-refunds`"), "no case reaches it: {}", ran.out);

    example.expect.escalated = Some(true);
    example.expect.steps = Some(Vec::new());
    put(&folder, "examples/card.json", &json(&example));
    let ran = Ran::new(&["policy", "check", folder.text()]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(
        ran.out.contains("card.json (An expired card): escalated: expected true, got false"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("steps: expected [], got [\"draft:recovery-update-card\""), "{}", ran.out);

    put(&folder, "examples/card.json", "{\n  \"titel\": \"\"\n}");
    let ran = Ran::new(&["policy", "check", folder.text()]);
    assert!(
        ran.code == 1 && ran.out.contains("card.json: this is no case: unknown field `titel`"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("line 2"), "{}", ran.out);
}

#[test]
fn an_example_that_is_like_another_is_checked_with_its_own_sources_and_exceptions() {
    let folder = copy();
    put(&folder, "examples/card.json", &json(&failed_payment("in_1", 2900)));
    let like = |more: &str, suppressed: &str| {
        let expect = format!("\"expect\": {{ \"suppressed\": {suppressed} }}");
        put(
            &folder,
            "examples/other.json",
            &format!("{{ \"title\": \"Other\", \"like\": \"card\"{more}, {expect} }}"),
        );
        Ran::new(&["policy", "check", folder.text()])
    };
    let lost = r#", "context": { "account": { "known": null, "missing": { "why": "timed_out" } } }"#;
    let ran = like(lost, r#"["missing_context"]"#);
    assert_eq!(ran.code, 0, "nobody to name to the owner of what may be an enterprise: {}", ran.out);
    let alone = format!(r#", "sources": []{lost}"#);
    let ran = like(&alone, "[]");
    assert_eq!(ran.code, 0, "it does not count on the CRM: {}", ran.out);
    let exception = r#", "exceptions": [{ "customer": "cus_1", "kind": "no_dunning", "until": "2099-12-31",
                       "owner": "finance lead", "reason": "agreed" }]"#;
    let ran = like(exception, r#"["exception"]"#);
    assert_eq!(ran.code, 0, "{}", ran.out);

    put(&folder, "examples/other.json", r#"{ "title": "Other", "like": "nothing" }"#);
    let ran = Ran::new(&["policy", "check", folder.text()]);
    assert!(ran.code == 1 && ran.out.contains("other.json: this is no case"), "{}", ran.out);
    assert!(ran.out.contains("it is like `nothing`") && ran.out.contains("nothing.json"), "{}", ran.out);
}

#[test]
fn mistakes_are_told_with_file_and_line_and_a_rule_that_can_never_decide_by_its_name() {
    let folder = copy();
    put(
        &folder,
        "rules/more.cedar",
        "// A comment.\n\n@id(\"x\")\n@reason(\"y\")\npermit (principal, action resource);\n",
    );
    let ran = Ran::new(&["policy", "check", folder.text()]);
    assert!(ran.code == 1 && ran.out.contains("`rules/more.cedar`: line 5: "), "{}", ran.out);

    put(
        &folder,
        "rules/more.cedar",
        "@id(\"x\")\n@reason(\"y\")\npermit (principal, action == Action::\"alert\", resource)\nwhen { resource.nothing };\n",
    );
    let ran = Ran::new(&["policy", "check", folder.text()]);
    assert!(ran.code == 1 && ran.out.contains("`rules/more.cedar`: line "), "{}", ran.out);

    put(
        &folder,
        "rules/more.cedar",
        "@id(\"no-alerts\")\n@reason(\"y\")\nforbid (principal, action == Action::\"alert\", resource);\n",
    );
    let ran = Ran::new(&["policy", "check", folder.text()]);
    let line = "error: rule `agent-alerts` can never decide, since `no-alerts` always forbids the same";
    assert!(ran.code == 1 && ran.out.contains(line), "{}", ran.out);
    let other = Ran::new(&["policy", "check", "/nowhere"]);
    assert!(other.code == 1 && other.out.contains("/nowhere"), "{}", other.out);
}

#[test]
fn a_bundle_that_grows_bolder_with_less_known_is_refused() {
    let folder = copy();
    let mut example = failed_payment("in_1", 2900);
    example.context.subject = Subject::Charge(Read::Found(refund_asked()));
    example.key = CaseKey::new(CaseKind::Charge, ObjectId::parse("ch_1").unwrap());
    put(&folder, "examples/refund.json", &json(&example));
    let ran = Ran::new(&["policy", "check", folder.text()]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let rule = "@id(\"x\")\n@reason(\"y\")\nforbid (principal, action == Action::\"request\", resource)\n\
                unless { resource.missing.contains(\"crm\") };\n";
    put(&folder, "rules/more.cedar", rule);
    let ran = Ran::new(&["policy", "check", folder.text()]);
    let line = "(An expired card): without `account` it adds the step `request`";
    assert!(ran.code == 1 && ran.out.contains(line), "{}", ran.out);
}

#[test]
fn an_issuer_of_whom_nothing_is_known_is_no_reason_to_write() {
    let folder = copy();
    let mut example = failed_payment("in_1", 2900);
    let hour = NOW.seconds() / 3600;
    let outage = IssuerHours([(hour, Hour { tried: 50, declined: 50 })].into());
    example.context.issuer = known(outage);
    example.expect.suppressed = Some([Interlock::IssuerOutage].into());
    put(&folder, "examples/outage.json", &json(&example));
    let ran = Ran::new(&["policy", "check", folder.text()]);
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn a_decision_is_explained_with_its_rules_and_the_words_of_its_draft() {
    let folder = Folder::new();
    put(&folder, "case.json", &json(&failed_payment("in_1", 250_000)));
    let file = format!("{}/case.json", folder.text());
    let ran = Ran::new(&["policy", "explain", "--case", &file, "--policy", STARTER]);
    assert_eq!(ran.code, 0, "{}", ran.error);
    for words in [
        "Found: invalid_payment_method (self_serve)",
        "The amount is above the threshold for single cases. [escalate-revenue]",
        "[agent-drafts-recovery]",
        "draft:recovery-update-card (kept: a person sends it)",
        "we could not collect",
        "2,500.00",
        "Next: ",
    ] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    let ran = Ran::new(&["policy", "explain", "--case", &file, "--policy", STARTER, "--json"]);
    let whole: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(whole["decision"]["classification"]["bucket"], "invalid_payment_method");
    assert_eq!(whole["case"], "recovery:in_1");
    let missing = Ran::new(&["policy", "explain", "--case", "/nowhere.json", "--policy", STARTER]);
    assert!(missing.code == 2 && missing.error.contains("/nowhere.json"), "{}", missing.error);
}

#[test]
fn what_is_held_back_is_explained_in_words() {
    let folder = copy();
    let mut example = failed_payment("in_1", 2900);
    example.context.account = Part::Missing { why: "timed_out".into() };
    put(&folder, "case.json", &json(&example));
    let file = format!("{}/case.json", folder.text());
    let ran = Ran::new(&["policy", "explain", "--case", &file, "--policy", folder.text()]);
    assert!(ran.out.contains("[floor-missing]") && ran.out.contains("Looked at again at"), "{}", ran.out);
}

#[test]
fn changes_of_rules_settings_and_templates_are_a_line_each() {
    let folder = copy();
    let before = copy();
    let same = Ran::new(&["policy", "diff", before.text(), folder.text()]);
    assert_eq!((same.code, same.out.trim_end()), (0, "nothing changed"), "{}", same.error);

    change(&folder, "settings.toml", "revenue = { usd = 100000", "revenue = { usd = 2000");
    change(&folder, "rules/agent.cedar", "resource.attempts >= 4", "resource.attempts >= 3");
    change(&folder, "rules/agent.cedar", "@id(\"agent-notes\")", "@id(\"agent-remarks\")");
    for locale in ["en", "de"] {
        change(
            &folder,
            &format!("templates/recovery-update-card.{locale}.toml"),
            "version = 2",
            "version = 3",
        );
    }
    change(&folder, "playbooks.toml", "channel = \"billing-alerts\"", "channel = \"billing\"");
    let ran = Ran::new(&["policy", "diff", before.text(), folder.text()]);
    assert_eq!(ran.code, 1, "{}", ran.error);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 7, "{}", ran.out);
    for line in [
        "changed playbooks playbook temporary_failure channel: billing-alerts -> billing",
        "removed rule agent-notes",
        "added   rule agent-remarks",
        "changed rule escalate-exhausted",
        "changed settings thresholds revenue usd: 100000 -> 2000",
        "changed template recovery-update-card.de version: 2 -> 3",
        "changed template recovery-update-card.en version: 2 -> 3",
    ] {
        assert!(lines.contains(&line), "{line}: {}", ran.out);
    }
    assert_eq!(Ran::new(&["policy", "diff", STARTER, "/nowhere"]).code, 2);
}

#[test]
fn recorded_cases_that_flip_are_listed_and_counted() {
    let (changed, cases, base) = (copy(), Folder::new(), copy());
    change(&changed, "settings.toml", "revenue = { usd = 100000", "revenue = { usd = 2000");
    let lines = [json(&failed_payment("in_1", 2900)), json(&failed_payment("in_2", 1000))];
    put(&cases, "day.jsonl", &lines.join("\n"));
    let backtest = |more: &[&str]| {
        let all =
            [&["policy", "backtest", "--cases", cases.text(), "--from", base.text()][..], more].concat();
        Ran::new(&all)
    };
    let same = backtest(&["--to", base.text()]);
    assert!(same.code == 0 && same.out.starts_with("0 of 2 cases flip"), "{}{}", same.out, same.error);
    let ran = backtest(&["--to", changed.text()]);
    assert_eq!(ran.code, 1, "{}", ran.error);
    assert!(ran.out.contains("day.jsonl:1): An expired card"), "{}", ran.out);
    assert!(ran.out.contains("escalated: expected false, got true"), "{}", ran.out);
    assert!(!ran.out.contains("day.jsonl:2") && ran.out.contains("1 of 2 cases flip"), "{}", ran.out);
    let ran = backtest(&["--to", changed.text(), "--json"]);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&report["flips"][0]["case"], &report["fields"]["escalated"]),
        (&"recovery:in_1".into(), &1.into())
    );

    let alone = Ran::new(&["policy", "backtest", "--cases", cases.text(), "--to", base.text()]);
    assert!(alone.code == 2 && alone.error.contains("--from"), "nothing to compare with: {}", alone.error);
    put(&cases, "day.jsonl", &format!("{}\nno case\n", lines[0]));
    let broken = backtest(&["--to", base.text()]);
    assert!(broken.code == 2 && broken.error.contains("day.jsonl:2: this is no case"), "{}", broken.error);
    let empty = Folder::new();
    let ran = Ran::new(&["policy", "backtest", "--cases", empty.text(), "--to", base.text()]);
    assert!(ran.code == 2 && ran.error.contains("holds no case"), "{}", ran.error);
}
