//! The queues on the shelf: one row for each queue, message, deduplication id, receive attempt and
//! move task, so that a kill at any moment loses nothing that was answered.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;
use serde_json::{Value, to_value};

use super::{
    queue::{Head, Queue, Row},
    service::State,
};
use crate::Shelf;

const HEADS: &str = "sqs.queues";
const MESSAGES: &str = "sqs.messages";
const SENT: &str = "sqs.sent";
const ATTEMPTS: &str = "sqs.attempts";
const MOVES: &str = "sqs.moves";

/// The state as last saved.
pub(super) fn load(shelf: &Shelf) -> Result<State> {
    let mut state = State::default();
    for (name, head) in shelf.all::<Head>(HEADS)? {
        state.queues.insert(name.clone(), Queue::restored(name, head));
    }
    each(shelf, MESSAGES, &mut state.queues, |queue, _, message: super::Message| {
        queue.messages.insert(message.sequence, message);
    })?;
    each(shelf, SENT, &mut state.queues, |queue, id, sent| {
        queue.sent.insert(id.to_owned(), sent);
    })?;
    each(shelf, ATTEMPTS, &mut state.queues, |queue, id, attempt| {
        queue.attempts.insert(id.to_owned(), attempt);
    })?;
    state.moves = shelf.all(MOVES)?.into_iter().map(|(_, task)| task).collect();
    state.saved_moves = state.moves.len();
    Ok(state)
}

fn each<T: DeserializeOwned>(
    shelf: &Shelf,
    space: &str,
    queues: &mut BTreeMap<String, Queue>,
    mut put: impl FnMut(&mut Queue, &str, T),
) -> Result<()> {
    for (key, row) in shelf.all(space)? {
        // A queue's name holds no space, an id may hold anything after it.
        let (name, id) = key.split_once(' ').with_context(|| format!("row `{key}` of `{space}`"))?;
        if let Some(queue) = queues.get_mut(name) {
            put(queue, id, row);
        }
    }
    Ok(())
}

/// Saves all changes at once, and says whether there were any. What could not be saved is tried again with the next change.
pub(super) fn save(state: &mut State, shelf: &Shelf) -> Result<bool> {
    let mut rows: Vec<(&str, String, Option<Value>)> = Vec::new();
    for queue in state.queues.values() {
        for row in &queue.unsaved {
            rows.push(written(queue, row)?);
        }
    }
    for (place, task) in state.moves.iter().enumerate().skip(state.saved_moves) {
        rows.push((MOVES, format!("{place:020}"), Some(to_value(task)?)));
    }
    if rows.is_empty() {
        return Ok(false);
    }
    let rows: Vec<_> = rows.iter().map(|(space, key, value)| (*space, key.as_str(), value.clone())).collect();
    shelf.put_all(&rows)?;
    state.saved_moves = state.moves.len();
    for queue in state.queues.values_mut() {
        queue.unsaved.clear();
    }
    Ok(true)
}

fn written(queue: &Queue, row: &Row) -> Result<(&'static str, String, Option<Value>)> {
    let name = &queue.name;
    Ok(match row {
        Row::Head => (HEADS, name.clone(), Some(to_value(&queue.head)?)),
        Row::Message(sequence) => {
            let message = queue.messages.get(sequence).map(to_value).transpose()?;
            (MESSAGES, format!("{name} {sequence:020}"), message)
        }
        Row::Sent(id) => (SENT, format!("{name} {id}"), queue.sent.get(id).map(to_value).transpose()?),
        Row::Attempt(id) => {
            (ATTEMPTS, format!("{name} {id}"), queue.attempts.get(id).map(to_value).transpose()?)
        }
    })
}
