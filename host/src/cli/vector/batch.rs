//! A batch as it came, cut into its events, and what is written into them. Nothing is encoded anew: what is added stands
//! behind the bytes of an event, which for fields of a map means to have been added to it, or to take the place of one of
//! the same name. So types, metadata and whatever a newer Vector may send stay what they were.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field};
use prost::{DecodeError, Message};

use super::schema::{Event, EventWrapper, Kind, Log, Metric, TagValue, TagValues, Trace, Value, ValueMap};

/// The number of the events in a request.
const EVENTS: u32 = 1;

/// Those of the kinds of events; an event is of one of them.
const KINDS: [u32; 3] = [1, 2, 3];

/// One field of a request.
pub(super) struct Part {
    /// Its bytes, with its number.
    field: Bytes,
    /// The event, where it is one.
    pub(super) event: Option<Bytes>,
}

impl Part {
    /// The field as it came.
    pub(super) fn pass(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.field);
    }
}

/// Cuts a request into its fields.
pub(super) fn parts(request: &Bytes) -> Result<Vec<Part>, DecodeError> {
    let fields = fields(request)?.into_iter();
    let parts = fields.map(|field| Part {
        field: request.slice_ref(field.whole),
        event: (field.number == EVENTS)
            .then_some(field.content)
            .flatten()
            .map(|event| request.slice_ref(event)),
    });
    Ok(parts.collect())
}

/// Reads an event; what is not known of it is skipped. What a reader makes of an event that has several kinds is left to
/// readers.
pub(super) fn read(event: &Bytes) -> Option<Event> {
    let kinds = fields(event)
        .ok()?
        .into_iter()
        .filter(|field| KINDS.contains(&field.number));
    if kinds.count() != 1 {
        return None;
    }
    EventWrapper::decode(event.clone()).ok()?.event
}

/// Writes an event into a request, with `addition` in it.
pub(super) fn write(event: &Bytes, addition: &[u8], out: &mut Vec<u8>) {
    let mut grown = Vec::with_capacity(event.len() + addition.len() + 8);
    for Field { number, whole, content } in fields(event).unwrap_or_default() {
        match content {
            Some(content) if KINDS.contains(&number) => put(number, &[content, addition], &mut grown),
            _ => grown.extend_from_slice(whole),
        }
    }
    put(EVENTS, &[&grown], out);
}

/// Writes a log event of our own into a request.
pub(super) fn write_log(fields: BTreeMap<String, Value>, out: &mut Vec<u8>) {
    let event = Some(Event::Log(Log { fields, value: None }));
    put(EVENTS, &[&EventWrapper { event }.encode_to_vec()], out);
}

/// Where a verdict is written in an event.
#[derive(Clone, Copy)]
pub(super) enum Place {
    LogFields,
    /// Those of a log whose root stands in `value`.
    LogValue,
    TraceFields,
    /// A metric has no place but its tags, whose values are texts that are kept for ever. So it gets one only when it is
    /// anomalous, `<name>_anomaly`.
    Tags,
    /// A log that is no object.
    Nowhere,
}

impl Place {
    pub(super) fn of(event: &Event) -> Self {
        match event {
            Event::Log(Log { value: None, .. }) => Place::LogFields,
            Event::Log(Log { value: Some(value), .. }) if matches!(value.kind, Some(Kind::Map(_))) => Place::LogValue,
            Event::Log(_) => Place::Nowhere,
            Event::Trace(_) => Place::TraceFields,
            Event::Metric(_) => Place::Tags,
        }
    }

    /// The bytes that, behind those of an event, set the field of this name.
    pub(super) fn addition(self, name: &str, verdict: serde_json::Value) -> Option<Vec<u8>> {
        let anomalous = verdict.get("anomaly").and_then(serde_json::Value::as_bool) == Some(true);
        let fields = BTreeMap::from([(name.to_owned(), Value::from(verdict))]);
        match self {
            Place::LogFields => Some(Log { fields, value: None }.encode_to_vec()),
            Place::LogValue => {
                let value = Value {
                    kind: Some(Kind::Map(ValueMap { fields })),
                };
                let log = Log {
                    value: Some(value),
                    ..Log::default()
                };
                Some(log.encode_to_vec())
            }
            Place::TraceFields => Some(Trace { fields }.encode_to_vec()),
            Place::Tags if anomalous => {
                let name = format!("{name}_anomaly");
                let value = "true".to_owned();
                let values = vec![TagValue {
                    value: Some(value.clone()),
                }];
                let metric = Metric {
                    tags_v1: BTreeMap::from([(name.clone(), value)]),
                    tags_v2: BTreeMap::from([(name, TagValues { values })]),
                    ..Metric::default()
                };
                Some(metric.encode_to_vec())
            }
            Place::Tags | Place::Nowhere => None,
        }
    }
}

