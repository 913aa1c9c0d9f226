//! Whole-system stories, abuse cases, chaos.
