//! `POST /stripe/{endpoint}`: checks the signature, puts the event's envelope on the queue, answers.
//! No enrichment, no decision, no state.
//!
//! | delivery | answer | figure |
//! |---|---|---|
//! | event of a handled type, on the queue | 200 | `events_received` |
//! | event of any other type | 200 | `events_ignored` |
//! | signature refused | 400 | `signatures_refused`, `signatures_refused_…` |
//! | signed, but not to be read | 400 | `events_unreadable`, `events_unreadable_…` |
//! | another path or an endpoint that is not configured | 404 | `requests_refused` |
//! | another method | 405 | `requests_refused` |
//! | more than 1 MiB | 413 | `requests_refused` |
//! | the queue did not confirm | 503 | `queue_failures` |
//!
//! A 2xx says that Countersign is responsible from here on, so it comes only after the queue has
//! confirmed the message (I3). Everything else makes Stripe repeat the delivery for up to three days
//! and show it as failed (<https://docs.stripe.com/webhooks#retries>). That is also why a signed body
//! that cannot be read is answered with 400 rather than 200: it will not get better by itself, but a
//! failing delivery in Stripe's Dashboard, with the reason in the answer, is where an operator sees
//! it, and a release that can read it still gets the event by a retry. Before the signature is checked
//! nothing is written but a figure (I9), and the answer tells nothing.
//!
//! Events from an EventBridge partner source enter by the same function, if `STRIPE_EVENT_SOURCE` names that
//! source, and go the same way. No signature is on them: AWS has checked who calls, and only Stripe can put
//! events on the source's bus. A caller from the internet cannot take this way in, since whatever it sends, the
//! API wraps it into a request. What is not taken fails the invocation, and Lambda tries twice more.

mod app;
mod receive;
#[cfg(test)]
mod tests;

pub use app::{App, Endpoints};
pub use receive::{LARGEST, handle, receive};
