//! Texts of objects to rows: which schema an object has is told for each of them, so that an input may mix them.

use super::super::envelope::Envelope;
use super::super::json::{Scan, Value};
use super::super::native_json::{self, Event, Form, Kind, NativeJson};
use super::super::otlp::Otlp;
use super::super::payload::{Outer, Payload};
use super::super::record::{Buffers, Record, Scalar};
use super::super::{Clock, MAX_LINE_BYTES, Row, quote};
use crate::event::Timestamp;
use crate::plain::in_plain_words;
use crate::scorer::Problem;

/// Reads objects; what is kept from one to the next is only memory, and the start of a container's line that the runtime
/// had to split.
#[derive(Debug)]
pub(in super::super) struct Objects {
    scan: Scan,
    buffers: Buffers,
    payload: Payload,
    envelope: Envelope,
    otlp: Otlp,
    native_json: NativeJson,
    /// An event of Vector's in plain JSON.
    plain: Vec<u8>,
    partial: Partial,
    /// The bytes of the line before what is being read.
    before: usize,
}

/// Docker splits lines of 16 KiB: all but the last part come without a line end.
#[derive(Debug, Default)]
struct Partial {
    text: String,
    lines: u64,
    first: u64,
    time: Option<Timestamp>,
    service: Option<String>,
}

const SPLIT_FROM: usize = 16 * 1024 - 8;

/// What is left of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest<'t> {
    /// Nothing.
    Nothing,
    /// An object that does not end, or is none.
    Open(&'t str),
}

/// Lists in lists of records are data.
const DEEPEST: u8 = 1;

impl Objects {
    pub(in super::super) fn new(year: i16) -> Self {
        Self::within(Payload::new(year), year)
    }

    /// For objects in the text of other objects, whose own texts this reads.
    pub(in super::super) fn within(payload: Payload, year: i16) -> Self {
        Objects {
            scan: Scan::default(),
            buffers: Buffers::default(),
            payload,
            envelope: Envelope::default(),
            otlp: Otlp::new(year),
            native_json: NativeJson::default(),
            plain: Vec::new(),
            partial: Partial::default(),
            before: 0,
        }
    }

