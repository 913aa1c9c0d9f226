//! `[advice]` of `settings.toml`: whether a language model is asked, and what it may use up.

use serde::Deserialize;

/// Whether a language model is asked for advice, and how much it may cost. What is used up or too slow leaves
/// the decision as it is without a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdviceSettings {
    /// Whether a model is asked, if one is configured.
    pub on: bool,
    /// How long it may take to answer, in seconds.
    pub timeout_seconds: u16,
    /// The most tokens of an answer.
    pub answer_tokens: u32,
    /// For so many days the same question is answered from memory.
    pub remembered_days: u16,
    /// What one case may use in its life.
    pub per_case: Caps,
    /// What all cases together may use in a day, in UTC.
    pub per_day: Caps,
}

/// The most that may be used. Whichever comes first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// Questions.
    pub questions: u32,
    /// Tokens, read and written.
    pub tokens: u32,
    /// Cents of a US dollar, by the price that the deployment names.
    pub usd_cents: u32,
}

impl Default for AdviceSettings {
    fn default() -> Self {
        Self {
            on: false,
            timeout_seconds: 8,
            answer_tokens: 800,
            remembered_days: 7,
            per_case: Caps { questions: 6, tokens: 40_000, usd_cents: 20 },
            per_day: Caps { questions: 2_000, tokens: 8_000_000, usd_cents: 2_000 },
        }
    }
}

impl AdviceSettings {
    /// The longest time-out: a turn has to end within the function's own, whatever a model does.
    const SLOWEST: u16 = 15;

    pub(super) fn check(&self) -> Result<(), String> {
        if !(1..=Self::SLOWEST).contains(&self.timeout_seconds) {
            return Err(format!("`advice.timeout_seconds` must be between 1 and {}", Self::SLOWEST));
        }
        if !(200..=4_000).contains(&self.answer_tokens) {
            return Err("`advice.answer_tokens` must be between 200 and 4000".into());
        }
        if !(1..=30).contains(&self.remembered_days) {
            return Err("`advice.remembered_days` must be between 1 and 30".into());
        }
        for (name, caps) in [("per_case", self.per_case), ("per_day", self.per_day)] {
            if caps.questions == 0 || caps.tokens == 0 || caps.usd_cents == 0 {
                return Err(format!("`advice.{name}` needs numbers above zero; `on = false` asks nothing"));
            }
            if caps.tokens <= self.answer_tokens {
                return Err(format!("`advice.{name}.tokens` must be more than `advice.answer_tokens`"));
            }
        }
        let (case, day) = (self.per_case, self.per_day);
        if case.questions > day.questions || case.tokens > day.tokens || case.usd_cents > day.usd_cents {
            return Err("`advice.per_case` must not be more than `advice.per_day`".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<AdviceSettings, String> {
        let settings: AdviceSettings = toml::from_str(text).map_err(|error| error.to_string())?;
        settings.check().map(|()| settings)
    }

    #[test]
    fn without_a_word_no_model_is_asked() {
        assert_eq!(read(""), Ok(AdviceSettings::default()));
        assert!(!AdviceSettings::default().on);
        assert!(read("on = true").unwrap().on);
    }

    #[test]
    fn a_number_that_cannot_be_meant_is_named() {
        let caps = |name: &str, numbers: [u32; 3]| {
            let [questions, tokens, cents] = numbers;
            format!("[{name}]\nquestions = {questions}\ntokens = {tokens}\nusd_cents = {cents}")
        };
        for (text, says) in [
            ("timeout_seconds = 0".to_owned(), "timeout_seconds"),
            ("timeout_seconds = 60".into(), "timeout_seconds"),
            ("answer_tokens = 10".into(), "answer_tokens"),
            ("remembered_days = 0".into(), "remembered_days"),
            (caps("per_case", [0, 40_000, 20]), "per_case"),
            (caps("per_day", [10, 40_000, 0]), "per_day"),
            (caps("per_case", [6, 800, 20]), "per_case.tokens"),
            (caps("per_day", [5, 8_000_000, 2_000]), "must not be more"),
            ("tokens = 5".into(), "tokens"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
