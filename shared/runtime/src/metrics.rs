//! The figures of one invocation, as one line in the embedded metric format of `CloudWatch`:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
//!
//! Figures carry no id and no personal data; what distinguishes them is a word of this code.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Map, Value, json};

use crate::{Clock, Env, EnvError};

/// The namespace of every figure.
pub const NAMESPACE: &str = "Countersign";

/// The format allows this many figures in one directive, and this many values of one figure.
const MOST: usize = 100;

/// Takes one line without its line end.
pub type Sink = Arc<dyn Fn(&str) + Send + Sync>;

/// Begins the figures of each invocation of a function.
#[derive(Clone)]
pub struct Meter {
    function: &'static str,
    deployment: String,
    clock: Clock,
    sink: Sink,
}

impl Meter {
    /// The meter of a function, writing to standard output. Reads `DEPLOYMENT`, and `METRICS`, which
    /// `off` silences where standard output is for something else.
    ///
    /// # Errors
    /// If the first is missing, or the second is something else.
    pub fn from_env(function: &'static str, env: &Env, clock: Clock) -> Result<Self, EnvError> {
        let sink: Sink = match env.optional("METRICS") {
            None => Arc::new(to_stdout),
            Some("off") => Arc::new(|_| {}),
            Some(_) => return Err(EnvError::invalid("METRICS", "`off` or nothing")),
        };
        Ok(Self::new(function, env.required("DEPLOYMENT")?, clock, sink))
    }

    /// The meter of a function, writing to `sink`.
    pub fn new(function: &'static str, deployment: impl Into<String>, clock: Clock, sink: Sink) -> Self {
        Self { function, deployment: deployment.into(), clock, sink }
    }

    /// The figures of one invocation, none so far.
    pub fn invocation(&self) -> Metrics {
        Metrics { meter: self.clone(), figures: Mutex::default() }
    }
}

