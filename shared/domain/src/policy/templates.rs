//! All approved messages of a bundle, each in every language.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{BundleError, Link, Locale, Slot, Slots, Template};

/// The file that says who writes, and in which languages.
const HOUSE: &str = "house.toml";

/// The approved messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates {
    house: Slots,
    default: Locale,
    by_id: BTreeMap<String, BTreeMap<Locale, Template>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct House {
    company: String,
    billing_page: String,
    default: Locale,
    locales: Vec<Locale>,
}

impl Templates {
    /// Reads `house.toml` and `templates/*.toml`, by path within the bundle.
    ///
    /// # Errors
    /// The first file that is missing or wrong: every template stands in each language, with the same
    /// version, channel, audience and slots, and renders.
    pub fn load(files: &BTreeMap<String, String>) -> Result<Self, BundleError> {
        let wrong = |file: &str, problem: String| BundleError { file: file.to_owned(), problem };
        let source = files
            .get(HOUSE)
            .ok_or_else(|| wrong(HOUSE, "the file is missing; restore it in the bundle".into()))?;
        let House { company, billing_page, default, locales } =
            toml::from_str(source).map_err(|error| wrong(HOUSE, error.to_string()))?;
        let link =
            Link::parse(&billing_page).map_err(|error| wrong(HOUSE, format!("`billing_page`: {error}")))?;
        if company.trim().is_empty() {
            return Err(wrong(HOUSE, "`company` is empty".into()));
        }
        let house =
            Slots::default().with("company", Slot::Name(company)).with("billing_page", Slot::Link(link));
        if !locales.contains(&default) {
            return Err(wrong(HOUSE, format!("`locales` must contain the default, `{default}`")));
        }
        let mut by_id: BTreeMap<String, BTreeMap<Locale, Template>> = BTreeMap::new();
        for (name, source) in files.iter().filter(|(name, _)| name.starts_with("templates/")) {
            let template: Template =
                toml::from_str(source).map_err(|error| wrong(name, error.to_string()))?;
            let expected = path(&template.id, template.locale);
            if *name != expected {
                return Err(wrong(name, format!("by its `id` and `locale` it should be named `{expected}`")));
            }
            if !locales.contains(&template.locale) {
                return Err(wrong(name, format!("add `{}` to `{HOUSE}`", template.locale)));
            }
            template.check().map_err(|error| wrong(name, error.to_string()))?;
            by_id.entry(template.id.clone()).or_default().insert(template.locale, template);
        }
        for (id, templates) in &by_id {
            let Some(first) = templates.values().next() else { continue };
            for locale in &locales {
                let file = path(id, *locale);
                let Some(template) = templates.get(locale) else {
                    return Err(wrong(&file, format!("the template `{id}` is missing in this language")));
                };
                let shape =
                    |one: &Template| (one.version, one.channel, one.audience, one.tone, one.slots.clone());
                let same = shape(template) == shape(first);
                if !same {
                    let other = path(id, first.locale);
                    return Err(wrong(
                        &file,
                        format!("version, channel, audience, tone or slots differ from `{other}`"),
                    ));
                }
            }
        }
        Ok(Self { house, default, by_id })
    }

    /// What every message may say about ourselves: `company` and `billing_page`.
    pub const fn house(&self) -> &Slots {
        &self.house
    }

    /// The language of whoever wants none that we write.
    pub const fn default_locale(&self) -> Locale {
        self.default
    }

    /// A template in a language of the bundle.
    pub fn get(&self, id: &str, locale: Locale) -> Option<&Template> {
        let templates = self.by_id.get(id)?;
        templates.get(&locale).or_else(|| templates.get(&self.default))
    }

    /// Every template in every language.
    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.by_id.values().flat_map(BTreeMap::values)
    }
}

fn path(id: &str, locale: Locale) -> String {
    format!("templates/{id}.{locale}.toml")
}
