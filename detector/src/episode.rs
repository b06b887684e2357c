//! Episodes: a time of strange behaviour with an onset, a peak and an end. Alarms count onsets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{Level, Timestamp};
use crate::limit;
use crate::pattern::Mark;
use crate::series::WRONG_CLOCK;
use crate::verdict::{
    Anomaly, AnomalyType, Contribution, Expected, Explanation, Fingerprint, Kind, Observation, Phase, Severity, score,
};

/// An open episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Episode {
    onset: Timestamp,
    /// The last anomalous event.
    last: Timestamp,
    peak: Timestamp,
    surprise: f64,
    threshold: f64,
    events: u64,
    kind: Kind,
    severity: Severity,
    fingerprint: Fingerprint,
    #[serde(with = "as_json")]
    explanation: Explanation,
    /// What a log line says of its own severity; nothing for metrics.
    level: Option<Level>,
}

/// An event that begins an episode or adds to it.
pub(crate) struct Strange {
    pub(crate) time: Timestamp,
    pub(crate) surprise: f64,
    /// How strange things are, told before or not: an episode begins with news, and lasts as long as this.
    pub(crate) state: f64,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) level: Option<Level>,
    /// How far a number of it is above its hard limit, as a share of that: it is anomalous whatever its surprise is.
    pub(crate) above_limit: Option<f64>,
    /// What the patterns say that it was found by.
    pub(crate) pattern: Option<Mark>,
}

impl Strange {
    /// Whether it is anomalous by what a person set, whatever its surprise is.
    pub(crate) fn is_decreed(&self) -> bool {
        self.above_limit.is_some() || self.alarming().is_some()
    }

    /// How much it matters at least, by what patterns say that it is.
    fn least_severity(&self) -> Severity {
        self.pattern.map_or(Severity::Low, |mark| mark.severity)
    }

    /// The severity of the pattern that makes it anomalous.
    fn alarming(&self) -> Option<Severity> {
        self.pattern.filter(|mark| mark.alarm).map(|mark| mark.severity)
    }
}

/// Two strange times belong to the same episode when there are at most so many seconds, or so many usual gaps
/// of the series, between them.
const MERGE_SECONDS: f64 = 600.0;
const MERGE_GAPS: f64 = 12.0;

/// Within an episode an event that is this many decades less strange than the threshold still belongs to it.
pub(crate) const HYSTERESIS: f64 = 1.0;

impl Episode {
    pub(crate) fn begin(event: &Strange, threshold: f64, kind: Kind, explanation: Explanation) -> Self {
        let mut episode = Episode {
            onset: event.time,
            last: event.time,
            peak: event.time,
            // By decree: a limit that a person set is as surprising as the threshold at least.
            surprise: event.surprise.max(threshold),
            threshold,
            events: 1,
            kind,
            severity: Severity::Low,
            fingerprint: event.fingerprint,
            explanation,
            level: event.level,
        };
        episode.severity = episode.judge().max(event.least_severity());
        episode
    }

    /// A near miss: strange, and below the threshold.
    pub(crate) fn begin_near(event: &Strange, threshold: f64, kind: Kind, explanation: Explanation) -> Self {
        Episode {
            surprise: event.surprise,
            ..Episode::begin(event, threshold, kind, explanation)
        }
    }

    /// Adds an event to a near miss, which is told as it was when it came nearest: the threshold moves, too.
    pub(crate) fn add_near(
        &mut self,
        event: &Strange,
        threshold: f64,
        explain: impl FnOnce(f64) -> (Kind, Explanation),
    ) {
        self.last = self.last.max(event.time);
        self.events += 1;
        if event.surprise - threshold > self.surprise - self.threshold {
            self.surprise = event.surprise;
            self.threshold = threshold;
            self.peak = event.time;
            self.level = self.level.max(event.level);
            (self.kind, self.explanation) = explain(event.surprise);
        }
        self.severity = self.severity.max(self.judge()).max(event.least_severity());
    }

    /// Adds an event. The explanation is made only when the event is the strangest so far, or the farthest above a
    /// hard limit: what a person set must not go unsaid because something else came first.
    pub(crate) fn add(&mut self, event: &Strange, explain: impl FnOnce(f64) -> (Kind, Explanation)) {
        self.last = self.last.max(event.time);
        self.events += 1;
        let stranger = event.surprise > self.surprise;
        let farther = event
            .above_limit
            .is_some_and(|excess| self.kind != Kind::Rule || excess > self.excess());
        let graver = event
            .alarming()
            .is_some_and(|severity| !self.is_of_decree() || self.kind == Kind::Pattern && severity > self.named());
        if stranger || farther || graver {
            self.surprise = self.surprise.max(event.surprise);
            self.peak = event.time;
            self.level = self.level.max(event.level);
            (self.kind, self.explanation) = explain(self.surprise);
        }
        self.severity = self.severity.max(self.judge()).max(event.least_severity());
    }

    /// When it began.
    pub(crate) fn onset(&self) -> Timestamp {
        self.onset
    }

    /// How long it has lasted at `now`.
    pub(crate) fn age(&self, now: Timestamp) -> f64 {
        now.seconds_since(self.onset)
    }

