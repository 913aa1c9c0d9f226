//! The HTTP side: a request in, a page out, and the same headers on every answer.
//!
//! GET shows and POST decides (I9). What an unauthenticated request was refused for is counted, not
//! written.

mod answer;
mod asking;
mod ending;
mod passkeys;
mod proposals;
mod request;
mod sessions;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use http::{Method, StatusCode};
use runtime::failure;

use self::{answer::Answer, request::Request};
use crate::{pages, turn::Turn};

/// Answers one request.
pub(crate) async fn answer(turn: Turn<'_>, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
    let head = event.request_context.http.method == Method::HEAD;
    let answer = match Request::read(event) {
        Ok(request) => route(turn, &request).await.unwrap_or_else(|error| {
            turn.metrics.count("pages_failed", 1);
            tracing::error!(failure = failure::chain(error.as_ref()), "a page failed");
            Answer::page(StatusCode::INTERNAL_SERVER_ERROR, pages::failed())
        }),
        Err(refused) => Answer::page(refused.status(), pages::refused(&refused.to_string())),
    };
    turn.metrics.count_by("answers", &answer.status().as_str().chars().take(1).collect::<String>(), 1);
    answer.into_response(head)
}

async fn route(turn: Turn<'_>, request: &Request) -> anyhow::Result<Answer> {
    let path: Vec<&str> = request.path.split('/').skip(1).collect();
    let get = request.method == Method::GET || request.method == Method::HEAD;
    let post = request.method == Method::POST;
    match path.as_slice() {
        [""] if get => proposals::inbox(turn, request).await,
        ["a", id] if get => proposals::review(turn, request, id).await,
        ["a", id] if post => Box::pin(proposals::decide(turn, request, id)).await,
        ["a", id, "withdraw"] if post => ending::withdraw(turn, request, id).await,
        ["a", id, "undo"] if get => asking::undo(turn, request, id).await,
        ["mandates", id, "stop"] if post => ending::stop(turn, request, id).await,
        ["a", id, "looked"] if post => ending::looked(turn, request, id).await,
        ["requests", "new"] if get => asking::form(turn, request).await,
        ["requests"] if post => asking::ask(turn, request).await,
        ["passkeys"] if get => passkeys::list(turn, request).await,
        ["passkeys"] if post => passkeys::add(turn, request).await,
        ["passkeys", "remove"] if post => passkeys::remove(turn, request).await,
        ["sign-in"] if get => sessions::start(turn, request).await,
        ["sign-in", "callback"] if get => sessions::finish(turn, request).await,
        ["sign-out"] if post => sessions::end(turn, request).await,
        ["" | "sign-in" | "requests" | "sign-out" | "passkeys"]
        | ["a", _]
        | ["a", _, "withdraw" | "looked" | "undo"]
        | ["mandates", _, "stop"]
        | ["requests", "new"]
        | ["passkeys", "remove"]
        | ["sign-in", "callback"] => {
            Ok(Answer::page(StatusCode::METHOD_NOT_ALLOWED, pages::refused("That cannot be done here.")))
        }
        _ => Ok(Answer::not_found()),
    }
}
