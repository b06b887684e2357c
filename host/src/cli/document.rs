//! The configuration file: one schema in three notations, and errors that say where; other files of JSON, too.

use std::fmt;
use std::path::Path;

use serde::de::{DeserializeOwned, Deserializer};
use watchpost_detector::{Document, in_plain_words};

/// The file's configuration, or the default without a file.
pub(crate) fn load(file: Option<&Path>) -> Result<Document, Invalid> {
    let Some(path) = file else {
        return Ok(Document::default());
    };
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&name, &text, Notation::of(path)),
        Err(error) => Err(Invalid {
            file: name,
            position: None,
            field: None,
            message: format!("cannot be read: {error}"),
        }),
    }
}

/// The file in JSON, whatever its notation, for a module that reads it and knows its fields.
pub(crate) fn in_json(path: &Path) -> Result<String, Invalid> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Invalid {
        file: name.clone(),
        position: None,
        field: None,
        message: format!("cannot be read: {error}"),
    })?;
    let document: serde_json::Map<String, serde_json::Value> = parse(&name, &text, Notation::of(path))?;
    Ok(serde_json::Value::Object(document).to_string())
}

fn parse<T: DeserializeOwned + Default>(file: &str, text: &str, notation: Notation) -> Result<T, Invalid> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match notation {
        Notation::Json => json(text),
        Notation::Yaml => yaml(text),
        Notation::Toml => toml(text),
    }
    .map_err(|mistake| Invalid {
        file: file.to_owned(),
        ..mistake
    })
}

/// What one line of a file of JSON objects says, the line told by its number from 1.
pub(crate) fn line<T: DeserializeOwned>(file: &str, number: usize, text: &str) -> Result<T, Invalid> {
    json(text).map_err(|mistake| Invalid {
        file: file.to_owned(),
        position: mistake.position.map(|(_, column)| (number, column)),
        ..mistake
    })
}

/// A document that cannot be used: `file:line:column: field: message`, as far as each is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Invalid {
    file: String,
    /// Line and column, from 1.
    position: Option<(usize, usize)>,
    field: Option<String>,
    message: String,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ": {field}")?;
        }
        write!(f, ": {}", in_plain_words(&self.message))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notation {
    Json,
    Yaml,
    Toml,
}

impl Notation {
    /// By the extension; JSON unless it says otherwise.
    fn of(path: &Path) -> Notation {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("yaml" | "yml") => Notation::Yaml,
            Some("toml") => Notation::Toml,
            _ => Notation::Json,
        }
    }
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, Invalid> {
    let place = |error: &serde_json::Error| (error.line() > 0).then(|| (error.line(), error.column()));
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let document = traced(&mut deserializer, |error| (place(error), without_position(error)))?;
    deserializer.end().map_err(|error| Invalid {
        file: String::new(),
        position: place(&error),
        field: None,
        message: without_position(&error),
    })?;
    Ok(document)
}

fn yaml<T: DeserializeOwned + Default>(text: &str) -> Result<T, Invalid> {
    // An empty document is null in YAML, and a file of comments is a configuration that changes nothing.
    let is_empty = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(is_empty) {
        return Ok(T::default());
    }
    traced(
        serde_yaml_ng::Deserializer::from_str(text),
        |error: &serde_yaml_ng::Error| {
            let position = error.location().map(|at| (at.line(), at.column()));
            let text = without_position(error);
            // The library puts its own path before the message, which we have already.
            let message = match text.split_once(": ") {
                Some((path, message)) if !path.contains(' ') => message.to_owned(),
                _ => text,
            };
            (position, message)
        },
    )
}

fn toml<T: DeserializeOwned>(text: &str) -> Result<T, Invalid> {
    let explain = |error: &toml::de::Error| {
        let position = error.span().map(|span| position(text, span.start));
        (position, error.message().to_owned())
    };
    let deserializer = toml::Deserializer::parse(text).map_err(|error| {
        let (position, message) = explain(&error);
        Invalid {
            file: String::new(),
            position,
            field: None,
            message,
        }
    })?;
    traced(deserializer, explain)
}

/// Deserializes and names the field at fault; `explain` takes the rest from the error of the notation.
fn traced<'de, T, D>(
    deserializer: D,
    explain: impl Fn(&D::Error) -> (Option<(usize, usize)>, String),
) -> Result<T, Invalid>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let (position, message) = explain(error.inner());
        Invalid {
            file: String::new(),
            position,
            field: (path != "." && path != "?").then(|| path.trim_end_matches(".?").to_owned()),
            message,
        }
    })
}

/// The message without its own " at line 1 column 2", which is told before it.
fn without_position(error: &dyn fmt::Display) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.rfind(" at line ") {
        text.truncate(end);
    }
    text
}

/// Line and column of a byte, both from 1, columns in characters.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(notation: Notation, text: &str) -> String {
        parse::<Document>("x", text, notation).unwrap_err().to_string()
    }

    #[test]
    fn the_three_notations_say_the_same() {
        let json = r#"{"detector": {"false_alarms_per_day": 2.0, "bounds": {"max_series": 7}}}"#;
        let yaml = "# ours\ndetector:\n  false_alarms_per_day: 2.0\n  bounds:\n    max_series: 7\n";
        let toml = "[detector]\nfalse_alarms_per_day = 2.0\nbounds.max_series = 7\n";
        let parsed: Document = parse("x", json, Notation::Json).unwrap();
        assert_eq!(parsed.detector.bounds.max_series.get(), 7);
        assert_eq!(parse::<Document>("x", yaml, Notation::Yaml).unwrap(), parsed);
        assert_eq!(parse::<Document>("x", toml, Notation::Toml).unwrap(), parsed);
        for notation in [Notation::Yaml, Notation::Toml] {
            assert_eq!(
                parse::<Document>("x", "# nothing\n", notation).unwrap(),
                Document::default()
            );
        }
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let unknown = "there is no field `max_serie` here: did you mean `max_series`?";
        assert_eq!(
            message(Notation::Json, "{\"detector\": {\n  \"bounds\": {\"max_serie\": 7}}}"),
            format!("x:2:24: detector.bounds.max_serie: {unknown}")
        );
        assert_eq!(
            message(Notation::Yaml, "detector:\n  bounds:\n    max_serie: 7\n"),
            format!("x:3:5: detector.bounds.max_serie: {unknown}")
        );
        assert_eq!(
            message(Notation::Toml, "[detector.bounds]\nmax_serie = 7\n"),
            format!("x:2:1: detector.bounds.max_serie: {unknown}")
        );
        let rate = "-1 is not a rate of alarms per day: give a number from 0.000001 to 1000";
        assert_eq!(
            message(Notation::Json, "{\"detector\": {\"false_alarms_per_day\": -1}}"),
            format!("x:1:41: detector.false_alarms_per_day: {rate}")
        );
        assert_eq!(
            message(Notation::Yaml, "detector:\n  false_alarms_per_day: -1\n"),
            format!("x:2:3: detector.false_alarms_per_day: {rate}")
        );
        assert_eq!(
            message(Notation::Toml, "[detector]\nfalse_alarms_per_day = -1\n"),
            format!("x:2:24: detector.false_alarms_per_day: {rate}")
        );
        assert_eq!(
            message(Notation::Json, "{} {}"),
            "x:1:4: something follows after the end: leave it out"
        );
        assert!(message(Notation::Toml, "a = = 1").starts_with("x:1:5: "));
        assert!(message(Notation::Yaml, "a: [").starts_with("x:"));
    }
}
