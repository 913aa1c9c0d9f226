//! `POST /a/{id}/withdraw`, `POST /a/{id}/looked` and `POST /mandates/{id}/stop`: what ends something by
//! hand.

use anyhow::Result;
use domain::{MandateId, ProposalId};
use http::StatusCode;

use super::{answer::Answer, request::Request, sessions};
use crate::{
    mandate::{self, NotStopped},
    pages,
    turn::Turn,
    withdraw::{self, NotTaken, Seen},
};

/// In characters.
const LONGEST_SEEN: usize = 300;

/// Takes a proposal back.
pub(super) async fn withdraw(turn: Turn<'_>, request: &Request, id: &str) -> Result<Answer> {
    let [csrf] = match request.form(&turn.app.origin, ["csrf"]) {
        Ok(form) => form,
        Err(refused) => return Ok(malformed(turn, refused.status(), &refused.to_string())),
    };
    let Ok(id) = ProposalId::parse(id) else { return Ok(Answer::not_found()) };
    let here = format!("/a/{id}");
    let Some(me) = sessions::signed_in(turn, request).await? else { return Ok(signed_out(turn, &here)) };
    if !me.verify(turn, "withdraw", &[id.as_str()], &csrf) {
        return Ok(stale(turn, &here));
    }
    match withdraw::withdraw(turn, &id, &me.person).await? {
        Ok(()) => Ok(Answer::see_other(here)),
        Err(refused) => {
            Ok(Answer::page(status(&refused), pages::not_taken(&me.shown(turn), &refused.to_string(), &here)))
        }
    }
}

/// Stops a mandate.
pub(super) async fn stop(turn: Turn<'_>, request: &Request, id: &str) -> Result<Answer> {
    let [csrf] = match request.form(&turn.app.origin, ["csrf"]) {
        Ok(form) => form,
        Err(refused) => return Ok(malformed(turn, refused.status(), &refused.to_string())),
    };
    let Ok(id) = MandateId::parse(id) else { return Ok(Answer::not_found()) };
    let Some(me) = sessions::signed_in(turn, request).await? else { return Ok(signed_out(turn, "/")) };
    if !me.verify(turn, "stop", &[id.as_str()], &csrf) {
        return Ok(stale(turn, "/"));
    }
    let refused = match mandate::stop(turn, &id, &me.person).await? {
        Ok(()) => return Ok(Answer::see_other("/".to_owned())),
        Err(refused) => refused,
    };
    let status = match refused {
        NotStopped::Unknown => StatusCode::NOT_FOUND,
        NotStopped::NotYours => StatusCode::FORBIDDEN,
        NotStopped::Raced => StatusCode::CONFLICT,
    };
    let granting = format!("/a/{}", id.proposal());
    Ok(Answer::page(status, pages::not_taken(&me.shown(turn), &refused.to_string(), &granting)))
}

/// Takes what somebody saw in Stripe of an outcome that is not known.
pub(super) async fn looked(turn: Turn<'_>, request: &Request, id: &str) -> Result<Answer> {
    let [outcome, saw, csrf] = match request.form(&turn.app.origin, ["outcome", "saw", "csrf"]) {
        Ok(form) => form,
        Err(refused) => return Ok(malformed(turn, refused.status(), &refused.to_string())),
    };
    let Ok(id) = ProposalId::parse(id) else { return Ok(Answer::not_found()) };
    let here = format!("/a/{id}");
    let Some(me) = sessions::signed_in(turn, request).await? else { return Ok(signed_out(turn, &here)) };
    if !me.verify(turn, "looked", &[id.as_str()], &csrf) {
        return Ok(stale(turn, &here));
    }
    let done = match outcome.as_str() {
        "done" => true,
        "not_done" => false,
        _ => return Ok(Answer::page(StatusCode::BAD_REQUEST, pages::stale_form(&here))),
    };
    let saw = pages::harmless(&saw, LONGEST_SEEN);
    match withdraw::resolve(turn, &id, &Seen { person: &me.person, done, saw: &saw }).await? {
        Ok(_) => Ok(Answer::see_other(here)),
        Err(refused) => {
            Ok(Answer::page(status(&refused), pages::not_taken(&me.shown(turn), &refused.to_string(), &here)))
        }
    }
}

const fn status(refused: &NotTaken) -> StatusCode {
    match refused {
        NotTaken::Unknown => StatusCode::NOT_FOUND,
        NotTaken::Closed(_) | NotTaken::Held | NotTaken::Raced => StatusCode::CONFLICT,
        NotTaken::NotYours | NotTaken::Ineligible(_) => StatusCode::FORBIDDEN,
        NotTaken::NothingSeen => StatusCode::UNPROCESSABLE_ENTITY,
        NotTaken::Unreadable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn malformed(turn: Turn<'_>, status: StatusCode, why: &str) -> Answer {
    turn.metrics.count("forms_refused", 1);
    Answer::page(status, pages::refused(why))
}

fn signed_out(turn: Turn<'_>, here: &str) -> Answer {
    turn.metrics.count("forms_refused", 1);
    Answer::page(StatusCode::FORBIDDEN, pages::sign_in(here))
}

fn stale(turn: Turn<'_>, here: &str) -> Answer {
    turn.metrics.count("forms_refused", 1);
    Answer::page(StatusCode::FORBIDDEN, pages::stale_form(here))
}
