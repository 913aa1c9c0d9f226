//! The agent's requests, from the approver's own queue.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::{
    AccountId, RequestId,
    approval::{OperationKind, Wish},
};
use runtime::failure;
use serde::Deserialize;
use store::RequestRow;

use crate::{
    execute, notify,
    propose::{self, Ask, Asker, NotProposed},
    turn::Turn,
};

/// A message: the request's id and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    request: RequestId,
}

/// Takes a batch and names the messages that must come again. A message that fails takes the later
/// ones of its group with it, which keeps their order.
pub(crate) async fn take(turn: Turn<'_>, batch: SqsEvent) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    let mut stopped = BTreeSet::new();
    for message in batch.records {
        let group = message.attributes.get("MessageGroupId").cloned().unwrap_or_default();
        if !stopped.contains(&group) {
            let Err(error) = take_one(turn, &message).await else { continue };
            let message_id = message.message_id.as_deref().unwrap_or_default();
            tracing::warn!(message_id, failure = failure::chain(error.as_ref()), "a request waits");
            turn.metrics.count("messages_failed", 1);
            stopped.insert(group);
        }
        let mut failed = BatchItemFailure::default();
        failed.item_identifier = message.message_id.unwrap_or_default();
        response.batch_item_failures.push(failed);
    }
    response
}

async fn take_one(turn: Turn<'_>, message: &SqsMessage) -> Result<()> {
    let Message { request } = serde_json::from_str(message.body.as_deref().unwrap_or_default())
        .context("a message is no request")?;
    turn.metrics.count("requests_received", 1);
    if turn.app.approvals.refusal(&request).await?.is_some() {
        return Ok(());
    }
    let id = domain::ProposalId::of(&request, 0);
    // What the row says counts once: as soon as there is a proposal, it is not read again.
    if turn.app.approvals.proposal(&id).await?.is_none() {
        let row = turn.app.cases.request(&request).await?.context("the request's row is not there yet")?;
        let refused = match ask(row) {
            Ok(ask) => propose::propose(turn, &ask).await?.err(),
            Err(refused) => Some(refused),
        };
        if let Some(refused) = refused {
            return propose::refuse(turn, &request, &refused).await;
        }
    }
    // A mandate may reach it; then nobody has to be asked.
    execute::advance(turn, &id).await?;
    notify::approvers(turn, &id).await
}

/// What a row asks for. It says which object to look at; what is done to it is what Stripe says there.
fn ask(row: RequestRow) -> Result<Ask, NotProposed> {
    let kind = OperationKind::parse(&row.operation).ok_or(NotProposed::Unsupported)?;
    // The reviewer is shown the case's rules, so they must not be those of something else.
    if row.object != *row.case.object() {
        return Err(NotProposed::OtherCase);
    }
    if let Some(name) = row.parameters.keys().find(|name| !chosen_by_agent(kind).contains(&name.as_str())) {
        return Err(NotProposed::AgentChose(name.clone()));
    }
    // A path of several accounts is nothing that a write could be made in.
    let account = match (row.origin.account, row.origin.context) {
        (Some(account), _) => Some(account),
        (None, Some(context)) => Some(AccountId::parse(context).map_err(|_| NotProposed::OtherAccount)?),
        (None, None) => None,
    };
    Ok(Ask {
        request: row.id,
        asker: Asker::Agent,
        account,
        wish: Wish { kind, object: row.object, parameters: row.parameters },
        source: row.source,
        case: Some(row.case),
        note: String::new(),
        supersedes: None,
    })
}

/// The parameters that the agent may give: words of closed lists, and no amount and no text of its own,
/// which somebody could have made it write.
const fn chosen_by_agent(kind: OperationKind) -> &'static [&'static str] {
    match kind {
        OperationKind::SendMessage => &["template"],
        OperationKind::ChangeAccess => &["change"],
        OperationKind::PauseCollection => &["behavior"],
        _ => &[],
    }
}
