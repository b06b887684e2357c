//! Protobuf by hand: what Vector's schema says, number by number, and nothing that the program itself uses.

/// A field that holds a message, a text or bytes.
pub(crate) fn len(number: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut field = varint(number << 3 | 2);
    field.extend(varint(content.len() as u64));
    field.extend_from_slice(content);
    field
}

pub(crate) fn int(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

pub(crate) fn double(number: u64, value: f64) -> Vec<u8> {
    [varint(number << 3 | 1), value.to_le_bytes().to_vec()].concat()
}

/// Numbers one behind the other, as repeated numbers are written.
pub(crate) fn packed(number: u64, values: &[u64]) -> Vec<u8> {
    len(
        number,
        values.iter().flat_map(|value| varint(*value)).collect::<Vec<u8>>(),
    )
}

pub(crate) fn doubles(number: u64, values: &[f64]) -> Vec<u8> {
    len(
        number,
        values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>(),
    )
}

/// An entry of a map.
pub(crate) fn entry(number: u64, key: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    len(number, [len(1, key), len(2, value)].concat())
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// The fields of a message: their numbers, and what those that tell their length hold; of others nothing.
pub(crate) fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    fn next(message: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = message[0];
            *message = &message[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
        }
        unreachable!("a message ends")
    }
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = next(&mut message);
        let size = match key & 7 {
            0 => {
                next(&mut message);
                0
            }
            1 => 8,
            2 => next(&mut message) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (content, rest) = message.split_at(size);
        fields.push((key >> 3, if key & 7 == 2 { content } else { &[] }));
        message = rest;
    }
    fields
}

pub(crate) fn text(value: &str) -> Vec<u8> {
    len(1, value)
}

pub(crate) fn timestamp(seconds: u64, nanos: u64) -> Vec<u8> {
    len(2, [int(1, seconds), int(2, nanos)].concat())
}

pub(crate) fn integer(value: i64) -> Vec<u8> {
    int(4, value as u64)
}

pub(crate) fn float(value: f64) -> Vec<u8> {
    double(5, value)
}

pub(crate) fn boolean(value: bool) -> Vec<u8> {
    int(6, u64::from(value))
}

pub(crate) fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    len(7, fields_of(entries))
}

pub(crate) fn array(items: &[Vec<u8>]) -> Vec<u8> {
    len(8, items.iter().flat_map(|item| len(1, item)).collect::<Vec<u8>>())
}

pub(crate) fn null() -> Vec<u8> {
    int(9, 0)
}

/// The map `fields` of a log, a trace or a map.
pub(crate) fn fields_of(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    entries.iter().flat_map(|(key, value)| entry(1, key, value)).collect()
}

/// `Metadata`, with fields that we have never heard of.
pub(crate) fn metadata() -> Vec<u8> {
    [
        len(1, map(&[("vector", map(&[("secret", text("no"))]))])),
        len(2, [int(1, 10), int(2, 11), int(3, 12)].concat()),
        len(3, "source-17"),
        len(4, "http_server"),
        len(5, [len(1, "parse"), len(2, "dropped")].concat()),
        len(6, len(1, [len(1, "datadog_api_key"), len(2, "abc")].concat())),
        len(7, [7; 16]),
        int(8, 3),
        len(900, "of a newer Vector"),
    ]
    .concat()
}

/// What Vector's value is in JSON.
pub(crate) fn json(value: &[u8]) -> serde_json::Value {
    use serde_json::Value;
    let Some((number, content)) = fields(value).pop() else {
        return Value::Null;
    };
    let eight = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().unwrap());
    let rest = &value[1..];
    match number {
        1 => Value::from(String::from_utf8_lossy(content)),
        2 => Value::from("a time"),
        4 => {
            let bytes = rest.iter().rev();
            Value::from(bytes.fold(0, |sum, byte| sum << 7 | i64::from(byte & 0x7f)))
        }
        5 => Value::from(eight(rest)),
        6 => Value::from(rest == [1]),
        7 => Value::Object(object(content)),
        8 => fields(content).into_iter().map(|(_, item)| json(item)).collect(),
        9 => Value::Null,
        number => panic!("kind {number}"),
    }
}

/// The map `fields` in JSON.
pub(crate) fn object(message: &[u8]) -> serde_json::Map<String, serde_json::Value> {
    let entries = fields(message).into_iter().filter(|(number, _)| *number == 1);
    let entries = entries.map(|(_, entry)| {
        let entry = fields(entry);
        let key = String::from_utf8(entry[0].1.to_vec()).unwrap();
        (
            key,
            entry.get(1).map_or(serde_json::Value::Null, |(_, value)| json(value)),
        )
    });
    entries.collect()
}
