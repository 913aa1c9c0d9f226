//! `countersign redrive`: shows dead letters with the reason of their last failure, and sends them again. A
//! message is sent before it is taken away, so a crash in between sends it twice and loses none; what has its
//! outcome meanwhile is suppressed as a duplicate.

use anyhow::{Context as _, Result};
use aws_sdk_sqs::{
    Client,
    types::{Message, MessageSystemAttributeName},
};
use clap::Args;
use domain::Envelope;
use runtime::{Env, aws::Aws};
use serde::Deserialize;
use store::{Cases, EventOutcome};

use super::run;
use crate::End;

/// For how long a message that is looked at is hidden from others, in seconds.
const HIDDEN: i32 = 60;

/// Where the dead letters lie, and where they belong.
#[derive(Debug, Clone, Args)]
pub(crate) struct RedriveOptions {
    /// The queue of dead letters
    #[arg(long, value_name = "URL")]
    dead: String,
    /// The queue that they came from
    #[arg(long, value_name = "URL")]
    queue: String,
    /// The table of cases, for the reasons
    #[arg(long, value_name = "NAME")]
    cases_table: Option<String>,
    /// Only show them
    #[arg(long)]
    dry_run: bool,
}

/// What a message of the approver's queue holds.
#[derive(Deserialize)]
struct Request {
    request: String,
}

/// Shows what is dead, and sends it again.
pub(crate) fn redrive(options: &RedriveOptions, env: &Env) -> Result<End> {
    let aws = Aws::from_env(env).context("AWS credentials are read from the environment")?;
    let cases = options.cases_table.as_deref().map(|table| Cases::new(aws.dynamodb(), table));
    run(async {
        let queues = aws.sqs();
        let (mut lines, mut shown) = (Vec::new(), Vec::new());
        while let Some(batch) = receive(&queues, &options.dead).await? {
            for message in batch {
                lines.push(describe(cases.as_ref(), &message).await?);
                if options.dry_run {
                    shown.push(message);
                } else {
                    send(&queues, &options.queue, &message).await?;
                    delete(&queues, &options.dead, &message).await?;
                }
            }
        }
        // What was only looked at is there for others at once.
        for message in &shown {
            release(&queues, &options.dead, message).await?;
        }
        let done = if options.dry_run { "lie there" } else { "are sent again" };
        let head = format!("{} dead letters {done}", lines.len());
        Ok(End::good(std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")))
    })
}

async fn receive(queues: &Client, url: &str) -> Result<Option<Vec<Message>>> {
    let answer = queues
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .visibility_timeout(HIDDEN)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .context("the queue of dead letters cannot be read")?;
    Ok(answer.messages.filter(|messages| !messages.is_empty()))
}

/// One line: ids, and why. A body that is neither an event nor a request is not shown.
async fn describe(cases: Option<&Cases>, message: &Message) -> Result<String> {
    let body = message.body().unwrap_or_default();
    let id = message.message_id().unwrap_or_default();
    if let Ok(envelope) = serde_json::from_str::<Envelope>(body) {
        let row = match cases {
            Some(cases) => cases.event(&envelope.id).await?,
            None => None,
        };
        let why = match row {
            Some(row) => match (row.outcome, row.failure) {
                (Some(EventOutcome::Decided { case }), _) => format!("decided meanwhile: {case}"),
                (Some(_), _) => "has its outcome meanwhile".to_owned(),
                (None, Some(why)) => format!("failed: {why}"),
                (None, None) => "no reason was kept; see the processor's log".to_owned(),
            },
            None if cases.is_some() => "was never begun".to_owned(),
            None => "give --cases-table for the reason".to_owned(),
        };
        return Ok(format!("{} {} about {}: {why}", envelope.id, envelope.kind, envelope.object));
    }
    Ok(match serde_json::from_str::<Request>(body) {
        Ok(Request { request }) => format!("request {request}: see the approver's log"),
        Err(_) => format!("message {id}: it is no envelope and will fail again"),
    })
}

async fn send(queues: &Client, url: &str, message: &Message) -> Result<()> {
    let attribute = |name| message.attributes().and_then(|all| all.get(&name)).cloned();
    let group = attribute(MessageSystemAttributeName::MessageGroupId).unwrap_or_else(|| "redrive".to_owned());
    queues
        .send_message()
        .queue_url(url)
        .set_message_body(message.body().map(str::to_owned))
        .message_group_id(group)
        // Another id than the first time, which the queue may still remember; the same if this run dies and
        // is repeated.
        .set_message_deduplication_id(message.message_id().map(str::to_owned))
        .send()
        .await
        .context("the message was not sent; it still lies among the dead letters")?;
    Ok(())
}

async fn delete(queues: &Client, url: &str, message: &Message) -> Result<()> {
    let receipt = message.receipt_handle().unwrap_or_default();
    let sent = queues.delete_message().queue_url(url).receipt_handle(receipt).send().await;
    sent.map(drop).context("the message was sent again and still lies among the dead letters")
}

async fn release(queues: &Client, url: &str, message: &Message) -> Result<()> {
    let receipt = message.receipt_handle().unwrap_or_default();
    let call =
        queues.change_message_visibility().queue_url(url).receipt_handle(receipt).visibility_timeout(0);
    call.send().await.map(drop).context("the messages show up again in a minute")
}
