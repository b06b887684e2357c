//! The messages of Vector's protocol, as far as they are read: fields and numbers are those of its published schema
//! (`vector.proto` and `event.proto`). What is not named here, metadata and all that a newer Vector may add, is skipped
//! when an event is read to be judged, and is passed on with the bytes that came.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::{Enumeration, Message, Oneof};

/// One event.
#[derive(Clone, PartialEq, Message)]
pub(super) struct EventWrapper {
    #[prost(oneof = "Event", tags = "1, 2, 3")]
    pub(super) event: Option<Event>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Event {
    #[prost(message, tag = "1")]
    Log(Log),
    #[prost(message, tag = "2")]
    Metric(Metric),
    #[prost(message, tag = "3")]
    Trace(Trace),
}

/// A log event. Its root is an object whose fields stand in `fields`, or anything, and then it stands in `value`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Log {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(super) fields: BTreeMap<String, Value>,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<Value>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Trace {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(super) fields: BTreeMap<String, Value>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Value {
    #[prost(oneof = "Kind", tags = "1, 2, 4, 5, 6, 7, 8, 9")]
    pub(super) kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Kind {
    #[prost(bytes = "bytes", tag = "1")]
    Bytes(Bytes),
    #[prost(message, tag = "2")]
    Timestamp(Timestamp),
    #[prost(int64, tag = "4")]
    Integer(i64),
    #[prost(double, tag = "5")]
    Float(f64),
    #[prost(bool, tag = "6")]
    Boolean(bool),
    #[prost(message, tag = "7")]
    Map(ValueMap),
    #[prost(message, tag = "8")]
    Array(ValueArray),
    /// Its only value is 0.
    #[prost(int32, tag = "9")]
    Null(i32),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueMap {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(super) fields: BTreeMap<String, Value>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueArray {
    #[prost(message, repeated, tag = "1")]
    pub(super) items: Vec<Value>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

/// A metric. The tags of the first version have one value each, and stand beside those of the second for old readers.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Metric {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) timestamp: Option<Timestamp>,
    #[prost(btree_map = "string, string", tag = "3")]
    pub(super) tags_v1: BTreeMap<String, String>,
    #[prost(enumeration = "MetricKind", tag = "4")]
    pub(super) kind: i32,
    #[prost(string, tag = "11")]
    pub(super) namespace: String,
    #[prost(uint32, tag = "18")]
    pub(super) interval_ms: u32,
    #[prost(btree_map = "string, message", tag = "20")]
    pub(super) tags_v2: BTreeMap<String, TagValues>,
    #[prost(oneof = "MetricValue", tags = "5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17")]
    pub(super) value: Option<MetricValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(super) enum MetricKind {
    Incremental = 0,
    Absolute = 1,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TagValues {
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<TagValue>,
}

/// A bare tag has no value.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TagValue {
    #[prost(string, optional, tag = "1")]
    pub(super) value: Option<String>,
}

/// The numbered ones are the forms of one thing that Vector has had; today's writes the last of each.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum MetricValue {
    #[prost(message, tag = "5")]
    Counter(Scalar),
    #[prost(message, tag = "6")]
    Gauge(Scalar),
    #[prost(message, tag = "7")]
    Set(Set),
    #[prost(message, tag = "8")]
    Distribution1(Distribution1),
    #[prost(message, tag = "9")]
    Histogram1(Histogram1),
    #[prost(message, tag = "10")]
    Summary1(Summary1),
    #[prost(message, tag = "12")]
    Distribution2(Distribution2),
    #[prost(message, tag = "13")]
    Histogram2(Histogram),
    #[prost(message, tag = "14")]
    Summary2(Summary),
    #[prost(message, tag = "15")]
    Sketch(Sketch),
    #[prost(message, tag = "16")]
    Histogram3(Histogram),
    #[prost(message, tag = "17")]
    Summary3(Summary),
}

/// A counter or a gauge.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Scalar {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Set {
    #[prost(string, repeated, tag = "1")]
    pub(super) values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(super) enum Statistic {
    Histogram = 0,
    Summary = 1,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Distribution1 {
    #[prost(double, repeated, tag = "1")]
    pub(super) values: Vec<f64>,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) rates: Vec<u32>,
    #[prost(enumeration = "Statistic", tag = "3")]
    pub(super) statistic: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Distribution2 {
    #[prost(message, repeated, tag = "1")]
    pub(super) samples: Vec<Sample>,
    #[prost(enumeration = "Statistic", tag = "2")]
    pub(super) statistic: i32,
}

#[derive(Clone, Copy, PartialEq, Message, serde::Serialize)]
pub(super) struct Sample {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    #[prost(uint32, tag = "2")]
    pub(super) rate: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Histogram1 {
    #[prost(double, repeated, tag = "1")]
    pub(super) limits: Vec<f64>,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) counts: Vec<u32>,
    #[prost(uint32, tag = "3")]
    pub(super) count: u32,
    #[prost(double, tag = "4")]
    pub(super) sum: f64,
}

/// The second and the third form differ in the width of the counts, which on the wire is no difference.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Histogram {
    #[prost(message, repeated, tag = "1")]
    pub(super) buckets: Vec<Bucket>,
    #[prost(uint64, tag = "2")]
    pub(super) count: u64,
    #[prost(double, tag = "3")]
    pub(super) sum: f64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Bucket {
    #[prost(double, tag = "1")]
    pub(super) upper_limit: f64,
    #[prost(uint64, tag = "2")]
    pub(super) count: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Summary1 {
    #[prost(double, repeated, tag = "1")]
    pub(super) quantiles: Vec<f64>,
    #[prost(double, repeated, tag = "2")]
    pub(super) values: Vec<f64>,
    #[prost(uint32, tag = "3")]
    pub(super) count: u32,
    #[prost(double, tag = "4")]
    pub(super) sum: f64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub(super) quantiles: Vec<Quantile>,
    #[prost(uint64, tag = "2")]
    pub(super) count: u64,
    #[prost(double, tag = "3")]
    pub(super) sum: f64,
}

#[derive(Clone, Copy, PartialEq, Message, serde::Serialize)]
pub(super) struct Quantile {
    #[prost(double, tag = "1")]
    pub(super) quantile: f64,
    #[prost(double, tag = "2")]
    pub(super) value: f64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sketch {
    #[prost(message, optional, tag = "1")]
    pub(super) agent: Option<AgentSketch>,
}

/// Bins that are kept apart: `k` are their indices, `n` the counts in them.
#[derive(Clone, PartialEq, Message)]
pub(super) struct AgentSketch {
    #[prost(uint32, tag = "1")]
    pub(super) count: u32,
    #[prost(double, tag = "2")]
    pub(super) min: f64,
    #[prost(double, tag = "3")]
    pub(super) max: f64,
    #[prost(double, tag = "4")]
    pub(super) sum: f64,
    #[prost(double, tag = "5")]
    pub(super) avg: f64,
    #[prost(sint32, repeated, tag = "6")]
    pub(super) k: Vec<i32>,
    #[prost(uint32, repeated, tag = "7")]
    pub(super) n: Vec<u32>,
}

/// The answer to a question for health; the question has no fields, and neither has the answer to a batch.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct HealthCheckResponse {
    #[prost(enumeration = "ServingStatus", tag = "1")]
    pub(super) status: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(super) enum ServingStatus {
    Serving = 0,
    NotServing = 1,
}
