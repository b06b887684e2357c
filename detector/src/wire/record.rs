//! What a structured line says, before it is known what kind of event it is.
//!
//! A reader of key-value pairs (JSON, logfmt, OTLP attributes) pushes every pair into a [`Record`] with its name
//! flattened by dots (`http.request.method`), and has the record hand on the one row that comes of it. A reader of a fixed
//! layout (an access log) fills an [`Exchange`] directly.

use super::payload::Outer;
use super::{Clock, Row, with_subject};
use crate::event::{Event, Finite, Label, Request, Timestamp};

/// An exchange as a line tells it, before its time and its subject are settled.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Exchange<'a> {
    pub(super) time: Option<Timestamp>,
    /// Whether the time is that of the begin: then the duration is added to it.
    pub(super) began: bool,
    pub(super) service: Option<&'a str>,
    pub(super) method: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    pub(super) route: Option<&'a str>,
    pub(super) upstream: Option<&'a str>,
    pub(super) client: Option<&'a str>,
    /// Only from 100 to 599; anything else is no response.
    pub(super) status: Option<u16>,
    /// In milliseconds.
    pub(super) duration: Option<f64>,
    pub(super) bytes: Option<f64>,
    pub(super) flags: Option<&'a str>,
}

impl Exchange<'_> {
    /// Hands on the one row that comes of it. What the line does not say is taken from outside; a text that stands for
    /// nothing (`-` or empty) is no value.
    pub(super) fn emit(&self, outer: &Outer<'_>, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        fn said(text: Option<&str>) -> Option<&str> {
            text.filter(|text| !text.is_empty() && *text != "-")
        }
        let positive = |number: Option<f64>| number.filter(|number| *number >= 0.0).and_then(Finite::new);
        let duration = positive(self.duration);
        let time = match (self.time, duration) {
            (Some(time), Some(duration)) if self.began => Some(time.plus_seconds(duration.value() / 1e3)),
            (time, _) => time,
        };
        let time = clock.time(time.or(outer.time));
        let service = said(self.service).or(outer.service);
        let label = service.map(|value| Label { name: "service", value });
        with_subject(label.as_slice(), |subject| {
            each(Row::Event(Event::Request(Request {
                time,
                subject,
                method: said(self.method),
                path: said(self.path),
                route: said(self.route),
                upstream: said(self.upstream),
                client: said(self.client),
                status: self.status.filter(|status| (100..600).contains(status)),
                duration,
                bytes: positive(self.bytes),
                flags: said(self.flags),
            })));
        });
    }
}

/// The value of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(&'a str),
}

/// The memory of a [`Record`], to be used again for the next line.
#[derive(Debug, Default)]
pub(super) struct Buffers {}

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
    pairs: Vec<(&'a str, Scalar<'a>)>,
}

impl<'a> Record<'a> {
    pub(super) fn new(_buffers: Buffers) -> Self {
        Record { pairs: Vec::new() }
    }

    /// One pair; of a name that comes twice the last one counts.
    pub(super) fn push(&mut self, name: &'a str, value: Scalar<'a>) {
        self.pairs.push((name, value));
    }

    /// Hands on the one row that comes of the pairs: a request, a log line, metrics, or what is wrong with them.
    pub(super) fn emit(&mut self, _outer: &Outer<'_>, _line: u64, _clock: &mut Clock, _each: &mut dyn FnMut(Row<'_>)) {}

    pub(super) fn into_buffers(self) -> Buffers {
        Buffers {}
    }
}
