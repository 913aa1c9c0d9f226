//! The registry of people who may sign.

use domain::PersonId;
use store::Approvals;

use crate::support::Tables;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_put_into_the_registry_and_deactivated() {
    let tables = Tables::of(&["approvals"]).await;
    let registry = Approvals::new(tables.client.clone(), "approvals");

    let put =
        ["person", "put", "--table", "approvals", "--id", "finance-1", "--name", "Finance one", "--team"];
    let put = [&put[..], &["T0TEAM", "--user", "U0FIN", "--group", "finance"]].concat();
    let ran = tables.run(&put).await;
    assert_eq!((ran.code, ran.out.trim_end()), (0, "finance-1 may sign in, as finance"), "{}", ran.error);
    let id = PersonId::parse("finance-1").unwrap();
    let person = registry.person(&id).await.unwrap().unwrap();
    assert!(person.active && person.groups == ["finance"]);

    let ran = tables.run(&["person", "deactivate", "--table", "approvals", "--id", "finance-1"]).await;
    assert_eq!(ran.code, 0, "{}", ran.error);
    assert!(!registry.person(&id).await.unwrap().unwrap().active);
    let ran = tables.run(&["person", "deactivate", "--table", "approvals", "--id", "nobody"]).await;
    assert_eq!((ran.code, ran.out.trim_end()), (1, "`nobody` is not in the registry"));
    let ran = tables.run(&["person", "put", "--table", "elsewhere", "--id", "a b"]).await;
    assert_eq!(ran.code, 2, "{}", ran.error);
}
