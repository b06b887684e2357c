//! Episodes: a time of strange behaviour with an onset, a peak and an end. Alarms count onsets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{Level, Timestamp};
use crate::limit;
use crate::pattern::Mark;
use crate::series::WRONG_CLOCK;
use crate::verdict::{
    Anomaly, AnomalyType, Contribution, Expected, Explanation, Fingerprint, Kind, NamedPattern, Observation, Phase,
    Severity, score,
};

/// An open episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Episode {
    onset: Timestamp,
    /// The last anomalous event.
    last: Timestamp,
    /// The event that explains it: the one that matters most.
    peak: Timestamp,
    rank: Rank,
    /// The greatest surprise, whichever event it was of.
    surprise: f64,
    threshold: f64,
    /// When something came up in it that no pattern alarms about: that may become normal by lasting.
    found: Option<Timestamp>,
    events: u64,
    kind: Kind,
    severity: Severity,
    /// How much it matters what models and hard limits found, how long it lasts left out; nothing while all of it was
    /// found by patterns, which say themselves how much it matters.
    points: Option<f64>,
    fingerprint: Fingerprint,
    #[serde(with = "as_json")]
    explanation: Explanation,
    /// How severe it was when it was told last, and how often it was told for another reason than that it became worse.
    told: Severity,
    more: u8,
    /// A hard limit was exceeded in it.
    above_limit: bool,
    /// What grave things it was explained by: another one is told as well.
    grave: Vec<Fingerprint>,
}

/// How an event compares with the others of its episode.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
struct Rank {
    severity: Severity,
    /// A pattern alarms about it: what has a name explains more than what only was as strange.
    named: bool,
    surprise: f64,
}

/// An event that begins an episode or adds to it.
pub(crate) struct Strange<'a> {
    pub(crate) time: Timestamp,
    pub(crate) surprise: f64,
    /// How strange things are, told before or not: an episode begins with news, and lasts as long as this.
    pub(crate) state: f64,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) level: Option<Level>,
    /// How far a number of it is above its hard limit, as a share of that: it is anomalous whatever its surprise is.
    pub(crate) above_limit: Option<f64>,
    /// What the patterns say that it was found by, and which they are: asked for where there is an episode.
    pub(crate) pattern: Option<Mark>,
    pub(crate) named: &'a dyn Fn() -> Vec<NamedPattern>,
}

impl Strange<'_> {
    /// Whether it is anomalous by what a person set, whatever its surprise is.
    pub(crate) fn is_decreed(&self) -> bool {
        self.above_limit.is_some() || self.alarms()
    }

    /// How much it matters by what patterns say that it is: at least, or exactly where the pattern alarms.
    fn said_severity(&self) -> Severity {
        self.pattern.map_or(Severity::Low, |mark| mark.severity)
    }

    /// Whether a pattern makes it anomalous.
    fn alarms(&self) -> bool {
        self.pattern.is_some_and(|mark| mark.alarm)
    }

    fn patterns(&self) -> Vec<NamedPattern> {
        self.pattern.map_or_else(Vec::new, |_| (self.named)())
    }

    /// How much it matters, as far as models and hard limits say so: how far beyond the threshold it is, and how large
    /// the effect is. An effect that only the explanation tells counts when there is one.
    fn points(&self, threshold: f64, explanation: Option<&Explanation>) -> Option<f64> {
        if self.alarms() && self.above_limit.is_none() {
            return None;
        }
        let beyond = ((self.surprise - threshold) / 2.0).clamp(0.0, 2.0);
        Some(beyond + self.effect(explanation))
    }

    /// From 0 to 1.5: for metrics by how much the value differs from what was expected, for log lines what they
    /// say of themselves, and for hard limits the greater of both.
    fn effect(&self, explanation: Option<&Explanation>) -> f64 {
        let said = match self.level {
            Some(Level::Fatal) => 1.5,
            Some(Level::Error) => 1.0,
            Some(Level::Warn) => 0.5,
            Some(_) | None => 0.0,
        };
        if self.level.is_some() && self.above_limit.is_none() {
            return said;
        }
        // The largest counts, whichever metric it is, so that one more strange metric never makes it matter less.
        let parts = explanation.map_or(&[][..], |explanation| &explanation.contributions);
        let effects = parts.iter().map(|part| match (&part.observed, &part.expected.value) {
            (Observation::Number(observed), Observation::Number(expected)) => {
                (observed - expected).abs() / expected.abs().max(1e-9)
            }
            _ => 0.0,
        });
        effects.chain(self.above_limit).fold(said, f64::max).min(1.5)
    }

    fn rank(&self, threshold: f64) -> Rank {
        Rank {
            severity: self.said_severity().max(severity_of(self.points(threshold, None))),
            named: self.alarms(),
            surprise: if self.is_decreed() {
                self.surprise.max(threshold)
            } else {
                self.surprise
            },
        }
    }
}

