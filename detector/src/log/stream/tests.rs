//! What single lines are worth, as a detector says it.

use crate::config::Config;
use crate::detector::{Detector, Report};
use crate::event::{Event, Level, LogRecord, Subject, Timestamp};
use crate::verdict::{Anomaly, Kind, Observation, Phase, Verdict};

struct Log {
    detector: Detector,
    reports: Vec<Report>,
    seconds: i64,
}

impl Log {
    fn new() -> Self {
        Log {
            detector: Detector::new(Config::default()),
            reports: Vec::new(),
            seconds: 1_700_000_000,
        }
    }

    /// A line, so many seconds after the one before.
    fn line(&mut self, after: i64, level: Level, message: &str) -> Verdict {
        self.seconds += after;
        let record = LogRecord {
            time: Timestamp::from_seconds(self.seconds),
            subject: Subject::default(),
            level: Some(level),
            message,
            session: None,
            fields: &[],
        };
        self.detector.observe(&Event::Log(record), &mut self.reports)
    }

    /// So many usual lines, one every three seconds.
    fn usual(&mut self, lines: usize) {
        let usual = ["request served", "cache hit for key 17", "job 4 of queue mail done"];
        for n in 0..lines {
            self.line(3, Level::Info, usual[n % usual.len()]);
        }
    }

    fn alarms(&self) -> Vec<&Anomaly> {
        let alarms = self.reports.iter().filter_map(|report| match report {
            Report::Anomaly(anomaly) if anomaly.phase == Phase::Onset => Some(&**anomaly),
            _ => None,
        });
        alarms.collect()
    }
}

const NUMBERS: [&str; 20] = [
    "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima",
    "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango",
];

#[test]
fn a_fatal_line_of_a_new_kind_is_an_alarm_after_twenty_minutes() {
    let mut log = Log::new();
    log.usual(400);
    let verdict = log.line(1, Level::Fatal, "FATAL: disk corrupt, giving up");
    assert!(verdict.state.is_anomalous());
    let alarms = log.alarms();
    let [alarm] = &alarms[..] else { panic!("{alarms:?}") };
    assert_eq!(alarm.kind, Kind::LogSeverity);
    let parts = &alarm.explanation.contributions;
    let sum: f64 = parts.iter().map(|part| part.surprise).sum();
    assert!((sum - alarm.surprise).abs() < 1e-9, "{sum} {}", alarm.surprise);
    let observed = |of: &str| {
        parts
            .iter()
            .find(|part| part.of == of)
            .map(|part| part.observed.clone())
    };
    assert_eq!(observed("level"), Some(Observation::Level(Level::Fatal)));
    assert_eq!(observed("words"), Some(Observation::Text("corrupt".to_owned())));
    assert_eq!(
        observed("template"),
        Some(Observation::Text("first line of this kind".to_owned()))
    );
}

#[test]
fn fatal_lines_in_a_row_are_one_episode_and_all_of_it() {
    let mut log = Log::new();
    log.usual(400);
    for n in 0..60 {
        let verdict = log.line(60, Level::Fatal, "FATAL: disk corrupt, giving up");
        assert!(verdict.state.is_anomalous(), "{n}: {}", verdict.surprise);
    }
    assert_eq!(log.alarms().len(), 1);
}

#[test]
fn what_is_logged_all_day_is_normal_in_the_end() {
    let mut log = Log::new();
    let mut surprise = 0.0;
    for _ in 0..2_000 {
        log.usual(3);
        surprise = log
            .line(3, Level::Error, "ERROR: connection refused by backend")
            .surprise;
    }
    assert!(surprise < 1.0, "{surprise}");
    assert!(log.alarms().len() <= 1, "{:?}", log.alarms());
    // Fatal lines without end are accepted, too.
    let mut log = Log::new();
    log.usual(400);
    for _ in 0..3_000 {
        log.usual(3);
        surprise = log.line(3, Level::Fatal, "FATAL: disk corrupt, giving up").surprise;
    }
    assert!(surprise < 1.0, "{surprise}");
    assert!(log.alarms().len() <= 2, "{}", log.alarms().len());
}

#[test]
fn a_deploy_is_one_episode_at_most() {
    let mut log = Log::new();
    log.usual(20_000);
    for word in NUMBERS {
        log.line(
            2,
            Level::Info,
            &format!("{word} started the {word} component in {word} mode"),
        );
        log.usual(3);
    }
    assert!(log.alarms().len() <= 1, "{:?}", log.alarms());
    log.usual(1_000);
    let before = log.alarms().len();
    for word in NUMBERS {
        log.line(
            2,
            Level::Info,
            &format!("{word} started the {word} component in {word} mode"),
        );
    }
    assert_eq!(log.alarms().len(), before);
}

#[test]
fn errors_sound_worse_than_warnings_and_words_support_their_level() {
    let surprise = |level, message: &str| {
        let mut log = Log::new();
        log.usual(400);
        log.line(1, level, message).surprise
    };
    let plain = surprise(Level::Fatal, "FATAL register 17 at 0x10");
    let worse = surprise(Level::Fatal, "FATAL memory failed at 0x10");
    assert!(worse > plain + 0.5, "{worse} {plain}");
    let lines =
        [Level::Info, Level::Warn, Level::Error, Level::Fatal].map(|level| surprise(level, "the queue changed"));
    assert!(lines.is_sorted() && lines[0] < lines[3], "{lines:?}");
}
