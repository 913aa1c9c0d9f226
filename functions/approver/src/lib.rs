//! The approver: sign-in, inbox, review page, votes, gated execution, settlement.
//!
//! The only function that holds a key to write with. Three sources drive it, told apart by the shape
//! of the event ([`handle`]): people through the HTTP API, the agent's requests through a queue, and a
//! schedule that expires what nobody decided, settles what a killed run left behind, and signs checkpoints
//! over the trail.
//!
//! A request becomes a proposal by what Stripe and policy say, not by what the request says
//! (`propose`); people are told (`notify`), look and vote (`http`, `ballot`); what enough of them
//! signed is done once (`execute`, `resume`). A few reversible things can be done under a mandate that
//! people signed in advance (`mandate`).

mod app;
mod ballot;
mod card;
mod checkpoint;
mod effects;
mod eligible;
mod event;
mod execute;
mod http;
mod keyring;
mod keys;
mod mandate;
mod message;
mod notary;
mod notify;
mod oidc;
mod pages;
mod passkeys;
mod propose;
mod queue;
mod read;
mod resume;
mod settle;
mod turn;
mod withdraw;

pub use app::App;
pub use checkpoint::Checkpoints;
pub use event::handle;
