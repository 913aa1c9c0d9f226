//! The starter bundle's templates, in every language with odd values, and what loading refuses.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::{collections::BTreeMap, fs, path::Path};

use domain::{
    Currency, Money, Timestamp,
    advice::{Checked, Facts, Reader, check},
    policy::{Audience, Link, Locale, Slot, SlotType, Slots, Template, Templates, Zone},
};
use proptest::prelude::*;

fn files() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/policy");
    let mut files = BTreeMap::new();
    files.insert("house.toml".to_owned(), fs::read_to_string(folder.join("house.toml")).unwrap());
    for file in fs::read_dir(folder.join("templates")).unwrap() {
        let path = file.unwrap().path();
        let name = format!("templates/{}", path.file_name().unwrap().to_str().unwrap());
        files.insert(name, fs::read_to_string(path).unwrap());
    }
    files
}

fn starter() -> Templates {
    Templates::load(&files()).unwrap()
}

fn value(kind: SlotType, amount: i64, text: &str) -> Slot {
    match kind {
        SlotType::Money => Slot::Money(Money::new(amount, Currency::parse("eur").unwrap())),
        SlotType::Date => Slot::Date(Timestamp::from_seconds(amount.rem_euclid(4_000_000_000))),
        SlotType::Link => Slot::Link(Link::parse("https://billing.example.com/x?y=z").unwrap()),
        SlotType::Name => Slot::Name(format!("A {text}")),
        SlotType::Text => Slot::Text(format!("A {text}")),
        SlotType::Free => Slot::Free(free(text)),
    }
}

fn free(text: &str) -> Checked {
    let text = if text.len().is_multiple_of(2) { "Thank you." } else { "Thank you for your time." };
    check(text, &Facts::default(), Reader::Customer(Locale::En), &Zone::UTC).unwrap()
}

fn values(template: &Template, amount: i64, text: &str) -> Slots {
    template
        .slots
        .iter()
        .fold(Slots::default(), |slots, (name, kind)| slots.with(name, value(*kind, amount, text)))
}

#[test]
fn the_starter_has_nineteen_templates_in_both_languages() {
    let templates = starter();
    assert_eq!(templates.iter().count(), 38);
    assert_eq!(templates.default_locale(), Locale::En);
    for template in templates.iter() {
        template.check().unwrap();
        let other = templates.get(&template.id, Locale::De).unwrap();
        assert_eq!((&other.slots, other.version), (&template.slots, template.version));
    }
}

#[test]
fn each_message_is_signed_greets_and_fits_its_language() {
    for template in starter().iter().filter(|one| one.audience == Audience::Customer) {
        let message = template.render(&values(template, 123_456, "b"), &Zone::UTC).unwrap();
        let greeting = if template.locale == Locale::De { "Guten Tag" } else { "Hello" };
        assert!(message.text.starts_with(greeting), "{}", message.template);
        assert!(message.text.trim_end().ends_with("A b"), "{} is not signed", message.template);
        assert!(message.subject.chars().count() <= 70, "{}", message.subject);
        let amount = if template.locale == Locale::De { "1.234,56 EUR" } else { "1,234.56 EUR" };
        assert_eq!(message.text.contains(amount), template.slots.contains_key("amount"), "{}", message.text);
        if template.locale == Locale::De {
            let informal = [" du ", " dein", " dich ", " dir ", "Sehr geehrter Kunde"];
            assert!(!informal.iter().any(|word| message.text.contains(word)), "{}", message.text);
        }
    }
}

/// A dispute is answered by the bank, and a message that admits something is evidence against us.
#[test]
fn the_answer_to_a_dispute_admits_nothing_and_promises_nothing() {
    for locale in Locale::ALL {
        let templates = starter();
        let template = templates.get("dispute-received", locale).unwrap();
        let text = template.render(&values(template, 100, "b"), &Zone::UTC).unwrap().text.to_lowercase();
        for word in
            ["sorry", "apolog", "mistake", "refund", "fault", "entschuldig", "leid", "fehler", "erstatt"]
        {
            assert!(!text.contains(word), "{locale}: {word}");
        }
    }
}

#[test]
fn a_missing_a_wrong_and_an_undeclared_slot_are_named() {
    let templates = starter();
    for locale in Locale::ALL {
        let template = templates.get("refund-made", locale).unwrap();
        let good = values(template, 100, "b");
        let refused = |slots: &Slots| template.render(slots, &Zone::UTC).unwrap_err().to_string();
        let mut without = good.clone();
        without = without.only(&[("amount".to_owned(), SlotType::Money)].into());
        let errors = [
            (refused(&without), "charged_on"),
            (refused(&good.clone().with("amount", Slot::Text("29".into()))), "amount"),
            (refused(&good.clone().with("discount", Slot::Text("29".into()))), "discount"),
            (refused(&good.clone().with("company", Slot::Name("\u{200b} <>".into()))), "company"),
        ];
        for (error, slot) in errors {
            let place = format!("template `refund-made` ({locale}), slot `{slot}`");
            assert!(error.starts_with(&place), "{error}");
        }
        assert!(
            template
                .render(
                    &good.with("discount", value(SlotType::Text, 1, "")).only(&template.slots),
                    &Zone::UTC
                )
                .is_ok()
        );
    }
}

