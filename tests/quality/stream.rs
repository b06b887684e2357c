//! What a case is made of: NDJSON as a program would send it, or requests that a detector sees as they are made, and
//! the truth about it.

use std::fmt::Write;

use watchpost_detector::{Config, Detector, Event, Report, Request, Timestamp};

use super::random::Random;

pub(crate) const MINUTE: i64 = 60;
pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 86_400;

/// 2026-03-02T00:00:00Z, a Monday.
const START: i64 = 1_772_409_600;

/// The events of a case.
pub(crate) struct Stream {
    pub(crate) random: Random,
    pub(crate) text: String,
    /// The times of the events, in seconds from the start.
    pub(crate) times: Vec<i64>,
    pub(crate) trouble: Option<Trouble>,
    /// Before this time nobody can know what is ordinary here, and alarms are not counted.
    pub(crate) known_from: i64,
    /// Where in the text the detector is told to learn no more.
    pub(crate) frozen_from: Option<usize>,
    /// Who sees the requests, and what it has said of them.
    pub(crate) watch: Option<Box<Detector>>,
    pub(crate) reports: Vec<Report>,
}

/// When something is wrong, in seconds from the start, and whom an alarm has to name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trouble {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) service: Option<&'static str>,
    /// Metrics of which an explanation has to name one; none where any will do.
    pub(crate) metrics: &'static [&'static str],
    /// The route, upstream or client of requests that it has to name, and no other of them.
    pub(crate) only: Option<&'static [(&'static str, &'static str)]>,
}

impl Stream {
    pub(crate) fn new(seed: u64) -> Self {
        Stream {
            random: Random::new(seed),
            text: String::new(),
            times: Vec::new(),
            trouble: None,
            known_from: 0,
            frozen_from: None,
            watch: None,
            reports: Vec::new(),
        }
    }

    /// Trouble that begins at some time of the third day and is this long.
    pub(crate) fn trouble(&mut self, seconds: i64) -> Trouble {
        let at = 2 * DAY + self.random.below(18 * 60) as i64 * MINUTE;
        self.trouble_at(at, seconds)
    }

    pub(crate) fn trouble_at(&mut self, from: i64, seconds: i64) -> Trouble {
        let trouble = Trouble {
            from,
            to: from + seconds,
            service: None,
            metrics: &[],
            only: None,
        };
        self.trouble = Some(trouble);
        trouble
    }

    /// Says whom an alarm has to name.
    pub(crate) fn names(&mut self, service: Option<&'static str>, metrics: &'static [&'static str]) {
        if let Some(trouble) = &mut self.trouble {
            (trouble.service, trouble.metrics) = (service, metrics);
        }
    }

    /// Says which of route, upstream and client an alarm has to name, and that it may name no other.
    pub(crate) fn names_only(&mut self, only: &'static [(&'static str, &'static str)]) {
        if let Some(trouble) = &mut self.trouble {
            trouble.only = Some(only);
        }
    }

    /// From here on nothing is learned any more.
    pub(crate) fn freeze(&mut self) {
        self.frozen_from = Some(self.text.len());
    }

    /// Appends a row of metrics, rounded as exporters do.
    pub(crate) fn row(&mut self, time: i64, service: &str, values: &[(&str, f64)]) {
        self.open(time, service);
        for (name, value) in values {
            let rounded = (value * 1000.0).round() / 1000.0;
            let _ = write!(self.text, ",\"{name}\":{rounded}");
        }
        self.text.push_str("}\n");
    }

    /// Appends a log line.
    pub(crate) fn line(&mut self, time: i64, service: &str, level: &str, message: &str) {
        self.open(time, service);
        let _ = writeln!(self.text, ",\"level\":\"{level}\",\"message\":\"{message}\"}}");
    }

    /// Appends a log line of a session.
    pub(crate) fn step(&mut self, time: i64, session: &str, message: &str) {
        self.open(time, "shop");
        let _ = writeln!(self.text, ",\"session\":\"{session}\",\"message\":\"{message}\"}}");
    }

    /// Shows a request to the detector. Of each second one is remembered.
    pub(crate) fn request(&mut self, time: i64, request: &Request<'_>) {
        if self.times.last() != Some(&time) {
            self.times.push(time);
        }
        let watch = self.watch.get_or_insert_with(new);
        watch.observe(&Event::Request(*request), &mut self.reports);
    }

    /// Time goes on, whether or not requests come.
    pub(crate) fn tick(&mut self, time: i64) {
        self.times.push(time);
        let watch = self.watch.get_or_insert_with(new);
        watch.tick(Self::moment(time + 1), &mut self.reports);
    }

    pub(crate) fn moment(time: i64) -> Timestamp {
        Timestamp::from_seconds(START + time)
    }

    fn open(&mut self, time: i64, service: &str) {
        self.times.push(time);
        let _ = write!(self.text, "{{\"time\":{},\"service\":\"{service}\"", START + time);
    }

    /// For how many days alarms are counted.
    pub(crate) fn days(&self) -> f64 {
        let last = self.times.iter().max().copied().unwrap_or(0);
        (last - self.known_from) as f64 / DAY as f64
    }
}

fn new() -> Box<Detector> {
    Box::new(Detector::new(Config::default()))
}

impl Trouble {
    pub(crate) fn holds(&self, time: i64) -> bool {
        (self.from..self.to).contains(&time)
    }

    /// The part of it that is over, from 0 to 1.
    pub(crate) fn part(&self, time: i64) -> f64 {
        ((time - self.from) as f64 / (self.to - self.from) as f64).clamp(0.0, 1.0)
    }
}

/// Seconds from the start of the nanoseconds of an event.
pub(crate) fn since_start(nanos: i64) -> i64 {
    nanos.div_euclid(1_000_000_000) - START
}

/// The load of a day: −1 at four in the morning, 1 at four in the afternoon, round in between (Bhaskara's
/// approximation of the sine).
pub(crate) fn daily(time: i64) -> f64 {
    let phase = (time - 10 * HOUR).rem_euclid(DAY) as f64 / DAY as f64 * 2.0;
    let (x, sign) = if phase < 1.0 { (phase, 1.0) } else { (phase - 1.0, -1.0) };
    let bow = x * (1.0 - x);
    sign * 16.0 * bow / (5.0 - 4.0 * bow)
}

/// 1 on workdays and 0 at weekends, going over within six hours around midnight.
pub(crate) fn workday(time: i64) -> f64 {
    let week = (time + 3 * HOUR).rem_euclid(7 * DAY);
    let over = |from: i64| ((week - from) as f64 / (6 * HOUR) as f64).clamp(0.0, 1.0);
    if week < DAY { over(0) } else { 1.0 - over(5 * DAY) }
}
