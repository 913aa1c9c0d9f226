//! One queue message is one turn of one case.
