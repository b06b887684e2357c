//! What an object of Vector's is, and what is inside.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::tape::Value;
use crate::scorer::json;

/// One of Vector's events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'t> {
    pub(crate) kind: Kind,
    pub(crate) form: Form,
    /// The object inside.
    pub(crate) text: &'t str,
    /// Where it begins.
    pub(crate) before: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Log,
    Metric,
    Trace,
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As Vector holds it.
    Plain,
    /// As the JSON of Protobuf, which leaves out zeros.
    Proto,
}

impl Form {
    /// What a number is that is not there.
    pub(super) fn absent(self) -> Option<f64> {
        match self {
            Form::Plain => None,
            Form::Proto => Some(0.0),
        }
    }
}

/// The event that an object is, by its beginning: whether what is inside is one object and nothing else is still to be
/// seen.
pub(crate) fn event(object: &str) -> Option<Event<'_>> {
    let (name, inside) = only_field(object)?;
    let (form, name, text) = match name {
        "event" => {
            let (name, inside) = only_field(inside)?;
            (Form::Proto, name, inside)
        }
        name => (Form::Plain, name, inside),
    };
    let kind = match name {
        "log" => Kind::Log,
        "metric" => Kind::Metric,
        "trace" => Kind::Trace,
        _ => return None,
    };
    let before = text.as_ptr().addr().checked_sub(object.as_ptr().addr())?;
    Some(Event {
        kind,
        form,
        text,
        before,
    })
}

/// The name of the first field of an object, and what is between it and the object's end when it begins an object.
fn only_field(object: &str) -> Option<(&str, &str)> {
    let inside = object.strip_prefix('{')?.strip_suffix('}')?;
    let (name, value) = inside.trim_ascii_start().strip_prefix('"')?.split_once('"')?;
    let value = value.trim_ascii_start().strip_prefix(':')?.trim_ascii();
    value.starts_with('{').then_some((name, value))
}

/// Writes the fields of a log or a trace, which are written as those of Protobuf, as plain JSON.
pub(super) fn write_plain(event: Value<'_, '_>, into: &mut Vec<u8>) -> Result<(), String> {
    into.clear();
    let fields = match event.get("value") {
        Some(value) => value
            .get("map")
            .ok_or("the log is a value that is no map")?
            .get("fields"),
        None => event.get("fields"),
    };
    match fields {
        Some(fields) => write_map(fields, into),
        None => into.extend_from_slice(b"{}"),
    }
    Ok(())
}

fn write_map(fields: Value<'_, '_>, into: &mut Vec<u8>) {
    into.push(b'{');
    for (at, (name, value)) in fields.fields().enumerate() {
        if at > 0 {
            into.push(b',');
        }
        json(into, name);
        into.push(b':');
        write_value(value, into);
    }
    into.push(b'}');
}

fn write_value(value: Value<'_, '_>, into: &mut Vec<u8>) {
    let Some((kind, value)) = value.fields().next() else {
        into.extend_from_slice(b"null");
        return;
    };
    match kind {
        "rawBytes" | "raw_bytes" => {
            let bytes = value
                .text()
                .and_then(|text| STANDARD.decode(text).ok())
                .unwrap_or_default();
            json(into, &String::from_utf8_lossy(&bytes));
        }
        "timestamp" => json(into, value.text().unwrap_or_default()),
        "map" => match value.get("fields") {
            Some(fields) => write_map(fields, into),
            None => into.extend_from_slice(b"{}"),
        },
        "array" => {
            into.push(b'[');
            for (at, item) in value.list("items").enumerate() {
                if at > 0 {
                    into.push(b',');
                }
                write_value(item, into);
            }
            into.push(b']');
        }
        "boolean" => into.extend_from_slice(if value.bool() == Some(true) {
            b"true"
        } else {
            &b"false"[..]
        }),
        "integer" => write_number(value.integer().map(|number| number.to_string()).as_deref(), into),
        "float" => {
            let number = value.number().filter(|number| number.is_finite());
            write_number(number.map(|number| format!("{number:?}")).as_deref(), into);
        }
        _ => into.extend_from_slice(b"null"),
    }
}

fn write_number(number: Option<&str>, into: &mut Vec<u8>) {
    into.extend_from_slice(number.unwrap_or("null").as_bytes());
}
