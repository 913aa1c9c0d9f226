//! Running the binary.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::Client;
use runtime::{
    Env,
    aws::Aws,
    http::{Base, client},
};
use sandbox::loopback::Loopback;
use serde_json::Value;

/// The binary, without what the machine's environment would tell it.
pub(crate) fn countersign(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(arguments).env_remove("STRIPE_API_KEY").env_remove("LOG_LEVEL");
    command
}

/// A finished command.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) error: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command, input: &[u8]) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that fails early does not read its input.
        let _ = child.stdin.take().unwrap().write_all(input);
        let done = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: done.status.code().unwrap(), out: text(done.stdout), error: text(done.stderr) }
    }

    pub(crate) fn new(arguments: &[&str]) -> Self {
        Self::of(&mut countersign(arguments), b"")
    }

    /// The same while this process serves what the command asks.
    pub(crate) async fn beside(mut command: Command) -> Self {
        tokio::task::spawn_blocking(move || Self::of(&mut command, b"")).await.unwrap()
    }
}

/// Tables of their own, and the command with AWS there.
pub(crate) struct Tables {
    server: Loopback,
    pub(crate) client: aws_sdk_dynamodb::Client,
}

impl Tables {
    /// Empty tables of these names.
    pub(crate) async fn of(names: &[&str]) -> Self {
        let server = sandbox::dynamodb::serve(0, None).await.unwrap();
        let client = Aws::from_env(&Env::from(variables(&server.url()))).unwrap().dynamodb();
        for name in names {
            store::schema::create(&client, name).await.unwrap();
        }
        Self { server, client }
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = countersign(arguments);
        command.envs(variables(&self.server.url()));
        Ran::beside(command).await
    }
}

fn variables(url: &str) -> [(&'static str, &str); 4] {
    [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL", url),
    ]
}

/// A pipeline in its own process, killed when dropped.
pub(crate) struct Local {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    pub(crate) ready: Value,
    http: Client,
}

impl Local {
    /// Starts `countersign local` on a free port and waits until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let all = [&["local", "--json", "--port", "0"], arguments].concat();
        let mut child = countersign(&all)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let Ok(ready) = serde_json::from_str(&line) else {
            let mut error = String::new();
            child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
            panic!("not ready: {line}{error}");
        };
        let http = client(&[&Base::parse("http://localhost:1").unwrap()]).unwrap();
        Self { child, out, ready, http }
    }

    pub(crate) fn at(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }

    /// Delivers an event as Stripe would; the status of the answer.
    pub(crate) async fn deliver(&self, event: &Value) -> u16 {
        let body = event.to_string();
        let signed = sandbox::stripe::signature(
            [self.at("webhook_secret")],
            sandbox::Clock::running().seconds(),
            &body,
        );
        let request = self.http.post(format!("{}/stripe/default", self.at("api"))).body(body);
        let request = request.header("stripe-signature", signed).header("content-type", "application/json");
        request.send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.at("api"))).send().await.unwrap()
    }

    /// The page of a stand-in.
    pub(crate) async fn page(&self, name: &str) -> String {
        self.http.get(self.at(name)).send().await.unwrap().text().await.unwrap()
    }

    /// The client: follows no redirect and keeps no cookie.
    pub(crate) fn http(&self) -> &Client {
        &self.http
    }

    pub(crate) async fn board(&self) -> Value {
        serde_json::from_str(&self.get("/_console/data").await.text().await.unwrap()).unwrap()
    }

    /// Looks at the console's data until they are as wished.
    pub(crate) async fn until(&self, what: &str, wished: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(90);
        loop {
            let board = self.board().await;
            if wished(&board) {
                return board;
            }
            assert!(Instant::now() < end, "still not: {what}; {}", board["totals"]);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Sends a signal (`INT`, `TERM`), waits for the end, and gives the exit code with the rest of
    /// standard output.
    pub(crate) fn signal(mut self, name: &str) -> (Option<i32>, String) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that is removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("countersign-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
