use super::*;
use crate::verdict::{Anomaly, Kind as AnomalyKind, Phase};
use crate::{Config, Detector, Event, Level, LogRecord, Report, Subject};

const DAY: i64 = 86_400;

/// A detector that hears lines, and what it says is missing.
struct Log {
    detector: Detector,
    reports: Vec<Report>,
    lines: u64,
}

impl Log {
    fn new() -> Self {
        Log {
            detector: Detector::new(Config::default()),
            reports: Vec::new(),
            lines: 0,
        }
    }

    fn line(&mut self, second: i64, message: &str) {
        self.lines += 1;
        let event = Event::Log(LogRecord {
            time: Timestamp::from_seconds(1_700_000_000 + second),
            subject: Subject::default(),
            level: Some(Level::Info),
            message,
            session: None,
            fields: &[],
        });
        self.detector.observe(&event, &mut self.reports);
    }

    /// A day of a service with a line every twenty seconds, and with what else there is.
    fn day(&mut self, day: i64, also: impl Fn(i64) -> Option<&'static str>) {
        for second in (day * DAY..(day + 1) * DAY).step_by(20) {
            let n = self.lines;
            self.line(second, &format!("served page {n}"));
            if let Some(message) = also(second) {
                self.line(second + 3, message);
            }
        }
    }

    fn missing(&self) -> Vec<&Anomaly> {
        let onsets = self.reports.iter().filter_map(|report| match report {
            Report::Anomaly(anomaly) if anomaly.phase == Phase::Onset => Some(&**anomaly),
            _ => None,
        });
        onsets
            .filter(|anomaly| anomaly.kind == AnomalyKind::LogMissing)
            .collect()
    }
}

fn every(seconds: i64, message: &'static str) -> impl Fn(i64) -> Option<&'static str> {
    move |second| (second % seconds == 0).then_some(message)
}

const CHECKPOINT: &str = "checkpoint complete";

#[test]
fn a_heartbeat_that_stops_while_its_log_goes_on_is_told_once() {
    let mut log = Log::new();
    for day in 0..3 {
        log.day(day, every(300, CHECKPOINT));
    }
    assert_eq!(log.missing().len(), 0);
    for day in 3..5 {
        log.day(day, |_| None);
    }
    let missing = log.missing();
    assert_eq!(missing.len(), 1);
    let explanation = &missing[0].explanation;
    assert_eq!(explanation.template.as_deref(), Some(CHECKPOINT));
    let evidence = &explanation.contributions[0];
    let crate::Observation::Number(usual) = evidence.expected.value else {
        panic!("seconds")
    };
    assert!((usual - 300.0).abs() < 1.0, "{usual}");
    // Within the hour: it is a dozen times too late then.
    let late = missing[0]
        .timestamp
        .seconds_since(Timestamp::from_seconds(1_700_000_000 + 3 * DAY));
    assert!((600.0..3600.0).contains(&late), "{late}");
}

#[test]
fn what_has_come_back_can_be_missing_again() {
    let mut log = Log::new();
    for day in 0..8 {
        // Away for six hours on the fifth and on the eighth day.
        let is_away = |second: i64| (day == 4 || day == 7) && (6..12).contains(&(second / 3600 % 24));
        log.day(day, |second| every(60, CHECKPOINT)(second).filter(|_| !is_away(second)));
    }
    assert_eq!(log.missing().len(), 2);
}

#[test]
fn a_pause_of_the_whole_log_says_nothing_of_its_kinds() {
    let mut log = Log::new();
    for day in [0, 1, 2, 5, 6] {
        log.day(day, every(300, CHECKPOINT));
    }
    assert_eq!(log.missing().len(), 0);
}

#[test]
fn what_comes_in_bursts_or_was_never_there_for_long_is_not_awaited() {
    let mut log = Log::new();
    for day in 0..6 {
        // A backup of an hour each night with a line every twenty seconds, and a start-up that waits for its database.
        log.day(day, |second| match second / 3600 % 24 {
            2 if day < 4 => Some("copied a volume"),
            6 if day == 3 && second % 3600 < 600 => Some("waiting for the database"),
            _ => None,
        });
    }
    assert_eq!(log.missing().len(), 0);
}

#[test]
fn lines_that_come_at_random_are_missed_no_more_often_than_is_allowed() {
    let mut log = Log::new();
    let mut random = crate::random::Random::new(7, 0);
    let mut second = 0;
    // Thirty days, in which each kind comes every five minutes on average: a quarter of a million gaps.
    while second < 30 * DAY {
        second += 10;
        log.line(second, "tick");
        for kind in ["alpha was polled", "beta got mail", "gamma rays seen"] {
            if random.unit() < 1.0 / 30.0 {
                log.line(second, kind);
            }
        }
    }
    assert!(log.missing().len() <= 3, "{}", log.missing().len());
}

#[test]
fn how_many_are_awaited_is_bounded() {
    let mut awaited = Awaited::default();
    let now = Timestamp::from_seconds(1_700_000_000);
    for kind in 0..3 * MOST_AWAITED as u64 {
        awaited.came(kind, 1, kind, now, 0.0);
    }
    assert_eq!((awaited.kinds.len(), awaited.queue.len()), (MOST_AWAITED, MOST_AWAITED));
    awaited.forget_template(5);
    // What was forgotten makes room, in the queue as well.
    assert_eq!(awaited.len(), MOST_AWAITED - 1);
    let mut turns = 0;
    while awaited.due(now.plus_seconds(3600.0)).is_some() {
        turns += 1;
    }
    assert_eq!(turns, MOST_AWAITED - 1);
}
