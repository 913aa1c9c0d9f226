//! `countersign trail verify`: every chain of decisions, checked without trusting whoever serves it.
//!
//! The form is one JSON object per line: `{"entry":{…}}` for each entry, in the order of its chain, and
//! `{"head":{"subject":…,"length":…,"hash":…}}` for where each subject says that its chain ends. So an
//! entry that was changed, moved, left out or cut off shows.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result, bail};
use domain::trail::{Broken, Entry, Head, verify as verify_chain};
use runtime::http::{Base, client};
use serde::{Deserialize, Serialize};

use crate::{End, args::VerifyTrail};

/// One line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// An entry of a chain.
    Entry(Entry),
    /// Where a chain ends.
    Head {
        /// The case or proposal.
        subject: String,
        /// The end.
        #[serde(flatten)]
        end: Head,
    },
    /// An item that stands where an entry or a head should, and is none.
    Unreadable(String),
}

/// What is wrong with a trail.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// A line that no export has.
    #[error("line {0} is no entry of a trail")]
    Line(usize),
    /// See [`Line::Unreadable`].
    #[error("{0}")]
    Unreadable(String),
    /// A chain that does not hold.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A chain without an end that its subject vouches for.
    #[error("`{0}`: nothing says where the trail ends")]
    NoHead(String),
    /// Two lines say where the same chain ends.
    #[error("`{0}`: two lines say where the trail ends")]
    TwoHeads(String),
}

/// How much holds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) chains: usize,
    pub(crate) entries: usize,
}

/// Checks the trail of a running pipeline or of a file.
pub(crate) fn verify(options: &VerifyTrail) -> End {
    let text = match &options.file {
        Some(file) => read(file),
        None => fetch(&options.api),
    };
    let text = match text {
        Ok(text) => text,
        Err(error) => return End::usage(format!("{error:#}")),
    };
    match check(&text) {
        Ok(Count { entries: 0, .. }) if options.file.is_some() => End::no("broken: the file holds no entry"),
        Ok(Count { chains, entries }) => End::good(format!("{chains} chains with {entries} entries hold")),
        Err(fault) => End::no(format!("broken: {fault}")),
    }
}

fn read(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    // What is not UTF-8 is no entry, and is named by its line.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn fetch(api: &str) -> Result<String> {
    let Ok(base) = Base::parse(api) else {
        bail!("`{api}` is not the URL of a pipeline, as http://localhost:8400");
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let url = format!("{}/_console/trail", base.as_str());
        let answer = client(&[&base])?.get(&url).send().await.with_context(|| {
            format!("nothing answers at {url}; start `countersign local`, or name its --api")
        })?;
        let answer = answer.error_for_status().with_context(|| format!("{url} gave no trail"))?;
        answer.text().await.with_context(|| format!("{url} broke off"))
    })
}

/// Checks the lines of an export; names the first bad entry of the first bad chain.
pub(crate) fn check(text: &str) -> Result<Count, Fault> {
    let mut chains: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    let mut heads: BTreeMap<String, Head> = BTreeMap::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str(line).map_err(|_| Fault::Line(index + 1))? {
            Line::Entry(entry) => chains.entry(entry.subject.clone()).or_default().push(entry),
            Line::Head { subject, end } => {
                chains.entry(subject.clone()).or_default();
                if heads.insert(subject.clone(), end).is_some() {
                    return Err(Fault::TwoHeads(subject));
                }
            }
            Line::Unreadable(why) => return Err(Fault::Unreadable(why)),
        }
    }
    let mut count = Count::default();
    for (subject, entries) in &chains {
        verify_chain(subject, entries, heads.get(subject).copied())?;
        if !heads.contains_key(subject) {
            return Err(Fault::NoHead(subject.clone()));
        }
        count.chains += 1;
        count.entries += entries.len();
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    fn export(subjects: &[&str]) -> Vec<String> {
        let mut lines = Vec::new();
        for subject in subjects {
            let mut end = Head::START;
            for number in 0..3 {
                let entry = end.entry(subject, "decided", Timestamp::from_seconds(number), "{}".to_owned());
                end = entry.head();
                lines.push(serde_json::to_string(&Line::Entry(entry)).unwrap());
            }
            let head = Line::Head { subject: (*subject).to_owned(), end };
            lines.push(serde_json::to_string(&head).unwrap());
        }
        lines
    }

    fn fault(lines: &[String]) -> String {
        check(&lines.join("\n")).unwrap_err().to_string()
    }

    #[test]
    fn an_export_that_was_left_alone_holds() {
        let text = export(&["recovery:in_1", "ap_1"]).join("\n");
        assert_eq!(check(&text), Ok(Count { chains: 2, entries: 6 }));
    }

    #[test]
    fn the_first_bad_entry_is_named() {
        let mut lines = export(&["recovery:in_1", "ap_1"]);
        lines[1] = lines[1].replace("decided", "denied");
        assert_eq!(fault(&lines), "`recovery:in_1`: entry 1 was changed");
    }

    #[test]
    fn a_missing_a_moved_and_a_cut_entry_and_a_missing_head_are_named() {
        let whole = export(&["ap_1"]);
        let without = |index: usize| {
            let mut lines = whole.clone();
            lines.remove(index);
            fault(&lines)
        };
        assert_eq!(without(0), "`ap_1`: entry 0 is missing, found 1 in its place");
        assert_eq!(without(2), "`ap_1`: the trail ends after 2 of 3 entries");
        assert_eq!(without(3), "`ap_1`: nothing says where the trail ends");
        let mut moved = whole.clone();
        moved.swap(0, 1);
        assert_eq!(fault(&moved), "`ap_1`: entry 0 is missing, found 1 in its place");
        let twice = [whole.clone(), vec![whole[3].clone()]].concat();
        assert_eq!(fault(&twice), "`ap_1`: two lines say where the trail ends");
    }

    #[test]
    fn a_line_that_is_no_entry_is_named() {
        let mut lines = export(&["ap_1"]);
        lines[2] = "{}".to_owned();
        assert_eq!(fault(&lines), "line 3 is no entry of a trail");
    }
}
