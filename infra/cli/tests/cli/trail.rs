//! `trail verify` on files and on nothing.

use domain::{
    Timestamp,
    trail::{Entry, Head},
};
use serde_json::json;

use crate::support::{Folder, Local, Ran};

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

#[tokio::test]
async fn an_export_is_checked_without_a_network_and_a_change_to_it_is_found() {
    let local = Local::start(&[]);
    let wished = |board: &serde_json::Value| board["totals"]["pending"].as_u64() > Some(0);
    let board = local.until("an approval waits", wished).await;
    let id = board["approvals"][0]["id"].as_str().unwrap().to_owned();
    let (api, key) = (local.at("api").to_owned(), local.at("receipt_key").to_owned());
    // Past the age from which a checkpoint is signed over an entry.
    let path = format!("/_console/trail/{id}");
    let mut signed = false;
    for _ in 0..600 {
        let lines = local.get(&path).await.text().await.unwrap();
        let last = lines.lines().rfind(|line| line.starts_with("{\"checkpoint\"")).map(str::to_owned);
        let named = domain::trail::chain_name(&id);
        signed = last.is_some_and(|_| lines.contains(&named));
        if signed {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(signed, "a checkpoint names the proposal's chain");

    let folder = Folder::new();
    let export = || Ran::new(&["trail", "export", "--case", &id, "--api", &api, "--out", folder.text()]);
    let ran = export();
    assert_eq!(ran.code, 0, "{}", ran.error);
    let again = export();
    assert!(again.code == 1 && again.error.contains("is there already"), "{}", again.error);
    let file = folder.path().join(format!("{id}.jsonl"));
    let page = std::fs::read_to_string(folder.path().join(format!("{id}.html"))).unwrap();
    assert!(
        page.contains("proposed") && page.contains("Asked for by") && !page.contains("<script"),
        "{page}"
    );
    let verify = || Ran::new(&["trail", "verify", "--file", file.to_str().unwrap(), "--public-key", &key]);
    drop(local);
    let good = verify();
    assert_eq!(good.code, 0, "{}{}", good.out, good.error);
    assert!(good.out.contains("2 chains") && good.out.contains("nothing is missing until"), "{}", good.out);

    let lines = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, lines.replacen("\"need\":", "\"need\":1", 1)).unwrap();
    let edited = verify();
    assert_eq!(edited.code, 1, "{}", edited.out);
    let no = Ran::new(&["trail", "verify", "--file", file.to_str().unwrap(), "--public-key", "zz"]);
    assert_eq!(no.code, 2);
}

#[test]
fn only_a_case_or_a_proposal_can_be_exported() {
    for id in ["../x", "nothing", "ap_x/../../y", ""] {
        assert_eq!(Ran::new(&["trail", "export", "--case", id]).code, 2, "{id}");
    }
}
