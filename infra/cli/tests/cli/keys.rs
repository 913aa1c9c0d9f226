//! Keys are rotated by one command, in the sandbox and against Secrets Manager's API.

use crate::support::{Local, Ran, countersign};

#[tokio::test]
async fn one_command_rotates_the_keys_of_a_running_pipeline() {
    let local = Local::start(&["--no-seed"]);
    let (api, first) = (local.at("api").to_owned(), local.at("receipt_key").to_owned());
    let ran = Ran::new(&["keys", "rotate", "--api", &api]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.error);
    let keys: Vec<&str> = ran.out.lines().skip(1).collect();
    assert_eq!(keys.len(), 2, "{}", ran.out);
    assert!(keys[1].ends_with(&first) && !keys[0].ends_with(&first), "{}", ran.out);
    let again = Ran::new(&["keys", "rotate", "--api", &api]);
    assert!(again.code == 1 && again.out.contains("wait ten minutes"), "{}", again.out);
    assert_eq!(local.get("/").await.status().as_u16(), 200);

    let shown = Ran::of(
        countersign(&["keys", "public", "--secret", "countersign/keys/receipt"])
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", local.at("secrets")),
        b"",
    );
    assert_eq!(shown.out.lines().collect::<Vec<_>>(), keys, "{}", shown.error);
}

#[test]
fn what_to_rotate_has_to_be_said() {
    for line in
        [&["keys", "rotate"][..], &["keys", "rotate", "--secret", "x"], &["keys", "rotate", "--kind", "link"]]
    {
        assert_eq!(Ran::new(line).code, 2, "{line:?}");
    }
}
