//! The switch that stops everything, and the end of a link key.

use store::{Approvals, Cases};

use crate::support::Tables;

#[tokio::test(flavor = "multi_thread")]
async fn one_command_stops_both_tables_and_says_when_they_disagree() {
    let tables = Tables::of(&["cases", "approvals"]).await;
    let (cases, approvals) =
        (Cases::new(tables.client.clone(), "cases"), Approvals::new(tables.client.clone(), "approvals"));
    let run = async |line: &[&str]| {
        let ran = tables.run(line).await;
        (ran.code, format!("{}{}", ran.out, ran.error))
    };
    let both = ["--cases-table", "cases", "--approvals-table", "approvals"];
    let freeze = |switch: &'static str| [&["freeze", switch][..], &both].concat();
    let said = run(&freeze("status")).await;
    assert_eq!(said, (0, "nothing is stopped\n".to_owned()));

    let on = [&freeze("on")[..], &["--by", "finance-lead", "--why", "odd refunds"]].concat();
    for _ in 0..2 {
        let (code, said) = run(&on).await;
        assert!(code == 0 && said.contains("by finance-lead: odd refunds"), "{said}");
    }
    assert!(cases.is_frozen().await.unwrap() && approvals.frozen().await.unwrap().is_some());
    let (code, said) = run(&freeze("on")).await;
    assert!(code == 2 && said.contains("--by"), "nobody stops everything without saying who and why: {said}");

    // Somebody lifts half of it by hand.
    approvals.unfreeze().await.unwrap();
    let (code, said) = run(&freeze("status")).await;
    assert!(code == 1 && said.starts_with("only the agent's steps are stopped"), "{said}");
    let (code, said) = run(&freeze("off")).await;
    assert_eq!((code, said.as_str()), (0, "nothing is stopped\n"));
    assert!(!cases.is_frozen().await.unwrap() && approvals.frozen().await.unwrap().is_none());

    let revoke = ["revoke", "link-key", "--table", "approvals", "--key", "l1"];
    let (code, said) = run(&revoke).await;
    assert!(code == 0 && said.contains("links of `l1` are good no longer"), "{said}");
    let (code, said) = run(&revoke).await;
    assert!(code == 0 && said.contains("revoked before"), "{said}");
    assert!(approvals.revoked_link_keys().await.unwrap().contains("l1"));
    let (code, said) = run(&["revoke", "link-key", "--table", "nowhere", "--key", "l1"]).await;
    assert!(code != 0 && said.contains("not revoked"), "{said}");
}
