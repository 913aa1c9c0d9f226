//! Serving a stand-in on a port of 127.0.0.1 for as long as a handle to it lives.

use std::{future::Future, net::SocketAddr};

use anyhow::{Context as _, Result};
use axum::Router;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Loopback {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Loopback {
    /// Serves `router` on `port`, or on any free one if it is 0.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn serve(port: u16, router: Router) -> Result<Self> {
        let listener = bind(port).await?;
        Self::start(listener, |listener, stop| async move {
            axum::serve(listener, router).with_graceful_shutdown(stop).await.map_err(Into::into)
        })
    }

    /// Runs `server` on a bound listener until its second argument resolves.
    pub(crate) fn start<F>(listener: TcpListener, server: impl FnOnce(TcpListener, Stop) -> F) -> Result<Self>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        // A dropped sender resolves it, too.
        let server = server(listener, Box::pin(async move { drop(stopped.await) }));
        let task = tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(error = format!("{error:#}"), "a stand-in stopped");
            }
        });
        Ok(Self { address, stop: Some(stop), task })
    }

    /// Where it listens, without a slash at the end: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Lets running requests finish, then stops.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        // Its outcome is in the log.
        drop(self.task.await);
    }
}

/// Resolves when a server is to stop.
pub(crate) type Stop = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Binds `port` of 127.0.0.1, never another interface.
pub(crate) async fn bind(port: u16) -> Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port))
        .await
        .with_context(|| format!("port {port} of 127.0.0.1 is taken; stop what uses it or choose another"))
}
