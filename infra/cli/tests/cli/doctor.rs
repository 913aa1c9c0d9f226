//! What the Stripe keys may do.

use sandbox::{Clock, Loopback, Shelf, stripe};

use crate::support::{Ran, countersign};

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_fit_are_good_and_others_are_told_what_to_change() {
    let keys = vec![
        stripe::Key::secret("sk_test_all"),
        stripe::Key::restricted("rk_test_read", stripe::READ_SCOPES.iter().copied()),
        stripe::Key::restricted("rk_test_write", stripe::WRITE_SCOPES.iter().copied()),
    ];
    let options = stripe::Options::new("acct_1SANDBOX", keys);
    let account = stripe::Stripe::open(options, Shelf::memory().unwrap(), Clock::running()).unwrap();
    let server = Loopback::serve(0, account.router()).await.unwrap();
    let url = server.url();
    let examine = async |name: &'static str, key: &'static str| {
        let mut command = countersign(&["doctor"]);
        command.env("STRIPE_API_BASE", &url).env(name, key);
        tokio::task::spawn_blocking(move || Ran::of(&mut command, b"")).await.unwrap()
    };

    let good = examine("STRIPE_READ_KEY", "rk_test_read").await;
    assert_eq!(
        (good.code, good.out.trim_end()),
        (0, "STRIPE_READ_KEY: exactly what it needs"),
        "{}",
        good.error
    );
    let secret = examine("STRIPE_READ_KEY", "sk_test_all").await;
    assert!(secret.code == 1 && secret.out.contains("make a restricted one"), "{}", secret.out);
    let swapped = examine("STRIPE_READ_KEY", "rk_test_write").await;
    assert!(
        swapped.code == 1 && swapped.out.contains("take away the permission to write"),
        "{}",
        swapped.out
    );
    assert!(!swapped.out.contains("rk_test_write"), "a key is not repeated");
    let none = Ran::of(countersign(&["doctor"]).env_remove("STRIPE_READ_KEY"), b"");
    assert!(none.code == 2 && none.error.contains("STRIPE_READ_KEY"), "{}", none.error);
    assert!(account.writes().iter().all(|write| write.status >= 400), "nothing was done");
}