    /// Reads objects one after the other, also in a list; brackets and commas between them are read over, so that a list
    /// may begin on one line and end on another.
    pub(super) fn values<'t>(
        &mut self,
        mut text: &'t str,
        outer: &Outer<'_>,
        line: u64,
        depth: u8,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) -> Rest<'t> {
        let whole = text.len();
        loop {
            let object = text.trim_start_matches(|sign: char| sign.is_whitespace() || matches!(sign, '[' | ',' | ']'));
            // Columns are told of the line, not of what is left of it; within a list in an object they are not known.
            let before = (depth == 0).then(|| whole - object.len());
            if object.is_empty() {
                return Rest::Nothing;
            }
            if !object.starts_with('{') {
                self.refuse(object, before, line, clock, each);
                return Rest::Nothing;
            }
            // Most often an event of Vector's is all of its line, and then it is enough to read what is inside.
            if let Some(event) = native_json::event(object.trim_end())
                && self.scan.read(event.text) == Some(event.text.len())
            {
                self.event(&event, outer, line, clock, each);
                return Rest::Nothing;
            }
            let Some(end) = self.scan.read(object) else {
                if depth == 0 {
                    return Rest::Open(object);
                }
                self.refuse(object, before, line, clock, each);
                return Rest::Nothing;
            };
            let rest = object.get(end..).unwrap_or_default();
            let follows = rest.trim_start_matches([' ', '\t', '\r', '\n']);
            if !(follows.is_empty() || follows.starts_with([',', ']', '{'])) {
                self.refuse(object, before, line, clock, each);
                return Rest::Nothing;
            }
            self.object(object.get(..end).unwrap_or_default(), outer, line, depth, clock, each);
            text = follows;
        }
    }

    /// Reads a text that is one object and nothing else, with `fallback` as the message of an object that has none.
    /// Nothing is handed on where it is not that.
    pub(in super::super) fn one(
        &mut self,
        text: &str,
        outer: &Outer<'_>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) -> bool {
        if self.scan.read(text) != Some(text.len()) {
            return false;
        }
        let mut record = Record::new(std::mem::take(&mut self.buffers));
        fill(&mut record, &self.scan, text);
        match record.carried() {
            Some(carried) => self.payload.read(carried, &record.outer(outer), line, clock, each),
            None => record.emit_or(Some(text), outer, line, clock, each),
        }
        self.buffers = record.into_buffers();
        true
    }

    /// A log line that is no JSON.
    pub(super) fn plain(
        &mut self,
        text: &str,
        outer: &Outer<'_>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        self.flush(clock, each);
        self.payload.read(text, outer, line, clock, each);
    }

    /// Hands on a split line as it stands.
    pub(super) fn flush(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        self.partial.flush(&mut self.payload, clock, each);
    }

    /// The text that is read next stands behind so many bytes of its line.
    pub(super) fn begins_behind(&mut self, bytes: usize) {
        self.before = bytes;
    }

    /// Says what is wrong with a text that is no object, and that begins behind so many bytes of what is being read.
    pub(super) fn refuse(
        &mut self,
        text: &str,
        before: Option<usize>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        self.flush(clock, each);
        let is_object = text.starts_with('{');
        let field = if is_object && self.scan.read(text).is_none() {
            self.scan.at_fault(text).map(str::to_owned)
        } else {
            None
        };
        clock.pass(None);
        each(Row::Bad(Problem {
            line,
            field,
            message: explain(text, before.map(|before| self.before + before), line),
        }));
    }

    /// The object that has been scanned.
    fn object(
        &mut self,
        text: &str,
        outer: &Outer<'_>,
        line: u64,
        depth: u8,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        if let Some(event) = native_json::event(text) {
            if self.scan.read(event.text) == Some(event.text.len()) {
                self.event(&event, outer, line, clock, each);
                return;
            }
            self.scan.read(text);
        }
        self.any(text, outer, line, depth, clock, each);
    }

    /// One of Vector's events, of which the object inside has been scanned.
    fn event(
        &mut self,
        event: &Event<'_>,
        outer: &Outer<'_>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        self.flush(clock, each);
        if event.kind == Kind::Metric {
            self.native_json.metric(event, outer, line, clock, each);
            return;
        }
        let mut plain = std::mem::take(&mut self.plain);
        let text = match event.form {
            Form::Plain => Ok(event.text),
            Form::Proto => self.native_json.plain(event, &mut plain).and_then(|()| {
                let text = std::str::from_utf8(&plain).map_err(|error| error.to_string())?;
                self.scan
                    .read(text)
                    .map(|_| text)
                    .ok_or_else(|| "it is nested too deep".to_owned())
            }),
        };
        match text {
            Err(message) => {
                clock.pass(outer.time);
                each(Row::Bad(Problem {
                    line,
                    field: Some("event".to_owned()),
                    message,
                }));
            }
            Ok(_) if self.scan.pairs.is_empty() => {
                clock.pass(outer.time);
                each(Row::Blank);
            }
            Ok(text) if event.kind == Kind::Trace => self.native_json.trace(&self.scan, text, outer, clock, each),
            Ok(text) => self.any(text, outer, line, DEEPEST, clock, each),
        }
        self.plain = plain;
    }

    /// An object of any schema, which has been scanned.
    fn any(
        &mut self,
        text: &str,
        outer: &Outer<'_>,
        line: u64,
        depth: u8,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        if depth < DEEPEST && self.scan.pairs.iter().any(|pair| matches!(pair.value, Value::List(_))) {
            match holds(&self.scan, text) {
                Holds::Record => {}
                Holds::Export => {
                    self.flush(clock, each);
                    self.otlp.read(text, outer, line, clock, each);
                    return;
                }
                Holds::Lists(lists, service) => {
                    self.flush(clock, each);
                    let outer = Outer {
                        service: service.as_deref().or(outer.service),
                        ..*outer
                    };
                    for list in lists.into_iter().flatten() {
                        self.values(list, &outer, line, depth + 1, clock, each);
                    }
                    return;
                }
            }
        }
        let mut record = Record::new(std::mem::take(&mut self.buffers));
        fill(&mut record, &self.scan, text);
        if record.raw_log().is_some() {
            self.envelope.read(&record, &mut self.payload, outer, line, clock, each);
        } else if let Some(carried) = record.carried() {
            let outer = record.outer(outer);
            let is_split = carried.len() >= SPLIT_FROM && !carried.ends_with('\n');
            if is_split && self.partial.text.len() < MAX_LINE_BYTES || self.partial.lines > 0 {
                self.partial.push(carried, &outer, line);
                if !is_split {
                    self.partial.flush(&mut self.payload, clock, each);
                }
            } else {
                self.payload.read(carried, &outer, line, clock, each);
            }
        } else {
            self.partial.flush(&mut self.payload, clock, each);
            record.emit(outer, line, clock, each);
        }
        self.buffers = record.into_buffers();
    }
}

impl Partial {
    fn push(&mut self, text: &str, outer: &Outer<'_>, line: u64) {
        if self.lines == 0 {
            self.first = line;
            self.time = outer.time;
            self.service = outer.service.map(str::to_owned);
        }
        self.lines += 1;
        self.text.push_str(text);
    }

    fn flush(&mut self, payload: &mut Payload, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        if self.lines == 0 {
            return;
        }
        let outer = Outer {
            time: self.time,
            service: self.service.as_deref(),
            ..Outer::default()
        };
        payload.read(&self.text, &outer, self.first, clock, each);
        for _ in 1..self.lines {
            each(Row::Continues);
        }
        self.lines = 0;
        self.text.clear();
    }
}

