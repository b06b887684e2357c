//! Patterns: what people know of their logs and can name, beside what the models find by themselves.
//!
//! A pattern is a name for lines (a regular expression, a phrase, a severity), for what several lines mean together (one
//! after another, one without another, more than usual, ever more, at regular times, none at all), or for whatever is
//! stranger than so much. A pattern with `alarm` is a rule: what it finds is anomalous whatever the budget of false alarms
//! is. One without only says what a line is, and how much it matters if it is anomalous.
//!
//! What a line costs is bounded by the patterns and its first [`LONGEST_LINE`] bytes, never by what came before it, and a
//! line that holds nothing of what any pattern looks for costs one look at every few of its bytes, for all of them
//! together. What is remembered is bounded by [`MOST_TRACKS`].

mod compile;
mod compiled;
mod filter;
mod fuzzy;
mod library;
mod literal;
mod measure;
mod read;
mod track;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::event::{Level, Timestamp};
use crate::verdict::Severity;

pub(crate) use compiled::{Mark, Patterns};
pub use measure::{Count, Factor, PatternName, Regularity, Seconds, Share, Surprise, Times, Words};
use read::Mistake;
pub(crate) use track::{MOST_TRACKS, PatternState, TRACK_BYTES};

/// Patterns of a configuration, beside those of the library.
const MOST_PATTERNS: usize = 200;

/// What is looked at of a line, in bytes.
pub(crate) const LONGEST_LINE: usize = 4_096;

/// What a configuration says of patterns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct PatternConfig {
    /// Whether the patterns of the library are looked for as well: they name what a line is, and alarm nobody.
    pub library: bool,
    /// What is different of the library's patterns, by name.
    pub change: Changes,
    /// Patterns of one's own.
    pub rules: PatternRules,
}

impl Default for PatternConfig {
    fn default() -> Self {
        PatternConfig {
            library: true,
            change: Changes::default(),
            rules: PatternRules::default(),
        }
    }
}

impl PatternConfig {
    /// Patterns of one's own beside the library.
    ///
    /// ```
    /// use watchpost_detector::{Config, Detector, Pattern, PatternConfig, Severity};
    ///
    /// let pattern = Pattern {
    ///     description: "The JVM's heap is full".into(),
    ///     severity: Severity::High,
    ///     ..Pattern::regex("java-heap", r"OutOfMemory")?
    /// };
    /// let patterns = PatternConfig::with(vec![pattern])?;
    /// let same = r#"{"patterns": {"rules": [{
    ///     "name": "java-heap", "description": "The JVM's heap is full", "severity": "high",
    ///     "when": {"regex": "OutOfMemory"}
    /// }]}}"#;
    /// assert_eq!(Config::from_json(same).unwrap().patterns, patterns);
    /// let detector = Detector::new(Config { patterns, ..Config::default() });
    /// assert!(detector.patterns().iter().any(|pattern| pattern.name == "java-heap" && pattern.matches == 0));
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// Names the pattern and the field, and says what to do.
    pub fn with(rules: Vec<Pattern>) -> Result<Self, String> {
        Ok(PatternConfig {
            rules: PatternRules::try_from(rules)?,
            ..PatternConfig::default()
        })
    }

    /// Those of one's own.
    pub(crate) fn own(&self) -> &[Pattern] {
        &self.rules.0
    }

    /// Reads what does not contradict itself.
    pub(crate) fn consistent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let config = PatternConfig::deserialize(deserializer)?;
        match config.change.0.keys().next().filter(|_| !config.library) {
            None => Ok(config),
            Some(name) => Err(serde::de::Error::custom(format!(
                "pattern `{name}`, field `change`: `library` is false, so that no pattern of the library is looked for: \
                 leave one of the two out"
            ))),
        }
    }
}

/// Patterns that can be used together: every expression is one, every name is there once, and what is referred to exists.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "Vec<Pattern>", extend("maxItems" = 200)))]
#[serde(into = "Vec<Pattern>")]
pub struct PatternRules(Vec<Pattern>);

