//! The processor: one queue message is one turn of one case.
//!
//! [`handle`] takes a batch, [`turn`] takes one event through claim, re-read, decision and commit,
//! [`gather`] reads the context, `advice` asks a language model for other words where the policy has it asked, [`Look`] keeps what one batch read of it, [`Around`] is the systems around Stripe, [`dispatch`] sends the steps,
//! [`card`] shows the case in the team's chat.

mod advice;
mod app;
mod batch;
pub mod card;
pub mod dispatch;
pub mod gather;
mod issuers;
mod look;
mod systems;
pub mod turn;

pub use app::App;
pub use batch::handle;
pub use issuers::Issuers;
pub use look::Look;
pub use systems::Around;
