//! Asking for a refund by hand: the form, and what it posts.

use anyhow::{Context as _, Result};
use domain::{ChargeId, PersonId, RequestId, approval::RefundReason, encoding};
use http::StatusCode;
use runtime::failure;

use super::{answer::Answer, request::Request, sessions};
use crate::{
    keys, notify,
    pages::{self, Asked},
    propose::{self, Ask, NotProposed, Wish},
    turn::Turn,
};

/// `GET /requests/new`: the form.
pub(super) async fn form(turn: Turn<'_>, request: &Request) -> Result<Answer> {
    let Some(me) = sessions::signed_in(turn, request).await? else {
        return Ok(sessions::ask("/requests/new"));
    };
    let nonce = keys::random_token()?;
    let csrf = me.csrf(turn, "request", &[&nonce]);
    let charge = request.query.get("charge").cloned().unwrap_or_default();
    let asked = Asked { charge, ..Asked::default() };
    Ok(Answer::ok(pages::request_form(&me.shown(turn), &asked, &nonce, &csrf, None)))
}

/// `POST /requests`: proposes, by the same way as the agent's requests. The form's nonce makes the
/// request's id, so that the same form sent twice is one request.
pub(super) async fn ask(turn: Turn<'_>, request: &Request) -> Result<Answer> {
    let fields = ["charge", "amount", "reason", "note", "nonce", "csrf"];
    let [charge, amount, reason, note, nonce, csrf] = match request.form(&turn.app.origin, fields) {
        Ok(form) => form,
        Err(refused) => {
            turn.metrics.count("forms_refused", 1);
            return Ok(Answer::page(refused.status(), pages::refused(&refused.to_string())));
        }
    };
    let Some(me) = sessions::signed_in(turn, request).await? else {
        turn.metrics.count("forms_refused", 1);
        return Ok(Answer::page(StatusCode::FORBIDDEN, pages::sign_in("/requests/new")));
    };
    if !me.verify(turn, "request", &[&nonce], &csrf) {
        turn.metrics.count("forms_refused", 1);
        return Ok(Answer::page(StatusCode::FORBIDDEN, pages::stale_form("/requests/new")));
    }
    let asked = Asked { charge, amount, reason, note: pages::harmless(&note, LONGEST_NOTE) };
    let again = |why: &NotProposed, status| {
        let other = match why {
            NotProposed::Occupied(id) => Some(format!("/a/{id}")),
            _ => None,
        };
        let told = pages::Told { why: format!("{why}."), other };
        Answer::page(status, pages::request_form(&me.shown(turn), &asked, &nonce, &csrf, Some(&told)))
    };
    let Ok(charge) = ChargeId::parse(asked.charge.trim()) else {
        return Ok(again(&NotProposed::NoCharge, StatusCode::UNPROCESSABLE_ENTITY));
    };
    let Some(reason) = RefundReason::parse(&asked.reason) else {
        return Ok(Answer::page(StatusCode::BAD_REQUEST, pages::stale_form("/requests/new")));
    };
    let ask = Ask {
        request: request_id(&me.person.id, &nonce)?,
        requester: me.person.id.clone(),
        account: None,
        charge,
        source: None,
        case: None,
        wish: Wish::Typed { amount: asked.amount.clone(), reason },
        note: asked.note.clone(),
    };
    match propose::propose(turn, &ask).await? {
        Ok(id) => {
            turn.metrics.count("requests_received", 1);
            if let Err(error) = notify::approvers(turn, &id).await {
                // It is open all the same; the schedule tells them.
                let failure = failure::chain(error.as_ref());
                tracing::warn!(proposal = id.as_str(), failure, "approvers were not told yet");
            }
            Ok(Answer::see_other(format!("/a/{id}")))
        }
        Err(why) => {
            turn.metrics.count_by("requests_refused", why.word(), 1);
            let occupied = matches!(why, NotProposed::Occupied(_));
            let status = if occupied { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
            Ok(again(&why, status))
        }
    }
}

/// In characters.
const LONGEST_NOTE: usize = 500;

fn request_id(person: &PersonId, nonce: &str) -> Result<RequestId> {
    let digest = encoding::digest("approval/request-form/v1", |to| {
        to.text(person.as_str());
        to.text(nonce);
    });
    let bits = digest.bytes().get(..16).context("a digest is longer")?;
    RequestId::parse(format!("rq_{}", encoding::base32(bits))).context("the request has no usable id")
}