/// Pattern by pattern, so that a mistake names the pattern that it is in, and its place is that of the pattern.
impl<'de> Deserialize<'de> for PatternRules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = PatternRules;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PatternRules, A::Error> {
        let mut rules: Vec<Pattern> = Vec::new();
        while rules.len() <= MOST_PATTERNS
            && let Some(pattern) = list.next_element_seed(Next(&rules))?
        {
            rules.push(pattern);
        }
        PatternRules::try_from(rules).map_err(A::Error::custom)
    }
}

/// The pattern behind these.
struct Next<'a>(&'a [Pattern]);

impl<'de> DeserializeSeed<'de> for Next<'_> {
    type Value = Pattern;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Pattern, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Next<'_> {
    type Value = Pattern;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Pattern, A::Error> {
        let mut map = serde_json::Map::new();
        while let Some((name, value)) = fields.next_entry::<String, serde_json::Value>()? {
            map.insert(name, value);
        }
        let pattern = read::pattern(&map).map_err(|mistakes| {
            let name = map.get("name").and_then(serde_json::Value::as_str);
            let name = name.map_or_else(|| format!("number {}", self.0.len() + 1), |name| format!("`{name}`"));
            let told = mistakes
                .into_iter()
                .map(|Mistake { field, message }| match field.as_str() {
                    "" => format!("pattern {name}: {message}"),
                    field => format!("pattern {name}, field `{field}`: {message}"),
                });
            A::Error::custom(told.collect::<Vec<_>>().join("; "))
        })?;
        is_named(self.0, &pattern).map_err(A::Error::custom)?;
        // What it refers to may come behind it.
        if !pattern.when.refers() {
            Patterns::check(std::slice::from_ref(&pattern)).map_err(A::Error::custom)?;
        }
        Ok(pattern)
    }
}

impl TryFrom<Vec<Pattern>> for PatternRules {
    type Error = String;

    fn try_from(rules: Vec<Pattern>) -> Result<Self, String> {
        if rules.len() > MOST_PATTERNS {
            return Err(format!("these are too many patterns: give at most {MOST_PATTERNS}"));
        }
        for (index, pattern) in rules.iter().enumerate() {
            is_named(rules.get(..index).unwrap_or_default(), pattern)?;
        }
        Patterns::check(&rules)?;
        Ok(PatternRules(rules))
    }
}

/// Whether a pattern has a name of its own, beside those before it and those of the library.
fn is_named(before: &[Pattern], pattern: &Pattern) -> Result<(), String> {
    let name = pattern.name.as_str();
    if library::named(name).is_some() {
        return Err(format!(
            "pattern `{name}`, field `name`: a pattern of the library is called that: choose another name, or write \
             what is different of it under `change`"
        ));
    }
    if before.iter().any(|pattern| pattern.name.as_str() == name) {
        return Err(format!(
            "pattern `{name}`, field `name`: another pattern is called that, too: give each its own name"
        ));
    }
    Ok(())
}

impl From<PatternRules> for Vec<Pattern> {
    fn from(rules: PatternRules) -> Self {
        rules.0
    }
}

/// What is different of the library's patterns, by their names.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, Change>"))]
#[serde(try_from = "BTreeMap<String, Change>", into = "BTreeMap<String, Change>")]
pub struct Changes(BTreeMap<String, Change>);

impl TryFrom<BTreeMap<String, Change>> for Changes {
    type Error = String;

    fn try_from(changes: BTreeMap<String, Change>) -> Result<Self, String> {
        for (name, change) in &changes {
            if library::named(name).is_none() {
                return Err(format!(
                    "pattern `{name}`: the library has none of this name: {}`watchpost config patterns` lists all",
                    library::meant(name, &library::names().collect::<Vec<_>>())
                ));
            }
            change
                .check()
                .map_err(|message| format!("pattern `{name}`: {message}"))?;
        }
        Ok(Changes(changes))
    }
}

