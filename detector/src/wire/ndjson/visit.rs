//! serde's visitors: they know the names of fields and the kinds of values, and leave what these mean to
//! [`Fields`].

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::quote;
use super::object::{Fields, Text};

/// The name of a field of the object.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name<'a> {
    Time,
    Message,
    Level,
    Service,
    Session,
    Labels,
    Metrics,
    Other(Text<'a>),
}

/// The value of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(Text<'a>),
    Nested,
}

impl Found<'_> {
    /// In words, for a message.
    pub(super) fn shown(&self, unescaped: &str) -> String {
        match self {
            Found::Null => "null".to_owned(),
            Found::Bool(value) => value.to_string(),
            Found::Integer(number) => number.to_string(),
            Found::Number(number) => format!("{number:?}"),
            Found::Text(text) => quote(text.of(unescaped)),
            Found::Nested => "an object or a list".to_owned(),
        }
    }
}

/// Visits the object of a line.
pub(super) struct Object<'f, 'a>(pub(super) &'f mut Fields<'a>);

impl<'a> Visitor<'a> for Object<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object such as {\"message\": \"started\"} or {\"cpu_percent\": 41.5}")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        let fields = self.0;
        while let Some((name, written)) = map.next_key_seed(Key(fields))? {
            fields.reading = Some(written);
            let inside = match name {
                Name::Labels => Some(Inside::Labels),
                Name::Metrics => Some(Inside::Metrics),
                _ => None,
            };
            if let Some(found) = map.next_value_seed(Value { fields, inside })? {
                fields.field(name, found);
            }
            fields.reading = None;
        }
        Ok(())
    }
}

/// An object whose own fields count.
#[derive(Debug, Clone, Copy)]
enum Inside {
    Labels,
    Metrics,
}

/// A name: what it means, and how it is written.
struct Key<'f, 'a>(&'f mut Fields<'a>);

impl<'a> DeserializeSeed<'a> for Key<'_, 'a> {
    type Value = (Name<'a>, Text<'a>);

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Key<'_, 'a> {
    type Value = (Name<'a>, Text<'a>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'a str) -> Result<Self::Value, E> {
        Ok(named(name, Text::Line(name)))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(named(name, self.0.unescape(name)))
    }
}

fn named<'a>(name: &str, written: Text<'a>) -> (Name<'a>, Text<'a>) {
    let meaning = match name {
        "timestamp" | "time" | "ts" | "@timestamp" => Name::Time,
        "message" | "msg" => Name::Message,
        "level" | "severity" | "lvl" => Name::Level,
        "service" => Name::Service,
        "session" => Name::Session,
        "labels" => Name::Labels,
        "metrics" => Name::Metrics,
        _ => Name::Other(written),
    };
    (meaning, written)
}

/// A value of any kind; `None` when it was an object whose own fields have been taken.
struct Value<'f, 'a> {
    fields: &'f mut Fields<'a>,
    inside: Option<Inside>,
}

impl<'a> DeserializeSeed<'a> for Value<'_, 'a> {
    type Value = Option<Found<'a>>;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Value<'_, 'a> {
    type Value = Option<Found<'a>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Some(Found::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Found::Bool(value)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Found::Integer(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(
            i64::try_from(number).map_or(Found::Number(number as f64), Found::Integer),
        ))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(Found::Number(number)))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Self::Value, E> {
        Ok(Some(Found::Text(Text::Line(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Found::Text(self.fields.unescape(text))))
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut list: S) -> Result<Self::Value, S::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some(Found::Nested))
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let Value { fields, inside } = self;
        let Some(inside) = inside else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Some(Found::Nested));
        };
        while let Some((_, name)) = map.next_key_seed(Key(fields))? {
            if let Some(found) = map.next_value_seed(Value { fields, inside: None })? {
                match inside {
                    Inside::Labels => fields.inner_label(name, found),
                    Inside::Metrics => fields.inner_metric(name, found),
                }
            }
        }
        Ok(None)
    }
}