/// Two strange times belong to the same episode when there are at most so many seconds, or so many usual gaps
/// of the series, between them.
const MERGE_SECONDS: f64 = 600.0;
const MERGE_GAPS: f64 = 12.0;

/// Within an episode an event that is this many decades less strange than the threshold still belongs to it.
pub(crate) const HYSTERESIS: f64 = 1.0;

/// An episode lists so many of the patterns that its events were found by.
const MOST_LISTED: usize = 5;

/// While it is open, an episode is told again at most so often without having become more severe.
const MOST_MORE: u8 = 5;

impl Episode {
    pub(crate) fn begin(event: &Strange<'_>, threshold: f64, kind: Kind, explanation: Explanation) -> Self {
        let points = event.points(threshold, Some(&explanation));
        let mut episode = Episode {
            onset: event.time,
            last: event.time,
            peak: event.time,
            rank: event.rank(threshold),
            // By decree: a limit that a person set is as surprising as the threshold at least.
            surprise: event.surprise.max(threshold),
            threshold,
            found: (!event.alarms()).then_some(event.time),
            events: 1,
            kind,
            severity: event.said_severity().max(severity_of(points)),
            points,
            fingerprint: event.fingerprint,
            explanation,
            told: Severity::Low,
            more: 0,
            above_limit: event.above_limit.is_some(),
            grave: vec![event.fingerprint],
        };
        episode.told = episode.severity;
        episode.list(event);
        episode
    }

    /// A near miss: strange, and below the threshold.
    pub(crate) fn begin_near(event: &Strange<'_>, threshold: f64, kind: Kind, explanation: Explanation) -> Self {
        Episode {
            surprise: event.surprise,
            ..Episode::begin(event, threshold, kind, explanation)
        }
    }

    /// Adds an event to a near miss, which is told as it was when it came nearest: the threshold moves, too.
    pub(crate) fn add_near(
        &mut self,
        event: &Strange<'_>,
        threshold: f64,
        explain: impl FnOnce(f64) -> (Kind, Explanation),
    ) {
        self.last = self.last.max(event.time);
        self.events += 1;
        self.list(event);
        if event.surprise - threshold > self.surprise - self.threshold {
            self.surprise = event.surprise;
            self.threshold = threshold;
            self.explain_by(event, explain);
        }
        self.severity = self.severity.max(self.judge()).max(event.said_severity());
    }

    /// Adds an event, and says whether there is something to tell at once: the episode matters more than was told so
    /// far, or what a person set has come up in it for the first time. What matters less than what explains the episode
    /// is only listed.
    ///
    /// The explanation is made only when the event matters most so far, or is the farthest above a hard limit: what a
    /// person set must not go unsaid because something else came first.
    pub(crate) fn add(&mut self, event: &Strange<'_>, explain: impl FnOnce(f64) -> (Kind, Explanation)) -> bool {
        self.last = self.last.max(event.time);
        self.events += 1;
        if !event.alarms() {
            self.found.get_or_insert(event.time);
        }
        let before = self.surprise;
        self.surprise = before.max(event.surprise);
        let rank = event.rank(self.threshold);
        // What calls itself fatal matters as much as anything that came before it, also when it is not quite as rare: the
        // first one has made new lines a little less of a surprise.
        let is_fatal = event.level == Some(Level::Fatal);
        let is_as_grave = rank.severity >= self.rank.severity || is_fatal;
        let farther = event.above_limit.is_some_and(|excess| match self.kind {
            Kind::Pattern => is_as_grave,
            Kind::Rule => excess > self.excess(),
            _ => true,
        });
        let new_limit = event.above_limit.is_some() && !self.above_limit;
        self.above_limit |= new_limit;
        let new_pattern = self.list(event);
        // What somebody is woken for has to be told even if somebody was woken for something else a minute ago.
        let new_grave = (is_fatal || rank.severity >= Severity::High)
            && event.surprise >= self.threshold
            && self.grave.len() <= usize::from(MOST_MORE)
            && !self.grave.contains(&event.fingerprint);
        let explains = farther || rank > self.rank || (new_pattern || new_grave) && is_as_grave;
        if explains && new_grave {
            self.grave.push(event.fingerprint);
        }
        if explains {
            self.explain_by(event, explain);
        } else {
            // The parts still add up to the greatest surprise.
            if self.surprise > before {
                let parts = &mut self.explanation.contributions;
                parts
                    .iter_mut()
                    .for_each(|part| part.surprise *= self.surprise / before);
            }
            self.points = more_of(self.points, event.points(self.threshold, None));
        }
        if rank > self.rank {
            self.rank = rank;
        }
        self.severity = self.severity.max(self.judge()).max(event.said_severity());
        self.tells(explains && (new_pattern || new_limit || new_grave))
    }

