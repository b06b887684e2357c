//! What a structured line says, before it is known what kind of event it is.
//!
//! A reader of key-value pairs (JSON, logfmt, OTLP attributes) pushes every pair into a [`Record`] with its name
//! flattened by dots (`http.request.method`), and has the record hand on the one row that comes of it. A reader of a fixed
//! layout (an access log) fills an [`Exchange`] and calls [`hand_on`].

use super::access::Exchange;
use super::payload::Outer;
use super::{Clock, Row, with_subject};
use crate::event::{Event, Finite, Label, Request};

/// Hands on an exchange as the one row of its line. What the line does not say is taken from outside; a text that
/// stands for nothing (`-` or empty) is no value.
pub(super) fn hand_on(exchange: &Exchange<'_>, outer: &Outer<'_>, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
    fn said(text: Option<&str>) -> Option<&str> {
        text.filter(|text| !text.is_empty() && *text != "-")
    }
    let positive = |number: Option<Finite>| number.filter(|number| number.value() >= 0.0);
    let time = clock.time(exchange.time.or(outer.time));
    let service = said(exchange.service).or(outer.service);
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
