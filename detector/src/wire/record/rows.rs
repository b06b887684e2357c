//! The one row that comes of a record.

use super::super::payload::Outer;
use super::super::quantity::{self, Dimension};
use super::super::text::level;
use super::super::{Clock, Row, recycle, time, with_subject};
use super::names::{Meaning, Place};
use super::{Pair, Record, Scalar, hand_on, request};
use crate::event::{Event, Finite, Label, LogRecord, Sample, Timestamp, Value};
use crate::order;
use crate::scorer::Problem;

impl<'a> Record<'a> {
    /// Hands on the one row that comes of the pairs: a request, a log line, metrics, or what is wrong with them.
    pub(in super::super) fn emit(
        &mut self,
        outer: &Outer<'_>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        self.emit_or(None, outer, line, clock, each);
    }

    /// Hands on the exchange that the pairs tell, where they do.
    pub(in super::super) fn emit_exchange(
        &mut self,
        outer: &Outer<'_>,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) -> bool {
        let exchange = self.exchange(self.when());
        if let Some(exchange) = &exchange {
            hand_on(exchange, outer, clock, each);
        }
        exchange.is_some()
    }

    /// The same, with a text that is the message where there would be a problem: what came as a log line is one.
    pub(in super::super) fn emit_or(
        &mut self,
        fallback: Option<&str>,
        outer: &Outer<'_>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        let stated = self.when();
        let problem = match self.bad_time.and_then(|at| self.pairs.get(at as usize)) {
            Some(pair) if stated.is_none() => Some((Some(pair.name), time::unreadable(&pair.value.shown()))),
            _ => self.try_emit(stated, outer, clock, each).err(),
        };
        if let (Some(_), Some(text)) = (&problem, fallback) {
            self.log(text, stated, outer, clock, each);
        } else if let Some((field, message)) = problem {
            clock.pass(stated.or(outer.time));
            each(Row::Bad(Problem {
                line,
                field: field.map(str::to_owned),
                message,
            }));
        }
    }

    fn try_emit(
        &mut self,
        stated: Option<Timestamp>,
        outer: &Outer<'_>,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) -> Result<(), (Option<&'a str>, String)> {
        let message = self.message()?;
        if let Some(exchange) = self.exchange(stated)
            && message.is_none_or(|message| !request::says_more(message))
        {
            hand_on(&exchange, outer, clock, each);
            return Ok(());
        }
        if let Some(message) = message {
            self.log(message, stated, outer, clock, each);
            return Ok(());
        }
        if let Some((name, number)) = self.one_metric() {
            self.sample(Some((name, number)), stated, outer, clock, each);
            return Ok(());
        }
        self.check_metrics()?;
        let has_numbers = self.pairs.iter().any(|pair| metric(pair).is_some());
        if has_numbers && !self.is_of_logger() {
            self.sample(None, stated, outer, clock, each);
            return Ok(());
        }
        if self.pair(Meaning::Level).is_some() {
            let mut joined = std::mem::take(&mut self.joined);
            self.join(&mut joined);
            if !joined.is_empty() {
                self.log(&joined, stated, outer, clock, each);
            }
            let has_text = !joined.is_empty();
            self.joined = joined;
            if has_text {
                return Ok(());
            }
        }
        if self
            .pairs
            .iter()
            .any(|pair| pair.value == Scalar::Null && pair.known.meaning == Meaning::Other)
        {
            clock.pass(stated.or(outer.time));
            each(Row::Blank);
            return Ok(());
        }
        let message = "the object has neither a message nor a number: write \"message\" for a log line, or a number \
                       such as \"duration_ms\": 12.5 for metrics";
        Err((None, message.to_owned()))
    }

    /// Whether it is a line of pino or bunyan, whose message is often left out: a level in their numbers beside a process
    /// and a host.
    fn is_of_logger(&self) -> bool {
        let has = |name| self.pairs.iter().any(|pair| pair.name == name);
        let level = self.pair(Meaning::Level).and_then(|pair| pair.value.number());
        level.is_some_and(|level| (10.0..70.0).contains(&level)) && has("pid") && has("hostname")
    }

