//! Scheduled sweeps: compare intended with actual.
