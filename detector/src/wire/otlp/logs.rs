//! Log records: attributes and bodies to the pairs of a record, or to the text of a line.

use super::super::payload::{Outer, Payload};
use super::super::record::{self, Record, Scalar};
use super::super::tape::Value;
use super::super::{Clock, Row};
use super::{SERVICES, attributes, named, scalar, time};
use crate::event::Level;

/// What is kept from record to record: only memory, no content.
#[derive(Debug)]
pub(super) struct Logs {
    payload: Payload,
    buffers: record::Buffers,
    /// The names of nested pairs, joined with dots.
    names: String,
}

impl Logs {
    pub(super) fn new(year: i16) -> Self {
        Logs {
            payload: Payload::new(year),
            buffers: record::Buffers::default(),
            names: String::new(),
        }
    }

    pub(super) fn read(
        &mut self,
        resources: Value<'_, '_>,
        outer: &Outer<'_>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        for resource in resources.items() {
            let service = named(resource.get("resource"), &SERVICES).or(outer.service);
            for scope in resource
                .list("scopeLogs")
                .chain(resource.list("instrumentationLibraryLogs"))
            {
                for record in scope.list("logRecords") {
                    let outer = Outer {
                        time: time(record.get("timeUnixNano"))
                            .or_else(|| time(record.get("observedTimeUnixNano")))
                            .or(outer.time),
                        level: level(record).or(outer.level),
                        service,
                        session: trace(record).or(outer.session),
                        settled: true,
                    };
                    self.record(record, &outer, line, clock, each);
                }
            }
        }
    }

    fn record(
        &mut self,
        record: Value<'_, '_>,
        outer: &Outer<'_>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        let body = record.get("body");
        let text = body.and_then(|body| body.get("stringValue")).and_then(Value::text);
        let is_exchange = attributes(record, "attributes").any(|(name, _)| name.starts_with("http."));
        if let Some(text) = text {
            let is_json = text.trim_start().starts_with('{');
            // What has a severity was parsed by somebody: what its text says at its start is part of the message.
            if !is_exchange && (is_json || outer.level.is_none()) {
                self.payload.read(text, outer, line, clock, each);
                return;
            }
        }
        let mut names = std::mem::take(&mut self.names);
        names.clear();
        let pairs = body.and_then(pairs);
        if let Some(pairs) = pairs {
            join(pairs, "", 0, &mut names);
        }
        let mut pushed = Record::new(std::mem::take(&mut self.buffers));
        for (name, value) in attributes(record, "attributes") {
            if let Some(value) = scalar(value) {
                pushed.push(name, value);
            }
        }
        if let Some(event) = record.get("eventName").and_then(Value::text)
            && text.is_none()
            && pairs.is_none()
        {
            pushed.push("message", Scalar::Text(event));
        }
        // A record without a text is a log line all the same.
        let mut number = [0; 32];
        let message = match body.and_then(scalar) {
            Some(Scalar::Text(text)) => text,
            Some(Scalar::Bool(value)) => {
                if value {
                    "true"
                } else {
                    "false"
                }
            }
            Some(Scalar::Integer(value)) => digits(format_args!("{value}"), &mut number),
            Some(Scalar::Number(value) | Scalar::Written(value, _)) => digits(format_args!("{value}"), &mut number),
            Some(Scalar::Null | Scalar::List) | None => {
                let named = || attributes(record, "attributes").find(|(name, _)| *name == "event.name");
                named().and_then(|(_, value)| scalar(value)?.text()).unwrap_or_default()
            }
        };
        if pairs.is_none() && (!message.is_empty() || text.is_some() || record.get("eventName").is_none()) {
            pushed.push("message", Scalar::Text(message));
        }
        if let Some(pairs) = pairs {
            let mut joined = names.split('\n');
            push(pairs, 0, &mut joined, &mut pushed);
        }
        pushed.emit(outer, line, clock, each);
        self.buffers = pushed.into_buffers();
        self.names = names;
    }
}

/// A number as a text; none that is too long for that.
fn digits<'n>(number: std::fmt::Arguments<'_>, into: &'n mut [u8; 32]) -> &'n str {
    use std::io::Write;
    let mut rest = into.as_mut_slice();
    let written = write!(rest, "{number}").map(|()| 32 - rest.len()).unwrap_or_default();
    into.get(..written)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .unwrap_or_default()
}

/// Deeper objects are left out.
const DEEPEST: usize = 8;

/// The pairs of a value that is an object.
fn pairs<'t, 'a>(value: Value<'t, 'a>) -> Option<Value<'t, 'a>> {
    value.get("kvlistValue")
}

/// Writes the full name of every pair, one a line, in the order in which [`push`] takes them.
fn join(pairs_of: Value<'_, '_>, prefix: &str, depth: usize, names: &mut String) {
    for (name, value) in attributes(pairs_of, "values") {
        match pairs(value) {
            Some(inner) if depth < DEEPEST => {
                let prefix = format!("{prefix}{name}.");
                join(inner, &prefix, depth + 1, names);
            }
            Some(_) => {}
            None => {
                for part in [prefix, name] {
                    // A line is a name, so none may have two.
                    names.extend(part.chars().map(|c| if c == '\n' { ' ' } else { c }));
                }
                names.push('\n');
            }
        }
    }
}

fn push<'n>(pairs_of: Value<'n, '_>, depth: usize, names: &mut impl Iterator<Item = &'n str>, record: &mut Record<'n>) {
    for (_, value) in attributes(pairs_of, "values") {
        match pairs(value) {
            Some(inner) if depth < DEEPEST => push(inner, depth + 1, names, record),
            Some(_) => {}
            None => {
                let name = names.next().unwrap_or_default();
                if let Some(value) = scalar(value) {
                    record.push(name, value);
                }
            }
        }
    }
}

/// The trace that a record belongs to; one of zeros stands for none.
fn trace<'t>(record: Value<'t, '_>) -> Option<&'t str> {
    let trace = record.get("traceId")?.text()?;
    trace.bytes().any(|byte| byte != b'0').then_some(trace)
}

/// The level by its number, which is the same in all languages; what syslog has beyond that is in the text.
fn level(record: Value<'_, '_>) -> Option<Level> {
    let text = record.get("severityText").and_then(Value::text).unwrap_or_default();
    let named = Level::parse(text.trim());
    let number = record.get("severityNumber").and_then(severity);
    match (number, named) {
        (Some(9..=12), Some(Level::Notice)) => Some(Level::Notice),
        (Some(17..=20), Some(Level::Fatal)) => Some(Level::Fatal),
        (Some(1..=4), _) => Some(Level::Trace),
        (Some(5..=8), _) => Some(Level::Debug),
        (Some(9..=12), _) => Some(Level::Info),
        (Some(13..=16), _) => Some(Level::Warn),
        (Some(17..=20), _) => Some(Level::Error),
        (Some(21..=24), _) => Some(Level::Fatal),
        _ => named,
    }
}

/// The number, which some write as the name of the constant: `SEVERITY_NUMBER_INFO2`.
fn severity(value: Value<'_, '_>) -> Option<i64> {
    if let Some(number) = value.integer() {
        return Some(number);
    }
    let name = value.text()?.strip_prefix("SEVERITY_NUMBER_")?;
    let first = match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "TRACE" => 1,
        "DEBUG" => 5,
        "INFO" => 9,
        "WARN" => 13,
        "ERROR" => 17,
        "FATAL" => 21,
        _ => return None,
    };
    Some(first)
}
