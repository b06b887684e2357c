//! Plain log lines, without configuration. What a line says about itself at its start is taken from there,
//! and the rest is the message; nothing that is not understood is lost.
//!
//! | part | how it is written |
//! |---|---|
//! | time | `2026-11-20T09:00:00.123Z`, with a space or a comma, with or without a zone, in brackets or not |
//! | | `time=`, `ts=` or `timestamp=` before it (logfmt) |
//! | | `2026/11/20 09:00:00` (nginx, Go), `2026-11-20 09:00:00.5 +0000 UTC m=+0.1` (Go), `Fri, 20 Nov 2026 09:00:00 +0100` (mail), `26/11/20 09:00:00 INFO` (Spark), `261120 090000 148 INFO` (HDFS) |
//! | | `Nov 20 09:00:00` (syslog), `11-20 09:00:00.123  1702  2395 D` (Android), `I1120 09:00:00.123456` (klog), `[11.20 09:00:00]` (Proxifier): the year is the input's |
//! | | `[Fri Nov 20 09:00:00.123456 2026]` (Apache), `[20/Nov/2026:09:00:00 +0100]`, also after host and user (access logs) |
//! | | `1795165200`, with decimals, in milliseconds, or in brackets |
//! | level | `ERROR`, `[error]`, `<warn>`, `level=error` (also `lvl`, `severity`) among the first words after the time, or at the start of a line without one; `<11>` of syslog; the letters of Android and klog |
//! | service | `cart` of `host cart[17]:` in syslog, or `service=cart`, `app=cart`: the label `service` of the subject |
//!
//! A record that states no level is `fatal` where Go or Rust panics, and `error` where there is a trace or an exception that
//! nobody caught. A word such as `error` in the text is no level. What is no UTF-8 is replaced by `U+FFFD`, and colours are left
//! out. Blank lines are blank rows.
//!
//! Lines that belong together are one record: see `join` for what does. A record ends when a line of another one
//! comes, or with [`Reader::flush`](super::Reader::flush).
//!
//! The same reader takes what stands around a log line apart: the headers of [`syslog`](super::syslog), the
//! prefixes of [`kubernetes`](super::kubernetes); there, and in access logs, what is inside may be of any format.

mod join;
pub(super) mod level;
pub(super) mod prefix;
mod records;
pub(super) mod stamp;

#[cfg(test)]
mod tests;

use records::Records;

use super::lines::{Line, Lines};
use super::{Clock, Row, too_long};
use crate::scorer::Input;

/// The reader of one input.
#[derive(Debug)]
pub(crate) struct Text {
    lines: Lines,
    rows: Rows,
}

#[derive(Debug)]
struct Rows {
    records: Records,
    mended: String,
    plain: String,
}

impl Text {
    pub(crate) fn new(input: &Input) -> Self {
        Text {
            lines: Lines::default(),
            rows: Rows {
                records: Records::new(input),
                mended: String::new(),
                plain: String::new(),
            },
        }
    }

    pub(crate) fn read(&mut self, chunk: &[u8], clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Text { lines, rows } = self;
        lines.read(chunk, |number, line| rows.line(number, &line, clock, each));
    }

    /// Hands on the records that are complete unless more of them comes.
    pub(crate) fn flush(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        self.rows.records.flush(clock, each);
    }

    pub(crate) fn finish(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Text { lines, rows } = self;
        lines.finish(|number, line| rows.line(number, &line, clock, each));
        rows.records.finish(clock, each);
    }
}

impl Rows {
    fn line(&mut self, number: u64, line: &Line<'_>, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Line::Whole(line) = line else {
            self.records.finish(clock, each);
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
        let line = match memchr::memchr(ESCAPE, line.as_bytes()) {
            None => line,
            Some(_) => {
                without_colours(line, &mut self.plain);
                &self.plain
            }
        };
        self.records.line(number, line, clock, each);
    }
}

pub(super) const ESCAPE: u8 = 0x1b;

/// Leaves out what tells a terminal how to show a text: `ESC [ 31 m`.
pub(super) fn without_colours(line: &str, plain: &mut String) {
    plain.clear();
    let mut pieces = line.split(char::from(ESCAPE));
    plain.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let shown = piece.strip_prefix('[').and_then(|piece| {
            let end = piece.find(|sign: char| !sign.is_ascii_digit() && !matches!(sign, ';' | '?'))?;
            piece.get(end..)?.strip_prefix(|sign: char| sign.is_ascii_alphabetic())
        });
        plain.push_str(shown.unwrap_or(piece));
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
