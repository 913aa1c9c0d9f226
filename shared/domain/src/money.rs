//! Money: whole minor units together with their currency. There is no floating point anywhere.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A currency by its ISO 4217 code in lower case, as Stripe writes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// A text that is no currency code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three letters, for example `usd`")]
pub struct NotACurrency;

impl Currency {
    /// Three ASCII letters in either case.
    ///
    /// # Errors
    /// [`NotACurrency`] for anything else.
    pub fn parse(text: &str) -> Result<Self, NotACurrency> {
        let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| NotACurrency)?;
        if letters.iter().all(u8::is_ascii_alphabetic) {
            Ok(Self(letters.map(|letter| letter.to_ascii_lowercase())))
        } else {
            Err(NotACurrency)
        }
    }

    /// The code in lower case.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many decimal places one major unit has in Stripe's API
    /// (<https://docs.stripe.com/currencies#zero-decimal>). ISK and UGX have none in daily life,
    /// but Stripe keeps two for them.
    pub fn decimals(&self) -> u32 {
        match self.code() {
            "bif" | "clp" | "djf" | "gnf" | "jpy" | "kmf" | "krw" | "mga" | "pyg" | "rwf" | "vnd" | "vuv"
            | "xaf" | "xof" | "xpf" => 0,
            "bhd" | "jod" | "kwd" | "omr" | "tnd" => 3,
            _ => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code().to_ascii_uppercase())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl TryFrom<String> for Currency {
    type Error = NotACurrency;

    fn try_from(text: String) -> Result<Self, NotACurrency> {
        Self::parse(&text)
    }
}

/// An amount in minor units (cents, or yen) of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units.
    pub amount: i64,
    /// The currency.
    pub currency: Currency,
}

/// Two amounts whose currencies differ, or whose result does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// There is no conversion.
    #[error("cannot combine {0} with {1}: amounts are never converted")]
    Mixed(Currency, Currency),
    /// Beyond 64 bits.
    #[error("the amount is out of range")]
    OutOfRange,
}

impl Money {
    /// An amount in minor units.
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// The difference in the same currency.
    ///
    /// # Errors
    /// If the currencies differ or the result does not fit.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed(self.currency, other.currency));
        }
        let amount = self.amount.checked_sub(other.amount).ok_or(MoneyError::OutOfRange)?;
        Ok(Self::new(amount, self.currency))
    }

    /// Reads what a person types: `19.99`, `1500`. The decimals must not be more than the currency
    /// has; signs, separators of thousands and exponents are refused, because a misread amount is
    /// real money.
    pub fn parse(text: &str, currency: Currency) -> Option<Self> {
        let (whole, part) = text.trim().split_once('.').map_or((text.trim(), None), |(w, p)| (w, Some(p)));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let decimals = usize::try_from(currency.decimals()).ok()?;
        let part = match part {
            None => "",
            Some(part) if digits(part) && part.len() <= decimals => part,
            Some(_) => return None,
        };
        if !digits(whole) {
            return None;
        }
        format!("{whole}{part:0<decimals$}").parse().ok().map(|amount| Self::new(amount, currency))
    }
}

impl fmt::Display for Money {
    /// Major units with the currency's own decimals: `19.99 USD`, `1500 JPY`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = self.currency.decimals();
        let sign = if self.amount < 0 { "-" } else { "" };
        let (amount, unit) = (self.amount.unsigned_abs(), 10_u64.pow(decimals));
        write!(f, "{sign}{}", amount / unit)?;
        if decimals > 0 {
            let width = usize::try_from(decimals).unwrap_or(0);
            write!(f, ".{:0width$}", amount % unit)?;
        }
        write!(f, " {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(amount: i64, currency: &str) -> Money {
        Money::new(amount, Currency::parse(currency).unwrap())
    }

    #[test]
    fn money_is_shown_with_the_decimals_of_its_currency() {
        assert_eq!(money(1999, "usd").to_string(), "19.99 USD");
        assert_eq!(money(-5, "eur").to_string(), "-0.05 EUR");
        assert_eq!(money(1500, "JPY").to_string(), "1500 JPY");
        assert_eq!(money(12_345, "kwd").to_string(), "12.345 KWD");
        assert_eq!(money(i64::MIN, "usd").to_string(), "-92233720368547758.08 USD");
    }

    #[test]
    fn a_typed_amount_is_read_exactly_or_refused() {
        let usd = Currency::parse("usd").unwrap();
        for (text, amount) in [("19.99", 1999), ("19.9", 1990), ("19", 1900), (" 0.05 ", 5)] {
            assert_eq!(Money::parse(text, usd), Some(Money::new(amount, usd)), "{text}");
        }
        for bad in ["", ".5", "19.999", "1,000", "-1", "+1", "1e3", "19.", "19 .9", "99999999999999999999"] {
            assert_eq!(Money::parse(bad, usd), None, "{bad}");
        }
        assert_eq!(Money::parse("15.00", Currency::parse("jpy").unwrap()), None);
    }

    #[test]
    fn two_currencies_never_mix() {
        assert!(matches!(money(1, "usd").minus(money(1, "eur")), Err(MoneyError::Mixed(..))));
        assert_eq!(money(i64::MIN, "usd").minus(money(1, "usd")), Err(MoneyError::OutOfRange));
    }
}
