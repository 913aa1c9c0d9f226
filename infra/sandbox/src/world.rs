//! All stand-ins together, wired as one deployment: what the functions find at the addresses in their
//! environment.

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use axum::Router;
use tokio::net::TcpListener;

pub use crate::deployment::{
    APPROVAL_QUEUE, APPROVALS_TABLE, CASES_TABLE, DEAD_APPROVAL_QUEUE, DEAD_EVENT_QUEUE, EVENT_QUEUE,
    Function, HELP_DESK_AGENT, MAIL_FROM, MODEL_PRICE, OIDC_CLIENT,
};
use crate::{
    Clock, Shelf,
    application::{self, Application},
    company,
    crm::hubspot::HubSpot,
    deployment::{self, CHANNELS},
    dynamodb::Tables,
    help_desk::zendesk::Zendesk,
    keys::Keys,
    loopback::{Loopback, bind},
    model::Model,
    oidc::{Client, Oidc},
    people::People,
    secrets::Secrets,
    ses::Ses,
    slack::{Channel, Slack, Workspace},
    sqs::Sqs,
    stripe::{self, Key, READ_SCOPES, Stripe, WRITE_SCOPES},
};

/// Where Stripe itself is.
pub const STRIPE_API: &str = "https://api.stripe.com";

/// As in the template: longer than any run takes, and how often a message may fail.
const VISIBILITY: u32 = 180;
const RECEIVES: u32 = 10;

/// What a sandbox is started with.
#[derive(Clone)]
pub struct Options {
    /// The folder that keeps the state; without one it ends with the process.
    pub data: Option<PathBuf>,
    /// The time of every stand-in.
    pub clock: Clock,
    /// Where people reach the approver, without a slash at the end.
    pub public_url: String,
    /// The path of the approver to which a sign-in comes back.
    pub sign_in_path: String,
    /// Stripe's own test mode in place of the stand-in.
    pub stripe: Option<TestMode>,
}

/// A Stripe account in test mode.
#[derive(Clone)]
pub struct TestMode {
    /// A secret or restricted key.
    pub key: String,
    /// What signs its deliveries, if any reach this machine.
    pub webhook_secret: Option<String>,
}

/// Where the stand-ins listen, without a slash at the end.
#[derive(Clone, Debug)]
pub struct Urls {
    /// DynamoDB.
    pub dynamodb: String,
    /// SQS.
    pub sqs: String,
    /// Secrets Manager.
    pub secrets: String,
    /// Stripe's API, the stand-in's or Stripe's own.
    pub stripe: String,
    /// Slack; its methods are below `/api`.
    pub slack: String,
    /// The OpenID provider's issuer.
    pub oidc: String,
    /// HubSpot.
    pub hubspot: String,
    /// Zendesk.
    pub zendesk: String,
    /// The company's application.
    pub application: String,
    /// Amazon SES.
    pub ses: String,
    /// The language model.
    pub model: String,
}

/// The running stand-ins. Dropping it stops them.
pub struct Sandbox {
    /// Where they listen.
    pub urls: Urls,
    /// What they accept.
    pub keys: Keys,
    /// Who can sign in.
    pub people: People,
    /// The tables.
    pub tables: Tables,
    /// The queues.
    pub sqs: Arc<Sqs>,
    /// The secrets.
    pub secrets: Arc<Secrets>,
    /// The Stripe account; unused in Stripe's own test mode.
    pub stripe: Arc<Stripe>,
    /// The workspace.
    pub slack: Arc<Slack>,
    /// The sign-in.
    pub oidc: Arc<Oidc>,
    /// The CRM.
    pub hubspot: Arc<HubSpot>,
    /// The help desk.
    pub zendesk: Arc<Zendesk>,
    /// The company's application.
    pub application: Arc<Application>,
    /// The mail.
    pub ses: Arc<Ses>,
    /// The language model.
    pub model: Arc<Model>,
    /// Small facts that the caller keeps with the state.
    pub shelf: Shelf,
    /// The time of all of them.
    pub clock: Clock,
    public_url: String,
    /// In the order of starting.
    servers: Vec<Loopback>,
    /// Keeps another process out of the folder.
    _lock: Option<File>,
}

