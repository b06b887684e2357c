//! What a template masks, as typed values with names, and which of them are measurements.
//!
//! `GET /cart took 5021 ms, cache=7` has three parameters: a path, a duration that is called `took`, and a number that
//! is called `cache`. They are worked out for a line that somebody asks about; lines that nobody asks about cost
//! nothing. A parameter that is a measurement is watched like a metric: "took 5021 ms" is a latency.

#[cfg(test)]
mod tests;
mod watch;

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::token::Span;
use crate::wire::quantity::{self, Dimension};

pub(crate) use watch::Watches;

/// One value of a log line where its template has `<*>`.
///
/// ```
/// use watchpost_detector::{Config, Detector, Event, LogRecord, ParameterValue, Subject, Timestamp};
///
/// let message = "GET /cart took 5021 ms";
/// let mut detector = Detector::new(Config::default());
/// let record = LogRecord {
///     time: Timestamp::from_seconds(0),
///     subject: Subject::default(),
///     level: None,
///     message,
///     session: None,
///     fields: &[],
/// };
/// let verdict = detector.observe(&Event::Log(record), &mut Vec::new());
/// let [path, took] = detector.parameters(&verdict, message)[..] else { panic!("two parameters") };
/// assert_eq!(path.value, ParameterValue::Path("/cart"));
/// assert_eq!((took.name, took.value), (Some("took"), ParameterValue::Duration(5021.0)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Parameter<'a> {
    /// What the line calls it: the key before `=` or `:`, or the word before the value, or, where the value begins a
    /// part of the line, the word behind it (`733 bytes sent`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// As it is written, without its unit where a blank stands between them.
    pub text: &'a str,
    /// What it is.
    #[serde(flatten)]
    pub value: ParameterValue<'a>,
}

