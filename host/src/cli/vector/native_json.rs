//! Events in the form of Vector's codec `native_json`, which is what the engine reads, and what it says of them as values
//! of Vector's.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::fmt::temporal::DateTimePrinter;
use serde::ser::{Error, SerializeMap};
use serde::{Serialize, Serializer};

use super::schema::{
    AgentSketch, Bucket, Event, Histogram, Kind, Log, Metric, MetricKind, MetricValue, Quantile, Sample, Scalar, Set,
    Sketch, Statistic, Summary, TagValues, Timestamp, Trace, Value, ValueArray, ValueMap,
};

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_map(Some(1))?;
        match self {
            Event::Log(log) => event.serialize_entry("log", log)?,
            Event::Metric(metric) => event.serialize_entry("metric", metric)?,
            Event::Trace(Trace { fields }) => event.serialize_entry("trace", &Object(fields))?,
        }
        event.end()
    }
}

impl Serialize for Log {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Some(value) => value.serialize(serializer),
            None => Object(&self.fields).serialize(serializer),
        }
    }
}

struct Object<'a>(&'a BTreeMap<String, Value>);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A value of no known kind is left out, as Vector does.
        serializer.collect_map(self.0.iter().filter(|(_, value)| value.kind.is_some()))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.kind {
            Some(Kind::Bytes(bytes)) => serializer.serialize_str(&String::from_utf8_lossy(bytes)),
            Some(Kind::Timestamp(timestamp)) => timestamp.serialize(serializer),
            Some(Kind::Integer(integer)) => serializer.serialize_i64(*integer),
            Some(Kind::Float(float)) => serializer.serialize_f64(*float),
            Some(Kind::Boolean(boolean)) => serializer.serialize_bool(*boolean),
            Some(Kind::Map(ValueMap { fields })) => Object(fields).serialize(serializer),
            Some(Kind::Array(ValueArray { items })) => {
                serializer.collect_seq(items.iter().filter(|item| item.kind.is_some()))
            }
            Some(Kind::Null(_)) | None => serializer.serialize_unit(),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = jiff::Timestamp::new(self.seconds, self.nanos).map_err(S::Error::custom)?;
        let digits = match self.nanos {
            0 => 0,
            nanos if nanos % 1_000_000 == 0 => 3,
            nanos if nanos % 1_000 == 0 => 6,
            _ => 9,
        };
        let printer = DateTimePrinter::new().precision(Some(digits));
        serializer.serialize_str(&printer.timestamp_to_string(&time))
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.value.as_ref();
        let value = value.ok_or_else(|| S::Error::custom("the metric has no value of a known kind"))?;
        let mut metric = serializer.serialize_map(None)?;
        metric.serialize_entry("name", &self.name)?;
        if !self.namespace.is_empty() {
            metric.serialize_entry("namespace", &self.namespace)?;
        }
        if !self.tags_v1.is_empty() || !self.tags_v2.is_empty() {
            metric.serialize_entry("tags", &Tags(self))?;
        }
        if let Some(timestamp) = &self.timestamp {
            metric.serialize_entry("timestamp", timestamp)?;
        }
        if self.interval_ms > 0 {
            metric.serialize_entry("interval_ms", &self.interval_ms)?;
        }
        let kind = match self.kind() {
            MetricKind::Incremental => "incremental",
            MetricKind::Absolute => "absolute",
        };
        metric.serialize_entry("kind", kind)?;
        let (name, value) = Measured::of(value);
        metric.serialize_entry(name, &value)?;
        metric.end()
    }
}

/// The tags of both versions: of a tag that has several values, the first version names the one that counts.
struct Tags<'a>(&'a Metric);

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Metric { tags_v1, tags_v2, .. } = self.0;
        let mut tags = serializer.serialize_map(None)?;
        for name in tags_v1.keys().chain(tags_v2.keys()).collect::<BTreeSet<_>>() {
            let all = tags_v2.get(name).map_or(&[][..], |TagValues { values }| values);
            match (all, tags_v1.get(name)) {
                ([] | [_], Some(value)) => tags.serialize_entry(name, value)?,
                ([one], None) if one.value.is_some() => tags.serialize_entry(name, &one.value)?,
                (all, _) => tags.serialize_entry(name, &all.iter().map(|tag| &tag.value).collect::<Vec<_>>())?,
            }
        }
        tags.end()
    }
}

