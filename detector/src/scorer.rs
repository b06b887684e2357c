//! Bytes in, verdicts out: a reader and a detector. This is what the engine, the browser and the native
//! run of the command line have in common, so that all of them write the same bytes.

mod held;
mod line;
mod seen;

use std::borrow::Cow;

use memchr::memchr;
use serde::{Deserialize, Serialize};

use crate::config::{Config, ConfigError, parse};
use crate::detector::{Detector, Report, Status};
use crate::event::Timestamp;
use crate::order;
use crate::snapshot::SnapshotError;
use crate::verdict::{Fingerprint, Label, score};
use crate::wire::{Format, Found, Reader, Row};
use held::{Held, LineRow};
pub use line::{Line, Problem, RowVerdict, SessionVerdict};
pub use seen::{Group, Seen};

/// One input: how it is read, what it is for and what is written about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// How the bytes are read.
    pub format: Format,
    /// Whether the rows are scored or only learned from.
    #[serde(default)]
    pub role: Role,
    /// What is written.
    #[serde(default)]
    pub emit: Emit,
    /// The file's name where the input is a file: a container's log is called after the container, which is the
    /// service of the lines that name none.
    #[serde(default)]
    pub source: Option<String>,
    /// How far rows without a time are taken to be apart.
    #[serde(default)]
    pub interval_seconds: Interval,
    /// CSV: the columns that form the subject; without it every text column does.
    #[serde(default)]
    pub subject: Option<Vec<String>>,
    /// The year of times that name none, as in syslog.
    #[serde(default = "unknown_year")]
    pub year: i16,
    /// When the input is read. Times that name no year and would be more than a day after it are of the year before.
    #[serde(default)]
    pub read_at: Option<Timestamp>,
    /// Feedback on rows of this input, learned from right after the row.
    #[serde(default)]
    pub answers: Vec<Answer>,
    /// Every line is a row of its own, which is answered before the next one is looked at: for who passes lines on.
    /// Lines are not joined to records then, and of a line that holds several events the strangest one counts.
    #[serde(default)]
    pub line_by_line: bool,
}

fn unknown_year() -> i16 {
    1970
}

impl Input {
    /// An input of this format with every other thing as it is by default.
    pub fn new(format: Format) -> Self {
        Input {
            format,
            role: Role::default(),
            emit: Emit::default(),
            source: None,
            interval_seconds: Interval::default(),
            subject: None,
            year: unknown_year(),
            read_at: None,
            answers: Vec::new(),
            line_by_line: false,
        }
    }

    /// Reads an input's description from JSON.
    ///
    /// # Errors
    /// Names the field, the line and the column of the first thing that is wrong.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        parse(text)
    }
}

/// What an input is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// History: learned from and not scored.
    WarmUp,
    /// Scored, and learned from.
    #[default]
    Score,
}

/// What is written about an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Emit {
    /// A line for every row.
    Rows,
    /// A line for every onset of an episode, whenever it becomes worse, and for its end.
    #[default]
    Anomalies,
    /// Both, each anomaly before the row that caused it.
    All,
}

/// The assumed time between rows, in seconds: from a nanosecond to a year.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Interval(f64);

impl Interval {
    /// The time in seconds.
    pub fn seconds(self) -> f64 {
        self.0
    }
}

impl Default for Interval {
    fn default() -> Self {
        Interval(60.0)
    }
}

impl TryFrom<f64> for Interval {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Self, String> {
        if (1e-9..=31_536_000.0).contains(&seconds) {
            Ok(Interval(seconds))
        } else {
            Err(format!(
                "{seconds} is not an interval in seconds: give a number above 0 and at most 31536000 (a year)"
            ))
        }
    }
}

impl From<Interval> for f64 {
    fn from(interval: Interval) -> f64 {
        interval.0
    }
}

/// What a person said of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The row, counted from 0 over all scored inputs.
    pub row: u64,
    /// What was said.
    pub label: Label,
}

/// The configuration of a host: the detector's part is the same everywhere.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    /// The detector's configuration.
    pub detector: Config,
}

