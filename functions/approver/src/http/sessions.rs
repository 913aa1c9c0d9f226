//! Who somebody is: cookies, sign-in and sign-out.

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Digest, Timestamp, approval::Person};
use http::StatusCode;
use runtime::failure;
use store::{Session, StoreError};

use super::{answer::Answer, request::Request};
use crate::{
    keys,
    oidc::{NoSignIn, Started},
    pages,
    turn::Turn,
};

/// The `__Host-` prefix makes the browser insist on `Secure`, `Path=/` and this very host
/// (<https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes>).
const SESSION: &str = "__Host-session";
const SIGN_IN: &str = "__Host-oidc";

/// How long a session and a sign-in under way last, in seconds.
const SESSION_LIFE: i64 = 8 * 3600;
const SIGN_IN_LIFE: i64 = 600;

/// Somebody who is signed in, as the registry knows them now.
#[derive(Debug, Clone)]
pub(super) struct SignedIn {
    /// The digest of the session's token, which anti-forgery tokens are bound to.
    pub(super) token: Digest,
    pub(super) session: Session,
    pub(super) person: Person,
}

impl SignedIn {
    /// The anti-forgery token of a form.
    pub(super) fn csrf(&self, turn: Turn<'_>, form: &str, bound_to: &[&str]) -> String {
        let token = self.token.to_string();
        let fields: Vec<&str> = [token.as_str()].into_iter().chain(bound_to.iter().copied()).collect();
        turn.keys.sessions.tag(&format!("approval/csrf/{form}/v1"), &fields)
    }

    /// Whether a form came from a page that this session was shown.
    pub(super) fn verify(&self, turn: Turn<'_>, form: &str, bound_to: &[&str], csrf: &str) -> bool {
        let token = self.token.to_string();
        let fields: Vec<&str> = [token.as_str()].into_iter().chain(bound_to.iter().copied()).collect();
        turn.keys.sessions.verify(&format!("approval/csrf/{form}/v1"), &fields, csrf)
    }

    /// The anti-forgery token of a form that somebody has to read first: it tells when it was shown.
    pub(super) fn timed_csrf(&self, turn: Turn<'_>, form: &str, bound_to: &[&str]) -> String {
        let shown = turn.now().seconds().to_string();
        let fields: Vec<&str> = bound_to.iter().copied().chain([shown.as_str()]).collect();
        format!("{shown}.{}", self.csrf(turn, form, &fields))
    }

    /// When the page of a form was shown to this session; `None` if it was not.
    pub(super) fn shown_at(
        &self,
        turn: Turn<'_>,
        form: &str,
        bound_to: &[&str],
        csrf: &str,
    ) -> Option<Timestamp> {
        let (shown, tag) = csrf.split_once('.')?;
        let fields: Vec<&str> = bound_to.iter().copied().chain([shown]).collect();
        let genuine = self.verify(turn, form, &fields, tag);
        shown.parse().ok().filter(|_| genuine).map(Timestamp::from_seconds)
    }

    /// What every page shows of them.
    pub(super) fn shown(&self, turn: Turn<'_>) -> pages::Me {
        pages::Me { name: self.person.name.clone(), sign_out: self.csrf(turn, "sign-out", &[]) }
    }
}

/// Who asks, if they are signed in and still may be.
pub(super) async fn signed_in(turn: Turn<'_>, request: &Request) -> Result<Option<SignedIn>, StoreError> {
    let Some(token) = request.cookie(SESSION).and_then(token_digest) else { return Ok(None) };
    let Some(session) = turn.app.approvals.session(token, turn.now()).await? else { return Ok(None) };
    let person = turn.app.approvals.person(&session.person).await?;
    let person =
        person.filter(|person| person.may_enter().is_ok() && person.identities.contains(&session.identity));
    Ok(person.map(|person| SignedIn { token, session, person }))
}

fn token_digest(token: &str) -> Option<Digest> {
    // Anything else was never given out, and need not be looked up.
    (token.len() == 43).then(|| Digest::of(token))
}

/// The page that asks to sign in. It says nothing of where it leads.
pub(super) fn ask(next: &str) -> Answer {
    Answer::ok(pages::sign_in(next))
}

/// `GET /sign-in`: on to the identity provider.
pub(super) async fn start(turn: Turn<'_>, request: &Request) -> Result<Answer> {
    let next = request.query.get("next").map(String::as_str).filter(|next| is_local(next)).unwrap_or("/");
    match turn.app.oidc.start(next.to_owned(), turn.now(), SIGN_IN_LIFE).await {
        Ok((url, started)) => {
            let cookie = set(SIGN_IN, &sealed(turn, &started)?, SIGN_IN_LIFE);
            Ok(Answer::see_other(url).with_cookie(cookie))
        }
        Err(error) => Ok(not_signed_in(turn, &error)),
    }
}