/// What a metric measures, whichever form it came in.
#[derive(Serialize)]
#[serde(untagged)]
enum Measured<'a> {
    Scalar {
        value: f64,
    },
    Set {
        values: &'a [String],
    },
    Distribution {
        samples: Vec<Sample>,
        statistic: &'static str,
    },
    Histogram {
        buckets: Vec<JsonBucket>,
        count: u64,
        sum: f64,
    },
    Summary {
        quantiles: Vec<Quantile>,
        count: u64,
        sum: f64,
    },
    Sketch {
        sketch: NamedSketch<'a>,
    },
}

#[derive(Serialize)]
struct NamedSketch<'a> {
    #[serde(rename = "AgentDDSketch")]
    agent: Option<JsonSketch<'a>>,
}

#[derive(Serialize)]
struct JsonSketch<'a> {
    bins: Bins<'a>,
    count: u32,
    min: f64,
    max: f64,
    sum: f64,
    avg: f64,
}

#[derive(Serialize)]
struct Bins<'a> {
    k: &'a [i32],
    n: &'a [u32],
}

impl<'a> Measured<'a> {
    fn of(value: &'a MetricValue) -> (&'static str, Self) {
        match value {
            MetricValue::Counter(Scalar { value }) => ("counter", Measured::Scalar { value: *value }),
            MetricValue::Gauge(Scalar { value }) => ("gauge", Measured::Scalar { value: *value }),
            MetricValue::Set(Set { values }) => ("set", Measured::Set { values }),
            MetricValue::Distribution1(old) => {
                let pairs = old.values.iter().zip(&old.rates);
                let samples = pairs.map(|(value, rate)| Sample {
                    value: *value,
                    rate: *rate,
                });
                Measured::distribution(samples.collect(), old.statistic())
            }
            MetricValue::Distribution2(new) => Measured::distribution(new.samples.clone(), new.statistic()),
            MetricValue::Histogram1(old) => {
                let buckets = old.limits.iter().zip(&old.counts);
                let buckets = buckets.map(|(limit, count)| Bucket {
                    upper_limit: *limit,
                    count: u64::from(*count),
                });
                Measured::histogram(buckets, u64::from(old.count), old.sum)
            }
            MetricValue::Histogram2(new) | MetricValue::Histogram3(new) => {
                let Histogram { buckets, count, sum } = new;
                Measured::histogram(buckets.iter().copied(), *count, *sum)
            }
            MetricValue::Summary1(old) => {
                let pairs = old.quantiles.iter().zip(&old.values);
                let quantiles = pairs.map(|(quantile, value)| Quantile {
                    quantile: *quantile,
                    value: *value,
                });
                Measured::summary(quantiles.collect(), u64::from(old.count), old.sum)
            }
            MetricValue::Summary2(new) | MetricValue::Summary3(new) => {
                let Summary { quantiles, count, sum } = new;
                Measured::summary(quantiles.clone(), *count, *sum)
            }
            MetricValue::Sketch(Sketch { agent }) => {
                let agent = agent.as_ref().map(|agent| {
                    let AgentSketch {
                        count,
                        min,
                        max,
                        sum,
                        avg,
                        k,
                        n,
                    } = agent;
                    JsonSketch {
                        bins: Bins { k, n },
                        count: *count,
                        min: *min,
                        max: *max,
                        sum: *sum,
                        avg: *avg,
                    }
                });
                (
                    "sketch",
                    Measured::Sketch {
                        sketch: NamedSketch { agent },
                    },
                )
            }
        }
    }

    fn distribution(samples: Vec<Sample>, statistic: Statistic) -> (&'static str, Self) {
        let statistic = match statistic {
            Statistic::Histogram => "histogram",
            Statistic::Summary => "summary",
        };
        ("distribution", Measured::Distribution { samples, statistic })
    }

    fn histogram(buckets: impl Iterator<Item = Bucket>, count: u64, sum: f64) -> (&'static str, Self) {
        let buckets = buckets.map(JsonBucket).collect();
        ("aggregated_histogram", Measured::Histogram { buckets, count, sum })
    }

    fn summary(quantiles: Vec<Quantile>, count: u64, sum: f64) -> (&'static str, Self) {
        ("aggregated_summary", Measured::Summary { quantiles, count, sum })
    }
}

/// The last bucket has no upper limit, which JSON has no number for.
struct JsonBucket(Bucket);

