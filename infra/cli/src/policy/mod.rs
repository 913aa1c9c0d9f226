//! `countersign policy …`: a bundle looked at before it decides anything.

mod backtest;
mod cases;
mod check;
mod diff;
mod explain;

pub(crate) use backtest::backtest;
pub(crate) use check::check;
pub(crate) use diff::diff;
pub(crate) use explain::explain;
