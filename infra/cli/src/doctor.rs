//! What the Stripe keys may do: exactly what each is for, or which permission is too much or missing.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use domain::approval::OperationKind;
use runtime::Env;
use secrecy::SecretString;
use stripe::{
    ApiKey,
    probe::{Report, Role, State},
};

use crate::End;

const READ: &str = "STRIPE_READ_KEY";
const WRITE: &str = "STRIPE_WRITE_KEY";

/// Asks Stripe about the keys in the environment: harmless questions about objects that cannot exist.
pub(crate) fn run(env: &Env) -> Result<End> {
    let keys = [(READ, Role::Read), (WRITE, Role::Write)];
    let given: Vec<_> =
        keys.into_iter().filter_map(|(name, role)| Some((name, role, env.optional(name)?))).collect();
    if given.is_empty() {
        return Ok(End::usage(format!("set {READ}, {WRITE} or both to the keys to be examined")));
    }
    let base = runtime::stripe::base(env)?;
    let probe = runtime::stripe::probe(env, runtime::http::client(&[&base])?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut lines, mut good) = (String::new(), true);
    for (name, role, text) in given {
        let key = ApiKey::new(&SecretString::from(text)).with_context(|| format!("{name} cannot be used"))?;
        let report = runtime.block_on(probe.report(role, &key));
        good &= report.is_exact();
        describe(name, &report, &mut lines);
    }
    Ok(if good { End::good(lines) } else { End::no(lines) })
}

fn describe(name: &str, report: &Report, lines: &mut String) {
    // Writing to a text cannot fail.
    if !report.restricted {
        let _ =
            writeln!(lines, "{name}: this is a secret key, which may do everything; make a restricted one");
        return;
    }
    for finding in report.lacking() {
        if let State::Lacking { permission } = &finding.state {
            let without = without(report.role, finding.resource);
            let _ =
                writeln!(lines, "{name}: add the permission {permission} ({}{without})", finding.resource);
        }
    }
    for finding in report.excess() {
        let access = format!("{:?}", finding.access).to_lowercase();
        let _ = writeln!(lines, "{name}: take away the permission to {access} {}", finding.resource);
    }
    for finding in report.unclear() {
        let _ =
            writeln!(lines, "{name}: Stripe gave no clear answer about {}; run this again", finding.resource);
    }
    if report.is_exact() {
        let _ = writeln!(lines, "{name}: exactly what it needs");
    }
}

/// What does not work without a permission of the write key.
fn without(role: Role, resource: &str) -> String {
    if role == Role::Read {
        return String::new();
    }
    let kinds = OperationKind::ALL.iter().filter(|kind| kind.writes() == Some(resource));
    let names: Vec<&str> = kinds.map(|kind| kind.as_str()).collect();
    format!("; without it no {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use stripe::probe::needed;

    use super::*;

    #[test]
    fn the_write_key_needs_exactly_what_the_operations_write() {
        let written: BTreeSet<_> = OperationKind::ALL.iter().filter_map(|kind| kind.writes()).collect();
        assert_eq!(written, needed(Role::Write).collect());
        assert_eq!(without(Role::Write, "disputes"), "; without it no dispute.submit, dispute.accept");
    }

    #[test]
    fn the_readme_lists_what_each_key_needs() {
        let readme = include_str!("../../../README.md");
        let reads = needed(Role::Read).map(|resource| format!("`{resource}`")).collect::<Vec<_>>().join(", ");
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(readme).contains(&words(&reads)), "the read key: {reads}");
        for kind in OperationKind::ALL {
            let Some(resource) = kind.writes() else { continue };
            let row = format!("| `{}` | `{resource}` |", kind.as_str());
            assert!(readme.contains(&row), "{row}");
        }
    }
}
