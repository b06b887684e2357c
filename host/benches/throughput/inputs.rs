//! What is read: the same bytes in every run.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Context;
use jiff::Timestamp;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use watchpost::simulate::{Batch, Content, LogForm, MetricForm, Plan, RequestForm, Simulation, Stream};
use watchpost_detector::wire::Format;

/// One input.
pub(crate) struct Input {
    pub(crate) name: &'static str,
    pub(crate) format: Format,
    pub(crate) bytes: Vec<u8>,
    /// The same events as one JSON object a line, where the input is anything else.
    pub(crate) json: Option<Vec<u8>>,
    /// Events.
    pub(crate) items: usize,
    /// Whether it is measured in what else can be varied than the format.
    pub(crate) closely: bool,
}

/// Every kind of input, each of about so many bytes of JSON.
pub(crate) fn all(size: usize) -> anyhow::Result<Vec<Input>> {
    let (metrics, logs) = shop(size);
    let (narrow, narrow_json) = csv(size, 1);
    let (wide, wide_json) = csv(size, 19);
    let mut all = vec![
        Input::new("ndjson metrics", Format::Ndjson, metrics).closely(),
        Input::new("ndjson logs", Format::Ndjson, logs.clone()).closely(),
        Input::new("text logs", Format::Text, text(&logs)?)
            .closely()
            .instead_of(&logs),
        Input::new("csv, 2 columns", Format::Csv, narrow)
            .closely()
            .instead_of(&narrow_json),
        Input::new("csv, 20 columns", Format::Csv, wide)
            .closely()
            .instead_of(&wide_json),
    ];
    all.extend(requests(size));
    all.extend(logs_of_others(size)?);
    all.extend(metrics_of_others(size)?);
    Ok(all)
}

/// Requests of many routes, in the three formats of proxies. What comes is only learned when it is ten minutes old.
fn requests(size: usize) -> Vec<Input> {
    let as_requests = |form| stream(Content::Requests(form), 3 * size);
    let json = as_requests(RequestForm::EnvoyJson);
    let lines = lines(&json);
    // The same requests, however long their lines are.
    let same = |form| {
        let bytes = stream_of(Content::Requests(form), |_, count| count >= lines);
        first_lines(bytes, lines)
    };
    vec![
        Input::new("envoy text", Format::Envoy, same(RequestForm::EnvoyText)).instead_of(&json),
        Input::new("access combined", Format::Access, same(RequestForm::Combined)).instead_of(&json),
        Input::new("envoy json", Format::Ndjson, json),
    ]
}

