//! One JSON object a line. Blank lines are no rows.
//!
//! | field | aliases | value | what it is |
//! |---|---|---|---|
//! | `timestamp` | `time`, `ts`, `@timestamp` | RFC 3339, `2026-11-20 09:00:00.123`, or a number since 1970, also in quotes | the time of the row |
//! | `message` | `msg` | string | makes the row a log line |
//! | `level` | `severity`, `lvl` | a name in any case, or 10 to 60 as in pino and bunyan | the level of a log line; an unknown one is none |
//! | `service` | | string | the label `service` of the subject |
//! | `session` | | string or number | the request or trace that a log line belongs to |
//! | `labels` | | object of strings | labels of the subject |
//! | `metrics` | | object of numbers | metrics |
//! | any other | | number | a metric, for example `"duration_ms": 12.5` |
//! | any other | | string, `true` or `false` | a label of the subject |
//! | any other | | object or list | nothing |
//!
//! An object with a message is a log line: its subject is `service` and `labels`, and all other fields, which
//! tend to be identifiers, are left out. An object without a message and with at least one number is a row of
//! metrics: its subject is `service`, `labels` and every other string. `null` is the same as no field at all;
//! an object whose metrics are all `null` is a blank row. Of a field that is there twice the last one counts.
//!
//! ```json
//! {"timestamp":"2026-11-20T09:00:00Z","service":"cart","cpu_percent":41.5,"memory_mb":812}
//! {"timestamp":"2026-11-20T09:00:01Z","service":"cart","level":"error","message":"payment refused","session":"r-17"}
//! ```

mod object;
mod visit;

#[cfg(test)]
mod tests;

use object::{Buffers, Fault, Fields};

use super::lines::{Line, Lines};
use super::{Clock, Row, recycle, too_long, with_subject};
use crate::event::{Event, Label, LogRecord, Sample, Value};
use crate::scorer::{Input, Problem};

/// The reader of one input.
#[derive(Debug, Default)]
pub(crate) struct Ndjson {
    lines: Lines,
    rows: Rows,
}

/// What is kept from line to line: only memory, no content.
#[derive(Debug, Default)]
struct Rows {
    buffers: Buffers,
    values: Vec<Value<'static>>,
    labels: Vec<Label<'static>>,
}

impl Ndjson {
    pub(crate) fn new(_: &Input) -> Self {
        Self::default()
    }

    #[expect(clippy::unused_self, reason = "values of several lines come next")]
    pub(crate) fn flush(&mut self, _: &mut Clock, _: &mut dyn FnMut(Row<'_>)) {}

    pub(crate) fn read(&mut self, chunk: &[u8], clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Ndjson { lines, rows } = self;
        lines.read(chunk, |number, line| rows.line(number, &line, clock, each));
    }

    pub(crate) fn finish(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Ndjson { lines, rows } = self;
        lines.finish(|number, line| rows.line(number, &line, clock, each));
    }
}

impl Rows {
    fn line(&mut self, number: u64, line: &Line<'_>, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Line::Whole(line) = line else {
            clock.pass(None);
            each(Row::Bad(too_long(number)));
            return;
        };
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        let mut fields = Fields::new(std::mem::take(&mut self.buffers));
        let read = fields.read(line);
        match read {
            Ok(()) => self.row(&mut fields, number, clock, each),
            Err(fault) => bad(fault, number, &fields, clock, each),
        }
        self.buffers = fields.into_buffers();
    }

    fn row(&mut self, fields: &mut Fields<'_>, number: u64, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        fields.settle();
        let mut labels = std::mem::take(&mut self.labels);
        labels.extend(fields.labels().map(|(name, value)| Label { name, value }));
        if let Some(message) = fields.message() {
            let time = clock.time(fields.time);
            with_subject(&labels, |subject| {
                each(Row::Event(Event::Log(LogRecord {
                    time,
                    subject,
                    level: fields.level,
                    message,
                    session: fields.session(),
                    fields: &[],
                })));
            });
        } else if fields.has_metrics() {
            let mut values = std::mem::take(&mut self.values);
            values.extend(fields.metrics().map(|(metric, value)| Value { metric, value }));
            let time = clock.time(fields.time);
            with_subject(&labels, |subject| {
                each(Row::Event(Event::Sample(Sample {
                    time,
                    subject,
                    values: &values,
                })));
            });
            self.values = recycle(values);
        } else if fields.has_gaps {
            clock.pass(fields.time);
            each(Row::Blank);
        } else {
            let fault = Fault {
                field: None,
                message: "the object has neither a message nor a number: write \"message\" for a log line, \
                          or a number such as \"duration_ms\": 12.5 for metrics"
                    .to_owned(),
            };
            bad(fault, number, fields, clock, each);
        }
        self.labels = recycle(labels);
    }
}

fn bad(fault: Fault, line: u64, fields: &Fields<'_>, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
    clock.pass(fields.time);
    each(Row::Bad(Problem {
        line,
        field: fault.field,
        message: fault.message,
    }));
}
