//! Bytes to events: one format per file. What cannot be read is a [`Problem`] that names line and field;
//! the good lines around it are still read.
//!
//! All formats take a byte order mark at the start, lines that end in `\n` or `\r\n`, and a last line
//! without its end. Times are RFC 3339, or `2026-11-20 09:00:00` with or without a zone (UTC where there is
//! none), or a number since 1970: seconds, milliseconds, microseconds or nanoseconds, told apart by their
//! magnitude (below 10^11, 10^14, 10^17, and above). They are passed on as they are, in any order.
//!
//! Rows without a time are one interval apart, until a row of the same input states a time; from then on a
//! row without one belongs to the moment of the row before it. Where the format is found out, rows before the first
//! time that is seen in doing so are of that time.

pub mod access;
pub mod csv;
mod detect;
pub mod envelope;
pub mod envoy;
mod json;
pub mod kubernetes;
mod lines;
pub mod logfmt;
mod naming;
pub(crate) mod native_json;
pub mod ndjson;
pub mod otlp;
mod payload;
mod points;
pub mod prometheus;
pub(crate) mod quantity;
mod record;
mod service;
pub mod syslog;
mod tape;
pub mod text;
mod time;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::event::{Event, Label, Subject, Timestamp};
use crate::scorer::{Input, Problem};

/// The formats of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Found out from the first lines of the input.
    Auto,
    /// JSON objects of any schema, one a line or spread over several: our own events, the logs of libraries, Envoy
    /// and collectors, `raw_log` envelopes, request bodies.
    Ndjson,
    /// Comma-separated values with a header row.
    Csv,
    /// Log lines of any kind.
    Text,
    /// `key=value` pairs.
    Logfmt,
    /// RFC 3164 and RFC 5424.
    Syslog,
    /// Access logs of Apache and nginx: common, combined, and with what is often added behind them.
    Access,
    /// Envoy's default access log in text; in JSON it is [`Format::Ndjson`].
    Envoy,
    /// The container runtimes' own format (CRI); Docker's json-file is [`Format::Ndjson`].
    Kubernetes,
    /// OTLP in JSON: logs and metrics.
    Otlp,
    /// Prometheus' text exposition, and OpenMetrics.
    Prometheus,
    /// Vector's events: logs, metrics and traces.
    NativeJson,
}

/// One row of the input.
#[derive(Debug)]
pub enum Row<'a> {
    /// An event.
    Event(Event<'a>),
    /// A line that continues the record of the [`Row::Event`] before it. The event of a record of several lines is
    /// handed on when the record is complete, and then one of these for each of its further lines.
    Continues,
    /// A row without content, for example a blank line of a log: nothing is lost, and nothing is said.
    Blank,
    /// No row at all: the format that was found, and in words what it is.
    Found(Format, String),
    /// A row that could not be read.
    Bad(Problem),
}

/// Longer lines are a problem, not an event: memory is bounded by configuration, never by input.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// Whether the format of an input is known.
pub(crate) enum Found {
    /// It was before.
    Already,
    /// From now on; these bytes have come so far and are to be read.
    Now(Vec<u8>),
    /// Not even a line has come.
    Not,
}

/// A format's reader: bytes in, in chunks cut anywhere, rows out in order.
#[derive(Debug)]
pub struct Reader {
    decoder: Decoder,
    clock: Clock,
}

/// Every decoder has `read(chunk, clock, each)` for bytes cut anywhere, `flush(clock, each)` to hand on a record that
/// waits for its continuation, and `finish(clock, each)` for the end of the input.
#[derive(Debug)]
enum Decoder {
    Auto(Box<detect::Auto>),
    Ndjson(Box<ndjson::Ndjson>),
    /// Boxed for its size: a table of states is part of it.
    Csv(Box<csv::Csv>),
    Logfmt(Box<logfmt::Logfmt>),
    Text(Box<text::Text>),
    Prometheus(Box<prometheus::Prometheus>),
}

impl Decoder {
    fn new(format: Format, input: &Input) -> Self {
        match format {
            Format::Auto => Decoder::Auto(Box::new(detect::Auto::new(input))),
            Format::Ndjson | Format::Otlp | Format::NativeJson => Decoder::Ndjson(Box::new(ndjson::Ndjson::new(input))),
            Format::Csv => Decoder::Csv(Box::new(csv::Csv::new(input))),
            Format::Logfmt => Decoder::Logfmt(Box::new(logfmt::Logfmt::new(input))),
            Format::Prometheus => Decoder::Prometheus(Box::default()),
            // The formats of lines get readers of their own here as they come.
            Format::Text | Format::Syslog | Format::Access | Format::Envoy | Format::Kubernetes => {
                Decoder::Text(Box::new(text::Text::new(input)))
            }
        }
    }

    /// Reads a chunk; the format, where it was to be found out and is clear now.
    fn read(&mut self, chunk: &[u8], clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) -> Option<detect::Found> {
        match self {
            Decoder::Auto(auto) => return auto.read(chunk),
            Decoder::Ndjson(ndjson) => ndjson.read(chunk, clock, each),
            Decoder::Csv(csv) => csv.read(chunk, clock, each),
            Decoder::Logfmt(logfmt) => logfmt.read(chunk, clock, each),
            Decoder::Text(text) => text.read(chunk, clock, each),
            Decoder::Prometheus(prometheus) => prometheus.read(chunk, clock, each),
        }
        None
    }

