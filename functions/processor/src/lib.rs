//! The processor: one queue message is one turn of one case.
//!
//! [`handle`] takes a batch, [`turn`] takes one event through claim, re-read, decision and commit,
//! [`gather`] reads the context, [`Around`] is the systems around Stripe, [`dispatch`] sends the steps,
//! [`card`] shows the case in the team's chat.

mod app;
mod batch;
pub mod card;
pub mod dispatch;
pub mod gather;
mod issuers;
mod systems;
pub mod turn;

pub use app::App;
pub use batch::handle;
pub use issuers::Issuers;
pub use systems::Around;