/// What an object with lists is.
enum Holds<'t> {
    /// A record, of which the lists are no part.
    Record,
    /// An OTLP export.
    Export,
    /// A body of records, and the service that it names for all of them.
    Lists([Option<&'t str>; 4], Option<String>),
}

fn holds<'t>(scan: &Scan, text: &'t str) -> Holds<'t> {
    let mut lists = [None; 4];
    let mut found = lists.iter_mut();
    let mut service = None;
    for pair in &scan.pairs {
        let name = scan.text(pair.name, text);
        match (pair.value, name) {
            (
                Value::List(_),
                "resourceLogs" | "resourceMetrics" | "resourceSpans" | "resource_logs" | "resource_metrics"
                | "resource_spans",
            ) => return Holds::Export,
            (Value::List(list), "logs" | "metrics" | "logEvents" | "events" | "records" | "Records") => {
                let list = list.of(text).unwrap_or_default();
                let holds_objects = list
                    .strip_prefix('[')
                    .is_some_and(|list| list.trim_start().starts_with(['{', ']']));
                if holds_objects && let Some(free) = found.next() {
                    *free = Some(list);
                }
            }
            (Value::Text(_), "message" | "msg" | "raw_log" | "log") | (Value::Number(..), _) => return Holds::Record,
            (Value::Text(piece), "logGroup") => {
                service = scan.text(piece, text).rsplit('/').next().map(str::to_owned);
            }
            _ => {}
        }
    }
    match lists {
        [None, ..] => Holds::Record,
        lists => Holds::Lists(lists, service),
    }
}

/// The pairs of an object, to a record.
pub(in super::super) fn fill<'a>(record: &mut Record<'a>, scan: &'a Scan, text: &'a str) {
    for pair in &scan.pairs {
        let value = match pair.value {
            Value::Null => Scalar::Null,
            Value::Bool(value) => Scalar::Bool(value),
            Value::Number(number, piece) => Scalar::Written(number, scan.text(piece, text)),
            Value::Text(piece) => Scalar::Text(scan.text(piece, text)),
            Value::List(list) => match mean(list.of(text).unwrap_or_default()).filter(|_| is_embedded(scan, text)) {
                Some(mean) => Scalar::Number(mean),
                None => Scalar::List,
            },
        };
        record.push(scan.text(pair.name, text), value);
    }
}

/// Whether an object is in CloudWatch's embedded metric format, whose metrics may have several values at once.
fn is_embedded(scan: &Scan, text: &str) -> bool {
    scan.pairs
        .iter()
        .any(|pair| scan.text(pair.name, text) == "_aws.Timestamp")
}

/// The mean of a list of numbers.
fn mean(list: &str) -> Option<f64> {
    let list = list.strip_prefix('[')?.strip_suffix(']')?;
    let (mut sum, mut count) = (0.0, 0.0);
    for number in list.split(',') {
        sum += number.trim().parse::<f64>().ok()?;
        count += 1.0;
    }
    Some(sum / count)
}

/// Why a text is no object. It begins on this line, behind so many bytes where that is known.
fn explain(text: &str, before: Option<usize>, line: u64) -> String {
    if !text.starts_with('{') {
        // What stands in a list stands before a comma or the list's end.
        let value = text.split([',', ']']).next().unwrap_or(text);
        return match serde_json::from_str::<serde::de::IgnoredAny>(value) {
            // JSON tells by itself what is a text.
            Ok(_) if value.len() <= 40 => format!("{} is no object: write {EXAMPLE}", value.trim()),
            Ok(_) => format!("{} is no object: write {EXAMPLE}", quote(value)),
            Err(_) => format!(
                "{} is no JSON object: write {EXAMPLE}; for an input that is no JSON, --input auto finds out what it is",
                quote(text)
            ),
        };
    }
    let Err(error) = serde_json::from_str::<serde_json::Value>(text) else {
        return format!("{} is no object: write {EXAMPLE}", quote(text));
    };
    let message = error.to_string();
    let what = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(what, _)| what);
    let at_fault = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let found = error.column().checked_sub(1).and_then(|column| at_fault.get(column..));
    let is_no_number = ["NaN", "Inf", "nan", "inf"].iter().any(|name| {
        // serde_json stops behind the first letter, or behind the sign.
        found.is_some_and(|found| {
            found.starts_with(name) || found.strip_prefix('-').is_some_and(|found| found.starts_with(name))
        })
    });
    let what = match what {
        "trailing characters" => "something follows the object on its line: write one object a line".to_owned(),
        _ if is_no_number => "JSON has no NaN and no infinity: write null".to_owned(),
        what => in_plain_words(what),
    };
    match (error.line(), error.column(), before) {
        (_, 0, _) | (_, _, None) => what,
        (1, column, Some(before)) => format!("at column {}, {what}", before + column),
        (later, column, _) => format!("at column {column} of line {}, {what}", line + later as u64 - 1),
    }
}

const EXAMPLE: &str = "one such as {\"message\": \"started\"} or {\"cpu_percent\": 41.5}";