    /// Hands on what is left; the format, where it was still to be found out.
    fn finish(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) -> Option<detect::Found> {
        match self {
            Decoder::Auto(auto) => return Some(auto.finish()),
            Decoder::Ndjson(ndjson) => ndjson.finish(clock, each),
            Decoder::Csv(csv) => csv.finish(clock, each),
            Decoder::Logfmt(logfmt) => logfmt.finish(clock, each),
            Decoder::Text(text) => text.finish(clock, each),
            Decoder::Prometheus(prometheus) => prometheus.finish(clock, each),
        }
        None
    }
}

/// The time that a text states, and nothing else.
pub(crate) fn time_of(text: &str) -> Result<Timestamp, String> {
    time::whole(text).ok_or_else(|| time::unreadable(&quote(text)))
}

/// The first time that a row of these bytes states.
fn first_time(mut decoder: Decoder, bytes: &[u8], read_at: Option<Timestamp>) -> Option<Timestamp> {
    let mut clock = Clock {
        read_at,
        ..Clock::default()
    };
    // Line by line, since most inputs state a time in the first.
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        decoder.read(line, &mut clock, &mut |_| {});
        if clock.stated.is_some() {
            return clock.stated;
        }
    }
    // A record waits for the next one, which may not be among them.
    decoder.finish(&mut clock, &mut |_| {});
    clock.stated
}

impl Reader {
    /// A reader of one input; rows without a time come after `last`, the time of the last event before it.
    pub fn new(input: &Input, last: Option<Timestamp>) -> Self {
        Reader {
            decoder: Decoder::new(input.format, input),
            clock: Clock {
                last,
                interval: input.interval_seconds.seconds(),
                read_at: input.read_at,
                ..Clock::default()
            },
        }
    }

    /// Rows that state no time are of this one from now on.
    pub(crate) fn set_time(&mut self, time: Timestamp) {
        self.clock.pass(Some(time));
    }

