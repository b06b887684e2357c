//! What patterns find, what they say of it, and what they leave alone.

use proptest::prelude::*;
use regex_lite::Regex;

use super::*;
use crate::random::Random;
use crate::verdict::{Anomaly, Kind, Observation};
use crate::{Config, Detector, Emit, Event, FeedbackLabel, Finite, Input, Label, LogRecord, Phase, Report, Sample};
use crate::{Scorer, Subject, Value, Verdict};

mod examples;
mod kinds;
mod properties;
mod refused;
mod worse;

/// A detector, what it reported, and a clock.
struct Watch {
    detector: Detector,
    reports: Vec<Report>,
}

/// A line that is told piece by piece; what is not told is as usual.
#[derive(Clone, Copy)]
struct Said<'a> {
    at: i64,
    service: &'a str,
    level: Level,
    message: &'a str,
    session: Option<&'a str>,
}

fn said(at: i64, message: &str) -> Said<'_> {
    Said {
        at,
        service: "shop",
        level: Level::Info,
        message,
        session: None,
    }
}

impl Watch {
    /// With these patterns, of one's own.
    fn new(rules: &str) -> Self {
        Watch::with(&format!(r#"{{"patterns": {{"rules": [{rules}]}}}}"#))
    }

    fn with(config: &str) -> Self {
        let config = Config::from_json(config).unwrap_or_else(|error| panic!("{error}"));
        Watch {
            detector: Detector::new(config),
            reports: Vec::new(),
        }
    }

    fn line(&mut self, said: Said<'_>) -> Verdict {
        let mut labels = [Label {
            name: "service",
            value: said.service,
        }];
        let event = Event::Log(LogRecord {
            time: Timestamp::from_seconds(1_000_000 + said.at),
            subject: Subject::new(&mut labels),
            level: Some(said.level),
            message: said.message,
            session: said.session,
            fields: &[],
        });
        self.detector.observe(&event, &mut self.reports)
    }

    /// Says these lines and tells which alarms were raised, by the time of the line after which they were.
    fn alarms(&mut self, lines: &[(i64, &str)]) -> Vec<i64> {
        let mut alarms = Vec::new();
        for (at, message) in lines {
            let before = self.onsets().len();
            self.line(said(*at, message));
            if self.onsets().len() > before {
                alarms.push(*at);
            }
        }
        alarms
    }

    fn tick(&mut self, at: i64) {
        let now = Timestamp::from_seconds(1_000_000 + at);
        self.detector.tick(now, &mut self.reports);
    }

    fn onsets(&self) -> Vec<&Anomaly> {
        self.told(Phase::Onset)
    }

    fn told(&self, phase: Phase) -> Vec<&Anomaly> {
        self.reports
            .iter()
            .filter_map(|report| match report {
                Report::Anomaly(anomaly) if anomaly.phase == phase => Some(&**anomaly),
                _ => None,
            })
            .collect()
    }

    fn matches(&self, name: &str) -> u64 {
        let reports = self.detector.patterns();
        reports
            .iter()
            .find(|report| report.name == name)
            .map_or(0, |report| report.matches)
    }
}