impl Sandbox {
    /// Starts every stand-in on a free port of 127.0.0.1, with queues and secrets in place. Tables are
    /// the client's to create, and [`Stripe::deliver`] is the caller's to run: it must not while history
    /// is written, since what is delivered meanwhile would be signed in the past.
    ///
    /// # Errors
    /// If the folder cannot be written or another process uses it.
    pub async fn start(options: Options) -> Result<Self> {
        let Options { data, clock, public_url, sign_in_path, stripe: test_mode } = options;
        let lock = data.as_deref().map(claim).transpose()?;
        let file = |name: &str| data.as_deref().map(|data| data.join(name));
        let shelf = match file("stand-ins.db") {
            Some(path) => Shelf::open(&path)?,
            None => Shelf::memory()?,
        };
        let mut keys = Keys::open(&shelf)?;
        let people = People::seeded();
        let stripe = Stripe::open(account(&keys), shelf.clone(), clock.clone())?;
        if let Some(TestMode { key, webhook_secret }) = &test_mode {
            keys.stripe_read_key.clone_from(key);
            keys.stripe_write_key.clone_from(key);
            keys.webhook_secret = webhook_secret.clone().unwrap_or(keys.webhook_secret);
        }
        let (oidc_listener, issuer) = listen().await?;
        let oidc = Oidc::open(&issuer, people.clone(), shelf.clone(), clock.clone())?;
        oidc.register(Client {
            id: OIDC_CLIENT.to_owned(),
            secret: keys.oidc_client_secret.clone(),
            redirect_uris: vec![format!("{public_url}{sign_in_path}")],
        });
        let slack = Slack::open(workspace(&keys), people.clone(), shelf.clone(), clock.clone())?;
        let sqs = Sqs::open(shelf.clone(), clock.clone())?;
        let secrets = Secrets::open(shelf.clone(), clock.clone())?;
        sqs.create(EVENT_QUEUE, DEAD_EVENT_QUEUE, VISIBILITY, RECEIVES)?;
        sqs.create(APPROVAL_QUEUE, DEAD_APPROVAL_QUEUE, VISIBILITY, RECEIVES)?;
        deployment::put_secrets(&secrets, &keys)?;
        let hubspot = HubSpot::open(&keys.hubspot_token, shelf.clone())?;
        let token = &keys.zendesk_token;
        let zendesk = Zendesk::open(HELP_DESK_AGENT, token, shelf.clone(), clock.clone())?;
        let signing =
            application::Keys { read: keys.application_key.clone(), access: keys.access_key.clone() };
        let application = Application::open(signing, shelf.clone(), clock.clone())?;
        let ses = Ses::open(MAIL_FROM, shelf.clone(), clock.clone())?;
        let model = Model::open(&keys.model_key, shelf.clone(), clock.clone())?;

        let tables = Tables::open(file("tables.db").as_deref())?;
        let servers = vec![
            tables.serve(0).await?,
            Loopback::serve(0, Arc::clone(&sqs).router()).await?,
            Loopback::serve(0, Arc::clone(&secrets).router()).await?,
            Loopback::serve(0, stripe.router()).await?,
            Loopback::serve(0, Arc::clone(&slack).router()).await?,
            serve(oidc_listener, Arc::clone(&oidc).router())?,
            Loopback::serve(0, Arc::clone(&hubspot).router()).await?,
            Loopback::serve(0, Arc::clone(&zendesk).router()).await?,
            Loopback::serve(0, Arc::clone(&application).router()).await?,
            Loopback::serve(0, Arc::clone(&ses).router()).await?,
            Loopback::serve(0, Arc::clone(&model).router()).await?,
        ];
        let mut addresses = servers.iter().map(Loopback::url);
        let mut next = || addresses.next().unwrap_or_default();
        let mut urls = Urls {
            dynamodb: next(),
            sqs: next(),
            secrets: next(),
            stripe: next(),
            slack: next(),
            oidc: next(),
            hubspot: next(),
            zendesk: next(),
            application: next(),
            ses: next(),
            model: next(),
        };
        if test_mode.is_some() {
            STRIPE_API.clone_into(&mut urls.stripe);
        }
        Ok(Self {
            urls,
            keys,
            people,
            tables,
            sqs,
            secrets,
            stripe,
            slack,
            oidc,
            hubspot,
            zendesk,
            application,
            ses,
            model,
            shelf,
            clock,
            public_url,
            servers,
            _lock: lock,
        })
    }

    /// The environment of a function, as the template sets it in an account.
    pub fn variables(&self, function: Function) -> BTreeMap<String, String> {
        deployment::variables(function, &self.urls, &self.public_url)
    }

    /// What a function is told besides, where a deployment has the systems around Stripe: a CRM, a help
    /// desk, the company's application, mail, a language model.
    pub fn systems(&self, function: Function) -> BTreeMap<String, String> {
        deployment::systems(function, &self.urls)
    }

    /// Lets those systems know every customer that Stripe has and they do not.
    ///
    /// # Errors
    /// If the state cannot be kept.
    pub fn introduce_customers(&self) -> Result<()> {
        company::introduce(self)
    }

    /// Stops every stand-in after the requests that run.
    pub async fn stop(self) {
        for server in self.servers {
            server.stop().await;
        }
    }
}

