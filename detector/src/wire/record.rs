//! What a structured line says, before it is known what kind of event it is.
//!
//! A reader of key-value pairs (JSON, logfmt, OTLP attributes) pushes every pair into a [`Record`], with its name
//! flattened by dots (`http.request.method`), and has the record hand on the one row that comes of it. A reader of a
//! fixed layout (an access log) fills an [`Exchange`] and calls [`hand_on`].
//!
//! What the row is, is decided in this order:
//!
//! 1. a status together with a method or a path, and no message that says more than that: a request,
//! 2. a message: a log line, whose numbers are its fields,
//! 3. a number: a row of metrics,
//! 4. anything else: a problem.
//!
//! What names mean is in [`names`].

mod level;
mod names;
mod request;
mod rows;

#[cfg(test)]
mod tests;

use names::{Known, Meaning, Names, Place, schema};
use rows::{field, metric};

use super::access::Exchange;
use super::payload::Outer;
use super::quantity::{self, Dimension};
use super::text::prefix;
use super::{Clock, Row, quote, recycle, service, time, with_subject};
use crate::event::{Event, Finite, Label, Level, Request, Timestamp, Value};

/// Hands on an exchange as the one row of its line. What the line does not say is taken from outside; a text that
/// stands for nothing (`-` or empty) is no value.
pub(super) fn hand_on(exchange: &Exchange<'_>, outer: &Outer<'_>, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
    fn said(text: Option<&str>) -> Option<&str> {
        text.filter(|text| !text.is_empty() && *text != "-")
    }
    let positive = |number: Option<Finite>| number.filter(|number| number.value() >= 0.0);
    let time = clock.time(exchange.time.or(outer.time));
    let service = outer.service_or(said(exchange.service));
    let label = service.map(|value| Label { name: "service", value });
    with_subject(label.as_slice(), |subject| {
        each(Row::Event(Event::Request(Request {
            time,
            subject,
            method: said(exchange.method),
            path: said(exchange.path),
            route: said(exchange.route),
            upstream: said(exchange.upstream),
            client: said(exchange.client),
            status: exchange.status.filter(|status| (100..600).contains(status)),
            duration: positive(exchange.duration),
            bytes: positive(exchange.bytes),
            flags: said(exchange.flags),
        })));
    });
}

/// The value of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    /// An integer whose digits are gone, so that it is no label and no name.
    Integer(i64),
    /// A number whose digits are gone.
    Number(f64),
    /// A number, and how it is written.
    Written(f64, &'a str),
    Text(&'a str),
    /// A list, or an object that is nested too deep.
    List,
}

impl<'a> Scalar<'a> {
    pub(super) fn text(self) -> Option<&'a str> {
        match self {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }

    /// As a label or a name: numbers are taken as they are written.
    fn name(self) -> Option<&'a str> {
        match self {
            Scalar::Text(text) | Scalar::Written(_, text) => Some(text),
            Scalar::Bool(true) => Some("true"),
            Scalar::Bool(false) => Some("false"),
            Scalar::Null | Scalar::Integer(_) | Scalar::Number(_) | Scalar::List => None,
        }
    }

    fn number(self) -> Option<f64> {
        match self {
            Scalar::Integer(number) => Some(number as f64),
            Scalar::Number(number) | Scalar::Written(number, _) => Some(number),
            _ => None,
        }
    }

    /// In words, for a problem.
    fn shown(self) -> String {
        match self {
            Scalar::Null => "null".to_owned(),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Integer(number) => number.to_string(),
            Scalar::Number(number) => format!("{number:?}"),
            Scalar::Written(_, written) => written.to_owned(),
            Scalar::Text(text) => quote(text),
            Scalar::List => "an object or a list".to_owned(),
        }
    }
}

/// The memory of a [`Record`], to be used again for the next line.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// Names are the same from line to line, and so is what they mean.
    names: Names,
    pairs: Vec<Pair<'static>>,
    values: Vec<Value<'static>>,
    labels: Vec<Label<'static>>,
    joined: String,
}

