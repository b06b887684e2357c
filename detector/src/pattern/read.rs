//! Patterns as they are written in a configuration.
//!
//! Read by hand from a document that has been parsed: readers that serde derives for all kinds of patterns, over a
//! deserializer that knows where it is, are as large as all that patterns do at run time. What is said of a mistake is
//! what serde would say, in plain words, and the field that it is in.

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{Error, Unexpected};
use serde_json::{Map, Value};

use super::{
    Absence, By, Fuzzy, Growth, Lines, Pattern, Periodic, Rate, Sequence, Spike, When, five_minutes, medium, one_hour,
    ten, yes,
};
use crate::plain::in_plain_words;

/// What is wrong, and in which field; the pattern as a whole has no name.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) field: String,
    pub(super) message: String,
}

type Read<T> = Result<T, Mistake>;

/// A value, and where it is.
struct At<'a> {
    field: String,
    value: &'a Value,
}

/// An object with known fields only, and where it is.
struct Fields<'a> {
    field: String,
    map: &'a Map<String, Value>,
}

/// Reads a pattern, or tells all that is wrong with it, field by field.
pub(super) fn pattern(map: &Map<String, Value>) -> Result<Pattern, Vec<Mistake>> {
    let known = &["name", "description", "severity", "alarm", "service", "level", "when"];
    let field = String::new();
    let fields = Fields { field, map };
    let mut wrong: Vec<Mistake> = fields.unknown(known).collect();
    let name = kept(&mut wrong, fields.required("name").and_then(At::text));
    let description = kept(&mut wrong, fields.optional("description").map(At::text).transpose());
    let severity = fields.optional("severity").map_or_else(|| Ok(medium()), At::word);
    let severity = kept(&mut wrong, severity);
    let alarm = kept(&mut wrong, fields.flag("alarm", yes()));
    let service = kept(&mut wrong, fields.nullable("service").map(At::text).transpose());
    let level = kept(&mut wrong, fields.nullable("level").map(At::word).transpose());
    let when = kept(&mut wrong, fields.required("when").and_then(At::when));
    match (name, description, severity, alarm, service, level, when) {
        (Some(name), Some(description), Some(severity), Some(alarm), Some(service), Some(level), Some(when))
            if wrong.is_empty() =>
        {
            Ok(Pattern {
                name,
                description: description.unwrap_or_default(),
                severity,
                alarm,
                service,
                level,
                when,
            })
        }
        _ => Err(wrong),
    }
}

fn kept<T>(wrong: &mut Vec<Mistake>, read: Read<T>) -> Option<T> {
    read.map_err(|mistake| wrong.push(mistake)).ok()
}

impl<'a> At<'a> {
    fn wrong(&self, error: &serde_json::Error) -> Mistake {
        Mistake {
            field: self.field.clone(),
            message: in_plain_words(&error.to_string()),
        }
    }

    #[inline(never)]
    fn refused(&self, message: String) -> Mistake {
        Mistake {
            field: self.field.clone(),
            message,
        }
    }

    /// Something else was expected.
    #[inline(never)]
    fn other(&self, expected: &str) -> Mistake {
        let found = match self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => Unexpected::Unsigned(number),
                (_, Some(number)) => Unexpected::Signed(number),
                _ => Unexpected::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        let error = serde_json::Error::invalid_type(found, &expected);
        self.wrong(&error)
    }

