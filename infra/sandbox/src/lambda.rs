//! The Lambda Runtime API
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>): what a function's binary talks to,
//! so that the binary itself can be started and handed events.

use std::{
    collections::HashMap,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result, anyhow, bail};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    sync::{Mutex as Line, mpsc, oneshot},
};

use crate::Loopback;

/// A day ahead: no invocation of a test runs into its deadline.
const DEADLINE: i64 = 86_400_000;

/// A running Runtime API for one function.
pub struct RuntimeApi {
    server: Loopback,
    state: Arc<Desk>,
    invocations: mpsc::UnboundedSender<(String, Value)>,
    clock: crate::Clock,
}

/// A function's process; dropping it kills it.
pub struct Running(Child);

impl Running {
    /// Kills it and answers everything that it wrote.
    ///
    /// # Errors
    /// If the process cannot be waited for.
    pub async fn stop(mut self) -> Result<String> {
        self.0.kill().await?;
        self.written().await
    }

    /// Waits until it ends by itself and answers everything that it wrote.
    ///
    /// # Errors
    /// If the process cannot be waited for.
    pub async fn written(self) -> Result<String> {
        let output = self.0.wait_with_output().await?;
        let both = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&both).into_owned())
    }
}

struct Desk {
    waiting: Line<mpsc::UnboundedReceiver<(String, Value)>>,
    answers: Mutex<HashMap<String, oneshot::Sender<Result<Value, Value>>>>,
    init_error: Mutex<Option<Value>>,
    clock: crate::Clock,
}

impl RuntimeApi {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn start(clock: crate::Clock) -> Result<Self> {
        let (invocations, waiting) = mpsc::unbounded_channel();
        let state = Arc::new(Desk {
            waiting: Line::new(waiting),
            answers: Mutex::default(),
            init_error: Mutex::default(),
            clock: clock.clone(),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(Arc::clone(&state));
        let server = Loopback::serve(0, router).await?;
        Ok(Self { server, state, invocations, clock })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`: host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }

    /// Hands an event to the function and waits for its answer.
    ///
    /// # Errors
    /// What the function reported as its error.
    pub async fn invoke(&self, event: Value) -> Result<Value> {
        let id = uuid::Uuid::new_v4().to_string();
        let (answer, answered) = oneshot::channel();
        self.state.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), answer);
        self.invocations.send((id, event)).map_err(|_| anyhow!("the Runtime API has stopped"))?;
        match answered.await? {
            Ok(value) => Ok(value),
            Err(error) => bail!("the function failed: {error}"),
        }
    }

    /// What the function reported when it could not start.
    pub fn init_error(&self) -> Option<Value> {
        self.state.init_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts a function's binary with these variables and no others.
    ///
    /// # Errors
    /// If the binary cannot be started.
    pub fn spawn(
        &self,
        function: &str,
        binary: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Running> {
        let process = Command::new(binary)
            .env_clear()
            .envs(variables)
            .envs(self.variables(function))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start `{binary}`"))?;
        Ok(Running(process))
    }

    /// What a function's process finds in its environment besides its own variables.
    fn variables(&self, function: &str) -> Vec<(String, String)> {
        [
            ("AWS_LAMBDA_RUNTIME_API", self.address()),
            ("AWS_LAMBDA_FUNCTION_NAME", function.to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{function}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", self.clock.seconds().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

async fn next(State(desk): State<Arc<Desk>>) -> Result<(HeaderMap, String), StatusCode> {
    let (id, event) = desk.waiting.lock().await.recv().await.ok_or(StatusCode::GONE)?;
    let mut headers = HeaderMap::new();
    let deadline = desk.clock.millis().saturating_add(DEADLINE).to_string();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:local".into(),
        ),
    ] {
        headers.insert(name, HeaderValue::try_from(value).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?);
    }
    Ok((headers, event.to_string()))
}

async fn response(State(desk): State<Arc<Desk>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    desk.settle(&id, Ok(read(&body)))
}

async fn error(State(desk): State<Arc<Desk>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    desk.settle(&id, Err(read(&body)))
}

async fn init_error(State(desk): State<Arc<Desk>>, body: Bytes) -> StatusCode {
    *desk.init_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(read(&body));
    StatusCode::ACCEPTED
}

fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or(Value::Null)
}

impl Desk {
    fn settle(&self, id: &str, answer: Result<Value, Value>) -> StatusCode {
        match self.answers.lock().unwrap_or_else(PoisonError::into_inner).remove(id) {
            Some(waiting) => {
                // Whoever asked may have given up.
                let _ = waiting.send(answer);
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }
}
