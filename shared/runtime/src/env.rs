//! The variables that a function is configured with.

use std::{collections::BTreeMap, fmt};

use crate::http::Base;

/// The variables of a process. Each concern reads its own from it, at start; a function with a
/// missing or wrong variable refuses to start.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

/// A variable that keeps a function from starting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// It is absent or blank.
    #[error("`{name}` is not set; set it in the environment")]
    Missing {
        /// The variable.
        name: &'static str,
    },
    /// It is set to something else than is asked for. The value is not repeated: it may be secret.
    #[error("`{name}` must be {expected}; correct it in the environment")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it has to be, as a noun phrase.
        expected: String,
    },
}

impl EnvError {
    /// The variable `name` is set, but not to `expected`, a noun phrase such as "a number of seconds".
    pub fn invalid(name: &'static str, expected: impl Into<String>) -> Self {
        Self::Invalid { name, expected: expected.into() }
    }
}

impl Env {
    /// The environment of this process: the only place that reads it. Variables that are not Unicode
    /// are left out.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// The same with more variables, which win.
    #[must_use]
    pub fn with(mut self, more: impl IntoIterator<Item = (String, String)>) -> Self {
        self.0.extend(more);
        self
    }

    /// The value without the white space around it.
    ///
    /// # Errors
    /// [`EnvError::Missing`] if it is absent or blank.
    pub fn required(&self, name: &'static str) -> Result<&str, EnvError> {
        self.optional(name).ok_or(EnvError::Missing { name })
    }

    /// The value without the white space around it; `None` if it is absent or blank.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The base URL of a service, or `default` if the variable is absent.
    ///
    /// # Errors
    /// [`EnvError::Invalid`] if [`Base::parse`] refuses it.
    pub fn base(&self, name: &'static str, default: &str) -> Result<Base, EnvError> {
        self.base_of(name, self.optional(name).unwrap_or(default))
    }

    /// The base URL of a service, if the variable is set.
    ///
    /// # Errors
    /// [`EnvError::Invalid`] if [`Base::parse`] refuses it.
    pub fn optional_base(&self, name: &'static str) -> Result<Option<Base>, EnvError> {
        self.optional(name).map(|url| self.base_of(name, url)).transpose()
    }

    #[expect(clippy::unused_self, reason = "belongs to the two above")]
    fn base_of(&self, name: &'static str, url: &str) -> Result<Base, EnvError> {
        Base::parse(url).map_err(|_| EnvError::invalid(name, Base::EXPECTED))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(variables: [(&str, &str); N]) -> Self {
        variables.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Env {
    /// The names only: some values are credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_blank_variable_is_named_in_the_error() {
        let env = Env::from([("CASES_TABLE", "  ")]);
        let error = env.required("CASES_TABLE").unwrap_err();
        assert_eq!(error, env.required("CASES_TABLE").unwrap_err());
        assert_eq!(error.to_string(), "`CASES_TABLE` is not set; set it in the environment");
        assert_eq!(env.optional("CASES_TABLE"), None);
        assert_eq!(env.optional("OTHER"), None);
    }

    #[test]
    fn white_space_around_a_value_is_dropped() {
        assert_eq!(Env::from([("DEPLOYMENT", " prod\n")]).required("DEPLOYMENT"), Ok("prod"));
    }

    #[test]
    fn a_plain_http_base_is_refused_unless_it_is_on_loopback() {
        let env = Env::from([("SLACK_API_BASE", "http://slack.example.test/api")]);
        let error = env.base("SLACK_API_BASE", "https://slack.com/api").unwrap_err();
        assert!(error.to_string().contains("SLACK_API_BASE"), "{error}");
        assert!(!error.to_string().contains("slack.example.test"), "{error}");
        let env = Env::from([("SLACK_API_BASE", "http://127.0.0.1:4000/api")]);
        assert!(env.base("SLACK_API_BASE", "https://slack.com/api").is_ok());
    }

    #[test]
    fn debug_output_shows_no_value() {
        let shown = format!("{:?}", Env::from([("AWS_SECRET_ACCESS_KEY", "canary")]));
        assert!(shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("canary"), "{shown}");
    }
}
