//! The fields of one object, borrowed from its line; a string with escapes is unescaped into one shared buffer.

use std::fmt::{self, Write};

use super::super::{recycle, time};
use super::visit::{Found, Name, Object};
use crate::event::{Finite, Level, Timestamp};

/// What is wrong with an object.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) field: Option<String>,
    pub(super) message: String,
}

/// The memory of [`Fields`], to be used again for the next line.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    unescaped: String,
    metrics: Vec<Metric<'static>>,
    labels: Vec<Tag<'static>>,
}

/// What an object says.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    pub(super) time: Option<Timestamp>,
    pub(super) level: Option<Level>,
    /// Whether a metric is there without a value.
    pub(super) has_gaps: bool,
    message: Option<Text<'a>>,
    session: Option<Text<'a>>,
    metrics: Vec<Metric<'a>>,
    labels: Vec<Tag<'a>>,
    unescaped: String,
    fault: Option<Fault>,
    /// The field whose value is being read: the one to name when that fails.
    pub(super) reading: Option<Text<'a>>,
}

/// A string of the line, or of the buffer of unescaped strings.
#[derive(Debug, Clone, Copy)]
pub(super) enum Text<'a> {
    Line(&'a str),
    Unescaped(usize, usize),
}

#[derive(Debug, Clone, Copy)]
struct Metric<'a> {
    name: Text<'a>,
    position: usize,
    value: Finite,
}

