//! What a user can set. Every value is valid by construction, so that nothing has to check it again.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::joint::JointModel;
use crate::limit::HardLimits;
use crate::pattern::PatternConfig;
use crate::plain::in_plain_words;

/// The configuration of a detector. The defaults need no tuning; most users write nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many false alarms a day this detector may raise over all its series together, in event time.
    /// An alarm is the onset of an episode, not an anomalous event.
    pub false_alarms_per_day: AlarmRate,
    /// Whether the models learn from what is anomalous.
    pub learning: Learning,
    /// How long an episode may last before its level is accepted as the new normal, in minutes of event time.
    pub accept_after_minutes: Minutes,
    /// Limits on memory.
    pub bounds: Bounds,
    /// Numbers that are anomalous above a limit, by service; `__default__` for every other service.
    pub rules: HardLimits,
    /// What people know of their logs and can name: patterns of lines, and of what several lines mean together.
    #[serde(deserialize_with = "PatternConfig::consistent")]
    pub patterns: PatternConfig,
    /// Models beside those that are always there.
    pub models: Models,
    /// Whether near misses are told when they are over: what a budget of false alarms that is ten times as large would
    /// have reported. They change nothing else.
    pub near_misses: bool,
}

impl Config {
    /// Reads a configuration from JSON.
    ///
    /// # Errors
    /// Names the field, the line and the column of the first thing that is wrong.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        parse(text)
    }
}

/// Reads a configuration document from JSON: that of a host, whose part beside the detector's is its own.
///
/// # Errors
/// Names the field, the line and the column of the first thing that is wrong.
pub fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ConfigError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = read(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        // serde_json calls a number where a word belongs a value that is missing.
        let choices = if inner.to_string().starts_with("expected value ") {
            choices::<T>(text, &inner)
        } else {
            None
        };
        let known = ConfigError::at(text, &inner);
        ConfigError {
            // What is no field yet is a `?` in a path.
            field: (path != "." && path != "?").then(|| path.trim_end_matches(".?").to_owned()),
            message: choices.unwrap_or(known.message),
            ..known
        }
    })?;
    json.end().map_err(|error| ConfigError::at(text, &error))?;
    Ok(value)
}

/// One reader for all of parsing: each deserializer that a configuration is read from is one more of its size.
fn read<'de, T: serde::de::DeserializeOwned>(
    json: &mut serde_json::Deserializer<serde_json::de::StrRead<'de>>,
) -> Result<T, serde_path_to_error::Error<serde_json::Error>> {
    serde_path_to_error::deserialize(json)
}

/// The message without serde_json's own " at line 1 column 2", which the error carries in its fields.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    in_plain_words(text.rfind(" at line ").and_then(|end| text.get(..end)).unwrap_or(&text))
}

/// What to write where there is something that is no word at all: what serde says of a word that is none of the choices
/// in its place. Nothing where the text is no JSON there.
fn choices<T: serde::de::DeserializeOwned>(text: &str, error: &serde_json::Error) -> Option<String> {
    let line = text
        .split('\n')
        .take(error.line().saturating_sub(1))
        .map(|line| line.len() + 1)
        .sum::<usize>();
    let at = line + error.column().checked_sub(1)?;
    let mut values = serde_json::Deserializer::from_str(text.get(at..)?).into_iter::<serde_json::Value>();
    let found = values.next()?.ok()?;
    let rest = text.get(at + values.byte_offset()..)?;
    let probe = format!("{}\"\"{rest}", text.get(..at)?);
    let mut json = serde_json::Deserializer::from_str(&probe);
    let message = read::<T>(&mut json).err()?.into_inner().to_string();
    let (_, words) = in_plain_words(message.rsplit_once(" at line ")?.0)
        .split_once(" is none of the choices: ")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))?;
    let found = match found {
        serde_json::Value::Array(_) => "a list".to_owned(),
        other => other.to_string(),
    };
    Some(format!("this is {found}: {words}, in double quotes"))
}

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}{}: {message}", field.as_ref().map(|f| format!(", field `{f}`")).unwrap_or_default())]
#[non_exhaustive]
pub struct ConfigError {
    /// Line in the document, from 1.
    pub line: usize,
    /// Column in the line, from 1.
    pub column: usize,
    /// Path of the field, for example `bounds.max_series`.
    pub field: Option<String>,
    /// What is wrong with it.
    pub message: String,
}

impl ConfigError {
    /// Of this document, at the place of the error.
    fn at(text: &str, error: &serde_json::Error) -> Self {
        // serde_json counts columns from 0 where it has not begun with a line.
        let (mut line, mut column) = (error.line().max(1), error.column().max(1));
        let mut message = plain(error);
        if error.column() == 0 && error.to_string().starts_with("control character") {
            // The control character is the line's end.
            line = line.saturating_sub(1).max(1);
            column = text.lines().nth(line - 1).map_or(1, |line| line.len().max(1));
            "a string does not end on its line: close it with a double quote".clone_into(&mut message);
        }
        ConfigError {
            line,
            column,
            field: None,
            message,
        }
    }
}

