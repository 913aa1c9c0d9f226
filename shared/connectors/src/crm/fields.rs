//! What the CRM calls the fields that are read and written.

use domain::Currency;

/// Names of properties (HubSpot) or fields (Salesforce).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// Holds the Stripe customer id.
    pub customer: String,
    /// On tasks and notes: holds the step's key; unique.
    pub key: String,
    /// What the account brings in a year, in major units.
    pub annual_value: String,
    /// The currency of that amount, as an ISO code; if `None` it is [`Fields::default_currency`].
    pub currency: Option<String>,
    /// The currency of amounts without one. If it is `None`, too, an amount is not read: a number
    /// without a currency is no money.
    pub default_currency: Option<Currency>,
    /// When the contract renews.
    pub renews: String,
    /// The segment.
    pub segment: String,
    /// Where the account stands.
    pub lifecycle: String,
    /// How payments stand; written.
    pub payment_status: String,
    /// What is open, in words; written.
    pub payment_open: String,
    /// When Stripe was read for that; written.
    pub payment_read: String,
}

/// A text that does not name fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "pairs like `segment=tier` separated by commas, with the roles {ROLES}, and names of letters, digits and `_`"
)]
pub struct FieldError;

const ROLES: &str = "customer, key, annual_value, currency, renews, segment, lifecycle, payment_status, \
                     payment_open, payment_read";

impl Fields {
    /// The names that HubSpot's module documents.
    pub fn hubspot() -> Self {
        Self::from_names(|name| match name {
            "lifecycle" => "lifecyclestage".to_owned(),
            "customer" => "stripe_customer_id".to_owned(),
            "key" => "countersign_key".to_owned(),
            name => name.to_owned(),
        })
    }

    /// The names that Salesforce's module documents.
    pub fn salesforce() -> Self {
        Self::from_names(|name| match name {
            "customer" => "Stripe_Customer_Id__c".to_owned(),
            "key" => "Countersign_Key__c".to_owned(),
            "lifecycle" => "Type".to_owned(),
            name => {
                let words = name.split('_').map(|word| {
                    let mut letters = word.chars();
                    letters
                        .next()
                        .map(|first| first.to_ascii_uppercase())
                        .into_iter()
                        .chain(letters)
                        .collect()
                });
                format!("{}__c", words.collect::<Vec<String>>().join("_"))
            }
        })
    }

    fn from_names(name: impl Fn(&str) -> String) -> Self {
        Self {
            customer: name("customer"),
            key: name("key"),
            annual_value: name("annual_value"),
            currency: None,
            default_currency: None,
            renews: name("renews"),
            segment: name("segment"),
            lifecycle: name("lifecycle"),
            payment_status: name("payment_status"),
            payment_open: name("payment_open"),
            payment_read: name("payment_read"),
        }
    }

    /// Other names for some roles: `segment=tier,annual_value=arr`.
    ///
    /// # Errors
    /// [`FieldError`] for an unknown role or a name that could be more than a name.
    pub fn with(mut self, pairs: &str) -> Result<Self, FieldError> {
        for pair in pairs.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (role, name) = pair.split_once('=').ok_or(FieldError)?;
            let (role, name) = (role.trim(), name.trim());
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if !(1..=100).contains(&name.len()) || !name.bytes().all(plain) {
                return Err(FieldError);
            }
            let place = match role {
                "customer" => &mut self.customer,
                "key" => &mut self.key,
                "annual_value" => &mut self.annual_value,
                "currency" => self.currency.get_or_insert_default(),
                "renews" => &mut self.renews,
                "segment" => &mut self.segment,
                "lifecycle" => &mut self.lifecycle,
                "payment_status" => &mut self.payment_status,
                "payment_open" => &mut self.payment_open,
                "payment_read" => &mut self.payment_read,
                _ => return Err(FieldError),
            };
            name.clone_into(place);
        }
        Ok(self)
    }

    /// Those of the customer's record.
    pub(super) fn of_record(&self) -> Vec<&str> {
        let names = [
            &self.customer,
            &self.annual_value,
            &self.renews,
            &self.segment,
            &self.lifecycle,
            &self.payment_status,
            &self.payment_open,
            &self.payment_read,
        ];
        names.into_iter().chain(&self.currency).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_be_changed_and_can_be_nothing_but_names() {
        let fields = Fields::salesforce().with("segment=Tier__c, currency=CurrencyIsoCode").unwrap();
        assert_eq!((fields.segment.as_str(), fields.renews.as_str()), ("Tier__c", "Renews__c"));
        assert_eq!(fields.payment_status, "Payment_Status__c");
        assert_eq!(fields.currency.as_deref(), Some("CurrencyIsoCode"));
        for bad in ["segment", "segment=", "colour=Red", "segment=Id FROM User --", "segment=a'"] {
            assert_eq!(Fields::hubspot().with(bad), Err(FieldError), "{bad}");
        }
    }
}
