//! A stand-in for Amazon SQS: FIFO queues over the AWS JSON protocol, so that the functions and any
//! other client use it through an SDK. Every change is on the shelf before it is answered.
//!
//! Not modelled: standard queues, deleting queues, tags, permissions, encryption (such attributes are
//! kept and shown), throttling. Signatures are not checked.

mod batch;
mod message;
mod queue;
mod receipt;
mod refused;
mod saved;
mod service;
mod settings;
mod wire;

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use anyhow::Result;
use axum::{Router, extract::DefaultBodyLimit, routing::post};
use tokio::sync::Notify;

pub use self::message::{Attribute, Attributes, Message};
use self::{queue::Pull, refused::Refused, service::State};
use crate::{Clock, Shelf};

/// The queues of one account.
pub struct Sqs {
    state: Mutex<State>,
    shelf: Shelf,
    clock: Clock,
    changed: Notify,
}

impl Sqs {
    /// The queues on `shelf`, with time from `clock`.
    ///
    /// # Errors
    /// If the shelf cannot be read.
    pub fn open(shelf: Shelf, clock: Clock) -> Result<Arc<Self>> {
        let state = Mutex::new(saved::load(&shelf)?);
        Ok(Arc::new(Self { state, shelf, clock, changed: Notify::new() }))
    }

    /// The service over HTTP. Clients set its address as their endpoint.
    pub fn router(self: Arc<Self>) -> Router {
        // Some clients post to the queue's URL. A message of 1 MiB can grow sixfold as JSON.
        Router::new()
            .route("/", post(wire::handle))
            .route("/{account}/{queue}", post(wire::handle))
            .layer(DefaultBodyLimit::max(16 << 20))
            .with_state(self)
    }

    /// How many messages of `queue` are visible and how many are in flight; none if there is no such
    /// queue.
    pub fn depth(&self, queue: &str) -> (usize, usize) {
        self.look(queue, |queue, now| {
            let (visible, in_flight, _delayed) = queue.depth(now);
            (visible, in_flight)
        })
    }

    /// All messages of `queue` in order, without receiving them; none if there is no such queue.
    pub fn peek(&self, queue: &str) -> Vec<Message> {
        self.look(queue, |queue, _now| queue.messages.values().cloned().collect())
    }

    fn look<T: Default>(&self, name: &str, look: impl FnOnce(&mut queue::Queue, i64) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.millis();
        state.queues.get_mut(name).map_or_else(T::default, |queue| {
            queue.forget(now);
            look(queue, now)
        })
    }

    /// One step on the state: saved before its outcome is known to anybody. If it changed something,
    /// waiting receivers look again.
    fn step<T>(&self, step: impl FnOnce(&mut State, i64) -> Result<T, Refused>) -> Result<T, Refused> {
        let (outcome, changed) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = step(&mut state, self.clock.millis());
            let changed = saved::save(&mut state, &self.shelf).map_err(|error| {
                tracing::error!(error = format!("{error:#}"), "the queues cannot be saved");
                Refused::Unsaved
            })?;
            (outcome, changed)
        };
        if changed {
            self.changed.notify_waiters();
        }
        outcome
    }

    /// Receives, waiting up to `wait` seconds of the clock (if not said, the queue's) for a first
    /// message.
    async fn receive(&self, name: &str, pull: Pull, wait: Option<i64>) -> Result<Vec<Message>, Refused> {
        let mut deadline = None;
        loop {
            // Both listen before the state is looked at, so that nothing in between is missed.
            let mut moved = pin!(self.clock.moved());
            let mut changed = pin!(self.changed.notified());
            let woken = listen(moved.as_mut()).await | listen(changed.as_mut()).await;
            let (messages, next) = self.step(|state, now| {
                let wait = wait.unwrap_or(state.queue(name)?.head.settings.wait);
                let end = *deadline.get_or_insert(now + wait * 1000);
                let messages = state.receive(name, &pull, now)?;
                let next = state.queue(name)?.next_visible(now).map_or(end, |at| at.min(end));
                Ok((messages, (now < end).then_some(next - now)))
            })?;
            let Some(next) = next.filter(|_| messages.is_empty()) else { return Ok(messages) };
            if woken {
                continue;
            }
            tokio::select! {
                () = moved => {}
                () = changed => {}
                () = tokio::time::sleep(Duration::from_millis(next.unsigned_abs())) => {}
            }
        }
    }
}

/// Starts a wait without waiting: whether it is over already.
async fn listen(mut wait: Pin<&mut impl Future<Output = ()>>) -> bool {
    poll_fn(|context| Poll::Ready(wait.as_mut().poll(context).is_ready())).await
}
