//! `/passkeys`: adding and removing one's own; and a passkey's answer in the form of a vote.

use std::collections::BTreeMap;

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    Digest, PersonId,
    approval::{
        Assertion, CredentialId, Enrolled, PasskeyChange, PasskeyRefused, enrol_challenge, user_handle,
    },
};
use http::StatusCode;

use super::{
    answer::Answer,
    request::{Refused, Request},
    sessions::{self, SignedIn},
};
use crate::{
    app::LINK_LIFE,
    keys,
    pages::{self, NewPasskey},
    passkeys,
    turn::Turn,
};

const HERE: &str = "/passkeys";

/// How long a challenge can be answered, in seconds. It is bound to what is signed, so an old one is no
/// danger; as with a link, an hour is long enough for everybody.
pub(super) const CHALLENGE_LIFE: i64 = LINK_LIFE;

/// In characters.
const LONGEST_NAME: usize = 60;

pub(super) fn base64url(challenge: Digest) -> String {
    URL_SAFE_NO_PAD.encode(challenge.bytes())
}

/// What the script put into the form of a vote; without the script all but the nonce is empty.
pub(super) struct Answered {
    pub(super) nonce: String,
    credential: String,
    client_data: String,
    authenticator_data: String,
    signature: String,
    user_handle: String,
}

impl Answered {
    /// Takes it from the fields of a form: all of it or nothing.
    pub(super) fn take(fields: &mut BTreeMap<String, String>) -> Result<Option<Self>, Refused> {
        let Some(nonce) = fields.remove("nonce") else { return Ok(None) };
        let mut take = |name| fields.remove(name).ok_or(Refused::Unreadable);
        Ok(Some(Self {
            nonce,
            credential: take("credential")?,
            client_data: take("client_data")?,
            authenticator_data: take("authenticator_data")?,
            signature: take("signature")?,
            user_handle: take("user_handle")?,
        }))
    }

    /// The assertion, unread; `None` if no passkey was used.
    pub(super) fn assertion(self, person: &PersonId) -> Result<Option<Assertion>, PasskeyRefused> {
        if self.credential.is_empty() {
            return Ok(None);
        }
        // An authenticator that says whose passkey it is has to say the same as the session (§7.2).
        if !self.user_handle.is_empty() && self.user_handle != base64url(user_handle(person)) {
            return Err(PasskeyRefused::NotTheirs);
        }
        let credential = CredentialId::parse(self.credential).map_err(|_| PasskeyRefused::Unreadable)?;
        let Self { nonce, client_data, authenticator_data, signature, .. } = self;
        Ok(Some(Assertion { credential, nonce, client_data, authenticator_data, signature }))
    }
}

/// `GET /passkeys`.
pub(super) async fn list(turn: Turn<'_>, request: &Request) -> Result<Answer> {
    let Some(me) = sessions::signed_in(turn, request).await? else { return Ok(sessions::ask(HERE)) };
    show(turn, &me, StatusCode::OK, None).await
}

async fn show(
    turn: Turn<'_>,
    me: &SignedIn,
    status: StatusCode,
    told: Option<PasskeyRefused>,
) -> Result<Answer> {
    let passkeys = turn.app.approvals.passkeys(&me.person.id).await?.value;
    let nonce = keys::random_token()?;
    let new = NewPasskey {
        challenge: base64url(enrol_challenge(&nonce, &me.person.id)),
        party: &turn.app.party.id,
        user_handle: base64url(user_handle(&me.person.id)),
        csrf: me.timed_csrf(turn, "passkey", &[&nonce]),
        nonce,
    };
    let removal = |id: &CredentialId| me.csrf(turn, "passkey-remove", &[id.as_str()]);
    let told = told.map(|told| told.to_string());
    let page = pages::passkeys(&me.shown(turn), &passkeys, &new, &removal, told.as_deref());
    Ok(Answer::page(status, page).with_script())
}

/// `POST /passkeys`: takes a new one, which counts once an administrator of the registry has confirmed it.
pub(super) async fn add(turn: Turn<'_>, request: &Request) -> Result<Answer> {
    let fields = ["name", "client_data", "attestation", "nonce", "csrf"];
    let [name, client_data, attestation, nonce, csrf] = match request.form(&turn.app.origin, fields) {
        Ok(form) => form,
        Err(refused) => return Ok(malformed(turn, refused)),
    };
    let Some(me) = sessions::signed_in(turn, request).await? else { return Ok(signed_out(turn)) };
    let shown = me.shown_at(turn, "passkey", &[&nonce], &csrf);
    if shown.is_none_or(|shown| turn.now().since(shown) > CHALLENGE_LIFE) {
        return Ok(stale(turn));
    }
    let challenge = enrol_challenge(&nonce, &me.person.id);
    let made = match Enrolled::read(&client_data, &attestation, challenge, &turn.app.party) {
        Ok(made) => made,
        Err(refused) => return refuse(turn, &me, refused).await,
    };
    let name = pages::harmless(&name, LONGEST_NAME);
    match passkeys::change(turn, &me.person.id, &PasskeyChange::Enrolled(made), &name).await? {
        Ok(()) => Ok(Answer::see_other(HERE.to_owned())),
        Err(refused) => refuse(turn, &me, refused).await,
    }
}

/// `POST /passkeys/remove`: it counts no longer, at once.
pub(super) async fn remove(turn: Turn<'_>, request: &Request) -> Result<Answer> {
    let [credential, csrf] = match request.form(&turn.app.origin, ["credential", "csrf"]) {
        Ok(form) => form,
        Err(refused) => return Ok(malformed(turn, refused)),
    };
    let Some(me) = sessions::signed_in(turn, request).await? else { return Ok(signed_out(turn)) };
    if !me.verify(turn, "passkey-remove", &[&credential], &csrf) {
        return Ok(stale(turn));
    }
    let Ok(credential) = CredentialId::parse(credential) else { return Ok(stale(turn)) };
    let removal = PasskeyChange::Removed { credential, by: me.person.id.clone() };
    match passkeys::change(turn, &me.person.id, &removal, "").await? {
        Ok(()) => Ok(Answer::see_other(HERE.to_owned())),
        Err(refused) => refuse(turn, &me, refused).await,
    }
}

async fn refuse(turn: Turn<'_>, me: &SignedIn, refused: PasskeyRefused) -> Result<Answer> {
    turn.metrics.count_by("passkeys_refused", refused.word(), 1);
    show(turn, me, StatusCode::UNPROCESSABLE_ENTITY, Some(refused)).await
}

fn malformed(turn: Turn<'_>, refused: Refused) -> Answer {
    turn.metrics.count("forms_refused", 1);
    Answer::page(refused.status(), pages::refused(&refused.to_string()))
}

fn signed_out(turn: Turn<'_>) -> Answer {
    turn.metrics.count("forms_refused", 1);
    Answer::page(StatusCode::FORBIDDEN, pages::sign_in(HERE))
}

fn stale(turn: Turn<'_>) -> Answer {
    turn.metrics.count("forms_refused", 1);
    Answer::page(StatusCode::FORBIDDEN, pages::stale_form(HERE))
}
