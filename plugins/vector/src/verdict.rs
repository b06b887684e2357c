//! What is told of episodes and sessions, as events of Vector's.

use serde_json::{Map, Value, json};
use watchpost_detector::Timestamp;

/// A log with everything that was told: its message says it in short.
pub(crate) fn log(line: &[u8], out: &mut Vec<u8>) {
    let Some(mut told) = read(line) else { return };
    let message = match told.get("session").and_then(Value::as_str) {
        Some(session) => format!("the session {session} is anomalous"),
        None => {
            let of: Vec<String> = subject(&told)
                .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
                .collect();
            let text = |field| told.get(field).and_then(Value::as_str).unwrap_or_default();
            let (severity, kind) = (text("severity"), text("kind").replace('_', " "));
            let of = if of.is_empty() {
                String::new()
            } else {
                format!(" of {}", of.join(" "))
            };
            let news = match text("phase") {
                "onset" => "",
                "worse" => ", which has become worse",
                "near" => ", which is nearly an alarm",
                _ => ", which is over",
            };
            format!("{kind}{of}, {severity}{news}{}", cause(&told))
        }
    };
    told.insert("message".to_owned(), message.into());
    write(&json!({ "log": told }), out);
}

/// A gauge of the subject: the score of its episode, and 0 when it is over. Of a session there is a counter.
pub(crate) fn metric(line: &[u8], out: &mut Vec<u8>) {
    let Some(told) = read(line) else { return };
    if told.contains_key("session") {
        let event = json!({ "metric": {
            "name": "anomalous_sessions", "namespace": "watchpost", "kind": "incremental", "counter": { "value": 1.0 },
        }});
        write(&event, out);
        return;
    }
    let mut tags: Map<String, Value> = subject(&told)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some(fingerprint) = told.get("fingerprint") {
        tags.insert("fingerprint".to_owned(), fingerprint.clone());
    }
    let is_over = told.get("phase").and_then(Value::as_str) == Some("end");
    let score = told.get("score").and_then(Value::as_f64).unwrap_or_default();
    let mut metric = json!({
        "name": "score", "namespace": "watchpost", "tags": tags, "kind": "absolute",
        "gauge": { "value": if is_over { 0.0 } else { score } },
    });
    if let (Some(metric), Some(time)) = (metric.as_object_mut(), time(&told)) {
        metric.insert("timestamp".to_owned(), time.to_string().into());
    }
    write(&json!({ "metric": metric }), out);
}

/// What was seen and what was expected, of what says most.
fn cause(told: &Map<String, Value>) -> String {
    let first = |list| told.get("explanation")?.get(list)?.get(0);
    let shown = |of: Option<&Value>| match of? {
        Value::String(text) => Some(text.clone()),
        number => Some(((number.as_f64()? * 1e3).round() / 1e3).to_string()),
    };
    if let Some(template) = told.get("explanation").and_then(|why| why.get("template")?.as_str()) {
        return format!(": {template}");
    }
    let Some(contribution) = first("contributions") else {
        return String::new();
    };
    let of = contribution.get("of").and_then(Value::as_str).unwrap_or_default();
    let unit = contribution
        .get("unit")
        .and_then(Value::as_str)
        .map(|unit| format!(" {unit}"));
    let unit = unit.unwrap_or_default();
    match (
        shown(contribution.get("observed")),
        shown(contribution.get("expected").and_then(|expected| expected.get("value"))),
    ) {
        (Some(seen), Some(expected)) => format!(": {of} {seen}{unit}, expected {expected}{unit}"),
        (Some(seen), None) => format!(": {of} {seen}{unit}"),
        _ => format!(": {of}"),
    }
}

fn read(line: &[u8]) -> Option<Map<String, Value>> {
    let told: Map<String, Value> = serde_json::from_slice(line).ok()?;
    // At the end of the input it is no news that an episode is open still, and would page somebody twice.
    (told.get("phase").and_then(Value::as_str) != Some("open")).then_some(told)
}

fn subject(told: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    told.get("subject").and_then(Value::as_object).into_iter().flatten()
}

/// When it is told: that of an onset, and that of the last anomalous event of what has gone on since.
fn time(told: &Map<String, Value>) -> Option<Timestamp> {
    let onset: Timestamp = serde_json::from_value(told.get("timestamp")?.clone()).ok()?;
    let seconds = told.get("seconds").and_then(Value::as_f64).unwrap_or_default();
    Some(onset.plus_seconds(seconds))
}

fn write(event: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(event.to_string().as_bytes());
    out.push(b'\n');
}
