//! Amazon Bedrock's Converse: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>.
//!
//! Called by the function's own role, which may invoke the configured model and no other; there is no key. The
//! answer is the input of a tool that the model is made to use, as Anthropic's and Amazon's own models can be
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolChoice.html>).

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_bedrockruntime::{
    Client,
    config::{Builder, retry::RetryConfig, timeout::TimeoutConfig},
    error::{BuildError, ProvideErrorMetadata as _, SdkError},
    operation::converse::{ConverseError, ConverseOutput as Answered},
    types::{
        ContentBlock, ConversationRole, ConverseOutput, InferenceConfiguration, Message, SpecificToolChoice,
        StopReason, SystemContentBlock, Tool, ToolChoice, ToolConfiguration, ToolInputSchema,
        ToolSpecification,
    },
};
use runtime::{Clock, aws::Aws, http::Base};

use super::{CALL, FORM, Question, Reply, TIMEOUT, Tokens, document};
use crate::{
    ConnectorError,
    breaker::Breaker,
    failure::{Cause, Code, Lost, Said},
};

/// How long it waits for a connection.
const CONNECT: Duration = Duration::from_secs(3);

/// A client in the function's region.
#[derive(Clone)]
pub(super) struct Bedrock {
    client: Client,
    timeout: Duration,
    clock: Clock,
    breaker: Arc<Mutex<Breaker>>,
}

impl Bedrock {
    pub(super) fn new(aws: &Aws, endpoint: Option<&Base>, clock: Clock) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .disable_read_timeout()
            .disable_operation_attempt_timeout()
            .disable_operation_timeout()
            .build();
        let mut config = Builder::from(aws.shared())
            .timeout_config(timeouts)
            // A repeat may cost its tokens again.
            .retry_config(RetryConfig::disabled());
        config.set_endpoint_url(endpoint.map(|base| base.as_str().to_owned()));
        let client = Client::from_conf(config.build());
        Self { client, timeout: TIMEOUT, clock, breaker: Arc::default() }
    }

    pub(super) fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    pub(super) async fn ask(&self, id: &str, question: &Question) -> Result<Reply, ConnectorError> {
        let failed = |cause| ConnectorError { system: "bedrock", call: CALL, cause };
        let now = (self.clock)();
        self.breaker().admit(now).map_err(|after| failed(Cause::LeftAlone { after }))?;
        let answer = self.answer(id, question).await;
        match &answer {
            Err(Cause::NotReached | Cause::NoAnswer(_)) => self.breaker().failed((self.clock)()),
            _ => self.breaker().answered(),
        }
        answer.and_then(|answer| reply(id, answer)).map_err(failed)
    }

    async fn answer(&self, id: &str, question: &Question) -> Result<Answered, Cause> {
        let unwritten = |_| Cause::Contradictory("a question that cannot be put");
        let (message, form) = (message(question).map_err(unwritten)?, form(question).map_err(unwritten)?);
        let most = i32::try_from(question.max_tokens).unwrap_or(i32::MAX);
        let call = self
            .client
            .converse()
            .model_id(id)
            .system(SystemContentBlock::Text(question.system.clone()))
            .messages(message)
            .tool_config(form)
            .inference_config(InferenceConfiguration::builder().max_tokens(most).build());
        match tokio::time::timeout(self.timeout, call.send()).await {
            Ok(sent) => sent.map_err(|error| cause(&error)),
            Err(_) => Err(Cause::NoAnswer(Lost::TimedOut)),
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bedrock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bedrock").finish_non_exhaustive()
    }
}

fn message(question: &Question) -> Result<Message, BuildError> {
    let text = ContentBlock::Text(question.input.clone());
    Message::builder().role(ConversationRole::User).content(text).build()
}

fn form(question: &Question) -> Result<ToolConfiguration, BuildError> {
    let form = ToolSpecification::builder()
        .name(FORM)
        .description("The answer.")
        .input_schema(ToolInputSchema::Json(document::of(&question.schema)))
        .build()?;
    let choice = SpecificToolChoice::builder().name(FORM).build()?;
    ToolConfiguration::builder().tools(Tool::ToolSpec(form)).tool_choice(ToolChoice::Tool(choice)).build()
}

fn reply(id: &str, answer: Answered) -> Result<Reply, Cause> {
    match answer.stop_reason {
        StopReason::ToolUse | StopReason::EndTurn => {}
        StopReason::MaxTokens | StopReason::ModelContextWindowExceeded => {
            return Err(Cause::Unanswered("it needs more tokens than it may use"));
        }
        StopReason::ContentFiltered | StopReason::GuardrailIntervened => {
            return Err(Cause::Unanswered("a filter withheld it"));
        }
        StopReason::MalformedModelOutput | StopReason::MalformedToolUse => {
            return Err(Cause::NoAnswer(Lost::Unreadable));
        }
        _ => return Err(Cause::Unanswered("it stopped for another reason")),
    }
    let Some(ConverseOutput::Message(message)) = answer.output else {
        return Err(Cause::NoAnswer(Lost::Unreadable));
    };
    let mut answers = message.content.into_iter().filter_map(|block| match block {
        ContentBlock::ToolUse(form) if form.name == FORM => Some(form.input),
        _ => None,
    });
    let (Some(form), None, Some(usage)) = (answers.next(), answers.next(), answer.usage) else {
        return Err(Cause::NoAnswer(Lost::Unreadable));
    };
    let count = |tokens: i32| u64::try_from(tokens).unwrap_or(0);
    let tokens = Tokens { input: count(usage.input_tokens), output: count(usage.output_tokens) };
    // Bedrock does not say which model it was beyond what was asked for.
    Ok(Reply { text: document::json(form).to_string(), model: id.to_owned(), tokens })
}

/// What a failed call means; the errors are those of the page above.
fn cause(error: &SdkError<ConverseError>) -> Cause {
    match error {
        SdkError::ConstructionFailure(_) => Cause::Contradictory("a question that cannot be put"),
        SdkError::TimeoutError(_) => Cause::NoAnswer(Lost::TimedOut),
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_user() => Cause::NotReached,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Cause::NoAnswer(Lost::TimedOut),
        SdkError::ResponseError(_) => Cause::NoAnswer(Lost::Unreadable),
        SdkError::ServiceError(service) => {
            let (error, answer) = (service.err(), service.raw());
            let status = answer.status().as_u16();
            let (code, said) = (Code::new(error.code()), Said::new(error.message().unwrap_or_default()));
            match error {
                ConverseError::ThrottlingException(_) => {
                    let after = answer.headers().get("retry-after");
                    Cause::Limited { after: after.and_then(|seconds| seconds.trim().parse().ok()) }
                }
                ConverseError::AccessDeniedException(_) => Cause::NotAllowed { status, code, said },
                ConverseError::ModelTimeoutException(_) => Cause::NoAnswer(Lost::TimedOut),
                ConverseError::ModelErrorException(_) | ConverseError::ModelNotReadyException(_) => {
                    Cause::NoAnswer(Lost::Status(status))
                }
                _ if matches!(status, 401 | 403) => Cause::NotAllowed { status, code, said },
                _ if status == 429 => Cause::Limited { after: None },
                _ if status >= 500 => Cause::NoAnswer(Lost::Status(status)),
                _ => Cause::Refused { status, code, said },
            }
        }
        _ => Cause::NoAnswer(Lost::Broken),
    }
}
