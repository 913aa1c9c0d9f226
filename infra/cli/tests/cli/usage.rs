//! What goes wrong before anything runs is told in one clear line.

use std::net::TcpListener;

use crate::support::{Folder, Ran, countersign};

fn one_line(ran: &Ran) -> &str {
    assert_eq!(ran.error.lines().count(), 1, "{}", ran.error);
    assert_eq!(ran.out, "", "nothing but the result belongs on standard output");
    ran.error.trim_end()
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = Ran::new(&["local", "--json", "--port", &port]);
    assert_eq!(ran.code, 1);
    let line = one_line(&ran);
    assert!(line.contains(&format!("port {port} ")) && line.contains("taken"), "{line}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("data");
    let ran = Ran::new(&["local", "--json", "--port", "0", "--data", below.to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    let line = one_line(&ran);
    assert!(line.contains("cannot write to the folder") && line.contains(below.to_str().unwrap()), "{line}");
}

#[test]
fn a_bad_argument_is_told_with_code_2() {
    for arguments in [&["--prot", "1"][..], &["local", "--port", "http"], &["locale"], &["webhook", "sign"]] {
        let ran = Ran::new(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}");
        assert!(one_line(&ran).starts_with("error: "), "{}", ran.error);
    }
}

#[test]
fn a_live_key_is_refused_and_not_repeated() {
    let mut command = countersign(&["local", "--json", "--port", "0"]);
    let ran = Ran::of(command.env("STRIPE_API_KEY", "sk_live_canary"), b"");
    assert_eq!(ran.code, 2);
    let line = one_line(&ran);
    assert!(line.contains("STRIPE_API_KEY") && !line.contains("canary"), "{line}");
}
