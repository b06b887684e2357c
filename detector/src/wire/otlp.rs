//! OTLP in JSON: logs and metrics, as the collector's file exporter and `otlphttp` write them.
//!
//! | part | what it is |
//! |---|---|
//! | `timeUnixNano`, else `observedTimeUnixNano` | the time; a number or a string |
//! | `severityNumber`, else `severityText` | the level; a number of 10 with the text `notice`, and a text such as `critical`, are taken as in syslog |
//! | `body.stringValue` | the message; without a severity, or where it is JSON, it is read like a log line |
//! | `body.kvlistValue` | the pairs of a structured line |
//! | `attributes` of a record | the pairs of a structured line: those of HTTP (`http.request.method`, `http.response.status_code`, `url.path`, …) make it a request |
//! | `traceId` | the session |
//! | `service.name` of the resource | the label `service`; else the name of the Kubernetes workload, the container or the pod |
//! | `service.instance.id`, `k8s.pod.name` or `host.name` of the resource | the label `instance`, of metrics alone |
//! | `attributes` of a data point | labels |
//! | gauge, sum that is not monotonic | the metric under its name |
//! | monotonic sum, cumulative | a counter, whose name ends in `_total` |
//! | monotonic sum, delta | `…_per_second` over its interval; without its start `…_delta` |
//! | histogram, exponential histogram | `_count` and `_sum` (as counters; `_count_per_second`, `_sum_per_second` of deltas), and `_mean`, `_p50`, `_p95`, `_p99` of what came since the point before |
//! | summary | `_count`, `_sum`, `_mean` and its quantiles, such as `_p99` |
//! | `unit` | an ending of the name where that does not tell it: `_seconds`, `_milliseconds`, `_bytes`, … |
//! | NaN, infinity, no recorded value | no value |
//! | exemplars, scopes, schemas | nothing |
//!
//! Quantiles are estimates: values are taken to lie evenly within their bucket. All points of an export that have the
//! same labels and the same time are one event.

mod logs;
mod metrics;

#[cfg(test)]
mod tests;

use super::payload::Outer;
use super::record::Scalar;
use super::tape::{self, Tape, Value};
use super::{Clock, Row};
use crate::event::Timestamp;
use crate::plain::in_plain_words;
use crate::scorer::Problem;
use logs::Logs;
use metrics::Metrics;

/// What is kept from object to object: memory without content, and of cumulative distributions where they stood.
#[derive(Debug)]
pub(super) struct Otlp {
    tape: tape::Buffers,
    logs: Logs,
    metrics: Metrics,
}

impl Otlp {
    /// `year` is that of times that name none, in bodies that are lines of a log.
    pub(super) fn new(year: i16) -> Self {
        Otlp {
            tape: tape::Buffers::default(),
            logs: Logs::new(year),
            metrics: Metrics::default(),
        }
    }

    /// Reads one whole export object, `{"resourceLogs": […]}` or `{"resourceMetrics": […]}` (also in snake case), that
    /// begins on this line: a row for each record and for each point or set of points.
    pub(super) fn read(
        &mut self,
        object: &str,
        outer: &Outer<'_>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        let mut tape = Tape::new(std::mem::take(&mut self.tape));
        let mut rows = 0_u64;
        let mut count = |row: Row<'_>| {
            rows += 1;
            each(row);
        };
        let problem = match tape.read(object) {
            Ok(()) => {
                let root = tape.root();
                let logs = root.get("resourceLogs");
                let metrics = root.get("resourceMetrics");
                if let Some(logs) = logs {
                    self.logs.read(logs, outer, line, clock, &mut count);
                }
                if let Some(metrics) = metrics {
                    self.metrics.read(metrics, outer, line, clock, &mut count);
                }
                (logs.is_none() && metrics.is_none()).then(|| {
                    "this holds neither resourceLogs nor resourceMetrics: only logs and metrics are read".to_owned()
                })
            }
            Err(error) => Some(malformed(&error)),
        };
        if let Some(message) = problem {
            clock.pass(outer.time);
            count(Row::Bad(Problem {
                line,
                field: None,
                message,
            }));
        }
        if rows == 0 {
            each(Row::Blank);
        }
        self.tape = tape.into_buffers();
    }
}

fn malformed(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let what = in_plain_words(message.split(" at line ").next().unwrap_or_default());
    format!("this is no whole OTLP object: at column {}, {what}", error.column())
}

/// A moment in nanoseconds since 1970; 0 stands for none.
fn time(value: Option<Value<'_, '_>>) -> Option<Timestamp> {
    value?.integer().filter(|nanos| *nanos > 0).map(Timestamp::from_nanos)
}

/// The names and values of a list of attributes.
fn attributes<'t, 'a>(of: Value<'t, 'a>, name: &str) -> impl Iterator<Item = (&'t str, Value<'t, 'a>)> {
    of.list(name)
        .filter_map(|pair| Some((pair.get("key")?.text()?, pair.get("value")?)))
}

/// The value of an attribute, unless it is a list, an object or bytes.
fn scalar<'t>(value: Value<'t, '_>) -> Option<Scalar<'t>> {
    let (kind, value) = value.fields().next()?;
    match kind {
        "stringValue" | "string_value" => value.text().map(Scalar::Text),
        "intValue" | "int_value" => value.integer().map(Scalar::Integer),
        "doubleValue" | "double_value" => value.number().map(Scalar::Number),
        "boolValue" | "bool_value" => value.bool().map(Scalar::Bool),
        _ => None,
    }
}

/// What a resource is called, from the most telling name to the least.
const SERVICES: [&str; 10] = [
    "service.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
    "k8s.container.name",
    "container.name",
    "k8s.pod.name",
    "faas.name",
];

/// Which of several it is.
const INSTANCES: [&str; 3] = ["service.instance.id", "k8s.pod.name", "host.name"];

/// The first of these attributes that a resource has.
fn named<'t>(resource: Option<Value<'t, '_>>, names: &[&str]) -> Option<&'t str> {
    let (_, found) = attributes(resource?, "attributes")
        .filter_map(|(name, value)| {
            let rank = names.iter().position(|known| *known == name)?;
            match scalar(value)? {
                // SDKs put this there when nobody has said anything.
                Scalar::Text(text) if text.starts_with("unknown_service") => Some((names.len(), text)),
                Scalar::Text(text) if !text.is_empty() => Some((rank, text)),
                _ => None,
            }
        })
        .min_by_key(|(rank, _)| *rank)?;
    Some(found)
}
