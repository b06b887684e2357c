//! Data points to samples: all that come together with the same labels and the same time are one. What a point is
//! called, and what of a distribution is watched, is the same wherever points come from.

mod distribution;

use std::fmt::Write;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use self::distribution::Distributions;
use super::naming;
use super::record::Scalar;
use super::{Clock, Row, recycle, with_subject};
use crate::event::{Event, Finite, Label, Sample, Timestamp, Value};
use crate::order;

pub(super) use self::distribution::Mass;
pub(super) use super::naming::Kind;

/// What is kept from one set of points to the next: where cumulative distributions stood, and memory.
#[derive(Debug, Default)]
pub(super) struct Points {
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
pub(super) struct Owner {
    time: Option<Timestamp>,
    labels: (usize, usize),
    /// Labels alone.
    series: u64,
    /// Labels and time.
    key: u64,
}

/// The metric that a point is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Metric<'t> {
    pub(super) name: &'t str,
    /// In the notation of OpenTelemetry; empty where it is not told.
    pub(super) unit: &'t str,
    /// Since when it counts, where that is told.
    pub(super) start: Option<Timestamp>,
    /// Whether it tells what was added, and not what there is.
    pub(super) is_delta: bool,
    /// In how many seconds that was added, where it is known.
    pub(super) seconds: Option<f64>,
}

impl Points {
    /// Begins the labels of an owner.
    pub(super) fn begin_owner(&self) -> usize {
        self.labels.len()
    }

    /// A label of the owner that has begun. Of a name that comes twice the last one counts, and an empty label is none.
    pub(super) fn label(&mut self, name: &str, value: Scalar<'_>) {
        let from = self.text.len();
        // Writing to a string cannot fail.
        let _ = match value {
            Scalar::Text(text) => self.text.write_str(text),
            Scalar::Integer(number) => write!(self.text, "{number}"),
            Scalar::Number(number) | Scalar::Written(number, _) => write!(self.text, "{number}"),
            Scalar::Bool(value) => write!(self.text, "{value}"),
            Scalar::Null | Scalar::List => Ok(()),
        };
        let value = (from, self.text.len());
        if value.0 < value.1 {
            let label = (keep(&mut self.text, name), value);
            self.labels.push(label);
        }
    }

    /// The owner of the labels that came since it was begun, and its time.
    pub(super) fn owner(&mut self, start: usize, time: Option<Timestamp>) -> Owner {
        let Points { labels, text, .. } = self;
        let of = |span: Span| text.get(span.0..span.1).unwrap_or_default();
        if let Some(own) = labels.get_mut(start..) {
            order::sort_by_key(own, |label| of(label.0));
        }
        let mut kept = start;
        for at in start..labels.len() {
            let Some(label) = labels.get(at).copied() else { break };
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
        let nanos = time.map_or(0, Timestamp::nanos);
        Owner {
            time,
            labels: (start, labels.len()),
            series,
            key: xxh3_64_with_seed(&nanos.to_le_bytes(), series),
        }
    }

    /// A value that is what it is, or that only grows.
    pub(super) fn number(&mut self, owner: Owner, metric: Metric<'_>, kind: Kind, value: f64) {
        match (kind, metric.is_delta) {
            (Kind::Counter, true) => self.rate(owner, metric, "", value),
            _ => {
                self.begin_name(metric, kind);
                let ending = naming::ending(&self.name, kind);
                self.point(owner, ending, value);
            }
        }
    }

    /// A value with an ending of its own.
    pub(super) fn named(&mut self, owner: Owner, metric: Metric<'_>, ending: &str, value: f64) {
        self.begin_name(metric, Kind::Gauge);
        self.point(owner, ending, value);
    }

    /// A histogram, or what else tells how many values lie where.
    pub(super) fn distribution(&mut self, owner: Owner, metric: Metric<'_>, count: f64, sum: Option<f64>, mass: Mass) {
        self.counts(owner, metric, count, sum);
        let series = xxh3_64_with_seed(metric.name.as_bytes(), owner.series);
        let news = if metric.is_delta {
            Distributions::whole(count, sum, &mass)
        } else {
            self.distributions.since_last(series, metric.start, count, sum, mass)
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
    }

    /// A summary: its quantiles are what the source says they are.
    pub(super) fn summary(
        &mut self,
        owner: Owner,
        metric: Metric<'_>,
        count: f64,
        sum: Option<f64>,
        quantiles: impl Iterator<Item = (f64, f64)>,
    ) {
        self.distribution(owner, metric, count, sum, Mass::default());
        for (quantile, value) in quantiles {
            let mut ending = String::new();
            naming::push_quantile(&mut ending, &quantile.to_string());
            self.point(owner, &ending, value);
        }
    }

    /// How many values a distribution has, and their sum.
    fn counts(&mut self, owner: Owner, metric: Metric<'_>, count: f64, sum: Option<f64>) {
        for (ending, value) in [("_count", Some(count)), ("_sum", sum)] {
            let Some(value) = value else { continue };
            if metric.is_delta {
                self.rate(owner, metric, ending, value);
            } else {
                self.begin_name(metric, Kind::Gauge);
                self.point(owner, ending, value);
            }
        }
    }

    /// What was added, for every second of the time in which it was: the same as is watched of a counter.
    fn rate(&mut self, owner: Owner, metric: Metric<'_>, ending: &str, value: f64) {
        self.begin_name(metric, Kind::Counter);
        let base = self.name.strip_suffix("_total").map_or(self.name.len(), str::len);
        self.name.truncate(base);
        self.name.push_str(ending);
        match metric.seconds.filter(|seconds| *seconds > 0.0) {
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

    /// Hands on a sample for each label set and time, the earliest first and otherwise in the order in which they came.
    pub(super) fn hand_on(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
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
                // What comes together without a time is one moment.
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
