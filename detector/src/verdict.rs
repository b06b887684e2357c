//! What a detector says: a verdict on every event, and an anomaly when an episode begins and ends.
//!
//! These serde types are the wire format. The detector writes their JSON itself, in one fixed form, and
//! every host passes those bytes on unchanged.

mod about;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{Level, Timestamp};
use crate::log::TemplateIndex;

/// What is said of one event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// `−log10 p`, where p is the estimated probability that normal behaviour of this subject looks at least
    /// this strange. Finite, at least 0, unbounded above.
    pub surprise: f64,
    /// Whether the event belongs to an episode.
    pub state: State,
    /// What the verdict is about; feedback refers to it.
    pub fingerprint: Fingerprint,
    /// The template of a log line.
    pub(crate) template: Option<TemplateIndex>,
}

impl Verdict {
    /// Nothing can be said yet.
    pub(crate) fn learning(fingerprint: Fingerprint) -> Self {
        Verdict {
            surprise: 0.0,
            state: State::Learning,
            fingerprint,
            template: None,
        }
    }

    /// The strangeness as a number from 0 to 1, for people and for interfaces that want one.
    pub fn score(&self) -> f64 {
        score(self.surprise)
    }
}

/// `1 − 10^(−surprise)`: the probability that normal behaviour looks less strange than this.
pub fn score(surprise: f64) -> f64 {
    if surprise == 0.0 {
        // Most events, which need no power for it.
        return 0.0;
    }
    1.0 - libm::pow(10.0, -surprise)
}

/// Where a series stands after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Too little has been seen to say anything but the plainly impossible.
    Learning,
    /// Nothing is wrong.
    Normal,
    /// The event belongs to an open episode; `onset` when it is the first of it.
    Anomalous {
        /// The first event of the episode: this is the alarm.
        onset: bool,
    },
}

impl State {
    /// Whether the event belongs to an open episode.
    pub fn is_anomalous(self) -> bool {
        matches!(self, State::Anomalous { .. })
    }
}

/// The identity of what a verdict is about (a subject's metrics, or a template of a subject's log), stable
/// over runs and hosts. In JSON it is a string of 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub u64);

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return u64::deserialize(deserializer).map(Fingerprint);
        }
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16)
            .map(Fingerprint)
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Fingerprint {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fingerprint".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{16}$" })
    }
}

/// An episode of strange behaviour: reported when it begins, whenever it becomes worse, and when it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Anomaly {
    /// When the alarm was raised: the event time of the onset.
    pub timestamp: Timestamp,
    /// Who: the labels of the subject. Empty when the input has none.
    pub subject: BTreeMap<String, String>,
    /// What kind of thing happened.
    pub kind: Kind,
    /// The same in one of four words, for who routes and counts anomalies.
    pub anomaly_type: AnomalyType,
    /// How much it matters.
    pub severity: Severity,
    /// `1 − 10^(−surprise)`.
    pub score: f64,
    /// The greatest surprise of the episode so far (at the onset: that of the onset).
    pub surprise: f64,
    /// The surprise that an event had to reach, from the budget of false alarms.
    pub threshold: f64,
    /// Whether this is the alarm, news of the open episode, its end, or what was only nearly one.
    pub phase: Phase,
    /// How long the episode has lasted, from the onset to its last anomalous event, in seconds.
    pub seconds: f64,
    /// How many anomalous events the episode holds so far.
    pub events: u64,
    /// When the event came that explains it: the one that matters most.
    pub peak: Timestamp,
    /// The identity of what is anomalous; feedback refers to it.
    pub fingerprint: Fingerprint,
    /// The row of the onset, counted from 0 over all scored inputs, where rows have no time: `timestamp` is only what
    /// was assumed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// Why, as of the event that matters most.
    pub explanation: Explanation,
}

