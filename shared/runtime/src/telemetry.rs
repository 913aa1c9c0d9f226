//! Logs: one JSON object per line on standard output, fields beside the message.

use tracing::Level;
use tracing_subscriber::{
    Layer as _, Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::{Env, EnvError};

/// The crates whose lines `LOG_LEVEL` decides on.
const OURS: [&str; 10] = [
    "approver",
    "connectors",
    "domain",
    "gated",
    "ingress",
    "processor",
    "reconciler",
    "runtime",
    "store",
    "stripe",
];

/// The level of `LOG_LEVEL`: `error`, `warn`, `info` (if it is not set), `debug` or `trace`.
///
/// # Errors
/// If it is another word.
pub fn level(env: &Env) -> Result<Level, EnvError> {
    let Some(level) = env.optional("LOG_LEVEL") else { return Ok(Level::INFO) };
    level.parse().map_err(|_| EnvError::invalid("LOG_LEVEL", "error, warn, info, debug or trace"))
}

/// Starts logging for this process. Does nothing if it has been started.
pub fn init(level: Level) {
    let _ = subscriber(level, std::io::stdout).try_init();
}

/// What [`init`] starts, with lines that go to `writer`.
pub fn subscriber<W>(level: Level, writer: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'w> fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    Registry::default().with(lines(writer).with_filter(targets(level)))
}

/// Dependencies say warnings and errors only, whatever the level: in finer detail some of them print
/// headers and bodies.
fn targets(level: Level) -> Targets {
    let others = LevelFilter::WARN.min(LevelFilter::from_level(level));
    Targets::new().with_default(others).with_targets(OURS.map(|name| (name, level)))
}

/// Without a time, which `CloudWatch` adds.
fn lines<W>(writer: W) -> impl tracing_subscriber::Layer<Registry> + Send + Sync
where
    W: for<'w> fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .without_time()
        .with_writer(writer)
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: Level, work: impl FnOnce()) -> Vec<serde_json::Value> {
        let paper = Paper::default();
        let to = paper.clone();
        tracing::subscriber::with_default(subscriber(level, move || to.clone()), work);
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_an_object_with_its_fields_and_those_of_its_span() {
        let lines = logged(Level::INFO, || {
            let _span = tracing::info_span!(target: "processor", "turn", case = "recovery:in_1").entered();
            tracing::info!(target: "processor", event = "evt_1", "committed");
        });
        insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(lines, @r#"
        [
          {
            "event": "evt_1",
            "level": "INFO",
            "message": "committed",
            "span": {
              "case": "recovery:in_1",
              "name": "turn"
            },
            "target": "processor"
          }
        ]
        "#);
                });
    }

    #[test]
    fn dependencies_never_log_in_detail() {
        let lines = logged(Level::TRACE, || {
            tracing::debug!(target: "aws_smithy_runtime::client", "canary body");
            tracing::warn!(target: "aws_smithy_runtime::client", "slow");
            tracing::debug!(target: "ingress::receive", "ours");
        });
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(messages, ["slow", "ours"]);
    }

    #[test]
    fn the_level_is_read_from_the_environment() {
        assert_eq!(level(&Env::from([])), Ok(Level::INFO));
        assert_eq!(level(&Env::from([("LOG_LEVEL", "DEBUG")])), Ok(Level::DEBUG));
        assert!(level(&Env::from([("LOG_LEVEL", "loud")])).unwrap_err().to_string().contains("LOG_LEVEL"));
    }
}
