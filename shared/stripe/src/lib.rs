//! Stripe: signature, event envelopes, the read client.
