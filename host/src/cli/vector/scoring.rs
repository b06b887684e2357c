//! The verdicts on a batch.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU64;

use bytes::Bytes;
use serde::Deserialize;
use watchpost::engine::{Engine, EngineError};
use watchpost_detector::wire::MAX_LINE_BYTES;
use watchpost_detector::{Emit, FieldName, Input, Pass, Phase, Relay, RelayConfig, Relayed};

use crate::cli::console::Console;
use crate::cli::page::words;
use crate::cli::verdicts::{self, Said};

use super::batch::{self, Place};
use super::schema::{Kind, Timestamp, Value};

/// The engine is given so many bytes at once.
const CHUNK: usize = 256 * 1024;

/// So many events that could not be read are told of; the rest is counted.
const SHOWN_PROBLEMS: u64 = 10;

/// The batch is no `PushEventsRequest`.
#[derive(Debug)]
pub(super) struct Unreadable(prost::DecodeError);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the batch cannot be read: {}", self.0)
    }
}

/// How verdicts are told.
#[derive(Debug, Clone)]
pub(super) struct Telling {
    /// The field, in events and in log events of our own.
    pub(super) field: FieldName,
    /// Events get the field.
    pub(super) in_events: bool,
    /// Alarms become log events of their own.
    pub(super) as_events: bool,
}

/// An engine that scores batches.
pub(super) struct Scoring {
    engine: Engine,
    input: Input,
    relay: Relay,
    telling: Telling,
    /// Events that could not be given to the engine.
    unread: u64,
    problems: u64,
}

/// What becomes of a part of a batch.
enum Fate {
    AsItCame,
    LeftOut,
    Judged(serde_json::Value),
}

/// What the relay passes on of the line that stands for an event.
#[derive(Deserialize)]
struct Passed {
    /// The part that is the event.
    part: usize,
    /// Nothing, when the event could not be read.
    #[serde(default)]
    verdict: serde_json::Value,
}

impl Scoring {
    /// The engine has begun no input yet.
    pub(super) fn new(
        engine: Engine,
        input: Input,
        pass: Pass,
        sample: Option<NonZeroU64>,
        telling: Telling,
    ) -> anyhow::Result<Self> {
        let field = FieldName::try_from("verdict".to_owned()).map_err(anyhow::Error::msg)?;
        let mut scoring = Scoring {
            engine,
            input: Input {
                line_by_line: true,
                emit: Emit::All,
                ..input
            },
            relay: Relay::new(RelayConfig {
                pass,
                sample,
                annotate: Some(field),
                ..RelayConfig::default()
            }),
            telling,
            unread: 0,
            problems: 0,
        };
        scoring.engine.begin(&scoring.input)?;
        Ok(scoring)
    }

    /// Goes on with another engine.
    pub(super) fn restart(&mut self, engine: Engine) -> Result<(), EngineError> {
        self.engine = engine;
        self.engine.begin(&self.input)
    }

    pub(super) fn snapshot(&mut self) -> Result<Vec<u8>, EngineError> {
        self.engine.snapshot()
    }

    /// What was done, in a sentence.
    pub(super) fn summary(&self) -> String {
        let Relayed {
            lines,
            anomalous,
            unread,
            passed,
            sampled,
        } = self.relay.relayed();
        let sampled = match sampled {
            0 => String::new(),
            sampled => format!(", {} of them as a sample", words::count(sampled)),
        };
        let unread = match unread + self.unread {
            0 => String::new(),
            unread => format!("; {} could not be read", words::count(unread)),
        };
        format!(
            "passed {} of {} on{sampled}; {} anomalous{unread}",
            words::count(passed + self.unread),
            words::counted(lines + self.unread, "event"),
            words::count(anomalous),
        )
    }

    /// Scores the events of a request; returns the request that is passed on, which is empty when nothing is.
    ///
    /// # Errors
    /// When the engine fails; it cannot be used any more then.
    pub(super) fn score(
        &mut self,
        request: &Bytes,
        console: &Console,
    ) -> Result<Result<Bytes, Unreadable>, EngineError> {
        let parts = match batch::parts(request) {
            Ok(parts) => parts,
            Err(error) => return Ok(Err(Unreadable(error))),
        };
        let mut fates = Vec::with_capacity(parts.len());
        let mut places = Vec::with_capacity(parts.len());
        let mut alarms = Vec::new();
        let (mut lines, mut stand_ins) = (Vec::new(), Vec::new());
        for (at, part) in parts.iter().enumerate() {
            let place = part.event.as_ref().and_then(|event| line(event, &mut lines));
            places.push(place.unwrap_or(Place::Nowhere));
            if place.is_some() {
                fates.push(Fate::LeftOut);
                stand_ins.extend_from_slice(format!("{{\"part\":{at}}}\n").as_bytes());
            } else {
                fates.push(Fate::AsItCame);
                self.unread += u64::from(part.event.is_some());
            }
            if lines.len() >= CHUNK {
                self.chunk(&lines, &stand_ins, &mut fates, &mut alarms, console)?;
                lines.clear();
                stand_ins.clear();
            }
        }
        self.chunk(&lines, &stand_ins, &mut fates, &mut alarms, console)?;
        let mut out = Vec::with_capacity(request.len() + request.len() / 2);
        for ((part, place), fate) in parts.iter().zip(places).zip(fates) {
            let addition = match fate {
                Fate::LeftOut => continue,
                Fate::Judged(verdict) if self.telling.in_events => place.addition(self.telling.field.as_str(), verdict),
                Fate::Judged(_) | Fate::AsItCame => None,
            };
            match (&part.event, addition) {
                (Some(event), Some(addition)) => batch::write(event, &addition, &mut out),
                _ => part.pass(&mut out),
            }
        }
        for alarm in alarms {
            batch::write_log(alarm_event(self.telling.field.as_str(), alarm), &mut out);
        }
        Ok(Ok(out.into()))
    }

