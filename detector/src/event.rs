//! What a detector reads: metric rows, log lines and requests, borrowed from the bytes they arrived in.
//!
//! Values are valid before they become part of an event (parse, don't validate), so that
//! [`Detector::observe`](crate::Detector::observe) cannot fail.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One thing that happened: a row of metrics, a log line or a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    /// Metrics of one subject at one time.
    Sample(Sample<'a>),
    /// One log line.
    Log(LogRecord<'a>),
    /// One HTTP exchange.
    Request(Request<'a>),
}

impl Event<'_> {
    /// When it happened, in event time.
    pub fn time(&self) -> Timestamp {
        match self {
            Event::Sample(sample) => sample.time,
            Event::Log(record) => record.time,
            Event::Request(request) => request.time,
        }
    }
}

/// One row: one or many metrics of one subject at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// Event time.
    pub time: Timestamp,
    /// Whose metrics these are.
    pub subject: Subject<'a>,
    /// The metrics that have a value in this row, each name once, best in the same order in every row.
    pub values: &'a [Value<'a>],
}

/// One metric and its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value<'a> {
    /// The metric's name, for example `latency_p99_ms`; its suffix tells the unit.
    pub metric: &'a str,
    /// The value, in the unit of the source.
    pub value: Finite,
}

/// One log line, split into what its format says about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogRecord<'a> {
    /// Event time.
    pub time: Timestamp,
    /// Which service wrote it.
    pub subject: Subject<'a>,
    /// The severity that the line claims, when it claims one.
    pub level: Option<Level>,
    /// The text, without leading time, level and service.
    pub message: &'a str,
    /// The request, block or trace that the line belongs to.
    pub session: Option<&'a str>,
    /// The numbers that the line carries beside its text, for example `response_time` of a JSON log: durations in
    /// milliseconds and sizes in bytes, whatever unit they were written in.
    pub fields: &'a [Value<'a>],
}

/// One HTTP exchange, as an access log tells it. What a log does not tell is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Request<'a> {
    /// When it ended: a reader adds the duration where the log states when it began.
    pub time: Timestamp,
    /// Who served it, for example `service=shop`; route, upstream and client come in fields of their own. Requests that
    /// are handed on are all of one subject, which is told once and beside them.
    #[serde(skip)]
    pub subject: Subject<'a>,
    /// For example `GET`.
    pub method: Option<&'a str>,
    /// The path as it was asked for, with or without its query.
    pub path: Option<&'a str>,
    /// The name of the route where the proxy tells it.
    pub route: Option<&'a str>,
    /// The cluster or host that answered.
    pub upstream: Option<&'a str>,
    /// The address that asked, without its port.
    pub client: Option<&'a str>,
    /// The status of the response, from 100 to 599; `None` when there was no response.
    pub status: Option<u16>,
    /// How long it took, in milliseconds, at least 0.
    pub duration: Option<Finite>,
    /// Bytes of the response's body, at least 0.
    pub bytes: Option<Finite>,
    /// Envoy's response flags, for example `UF,URX`.
    pub flags: Option<&'a str>,
}

/// What a series is about: a set of labels, sorted by name, for example `service=cart route=/cart`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Subject<'a> {
    labels: &'a [Label<'a>],
}

/// One label of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label<'a> {
    /// The label's name, for example `service`.
    pub name: &'a str,
    /// Its value, for example `cart`.
    pub value: &'a str,
}

impl<'a> Subject<'a> {
    /// A subject of these labels, which are put in order by name: the order of arrival means nothing.
    pub fn new(labels: &'a mut [Label<'_>]) -> Self {
        labels.sort_unstable();
        Subject { labels }
    }

    /// The labels in order of their names.
    pub fn labels(&self) -> &'a [Label<'a>] {
        self.labels
    }

    /// The identity of the subject: the same on every host and in every run.
    pub fn key(&self) -> u64 {
        self.labels.iter().fold(0, |key, label| {
            xxh3_64_with_seed(label.value.as_bytes(), xxh3_64_with_seed(label.name.as_bytes(), key))
        })
    }
}

