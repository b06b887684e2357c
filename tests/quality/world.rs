//! Events that are made from a seed: three services that live, with all that makes a detector's life hard.

use watchpost_detector::{Event, Finite, Label, Level, LogRecord, Sample, Subject, Substitution, Timestamp, Value};

use super::random::Random;

pub(crate) const MINUTE: i64 = 60_000_000_000;

/// One event that owns what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Happening {
    pub(crate) time: Timestamp,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) values: Vec<(String, f64)>,
    pub(crate) line: Option<(Option<Level>, String, Option<String>)>,
}

impl Happening {
    pub(crate) fn row(time: Timestamp, values: &[(&str, f64)]) -> Self {
        Happening {
            time,
            labels: Vec::new(),
            values: values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
            line: None,
        }
    }

    pub(crate) fn line(time: Timestamp, level: Option<Level>, message: &str) -> Self {
        Happening {
            time,
            labels: Vec::new(),
            values: Vec::new(),
            line: Some((level, message.to_owned(), None)),
        }
    }

    pub(crate) fn is_line(&self) -> bool {
        self.line.is_some()
    }

    pub(crate) fn value(&self, metric: &str) -> f64 {
        self.values
            .iter()
            .find(|(name, _)| name == metric)
            .map(|(_, value)| *value)
            .unwrap()
    }

    pub(crate) fn set(&mut self, substitution: &Substitution) {
        self.values
            .iter_mut()
            .filter(|(name, _)| *name == substitution.of)
            .for_each(|(_, value)| *value = substitution.value);
    }

    pub(crate) fn with<T>(&self, then: impl FnOnce(&Event<'_>) -> T) -> T {
        let mut labels: Vec<Label<'_>> = self.labels.iter().map(|(name, value)| Label { name, value }).collect();
        let subject = Subject::new(&mut labels);
        if let Some((level, message, session)) = &self.line {
            let session = session.as_deref();
            return then(&Event::Log(LogRecord {
                time: self.time,
                subject,
                level: *level,
                message,
                session,
                fields: &[],
            }));
        }
        let values: Vec<Value<'_>> = self
            .values
            .iter()
            .map(|(metric, value)| Value {
                metric,
                value: Finite::new(*value).unwrap_or(Finite::new(0.0).unwrap()),
            })
            .collect();
        then(&Event::Sample(Sample {
            time: self.time,
            subject,
            values: &values,
        }))
    }

    /// Appends the event as a line of NDJSON.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut object = serde_json::Map::new();
        object.insert("timestamp".to_owned(), serde_json::to_value(self.time).unwrap());
        let labels = self
            .labels
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        object.insert("labels".to_owned(), serde_json::Value::Object(labels));
        if let Some((level, message, session)) = &self.line {
            object.insert("message".to_owned(), message.as_str().into());
            if let Some(level) = level {
                object.insert("level".to_owned(), level.name().into());
            }
            if let Some(session) = session {
                object.insert("session".to_owned(), session.as_str().into());
            }
        } else {
            let metrics = self
                .values
                .iter()
                .map(|(name, value)| (name.clone(), (*value).into()))
                .collect();
            object.insert("metrics".to_owned(), serde_json::Value::Object(metrics));
        }
        serde_json::to_writer(&mut *out, &object).unwrap();
        out.push(b'\n');
    }
}

/// Three services that live: rows and lines, quiet times and trouble, late and missing things, all from one seed.
pub(crate) struct World {
    random: Random,
    time: i64,
    trouble: [u64; 3],
    served: [f64; 3],
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        World {
            random: Random::new(seed),
            time: 1_800_000_000_000_000_000,
            trouble: [0; 3],
            served: [0.0; 3],
        }
    }

    pub(crate) fn take(&mut self, events: usize) -> Vec<Happening> {
        (0..events).map(|_| self.next()).collect()
    }

    pub(crate) fn next(&mut self) -> Happening {
        let random = &mut self.random;
        self.time += match random.below(40) {
            0 | 1 => 0,
            2 => -(random.below(90_000) as i64) * 1_000_000,
            3 => random.below(90) as i64 * MINUTE,
            _ => 5_000_000_000 + random.below(20_000) as i64 * 1_000_000,
        };
        let who = random.below(3) as usize;
        if self.trouble[who] == 0 && random.below(80) == 0 {
            self.trouble[who] = 1 + random.below(25);
        }
        let bad = self.trouble[who] > 0;
        self.trouble[who] = self.trouble[who].saturating_sub(1);
        let mut event = if random.below(5) < 3 {
            self.row(who, bad)
        } else {
            self.line(bad)
        };
        event.labels = vec![
            ("service".to_owned(), ["cart", "pay", "mail"][who].to_owned()),
            ("zone".to_owned(), "b".to_owned()),
        ];
        event
    }

    fn row(&mut self, who: usize, bad: bool) -> Happening {
        let random = &mut self.random;
        let factor = if bad { 5.0 } else { 1.0 };
        self.served[who] += (100.0 + random.normal()) * factor;
        if random.below(150) == 0 {
            self.served[who] = 0.0;
        }
        let mut row = Happening::row(
            Timestamp::from_nanos(self.time),
            &[
                ("latency_ms", (20.0 + 2.0 * random.normal()) * factor),
                ("requests_total", self.served[who].floor()),
                ("queue", (random.below(5) as f64) * factor),
                ("limit", 7.0),
                (
                    "temperature_celsius",
                    20.0 + (self.time / MINUTE % 1440) as f64 / 100.0 + 0.1 * random.heavy(),
                ),
            ],
        );
        row.values.retain(|_| random.below(25) > 0);
        row
    }

    fn line(&mut self, bad: bool) -> Happening {
        let random = &mut self.random;
        let number = random.below(5000);
        let (level, message) = match random.below(if bad { 12 } else { 9 }) {
            0..=3 => (
                Some(Level::Info),
                format!("request {number} served in {} ms", number / 7),
            ),
            4 | 5 => (
                Some(Level::Debug),
                format!("cache lookup key=item-{number} hit={}", number.is_multiple_of(2)),
            ),
            6 => (None, format!("worker {number} picked job {}", number % 17)),
            7 if number.is_multiple_of(9) => (Some(Level::Warn), format!("upstream slow, {number} ms")),
            8 if number.is_multiple_of(25) => (
                Some(Level::Info),
                ["reload", "rotate", "compact", "rebalance", "drain"][random.below(5) as usize].to_owned()
                    + " done for shard",
            ),
            7 | 8 => (Some(Level::Info), format!("session {number} kept")),
            _ => (
                Some(Level::Error),
                format!("error: connection to 10.0.0.{} refused", number % 250),
            ),
        };
        let mut line = Happening::line(Timestamp::from_nanos(self.time), level, &message);
        if let Some((_, _, session)) = &mut line.line {
            *session = (random.below(2) == 0).then(|| format!("s-{}", self.time / (4 * MINUTE)));
        }
        line
    }
}
