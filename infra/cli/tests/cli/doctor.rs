//! `doctor`: what each system may do, and what is missing.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::Path,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use sandbox::{
    Clock, Loopback, Sandbox, Shelf,
    crm::hubspot::HubSpot,
    model::Mode,
    stripe,
    world::{Function, Options},
};
use serde_json::{Value, json};

use crate::support::{Folder, Ran, countersign};

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_fit_are_good_and_others_are_told_what_to_change() {
    let keys = vec![
        stripe::Key::secret("sk_test_all"),
        stripe::Key::restricted("rk_test_read", stripe::READ_SCOPES.iter().copied()),
        stripe::Key::restricted("rk_test_write", stripe::WRITE_SCOPES.iter().copied()),
    ];
    let options = stripe::Options::new("acct_1SANDBOX", keys);
    let account = stripe::Stripe::open(options, Shelf::memory().unwrap(), Clock::running()).unwrap();
    let server = Loopback::serve(0, account.router()).await.unwrap();
    let url = server.url();
    let examine = async |name: &'static str, key: &'static str| {
        let mut command = countersign(&["doctor"]);
        command.env("STRIPE_API_BASE", &url).env(name, key);
        Ran::beside(command).await
    };

    let good = examine("STRIPE_READ_KEY", "rk_test_read").await;
    assert_eq!(
        (good.code, good.out.trim_end()),
        (0, "ok    STRIPE_READ_KEY: exactly what it needs"),
        "{}",
        good.error
    );
    let secret = examine("STRIPE_READ_KEY", "sk_test_all").await;
    assert!(secret.code == 1 && secret.out.contains("make a restricted one"), "{}", secret.out);
    let swapped = examine("STRIPE_READ_KEY", "rk_test_write").await;
    assert!(
        swapped.code == 1 && swapped.out.contains("take away the permission to write"),
        "{}",
        swapped.out
    );
    assert!(!swapped.out.contains("rk_test_write"), "a key is not repeated");
    let none = Ran::of(countersign(&["doctor"]).env_remove("STRIPE_READ_KEY"), b"");
    assert!(none.code == 2 && none.error.contains("STRIPE_READ_KEY"), "{}", none.error);
    assert!(account.writes().iter().all(|write| write.status >= 400), "nothing was done");
}

/// Where Stripe sends events.
const WEBHOOK: &str = "https://hooks.example.com/stripe/default";

/// A deployment with a CRM, an application and mail, all of which work.
struct Deployment {
    sandbox: Sandbox,
    variables: BTreeMap<String, String>,
    _servers: [Loopback; 5],
}

impl Deployment {
    async fn new() -> Self {
        let sandbox = Sandbox::start(Options {
            data: None,
            clock: Clock::running(),
            public_url: "http://localhost:8400".to_owned(),
            sign_in_path: "/sign-in/callback".to_owned(),
            stripe: None,
        })
        .await
        .unwrap();
        let hub = HubSpot::open("canary-hubspot", Shelf::memory().unwrap()).unwrap();
        let servers = [
            Loopback::serve(0, Arc::clone(&hub).router()).await.unwrap(),
            Loopback::serve(0, application()).await.unwrap(),
            Loopback::serve(0, mail()).await.unwrap(),
            Loopback::serve(0, tables()).await.unwrap(),
            Loopback::serve(0, alarms()).await.unwrap(),
        ];
        sandbox.secrets.put("crm", "canary-hubspot").unwrap();
        sandbox.secrets.put("app", "canary-application").unwrap();
        let mut variables = sandbox.variables(Function::Approver);
        variables.extend(sandbox.variables(Function::Ingress));
        let model = sandbox.systems(Function::Processor);
        variables.extend(model.into_iter().filter(|(name, _)| name.starts_with("MODEL")));
        sandbox.stripe.add_endpoint(WEBHOOK, &sandbox.keys.webhook_secret, &domain::event::HANDLED).unwrap();
        let [crm, app, ses, dynamodb, cloudwatch] = servers.each_ref().map(Loopback::url);
        for (name, value) in [
            ("CRM", "hubspot"),
            ("HUBSPOT_API_BASE", crm.as_str()),
            ("HUBSPOT_TOKEN_SECRET", "crm"),
            ("APPLICATION_URL", app.as_str()),
            ("APPLICATION_SECRET", "app"),
            ("MAIL_FROM", "billing@verified.example.com"),
            ("AWS_ENDPOINT_URL_SESV2", ses.as_str()),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.as_str()),
            ("AWS_ENDPOINT_URL_CLOUDWATCH", cloudwatch.as_str()),
            ("DEPLOYMENT", "billing-us-east-1"),
            ("CANARY_URL", "https://hooks.example.com/stripe/canary"),
            ("STRIPE_API_KEY", sandbox.keys.stripe_secret_key.as_str()),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        Self { sandbox, variables, _servers: servers }
    }