/// What a value of a log line is, by its form.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub enum ParameterValue<'a> {
    /// A whole number without a unit.
    Integer(i64),
    /// Another number without a unit.
    Float(f64),
    /// A time span, in milliseconds.
    Duration(f64),
    /// A size, in bytes.
    Size(f64),
    /// Parts of a hundred.
    Percentage(f64),
    /// An IP address, perhaps with its port, or a host with its port.
    Address(&'a str),
    /// A path of files, or a URL.
    Path(&'a str),
    /// A date, a time of day, or both.
    Time(&'a str),
    /// A hexadecimal number, a UUID, or another word with digits in it.
    Identifier(&'a str),
    /// A quoted phrase.
    Quoted(&'a str),
    /// Any other word or words.
    Word(&'a str),
    /// Several values.
    List(&'a str),
}

impl<'a> Parameter<'a> {
    /// The parameter that this piece of a message is.
    pub(crate) fn read(message: &'a str, span: Span) -> Self {
        let text = span.of(message);
        let (before, after) = around(message, span, text);
        let unit = unit_behind(after);
        let value = ParameterValue::read(text, before, unit);
        let unit = if is_unit(unit) && value.measured().is_some() {
            unit
        } else {
            ""
        };
        Parameter {
            name: name(before, after, unit),
            text,
            value,
        }
    }

    /// The same, and where it is several values in a row of which the last one has a unit (`/cart 200 53 ms`) that one:
    /// what else is in the row varies in number.
    fn measured(message: &'a str, span: Span) -> Self {
        let (span, _) = ParameterValue::measured_in(message, span);
        Self::read(message, span)
    }

    /// Whether the line names it with `=` or `:`, as programs do for who reads their lines by machine.
    fn is_keyed(message: &str, span: Span) -> bool {
        message
            .get(..usize::from(span.start))
            .is_some_and(|before| key(before).is_some())
    }
}

/// What stands before and behind a piece of a message.
fn around<'a>(message: &'a str, span: Span, text: &str) -> (&'a str, &'a str) {
    message
        .split_at_checked(usize::from(span.start))
        .map_or(("", ""), |(before, rest)| {
            (before, rest.get(text.len()..).unwrap_or(""))
        })
}

fn unit_behind(after: &str) -> &str {
    after.strip_prefix(' ').map_or("", first_word)
}

impl<'a> ParameterValue<'a> {
    /// The number that is measured in this piece of a message, and where in it. Every line is asked for those that are
    /// watched, so that nothing else is found out about them.
    fn measured_in(message: &'a str, span: Span) -> (Span, Option<Self>) {
        let number = |span: Span| {
            let text = span.of(message);
            let (_, after) = around(message, span, text);
            Self::number(text, unit_behind(after))
        };
        let whole = number(span);
        if whole.is_some() {
            return (span, whole);
        }
        // A size has its unit in it, behind a blank.
        let blanks = span.of(message).rmatch_indices(' ').take(2);
        let lasts = blanks.map(|(blank, _)| Span {
            start: span.start + blank as u16 + 1,
            ..span
        });
        let mut numbers = lasts.map(|last| (last, number(last)));
        numbers
            .find(|(_, last)| last.is_some_and(|last| last.measured().is_some()))
            .unwrap_or((span, None))
    }

    fn read(text: &'a str, before: &str, unit: &str) -> Self {
        if let Some(value) = Self::number(text, unit) {
            return value;
        }
        let digit = text.bytes().any(|byte| byte.is_ascii_digit());
        if text.contains(' ') && before.ends_with(['"', '\'']) {
            ParameterValue::Quoted(text)
        } else if is_address(text) {
            ParameterValue::Address(text)
        } else if is_time(text) {
            ParameterValue::Time(text)
        } else if text.contains([',', ' ', ';', '|']) {
            ParameterValue::List(text)
        } else if text.contains(['/', '\\']) {
            ParameterValue::Path(text)
        } else if digit || text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            ParameterValue::Identifier(text)
        } else {
            ParameterValue::Word(text)
        }
    }

    /// A number with the unit in it or behind it.
    fn number(text: &str, behind: &str) -> Option<Self> {
        let text = text.trim_start_matches(['<', '>', '~']);
        // What a loose template takes for one value has its unit in it, and the same value again in parentheses.
        let text = text.split(" (").next()?;
        let read = quantity::read(text)?;
        let (value, dimension) = match read.dimension {
            Dimension::None if is_unit(behind) => {
                let (dimension, each) = quantity::unit(behind)?;
                (read.value * each, dimension)
            }
            dimension => (read.value, dimension),
        };
        Some(match dimension {
            Dimension::Duration => ParameterValue::Duration(value),
            Dimension::Size => ParameterValue::Size(value),
            Dimension::Percent => ParameterValue::Percentage(value),
            Dimension::None => text
                .parse()
                .map_or(ParameterValue::Float(value), ParameterValue::Integer),
        })
    }

    /// The number of one that has a unit, and the ending that tells the unit in the name of a metric.
    fn measured(&self) -> Option<(f64, &'static str)> {
        match *self {
            ParameterValue::Duration(value) => Some((value, "ms")),
            ParameterValue::Size(value) => Some((value, "bytes")),
            ParameterValue::Percentage(value) => Some((value, "percent")),
            _ => None,
        }
    }

    /// The number of one that has none.
    fn counted(&self) -> Option<f64> {
        match *self {
            ParameterValue::Integer(value) => Some(value as f64),
            ParameterValue::Float(value) => Some(value),
            _ => None,
        }
    }
}

/// Whether a word behind a number is its unit. Single letters mean too many things.
pub(crate) fn is_unit(word: &str) -> bool {
    (word.len() > 1 || matches!(word, "s" | "B")) && quantity::unit(word).is_some()
}

/// Words between a name and its value: `took about 5 ms`.
const LITTLE: [&str; 16] = [
    "in", "of", "is", "was", "at", "after", "for", "to", "by", "about", "only", "than", "within", "with", "a", "the",
];

fn name<'a>(before: &'a str, after: &'a str, unit: &str) -> Option<&'a str> {
    if let Some(key) = key(before) {
        return Some(key);
    }
    let mut rest = before.trim_end_matches(['"', '\'', '(', '[', '<', '>', '~', '#', '/']);
    let mut nearest = None;
    while let Some(words) = rest.strip_suffix(' ') {
        let word = last_word(words);
        // The unit of the value before is no name.
        if word.is_empty() || is_unit(word) || word.bytes().any(|byte| byte.is_ascii_digit()) {
            break;
        }
        if !LITTLE.contains(&word) {
            return Some(word);
        }
        nearest = nearest.or(Some(word));
        rest = words.get(..words.len() - word.len()).unwrap_or("");
    }
    // What begins a part of the line is named behind: `733 bytes sent`.
    let behind = after.strip_prefix(' ').unwrap_or(after);
    let behind = behind.strip_prefix(unit).unwrap_or(behind);
    let behind = first_word(behind.strip_prefix(' ').unwrap_or(""));
    let behind = (!behind.is_empty() && !unit.is_empty()).then_some(behind);
    behind.or(nearest)
}

/// The word before `=` or `:`, if the text ends in them.
fn key(before: &str) -> Option<&str> {
    let before = before.trim_end_matches(['"', '\'', '(', '[', '{', '<']).trim_end();
    let before = before.strip_suffix(['=', ':'])?;
    let before = before.trim_end().trim_end_matches(['"', '\'']);
    let word = last_word(before);
    (word.bytes().any(|byte| byte.is_ascii_alphabetic())).then_some(word)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn first_word(text: &str) -> &str {
    let word = text.split(|c| !is_word(c)).next().unwrap_or("");
    word.trim_end_matches(['.', '-'])
}

fn last_word(text: &str) -> &str {
    text.rsplit(|c| !is_word(c)).next().unwrap_or("")
}

fn is_address(text: &str) -> bool {
    let host = |host: &str| host.contains('.') && host.bytes().all(|byte| byte.is_ascii() && is_word(char::from(byte)));
    let port = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<IpAddr>().is_ok()
        || text.parse::<SocketAddr>().is_ok()
        || text
            .rsplit_once(':')
            .is_some_and(|(name, number)| host(name) && port(number))
}

/// Two numbers and more, with what stands in dates and times between them.
fn is_time(text: &str) -> bool {
    let numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty());
    let short = numbers.clone().all(|digits| digits.len() <= 9);
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'/' | b'.' | b',' | b'+' | b' '));
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    let clock = text.as_bytes().windows(4).any(
        |bytes| matches!(bytes, [a, b':', b, c] if a.is_ascii_digit() && b.is_ascii_digit() && c.is_ascii_digit()),
    );
    plain && short && letters <= 12 && (clock || letters == 0 && !text.contains('.') && numbers.count() == 3)
}
