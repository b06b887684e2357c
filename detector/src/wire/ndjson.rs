//! JSON of any schema: objects one a line, or spread over several lines, or in lists. Blank lines are no rows; one
//! object is one row, unless it is a request body or an export that holds many.
//!
//! Our own events:
//!
//! | field | aliases | value | what it is |
//! |---|---|---|---|
//! | `timestamp` | `time`, `ts`, `@timestamp` | RFC 3339, `2026-11-20 09:00:00.123`, or a number since 1970, also in quotes | the time of the row |
//! | `message` | `msg` | string | makes the row a log line |
//! | `level` | `severity`, `lvl` | a name in any case, or 10 to 60 as in pino and bunyan | the level of a log line; an unknown one is none |
//! | `service` | | string | the label `service` of the subject |
//! | `session` | | string or number | the request or trace that a log line belongs to |
//! | `labels` | `tags`, `dimensions` | object of strings | labels of the subject |
//! | `metrics` | | object of numbers | metrics |
//! | any other | | number, or a number with a unit such as `"5000ms"` | a metric, in a log line a number that it carries |
//! | any other | | string, `true` or `false` | a label of the subject, in rows of metrics |
//! | any other | | object | its numbers are metrics, called by the names on the way to them: `system.cpu` |
//! | any other | | list | nothing |
//!
//! An object with a status together with a method or a path is a request, unless it has a message that says more. An
//! object with a message is a log line: its subject is `service` and `labels`; its numbers are its fields, but for
//! identifiers (`pid`, `user_id`). An object without a message and with at least one number is a row of metrics: its
//! subject is `service`, `labels` and every other string of the outermost object. `null` is the same as no field at all;
//! an object whose metrics are all `null` is a blank row. Of a field that is there twice the last one counts.
//!
//! The names of other schemas are understood, in any case and with any separator (`statusCode`, `status_code`):
//!
//! | schema | what is known of it |
//! |---|---|
//! | Envoy, Istio | `start_time`, `response_code`, `duration` (ms), `response_flags`, `upstream_cluster`, `route_name`, … |
//! | nginx, Caddy, Traefik | `request_time` (s), `request.uri`, `DownstreamStatus`, `Duration` (ns), … |
//! | Docker's json-file | `log` is read as a line of its own: JSON, logfmt, an access log, text |
//! | the journal | `MESSAGE` (the same), `PRIORITY`, `_SYSTEMD_UNIT`, `SYSLOG_IDENTIFIER`, `__REALTIME_TIMESTAMP` |
//! | Elastic Common Schema | `log.level`, `service.name`, `event.duration` (ns), `http.response.status_code`, `url.path`, … |
//! | Google Cloud | `severity`, `textPayload`, `jsonPayload`, `httpRequest`, `resource.labels` |
//! | CloudWatch | `logEvents`, `logGroup` |
//! | OpenTelemetry | OTLP's exports ([`otlp`](super::otlp)), `SeverityText`, `Body`, `TraceId` |
//! | bunyan, pino, winston, Monolog, zap, logrus, slog, tracing | numeric levels, `name`, `fields.message`, … |
//! | log4j2, Logback, Python, Serilog, GELF, MongoDB | `instant`, `level_value`, `levelname`, `@t`, `short_message`, `t.$date`, … |
//! | request bodies | `{"metrics": […], "logs": […]}`, with `{"metric_type", "value", "labels"}` and [envelopes](super::envelope) |
//!
//! ```json
//! {"timestamp":"2026-11-20T09:00:00Z","service":"cart","cpu_percent":41.5,"memory_mb":812}
//! {"timestamp":"2026-11-20T09:00:01Z","service":"cart","level":"error","message":"payment refused","session":"r-17"}
//! ```

mod brackets;
mod objects;

#[cfg(test)]
mod tests;

pub(super) use objects::{Objects, fill};

use brackets::Brackets;
use objects::Rest;

use super::lines::{Line, Lines};
use super::payload::{Outer, service_of_source};
use super::{Clock, MAX_LINE_BYTES, Row, too_long};
use crate::scorer::{Input, Problem};

/// The reader of one input.
#[derive(Debug)]
pub(crate) struct Ndjson {
    lines: Lines,
    rows: Rows,
}

#[derive(Debug)]
struct Rows {
    objects: Objects,
    /// The service of the file, where its name tells one.
    service: Option<String>,
    /// Whether a line that is no JSON is a log line: what an input that was found to be JSON holds beside it.
    lenient: bool,
    pending: Pending,
}

/// An object that has begun on one line and not ended yet.
#[derive(Debug, Default)]
struct Pending {
    text: String,
    brackets: Brackets,
    first: u64,
    /// The bytes of its first line before it.
    before: usize,
    lines: u64,
}

/// Longer objects are a problem.
const MOST_LINES: u64 = 10_000;

/// When a line shows that the object before it is broken, so many lines are read again: one of them may have been whole.
const MOST_READ_AGAIN: u64 = 16;

impl Ndjson {
    pub(crate) fn new(input: &Input) -> Self {
        Ndjson {
            lines: Lines::default(),
            rows: Rows {
                objects: Objects::new(input.year),
                service: service_of_source(input),
                lenient: false,
                pending: Pending::default(),
            },
        }
    }

