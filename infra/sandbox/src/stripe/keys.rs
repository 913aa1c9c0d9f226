//! API keys and what they may do: <https://docs.stripe.com/keys>.

use std::collections::BTreeSet;

use super::failure::Failure;

/// Scopes that the reads of billing need, and that of the account itself. `rak_dispute_read` and `rak_early_fraud_warning_read` are
/// our guesses at names that no public page states.
pub const READ_SCOPES: &[&str] = &[
    "rak_accounts_kyc_basic_read",
    "rak_charge_read",
    "rak_credit_note_read",
    "rak_customer_read",
    "rak_dispute_read",
    "rak_early_fraud_warning_read",
    "rak_event_read",
    "rak_invoice_read",
    "rak_payment_intent_read",
    "rak_payment_method_read",
    "rak_plan_read",
    "rak_product_read",
    "rak_subscription_read",
];

/// Scopes that the gated writes need. `rak_dispute_write` is our guess at a name that no public page
/// states; refunds ask for `rak_charge_write`, a customer's balance for `rak_customer_write`.
pub const WRITE_SCOPES: &[&str] = &[
    "rak_charge_write",
    "rak_credit_note_write",
    "rak_customer_write",
    "rak_dispute_write",
    "rak_invoice_write",
    "rak_subscription_write",
];

/// An API key.
#[derive(Clone)]
pub struct Key {
    secret: String,
    /// `None` may do everything.
    scopes: Option<BTreeSet<String>>,
}

impl Key {
    /// A secret key, which may do everything.
    pub fn secret(secret: impl Into<String>) -> Self {
        Self { secret: secret.into(), scopes: None }
    }

    /// A restricted key with these `rak_…` scopes. A write scope includes the read of the same
    /// resource.
    pub fn restricted<'a>(secret: impl Into<String>, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        Self { secret: secret.into(), scopes: Some(scopes.into_iter().map(str::to_owned).collect()) }
    }

    /// Whether it may do everything.
    pub(crate) fn is_secret(&self) -> bool {
        self.scopes.is_none()
    }

    /// Refuses what the key may not do. Asked before any object is looked up.
    pub(crate) fn permit(&self, account: &str, resource: &str, write: bool) -> Result<(), Failure> {
        let Some(scopes) = &self.scopes else { return Ok(()) };
        let wanted = format!("rak_{resource}_{}", if write { "write" } else { "read" });
        if scopes.contains(&wanted) || (!write && scopes.contains(&format!("rak_{resource}_write"))) {
            return Ok(());
        }
        Err(Failure::new(
            403,
            "invalid_request_error",
            format!(
                "The provided key '{}' does not have the required permissions for this endpoint on account \
                 '{account}'. Having the '{wanted}' permission would allow this request to continue.",
                masked(&self.secret)
            ),
        ))
    }
}

/// The key that the header `Authorization` shows: `Bearer KEY`, or `Basic` with the key as user.
pub(crate) fn authorise<'k>(keys: &'k [Key], header: Option<&str>) -> Result<&'k Key, Failure> {
    let shown = header.and_then(credential).ok_or_else(|| {
        Failure::new(
            401,
            "invalid_request_error",
            "You did not provide an API key. Use the header `Authorization: Bearer YOUR_SECRET_KEY`.",
        )
    })?;
    keys.iter().find(|key| key.secret == shown).ok_or_else(|| {
        Failure::new(401, "invalid_request_error", format!("Invalid API Key provided: {}", masked(&shown)))
    })
}

fn credential(header: &str) -> Option<String> {
    use base64::Engine as _;
    let (scheme, value) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let plain = base64::engine::general_purpose::STANDARD.decode(value.trim()).ok()?;
    let plain = String::from_utf8(plain).ok()?;
    plain.split_once(':').map(|(user, _)| user.to_owned())
}

fn masked(secret: &str) -> String {
    let prefix: String = secret.split_inclusive('_').take(2).filter(|part| part.ends_with('_')).collect();
    let tail: Vec<char> = secret.chars().rev().take(4).collect();
    let tail: String = tail.into_iter().rev().collect();
    format!("{prefix}*********{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restricted_key_is_told_the_scope_it_lacks() {
        let key = Key::restricted("rk_test_readers_abcd", READ_SCOPES.iter().copied());
        assert!(key.permit("acct_1", "invoice", false).is_ok());
        let refusal = key.permit("acct_1", "charge", true).unwrap_err();
        assert_eq!(refusal.status, 403);
        let message = refusal.to_string();
        assert!(message.contains("'rak_charge_write'"), "{message}");
        assert!(message.contains("rk_test_*********abcd") && !message.contains("readers"), "{message}");
    }

    #[test]
    fn a_write_scope_includes_the_read() {
        let key = Key::restricted("rk_test_w", ["rak_charge_write"]);
        assert!(key.permit("acct_1", "charge", false).is_ok());
        assert!(key.permit("acct_1", "invoice", false).is_err());
    }

    #[test]
    fn keys_come_as_bearer_or_as_basic_user() {
        let keys = [Key::secret("sk_test_1")];
        assert!(authorise(&keys, Some("Bearer sk_test_1")).is_ok());
        assert!(authorise(&keys, Some("Basic c2tfdGVzdF8xOg==")).is_ok());
        assert_eq!(authorise(&keys, Some("Bearer sk_test_2")).err().map(|failure| failure.status), Some(401));
        assert_eq!(authorise(&keys, None).err().map(|failure| failure.status), Some(401));
    }
}
