//! Data points to samples: all of an export with the same labels and the same time are one.

use std::fmt::Write;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::naming::{self, Kind};
use super::super::payload::Outer;
use super::super::record::Scalar;
use super::super::{Clock, Row, recycle, with_subject};
use super::distribution::{Distributions, Mass};
use super::tape::Value as Json;
use super::{INSTANCES, SERVICES, attributes, named, scalar, time};
use crate::event::{Event, Finite, Label, Sample, Timestamp, Value};
use crate::order;
use crate::scorer::Problem;

/// The flag of a data point that says that there is nothing.
const NO_RECORDED_VALUE: i64 = 1;

/// What is kept from export to export: where cumulative distributions stood, and memory.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    distributions: Distributions,
    points: Vec<Point>,
    labels: Vec<(Span, Span)>,
    /// Names and labels, one after the other.
    text: String,
    name: String,
    sample_labels: Vec<Label<'static>>,
    sample_values: Vec<Value<'static>>,
}

type Span = (usize, usize);

/// One metric at one time.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// Labels and time.
    key: u64,
    /// The position of the first point with this key, and its own.
    group: usize,
    position: usize,
    time: Option<Timestamp>,
    labels: (usize, usize),
    metric: Span,
    value: Finite,
}

/// Whose points these are.
#[derive(Debug, Clone, Copy)]
struct Owner {
    time: Option<Timestamp>,
    labels: (usize, usize),
    /// Labels alone.
    series: u64,
    /// Labels and time.
    key: u64,
}

/// A metric of the export.
#[derive(Clone, Copy)]
struct Metric<'t> {
    name: &'t str,
    unit: &'t str,
    is_delta: bool,
}