/// The pairs of one line.
///
/// ```text
/// let mut record = Record::new(std::mem::take(&mut self.buffers));
/// record.push("http.request.method", Scalar::Text("GET"));
/// record.emit(&outer, number, clock, each);
/// self.buffers = record.into_buffers();
/// ```
#[derive(Debug)]
pub(super) struct Record<'a> {
    names: Names,
    pairs: Vec<Pair<'a>>,
    /// Of every meaning the pair that counts; [`NONE`] where there is none.
    slots: [u32; Meaning::COUNT],
    time: Option<Timestamp>,
    time_rank: u8,
    /// A time that cannot be read.
    bad_time: Option<u32>,
    schema: u16,
    values: Vec<Value<'static>>,
    labels: Vec<Label<'static>>,
    joined: String,
}

#[derive(Debug, Clone, Copy)]
struct Pair<'a> {
    name: &'a str,
    value: Scalar<'a>,
    known: Known,
}

const NONE: u32 = u32::MAX;

impl<'a> Record<'a> {
    pub(super) fn new(buffers: Buffers) -> Self {
        Record {
            names: buffers.names,
            pairs: buffers.pairs,
            slots: [NONE; Meaning::COUNT],
            time: None,
            time_rank: u8::MAX,
            bad_time: None,
            schema: 0,
            values: buffers.values,
            labels: buffers.labels,
            joined: buffers.joined,
        }
    }

    pub(super) fn into_buffers(self) -> Buffers {
        Buffers {
            names: self.names,
            pairs: recycle(self.pairs),
            values: self.values,
            labels: self.labels,
            joined: self.joined,
        }
    }

    /// One pair; of a name that comes twice the last one counts.
    pub(super) fn push(&mut self, name: &'a str, value: Scalar<'a>) {
        let mut known = self.names.understand(name);
        if let (Meaning::OwnService, Scalar::Text(text)) = (known.meaning, value)
            && text.starts_with(|first: char| first.is_ascii_digit())
            && quantity::read(text).is_some_and(|read| read.dimension == Dimension::Duration)
        {
            // Heroku's router tells how long the service took.
            known.meaning = Meaning::Duration;
        }
        self.schema |= known.schema;
        let at = self.pairs.len() as u32;
        self.pairs.push(Pair { name, value, known });
        match known.meaning {
            Meaning::Other | Meaning::Nothing => {}
            Meaning::Time => self.take_time(at, known, value),
            meaning => {
                let counts = match (meaning, value) {
                    // A message that is not there takes back the one before it.
                    (Meaning::Message, Scalar::Null) => known.rank == 0,
                    (Meaning::RawLog | Meaning::Log | Meaning::Message, Scalar::Text(_)) => true,
                    (_, Scalar::Null) | (_, Scalar::Text("" | "-")) => false,
                    (Meaning::Level, Scalar::Text(text)) => level::of_name(text).is_some(),
                    (Meaning::Message, _) => true,
                    (_, Scalar::List) => false,
                    _ => true,
                };
                if counts && self.pair(meaning).is_none_or(|before| known.rank <= before.known.rank) {
                    self.set(meaning, at);
                }
            }
        }
    }

    fn set(&mut self, meaning: Meaning, at: u32) {
        if let Some(slot) = self.slots.get_mut(meaning as usize) {
            *slot = at;
        }
    }

    fn take_time(&mut self, at: u32, known: Known, value: Scalar<'_>) {
        if known.rank > self.time_rank {
            return;
        }
        match of_time(value) {
            Some(time) => (self.time, self.time_rank) = (Some(time), known.rank),
            None if known.rank > 0 => {}
            None if value == Scalar::Null => (self.time, self.time_rank) = (None, u8::MAX),
            None => self.bad_time = Some(at),
        }
    }