    /// Reads a chunk and hands on every row that is complete.
    pub fn read(&mut self, chunk: &[u8], each: &mut dyn FnMut(Row<'_>)) {
        if let Some(found) = self.decoder.read(chunk, &mut self.clock, each) {
            self.settle(&found, each);
        }
    }

    /// Hands on a record that is complete but for a continuation that may still come: nothing more has come for a
    /// while. A line without its end is still waited for.
    pub fn flush(&mut self, each: &mut dyn FnMut(Row<'_>)) {
        let clock = &mut self.clock;
        match &mut self.decoder {
            Decoder::Auto(auto) => {
                if let Some(found) = auto.flush() {
                    self.settle(&found, each);
                    self.flush(each);
                }
            }
            Decoder::Ndjson(ndjson) => ndjson.flush(clock, each),
            Decoder::Text(text) => text.flush(clock, each),
            Decoder::Prometheus(prometheus) => prometheus.flush(clock, each),
            Decoder::Csv(_) | Decoder::Logfmt(_) => {}
        }
    }

    /// Finds out the format from the lines that have come so far, where it is still to be found out.
    pub(crate) fn find_out(&mut self, chunk: &[u8], each: &mut dyn FnMut(Row<'_>)) -> Found {
        let Decoder::Auto(auto) = &mut self.decoder else {
            return Found::Already;
        };
        let Some(mut found) = auto.read(chunk).or_else(|| auto.flush()) else {
            return Found::Not;
        };
        // How much has come by now is a matter of chance, so that no time is looked for in it.
        found.looked_at = 0;
        let bytes = std::mem::take(&mut found.bytes);
        self.settle(&found, each);
        Found::Now(bytes)
    }

    /// The line is over, and nothing behind it belongs to it.
    pub(crate) fn end_line(&mut self, each: &mut dyn FnMut(Row<'_>)) {
        match &mut self.decoder {
            Decoder::Ndjson(ndjson) => ndjson.end_line(&mut self.clock, each),
            _ => self.flush(each),
        }
    }

    /// The input is over: hands on what is left, for example a last line without its end.
    pub fn finish(&mut self, each: &mut dyn FnMut(Row<'_>)) {
        if let Some(found) = self.decoder.finish(&mut self.clock, each) {
            self.settle(&found, each);
            self.finish(each);
        }
    }

    /// Goes on with the format that was found, and with what had to be read to find it.
    fn settle(&mut self, found: &detect::Found, each: &mut dyn FnMut(Row<'_>)) {
        let decoder = || match found.format {
            // Nobody said that it is JSON throughout.
            Format::Ndjson => Decoder::Ndjson(Box::new(ndjson::Ndjson::lenient(&found.input))),
            format => Decoder::new(format, &found.input),
        };
        let read_at = self.clock.read_at;
        self.clock.begin(|| first_time(decoder(), found.start(), read_at));
        self.decoder = decoder();
        each(Row::Found(found.format, found.note()));
        self.read(&found.bytes, each);
    }

    /// The interval that is assumed between rows without a time, in seconds.
    pub fn interval_seconds(&self) -> f64 {
        self.clock.interval
    }

    /// Whether some rows had no time, so that an interval was assumed.
    pub fn assumed_interval(&self) -> bool {
        self.clock.assumed
    }

    /// The year that was assumed, where the times of the input name none.
    pub fn assumed_year(&self) -> Option<i16> {
        let first = self.clock.first_turns;
        self.clock.year.map(|year| year.saturating_add(first))
    }
}

/// Gives a time to rows that have none: one interval after the row before, or the same moment where the
/// input does state times (a stack trace belongs to the line above it).
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: Option<Timestamp>,
    interval: f64,
    /// The first time that a row stated.
    stated: Option<Timestamp>,
    assumed: bool,
    /// The year that times were taken to be of, which name none.
    year: Option<i16>,
    /// How many years after that one they are: the first one, and the one that was last.
    first_turns: i16,
    turns: Option<i16>,
    read_at: Option<Timestamp>,
}

const DAY: f64 = 86_400.0;

impl Clock {
    /// Rows before the first that states a time (a banner, a stack trace that was cut) are of that time, where it is
    /// known beforehand: decades before it would be as good as any other.
    fn begin(&mut self, first: impl FnOnce() -> Option<Timestamp>) {
        if self.stated.is_none()
            && let Some(first) = first()
        {
            self.pass(Some(first));
        }
    }

    /// Times that name no year are taken to be of this one.
    pub(crate) fn assume_year(&mut self, year: i16) {
        self.year = Some(year);
    }

    /// The time of a row, from what the row says.
    pub(crate) fn time(&mut self, stated: Option<Timestamp>) -> Timestamp {
        self.assumed |= stated.is_none() && self.stated.is_none();
        self.pass(stated)
    }

    /// A row that is no event still takes its place in time: the rows after it are where they would have been.
    pub(crate) fn pass(&mut self, stated: Option<Timestamp>) -> Timestamp {
        let stated = stated.map(|time| self.of_its_year(time));
        self.stated = self.stated.or(stated);
        let time = match (stated, self.last) {
            (Some(time), _) => time,
            (None, None) => Timestamp::default(),
            (None, Some(last)) if self.stated.is_some() => last,
            (None, Some(last)) => last.plus_seconds(self.interval),
        };
        self.last = Some(time);
        time
    }

    /// Where times name no year: this one in the year that goes on from the times before it. December is followed by
    /// January of the next year; a line of the old year may still come late, and a time that does name its year, or that
    /// the host knows, comes in between.
    fn of_its_year(&mut self, time: Timestamp) -> Timestamp {
        if self.year.is_none() {
            return time;
        }
        let Some(turns) = self.turns else {
            let is_future = self.read_at.is_some_and(|now| time.seconds_since(now) > DAY);
            let turns = if is_future { -1 } else { 0 };
            (self.first_turns, self.turns) = (turns, Some(turns));
            return time::plus_years(time, turns);
        };
        let found = time::plus_years(time, turns);
        let Some(last) = self.last else {
            return found;
        };
        let elapsed = found.seconds_since(last);
        if elapsed < -180.0 * DAY {
            let next = time::plus_years(time, turns.saturating_add(1));
            if (-DAY..180.0 * DAY).contains(&next.seconds_since(last)) {
                self.turns = Some(turns.saturating_add(1));
                return next;
            }
        } else if elapsed > 330.0 * DAY {
            let previous = time::plus_years(time, turns.saturating_sub(1));
            if (-30.0 * DAY..=30.0 * DAY).contains(&previous.seconds_since(last)) {
                return previous;
            }
        }
        found
    }
}

/// The same allocation for rows of another lifetime: a `Vec` that is empty borrows nothing, and collecting
/// one in place keeps its memory.
fn recycle<A, B>(mut spent: Vec<A>) -> Vec<B> {
    spent.clear();
    spent.into_iter().filter_map(|_| None).collect()
}

/// Hands over a subject of these labels.
///
/// [`Subject::new`] borrows a slice for as long as its labels live, after which a buffer that outlives the row
/// is of no more use: the labels of a row are put in order in a copy, on the stack unless there are many.
fn with_subject(labels: &[Label<'_>], then: impl FnOnce(Subject<'_>)) {
    let mut few = [Label { name: "", value: "" }; 12];
    if let Some(few) = few.get_mut(..labels.len()) {
        few.copy_from_slice(labels);
        then(Subject::new(few));
    } else {
        then(Subject::new(&mut labels.to_vec()));
    }
}

/// What was found, in quotes and short enough for a message.
fn quote(found: &str) -> String {
    const LONGEST: usize = 40;
    match found.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{:?}", format!("{}…", found.get(..cut).unwrap_or(found))),
        None => format!("{found:?}"),
    }
}

fn too_long(line: u64) -> Problem {
    Problem {
        line,
        field: None,
        message: format!(
            "the line is longer than {MAX_LINE_BYTES} bytes and was skipped: split it, or cut its longest part"
        ),
    }
}