#[derive(Debug, Clone, Copy)]
struct Tag<'a> {
    name: Text<'a>,
    position: usize,
    value: Text<'a>,
    /// Other strings of a log line are identifiers more often than not.
    of_log_lines: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn new(buffers: Buffers) -> Self {
        Fields {
            time: None,
            level: None,
            has_gaps: false,
            message: None,
            session: None,
            metrics: buffers.metrics,
            labels: buffers.labels,
            unescaped: buffers.unescaped,
            fault: None,
            reading: None,
        }
    }

    pub(super) fn into_buffers(self) -> Buffers {
        let mut unescaped = self.unescaped;
        unescaped.clear();
        Buffers {
            unescaped,
            metrics: recycle(self.metrics),
            labels: recycle(self.labels),
        }
    }

    pub(super) fn read(&mut self, line: &'a [u8]) -> Result<(), Fault> {
        let text = match std::str::from_utf8(line) {
            Ok(text) => text,
            Err(error) => {
                let message = format!(
                    "the line is not UTF-8 at column {}: write it in UTF-8, or escape the character as \\uXXXX",
                    error.valid_up_to() + 1
                );
                return Err(Fault { field: None, message });
            }
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let read = serde::Deserializer::deserialize_map(&mut json, Object(self)).and_then(|()| json.end());
        match (read, self.fault.take()) {
            (Err(error), _) => Err(self.malformed(&error, text)),
            (Ok(()), Some(fault)) => Err(fault),
            (Ok(()), None) => Ok(()),
        }
    }

    /// Of every name the last one counts, and the same names come in the same order in every row.
    pub(super) fn settle(&mut self) {
        let unescaped = self.unescaped.as_str();
        if self.message.is_some() {
            self.labels.retain(|label| label.of_log_lines);
        }
        let name = |text: Text<'a>| text.of(unescaped);
        self.labels
            .sort_unstable_by(|a, b| name(a.name).cmp(name(b.name)).then(a.position.cmp(&b.position)));
        self.labels.dedup_by(|later, earlier| {
            let same = name(later.name) == name(earlier.name);
            if same {
                *earlier = *later;
            }
            same
        });
        self.metrics
            .sort_unstable_by(|a, b| name(a.name).cmp(name(b.name)).then(a.position.cmp(&b.position)));
        self.metrics.dedup_by(|later, earlier| {
            let same = name(later.name) == name(earlier.name);
            if same {
                *earlier = *later;
            }
            same
        });
    }

    pub(super) fn message(&self) -> Option<&str> {
        self.message.map(|text| text.of(&self.unescaped))
    }

    pub(super) fn session(&self) -> Option<&str> {
        self.session.map(|text| text.of(&self.unescaped))
    }

    pub(super) fn has_metrics(&self) -> bool {
        !self.metrics.is_empty()
    }

    pub(super) fn metrics(&self) -> impl Iterator<Item = (&str, Finite)> {
        self.metrics
            .iter()
            .map(|metric| (metric.name.of(&self.unescaped), metric.value))
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels
            .iter()
            .map(|label| (label.name.of(&self.unescaped), label.value.of(&self.unescaped)))
    }

    fn malformed(&self, error: &serde_json::Error, text: &str) -> Fault {
        let mut message = error.to_string();
        if let Some((what, _)) = message.rsplit_once(" at line 1 column ") {
            let what = match what {
                "number out of range" => "the number is too large: the largest is 1.8e308",
                what => what,
            };
            message = match error.column() {
                0 => what.to_owned(),
                column => format!("{what} at column {column}"),
            };
        }
        let found = error
            .column()
            .checked_sub(1)
            .and_then(|column| text.get(column..))
            .unwrap_or_default();
        if ["NaN", "Infinity", "-Infinity"]
            .iter()
            .any(|name| found.starts_with(name))
        {
            message.push_str(": JSON has no NaN and no infinity, write null");
        }
        Fault {
            field: self.reading.map(|name| name.of(&self.unescaped).to_owned()),
            message,
        }
    }

    fn complain(&mut self, inner: Option<Text<'a>>, message: impl FnOnce(&str) -> String) {
        if self.fault.is_some() {
            return;
        }
        let names = [self.reading, inner];
        let names = names.iter().flatten().map(|name| name.of(&self.unescaped));
        self.fault = Some(Fault {
            field: Some(names.collect::<Vec<_>>().join(".")),
            message: message(&self.unescaped),
        });
    }

    pub(super) fn field(&mut self, name: Name<'a>, found: Found<'a>) {
        match name {
            Name::Time => self.take_time(found),
            Name::Level => {
                self.level = match found {
                    Found::Text(text) => Level::parse(text.of(&self.unescaped).trim()),
                    Found::Integer(number) => bunyan_level(number),
                    _ => None,
                }
            }
            Name::Message => match found {
                Found::Text(text) => self.message = Some(text),
                Found::Null => self.message = None,
                other => self.complain(None, |unescaped| {
                    format!("the message is {}: write it as a string", other.shown(unescaped))
                }),
            },
            Name::Session => self.session = self.text(found),
            Name::Service => {
                if let Some(value) = self.text(found) {
                    self.label(Text::Line("service"), value, true);
                }
            }
            Name::Labels | Name::Metrics if matches!(found, Found::Null) => {}
            Name::Labels => self.complain(None, |unescaped| {
                format!("labels is {}: write an object of strings", found.shown(unescaped))
            }),
            Name::Metrics => self.complain(None, |unescaped| {
                format!("metrics is {}: write an object of numbers", found.shown(unescaped))
            }),
            Name::Other(name) => match found {
                Found::Integer(_) | Found::Number(_) => self.metric(name, found),
                Found::Text(value) => self.label(name, value, false),
                Found::Bool(value) => self.label(name, Text::Line(if value { "true" } else { "false" }), false),
                Found::Null => self.has_gaps = true,
                Found::Nested => {}
            },
        }
    }

    /// A field of `labels`.
    pub(super) fn inner_label(&mut self, name: Text<'a>, found: Found<'a>) {
        match found {
            Found::Null => {}
            Found::Nested => self.complain(Some(name), |unescaped| {
                format!("the label is {}: write it as a string", found.shown(unescaped))
            }),
            _ => {
                if let Some(value) = self.text(found) {
                    self.label(name, value, true);
                }
            }
        }
    }

    /// A field of `metrics`.
    pub(super) fn inner_metric(&mut self, name: Text<'a>, found: Found<'a>) {
        match found {
            Found::Null => self.has_gaps = true,
            Found::Integer(_) | Found::Number(_) => self.metric(name, found),
            _ => self.complain(Some(name), |unescaped| {
                format!(
                    "the metric is {}: write it as a number, or null where there is none",
                    found.shown(unescaped)
                )
            }),
        }
    }

    fn metric(&mut self, name: Text<'a>, found: Found<'a>) {
        let number = match found {
            Found::Integer(number) => number as f64,
            Found::Number(number) => number,
            _ => return,
        };
        // serde_json refuses numbers that are too large for a float, so this one is finite.
        if let Some(value) = Finite::new(number) {
            let position = self.metrics.len();
            self.metrics.push(Metric { name, position, value });
        }
    }

    fn label(&mut self, name: Text<'a>, value: Text<'a>, of_log_lines: bool) {
        let position = self.labels.len();
        self.labels.push(Tag {
            name,
            position,
            value,
            of_log_lines,
        });
    }

    fn take_time(&mut self, found: Found<'a>) {
        let read = match found {
            Found::Null => {
                self.time = None;
                return;
            }
            Found::Integer(number) => time::from_integer(number),
            Found::Number(number) => time::from_number(number),
            Found::Text(text) => time::whole(text.of(&self.unescaped)),
            Found::Bool(_) | Found::Nested => None,
        };
        match read {
            Some(read) => self.time = Some(read),
            None => self.complain(None, |unescaped| time::unreadable(&found.shown(unescaped))),
        }
    }

    /// A name or an identifier: numbers are taken as they are written, as far as a float keeps that.
    fn text(&mut self, found: Found<'a>) -> Option<Text<'a>> {
        match found {
            Found::Text(text) => Some(text),
            Found::Bool(value) => Some(Text::Line(if value { "true" } else { "false" })),
            Found::Integer(number) => Some(self.written(format_args!("{number}"))),
            Found::Number(number) => Some(self.written(format_args!("{number}"))),
            Found::Null | Found::Nested => None,
        }
    }

    fn written(&mut self, what: fmt::Arguments<'_>) -> Text<'a> {
        let start = self.unescaped.len();
        // Writing to a string cannot fail.
        let _ = self.unescaped.write_fmt(what);
        Text::Unescaped(start, self.unescaped.len())
    }

    pub(super) fn unescape(&mut self, text: &str) -> Text<'a> {
        let start = self.unescaped.len();
        self.unescaped.push_str(text);
        Text::Unescaped(start, self.unescaped.len())
    }
}

impl<'a> Text<'a> {
    pub(super) fn of<'b>(self, unescaped: &'b str) -> &'b str
    where
        'a: 'b,
    {
        match self {
            Text::Line(text) => text,
            Text::Unescaped(start, end) => unescaped.get(start..end).unwrap_or_default(),
        }
    }
}

/// The numbers of pino and bunyan.
fn bunyan_level(number: i64) -> Option<Level> {
    Some(match number / 10 {
        1 => Level::Trace,
        2 => Level::Debug,
        3 => Level::Info,
        4 => Level::Warn,
        5 => Level::Error,
        6 => Level::Fatal,
        _ => return None,
    })
}
