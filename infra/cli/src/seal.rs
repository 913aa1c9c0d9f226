//! `countersign policy seal`: who was the last to change each rule by which something is signed, from
//! version control.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail, ensure};
use domain::{
    Digest,
    approval::EmailAddress,
    policy::{Manifest, Sealed},
};

use crate::{End, args::SealOptions};

const MANIFEST: &str = "manifest.toml";

/// Writes the manifest of a bundle, or says whether the one that is there is current.
pub(crate) fn run(options: &SealOptions) -> Result<End> {
    let folder = &options.policy;
    let bundle = runtime::policy::load(folder)?;
    let manifest = seal(folder, bundle.contents())?;
    let file = folder.join(MANIFEST);
    if options.check {
        let current = fs::read_to_string(&file).is_ok_and(|text| text == manifest.to_toml());
        return Ok(if current {
            End::good("the manifest is current")
        } else {
            End::no("the manifest is not current; run `countersign policy seal`")
        });
    }
    fs::write(&file, manifest.to_toml()).with_context(|| format!("cannot write `{}`", file.display()))?;
    Ok(End::good(format!("sealed {} rules", manifest.rule.len())))
}

/// The manifest of the rules as they are committed. What is not committed has no author yet.
fn seal(folder: &Path, contents: &BTreeMap<String, Digest>) -> Result<Manifest> {
    let sources = sources(folder)?;
    let mut manifest = Manifest::default();
    for (id, content) in contents {
        let (file, first, last) = sources
            .iter()
            .find_map(|(file, text)| lines_of(id, text).map(|(first, last)| (file, first, last)))
            .with_context(|| format!("the rule `{id}` is in no file of the bundle"))?;
        let by = author(folder, file, first, last)?;
        EmailAddress::parse(by.as_str())
            .with_context(|| format!("the rule `{id}` was changed last by nobody with an address"))?;
        ensure!(!id.contains(['"', '\\', '\n']), "the rule `{id}` has an id that cannot be written");
        manifest.rule.insert(id.clone(), Sealed { by, content: *content });
    }
    Ok(manifest)
}

/// The files that hold rules, by their path in the bundle.
fn sources(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut all = vec![("approvals.toml".to_owned(), fs::read_to_string(folder.join("approvals.toml"))?)];
    for entry in fs::read_dir(folder.join("rules"))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.extension().is_some_and(|kind| kind == "cedar") {
            all.push((format!("rules/{name}"), fs::read_to_string(&path)?));
        }
    }
    Ok(all)
}

/// The first and the last line of a rule, counted from one: from its heading to the next one.
fn lines_of(id: &str, text: &str) -> Option<(usize, usize)> {
    let (heading, any) = match id.strip_prefix("approval.") {
        Some(operation) => (format!("[approval.\"{operation}\"]"), "[approval."),
        None => (format!("@id(\"{id}\")"), "@id("),
    };
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| line.trim() == heading)?;
    let next = lines.iter().skip(first + 1).position(|line| line.trim_start().starts_with(any));
    let last = next.map_or(lines.len(), |after| first + 1 + after);
    Some((first + 1, last))
}

/// Who made the newest change to these lines (<https://git-scm.com/docs/git-blame#_the_porcelain_format>).
fn author(folder: &Path, file: &str, first: usize, last: usize) -> Result<String> {
    let range = format!("{first},{last}");
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["blame", "--line-porcelain", "-L", &range, "--", file])
        .output()
        .context("git could not be started; install it")?;
    if !output.status.success() {
        bail!("git knows no history of `{file}`; commit it first");
    }
    newest(&String::from_utf8_lossy(&output.stdout))
        .with_context(|| format!("`{file}` has changes that are not committed; commit them first"))
}

/// The author of the newest line; none if one of them is not committed.
fn newest(blame: &str) -> Option<String> {
    let (mut newest, mut email) = (None, String::new());
    for line in blame.lines() {
        if line.starts_with("0000000000000000000000000000000000000000 ") {
            return None;
        }
        if let Some(mail) = line.strip_prefix("author-mail <") {
            mail.trim_end_matches('>').clone_into(&mut email);
        } else if let Some(time) = line.strip_prefix("committer-time ") {
            let time: i64 = time.parse().ok()?;
            if newest.as_ref().is_none_or(|(before, _)| time > *before) {
                newest = Some((time, email.clone()));
            }
        }
    }
    newest.map(|(_, email)| email)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reaches_from_its_heading_to_the_next_one() {
        let text = "// A file.\n@id(\"a\")\npermit (x);\n\n@id(\"b\")\nforbid (x);\n";
        assert_eq!(lines_of("a", text), Some((2, 4)));
        assert_eq!(lines_of("b", text), Some((5, 6)));
        assert_eq!(lines_of("c", text), None);
        let text = "[approval.\"refund.create\"]\nneed = 1\n[approval.\"invoice.pay\"]\n";
        assert_eq!(lines_of("approval.refund.create", text), Some((1, 2)));
    }

    #[test]
    fn the_newest_line_tells_the_author_and_an_uncommitted_one_nobody() {
        let line = |hash: &str, mail: &str, time: i64| {
            format!("{hash} 1 1 1\nauthor-mail <{mail}>\ncommitter-time {time}\n\ttext\n")
        };
        let blame = line("a1", "old@example.test", 1)
            + &line("b2", "new@example.test", 3)
            + &line("c3", "older@example.test", 2);
        assert_eq!(newest(&blame).as_deref(), Some("new@example.test"));
        let open = blame + &line(&"0".repeat(40), "not.committed.yet", 9);
        assert_eq!(newest(&open), None);
    }
}