    /// `{"metric_type": "cpu_usage", "value": 95.5}`.
    fn one_metric(&self) -> Option<(&'a str, Finite)> {
        let name = self.text(Meaning::MetricName)?;
        let number = match self.pair(Meaning::MetricValue)?.value {
            Scalar::Text(text) => quantity::read(text)?.value,
            value => value.number()?,
        };
        let others = |pair: &Pair<'_>| pair.known.meaning != Meaning::MetricValue && metric(pair).is_some();
        (!self.pairs.iter().any(others)).then_some((name, Finite::new(number)?))
    }

    fn check_metrics(&self) -> Result<(), (Option<&'a str>, String)> {
        let fault = self.pairs.iter().find_map(|pair| {
            let what = match (pair.known.place, pair.value, pair.name) {
                (_, Scalar::Null, _) => return None,
                (Place::Labels, Scalar::List, name) if name.starts_with("labels.") => {
                    "the label is an object or a list: write it as a string".to_owned()
                }
                (Place::Metrics, value, _) if value.number().is_none() => format!(
                    "the metric is {}: write it as a number, or null where there is none",
                    value.shown()
                ),
                (_, value, "labels") => format!("labels is {}: write an object of strings", value.shown()),
                (_, value, "metrics") => format!("metrics is {}: write an object of numbers", value.shown()),
                _ => return None,
            };
            Some((Some(pair.name), what))
        });
        fault.map_or(Ok(()), Err)
    }

    fn log(
        &mut self,
        message: &str,
        stated: Option<Timestamp>,
        outer: &Outer<'_>,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        let mut labels = recycle(std::mem::take(&mut self.labels));
        let within = self.pairs.iter().filter(|pair| pair.known.place == Place::Labels);
        labels.extend(within.filter_map(label));
        if !labels.iter().any(|label| label.name == "service") || self.pair(Meaning::OwnService).is_some() {
            let service = outer.service_or(self.service());
            labels.extend(service.map(|value| Label { name: "service", value }));
        }
        in_order(&mut labels, |label| label.name);
        let mut fields = recycle(std::mem::take(&mut self.values));
        fields.extend(self.pairs.iter().filter_map(field));
        in_order(&mut fields, |field: &Value<'_>| field.metric);
        let time = clock.time(stated.or(outer.time));
        with_subject(&labels, |subject| {
            each(Row::Event(Event::Log(LogRecord {
                time,
                subject,
                // Where no field says how severe it is, the line itself may, as a program's plain log does.
                level: outer
                    .level_or(self.level())
                    .or_else(|| Some(level::find(message, false)?.level)),
                message,
                session: self.session().or(outer.session),
                fields: &fields,
            })));
        });
        self.labels = recycle(labels);
        self.values = recycle(fields);
    }

    fn sample(
        &mut self,
        one: Option<(&str, Finite)>,
        stated: Option<Timestamp>,
        outer: &Outer<'_>,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        let mut labels = recycle(std::mem::take(&mut self.labels));
        labels.extend(
            self.pairs
                .iter()
                .filter_map(|pair| match (pair.known.place, pair.known.meaning) {
                    (Place::Labels, _) | (Place::Top, Meaning::OwnService) => label(pair),
                    (Place::Top, Meaning::MetricName) if one.is_some() => None,
                    (
                        Place::Top,
                        Meaning::Time | Meaning::Began | Meaning::Level | Meaning::OwnSession | Meaning::Message,
                    ) => None,
                    (Place::Top, _) if metric(pair).is_none() && pair.value.number().is_none() => label(pair),
                    _ => None,
                }),
        );
        if !labels.iter().any(|label| label.name == "service") {
            let nested = self
                .pair(Meaning::Service)
                .filter(|pair| pair.known.place == Place::Nested);
            let service = nested.and_then(|_| self.service()).or(outer.service);
            labels.extend(service.map(|value| Label { name: "service", value }));
        }
        in_order(&mut labels, |label| label.name);
        let mut values = recycle(std::mem::take(&mut self.values));
        match one {
            Some((metric, value)) => values.push(Value { metric, value }),
            None => values.extend(self.pairs.iter().filter_map(metric)),
        }
        in_order(&mut values, |value: &Value<'_>| value.metric);
        let time = clock.time(stated.or(outer.time));
        with_subject(&labels, |subject| {
            each(Row::Event(Event::Sample(Sample {
                time,
                subject,
                values: &values,
            })));
        });
        self.labels = recycle(labels);
        self.values = recycle(values);
    }

    /// What there is of texts, where there is nothing better.
    fn join(&self, joined: &mut String) {
        joined.clear();
        for pair in &self.pairs {
            let told = matches!(
                pair.known.meaning,
                Meaning::Time
                    | Meaning::Level
                    | Meaning::OwnService
                    | Meaning::Service
                    | Meaning::Name
                    | Meaning::Logger
                    | Meaning::Nothing
            );
            if let (Scalar::Text(text), false) = (pair.value, told) {
                if !joined.is_empty() {
                    joined.push(' ');
                }
                joined.push_str(pair.name);
                joined.push('=');
                joined.push_str(text);
            }
        }
    }
}

/// A label of the subject.
fn label<'a>(pair: &Pair<'a>) -> Option<Label<'a>> {
    Some(Label {
        name: pair.name.get(usize::from(pair.known.prefix)..)?,
        value: pair.value.name()?,
    })
}