    /// What the doctor says once these variables are changed.
    async fn examine(&self, changes: &[(&str, &str)]) -> Ran {
        let mut variables = self.variables.clone();
        for (name, value) in changes {
            variables.insert((*name).to_owned(), (*value).to_owned());
        }
        let folder = Folder::new();
        let file = folder.path().join("variables.json");
        std::fs::write(&file, serde_json::to_vec(&variables).unwrap()).unwrap();
        let command = countersign(&["doctor", "--variables", file.to_str().unwrap()]);
        let ran = Ran::beside(command).await;
        let keys = &self.sandbox.keys;
        for secret in [&keys.slack_token, &keys.stripe_read_key, &keys.webhook_secret, "canary"] {
            assert!(!format!("{}{}", ran.out, ran.error).contains(secret), "a secret is repeated");
        }
        ran
    }
}

/// An application that knows nobody, and `/refuses` of one that takes no signature.
fn application() -> Router {
    let unknown = || async { (StatusCode::NOT_FOUND, Json(json!({ "error": "no_such_customer" }))) };
    let refused = || async { (StatusCode::UNAUTHORIZED, Json(json!({ "error": "bad_signature" }))) };
    Router::new().route("/customers/{id}", get(unknown)).route("/refuses/customers/{id}", get(refused))
}

/// SES as far as it is asked: one verified domain, one that waits, and `/denies` and `/boxed` of accounts
/// that may not ask or are in the sandbox.
fn mail() -> Router {
    async fn identity(Path(name): Path<String>) -> Response {
        match name.as_str() {
            "verified.example.com" => identity_of(true),
            "waiting.example.com" => identity_of(false),
            _ => refusal(StatusCode::NOT_FOUND, "NotFoundException"),
        }
    }
    fn identity_of(verified: bool) -> Response {
        Json(json!({ "IdentityType": "DOMAIN", "VerifiedForSendingStatus": verified })).into_response()
    }
    fn refusal(status: StatusCode, kind: &str) -> Response {
        (status, [("x-amzn-errortype", kind.to_owned())], Json(json!({ "message": "no" }))).into_response()
    }
    let account = |open: bool| {
        move || async move { Json(json!({ "SendingEnabled": true, "ProductionAccessEnabled": open })) }
    };
    let denied = || async { refusal(StatusCode::FORBIDDEN, "AccessDeniedException") };
    Router::new()
        .route("/v2/email/identities/{name}", get(identity))
        .route("/v2/email/account", get(account(true)))
        .route("/boxed/v2/email/identities/{name}", get(identity))
        .route("/boxed/v2/email/account", get(account(false)))
        .route("/denies/v2/email/{*rest}", get(denied))
}

/// DynamoDB as far as it is asked: tables as the template makes them, and `/open`, `/late` and `/denies` of others
/// that it did not make, of a clock that is wrong, and of somebody who may not ask.
fn tables() -> Router {
    fn answer(headers: &HeaderMap, good: bool) -> Response {
        let status = if good { "ENABLED" } else { "DISABLED" };
        let target = headers["x-amz-target"].to_str().unwrap();
        let answer = match target.rsplit('.').next().unwrap() {
            "DescribeTable" if good => json!({ "Table": {
                "TableName": "t", "DeletionProtectionEnabled": true, "SSEDescription": { "Status": "ENABLED" },
            } }),
            "DescribeTable" => json!({ "Table": { "TableName": "t", "DeletionProtectionEnabled": false } }),
            "DescribeContinuousBackups" => json!({ "ContinuousBackupsDescription": {
                "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": { "PointInTimeRecoveryStatus": status },
            } }),
            "DescribeTimeToLive" => json!({ "TimeToLiveDescription": {
                "TimeToLiveStatus": status, "AttributeName": "expires_at",
            } }),
            other => panic!("it changes something: {other}"),
        };
        ([("content-type", "application/x-amz-json-1.0")], Json(answer)).into_response()
    }
    let healthy = || async { "healthy" };
    let late = || async { ([("date", "Tue, 24 Nov 2020 10:00:00 GMT")], "healthy") };
    let denied = || async {
        let error = json!({ "__type": "com.amazon.coral.service#AccessDeniedException", "message": "no" });
        (StatusCode::BAD_REQUEST, Json(error)).into_response()
    };
    let good = |headers: HeaderMap| async move { answer(&headers, true) };
    Router::new()
        .route("/", post(good).get(healthy))
        .route("/late", get(late))
        .route("/late/", post(good))
        .route("/open", get(healthy))
        .route("/open/", post(|headers: HeaderMap| async move { answer(&headers, false) }))
        .route("/denies", get(healthy))
        .route("/denies/", post(denied))
}

