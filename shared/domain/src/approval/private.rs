//! Texts about a customer that people see and a vendor gets, and that no log may show.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that is bound, shown and sent, and that `Debug` keeps to itself. It has no `Display`, so
/// it cannot slip into a line of the log or an error.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Private(String);

impl Private {
    /// Keeps a text private.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the page, the digest and the vendor.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} characters]", self.0.chars().count())
    }
}

/// The e-mail address that a message goes to: one, without a name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

/// A text that is no plain address. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address is one `name@host` of at most 254 characters")]
pub struct NotAnAddress;

impl EmailAddress {
    /// Checks that it is one plain address: visible ASCII without what could begin another address,
    /// a name or a header (RFC 5321, section 4.1.2, without quoted names, comments and literals).
    ///
    /// # Errors
    /// [`NotAnAddress`] for anything else.
    pub fn parse(text: impl Into<String>) -> Result<Self, NotAnAddress> {
        let text = text.into();
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"(),:;<>[\\]".contains(&byte);
        let (name, host) = text.split_once('@').ok_or(NotAnAddress)?;
        let fits = text.len() <= 254 && (1..=64).contains(&name.len()) && !host.contains('@');
        let host_fits = !host.is_empty() && !host.starts_with(['.', '-']) && !host.ends_with(['.', '-']);
        if fits && host_fits && text.bytes().all(plain) { Ok(Self(text)) } else { Err(NotAnAddress) }
    }

    /// The address itself, for the page, the digest and the vendor.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether two addresses are most likely one mailbox: neither case counts nor what follows a `+`
    /// (RFC 5233), nor dots where the host is known to ignore them
    /// (<https://support.google.com/mail/answer/7436150>).
    pub fn is_same_mailbox(&self, other: &str) -> bool {
        mailbox(&self.0) == mailbox(other.trim())
    }
}

fn mailbox(address: &str) -> String {
    let address = address.to_ascii_lowercase();
    let Some((name, host)) = address.rsplit_once('@') else { return address };
    let name = name.split_once('+').map_or(name, |(name, _)| name);
    match host {
        "gmail.com" | "googlemail.com" => format!("{}@gmail.com", name.replace('.', "")),
        _ => format!("{name}@{host}"),
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[an e-mail address]")
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        Self::parse(text)
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_plain_mailbox() {
        assert!(EmailAddress::parse("first.last+billing@mail.example.test").is_ok());
        for bad in [
            "",
            "nobody",
            "@host",
            "a@",
            "a@b@c",
            "a@.b",
            "a@b.",
            "a b@c",
            "a@b\r\nBcc: c@d",
            "A <a@b.test>",
            "a@b.test,c@d.test",
            "ä@b.test",
            &format!("{}@b.test", "a".repeat(65)),
            &format!("a@{}", "b".repeat(253)),
        ] {
            assert_eq!(EmailAddress::parse(bad), Err(NotAnAddress), "{bad}");
        }
        let same = |one: &str, other: &str| EmailAddress::parse(one).unwrap().is_same_mailbox(other);
        for (one, other) in [
            ("A@b.test", "a@B.test "),
            ("a+refunds@b.test", "a@b.test"),
            ("a@b.test", "a+x+y@b.test"),
            ("first.last@gmail.com", "FirstLast+1@googlemail.com"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in
            [("a@b.test", "b@b.test"), ("a.b@c.test", "ab@c.test"), ("a@b.test", "a@b.test.test")]
        {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn neither_is_shown_by_a_debug_line() {
        let address = EmailAddress::parse("canary@example.test").unwrap();
        let shown = format!("{address:?} {:?} {NotAnAddress}", Private::new("canary"));
        assert!(!shown.contains("canary"), "{shown}");
    }
}