impl Metrics {
    pub(super) fn read(
        &mut self,
        resources: Json<'_, '_>,
        outer: &Outer<'_>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        for resource in resources.items() {
            let described = resource.get("resource");
            let service = named(described, &SERVICES).or(outer.service);
            let instance = named(described, &INSTANCES);
            for scope in resource
                .list("scopeMetrics")
                .chain(resource.list("instrumentationLibraryMetrics"))
            {
                for metric in scope.list("metrics") {
                    let of = [("service", service), ("instance", instance)];
                    if let Err(problem) = self.metric(metric, &of, outer.time) {
                        each(Row::Bad(Problem { line, ..problem }));
                    }
                }
            }
        }
        self.hand_on(clock, each);
    }

    fn metric(
        &mut self,
        json: Json<'_, '_>,
        of: &[(&str, Option<&str>)],
        otherwise: Option<Timestamp>,
    ) -> Result<(), Problem> {
        let name = json.get("name").and_then(Json::text).unwrap_or_default();
        if name.is_empty() {
            return Err(problem("name", "a metric has no name: give it one".to_owned()));
        }
        let unit = json.get("unit").and_then(Json::text).unwrap_or_default();
        let found = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"]
            .into_iter()
            .find_map(|kind| Some((kind, json.get(kind)?)));
        let Some((kind, content)) = found else {
            let message = "it has no points: write a gauge, a sum, a histogram or a summary";
            return Err(problem(name, message.to_owned()));
        };
        let temporality = content.get("aggregationTemporality");
        let metric = Metric {
            name,
            unit,
            is_delta: temporality.is_some_and(|temporality| {
                temporality.integer() == Some(1) || temporality.text() == Some("AGGREGATION_TEMPORALITY_DELTA")
            }),
        };
        let is_monotonic = content.get("isMonotonic").and_then(Json::bool) == Some(true);
        let mut fault = Ok(());
        for point in content.list("dataPoints") {
            let flags = point.get("flags").and_then(Json::integer).unwrap_or(0);
            if flags & NO_RECORDED_VALUE != 0 {
                continue;
            }
            let owner = self.owner(point, of, otherwise);
            let read = match kind {
                "gauge" => self.number(point, metric, owner, Kind::Gauge),
                "sum" if is_monotonic => self.number(point, metric, owner, Kind::Counter),
                "sum" => self.number(point, metric, owner, Kind::Gauge),
                "summary" => self.summary(point, metric, owner),
                _ => self.histogram(point, metric, owner),
            };
            // One problem a metric is enough: what is wrong with one of its points is wrong with the others.
            fault = fault.and(read);
        }
        fault
    }

    /// The labels and the time of a point.
    fn owner(&mut self, point: Json<'_, '_>, of: &[(&str, Option<&str>)], otherwise: Option<Timestamp>) -> Owner {
        let start = self.labels.len();
        for (name, value) in of {
            if let Some(value) = value {
                let label = (keep(&mut self.text, name), keep(&mut self.text, value));
                self.labels.push(label);
            }
        }
        for (name, value) in attributes(point, "attributes").chain(attributes(point, "labels")) {
            let from = self.text.len();
            // Writing to a string cannot fail.
            let _ = match scalar(value) {
                Some(Scalar::Text(text)) => self.text.write_str(text),
                Some(Scalar::Integer(number)) => write!(self.text, "{number}"),
                Some(Scalar::Number(number)) => write!(self.text, "{number}"),
                Some(Scalar::Bool(value)) => write!(self.text, "{value}"),
                _ => Ok(()),
            };
            let value = (from, self.text.len());
            if value.0 < value.1 {
                let label = (keep(&mut self.text, name), value);
                self.labels.push(label);
            }
        }
        let Metrics { labels, text, .. } = self;
        let of = |span: Span| text.get(span.0..span.1).unwrap_or_default();
        if let Some(own) = labels.get_mut(start..) {
            order::sort_by_key(own, |label| of(label.0));
        }
        let mut kept = start;
        for at in start..labels.len() {
            let Some(label) = labels.get(at).copied() else { break };
            // What the point says itself stands behind what its resource says, and wins.
            if kept > start
                && let Some(last) = labels.get_mut(kept - 1)
                && of(last.0) == of(label.0)
            {
                *last = label;
                continue;
            }
            if let Some(free) = labels.get_mut(kept) {
                *free = label;
            }
            kept += 1;
        }
        labels.truncate(kept);
        let series = labels.iter().skip(start).fold(0, |key, (name, value)| {
            xxh3_64_with_seed(of(*value).as_bytes(), xxh3_64_with_seed(of(*name).as_bytes(), key))
        });
        let time = time(point.get("timeUnixNano")).or(otherwise);
        let nanos = time.map_or(0, Timestamp::nanos);
        Owner {
            time,
            labels: (start, labels.len()),
            series,
            key: xxh3_64_with_seed(&nanos.to_le_bytes(), series),
        }
    }

    fn number(&mut self, json: Json<'_, '_>, metric: Metric<'_>, owner: Owner, kind: Kind) -> Result<(), Problem> {
        let written = ["asDouble", "asInt", "value"]
            .into_iter()
            .find_map(|name| json.get(name));
        let Some(written) = written else {
            return Ok(());
        };
        let Some(value) = written.number() else {
            let message = format!("{} is no number: write one such as 12.5", written.shown());
            return Err(problem(metric.name, message));
        };
        match (kind, metric.is_delta) {
            (Kind::Counter, true) => self.rate(json, metric, owner, "", value),
            _ => {
                self.begin_name(metric, kind);
                let ending = naming::ending(&self.name, kind);
                self.point(owner, ending, value);
            }
        }
        Ok(())
    }

    fn histogram(&mut self, json: Json<'_, '_>, metric: Metric<'_>, owner: Owner) -> Result<(), Problem> {
        let Some(count) = json.get("count").and_then(Json::number) else {
            return Err(problem(metric.name, "a point has no count: write one".to_owned()));
        };
        let sum = json.get("sum").and_then(Json::number);
        let mass = match json.get("scale").or(json.get("positive")) {
            Some(_) => Mass::exponential(json),
            None => Mass::explicit(json),
        };
        self.counts(json, metric, owner, count, sum);
        let series = xxh3_64_with_seed(metric.name.as_bytes(), owner.series);
        let start = time(json.get("startTimeUnixNano"));
        let news = if metric.is_delta {
            Distributions::whole(count, sum, &mass)
        } else {
            self.distributions.since_last(series, start, count, sum, mass)
        };
        self.begin_name(metric, Kind::Gauge);
        if let Some(mean) = news.mean {
            self.point(owner, "_mean", mean);
        }
        for (ending, value) in ["_p50", "_p95", "_p99"].into_iter().zip(news.quantiles) {
            if let Some(value) = value {
                self.point(owner, ending, value);
            }
        }
        Ok(())
    }

    fn summary(&mut self, json: Json<'_, '_>, metric: Metric<'_>, owner: Owner) -> Result<(), Problem> {
        let Some(count) = json.get("count").and_then(Json::number) else {
            return Err(problem(metric.name, "a point has no count: write one".to_owned()));
        };
        let sum = json.get("sum").and_then(Json::number);
        self.counts(json, metric, owner, count, sum);
        let series = xxh3_64_with_seed(metric.name.as_bytes(), owner.series);
        let start = time(json.get("startTimeUnixNano"));
        let news = self
            .distributions
            .since_last(series, start, count, sum, Mass::default());
        self.begin_name(metric, Kind::Gauge);
        if let Some(mean) = news.mean {
            self.point(owner, "_mean", mean);
        }
        for value in json.list("quantileValues") {
            let quantile = value.get("quantile").and_then(Json::number).unwrap_or(0.0);
            let mut ending = String::new();
            naming::push_quantile(&mut ending, &quantile.to_string());
            self.point(owner, &ending, value.get("value").and_then(Json::number).unwrap_or(0.0));
        }
        Ok(())
    }

    /// How many values a distribution has, and their sum.
    fn counts(&mut self, json: Json<'_, '_>, metric: Metric<'_>, owner: Owner, count: f64, sum: Option<f64>) {
        for (ending, value) in [("_count", Some(count)), ("_sum", sum)] {
            let Some(value) = value else { continue };
            if metric.is_delta {
                self.rate(json, metric, owner, ending, value);
            } else {
                self.begin_name(metric, Kind::Gauge);
                self.point(owner, ending, value);
            }
        }
    }

    /// What was added since the start of the point, for every second of it: the same as is watched of a counter.
    fn rate(&mut self, json: Json<'_, '_>, metric: Metric<'_>, owner: Owner, ending: &str, value: f64) {
        self.begin_name(metric, Kind::Counter);
        let base = self.name.strip_suffix("_total").map_or(self.name.len(), str::len);
        self.name.truncate(base);
        self.name.push_str(ending);
        let seconds = time(json.get("startTimeUnixNano"))
            .zip(owner.time)
            .map(|(start, end)| end.seconds_since(start))
            .filter(|seconds| *seconds > 0.0);
        match seconds {
            Some(seconds) => self.point(owner, "_per_second", value / seconds),
            None => self.point(owner, "_delta", value),
        }
    }

    fn begin_name(&mut self, metric: Metric<'_>, kind: Kind) {
        self.name.clear();
        self.name.push_str(metric.name);
        self.name.push_str(naming::unit(metric.name, metric.unit, kind));
    }

    /// Takes a value under the name that has been begun. What is not finite is no value.
    fn point(&mut self, owner: Owner, ending: &str, value: f64) {
        let Some(value) = Finite::new(value) else {
            return;
        };
        let start = self.text.len();
        self.text.push_str(&self.name);
        self.text.push_str(ending);
        self.points.push(Point {
            key: owner.key,
            group: 0,
            position: self.points.len(),
            time: owner.time,
            labels: owner.labels,
            metric: (start, self.text.len()),
            value,
        });
    }

    /// Hands on a sample for each label set and time, the earliest first and otherwise in the order of the export.
    fn hand_on(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let text = |(start, end): Span| self.text.get(start..end).unwrap_or_default();
        // They are in the order of their positions, which sorting by a key leaves where the key is the same.
        order::sort_by_key(&mut self.points, |point| point.key);
        for group in self.points.chunk_by_mut(|a, b| a.key == b.key) {
            let first = group.first().map_or(0, |point| point.position);
            group.iter_mut().for_each(|point| point.group = first);
        }
        order::sort_by_key(&mut self.points, |point| point.group as u64);
        order::sort_by_key(&mut self.points, |point| {
            point.time.map_or(0, |time| order::rising(time.nanos()))
        });
        let mut moment = None;
        let mut labels: Vec<Label<'_>> = std::mem::take(&mut self.sample_labels);
        let mut values: Vec<Value<'_>> = std::mem::take(&mut self.sample_values);
        for group in self.points.chunk_by(|a, b| a.group == b.group) {
            let Some(first) = group.first() else { continue };
            labels.clear();
            let spans = self.labels.get(first.labels.0..first.labels.1).unwrap_or_default();
            labels.extend(spans.iter().map(|(name, value)| Label {
                name: text(*name),
                value: text(*value),
            }));
            values.clear();
            for point in group {
                let metric = text(point.metric);
                match values.iter_mut().find(|value| value.metric == metric) {
                    Some(known) => known.value = point.value,
                    None => values.push(Value {
                        metric,
                        value: point.value,
                    }),
                }
            }
            let time = match first.time {
                Some(time) => clock.time(Some(time)),
                // One export without a time is one moment.
                None => *moment.get_or_insert_with(|| clock.time(None)),
            };
            with_subject(&labels, |subject| {
                each(Row::Event(Event::Sample(Sample {
                    time,
                    subject,
                    values: &values,
                })));
            });
        }
        self.sample_labels = recycle(labels);
        self.sample_values = recycle(values);
        self.points.clear();
        self.labels.clear();
        self.text.clear();
    }
}

fn keep(text: &mut String, part: &str) -> Span {
    let start = text.len();
    text.push_str(part);
    (start, text.len())
}

fn problem(metric: &str, message: String) -> Problem {
    Problem {
        line: 0,
        field: Some(metric.to_owned()),
        message,
    }
}