/// A scorer that cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The configuration cannot be used.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The snapshot cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// Scores inputs, one after the other, with one detector.
#[derive(Debug)]
pub struct Scorer {
    detector: Detector,
    reader: Option<Reader>,
    role: Role,
    emit: Emit,
    /// What has been said of the line that is being read, where every line is a row.
    line: Option<Box<LineRow>>,
    /// Sorted so that the next one is the last.
    answers: Vec<Answer>,
    next_row: u64,
    /// The row of the last event, which the lines after it may continue.
    last_event: u64,
    interval: Interval,
    reports: Vec<Report>,
    /// The time of the last event that the detector had seen when it came here.
    resumed: Option<Timestamp>,
    events: u64,
    /// Of these, those that are older than that.
    old: u64,
}

/// Says that an answer came to nothing, and why.
fn unused(row: u64, why: &str) -> Line {
    Line::Note {
        note: format!("nothing is learned from the feedback on row {row}: {why}"),
        row: Some(row),
        format: None,
    }
}

impl Scorer {
    /// A scorer with a detector that has seen nothing, or that goes on where another one stopped.
    pub fn new(detector: Detector) -> Self {
        Scorer {
            resumed: detector.now(),
            detector,
            reader: None,
            role: Role::default(),
            emit: Emit::default(),
            line: None,
            answers: Vec::new(),
            next_row: 0,
            last_event: 0,
            interval: Interval::default(),
            reports: Vec::new(),
            events: 0,
            old: 0,
        }
    }

    /// A scorer from a configuration document, `{"detector": {…}}` in JSON (empty: all defaults), and the snapshot
    /// to go on from, if there is one.
    ///
    /// # Errors
    /// When the document or the snapshot cannot be used.
    pub fn open(document: &str, snapshot: Option<&[u8]>) -> Result<Self, OpenError> {
        let document = if document.trim().is_empty() {
            Document::default()
        } else {
            parse(document)?
        };
        Ok(Self::new(match snapshot {
            Some(snapshot) => Detector::restore(document.detector, snapshot)?,
            None => Detector::new(document.detector),
        }))
    }

    /// Begins an input. What came before it is over: call [`Scorer::finish`] first.
    pub fn begin(&mut self, input: Input) {
        self.reader = Some(Reader::new(&input, self.detector.now()));
        self.role = input.role;
        self.emit = input.emit;
        self.line = input.line_by_line.then(Box::default);
        self.interval = input.interval_seconds;
        self.answers = input.answers;
        order::sort_by_key(&mut self.answers, |answer| !answer.row);
        self.detector.set_scoring(matches!(input.role, Role::Score));
        self.detector.begin_input();
    }

    /// What comes from now on happened at this time, as far as it does not tell its own: for hosts that know when a
    /// record was made.
    pub fn set_time(&mut self, time: Timestamp) {
        if let Some(reader) = &mut self.reader {
            reader.set_time(time);
        }
    }

