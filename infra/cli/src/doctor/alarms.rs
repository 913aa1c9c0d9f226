//! The stack's alarms, and which of them ring
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>). It is the one question
//! to that service, so it is asked without a client of its own. Whoever runs this may not be allowed to ask; then that is
//! said, and it is no failure.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use domain::Timestamp;
use runtime::{
    Clock, Env,
    aws::credentials,
    http::{Base, client},
};
use serde::Deserialize;
use serde_json::json;

use super::Findings;

const WHAT: &str = "alarms";
const JSON: &str = "application/x-amz-json-1.0";
const TARGET: &str = "GraniteServiceVersion20100801.DescribeAlarms";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    metric_alarms: Vec<Alarm>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Alarm {
    alarm_name: String,
    state_value: String,
}

pub(super) async fn examine(env: &Env, clock: &Clock, found: &mut Findings) {
    let (Some(deployment), Some(region)) = (env.optional("DEPLOYMENT"), env.optional("AWS_REGION")) else {
        return;
    };
    // A pipeline on one machine has none.
    let Some(stack) = deployment.strip_suffix(region).and_then(|name| name.strip_suffix('-')) else { return };
    let all = match alarms(env, region, &format!("{stack}-"), clock()).await {
        Ok(Some(all)) => all,
        Ok(None) => {
            let why = "you may not ask; get the right cloudwatch:DescribeAlarms and run this again";
            return found.unknown(WHAT, why);
        }
        Err(error) => return found.bad(WHAT, format!("{error:#}")),
    };
    let ringing: Vec<&Alarm> = all.iter().filter(|one| one.state_value == "ALARM").collect();
    for one in &ringing {
        // STACK-EventDeadAlarm-1A2B3C: the middle is the template's name.
        let name = one.alarm_name.strip_prefix(stack).unwrap_or(&one.alarm_name).trim_start_matches('-');
        let name = name.rsplit_once('-').map_or(name, |(name, _)| name);
        found.bad(WHAT, format!("{name} rings; infra/template/RUNBOOK.md says under that name what to do"));
    }
    if all.is_empty() {
        found
            .bad(WHAT, format!("the stack {stack} has none in {region}; deploy it, or correct `AWS_REGION`"));
    } else if ringing.is_empty() {
        found.good(WHAT, format!("none of {} rings", all.len()));
    }
}

/// All alarms whose name begins so; none at all if whoever asks may not.
async fn alarms(env: &Env, region: &str, prefix: &str, now: Timestamp) -> Result<Option<Vec<Alarm>>> {
    let own = env.optional_base("AWS_ENDPOINT_URL_CLOUDWATCH")?.or(env.optional_base("AWS_ENDPOINT_URL")?);
    let base = match own {
        Some(base) => base,
        None => Base::parse(&format!("https://monitoring.{region}.amazonaws.com"))
            .context("`AWS_REGION` is no region")?,
    };
    let http = client(&[&base])?;
    let (mut all, mut next) = (Vec::new(), None);
    loop {
        let mut asked = json!({ "AlarmNamePrefix": prefix, "AlarmTypes": ["MetricAlarm"] });
        if let (Some(asked), Some(token)) = (asked.as_object_mut(), next) {
            asked.insert("NextToken".into(), token);
        }
        let request = signed(env, region, &base, &asked.to_string(), now)?;
        let answer = http.execute(request).await.map_err(reqwest::Error::without_url);
        let answer = answer.context("CloudWatch does not answer; check the region and the network")?;
        let status = answer.status();
        let text =
            answer.text().await.map_err(reqwest::Error::without_url).context("CloudWatch broke off")?;
        if !status.is_success() {
            if text.contains("AccessDenied") {
                return Ok(None);
            }
            bail!(
                "CloudWatch refused ({status}); check the credentials, the region and this machine's clock"
            );
        }
        let page: Page = serde_json::from_str(&text).context("CloudWatch answers in another way")?;
        all.extend(page.metric_alarms);
        let Some(token) = page.next_token else { return Ok(Some(all)) };
        next = Some(token.into());
    }
}

/// The request with a signature of version 4.
fn signed(env: &Env, region: &str, base: &Base, body: &str, now: Timestamp) -> Result<reqwest::Request> {
    let identity = credentials(env)?.into();
    let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(now.seconds()).unwrap_or_default());
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("monitoring")
        .time(time)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let url = format!("{}/", base.as_str());
    let headers = [("content-type", JSON), ("x-amz-target", TARGET)];
    let signable = SignableRequest::new(
        "POST",
        url.as_str(),
        headers.into_iter(),
        SignableBody::Bytes(body.as_bytes()),
    )?;
    let (instructions, _) = sign(signable, &parameters)?.into_parts();
    let request = http::Request::post(&url).header("content-type", JSON).header("x-amz-target", TARGET);
    let mut request = request.body(body.to_owned())?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request.try_into()?)
}