/// A finite number: neither NaN nor infinite.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Finite(f64);

impl Finite {
    /// `None` when the number is NaN or infinite.
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Finite(value))
    }

    /// The number.
    pub fn value(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Finite {
    type Error = &'static str;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Finite::new(value).ok_or("a number that is not finite")
    }
}

impl From<Finite> for f64 {
    fn from(value: Finite) -> f64 {
        value.0
    }
}

/// A moment in event time: nanoseconds since 1970-01-01T00:00:00Z, between the years 1677 and 2262.
///
/// In JSON it is an RFC 3339 string in UTC, with as many decimals of a second as are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From nanoseconds since the Unix epoch.
    pub fn from_nanos(nanos: i64) -> Self {
        Timestamp(nanos)
    }

    /// From seconds since the Unix epoch; the nearest moment that can be told where it is out of range.
    pub fn from_seconds(seconds: i64) -> Self {
        Timestamp(seconds.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    pub fn nanos(self) -> i64 {
        self.0
    }

    /// Seconds from `earlier` to here; negative when `earlier` is later.
    pub fn seconds_since(self, earlier: Timestamp) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e9
    }

    /// This moment and so many seconds more.
    #[must_use]
    pub fn plus_seconds(self, seconds: f64) -> Self {
        Timestamp(self.0.saturating_add((seconds * 1e9) as i64))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand: jiff's own printer brings in every layout and error that it knows, of which a guest needs none.
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.0)).map_err(|_| fmt::Error)?;
        let time = jiff::tz::Offset::UTC.to_datetime(time);
        let (year, month, day) = (time.year(), time.month(), time.day());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        let (mut fraction, mut places) = (time.subsec_nanosecond(), 9);
        if fraction != 0 {
            while fraction % 10 == 0 {
                (fraction, places) = (fraction / 10, places - 1);
            }
            write!(f, ".{fraction:0places$}")?;
        }
        f.write_str("Z")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        if !deserializer.is_human_readable() {
            return i64::deserialize(deserializer).map(Timestamp);
        }
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        // Like those of events, and not by jiff's parser: a guest would need it for this alone.
        crate::wire::time_of(&text).map_err(D::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// The severity that a log line claims, from the least to the most severe.
///
/// The names are those of OpenTelemetry's log data model, with syslog's `notice` (RFC 5424) between
/// `info` and `warn`; syslog's `critical`, `alert` and `emergency` are all [`Level::Fatal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Step by step.
    Trace,
    /// For developers.
    Debug,
    /// Business as usual.
    Info,
    /// Usual, and worth a look.
    Notice,
    /// Something may go wrong.
    Warn,
    /// Something went wrong.
    Error,
    /// The program or the machine cannot go on.
    Fatal,
}

impl Level {
    /// Every level, in order.
    pub const ALL: [Level; 7] = [
        Level::Trace,
        Level::Debug,
        Level::Info,
        Level::Notice,
        Level::Warn,
        Level::Error,
        Level::Fatal,
    ];

    /// The level of a name in any case, with the common abbreviations (`WARNING`, `err`, `E`, `crit`, `SEVERE`, …).
    pub fn parse(name: &str) -> Option<Level> {
        let mut lower = [0; 11];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"trace" | b"t" | b"trc" | b"v" | b"verbose" | b"vrb" | b"finest" | b"finer" => Level::Trace,
            b"debug" | b"d" | b"dbg" | b"fine" => Level::Debug,
            b"info" | b"i" | b"information" | b"inf" | b"config" => Level::Info,
            b"notice" | b"n" | b"note" => Level::Notice,
            b"warn" | b"w" | b"warning" | b"wrn" => Level::Warn,
            b"error" | b"e" | b"err" | b"severe" | b"failure" => Level::Error,
            b"fatal" | b"f" | b"ftl" | b"critical" | b"crit" | b"c" | b"alert" | b"emerg" | b"emergency" | b"panic"
            | b"pnc" => Level::Fatal,
            _ => return None,
        })
    }

    /// The name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Notice => "notice",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Fatal => "fatal",
        }
    }
}
