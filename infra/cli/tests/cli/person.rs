//! The registry of people who may sign.

use domain::PersonId;
use runtime::{Env, aws::Aws};
use store::Approvals;

use crate::support::{Ran, countersign};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_put_into_the_registry_and_deactivated() {
    let tables = sandbox::dynamodb::serve(0, None).await.unwrap();
    let url = tables.url();
    let variables = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL", url.as_str()),
    ];
    let client = Aws::from_env(&Env::from(variables)).unwrap().dynamodb();
    store::schema::create(&client, "approvals").await.unwrap();
    let registry = Approvals::new(client, "approvals");
    let run = async |line: &[&str]| {
        let mut command = countersign(line);
        command.envs(variables);
        tokio::task::spawn_blocking(move || Ran::of(&mut command, b"")).await.unwrap()
    };

    let put =
        ["person", "put", "--table", "approvals", "--id", "finance-1", "--name", "Finance one", "--team"];
    let put = [&put[..], &["T0TEAM", "--user", "U0FIN", "--group", "finance"]].concat();
    let ran = run(&put).await;
    assert_eq!((ran.code, ran.out.trim_end()), (0, "finance-1 may sign in, as finance"), "{}", ran.error);
    let id = PersonId::parse("finance-1").unwrap();
    let person = registry.person(&id).await.unwrap().unwrap();
    assert!(person.active && person.groups == ["finance"]);

    let ran = run(&["person", "deactivate", "--table", "approvals", "--id", "finance-1"]).await;
    assert_eq!(ran.code, 0, "{}", ran.error);
    assert!(!registry.person(&id).await.unwrap().unwrap().active);
    let ran = run(&["person", "deactivate", "--table", "approvals", "--id", "nobody"]).await;
    assert_eq!((ran.code, ran.out.trim_end()), (1, "`nobody` is not in the registry"));
    let ran = run(&["person", "put", "--table", "elsewhere", "--id", "a b"]).await;
    assert_eq!(ran.code, 2, "{}", ran.error);
}
