//! `webhook verify` against the signature vectors.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use crate::support::{Ran, countersign};

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    now: i64,
    tolerance: i64,
    secrets: Vec<String>,
    header: String,
    body: Option<String>,
    body_b64: Option<String>,
    body_gen: Option<Generated>,
    recommended: String,
}

#[derive(Deserialize)]
struct Generated {
    prefix: String,
    unit: String,
    count: usize,
    suffix: String,
}

impl Vector {
    fn body(&self) -> Vec<u8> {
        match (&self.body, &self.body_b64, &self.body_gen) {
            (Some(text), ..) => text.clone().into_bytes(),
            (_, Some(text), _) => STANDARD.decode(text).unwrap(),
            (.., Some(made)) => {
                format!("{}{}{}", made.prefix, made.unit.repeat(made.count), made.suffix).into_bytes()
            }
            _ => panic!("{} has no body", self.id),
        }
    }

    fn verify(&self) -> Ran {
        let mut command = countersign(&["webhook", "verify", "--header", &self.header]);
        for secret in &self.secrets {
            command.args(["--secret", secret]);
        }
        command.args(["--now", &self.now.to_string(), "--tolerance", &self.tolerance.to_string()]);
        Ran::of(&mut command, &self.body())
    }
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../../../../tests/fixtures/stripe/signature_vectors.json");
    serde_json::from_str::<Vectors>(text).unwrap().vectors
}

#[test]
fn every_vector_gets_the_recommended_verdict() {
    let mut judged = 0;
    for vector in vectors().iter().filter(|vector| vector.recommended != "either") {
        let ran = vector.verify();
        if vector.recommended == "accept" {
            assert_eq!((ran.code, ran.out.as_str()), (0, "accepted\n"), "{}", vector.id);
        } else {
            assert_eq!(ran.code, 1, "{}", vector.id);
            assert!(ran.out.starts_with("refused: ") && ran.out.lines().count() == 1, "{}", ran.out);
        }
        judged += 1;
    }
    assert_eq!(judged, 76);
}

#[test]
fn the_reason_of_a_refusal_is_told() {
    let mut vector = vectors().into_iter().find(|vector| vector.id == "ok_empty_object").unwrap();
    vector.now += 301;
    assert_eq!(vector.verify().out, "refused: the signature is 301 seconds old\n");
    vector.tolerance = 301;
    assert_eq!(vector.verify().code, 0);
    vector.secrets = vec!["whsec_other".to_owned()];
    assert!(vector.verify().out.contains("no signature matches"));
}

#[test]
fn what_cannot_be_understood_is_bad_usage() {
    for arguments in [
        &["webhook", "verify", "--header", "t=1,v1=aa"][..],
        &["webhook", "verify", "--secret", "whsec_1"],
        &["webhook", "verify", "--header", "t=1", "--secret", "whsec_1", "--now", "today"],
        &["webhook", "verify", "--header", "t=1", "--secret", "whsec_1", "--tolerance", "-1"],
    ] {
        assert_eq!(Ran::new(arguments).code, 2, "{arguments:?}");
    }
}
