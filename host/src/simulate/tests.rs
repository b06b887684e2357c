//! The whole simulation, checked against its own plan.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};
use std::sync::OnceLock;

use super::*;

const DAY: i64 = 86_400;

/// The demo, read back once for all tests.
struct Recording {
    bytes: Vec<u8>,
    /// Labels and metric to the seconds and values of its rows.
    series: BTreeMap<String, Vec<(i64, f64)>>,
    /// Second, service, level and message of every line.
    lines: Vec<(i64, String, String, String)>,
    stamps: Vec<String>,
}

fn demo() -> &'static Recording {
    static RECORDING: OnceLock<Recording> = OnceLock::new();
    RECORDING.get_or_init(|| read(run(Plan::demo())))
}

fn run(plan: Plan) -> Vec<u8> {
    let mut simulation = Simulation::new(plan);
    let mut out = Vec::new();
    while simulation.tick(&mut out) {}
    assert!(simulation.progress() == 1.0);
    out
}

fn read(bytes: Vec<u8>) -> Recording {
    let mut recording = Recording {
        bytes: Vec::new(),
        series: BTreeMap::new(),
        lines: Vec::new(),
        stamps: Vec::new(),
    };
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let event: serde_json::Value = serde_json::from_slice(line).unwrap();
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let stamp = text("timestamp");
        let part = |range: std::ops::Range<usize>| stamp[range].parse::<i64>().unwrap();
        assert_eq!(&stamp[..8], "2026-03-");
        let second = (part(8..10) - 2) * DAY + part(11..13) * 3600 + part(14..16) * 60 + part(17..19);
        if let Some(metrics) = event["metrics"].as_object() {
            for (metric, value) in metrics {
                let name = format!("{} {} {metric}", text("service"), text("route"));
                let value = (second, value.as_f64().unwrap());
                recording.series.entry(name).or_default().push(value);
            }
        } else {
            recording
                .lines
                .push((second, text("service"), text("level"), text("message")));
        }
        recording.stamps.push(stamp);
    }
    recording.bytes = bytes;
    recording
}

impl Recording {
    /// Mean of a metric in a span of seconds since the start.
    fn mean(&self, name: &str, from: i64, to: i64) -> f64 {
        let rows = self.series[name].iter().filter(|row| row.0 > from && row.0 <= to);
        let values: Vec<f64> = rows.map(|row| row.1).collect();
        values.iter().sum::<f64>() / values.len() as f64
    }

    /// How a metric in a span compares with the same hours of the day before.
    fn against_yesterday(&self, name: &str, from: i64, to: i64) -> f64 {
        self.mean(name, from, to) / self.mean(name, from - DAY, to - DAY)
    }

    fn lines_with(&self, part: &str, from: i64, to: i64) -> usize {
        let said = |line: &&(i64, String, String, String)| line.0 >= from && line.0 < to && line.3.contains(part);
        self.lines.iter().filter(said).count()
    }
}

fn incident(kind: Kind) -> (i64, i64, i64) {
    let plan = Plan::demo();
    let truth = Truth::of(&plan);
    let found = truth.incidents.iter().find(|incident| incident.kind == kind).unwrap();
    (
        found.start - plan.start,
        found.impact - plan.start,
        found.end - plan.start,
    )
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let hash = |bytes: &[u8]| {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        hasher.finish()
    };
    assert_eq!(hash(&run(Plan::demo())), hash(&demo().bytes));
    let other = Plan {
        seed: 1,
        ..Plan::demo()
    };
    assert_ne!(hash(&run(other)), hash(&demo().bytes));
}

#[test]
fn events_come_in_the_order_of_time() {
    // Rows close a tick, so their stamp is compared as the full second.
    let padded = |stamp: &String| format!("{:0<23}", stamp.trim_end_matches('Z').replace('.', ""));
    let stamps: Vec<String> = demo().stamps.iter().map(padded).collect();
    assert!(stamps.windows(2).all(|pair| pair[0] <= pair[1]));
}

#[test]
fn a_day_has_the_intended_volume() {
    let demo = demo();
    let days = 2.0;
    let seconds = days * DAY as f64;
    let events = demo.stamps.len() as f64 / days;
    assert!((170_000.0..250_000.0).contains(&events), "{events} events a day");
    let lines = demo.lines.len() as f64 / seconds;
    assert!((1.0..2.5).contains(&lines), "{lines} lines a second");
    let share = |level: &str| {
        let said = demo.lines.iter().filter(|line| line.2 == level && line.0 < DAY).count();
        said as f64 / demo.lines.iter().filter(|line| line.0 < DAY).count() as f64
    };
    assert!((0.01..0.08).contains(&share("warn")), "{} warnings", share("warn"));
    assert!((0.002..0.03).contains(&share("error")), "{} errors", share("error"));
    let night = demo.mean("gateway GET /api/products requests_per_second", 10_800, 14_400);
    let evening = demo.mean("gateway GET /api/products requests_per_second", 68_400, 72_000);
    assert!((3.5..6.5).contains(&(evening / night)), "{evening} to {night}");
}