/// The same log in the formats of libraries, of runtimes and of collectors.
fn logs_of_others(size: usize) -> anyhow::Result<Vec<Input>> {
    let json = stream(Content::Logs(LogForm::Json), size);
    let count = lines(&json);
    let same = |form| {
        let bytes = stream_of(Content::Logs(form), |_, lines| lines >= count);
        first_lines(bytes, count)
    };
    let text = same(LogForm::Text);
    let each = |write: &dyn Fn(&mut Vec<u8>, &Log<'_>)| rewritten(&json, write);
    let as_line = |write: &dyn Fn(&Log<'_>) -> Value| each(&|out, log| line(out, format_args!("{}\n", write(log))));
    let pino = as_line(&|log| {
        let level = match &*log.level {
            "debug" => 20,
            "info" => 30,
            "warn" => 40,
            _ => 50,
        };
        json!({"level": level, "time": log.timestamp.as_millisecond(), "pid": 17, "hostname": "shop-1",
            "name": log.service, "msg": log.message})
    })?;
    let zap = as_line(&|log| {
        json!({"level": log.level, "ts": log.timestamp.as_millisecond() as f64 / 1e3, "logger": log.service,
            "caller": "server/handler.go:87", "msg": log.message})
    })?;
    let ecs = as_line(&|log| {
        json!({"@timestamp": log.timestamp.to_string(), "log.level": log.level, "message": log.message,
            "ecs.version": "1.6.0", "service.name": log.service, "process.pid": 17})
    })?;
    let syslog_3164 = each(&|out, log| {
        let severity = match &*log.level {
            "debug" => 7,
            "info" => 6,
            "warn" => 4,
            _ => 3,
        };
        let time = log.timestamp.strftime("%b %e %H:%M:%S");
        let Log { service, message, .. } = log;
        line(
            out,
            format_args!("<{}>{time} shop-1 {service}[17]: {message}\n", 128 + severity),
        );
    })?;
    // What a runtime writes of a program that writes text, or JSON.
    let in_container = |out: &mut Vec<u8>, log: &Log<'_>, payload: &str| {
        line(out, format_args!("{} stdout F {payload}\n", log.timestamp));
    };
    let cri_text = each(&|out, log| {
        let Log {
            timestamp,
            service,
            level,
            message,
        } = log;
        let payload = format!("{timestamp} {} service={service} {message}", level.to_ascii_uppercase());
        in_container(out, log, &payload);
    })?;
    let as_json = |log: &Log<'_>| {
        json!({"timestamp": log.timestamp.to_string(), "service": log.service, "level": log.level,
            "message": log.message})
        .to_string()
    };
    let cri_json = each(&|out, log| in_container(out, log, &as_json(log)))?;
    let docker = as_line(
        &|log| json!({"log": format!("{}\n", as_json(log)), "stream": "stdout", "time": log.timestamp.to_string()}),
    )?;
    let mut otlp = Input::new("otlp logs", Format::Otlp, otlp_logs(&json)?);
    otlp.items = count;
    Ok(vec![
        Input::new("json, pino", Format::Ndjson, pino),
        Input::new("json, zap", Format::Ndjson, zap),
        Input::new("json, ecs", Format::Ndjson, ecs),
        Input::new("json, envelope", Format::Ndjson, same(LogForm::Envelope)),
        Input::new("json, docker", Format::Ndjson, docker),
        otlp,
        Input::new("logfmt", Format::Logfmt, same(LogForm::Logfmt)).instead_of(&json),
        Input::new("syslog 5424", Format::Syslog, same(LogForm::Syslog)).instead_of(&json),
        Input::new("syslog 3164", Format::Syslog, syslog_3164).instead_of(&json),
        Input::new("text, no host", Format::Text, text).instead_of(&json),
        Input::new("cri, text", Format::Kubernetes, cri_text).instead_of(&json),
        Input::new("cri, json", Format::Kubernetes, cri_json).instead_of(&json),
    ])
}

/// The same rows of metrics as collectors and scrapes have them.
fn metrics_of_others(size: usize) -> anyhow::Result<Vec<Input>> {
    let json = stream(Content::Metrics(MetricForm::Ndjson), size);
    let count = lines(&json);
    let mut otlp = Vec::new();
    let mut prometheus = Vec::new();
    let mut moments: Vec<(Timestamp, Vec<Row>)> = Vec::new();
    for row in serde_json::Deserializer::from_slice(&json).into_iter() {
        let (time, row) = Row::of(row.context("the simulation writes JSON")?)?;
        match moments.last_mut() {
            Some((last, rows)) if *last == time => rows.push(row),
            _ => moments.push((time, vec![row])),
        }
    }
    for (time, rows) in moments {
        let (mut of_metrics, mut lines_of) = (BTreeMap::<&str, Vec<Value>>::new(), BTreeMap::<&str, Vec<u8>>::new());
        for Row { labels, metrics } in &rows {
            let attributes: Vec<_> = labels
                .iter()
                .map(|(name, value)| json!({"key": name, "value": {"stringValue": value}}))
                .collect();
            let set: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            let (set, millis) = (set.join(","), time.as_millisecond());
            for (name, value) in metrics {
                of_metrics.entry(name).or_default().push(json!({
                    "timeUnixNano": time.as_nanosecond().to_string(),
                    "attributes": attributes,
                    "asDouble": value,
                }));
                let lines = lines_of.entry(name).or_default();
                line(lines, format_args!("{name}{{{set}}} {value} {millis}\n"));
            }
        }
        let metrics: Vec<_> = of_metrics
            .into_iter()
            .map(|(name, points)| json!({"name": name, "gauge": {"dataPoints": points}}))
            .collect();
        let export = json!({"resourceMetrics": [{"resource": {"attributes": []},
            "scopeMetrics": [{"metrics": metrics}]}]});
        line(&mut otlp, format_args!("{export}\n"));
        for (name, lines) in lines_of {
            line(&mut prometheus, format_args!("# TYPE {name} gauge\n"));
            prometheus.extend(lines);
        }
    }
    let mut otlp = Input::new("otlp metrics", Format::Otlp, otlp);
    otlp.items = count;
    // Of these every line is a row, its comments too.
    let prometheus = Input::new("prometheus", Format::Prometheus, prometheus).instead_of(&json);
    Ok(vec![otlp, prometheus])
}

