use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::*;
use crate::{
    approval::{Receipt, ReceiptBody, ReceiptSigner, receipt::tests::body},
    encoding::unhex,
    trail::Entry,
};

// The stand-in of the whole-system tests; it knows nothing of this crate.
#[allow(dead_code, unreachable_pub, reason = "another crate's module")]
#[path = "../../../../../infra/sandbox/src/passkey.rs"]
mod authenticator;

use authenticator::{Authenticator, HONEST, client_data};

const ORIGIN: &str = "https://approve.example.test";

fn party() -> RelyingParty {
    RelyingParty::of(ORIGIN).unwrap()
}

fn person(id: &str) -> PersonId {
    PersonId::parse(id).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    body().at.plus(seconds)
}

fn text(challenge: Digest) -> String {
    URL_SAFE_NO_PAD.encode(challenge.bytes())
}

fn enrolled(device: &Authenticator) -> Result<Enrolled, PasskeyRefused> {
    let challenge = enrol_challenge("n", &person("finance"));
    let client = URL_SAFE_NO_PAD.encode(client_data("webauthn.create", &text(challenge), ORIGIN));
    Enrolled::read(&client, &device.registration(&party().id), challenge, &party())
}

/// The passkeys of somebody who has this one, enrolled and confirmed before the sample vote.
fn owned_by(id: &str, device: &Authenticator) -> (Passkeys, Vec<Entry>) {
    let made = enrolled(device).unwrap();
    let credential = made.credential().clone();
    let confirmed = PasskeyChange::Confirmed { credential, by: person("admin") };
    let (one, first) = Passkeys::none(person(id)).after(PasskeyChange::Enrolled(made), at(-60)).unwrap();
    let (all, second) = one.after(confirmed, at(-30)).unwrap();
    (all, vec![first, second])
}

fn challenge_of(body: &ReceiptBody) -> Digest {
    vote_challenge("n", &body.proposal, body.digest, body.decision)
}

fn signer() -> ReceiptSigner {
    ReceiptSigner::new("r1", &[7; 32]).unwrap()
}

/// The sample vote, signed with a passkey to which the browser says this.
fn receipt_saying(device: &mut Authenticator, client: &str) -> Receipt {
    let signed = device.answer(&party().id, client).unwrap();
    let assertion = Assertion {
        credential: CredentialId::parse(device.credential()).unwrap(),
        nonce: "n".into(),
        client_data: signed.client_data,
        authenticator_data: signed.authenticator_data,
        signature: signed.signature,
    };
    signer().sign_with(body(), Some(assertion))
}

fn receipt(device: &mut Authenticator) -> Receipt {
    let client = client_data("webauthn.get", &text(challenge_of(&body())), ORIGIN);
    receipt_saying(device, &client)
}

fn with(receipt: &Receipt, change: impl FnOnce(&mut Assertion)) -> Receipt {
    let mut changed = receipt.clone();
    change(changed.assertion.as_mut().unwrap());
    changed
}

fn devices() -> [Authenticator; 2] {
    [Authenticator::es256().unwrap(), Authenticator::ed25519().unwrap()]
}

#[test]
fn a_passkey_of_either_algorithm_carries_its_owners_vote() {
    for mut device in devices() {
        device.counter = 7;
        let (passkeys, _) = owned_by("finance", &device);
        device.counter = 8;
        let receipt = receipt(&mut device);
        let (passkey, counter) = passkeys.carry(&receipt).unwrap();
        assert_eq!((passkey.credential.as_str(), counter), (device.credential().as_str(), 8));
        let kept: Receipt = serde_json::from_str(&serde_json::to_string(&receipt).unwrap()).unwrap();
        assert_eq!(passkeys.carry(&kept).map(|(_, counter)| counter), Ok(8));
    }
}