/// Models beside those that are always there. A state is made with them: it can be loaded with the same ones only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Models {
    /// Which models a subject with at least three metrics gets over all of them together, beside comparing each row
    /// with those that were seen, which is always done: for rows whose metrics are strange only in combination. Their
    /// order means nothing. Each counts towards `bounds.max_metrics` as so many metrics as need its memory.
    #[serde(deserialize_with = "once")]
    pub together: BTreeSet<JointModel>,
    /// Which models look at the words of log lines, to find lines that are unlike all others: at the words of each
    /// template, hashed to 32 features and weighted by how few templates have them. Their order means nothing.
    #[serde(deserialize_with = "once")]
    pub lines: BTreeSet<JointModel>,
}

/// Models of which each is named once.
fn once<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<JointModel>, D::Error> {
    let mut models = BTreeSet::new();
    for model in Vec::<JointModel>::deserialize(deserializer)? {
        if !models.insert(model) {
            let name = model.name();
            return Err(serde::de::Error::custom(format!(
                "`{name}` is there twice: write it once"
            )));
        }
    }
    Ok(models)
}

/// The models over all metrics of a subject together that are there unless a configuration says otherwise.
const TOGETHER: [JointModel; 0] = [];
/// The same for the words of log lines.
const LINES: [JointModel; 1] = [JointModel::Forest];

impl Default for Models {
    fn default() -> Self {
        Models {
            together: BTreeSet::from(TOGETHER),
            lines: BTreeSet::from(LINES),
        }
    }
}

/// Limits on memory: what a detector holds is a function of these, never of its traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// Subjects whose models are kept; the least recently seen is evicted.
    pub max_series: NonZeroU32,
    /// Metrics that are modelled, over all series together; the least recently seen series are evicted for more.
    /// Metrics of a single subject beyond it are ignored and counted.
    pub max_metrics: NonZeroU32,
    /// Templates of log lines that are kept; the least recently seen is evicted.
    pub max_templates: NonZeroU32,
    /// Routes of HTTP requests whose models are kept, as many upstreams, and an eighth as many sites; the one that was
    /// asked for the longest ago is evicted.
    pub max_routes: NonZeroU32,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            max_series: nonzero(10_000),
            max_metrics: nonzero(20_000),
            max_templates: nonzero(10_000),
            max_routes: nonzero(1_000),
        }
    }
}

const fn nonzero(value: u32) -> NonZeroU32 {
    NonZeroU32::new(value).expect("the default bounds are above zero")
}

/// Whether models learn from what is anomalous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Learning {
    /// Little, until the episode has lasted for `accept_after_minutes`.
    #[default]
    Guarded,
    /// From everything alike.
    Open,
    /// From nothing: the state stays as it was loaded.
    Frozen,
}

/// A rate of alarms per day: above 0 and at most 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "f64", into = "f64")]
#[cfg_attr(feature = "schema", schemars(extend("minimum" = 0.000_001, "maximum" = 1000.0)))]
pub struct AlarmRate(f64);

impl AlarmRate {
    /// `None` unless the rate is above 0 and at most 1,000.
    pub fn new(per_day: f64) -> Option<Self> {
        (1e-6..=1000.0).contains(&per_day).then_some(AlarmRate(per_day))
    }

    /// Alarms per day.
    pub fn per_day(self) -> f64 {
        self.0
    }
}

impl Default for AlarmRate {
    fn default() -> Self {
        AlarmRate(0.1)
    }
}

impl TryFrom<f64> for AlarmRate {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        AlarmRate::new(value)
            .ok_or_else(|| format!("{value} is not a rate of alarms per day: give a number from 0.000001 to 1000"))
    }
}

impl From<AlarmRate> for f64 {
    fn from(rate: AlarmRate) -> f64 {
        rate.0
    }
}

/// A time in minutes, from one minute to a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "f64", into = "u32")]
#[cfg_attr(feature = "schema", schemars(try_from = "u32", extend("minimum" = 1, "maximum" = 525_600)))]
pub struct Minutes(u32);

impl Minutes {
    /// The time in seconds.
    pub fn seconds(self) -> f64 {
        f64::from(self.0) * 60.0
    }
}

impl Default for Minutes {
    fn default() -> Self {
        Minutes(180)
    }
}

/// From any number, so that one that is none of these is told what to be.
impl TryFrom<f64> for Minutes {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        if (1.0..=525_600.0).contains(&value) && value % 1.0 == 0.0 {
            Ok(Minutes(value as u32))
        } else {
            Err(format!(
                "{value} is not a time in minutes: give a whole number from 1 to 525600 (a year)"
            ))
        }
    }
}

impl From<Minutes> for u32 {
    fn from(minutes: Minutes) -> u32 {
        minutes.0
    }
}
