//! Lines of fifteen formats, labelled by hand before there were parsers for them (`tests/lines/README.md`): level,
//! service and time have to be right in 98 of 100, and requests and metrics have to be taken for what they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use watchpost_detector::wire::{Format, Reader, Row};
use watchpost_detector::{Event, Finite, Input, Subject, Timestamp};

/// What a person says of one record.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    line: u64,
    lines: u64,
    time: Option<Timestamp>,
    level: Option<String>,
    service: Option<String>,
    kind: String,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    duration_ms: Option<f64>,
    #[serde(default)]
    bytes: Option<f64>,
    #[serde(default)]
    route: Option<String>,
    #[serde(default)]
    upstream: Option<String>,
    #[serde(default)]
    client: Option<String>,
    #[serde(default)]
    metrics: Option<BTreeMap<String, f64>>,
}

/// What was read of one record.
#[derive(Debug, Default)]
struct Found {
    kind: &'static str,
    time: Option<Timestamp>,
    level: Option<String>,
    service: Option<String>,
    method: Option<String>,
    path: Option<String>,
    status: Option<u16>,
    duration_ms: Option<f64>,
    bytes: Option<f64>,
    route: Option<String>,
    upstream: Option<String>,
    client: Option<String>,
    metrics: BTreeMap<String, f64>,
}

fn service(subject: &Subject<'_>) -> Option<String> {
    let label = subject.labels().iter().find(|label| label.name == "service")?;
    Some(label.value.to_owned())
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn found(row: &Row<'_>) -> Option<Found> {
    Some(match row {
        Row::Event(Event::Log(record)) => Found {
            kind: "log",
            time: Some(record.time),
            level: record.level.map(|level| level.name().to_owned()),
            service: service(&record.subject),
            ..Found::default()
        },
        Row::Event(Event::Request(request)) => Found {
            kind: "request",
            time: Some(request.time),
            service: service(&request.subject),
            method: owned(request.method),
            path: owned(request.path),
            status: request.status,
            duration_ms: request.duration.map(Finite::value),
            bytes: request.bytes.map(Finite::value),
            route: owned(request.route),
            upstream: owned(request.upstream),
            client: owned(request.client),
            ..Found::default()
        },
        Row::Event(Event::Sample(sample)) => Found {
            kind: "metrics",
            time: Some(sample.time),
            service: service(&sample.subject),
            metrics: sample
                .values
                .iter()
                .map(|value| (value.metric.to_owned(), value.value.value()))
                .collect(),
            ..Found::default()
        },
        Row::Bad(problem) => Found {
            kind: "bad",
            path: Some(problem.message.clone()),
            ..Found::default()
        },
        _ => return None,
    })
}

fn read(log: &Path) -> Vec<Found> {
    let mut input = Input::new(Format::Auto);
    input.year = 2026;
    let mut reader = Reader::new(&input, None);
    let mut rows = Vec::new();
    reader.read(&fs::read(log).unwrap(), &mut |row| rows.extend(found(&row)));
    reader.finish(&mut |row| rows.extend(found(&row)));
    rows
}

/// The envelope of a line and its payload may each tell a time; both are right.
const SAME_TIME: f64 = 1.5;

fn same_time(expected: Option<Timestamp>, found: &Found) -> bool {
    match (expected, found.time) {
        // A record that tells no time has that of the one before.
        (None, _) => true,
        (Some(expected), Some(time)) => {
            // A request is over when it has taken its time.
            let late = found.duration_ms.unwrap_or(0.0) / 1000.0;
            let apart = time.seconds_since(expected);
            apart.abs() <= SAME_TIME || (apart - late).abs() <= SAME_TIME
        }
        (Some(_), None) => false,
    }
}

/// Whether level, service, time, and the kind with its fields are right.
fn judge(label: &Label, found: &Found) -> [bool; 4] {
    let of_request = found.kind != "request"
        || (label.method == found.method
            && label.path == found.path
            && label.status.filter(|status| *status >= 100) == found.status
            && label.duration_ms == found.duration_ms
            && label.bytes == found.bytes
            && label.route == found.route
            && label.upstream == found.upstream
            && label.client == found.client);
    let of_metrics = label.metrics.as_ref().is_none_or(|metrics| *metrics == found.metrics);
    [
        label.level == found.level || found.kind == "request",
        label.service == found.service,
        same_time(label.time, found),
        label.kind == found.kind && of_request && of_metrics,
    ]
}

/// The records that belong together, in order; one too many or too few must not make the rest look wrong
/// (Needleman and Wunsch 1970). Rows are in the order in which their records end, so where sources come in between each
/// other a record may be found at another place.
fn aligned<'a>(labels: &'a [Label], rows: &'a [Found]) -> Vec<(&'a Label, Option<&'a Found>)> {
    const ALL_RIGHT: usize = 16;
    let score = |label: &Label, found: &Found| match judge(label, found) {
        [true, true, true, true] => ALL_RIGHT,
        judged => judged.iter().filter(|right| **right).count(),
    };
    let mut best = vec![vec![0; rows.len() + 1]; labels.len() + 1];
    for (i, label) in labels.iter().enumerate().rev() {
        for (j, found) in rows.iter().enumerate().rev() {
            best[i][j] = (score(label, found) + best[i + 1][j + 1])
                .max(best[i + 1][j])
                .max(best[i][j + 1]);
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    let mut skipped = Vec::new();
    while i < labels.len() {
        if j < rows.len() && best[i][j] == score(&labels[i], &rows[j]) + best[i + 1][j + 1] {
            pairs.push((&labels[i], Some(&rows[j])));
            i += 1;
            j += 1;
        } else if j < rows.len() && best[i][j] == best[i][j + 1] {
            skipped.push(&rows[j]);
            j += 1;
        } else {
            pairs.push((&labels[i], None));
            i += 1;
        }
    }
    skipped.extend(&rows[j..]);
    for (label, row) in pairs.iter_mut().filter(|(_, row)| row.is_none()) {
        if let Some(at) = skipped.iter().position(|found| judge(label, found) == [true; 4]) {
            *row = Some(skipped.remove(at));
        }
    }
    pairs
}

#[test]
fn level_service_and_time_are_right() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/lines");
    let mut logs: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    assert_eq!(logs.len(), 15);
    let (mut all, mut right, mut report) = (0, [0; 4], String::new());
    for log in &logs {
        let labels: Vec<Label> = fs::read_to_string(log.with_extension("expected.ndjson"))
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let rows = read(log);
        let name = log.file_stem().unwrap().to_string_lossy().into_owned();
        if rows.len() != labels.len() {
            report.push_str(&format!("{name}: {} records instead of {}\n", rows.len(), labels.len()));
        }
        for (label, found) in aligned(&labels, &rows) {
            let judged = found.map_or([false; 4], |found| judge(label, found));
            all += 1;
            for (right, judged) in right.iter_mut().zip(judged) {
                *right += u32::from(judged);
            }
            if judged != [true; 4] {
                report.push_str(&format!(
                    "{name}:{} ({} lines) {judged:?}\n  {label:?}\n  {found:?}\n",
                    label.line, label.lines
                ));
            }
        }
    }
    let share = right.map(|right| 100.0 * f64::from(right) / f64::from(all));
    println!("{report}");
    println!(
        "of {all} records right: level {:.1} %, service {:.1} %, time {:.1} %, kind and fields {:.1} %",
        share[0], share[1], share[2], share[3]
    );
    assert!(share.iter().all(|share| *share >= 98.0), "{share:?}");
}