#[test]
fn what_was_signed_for_another_proposal_amount_or_decision_does_not_count() {
    let [mut device, _] = devices();
    let (passkeys, _) = owned_by("finance", &device);
    let assertion = receipt(&mut device).assertion;
    for other in [
        ReceiptBody { proposal: ProposalId::parse("ap_other").unwrap(), ..body() },
        ReceiptBody { digest: Digest::of("another amount"), ..body() },
        ReceiptBody { decision: Decision::Deny, ..body() },
    ] {
        let moved = signer().sign_with(other, assertion.clone());
        assert_eq!(passkeys.carry(&moved).unwrap_err(), PasskeyRefused::OtherChallenge);
    }
    let stale = with(&receipt(&mut device), |one| one.nonce = "another".into());
    assert_eq!(passkeys.carry(&stale).unwrap_err(), PasskeyRefused::OtherChallenge);
}

#[test]
fn another_site_another_ceremony_and_a_frame_are_refused() {
    let [mut device, _] = devices();
    let (passkeys, _) = owned_by("finance", &device);
    let challenge = text(challenge_of(&body()));
    let honest = client_data("webauthn.get", &challenge, ORIGIN);
    let framed = honest.replace("\"crossOrigin\":false", "\"crossOrigin\":true");
    let topped = honest.replace("\"crossOrigin\":false", "\"topOrigin\":\"https://evil.test\"");
    let twice = honest.replace("{\"type\"", "{\"origin\":\"https://evil.test\",\"type\"");
    for (client, refused) in [
        (client_data("webauthn.get", &challenge, "https://evil.test"), PasskeyRefused::OtherSite),
        (
            client_data("webauthn.get", &challenge, "https://approve.example.test:8443"),
            PasskeyRefused::OtherSite,
        ),
        (client_data("webauthn.get", &challenge, "http://approve.example.test"), PasskeyRefused::OtherSite),
        (client_data("webauthn.create", &challenge, ORIGIN), PasskeyRefused::OtherChallenge),
        (client_data("webauthn.get", &format!("{challenge}="), ORIGIN), PasskeyRefused::OtherChallenge),
        (framed, PasskeyRefused::OtherSite),
        (topped, PasskeyRefused::OtherSite),
        (twice, PasskeyRefused::Unreadable),
        ("{}".into(), PasskeyRefused::Unreadable),
        (String::new(), PasskeyRefused::Unreadable),
    ] {
        let receipt = receipt_saying(&mut device, &client);
        assert_eq!(passkeys.carry(&receipt).unwrap_err(), refused, "{client}");
    }
    let other = device.answer("example.test", &honest).unwrap();
    let receipt = with(&receipt(&mut device), |one| {
        one.authenticator_data = other.authenticator_data;
        one.signature = other.signature;
    });
    assert_eq!(passkeys.carry(&receipt).unwrap_err(), PasskeyRefused::OtherSite, "another relying party");
}

#[test]
fn whoever_did_not_touch_it_or_prove_themselves_to_it_did_not_sign() {
    let [mut device, _] = devices();
    let (passkeys, _) = owned_by("finance", &device);
    for (flags, refused) in [
        (0x04, PasskeyRefused::NotPresent),
        (0x01, PasskeyRefused::NotVerified),
        (HONEST | 0x10, PasskeyRefused::Contradictory),
        (HONEST | 0x08, PasskeyRefused::Contradictory),
        (HONEST | 0x40, PasskeyRefused::Contradictory),
        (HONEST | 0x80, PasskeyRefused::Unreadable),
    ] {
        device.flags = flags;
        assert_eq!(passkeys.carry(&receipt(&mut device)).unwrap_err(), refused, "{flags:#x}");
    }
    device.flags = HONEST | 0x02 | 0x20;
    assert!(passkeys.carry(&receipt(&mut device)).is_ok(), "flags that are reserved say nothing");
}