    /// Whether nothing strange has come for so long that it is over.
    pub(crate) fn is_over(&self, now: Timestamp, usual_gap: f64) -> bool {
        let quiet = now.seconds_since(self.last);
        quiet > MERGE_SECONDS.max(MERGE_GAPS * usual_gap) || quiet < -WRONG_CLOCK
    }

    /// Whether it holds nothing that the models find strange enough by itself.
    pub(crate) fn is_decree_only(&self) -> bool {
        self.is_of_decree() && self.surprise <= self.threshold
    }

    fn is_of_decree(&self) -> bool {
        matches!(self.kind, Kind::Rule | Kind::Pattern)
    }

    /// The greatest surprise so far.
    pub(crate) fn surprise(&self) -> f64 {
        self.surprise
    }

    /// The time of its last event.
    pub(crate) fn last_event(&self) -> Timestamp {
        self.last
    }

    pub(crate) fn is_silence(&self) -> bool {
        self.kind == Kind::Silence
    }

    /// It still lasts at this time.
    pub(crate) fn last(&mut self, time: Timestamp) {
        self.last = self.last.max(time);
        self.severity = self.severity.max(self.judge());
    }

    /// The report of it.
    pub(crate) fn report(&self, phase: Phase, labels: &[(String, String)]) -> Anomaly {
        let mut subject = BTreeMap::new();
        subject.extend(labels.iter().cloned());
        Anomaly {
            timestamp: self.onset,
            subject,
            kind: self.kind,
            anomaly_type: AnomalyType::of(self.kind, &self.explanation),
            severity: self.severity,
            score: score(self.surprise),
            surprise: self.surprise,
            threshold: self.threshold,
            phase,
            seconds: self.last.seconds_since(self.onset).max(0.0),
            events: self.events,
            peak: self.peak,
            fingerprint: self.fingerprint,
            explanation: self.explanation.clone(),
        }
    }

    /// How much it matters: how far beyond the threshold it is, how large the effect and how long it lasts.
    /// Each of the three can only raise it.
    fn judge(&self) -> Severity {
        if self.kind == Kind::Pattern && self.is_decree_only() {
            // How much it matters is what the pattern says.
            return Severity::Low;
        }
        let beyond = ((self.surprise - self.threshold) / 2.0).clamp(0.0, 2.0);
        let minutes = self.last.seconds_since(self.onset).max(0.0) / 60.0;
        let lasting = (minutes / 30.0).min(1.0);
        match beyond + self.effect() + lasting {
            points if points < 1.0 => Severity::Low,
            points if points < 2.0 => Severity::Medium,
            points if points < 3.0 => Severity::High,
            _ => Severity::Critical,
        }
    }

    /// From 0 to 1.5: for metrics by how much the value differs from what was expected, for log lines what they
    /// say of themselves, and for hard limits the greater of both.
    fn effect(&self) -> f64 {
        let said = match self.level {
            Some(Level::Fatal) => 1.5,
            Some(Level::Error) => 1.0,
            Some(Level::Warn) => 0.5,
            Some(_) | None => 0.0,
        };
        if self.level.is_some() && !self.is_of_decree() {
            return said;
        }
        // The largest counts, whichever metric it is, so that one more strange metric never makes it matter less.
        let effects = self
            .explanation
            .contributions
            .iter()
            .map(|part| match (&part.observed, &part.expected.value) {
                (Observation::Number(observed), Observation::Number(expected)) => {
                    (observed - expected).abs() / expected.abs().max(1e-9)
                }
                _ => 0.0,
            });
        effects.fold(said, f64::max).min(1.5)
    }

    /// How much the gravest of the patterns matters that explain the episode.
    fn named(&self) -> Severity {
        let severities = self.explanation.patterns.iter().map(|pattern| pattern.severity);
        severities.max().unwrap_or(Severity::Low)
    }

    /// How far above its limit the number is that explains the episode.
    fn excess(&self) -> f64 {
        match self.explanation.contributions.first() {
            Some(Contribution {
                observed: Observation::Number(observed),
                expected: Expected { high: Some(limit), .. },
                ..
            }) => limit::excess(*observed, *limit),
            _ => 0.0,
        }
    }
}

impl Explanation {
    /// Why a silence is strange: how long it has lasted, and how long pauses usually are, in seconds.
    pub(crate) fn silence(surprise: f64, quiet: f64, usual: f64) -> Self {
        Explanation {
            contributions: vec![Contribution {
                of: "time since the last event".to_owned(),
                model: "silence".to_owned(),
                surprise,
                observed: Observation::Number(quiet),
                expected: Expected {
                    value: Observation::Number(usual),
                    low: None,
                    high: None,
                },
                unit: Some("s".to_owned()),
            }],
            ..Explanation::default()
        }
    }
}

/// An explanation is wire format, which a snapshot's encoding cannot read: it has no names for what is left out.
mod as_json {
    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    use crate::verdict::Explanation;

    pub(super) fn serialize<S: Serializer>(explanation: &Explanation, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(explanation).map_err(ser::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Explanation, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        serde_json::from_str(&text).map_err(de::Error::custom)
    }
}
