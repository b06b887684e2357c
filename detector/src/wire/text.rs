//! Plain log lines, without configuration. What a line says about itself at its start is taken from there,
//! and the rest is the message; nothing that is not understood is lost.
//!
//! | part | how it is written |
//! |---|---|
//! | time | `2026-11-20T09:00:00.123Z`, with a space or a comma, with or without a zone, in brackets or not |
//! | | `time=`, `ts=` or `timestamp=` before it (logfmt) |
//! | | `2026/11/20 09:00:00` (nginx, Go), `26/11/20 09:00:00 INFO` (Spark), `261120 090000 148 INFO` (HDFS) |
//! | | `Nov 20 09:00:00` (syslog), `11-20 09:00:00.123  1702  2395 D` (Android), `I1120 09:00:00.123456` (klog), `[11.20 09:00:00]` (Proxifier): the year is the input's |
//! | | `[Fri Nov 20 09:00:00.123456 2026]` (Apache), `[20/Nov/2026:09:00:00 +0100]`, also after host and user (access logs) |
//! | | `1795165200`, with decimals, in milliseconds, or in brackets |
//! | level | `ERROR`, `[error]`, `<warn>`, `level=error` (also `lvl`, `severity`) among the first words after the time, or at the start of a line without one; `<11>` of syslog; the letters of Android and klog |
//! | service | `cart` of `host cart[17]:` in syslog, or `service=cart`, `app=cart`: the label `service` of the subject |
//!
//! A word such as `error` in the text is no level. A line without a time, for example of a stack trace, has
//! the time of the line before. What is no UTF-8 is replaced by `U+FFFD`. Blank lines are blank rows.

mod level;
pub(super) mod prefix;
mod stamp;

#[cfg(test)]
mod tests;

use super::lines::{Line, Lines};
use super::{Clock, Row, too_long};
use crate::event::{Event, Label, LogRecord, Subject};
use crate::scorer::Input;

/// The reader of one input.
#[derive(Debug)]
pub(crate) struct Text {
    lines: Lines,
    rows: Rows,
}

#[derive(Debug)]
struct Rows {
    year: i16,
    mended: String,
    joined: String,
}

impl Text {
    pub(crate) fn new(input: &Input) -> Self {
        Text {
            lines: Lines::default(),
            rows: Rows {
                year: input.year,
                mended: String::new(),
                joined: String::new(),
            },
        }
    }

    pub(crate) fn read(&mut self, chunk: &[u8], clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Text { lines, rows } = self;
        lines.read(chunk, |number, line| rows.line(number, &line, clock, each));
    }

    /// Nothing waits as long as every line is a record of its own.
    #[expect(clippy::unused_self, reason = "multi-line records come next")]
    pub(crate) fn flush(&mut self, _: &mut Clock, _: &mut dyn FnMut(Row<'_>)) {}

    pub(crate) fn finish(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Text { lines, rows } = self;
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
        let line = match std::str::from_utf8(line) {
            Ok(line) => line,
            Err(_) => {
                mend(line, &mut self.mended);
                &self.mended
            }
        };
        let line = line.trim_end();
        if line.is_empty() {
            each(Row::Blank);
            return;
        }
        let line = prefix::read(line, self.year);
        let message = if line.before.is_empty() {
            line.message
        } else {
            self.joined.clear();
            self.joined.push_str(line.before);
            self.joined.push_str(line.message);
            &self.joined
        };
        let mut labels = line.service.map(|value| Label { name: "service", value });
        each(Row::Event(Event::Log(LogRecord {
            time: clock.time(line.time),
            subject: Subject::new(labels.as_mut_slice()),
            level: line.level,
            message,
            session: None,
            fields: &[],
        })));
    }
}

fn mend(line: &[u8], mended: &mut String) {
    mended.clear();
    for chunk in line.utf8_chunks() {
        mended.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            mended.push(char::REPLACEMENT_CHARACTER);
        }
    }
}