/// The metric that a pair is in a row of metrics.
pub(super) fn metric<'a>(pair: &Pair<'a>) -> Option<Value<'a>> {
    let told = matches!(
        pair.known.meaning,
        Meaning::Time
            | Meaning::Seconds
            | Meaning::Nanos
            | Meaning::Level
            | Meaning::OwnSession
            | Meaning::OwnService
            | Meaning::Message
    );
    if told || pair.known.place == Place::Labels {
        return None;
    }
    let number = match pair.value {
        Scalar::Text(text) if pair.known.place == Place::Top => with_unit(pair.name, text)?,
        value => value.number()?,
    };
    Some(Value {
        metric: pair.name.get(usize::from(pair.known.prefix)..)?,
        value: Finite::new(number)?,
    })
}

/// The number that a pair is beside the text of a log line.
pub(super) fn field<'a>(pair: &Pair<'a>) -> Option<Value<'a>> {
    let counts = matches!(
        pair.known.meaning,
        Meaning::Other
            | Meaning::Status
            | Meaning::Duration
            | Meaning::Bytes
            | Meaning::MetricValue
            | Meaning::Text
            | Meaning::Method
    );
    if !counts || pair.known.place == Place::Labels {
        return None;
    }
    let number = match pair.value {
        Scalar::Text(text) => with_unit(pair.name, text)?,
        value => value.number()?,
    };
    Some(Value {
        metric: pair.name.get(usize::from(pair.known.prefix)..)?,
        value: Finite::new(number)?,
    })
}

/// The number of a text that has a unit: in the unit that the name tells, or else in milliseconds or bytes. A number
/// alone in quotes is a name, and so is one with a letter behind it, which many names end in.
fn with_unit(name: &str, text: &str) -> Option<f64> {
    let first = text.bytes().next()?;
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
        return None;
    }
    let last = text.bytes().next_back()?;
    let letters = text.bytes().rev().take_while(|byte| !byte.is_ascii_digit()).count();
    if last.is_ascii_digit() || letters < 2 && !matches!(last, b's' | b'%') {
        return None;
    }
    let read = quantity::read(text).filter(|read| read.dimension != Dimension::None)?;
    let each = quantity::unit_of_name(name).filter(|(dimension, _)| *dimension == read.dimension);
    Some(read.value / each.map_or(1.0, |(_, each)| each))
}

/// Of every name the last one counts, and the same names come in the same order in every row.
fn in_order<'a, T: Copy>(items: &mut Vec<T>, name: fn(&T) -> &'a str) {
    order::sort_by_key(items, name);
    items.dedup_by(|later, earlier| {
        let same = name(later) == name(earlier);
        if same {
            *earlier = *later;
        }
        same
    });
}
