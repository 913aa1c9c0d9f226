//! A stand-in for Amazon SQS: FIFO queues over the AWS JSON protocol, so that the functions and any
//! other client use it through an SDK. Every change is on the shelf before it is answered.
//!
//! Not modelled: standard queues, deleting queues, tags, permissions, encryption (such attributes are
//! kept and shown), throttling. Signatures are not checked.

mod batch;
mod exchange;
mod message;
mod queue;
mod receipt;
mod refused;
mod saved;
mod service;
mod settings;
mod wire;

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use anyhow::{Result, anyhow};
use axum::{Router, extract::DefaultBodyLimit, routing::post};
use serde_json::json;
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

    /// Creates the queue `name` and the queue `dead` for what was received `receives` times without
    /// being deleted; received messages are hidden for `visibility` seconds. Queues that are there with
    /// these settings are fine.
    ///
    /// # Errors
    /// If a name is no FIFO queue's, if a queue is there with other settings, or if the disk refuses.
    pub fn create(&self, name: &str, dead: &str, visibility: u32, receives: u32) -> Result<()> {
        let redrive = json!({ "deadLetterTargetArn": service::arn(dead), "maxReceiveCount": receives });
        let fifo = ("FifoQueue".to_owned(), "true".to_owned());
        let settings = BTreeMap::from([
            fifo.clone(),
            ("VisibilityTimeout".to_owned(), visibility.to_string()),
            ("RedrivePolicy".to_owned(), redrive.to_string()),
        ]);
        self.step(|state, now| {
            state.create(dead, &BTreeMap::from([fifo]), now)?;
            state.create(name, &settings, now)
        })
        .map_err(|refused| anyhow!("cannot create queue `{name}`: {refused}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "work.fifo";

    fn sqs() -> Arc<Sqs> {
        let sqs = Sqs::open(Shelf::memory().unwrap(), Clock::held_at(1_790_000_000)).unwrap();
        sqs.step(|state, now| state.create(QUEUE, &BTreeMap::new(), now)).unwrap();
        sqs
    }

    fn send(sqs: &Sqs, id: &str) {
        let draft = message::Draft {
            body: id.to_owned(),
            attributes: Attributes::new(),
            trace_header: None,
            group: "A".to_owned(),
            deduplication_id: Some(id.to_owned()),
        };
        sqs.step(|state, now| state.queue(QUEUE)?.send(draft, id.to_owned(), now)).unwrap();
    }

    fn receive(sqs: &Sqs, wait: i64) -> impl Future<Output = Vec<String>> {
        let received = sqs.receive(QUEUE, Pull { most: 10, ..Pull::default() }, Some(wait));
        async move { received.await.unwrap().into_iter().map(|message| message.body).collect() }
    }

    /// One poll: no waiting for a wake that could come late.
    async fn poll<T>(future: &mut Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
    }

    #[tokio::test]
    async fn a_send_wakes_a_waiting_receiver() {
        let sqs = sqs();
        let mut waiting = pin!(receive(&sqs, 20));
        assert!(poll(&mut waiting).await.is_pending());
        send(&sqs, "one");
        assert_eq!(poll(&mut waiting).await, Poll::Ready(vec!["one".to_owned()]));
    }

    #[tokio::test]
    async fn the_clock_wakes_a_waiting_receiver_when_a_message_turns_visible_or_its_time_is_up() {
        let sqs = sqs();
        send(&sqs, "one");
        assert_eq!(receive(&sqs, 0).await, ["one"]);
        for (after, expected) in [(30, vec!["one".to_owned()]), (20, vec![])] {
            let mut waiting = pin!(receive(&sqs, 20));
            sqs.clock.advance(Duration::from_secs(after - 20));
            assert!(poll(&mut waiting).await.is_pending());
            sqs.clock.advance(Duration::from_secs(19));
            assert!(poll(&mut waiting).await.is_pending());
            sqs.clock.advance(Duration::from_secs(1));
            assert_eq!(poll(&mut waiting).await, Poll::Ready(expected));
        }
    }
}
