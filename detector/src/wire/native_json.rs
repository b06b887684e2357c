//! Vector's events as its codec `native_json` writes them: `{"log": {…}}`, `{"metric": {…}}` or `{"trace": {…}}`, each of
//! which is one object of an input of JSON. Also in the form that is announced for it, the JSON of Vector's Protobuf
//! events, `{"event": {"log": …}}`.
//!
//! | part | what it is |
//! |---|---|
//! | a log | the object inside, read like any other; with a `source_type` and no level its message is a log line that is yet to be read |
//! | `name` and `namespace` of a metric | the metric, `<namespace>_<name>` |
//! | `tags` | the labels of the subject: of several values the last one, and `true` for a tag without any |
//! | a counter | absolute: `…_total`; incremental: `…_per_second` with `interval_ms`, or else `…_delta` |
//! | a gauge | the metric under its name; incremental: `…_delta` |
//! | a set | `…_unique`, how many values there are |
//! | an aggregated histogram, a distribution, a sketch | `_count` and `_sum` (incremental: their rates), and `_mean`, `_p50`, `_p95`, `_p99` |
//! | an aggregated summary | `_count`, `_sum`, `_mean` and its quantiles |
//! | a trace | a request, where it is a span of a server of HTTP; nothing otherwise |
//! | null, NaN, infinity | no value: a row without content |

mod form;

#[cfg(test)]
mod tests;

pub(crate) use form::{Event, Form, Kind, event};

use super::json::Scan;
use super::ndjson;
use super::payload::Outer;
use super::points::{self, Mass, Metric, Points};
use super::record::{self, Record, Scalar};
use super::tape::{self, Tape, Value};
use super::{Clock, Row, time};
use crate::event::Timestamp;
use crate::scorer::Problem;

/// What is kept from event to event: where cumulative distributions stood, and memory.
#[derive(Debug, Default)]
pub(super) struct NativeJson {
    tape: tape::Buffers,
    points: Points,
    name: String,
    buffers: record::Buffers,
}

impl NativeJson {
    /// A metric: one row of metrics.
    pub(super) fn metric(
        &mut self,
        event: &Event<'_>,
        outer: &Outer<'_>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        let mut tape = Tape::new(std::mem::take(&mut self.tape));
        let read = tape.read(event.text).map_err(|error| error.to_string());
        let read = read.and_then(|()| self.read(tape.root(), event.form, outer));
        let mut rows = 0_u64;
        match read {
            Ok(()) => self.points.hand_on(clock, &mut |row| {
                rows += 1;
                each(row);
            }),
            Err(message) => {
                rows = 1;
                clock.pass(outer.time);
                each(Row::Bad(Problem {
                    line,
                    field: Some("metric".to_owned()),
                    message,
                }));
            }
        }
        if rows == 0 {
            clock.pass(outer.time);
            each(Row::Blank);
        }
        self.tape = tape.into_buffers();
    }

    fn read(&mut self, event: Value<'_, '_>, form: Form, outer: &Outer<'_>) -> Result<(), String> {
        let text = |name| event.get(name).and_then(Value::text).unwrap_or_default();
        if text("name").is_empty() {
            return Err("it has no name: give it one".to_owned());
        }
        let is_delta = match (text("kind"), form) {
            ("absolute" | "Absolute", _) => false,
            // The JSON of Protobuf leaves out what is the first of an enumeration.
            ("incremental" | "Incremental", _) | ("", Form::Proto) => true,
            (other, _) => {
                return Err(format!(
                    "its kind is {}: write `absolute` or `incremental`",
                    super::quote(other)
                ));
            }
        };
        let mut name = std::mem::take(&mut self.name);
        name.clear();
        for part in [text("namespace"), text("name")]
            .into_iter()
            .filter(|part| !part.is_empty())
        {
            if !name.is_empty() {
                name.push('_');
            }
            name.push_str(part);
        }
        let stated = match event.get("timestamp") {
            None => None,
            Some(written) => Some(
                written
                    .text()
                    .and_then(time::whole)
                    .ok_or_else(|| time::unreadable(&written.shown()))?,
            ),
        };
        let owner = self.owner(event, stated.or(outer.time), outer.service);
        let interval = event.get("intervalMs").and_then(Value::number);
        let metric = Metric {
            name: &name,
            unit: "",
            start: None,
            is_delta,
            seconds: interval.map(|milliseconds| milliseconds / 1e3),
        };
        let read = self.value(event, form, owner, metric);
        self.name = name;
        read
    }

    fn owner(&mut self, event: Value<'_, '_>, time: Option<Timestamp>, service: Option<&str>) -> points::Owner {
        let start = self.points.begin_owner();
        if let Some(service) = service {
            self.points.label("service", Scalar::Text(service));
        }
        for tags in ["tags", "tagsV1", "tagsV2"]
            .into_iter()
            .filter_map(|name| event.get(name))
        {
            for (name, value) in tags.fields() {
                let values = value.get("values").unwrap_or(value);
                let last = values.items().last().unwrap_or(values);
                let last = last.get("value").unwrap_or(last).text();
                self.points.label(name, last.map_or(Scalar::Bool(true), Scalar::Text));
            }
        }
        self.points.owner(start, time)
    }

