//! Sign-in, review page, votes, gated execution, settlement.
