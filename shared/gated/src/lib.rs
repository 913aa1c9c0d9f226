//! The gated effects. Only functions/approver may depend on it.
