//! POST /stripe/{endpoint}: verify, enqueue, answer.