#[test]
fn a_slow_route_shows_in_its_latency_and_above_it() {
    let demo = demo();
    let (start, impact, end) = incident(Kind::SlowRoute);
    let median = demo.against_yesterday("checkout POST /checkout latency_p50_ms", impact, end);
    let tail = demo.against_yesterday("checkout POST /checkout latency_p99_ms", impact, end);
    assert!(
        (2.0..2.7).contains(&median) && (3.0..4.5).contains(&tail),
        "{median} {tail}"
    );
    let above = demo.against_yesterday("gateway POST /api/checkout latency_p50_ms", impact, end);
    assert!(above > 1.5, "{above}");
    let beside = demo.against_yesterday("cart GET /cart latency_p50_ms", start, end);
    assert!((0.9..1.1).contains(&beside), "{beside}");
}

#[test]
fn a_lost_upstream_shows_in_errors_and_new_lines() {
    let demo = demo();
    let (start, impact, end) = incident(Kind::LostUpstream);
    let ratio = "payments POST /payments/authorise error_ratio";
    assert!((0.08..0.22).contains(&demo.mean(ratio, impact, end - 150)));
    assert!(demo.mean("checkout POST /checkout error_ratio", impact, end - 150) > 0.07);
    assert!(demo.mean(ratio, start - 7200, start) < 0.01);
    let new = [
        "certificate has expired",
        "pool acquirer exhausted",
        "gave up",
        "retry budget exceeded",
    ];
    for text in new {
        assert_eq!(demo.lines_with(text, 0, start), 0, "{text}");
        assert!(demo.lines_with(text, start, end) > 10, "{text}");
        assert_eq!(demo.lines_with(text, end, 2 * DAY), 0, "{text}");
    }
}

#[test]
fn a_leak_shows_in_memory_long_before_it_hurts() {
    let demo = demo();
    let (start, impact, end) = incident(Kind::MemoryLeak);
    let memory = "search  memory_bytes";
    assert!((4.0..5.0).contains(&((impact - start) as f64 / 3600.0)));
    assert!(demo.against_yesterday(memory, start + 7200, start + 10_800) > 1.5);
    assert!(demo.against_yesterday(memory, end + 3600, end + 7200) < 1.2);
    assert!(demo.against_yesterday("search  gc_pause_ms", start, start + 3600) < 1.3);
    assert!(demo.against_yesterday("search  gc_pause_ms", impact - 1200, impact) > 3.0);
    assert_eq!(demo.lines_with("out of memory", 0, impact - 600), 0);
    assert!(demo.lines_with("out of memory", impact - 60, end) > 5);
}

#[test]
fn harmless_events_are_visible_and_pass() {
    let demo = demo();
    let campaign = demo.against_yesterday("cart GET /cart requests_per_second", DAY + 67_200, DAY + 68_700);
    assert!((1.6..2.4).contains(&campaign), "{campaign}");
    assert_eq!(demo.lines_with("starting catalog v2.18.0", DAY, 2 * DAY), 1);
    let related = &demo.series["catalog GET /products/:id/related error_ratio"];
    assert!(related.iter().all(|row| row.0 > DAY + 13 * 3600));
    // Services in between have an ordinary second day.
    let quiet = demo.against_yesterday("cart  cpu_ratio", DAY + 20 * 3600, DAY + 23 * 3600);
    assert!((0.8..1.25).contains(&quiet), "{quiet}");
}

#[test]
fn lines_are_filled_in_and_varied() {
    let demo = demo();
    let unfilled = |line: &&(i64, String, String, String)| line.3.contains('{') || line.3.contains('?');
    assert_eq!(demo.lines.iter().find(unfilled), None);
    let said: BTreeSet<String> = demo
        .lines
        .iter()
        .filter(|line| line.0 < DAY)
        .map(|line| {
            let words = line
                .3
                .split(' ')
                .filter(|word| word.bytes().all(|b| b.is_ascii_alphabetic()));
            format!("{} {}", line.1, words.take(3).collect::<Vec<_>>().join(" "))
        })
        .collect();
    assert!(said.len() >= 60, "{} kinds of lines", said.len());
}