    #[inline(never)]
    fn object(self, known: &'static [&'static str]) -> Read<Fields<'a>> {
        let Value::Object(map) = self.value else {
            return Err(self.other("a map"));
        };
        let fields = Fields { field: self.field, map };
        let unknown = fields.unknown(known).next();
        unknown.map_or(Ok(fields), Err)
    }

    fn inside<'b>(&self, key: &str, value: &'b Value) -> At<'b> {
        inside(&self.field, key, value)
    }

    /// A choice: its name by itself, or the only field of an object.
    #[inline(never)]
    fn single(&self) -> Read<(&'a str, Option<&'a Value>)> {
        let error = match self.value {
            Value::Object(map) => match map.iter().next() {
                Some((key, value)) if map.len() == 1 => return Ok((key, Some(value))),
                _ => Error::invalid_value(Unexpected::Map, &"map with a single key"),
            },
            Value::String(key) => return Ok((key, None)),
            _ => return Err(self.other("string or map")),
        };
        Err(self.wrong(&error))
    }

    /// One of these choices, which has a value.
    #[inline(never)]
    fn choice(self, known: &'static [&'static str]) -> Read<(&'static str, At<'a>)> {
        if let Value::Object(map) = self.value
            && map.len() != 1
        {
            let written = map.keys().map(String::as_str).collect::<Vec<_>>();
            let found = match written.as_slice() {
                [] => "nothing is said here".to_owned(),
                written => format!("there are `{}`", written.join("`, `")),
            };
            return Err(self.refused(format!("{found}: write one of `{}`", known.join("`, `"))));
        }
        let (key, value) = self.single()?;
        let Some(choice) = known.iter().find(|known| **known == key) else {
            return Err(self.wrong(&Error::unknown_variant(key, known)));
        };
        let inside = self.inside(choice, value.unwrap_or(self.value));
        match value {
            Some(_) => Ok((choice, inside)),
            None => Err(inside.refused(format!(
                "`{choice}` does not say what: write {{\"{choice}\": …}} with what it needs"
            ))),
        }
    }

    #[inline(never)]
    fn string(self) -> Read<(String, String)> {
        match self.value {
            Value::String(text) => Ok((self.field, text.clone())),
            _ => Err(self.other("a string")),
        }
    }

    fn text<T: TryFrom<String, Error = String>>(self) -> Read<T> {
        let (field, text) = self.string()?;
        T::try_from(text).map_err(|message| Mistake { field, message })
    }

    fn number<T: TryFrom<f64, Error = String>>(self) -> Read<T> {
        match self.value.as_f64() {
            Some(number) => T::try_from(number).map_err(|message| self.refused(message)),
            None => Err(self.other("f64")),
        }
    }

    fn whole(self) -> Read<u32> {
        match self.value.as_u64().and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Ok(number),
            None => Err(self.other("u32")),
        }
    }

    /// One of the words that a type knows.
    fn word<T: Deserialize<'a>>(self) -> Read<T> {
        let (word, value) = self.single()?;
        let known = T::deserialize(StrDeserializer::new(word)).map_err(|error| self.wrong(&error))?;
        match value {
            Some(value) if !value.is_null() => Err(self.inside(word, value).other("unit")),
            _ => Ok(known),
        }
    }

    fn when(self) -> Read<When> {
        let kinds = &[
            "regex", "fuzzy", "sequence", "spike", "rate", "growth", "periodic", "absence", "surprise",
        ];
        let (kind, at) = self.choice(kinds)?;
        Ok(match kind {
            "regex" => When::Regex(at.string()?.1),
            "fuzzy" => When::Fuzzy(at.fuzzy()?),
            "surprise" => When::Surprise(at.number()?),
            "sequence" => {
                let fields = at.object(&["first", "then", "within_seconds", "absent", "by"])?;
                When::Sequence(Sequence {
                    first: fields.required("first")?.lines()?,
                    then: fields.required("then")?.lines()?,
                    within_seconds: fields.required("within_seconds")?.number()?,
                    absent: fields.flag("absent", false)?,
                    by: fields.by()?,
                })
            }
            "spike" => {
                let fields = at.object(&["of", "window_seconds", "factor", "least", "by"])?;
                When::Spike(Spike {
                    of: fields.of()?,
                    window_seconds: fields.number("window_seconds")?.unwrap_or_else(five_minutes),
                    factor: fields.number("factor")?.unwrap_or_default(),
                    least: fields.number("least")?.unwrap_or_else(ten),
                    by: fields.by()?,
                })
            }
            "rate" => {
                let fields = at.object(&["of", "count", "window_seconds", "for_seconds", "by"])?;
                When::Rate(Rate {
                    of: fields.of()?,
                    count: fields.required("count")?.number()?,
                    window_seconds: fields.number("window_seconds")?.unwrap_or_else(five_minutes),
                    for_seconds: fields.nullable("for_seconds").map(At::number).transpose()?,
                    by: fields.by()?,
                })
            }
            "growth" => {
                let fields = at.object(&["of", "window_seconds", "threshold", "value", "by"])?;
                When::Growth(Growth {
                    of: fields.of()?,
                    window_seconds: fields.number("window_seconds")?.unwrap_or_else(one_hour),
                    threshold: fields.number("threshold")?.unwrap_or_default(),
                    value: fields.nullable("value").map(At::text).transpose()?,
                    by: fields.by()?,
                })
            }
            "periodic" => {
                let fields = at.object(&["of", "every_seconds", "tolerance", "times", "by"])?;
                When::Periodic(Periodic {
                    of: fields.of()?,
                    every_seconds: fields.nullable("every_seconds").map(At::number).transpose()?,
                    tolerance: fields.number("tolerance")?.unwrap_or_default(),
                    times: fields.number("times")?.unwrap_or_default(),
                    by: fields.by()?,
                })
            }
            _ => {
                let fields = at.object(&["of", "within_seconds", "by"])?;
                When::Absence(Absence {
                    of: fields.of()?,
                    within_seconds: fields.required("within_seconds")?.number()?,
                    by: fields.by()?,
                })
            }
        })
    }

    #[inline(never)]
    fn lines(self) -> Read<Lines> {
        let (kind, at) = self.choice(&["regex", "fuzzy", "pattern"])?;
        Ok(match kind {
            "regex" => Lines::Regex(at.string()?.1),
            "fuzzy" => Lines::Fuzzy(at.fuzzy()?),
            _ => Lines::Pattern(at.text()?),
        })
    }

    #[inline(never)]
    fn fuzzy(self) -> Read<Fuzzy> {
        let fields = self.object(&["phrase", "distance", "similarity"])?;
        Ok(Fuzzy {
            phrase: fields.required("phrase")?.string()?.1,
            distance: fields.nullable("distance").map(At::whole).transpose()?,
            similarity: fields.nullable("similarity").map(At::number).transpose()?,
        })
    }
}