/// The stages of an episode at which it is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The alarm: the episode begins.
    Onset,
    /// The episode goes on, and matters more than was told so far, or a pattern that alarms and matters as much as anything
    /// before, or a hard limit, has come up in it for the first time. It is told as of the event that made it so.
    Worse,
    /// The episode is over.
    End,
    /// The input ended while the episode was open.
    Open,
    /// It is over, and was no alarm: only a budget of false alarms that is up to ten times as large would have raised
    /// one. Told where the configuration asks for near misses.
    Near,
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A value far above what was forecast.
    Spike,
    /// A value far below what was forecast.
    Dip,
    /// The level of the last values differs from that of the values before.
    LevelShift,
    /// The level has moved away over hours.
    Drift,
    /// The last values rise or fall evenly, as those before did not.
    TrendChange,
    /// The last values scatter more, or less, than usual.
    VarianceChange,
    /// A metric that always varies has stopped varying.
    Stuck,
    /// A log line more severe than this subject's usual lines.
    LogSeverity,
    /// A kind of log line that was never seen before.
    NewTemplate,
    /// A kind of log line comes far more often than usual.
    LogBurst,
    /// A kind of log line that came regularly has stopped, while the log goes on.
    LogMissing,
    /// A subject that reported regularly has fallen silent.
    Silence,
    /// A metric or a number of a log line is beyond a hard limit of the configuration.
    Rule,
    /// Requests take longer than usual.
    Latency,
    /// Some requests take longer and others less long than usual, whatever their mean.
    LatencySpread,
    /// A larger share of requests fails than usual.
    Errors,
    /// Requests fail, and are repeated because they do.
    RetryStorm,
    /// Far fewer requests come than usual.
    TrafficDrop,
    /// Far more requests come than usual, to this subject and not to the others.
    TrafficSurge,
    /// Responses are larger or smaller than usual.
    ResponseSize,
    /// One client asks for many paths that do not exist.
    PathScan,
    /// A pattern of the configuration was found that is to alarm.
    Pattern,
}

/// What an anomaly is about, roughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AnomalyType {
    /// Slow, or too busy to be fast: response times, timeouts, CPU.
    Performance,
    /// Memory: high usage, leaks.
    Memory,
    /// Failures: exceptions, critical errors, error rates.
    Error,
    /// Anything else that is unlike what is usual.
    Pattern,
}

/// How much an anomaly matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a note.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
    /// Wake somebody.
    Critical,
}

/// Why an event is strange.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Explanation {
    /// The evidence, strongest first. The parts sum to the event's surprise.
    pub contributions: Vec<Contribution>,
    /// The nearest values that would not have been flagged, other things being equal; empty when no value of
    /// this event alone would have changed the verdict, or when there is no value to change.
    pub counterfactual: Vec<Substitution>,
    /// For log lines, the template of the line with `<*>` for what varies; where the lines of a minute are more than usual,
    /// the template that rose most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// How many lines of that minute were of this template, at most: for what is counted of a log only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_lines: Option<u32>,
    /// For patterns that alarm, the line that the event was found with: its first 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The patterns that the events of the episode were found by, those that alarm first, then the gravest: what it is,
    /// in words. At most five.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<NamedPattern>,
    /// Numbers that people know: for metrics the features of the strongest one over its last 16 values, each as
    /// `<metric>_<feature>`; for log lines those of the line.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub features: BTreeMap<String, f64>,
}

/// A pattern that an event was found by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NamedPattern {
    /// What it is called.
    pub name: String,
    /// What it means.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// How much it matters.
    pub severity: Severity,
    /// Whether it alarms; one that does not only says what a line is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alarm: bool,
    /// In how many events of the episode it was found.
    #[serde(default)]
    pub events: u64,
    /// The session, or what the lines have in common, where they are told apart by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Contribution {
    /// What was looked at: the name of a metric, or of a feature of log lines.
    pub of: String,
    /// Which model found it strange, for example `point`, `shift`, `severity`.
    pub model: String,
    /// Its part of the surprise.
    pub surprise: f64,
    /// What was seen.
    pub observed: Observation,
    /// What was expected.
    pub expected: Expected,
    /// The unit of both, when the metric's name tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// What was seen: a number, a level or a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Observation {
    /// The level of a log line.
    Level(Level),
    /// A value or a count.
    Number(f64),
    /// Words.
    Text(String),
}

/// What was expected, and the range within which nine of ten normal values lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Expected {
    /// The forecast, or the usual thing.
    pub value: Observation,
    /// The lower end of the usual range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper end of the usual range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// A value that would not have been flagged in the place of the one that was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Substitution {
    /// The metric.
    pub of: String,
    /// The value, in the metric's own unit.
    pub value: f64,
}

/// What a person says of an anomaly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// This is fine: do not report the like of it again.
    Fine,
    /// This matters: report the like of it sooner.
    Matters,
}