/// Exports of half a minute, each service with its resource.
fn otlp_logs(json: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut resources = BTreeMap::<String, Vec<Value>>::new();
    let mut half_minute = None;
    for log in serde_json::Deserializer::from_slice(json).into_iter() {
        let Log {
            timestamp,
            service,
            level,
            message,
        } = log.context("the simulation writes JSON")?;
        let now = timestamp.as_second() / 30;
        if half_minute.replace(now).is_some_and(|last| last != now) {
            export(&mut out, std::mem::take(&mut resources));
        }
        let number = match &*level {
            "debug" => 5,
            "info" => 9,
            "warn" => 13,
            _ => 17,
        };
        resources.entry(service.into_owned()).or_default().push(json!({
            "timeUnixNano": timestamp.as_nanosecond().to_string(),
            "severityNumber": number,
            "severityText": level.to_ascii_uppercase(),
            "body": {"stringValue": message},
        }));
    }
    export(&mut out, resources);
    Ok(out)
}

fn export(out: &mut Vec<u8>, resources: BTreeMap<String, Vec<Value>>) {
    let resources: Vec<_> = resources
        .into_iter()
        .map(|(service, records)| {
            json!({
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeLogs": [{"logRecords": records}],
            })
        })
        .collect();
    line(out, format_args!("{}\n", json!({"resourceLogs": resources})));
}

/// A log line of the simulation.
#[derive(Deserialize)]
struct Log<'a> {
    #[serde(deserialize_with = "timestamp")]
    timestamp: Timestamp,
    #[serde(borrow)]
    service: Cow<'a, str>,
    #[serde(borrow)]
    level: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

fn timestamp<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

/// A row of metrics of the simulation.
struct Row {
    labels: Vec<(String, String)>,
    metrics: Vec<(String, f64)>,
}

impl Row {
    fn of(row: Map<String, Value>) -> anyhow::Result<(Timestamp, Self)> {
        let mut time = None;
        let (mut labels, mut metrics) = (Vec::new(), Vec::new());
        for (name, value) in row {
            match value {
                Value::String(text) if name == "timestamp" => time = text.parse().ok(),
                Value::String(text) => labels.push((name, text)),
                Value::Object(row) => {
                    let numbers = row.into_iter();
                    metrics.extend(numbers.filter_map(|(name, value)| Some((name, value.as_f64()?))));
                }
                _ => {}
            }
        }
        Ok((time.context("a row has a time")?, Row { labels, metrics }))
    }
}

/// Every line of a log of the simulation, written otherwise.
fn rewritten(json: &[u8], write: &dyn Fn(&mut Vec<u8>, &Log<'_>)) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    for log in serde_json::Deserializer::from_slice(json).into_iter() {
        write(&mut out, &log.context("the simulation writes JSON")?);
    }
    Ok(out)
}

/// So many bytes of what the shop sends, at the rate that `watchpost simulate` has unless told otherwise.
fn stream(content: Content, size: usize) -> Vec<u8> {
    stream_of(content, |bytes, _| bytes >= size)
}

/// What the shop sends, until there is enough: bytes and lines.
fn stream_of(content: Content, enough: impl Fn(usize, usize) -> bool) -> Vec<u8> {
    const DAYS: i64 = 2;
    let mut stream = Stream::new(Plan::demo(), content, 10.0, DAYS * 86_400);
    let (mut bytes, mut count) = (stream.header(), 0);
    let mut batch = Batch::default();
    while !enough(bytes.len(), count) && stream.tick(&mut batch) {
        bytes.extend_from_slice(batch.bytes());
        count += batch.count();
    }
    bytes
}

