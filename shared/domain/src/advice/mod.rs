//! What a language model may add to a decision: wording, urgency upwards and a summary. It never acts
//! and never decides; its absence changes nothing but words (I8).
//!
//! Everything that a model writes is taken for the work of a stranger. It is parsed strictly
//! ([`Advice::parse`]), and each of its texts is checked against the facts of the case ([`check()`]) before
//! it becomes a [`Checked`] text, which is the only kind that a draft or a page accepts.
//!
//! What customers read is written in a *closed* language: facts of the case, approved phrases and a list of
//! harmless words. There is no word in it with which something could be promised, denied, threatened or
//! asked for, so that a euphemism has nothing to be made of. What colleagues read is open, less
//! what would instruct them, promise something or was made up.

mod answer;
mod check;
mod facts;
mod untrusted;
mod words;

pub use answer::{Advice, Malformed, SUMMARY, Urgency};
pub use check::{Checked, OPENING, Reader, Refusal, check};
pub use facts::Facts;
pub use untrusted::{UNTRUSTED, fence};
