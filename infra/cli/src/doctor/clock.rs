//! Whether this machine's clock agrees with AWS's: requests to AWS are refused beyond five minutes
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>), and what this command
//! writes carries its time.

use anyhow::{Context as _, Result};
use domain::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::DATE;
use runtime::{
    Clock, Env,
    http::{Base, client},
};

use super::Findings;

const WHAT: &str = "clock";

/// How far the two may be apart, in seconds: the answer's way is in it.
const APART: i64 = 30;

pub(super) async fn examine(env: &Env, clock: &Clock, found: &mut Findings) {
    if env.optional("CASES_TABLE").or(env.optional("APPROVALS_TABLE")).is_none() {
        return;
    }
    let theirs = match theirs(env).await {
        Ok(theirs) => theirs,
        Err(error) => return found.bad(WHAT, format!("{error:#}; check the region and the network")),
    };
    let ahead = clock().since(theirs);
    if ahead.abs() <= APART {
        found.good(WHAT, "it agrees with that of AWS");
    } else {
        let word = if ahead > 0 { "ahead of" } else { "behind" };
        let by = ahead.abs();
        found.bad(
            WHAT,
            format!("it is {by} seconds {word} that of AWS; let this machine synchronise its time"),
        );
    }
}

/// The time in the answer of DynamoDB, which needs no credentials for that.
async fn theirs(env: &Env) -> Result<Timestamp> {
    let own = env.optional_base("AWS_ENDPOINT_URL_DYNAMODB")?.or(env.optional_base("AWS_ENDPOINT_URL")?);
    let base = match own {
        Some(base) => base,
        None => Base::parse(&format!("https://dynamodb.{}.amazonaws.com", env.required("AWS_REGION")?))
            .context("`AWS_REGION` is no region")?,
    };
    let answer = client(&[&base])?.get(base.as_str()).send().await;
    let answer = answer.map_err(reqwest::Error::without_url).context("AWS does not answer")?;
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
    let date = date.context("AWS does not say what time it is")?;
    let parsed = DateTimeParser::new().parse_timestamp(date).context("AWS says the time in another form")?;
    Ok(Timestamp::from_seconds(parsed.as_second()))
}