    /// Scores whole lines and notes what becomes of the parts that they are.
    fn chunk(
        &mut self,
        lines: &[u8],
        stand_ins: &[u8],
        fates: &mut [Fate],
        alarms: &mut Vec<serde_json::Value>,
        console: &Console,
    ) -> Result<(), EngineError> {
        let (mut said, mut passed, mut aside) = (Vec::new(), Vec::new(), Vec::new());
        self.engine.push(lines, &mut said)?;
        if self.telling.as_events {
            alarms.extend(verdicts::lines(&said).filter_map(alarm));
        }
        // What is passed on is not the line but the event, so the relay need not see more of it than its number.
        self.relay.pass(stand_ins, &said, &mut passed, &mut aside);
        for Passed { part, verdict } in json_lines(&passed) {
            if let Some(fate) = fates.get_mut(part) {
                *fate = match verdict {
                    serde_json::Value::Null => Fate::AsItCame,
                    verdict => Fate::Judged(verdict),
                };
            }
        }
        for said in verdicts::lines(&aside) {
            self.tell(said, console);
        }
        Ok(())
    }

    fn tell(&mut self, said: anyhow::Result<Said<'_>>, console: &Console) {
        match said {
            Ok(Said::Note(note, _)) => console.note(words::plain(&note)),
            Ok(Said::Problem(problem)) => {
                self.problems += 1;
                if self.problems <= SHOWN_PROBLEMS {
                    let field = problem.field.map(|field| format!("{}: ", words::plain(&field)));
                    let message = words::plain(&problem.message);
                    console.problem(format_args!(
                        "event {}: {}{message}",
                        problem.line,
                        field.unwrap_or_default()
                    ));
                }
                if self.problems == SHOWN_PROBLEMS {
                    console.problem("of events that cannot be read from here on only the number is told, at the end");
                }
            }
            _ => {}
        }
    }
}

/// Appends the line that an event is for the engine, and returns where its verdict is written. What is too long to be
/// judged, or is no event that we know, is left as it is.
fn line(event: &Bytes, lines: &mut Vec<u8>) -> Option<Place> {
    if event.len() > MAX_LINE_BYTES {
        return None;
    }
    let event = batch::read(event)?;
    let start = lines.len();
    let written = serde_json::to_writer(&mut *lines, &event);
    if written.is_err() || lines.len() - start > MAX_LINE_BYTES {
        lines.truncate(start);
        return None;
    }
    lines.push(b'\n');
    Some(Place::of(&event))
}

fn json_lines<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> impl Iterator<Item = T> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
}

/// What is told of its own: what `watchpost score --output ndjson` prints, and sessions that are anomalous.
fn alarm(said: anyhow::Result<Said<'_>>) -> Option<serde_json::Value> {
    let line = match said.ok()? {
        Said::Anomaly(line, anomaly) if matches!(anomaly.phase, Phase::Onset | Phase::Worse | Phase::Near) => line,
        Said::Session(line, session) if session.anomaly => line,
        _ => return None,
    };
    serde_json::from_slice(line).ok()
}

/// The fields of the log event that an alarm is: all that is told of it below the field, what it is in short, and when.
fn alarm_event(field: &str, alarm: serde_json::Value) -> BTreeMap<String, Value> {
    let text = |name: &str| alarm.get(name).and_then(serde_json::Value::as_str);
    let message = match text("session") {
        Some(session) => format!("the session {session} is anomalous"),
        None => {
            let subject = alarm.get("subject").and_then(serde_json::Value::as_object);
            let labels = subject.into_iter().flatten();
            let labels = labels.filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)));
            let [severity, kind, phase] = ["severity", "kind", "phase"].map(|name| text(name).unwrap_or_default());
            match labels.collect::<Vec<_>>().join(" ") {
                labels if labels.is_empty() => format!("{severity} {kind}: {phase}"),
                labels => format!("{severity} {kind} of {labels}: {phase}"),
            }
        }
    };
    let time = text("timestamp").and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let mut fields = BTreeMap::from([("message".to_owned(), Value::from(serde_json::Value::from(message)))]);
    if let Some(time) = time {
        let kind = Some(Kind::Timestamp(Timestamp {
            seconds: time.as_second(),
            nanos: time.subsec_nanosecond(),
        }));
        fields.insert("timestamp".to_owned(), Value { kind });
    }
    fields.insert(field.to_owned(), Value::from(alarm));
    fields
}
