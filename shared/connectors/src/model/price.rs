//! What tokens cost.

use super::Tokens;

/// Tokens for which a price is given.
const MILLION: u128 = 1_000_000;

/// The price of a million tokens, in millionths of a US dollar: 3 USD is 3,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// Of a million tokens that are read.
    pub input: u64,
    /// Of a million tokens that are written.
    pub output: u64,
}

/// A text that is no [`Price`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {}", Price::EXPECTED)]
pub struct NotAPrice;

impl Price {
    pub(super) const EXPECTED: &'static str =
        "US dollars for a million tokens that are read and written, such as `0.80,4`";

    /// Reads two amounts of US dollars, for a million tokens in and out: `0.80,4`.
    ///
    /// # Errors
    /// [`NotAPrice`] for anything else, and for more than six decimals or 10,000 USD.
    pub fn parse(text: &str) -> Result<Self, NotAPrice> {
        let (input, output) = text.split_once(',').ok_or(NotAPrice)?;
        Ok(Self { input: dollars(input.trim())?, output: dollars(output.trim())? })
    }

    /// What these tokens cost, in millionths of a US dollar, rounded up.
    pub fn of(self, tokens: Tokens) -> u64 {
        let (input, output) = (u128::from(self.input), u128::from(self.output));
        let (read, written) = (u128::from(tokens.input) * input, u128::from(tokens.output) * output);
        let cost = read.saturating_add(written);
        u64::try_from(cost.div_ceil(MILLION)).unwrap_or(u64::MAX)
    }
}

fn dollars(text: &str) -> Result<u64, NotAPrice> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || whole.len() > 4 || part.len() > 6 {
        return Err(NotAPrice);
    }
    format!("{whole}{part:0<6}").parse().map_err(|_| NotAPrice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_read_in_dollars_and_kept_in_millionths() {
        assert_eq!(Price::parse("3,15"), Ok(Price { input: 3_000_000, output: 15_000_000 }));
        assert_eq!(Price::parse("0.035, 0.14"), Ok(Price { input: 35_000, output: 140_000 }));
        assert_eq!(Price::parse("0,0"), Ok(Price::default()));
        for bad in
            ["", "3", "3,", ",3", "3,-1", "3,1e3", "3.,1", ".5,1", "3,1.1234567", "12345,1", "3,1,2", "$3,1"]
        {
            assert_eq!(Price::parse(bad), Err(NotAPrice), "{bad}");
        }
    }

    #[test]
    fn a_cost_is_rounded_up() {
        let price = Price::parse("3,15").unwrap();
        assert_eq!(price.of(Tokens { input: 1_000, output: 100 }), 4_500);
        let cheap = Price::parse("0.035,0.14").unwrap();
        assert_eq!(cheap.of(Tokens { input: 1, output: 0 }), 1);
        assert_eq!(cheap.of(Tokens::default()), 0);
        let most = Price { input: u64::MAX, output: u64::MAX };
        assert_eq!(most.of(Tokens { input: u64::MAX, output: u64::MAX }), u64::MAX);
    }
}
