//! The only code that knows the tables.