    /// For an input that was not said to be JSON: its other lines are log lines.
    pub(crate) fn lenient(input: &Input) -> Self {
        let mut ndjson = Self::new(input);
        ndjson.rows.lenient = true;
        ndjson
    }

    pub(crate) fn read(&mut self, chunk: &[u8], clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Ndjson { lines, rows } = self;
        lines.read(chunk, |number, line| rows.line(number, &line, clock, each));
    }

    /// An object that has not ended is still waited for.
    pub(crate) fn flush(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        self.rows.objects.flush(clock, each);
    }

    /// An object that has not ended is broken.
    pub(crate) fn end_line(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        self.rows.give_up_all(clock, each);
        self.rows.objects.flush(clock, each);
    }

    pub(crate) fn finish(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Ndjson { lines, rows } = self;
        lines.finish(|number, line| rows.line(number, &line, clock, each));
        rows.give_up_all(clock, each);
        rows.objects.flush(clock, each);
    }
}

impl Rows {
    fn line(&mut self, number: u64, line: &Line<'_>, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Line::Whole(line) = line else {
            self.give_up_all(clock, each);
            clock.pass(None);
            each(Row::Bad(too_long(number)));
            return;
        };
        match std::str::from_utf8(line) {
            Ok(text) => self.text(number, text, clock, each),
            Err(error) => {
                self.give_up_all(clock, each);
                clock.pass(None);
                each(Row::Bad(Problem {
                    line: number,
                    field: None,
                    message: format!(
                        "the line is not UTF-8 at column {}: write it in UTF-8, or escape the character as \\uXXXX",
                        error.valid_up_to() + 1
                    ),
                }));
            }
        }
    }

    fn text(&mut self, number: u64, text: &str, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        while self.pending.lines > 0 {
            match self.pending.brackets.feed(text) {
                Ok(end) => {
                    self.go_on(text, end, clock, each);
                    return;
                }
                Err(()) => self.give_up(clock, each),
            }
        }
        let outer = Outer {
            service: self.service.as_deref(),
            ..Outer::default()
        };
        let text = text.trim_end();
        if self.lenient && !begins_json(text.trim_start()) {
            self.objects.plain(text.trim_start(), &outer, number, clock, each);
            return;
        }
        self.objects.begins_behind(0);
        if let Rest::Open(rest) = self.objects.values(text, &outer, number, 0, clock, each) {
            let before = text.len() - rest.len();
            let mut brackets = Brackets::default();
            if brackets.feed(rest) == Ok(None) {
                let text = std::mem::take(&mut self.pending.text);
                self.pending = Pending {
                    text,
                    brackets,
                    first: number,
                    before,
                    lines: 1,
                };
                self.pending.text.clear();
                self.pending.text.push_str(rest);
            } else {
                self.objects.refuse(rest, Some(before), number, clock, each);
            }
        }
    }

    /// A line more of the object that has begun, which may end there.
    fn go_on(&mut self, text: &str, end: Option<usize>, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Pending {
            text: joined,
            lines,
            first,
            ..
        } = &mut self.pending;
        joined.push('\n');
        joined.push_str(text);
        *lines += 1;
        if joined.len() > MAX_LINE_BYTES || *lines > MOST_LINES {
            let problem = Problem {
                line: *first,
                field: None,
                message: format!(
                    "the object that begins here does not end within {MOST_LINES} lines and {MAX_LINE_BYTES} bytes: write \
                     one object a line"
                ),
            };
            *lines = 0;
            clock.pass(None);
            each(Row::Bad(problem));
            return;
        }
        if end.is_none() {
            return;
        }
        *lines = 0;
        let first = *first;
        let joined = std::mem::take(joined);
        self.objects.begins_behind(self.pending.before);
        let outer = Outer {
            service: self.service.as_deref(),
            ..Outer::default()
        };
        if let Rest::Open(rest) = self.objects.values(&joined, &outer, first, 0, clock, each) {
            self.objects
                .refuse(rest, Some(joined.len() - rest.len()), first, clock, each);
        }
        self.pending.text = joined;
    }

    /// The object that has begun is none: its first line is a problem, and the lines behind that are read for
    /// themselves.
    fn give_up(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let joined = std::mem::take(&mut self.pending.text);
        let lines = std::mem::take(&mut self.pending.lines);
        let first = self.pending.first;
        if lines == 0 {
            return;
        }
        let mut each_line = joined.split('\n');
        let begin = each_line.next().unwrap_or_default();
        self.objects.begins_behind(0);
        self.objects
            .refuse(begin, Some(self.pending.before), first, clock, each);
        if lines <= MOST_READ_AGAIN {
            for (number, line) in (first + 1..).zip(each_line) {
                self.text(number, line, clock, each);
            }
        }
        if self.pending.lines == 0 {
            self.pending.text = joined;
        }
    }

    /// What is read again may be left open in turn, each time with a line less.
    fn give_up_all(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        while self.pending.lines > 0 {
            self.give_up(clock, each);
        }
    }
}

/// Whether a line of a mixed input is JSON: an object, or the brackets and commas between objects.
fn begins_json(text: &str) -> bool {
    let rest = text.trim_start_matches(['[', ']', ',', ' ']);
    text.starts_with('{') || rest.is_empty() || rest.starts_with('{') && text.starts_with('[')
}
