//! Where a verdict belongs in one of Vector's events.

use std::ops::Range;

use memchr::{memchr2, memmem};
use serde_json::Value;

use super::{FieldName, without};
use crate::scorer::json;
use crate::wire::native_json::{Event, Form, Kind, event};

/// Writes an event with its verdict, which is JSON: into a log or a trace as a field, into a metric as the tag
/// `<field>_anomaly` where it is anomalous. What is no event has no place for one and is written as it is.
pub(super) fn annotate(line: &[u8], field: &FieldName, verdict: &[u8], anomalous: bool, out: &mut Vec<u8>) {
    let object = line.trim_ascii();
    match place(object) {
        Some((event, _)) if event.kind == Kind::Metric => metric(object, &event, anomalous.then_some(field), out),
        Some((event, Some(fields))) => {
            let (before, after) = object.split_at_checked(fields.end).unwrap_or((object, b""));
            let (before, fields) = before.split_at_checked(fields.start).unwrap_or((before, b""));
            out.extend_from_slice(before);
            without(field, fields, out);
            if !out.trim_ascii_end().ends_with(b"{") {
                out.push(b',');
            }
            json(out, field.as_str());
            out.push(b':');
            match event.form {
                Form::Plain => out.extend_from_slice(verdict),
                Form::Proto => write_proto(&serde_json::from_slice(verdict).unwrap_or_default(), out),
            }
            out.extend_from_slice(after);
        }
        _ => out.extend_from_slice(object),
    }
}

/// Writes a line that gets no verdict: to the byte, but for tags without a value. Vector writes them so that it would
/// refuse them.
pub(super) fn pass(line: &[u8], out: &mut Vec<u8>) {
    let may_have_bare_tags = || memmem::find(line, b"null").is_some();
    let object = line.trim_ascii();
    match event_of(object) {
        Some(event) if event.kind == Kind::Metric && may_have_bare_tags() => {
            let before = line.len() - line.trim_ascii_start().len();
            out.extend_from_slice(line.get(..before).unwrap_or_default());
            metric(object, &event, None, out);
            out.extend_from_slice(line.get(before + object.len()..).unwrap_or_default());
        }
        _ => out.extend_from_slice(line),
    }
}

fn event_of(object: &[u8]) -> Option<Event<'_>> {
    let event = event(std::str::from_utf8(object).ok()?)?;
    let is_one = end_of_value(event.text.as_bytes(), 0) == Some(event.text.len());
    is_one.then_some(event)
}

/// The event, and where the fields of a log or a trace are, from their first brace up to the last one.
fn place(object: &[u8]) -> Option<(Event<'_>, Option<Range<usize>>)> {
    let event = event_of(object)?;
    let path: &[&str] = match (event.form, event.kind) {
        (Form::Plain, _) => &[],
        (Form::Proto, Kind::Log) => &["value", "map", "fields"],
        (Form::Proto, _) => &["fields"],
    };
    let inside = event.text.as_bytes();
    let fields = path.iter().try_fold(0..inside.len(), |range, name| {
        let value = member(inside.get(range.clone())?, name)?;
        Some(range.start + value.start..range.start + value.end)
    });
    let fields = fields.map(|fields| event.before + fields.start..event.before + fields.end - 1);
    Some((event, fields))
}

/// A metric has no place for a verdict but its tags, whose values are texts that are kept for ever.
fn metric(object: &[u8], event: &Event<'_>, anomalous: Option<&FieldName>, out: &mut Vec<u8>) {
    let inside = event.text.as_bytes();
    let (tags, value): (_, &[u8]) = match event.form {
        Form::Plain => ("tags", b"_anomaly\":\"true\""),
        Form::Proto => ("tagsV2", b"_anomaly\":{\"values\":[{\"value\":\"true\"}]}"),
    };
    let found = member(inside, tags);
    if found.as_ref().is_some_and(|tags| inside.get(tags.start) != Some(&b'{')) {
        // Something else stands there, and two of a name are refused.
        out.extend_from_slice(object);
        return;
    }
    let begin = event.before + 1 + found.as_ref().map_or(0, |tags| tags.start);
    let (before, after) = object.split_at_checked(begin).unwrap_or((object, b""));
    out.extend_from_slice(before);
    if let Some(field) = anomalous {
        if found.is_none() {
            json(out, tags);
            out.extend_from_slice(b":{");
        }
        out.push(b'"');
        out.extend_from_slice(field.as_str().as_bytes());
        out.extend_from_slice(value);
        if found.is_none() {
            out.push(b'}');
        }
        if !after.trim_ascii_start().starts_with(b"}") {
            out.push(b',');
        }
    }
    let mut at = begin;
    if let Some(tags) = found
        && event.form == Form::Plain
    {
        let start = event.before + tags.start;
        let bare =
            members(inside.get(tags).unwrap_or_default()).map(|(_, value)| start + value.start..start + value.end);
        for bare in bare.filter(|value| object.get(value.clone()) == Some(b"null")) {
            out.extend_from_slice(object.get(at..bare.start).unwrap_or_default());
            out.extend_from_slice(b"[null]");
            at = bare.end;
        }
    }
    out.extend_from_slice(object.get(at..).unwrap_or_default());
}

/// Where the value of this name is in an object; of a name that comes twice the last one.
fn member(object: &[u8], name: &str) -> Option<Range<usize>> {
    let found = members(object).filter(|(found, _)| *found == name.as_bytes()).last();
    found.map(|(_, value)| value)
}

/// The names of an object, as they are written, and where their values are. The object has been read before.
fn members(object: &[u8]) -> impl Iterator<Item = (&[u8], Range<usize>)> {
    let mut at = 1;
    std::iter::from_fn(move || {
        let start = at + blank(object, at, b",");
        let end = end_of_value(object, start)?;
        let name = object.get(start..end)?.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let value = end + blank(object, end, b":");
        at = end_of_value(object, value)?;
        Some((name, value..at))
    })
}

/// How many blanks there are from here, and signs between values.
fn blank(bytes: &[u8], at: usize, between: &[u8]) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let is_value = |byte: &u8| !byte.is_ascii_whitespace() && !between.contains(byte);
    rest.iter().position(is_value).unwrap_or(rest.len())
}

/// Behind the value that begins here.
fn end_of_value(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, start);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at += 1 + end_of_text(bytes.get(at + 1..)?)?;
            }
            b'{' | b'[' => {
                depth += 1;
                at += 1;
                continue;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            _ => at += bytes.get(at..)?.iter().position(|byte| b",}] \t\r\n".contains(byte))?,
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Where a text ends, behind its last quote.
pub(super) fn end_of_text(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Writes a value of a log as the JSON of Protobuf.
fn write_proto(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"{\"null\":\"NULL_VALUE\"}"),
        Value::Bool(value) => json(out, &serde_json::json!({ "boolean": value })),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => json(out, &serde_json::json!({ "integer": integer.to_string() })),
            None => json(out, &serde_json::json!({ "float": number })),
        },
        Value::String(text) => {
            let bytes = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
            json(out, &serde_json::json!({ "rawBytes": bytes }));
        }
        Value::Array(items) => {
            out.extend_from_slice(b"{\"array\":{\"items\":[");
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_proto(item, out);
            }
            out.extend_from_slice(b"]}}");
        }
        Value::Object(fields) => {
            out.extend_from_slice(b"{\"map\":{\"fields\":{");
            for (at, (name, field)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                json(out, name);
                out.push(b':');
                write_proto(field, out);
            }
            out.extend_from_slice(b"}}}");
        }
    }
}
