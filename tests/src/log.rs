//! What the functions log.

use std::{
    future::Future,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Page {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Runs `work` and answers what was logged meanwhile on this thread, at the finest level of ours and
/// at the level that dependencies have in a deployment.
pub async fn captured_log<T>(work: impl Future<Output = T>) -> (T, String) {
    let page = Page::default();
    let ours = [
        "approver",
        "connectors",
        "gated",
        "ingress",
        "processor",
        "reconciler",
        "runtime",
        "store",
        "stripe",
    ];
    let filter = ours.map(|name| format!("{name}=trace")).join(",");
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::new(format!("warn,{filter}")))
        .with_writer(page.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    // A test beside this one may just have met a line for the first time, when nobody listened yet.
    tracing::callsite::rebuild_interest_cache();
    let done = work.await;
    drop(guard);
    let bytes = page.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (done, String::from_utf8_lossy(&bytes).into_owned())
}