#[test]
fn every_changed_bit_of_what_the_authenticator_signed_is_found() {
    for mut device in devices() {
        let (passkeys, _) = owned_by("finance", &device);
        let receipt = receipt(&mut device);
        let whole = receipt.assertion.clone().unwrap();
        let flipped = |text: &str, bit: usize| {
            let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            URL_SAFE_NO_PAD.encode(bytes)
        };
        let bits = |text: &str| 0..URL_SAFE_NO_PAD.decode(text).unwrap().len() * 8;
        for bit in bits(&whole.authenticator_data) {
            let changed =
                with(&receipt, |one| one.authenticator_data = flipped(&whole.authenticator_data, bit));
            assert!(passkeys.carry(&changed).is_err(), "authenticator data, bit {bit}");
        }
        for bit in bits(&whole.signature) {
            let changed = with(&receipt, |one| one.signature = flipped(&whole.signature, bit));
            assert!(passkeys.carry(&changed).is_err(), "signature, bit {bit}");
        }
        for bit in bits(&whole.client_data) {
            let changed = with(&receipt, |one| one.client_data = flipped(&whole.client_data, bit));
            assert!(passkeys.carry(&changed).is_err(), "client data, bit {bit}");
        }
        for changed in [
            with(&receipt, |one| one.signature.clear()),
            with(&receipt, |one| one.signature.push('=')),
            with(&receipt, |one| one.authenticator_data.truncate(48)),
            with(&receipt, |one| one.authenticator_data.push_str("AAAA")),
        ] {
            assert!(passkeys.carry(&changed).is_err());
        }
    }
}