    /// Takes the event for the one that explains the episode.
    fn explain_by(&mut self, event: &Strange<'_>, explain: impl FnOnce(f64) -> (Kind, Explanation)) {
        self.peak = event.time;
        let listed = std::mem::take(&mut self.explanation.patterns);
        (self.kind, self.explanation) = explain(self.surprise);
        self.explanation.patterns = listed;
        self.points = more_of(self.points, event.points(self.threshold, Some(&self.explanation)));
    }

    /// Lists the patterns that an event was found by, those that alarm and the gravest first, and counts the event for
    /// each. Says whether one that alarms is new among them.
    fn list(&mut self, event: &Strange<'_>) -> bool {
        let listed = &mut self.explanation.patterns;
        let mut is_new = false;
        for pattern in event.patterns() {
            if let Some(known) = listed.iter_mut().find(|known| known.name == pattern.name) {
                known.events += 1;
                continue;
            }
            let place = |listed: &NamedPattern| (listed.alarm, listed.severity) >= (pattern.alarm, pattern.severity);
            let at = listed.partition_point(place);
            is_new |= pattern.alarm && at < MOST_LISTED;
            listed.insert(at, pattern);
            listed.truncate(MOST_LISTED);
        }
        is_new
    }

    /// Whether there is something to tell, which is then taken for told.
    fn tells(&mut self, is_new: bool) -> bool {
        let is_worse = self.severity > self.told;
        let is_more = is_new && !is_worse && self.more < MOST_MORE;
        self.told = self.severity;
        self.more += u8::from(is_more);
        is_worse || is_more
    }

    /// When it began.
    pub(crate) fn onset(&self) -> Timestamp {
        self.onset
    }

    /// How long it has lasted at `now`.
    pub(crate) fn age(&self, now: Timestamp) -> f64 {
        now.seconds_since(self.onset)
    }

    /// How long it has been strange at `now`, lines left out that patterns alarm about: they are told once for as long as
    /// they come, however often other lines are between them.
    pub(crate) fn strange_for(&self, now: Timestamp) -> Option<f64> {
        self.found.map(|since| now.seconds_since(since))
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

    /// What an event had to reach when it began.
    pub(crate) fn threshold(&self) -> f64 {
        self.threshold
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

    /// It still lasts at this time. Says whether that makes it matter more than was told.
    pub(crate) fn last(&mut self, time: Timestamp) -> bool {
        self.last = self.last.max(time);
        self.severity = self.severity.max(self.judge());
        self.tells(false)
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
            row: None,
            explanation: self.explanation.clone(),
        }
    }

    /// How much it matters by what models and limits found: how far beyond the threshold it is, how large the effect
    /// and how long it lasts. Each of the three can only raise it.
    fn judge(&self) -> Severity {
        let minutes = self.last.seconds_since(self.onset).max(0.0) / 60.0;
        // A line says itself how bad it is. That harmless ones have come for hours before makes it no worse.
        let lasting = match self.kind {
            Kind::LogSeverity | Kind::NewTemplate | Kind::LogBurst | Kind::Pattern => 0.0,
            _ => (minutes / 30.0).min(1.0),
        };
        severity_of(self.points.map(|points| points + lasting))
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

fn severity_of(points: Option<f64>) -> Severity {
    match points.unwrap_or(0.0) {
        points if points < 1.0 => Severity::Low,
        points if points < 2.0 => Severity::Medium,
        points if points < 3.0 => Severity::High,
        _ => Severity::Critical,
    }
}

/// The greater of two, where there are any.
fn more_of(points: Option<f64>, other: Option<f64>) -> Option<f64> {
    points.into_iter().chain(other).reduce(f64::max)
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
