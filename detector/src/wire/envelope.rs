//! Log lines in an envelope that says how to read them, one or many: `{"logs": [{…}, …]}`.
//!
//! | field | what it is |
//! |---|---|
//! | `raw_log` | the line |
//! | `service` | whose line it is, when the line does not say so |
//! | `timestamp`, `level` | the same |
//! | `format_type` | `json`, `kv` or `regex`; anything else, or none: found out |
//! | `custom_config.pattern` | for `regex`: the expression, with a named group for each field: `(?<level>\w+)` |
//! | `custom_config.field_mapping` | for `regex`: what the groups are, `{"lvl": "level"}` or `{"level": "lvl"}`; numbers count groups without a name |
//!
//! A line that is not in the format it is said to have is read as the log line it is.

#[cfg(test)]
mod tests;

use regex_lite::Regex;

use super::json::Scan;
use super::payload::{Outer, Payload};
use super::record::{Buffers, Record, Scalar};
use super::{Clock, Row, logfmt, ndjson};
use crate::scorer::Problem;

/// Reads envelopes; what is kept is memory, and the last expression.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    scan: Scan,
    buffers: Buffers,
    pattern: String,
    regex: Option<Regex>,
}

impl Envelope {
    /// Hands on the one row of a record that holds a `raw_log`.
    pub(super) fn read(
        &mut self,
        envelope: &Record<'_>,
        payload: &mut Payload,
        outer: &Outer<'_>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        let text = envelope.raw_log().unwrap_or_default();
        let outer = envelope.outer(outer);
        let format = envelope.format_type().unwrap_or_default();
        if format.eq_ignore_ascii_case("regex") {
            let pattern = envelope.pattern().unwrap_or_default();
            if self.regex.is_none() || self.pattern != pattern {
                match compile(pattern) {
                    Ok(regex) => {
                        self.regex = Some(regex);
                        pattern.clone_into(&mut self.pattern);
                    }
                    Err(message) => {
                        clock.pass(outer.time);
                        each(Row::Bad(Problem {
                            line,
                            field: Some("custom_config.pattern".to_owned()),
                            message,
                        }));
                        return;
                    }
                }
            }
        }
        let mut record = Record::new(std::mem::take(&mut self.buffers));
        let mut is_read = false;
        if format.eq_ignore_ascii_case("regex") {
            is_read = self
                .regex
                .as_ref()
                .is_some_and(|regex| groups(regex, text, envelope, &mut record));
        } else if matches!(format, "kv" | "key_value" | "key-value" | "logfmt" | "keyvalue") {
            is_read = logfmt::read_any(text, &mut self.scan).is_some();
            if is_read {
                ndjson::fill(&mut record, &self.scan, text);
            }
        }
        if is_read {
            record.emit_or(Some(text), &outer, line, clock, each);
        } else {
            payload.read(text, &outer, line, clock, each);
        }
        self.buffers = record.into_buffers();
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.is_empty() {
        return Err(
            "there is no expression: write one with a named group for each field, for example \
             \"(?<time>\\\\S+) (?<level>\\\\w+) (?<message>.*)\""
                .to_owned(),
        );
    }
    Regex::new(pattern).map_err(|error| {
        format!("the expression cannot be used: {error}; write one without look-around, back-references and huge repetitions")
    })
}

/// What the groups of an expression matched, under the names that the envelope gives them.
fn groups<'a>(regex: &'a Regex, text: &'a str, envelope: &Record<'a>, record: &mut Record<'a>) -> bool {
    let Some(found) = regex.captures(text) else {
        return false;
    };
    let mut any = false;
    for (position, name) in regex.capture_names().enumerate().skip(1) {
        let Some(group) = found.get(position) else {
            continue;
        };
        let mapped = envelope
            .within("custom_config.field_mapping.")
            .find_map(|(left, right)| {
                let (Scalar::Text(right) | Scalar::Written(_, right)) = right else {
                    return None;
                };
                let is_group = |text: &str| Some(text) == name || text.parse() == Ok(position);
                match (is_group(left), is_group(right)) {
                    (true, _) => Some(right),
                    (_, true) => Some(left),
                    _ => None,
                }
            });
        if let Some(field) = mapped.or(name) {
            any = true;
            record.push(field, value(group.as_str()));
        }
    }
    any
}

fn value(text: &str) -> Scalar<'_> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Scalar::Written(number, text),
        _ => Scalar::Text(text),
    }
}
