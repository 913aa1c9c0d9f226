//! Places where a test lets the function die.

use std::{fmt, sync::Arc};

/// Called at each place with its name; it answers whether the run dies there.
type Dies = dyn Fn(&'static str) -> bool + Send + Sync;

/// Places between two effects. In production nobody dies there, and passing one costs nothing.
#[derive(Clone, Default)]
pub struct Checkpoints(Option<Arc<Dies>>);

/// The run died here: nothing after this place happens, as if the process had been killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("killed after `{0}`")]
pub(crate) struct Killed(&'static str);

impl Checkpoints {
    /// Asks `dies` at every place.
    pub fn new(dies: impl Fn(&'static str) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(dies)))
    }

    pub(crate) fn pass(&self, place: &'static str) -> Result<(), Killed> {
        match &self.0 {
            Some(dies) if dies(place) => Err(Killed(place)),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Checkpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Checkpoints").field(&self.0.is_some()).finish()
    }
}
