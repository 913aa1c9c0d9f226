//! What a million events would cost in an account: what was counted, times the list prices in `prices.toml`.

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// A function with so many megabytes has one whole processor:
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>.
const WHOLE_PROCESSOR_MB: f64 = 1769.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prices {
    pub(super) region: String,
    pub(super) read: String,
    api_gateway: Requests,
    lambda: Lambda,
    sqs: Requests,
    dynamodb: DynamoDb,
    assumed: Assumed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requests {
    #[serde(rename = "source")]
    _source: String,
    million_requests: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lambda {
    #[serde(rename = "source")]
    _source: String,
    million_requests: f64,
    gigabyte_second: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DynamoDb {
    #[serde(rename = "source")]
    _source: String,
    million_read_units: f64,
    million_write_units: f64,
}

/// What cannot be measured here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Assumed {
    dynamodb_ms: f64,
    sqs_ms: f64,
    stripe_ms: f64,
    vendor_ms: f64,
    ingress_mb: f64,
    processor_mb: f64,
}

/// What one event takes on the average.
#[derive(Debug, Clone, Copy)]
pub(super) struct PerEvent {
    /// Events in a batch.
    pub(super) batch: f64,
    /// Seconds of a processor, all functions together.
    pub(super) processor: f64,
    /// Requests of DynamoDB.
    pub(super) dynamodb: f64,
    /// Units read and written there.
    pub(super) read: f64,
    pub(super) written: f64,
}

/// One line of the bill: what, and US dollars for a million events.
pub(super) type Line = (&'static str, f64);

impl Prices {
    /// Those in `prices.toml`.
    pub(super) fn read() -> Result<Self> {
        toml::from_str(include_str!("prices.toml")).context("`prices.toml`")
    }

    /// The bill of a million events.
    pub(super) fn bill(&self, one: PerEvent) -> Vec<Line> {
        let Assumed { dynamodb_ms, sqs_ms, stripe_ms, vendor_ms, ingress_mb, processor_mb } = self.assumed;
        // A batch waits for its events side by side. Of each: every request of DynamoDB, Stripe once, since its
        // reads go out together, and a vendor once for the same reason.
        let waiting = (one.dynamodb * dynamodb_ms + stripe_ms + vendor_ms) / 1000.0 / one.batch;
        let gigabytes = processor_mb / 1024.0 * waiting + ingress_mb / 1024.0 * sqs_ms / 1000.0;
        // Less memory is a smaller part of a processor for longer: computing costs the same with any.
        let computing = one.processor * WHOLE_PROCESSOR_MB / 1024.0;
        vec![
            ("API Gateway, requests", self.api_gateway.million_requests),
            ("Lambda, requests", self.lambda.million_requests * (1.0 + 1.0 / one.batch)),
            ("Lambda, computing", self.lambda.gigabyte_second * computing * 1e6),
            ("Lambda, waiting", self.lambda.gigabyte_second * gigabytes * 1e6),
            // One to send; a receive and a delete for each batch.
            ("SQS, requests", self.sqs.million_requests * (1.0 + 2.0 / one.batch)),
            ("DynamoDB, reads", self.dynamodb.million_read_units * one.read),
            ("DynamoDB, writes", self.dynamodb.million_write_units * one.written),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_is_what_was_counted_times_its_price() {
        let prices = Prices::read().unwrap();
        let one = PerEvent { batch: 10.0, processor: 0.001, dynamodb: 4.0, read: 2.0, written: 12.0 };
        let bill = prices.bill(one);
        let of = |what: &str| bill.iter().find(|(name, _)| *name == what).unwrap().1;
        for (what, expected) in [
            ("API Gateway, requests", 1.0),
            ("Lambda, requests", 0.22),
            ("SQS, requests", 0.6),
            ("DynamoDB, reads", 0.25),
            ("DynamoDB, writes", 7.5),
            // A thousand seconds of a whole processor, which comes with 1.7275 gigabytes.
            ("Lambda, computing", 0.023),
        ] {
            assert!((of(what) - expected).abs() < 0.001, "{what}: {}", of(what));
        }
    }
}