/// `GET /sign-in/callback`: back from the identity provider. Only here a session begins.
pub(super) async fn finish(turn: Turn<'_>, request: &Request) -> Result<Answer> {
    let now = turn.now();
    let refused = |why| {
        let page = not_signed_in(turn, &NoSignIn::Unproven(why));
        Ok(page.with_cookie(clear(SIGN_IN)))
    };
    let started = request.cookie(SIGN_IN).and_then(|cookie| opened(turn, cookie));
    let Some(started) = started.filter(|started| now < started.expires) else {
        return refused("no sign-in is under way in this browser");
    };
    let state = request.query.get("state").map(String::as_str).unwrap_or_default();
    // The digests are compared, so that the time tells nothing.
    if Digest::of(state) != Digest::of(&started.state) {
        return refused("it answers another sign-in");
    }
    let Some(code) = request.query.get("code").filter(|_| !request.query.contains_key("error")) else {
        return refused("it gave no code");
    };
    let identity = match turn.app.oidc.finish(code.clone(), &started, now).await {
        Ok(identity) => identity,
        Err(error) => return Ok(not_signed_in(turn, &error).with_cookie(clear(SIGN_IN))),
    };
    let person = turn.app.approvals.person_of(&identity).await?;
    let Some(person) = person.filter(|person| person.may_enter().is_ok()) else {
        turn.metrics.count("sign_ins_refused", 1);
        let page = Answer::page(StatusCode::FORBIDDEN, pages::not_registered());
        return Ok(page.with_cookie(clear(SIGN_IN)));
    };
    let token = keys::random_token()?;
    let session =
        Session { person: person.id.clone(), identity, started: now, expires: now.plus(SESSION_LIFE) };
    turn.app.approvals.start_session(Digest::of(&token), &session).await?;
    turn.metrics.count("sign_ins", 1);
    tracing::info!(person = person.id.as_str(), "somebody signed in");
    let next = Answer::see_other(started.next);
    Ok(next.with_cookie(clear(SIGN_IN)).with_cookie(set(SESSION, &token, SESSION_LIFE)))
}

/// `POST /sign-out`.
pub(super) async fn end(turn: Turn<'_>, request: &Request) -> Result<Answer> {
    let [csrf] = match request.form(&turn.app.origin, ["csrf"]) {
        Ok(form) => form,
        Err(refused) => return Ok(Answer::page(refused.status(), pages::refused(&refused.to_string()))),
    };
    let Some(me) = signed_in(turn, request).await? else {
        return Ok(Answer::ok(pages::signed_out()).with_cookie(clear(SESSION)));
    };
    if !me.verify(turn, "sign-out", &[], &csrf) {
        return Ok(Answer::page(StatusCode::FORBIDDEN, pages::stale_form("/")));
    }
    turn.app.approvals.end_session(me.token).await?;
    Ok(Answer::ok(pages::signed_out()).with_cookie(clear(SESSION)))
}

/// Nobody was signed in: counted, and nothing written.
fn not_signed_in(turn: Turn<'_>, error: &NoSignIn) -> Answer {
    turn.metrics.count("sign_ins_refused", 1);
    match error {
        NoSignIn::Unavailable(_) => {
            tracing::warn!(failure = failure::chain(error), "the identity provider could not be asked");
            Answer::page(StatusCode::SERVICE_UNAVAILABLE, pages::provider_unavailable())
        }
        NoSignIn::Unproven(why) => {
            tracing::info!(why, "a sign-in was refused");
            Answer::page(StatusCode::FORBIDDEN, pages::not_signed_in())
        }
    }
}

/// A path of this very site: `//host` and `/\host` lead elsewhere.
fn is_local(next: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'.');
    next.starts_with('/') && !next.starts_with("//") && next.len() <= 300 && next.bytes().all(plain)
}

const SEAL: &str = "approval/sign-in/v1";

/// A sign-in under way, as its cookie: anybody can read it, and only we can write it.
fn sealed(turn: Turn<'_>, started: &Started) -> Result<String> {
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(started)?);
    let tag = turn.keys.sessions.tag(SEAL, &[&payload]);
    Ok(format!("{payload}.{tag}"))
}

fn opened(turn: Turn<'_>, cookie: &str) -> Option<Started> {
    let (payload, tag) = cookie.split_once('.')?;
    if !turn.keys.sessions.verify(SEAL, &[payload], tag) {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// `Lax`, since the way back from the identity provider, and from a message, starts on another site.
fn set(name: &str, value: &str, life: i64) -> String {
    format!("{name}={value}; Path=/; Max-Age={life}; Secure; HttpOnly; SameSite=Lax")
}

fn clear(name: &str) -> String {
    set(name, "", 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_this_site_is_gone_on_to() {
        for good in ["/", "/a/ap_1", "/requests/new"] {
            assert!(is_local(good), "{good}");
        }
        for bad in [
            "",
            "//evil.test",
            "/\\evil.test",
            "https://evil.test",
            "a",
            "/a?t=1",
            "/a\r\nx",
            "/@evil",
            "/%2f",
        ] {
            assert!(!is_local(bad), "{bad}");
        }
    }
}
