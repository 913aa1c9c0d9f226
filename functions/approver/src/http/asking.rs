//! Asking for an operation by hand: the form, and what it posts.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use domain::{
    ObjectId, PersonId, ProposalId, RequestId,
    approval::{OperationKind, Person, ReversibleOperation, Wish},
    encoding,
};
use http::StatusCode;
use runtime::failure;

use super::{
    answer::Answer,
    request::Request,
    sessions::{self, SignedIn},
};
use crate::{
    execute, keys, notify,
    pages::{self, Asked, RequestForm},
    propose::{self, Ask, Asker, NotProposed},
    turn::Turn,
};

/// `GET /requests/new`: the form of one operation, a refund unless the query says otherwise.
pub(super) async fn form(turn: Turn<'_>, request: &Request) -> Result<Answer> {
    let Some(me) = sessions::signed_in(turn, request).await? else {
        return Ok(sessions::ask("/requests/new"));
    };
    let query = |name: &str| request.query.get(name).cloned().unwrap_or_default();
    let kind = OperationKind::parse(&query("operation")).unwrap_or(OperationKind::Refund);
    let asked = Asked { kind, object: query("object"), parameters: BTreeMap::new(), why: String::new() };
    blank(turn, &me, &asked)
}

/// `GET /a/{id}/undo`: the form of what undoes a reversible operation, filled in.
pub(super) async fn undo(turn: Turn<'_>, request: &Request, id: &str) -> Result<Answer> {
    let Ok(id) = ProposalId::parse(id) else { return Ok(Answer::not_found()) };
    let Some(me) = sessions::signed_in(turn, request).await? else {
        return Ok(sessions::ask(&format!("/a/{id}/undo")));
    };
    let Some(file) = turn.app.approvals.proposal(&id).await? else { return Ok(Answer::not_found()) };
    let operation = &file.proposal().action.operation;
    let Some(done) = ReversibleOperation::of(operation) else { return Ok(Answer::not_found()) };
    let Wish { kind, object, parameters } = done.opposite().wish(operation.object());
    let asked = Asked { kind, object: object.to_string(), parameters, why: format!("Undoes {id}.") };
    blank(turn, &me, &asked)
}

/// A form that was not posted yet.
fn blank(turn: Turn<'_>, me: &SignedIn, asked: &Asked) -> Result<Answer> {
    let nonce = keys::random_token()?;
    let csrf = me.csrf(turn, "request", &[&nonce]);
    let (kinds, shown, rules) = (offered(turn, &me.person), me.shown(turn), turn.app.bundle.asking_rules());
    let (kinds, rules, nonce, csrf) = (&kinds, &rules, &nonce, &csrf);
    let form = RequestForm { me: &shown, kinds, rules, asked, nonce, csrf, told: None };
    Ok(Answer::ok(pages::request_form(&form)))
}

/// What the policy lets somebody ask for, before they say how much.
fn offered(turn: Turn<'_>, person: &Person) -> Vec<OperationKind> {
    let live = turn.app.stripe.mode().is_live();
    let all = OperationKind::ALL.iter().copied();
    all.filter(|kind| turn.app.bundle.approval(kind.as_str()).is_some())
        .filter(|kind| turn.app.effects.has(*kind, &turn.app.account).is_ok())
        .filter(|kind| turn.app.bundle.may_ask(person, *kind, live, None).permitted)
        .collect()
}

/// `POST /requests`: proposes, by the same way as the agent's requests. The form's nonce makes the
/// request's id, so that the same form sent twice is one request.
pub(super) async fn ask(turn: Turn<'_>, request: &Request) -> Result<Answer> {
    let fields = ["operation", "object", "why", "nonce", "csrf"];
    let form = request.form_with(&turn.app.origin, fields);
    let ([operation, object, why, nonce, csrf], mut parameters) = match form {
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
    let Some(kind) = OperationKind::parse(&operation) else {
        return Ok(Answer::page(StatusCode::BAD_REQUEST, pages::stale_form("/requests/new")));
    };
    let supersedes = parameters.remove("supersedes").and_then(|id| ProposalId::parse(id).ok());
    parameters.retain(|_, value| !value.trim().is_empty());
    let asked = Asked { kind, object, parameters, why: pages::harmless(&why, LONGEST_NOTE) };
    let again = |why: &NotProposed| {
        turn.metrics.count_by("requests_refused", why.word(), 1);
        let other = match why {
            NotProposed::Occupied(id) => Some(id.clone()),
            _ => None,
        };
        let told = pages::Told { why: why.to_string(), other };
        let (kinds, shown) = (offered(turn, &me.person), me.shown(turn));
        let (nonce, csrf, rules) = (&nonce, &csrf, &turn.app.bundle.asking_rules());
        let told = Some(&told);
        let form = RequestForm { me: &shown, kinds: &kinds, rules, asked: &asked, nonce, csrf, told };
        Ok(Answer::page(status(why), pages::request_form(&form)))
    };
    let Ok(object) = ObjectId::parse(asked.object.trim()) else { return again(&NotProposed::NoObject) };
    let ask = Ask {
        request: request_id(&me.person.id, &nonce)?,
        asker: Asker::Person(Box::new(me.person.clone())),
        account: None,
        wish: Wish { kind, object, parameters: typed(kind, &asked.parameters) },
        source: None,
        case: None,
        note: asked.why.clone(),
        supersedes,
    };
    match propose::propose(turn, &ask).await? {
        Ok(id) => {
            turn.metrics.count("requests_received", 1);
            // A mandate may reach it; then nobody has to be asked.
            let told = match execute::advance(turn, &id).await {
                Ok(_) => notify::approvers(turn, &id).await,
                Err(error) => Err(error),
            };
            if let Err(error) = told {
                // It is open all the same; the schedule goes on.
                let failure = failure::chain(error.as_ref());
                tracing::warn!(proposal = id.as_str(), failure, "approvers were not told yet");
            }
            Ok(Answer::see_other(format!("/a/{id}")))
        }
        Err(why) => again(&why),
    }
}

/// In characters.
const LONGEST_NOTE: usize = 500;

/// What a person typed. A refund without parameters is what the charge's metadata asks for, and a
/// person who fills in nothing does not mean that.
fn typed(kind: OperationKind, parameters: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    // A browser sends the lines of a text with both signs that end one.
    let lines = |value: &String| value.replace("\r\n", "\n");
    let mut parameters: BTreeMap<_, _> =
        parameters.iter().map(|(name, value)| (name.clone(), lines(value))).collect();
    if kind == OperationKind::Refund {
        parameters.entry("amount".to_owned()).or_default();
    }
    parameters
}

const fn status(why: &NotProposed) -> StatusCode {
    match why {
        NotProposed::Occupied(_) => StatusCode::CONFLICT,
        NotProposed::MayNotAsk => StatusCode::FORBIDDEN,
        NotProposed::TooMany => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn request_id(person: &PersonId, nonce: &str) -> Result<RequestId> {
    let digest = encoding::digest("approval/request-form/v1", |to| {
        to.text(person.as_str());
        to.text(nonce);
    });
    let bits = digest.bytes().get(..16).context("a digest is longer")?;
    RequestId::parse(format!("rq_{}", encoding::base32(bits))).context("the request has no usable id")
}