/// A field of a message.
struct Field<'a> {
    number: u32,
    whole: &'a [u8],
    /// What a field that tells its length holds: a message, for one.
    content: Option<&'a [u8]>,
}

fn fields(message: &[u8]) -> Result<Vec<Field<'_>>, DecodeError> {
    let mut fields = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let start = rest;
        let (number, wire_type) = decode_key(&mut rest)?;
        let mut value = rest;
        skip_field(wire_type, number, &mut rest, DecodeContext::default())?;
        let (whole, _) = start.split_at(start.len() - rest.len());
        let content = if wire_type == WireType::LengthDelimited {
            decode_varint(&mut value)?;
            Some(value.split_at(value.len() - rest.len()).0)
        } else {
            None
        };
        fields.push(Field { number, whole, content });
    }
    Ok(fields)
}

/// Writes a field that holds these bytes.
fn put(number: u32, content: &[&[u8]], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(content.iter().map(|part| part.len() as u64).sum(), out);
    content.iter().for_each(|part| out.put_slice(part));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(event: Event) -> Bytes {
        EventWrapper { event: Some(event) }.encode_to_vec().into()
    }

    fn written(event: &Bytes, addition: &[u8]) -> Bytes {
        let mut request = Vec::new();
        write(event, addition, &mut request);
        let parts = parts(&request.into()).unwrap();
        parts.into_iter().next().unwrap().event.unwrap()
    }

    /// What a reader makes of the bytes: one map, in which the last of a name counts.
    #[test]
    fn what_is_put_behind_an_event_is_in_it() {
        let verdict = || serde_json::json!({ "anomaly": true, "score": 0.5 });
        let text = |text: &'static str| Value {
            kind: Some(Kind::Bytes(Bytes::from_static(text.as_bytes()))),
        };
        let fields = BTreeMap::from([("a".to_owned(), text("a")), ("v".to_owned(), text("old"))]);
        let after = BTreeMap::from([("a".to_owned(), text("a")), ("v".to_owned(), Value::from(verdict()))]);
        let object = |fields| {
            Some(Value {
                kind: Some(Kind::Map(ValueMap { fields })),
            })
        };
        let rooted = |value| Log {
            value,
            ..Log::default()
        };
        let events = [
            (
                Event::Log(Log {
                    fields: fields.clone(),
                    value: None,
                }),
                Event::Log(Log {
                    fields: after.clone(),
                    value: None,
                }),
            ),
            (
                Event::Trace(Trace { fields: fields.clone() }),
                Event::Trace(Trace { fields: after.clone() }),
            ),
            (Event::Log(rooted(object(fields))), Event::Log(rooted(object(after)))),
        ];
        for (before, after) in events {
            let addition = Place::of(&before).addition("v", verdict()).unwrap();
            assert_eq!(read(&written(&wrapped(before), &addition)), Some(after));
        }
    }

    #[test]
    fn an_anomalous_metric_gets_a_tag_in_both_versions() {
        let metric = Event::Metric(Metric {
            name: "requests".to_owned(),
            tags_v1: BTreeMap::from([("host".to_owned(), "a".to_owned())]),
            ..Metric::default()
        });
        assert!(
            Place::of(&metric)
                .addition("v", serde_json::json!({ "anomaly": false }))
                .is_none()
        );
        let addition = Place::of(&metric).addition("v", serde_json::json!({ "anomaly": true }));
        let Some(Event::Metric(tagged)) = read(&written(&wrapped(metric), &addition.unwrap())) else {
            panic!("the event is no metric any more");
        };
        assert_eq!(tagged.name, "requests");
        assert_eq!(tagged.tags_v1["v_anomaly"], "true");
        assert_eq!(tagged.tags_v1["host"], "a");
        assert_eq!(tagged.tags_v2["v_anomaly"].values[0].value.as_deref(), Some("true"));
    }

    #[test]
    fn what_stands_beside_an_event_stays_there() {
        let mut event = wrapped(Event::Log(Log::default())).to_vec();
        put(99, &[b"news"], &mut event);
        let addition = Place::LogFields.addition("v", serde_json::json!({})).unwrap();
        let after = written(&event.into(), &addition);
        let after = super::fields(&after).unwrap();
        assert_eq!(after.iter().map(|field| field.number).collect::<Vec<_>>(), [1, 99]);
        assert_eq!(after[0].content, Some(&addition[..]));
    }
}