#[test]
fn the_enrolled_key_chooses_the_algorithm_and_an_assertion_cannot() {
    let [mut ecdsa, mut eddsa] = devices();
    let (passkeys, _) = owned_by("finance", &ecdsa);
    // The other device signs the same challenge, under the first one's id.
    let other = receipt(&mut eddsa).assertion.unwrap();
    let confused = with(&receipt(&mut ecdsa), |one| one.signature = other.signature);
    assert_eq!(passkeys.carry(&confused).unwrap_err(), PasskeyRefused::BadSignature);
    // No encoding of a key but the canonical one, and no third algorithm.
    let key = String::from(passkeys.all[0].key.clone());
    let bytes = URL_SAFE_NO_PAD.decode(&key).unwrap();
    for (index, value) in [(0, 0xa4), (2, 1), (4, 0x27), (4, 0x38), (6, 6), (9, 31)] {
        let mut other = bytes.clone();
        other[index] = value;
        assert!(PublicKey::try_from(URL_SAFE_NO_PAD.encode(other)).is_err(), "byte {index}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(PublicKey::try_from(URL_SAFE_NO_PAD.encode(longer)).is_err());
    assert!(PublicKey::try_from(key).is_ok());
}

#[test]
fn a_passkey_of_somebody_else_or_one_that_nobody_confirmed_in_time_does_not_count() {
    let [mut own, mut other] = devices();
    let (mine, trail) = owned_by("finance", &own);
    assert_eq!(mine.carry(&receipt(&mut other)).unwrap_err(), PasskeyRefused::NotTheirs);
    assert_eq!(mine.carry(&signer().sign(body())).unwrap_err(), PasskeyRefused::Missing);

    let receipt = receipt(&mut own);
    let early = Passkeys::as_of(person("finance"), &trail, at(-31)).unwrap();
    assert_eq!(early.carry(&receipt).unwrap_err(), PasskeyRefused::NotTheirs, "enrolled, not confirmed");
    let none = Passkeys::as_of(person("finance"), &trail, at(-61)).unwrap();
    assert_eq!(none, Passkeys::none(person("finance")));
    let mut late = mine.clone();
    late.all[0].confirmed = Some(at(1));
    assert_eq!(late.carry(&receipt).unwrap_err(), PasskeyRefused::NotTheirs, "confirmed after the vote");
}

#[test]
fn the_trail_of_passkeys_tells_what_the_row_says() {
    let [device, _] = devices();
    let (confirmed, mut trail) = owned_by("finance", &device);
    let credential = confirmed.all[0].credential.clone();
    assert_eq!(Passkeys::as_of(person("finance"), &trail, at(0)), Some(confirmed.clone()));
    let removed = PasskeyChange::Removed { credential: credential.clone(), by: person("finance") };
    let (after, entry) = confirmed.after(removed.clone(), at(10)).unwrap();
    trail.push(entry);
    assert_eq!(Passkeys::as_of(person("finance"), &trail, at(10)), Some(confirmed.clone()), "that second");
    assert_eq!(Passkeys::as_of(person("finance"), &trail, at(11)), Some(after.clone()));
    assert!(after.all.is_empty() && after.trail.length == 3);

    // What cannot follow is refused.
    assert_eq!(after.after(removed, at(12)).unwrap_err(), PasskeyRefused::NotTheirs);
    let again = PasskeyChange::Confirmed { credential: credential.clone(), by: person("admin") };
    assert_eq!(confirmed.after(again, at(12)).unwrap_err(), PasskeyRefused::NotTheirs);
    let twice = PasskeyChange::Enrolled(enrolled(&device).unwrap());
    assert_eq!(confirmed.after(twice.clone(), at(12)).unwrap_err(), PasskeyRefused::Known);
    let (mine, _) = after.after(twice, at(12)).unwrap();
    let own_word = PasskeyChange::Confirmed { credential, by: person("finance") };
    assert_eq!(mine.after(own_word, at(13)).unwrap_err(), PasskeyRefused::OwnWord);
    trail[1].body = trail[1].body.replace("admin", "other");
    assert_eq!(Passkeys::as_of(person("finance"), &trail, at(11)), None, "an entry that was edited");
}

#[test]
fn a_counter_that_does_not_go_up_may_be_a_copy() {
    let [device, _] = devices();
    let (none, _) = owned_by("finance", &device);
    let credential = none.all[0].credential.clone();
    assert!(none.used(&credential, 0).is_ok(), "without a counter it stays zero");
    let five = none.used(&credential, 5).unwrap();
    for copied in [0, 4, 5] {
        assert_eq!(five.used(&credential, copied).unwrap_err(), PasskeyRefused::WentBack);
    }
    assert_eq!(five.used(&credential, 6).unwrap().all[0].counter, 6);
}

#[test]
fn a_registration_is_taken_only_whole_for_this_person_and_without_an_attestation() {
    for device in devices() {
        let whole = URL_SAFE_NO_PAD.decode(device.registration(&party().id)).unwrap();
        let challenge = enrol_challenge("n", &person("finance"));
        let client = URL_SAFE_NO_PAD.encode(client_data("webauthn.create", &text(challenge), ORIGIN));
        let read =
            |object: &[u8]| Enrolled::read(&client, &URL_SAFE_NO_PAD.encode(object), challenge, &party());
        assert!(read(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "cut to {length}");
        }
        assert!(read(&[whole.as_slice(), &[0]].concat()).is_err());
        let packed = String::from_utf8_lossy(&whole[..10]).into_owned();
        assert!(packed.contains("none"));
        let mut attested = whole.clone();
        attested[6..10].copy_from_slice(b"nono");
        assert_eq!(read(&attested).unwrap_err(), PasskeyRefused::Attested);
        let other = enrol_challenge("n", &person("second"));
        let other = Enrolled::read(&client, &device.registration(&party().id), other, &party());
        assert_eq!(other.unwrap_err(), PasskeyRefused::OtherChallenge, "a registration of somebody else");
    }
    let [mut device, _] = devices();
    device.flags = 0x01;
    assert_eq!(enrolled(&device).unwrap_err(), PasskeyRefused::NotVerified);
}

fn hex<const N: usize>(text: &str) -> [u8; N] {
    unhex(text).unwrap()
}

/// <https://www.w3.org/TR/webauthn-3/#sctn-test-vectors-none-es256>: its user is not verified, which is not
/// enough here; everything else is.
#[test]
fn the_vector_of_the_w3c_without_attestation_is_read_and_its_signature_verifies() {
    let party = RelyingParty::of("https://example.org").unwrap();
    let object: [u8; 194] = hex(concat!(
        "a363666d74646e6f6e656761747453746d74a068617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2",
        "e4b559000000008446ccb9ab1db374750b2367ff6f3a1f0020f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4a50102",
        "03262001215820afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61225820930a56b87a2fca66334b03458abf879717c1",
        "2cc68ed73290af2e2664796b9220",
    ));
    let created: [u8; 255] = hex(concat!(
        "7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a22414d4d507434557878475453746e63647134313759",
        "447742466938767049612d7077386f4f755657345441222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73",
        "734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077",
        "697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a20426b5165446a646354",
        "427258426941774a544c453551227d",
    ));
    let challenge =
        Digest::parse("00c30fb78531c464d2b6771dab8d7b603c01162f2fa486bea70f283ae556e130").unwrap();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let unverified = Enrolled::read(&encode(&created), &encode(&object), challenge, &party);
    assert_eq!(unverified.unwrap_err(), PasskeyRefused::NotVerified);
    let mut verified = object;
    verified[62] |= 0x04;
    let made = Enrolled::read(&encode(&created), &encode(&verified), challenge, &party).unwrap();
    let (passkeys, _) =
        Passkeys::none(person("finance")).after(PasskeyChange::Enrolled(made), at(0)).unwrap();

    let data: [u8; 37] = hex("bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b51900000000");
    let client: [u8; 132] = hex(concat!(
        "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a224f63446e55685158756c5455506f334a555854304939377",
        "0767a7a59425039745a63685879617630314167222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f",
        "726967696e223a66616c73657d",
    ));
    let signature: [u8; 72] = hex(concat!(
        "3046022100f50a4e2e4409249c4a853ba361282f09841df4dd4547a13a87780218deffcd380221008480ac0f0b93538174f575bf11a1dd5d78c6e4",
        "86013f937295ea13653e331e87",
    ));
    let assertion = Assertion {
        credential: passkeys.all[0].credential.clone(),
        nonce: String::new(),
        client_data: encode(&client),
        authenticator_data: encode(&data),
        signature: encode(&signature),
    };
    let challenge =
        Digest::parse("39c0e7521417ba54d43e8dc95174f423dee9bf3cd804ff6d65c857c9abf4d408").unwrap();
    assert_eq!(passkeys.all[0].verify(&assertion, challenge), Err(PasskeyRefused::NotVerified));
    let message = [data.as_slice(), Digest::of(client).bytes()].concat();
    assert!(passkeys.all[0].key.has_signed(&message, &signature));
    assert!(!passkeys.all[0].key.has_signed(&message[1..], &signature));
}

/// <https://www.w3.org/TR/webauthn-3/#sctn-test-vectors-packed-eddsa>, its assertion.
#[test]
fn the_vector_of_the_w3c_for_ed25519_verifies() {
    let key: [u8; 42] =
        hex("a401010327200621582044e06ddd331c36a8dc667bab52bcae63486c916aa5e339e6acebaa84934bf832");
    let key = PublicKey::try_from(URL_SAFE_NO_PAD.encode(key)).unwrap();
    let data: [u8; 37] = hex("bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50100000000");
    let client: [u8; 132] = hex(concat!(
        "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a2269566c583442786a4f6d6d44534b4c596f7870557439736e",
        "364d48454f7943413135726947514a6e763949222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f72",
        "6967696e223a66616c73657d",
    ));
    let signature: [u8; 64] = hex(concat!(
        "f5c59c7e46c34f6f8cc197101ddf9934fa2595f68eb1913a637e8419eb9ba4cfdfc48f85393bc0d40b011f0d6fecb097d6607525713223a0dc0d4539",
        "93dae00b",
    ));
    let message = [data.as_slice(), Digest::of(client).bytes()].concat();
    assert!(key.has_signed(&message, &signature));
    assert!(!key.has_signed(&message[..64], &signature));
}
