//! Verdicts in the lines of a log: behind the proxy's prefix, in a string of a JSON log, or bare.

use serde_json::Value;
use watchpost_detector::{Anomaly, Timestamp, in_plain_words};

use crate::cli::time::instant;

/// A line that holds a verdict, or part of one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    Verdict(Box<Anomaly>, Voice),
    /// It begins like a verdict and cannot be read, and why.
    Broken(String),
}

/// Who wrote a line, as far as the line tells: the thread of the proxy, and the name of the module's instance there.
/// Every worker of an Envoy is a thread, and has a detector of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Voice {
    pub(super) thread: String,
    pub(super) instance: String,
}

/// A message in a string in a message in a string: what a container runtime makes of a JSON log, and one more.
const DEEPEST: u32 = 4;

/// The verdict of a line. Nothing for all other lines, which nobody needs to hear of.
pub(super) fn find(line: &str) -> Option<Found> {
    if !line.contains(FIRST_FIELD) {
        return None;
    }
    search(line, &Voice::default(), DEEPEST)
}

/// When the proxy wrote a line, where it begins with that: in brackets as Envoy does it, up to the first blank as Istio
/// does it, or in the field `time` of a JSON log.
pub(super) fn time(line: &str) -> Option<Timestamp> {
    let written = if line.starts_with('{') {
        let line: Value = serde_json::from_str(line).ok()?;
        line.get("time")?.as_str()?.to_owned()
    } else if let Some(rest) = line.strip_prefix('[') {
        rest.split_once(']')?.0.to_owned()
    } else {
        line.split(char::is_whitespace).next()?.to_owned()
    };
    let nanos = instant(&written)?.as_nanosecond();
    i64::try_from(nanos).ok().map(Timestamp::from_nanos)
}

const FIRST_FIELD: &str = "timestamp";

fn search(text: &str, around: &Voice, depth: u32) -> Option<Found> {
    for (at, _) in text.match_indices("\"timestamp\"") {
        let head = text.get(..at)?.trim_end();
        let Some(before) = head.strip_suffix('{') else { continue };
        let verdict = text.get(before.len()..)?;
        match begins(verdict) {
            Beginning::Verdict => return Some(read(verdict, before, around)),
            Beginning::CutOff => return Some(Found::Broken(CUT_OFF.to_owned())),
            Beginning::Other => {}
        }
    }
    // The quotes within a string are escaped.
    if depth == 0 || !text.contains("\\\"timestamp\\") {
        return None;
    }
    let outer = text.get(text.find('{')?..)?;
    match serde_json::Deserializer::from_str(outer).into_iter::<Value>().next()? {
        Ok(outer) => {
            let thread = match outer.get("thread") {
                Some(Value::String(thread)) => thread.clone(),
                Some(Value::Number(thread)) => thread.to_string(),
                _ => around.thread.clone(),
            };
            let around = Voice {
                thread,
                ..around.clone()
            };
            strings(&outer).find_map(|text| search(text, &around, depth - 1))
        }
        // Half a line of JSON: what is in it tells whether that matters.
        Err(error) if error.is_eof() => {
            let inner = outer.replace("\\\"", "\"");
            search(&inner, around, 0).map(|_| Found::Broken(CUT_OFF.to_owned()))
        }
        Err(_) => None,
    }
}

const CUT_OFF: &str = "the verdict is cut off";

/// The strings of a JSON value and of all that it holds.
fn strings(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::String(text) => Box::new(std::iter::once(&**text)),
        Value::Array(list) => Box::new(list.iter().flat_map(strings)),
        Value::Object(fields) => Box::new(fields.values().flat_map(strings)),
        _ => Box::new(std::iter::empty()),
    }
}

enum Beginning {
    Verdict,
    /// It ends before it can be told.
    CutOff,
    Other,
}

/// What the detector writes begins with `{"timestamp":"…","subject":{`. Other programs have a timestamp first, too.
fn begins(text: &str) -> Beginning {
    let mut rest = text;
    for part in ["{", "\"timestamp\"", ":", TIME, ",", "\"subject\"", ":", "{"] {
        rest = rest.trim_start();
        if part == TIME {
            let time = rest.strip_prefix('"').map(|time| time.split_once('"'));
            match time {
                Some(Some((_, after))) => rest = after,
                Some(None) => return Beginning::CutOff,
                None if rest.is_empty() => return Beginning::CutOff,
                None => return Beginning::Other,
            }
        } else if let Some(after) = rest.strip_prefix(part) {
            rest = after;
        } else if part.starts_with(rest) {
            return Beginning::CutOff;
        } else {
            return Beginning::Other;
        }
    }
    Beginning::Verdict
}

const TIME: &str = "a time";

/// Reads a verdict, and who said it from what is before and behind it.
fn read(verdict: &str, before: &str, around: &Voice) -> Found {
    let mut values = serde_json::Deserializer::from_str(verdict).into_iter::<Anomaly>();
    match values.next() {
        Some(Ok(anomaly)) => {
            let behind = verdict.get(values.byte_offset()..).unwrap_or_default();
            let thread = thread(before, behind).unwrap_or(&around.thread).to_owned();
            let instance = before.split_once("wasm log ").map_or("", |(_, instance)| instance);
            let instance = instance.trim_end().trim_end_matches(':').to_owned();
            Found::Verdict(Box::new(anomaly), Voice { thread, instance })
        }
        Some(Err(error)) if !error.is_eof() => {
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            Found::Broken(format!(
                "this is no verdict of this version: {}",
                in_plain_words(message)
            ))
        }
        _ => Found::Broken(CUT_OFF.to_owned()),
    }
}

/// The thread that wrote the line: the second pair of brackets in Envoy's own form, `thread=17` at the end in Istio's.
fn thread<'a>(before: &'a str, behind: &'a str) -> Option<&'a str> {
    let in_brackets = || before.split_once("][")?.1.split_once(']').map(|(thread, _)| thread);
    let at_end = || behind.split_once("thread=").map(|(_, thread)| thread.trim_end());
    let is_number = |thread: &&str| !thread.is_empty() && thread.bytes().all(|byte| byte.is_ascii_digit());
    in_brackets().filter(is_number).or_else(|| at_end().filter(is_number))
}

#[cfg(test)]
mod tests;