impl From<Changes> for BTreeMap<String, Change> {
    fn from(changes: Changes) -> Self {
        changes.0
    }
}

/// What is different of a pattern of the library.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Change {
    /// It is not looked for.
    pub off: bool,
    /// Whether what it finds is anomalous, whatever the budget of false alarms is.
    pub alarm: bool,
    /// How much it matters; as the library says where this is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

impl Change {
    /// What is not looked for neither alarms nor matters, and what is no different is a line that was forgotten.
    fn check(&self) -> Result<(), String> {
        let Change { off, alarm, severity } = *self;
        let other = if alarm { "alarm" } else { "severity" };
        if off && (alarm || severity.is_some()) {
            return Err(format!(
                "the fields `off` and `{other}` exclude each other, since what is not looked for is not found: leave \
                 one out"
            ));
        }
        if *self == Change::default() {
            return Err("nothing is different of it: write `off`, `alarm` or `severity`, or leave it out".to_owned());
        }
        Ok(())
    }
}

/// A pattern.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// What it is called, for example `payment-lost`: the identity of what is counted of it.
    pub name: PatternName,
    /// What it means, for the people who read the alarm.
    #[serde(default)]
    pub description: Words,
    /// How much it matters when it is found: exactly, where it alarms, and at least, where it only names.
    #[serde(default = "medium")]
    pub severity: Severity,
    /// Whether what it finds is anomalous, whatever the budget of false alarms is. If not, it names lines.
    #[serde(default = "yes")]
    pub alarm: bool,
    /// Only what this service says: the label `service` of the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Words>,
    /// Only lines that claim at least this severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// What it finds.
    pub when: When,
}

fn medium() -> Severity {
    Severity::Medium
}

fn yes() -> bool {
    true
}

impl Pattern {
    /// A pattern of medium severity that alarms.
    ///
    /// # Errors
    /// When the name is no name.
    pub fn new(name: &str, when: When) -> Result<Self, String> {
        Ok(Pattern {
            name: PatternName::try_from(name.to_owned())?,
            description: Words::default(),
            severity: medium(),
            alarm: true,
            service: None,
            level: None,
            when,
        })
    }

    /// Lines in which this expression is found.
    ///
    /// # Errors
    /// When the name is no name. The expression is read when the pattern becomes part of a [`PatternConfig`].
    pub fn regex(name: &str, expression: &str) -> Result<Self, String> {
        Pattern::new(name, When::Regex(expression.to_owned()))
    }
}

/// What a pattern finds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum When {
    /// Lines in which a regular expression is found.
    Regex(String),
    /// Lines in which a phrase is found, or nearly.
    Fuzzy(Fuzzy),
    /// A line after another, or a line without another.
    Sequence(Sequence),
    /// Many more lines than usual.
    Spike(Spike),
    /// Many lines, for some time.
    Rate(Rate),
    /// Ever more lines, or an ever larger number in them.
    Growth(Growth),
    /// Lines at regular times.
    Periodic(Periodic),
    /// No line for too long.
    Absence(Absence),
    /// Lines, and rows of metrics, that are at least this surprising to the models.
    Surprise(Surprise),
}

/// Which lines a pattern is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Lines {
    /// In which a regular expression is found.
    Regex(String),
    /// In which a phrase is found, or nearly.
    Fuzzy(Fuzzy),
    /// That another pattern finds: one of this configuration or of the library, of the kind `regex` or `fuzzy`.
    Pattern(PatternName),
}

/// A phrase, in either case, as people write it. `distance` or `similarity`; without both, one byte in eight may differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Fuzzy {
    /// From 4 to 64 bytes.
    #[cfg_attr(feature = "schema", schemars(length(min = 4, max = 64)))]
    pub phrase: String,
    /// So many bytes may be missing, added or others: at most a quarter of the phrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<u32>,
    /// The share of the phrase's words that have to be there, in any order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<Share>,
}

