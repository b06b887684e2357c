//! What is sent.

use super::wire::{
    array, boolean, double, doubles, entry, fields_of, float, int, integer, len, map, metadata, null, packed, text,
    timestamp,
};

/// Numbers of the kinds of events.
pub(crate) const LOG: u64 = 1;
const METRIC: u64 = 2;
pub(crate) const TRACE: u64 = 3;

const START: u64 = 1_795_165_200;

fn event(kind: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    len(kind, content)
}

pub(crate) fn batch(events: &[Vec<u8>]) -> Vec<u8> {
    events.iter().flat_map(|event| len(1, event)).collect()
}

/// A line of a shop's log; the 350th of 400 is one that never was before.
fn message(n: usize) -> String {
    match n % 400 {
        350 => "FATAL out of memory: killed process 4242".to_owned(),
        _ => format!("INFO GET /cart/{} took {} ms", n * 37 % 1000, 10 + n * 13 % 17),
    }
}

fn log(n: usize) -> Vec<u8> {
    let fields = fields_of(&[
        ("id", integer(n as i64)),
        ("message", text(&message(n))),
        ("service", text("shop")),
        ("timestamp", timestamp(START + 10 * n as u64, 500_000_000)),
    ]);
    event(LOG, [fields, len(4, metadata())].concat())
}

/// The same as a line of `native_json`.
pub(crate) fn log_line(n: usize) -> String {
    let time = jiff::Timestamp::from_second(START as i64 + 10 * n as i64).unwrap();
    let time = time.to_string().replace('Z', ".500Z");
    let log = serde_json::json!({ "id": n, "message": message(n), "service": "shop", "timestamp": time });
    format!("{}\n", serde_json::json!({ "log": log }))
}

pub(crate) fn logs(range: std::ops::Range<usize>) -> Vec<u8> {
    batch(&range.map(log).collect::<Vec<_>>())
}

/// One event of every kind and form that there is or was.
pub(crate) fn all_kinds() -> Vec<(&'static str, Vec<u8>)> {
    let nested = fields_of(&[
        ("message", text("GET /cart took 12 ms")),
        ("bytes", len(1, [0xff, 0x00, 0xfe])),
        ("timestamp", timestamp(START, 123_456_789)),
        ("many", array(&[integer(-1), null(), text("a"), array(&[]), map(&[])])),
        (
            "inner",
            map(&[("empty", text("")), ("deep", map(&[("yes", boolean(true))]))]),
        ),
        ("nothing", null()),
        ("nan", float(f64::NAN)),
        ("ratio", float(0.1)),
        ("a.b \"c\"\n", text("a strange name")),
    ]);
    let metric = |number: u64, value: Vec<u8>| {
        let tags = [
            entry(3, "host", "a"),
            entry(20, "host", len(1, len(1, "a"))),
            entry(20, "bare", len(1, [])),
            entry(20, "many", [len(1, len(1, "x")), len(1, len(1, "y"))].concat()),
        ];
        let name = [len(1, "requests"), timestamp(START, 0), tags.concat(), int(4, 1)].concat();
        let rest = [len(11, "shop"), int(18, 10_000), len(19, map(&[])), len(21, metadata())].concat();
        event(METRIC, [name, len(number, value), rest].concat())
    };
    let bucket = |limit: f64, count: u64| len(1, [double(1, limit), int(2, count)].concat());
    let buckets = [bucket(0.5, 3), bucket(f64::INFINITY, 1), int(2, 4), double(3, 2.5)].concat();
    let quantile = |quantile: f64, value: f64| len(1, [double(1, quantile), double(2, value)].concat());
    let quantiles = [quantile(0.5, 3.0), quantile(0.99, 9.0), int(2, 4), double(3, 12.5)].concat();
    let sample = |value: f64, rate: u64| len(1, [double(1, value), int(2, rate)].concat());
    let old = |numbers: &[u64]| [doubles(1, &[0.5, 1.5]), packed(2, numbers), int(3, 4), double(4, 2.5)].concat();
    let old_summary = [
        doubles(1, &[0.5, 0.9]),
        doubles(2, &[1.0, 2.0]),
        int(3, 4),
        double(4, 2.5),
    ]
    .concat();
    let sketch = [
        int(1, 4),
        double(2, 0.5),
        double(3, 9.0),
        double(4, 12.0),
        double(5, 3.0),
    ]
    .concat();
    let sketch = [sketch, packed(6, &[2, 4, 7]), packed(7, &[1, 2, 1])].concat();
    vec![
        (
            "a log",
            event(LOG, [nested.clone(), len(3, map(&[])), len(4, metadata())].concat()),
        ),
        ("a log without fields", event(LOG, len(4, metadata()))),
        (
            "a log that is a text",
            event(LOG, [fields_of(&[(".", null())]), len(2, text("GET / 12 ms"))].concat()),
        ),
        (
            "a log whose value is an object",
            event(LOG, len(2, map(&[("message", text("GET / 12 ms"))]))),
        ),
        (
            "a log of a newer Vector",
            event(LOG, [nested.clone(), len(77, "news"), int(78, 1)].concat()),
        ),
        (
            "a trace",
            event(TRACE, [nested, len(2, map(&[])), len(3, metadata())].concat()),
        ),
        ("a counter", metric(5, double(1, 3.0))),
        ("a gauge", metric(6, double(1, 0.25))),
        ("a set", metric(7, [len(1, "a"), len(1, "b")].concat())),
        (
            "a distribution",
            metric(12, [sample(0.5, 3), sample(1.5, 1), int(2, 1)].concat()),
        ),
        (
            "a distribution of old",
            metric(8, [doubles(1, &[0.5, 1.5]), packed(2, &[3, 1]), int(3, 1)].concat()),
        ),
        ("a histogram", metric(16, buckets.clone())),
        ("a histogram with small counts", metric(13, buckets)),
        ("a histogram of old", metric(9, old(&[3, 1]))),
        ("a summary", metric(17, quantiles.clone())),
        ("a summary with small counts", metric(14, quantiles)),
        ("a summary of old", metric(10, old_summary)),
        ("a sketch", metric(15, len(1, sketch))),
        ("an event of no kind", Vec::new()),
        ("an event of a kind to come", event(9, "what")),
        ("an event that is broken", vec![0x0a, 0x05, 0x01]),
    ]
}
