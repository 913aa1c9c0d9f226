//! SQS and Secrets Manager, as far as ingress asks them, over TLS and without: the same answers each time.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::{Value, json};

use crate::wire::{self, Answer, Request};

/// What signs the deliveries.
pub(crate) const SECRET: &str = "whsec_speed";

/// The running services.
pub(crate) struct Services {
    plain: u16,
    tls: u16,
    /// The certificate that whoever wants TLS has to trust.
    root: PathBuf,
}

impl Services {
    /// Starts them, with a new certificate in `folder`.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let (root, tls) = certificate(folder)?;
        Ok(Self { plain: wire::serve(None, answer)?, tls: wire::serve(Some(tls), answer)?, root })
    }

    /// What a function finds in its environment.
    pub(crate) fn variables(&self, tls: bool) -> BTreeMap<String, String> {
        let url = if tls {
            format!("https://localhost:{}", self.tls)
        } else {
            format!("http://127.0.0.1:{}", self.plain)
        };
        let root = self.root.display().to_string();
        [
            ("AWS_ACCESS_KEY_ID", "AKIDSPEED".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "speed".to_owned()),
            ("AWS_SESSION_TOKEN", "speed".repeat(100)),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ENDPOINT_URL", url.clone()),
            ("DEPLOYMENT", "speed".to_owned()),
            ("EVENT_QUEUE_URL", format!("{url}/000000000000/events.fifo")),
            ("WEBHOOK_SECRETS", "default=webhook".to_owned()),
            // How Python, Node and the floor's ingress are told.
            ("AWS_CA_BUNDLE", root.clone()),
            ("NODE_EXTRA_CA_CERTS", root.clone()),
            ("SPEED_ROOT", root),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}

fn answer(request: &Request) -> Answer {
    let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let operation = request.header("x-amz-target").rsplit('.').next().unwrap_or_default();
    let (status, body) = match operation {
        "GetSecretValue" => (
            200,
            json!({ "ARN": "arn:aws:secretsmanager:eu-central-1:000000000000:secret:webhook-AbCdEf",
                "Name": "webhook", "SecretString": SECRET, "VersionId": "c3d2b1a0-0000-4000-8000-000000000000",
                "VersionStages": ["AWSCURRENT"], "CreatedDate": 1_790_000_000.0 }),
        ),
        "GetQueueAttributes" => (200, json!({ "Attributes": { "FifoQueue": "true" } })),
        "SendMessage" => {
            let text = asked.get("MessageBody").and_then(Value::as_str).unwrap_or_default();
            let digest = format!("{:x}", md5::compute(text));
            (
                200,
                json!({ "MessageId": "5fea7756-0ea4-451a-a703-a558b933e274", "MD5OfMessageBody": digest,
                    "SequenceNumber": "18849496460467696128" }),
            )
        }
        _ => (400, json!({ "__type": "UnknownOperationException", "message": operation })),
    };
    let headers = vec![
        ("content-type", "application/x-amz-json-1.1".to_owned()),
        ("x-amzn-requestid", "7a62c49f-347e-4fc4-9331-6e8e7a96aa73".to_owned()),
        ("date", "Mon, 21 Sep 2026 14:13:20 GMT".to_owned()),
    ];
    Answer { status, headers, body: body.to_string().into_bytes() }
}

/// A root and, under it, a certificate for `localhost`, as a service of AWS has one.
fn certificate(folder: &Path) -> Result<(PathBuf, Arc<ServerConfig>)> {
    fs::create_dir_all(folder)?;
    let openssl = |arguments: &[&str]| -> Result<()> {
        let mut openssl = Command::new("openssl");
        openssl.args(arguments).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
        let done = openssl.status().context("`openssl` is missing; install it")?;
        ensure!(done.success(), "`openssl {}` failed", arguments.join(" "));
        Ok(())
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let new = |more: &[&str]| openssl(&[&["req"][..], &key, more].concat());
    new(&["-x509", "-days", "2", "-subj", "/CN=Speed Root", "-keyout", "root.key", "-out", "root.pem"])?;
    new(&["-subj", "/CN=localhost", "-keyout", "leaf.key", "-out", "leaf.csr"])?;
    fs::write(folder.join("leaf.cnf"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n")?;
    openssl(&[
        "x509",
        "-req",
        "-in",
        "leaf.csr",
        "-CA",
        "root.pem",
        "-CAkey",
        "root.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "leaf.cnf",
        "-out",
        "leaf.pem",
    ])?;
    let chain = vec![CertificateDer::from_pem_file(folder.join("leaf.pem"))?];
    let key = PrivateKeyDer::from_pem_file(folder.join("leaf.key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok((folder.join("root.pem"), Arc::new(config.with_no_client_auth().with_single_cert(chain, key)?)))
}