/// One write, so that lines of other threads do not get in between. A figure that cannot be written
/// must not fail the work.
fn to_stdout(line: &str) {
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

/// The figures of one invocation; written when dropped, unless there are none.
pub struct Metrics {
    meter: Meter,
    figures: Mutex<BTreeMap<Cow<'static, str>, Figure>>,
}

enum Figure {
    Count(u64),
    Number(f64),
    Seconds(Vec<f64>),
}

impl Metrics {
    /// Adds to a count. Adding 0 makes the count appear, so that "none" can be told from "not measured".
    pub fn count(&self, name: &'static str, n: u64) {
        self.add(Cow::Borrowed(name), n);
    }

    /// Adds to a count per kind: `count_by("classified", "hard_decline", 1)` is the figure
    /// `classified_hard_decline`. A kind that is not 1 to 40 of `a-z 0-9 _` counts as `other`: kinds
    /// are words of this code, not data.
    pub fn count_by(&self, name: &'static str, kind: &str, n: u64) {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let kind = if (1..=40).contains(&kind.len()) && kind.bytes().all(word) { kind } else { "other" };
        self.add(Cow::Owned(format!("{name}_{kind}")), n);
    }

    /// Adds a duration in seconds. Only the first hundred of an invocation are kept.
    pub fn seconds(&self, name: &'static str, seconds: f64) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        let figure = figures.entry(Cow::Borrowed(name)).or_insert(Figure::Seconds(Vec::new()));
        if let Figure::Seconds(values) = figure
            && values.len() < MOST
            && seconds.is_finite()
        {
            values.push(seconds);
        }
    }

    /// Sets a figure that is neither a count nor a time; the last one of an invocation stays.
    pub fn number(&self, name: &'static str, number: f64) {
        if number.is_finite() {
            let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
            figures.insert(Cow::Borrowed(name), Figure::Number(number));
        }
    }

    fn add(&self, name: Cow<'static, str>, n: u64) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Figure::Count(count) = figures.entry(name).or_insert(Figure::Count(0)) {
            *count = count.saturating_add(n);
        }
    }

    /// The line, or `None` without a figure.
    fn line(&mut self) -> Option<String> {
        let mut figures =
            std::mem::take(&mut self.figures).into_inner().unwrap_or_else(PoisonError::into_inner);
        figures.retain(|_, figure| !matches!(figure, Figure::Seconds(values) if values.is_empty()));
        if figures.is_empty() {
            return None;
        }
        let definitions: Vec<Value> = figures
            .iter()
            .map(|(name, figure)| match figure {
                Figure::Count(_) => json!({ "Name": name, "Unit": "Count" }),
                Figure::Number(_) => json!({ "Name": name, "Unit": "None" }),
                Figure::Seconds(_) => json!({ "Name": name, "Unit": "Seconds" }),
            })
            .collect();
        let directives: Vec<Value> = definitions
            .chunks(MOST)
            .map(|chunk| {
                json!({
                    "Namespace": NAMESPACE,
                    "Dimensions": [["deployment", "function"]],
                    "Metrics": chunk,
                })
            })
            .collect();
        let milliseconds = (self.meter.clock)().seconds().saturating_mul(1000);
        let mut root = Map::new();
        root.insert("_aws".to_owned(), json!({ "Timestamp": milliseconds, "CloudWatchMetrics": directives }));
        root.insert("deployment".to_owned(), self.meter.deployment.as_str().into());
        root.insert("function".to_owned(), self.meter.function.into());
        root.extend(figures.into_iter().map(|(name, figure)| {
            let value = match figure {
                Figure::Count(count) => count.into(),
                Figure::Number(number) => number.into(),
                Figure::Seconds(values) => values.into(),
            };
            (name.into_owned(), value)
        }));
        Some(Value::Object(root).to_string())
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        if let Some(line) = self.line() {
            (self.meter.sink)(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    fn written(record: impl FnOnce(&Metrics)) -> Vec<Value> {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&lines);
        let clock: Clock = Arc::new(|| Timestamp::from_seconds(1_790_000_000));
        let meter = Meter::new(
            "ingress",
            "test",
            clock,
            Arc::new(move |line| sink.lock().unwrap().push(line.into())),
        );
        record(&meter.invocation());
        let lines = lines.lock().unwrap();
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn an_invocation_writes_one_line_in_the_embedded_metric_format() {
        let lines = written(|metrics| {
            metrics.count("events_received", 1);
            metrics.count("events_received", 2);
            metrics.count("duplicates_suppressed", 0);
            metrics.count_by("classified", "hard_decline", 1);
            metrics.seconds("queue_latency", 1.5);
            metrics.seconds("queue_latency", 3.0);
        });
        insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(lines, @r#"
        [
          {
            "_aws": {
              "CloudWatchMetrics": [
                {
                  "Dimensions": [
                    [
                      "deployment",
                      "function"
                    ]
                  ],
                  "Metrics": [
                    {
                      "Name": "classified_hard_decline",
                      "Unit": "Count"
                    },
                    {
                      "Name": "duplicates_suppressed",
                      "Unit": "Count"
                    },
                    {
                      "Name": "events_received",
                      "Unit": "Count"
                    },
                    {
                      "Name": "queue_latency",
                      "Unit": "Seconds"
                    }
                  ],
                  "Namespace": "Countersign"
                }
              ],
              "Timestamp": 1790000000000
            },
            "classified_hard_decline": 1,
            "deployment": "test",
            "duplicates_suppressed": 0,
            "events_received": 3,
            "function": "ingress",
            "queue_latency": [
              1.5,
              3.0
            ]
          }
        ]
        "#);
                });
    }

    #[test]
    fn an_invocation_without_figures_writes_nothing() {
        assert_eq!(written(|_| ()), Vec::<Value>::new());
        assert_eq!(written(|metrics| metrics.seconds("lag", f64::NAN)), Vec::<Value>::new());
    }

    #[test]
    fn a_kind_that_is_data_is_counted_as_other() {
        let lines = written(|metrics| {
            metrics.count_by("refused", "canary@example.test", 1);
            metrics.count_by("refused", "", 1);
        });
        assert_eq!(lines[0]["refused_other"], 2);
        assert!(!lines[0].to_string().contains("canary"));
    }

    #[test]
    fn more_than_a_hundred_figures_are_split_over_directives() {
        let lines = written(|metrics| (0..101).for_each(|n| metrics.count_by("kind", &n.to_string(), 1)));
        let directives = lines[0]["_aws"]["CloudWatchMetrics"].as_array().unwrap();
        let sizes: Vec<_> = directives.iter().map(|one| one["Metrics"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, [100, 1]);
    }
}