/// Makes the folder and keeps other processes out of it for as long as the file is open.
fn claim(data: &Path) -> Result<File> {
    let write = || -> std::io::Result<File> {
        // It holds keys: nobody else's to read.
        DirBuilder::new().recursive(true).mode(0o700).create(data)?;
        File::create(data.join("lock"))
    };
    let file = write().with_context(|| format!("cannot write to the folder `{}`", data.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => bail!("another process uses the folder `{}`; stop it or choose another", data.display()),
    }
}

async fn listen() -> Result<(TcpListener, String)> {
    let listener = bind(0).await?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}

fn serve(listener: TcpListener, router: Router) -> Result<Loopback> {
    Loopback::start(listener, |listener, stop| async move {
        axum::serve(listener, router).with_graceful_shutdown(stop).await.map_err(Into::into)
    })
}

fn account(keys: &Keys) -> stripe::Options {
    stripe::Options::new(
        "acct_1SANDBOX",
        vec![
            Key::secret(&keys.stripe_secret_key),
            Key::restricted(&keys.stripe_read_key, READ_SCOPES.iter().copied()),
            Key::restricted(&keys.stripe_write_key, WRITE_SCOPES.iter().copied()),
        ],
    )
}

/// The seeded workspace with the channels that the policy's playbooks name.
fn workspace(keys: &Keys) -> Workspace {
    let mut workspace = Workspace::seeded(&keys.slack_token);
    workspace.channels.extend(CHANNELS.map(|(name, id)| Channel::new(id, name)));
    workspace
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn options(data: Option<PathBuf>) -> Options {
        Options {
            data,
            clock: Clock::running(),
            public_url: "http://localhost:1".to_owned(),
            sign_in_path: "/callback".to_owned(),
            stripe: None,
        }
    }

    #[tokio::test]
    async fn no_function_but_the_approver_is_told_of_the_keys_that_write() {
        let sandbox = Sandbox::start(options(None)).await.unwrap();
        for function in [Function::Ingress, Function::Processor, Function::Reconciler] {
            let variables = sandbox.variables(function);
            for name in ["STRIPE_WRITE_KEY_SECRET", "LINK_KEYS_SECRET", "RECEIPT_KEY_SECRET"] {
                assert!(!variables.contains_key(name), "{function:?} {name}");
            }
        }
        assert!(sandbox.variables(Function::Approver).contains_key("STRIPE_WRITE_KEY_SECRET"));
        for url in [&sandbox.urls.dynamodb, &sandbox.urls.sqs, &sandbox.urls.stripe, &sandbox.urls.oidc] {
            assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        }
        sandbox.stop().await;
    }

    #[tokio::test]
    async fn what_changes_access_or_sends_mail_is_told_to_the_approver_alone() {
        let sandbox = Sandbox::start(options(None)).await.unwrap();
        let told = |function| -> BTreeMap<String, String> {
            sandbox.variables(function).into_iter().chain(sandbox.systems(function)).collect()
        };
        let approver = told(Function::Approver);
        for function in [Function::Ingress, Function::Processor, Function::Reconciler] {
            let told = told(function);
            for name in ["ACCESS_SECRET", "ACCESS_URL", "MAIL_FROM", "AWS_ENDPOINT_URL_SESV2"] {
                assert!(!told.contains_key(name) && approver.contains_key(name), "{function:?} {name}");
            }
            assert!(!told.values().any(|value| *value == approver["ACCESS_SECRET"]), "{function:?}");
        }
        assert_ne!(sandbox.keys.application_key, sandbox.keys.access_key);
        sandbox.stop().await;
    }

    #[tokio::test]
    async fn a_folder_keeps_the_keys_and_serves_one_process() {
        let data = std::env::temp_dir().join(format!("sandbox-{}", uuid::Uuid::new_v4()));
        let first = Sandbox::start(options(Some(data.clone()))).await.unwrap();
        let secret = first.keys.webhook_secret.clone();
        let refused = Sandbox::start(options(Some(data.clone()))).await.err().unwrap();
        assert!(refused.to_string().contains("another process uses the folder"), "{refused}");
        first.stop().await;
        let second = Sandbox::start(options(Some(data.clone()))).await.unwrap();
        assert_eq!(second.keys.webhook_secret, secret);
        second.stop().await;
        fs::remove_dir_all(data).unwrap();
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_named() {
        let file = std::env::temp_dir().join(format!("sandbox-file-{}", uuid::Uuid::new_v4()));
        fs::write(&file, "").unwrap();
        let refused = Sandbox::start(options(Some(file.join("below")))).await.err().unwrap();
        assert!(refused.to_string().starts_with("cannot write to the folder"), "{refused}");
        fs::remove_file(file).unwrap();
    }
}