fn first_lines(mut bytes: Vec<u8>, count: usize) -> Vec<u8> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    if let Some((end, _)) = ends.take(count).last() {
        bytes.truncate(end + 1);
    }
    bytes
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// The header of [`series`].
pub(crate) const SERIES_HEADER: &str = "timestamp,host,load\n";

/// The rows of so many series at one minute, each of one metric.
pub(crate) fn series(out: &mut Vec<u8>, random: &mut Pcg64Mcg, count: u32, minute: u32) {
    let time = time(minute);
    for host in 0..count {
        let load = 40.0 + f64::from(host % 17) + 8.0 * noise(random);
        line(out, format_args!("{time},host-{host:05},{load:.3}\n"));
    }
}

pub(crate) fn random() -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(7)
}

impl Input {
    fn new(name: &'static str, format: Format, bytes: Vec<u8>) -> Self {
        let header = usize::from(format == Format::Csv);
        Input {
            name,
            format,
            items: lines(&bytes) - header,
            bytes,
            json: None,
            closely: false,
        }
    }

    /// It is another form of these JSON lines.
    fn instead_of(self, json: &[u8]) -> Self {
        Input {
            json: Some(json.to_vec()),
            ..self
        }
    }

    fn closely(self) -> Self {
        Input { closely: true, ..self }
    }
}

/// The metrics and the log lines of the simulated shop, apart from each other.
fn shop(size: usize) -> (Vec<u8>, Vec<u8>) {
    let mut shop = Simulation::new(Plan::demo());
    let (mut metrics, mut logs) = (Vec::new(), Vec::new());
    let mut tick = Vec::new();
    while (metrics.len() < size || logs.len() < size) && shop.tick(&mut tick) {
        for event in tick.split_inclusive(|byte| *byte == b'\n') {
            let is_log = event.windows(11).any(|window| window == b"\"message\":\"");
            let kept = if is_log { &mut logs } else { &mut metrics };
            if kept.len() < size {
                kept.extend_from_slice(event);
            }
        }
        tick.clear();
    }
    (metrics, logs)
}

/// The same log as programs write it to a file.
fn text(logs: &[u8]) -> anyhow::Result<Vec<u8>> {
    rewritten(logs, &|out, log| {
        let Log {
            timestamp,
            service,
            level,
            message,
        } = log;
        let level = level.to_ascii_uppercase();
        line(
            out,
            format_args!("{timestamp} shop-1 {service}[17]: {level} {message}\n"),
        );
    })
}

/// A table of one subject: a time, and so many metrics with a daily rhythm of their own. Beside it, its rows in JSON.
fn csv(size: usize, metrics: u32) -> (Vec<u8>, Vec<u8>) {
    let mut random = random();
    let (mut out, mut json) = (b"timestamp".to_vec(), Vec::new());
    for metric in 0..metrics {
        line(&mut out, format_args!(",metric_{metric}"));
    }
    out.push(b'\n');
    let mut minute = 0;
    while out.len() < size {
        line(&mut out, format_args!("{}", time(minute)));
        line(&mut json, format_args!("{{\"timestamp\":\"{}\"", time(minute)));
        for metric in 0..metrics {
            let hour = f64::from(minute + 100 * metric) / 60.0;
            let rhythm = libm::sin(hour * std::f64::consts::TAU / 24.0);
            let value = 100.0 * f64::from(metric + 1) + 20.0 * rhythm + 5.0 * noise(&mut random);
            line(&mut out, format_args!(",{value:.3}"));
            line(&mut json, format_args!(",\"metric_{metric}\":{value:.3}"));
        }
        out.push(b'\n');
        json.extend_from_slice(b"}\n");
        minute += 1;
    }
    (out, json)
}

/// About normal, with a spread of about one.
fn noise(random: &mut Pcg64Mcg) -> f64 {
    let uniform = |random: &mut Pcg64Mcg| f64::from(random.next_u32()) / f64::from(u32::MAX) - 0.5;
    2.0 * (uniform(random) + uniform(random) + uniform(random))
}

fn time(minute: u32) -> Timestamp {
    const START: i64 = 1_772_409_600; // 2026-03-02T00:00:00Z
    Timestamp::from_second(START + 60 * i64::from(minute)).expect("a few years from 2026 there are times as well")
}

fn line(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes every byte");
}