/// The alarms as far as they are asked for, in two pages: those that are quiet, and `/rings`, `/none` and `/denies` of others.
fn alarms() -> Router {
    fn answer(headers: &HeaderMap, asked: &Value, state: &str) -> Response {
        assert_eq!(headers["x-amz-target"], "GraniteServiceVersion20100801.DescribeAlarms");
        let signature = headers["authorization"].to_str().unwrap();
        assert!(signature.contains("/us-east-1/monitoring/aws4_request"), "{signature}");
        assert_eq!(asked["AlarmNamePrefix"], "billing-");
        let alarm = |name: &str, state: &str| json!({ "AlarmName": name, "StateValue": state });
        Json(if asked.get("NextToken").is_none() {
            json!({ "MetricAlarms": [alarm("billing-CanaryAlarm-1A2B", "OK")], "NextToken": "more" })
        } else {
            json!({ "MetricAlarms": [alarm("billing-EventDeadAlarm-3C4D", state)] })
        })
        .into_response()
    }
    let is = |state: &'static str| {
        post(move |headers: HeaderMap, asked: String| async move {
            answer(&headers, &serde_json::from_str(&asked).unwrap(), state)
        })
    };
    let denied = json!({ "__type": "com.amazon.coral.service#AccessDenied", "message": "no" });
    Router::new()
        .route("/", is("INSUFFICIENT_DATA"))
        .route("/rings/", is("ALARM"))
        .route("/none/", post(|| async { Json(json!({ "MetricAlarms": [] })) }))
        .route("/denies/", post(|| async move { (StatusCode::FORBIDDEN, Json(denied)) }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_in_which_everything_works_is_well() {
    let deployment = Deployment::new().await;
    let ran = deployment.examine(&[]).await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.error);
    assert!(ran.out.lines().all(|line| line.starts_with("ok    ")), "{}", ran.out);
    for what in [
        "secrets",
        "STRIPE_READ_KEY",
        "STRIPE_WRITE_KEY",
        "Slack",
        "Slack #billing-alerts",
        "CRM",
        "application",
        "sign-in",
        "mail",
        "model",
        "webhook",
        "table countersign-cases",
        "table countersign-approvals",
        "clock",
        "alarms",
    ] {
        assert!(ran.out.contains(&format!("ok    {what}: ")), "{what}: {}", ran.out);
    }
    let writes = deployment.sandbox.stripe.writes();
    assert!(writes.iter().all(|write| write.status >= 400), "nothing was done in Stripe");
    assert!(deployment.sandbox.slack.messages().is_empty(), "nothing was posted");
}

/// Variables that are set otherwise.
type Changed<'a> = &'a [(&'a str, &'a str)];

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_work_fails_with_what_to_do_and_hides_nothing_else() {
    let deployment = Deployment::new().await;
    let (app, ses) = (
        deployment.variables["APPLICATION_URL"].clone(),
        deployment.variables["AWS_ENDPOINT_URL_SESV2"].clone(),
    );
    let (refuses, boxed) = (format!("{app}/refuses"), format!("{ses}/boxed"));
    let dynamodb = deployment.variables["AWS_ENDPOINT_URL_DYNAMODB"].clone();
    let (open, late) = (format!("{dynamodb}/open"), format!("{dynamodb}/late"));
    let cloudwatch = deployment.variables["AWS_ENDPOINT_URL_CLOUDWATCH"].clone();
    let (rings, none) = (format!("{cloudwatch}/rings"), format!("{cloudwatch}/none"));
    let elsewhere = "https://other.example.com/stripe/canary";
    let cases = "table countersign-cases";
    let bad: [(Changed<'_>, &str, &str); 26] = [
        (
            &[("SESSION_KEYS_SECRET", "nowhere")],
            "secrets",
            "there is no value in a secret `nowhere`; store one",
        ),
        (
            &[("WEBHOOK_SECRETS", "default=nowhere")],
            "secrets",
            "there is no value in a secret `nowhere`; store one",
        ),
        (&[("SLACK_TOKEN_SECRET", "crm")], "Slack", "store its bot token"),
        (&[("SLACK_CHANNELS", "billing-alerts=C0PRIVATE1")], "Slack #billing-alerts", "invite the app"),
        (&[("SLACK_CHANNELS", "billing-risk=C0NONE")], "Slack #billing-risk", "correct the id"),
        (&[("HUBSPOT_TOKEN_SECRET", "app")], "CRM", "store a key that is accepted"),
        (&[("CRM", "sugar")], "CRM", "`CRM` must be `hubspot` or `salesforce`"),
        (&[("APPLICATION_URL", &refuses)], "application", "`bad_signature`"),
        (&[("OIDC_ISSUER", &app)], "sign-in", "correct `OIDC_ISSUER`"),
        (&[("MAIL_FROM", "billing@waiting.example.com")], "mail", "finish its verification"),
        (&[("MAIL_FROM", "billing@other.example.com")], "mail", "create the identity"),
        (&[("AWS_ENDPOINT_URL_SESV2", &boxed)], "mail", "ask for production access"),
        (&[("MODEL", "oracle")], "model", "`MODEL` must be `bedrock`, `anthropic` or `openai`"),
        (&[("MODEL_PRICE", "cheap")], "model", "`MODEL_PRICE` must be"),
        (&[("MODEL_ID", "oracle-9")], "model", "correct the address, or the setting"),
        (&[("MODEL_KEY_SECRET", "crm")], "model", "store a key that is accepted"),
        (&[("MODEL", "")], "model", "`MODEL` must be set if `MODEL_ID` is"),
        (&[("CANARY_URL", elsewhere)], "webhook", "countersign webhook register --url https://other"),
        (&[("STRIPE_API_KEY", "rk_test_unknown")], "webhook", "does not accept the key in `STRIPE_API_KEY`"),
        (&[("AWS_ENDPOINT_URL_DYNAMODB", &open)], cases, "aws dynamodb update-continuous-backups"),
        (&[("AWS_ENDPOINT_URL_DYNAMODB", &open)], cases, "--deletion-protection-enabled"),
        (&[("AWS_ENDPOINT_URL_DYNAMODB", &open)], cases, "--sse-specification"),
        (&[("AWS_ENDPOINT_URL_DYNAMODB", &open)], cases, "aws dynamodb update-time-to-live"),
        (&[("AWS_ENDPOINT_URL_DYNAMODB", &late)], "clock", "ahead of that of AWS"),
        (&[("AWS_ENDPOINT_URL_CLOUDWATCH", &rings)], "alarms", "EventDeadAlarm rings"),
        (&[("AWS_ENDPOINT_URL_CLOUDWATCH", &none)], "alarms", "the stack billing has none in us-east-1"),
    ];
    for (changes, what, fix) in bad {
        let ran = deployment.examine(changes).await;
        assert_eq!(ran.code, 1, "{changes:?}: {}{}", ran.out, ran.error);
        let failed: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("FAIL  ")).collect();
        let told =
            failed.iter().any(|line| line.starts_with(&format!("FAIL  {what}: ")) && line.contains(fix));
        assert!(told, "{changes:?}: {}", ran.out);
        assert!(ran.out.contains("ok    STRIPE_READ_KEY: "), "the others are examined: {}", ran.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_refuses_or_does_not_keep_to_the_form_is_told() {
    let deployment = Deployment::new().await;
    for (mode, fix) in [(Mode::Refusing, "; choose another model"), (Mode::Malformed, "; ")] {
        deployment.sandbox.model.set(mode);
        let ran = deployment.examine(&[]).await;
        assert_eq!(ran.code, 1, "{mode:?}: {}", ran.out);
        assert!(
            ran.out.lines().any(|line| line.starts_with("FAIL  model: ") && line.contains(fix)),
            "{}",
            ran.out
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_may_not_ask_is_said_and_is_no_failure() {
    let deployment = Deployment::new().await;
    let denies = |name: &str| format!("{}/denies", deployment.variables[name]);
    let (mail, tables) = (denies("AWS_ENDPOINT_URL_SESV2"), denies("AWS_ENDPOINT_URL_DYNAMODB"));
    let alarms = denies("AWS_ENDPOINT_URL_CLOUDWATCH");
    let ran = deployment
        .examine(&[
            ("AWS_ENDPOINT_URL_SESV2", &mail),
            ("AWS_ENDPOINT_URL_DYNAMODB", &tables),
            ("AWS_ENDPOINT_URL_CLOUDWATCH", &alarms),
            ("STRIPE_API_KEY", ""),
        ])
        .await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.error);
    assert!(
        ran.out.contains("skip  mail: you may not ask; get the right ses:GetEmailIdentity"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("skip  table countersign-cases: you may not ask; get the right"), "{}", ran.out);
    assert!(ran.out.contains("skip  alarms: you may not ask; get the right"), "{}", ran.out);
    assert!(ran.out.contains("skip  webhook: set STRIPE_API_KEY"), "{}", ran.out);
}

#[test]
fn variables_that_are_no_object_are_refused_without_being_repeated() {
    let mut command = countersign(&["doctor", "--variables", "-"]);
    let ran = Ran::of(&mut command, Value::from("canary").to_string().as_bytes());
    assert_eq!(ran.code, 1);
    assert!(ran.error.contains("must be a JSON object") && !ran.error.contains("canary"), "{}", ran.error);
}
