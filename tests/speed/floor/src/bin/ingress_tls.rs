//! The ingress function, trusting one authority more: that of the services on loopback, in the file that
//! `SPEED_ROOT` names. So its TLS can be measured; the function itself trusts Amazon's roots and nobody else.

use std::{convert::Infallible, process::ExitCode};

use anyhow::{Context as _, Result, anyhow};
use ingress::App;
use lambda_http::{Request, service_fn};
use runtime::{Clock, Env, aws::Aws};

fn main() -> ExitCode {
    runtime::lambda::run(start)
}

async fn start(env: Env, clock: Clock) -> Result<()> {
    let root = std::fs::read(env.required("SPEED_ROOT")?).context("cannot read the file in `SPEED_ROOT`")?;
    let app = App::new(&env, &Aws::trusting(&env, Some(root))?, clock).await?;
    let app = &app;
    let answer = |request: Request| async move { Ok::<_, Infallible>(ingress::receive(app, &request).await) };
    lambda_http::run(service_fn(answer)).await.map_err(|error| anyhow!(error))
}