    fn pair(&self, meaning: Meaning) -> Option<&Pair<'a>> {
        let at = *self.slots.get(meaning as usize)?;
        self.pairs.get(at as usize)
    }

    fn text(&self, meaning: Meaning) -> Option<&'a str> {
        self.pair(meaning)?.value.text()
    }

    /// The line that an envelope holds.
    pub(super) fn raw_log(&self) -> Option<&'a str> {
        self.text(Meaning::RawLog)
    }

    /// `json`, `kv` or `regex`.
    pub(super) fn format_type(&self) -> Option<&'a str> {
        self.text(Meaning::FormatType)
    }

    /// The pattern of an envelope whose format is `regex`.
    pub(super) fn pattern(&self) -> Option<&'a str> {
        self.text(Meaning::Pattern)
    }

    /// The pairs of an object in it, with their names in there.
    pub(super) fn within(&self, path: &'static str) -> impl Iterator<Item = (&'a str, Scalar<'a>)> {
        self.pairs
            .iter()
            .filter_map(move |pair| Some((pair.name.strip_prefix(path)?, pair.value)))
    }

    /// The text of another log that this record only carries: a container's line, a journal entry, what a collector
    /// shipped.
    pub(super) fn carried(&self) -> Option<&'a str> {
        // Whoever tails a file without parsing it puts the whole line there.
        let is_all = self.pair(Meaning::Message).is_none()
            && self.pair(Meaning::Level).is_none()
            && !self.pairs.iter().any(|pair| field(pair).is_some());
        if let Some(log) = self.text(Meaning::Log)
            && (self.pair(Meaning::Stream).is_some() || self.schema & schema::SHIPPED != 0 || is_all)
        {
            return Some(log);
        }
        let message = self.text(Meaning::Message)?;
        // Vector says of every event what its source was, also of what it has parsed: then there are numbers.
        let raw = || self.schema & schema::VECTOR != 0 && !self.pairs.iter().any(|pair| field(pair).is_some());
        let shipped = self.schema & (schema::JOURNAL | schema::SHIPPED) != 0 || raw();
        let is_json = message.starts_with('{') && message.ends_with('}');
        // What has a level of its own was parsed by somebody.
        let parsed = self.pair(Meaning::Level).is_some();
        (shipped && !parsed || is_json).then_some(message)
    }

    /// What the record says about a text that it carries.
    pub(super) fn outer<'o>(&self, outer: &Outer<'o>) -> Outer<'o>
    where
        'a: 'o,
    {
        Outer {
            time: self.when().or(outer.time),
            level: outer.level_or(self.level()),
            service: outer.service_or(self.service()),
            session: self.session().or(outer.session),
            settled: outer.settled,
        }
    }

    /// When it happened, as far as it says so.
    fn when(&self) -> Option<Timestamp> {
        if self.time.is_some() {
            return self.time;
        }
        if let Some(pair) = self.pair(Meaning::Seconds) {
            let count = |value: Scalar<'_>| match value {
                Scalar::Text(text) => text.parse().ok(),
                value => value.number(),
            };
            let nanos = self
                .pair(Meaning::Nanos)
                .and_then(|pair| count(pair.value))
                .unwrap_or(0.0);
            let seconds = count(pair.value)?;
            return Some(Timestamp::from_nanos(
                Timestamp::from_seconds(seconds as i64)
                    .nanos()
                    .saturating_add(nanos as i64),
            ));
        }
        of_time(self.pair(Meaning::Began)?.value)
    }

    /// The text that makes it a log line.
    fn message(&self) -> Result<Option<&'a str>, (Option<&'a str>, String)> {
        if let Some(pair) = self.pair(Meaning::Message) {
            match pair.value {
                Scalar::Text(text) => return Ok(Some(text)),
                Scalar::Null => {}
                value if pair.known.place == Place::Top => {
                    let message = format!("the message is {}: write it as a string", value.shown());
                    return Err((Some(pair.name), message));
                }
                _ => {}
            }
        }
        let text = self.text(Meaning::Log).or_else(|| self.text(Meaning::Text));
        // Such names are labels of metrics where there are any.
        let counts = || self.level().is_some() || !self.pairs.iter().any(|pair| metric(pair).is_some());
        Ok(text.filter(|_| counts()))
    }

    fn level(&self) -> Option<Level> {
        let said = self.pair(Meaning::Level).and_then(|pair| match pair.value {
            Scalar::Text(text) => level::of_name(text),
            value => {
                let number = value.number()? as i64;
                level::of_number(number, pair.name, self.schema & schema::GELF != 0)
            }
        });
        let numbered = |meaning, read: fn(i64) -> Option<Level>| {
            let number = match self.pair(meaning)?.value {
                Scalar::Text(text) => return level::of_name(text).or_else(|| read(text.trim().parse().ok()?)),
                value => value.number()?,
            };
            read(number as i64)
        };
        said.or_else(|| numbered(Meaning::Priority, level::of_priority))
            .or_else(|| numbered(Meaning::SeverityNumber, level::of_opentelemetry))
            .or_else(|| numbered(Meaning::PythonLevel, level::of_python))
            .or_else(|| numbered(Meaning::LogbackLevel, level::of_logback))
            .or_else(|| self.text(Meaning::Status).and_then(level::of_name))
            .or_else(|| (self.schema & schema::MONGO != 0).then(|| self.mongo_level()).flatten())
            // Serilog leaves out the most common one.
            .or((self.schema & schema::SERILOG != 0).then_some(Level::Info))
    }

    fn mongo_level(&self) -> Option<Level> {
        let pair = self.pairs.iter().find(|pair| pair.name == "s")?;
        level::of_name(pair.value.text()?)
    }

    /// The service of a log line or a request.
    fn service(&self) -> Option<&'a str> {
        if let Some(service) = self.pair(Meaning::OwnService).and_then(|pair| pair.value.name()) {
            return Some(service);
        }
        let is_numbered = || {
            let level = self.pair(Meaning::Level).and_then(|pair| pair.value.number());
            level.is_some_and(|level| (10.0..70.0).contains(&level))
        };
        let name = || self.text(Meaning::Name).filter(|_| is_numbered());
        let pod = || self.text(Meaning::Pod).map(service::of_pod);
        let service = match self.pair(Meaning::Service) {
            // A part of the program that its name tells.
            Some(pair) if pair.known.rank >= names::COMPONENT => name().or(pair.value.name()),
            Some(pair) if pair.known.rank == names::CONTAINER => {
                let container = pair.value.name();
                match container.is_some_and(service::says_nothing) {
                    true => pod().or(container),
                    false => container,
                }
            }
            Some(pair) => pair.value.name(),
            None => name(),
        };
        let logger = || self.text(Meaning::Logger).filter(|name| service::says_service(name));
        let service = service.or_else(pod).or_else(logger)?;
        // A unit of systemd, a log group of CloudWatch.
        let service = service.strip_suffix(".service").unwrap_or(service);
        match service.strip_prefix('/') {
            Some(path) => path.rsplit('/').next(),
            None => Some(service),
        }
    }

    fn session(&self) -> Option<&'a str> {
        if let Some(session) = self.pair(Meaning::OwnSession).and_then(|pair| pair.value.name()) {
            return Some(session);
        }
        let session = self.pair(Meaning::Session)?.value.name()?;
        session.bytes().any(|byte| byte != b'0').then_some(session)
    }
}

/// A time in any layout that is read anywhere here.
fn of_time(value: Scalar<'_>) -> Option<Timestamp> {
    match value {
        Scalar::Integer(count) => time::from_integer(count),
        Scalar::Number(count) => time::from_number(count),
        Scalar::Written(count, written) => match written.parse() {
            Ok(count) => time::from_integer(count),
            Err(_) => time::from_number(count),
        },
        Scalar::Text(text) => time::whole(text).or_else(|| {
            let mut cursor = time::Cursor(text.as_bytes());
            if let Some(time) = cursor.common_log() {
                return cursor.0.is_empty().then_some(time);
            }
            let parts = prefix::read(text.trim(), 1970);
            let whole = parts.before.is_empty() && parts.message.is_empty();
            parts.time.filter(|_| whole).or_else(|| {
                let mut cursor = time::Cursor(text.trim().as_bytes());
                let time = cursor.rfc_2822()?;
                // Mails may have a remark behind it, such as the name of the zone.
                let is_remark = matches!(cursor.0, [b' ', b'(', remark @ .., b')'] if !remark.contains(&b'('));
                (cursor.0.is_empty() || is_remark).then_some(time)
            })
        }),
        Scalar::Null | Scalar::Bool(_) | Scalar::List => None,
    }
}
