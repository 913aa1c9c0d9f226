//! Reads and controlled writes around Stripe: chat.