impl<'a> Fields<'a> {
    /// Fields that nobody knows.
    fn unknown(&self, known: &'static [&'static str]) -> impl Iterator<Item = Mistake> + use<'_, 'a> {
        let unknown = self.map.iter().filter(move |(key, _)| !known.contains(&key.as_str()));
        unknown.map(move |(key, value)| inside(&self.field, key, value).wrong(&Error::unknown_field(key, known)))
    }

    #[inline(never)]
    fn optional(&self, key: &str) -> Option<At<'a>> {
        let value = self.map.get(key)?;
        Some(inside(&self.field, key, value))
    }

    /// `null` is as good as nothing.
    fn nullable(&self, key: &str) -> Option<At<'a>> {
        self.optional(key).filter(|at| !at.value.is_null())
    }

    #[inline(never)]
    fn required(&self, key: &'static str) -> Read<At<'a>> {
        self.optional(key).ok_or_else(|| Mistake {
            field: self.field.clone(),
            message: in_plain_words(&serde_json::Error::missing_field(key).to_string()),
        })
    }

    fn number<T: TryFrom<f64, Error = String>>(&self, key: &str) -> Read<Option<T>> {
        self.optional(key).map(At::number).transpose()
    }

    fn flag(&self, key: &str, default: bool) -> Read<bool> {
        match self.optional(key) {
            None => Ok(default),
            Some(at) => at.value.as_bool().ok_or_else(|| at.other("a boolean")),
        }
    }

    fn of(&self) -> Read<Lines> {
        self.required("of")?.lines()
    }

    #[inline(never)]
    fn by(&self) -> Read<By> {
        let Some(at) = self.optional("by") else {
            return Ok(By::default());
        };
        match at.value.as_str() {
            Some("subject") => return Ok(By::Subject),
            Some("session") => return Ok(By::Session),
            _ => {}
        }
        let (kind, at) = at.choice(&["subject", "session", "capture"])?;
        match kind {
            "capture" => Ok(By::Capture(at.text()?)),
            _ if !at.value.is_null() => Err(at.other("unit")),
            "subject" => Ok(By::Subject),
            _ => Ok(By::Session),
        }
    }
}

fn inside<'a>(field: &str, key: &str, value: &'a Value) -> At<'a> {
    let dot = if field.is_empty() { "" } else { "." };
    let field = format!("{field}{dot}{key}");
    At { field, value }
}
