//! Data points of an export.

use super::super::payload::Outer;
use super::super::points::{Kind, Mass, Metric, Owner, Points};
use super::super::record::Scalar;
use super::super::tape::Value as Json;
use super::super::{Clock, Row};
use super::{INSTANCES, SERVICES, attributes, named, scalar, time};
use crate::event::Timestamp;
use crate::scorer::Problem;

/// The flag of a data point that says that there is nothing.
const NO_RECORDED_VALUE: i64 = 1;

/// What is kept from export to export.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    points: Points,
}

/// A metric of the export.
#[derive(Clone, Copy)]
struct Described<'t> {
    name: &'t str,
    unit: &'t str,
    is_delta: bool,
}

impl<'t> Described<'t> {
    /// What one of its points says.
    fn at(self, point: Json<'_, '_>, end: Option<Timestamp>) -> Metric<'t> {
        let start = time(point.get("startTimeUnixNano"));
        Metric {
            name: self.name,
            unit: self.unit,
            start,
            is_delta: self.is_delta,
            seconds: start.zip(end).map(|(start, end)| end.seconds_since(start)),
        }
    }
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
        self.points.hand_on(clock, each);
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
        let described = Described {
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
            let time = time(point.get("timeUnixNano")).or(otherwise);
            let owner = self.owner(point, of, time);
            let metric = described.at(point, time);
            let read = match kind {
                "gauge" => self.number(point, metric, owner, Kind::Gauge),
                "sum" if is_monotonic => self.number(point, metric, owner, Kind::Counter),
                "sum" => self.number(point, metric, owner, Kind::Gauge),
                _ => self.distribution(point, metric, owner, kind == "summary"),
            };
            // One problem a metric is enough: what is wrong with one of its points is wrong with the others.
            fault = fault.and(read);
        }
        fault
    }

    /// The labels of a point: what it says itself stands behind what its resource says, and wins.
    fn owner(&mut self, point: Json<'_, '_>, of: &[(&str, Option<&str>)], time: Option<Timestamp>) -> Owner {
        let start = self.points.begin_owner();
        for (name, value) in of {
            if let Some(value) = value {
                self.points.label(name, Scalar::Text(value));
            }
        }
        for (name, value) in attributes(point, "attributes").chain(attributes(point, "labels")) {
            if let Some(value) = scalar(value) {
                self.points.label(name, value);
            }
        }
        self.points.owner(start, time)
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
        self.points.number(owner, metric, kind, value);
        Ok(())
    }

    fn distribution(
        &mut self,
        json: Json<'_, '_>,
        metric: Metric<'_>,
        owner: Owner,
        is_summary: bool,
    ) -> Result<(), Problem> {
        let Some(count) = json.get("count").and_then(Json::number) else {
            return Err(problem(metric.name, "a point has no count: write one".to_owned()));
        };
        let sum = json.get("sum").and_then(Json::number);
        if is_summary {
            let quantiles = json.list("quantileValues").map(|value| {
                let number = |name| value.get(name).and_then(Json::number).unwrap_or(0.0);
                (number("quantile"), number("value"))
            });
            self.points.summary(owner, metric, count, sum, quantiles);
            return Ok(());
        }
        let mass = match json.get("scale").or(json.get("positive")) {
            Some(_) => exponential(json),
            None => Mass::explicit(
                json.list("explicitBounds").map_while(Json::number),
                json.list("bucketCounts").map_while(Json::number),
            ),
        };
        self.points.distribution(owner, metric, count, sum, mass);
        Ok(())
    }
}

/// The buckets of an exponential histogram.
fn exponential(point: Json<'_, '_>) -> Mass {
    let scale = point.get("scale").and_then(Json::integer).unwrap_or(0);
    let zeros = point.get("zeroCount").and_then(Json::number).unwrap_or(0.0);
    let half = |sign, name| {
        point.get(name).into_iter().flat_map(move |half| {
            let offset = half.get("offset").and_then(Json::integer).unwrap_or(0);
            let counts = half.list("bucketCounts").map_while(Json::number);
            Mass::half(sign, offset, counts)
        })
    };
    Mass::exponential(scale, half(-1, "negative").chain(half(1, "positive")), zeros)
}

fn problem(metric: &str, message: String) -> Problem {
    Problem {
        line: 0,
        field: Some(metric.to_owned()),
        message,
    }
}
