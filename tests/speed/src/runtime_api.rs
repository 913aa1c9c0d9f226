//! The Lambda Runtime API (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>), with a stop-watch:
//! one function at a time, one event at a time.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::wire::{self, Answer, Request};

/// How long a function may take to ask for an event or to answer it; under callgrind everything is fifty
/// times slower.
const PATIENCE: Duration = Duration::from_mins(3);

/// A Runtime API for one process.
pub(crate) struct RuntimeApi {
    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) address: String,
    desk: Arc<Desk>,
}

#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The function has nothing to do.
    idle: bool,
    event: Option<Vec<u8>>,
    handed: Option<Instant>,
    answered: Option<(Duration, Told)>,
}

/// What the function answered, or how it failed.
type Told = Result<Vec<u8>, Vec<u8>>;

impl RuntimeApi {
    /// Starts one.
    pub(crate) fn start() -> Result<Self> {
        let desk = Arc::<Desk>::default();
        let answers = Arc::clone(&desk);
        let port = wire::serve(None, move |request| answers.answer(request))?;
        Ok(Self { address: format!("127.0.0.1:{port}"), desk })
    }

    /// Waits until the function asks for an event: it has started, or is done with the one before.
    pub(crate) fn wait(&self) -> Result<()> {
        self.desk.until(|state| state.idle.then_some(()))
    }

    /// Hands an event to the function and takes its answer, with the time from one to the other.
    pub(crate) fn invoke(&self, event: Vec<u8>) -> Result<(Duration, Vec<u8>)> {
        self.desk.lock().event = Some(event);
        self.desk.changed.notify_all();
        let (took, answer) = self.desk.until(|state| state.answered.take())?;
        match answer {
            Ok(answer) => Ok((took, answer)),
            Err(error) => bail!("the function failed: {}", String::from_utf8_lossy(&error)),
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> Result<T> {
        let start = Instant::now();
        let mut state = self.lock();
        loop {
            if let Some(ready) = ready(&mut state) {
                return Ok(ready);
            }
            if let Some((_, Err(error))) = &state.answered {
                bail!("the function could not start: {}", String::from_utf8_lossy(error));
            }
            if start.elapsed() > PATIENCE {
                bail!("the function has not answered for {} s", PATIENCE.as_secs());
            }
            state = self.changed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        let accepted = || Answer { status: 202, headers: Vec::new(), body: b"{\"status\":\"OK\"}".to_vec() };
        if request.path.ends_with("/invocation/next") {
            return self.next();
        }
        let mut state = self.lock();
        let took = state.handed.take().map(|handed| handed.elapsed()).unwrap_or_default();
        let body = request.body.clone();
        let good = request.path.ends_with("/response");
        state.answered = Some((took, if good { Ok(body) } else { Err(body) }));
        self.changed.notify_all();
        accepted()
    }

    fn next(&self) -> Answer {
        let mut state = self.lock();
        state.idle = true;
        self.changed.notify_all();
        let event = loop {
            if let Some(event) = state.event.take() {
                break event;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        state.idle = false;
        state.handed = Some(Instant::now());
        let deadline = sandbox::Clock::running().millis().saturating_add(3_600_000);
        Answer {
            status: 200,
            headers: vec![
                ("content-type", "application/json".into()),
                ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".into()),
                ("lambda-runtime-deadline-ms", deadline.to_string()),
                (
                    "lambda-runtime-invoked-function-arn",
                    "arn:aws:lambda:us-east-1:000000000000:function:speed".into(),
                ),
            ],
            body: event,
        }
    }
}
