//! What a language model may add to a decision: wording, urgency upwards and a summary. It never acts
//! and never decides; its absence changes nothing but words (I8).
//!
//! Everything that a model writes is taken for the work of a stranger. It is parsed strictly
//! ([`Advice::parse`]), and each of its texts is checked against the facts of the case ([`check()`]) before
//! it becomes a [`Checked`] text, which is the only kind that a draft or a page accepts.
//!
//! A [`Brief`] is what a model is told of a case; [`Brief::prompt`] is the question, [`advise`] the verdict on an
//! answer, [`Consulted`] what is kept of it. Asking is the caller's.
//!
//! What customers read is written in a *closed* language: facts of the case, approved phrases and a list of
//! harmless words. There is no word in it with which something could be promised, denied, threatened or
//! asked for, so that a euphemism has nothing to be made of. What colleagues read describes: it has
//! a longer list of words, no sentence that begins with a verb, no word for what should be, and none that judges,
//! instructs, promises, or speaks of the decision instead of the customer.

mod advised;
mod answer;
mod brief;
mod check;
mod colleagues;
mod consulted;
mod customers;
mod facts;
mod prompt;
mod untrusted;
mod words;

pub use advised::{Advised, Objection, REASONS, Verdict, Worded, advise};
pub use answer::{Advice, Malformed, Urgency};
pub use brief::{Brief, Known, Offer, Value, Wording};
pub use check::{Checked, OPENING, Reader, Refusal, check};
pub use consulted::{Consulted, Outcome, Tokens};
pub use facts::Facts;
pub use prompt::{PROMPT_VERSION, Prompt};
pub use untrusted::{UNTRUSTED, fence};