/// One line and another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// What comes first.
    pub first: Lines,
    /// What comes then.
    pub then: Lines,
    /// Within this time.
    pub within_seconds: Seconds,
    /// That `then` does not come is what is found.
    #[serde(default)]
    pub absent: bool,
    /// Which lines belong together.
    #[serde(default)]
    pub by: By,
}

/// Which lines belong together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Those of one subject.
    #[default]
    Subject,
    /// Those of one session (request, block or trace), whichever subjects they are of.
    Session,
    /// Those in which the group of this name of the regular expression holds the same text, whichever subjects they are
    /// of.
    Capture(PatternName),
}

impl By {
    /// The group that an expression has to have, with the field that names it.
    fn group(&self) -> Option<(&str, &str)> {
        match self {
            By::Capture(group) => Some(("by", group.as_str())),
            By::Subject | By::Session => None,
        }
    }
}

/// Many more lines than usual, of one subject or by what they hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Spike {
    /// Which lines.
    pub of: Lines,
    /// Lines are counted over this time.
    #[serde(default = "five_minutes")]
    pub window_seconds: Seconds,
    /// So many times as many as usual.
    #[serde(default)]
    pub factor: Factor,
    /// And at least so many.
    #[serde(default = "ten")]
    pub least: Count,
    /// Which lines are counted together.
    #[serde(default)]
    pub by: By,
}

/// Many lines, for some time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Which lines.
    pub of: Lines,
    /// At least so many within `window_seconds`.
    pub count: Count,
    /// Lines are counted over this time.
    #[serde(default = "five_minutes")]
    pub window_seconds: Seconds,
    /// And it has been so for this time; without it, at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_seconds: Option<Seconds>,
    /// Which lines are counted together.
    #[serde(default)]
    pub by: By,
}

/// Ever more lines, or an ever larger number in them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Growth {
    /// Which lines.
    pub of: Lines,
    /// The time over which it grows, in tenths.
    #[serde(default = "one_hour")]
    pub window_seconds: Seconds,
    /// The share of the steps from one tenth to the next that go up.
    #[serde(default)]
    pub threshold: Share,
    /// The group of this name of the regular expression holds the number that grows; without it, the number of lines does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<PatternName>,
    /// Which lines are counted together.
    #[serde(default)]
    pub by: By,
}

/// Lines at regular times.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Periodic {
    /// Which lines.
    pub of: Lines,
    /// The time from one to the next; without it, any that stays the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_seconds: Option<Seconds>,
    /// By which share of the time they may differ from it.
    #[serde(default)]
    pub tolerance: Regularity,
    /// So many times in a row.
    #[serde(default)]
    pub times: Times,
    /// Which lines belong together.
    #[serde(default)]
    pub by: By,
}

/// No line for too long, after there was one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Absence {
    /// Which lines.
    pub of: Lines,
    /// Too long is longer than this.
    pub within_seconds: Seconds,
    /// Which lines belong together.
    #[serde(default)]
    pub by: By,
}

fn five_minutes() -> Seconds {
    Seconds::whole(300)
}

fn one_hour() -> Seconds {
    Seconds::whole(3_600)
}

fn ten() -> Count {
    Count::of(10)
}

/// What was found of a pattern, and what people said of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PatternReport {
    /// What it is called.
    pub name: String,
    /// What it means.
    pub description: String,
    /// How much it matters.
    pub severity: Severity,
    /// Whether what it finds is anomalous by itself.
    pub alarm: bool,
    /// Whether it is one of the library's.
    pub library: bool,
    /// How often it was found, history not counted.
    pub matches: u64,
    /// When it was found last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// How often people said of the like of what it found that it is fine.
    pub fine: u64,
    /// How often they said that it matters.
    pub matters: u64,
    /// The share of the answers that say that it matters; `None` while there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
}

#[cfg(test)]
mod tests;
