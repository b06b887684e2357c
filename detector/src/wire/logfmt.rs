//! logfmt: `key=value` pairs, one record a line.
//!
//! | written | read as |
//! |---|---|
//! | `level=info` | a text, up to the next blank |
//! | `msg="slow query"` | a text in quotes, with `\"`, `\\`, `\n`, `\t`, `\r` and `\u00e9` |
//! | `msg='slow query'` | the same without escapes |
//! | `rows=17`, `took=212ms`, `size=1.2GiB` | a number, with its unit |
//! | `cached` | a key alone: true |
//!
//! What the keys mean is the same as in JSON. A line counts as logfmt when it begins with a pair and has at least two, or
//! a level or a message among them; anything else is a plain log line.

#[cfg(test)]
mod tests;

use super::json::{Pair, Piece, Scan, Value};
use super::lines::{Line, Lines};
use super::payload::{Outer, Payload, service_of_source};
use super::{Clock, Row, too_long};
use crate::scorer::Input;

/// The reader of one input.
#[derive(Debug)]
pub(crate) struct Logfmt {
    lines: Lines,
    rows: Rows,
}

#[derive(Debug)]
struct Rows {
    payload: Payload,
    service: Option<String>,
}

impl Logfmt {
    pub(crate) fn new(input: &Input) -> Self {
        Logfmt {
            lines: Lines::default(),
            rows: Rows {
                payload: Payload::new(input.year),
                service: service_of_source(input),
            },
        }
    }

    pub(crate) fn read(&mut self, chunk: &[u8], clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Logfmt { lines, rows } = self;
        lines.read(chunk, |number, line| rows.line(number, &line, clock, each));
    }

    pub(crate) fn finish(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Logfmt { lines, rows } = self;
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
        let outer = Outer {
            service: self.service.as_deref(),
            ..Outer::default()
        };
        let text = String::from_utf8_lossy(line);
        if text.trim_ascii().is_empty() {
            each(Row::Blank);
        } else {
            self.payload.read(&text, &outer, number, clock, each);
        }
    }
}

/// Reads a text as pairs, of which there have to be some: `None` when it is none of that.
pub(super) fn read(text: &str, into: &mut Scan) -> Option<()> {
    const FEWEST: usize = 2;
    into.clear();
    begins(text)?;
    let told = pairs(text, into, true)?;
    let counts = into.pairs.len() >= FEWEST || told;
    counts.then_some(())
}

/// Reads the pairs of a text, wherever they are; words between them are left out.
pub(super) fn read_any(text: &str, into: &mut Scan) -> Option<()> {
    into.clear();
    pairs(text, into, false)?;
    (!into.pairs.is_empty()).then_some(())
}

/// Whether a text begins with a pair.
fn begins(text: &str) -> Option<()> {
    const LONGEST_KEY: usize = 64;
    let near = text.as_bytes().get(..LONGEST_KEY).unwrap_or(text.as_bytes());
    let key = near.get(..memchr::memchr(b'=', near)?)?;
    is_key(key).then_some(())
}

fn is_key(key: &[u8]) -> bool {
    let starts = key
        .first()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'@'));
    starts
        && key
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'@' | b'/' | b':'))
}

/// Whether there is a level or a message among the pairs. Where every word has to be a pair, one that is none ends it.
fn pairs(text: &str, into: &mut Scan, strict: bool) -> Option<bool> {
    const MOST_WORDS: usize = 3;
    let bytes = text.as_bytes();
    let mut told = false;
    let mut words = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',') {
            at += 1;
            continue;
        }
        let start = at;
        while !matches!(bytes.get(at), None | Some(b' ' | b'\t' | b'\n' | b'\r' | b'=' | b'"')) {
            at += 1;
        }
        let key = bytes.get(start..at)?;
        let name = Piece::of_line(start, at);
        if bytes.get(at) != Some(&b'=') || !is_key(key) {
            words += 1;
            // A word between pairs: prose, if there are more of them.
            // So it is behind a word such as `INFO:`, where no pair holds the message.
            if strict && (words > MOST_WORDS || !told && key.ends_with(b":")) {
                return None;
            }
            if is_key(key) && matches!(bytes.get(at), None | Some(b' ')) && !into.pairs.is_empty() {
                into.pairs.push(Pair {
                    name,
                    value: Value::Bool(true),
                });
            }
            at = after_word(bytes, at.max(start + 1));
            continue;
        }
        at += 1;
        told |= matches!(key, b"level" | b"lvl" | b"msg" | b"message" | b"severity");
        let value = if bytes.get(at) == Some(&b'"') {
            let (value, end) = quoted(text, at + 1, into)?;
            at = end;
            Value::Text(value)
        } else if let Some(end) = in_apostrophes(bytes, at) {
            let piece = Piece::of_line(at + 1, end);
            at = end + 1;
            Value::Text(piece)
        } else {
            let start = at;
            while !matches!(bytes.get(at), None | Some(b' ' | b'\t' | b'\n' | b'\r')) {
                at += 1;
            }
            let end = if at > start && bytes.get(at - 1) == Some(&b',') {
                at - 1
            } else {
                at
            };
            let piece = Piece::of_line(start, end);
            bare(text.get(start..end)?, piece)
        };
        into.pairs.push(Pair { name, value });
    }
    Some(told)
}

/// The end of a value such as `'no such cart'`, which is closed before a blank or the end.
fn in_apostrophes(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'\'') {
        return None;
    }
    let inside = bytes.get(at + 1..)?;
    let end =
        memchr::memchr_iter(b'\'', inside).find(|end| matches!(inside.get(end + 1), None | Some(b' ' | b'\t')))?;
    Some(at + 1 + end)
}

fn after_word(bytes: &[u8], mut at: usize) -> usize {
    while !matches!(bytes.get(at), None | Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// A value without quotes.
fn bare(value: &str, piece: Piece) -> Value {
    match value {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" | "<nil>" | "nil" | "-" => Value::Null,
        _ => match value.parse::<f64>() {
            // What begins with a letter or with zeros is a name: `inf`, `007`.
            Ok(number) if number.is_finite() && is_number(value) => Value::Number(number, piece),
            _ => Value::Text(piece),
        },
    }
}

fn is_number(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value).as_bytes();
    match digits {
        [b'0', b'0'..=b'9', ..] => false,
        [b'0'..=b'9', ..] => !value.ends_with('.'),
        _ => false,
    }
}

/// After the opening quote: the text, and where it goes on behind the closing one. A quote that is not closed goes to
/// the end.
fn quoted(text: &str, start: usize, into: &mut Scan) -> Option<(Piece, usize)> {
    let bytes = text.as_bytes();
    let first = memchr::memchr2(b'"', b'\\', bytes.get(start..)?).map_or(bytes.len(), |at| start + at);
    if bytes.get(first) != Some(&b'\\') {
        return Some((Piece::of_line(start, first), first + 1));
    }
    let mut rest = text.get(start..)?.chars();
    let begin = into.begin();
    while let Some(character) = rest.next() {
        match character {
            '"' => break,
            '\\' => {
                let escaped = rest.next()?;
                into.write(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'u' => {
                        let hex = rest.as_str().get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
                        match hex.and_then(char::from_u32) {
                            Some(character) => {
                                rest = rest.as_str().get(4..)?.chars();
                                character
                            }
                            None => 'u',
                        }
                    }
                    other => other,
                });
            }
            other => into.write(other),
        }
    }
    Some((into.end(begin), text.len() - rest.as_str().len()))
}