    /// Reads a chunk of the input, cut anywhere, and appends what is to be said about it.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        self.push_seen(chunk, out, &mut unseen);
    }

    /// The same, and shows every event with its verdict, and every anomaly that is told.
    pub fn push_seen(&mut self, chunk: &[u8], out: &mut Vec<u8>, seen: &mut impl FnMut(Seen<'_>)) {
        let Some(mut reader) = self.reader.take() else {
            return;
        };
        if self.line.is_some() {
            self.push_lines(chunk, &mut reader, out, seen);
        } else {
            reader.read(chunk, &mut |row| self.row(row, out, seen));
        }
        self.reader = Some(reader);
    }

    fn push_lines(&mut self, chunk: &[u8], reader: &mut Reader, out: &mut Vec<u8>, seen: &mut impl FnMut(Seen<'_>)) {
        let found = match reader.find_out(chunk, &mut |row| self.row(row, out, seen)) {
            Found::Already => None,
            Found::Not => return,
            Found::Now(bytes) => Some(bytes),
        };
        let mut rest = found.as_deref().unwrap_or(chunk);
        while let Some((line, after)) = memchr(b'\n', rest).and_then(|end| rest.split_at_checked(end + 1)) {
            reader.read(line, &mut |row| self.row(row, out, seen));
            reader.end_line(&mut |row| self.row(row, out, seen));
            self.end_line(out);
            rest = after;
        }
        if !rest.is_empty() {
            reader.read(rest, &mut |row| self.row(row, out, seen));
            if let Some(line) = &mut self.line {
                line.begun = true;
            }
        }
    }

    /// Nothing more has come for a while: a record that waits for its continuation is taken as it stands, and so is
    /// the beginning of an input whose format is not clear.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        if let Some(mut reader) = self.reader.take() {
            reader.flush(&mut |row| self.row(row, out, &mut unseen));
            self.reader = Some(reader);
        }
    }

    /// The input is over.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.finish_seen(out, &mut unseen);
    }

    /// The same, and shows what was still to be seen.
    pub fn finish_seen(&mut self, out: &mut Vec<u8>, seen: &mut impl FnMut(Seen<'_>)) {
        let Some(mut reader) = self.reader.take() else {
            return;
        };
        reader.finish(&mut |row| self.row(row, out, seen));
        if self.line.as_ref().is_some_and(|line| line.begun || line.rows > 0) {
            self.end_line(out);
        }
        if let Some(year) = reader.assumed_year() {
            let note = format!("times that name no year are taken to be of {year}; --year sets another one");
            let (row, format) = (None, None);
            write(out, &Line::Note { note, row, format });
        }
        if reader.assumed_interval() {
            write(
                out,
                &Line::Note {
                    note: format!(
                        "rows without a time are taken to be {} s apart; --interval sets another time",
                        reader.interval_seconds()
                    ),
                    row: None,
                    format: None,
                },
            );
        }
    }

    /// Everything is over: episodes and sessions that are still open are reported as they stand, and notes tell what was
    /// configured for nothing.
    pub fn close(&mut self, out: &mut Vec<u8>) {
        self.close_seen(out, &mut unseen);
    }

    /// The same, and shows the anomalies that are told.
    pub fn close_seen(&mut self, out: &mut Vec<u8>, seen: &mut impl FnMut(Seen<'_>)) {
        self.detector.close(&mut self.reports);
        self.report(out, seen);
        let old = self.resumed.filter(|_| self.old > 0).map(|time| {
            format!(
                "{} of {} events are older than the last one of the state ({time}): they were scored and learned from \
                 like new ones, so that what the state has seen before now counts twice: give each event once, or start \
                 without the state",
                self.old, self.events
            )
        });
        for note in old.into_iter().chain(self.detector.unused()) {
            write(
                out,
                &Line::Note {
                    note,
                    row: None,
                    format: None,
                },
            );
        }
        let rows = self.next_row;
        let why = format!("there are only {rows} rows, counted from 0 over all inputs");
        for answer in self.answers.drain(..).rev().filter(|answer| answer.row >= rows) {
            write(out, &unused(answer.row, &why));
        }
    }

    /// Time goes on without events: windows close, and silence is noticed. A record that waits for its continuation
    /// is taken as it stands.
    pub fn tick(&mut self, now: Timestamp, out: &mut Vec<u8>) {
        self.flush(out);
        self.detector.tick(now, &mut self.reports);
        self.report(out, &mut unseen);
    }

    /// The whole state, to go on from later.
    pub fn snapshot(&self) -> Vec<u8> {
        self.detector.snapshot()
    }

    /// Where the detector stands.
    pub fn status(&self) -> Status {
        self.detector.status()
    }

    fn row(&mut self, row: Row<'_>, out: &mut Vec<u8>, seen: &mut impl FnMut(Seen<'_>)) {
        if let Row::Found(format, note) = row {
            let (row, format) = (None, Some(format));
            write(out, &Line::Note { note, row, format });
            return;
        }
        let number = self.next_row;
        let mut line = RowVerdict::blank(number);
        let held = match row {
            Row::Event(event) => {
                self.events += 1;
                self.old += u64::from(self.resumed.is_some_and(|resumed| event.time() < resumed));
                let verdict = self.detector.observe(&event, &mut self.reports);
                self.last_event = number;
                self.report(out, seen);
                line = RowVerdict::new(number, &verdict);
                let template = self.detector.template(&verdict);
                if let Some((template, id)) = template {
                    line.template = Some(Cow::Borrowed(template));
                    line.template_id = Some(Fingerprint(id));
                }
                if matches!(self.role, Role::Score) {
                    seen(Seen::Event {
                        row: number,
                        event: &event,
                        verdict: &verdict,
                        group: Group::of(&event, template, &self.detector),
                    });
                }
                Held::Event(verdict.fingerprint)
            }
            Row::Continues => Held::Continues(self.last_event),
            Row::Blank | Row::Found(..) => Held::Nothing("the row is blank"),
            Row::Bad(problem) => {
                write(out, &Line::Problem { problem });
                Held::Nothing("the row could not be read")
            }
        };
        if matches!(self.role, Role::WarmUp) {
            return;
        }
        if let Some(line_row) = &mut self.line {
            line_row.take(&line, held);
            return;
        }
        if matches!(self.emit, Emit::Rows | Emit::All) {
            held.write(&line, out);
        }
        drop(line);
        self.end_row(held, out);
    }

    /// A line is over that is a row whatever it held.
    fn end_line(&mut self, out: &mut Vec<u8>) {
        let number = self.next_row;
        let Some(line) = &mut self.line else { return };
        line.begun = false;
        if matches!(self.role, Role::WarmUp) {
            return;
        }
        if line.rows == 0 {
            line.take(&RowVerdict::blank(number), Held::default());
        }
        line.rows = 0;
        if matches!(self.emit, Emit::Rows | Emit::All) {
            out.extend_from_slice(&line.said);
        }
        let held = line.held;
        self.end_row(held, out);
    }

    /// The row is said: people may have an answer to it.
    fn end_row(&mut self, held: Held, out: &mut Vec<u8>) {
        let number = self.next_row;
        self.next_row += 1;
        while let Some(answer) = self.answers.pop_if(|answer| answer.row <= number) {
            if answer.row != number {
                continue;
            }
            match held {
                Held::Event(fingerprint) => self.detector.feedback(fingerprint, answer.label),
                Held::Nothing(why) => write(out, &unused(number, why)),
                Held::Continues(first) => {
                    let why = format!("the row continues row {first}, which is the one to answer");
                    write(out, &unused(number, &why));
                }
            }
        }
    }

    /// The row of a time that was assumed, which is one in the first year of all: rows are one interval apart then.
    fn row_at(&self, time: Timestamp) -> Option<u64> {
        let now = self.detector.now()?;
        let is_assumed = |time: Timestamp| (0..FIRST_YEAR).contains(&time.nanos());
        if !is_assumed(now) || !is_assumed(time) {
            return None;
        }
        let rows = libm::round(now.seconds_since(time) / self.interval.seconds());
        self.last_event.checked_sub(rows as u64)
    }

    fn report(&mut self, out: &mut Vec<u8>, seen: &mut impl FnMut(Seen<'_>)) {
        for report in std::mem::take(&mut self.reports) {
            match report {
                Report::Anomaly(mut anomaly) => {
                    if matches!(self.emit, Emit::Anomalies | Emit::All) {
                        anomaly.row = self.row_at(anomaly.timestamp);
                        let start = out.len();
                        write(out, &anomaly);
                        let line = out.get(start..).unwrap_or_default();
                        seen(Seen::Told {
                            anomaly: &anomaly,
                            line,
                        });
                    }
                }
                Report::Session {
                    session,
                    surprise,
                    anomalous,
                    lines,
                    unfinished,
                    evidence,
                } => {
                    let line = SessionVerdict {
                        session,
                        score: score(surprise),
                        surprise,
                        anomaly: anomalous,
                        lines,
                        unfinished,
                        evidence,
                    };
                    if matches!(self.emit, Emit::Rows | Emit::All) || anomalous {
                        write(out, &line);
                    }
                }
            }
        }
    }
}

/// Nobody looks: what is shown then costs nothing.
fn unseen(_: Seen<'_>) {}

/// In nanoseconds. No event is known to be of that year.
const FIRST_YEAR: i64 = 31_536_000_000_000_000;

fn write<T: Serialize>(out: &mut Vec<u8>, line: &T) {
    json(out, line);
    out.push(b'\n');
}

/// Writes as JSON.
pub(crate) fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(&mut *out, value).expect("these types have string keys only, and a Vec takes every byte");
}
