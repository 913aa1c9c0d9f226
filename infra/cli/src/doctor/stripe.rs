//! What the Stripe keys may do: exactly what each is for, or which permission is too much or missing.

use domain::approval::OperationKind;
use runtime::Env;
use secrecy::SecretString;
use stripe::{
    ApiKey,
    probe::{Report, Role, State},
};

use super::Findings;

/// Asks Stripe about a key: harmless questions about objects that cannot exist.
pub(super) async fn key(env: &Env, name: &str, role: Role, text: &SecretString, found: &mut Findings) {
    let key = match ApiKey::new(text) {
        Ok(key) => key,
        Err(error) => return found.bad(name, format!("cannot be used: {error}; store a restricted key")),
    };
    let base = match runtime::stripe::base(env) {
        Ok(base) => base,
        Err(error) => return found.bad(name, error),
    };
    let probe = runtime::http::client(&[&base]).and_then(|http| runtime::stripe::probe(env, http));
    match probe {
        Ok(probe) => describe(name, &probe.report(role, &key).await, found),
        Err(error) => found.bad(name, format!("{error:#}")),
    }
}

fn describe(name: &str, report: &Report, found: &mut Findings) {
    if !report.restricted {
        return found.bad(name, "this is a secret key, which may do everything; make a restricted one");
    }
    for finding in report.lacking() {
        if let State::Lacking { permission } = &finding.state {
            let without = without(report.role, finding.resource);
            found.bad(name, format!("add the permission {permission} ({}{without})", finding.resource));
        }
    }
    for finding in report.excess() {
        let access = format!("{:?}", finding.access).to_lowercase();
        found.bad(name, format!("take away the permission to {access} {}", finding.resource));
    }
    for finding in report.unclear() {
        found.bad(name, format!("Stripe gave no clear answer about {}; run this again", finding.resource));
    }
    if report.is_exact() {
        found.good(name, "exactly what it needs");
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
    fn the_permissions_list_what_each_key_needs() {
        let document = include_str!("../../../template/PERMISSIONS.md");
        let reads = needed(Role::Read).map(|resource| format!("`{resource}`")).collect::<Vec<_>>().join(", ");
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(document).contains(&words(&reads)), "the read key: {reads}");
        for kind in OperationKind::ALL {
            let Some(resource) = kind.writes() else { continue };
            let row = format!("| `{}` | `{resource}` |", kind.as_str());
            assert!(document.contains(&row), "{row}");
        }
    }
}
