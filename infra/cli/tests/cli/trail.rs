//! `trail verify` on files and on nothing.

use domain::{
    Timestamp,
    trail::{Entry, Head},
};
use serde_json::json;

use crate::support::{Folder, Ran};

fn chain(subject: &str) -> (Vec<Entry>, Head) {
    let mut end = Head::START;
    let entries = (0..3)
        .map(|number| {
            let entry =
                end.entry(subject, "decided", Timestamp::from_seconds(number), format!("{{\"n\":{number}}}"));
            end = entry.head();
            entry
        })
        .collect();
    (entries, end)
}

fn verify(folder: &Folder, entries: &[Entry], head: Head) -> Ran {
    let mut lines: Vec<String> = entries.iter().map(|entry| json!({ "entry": entry }).to_string()).collect();
    let head = json!({ "subject": "ap_1", "length": head.length, "hash": head.hash });
    lines.push(json!({ "head": head }).to_string());
    let file = folder.path().join("trail.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    Ran::new(&["trail", "verify", "--file", file.to_str().unwrap()])
}

#[test]
fn a_trail_that_holds_is_counted_and_a_bad_entry_named() {
    let folder = Folder::new();
    let (mut entries, head) = chain("ap_1");
    let good = verify(&folder, &entries, head);
    assert_eq!((good.code, good.out.as_str()), (0, "1 chains with 3 entries hold\n"));
    let cut = verify(&folder, &entries[..2], head);
    assert_eq!((cut.code, cut.out.as_str()), (1, "broken: `ap_1`: the trail ends after 2 of 3 entries\n"));
    entries[1].body = "{\"n\":7}".to_owned();
    let changed = verify(&folder, &entries, head);
    assert_eq!((changed.code, changed.out.as_str()), (1, "broken: `ap_1`: entry 1 was changed\n"));
}

#[test]
fn nothing_to_read_is_bad_usage_and_an_empty_file_no_trail() {
    let folder = Folder::new();
    let missing = folder.path().join("missing");
    let ran = Ran::new(&["trail", "verify", "--file", missing.to_str().unwrap()]);
    assert_eq!(ran.code, 2);
    assert!(ran.error.contains("cannot read"), "{}", ran.error);
    assert_eq!(Ran::new(&["trail", "verify", "--api", "http://127.0.0.1:1"]).code, 2);
    assert_eq!(Ran::new(&["trail", "verify", "--api", "ftp://localhost"]).code, 2);
    std::fs::write(&missing, "").unwrap();
    assert_eq!(Ran::new(&["trail", "verify", "--file", missing.to_str().unwrap()]).code, 1);
}