    fn value(
        &mut self,
        event: Value<'_, '_>,
        form: Form,
        owner: points::Owner,
        metric: Metric<'_>,
    ) -> Result<(), String> {
        let number = |of: Value<'_, '_>, name| of.get(name).map_or(form.absent(), Value::number);
        let points = &mut self.points;
        let known = [
            ("counter", "counter"),
            ("gauge", "gauge"),
            ("set", "set"),
            ("distribution", "distribution"),
            ("distribution2", "distribution"),
            ("aggregatedHistogram", "histogram"),
            ("aggregatedHistogram3", "histogram"),
            ("aggregatedSummary", "summary"),
            ("aggregatedSummary3", "summary"),
            ("sketch", "sketch"),
        ];
        let found = known
            .into_iter()
            .find_map(|(name, what)| Some((what, event.get(name)?)));
        let Some((what, value)) = found else {
            return Err(
                "it has no value that is known: write a counter, a gauge or another one of Vector's".to_owned(),
            );
        };
        let count = || number(value, "count");
        let pairs = |list: &'static str, of: [&'static str; 2]| {
            value
                .list(list)
                .filter_map(move |pair| Some((number(pair, of[0])?, number(pair, of[1])?)))
        };
        match what {
            "counter" => {
                if let Some(value) = number(value, "value") {
                    points.number(owner, metric, points::Kind::Counter, value);
                }
            }
            "gauge" => match (number(value, "value"), metric.is_delta) {
                (Some(value), true) => points.named(owner, metric, "_delta", value),
                (Some(value), false) => points.number(owner, metric, points::Kind::Gauge, value),
                (None, _) => {}
            },
            "set" => points.named(owner, metric, "_unique", value.list("values").count() as f64),
            "distribution" => {
                let samples = || pairs("samples", ["value", "rate"]);
                let count = samples().map(|(_, rate)| rate).sum();
                let sum = samples().map(|(value, rate)| value * rate).sum();
                points.distribution(owner, metric, count, Some(sum), Mass::values(samples()));
            }
            "histogram" => {
                let limits = || pairs("buckets", ["upperLimit", "count"]);
                // The last one has no limit above.
                let bounds = limits().map(|(limit, _)| limit).filter(|limit| *limit < f64::INFINITY);
                let mass = Mass::explicit(bounds, limits().map(|(_, count)| count));
                if let Some(count) = count() {
                    points.distribution(owner, metric, count, number(value, "sum"), mass);
                }
            }
            "summary" => {
                let quantiles = pairs("quantiles", ["quantile", "value"]);
                if let Some(count) = count() {
                    points.summary(owner, metric, count, number(value, "sum"), quantiles);
                }
            }
            _ => {
                let sketch = value.get("sketch").unwrap_or(value);
                let sketch = sketch.get("AgentDDSketch").or_else(|| sketch.get("agentDdSketch"));
                let Some(sketch) = sketch else {
                    return Err("it is a sketch of a kind that is not known".to_owned());
                };
                let bins = sketch.get("bins").unwrap_or(sketch);
                let keys = bins.list("k").map_while(Value::integer);
                let counts = bins.list("n").map_while(Value::number);
                let mass = Mass::values(keys.zip(counts).map(|(key, count)| (middle_of_bin(key), count)));
                if let Some(count) = number(sketch, "count") {
                    points.distribution(owner, metric, count, number(sketch, "sum"), mass);
                }
            }
        }
        Ok(())
    }

    /// The fields of a log or a trace, as plain JSON.
    pub(super) fn plain(&mut self, event: &Event<'_>, into: &mut Vec<u8>) -> Result<(), String> {
        let mut tape = Tape::new(std::mem::take(&mut self.tape));
        let read = tape.read(event.text).map_err(|error| error.to_string());
        let written = read.and_then(|()| form::write_plain(tape.root(), into));
        self.tape = tape.into_buffers();
        written
    }

    /// A trace, of which the object inside has been scanned: a request, where it is a span of a server of HTTP.
    pub(super) fn trace(
        &mut self,
        scan: &Scan,
        text: &str,
        outer: &Outer<'_>,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        const SERVER: f64 = 2.0;
        let moment = |name| {
            let mut pairs = scan.pairs.iter();
            let value = pairs.find(|pair| scan.text(pair.name, text) == name)?.value;
            match value {
                super::json::Value::Text(piece) => time::whole(scan.text(piece, text)),
                super::json::Value::Number(_, piece) => time::from_integer(scan.text(piece, text).parse().ok()?),
                _ => None,
            }
        };
        let end = moment("end_time_unix_nano");
        let took = moment("start_time_unix_nano")
            .zip(end)
            .map(|(start, end)| end.seconds_since(start) * 1e3);
        let is_of_server = scan.pairs.iter().all(|pair| match pair.value {
            super::json::Value::Number(number, _) if scan.text(pair.name, text) == "kind" => number == SERVER,
            _ => true,
        });
        let mut record = Record::new(std::mem::take(&mut self.buffers));
        ndjson::fill(&mut record, scan, text);
        if let Some(took) = took.filter(|took| *took >= 0.0) {
            record.push("duration_ms", Scalar::Number(took));
        }
        let outer = Outer {
            time: end.or(outer.time),
            ..*outer
        };
        if !is_of_server || !record.emit_exchange(&outer, clock, each) {
            clock.pass(outer.time);
            each(Row::Blank);
        }
        self.buffers = record.into_buffers();
    }
}

/// The value that a bin of a sketch of Datadog's agent stands for: powers of 1 + 1/64, whose exponents are moved so that
/// 10^−9 is the first of them (Masson, Rim and Lee, DDSketch, 2019).
fn middle_of_bin(key: i64) -> f64 {
    const BASE: f64 = 1.0 + 1.0 / 64.0;
    const FIRST: f64 = 1338.0;
    let size = match key.unsigned_abs() {
        0 => 0.0,
        key => libm::pow(BASE, key as f64 - FIRST),
    };
    if key < 0 { -size } else { size }
}
