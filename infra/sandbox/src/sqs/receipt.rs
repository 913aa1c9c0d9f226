//! Receipt handles: opaque to clients, and different for each receive of a message.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{message::Message, refused::Refused};

/// One receive of one message of one queue.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Receipt {
    queue: String,
    pub(super) sequence: u64,
    pub(super) receives: u32,
}

impl Receipt {
    pub(super) fn of(message: &Message, queue: &str) -> Self {
        Self { queue: queue.to_owned(), sequence: message.sequence, receives: message.receives }
    }

    /// Reads a handle that was given out by `queue`.
    pub(super) fn parse(handle: &str, queue: &str) -> Result<Self, Refused> {
        let read = || {
            let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(handle).ok()?).ok()?;
            let mut parts = text.splitn(3, ' ');
            let (sequence, receives) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            (parts.next()? == queue).then(|| Self { queue: queue.to_owned(), sequence, receives })
        };
        read().ok_or(Refused::Receipt)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{} {} {}", self.sequence, self.receives, self.queue);
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_by_its_own_queue_only() {
        let receipt = Receipt { queue: "a.fifo".to_owned(), sequence: 7, receives: 2 };
        let handle = receipt.to_string();
        assert_eq!(Receipt::parse(&handle, "a.fifo"), Ok(receipt));
        assert_eq!(Receipt::parse(&handle, "b.fifo"), Err(Refused::Receipt));
        assert_eq!(Receipt::parse("garbage", "a.fifo"), Err(Refused::Receipt));
    }
}