#[test]
fn a_text_brings_no_policy_language_into_a_customers_message() {
    let templates = starter();
    for (locale, words) in [(Locale::En, "we will refund you"), (Locale::De, "wir kündigen")] {
        let template = templates.get("recovery-update-card", locale).unwrap();
        let slots = values(template, 100, "b").with("invoice", Slot::Text(words.into()));
        let error = template.render(&slots, &Zone::UTC).unwrap_err().to_string();
        assert!(error.contains("policy language"), "{error}");
    }
}

#[test]
fn a_language_that_is_not_written_gets_the_default() {
    let templates = starter();
    let locale = Locale::best(["fr"], templates.default_locale());
    assert_eq!(templates.get("refund-made", locale).unwrap().reference(), "refund-made.en/1");
    assert!(templates.get("nothing", Locale::En).is_none());
}

#[test]
fn the_date_is_that_of_the_time_zone() {
    let templates = starter();
    let template = templates.get("subscription-ending", Locale::De).unwrap();
    let late = Timestamp::parse_rfc3339("2026-12-31T23:30:00Z").unwrap();
    let slots = values(template, 0, "b").with("ends_on", Slot::Date(late));
    let berlin = template.render(&slots, &Zone::parse("Europe/Berlin").unwrap()).unwrap();
    assert_eq!(berlin.subject, "Ihr Abonnement endet am 1. Januar 2027");
}

#[test]
fn a_bundle_whose_templates_have_a_fault_is_refused_with_the_file() {
    let file = "templates/refund-made.de.toml";
    let good = files();
    let faults = [
        ("version = 1", "version = 2", "differ from"),
        ("version = 1", "version = 0", "version"),
        ("company = \"name\"", "company = \"text\"", "differ from"),
        ("company = \"name\", ", "", "declare it"),
        ("{{ company }}", "", "not used"),
        ("{{ company }}", "{{ company", "not closed"),
        ("{{ company }}", "{{ company | upper }}", "no name of a slot"),
        ("{{ company }}", "{% if x %}{{ company }}", "brace"),
        ("{{ company }}", "{{ company }} https://example.com", "link stands in a slot"),
        ("channel = \"email\"", "channel = \"csm\"", "csm"),
        ("channel = \"email\"", "channel = \"fax\"", "fax"),
        ("audience = \"customer\"", "audience = \"csm\"", "csm"),
        ("locale = \"de\"", "locale = \"en\"", "named"),
        ("id = \"refund-made\"", "id = \"Refund\"", "lower-case"),
        ("version = 1", "version = 1\nextra = 1", "extra"),
    ];
    for (from, to, says) in faults {
        let mut files = good.clone();
        let text = good[file].replacen(from, to, 1);
        assert_ne!(text, good[file], "{from}");
        files.insert(file.into(), text);
        let error = Templates::load(&files).unwrap_err().to_string();
        assert!(error.contains("refund-made") && error.contains(says), "{to}: {error}");
    }
    let mut without = good.clone();
    without.remove(file);
    let error = Templates::load(&without).unwrap_err().to_string();
    assert!(error.contains(file) && error.contains("missing"), "{error}");
    for (from, to, says) in [
        ("\"en\", \"de\"", "\"de\"", "default"),
        ("\"en\", \"de\"", "\"en\"", "add `de`"),
        ("https://", "http://", "billing_page"),
        ("Example Company", " ", "company"),
    ] {
        let mut files = good.clone();
        files.insert("house.toml".into(), good["house.toml"].replacen(from, to, 1));
        let error = Templates::load(&files).unwrap_err().to_string();
        assert!(error.contains("house.toml") && error.contains(says), "{to}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_template_in_every_language_takes_any_value_and_gains_no_link(
        amount in any::<i64>(), text in any::<String>(),
    ) {
        for template in starter().iter() {
            let slots = values(template, amount, &text);
            // Only policy language in a text is refused.
            let Ok(message) = template.render(&slots, &Zone::UTC) else { continue };
            let links = template.slots.values().filter(|kind| **kind == SlotType::Link).count();
            prop_assert_eq!(message.text.matches("://").count(), links);
            prop_assert!(!message.subject.contains('\n') && !message.text.contains(['<', '>', '`', '*']));
            prop_assert_eq!(&message, &template.render(&slots, &Zone::UTC).unwrap());
        }
    }
}