impl Serialize for JsonBucket {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Bucket { upper_limit, count } = self.0;
        let mut bucket = serializer.serialize_map(Some(2))?;
        if upper_limit.is_finite() {
            bucket.serialize_entry("upper_limit", &upper_limit)?;
        } else if upper_limit.is_nan() {
            bucket.serialize_entry("upper_limit", "NaN")?;
        } else {
            bucket.serialize_entry("upper_limit", if upper_limit > 0.0 { "inf" } else { "-inf" })?;
        }
        bucket.serialize_entry("count", &count)?;
        bucket.end()
    }
}

/// What the engine said, as Vector would have read it from JSON: integers that do not fit are floats.
impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        let kind = match json {
            serde_json::Value::Null => Kind::Null(0),
            serde_json::Value::Bool(boolean) => Kind::Boolean(boolean),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(integer) => Kind::Integer(integer),
                None => Kind::Float(number.as_f64().unwrap_or_default()),
            },
            serde_json::Value::String(text) => Kind::Bytes(Bytes::from(text)),
            serde_json::Value::Array(items) => Kind::Array(ValueArray {
                items: items.into_iter().map(Value::from).collect(),
            }),
            serde_json::Value::Object(fields) => Kind::Map(ValueMap {
                fields: fields
                    .into_iter()
                    .map(|(name, value)| (name, Value::from(value)))
                    .collect(),
            }),
        };
        Value { kind: Some(kind) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::{Distribution1, Distribution2, Histogram1, Summary1, TagValue};
    use super::*;

    fn check(event: &Event, expected: &str) {
        assert_eq!(serde_json::to_string(event).unwrap(), expected);
    }

    fn value(kind: Kind) -> Value {
        Value { kind: Some(kind) }
    }

    #[test]
    fn a_log_is_what_vector_writes() {
        let time = |nanos| {
            value(Kind::Timestamp(Timestamp {
                seconds: 1_795_165_200,
                nanos,
            }))
        };
        let items = vec![value(Kind::Null(0)), Value { kind: None }, value(Kind::Boolean(true))];
        let fields = [
            ("bytes", value(Kind::Bytes(Bytes::from_static(b"\xffa")))),
            ("float", value(Kind::Float(1.0))),
            ("integer", value(Kind::Integer(i64::MIN))),
            ("items", value(Kind::Array(ValueArray { items }))),
            ("nan", value(Kind::Float(f64::NAN))),
            ("of_no_kind", Value { kind: None }),
            ("t0", time(0)),
            ("t3", time(500_000_000)),
            ("t6", time(1_000)),
            ("t9", time(1)),
        ];
        let fields: BTreeMap<_, _> = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let object = "{\"bytes\":\"\u{fffd}a\",\"float\":1.0,\"integer\":-9223372036854775808,\"items\":[null,true],\
            \"nan\":null,\"t0\":\"2026-11-20T09:00:00Z\",\"t3\":\"2026-11-20T09:00:00.500Z\",\
            \"t6\":\"2026-11-20T09:00:00.000001Z\",\"t9\":\"2026-11-20T09:00:00.000000001Z\"}";
        let log = Log {
            fields: fields.clone(),
            value: None,
        };
        check(&Event::Log(log), &format!("{{\"log\":{object}}}"));
        check(&Event::Trace(Trace { fields }), &format!("{{\"trace\":{object}}}"));
        let log = Log {
            fields: BTreeMap::from([(".".to_owned(), value(Kind::Null(0)))]),
            value: Some(value(Kind::Bytes(Bytes::from_static(b"text")))),
        };
        check(&Event::Log(log), "{\"log\":\"text\"}");
        let log = Log {
            fields: BTreeMap::from([(
                "time".to_owned(),
                value(Kind::Timestamp(Timestamp {
                    seconds: i64::MAX,
                    nanos: 0,
                })),
            )]),
            value: None,
        };
        assert!(
            serde_json::to_string(&Event::Log(log)).is_err(),
            "there is no such time"
        );
    }

    #[test]
    fn a_metric_is_what_vector_writes_whatever_form_it_came_in() {
        let tag = |values: &[Option<&str>]| TagValues {
            values: values
                .iter()
                .map(|value| TagValue {
                    value: value.map(str::to_owned),
                })
                .collect(),
        };
        let metric = Metric {
            name: "n".to_owned(),
            namespace: "ns".to_owned(),
            timestamp: Some(Timestamp {
                seconds: 1_795_165_200,
                nanos: 0,
            }),
            interval_ms: 10_000,
            kind: MetricKind::Absolute.into(),
            tags_v1: BTreeMap::from([("k".to_owned(), "v".to_owned()), ("m".to_owned(), "b".to_owned())]),
            tags_v2: BTreeMap::from([
                ("bare".to_owned(), tag(&[None])),
                ("k".to_owned(), tag(&[Some("v")])),
                ("m".to_owned(), tag(&[Some("a"), Some("b")])),
                ("new".to_owned(), tag(&[Some("v")])),
            ]),
            value: Some(MetricValue::Gauge(Scalar { value: 1.0 })),
        };
        let all = "{\"metric\":{\"name\":\"n\",\"namespace\":\"ns\",\"tags\":{\"bare\":[null],\"k\":\"v\",\
            \"m\":[\"a\",\"b\"],\"new\":\"v\"},\"timestamp\":\"2026-11-20T09:00:00Z\",\"interval_ms\":10000,\
            \"kind\":\"absolute\",\"gauge\":{\"value\":1.0}}}";
        check(&Event::Metric(metric), all);
        let of = |value| {
            Event::Metric(Metric {
                name: "n".to_owned(),
                value: Some(value),
                ..Metric::default()
            })
        };
        let with = |value: &str| format!("{{\"metric\":{{\"name\":\"n\",\"kind\":\"incremental\",{value}}}}}");
        check(
            &of(MetricValue::Counter(Scalar { value: 2.0 })),
            &with("\"counter\":{\"value\":2.0}"),
        );
        let values = vec!["a".to_owned()];
        check(
            &of(MetricValue::Set(Set { values })),
            &with("\"set\":{\"values\":[\"a\"]}"),
        );
        let samples = with("\"distribution\":{\"samples\":[{\"value\":1.5,\"rate\":2}],\"statistic\":\"summary\"}");
        let sample = Sample { value: 1.5, rate: 2 };
        let statistic = Statistic::Summary.into();
        let new = Distribution2 {
            samples: vec![sample],
            statistic,
        };
        let old = Distribution1 {
            values: vec![1.5],
            rates: vec![2],
            statistic,
        };
        check(&of(MetricValue::Distribution2(new)), &samples);
        check(&of(MetricValue::Distribution1(old)), &samples);
        let buckets = with(
            "\"aggregated_histogram\":{\"buckets\":[{\"upper_limit\":0.5,\"count\":3},\
             {\"upper_limit\":\"inf\",\"count\":1}],\"count\":4,\"sum\":2.5}",
        );
        let bucket = |upper_limit, count| Bucket { upper_limit, count };
        let new = Histogram {
            buckets: vec![bucket(0.5, 3), bucket(f64::INFINITY, 1)],
            count: 4,
            sum: 2.5,
        };
        let old = Histogram1 {
            limits: vec![0.5, f64::INFINITY],
            counts: vec![3, 1],
            count: 4,
            sum: 2.5,
        };
        check(&of(MetricValue::Histogram3(new.clone())), &buckets);
        check(&of(MetricValue::Histogram2(new)), &buckets);
        check(&of(MetricValue::Histogram1(old)), &buckets);
        let quantiles =
            with("\"aggregated_summary\":{\"quantiles\":[{\"quantile\":0.5,\"value\":3.0}],\"count\":4,\"sum\":12.5}");
        let quantile = Quantile {
            quantile: 0.5,
            value: 3.0,
        };
        let new = Summary {
            quantiles: vec![quantile],
            count: 4,
            sum: 12.5,
        };
        let old = Summary1 {
            quantiles: vec![0.5],
            values: vec![3.0],
            count: 4,
            sum: 12.5,
        };
        check(&of(MetricValue::Summary3(new.clone())), &quantiles);
        check(&of(MetricValue::Summary2(new)), &quantiles);
        check(&of(MetricValue::Summary1(old)), &quantiles);
        let agent = Some(AgentSketch {
            count: 3,
            min: 0.5,
            max: 2.0,
            sum: 4.0,
            avg: 1.5,
            k: vec![-1, 2],
            n: vec![1, 2],
        });
        let sketch = "\"sketch\":{\"sketch\":{\"AgentDDSketch\":{\"bins\":{\"k\":[-1,2],\"n\":[1,2]},\"count\":3,\
            \"min\":0.5,\"max\":2.0,\"sum\":4.0,\"avg\":1.5}}}";
        check(&of(MetricValue::Sketch(Sketch { agent })), &with(sketch));
        assert!(
            serde_json::to_string(&Event::Metric(Metric::default())).is_err(),
            "it measures nothing"
        );
    }
}
